//! The real users service on a folder of its own, with an edge before it: how a caller reaches it in memory, and how a
//! stranger does from any of many addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use atelier_edge::{ApiKeyExchange, Destination, Door, EdgeConfig, Exchanged};
use atelier_kit::config::Settings;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::AccessVerifier;
use atelier_kit::limit::{Limits, Table};
use atelier_kit::link::Link;
use atelier_kit::policy::Policies;
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::testing::{Issuer, foundation, mount_route};
use atelier_proto::DESCRIPTOR;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{LoginRequest, RegisterRequest};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio_util::sync::DropGuard;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How many networks logins come from: far fewer failures come from each than make it wait.
const NETWORKS: u8 = 100;

/// The ways to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over its in-memory link.
    Memory,
    /// Through the edge, over loopback.
    Edge,
}

/// The service and the edge, with accounts.
pub struct Stand {
    memory: UsersServiceClient<Link>,
    /// One connection from each network.
    edge: Vec<UsersServiceClient<Channel>>,
    accounts: usize,
    _guards: [DropGuard; 3],
    _folder: TempDir,
}

/// There is no API key in this bench.
struct NoKeys;

#[async_trait]
impl ApiKeyExchange for NoKeys {
    async fn exchange(&self, _: SecretString) -> Result<Exchanged, Fault> {
        Err(Fault::new(Kind::Unauthenticated, "API_KEY_INVALID", "no"))
    }
}

impl Stand {
    /// Builds both, and registers so many accounts.
    pub async fn build(accounts: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ground = foundation("users", folder.path());
        let config = atelier_users::Config::read(&Settings::new([]));
        let service = atelier_users::build(config, &ground)
            .await
            .context("the users service")?;
        let (policies, issuer) = (Policies::read(DESCRIPTOR)?, Issuer::new());
        let (route, served) = mount_route(service, "users", policies.clone(), &issuer);
        let link = || Link::new("users", &route, None);
        let door = Door {
            config: EdgeConfig::read(&Settings::new([])),
            roster: vec![Destination {
                service: "atelier.users.v1.UsersService",
                role: "users",
                link: link()?,
            }],
            policies,
            descriptor: DESCRIPTOR,
            access: AccessVerifier::new(Arc::new(issuer.clone())),
            jwks: Arc::new(issuer),
            api_keys: Arc::new(NoKeys),
            object_roles: Vec::new(),
            // What is measured is the work, not what bounds it.
            limits: Arc::new(Limits::local(Table::unlimited())),
            leaving: Default::default(),
        };
        let outside = foundation("edge", folder.path());
        let router = atelier_edge::build(door, &outside).context("the edge")?;
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", socket.local_addr()?);
        let closing = outside.closing.clone();
        tokio::spawn(serve(router, Listener::Tcp(socket), Side::Edge, closing));
        let mut edge = Vec::new();
        for network in 1..=NETWORKS {
            // All of 127.0.0.0/8 is this machine, and each of its addresses a network to the service.
            let from = IpAddr::from([127, 0, 1, network]);
            let endpoint = Endpoint::from_shared(url.clone())?.local_address(Some(from));
            edge.push(UsersServiceClient::new(endpoint.connect().await?));
        }
        let stand = Self {
            memory: UsersServiceClient::new(link()?),
            edge,
            accounts,
            _guards: [served, outside.stop.drop_guard(), ground.stop.drop_guard()],
            _folder: folder,
        };
        for account in 0..accounts {
            let request = RegisterRequest {
                email: email(account),
                password: password(account),
                display_name: String::new(),
            };
            stand.memory.clone().register(request).await?;
        }
        stand.prove().await?;
        Ok(stand)
    }

    /// That right passwords are let in and others are refused, both ways and for one reason.
    async fn prove(&self) -> anyhow::Result<()> {
        for way in [Way::Memory, Way::Edge] {
            self.right(way, 0).await?;
            let wrong = self.refused(way, 0, &email(0)).await?;
            let unknown = self.refused(way, 0, "nobody@example.org").await?;
            let same = (wrong.code(), wrong.message()) == (unknown.code(), unknown.message());
            ensure!(same, "{wrong:?} and {unknown:?} are not the same");
        }
        Ok(())
    }

    /// The number of an account, of as many as are needed.
    fn account(&self, number: usize) -> usize {
        number % self.accounts
    }

    /// Signs in with the right password.
    pub async fn right(&self, way: Way, number: usize) -> anyhow::Result<()> {
        let account = self.account(number);
        self.login(way, number, &email(account), &password(account))
            .await?;
        Ok(())
    }

    /// Does not sign in: with the wrong password of an account's e-mail, or with one that has no account.
    pub async fn refused(&self, way: Way, number: usize, email: &str) -> anyhow::Result<Status> {
        match self.login(way, number, email, "not the password").await {
            Ok(()) => anyhow::bail!("{email} was let in"),
            Err(status) => {
                // Who must wait is refused without any work, which would be measured as a quick login.
                let right = status.code() == Code::Unauthenticated;
                ensure!(right, "{email} was refused otherwise: {status:?}");
                Ok(status)
            }
        }
    }

    /// The e-mail of an account.
    pub fn email(&self, number: usize) -> String {
        email(self.account(number))
    }

    async fn login(
        &self,
        way: Way,
        number: usize,
        email: &str,
        password: &str,
    ) -> Result<(), Status> {
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            ..Default::default()
        };
        match way {
            Way::Memory => self.memory.clone().login(request).await.map(|_| ()),
            Way::Edge => {
                let mut client = self.edge[number % self.edge.len()].clone();
                client.login(request).await.map(|_| ())
            }
        }
    }
}

fn email(account: usize) -> String {
    format!("person-{account}@example.org")
}

fn password(account: usize) -> String {
    format!("correct horse {account}")
}
