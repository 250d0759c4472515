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
use atelier_proto::policy::v1::Scope;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{CreateApiKeyRequest, RegisterRequest, Role, SetUserRoleRequest};
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
    Operators,
}
use For::{Accounts, Admins, AnySession, Anyone, Operators, Services};

/// What an API key needs for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// Nothing: everybody may call it.
    Free,
    /// The scope for reading.
    Read,
    /// The scope of the medium.
    Make,
    /// No key may call it.
    Never,
}
use Key::{Free, Make, Never, Read};

/// Every method, whom it is for, and what an API key needs.
const METHODS: &[(&str, For, Key)] = &[
    ("/atelier.users.v1.UsersService/Register", Anyone, Free),
    ("/atelier.users.v1.UsersService/Login", Anyone, Free),
    (
        "/atelier.users.v1.UsersService/RefreshSession",
        Anyone,
        Free,
    ),
    (
        "/atelier.users.v1.UsersService/CreateAnonymousSession",
        Anyone,
        Free,
    ),
    ("/atelier.users.v1.UsersService/GetKeySet", Anyone, Free),
    ("/atelier.users.v1.UsersService/GetMe", AnySession, Read),
    (
        "/atelier.users.v1.UsersService/ListSessions",
        AnySession,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/RevokeSession",
        AnySession,
        Never,
    ),
    ("/atelier.users.v1.UsersService/UpdateMe", Accounts, Never),
    (
        "/atelier.users.v1.UsersService/ChangePassword",
        Accounts,
        Never,
    ),
    ("/atelier.users.v1.UsersService/ListUsers", Admins, Never),
    ("/atelier.users.v1.UsersService/SetUserRole", Admins, Never),
    (
        "/atelier.users.v1.UsersService/RequestPasswordReset",
        Anyone,
        Free,
    ),
    ("/atelier.users.v1.UsersService/ResetPassword", Anyone, Free),
    ("/atelier.users.v1.UsersService/ConfirmEmail", Anyone, Free),
    (
        "/atelier.users.v1.UsersService/RequestEmailVerification",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/RequestEmailChange",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/CreateApiKey",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/ListApiKeys",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/RevokeApiKey",
        Accounts,
        Never,
    ),
    ("/atelier.users.v1.UsersService/EnrollTotp", Accounts, Never),
    (
        "/atelier.users.v1.UsersService/ConfirmTotp",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/DisableTotp",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/RenewRecoveryCodes",
        Accounts,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/ListAuditEvents",
        Admins,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/ExchangeApiKey",
        Services,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/WatchRevocations",
        Services,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/ListSigningKeys",
        Operators,
        Never,
    ),
    (
        "/atelier.users.v1.UsersService/RotateSigningKey",
        Operators,
        Never,
    ),
    ("/atelier.users.v1.UsersService/GrantRole", Operators, Never),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListModels",
        Anyone,
        Free,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/CreateConversation",
        Accounts,
        Make,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/GetConversation",
        Accounts,
        Read,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListConversations",
        Accounts,
        Read,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/UpdateConversation",
        Accounts,
        Make,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/DeleteConversation",
        Accounts,
        Make,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListMessages",
        Accounts,
        Read,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/SendMessage",
        Accounts,
        Make,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/Complete",
        Accounts,
        Make,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/WatchGeneration",
        Accounts,
        Read,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/CancelGeneration",
        Accounts,
        Make,
    ),
    (
        "/atelier.text_image.v1.TextImageService/ListStyles",
        Anyone,
        Free,
    ),
    (
        "/atelier.text_image.v1.TextImageService/GenerateImage",
        AnySession,
        Make,
    ),
    (
        "/atelier.text_image.v1.TextImageService/WatchGeneration",
        AnySession,
        Read,
    ),
    (
        "/atelier.text_image.v1.TextImageService/CancelGeneration",
        AnySession,
        Make,
    ),
    (
        "/atelier.text_image.v1.TextImageService/GetImage",
        AnySession,
        Read,
    ),
    (
        "/atelier.text_image.v1.TextImageService/ListImages",
        AnySession,
        Read,
    ),
    (
        "/atelier.text_image.v1.TextImageService/DeleteImage",
        AnySession,
        Make,
    ),
    (
        "/atelier.text_image.v1.TextImageService/ListAllImages",
        Admins,
        Never,
    ),
    ("/atelier.tts.v1.TtsService/ListVoices", Anyone, Free),
    ("/atelier.tts.v1.TtsService/Synthesize", Accounts, Make),
    ("/atelier.tts.v1.TtsService/WatchGeneration", Accounts, Read),
    (
        "/atelier.tts.v1.TtsService/CancelGeneration",
        Accounts,
        Make,
    ),
    ("/atelier.tts.v1.TtsService/GetConversion", Accounts, Read),
    ("/atelier.tts.v1.TtsService/ListConversions", Accounts, Read),
    (
        "/atelier.tts.v1.TtsService/DeleteConversion",
        Accounts,
        Make,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/RecordEvents",
        Services,
        Never,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/GetUsageSummary",
        AnySession,
        Read,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/ListUsageEvents",
        AnySession,
        Read,
    ),
    // The last of all, since they end the session that calls.
    (
        "/atelier.users.v1.UsersService/RevokeAllSessions",
        AnySession,
        Never,
    ),
    ("/atelier.users.v1.UsersService/Logout", AnySession, Never),
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
const OWNER: Outcome = Outcome::Denied("OPERATOR_ONLY");
const SCOPE: Outcome = Outcome::Denied("SCOPE_MISSING");
const NO_KEY: Outcome = Outcome::Denied("NOT_FOR_API_KEYS");
const MISSING: Outcome = Outcome::Unknown("TOKEN_MISSING");
const EXPIRED: Outcome = Outcome::Unknown("TOKEN_EXPIRED");
const INVALID: Outcome = Outcome::Unknown("TOKEN_INVALID");

/// The kinds of callers, in the order of the columns below.
const CALLERS: [&str; 11] = [
    "nobody",
    "an anonymous session",
    "a user",
    "another user",
    "a moderator",
    "an admin",
    "a service",
    "a service that meant another",
    "the operator",
    "an expired token",
    "garbage",
];

type Row = (For, [Outcome; CALLERS.len()]);

/// What each caller gets from a service itself.
#[rustfmt::skip]
const AT_THE_SERVICE: [Row; 6] = [
    //            nobody   anonymous user   other   mod.    admin   service     elsewhere operator    expired  garbage
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   OPEN,       INVALID,  OPEN,       EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Services,   [MISSING, INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, OPEN,       INVALID,  OPEN,       EXPIRED, INVALID]),
    (Operators,  [MISSING, INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, OWNER,      INVALID,  OPEN,       EXPIRED, INVALID]),
];

/// What each caller gets through the edge: the same, but what is for services is for nobody who comes from outside.
#[rustfmt::skip]
const AT_THE_EDGE: [Row; 6] = [
    (Anyone,     [OPEN,    OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   OPEN,       INVALID,  OPEN,       EXPIRED, INVALID]),
    (AnySession, [MISSING, OPEN,    OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Accounts,   [MISSING, LOW,     OPEN,   OPEN,   OPEN,   OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Admins,     [MISSING, LOW,     LOW,    LOW,    LOW,    OPEN,   NO_ACCOUNT, INVALID,  NO_ACCOUNT, EXPIRED, INVALID]),
    (Services,   [INSIDE,  INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, INSIDE,     INSIDE,   INSIDE,     INSIDE,  INSIDE]),
    (Operators,  [INSIDE,  INSIDE,  INSIDE, INSIDE, INSIDE, INSIDE, INSIDE,     INSIDE,   INSIDE,     INSIDE,  INSIDE]),
];

/// What an API key gets through the edge: one that may only read, and one that may do everything a key can.
fn of_a_key(access: For, key: Key) -> [Outcome; 2] {
    match (access, key) {
        (Services | Operators, _) => [INSIDE, INSIDE],
        (_, Free) => [OPEN, OPEN],
        (_, Read) => [OPEN, OPEN],
        (_, Make) => [SCOPE, OPEN],
        (_, Never) => [NO_KEY, NO_KEY],
    }
}

#[test]
fn the_table_has_every_method_and_no_other() {
    let contract: BTreeSet<String> = raw::methods().into_iter().map(|(path, _)| path).collect();
    let table: BTreeSet<String> = METHODS
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .collect();
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

    /// An API key that may read, and one with every scope, of the user.
    async fn keys(&self) -> [String; 2] {
        let make = async |scopes: &[Scope]| {
            let request = CreateApiKeyRequest {
                display_name: "a key".to_owned(),
                scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
                expire_time: None,
            };
            let answer = self.people[0].users().create_api_key(request).await;
            answer.expect("an API key").into_inner().secret
        };
        let all = [Scope::Read, Scope::Chat, Scope::Image, Scope::Speech];
        [make(&[Scope::Read]).await, make(&all).await]
    }

    /// A token for each column, the people's from sessions of their own; `None` sends none.
    async fn tokens(&self, edge: &str, role: &str) -> [Option<String>; CALLERS.len()] {
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
    for (path, access, _) in METHODS {
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

/// Calls every method of a role through the edge with each of two API keys.
async fn try_keys(edge: &Channel, role: &str, keys: &[String; 2]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, access, key) in METHODS {
        if raw::role_of(path) != role {
            continue;
        }
        let expected = of_a_key(*access, *key);
        for ((name, secret), outcome) in KEYS.iter().zip(keys).zip(expected) {
            let answer = raw::call(edge, path, Some(secret), Bytes::new()).await;
            if !is(outcome, &answer) {
                wrong.push(format!(
                    "{path} by {name}: expected {outcome:?}, got {:?} {} {:?}",
                    answer.code,
                    answer.reason(),
                    answer.message
                ));
            }
        }
    }
    wrong
}

/// The two keys of [`of_a_key`].
const KEYS: [&str; 2] = ["a key that may read", "a key with every scope"];

/// The tables as people read them.
fn document() -> String {
    let mut text = String::from(
        "# Who may call what\n\n\
         Every method of the contract, whom it is for, and what an API key needs. The tables are reviewed: a test holds the running\n\
         mesh against them, and makes this page of them (`ATELIER_REGENERATE=1 cargo test -p atelier --test system policy`).\n\n\
         *read* and *make* are scopes of a key: `read`, and `chat`, `image` or `speech` by the service.\n\n\
         | method | for | API key |\n|---|---|---|\n",
    );
    for (path, access, key) in METHODS {
        let method = path.trim_start_matches("/atelier.");
        text.push_str(&format!(
            "| `{method}` | {} | {} |\n",
            whom(*access),
            key_word(*key)
        ));
    }
    for (title, rows) in [
        ("At a service itself", AT_THE_SERVICE),
        ("Through the edge", AT_THE_EDGE),
    ] {
        text.push_str(&format!(
            "\n## {title}\n\n| for | {} |\n",
            CALLERS.join(" | ")
        ));
        text.push_str(&format!("|---|{}\n", "---|".repeat(CALLERS.len())));
        for (access, outcomes) in rows {
            let told: Vec<String> = outcomes.iter().map(|outcome| word(*outcome)).collect();
            text.push_str(&format!("| {} | {} |\n", whom(access), told.join(" | ")));
        }
    }
    text
}

fn whom(access: For) -> &'static str {
    match access {
        Anyone => "anyone",
        AnySession => "any session",
        Accounts => "registered accounts",
        Admins => "admins",
        Services => "services",
        Operators => "the operator",
    }
}

fn key_word(key: Key) -> &'static str {
    match key {
        Free => "any",
        Read => "read",
        Make => "make",
        Never => "none",
    }
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Allowed => "yes".to_owned(),
        Outcome::Denied(reason) | Outcome::Unknown(reason) => format!("`{reason}`"),
    }
}

#[test]
fn the_page_of_policies_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    if std::env::vars().any(|(name, _)| name == "ATELIER_REGENERATE") {
        std::fs::write(&path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document(),
        "docs/policy.md is stale: run `just gen`"
    );
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
    let keys = cast.keys().await;
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for role in services {
        let tokens = cast.tokens(mesh.edge(), role).await;
        let through = try_all(&edge, role, &AT_THE_EDGE, &tokens).await;
        wrong.entry("through the edge").or_default().extend(through);
        let keyed = try_keys(&edge, role, &keys).await;
        wrong.entry("with an API key").or_default().extend(keyed);
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
