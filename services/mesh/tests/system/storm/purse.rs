//! What everybody has paid after the storm: read from the outside, entry by entry, and held against what was made.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_proto::generation::v1::Usage;
use atelier_proto::users::v1::{
    EntryKind, GetBalanceRequest, LedgerEntry, ListLedgerEntriesRequest,
};

use super::life::Medium;
use crate::people::Person;
use crate::running::eventually;

/// What everybody is given when he registers, in millionths.
const CREDITS: i64 = 50_000_000;
/// What a million tokens cost, read and written, a picture, and a million characters.
const READ: i64 = 1_250_000;
const WRITTEN: i64 = 3_000_001;
const PICTURE: i64 = 40_000;
const SPOKEN: i64 = 15_000_000;

/// Within which time of a generation's end it is settled: one that could not be told is told again.
const SETTLED: Duration = Duration::from_secs(60);

/// A file of plans in which everybody has credits, and as much at work as he wants.
pub const PLANS: &str = r#"
currency = "USD"
sign_up = { credits = 50 }

[plans.free]
concurrency = 1_000
open = true
"#;

/// A registry in which everything is made by the provider at this URL, at a price.
pub fn models(url: &str) -> String {
    format!(
        r#"
[providers.simulated]
url = "{url}"
at_once = 20

[[models]]
id = "chat"
medium = "chat"
provider = "talker"
prices = {{ million_input_tokens = 1.25, million_output_tokens = "3.000001" }}
limits = {{ output_tokens = 400 }}

[[models]]
id = "picture"
medium = "image"
provider = "simulated"
prices = {{ image = 0.04 }}

[[models]]
id = "speech"
medium = "speech"
provider = "simulated"
voices = ["tone"]
prices = {{ million_characters = 15 }}

[providers.talker]
url = "{url}"
"#
    )
}

/// What a generation costs by what it used, exactly and rounded up once.
pub fn cost(medium: Medium, usage: &Usage) -> i64 {
    let per_million = |price: i64, figure: i64| i128::from(price) * i128::from(figure);
    let micros = match medium {
        Medium::Message | Medium::Reply => {
            per_million(READ, usage.input_tokens) + per_million(WRITTEN, usage.output_tokens)
        }
        Medium::Picture => per_million(PICTURE, usage.images) * 1_000_000,
        Medium::Speech => per_million(SPOKEN, usage.characters),
    };
    i64::try_from((micros + 999_999) / 1_000_000).unwrap()
}

async fn reserved(person: &Person) -> i64 {
    let answer = person.credits().get_balance(GetBalanceRequest {}).await;
    let balance = answer.expect("a balance").into_inner().balance;
    balance.expect("a balance").reserved_micros
}

async fn entries(person: &Person) -> Vec<LedgerEntry> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListLedgerEntriesRequest {
            // Small, so that there are many.
            page_size: 7,
            page_token,
        };
        let answer = person.credits().list_ledger_entries(request).await;
        let answer = answer.expect("entries").into_inner();
        found.extend(answer.entries);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            // The oldest first.
            found.reverse();
            return found;
        }
    }
}

/// Everybody has paid for what was made for him, once and exactly, and nothing is held any more. `owed` is what each generation
/// of somebody's costs; one that failed costs nothing.
pub async fn paid(people: &[Person], owed: &BTreeMap<String, BTreeMap<String, i64>>) {
    for person in people {
        // Within the reach of a settlement that is told again, since the ledger was away with everything else.
        eventually("nothing is held", SETTLED, || async {
            reserved(person).await == 0
        })
        .await;
        let mut balance = 0;
        let mut charged: BTreeMap<String, i64> = BTreeMap::new();
        let mut held: BTreeMap<String, i64> = BTreeMap::new();
        for entry in entries(person).await {
            let amount = entry.amount_micros;
            assert!(amount > 0, "{entry:?}");
            let held = held.entry(entry.generation_id.clone()).or_default();
            match entry.kind() {
                EntryKind::Granted => balance += amount,
                EntryKind::Reserved => {
                    balance -= amount;
                    *held += amount;
                }
                EntryKind::Charged => {
                    *held -= amount;
                    *charged.entry(entry.generation_id.clone()).or_default() += amount;
                }
                EntryKind::Returned => {
                    balance += amount;
                    *held -= amount;
                }
                EntryKind::Expired | EntryKind::Unspecified => panic!("{entry:?}"),
            }
            assert!(balance >= 0 && *held >= 0, "{entry:?}");
            assert_eq!(balance, entry.balance_micros, "{entry:?}");
        }
        assert!(held.values().all(|held| *held == 0), "{held:?}");
        let mut owed = owed.get(&person.user.id).cloned().unwrap_or_default();
        owed.retain(|_, cost| *cost > 0);
        assert_eq!(charged, owed, "of {}", person.user.email);
        assert_eq!(balance, CREDITS - owed.values().sum::<i64>());
    }
}
