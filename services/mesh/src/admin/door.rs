//! The way to a running mesh as its owner: its admin port, and the token of its data folder; it knows no command.

use std::time::Duration;

use atelier_kit::identity::Role;
use atelier_proto::users::v1 as pb;
use pb::users_service_client::UsersServiceClient;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};
use url::{Host, Url};

use crate::args::Way;
use crate::client::terminal::Terminal;
use crate::client::trouble::{Trouble, root, status_of};
use crate::config::{self, Config};
use crate::operator::{OperatorToken, TOKEN_FILE};
use crate::running;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The admin port of a mesh, and the right to call what is for services there.
pub struct Door {
    url: Url,
    token: OperatorToken,
}

impl Door {
    /// Finds both: as named, else as the mesh on the data folder has them, else at the default port. Nothing is called.
    pub fn open(config: &Config, way: &Way) -> Result<Self, Trouble> {
        let url = match &way.admin_url {
            Some(url) => url.clone(),
            None => found(config)?,
        };
        let path = match &way.operator_token_file {
            Some(path) => path.clone(),
            None => config.data.join(TOKEN_FILE),
        };
        if way.operator_token_file.is_none() && !path.exists() {
            let data = config.data.display();
            return Err(Trouble::unreachable(format!(
                "no mesh has run on {data}: there is no {TOKEN_FILE} (--data names another folder)"
            )));
        }
        let token =
            OperatorToken::read(&path).map_err(|error| Trouble::usage(format!("{error:#}")))?;
        let door = Self { url, token };
        if door.is_overheard() {
            Terminal::look(false).note(&format!(
                "the way to {} is not encrypted: others may read the operator's token",
                door.shown()
            ));
        }
        Ok(door)
    }

    /// The URL as a person writes it.
    pub fn shown(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    fn is_overheard(&self) -> bool {
        let near = match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        self.url.scheme() != "https" && !near
    }

    /// Makes one call of the users service.
    pub async fn ask<Q, A>(
        &self,
        message: Q,
        call: impl AsyncFnOnce(UsersServiceClient<Channel>, Request<Q>) -> Result<Response<A>, Status>,
    ) -> anyhow::Result<A> {
        let mut endpoint = Endpoint::from_shared(self.url.to_string())?.connect_timeout(CONNECT);
        if self.url.scheme() == "https" {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_webpki_roots())?;
        }
        let channel = endpoint.connect().await.map_err(|error| {
            let shown = self.shown();
            Trouble::unreachable(format!("nothing runs at {shown}: {}", root(&error)))
        })?;
        let mut request = Request::new(message);
        request.set_timeout(LIMIT);
        let token = self.token.header()?;
        request
            .metadata_mut()
            .as_mut()
            .insert("authorization", token);
        let answer = call(UsersServiceClient::new(channel), request).await;
        answer.map(Response::into_inner).map_err(|status| {
            // A page of something else, which knows no gRPC or no such method.
            if status.code() == Code::Unimplemented && status.details().is_empty() {
                let line = format!(
                    "what answers at {} is no Atelier that takes this",
                    self.shown()
                );
                return Trouble::unreachable(line).into();
            }
            status.into()
        })
    }

    /// Gives the account of an e-mail a role; returns its id.
    pub async fn grant(&self, email: &str, role: Role) -> anyhow::Result<String> {
        let request = pb::GrantRoleRequest {
            email: email.to_owned(),
            role: role.name().to_owned(),
        };
        let granted = self.ask(request, async |mut users, request| {
            users.grant_role(request).await
        });
        Ok(granted.await?.user_id)
    }
}

/// The admin port of the mesh that runs on the data folder, or the default one.
fn found(config: &Config) -> Result<Url, Trouble> {
    let told = running::read(&config.data).and_then(|place| place.admin);
    let port = match config.admin_port {
        0 => config::ADMIN_PORT.default.to_owned(),
        port => port.to_string(),
    };
    let text = told.unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
    Url::parse(&text).map_err(|error| Trouble::failed(format!("{text}: {error}")))
}

/// Whether an error says that the mesh of this data folder was not met: nobody answers, or somebody of another folder.
pub fn is_elsewhere(error: &anyhow::Error) -> bool {
    match status_of(error) {
        Some(status) => matches!(status.code(), Code::Unavailable | Code::Unauthenticated),
        None => {
            let unreachable = crate::inventory::UNREACHABLE;
            crate::client::trouble::exit_of(error) == unreachable
        }
    }
}
