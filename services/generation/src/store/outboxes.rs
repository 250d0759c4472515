//! What waits beside the records, in the same database: usage events to be counted, and ends that the purse must hear of.

use async_trait::async_trait;
use atelier_kit::sql::{self, QueryBuilder};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::Usage;
use prost::Message as _;

use super::sql::SqlRecord;
use crate::error::Error;
use crate::ports::{Outbox, Settlement, Settlements};

impl SqlRecord {
    async fn drop_all(&self, sql: &'static str, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        // One statement, about rows that nobody changes any more: it hinders nobody.
        let mut tx = self.database.begin_beside(&[]).await?;
        QueryBuilder::new(sql)
            .push_tuples(ids, |mut row, id| {
                row.push_bind(id);
            })
            .build()
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn settlement((id, usage): (String, Option<Vec<u8>>)) -> Result<Settlement, Error> {
    let charge = usage.map(|usage| Usage::decode(usage.as_slice()));
    Ok(Settlement {
        id,
        charge: charge.transpose().map_err(Error::store)?,
    })
}

#[async_trait]
impl Outbox for SqlRecord {
    async fn pending(&self, limit: u32) -> Result<Vec<UsageEvent>, Error> {
        let rows: Vec<(Vec<u8>,)> =
            sql::query_as("SELECT event FROM generation_outbox ORDER BY create_time, id LIMIT $1")
                .bind(limit)
                .fetch_all(self.database.read())
                .await?;
        rows.into_iter()
            .map(|(event,)| UsageEvent::decode(event.as_slice()).map_err(Error::store))
            .collect()
    }

    async fn waiting(&self, owner: &str) -> Result<u64, Error> {
        let (count,): (i64,) =
            sql::query_as("SELECT COUNT(*) FROM generation_outbox WHERE owner = $1")
                .bind(owner)
                .fetch_one(self.database.read())
                .await?;
        Ok(count.unsigned_abs())
    }

    async fn acknowledge(&self, ids: &[String]) -> Result<(), Error> {
        self.drop_all("DELETE FROM generation_outbox WHERE id IN ", ids)
            .await
    }
}

#[async_trait]
impl Settlements for SqlRecord {
    async fn unsettled(&self, after: &str, limit: u32) -> Result<Vec<Settlement>, Error> {
        let rows: Vec<(String, Option<Vec<u8>>)> = sql::query_as(
            "SELECT id, usage FROM generation_settlements WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        rows.into_iter().map(settlement).collect()
    }

    async fn owed(&self, id: &str) -> Result<Option<Settlement>, Error> {
        let row: Option<(String, Option<Vec<u8>>)> =
            sql::query_as("SELECT id, usage FROM generation_settlements WHERE id = $1")
                .bind(id)
                .fetch_optional(self.database.read())
                .await?;
        row.map(settlement).transpose()
    }

    async fn settled(&self, ids: &[String]) -> Result<(), Error> {
        self.drop_all("DELETE FROM generation_settlements WHERE id IN ", ids)
            .await
    }
}
