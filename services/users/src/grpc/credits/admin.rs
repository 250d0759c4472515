//! What admins do with credits, on the wire.

use atelier_kit::check::Check;
use atelier_kit::idempotency;
use atelier_kit::moment::{from_timestamp, timestamp};
use atelier_proto::users::v1 as pb;
use pb::spending::Scope;
use tonic::{Request, Response};

use super::{CreditsGrpc, NAME_BYTES, wire};
use crate::credits::{Gift, GiveBack, hour_after, midnight_after};
use crate::grpc::Answer;

/// The most that is given at once, in millionths.
const MOST: i64 = 1_000_000_000_000_000;
/// Most characters of a note.
const NOTE_CHARS: usize = 200;

impl CreditsGrpc {
    pub(super) async fn set_user_plan(
        &self,
        request: Request<pb::SetUserPlanRequest>,
    ) -> Answer<pb::SetUserPlanResponse> {
        let caller = self.caller(&request).await?;
        let request = request.into_inner();
        Check::new()
            .bytes("user_id", &request.user_id, 1..=64)
            .bytes("plan", &request.plan, 1..=NAME_BYTES)
            .finish()?;
        let credits = &self.accounts.credits;
        let (plan, balance) = credits
            .set_plan(&caller, &request.user_id, &request.plan)
            .await?;
        Ok(Response::new(pb::SetUserPlanResponse {
            plan: Some(wire::plan(&plan)),
            balance: Some(wire::balance(balance, self.currency())),
        }))
    }

    pub(super) async fn grant_credits(
        &self,
        request: Request<pb::GrantCreditsRequest>,
    ) -> Answer<pb::GrantCreditsResponse> {
        let caller = self.caller(&request).await?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let mut check = Check::new();
        check
            .bytes("user_id", &request.user_id, 1..=64)
            .within("amount_micros", request.amount_micros, 1..=MOST)
            .within("priority", i64::from(request.priority), 0..=100)
            .chars("note", &request.note, 0..=NOTE_CHARS)
            .id("request_id", &request.request_id);
        let expire_time = request.expire_time.as_ref().map(from_timestamp);
        let now = self.accounts.clock.now();
        if expire_time.is_some_and(|time| time.is_none_or(|time| time <= now)) {
            check.broken("expire_time", "must be in the future");
        }
        check.finish()?;
        let gift = Gift {
            user_id: request.user_id,
            amount: request.amount_micros,
            priority: u8::try_from(request.priority).unwrap_or(u8::MAX),
            expire_time: expire_time.flatten(),
            note: request.note,
            request_id: request.request_id,
        };
        let (grant, balance) = self.accounts.credits.grant(&caller, gift).await?;
        Ok(Response::new(pb::GrantCreditsResponse {
            grant: Some(wire::grant(grant)),
            balance: Some(wire::balance(balance, self.currency())),
        }))
    }

    pub(super) async fn refund_generation(
        &self,
        request: Request<pb::RefundGenerationRequest>,
    ) -> Answer<pb::RefundGenerationResponse> {
        let caller = self.caller(&request).await?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        Check::new()
            .bytes("generation_id", &request.generation_id, 1..=64)
            .that(
                request.amount_micros >= 0,
                "amount_micros",
                "must be 0 or more",
            )
            .chars("note", &request.note, 0..=NOTE_CHARS)
            .id("request_id", &request.request_id)
            .finish()?;
        let back = GiveBack {
            generation: request.generation_id,
            amount: Some(request.amount_micros).filter(|amount| *amount > 0),
            note: request.note,
            request_id: request.request_id,
        };
        let grant = self.accounts.credits.refund(&caller, back).await?;
        Ok(Response::new(pb::RefundGenerationResponse {
            grant: Some(wire::grant(grant)),
        }))
    }

    pub(super) async fn get_spending(
        &self,
        request: Request<pb::GetSpendingRequest>,
    ) -> Answer<pb::GetSpendingResponse> {
        let caller = self.caller(&request).await?;
        let (spent, house, now) = self.accounts.credits.spending(&caller).await?;
        let bounds = self.accounts.credits.in_force().plans.bounds();
        let (hour, day) = (hour_after(now), midnight_after(now));
        let spending = [
            (Scope::Hour, spent.hour, bounds.hour, hour),
            (Scope::Day, spent.day, bounds.day, day),
            (Scope::AnonymousDay, spent.house_day, bounds.house_day, day),
        ];
        let spending = spending
            .into_iter()
            .map(|(scope, spent, limit, reset)| pb::Spending {
                scope: scope.into(),
                spent_micros: spent,
                limit_micros: limit,
                reset_time: Some(timestamp(reset)),
            });
        let house = house
            .into_iter()
            .map(|(account, balance)| pb::HouseAccount {
                name: account.name().to_owned(),
                balance_micros: balance,
            });
        Ok(Response::new(pb::GetSpendingResponse {
            spending: spending.collect(),
            house_accounts: house.collect(),
            currency_code: self.currency(),
        }))
    }
}
