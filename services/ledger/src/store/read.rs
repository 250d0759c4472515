//! What is read of the book and told as it stands.

use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Cells, Reading, narrow};

use super::unreadable;
use crate::known::{Balance, Entry, EntryKind, Grant, House, Medium, NewGrant, Origin};

/// How many grants a balance tells.
const GRANTS: u32 = 100;

pub(super) struct GrantRow {
    pub(super) grant: Grant,
    /// The generation whose charge it gives back.
    pub(super) generation: Option<String>,
}

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for GrantRow {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let origin: String = row.cell("origin")?;
        Ok(GrantRow {
            grant: Grant {
                id: row.cell("id")?,
                given: NewGrant {
                    key: row.cell("key")?,
                    holder: row.cell("holder")?,
                    origin: Origin::of(&origin).ok_or_else(|| unreadable("origin", &origin))?,
                    amount: row.cell("amount")?,
                    priority: narrow(row.cell("priority")?)?,
                    expire_time: row.cell("expire_time")?,
                    note: row.cell("note")?,
                    actor: row.cell("actor")?,
                },
                available: row.cell("available")?,
                create_time: row.cell("create_time")?,
            },
            generation: row.cell("generation")?,
        })
    }
}

/// The grant of a key.
pub(super) async fn grant(
    reader: &mut Reading,
    holder: &str,
    key: &str,
) -> Result<Option<GrantRow>, sqlx::Error> {
    sql::query_as("SELECT * FROM grants WHERE holder = $1 AND key = $2")
        .bind(holder)
        .bind(key)
        .fetch_optional(reader)
        .await
}

/// What a holder may spend, as it is written.
pub(super) async fn balance(reader: &mut Reading, holder: &str) -> Result<Balance, sqlx::Error> {
    let (available, reserved): (i64, i64) = sql::query_as(
        "SELECT COALESCE((SELECT amount FROM balances WHERE account = 'available:' || $1), 0), \
         COALESCE((SELECT amount FROM balances WHERE account = 'held:' || $1), 0)",
    )
    .bind(holder)
    .fetch_one(&mut *reader)
    .await?;
    let grants: Vec<GrantRow> = sql::query_as(
        "SELECT * FROM grants WHERE holder = $1 AND available > 0 \
         ORDER BY priority, expire_time IS NULL, expire_time, id LIMIT $2",
    )
    .bind(holder)
    .bind(GRANTS)
    .fetch_all(reader)
    .await?;
    Ok(Balance {
        available,
        reserved,
        grants: grants.into_iter().map(|row| row.grant).collect(),
    })
}

pub(super) struct EntryRow(pub(super) Entry);

/// What an entry is read from.
pub(super) const ENTRY: &str = "SELECT t.number, t.kind, t.amount, t.balance, t.grant_id, t.generation, t.time, r.medium, r.model \
     FROM transfers t LEFT JOIN reservations r ON r.generation = t.generation WHERE t.holder = $1";

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for EntryRow {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let kind: String = row.cell("kind")?;
        let medium: Option<String> = row.cell("medium")?;
        let medium = medium
            .map(|medium| Medium::of(&medium).ok_or_else(|| unreadable("medium", &medium)))
            .transpose()?;
        Ok(EntryRow(Entry {
            number: row.cell("number")?,
            kind: EntryKind::of(&kind).ok_or_else(|| unreadable("kind", &kind))?,
            amount: row.cell("amount")?,
            balance: row.cell("balance")?,
            grant: row.cell("grant_id")?,
            generation: row
                .cell::<Option<String>>("generation")?
                .unwrap_or_default(),
            medium,
            model: row.cell::<Option<String>>("model")?.unwrap_or_default(),
            time: row.cell("time")?,
        }))
    }
}

/// How many generations of each medium a holder has begun in a day.
pub(super) async fn used(
    reader: &mut Reading,
    holder: &str,
    day: i64,
) -> Result<Vec<(Medium, u32)>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sql::query_as(
        "SELECT medium, used FROM quota_uses WHERE holder = $1 AND day = $2 AND used > 0",
    )
    .bind(holder)
    .bind(day)
    .fetch_all(reader)
    .await?;
    rows.into_iter()
        .map(|(medium, used)| {
            let medium = Medium::of(&medium).ok_or_else(|| unreadable("medium", &medium))?;
            Ok((medium, narrow(used)?))
        })
        .collect()
}

/// What stands in the house's accounts.
pub(super) async fn house(reader: &mut Reading) -> Result<Vec<(House, i64)>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sql::query_as(
        "SELECT account, amount FROM balances \
         WHERE account IN ('issued', 'revenue', 'expired', 'shortfall', 'anonymous')",
    )
    .fetch_all(reader)
    .await?;
    let of = |house: House| {
        let row = rows.iter().find(|(account, _)| account == house.name());
        (house, row.map_or(0, |(_, amount)| *amount))
    };
    Ok(House::ALL.into_iter().map(of).collect())
}

/// The grants that have expired, those first that did so first: holder, id, priority, when, and what is left of each.
pub(super) async fn expired(
    reader: &mut Reading,
    now: Micros,
    limit: u32,
) -> Result<Vec<(String, String, u8, Micros, i64)>, sqlx::Error> {
    let rows: Vec<(String, String, i64, Micros, i64)> = sql::query_as(
        "SELECT holder, id, priority, expire_time, available FROM grants \
         WHERE available > 0 AND expire_time IS NOT NULL AND expire_time <= $1 ORDER BY expire_time, id LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(reader)
    .await?;
    rows.into_iter()
        .map(|(holder, id, priority, time, left)| Ok((holder, id, narrow(priority)?, time, left)))
        .collect()
}
