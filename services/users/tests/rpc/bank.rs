//! A house with plans and prices, what services pay with there, and what people read of it.

use std::collections::BTreeMap;

use atelier_kit::link::Route;
use atelier_proto::generation::v1::{Allowance, Usage};
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1 as pb;
use atelier_users::{Clock as _, Config, Plans};
use tempfile::TempDir;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use crate::admin::admin;
use crate::house::{House, at, by, quiet};
use crate::keys::internal;

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;
/// What a picture costs.
pub const PICTURE: i64 = 40_000;

pub const PLANS: &str = r#"
[sign_up]
credits = 1
days = 10

[plans.free]
quotas = { image = 2 }
concurrency = 3
open = true

[plans.plus]
monthly_credits = 5
concurrency = 5
weight = 3
open = true

[plans.pro]
monthly_credits = 20
weight = 9

[anonymous]
quotas = { image = 4 }
concurrency = 2
network_concurrency = 3
daily_budget = 0.10
"#;

/// A house whose clock stands at noon of the tenth day of a month, and its admin.
pub struct Bank {
    pub house: House,
    pub root: pb::TokenPair,
    pub root_id: String,
    /// When the month begins, and when the next one does.
    pub month: (i64, i64),
    _folder: TempDir,
}

/// The first moment of a month so many after this one.
fn month_begins(after: i32) -> i64 {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let first = now.date().first_of_month();
    let first = first.saturating_add(jiff::Span::new().months(after));
    let first = first.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    first.timestamp().as_microsecond()
}

pub fn with_plans(plans: &str) -> Config {
    Config {
        plans: Plans::read("plans.toml", plans).unwrap(),
        ..quiet()
    }
}

impl Bank {
    pub async fn new() -> Self {
        Self::with(PLANS).await
    }

    pub async fn with(plans: &str) -> Self {
        Self::among(with_plans(plans), &BTreeMap::new()).await
    }

    pub async fn among(config: Config, peers: &BTreeMap<String, Route>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let house = House::among(folder.path(), config, peers).await;
        // All of these tests are in the future: what a clock says by chance is in none of them.
        let month = (month_begins(1), month_begins(2));
        house.clock.set(month.0 + 9 * DAY + 12 * HOUR);
        let (root, tokens) = admin(&house, "root@x.org").await;
        Self {
            house,
            root: tokens,
            root_id: root.id,
            month,
            _folder: folder,
        }
    }

    pub fn now(&self) -> i64 {
        self.house.clock.now()
    }

    /// An anonymous account that calls from an address.
    pub async fn stranger(&self, address: &str) -> (pb::User, pb::TokenPair) {
        let request = at(address, pb::CreateAnonymousSessionRequest {});
        let answer = self.house.service().create_anonymous_session(request).await;
        let answer = answer.unwrap().into_inner();
        (answer.user.unwrap(), answer.tokens.unwrap())
    }

    pub async fn reserve(&self, request: pb::ReserveRequest) -> Result<Allowance, Status> {
        let mut client = self.house.credits_as("text-image");
        let answer = client.reserve(internal(request)).await?;
        Ok(answer.into_inner().allowance.unwrap())
    }

    /// Reserves a picture.
    pub async fn picture(&self, id: &str, user: &pb::User) -> Result<Allowance, Status> {
        self.reserve(picture(id, &user.id)).await
    }

    pub async fn settle(&self, id: &str, images: i64) -> Result<i64, Status> {
        let request = pb::SettleRequest {
            generation_id: id.into(),
            usage: Some(usage(images)),
        };
        let mut client = self.house.credits_as("text-image");
        let answer = client.settle(internal(request)).await;
        answer.map(|answer| answer.into_inner().charged_micros)
    }

    pub async fn release(&self, id: &str) -> Result<(), Status> {
        let request = pb::ReleaseRequest {
            generation_id: id.into(),
        };
        let mut client = self.house.credits_as("text-image");
        client.release(internal(request)).await.map(drop)
    }

    pub async fn balance(&self, tokens: &pb::TokenPair) -> pb::Balance {
        let request = by(tokens, pb::GetBalanceRequest {});
        let answer = self.house.credits().get_balance(request).await;
        answer.unwrap().into_inner().balance.unwrap()
    }

    /// What may be spent, and what is held.
    pub async fn money(&self, tokens: &pb::TokenPair) -> (i64, i64) {
        let balance = self.balance(tokens).await;
        (balance.available_micros, balance.reserved_micros)
    }

    pub async fn quotas(&self, tokens: &pb::TokenPair) -> pb::GetQuotasResponse {
        let request = by(tokens, pb::GetQuotasRequest {});
        let answer = self.house.credits().get_quotas(request).await;
        answer.unwrap().into_inner()
    }

    /// How many pictures are left today.
    pub async fn left(&self, tokens: &pb::TokenPair) -> i64 {
        let quotas = self.quotas(tokens).await.quotas;
        assert_eq!(quotas[0].medium(), pb::Medium::Image);
        quotas[0].remaining
    }

    pub async fn entries(&self, tokens: &pb::TokenPair) -> Vec<pb::LedgerEntry> {
        let request = by(tokens, pb::ListLedgerEntriesRequest::default());
        let answer = self.house.credits().list_ledger_entries(request).await;
        answer.unwrap().into_inner().entries
    }

    pub async fn change_plan(&self, tokens: &pb::TokenPair, plan: &str) -> Result<i64, Status> {
        let request = pb::ChangePlanRequest { plan: plan.into() };
        let answer = self
            .house
            .credits()
            .change_plan(by(tokens, request))
            .await?;
        let answer = answer.into_inner();
        assert_eq!(answer.plan.unwrap().name, plan);
        Ok(answer.balance.unwrap().available_micros)
    }

    pub async fn set_plan(&self, user: &pb::User, plan: &str) -> Result<i64, Status> {
        let request = pb::SetUserPlanRequest {
            user_id: user.id.clone(),
            plan: plan.into(),
        };
        let mut client = self.house.credits();
        let answer = client.set_user_plan(by(&self.root, request)).await?;
        Ok(answer.into_inner().balance.unwrap().available_micros)
    }

    pub async fn give(&self, request: pb::GrantCreditsRequest) -> Result<pb::CreditGrant, Status> {
        let mut client = self.house.credits();
        let answer = client.grant_credits(by(&self.root, request)).await?;
        Ok(answer.into_inner().grant.unwrap())
    }

    /// Gives an account so much, for good.
    pub async fn gift(&self, user: &pb::User, amount: i64) -> pb::CreditGrant {
        let request_id = format!("gift-{}-{amount}-{}", user.id, self.now());
        self.give(gift(user, amount, &request_id[request_id.len() - 40..]))
            .await
            .unwrap()
    }

    pub async fn refund(
        &self,
        id: &str,
        amount: i64,
        key: &str,
    ) -> Result<pb::CreditGrant, Status> {
        let request = pb::RefundGenerationRequest {
            generation_id: id.into(),
            amount_micros: amount,
            note: "sorry".into(),
            request_id: key.into(),
        };
        let mut client = self.house.credits();
        let answer = client.refund_generation(by(&self.root, request)).await?;
        Ok(answer.into_inner().grant.unwrap())
    }

    pub async fn spending(&self) -> pb::GetSpendingResponse {
        let request = by(&self.root, pb::GetSpendingRequest {});
        let answer = self.house.credits().get_spending(request).await;
        answer.unwrap().into_inner()
    }

    /// What stands in one of the house's accounts.
    pub async fn house_account(&self, name: &str) -> i64 {
        let accounts = self.spending().await.house_accounts;
        let account = accounts.iter().find(|account| account.name == name);
        account.unwrap().balance_micros
    }

    /// What was done to an account: action, actor and details.
    pub async fn acts(&self, subject: &str) -> Vec<pb::AuditEvent> {
        let request = pb::ListAuditEventsRequest {
            subject: subject.into(),
            ..Default::default()
        };
        let mut client = self.house.client.clone();
        let answer = client.list_audit_events(by(&self.root, request)).await;
        answer.map(Response::into_inner).unwrap().events
    }
}

pub fn usage(images: i64) -> Usage {
    Usage {
        images,
        ..Default::default()
    }
}

pub fn price(unit: PriceUnit, micros: i64) -> Price {
    Price {
        unit: unit.into(),
        micros,
        currency_code: "USD".into(),
    }
}

/// One picture of an account.
pub fn picture(id: &str, user_id: &str) -> pb::ReserveRequest {
    pb::ReserveRequest {
        generation_id: id.into(),
        user_id: user_id.into(),
        medium: pb::Medium::Image.into(),
        model: "painter-1".into(),
        worst_case: Some(usage(1)),
        prices: vec![price(PriceUnit::Image, PICTURE)],
    }
}

/// One that costs nothing.
pub fn free_picture(id: &str, user_id: &str) -> pb::ReserveRequest {
    pb::ReserveRequest {
        prices: Vec::new(),
        ..picture(id, user_id)
    }
}

pub fn gift(user: &pb::User, amount: i64, request_id: &str) -> pb::GrantCreditsRequest {
    pb::GrantCreditsRequest {
        user_id: user.id.clone(),
        amount_micros: amount,
        priority: 50,
        expire_time: None,
        note: "enjoy".into(),
        request_id: request_id.into(),
    }
}

/// After how many microseconds a refused call may be repeated.
pub fn wait(status: &Status) -> Option<i64> {
    let info = status.get_details_retry_info()?;
    Some(i64::try_from(info.retry_delay?.as_micros()).unwrap())
}

/// What a refusal tells programs.
pub fn told(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(key).cloned()
}
