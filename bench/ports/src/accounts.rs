//! Accounts: the users service on a file, or on PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_kit::config::Settings;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{AccessVerifier, KeySource, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::Policies;
use atelier_kit::serve::{Listener, Side as Facing, serve};
use atelier_kit::sql::PostgresServer;
use atelier_kit::testing::{foundation, secret};
use atelier_proto::DESCRIPTOR;
use atelier_proto::users::v1 as pb;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use prost_types::FieldMask;
use tempfile::TempDir;
use tokio_util::sync::DropGuard;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

use crate::engines::Engines;
use crate::{OWNERS, Port, Side, Turn, Verb};

/// The port.
pub async fn port(engines: &Engines) -> anyhow::Result<Port> {
    let server = engines.postgres.database("accounts").await?;
    Ok(Port {
        name: "Accounts",
        about: "The users service over its in-memory link, with its whole stack: its stores are its own. *UpdateMe* writes a name, \
                *GetMe* reads an account.",
        verbs: &[(Verb::Write, "UpdateMe"), (Verb::Read, "GetMe")],
        embedded: ("SQLite", Accounts::open(None).await?),
        servers: vec![("PostgreSQL", Accounts::open(Some(server)).await?)],
    })
}

type Client = UsersServiceClient<Link>;

/// The service as the source of its own keys, as it is in the mesh.
struct Keys(Client);

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, Fault> {
        let answer = self.0.clone().get_key_set(pb::GetKeySetRequest {}).await;
        let away = |status: tonic::Status| {
            let kind = Kind::of(status.code());
            Fault::new(kind, "USERS_AWAY", status.message().to_owned())
        };
        Ok(answer.map_err(away)?.into_inner().jwks_json)
    }
}

struct Accounts {
    client: Client,
    tokens: Vec<MetadataValue<Ascii>>,
    _guards: [DropGuard; 2],
    _folder: TempDir,
}

impl Accounts {
    async fn open(postgres: Option<PostgresServer>) -> anyhow::Result<Arc<dyn Side>> {
        let folder = tempfile::tempdir()?;
        let (client, guards) = serve_on(folder.path(), postgres).await?;
        let mut tokens = Vec::new();
        for number in 0..OWNERS {
            let request = pb::RegisterRequest {
                email: email(number),
                password: "a long enough password".to_owned(),
                display_name: String::new(),
            };
            let answer = client.clone().register(request).await?.into_inner();
            let access = answer.tokens.context("no tokens")?.access_token;
            tokens.push(format!("Bearer {access}").parse()?);
        }
        Ok(Arc::new(Self {
            client,
            tokens,
            _guards: guards,
            _folder: folder,
        }))
    }

    fn request<T>(&self, number: usize, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.tokens[number % OWNERS].clone();
        request.metadata_mut().insert("authorization", token);
        request
    }
}

fn email(number: usize) -> String {
    format!("person-{}@example.org", number % OWNERS)
}

async fn serve_on(
    folder: &Path,
    postgres: Option<PostgresServer>,
) -> anyhow::Result<(Client, [DropGuard; 2])> {
    let mut ground = foundation("users", folder);
    ground.engines = atelier_kit::service::Engines {
        postgres,
        ..Default::default()
    };
    let config = atelier_users::Config::read(&Settings::new([]));
    let service = atelier_users::build(config, &ground).await?;
    let (near, far) = pipe();
    let tokens = |role| Some(ServiceTokens::new(&secret(), role));
    let link = Link::new("users", &Route::Memory(near), tokens("text-image"))?;
    let client = Client::new(link);
    let access = AccessVerifier::new(Arc::new(Keys(client.clone())));
    let verifier = Verifier::new(access, tokens("users"), "users");
    let policies = Policies::read(DESCRIPTOR)?;
    let router = Inbound::new("users", policies, verifier, 1024).guard(service.grpc);
    let closing = ground.closing.clone();
    tokio::spawn(serve(
        router,
        Listener::Memory(far),
        Facing::Inside,
        closing.clone(),
    ));
    let guards = [closing.drop_guard(), ground.stop.drop_guard()];
    Ok((client, guards))
}

#[async_trait]
impl Side for Accounts {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        let mut client = self.client.clone();
        if verb == Verb::Write {
            let name = format!("Person {}", turn.number);
            let request = pb::UpdateMeRequest {
                user: Some(pb::User {
                    display_name: name.clone(),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask {
                    paths: vec!["display_name".to_owned()],
                }),
            };
            let answer = client.update_me(self.request(turn.number, request)).await?;
            let user = answer.into_inner().user.context("no account")?;
            ensure!(user.display_name == name, "{}", user.display_name);
            return Ok(());
        }
        let request = self.request(turn.number, pb::GetMeRequest {});
        let answer = client.get_me(request).await?.into_inner();
        let user = answer.user.context("no account")?;
        ensure!(user.email == email(turn.number), "{}", user.email);
        Ok(())
    }
}
