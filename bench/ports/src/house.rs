//! What a service stands on here: an in-memory link with the whole stack, peers that take everything, and accounts whose
//! tokens are signed once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use atelier_generation::testing::Credits;
use atelier_kit::identity::{Role, ServiceTokens};
use atelier_kit::link::{Link, Route};
use atelier_kit::objects::BlobStore;
use atelier_kit::policy::Policies;
use atelier_kit::service::{Foundation, Service};
use atelier_kit::testing::{Issuer, agreeable, foundation_with, mount_route, secret};
use atelier_proto::DESCRIPTOR;
use tokio_util::sync::DropGuard;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

use crate::OWNERS;

/// How long a token is good for: longer than a run.
const SECONDS: i64 = 3600;

/// What a service is built on, and its callers.
pub struct House {
    issuer: Issuer,
    tokens: Vec<MetadataValue<Ascii>>,
    routes: BTreeMap<String, Route>,
    guards: Vec<DropGuard>,
}

/// The account of a number.
pub fn account(number: usize) -> String {
    format!("account-{}", number % OWNERS)
}

impl House {
    /// With peers that serve until it is dropped.
    pub fn open() -> anyhow::Result<Self> {
        let issuer = Issuer::new();
        let (analytics, counting) = agreeable();
        let (users, paying) = Credits::default().serve(&issuer);
        let mut tokens = Vec::new();
        for number in 0..OWNERS {
            let bearer = issuer.bearer_for(&account(number), Role::User, SECONDS);
            tokens.push(bearer.parse()?);
        }
        Ok(Self {
            issuer,
            tokens,
            routes: BTreeMap::from([
                ("analytics".to_owned(), analytics),
                ("users".to_owned(), users),
            ]),
            guards: vec![counting, paying],
        })
    }

    /// A foundation in a folder, on what is embedded.
    pub fn foundation(
        &mut self,
        role: &'static str,
        folder: &Path,
        objects: Option<Arc<dyn BlobStore>>,
    ) -> anyhow::Result<Foundation> {
        let folder = folder.join(role);
        std::fs::create_dir_all(&folder)?;
        let mut ground = foundation_with(role, &folder, &self.routes);
        // Here alone is decided what a service stands on, whatever is set for the tests.
        ground.engines = atelier_kit::service::Engines::default();
        ground.objects = objects;
        self.guards.push(ground.stop.clone().drop_guard());
        Ok(ground)
    }

    /// Serves a service; the link is another service's.
    pub fn serve(
        &mut self,
        service: Service,
        role: &'static str,
        caller: &'static str,
    ) -> anyhow::Result<Link> {
        let policies = Policies::read(DESCRIPTOR)?;
        let (route, served) = mount_route(service, role, policies, &self.issuer);
        self.guards.push(served);
        let tokens = ServiceTokens::new(&secret(), caller);
        Ok(Link::new(role, &route, Some(tokens))?)
    }

    /// A request of the account of a number.
    pub fn request<T>(&self, number: usize, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.tokens[number % OWNERS].clone();
        request.metadata_mut().insert("authorization", token);
        request
    }
}
