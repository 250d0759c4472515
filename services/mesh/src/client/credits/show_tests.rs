//! What a person reads of credits.

use super::*;

fn midnight() -> Option<Timestamp> {
    Some(Timestamp {
        seconds: 1_795_996_800,
        nanos: 0,
    })
}

#[test]
fn a_balance_tells_what_is_held_and_where_credits_come_from() {
    let mut told = Balance {
        available_micros: 12_500_000,
        reserved_micros: 40_000,
        currency_code: "USD".to_owned(),
        grants: vec![
            CreditGrant {
                origin: GrantOrigin::Plan.into(),
                amount_micros: 10_000_000,
                available_micros: 2_500_000,
                expire_time: midnight(),
                ..CreditGrant::default()
            },
            CreditGrant {
                origin: GrantOrigin::Admin.into(),
                amount_micros: 10_000_000,
                available_micros: 10_000_000,
                note: "a gift\x1b[2J".to_owned(),
                ..CreditGrant::default()
            },
        ],
    };
    assert_eq!(
        balance(&told),
        "12.50 USD to spend · 0.04 USD held for what is at work\n\
         \x20 2.50 of 10.00          of the plan · until 2026-11-30 00:00 UTC\n\
         \x20 10.00 of 10.00         given · for good · a gift␛[2J"
    );
    told.reserved_micros = 0;
    assert_eq!(total(&told), "12.50 USD to spend");
}

#[test]
fn a_quota_says_when_it_is_whole_again_once_something_is_used() {
    let mut quota = Quota {
        medium: Medium::Image.into(),
        limit: 10,
        remaining: 10,
        reset_time: midnight(),
    };
    assert_eq!(left(&quota), "pictures 10 of 10 left today");
    quota.remaining = 0;
    assert_eq!(
        left(&quota),
        "pictures 0 of 10 left today · all again at 2026-11-30 00:00 UTC"
    );
}

#[test]
fn an_entry_says_what_it_does_to_the_balance() {
    let mut told = LedgerEntry {
        kind: EntryKind::Reserved.into(),
        amount_micros: 40_000,
        balance_micros: 60_000,
        generation_id: "g".to_owned(),
        medium: Medium::Image.into(),
        model: "painter".to_owned(),
        create_time: midnight(),
        ..LedgerEntry::default()
    };
    assert_eq!(
        entry(&told),
        "2026-11-30 00:00 UTC  reserved        -0.04  balance         0.06  pictures painter g"
    );
    told.kind = EntryKind::Charged.into();
    assert!(
        entry(&told).contains("charged          0.04 "),
        "{}",
        entry(&told)
    );
}

#[test]
fn a_plan_and_a_bound_are_a_line() {
    let plan_of = |is_open| Plan {
        name: "free".to_owned(),
        quotas: vec![atelier_proto::users::v1::PlanQuota {
            medium: Medium::Image.into(),
            daily_limit: 10,
        }],
        concurrency: 2,
        is_open,
        ..Plan::default()
    };
    assert_eq!(
        plan(&plan_of(true), "USD"),
        "free         2 at once · pictures 10 a day"
    );
    assert!(plan(&plan_of(false), "USD").ends_with("given by admins"));
    let answer = GetSpendingResponse {
        spending: vec![atelier_proto::users::v1::Spending {
            scope: Scope::Day.into(),
            spent_micros: 1,
            limit_micros: Some(5_000_000),
            reset_time: None,
        }],
        house_accounts: vec![atelier_proto::users::v1::HouseAccount {
            name: "issued".to_owned(),
            balance_micros: -2_500_000,
        }],
        currency_code: "USD".to_owned(),
    };
    assert_eq!(
        spending(&answer),
        "today            0.000001 USD of 5.00\nissued           -2.50 USD"
    );
}
