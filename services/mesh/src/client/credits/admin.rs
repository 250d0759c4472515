//! What admins do about the credits of others.

use anyhow::Context as _;
use atelier_kit::moment;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{
    GetSpendingRequest, GrantCreditsRequest, ListUsersRequest, RefundGenerationRequest,
    SetUserPlanRequest,
};

use super::{Client, Session, Teller, asked, show};
use crate::args::{Grant, Key, Refund};
use crate::client::generation::request_id;
use crate::client::trouble::Trouble;

/// The most accounts that the contract gives at once.
const PAGE: i32 = 1000;

/// Gives an account credits.
pub async fn grant(session: &Session<'_>, grant: Grant, teller: &Teller) -> anyhow::Result<()> {
    session.admit(GRANT).await?;
    let request = GrantCreditsRequest {
        user_id: account(session, &grant.account).await?,
        amount_micros: grant.amount,
        priority: grant.priority,
        expire_time: grant.expires.map(moment::timestamp),
        note: grant.note,
        request_id: key(grant.key),
    };
    let answer = asked(
        session,
        None,
        request,
        async |mut client: Client, request| client.grant_credits(request).await,
    )
    .await?;
    let given = answer.grant.clone().context("an answer without a grant")?;
    let balance = answer.balance.clone().unwrap_or_default();
    teller.tell("GrantCreditsResponse", &answer, || {
        show::given(&given, &balance)
    })
}

const GRANT: &str = "/atelier.users.v1.CreditsService/GrantCredits";
const SET_PLAN: &str = "/atelier.users.v1.CreditsService/SetUserPlan";

/// Gives back what a generation was charged.
pub async fn refund(session: &Session<'_>, refund: Refund, teller: &Teller) -> anyhow::Result<()> {
    let request = RefundGenerationRequest {
        generation_id: refund.generation,
        // The contract's word for all that is left.
        amount_micros: refund.amount.unwrap_or(0),
        note: refund.note,
        request_id: key(refund.key),
    };
    let answer = asked(
        session,
        Some("RefundGeneration"),
        request,
        async |mut client: Client, request| client.refund_generation(request).await,
    )
    .await?;
    let grant = answer.grant.clone().context("an answer without a grant")?;
    teller.tell("RefundGenerationResponse", &answer, || {
        show::refunded(&grant)
    })
}

/// Moves an account to a plan.
pub async fn set_plan(
    session: &Session<'_>,
    of: &str,
    plan: String,
    teller: &Teller,
) -> anyhow::Result<()> {
    session.admit(SET_PLAN).await?;
    let user_id = account(session, of).await?;
    let answer = asked(
        session,
        None,
        SetUserPlanRequest { user_id, plan },
        async |mut client: Client, request| client.set_user_plan(request).await,
    )
    .await?;
    let plan = answer.plan.clone().context("an answer without a plan")?;
    let balance = answer.balance.clone().unwrap_or_default();
    teller.tell("SetUserPlanResponse", &answer, || {
        show::moved(&plan, &balance)
    })
}

/// What was spent of the bounds for all.
pub async fn spending(session: &Session<'_>, teller: &Teller) -> anyhow::Result<()> {
    let answer = asked(
        session,
        Some("GetSpending"),
        GetSpendingRequest {},
        async |mut client: Client, request| client.get_spending(request).await,
    )
    .await?;
    teller.tell("GetSpendingResponse", &answer, || show::spending(&answer))
}

/// A key for repeating the call: the caller's own, or a new one.
fn key(key: Key) -> String {
    key.request_id.unwrap_or_else(request_id)
}

/// The id of an account. An e-mail is looked up among all accounts: the contract lists them, and finds none by it.
async fn account(session: &Session<'_>, named: &str) -> anyhow::Result<String> {
    if !named.contains('@') {
        return Ok(named.to_owned());
    }
    // As the server keeps it.
    let email = named.trim().to_lowercase();
    let mut token = String::new();
    loop {
        let request = ListUsersRequest {
            page_size: PAGE,
            page_token: token,
        };
        let answer = session
            .ask(request, async |channel, request| {
                UsersServiceClient::new(channel).list_users(request).await
            })
            .await
            .map_err(|error| session.gone(error))?;
        if let Some(user) = answer.users.into_iter().find(|user| user.email == email) {
            return Ok(user.id);
        }
        token = answer.next_page_token;
        if token.is_empty() {
            return Err(Trouble::failed(format!("there is no account {email}")).into());
        }
    }
}
