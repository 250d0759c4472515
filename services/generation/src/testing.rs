//! Doubles for the tests of the services: who pays. Nothing of it is in the product.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::Caller;
use atelier_kit::link::Route;
use atelier_kit::moment;
use atelier_kit::policy::Policies;
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, mount_route};
use atelier_proto::generation::v1::{Allowance, Usage};
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1 as wire;
use atelier_proto::users::v1::credits_service_server::{CreditsService, CreditsServiceServer};
use tokio_util::sync::DropGuard;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::ports::{Failure, Job, Purse, Quote};

/// How long a day lasts from whenever it is asked about.
const DAY: Duration = Duration::from_secs(3600);

/// A purse that allows everything and charges nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenPurse;

#[async_trait]
impl Purse for OpenPurse {
    async fn reserve(&self, _: &Job, _: &Quote) -> Result<Allowance, Failure> {
        Ok(Allowance::default())
    }

    async fn settle(&self, _: &str, _: &Usage) -> Result<(), Error> {
        Ok(())
    }

    async fn release(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// The credits of the users service as a medium sees them: a book in memory behind the real contract. It allows everything
/// until it is told otherwise. Clones are the same.
#[derive(Clone, Default)]
pub struct Credits(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    /// What may be spent; `None`: whatever is asked for.
    balance: Option<i64>,
    /// How many of a medium an account may begin; `None`: they are not counted.
    quota: Option<i64>,
    refusal: Option<Status>,
    is_away: bool,
    pause: Duration,
    reservations: BTreeMap<String, Reservation>,
    /// What each generation that has ended was charged.
    ended: BTreeMap<String, i64>,
    lines: Vec<(String, String)>,
    calls: usize,
    callers: BTreeSet<String>,
}

#[derive(Clone)]
struct Reservation {
    asked: wire::ReserveRequest,
    allowance: Allowance,
    is_released: bool,
}

impl Credits {
    /// Serves the contract as the users role does. Dropping the guard ends it.
    pub fn serve(&self, issuer: &Issuer) -> (Route, DropGuard) {
        let routes = tonic::service::Routes::new(CreditsServiceServer::new(self.clone()));
        let policies =
            Policies::read(atelier_proto::DESCRIPTOR).expect("the contract has policies");
        mount_route(Service::new(routes), "users", policies, issuer)
    }

    /// Allows no more than this from now on, of all accounts together.
    pub fn set_balance(&self, micros: i64) {
        self.book().balance = Some(micros);
    }

    /// Allows so many of a medium to each account.
    pub fn set_quota(&self, limit: i64) {
        self.book().quota = Some(limit);
    }

    /// Refuses whatever would be reserved with this, or nothing any more.
    pub fn refuse(&self, with: Option<Status>) {
        self.book().refusal = with;
    }

    /// Cannot be asked, or can again.
    pub fn set_away(&self, is_away: bool) {
        self.book().is_away = is_away;
    }

    /// Takes so long with each call.
    pub fn set_pause(&self, pause: Duration) {
        self.book().pause = pause;
    }

    /// What was asked for a generation, where it was reserved.
    pub fn asked(&self, id: &str) -> Option<wire::ReserveRequest> {
        let book = self.book();
        let reservation = book.reservations.get(id)?;
        Some(reservation.asked.clone())
    }

    /// What was done for a generation, as in `reserve 120`, `settle 80`, `release`.
    pub fn of(&self, id: &str) -> Vec<String> {
        let book = self.book();
        let lines = book.lines.iter().filter(|(of, _)| of == id);
        lines.map(|(_, line)| line.clone()).collect()
    }

    /// Waits until this is all that was done for a generation.
    pub async fn reads(&self, id: &str, lines: &[&str]) {
        atelier_kit::testing::eventually("the purse has heard of it", || async {
            self.of(id).len() >= lines.len()
        })
        .await;
        assert_eq!(self.of(id), lines);
    }

    /// How often it was called, refusals included.
    pub fn calls(&self) -> usize {
        self.book().calls
    }

    /// Who has called: the roles of services, and `nobody` and `account` for whoever must not.
    pub fn callers(&self) -> Vec<String> {
        self.book().callers.iter().cloned().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all calls have in common.
    async fn arrived<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let (pause, is_away) = {
            let mut book = self.book();
            book.calls += 1;
            book.callers.insert(match Call::of(request)?.caller {
                Caller::Service(role) => role.to_string(),
                Caller::Account(_) => "account".to_owned(),
                Caller::Nobody => "nobody".to_owned(),
            });
            (book.pause, book.is_away)
        };
        tokio::time::sleep(pause).await;
        match is_away {
            true => Err(Fault::new(Kind::Unavailable, "AWAY", "nobody is here").into()),
            false => Ok(()),
        }
    }
}

/// What this much costs, exactly, and rounded up once.
fn cost(prices: &[Price], usage: &Usage) -> i64 {
    const WHOLE: i128 = 3_000_000;
    let part = |price: &Price| {
        let (figure, each) = match price.unit() {
            PriceUnit::MillionInputTokens => (usage.input_tokens, 1_000_000),
            PriceUnit::MillionOutputTokens => (usage.output_tokens, 1_000_000),
            PriceUnit::Image => (usage.images, 1),
            PriceUnit::MillionCharacters => (usage.characters, 1_000_000),
            PriceUnit::AudioMinute => (usage.audio_millis, 60_000),
            PriceUnit::Unspecified => (0, 1),
        };
        i128::from(price.micros) * i128::from(figure) * (WHOLE / each)
    };
    let sum: i128 = prices.iter().map(part).sum();
    i64::try_from((sum + WHOLE - 1) / WHOLE).expect("an amount of money")
}

impl Book {
    fn reserve(&mut self, asked: wire::ReserveRequest) -> Result<Allowance, Status> {
        let id = asked.generation_id.clone();
        if self.ended.contains_key(&id) {
            let ended = "the generation has ended";
            return Err(Fault::new(Kind::Precondition, "GENERATION_ENDED", ended).into());
        }
        if let Some(known) = self.reservations.get(&id) {
            self.lines.push((id, "again".to_owned()));
            return Ok(known.allowance.clone());
        }
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let worst = asked.worst_case.unwrap_or_default();
        let reserved_micros = cost(&asked.prices, &worst);
        let held = |book: &Self| -> i64 {
            let open = book.reservations.iter();
            let open = open.filter(|(id, _)| !book.ended.contains_key(*id));
            let held: i64 = open.map(|(_, one)| one.allowance.reserved_micros).sum();
            held + book.ended.values().sum::<i64>()
        };
        if self
            .balance
            .is_some_and(|balance| held(self) + reserved_micros > balance)
        {
            let fault = Fault::new(Kind::Exhausted, "INSUFFICIENT_CREDITS", "too few credits");
            return Err(fault.into());
        }
        let mut allowance = Allowance {
            reserved_micros,
            currency_code: "USD".to_owned(),
            ..Allowance::default()
        };
        if let Some(limit) = self.quota {
            let alike = |one: &&Reservation| {
                let same = (&one.asked.user_id, one.asked.medium);
                !one.is_released && same == (&asked.user_id, asked.medium)
            };
            let used = self.reservations.values().filter(alike).count();
            let remaining = limit - i64::try_from(used).unwrap_or(i64::MAX) - 1;
            if remaining < 0 {
                let fault = Fault::new(Kind::Exhausted, "QUOTA_EXHAUSTED", "none are left");
                return Err(fault.retry_after(DAY).into());
            }
            allowance.quota_limit = limit;
            allowance.quota_remaining = remaining;
            allowance.quota_reset_time = Some(moment::timestamp(moment::now() + moment::span(DAY)));
        }
        self.lines
            .push((id.clone(), format!("reserve {reserved_micros}")));
        let reservation = Reservation {
            asked,
            allowance: allowance.clone(),
            is_released: false,
        };
        self.reservations.insert(id, reservation);
        Ok(allowance)
    }

    fn settle(&mut self, id: String, used: &Usage) -> i64 {
        let charged = self.ended.get(&id).copied().unwrap_or_else(|| {
            self.reservations.get(&id).map_or(0, |one| {
                cost(&one.asked.prices, used).min(one.allowance.reserved_micros)
            })
        });
        self.lines.push((id.clone(), format!("settle {charged}")));
        self.ended.insert(id, charged);
        charged
    }

    fn release(&mut self, id: String) {
        self.lines.push((id.clone(), "release".to_owned()));
        if self.ended.contains_key(&id) {
            return;
        }
        if let Some(one) = self.reservations.get_mut(&id) {
            one.is_released = true;
        }
        self.ended.insert(id, 0);
    }
}

fn unknown<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not a part of this double"))
}

#[tonic::async_trait]
impl CreditsService for Credits {
    async fn reserve(
        &self,
        request: Request<wire::ReserveRequest>,
    ) -> Result<Response<wire::ReserveResponse>, Status> {
        self.arrived(&request).await?;
        let allowance = self.book().reserve(request.into_inner())?;
        Ok(Response::new(wire::ReserveResponse {
            allowance: Some(allowance),
        }))
    }

    async fn settle(
        &self,
        request: Request<wire::SettleRequest>,
    ) -> Result<Response<wire::SettleResponse>, Status> {
        self.arrived(&request).await?;
        let request = request.into_inner();
        let used = request.usage.unwrap_or_default();
        let charged_micros = self.book().settle(request.generation_id, &used);
        Ok(Response::new(wire::SettleResponse { charged_micros }))
    }

    async fn release(
        &self,
        request: Request<wire::ReleaseRequest>,
    ) -> Result<Response<wire::ReleaseResponse>, Status> {
        self.arrived(&request).await?;
        self.book().release(request.into_inner().generation_id);
        Ok(Response::new(wire::ReleaseResponse {}))
    }

    type ExportStatementStream =
        futures_util::stream::Empty<Result<wire::ExportStatementResponse, Status>>;

    async fn export_statement(
        &self,
        _: Request<wire::ExportStatementRequest>,
    ) -> Result<Response<Self::ExportStatementStream>, Status> {
        unknown()
    }

    async fn get_balance(
        &self,
        _: Request<wire::GetBalanceRequest>,
    ) -> Result<Response<wire::GetBalanceResponse>, Status> {
        unknown()
    }

    async fn list_ledger_entries(
        &self,
        _: Request<wire::ListLedgerEntriesRequest>,
    ) -> Result<Response<wire::ListLedgerEntriesResponse>, Status> {
        unknown()
    }

    async fn get_quotas(
        &self,
        _: Request<wire::GetQuotasRequest>,
    ) -> Result<Response<wire::GetQuotasResponse>, Status> {
        unknown()
    }

    async fn list_plans(
        &self,
        _: Request<wire::ListPlansRequest>,
    ) -> Result<Response<wire::ListPlansResponse>, Status> {
        unknown()
    }

    async fn change_plan(
        &self,
        _: Request<wire::ChangePlanRequest>,
    ) -> Result<Response<wire::ChangePlanResponse>, Status> {
        unknown()
    }

    async fn set_user_plan(
        &self,
        _: Request<wire::SetUserPlanRequest>,
    ) -> Result<Response<wire::SetUserPlanResponse>, Status> {
        unknown()
    }

    async fn grant_credits(
        &self,
        _: Request<wire::GrantCreditsRequest>,
    ) -> Result<Response<wire::GrantCreditsResponse>, Status> {
        unknown()
    }

    async fn refund_generation(
        &self,
        _: Request<wire::RefundGenerationRequest>,
    ) -> Result<Response<wire::RefundGenerationResponse>, Status> {
        unknown()
    }

    async fn get_spending(
        &self,
        _: Request<wire::GetSpendingRequest>,
    ) -> Result<Response<wire::GetSpendingResponse>, Status> {
        unknown()
    }
}
