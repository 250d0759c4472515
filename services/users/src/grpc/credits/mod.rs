//! Credits on the wire: what accounts read and choose, and the list of all methods; what admins do and what services pay with
//! has rooms of its own.

mod admin;
mod paying;
mod wire;

use std::pin::Pin;
use std::sync::Arc;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::page::Pages;
use atelier_proto::users::v1 as pb;
use futures_util::Stream;
use pb::credits_service_server::CreditsService;
use tonic::{Request, Response, Status};

use super::Answer;
use crate::accounts::Accounts;
use crate::credits::{MonthOfYear, Statement};
use crate::sessions::SignedIn;

/// Longest name of a plan, and longest id, in bytes.
const NAME_BYTES: usize = 64;

/// The handlers.
pub(crate) struct CreditsGrpc {
    accounts: Arc<Accounts>,
    pages: Pages,
}

impl CreditsGrpc {
    pub(crate) fn new(accounts: Arc<Accounts>, pages: Pages) -> Self {
        Self { accounts, pages }
    }

    /// The caller, whose token holds and whose session still lives.
    async fn caller<T>(&self, request: &Request<T>) -> Result<SignedIn, Status> {
        let call = Call::of(request)?;
        Ok(self.accounts.signed_in(call.account()?).await?)
    }

    fn currency(&self) -> String {
        self.accounts.credits.in_force().plans.currency.clone()
    }
}

/// The answers of ExportStatement.
type Told = Pin<Box<dyn Stream<Item = Result<pb::ExportStatementResponse, Status>> + Send>>;

#[tonic::async_trait]
impl CreditsService for CreditsGrpc {
    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Answer<pb::GetBalanceResponse> {
        let caller = self.caller(&request).await?;
        let balance = self.accounts.credits.balance(&caller.user).await?;
        Ok(Response::new(pb::GetBalanceResponse {
            balance: Some(wire::balance(balance, self.currency())),
        }))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<pb::ListLedgerEntriesRequest>,
    ) -> Answer<pb::ListLedgerEntriesResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["ledger-entries", &caller.user.id];
        let before: Option<i64> = self.pages.cursor(&scope, &request.page_token)?;
        let rows = u32::try_from(limit + 1).unwrap_or(u32::MAX);
        let credits = &self.accounts.credits;
        let mut found = credits.entries(&caller.user.id, before, rows).await?;
        let next_page_token = self
            .pages
            .cut(&scope, &mut found, limit, |last| last.number);
        Ok(Response::new(pb::ListLedgerEntriesResponse {
            entries: found.into_iter().map(wire::entry).collect(),
            next_page_token,
        }))
    }

    type ExportStatementStream = Told;

    async fn export_statement(&self, request: Request<pb::ExportStatementRequest>) -> Answer<Told> {
        let caller = self.caller(&request).await?;
        let month = MonthOfYear::read(&request.into_inner().month);
        let credits = self.accounts.credits.clone();
        let statement = match month {
            Some(month) => Statement::open(credits, caller.user.id, month).await?,
            None => None,
        };
        let Some(mut statement) = statement else {
            let mut check = Check::new();
            check.broken("month", "must be a month that has begun, as in 2026-11");
            check.finish()?;
            return Err(Status::invalid_argument("the month cannot be told"));
        };
        Ok(Response::new(Box::pin(async_stream::try_stream! {
            while let Some(data) = statement.next().await? {
                yield pb::ExportStatementResponse { data: data.into() };
            }
        })))
    }

    async fn get_quotas(
        &self,
        request: Request<pb::GetQuotasRequest>,
    ) -> Answer<pb::GetQuotasResponse> {
        let caller = self.caller(&request).await?;
        let terms = self.accounts.credits.own_terms(&caller.user).await?;
        Ok(Response::new(pb::GetQuotasResponse {
            plan: terms.plan,
            quotas: terms.quotas.into_iter().map(wire::quota).collect(),
            concurrency: wire::count(terms.concurrency),
        }))
    }

    async fn list_plans(&self, _: Request<pb::ListPlansRequest>) -> Answer<pb::ListPlansResponse> {
        let in_force = self.accounts.credits.in_force();
        Ok(Response::new(pb::ListPlansResponse {
            plans: in_force.plans.all().map(wire::plan).collect(),
            currency_code: in_force.plans.currency.clone(),
        }))
    }

    async fn change_plan(
        &self,
        request: Request<pb::ChangePlanRequest>,
    ) -> Answer<pb::ChangePlanResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("plan", &request.plan, 1..=NAME_BYTES)
            .finish()?;
        let credits = &self.accounts.credits;
        let (plan, balance) = credits.change_plan(&caller, &request.plan).await?;
        Ok(Response::new(pb::ChangePlanResponse {
            plan: Some(wire::plan(&plan)),
            balance: Some(wire::balance(balance, self.currency())),
        }))
    }

    async fn set_user_plan(
        &self,
        request: Request<pb::SetUserPlanRequest>,
    ) -> Answer<pb::SetUserPlanResponse> {
        CreditsGrpc::set_user_plan(self, request).await
    }

    async fn grant_credits(
        &self,
        request: Request<pb::GrantCreditsRequest>,
    ) -> Answer<pb::GrantCreditsResponse> {
        CreditsGrpc::grant_credits(self, request).await
    }

    async fn refund_generation(
        &self,
        request: Request<pb::RefundGenerationRequest>,
    ) -> Answer<pb::RefundGenerationResponse> {
        CreditsGrpc::refund_generation(self, request).await
    }

    async fn get_spending(
        &self,
        request: Request<pb::GetSpendingRequest>,
    ) -> Answer<pb::GetSpendingResponse> {
        CreditsGrpc::get_spending(self, request).await
    }

    async fn reserve(&self, request: Request<pb::ReserveRequest>) -> Answer<pb::ReserveResponse> {
        CreditsGrpc::reserve(self, request).await
    }

    async fn settle(&self, request: Request<pb::SettleRequest>) -> Answer<pb::SettleResponse> {
        CreditsGrpc::settle(self, request).await
    }

    async fn release(&self, request: Request<pb::ReleaseRequest>) -> Answer<pb::ReleaseResponse> {
        CreditsGrpc::release(self, request).await
    }
}
