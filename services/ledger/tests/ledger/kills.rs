//! Crashes at random times: processes that reserve, settle, release, give, give back and take are killed, and afterwards the book is
//! whole, what they were told holds, nothing was charged twice, and nothing is held for ever.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use atelier_kit::moment::Micros;
use atelier_kit::sql;
use atelier_kit::testing::{campaign, eventually};
use atelier_ledger::{Error, Ledger as _, NewGrant, Terms};

use crate::audit::audit;
use crate::stage::{
    Book, HOUR, NOW, SECOND, ask, ended, grant, house, pictures, process, refund, terms,
};

/// Tells this test binary to be the process that is killed, and in which folder.
const VICTIM: &str = "ATELIER_TEST_LEDGER_WORKER";
/// What chance begins with in it.
const SEED: &str = "ATELIER_TEST_LEDGER_SEED";
const KILLS: u64 = 200;
/// How many live with one book at the same time.
const PAIR: u64 = 2;
/// How many die over one book; an audit reads all of it.
const KILLS_OF_A_BOOK: u64 = 50;
const HOLDERS: [&str; 3] = ["ana", "kim", "lou"];
const AT_ONCE: u64 = 4;
/// Longer than any of them is left alive.
const LIFE: Duration = Duration::from_secs(60);
/// When every lease is over.
const LATER: Micros = NOW + 1_000 * HOUR;

/// What somebody was told, a line each, written before anything else is asked.
fn note(folder: &Path, line: &str) {
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .append(true)
        .open(folder.join("told"))
        .unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Not a test: the life of a process that is killed, when this binary was started to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM).map(PathBuf::from) else {
        return;
    };
    let seed = std::env::var_os(SEED).unwrap().into_string().unwrap();
    let book = Book::open(&folder).await;
    std::fs::write(folder.join(format!("alive-{seed}")), b"").unwrap();
    let all = (0..AT_ONCE).map(|task| {
        let chance = fastrand::Rng::with_seed(seed.parse::<u64>().unwrap() ^ task);
        let (book, folder) = (book.clone(), folder.clone());
        let name = format!("{seed}-{task}");
        tokio::spawn(async move { live(&book, &folder, &name, chance).await })
    });
    futures_util::future::join_all(all).await;
}

/// Does one thing after another.
async fn live(book: &Book, folder: &Path, name: &str, mut chance: fastrand::Rng) {
    let mut mine: Vec<String> = Vec::new();
    let begun = Instant::now();
    for number in 0_i64.. {
        // Whoever was to kill it has died himself.
        if begun.elapsed() > LIFE {
            return;
        }
        let now = NOW + number * 600 * SECOND;
        let holder = *chance.choice(&HOLDERS).unwrap();
        let id = match chance.choice(&mine) {
            Some(id) if chance.u8(..) > 20 => id.clone(),
            _ => format!("{name}-{number}-unknown"),
        };
        let line = match chance.u8(..16) {
            0..6 => {
                let id = format!("{name}-{number}");
                let most = chance.i64(0..300);
                let terms = Terms {
                    lease: now + HOUR,
                    daily: chance.bool().then_some(1_000),
                    network: chance.bool().then(|| (b"home".to_vec(), 1_000)),
                    due: vec![NewGrant {
                        expire_time: Some(now + HOUR),
                        ..grant(holder, &format!("hour:{}", now / HOUR), 500)
                    }],
                    ..if chance.u8(..4) == 0 {
                        house()
                    } else {
                        terms()
                    }
                };
                mine.push(id.clone());
                let told = book
                    .ledger
                    .reserve(&ask(&id, holder, most), &terms, now)
                    .await;
                told.map(|told| format!("reserved {id} {}", told.amount))
            }
            6..10 => {
                let told = book
                    .ledger
                    .settle(&id, &pictures(chance.i64(0..320)), now)
                    .await;
                told.map(|told| format!("settled {id} {}", told.charged))
            }
            10..12 => {
                let told = book.ledger.release(&id, now).await;
                told.map(|()| format!("released {id} 0"))
            }
            12 => {
                let key = format!("{name}-{number}");
                let new = NewGrant {
                    expire_time: chance.bool().then_some(now + 2 * HOUR),
                    priority: chance.u8(..3),
                    actor: "an admin".to_owned(),
                    ..grant(holder, &key, chance.i64(1..1_000))
                };
                let told = book.ledger.grant(&new, now).await;
                told.map(|told| format!("given {} {}", told.id, told.given.amount))
            }
            13 => {
                let amount = chance.bool().then(|| chance.i64(1..100));
                let key = format!("{name}-{number}");
                let told = book.ledger.refund(&refund(&id, &key, amount), now).await;
                told.map(|told| format!("given {} {}", told.id, told.given.amount))
            }
            14 => {
                let told = book.ledger.expire(now, chance.u32(1..5)).await;
                told.map(|_| "expired - 0".to_owned())
            }
            _ => {
                let told = book.ledger.balance(holder, &[], now).await;
                told.map(|_| "looked - 0".to_owned())
            }
        };
        match line {
            Ok(line) => note(folder, &line),
            Err(Error::Store(error)) => note(folder, &format!("broken {error:?}")),
            Err(_) => {}
        }
    }
}

/// What was told holds; how often each thing was told.
async fn holds(book: &Book, folder: &Path, kinds: &mut BTreeMap<String, u64>) {
    let said = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    // Who died while writing a line was told nothing.
    let whole = said.rfind('\n').map_or("", |at| &said[..at]);
    for line in whole.lines() {
        let mut words = line.splitn(3, ' ');
        let (kind, id, amount) = (words.next(), words.next(), words.next());
        let (kind, id, amount) = (kind.unwrap(), id.unwrap(), amount.unwrap());
        *kinds.entry(kind.to_owned()).or_default() += 1;
        let amount: i64 = amount.parse().unwrap_or_else(|_| panic!("{line}"));
        let sql = match kind {
            "reserved" => {
                "SELECT amount, TRUE FROM reservations WHERE generation = $1 AND holder <> ''"
            }
            "settled" => "SELECT charged, state <> 'open' FROM reservations WHERE generation = $1",
            "released" => {
                "SELECT CAST(0 AS BIGINT), state <> 'open' FROM reservations WHERE generation = $1"
            }
            "given" => "SELECT amount, TRUE FROM grants WHERE id = $1",
            "expired" | "looked" => continue,
            _ => panic!("{line}"),
        };
        let known: Option<(i64, bool)> = sql::query_as(sql)
            .bind(id)
            .fetch_optional(book.database.read())
            .await
            .unwrap();
        assert_eq!(known, Some((amount, true)), "{line}");
    }
    std::fs::write(folder.join("told"), b"").unwrap();
}

/// Nothing is held for ever: whatever is open is told to be overdue, and can be released.
async fn nothing_is_held_for_ever(book: &Book) -> i64 {
    let open = book
        .count("SELECT COUNT(*) FROM reservations WHERE state = 'open'")
        .await;
    let mut released = 0;
    loop {
        let overdue = book.ledger.overdue(LATER, 10).await.unwrap();
        if overdue.is_empty() {
            break;
        }
        for one in overdue {
            book.ledger.release(&one.id, LATER).await.unwrap();
            released += 1;
        }
    }
    assert_eq!(released, open);
    let held = "SELECT COUNT(*) FROM balances WHERE amount <> 0 AND (account = 'held' OR account LIKE 'held:%')";
    assert_eq!(book.count(held).await, 0);
    audit(&book.database).await;
    released
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_at_random_times_leave_a_whole_book() {
    let seed = campaign::seed(0x5eed_0fca_5b00_c0de);
    let kills = campaign::size("ATELIER_LEDGER_CRASHES", KILLS);
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut kinds = BTreeMap::new();
    let (mut book, mut folder) = Book::new().await;
    let (mut movements, mut left_open, mut killed) = (0, 0, 0);
    while killed < kills {
        let mut victims: Vec<Child> = Vec::new();
        for _ in 0..PAIR {
            let seed = chance.u32(..).to_string();
            let mut victim = process("kills::victim");
            victim.env(VICTIM, folder.path()).env(SEED, &seed);
            victims.push(victim.spawn().unwrap());
            eventually("the victim lives", || async {
                folder.path().join(format!("alive-{seed}")).exists()
            })
            .await;
        }
        for mut victim in victims {
            tokio::time::sleep(Duration::from_micros(chance.u64(..60_000))).await;
            victim.kill().unwrap();
            let end = ended(victim).await;
            assert!(!end.success(), "kill {killed}: it ended by itself");
            killed += 1;
        }
        audit(&book.database).await;
        holds(&book, folder.path(), &mut kinds).await;
        if killed % KILLS_OF_A_BOOK == 0 || killed >= kills {
            left_open += nothing_is_held_for_ever(&book).await;
            movements += book.count("SELECT COUNT(*) FROM transfers").await;
            book.database.close().await;
            (book, folder) = Book::new().await;
        }
    }
    let known: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(
        known,
        [
            "expired", "given", "looked", "released", "reserved", "settled"
        ],
        "each thing was done"
    );
    assert!(left_open > 0, "nobody died with something open");
    campaign::report(format!(
        "{killed} processes killed, two at a time, {movements} rows in their books, {left_open} reservations left open; told: {kinds:?}"
    ));
}
