//! A service under test: a clock that stands until it is moved, passwords that are counted, and a link with the full stack.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, reason_of};
use atelier_kit::identity::{AccessVerifier, KeySource, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::network::Network;
use atelier_kit::policy::Policies;
use atelier_kit::serve::{Listener, Side, serve};
use atelier_kit::service::{Ending, Foundation};
use atelier_kit::sql::{self, Database, Done};
use atelier_kit::testing::servers::Store;
use atelier_kit::testing::{eventually, foundation_with, secret};
use atelier_proto::users::v1 as pb;
use atelier_users::{Argon2Passwords, Clock, Config, Error, Passwords, build_with};
use pb::credits_service_client::CreditsServiceClient;
use pb::users_service_client::UsersServiceClient;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::RwLock;
use tonic::{Code, Request, Response, Status};

pub type Client = UsersServiceClient<Link>;
pub type CreditsClient = CreditsServiceClient<Link>;

pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Real argon2, counted; `hold` keeps the answers of verifications back.
pub struct CountedPasswords {
    inner: Argon2Passwords,
    pub hashed: AtomicUsize,
    pub verified: AtomicUsize,
    pub hold: RwLock<()>,
}

#[tonic::async_trait]
impl Passwords for CountedPasswords {
    async fn hash(&self, password: SecretString) -> Result<String, Error> {
        self.hashed.fetch_add(1, Ordering::SeqCst);
        self.inner.hash(password).await
    }

    async fn verify(&self, password: SecretString, kept: Option<String>) -> Result<bool, Error> {
        let verdict = self.inner.verify(password, kept).await;
        self.verified.fetch_add(1, Ordering::SeqCst);
        let _held = self.hold.read().await;
        verdict
    }

    fn needs_rehash(&self, kept: &str) -> bool {
        self.inner.needs_rehash(kept)
    }
}

/// The keys of the service under test, as the mesh fetches them.
struct OwnKeys(Link);

#[tonic::async_trait]
impl KeySource for OwnKeys {
    async fn fetch(&self) -> Result<String, Fault> {
        UsersServiceClient::new(self.0.clone())
            .get_key_set(pb::GetKeySetRequest {})
            .await
            .map(|answer| answer.into_inner().jwks_json)
            .map_err(|status| Fault::internal(&status))
    }
}

pub struct House {
    pub client: Client,
    link: Link,
    service: Link,
    route: Route,
    pub clock: Arc<HandClock>,
    pub passwords: Arc<CountedPasswords>,
    pub foundation: Foundation,
    close: Option<Ending>,
    /// Its folder, unless it stands in another's.
    folder: Option<TempDir>,
}

impl House {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self::at(folder.path(), quiet()).await;
        house.folder = Some(folder);
        house
    }

    pub async fn at(folder: &Path, config: Config) -> Self {
        Self::among(folder, config, &BTreeMap::new()).await
    }

    /// With the other services behind these routes.
    pub async fn among(folder: &Path, config: Config, peers: &BTreeMap<String, Route>) -> Self {
        Self::standing(foundation_with("users", folder, peers), config).await
    }

    /// On this foundation.
    pub async fn standing(foundation: Foundation, config: Config) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(atelier_kit::moment::now())));
        let passwords = Arc::new(CountedPasswords {
            inner: Argon2Passwords::new().unwrap(),
            hashed: AtomicUsize::new(0),
            verified: AtomicUsize::new(0),
            hold: RwLock::new(()),
        });
        let mut service = build_with(config, &foundation, clock.clone(), passwords.clone())
            .await
            .unwrap();
        let close = service.close.take();
        let (near, far) = pipe();
        let route = Route::Memory(near);
        let link = Link::new("users", &route, None).unwrap();
        let tokens = ServiceTokens::new(&secret(), "tester");
        let internal = Link::new("users", &route, Some(tokens)).unwrap();
        // The verifier's minutes are those of the hand-moved clock.
        let (begun, since, hand) = (Instant::now(), clock.now(), clock.clone());
        let ticks = move || {
            let passed = u64::try_from(hand.now() - since).unwrap_or(0);
            begun + Duration::from_micros(passed)
        };
        let verifier = Verifier::new(
            AccessVerifier::timed(Arc::new(OwnKeys(link.clone())), Arc::new(ticks)),
            Some(ServiceTokens::new(&secret(), "users")),
            "users",
        );
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let router = Inbound::new("users", policies, verifier, 1024).guard(service.grpc);
        let closing = foundation.stop.child_token();
        tokio::spawn(serve(router, Listener::Memory(far), Side::Inside, closing));
        Self {
            client: UsersServiceClient::new(link.clone()),
            link,
            service: internal,
            route,
            clock,
            passwords,
            foundation,
            close,
            folder: None,
        }
    }

    /// Ends it as the mesh does, and returns its folder.
    pub async fn close(mut self) -> Option<TempDir> {
        self.foundation.stop.cancel();
        self.foundation.tasks.close();
        self.foundation.tasks.wait().await;
        (self.close.take().unwrap())().await;
        self.folder.take()
    }

    /// A client that speaks as another service of the mesh.
    pub fn service(&self) -> Client {
        UsersServiceClient::new(self.service.clone())
    }

    /// A client of the credits, for whoever has a token.
    pub fn credits(&self) -> CreditsClient {
        CreditsServiceClient::new(self.link.clone())
    }

    /// A client of the credits that speaks as a service of the mesh.
    pub fn credits_as(&self, role: &str) -> CreditsClient {
        let tokens = ServiceTokens::new(&secret(), role);
        CreditsServiceClient::new(Link::new("users", &self.route, Some(tokens)).unwrap())
    }

    /// A client that speaks as the owner of the machine does, through the admin port.
    pub fn operator(&self) -> Client {
        let tokens = ServiceTokens::new(&secret(), "operator");
        UsersServiceClient::new(Link::new("users", &self.route, Some(tokens)).unwrap())
    }

    pub async fn register(&self, email: &str) -> (pb::User, pb::TokenPair) {
        let request = pb::RegisterRequest {
            email: email.into(),
            password: PASSWORD.into(),
            display_name: String::new(),
        };
        let answer = self
            .client
            .clone()
            .register(request)
            .await
            .unwrap()
            .into_inner();
        (answer.user.unwrap(), answer.tokens.unwrap())
    }

    pub async fn login(&self, email: &str, password: &str) -> Result<pb::LoginResponse, Status> {
        let request = pb::LoginRequest {
            email: email.into(),
            password: password.into(),
            ..Default::default()
        };
        self.client
            .clone()
            .login(request)
            .await
            .map(Response::into_inner)
    }

    pub async fn anonymous(&self) -> (pb::User, pb::TokenPair) {
        let request = pb::CreateAnonymousSessionRequest {};
        let answer = self
            .client
            .clone()
            .create_anonymous_session(request)
            .await
            .unwrap()
            .into_inner();
        (answer.user.unwrap(), answer.tokens.unwrap())
    }

    pub async fn refresh(&self, token: &str) -> Result<pb::TokenPair, Status> {
        let request = pb::RefreshSessionRequest {
            refresh_token: token.into(),
        };
        let answer = self.client.clone().refresh_session(request).await?;
        Ok(answer.into_inner().tokens.unwrap())
    }

    pub async fn me(&self, tokens: &pb::TokenPair) -> Result<pb::User, Status> {
        let answer = self
            .client
            .clone()
            .get_me(by(tokens, pb::GetMeRequest {}))
            .await?;
        Ok(answer.into_inner().user.unwrap())
    }

    pub async fn sessions(&self, tokens: &pb::TokenPair) -> Vec<pb::Session> {
        let request = by(tokens, pb::ListSessionsRequest::default());
        self.client
            .clone()
            .list_sessions(request)
            .await
            .unwrap()
            .into_inner()
            .sessions
    }

    /// Waits for the mails to a recipient until there are so many, and returns them, the oldest first.
    pub async fn mails(&self, to: &str, count: usize) -> Vec<String> {
        let folder = self.foundation.data.join("mails");
        let read = || {
            let mut files: Vec<_> = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|end| end == "eml"))
                .collect();
            files.sort();
            let to = format!("To: {to}\r\n");
            let texts = files
                .iter()
                .map(|path| std::fs::read_to_string(path).unwrap());
            texts.filter(|text| text.contains(&to)).collect()
        };
        let mut found: Vec<String> = Vec::new();
        eventually("the mails are there", || {
            found = read();
            std::future::ready(found.len() >= count)
        })
        .await;
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }

    /// The token in the newest of so many mails to a recipient.
    pub async fn token(&self, to: &str, count: usize) -> String {
        let mails = self.mails(to, count).await;
        let link = mails
            .last()
            .unwrap()
            .lines()
            .find(|line| line.starts_with("http"));
        link.unwrap().split_once('=').unwrap().1.to_owned()
    }

    /// A way of the test's own to the database.
    pub async fn database(&self) -> Database {
        self.foundation.database(FILE, &[]).await.unwrap()
    }

    /// All that is kept: the files as they are, or all rows of all tables.
    pub async fn kept(&self) -> Vec<u8> {
        if Store::chosen() == Store::Postgres {
            return tables(&self.database().await).await.join(&b'\n');
        }
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.foundation.data).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                kept.extend(std::fs::read(entry.path()).unwrap());
            }
        }
        kept
    }
}

/// The service's file, where it keeps one.
const FILE: &str = "users.db";

/// All values of all columns of all tables, each after its name.
pub async fn tables(database: &Database) -> Vec<Vec<u8>> {
    let (columns, as_bytes): (&'static str, fn(&str) -> String) = match Store::chosen() {
        Store::Postgres => (
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), data_type = 'bytea' FROM information_schema.columns \
             WHERE table_schema = current_schema()",
            |column| format!("convert_to(CAST({column} AS TEXT), 'UTF8')"),
        ),
        Store::Sqlite | Store::Mongo => (
            "SELECT t.name, c.name, FALSE FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
            |column| format!("CAST({column} AS BLOB)"),
        ),
    };
    let columns: Vec<(String, String, bool)> = sql::query_as(columns)
        .fetch_all(database.read())
        .await
        .unwrap();
    let mut values = Vec::new();
    for (table, column, is_bytes) in columns {
        let quoted = format!("\"{column}\"");
        let value = if is_bytes { quoted } else { as_bytes(&quoted) };
        let sql = format!("SELECT {value} FROM \"{table}\"");
        let rows: Vec<(Option<Vec<u8>>,)> = sql::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(database.read())
            .await
            .unwrap();
        for (value,) in rows {
            let mut named = format!("{table}.{column}: ").into_bytes();
            named.extend(value.into_iter().flatten());
            values.push(named);
        }
    }
    values
}

/// What a test writes to the database beside the service.
pub trait WriteTo {
    /// In a transaction of its own.
    async fn write_to(self, database: &Database) -> Result<Done, sqlx::Error>;
}

impl WriteTo for sql::Query {
    async fn write_to(self, database: &Database) -> Result<Done, sqlx::Error> {
        let mut write = database.begin().await?;
        let done = self.execute(&mut *write).await?;
        write.commit().await?;
        Ok(done)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.foundation.stop.cancel();
    }
}

pub const PASSWORD: &str = "correct horse";

/// A service whose sweeper and rounds do nothing after the first time, so that a test alone decides what is touched.
pub fn quiet() -> Config {
    Config {
        sweep_every: std::time::Duration::from_secs(3600),
        rounds_every: std::time::Duration::from_secs(3600),
        ..Config::default()
    }
}

/// A request of a client at an address, as the edge passes it on; for [`House::service`].
pub fn at<T>(address: &str, message: T) -> Request<T> {
    let mut call = Call::background(Duration::from_secs(60));
    call.network = Some(Network::of(address.parse().unwrap()));
    let mut request = Request::new(message);
    request.extensions_mut().insert(call);
    request
}

/// A request with an access token.
pub fn by<T>(tokens: &pb::TokenPair, message: T) -> Request<T> {
    bearing(&tokens.access_token, message)
}

pub fn bearing<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[track_caller]
pub fn refused<T>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.err().expect("the call should have been refused");
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (code, Some(reason)),
        "{status:?}"
    );
    status
}

/// Refused, and this field is named: the message tells each field before its rule.
#[track_caller]
pub fn bad_field<T>(answer: Result<T, Status>, field: &str) {
    let status = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    assert!(
        status.message().contains(&format!("{field}: ")),
        "{status:?}"
    );
}
