//! The messages of a reply, in the document of its generation.

use async_trait::async_trait;
use atelier_generation::store::{Change, MongoProjection};
use atelier_generation::{End, Error as Refused, GenerationRecord, Lease, NewGeneration};
use atelier_kit::fault::Fault;
use atelier_kit::moment;
use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{Fields as _, Mongo};

use super::{GRACE, Kept, Shelf, Standing, pending, seen};
use crate::error::Error;
use crate::task::{Of, Task};

/// Writes messages with their generations.
#[derive(Clone, Debug)]
pub struct ReplyDocuments {
    shelf: Shelf,
    title: fn(&str) -> String,
}

impl ReplyDocuments {
    /// In this database. A conversation without a title gets one from its first message by this rule.
    pub fn new(mongo: &Mongo, title: fn(&str) -> String) -> Self {
        Self {
            shelf: Shelf::new(mongo),
            title,
        }
    }

    /// Takes the next two places of a conversation that is its owner's and waits for no reply; returns the second.
    async fn take_places(&self, new: &NewGeneration, id: &str, text: &str) -> Kept<i64> {
        loop {
            let filter = doc! {"_id": id, "owner": &new.owner, "deleting": {"$exists": false}};
            let Some(found) = self.shelf.conversations.one(filter).await? else {
                return Err(refused(Error::NoConversation));
            };
            let count = found.number("message_count")?;
            let waits_for = pending(&found);
            let mut taken = count + 2;
            let mut title = found.text("title")?;
            let mut titled = title.is_empty();
            match waits_for.as_deref() {
                None => {}
                // Told again: it has them.
                Some(generation) if generation == new.id => return Ok(count),
                Some(generation) => match self.shelf.standing(generation, GRACE).await? {
                    Standing::Open => return Err(refused(Error::ReplyInProgress)),
                    Standing::Over => {}
                    Standing::Never => {
                        taken = count;
                        let theirs = found.part("pending")?.maybe_text("title");
                        titled |= theirs.is_some_and(|theirs| theirs == title);
                    }
                },
            }
            let mut claim = doc! {"generation": &new.id, "time": moment::now()};
            if titled {
                title = (self.title)(text);
                claim.insert("title", &title);
            }
            let mut filter = seen(id, waits_for.as_deref());
            filter.insert("message_count", count);
            filter.insert("title", found.text("title")?);
            let change = doc! {"$set": {
                "pending": claim, "message_count": taken, "title": title, "update_time": moment::now(),
            }};
            if self.shelf.conversations.update(filter, change).await? {
                return Ok(taken);
            }
        }
    }
}

fn refused(error: Error) -> Refused {
    Refused::Refused(Fault::from(error))
}

#[async_trait]
impl MongoProjection for ReplyDocuments {
    async fn created(&self, new: &NewGeneration) -> Kept<Document> {
        let task = Task::decode(&new.task).map_err(Refused::store)?;
        let Of::Message {
            conversation_id,
            message_id,
            reply_id,
            text,
        } = task.of
        else {
            return Ok(Document::new());
        };
        let position = self.take_places(new, &conversation_id, &text).await?;
        Ok(doc! {
            "conversation": conversation_id,
            "position": position,
            "message": message_id,
            "reply": reply_id,
            "text": text,
        })
    }

    async fn undone(&self, new: &NewGeneration) -> Kept<()> {
        let task = Task::decode(&new.task).map_err(Refused::store)?;
        match task.of.conversation() {
            "" => Ok(()),
            conversation => self.shelf.give_back(conversation, &new.id).await,
        }
    }

    async fn ending(&self, _: &Lease, _: &End) -> Kept<Change> {
        // The reply is the snapshot.
        Ok(Change::default())
    }

    async fn ended(&self, record: &GenerationRecord, own: &Document) -> Kept<()> {
        match own.maybe_text("conversation") {
            Some(conversation) => self.shelf.over(&conversation, &record.id).await,
            None => Ok(()),
        }
    }

    fn indexes(&self) -> Vec<&'static [&'static str]> {
        vec![&["own.conversation", "own.position"], &["own.reply"]]
    }
}
