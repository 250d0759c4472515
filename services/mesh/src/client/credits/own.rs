//! What everybody asks of their own account.

use anyhow::Context as _;
use atelier_proto::users::v1::{
    ChangePlanRequest, GetBalanceRequest, GetBalanceResponse, GetQuotasRequest, GetQuotasResponse,
    ListLedgerEntriesRequest, ListPlansRequest,
};

use super::{Client, Session, Teller, asked, print, show};
use crate::client::terminal::Terminal;

/// The most that the contract gives at once.
const PAGE: u32 = 1000;

/// What may be spent, and what is left of the quotas.
pub async fn overview(session: &Session<'_>, teller: &Teller) -> anyhow::Result<()> {
    let (balance, quotas) = (ask_balance(session).await?, ask_quotas(session).await?);
    teller.tell("GetBalanceResponse", &balance, || {
        show::total(&balance.balance.clone().unwrap_or_default())
    })?;
    teller.tell("GetQuotasResponse", &quotas, || show::quotas(&quotas))
}

/// What may be spent, and the credits it comes from.
pub async fn balance(session: &Session<'_>, teller: &Teller) -> anyhow::Result<()> {
    let answer = ask_balance(session).await?;
    teller.tell("GetBalanceResponse", &answer, || {
        show::balance(&answer.balance.clone().unwrap_or_default())
    })
}

/// The plan, and what is left of the quotas.
pub async fn quotas(session: &Session<'_>, teller: &Teller) -> anyhow::Result<()> {
    let answer = ask_quotas(session).await?;
    teller.tell("GetQuotasResponse", &answer, || show::quotas(&answer))
}

async fn ask_balance(session: &Session<'_>) -> anyhow::Result<GetBalanceResponse> {
    asked(
        session,
        None,
        GetBalanceRequest {},
        async |mut client: Client, request| client.get_balance(request).await,
    )
    .await
}

async fn ask_quotas(session: &Session<'_>) -> anyhow::Result<GetQuotasResponse> {
    asked(
        session,
        None,
        GetQuotasRequest {},
        async |mut client: Client, request| client.get_quotas(request).await,
    )
    .await
}

/// What happened to the credits, the newest first.
pub async fn entries(
    session: &Session<'_>,
    terminal: Terminal,
    count: u32,
    teller: &Teller,
) -> anyhow::Result<()> {
    let (mut token, mut left) = (String::new(), count);
    loop {
        let request = ListLedgerEntriesRequest {
            page_size: i32::try_from(left.min(PAGE))?,
            page_token: token,
        };
        let answer = asked(
            session,
            Some("ListLedgerEntries"),
            request,
            async |mut client: Client, request| client.list_ledger_entries(request).await,
        )
        .await?;
        let mut text = String::new();
        for entry in &answer.entries {
            text.push_str(&teller.line("LedgerEntry", entry, || show::entry(entry))?);
        }
        if text.is_empty() && left == count {
            terminal.aside("nothing has happened to the credits");
        }
        print(&text)?;
        left = left.saturating_sub(u32::try_from(answer.entries.len())?);
        token = answer.next_page_token;
        if left == 0 || token.is_empty() {
            return Ok(());
        }
    }
}

/// The plans there are. Anybody may ask, so nobody needs to be signed in.
pub async fn plans(session: &Session<'_>, teller: &Teller) -> anyhow::Result<()> {
    let answer = Client::new(session.connection().channel)
        .list_plans(ListPlansRequest {})
        .await?
        .into_inner();
    let mut text = String::new();
    for plan in &answer.plans {
        text.push_str(&teller.line("Plan", plan, || show::plan(plan, &answer.currency_code))?);
    }
    print(&text)
}

/// Moves the account to another plan.
pub async fn change_plan(
    session: &Session<'_>,
    plan: String,
    teller: &Teller,
) -> anyhow::Result<()> {
    let answer = asked(
        session,
        Some("ChangePlan"),
        ChangePlanRequest { plan },
        async |mut client: Client, request| client.change_plan(request).await,
    )
    .await?;
    let plan = answer.plan.clone().context("an answer without a plan")?;
    let balance = answer.balance.clone().unwrap_or_default();
    teller.tell("ChangePlanResponse", &answer, || {
        show::moved(&plan, &balance)
    })
}
