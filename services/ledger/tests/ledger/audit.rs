//! What holds of every book at every time, whatever was done and whoever died.

use atelier_kit::sql::{self, Database};
use atelier_kit::testing::servers::Store;

/// Each finds what must not be, with a word for it.
const NEVER: [(&str, &str); 15] = [
    (
        "all accounts together are not 0",
        "SELECT 'sum', CAST(SUM(amount) AS BIGINT) FROM balances HAVING SUM(amount) <> 0",
    ),
    (
        "an account is not what its rows in the book make it",
        "SELECT account, CAST(SUM(moved) AS BIGINT) FROM ( \
             SELECT target AS account, amount AS moved FROM transfers \
             UNION ALL SELECT source, -amount FROM transfers \
             UNION ALL SELECT account, -amount FROM balances) m GROUP BY account HAVING SUM(moved) <> 0",
    ),
    (
        "an account is below zero that may not be",
        "SELECT account, amount FROM balances \
         WHERE amount < 0 AND account NOT IN ('issued', 'shortfall', 'anonymous')",
    ),
    (
        "an account that credits come from is above zero",
        "SELECT account, amount FROM balances \
         WHERE amount > 0 AND account IN ('issued', 'shortfall', 'anonymous')",
    ),
    (
        "what a holder may spend is not what is left of his grants",
        "SELECT account, CAST(SUM(part) AS BIGINT) FROM ( \
             SELECT 'available:' || holder AS account, available AS part FROM grants \
             UNION ALL SELECT account, -amount FROM balances WHERE account LIKE 'available:%') p \
         GROUP BY account HAVING SUM(part) <> 0",
    ),
    (
        "what is held is not what open reservations hold",
        "SELECT account, CAST(SUM(part) AS BIGINT) FROM ( \
             SELECT CASE payer WHEN 'house' THEN 'held' ELSE 'held:' || holder END AS account, amount AS part \
             FROM reservations WHERE state = 'open' \
             UNION ALL SELECT account, -amount FROM balances WHERE account = 'held' OR account LIKE 'held:%') p \
         GROUP BY account HAVING SUM(part) <> 0",
    ),
    (
        "a reservation did not hold its amount, once",
        "SELECT r.generation, r.amount FROM reservations r WHERE r.amount <> COALESCE((SELECT SUM(t.amount) \
         FROM transfers t WHERE t.generation = r.generation AND t.kind = 'reserved'), 0)",
    ),
    (
        "a reservation was not charged what it says, once",
        "SELECT r.generation, r.charged FROM reservations r WHERE r.charged <> COALESCE((SELECT SUM(t.amount) \
         FROM transfers t WHERE t.generation = r.generation AND t.kind = 'charged'), 0)",
    ),
    (
        "the rest of a reservation did not come back, once, or before its end",
        "SELECT r.generation, r.amount FROM reservations r \
         WHERE CASE r.state WHEN 'open' THEN 0 ELSE r.amount - r.charged END <> COALESCE((SELECT SUM(t.amount) \
         FROM transfers t WHERE t.generation = r.generation AND t.kind = 'returned'), 0)",
    ),
    (
        "a grant gave other than its amount",
        "SELECT g.id, g.amount FROM grants g WHERE g.amount <> COALESCE((SELECT SUM(t.amount) FROM transfers t \
         WHERE t.grant_id = g.id AND t.kind = 'granted'), 0)",
    ),
    (
        "a refund is not what was given back",
        "SELECT r.generation, r.refunded FROM reservations r WHERE r.refunded <> COALESCE((SELECT SUM(t.amount) \
         FROM transfers t WHERE t.generation = r.generation AND t.kind = 'granted'), 0)",
    ),
    (
        "an entry does not tell what may be spent after it, or its time goes back",
        "SELECT holder, number FROM (SELECT holder, number, balance, time, \
             SUM(CASE kind WHEN 'granted' THEN amount WHEN 'returned' THEN amount WHEN 'charged' THEN 0 ELSE -amount END) \
             OVER (PARTITION BY holder ORDER BY number) AS known, \
             LAG(time, 1, CAST(0 AS BIGINT)) OVER (PARTITION BY holder ORDER BY number) AS before \
             FROM transfers WHERE holder IS NOT NULL) e WHERE balance <> known OR time < before",
    ),
    (
        "what was spent is not what is held and charged",
        "SELECT scope, CAST(SUM(part) AS BIGINT) FROM ( \
             SELECT 'all' AS scope, create_time / 3600000000 AS hour, \
                 CASE state WHEN 'open' THEN amount ELSE charged END AS part FROM reservations \
             UNION ALL SELECT 'house', create_time / 3600000000, CASE state WHEN 'open' THEN amount ELSE charged END \
                 FROM reservations WHERE payer = 'house' \
             UNION ALL SELECT scope, hour, -amount FROM spending) p GROUP BY scope, hour HAVING SUM(part) <> 0",
    ),
    (
        "a quota is not how many are counted in it",
        "SELECT holder || ' ' || medium, CAST(SUM(part) AS BIGINT) FROM ( \
             SELECT holder, medium, create_time / 86400000000 AS day, CASE WHEN counted THEN 1 ELSE 0 END AS part FROM reservations \
             UNION ALL SELECT holder, medium, day, -used FROM quota_uses) p GROUP BY holder, medium, day HAVING SUM(part) <> 0",
    ),
    (
        "what is at work or was charged is not counted, or what was released is",
        "SELECT generation, amount FROM reservations WHERE CASE WHEN counted \
         THEN remaining IS NULL OR state = 'released' \
         ELSE remaining IS NOT NULL AND (state = 'open' OR charged > 0) END",
    ),
];

/// Looks through the whole book.
pub async fn audit(database: &Database) {
    let mut reader = database.read().snapshot().await.unwrap();
    for (what, sql) in NEVER {
        let found: Vec<(String, i64)> = sql::query_as(sql).fetch_all(&mut *reader).await.unwrap();
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    // A server looks after its files and keys itself.
    if Store::chosen() == Store::Postgres {
        return;
    }
    let (whole,): (String,) = sql::query_as("PRAGMA integrity_check")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(whole, "ok");
    let astray = sql::query("PRAGMA foreign_key_check")
        .fetch_all(&mut *reader)
        .await
        .unwrap();
    assert!(astray.is_empty(), "{astray:?}");
}

/// An audit that finds nothing in any book would be none: each of these spoils one by hand.
#[tokio::test]
async fn the_audit_finds_what_is_spoilt() {
    use crate::stage::{Book, NOW, ask, terms};
    use atelier_ledger::Ledger as _;

    let spoils = [
        "UPDATE balances SET amount = amount + 1 WHERE account = 'available:ana'",
        "UPDATE balances SET amount = amount + 1 WHERE account = 'issued'",
        "UPDATE grants SET available = available - 1",
        "UPDATE reservations SET amount = amount + 1",
        "UPDATE reservations SET lease_time = 1, payer = 'house'",
        "UPDATE spending SET amount = amount + 1",
        "UPDATE quota_uses SET used = used + 1",
        "UPDATE reservations SET counted = FALSE",
        "INSERT INTO transfers (time, kind, source, target, amount, holder, balance, grant_id, generation) \
         SELECT 1, kind, source, target, amount, holder, balance, grant_id, generation FROM transfers WHERE kind = 'reserved'",
        "INSERT INTO transfers (time, kind, source, target, amount) VALUES (1, 'shortfall', 'shortfall', 'held', 1)",
    ];
    for spoil in spoils {
        let (book, _folder) = Book::new().await;
        book.give("ana", 100).await;
        let daily = atelier_ledger::Terms {
            daily: Some(5),
            ..terms()
        };
        book.ledger
            .reserve(&ask("g", "ana", 10), &daily, NOW)
            .await
            .unwrap();
        audit(&book.database).await;
        let mut tx = book.database.begin().await.unwrap();
        sql::query(spoil).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let found = tokio::spawn(async move { audit(&book.database).await }).await;
        assert!(found.is_err(), "not found: {spoil}");
    }
}
