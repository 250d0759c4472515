//! Calls as somebody: the token that each carries, renewed when it must be, and the anonymous session of whoever has none.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use atelier_kit::policy::{Access, Policies};
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{CreateAnonymousSessionRequest, RefreshSessionRequest};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::Ground;
use super::connection::{Connection, answers};
use super::credentials::{Credentials, SignIn};
use super::place::Site;
use super::trouble::{Trouble, is_lost, status_of};

/// A token that expires within this many seconds is renewed before it is used.
const SOON: i64 = 30;
/// How long a single answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How often a single call is made when its connection breaks.
const ATTEMPTS: u32 = 3;

/// A connection and whoever is signed in there.
pub struct Session<'a> {
    ground: &'a Ground<'a>,
    /// The sign-in.
    pub credentials: Credentials,
    found: RefCell<(Site, Connection)>,
}

impl<'a> Session<'a> {
    /// Over a connection to where a mesh is.
    pub fn new(ground: &'a Ground<'a>, site: Site, connection: Connection) -> Self {
        Self {
            ground,
            credentials: Credentials::new(&ground.client.folder, &site.key),
            found: RefCell::new((site, connection)),
        }
    }

    /// The connection as it is now.
    pub fn connection(&self) -> Connection {
        self.found.borrow().1.clone()
    }

    /// After a connection was lost: a mesh that went with the command that had started it is looked for again, or
    /// started here. Any other is reached again by the next call.
    pub async fn mend(&self) -> anyhow::Result<()> {
        let client = &self.ground.client;
        let Connection { url, .. } = self.connection();
        let started_here = self.found.borrow().0.mesh().is_some();
        if client.url.is_some() || started_here {
            return Ok(());
        }
        let ca = self.found.borrow().0.ca.clone();
        if answers(&url, ca.as_deref()).await {
            return Ok(());
        }
        let site = self.ground.site().await?;
        let connection = site.connect().await?;
        self.found.replace((site, connection));
        Ok(())
    }

    /// Ends what was started for it.
    pub async fn close(self) {
        let (site, connection) = self.found.into_inner();
        drop(connection);
        site.close().await;
    }

    /// Makes sure that somebody is there who may call a method of the contract, as in
    /// `/atelier.tts.v1.TtsService/Synthesize`. Where the contract lets anonymous callers in, and nobody is signed in,
    /// an anonymous session is made and kept; where it does not, that is told before anything is asked of the server.
    pub async fn admit(&self, method: &str) -> anyhow::Result<()> {
        let policies = Policies::read(atelier_proto::DESCRIPTOR)?;
        let access = policies.of(method).map(|policy| policy.access);
        let kept = self.credentials.read()?;
        let anonymous_may = matches!(access, Some(Access::Public | Access::Anonymous) | None);
        match kept {
            Some(kept) if anonymous_may || !kept.is_anonymous() => Ok(()),
            None if anonymous_may => self.make_anonymous().await,
            _ => Err(Trouble::not_allowed(
                "this needs an account: `atelier login EMAIL` signs in, and makes one with --register",
            )
            .into()),
        }
    }

    async fn make_anonymous(&self) -> anyhow::Result<()> {
        let held = self.credentials.lock().await?;
        // Whoever held the lock before may have made one.
        if held.read()?.is_none() {
            held.keep(&self.anonymous().await?)?;
        }
        Ok(())
    }

    async fn anonymous(&self) -> anyhow::Result<SignIn> {
        let made = UsersServiceClient::new(self.connection().channel)
            .create_anonymous_session(CreateAnonymousSessionRequest {})
            .await?
            .into_inner();
        let user = made.user.context("an answer without an account")?;
        let tokens = made.tokens.context("an answer without tokens")?;
        Ok(SignIn::new(&user, tokens))
    }

    /// Who is signed in; nobody is told as such.
    pub fn signed_in(&self) -> anyhow::Result<SignIn> {
        self.credentials.read()?.ok_or_else(|| {
            let whom = "nobody is signed in here: `atelier login EMAIL` signs in";
            Trouble::not_allowed(whom).into()
        })
    }

    /// A single call that may be repeated: made again when its connection breaks.
    pub async fn ask<M: Clone, R>(
        &self,
        message: M,
        call: impl AsyncFn(Channel, Request<M>) -> Result<Response<R>, Status>,
    ) -> anyhow::Result<R> {
        let mut attempt = 1;
        loop {
            let asked = tokio::time::timeout(ANSWER, self.call(message.clone(), &call)).await;
            match asked {
                Ok(Err(error)) if is_lost(&error) && attempt < ATTEMPTS => {}
                Ok(answer) => return answer,
                Err(_) => {
                    let connection = self.connection();
                    let url = connection.shown();
                    let line = format!("{url} did not answer in {} s", ANSWER.as_secs());
                    return Err(Trouble::unreachable(line).into());
                }
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
            self.mend().await?;
            attempt += 1;
        }
    }

    /// A call with the access token. One that the server does not take is renewed, and the call made once more.
    pub async fn call<M: Clone, R>(
        &self,
        message: M,
        call: impl AsyncFn(Channel, Request<M>) -> Result<Response<R>, Status>,
    ) -> anyhow::Result<R> {
        let mut sign_in = self.signed_in()?;
        if sign_in.access_expires < now() + SOON {
            sign_in = self.renew(&sign_in.access).await?;
        }
        let first = request(message.clone(), &sign_in.access)?;
        match call(self.connection().channel, first).await {
            Err(status) if status.code() == Code::Unauthenticated => {
                let renewed = self.renew(&sign_in.access).await?;
                let again = request(message, &renewed.access)?;
                Ok(call(self.connection().channel, again).await?.into_inner())
            }
            answer => Ok(answer?.into_inner()),
        }
    }

    /// Exchanges the refresh token, unless another command has done so since `stale` was read.
    async fn renew(&self, stale: &SecretString) -> anyhow::Result<SignIn> {
        let held = self.credentials.lock().await?;
        let kept = held
            .read()?
            .context("the sign-in was forgotten meanwhile")?;
        if kept.access.expose_secret() != stale.expose_secret() {
            return Ok(kept);
        }
        let request = RefreshSessionRequest {
            refresh_token: kept.refresh.expose_secret().to_owned(),
        };
        let asked = UsersServiceClient::new(self.connection().channel)
            .refresh_session(request)
            .await;
        let renewed = match asked {
            Ok(answer) => {
                let tokens = answer.into_inner().tokens;
                kept.renewed(tokens.context("an answer without tokens")?)
            }
            Err(status) if is_refusal(&status) && kept.is_anonymous() => self.anonymous().await?,
            Err(status) if is_refusal(&status) => {
                let line = format!(
                    "the sign-in of {} has ended: sign in again with `atelier login {}`",
                    kept.email, kept.email
                );
                return Err(Trouble::not_allowed(line).into());
            }
            Err(status) => return Err(status.into()),
        };
        held.keep(&renewed)?;
        Ok(renewed)
    }

    /// What is told when the connection stays away.
    pub fn gone(&self, error: anyhow::Error) -> anyhow::Error {
        if is_lost(&error) {
            let words = status_of(&error)
                .filter(|status| std::error::Error::source(*status).is_none())
                .map_or_else(
                    || "the connection was lost".to_owned(),
                    |status| status.message().to_owned(),
                );
            return Trouble::unreachable(format!("{}: {words}", self.connection().shown())).into();
        }
        error
    }
}

fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument
    )
}

fn request<M>(message: M, access: &SecretString) -> anyhow::Result<Request<M>> {
    let mut request = Request::new(message);
    let mut token: MetadataValue<Ascii> = format!("Bearer {}", access.expose_secret())
        .parse()
        .map_err(|_| Trouble::not_allowed("the kept token is none: sign in again"))?;
    token.set_sensitive(true);
    request.metadata_mut().insert("authorization", token);
    Ok(request)
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}
