//! Entries: added, never changed, told in pages and by the month, and adding up.

use atelier_kit::sql;
use atelier_kit::testing::servers::Store;
use atelier_ledger::{Entry, EntryKind, Ledger as _, Medium, Month};

use crate::audit::audit;
use crate::stage::{Book, DAY, NOW, ask, grant, pictures, terms};

#[tokio::test]
async fn entries_are_told_in_pages_without_gaps() {
    let (book, _folder) = Book::new().await;
    let given = book.give("ana", 1_000).await;
    for number in 0..20 {
        let id = number.to_string();
        book.ledger
            .reserve(&ask(&id, "ana", 10), &terms(), NOW + number)
            .await
            .unwrap();
        book.ledger
            .reserve(&ask(&format!("x{id}"), "kim", 0), &terms(), NOW)
            .await
            .unwrap();
        book.ledger
            .settle(&id, &pictures(4), NOW + number)
            .await
            .unwrap();
    }
    let all = book.ledger.entries("ana", None, 1_000).await.unwrap();
    assert_eq!(all.len(), 61);
    assert!(all.is_sorted_by(|later, earlier| later.number > earlier.number));
    let mut paged: Vec<Entry> = Vec::new();
    loop {
        let before = paged.last().map(|entry| entry.number);
        let page = book.ledger.entries("ana", before, 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
        assert!(
            paged.len() <= all.len(),
            "a page begins before the end of the last"
        );
    }
    assert_eq!(paged, all);
    let returned = Entry {
        number: all[0].number,
        kind: EntryKind::Returned,
        amount: 6,
        balance: 920,
        grant: given.id.clone(),
        generation: "19".to_owned(),
        medium: Some(Medium::Image),
        model: "a model".to_owned(),
        time: NOW + 19,
    };
    assert_eq!(all[0], returned);
    let first = all.last().unwrap();
    assert_eq!(
        (first.kind, first.amount, first.balance),
        (EntryKind::Granted, 1_000, 1_000)
    );
    assert_eq!(
        (&*first.generation, first.medium, &*first.model),
        ("", None, "")
    );
    assert!(
        book.ledger
            .entries("kim", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_month_adds_up_whatever_the_clocks_say() {
    let (book, _folder) = Book::new().await;
    let month = |number: i64| Month {
        from: NOW + number * 30 * DAY,
        to: NOW + (number + 1) * 30 * DAY,
    };
    // Two processes whose clocks differ by days, at the turn of a month.
    let times = [0, 1, 29, 31, 28, 30, 27, 32, 59, 61, 58, 90];
    for (number, day) in times.into_iter().enumerate() {
        let (id, now) = (number.to_string(), NOW + day * DAY);
        book.ledger
            .grant(&grant("ana", &id, 100), now)
            .await
            .unwrap();
        book.ledger
            .reserve(&ask(&id, "ana", 50), &terms(), now)
            .await
            .unwrap();
        book.ledger.settle(&id, &pictures(30), now).await.unwrap();
    }
    let mut all = Vec::new();
    for number in 0..4 {
        let month = month(number);
        let mut balance = book.ledger.balance_at("ana", month.from).await.unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(0, |entry| entry.number);
            let page = book
                .ledger
                .entries_of("ana", month, after, 5)
                .await
                .unwrap();
            if page.is_empty() {
                break;
            }
            entries.extend(page);
            assert!(
                entries.len() <= 36,
                "a page begins before the end of the last"
            );
        }
        for entry in &entries {
            assert!((month.from..month.to).contains(&entry.time));
            balance += match entry.kind {
                EntryKind::Granted | EntryKind::Returned => entry.amount,
                EntryKind::Reserved | EntryKind::Expired => -entry.amount,
                EntryKind::Charged => 0,
            };
            assert_eq!(entry.balance, balance);
        }
        assert_eq!(
            book.ledger.balance_at("ana", month.to).await.unwrap(),
            balance
        );
        assert!(!entries.is_empty());
        all.extend(entries);
    }
    let mut listed = book.ledger.entries("ana", None, 1_000).await.unwrap();
    listed.reverse();
    assert_eq!(all, listed);
    assert_eq!(book.ledger.balance_at("ana", NOW).await.unwrap(), 0);
    assert_eq!(book.ledger.balance_at("nobody", NOW).await.unwrap(), 0);
    audit(&book.database).await;
}

#[tokio::test]
async fn nobody_changes_the_book_by_hand() {
    let (book, _folder) = Book::new().await;
    book.give("ana", 100).await;
    let ways_around: &[&'static str] = match Store::chosen() {
        Store::Postgres => &[
            "TRUNCATE transfers CASCADE",
            "INSERT INTO transfers (number, time, kind, source, target, amount) OVERRIDING SYSTEM VALUE \
             VALUES (1, 1, 'shortfall', 'shortfall', 'revenue', 1)",
            "INSERT INTO transfers (number, time, kind, source, target, amount) OVERRIDING SYSTEM VALUE \
             VALUES (1, 1, 'shortfall', 'shortfall', 'revenue', 1) ON CONFLICT (number) DO UPDATE SET amount = 2",
        ],
        Store::Sqlite | Store::Mongo => &[
            "UPDATE OR REPLACE transfers SET number = 7",
            "INSERT OR REPLACE INTO transfers (number, time, kind, source, target, amount) \
             VALUES (1, 1, 'shortfall', 'shortfall', 'revenue', 1)",
        ],
    };
    let wrongs = [
        "UPDATE transfers SET amount = 1",
        "DELETE FROM transfers",
        "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'shortfall', 'revenue', 0)",
        "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'revenue', 'revenue', 1)",
        "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'available:ana', 'revenue', 101)",
        "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'held:kim', 'revenue', 1)",
        "UPDATE balances SET amount = -1 WHERE account = 'available:ana'",
        "UPDATE grants SET available = -1",
        "UPDATE grants SET available = amount + 1",
        "DELETE FROM grants",
    ];
    for wrong in wrongs.iter().chain(ways_around) {
        let mut tx = book.database.begin().await.unwrap();
        let told = sql::query(*wrong).execute(&mut *tx).await;
        // And not for how it is written.
        let why = told.expect_err(wrong).to_string();
        assert!(!why.contains("syntax"), "{wrong}: {why}");
        tx.rollback().await.unwrap();
    }
    // A sum that is no integer any more is an error, and not a rounded number.
    let mut tx = book.database.begin().await.unwrap();
    for (amount, fits) in [(i64::MAX, true), (1, false)] {
        let told = sql::query(
            "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'shortfall', 'revenue', $1)",
        )
        .bind(amount)
        .execute(&mut *tx)
        .await;
        assert_eq!(told.is_ok(), fits, "{told:?}");
    }
    tx.rollback().await.unwrap();
    assert_eq!(book.balance("ana").await, (100, 0));
    audit(&book.database).await;
}

/// What is asked of the book for each generation and each page.
const BY_INDEX: [&str; 10] = [
    "SELECT 1 FROM transfers t WHERE t.generation = 'g' AND t.kind = 'reserved' AND t.grant_id IS NOT NULL",
    "SELECT l.time FROM transfers l WHERE l.holder = 'h' ORDER BY l.time DESC LIMIT 1",
    "SELECT t.number FROM transfers t WHERE t.holder = 'h' AND t.time <= 5 AND t.number < 7 ORDER BY t.time DESC, t.number DESC",
    "SELECT COUNT(*) FROM reservations r WHERE r.holder = 'h' AND r.state = 'open'",
    "SELECT COUNT(*) FROM reservations WHERE state = 'open' AND network IS NOT NULL AND network IN (x'00') GROUP BY network",
    "SELECT 1 FROM reservations WHERE state = 'open' AND lease_time <= 1 ORDER BY lease_time, generation",
    "SELECT 1 FROM reservations WHERE holder = '' AND end_time < 1",
    "SELECT 1 FROM grants WHERE available > 0 AND expire_time IS NOT NULL AND expire_time <= 1 ORDER BY expire_time, id",
    "SELECT 1 FROM grants WHERE available > 0 AND holder IN (('h'), ('i'))",
    "SELECT holder, key FROM grants WHERE (holder, key) IN (VALUES ('h', 'k'))",
];

/// What the planner of SQLite says.
mod sqlite_only {
    use super::*;

    #[tokio::test]
    async fn no_question_goes_through_the_whole_book() {
        let (book, _folder) = Book::new().await;
        for sql in BY_INDEX {
            let plan: Vec<(i64, i64, i64, String)> =
                sql::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                    .fetch_all(book.database.read())
                    .await
                    .unwrap();
            let scans = |(.., step): &&(i64, i64, i64, String)| {
                step.starts_with("SCAN")
                    && !step.contains("CONSTANT ROW")
                    && !step.contains("SUBQUERY")
            };
            assert_eq!(plan.iter().find(scans), None, "{sql}");
        }
    }
}

/// What the planner of PostgreSQL says.
mod postgres_only {
    use super::*;

    #[tokio::test]
    async fn no_question_goes_through_the_whole_book() {
        if Store::chosen() != Store::Postgres {
            return;
        }
        let (book, _folder) = Book::new().await;
        let mut tx = book.database.begin().await.unwrap();
        // So many that reading all of them would be dearer.
        for sql in [
            "INSERT INTO grants (id, holder, key, origin, amount, priority, expire_time, note, actor, create_time) \
             SELECT 'g' || n, 'h' || n, 'k', 'plan', 10, 1, n, '', '', n FROM generate_series(1, 3000) n",
            "INSERT INTO transfers (time, kind, source, target, amount, holder, balance, grant_id) \
             SELECT n, 'granted', 'issued', 'available:h' || n, 10, 'h' || n, 10, 'g' || n FROM generate_series(1, 3000) n",
            "INSERT INTO transfers (time, kind, source, target, amount, holder, balance, grant_id, generation) \
             SELECT n, 'reserved', 'available:h' || n, 'held:h' || n, 1, 'h' || n, 9, 'g' || n, 'r' || n \
             FROM generate_series(1, 3000) n",
            "INSERT INTO reservations (generation, holder, service, medium, model, payer, network, prices, amount, counted, \
             state, lease_time, create_time) SELECT 'r' || n, 'h' || n, 's', 'image', 'm', 'holder', \
             convert_to('n' || n, 'UTF8'), '{}', 1, FALSE, 'open', n, n FROM generate_series(1, 3000) n",
            "INSERT INTO reservations (generation, holder, service, medium, model, payer, prices, amount, counted, \
             state, lease_time, create_time, end_time) SELECT 'e' || n, '', '', 'image', '', 'holder', '{}', 0, FALSE, \
             'released', n, n, n FROM generate_series(1, 3000) n",
            "ANALYZE",
            // One way of showing an index is enough to read.
            "SET LOCAL enable_bitmapscan = off",
        ] {
            sql::query(sql).execute(&mut *tx).await.unwrap();
        }
        for sql in BY_INDEX {
            let sql = sql.replace("x'00'", "'n1'");
            let plan: Vec<(String,)> = sql::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}")))
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            let plan: Vec<&str> = plan.iter().map(|(line,)| line.trim()).collect();
            let whole = |two: &[&str]| {
                let scans = two[0].contains(" on transfers")
                    || two[0].contains(" on reservations")
                    || two[0].contains(" on grants");
                scans && !(two[0].contains("Index") && two[1].starts_with("Index Cond"))
            };
            let mut steps = plan.clone();
            steps.push("");
            assert!(!steps.windows(2).any(whole), "{sql}: {plan:#?}");
            assert!(
                plan.iter().any(|line| line.starts_with("Index Cond")),
                "{sql}"
            );
        }
    }
}
