//! `atelier credits`: what an account may spend and has spent, its plan, and what admins do about all that.

mod admin;
pub mod calendar;
mod own;
mod show;
mod statement;

use atelier_proto::users::v1::credits_service_client::CreditsServiceClient;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::Ground;
use super::json::Json;
use super::session::Session;
use super::terminal::print;
use crate::args::{Credits, CreditsCommand};

pub use show::{quotas, total};

/// The client of the service.
type Client = CreditsServiceClient<Channel>;

/// Runs it.
pub async fn run(ground: &Ground<'_>, credits: Credits) -> anyhow::Result<()> {
    let teller = Teller::new(credits.json)?;
    let Some(command) = credits.command else {
        return ground
            .visit(async |session| own::overview(session, &teller).await)
            .await;
    };
    // What can be refused without a mesh is refused before one is looked for.
    if let CreditsCommand::Statement(statement) = command {
        return statement::run(ground, statement, &teller).await;
    }
    ground
        .visit(async |session| match command {
            CreditsCommand::Balance => own::balance(session, &teller).await,
            CreditsCommand::Entries { count } => {
                own::entries(session, ground.terminal, count, &teller).await
            }
            CreditsCommand::Quotas => own::quotas(session, &teller).await,
            CreditsCommand::Plans => own::plans(session, &teller).await,
            CreditsCommand::ChangePlan { plan } => own::change_plan(session, plan, &teller).await,
            CreditsCommand::Grant(grant) => admin::grant(session, grant, &teller).await,
            CreditsCommand::Refund(refund) => admin::refund(session, refund, &teller).await,
            CreditsCommand::SetPlan { account, plan } => {
                admin::set_plan(session, &account, plan, &teller).await
            }
            CreditsCommand::Spending => admin::spending(session, &teller).await,
            CreditsCommand::Statement(_) => Ok(()),
        })
        .await
}

/// Asks the service, as whoever is signed in. `method` is what the caller must be admitted to first; where it is `None`,
/// any session will do.
async fn asked<M: Clone, R>(
    session: &Session<'_>,
    method: Option<&str>,
    message: M,
    call: impl AsyncFn(Client, Request<M>) -> Result<Response<R>, Status>,
) -> anyhow::Result<R> {
    if let Some(method) = method {
        let path = format!("/atelier.users.v1.CreditsService/{method}");
        session.admit(&path).await?;
    }
    session
        .ask(message, async |channel, request| {
            call(CreditsServiceClient::new(channel), request).await
        })
        .await
        .map_err(|error| session.gone(error))
}

/// How results are told: as messages of the contract, or in words.
struct Teller(Option<Json>);

impl Teller {
    fn new(json: bool) -> anyhow::Result<Self> {
        Ok(Self(json.then(Json::new).transpose()?))
    }

    /// A message of `atelier.users.v1`, or lines in its place.
    fn tell(
        &self,
        name: &str,
        message: &impl Message,
        words: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        print(&self.line(name, message, words)?)
    }

    /// The same as a text, which ends with its line.
    fn line(
        &self,
        name: &str,
        message: &impl Message,
        words: impl FnOnce() -> String,
    ) -> anyhow::Result<String> {
        let mut text = match &self.0 {
            Some(json) => json.line(&format!("atelier.users.v1.{name}"), message)?,
            None => words(),
        };
        text.push('\n');
        Ok(text)
    }
}
