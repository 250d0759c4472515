//! Invalid requests about credits and plans, one for each rule that the contract's comments state.

use atelier_proto::generation::v1::Usage;
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1 as users;
use prost_types::Timestamp;

use super::Table;

const SERVICE: &str = "/atelier.users.v1.CreditsService/";

/// The rows.
pub fn rows(table: &mut Table) {
    table.pages(SERVICE, "ListLedgerEntries", |page_size, page_token| {
        users::ListLedgerEntriesRequest {
            page_size,
            page_token,
        }
    });
    for month in [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "26-11",
        "2026-1",
        "2026-11-01",
        "november",
    ] {
        let month = month.to_owned();
        let request = users::ExportStatementRequest { month };
        table.add(SERVICE, "ExportStatement", request, "month");
    }
    for plan in [String::new(), "p".repeat(65)] {
        let own = users::ChangePlanRequest { plan: plan.clone() };
        table.add(SERVICE, "ChangePlan", own, "plan");
        let user_id = "somebody".to_owned();
        let given = users::SetUserPlanRequest { user_id, plan };
        table.add(SERVICE, "SetUserPlan", given, "plan");
    }
    table.ids(SERVICE, "SetUserPlan", "user_id", |user_id| {
        users::SetUserPlanRequest {
            user_id,
            plan: "free".into(),
        }
    });
    grants(table);
    refunds(table);
    reservations(table);
}

/// Credits that admins give.
fn grants(table: &mut Table) {
    let grant = || users::GrantCreditsRequest {
        user_id: "somebody".into(),
        amount_micros: 1_000_000,
        priority: 50,
        request_id: "once".into(),
        ..Default::default()
    };
    table.ids(SERVICE, "GrantCredits", "user_id", |user_id| {
        users::GrantCreditsRequest { user_id, ..grant() }
    });
    for amount_micros in [0, -1, i64::MIN, 1_000_000_000_000_001, i64::MAX] {
        let request = users::GrantCreditsRequest {
            amount_micros,
            ..grant()
        };
        table.add(SERVICE, "GrantCredits", request, "amount_micros");
    }
    for priority in [-1, 101] {
        let request = users::GrantCreditsRequest {
            priority,
            ..grant()
        };
        table.add(SERVICE, "GrantCredits", request, "priority");
    }
    // Long gone, and no time at all.
    for (seconds, nanos) in [(1, 0), (i64::MAX, 0), (4_000_000_000, -1)] {
        let request = users::GrantCreditsRequest {
            expire_time: Some(Timestamp { seconds, nanos }),
            ..grant()
        };
        table.add(SERVICE, "GrantCredits", request, "expire_time");
    }
    let request = users::GrantCreditsRequest {
        note: "n".repeat(201),
        ..grant()
    };
    table.add(SERVICE, "GrantCredits", request, "note");
    for request_id in [String::new(), "r".repeat(65)] {
        let request = users::GrantCreditsRequest {
            request_id,
            ..grant()
        };
        table.add(SERVICE, "GrantCredits", request, "request_id");
    }
}

/// What is given back of a charge.
fn refunds(table: &mut Table) {
    let refund = || users::RefundGenerationRequest {
        generation_id: "g".into(),
        request_id: "once".into(),
        ..Default::default()
    };
    table.ids(
        SERVICE,
        "RefundGeneration",
        "generation_id",
        |generation_id| users::RefundGenerationRequest {
            generation_id,
            ..refund()
        },
    );
    for amount_micros in [-1, i64::MIN] {
        let request = users::RefundGenerationRequest {
            amount_micros,
            ..refund()
        };
        table.add(SERVICE, "RefundGeneration", request, "amount_micros");
    }
    let request = users::RefundGenerationRequest {
        note: "n".repeat(201),
        ..refund()
    };
    table.add(SERVICE, "RefundGeneration", request, "note");
    for request_id in [String::new(), "r".repeat(65)] {
        let request = users::RefundGenerationRequest {
            request_id,
            ..refund()
        };
        table.add(SERVICE, "RefundGeneration", request, "request_id");
    }
}

/// What services say of a generation that is paid for.
fn reservations(table: &mut Table) {
    let reserve = || users::ReserveRequest {
        generation_id: "g".into(),
        user_id: "somebody".into(),
        medium: users::Medium::Image.into(),
        model: "painter".into(),
        worst_case: Some(Usage {
            images: 1,
            ..Default::default()
        }),
        prices: Vec::new(),
    };
    table.ids(SERVICE, "Reserve", "generation_id", |generation_id| {
        users::ReserveRequest {
            generation_id,
            ..reserve()
        }
    });
    table.ids(SERVICE, "Reserve", "user_id", |user_id| {
        users::ReserveRequest {
            user_id,
            ..reserve()
        }
    });
    for medium in [0, 77] {
        let request = users::ReserveRequest {
            medium,
            ..reserve()
        };
        table.add(SERVICE, "Reserve", request, "medium");
    }
    let request = users::ReserveRequest {
        model: "m".repeat(201),
        ..reserve()
    };
    table.add(SERVICE, "Reserve", request, "model");
    for (worst_case, usage, figures) in figures() {
        let request = users::ReserveRequest {
            worst_case: figures,
            ..reserve()
        };
        table.add(SERVICE, "Reserve", request, worst_case);
        let request = users::SettleRequest {
            generation_id: "g".into(),
            usage: figures,
        };
        table.add(SERVICE, "Settle", request, usage);
    }
    let price = |unit: i32, micros: i64, currency: &str| Price {
        unit,
        micros,
        currency_code: currency.to_owned(),
    };
    let image = PriceUnit::Image as i32;
    for (prices, field) in [
        (vec![price(0, 1, "USD")], "prices[0].unit"),
        (vec![price(77, 1, "USD")], "prices[0].unit"),
        (vec![price(image, -1, "USD")], "prices[0].micros"),
        (
            vec![price(image, 1, "USD"), price(image, 2, "USD")],
            "prices[1].unit",
        ),
    ] {
        let request = users::ReserveRequest {
            prices,
            ..reserve()
        };
        table.add(SERVICE, "Reserve", request, field);
    }
    table.ids(SERVICE, "Settle", "generation_id", |generation_id| {
        users::SettleRequest {
            generation_id,
            usage: None,
        }
    });
    table.ids(SERVICE, "Release", "generation_id", |generation_id| {
        users::ReleaseRequest { generation_id }
    });
}

/// Figures that nobody can have, as the fields of either call name them: none at all, and each below 0.
fn figures() -> [(&'static str, &'static str, Option<Usage>); 6] {
    let of = |change: fn(&mut Usage)| {
        let mut usage = Usage::default();
        change(&mut usage);
        Some(usage)
    };
    [
        ("worst_case", "usage", None),
        (
            "worst_case.input_tokens",
            "usage.input_tokens",
            of(|usage| usage.input_tokens = -1),
        ),
        (
            "worst_case.output_tokens",
            "usage.output_tokens",
            of(|usage| usage.output_tokens = -1),
        ),
        (
            "worst_case.images",
            "usage.images",
            of(|usage| usage.images = -1),
        ),
        (
            "worst_case.characters",
            "usage.characters",
            of(|usage| usage.characters = -1),
        ),
        (
            "worst_case.audio_millis",
            "usage.audio_millis",
            of(|usage| usage.audio_millis = i64::MIN),
        ),
    ]
}
