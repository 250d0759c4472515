//! The callers behind the columns: people with sessions and API keys of their own, services, and a token that has expired.

use std::path::Path;
use std::sync::Arc;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::policy::Policies;
use atelier_kit::secret::MeshSecret;
use atelier_kit::testing::{Issuer, foundation, mount};
use atelier_proto::DESCRIPTOR;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{CreateApiKeyRequest, RegisterRequest, Role, SetUserRoleRequest};

use super::outcomes::{CALLERS, KEYS, SCOPES};
use crate::people::Person;
use crate::running::Launch;
use crate::split::{SECRET, SERVICES, Split};

/// A clock that is an hour late: what it issues has expired.
struct LateClock;

impl atelier_users::Clock for LateClock {
    fn now(&self) -> i64 {
        atelier_kit::moment::now() - 3_600_000_000
    }
}

/// A token that the mesh on this folder really issued, an hour ago.
async fn expired_token(data: &Path) -> String {
    std::fs::create_dir_all(data).unwrap();
    let mut ground = foundation("users", data);
    ground.secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
    let settings = atelier_kit::config::Settings::new(std::iter::empty());
    let passwords = atelier_users::Argon2Passwords::new().unwrap();
    let service = atelier_users::build_with(
        atelier_users::Config::read(&settings),
        &ground,
        Arc::new(LateClock),
        Arc::new(passwords),
    )
    .await
    .expect("the users service");
    let policies = Policies::read(DESCRIPTOR).unwrap();
    let (link, _served) = mount(service, "users", policies, &Issuer::new());
    let answer = UsersServiceClient::new(link)
        .register(RegisterRequest {
            email: "late@example.com".to_owned(),
            password: "an hour ago".to_owned(),
            display_name: String::new(),
        })
        .await
        .expect("an account")
        .into_inner();
    ground.stop.cancel();
    answer.tokens.unwrap().access_token
}

/// The people behind the columns.
pub struct Cast {
    people: [Person; 4],
    expired: String,
}

impl Cast {
    /// A mesh whose services are in a process of their own, and the people who call it.
    pub async fn at_work(folder: &Path) -> (Split, Self) {
        let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
        let data = folder.join("machine-1");
        let expired = expired_token(&data.join("users")).await;
        let mesh = Split::start(&[&["edge"], &services], folder).await;
        let cast = Self::gather(mesh.edge(), &data, expired).await;
        (mesh, cast)
    }

    /// Registers them, and gives two of them their roles.
    async fn gather(edge: &str, data: &Path, expired: String) -> Self {
        let user = Person::register(edge).await;
        let other = Person::register(edge).await;
        let moderator = Person::register(edge).await;
        let admin = Person::register(edge).await;
        let granted = Launch::new(&["admin", "grant", &admin.user.email, "--data"])
            .args(&[&data.display().to_string()])
            .run()
            .await;
        assert_eq!(granted.code(), Some(0), "{granted:?}");
        let admin = admin.login(edge).await;
        admin
            .users()
            .set_user_role(SetUserRoleRequest {
                user_id: moderator.user.id.clone(),
                role: Role::Moderator.into(),
            })
            .await
            .expect("a moderator");
        Self {
            people: [user, other, moderator, admin],
            expired,
        }
    }

    /// The user.
    pub fn user(&self) -> &Person {
        &self.people[0]
    }

    /// The user's API keys, one of each kind.
    pub async fn keys(&self) -> [String; KEYS.len()] {
        let mut keys = Vec::new();
        for (name, scopes) in KEYS.iter().zip(SCOPES) {
            let request = CreateApiKeyRequest {
                display_name: (*name).to_owned(),
                scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
                expire_time: None,
            };
            let answer = self.people[0].users().create_api_key(request).await;
            keys.push(answer.expect("an API key").into_inner().secret);
        }
        keys.try_into().unwrap()
    }

    /// A token for each column, the people's from sessions of their own; `None` sends none.
    pub async fn tokens(&self, edge: &str, role: &str) -> [Option<String>; CALLERS.len()] {
        let anonymous = Person::anonymous(edge).await;
        let mut access = Vec::new();
        for person in &self.people {
            access.push(person.login(edge).await.tokens.access_token);
        }
        let [user, other, moderator, admin] = access.try_into().unwrap();
        let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
        let services = ServiceTokens::new(&secret, "a-test");
        let operator = ServiceTokens::new(&secret, "operator");
        let elsewhere = if role == "users" { "tts" } else { "users" };
        [
            None,
            Some(anonymous.tokens.access_token),
            Some(user),
            Some(other),
            Some(moderator),
            Some(admin),
            Some(services.token(role).unwrap().to_string()),
            Some(services.token(elsewhere).unwrap().to_string()),
            Some(operator.token(role).unwrap().to_string()),
            Some(self.expired.clone()),
            Some("bm90.YQ.dG9rZW4".to_owned()),
        ]
    }
}
