//! The only list of services: who there is, where each listens when the mesh is split, and how each is built.

use std::future::Future;
use std::pin::Pin;

use atelier_kit::config::{Setting, Settings};
use atelier_kit::service::{Foundation, Service, StartError};

/// The edge's role; it is no service of the contract.
pub const EDGE: &str = "edge";

/// How a service is built once its foundation stands.
pub type Build = Box<
    dyn FnOnce(Foundation) -> Pin<Box<dyn Future<Output = Result<Service, StartError>> + Send>>
        + Send,
>;

/// A role of the mesh: one crate, and the services of the contract that it has.
pub struct Seat {
    /// Its role, as in `llm-chat`.
    pub role: &'static str,
    /// Its services, by their full names in the contract. They start and end together: the first stands for the role
    /// wherever one is asked how the role is.
    pub services: &'static [&'static str],
    /// Where its replicas are when the mesh is split: others find them there, and it listens on the port of the first.
    pub url: Setting,
    /// Its own settings.
    pub settings: &'static [Setting],
    /// Whether it keeps objects.
    pub objects: bool,
    /// Reads its settings and says how to build it.
    prepare: fn(&Settings) -> Build,
}

/// A service that is about to be built.
pub struct Plan {
    /// Its seat.
    pub seat: &'static Seat,
    /// How to build it.
    pub build: Build,
}

impl Seat {
    /// The service that stands for the role.
    pub fn first(&self) -> &'static str {
        self.services[0]
    }

    /// Reads the service's settings.
    pub fn plan(&'static self, settings: &Settings) -> Plan {
        Plan {
            seat: self,
            build: (self.prepare)(settings),
        }
    }
}

/// What the URL of a role says.
macro_rules! where_is {
    ($role:literal) => {
        concat!(
            "Where the ",
            $role,
            " role is when the mesh is split over processes: a URL, or several divided by commas; each address of a host, \
             as of a headless Service, is a replica. It listens on the port of the first."
        )
    };
}

/// One line a service: its crate, read and built.
macro_rules! prepare {
    ($service:ident) => {
        |settings| {
            let config = $service::Config::read(settings);
            Box::new(move |foundation| {
                Box::pin(async move { $service::build(config, &foundation).await })
            })
        }
    };
}

/// All roles.
pub static ROSTER: &[Seat] = &[
    Seat {
        role: "users",
        services: &[
            "atelier.users.v1.UsersService",
            "atelier.users.v1.CreditsService",
        ],
        url: Setting::new(
            "ATELIER_USERS_URL",
            "http://127.0.0.1:3000",
            where_is!("users"),
        ),
        settings: atelier_users::SETTINGS,
        objects: false,
        prepare: prepare!(atelier_users),
    },
    Seat {
        role: "llm-chat",
        services: &["atelier.llm_chat.v1.LlmChatService"],
        url: Setting::new(
            "ATELIER_LLM_CHAT_URL",
            "http://127.0.0.1:8002",
            where_is!("llm-chat"),
        ),
        settings: atelier_llm_chat::SETTINGS,
        objects: false,
        prepare: prepare!(atelier_llm_chat),
    },
    Seat {
        role: "text-image",
        services: &["atelier.text_image.v1.TextImageService"],
        url: Setting::new(
            "ATELIER_TEXT_IMAGE_URL",
            "http://127.0.0.1:8000",
            where_is!("text-image"),
        ),
        settings: atelier_text_image::SETTINGS,
        objects: true,
        prepare: prepare!(atelier_text_image),
    },
    Seat {
        role: "tts",
        services: &["atelier.tts.v1.TtsService"],
        url: Setting::new("ATELIER_TTS_URL", "http://127.0.0.1:8001", where_is!("tts")),
        settings: atelier_tts::SETTINGS,
        objects: true,
        prepare: prepare!(atelier_tts),
    },
    Seat {
        role: "analytics",
        services: &["atelier.analytics.v1.AnalyticsService"],
        url: Setting::new(
            "ATELIER_ANALYTICS_URL",
            "http://127.0.0.1:8005",
            where_is!("analytics"),
        ),
        settings: atelier_analytics::SETTINGS,
        objects: false,
        prepare: prepare!(atelier_analytics),
    },
];

/// The services that a role must have met before it takes calls: the edge all, since it passes calls on to each, the
/// others the one that has the keys. What a role calls later may come later.
pub fn needs(role: &str) -> impl Iterator<Item = &'static Seat> {
    let all = role == EDGE;
    ROSTER.iter().filter(move |seat| all || seat.role == KEYS)
}

/// The role that has the keys, and knows who is revoked.
pub const KEYS: &str = "users";

/// The names of all roles, the edge's included.
pub fn roles() -> impl Iterator<Item = &'static str> {
    ROSTER.iter().map(|seat| seat.role).chain([EDGE])
}

/// The same, for the command line.
pub fn names() -> Vec<&'static str> {
    roles().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_service_of_the_contract_has_one_role() {
        let pool = prost_reflect::DescriptorPool::decode(atelier_proto::DESCRIPTOR).unwrap();
        let contract: BTreeSet<String> = pool
            .services()
            .map(|service| service.full_name().to_owned())
            .filter(|name| name.starts_with("atelier."))
            .collect();
        let seated: Vec<&str> = ROSTER
            .iter()
            .flat_map(|seat| seat.services.iter().copied())
            .collect();
        assert_eq!(
            seated.len(),
            contract.len(),
            "a service sits twice or nowhere"
        );
        assert!(seated.iter().all(|name| contract.contains(*name)));
        for seat in ROSTER {
            assert!(!seat.services.is_empty(), "{} has no service", seat.role);
        }
    }
}
