//! Conversations, and what is read of their messages.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::store::{Admission, MongoRecord};
use atelier_generation::{Error as Broken, Record as _};
use atelier_kit::moment::{self, Micros};
use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{self, Fields as _, Index, Mongo, Order};
use tokio_util::sync::CancellationToken;

use super::documents::{conversation, exchange};
use super::{Kept, Shelf, Standing, pending, seen};
use crate::conversation::{Conversation, Message, NewConversation, Turn};
use crate::error::Error;
use crate::ports::ConversationStore;

/// How often what a crash has left is looked for.
const ROUND: Duration = Duration::from_secs(10);
/// How old something is that a crash may have left.
const OLD: Duration = Duration::from_secs(10);
/// How many documents are read, or erased, at once.
const PAGE: i64 = 200;
/// How often a conversation is tried to be made that others have fenced.
const TRIES: usize = 3;

/// Keeps conversations in one database. Clones are the same.
#[derive(Clone)]
pub struct MongoConversationStore {
    shelf: Shelf,
    record: MongoRecord,
}

impl From<mongo::Error> for Error {
    fn from(error: mongo::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl MongoConversationStore {
    /// Conversations in this database, with the records of their replies.
    pub fn new(mongo: &Mongo, record: MongoRecord) -> Self {
        Self {
            shelf: Shelf::new(mongo),
            record,
        }
    }

    /// The indexes that its questions want.
    pub fn indexes(&self) -> Vec<Index> {
        let all: [(&'static [&'static str], bool); 4] = [
            (&["owner", "update_time", "_id"], false),
            (&["owner", "_id"], false),
            (&["pending.time"], true),
            (&["deleting"], true),
        ];
        let all = all.into_iter().map(|(fields, sparse)| Index {
            table: self.shelf.conversations.clone(),
            fields,
            sparse,
        });
        all.chain(self.record.indexes()).collect()
    }

    /// Takes up what crashes have left, until it is told to stop.
    pub async fn keep_whole(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            if let Err(error) = self.take_up(OLD).await {
                tracing::warn!(error = %atelier_kit::fault::chain(&error), "conversations are not looked after yet");
            }
        }
    }

    /// Finishes what is being deleted, and lets go of replies that have ended or can never come.
    pub(super) async fn take_up(&self, old: Duration) -> Kept<()> {
        let conversations = &self.shelf.conversations;
        let order = || Order::by(doc! {}, PAGE);
        for found in conversations.many(doc! {"deleting": true}, order()).await? {
            self.finish_deletion(&found).await?;
        }
        let since = moment::now() - moment::span(old);
        let waiting = doc! {"pending.time": {"$lte": since}, "deleting": {"$exists": false}};
        for found in conversations.many(waiting, order()).await? {
            let Some(generation) = pending(&found) else {
                continue;
            };
            let id = found.text("_id")?;
            match self.shelf.standing(&generation, Duration::ZERO).await? {
                Standing::Open => {}
                Standing::Over => self.shelf.over(&id, &generation).await?,
                Standing::Never => self.shelf.give_back(&id, &generation).await?,
            }
        }
        Ok(())
    }

    /// Deletes a conversation that nobody sees any more, with all that its generations keep.
    async fn finish_deletion(&self, found: &Document) -> Kept<()> {
        let id = found.text("_id")?;
        loop {
            let order = Order::by(doc! {}, PAGE).only(&["_id"]);
            let page = self
                .shelf
                .generations
                .many(doc! {"own.conversation": &id}, order)
                .await?;
            if page.is_empty() {
                break;
            }
            for one in page {
                let generation = one.text("_id")?;
                if !self.record.forget(&generation).await? {
                    // Nothing begins where a deletion has begun, and what had begun before it had ended.
                    return Err(Broken::store(
                        "a deleted conversation has a reply in progress",
                    ));
                }
            }
        }
        self.shelf
            .admissions
            .forget(&found.text("intent")?, &id)
            .await?;
        self.shelf.conversations.delete(doc! {"_id": id}).await?;
        Ok(())
    }

    /// Conversations as readers see them: without the places of messages that are not there.
    async fn present(&self, mut found: Vec<Document>) -> Kept<Vec<Conversation>> {
        let waiting: Vec<String> = found.iter().filter_map(pending).collect();
        if !waiting.is_empty() {
            let these = doc! {"_id": {"$in": &waiting}, "owner": {"$exists": true}};
            let order = Order::by(doc! {}, 0).only(&["_id"]);
            let there = self.shelf.generations.many(these, order).await?;
            let there: HashSet<&str> = there
                .iter()
                .filter_map(|one| one.get_str("_id").ok())
                .collect();
            for one in &mut found {
                let Some(generation) = pending(one) else {
                    continue;
                };
                if there.contains(generation.as_str()) {
                    continue;
                }
                let count = one.number("message_count")?;
                one.insert("message_count", count - 2);
                if one.part("pending")?.maybe_text("title") == one.maybe_text("title") {
                    one.insert("title", "");
                }
            }
        }
        found.iter().map(conversation).collect()
    }

    async fn insert_new(&self, new: &NewConversation) -> Result<Conversation, Error> {
        let key = match &new.request_id {
            Some(request_id) => format!("conversation\n{}\n{request_id}", new.owner),
            None => new.id.clone(),
        };
        let admission = Admission {
            table: &self.shelf.conversations,
            key: &key,
            owner: &new.owner,
            id: &new.id,
            digest: &new.digest,
        };
        for _ in 0..TRIES {
            if let Some(known) = self.shelf.admissions.admit(&admission).await? {
                let made = doc! {"_id": known.text("thing")?};
                let Some(made) = self.shelf.conversations.one(made).await? else {
                    continue;
                };
                if made.flag("deleting") {
                    self.finish_deletion(&made).await?;
                    continue;
                }
                if known.maybe_bytes("digest") != Some(&new.digest[..]) {
                    return Err(Error::RequestIdReused);
                }
                return self.find(&new.owner, &made.text("_id")?).await;
            }
            let now = moment::now();
            let document = doc! {
                "_id": &new.id,
                "owner": &new.owner,
                "intent": &key,
                "title": &new.title,
                "model": &new.model,
                "system_prompt": &new.system_prompt,
                "message_count": 0_i64,
                "create_time": now,
                "update_time": now,
            };
            if self.shelf.conversations.insert(&document).await? {
                return Ok(conversation(&document)?);
            }
            // Fenced: by a departure, or by the same request that could not wait.
            self.shelf.admissions.withdraw(&admission).await?;
        }
        Err(Error::from(Broken::store(
            "a conversation was fenced before it was there",
        )))
    }
}

/// Those of an owner that are not being deleted.
fn whose(owner: &str) -> Document {
    doc! {"owner": owner, "deleting": {"$exists": false}}
}

#[async_trait]
impl ConversationStore for MongoConversationStore {
    async fn insert(&self, new: &NewConversation) -> Result<Conversation, Error> {
        self.insert_new(new).await
    }

    async fn find(&self, owner: &str, id: &str) -> Result<Conversation, Error> {
        let mut filter = whose(owner);
        filter.insert("_id", id);
        let found = self.shelf.conversations.one(filter).await?;
        let mut found = self.present(found.into_iter().collect()).await?;
        found.pop().ok_or(Error::NoConversation)
    }

    async fn list(
        &self,
        owner: &str,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error> {
        let mut filter = whose(owner);
        if let Some((time, id)) = before {
            filter.insert(
                "$or",
                vec![
                    doc! {"update_time": {"$lt": time}},
                    doc! {"update_time": time, "_id": {"$lt": id}},
                ],
            );
        }
        let order = Order::by(doc! {"update_time": -1, "_id": -1}, limit);
        let found = self.shelf.conversations.many(filter, order).await?;
        Ok(self.present(found).await?)
    }

    async fn by_id(
        &self,
        owner: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error> {
        let mut filter = whose(owner);
        filter.insert("_id", doc! {"$gt": after});
        let order = Order::by(doc! {"_id": 1}, limit);
        let found = self.shelf.conversations.many(filter, order).await?;
        Ok(self.present(found).await?)
    }

    async fn rename(&self, owner: &str, id: &str, title: &str) -> Result<Conversation, Error> {
        let mut filter = whose(owner);
        filter.insert("_id", id);
        let change = doc! {"$set": {"title": title, "update_time": moment::now()}};
        self.shelf.conversations.update(filter, change).await?;
        self.find(owner, id).await
    }

    async fn delete(&self, owner: &str, id: &str) -> Result<Option<String>, Error> {
        loop {
            let mine = doc! {"_id": id, "owner": owner};
            let Some(found) = self.shelf.conversations.one(mine).await? else {
                return Err(Error::NoConversation);
            };
            let waits_for = pending(&found);
            if !found.flag("deleting") {
                if let Some(generation) = &waits_for {
                    // One that is not there yet shall not come any more.
                    let standing = self.shelf.standing(generation, Duration::ZERO).await;
                    if standing? == Standing::Open {
                        return Ok(waits_for);
                    }
                }
                let unchanged = seen(id, waits_for.as_deref());
                let mark = doc! {"$set": {"deleting": true}};
                if !self.shelf.conversations.update(unchanged, mark).await? {
                    continue;
                }
            }
            self.finish_deletion(&found).await?;
            return Ok(None);
        }
    }

    async fn messages(
        &self,
        conversation_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        let filter = doc! {"own.conversation": conversation_id, "own.position": {"$gt": after}};
        // Two messages are in each, and the first may begin with the second of them.
        let order = Order::by(doc! {"own.position": 1}, limit / 2 + 1).without(&["task"]);
        let found = self.shelf.generations.many(filter, order).await?;
        let mut messages = Vec::with_capacity(found.len() * 2);
        for one in &found {
            messages.extend(exchange(one)?);
        }
        messages.retain(|message| message.position > after);
        messages.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(messages)
    }

    async fn before(&self, reply_id: &str, limit: i64) -> Result<(String, Vec<Turn>), Error> {
        let order = Order::by(doc! {}, 1).only(&["own"]);
        let found = self
            .shelf
            .generations
            .many(doc! {"own.reply": reply_id}, order)
            .await?;
        let own = found.first().ok_or(Error::NoConversation)?.part("own")?;
        let (id, position) = (own.text("conversation")?, own.number("position")?);
        let head = self.shelf.conversations.one(doc! {"_id": &id}).await?;
        let head = head.ok_or(Error::NoConversation)?;
        let filter = doc! {"own.conversation": id, "own.position": {"$lte": position}};
        let order = Order::by(doc! {"own.position": -1}, limit / 2 + 1).without(&["task"]);
        let mut turns = Vec::new();
        for one in &self.shelf.generations.many(filter, order).await? {
            let [message, reply] = exchange(one)?;
            for said in [reply, message] {
                if said.position < position {
                    let (speaker, text) = (said.speaker, said.text);
                    turns.push(Turn { speaker, text });
                }
            }
        }
        turns.truncate(usize::try_from(limit).unwrap_or(0));
        turns.reverse();
        Ok((head.text("system_prompt")?, turns))
    }

    async fn erase_messages(&self, owner: &str, limit: i64) -> Result<Vec<Option<String>>, Error> {
        let filter = doc! {"owner": owner, "own.conversation": {"$gt": ""}};
        let order = Order::by(doc! {}, limit / 2 + 1).only(&["_id"]);
        let mut erased = Vec::new();
        for one in self.shelf.generations.many(filter, order).await? {
            let generation = one.text("_id")?;
            if !self.record.forget(&generation).await? {
                return Err(Error::ReplyInProgress);
            }
            // The message, and the reply to it.
            erased.extend([None, Some(generation)]);
        }
        Ok(erased)
    }

    async fn erase_conversations(&self, owner: &str, limit: i64) -> Result<u64, Error> {
        let order = Order::by(doc! {}, limit).only(&["intent"]);
        let found = self
            .shelf
            .conversations
            .many(doc! {"owner": owner}, order)
            .await?;
        for one in &found {
            let id = one.text("_id")?;
            let forgotten = self
                .shelf
                .admissions
                .forget(&one.text("intent")?, &id)
                .await;
            forgotten?;
            self.shelf.conversations.delete(doc! {"_id": id}).await?;
        }
        Ok(found.len() as u64)
    }

    async fn write_back(&self) -> Result<(), Error> {
        // What is deleted is gone from the server's files when its engine says so; nothing of it is kept here.
        Ok(())
    }
}
