//! Balances, grants, entries and plans as the contract writes them; nothing is decided here.

use atelier_kit::moment::timestamp;
use atelier_ledger::{Balance, Entry, EntryKind, Grant, Medium, Origin};
use atelier_proto::users::v1 as pb;

use crate::credits::Left;
use crate::plans::Plan;

pub(super) fn balance(balance: Balance, currency_code: String) -> pb::Balance {
    pb::Balance {
        available_micros: balance.available,
        reserved_micros: balance.reserved,
        currency_code,
        grants: balance.grants.into_iter().map(grant).collect(),
    }
}

pub(super) fn grant(grant: Grant) -> pb::CreditGrant {
    let origin = match grant.given.origin {
        Origin::Admin => pb::GrantOrigin::Admin,
        Origin::Plan => pb::GrantOrigin::Plan,
        Origin::SignUp => pb::GrantOrigin::SignUp,
        Origin::Refund => pb::GrantOrigin::Refund,
    };
    pb::CreditGrant {
        id: grant.id,
        origin: origin.into(),
        amount_micros: grant.given.amount,
        available_micros: grant.available,
        priority: i32::from(grant.given.priority),
        note: grant.given.note,
        create_time: Some(timestamp(grant.create_time)),
        expire_time: grant.given.expire_time.map(timestamp),
    }
}

pub(super) fn entry(entry: Entry) -> pb::LedgerEntry {
    let kind = match entry.kind {
        EntryKind::Granted => pb::EntryKind::Granted,
        EntryKind::Reserved => pb::EntryKind::Reserved,
        EntryKind::Charged => pb::EntryKind::Charged,
        EntryKind::Returned => pb::EntryKind::Returned,
        EntryKind::Expired => pb::EntryKind::Expired,
    };
    pb::LedgerEntry {
        // So many places that texts are in the order of their numbers.
        id: format!("{:019}", entry.number),
        kind: kind.into(),
        amount_micros: entry.amount,
        balance_micros: entry.balance,
        grant_id: entry.grant,
        generation_id: entry.generation,
        medium: entry.medium.map_or(pb::Medium::Unspecified, medium).into(),
        model: entry.model,
        create_time: Some(timestamp(entry.time)),
    }
}

pub(super) fn quota(left: Left) -> pb::Quota {
    pb::Quota {
        medium: medium(left.medium).into(),
        limit: i64::from(left.limit),
        remaining: i64::from(left.remaining),
        reset_time: Some(timestamp(left.reset)),
    }
}

pub(super) fn plan(plan: &Plan) -> pb::Plan {
    let quotas = Medium::ALL.into_iter().filter_map(|of| {
        Some(pb::PlanQuota {
            medium: medium(of).into(),
            daily_limit: i64::from(plan.daily(of)?),
        })
    });
    pb::Plan {
        name: plan.name.clone(),
        monthly_credits_micros: plan.monthly_credits,
        quotas: quotas.collect(),
        concurrency: count(plan.concurrency),
        weight: i32::from(plan.weight),
        is_open: plan.is_open,
    }
}

pub(super) fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn medium(medium: Medium) -> pb::Medium {
    match medium {
        Medium::Chat => pb::Medium::Chat,
        Medium::Image => pb::Medium::Image,
        Medium::Speech => pb::Medium::Speech,
    }
}

/// The medium that is paid for; `None` for one that is not set.
pub(super) fn medium_of(medium: pb::Medium) -> Option<Medium> {
    match medium {
        pb::Medium::Unspecified => None,
        pb::Medium::Chat => Some(Medium::Chat),
        pb::Medium::Image => Some(Medium::Image),
        pb::Medium::Speech => Some(Medium::Speech),
    }
}
