//! What ended generations owe: usage events to be counted, and ends that the purse must hear of. Both are in the generation's
//! own document, written with its end.

use async_trait::async_trait;
use atelier_kit::mongo::bson::doc;
use atelier_kit::mongo::{Fields as _, Order};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::Usage;
use prost::Message as _;

use super::MongoRecord;
use crate::error::Error;
use crate::ports::{Outbox, Settlement, Settlements};

impl MongoRecord {
    async fn acknowledged(&self, debt: &str, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let these = doc! {"_id": {"$in": ids}};
        self.generations
            .update_each(these, doc! {"$unset": {debt: ""}})
            .await?;
        self.drop_paid(ids).await
    }

    /// Deletes those of these that are forgotten and owe nothing any more.
    pub(super) async fn drop_paid(&self, ids: &[String]) -> Result<(), Error> {
        let paid = doc! {
            "_id": {"$in": ids},
            "forgotten": true,
            "outbox": {"$exists": false},
            "settlement": {"$exists": false},
        };
        self.generations.delete_each(paid).await?;
        Ok(())
    }
}

fn settlement(document: &atelier_kit::mongo::bson::Document) -> Result<Settlement, Error> {
    let owed = document.part("settlement")?;
    let charge = owed.maybe_bytes("charge").map(Usage::decode);
    Ok(Settlement {
        id: document.text("_id")?,
        charge: charge.transpose().map_err(Error::store)?,
    })
}

#[async_trait]
impl Outbox for MongoRecord {
    async fn pending(&self, limit: u32) -> Result<Vec<UsageEvent>, Error> {
        let waiting = doc! {"outbox.at": {"$gt": 0_i64}};
        let order = Order::by(doc! {"outbox.at": 1, "_id": 1}, limit).only(&["outbox"]);
        let found = self.generations.many(waiting, order).await?;
        let events = found.iter().map(|one| {
            let event = one.part("outbox")?.bytes("event")?;
            UsageEvent::decode(event).map_err(Error::store)
        });
        events.collect()
    }

    async fn waiting(&self, owner: &str) -> Result<u64, Error> {
        Ok(self.generations.count(doc! {"outbox.owner": owner}).await?)
    }

    async fn acknowledge(&self, ids: &[String]) -> Result<(), Error> {
        self.acknowledged("outbox", ids).await
    }
}

#[async_trait]
impl Settlements for MongoRecord {
    async fn unsettled(&self, after: &str, limit: u32) -> Result<Vec<Settlement>, Error> {
        let waiting = doc! {"settlement.id": {"$gt": after}};
        let order = Order::by(doc! {"settlement.id": 1}, limit).only(&["settlement"]);
        let found = self.generations.many(waiting, order).await?;
        found.iter().map(settlement).collect()
    }

    async fn owed(&self, id: &str) -> Result<Option<Settlement>, Error> {
        let waiting = doc! {"_id": id, "settlement.id": id};
        let order = Order::by(doc! {}, 1).only(&["settlement"]);
        let found = self.generations.many(waiting, order).await?;
        found.first().map(settlement).transpose()
    }

    async fn settled(&self, ids: &[String]) -> Result<(), Error> {
        self.acknowledged("settlement", ids).await
    }
}
