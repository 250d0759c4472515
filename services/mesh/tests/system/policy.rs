//! Who may call what: every method of the contract by every kind of caller, through the edge and at the services
//! themselves. What is expected stands in two tables that people review; the contract's options are not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::policy::Policies;
use atelier_kit::secret::MeshSecret;
use atelier_kit::testing::{Issuer, foundation, mount};
use atelier_proto::DESCRIPTOR;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{RegisterRequest, Role, SetUserRoleRequest};
use bytes::Bytes;
use tonic::Code;
use tonic::transport::Channel;

use crate::people::{Person, connect};
use crate::raw::{self, Answer};
use crate::running::Launch;
use crate::split::{SECRET, SERVICES, Split};

/// Whom a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    Anyone,
    AnySession,
    Accounts,
    Admins,
    Services,
}
use For::{Accounts, Admins, AnySession, Anyone, Services};

/// Every method, and whom it is for.
const METHODS: &[(&str, For)] = &[
    ("/atelier.users.v1.UsersService/Register", Anyone),
    ("/atelier.users.v1.UsersService/Login", Anyone),
    ("/atelier.users.v1.UsersService/RefreshSession", Anyone),
    (
        "/atelier.users.v1.UsersService/CreateAnonymousSession",
        Anyone,
    ),
    ("/atelier.users.v1.UsersService/GetKeySet", Anyone),
    ("/atelier.users.v1.UsersService/GetMe", AnySession),
    ("/atelier.users.v1.UsersService/ListSessions", AnySession),
    ("/atelier.users.v1.UsersService/RevokeSession", AnySession),
    ("/atelier.users.v1.UsersService/UpdateMe", Accounts),
    ("/atelier.users.v1.UsersService/ChangePassword", Accounts),
    ("/atelier.users.v1.UsersService/ListUsers", Admins),
    ("/atelier.users.v1.UsersService/SetUserRole", Admins),
    ("/atelier.llm_chat.v1.LlmChatService/ListModels", Anyone),
    (
        "/atelier.llm_chat.v1.LlmChatService/CreateConversation",
        Accounts,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/GetConversation",
        Accounts,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListConversations",
        Accounts,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/UpdateConversation",
        Accounts,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/DeleteConversation",
        Accounts,
    ),
    ("/atelier.llm_chat.v1.LlmChatService/ListMessages", Accounts),
    ("/atelier.llm_chat.v1.LlmChatService/SendMessage", Accounts),
    ("/atelier.llm_chat.v1.LlmChatService/Complete", Accounts),
    (
        "/atelier.llm_chat.v1.LlmChatService/WatchGeneration",
        Accounts,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/CancelGeneration",
        Accounts,
    ),
    ("/atelier.text_image.v1.TextImageService/ListStyles", Anyone),
    (
        "/atelier.text_image.v1.TextImageService/GenerateImage",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/WatchGeneration",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/CancelGeneration",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/GetImage",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/ListImages",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/DeleteImage",
        AnySession,
    ),
    (
        "/atelier.text_image.v1.TextImageService/ListAllImages",
        Admins,
    ),
    ("/atelier.tts.v1.TtsService/ListVoices", Anyone),
    ("/atelier.tts.v1.TtsService/Synthesize", Accounts),
    ("/atelier.tts.v1.TtsService/WatchGeneration", Accounts),
    ("/atelier.tts.v1.TtsService/CancelGeneration", Accounts),
    ("/atelier.tts.v1.TtsService/GetConversion", Accounts),
    ("/atelier.tts.v1.TtsService/ListConversions", Accounts),
    ("/atelier.tts.v1.TtsService/DeleteConversion", Accounts),
    (
        "/atelier.analytics.v1.AnalyticsService/RecordEvents",
        Services,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/GetUsageSummary",
        AnySession,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/ListUsageEvents",
        AnySession,
    ),
    // The last of all, since it ends the session that calls.
    ("/atelier.users.v1.UsersService/Logout", AnySession),
];

/// How a call is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The handler answers, whatever it says.
    Allowed,
    /// PERMISSION_DENIED for this reason.
    Denied(&'static str),
    /// UNAUTHENTICATED for this reason.
    Unknown(&'static str),
}

const OPEN: Outcome = Outcome::Allowed;
const LOW: Outcome = Outcome::Denied("ROLE_TOO_LOW");
const NO_ACCOUNT: Outcome = Outcome::Denied("ACCOUNT_NEEDED");
const INSIDE: Outcome = Outcome::Denied("INTERNAL_ONLY");
const MISSING: Outcome = Outcome::Unknown("TOKEN_MISSING");
const EXPIRED: Outcome = Outcome::Unknown("TOKEN_EXPIRED");
const INVALID: Outcome = Outcome::Unknown("TOKEN_INVALID");

/// The kinds of callers, in the order of the columns below.
const CALLERS: [&str; 10] = [
    "nobody",
    "an anonymous session",
    "a user",
    "another user",
    "a moderator",
    "an admin",
    "a service",
    "a service that meant another",
    "an expired token",
    "garbage",
];

type Row = (For, [Outcome; CALLERS.len()]);

/// What each caller gets from a service itself.
#[rustfmt::skip]
const AT_THE_SERVICE: [Row; 5] = [
    //            nobody   anonymous user   other   mod.    admin   service     elsewhere expired  garbage
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   OPEN,       INVALID,  EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Services,   [MISSING, INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, OPEN,       INVALID,  EXPIRED, INVALID]),
];

/// What each caller gets through the edge: the same, but what is for services is for nobody who comes from outside.
#[rustfmt::skip]
const AT_THE_EDGE: [Row; 5] = [
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   OPEN,       INVALID,  EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   NO_ACCOUNT, INVALID,  EXPIRED, INVALID]),
    (Services,   [INSIDE,  INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, INSIDE,     INSIDE,   INSIDE,  INSIDE]),
];

#[test]
fn the_table_has_every_method_and_no_other() {
    let contract: BTreeSet<String> = raw::methods().into_iter().map(|(path, _)| path).collect();
    let table: BTreeSet<String> = METHODS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(table.len(), METHODS.len(), "a method has two rows");
    let unreviewed: Vec<&String> = contract.difference(&table).collect();
    assert!(
        unreviewed.is_empty(),
        "methods without a row: {unreviewed:?}"
    );
    let gone: Vec<&String> = table.difference(&contract).collect();
    assert!(gone.is_empty(), "rows without a method: {gone:?}");
}

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
struct Cast {
    people: [Person; 4],
    expired: String,
}

impl Cast {
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

    /// A token for each column, the people's from sessions of their own; `None` sends none.
    async fn tokens(&self, edge: &str, role: &str) -> [Option<String>; CALLERS.len()] {
        let anonymous = Person::anonymous(edge).await;
        let mut access = Vec::new();
        for person in &self.people {
            access.push(person.login(edge).await.tokens.access_token);
        }
        let [user, other, moderator, admin] = access.try_into().unwrap();
        let services = ServiceTokens::new(&MeshSecret::new(SECRET.as_bytes()).unwrap(), "a-test");
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
            Some(self.expired.clone()),
            Some("bm90.YQ.dG9rZW4".to_owned()),
        ]
    }
}

/// Whether an answer is what was expected.
fn is(outcome: Outcome, answer: &Answer) -> bool {
    match outcome {
        Outcome::Allowed => !matches!(
            answer.code,
            Code::Unauthenticated
                | Code::PermissionDenied
                // Neither is a handler's answer to an empty message.
                | Code::Unimplemented
                | Code::Unavailable
                | Code::Internal
                | Code::Unknown
        ),
        Outcome::Denied(reason) => {
            answer.code == Code::PermissionDenied && answer.reason() == reason
        }
        Outcome::Unknown(reason) => {
            answer.code == Code::Unauthenticated && answer.reason() == reason
        }
    }
}

/// Calls every method of a role as everybody, and returns what was not as expected.
async fn try_all(
    channel: &Channel,
    role: &str,
    expected: &[Row],
    tokens: &[Option<String>; CALLERS.len()],
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, access) in METHODS {
        if raw::role_of(path) != role {
            continue;
        }
        let (_, row) = expected.iter().find(|(of, _)| of == access).unwrap();
        for ((caller, token), outcome) in CALLERS.iter().zip(tokens).zip(row) {
            let answer = raw::call(channel, path, token.as_deref(), Bytes::new()).await;
            if !is(*outcome, &answer) {
                wrong.push(format!(
                    "{path} by {caller}: expected {outcome:?}, got {:?} {} {:?}",
                    answer.code,
                    answer.reason(),
                    answer.message
                ));
            }
            if answer.request_id().is_none() {
                wrong.push(format!("{path} by {caller}: no x-request-id"));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn everybody_gets_from_every_method_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
    let data = folder.path().join("machine-1");
    let expired = expired_token(&data.join("users")).await;
    let mesh = Split::start(&[&["edge"], &services], folder.path()).await;
    let cast = Cast::gather(mesh.edge(), &data, expired).await;

    let edge = connect(mesh.edge()).await;
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for role in services {
        let tokens = cast.tokens(mesh.edge(), role).await;
        let through = try_all(&edge, role, &AT_THE_EDGE, &tokens).await;
        wrong.entry("through the edge").or_default().extend(through);
        let tokens = cast.tokens(mesh.edge(), role).await;
        let direct = connect(mesh.of(role)).await;
        let at = try_all(&direct, role, &AT_THE_SERVICE, &tokens).await;
        wrong.entry("at the service").or_default().extend(at);
    }
    wrong.retain(|_, wrong| !wrong.is_empty());
    assert!(wrong.is_empty(), "{wrong:#?}");
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        assert!(ended.took < Duration::from_secs(20));
    }
}
