//! Crashes at every point: a process ends between any two statements of what it does, and afterwards all of it was done or nothing;
//! done again, the book is as if nobody had died.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use atelier_kit::sql::{self, Database};
use atelier_kit::testing::{campaign, crash};
use atelier_ledger::{Bounds, Ledger as _, NewGrant, Terms};

use crate::audit::audit;
use crate::stage::{
    Book, DAY, HOUR, NOW, ask, copy, ended, grant, house, pictures, process, refund, terms,
};

/// Tells this test binary to be the process that dies, and in which folder.
const VICTIM: &str = "ATELIER_TEST_LEDGER_VICTIM";
/// What it does.
const WORK: &str = "ATELIER_TEST_LEDGER_WORK";

/// Each of what the book can be told.
const WORKS: [&str; 12] = [
    "reserve",
    "reserve for nobody",
    "settle",
    "settle beyond",
    "settle nothing",
    "settle before",
    "release",
    "expire",
    "grant",
    "refund",
    "balance",
    "leave",
];

/// SIGABRT, which is how a process ends itself without a word.
const ABORTED: i32 = 6;

fn due() -> Vec<NewGrant> {
    vec![NewGrant {
        expire_time: Some(NOW + DAY),
        ..grant("ana", "month", 40)
    }]
}

/// Does one of them, and says what it was told.
async fn work(book: &Book, what: &str) -> String {
    let ledger = &book.ledger;
    let bounded = |terms: Terms| Terms {
        daily: Some(10),
        network: Some((b"home".to_vec(), 9)),
        bounds: Bounds {
            hour: Some(10_000),
            day: Some(10_000),
            house_day: Some(10_000),
        },
        due: due(),
        ..terms
    };
    let later = NOW + HOUR;
    match what {
        "reserve" => {
            let told = ledger
                .reserve(&ask("new", "ana", 75), &bounded(terms()), later)
                .await;
            format!("{:?}", told.unwrap())
        }
        "reserve for nobody" => {
            let terms = Terms {
                due: Vec::new(),
                ..bounded(house())
            };
            let told = ledger
                .reserve(&ask("new", "nobody", 5), &terms, later)
                .await;
            format!("{:?}", told.unwrap())
        }
        "settle" => format!(
            "{:?}",
            ledger.settle("open", &pictures(25), later).await.unwrap()
        ),
        "settle beyond" => format!(
            "{:?}",
            ledger.settle("open", &pictures(99), later).await.unwrap()
        ),
        "settle nothing" => format!(
            "{:?}",
            ledger.settle("open", &pictures(0), later).await.unwrap()
        ),
        "settle before" => format!(
            "{:?}",
            ledger.settle("never", &pictures(5), later).await.unwrap()
        ),
        "release" => format!("{:?}", ledger.release("open", later).await.unwrap()),
        "expire" => {
            // How many there were is told to nobody who comes after a crash.
            ledger.expire(NOW + 31 * DAY, 100).await.unwrap();
            String::new()
        }
        "grant" => {
            let new = NewGrant {
                actor: "an admin".to_owned(),
                ..grant("ana", "given", 9)
            };
            format!("{:?}", ledger.grant(&new, later).await.unwrap().given)
        }
        "refund" => {
            let told = ledger
                .refund(&refund("settled", "back", Some(4)), later)
                .await;
            format!("{:?}", told.unwrap().given)
        }
        "balance" => {
            let told = ledger.balance("ana", &due(), later).await.unwrap();
            format!("{} {}", told.available, told.reserved)
        }
        "leave" => {
            ledger.leave("ana", later).await.unwrap();
            String::new()
        }
        other => panic!("{other}"),
    }
}

/// A book in which each of them has something to do.
async fn prepare(folder: &Path) {
    let book = Book::open(folder).await;
    for (key, amount, expire_time) in [
        ("gone", 20, Some(NOW + HOUR)),
        ("soon", 30, Some(NOW + DAY)),
        ("stays", 50, None),
    ] {
        let new = NewGrant {
            expire_time,
            note: "a note".to_owned(),
            ..grant("ana", key, amount)
        };
        book.ledger.grant(&new, NOW).await.unwrap();
    }
    let daily = Terms {
        daily: Some(10),
        ..terms()
    };
    book.ledger
        .reserve(&ask("settled", "ana", 10), &daily, NOW)
        .await
        .unwrap();
    book.ledger
        .settle("settled", &pictures(10), NOW)
        .await
        .unwrap();
    // Held of the one that is gone by now, and of one that is not.
    book.ledger
        .reserve(&ask("open", "ana", 35), &daily, NOW)
        .await
        .unwrap();
    let new = NewGrant {
        expire_time: Some(NOW + HOUR),
        ..grant("ana", "gone too", 3)
    };
    book.ledger.grant(&new, NOW).await.unwrap();
    book.ledger.release("ended before", NOW).await.unwrap();
    book.database.close().await;
}

/// All that is in a book, but for the ids that chance makes. A number of the book is told by its place: a server does not use a
/// number again that it gave to somebody who died.
async fn contents(database: &Database) -> Vec<String> {
    let tables = [
        "SELECT 'balance ' || account || ' ' || CAST(amount AS TEXT) FROM balances ORDER BY account",
        "SELECT 'grant ' || holder || ' ' || key || ' ' || CAST(amount AS TEXT) || ' ' || CAST(available AS TEXT) || ' ' \
         || COALESCE(CAST(expire_time AS TEXT), '-') || ' ' || note || ' ' || actor || ' ' || COALESCE(generation, '-') || ' ' \
         || CAST(create_time AS TEXT) FROM grants ORDER BY holder, key",
        "SELECT 'reservation ' || generation || ' ' || holder || ' ' || payer || ' ' || prices || ' ' || CAST(amount AS TEXT) || ' ' \
         || CAST(charged AS TEXT) || ' ' || CAST(shortfall AS TEXT) || ' ' || CAST(refunded AS TEXT) || ' ' \
         || COALESCE(CAST(remaining AS TEXT), '-') || CASE WHEN counted THEN ' counted ' ELSE ' ' END || state || ' ' \
         || CAST(lease_time AS TEXT) || ' ' || CAST(create_time AS TEXT) || ' ' || COALESCE(CAST(end_time AS TEXT), '-') \
         FROM reservations ORDER BY generation",
        "SELECT 'transfer ' || CAST(ROW_NUMBER() OVER (ORDER BY number) AS TEXT) || ' ' || CAST(time AS TEXT) || ' ' || kind || ' ' \
         || source || ' ' || target || ' ' || CAST(t.amount AS TEXT) || ' ' || COALESCE(CAST(balance AS TEXT), '-') || ' ' \
         || COALESCE(g.key, '-') || ' ' || COALESCE(t.generation, '-') \
         FROM transfers t LEFT JOIN grants g ON g.id = t.grant_id ORDER BY number",
        "SELECT 'used ' || holder || ' ' || medium || ' ' || CAST(day AS TEXT) || ' ' || CAST(used AS TEXT) FROM quota_uses \
         ORDER BY holder, medium, day",
        "SELECT 'spent ' || scope || ' ' || CAST(hour AS TEXT) || ' ' || CAST(amount AS TEXT) FROM spending ORDER BY scope, hour",
        "SELECT 'left ' || holder FROM departures ORDER BY holder",
        "SELECT 'told ' || actor || ' ' || CAST(amount AS TEXT) FROM told ORDER BY id",
    ];
    let mut lines = Vec::new();
    for sql in tables {
        let rows: Vec<(String,)> = sql::query_as(sql).fetch_all(database.read()).await.unwrap();
        lines.extend(rows.into_iter().map(|(line,)| line));
    }
    let networks: Vec<(String, Option<Vec<u8>>)> =
        sql::query_as("SELECT generation, network FROM reservations ORDER BY generation")
            .fetch_all(database.read())
            .await
            .unwrap();
    lines.extend(networks.iter().map(|row| format!("network {row:?}")));
    lines
}

/// Not a test: the life of a process that dies at some point, when this binary was started to be one.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM).map(PathBuf::from) else {
        return;
    };
    let what = std::env::var_os(WORK).unwrap().into_string().unwrap();
    let book = Book::open(&folder).await;
    work(&book, &what).await;
}

#[tokio::test]
async fn a_crash_between_any_two_statements_leaves_all_or_nothing_and_is_made_good() {
    let room = tempfile::tempdir().unwrap();
    let prepared = room.path();
    prepare(prepared).await;
    let mut points = 0;
    for what in WORKS {
        let folder = copy(prepared);
        let book = Book::open(folder.path()).await;
        let before = contents(&book.database).await;
        let answer = work(&book, what).await;
        audit(&book.database).await;
        let after = contents(&book.database).await;
        assert_ne!(before, after, "{what} does nothing");

        let (mut nothing, mut all) = (0, 0);
        for point in 1.. {
            let folder = copy(prepared);
            let victim = process("crashes::victim")
                .env(VICTIM, folder.path())
                .env(WORK, what)
                .env(crash::AT, point.to_string())
                .spawn()
                .unwrap();
            let end = ended(victim).await;
            if end.success() {
                break;
            }
            assert_eq!(end.signal(), Some(ABORTED), "{what} at {point}: {end}");
            let book = Book::open(folder.path()).await;
            audit(&book.database).await;
            let left = contents(&book.database).await;
            if left == before {
                nothing += 1;
            } else {
                assert_eq!(left, after, "{what} at {point} left a part");
                all += 1;
            }
            assert_eq!(work(&book, what).await, answer, "{what} at {point}");
            audit(&book.database).await;
            assert_eq!(
                contents(&book.database).await,
                after,
                "{what} at {point}, again"
            );
        }
        // Before BEGIN, before something was written, before COMMIT; and after it.
        assert!(nothing >= 3 && all == 1, "{what}: {nothing} and {all}");
        points += nothing + all;
    }
    campaign::report(format!("{points} points of {} works", WORKS.len()));
}
