//! The audit log in rows: added to by whoever holds the transaction of what it tells of, and read by admins.

use std::collections::BTreeMap;

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer};

use super::failed;
use crate::audit::{Act, AuditEvent};
use crate::error::Error;
use crate::ports::AuditStore;

/// Keeps an act within the transaction of what it does.
pub(super) async fn record(writer: &mut Writer, act: Act, now: Micros) -> Result<(), Error> {
    insert(writer, act, now).await.map_err(failed)
}

/// The same, for whoever reads the driver's errors himself.
pub(super) async fn insert(writer: &mut Writer, act: Act, now: Micros) -> Result<(), sqlx::Error> {
    let event = act.at(now);
    let details = serde_json::to_string(&event.details);
    sql::query(
        "INSERT INTO audit_events (id, time, action, actor, subject, details) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(event.id)
    .bind(event.time)
    .bind(event.action)
    .bind(event.actor)
    .bind(event.subject)
    .bind(details.map_err(|error| sqlx::Error::Encode(error.into()))?)
    .execute(writer)
    .await
    .map(drop)
}

/// The audit log of one database.
pub(crate) struct SqlAuditStore {
    database: Database,
}

impl SqlAuditStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: String,
    time: Micros,
    action: String,
    actor: String,
    subject: String,
    details: String,
}

#[async_trait]
impl AuditStore for SqlAuditStore {
    async fn list(
        &self,
        subject: &str,
        before: Option<String>,
        rows: i64,
    ) -> Result<Vec<AuditEvent>, Error> {
        let found: Vec<AuditRow> = sql::query_as(
            "SELECT id, time, action, actor, subject, details FROM audit_events \
             WHERE ($1 = '' OR subject = $1) AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(subject)
        .bind(before)
        .bind(rows)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        found
            .into_iter()
            .map(|row| {
                let details: BTreeMap<String, String> =
                    serde_json::from_str(&row.details).map_err(Error::store)?;
                Ok(AuditEvent {
                    id: row.id,
                    time: row.time,
                    action: row.action,
                    actor: row.actor,
                    subject: row.subject,
                    details,
                })
            })
            .collect()
    }
}
