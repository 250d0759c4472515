//! Credits in words, for a person: what others wrote is made harmless first.

use atelier_kit::money;
use atelier_proto::users::v1::spending::Scope;
use atelier_proto::users::v1::{
    Balance, CreditGrant, EntryKind, GetQuotasResponse, GetSpendingResponse, GrantOrigin,
    LedgerEntry, Medium, Plan, Quota,
};
use prost_types::Timestamp;

use super::calendar;
use crate::client::terminal::plain;

/// What may be spent, on one line.
pub fn total(balance: &Balance) -> String {
    let currency = &balance.currency_code;
    let mut line = format!(
        "{} {currency} to spend",
        money::shown(balance.available_micros)
    );
    if balance.reserved_micros > 0 {
        let held = money::shown(balance.reserved_micros);
        line.push_str(&format!(" · {held} {currency} held for what is at work"));
    }
    plain(&line)
}

/// What may be spent, and the credits it comes from in the order in which they are spent.
pub fn balance(balance: &Balance) -> String {
    let mut lines = vec![total(balance)];
    for grant in &balance.grants {
        let of = format!(
            "  {} of {}",
            money::shown(grant.available_micros),
            money::shown(grant.amount_micros)
        );
        lines.push(plain(&format!("{of:<24} {}", whence(grant))));
    }
    lines.join("\n")
}

/// Where credits come from, and how long they are there.
fn whence(grant: &CreditGrant) -> String {
    let origin = match grant.origin() {
        GrantOrigin::Admin => "given",
        GrantOrigin::Plan => "of the plan",
        GrantOrigin::SignUp => "for signing up",
        GrantOrigin::Refund => "given back",
        GrantOrigin::Unspecified => "unknown",
    };
    let mut parts = vec![origin.to_owned(), until(grant.expire_time.as_ref())];
    if !grant.note.is_empty() {
        parts.push(grant.note.clone());
    }
    parts.join(" · ")
}

fn until(time: Option<&Timestamp>) -> String {
    match time {
        Some(time) => format!("until {}", calendar::shown(time)),
        None => "for good".to_owned(),
    }
}

/// The plan, and what is left of each quota.
pub fn quotas(answer: &GetQuotasResponse) -> String {
    let at_once = answer.concurrency;
    let mut lines = vec![format!("plan {} · {at_once} at once", plain(&answer.plan))];
    lines.extend(answer.quotas.iter().map(left));
    lines.join("\n")
}

/// What is left of a quota.
fn left(quota: &Quota) -> String {
    let mut line = format!(
        "{:<8} {} of {} left today",
        medium(quota.medium()),
        quota.remaining,
        quota.limit
    );
    if let (Some(reset), true) = (&quota.reset_time, quota.remaining < quota.limit) {
        line.push_str(&format!(" · all again at {}", calendar::shown(reset)));
    }
    line
}

fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Chat => "replies",
        Medium::Image => "pictures",
        Medium::Speech => "speech",
        Medium::Unspecified => "",
    }
}

/// One movement of the credits.
pub fn entry(entry: &LedgerEntry) -> String {
    let (kind, sign) = match entry.kind() {
        EntryKind::Granted => ("granted", "+"),
        EntryKind::Reserved => ("reserved", "-"),
        // It was set aside before: the balance stays.
        EntryKind::Charged => ("charged", ""),
        EntryKind::Returned => ("returned", "+"),
        EntryKind::Expired => ("expired", "-"),
        EntryKind::Unspecified => ("unknown", ""),
    };
    let time = entry.create_time.as_ref().map(calendar::shown);
    let amount = format!("{sign}{}", money::shown(entry.amount_micros));
    let line = format!(
        "{}  {kind:<8} {amount:>12}  balance {:>12}  {} {} {}",
        time.unwrap_or_default(),
        money::shown(entry.balance_micros),
        medium(entry.medium()),
        entry.model,
        entry.generation_id
    );
    plain(line.trim_end())
}

/// A plan on one line.
pub fn plan(plan: &Plan, currency: &str) -> String {
    let mut parts = vec![format!("{} at once", plan.concurrency)];
    for quota in &plan.quotas {
        let of = medium(quota.medium());
        parts.push(format!("{of} {} a day", quota.daily_limit));
    }
    if plan.monthly_credits_micros > 0 {
        let monthly = money::shown(plan.monthly_credits_micros);
        parts.push(format!("{monthly} {currency} a month"));
    }
    if !plan.is_open {
        parts.push("given by admins".to_owned());
    }
    plain(&format!("{:<12} {}", plan.name, parts.join(" · ")))
}

/// The plan that holds from now on.
pub fn moved(to: &Plan, balance: &Balance) -> String {
    let line = plan(to, &balance.currency_code);
    format!("{line}\n{}", total(balance))
}

/// What was given, and what the account may spend now.
pub fn given(grant: &CreditGrant, balance: &Balance) -> String {
    let currency = &balance.currency_code;
    let amount = money::shown(grant.amount_micros);
    let until = until(grant.expire_time.as_ref());
    let line = plain(&format!("{amount} {currency} given {until}"));
    format!("{line}\n{}", total(balance))
}

/// What was given back.
pub fn refunded(grant: &CreditGrant) -> String {
    format!("{} given back", money::shown(grant.amount_micros))
}

/// What was spent of each bound, and what stands in the house's accounts.
pub fn spending(answer: &GetSpendingResponse) -> String {
    let currency = &answer.currency_code;
    let mut lines = Vec::new();
    for spending in &answer.spending {
        let scope = match spending.scope() {
            Scope::Hour => "this hour",
            Scope::Day => "today",
            Scope::AnonymousDay => "anonymous today",
            Scope::Unspecified => "unknown",
        };
        let bound = match spending.limit_micros {
            Some(limit) => format!("of {}", money::shown(limit)),
            None => "without a bound".to_owned(),
        };
        let spent = money::shown(spending.spent_micros);
        let mut line = format!("{scope:<16} {spent} {currency} {bound}");
        if let Some(reset) = &spending.reset_time {
            line.push_str(&format!(" · anew at {}", calendar::shown(reset)));
        }
        lines.push(plain(&line));
    }
    for account in &answer.house_accounts {
        let balance = money::shown(account.balance_micros);
        lines.push(plain(&format!("{:<16} {balance} {currency}", account.name)));
    }
    lines.join("\n")
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
