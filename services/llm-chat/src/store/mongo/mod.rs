//! Conversations in MongoDB, where no two documents change together.
//!
//! | collection | a document |
//! |---|---|
//! | `conversations` | a conversation: its head, how many places for messages are taken, and the reply in progress (`pending`) |
//! | `generations` | a generation (`atelier_generation::store`), whose own fields are the message and the reply to it |
//!
//! A message and the reply to it *are* the generation's document: what was said, and both ids and the place, are among its own
//! fields, and the reply is its snapshot. So messages are never there without their generation, nor a generation without its
//! messages: one insert makes both, one update ends both, one deletion takes both. What is left to be agreed between two documents
//! is who may speak next.
//!
//! # Who may speak
//!
//! The conversation's document decides: in one guarded update a message takes the next two places and is `pending`; the guard is
//! how many places were taken, and who was pending. Of two that come at once, in whatever processes, one finds what it has seen.
//! One that finds another pending looks at that generation, and speaks only when it has ended, or can never come.
//!
//! | a crash behind | leaves | until |
//! |---|---|---|
//! | the conversation's update | places that nobody has, and a pending generation that is not there | the next message fences it (its insert can never come then) and takes the same places; or a look does, which comes every ten seconds, and gives them back |
//! | the generation's insert | a reply in progress whose owner is dead | the watch over generations ends or runs it |
//! | the generation's end | `pending`, though it has ended | the next message, or a look; nobody is kept from speaking |
//! | the deletion's mark | a conversation that nobody sees any more, and some of its generations | a look, or the same deletion again |
//!
//! Readers do not count places whose generation is not there, nor see the title that came with them.

mod conversations;
mod documents;
mod replies;
#[cfg(test)]
mod tests;

pub use conversations::MongoConversationStore;
pub use replies::ReplyDocuments;

use std::time::Duration;

use atelier_generation::store::Admissions;
use atelier_kit::moment;
use atelier_kit::mongo::bson::{Bson, Document, doc};
use atelier_kit::mongo::{Fields as _, Mongo, Table};

/// How long a reply that is about to be is waited for, before it is fenced: far longer than a write takes.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// What is known of the generation that a conversation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not ended.
    Open,
    /// It has ended, or is forgotten.
    Over,
    /// It can never come: its places are free.
    Never,
}

/// The collections that both sides of this room write to. Clones are the same.
#[derive(Clone, Debug)]
struct Shelf {
    conversations: Table,
    generations: Table,
    admissions: Admissions,
}

type Kept<T> = Result<T, atelier_generation::Error>;

impl Shelf {
    fn new(mongo: &Mongo) -> Self {
        Self {
            conversations: mongo.table("conversations"),
            generations: mongo.table("generations"),
            admissions: Admissions::new(mongo),
        }
    }

    /// How the generation stands that is pending; one that is not there is waited for a moment, and then fenced.
    async fn standing(&self, generation: &str, grace: Duration) -> Kept<Standing> {
        let mut waited = Duration::ZERO;
        loop {
            let found = self.generations.one(doc! {"_id": generation}).await?;
            match found {
                Some(found) if found.maybe("tombstone").is_some() => return Ok(Standing::Never),
                Some(found) if found.maybe("open").is_some() => return Ok(Standing::Open),
                Some(_) => return Ok(Standing::Over),
                None if waited < grace => {
                    tokio::time::sleep(LOOK).await;
                    waited += LOOK;
                }
                None => {
                    self.admissions.fence(&self.generations, generation).await?;
                }
            }
        }
    }

    /// Gives back the places of one that can never come, and the title that came with it.
    async fn give_back(&self, conversation: &str, generation: &str) -> Kept<()> {
        let claimed = doc! {"_id": conversation, "pending.generation": generation};
        let Some(found) = self.conversations.one(claimed.clone()).await? else {
            return Ok(());
        };
        let mut titled = claimed.clone();
        let mut change = doc! {"$inc": {"message_count": -2_i64}, "$unset": {"pending": ""}};
        if let Some(title) = found.part("pending")?.maybe_text("title") {
            titled.insert("title", title);
            let mut untitled = change.clone();
            untitled.insert("$set", doc! {"title": "", "update_time": moment::now()});
            if self.conversations.update(titled, untitled).await? {
                return Ok(());
            }
        }
        // Somebody has given it another title since.
        change.insert("$set", doc! {"update_time": moment::now()});
        self.conversations.update(claimed, change).await?;
        Ok(())
    }

    /// It has ended: nobody waits for it.
    async fn over(&self, conversation: &str, generation: &str) -> Kept<()> {
        let waits = doc! {"_id": conversation, "pending.generation": generation};
        let change = doc! {"$unset": {"pending": ""}, "$set": {"update_time": moment::now()}};
        self.conversations.update(waits, change).await?;
        Ok(())
    }
}

/// A conversation as its guarded updates must find it: not being deleted, and waiting for whom it was seen to wait for.
fn seen(id: &str, pending: Option<&str>) -> Document {
    doc! {
        "_id": id,
        "deleting": {"$exists": false},
        "pending.generation": pending.map_or(Bson::Null, Bson::from),
    }
}

/// Whom a conversation waits for.
fn pending(conversation: &Document) -> Option<String> {
    conversation.maybe_part("pending")?.maybe_text("generation")
}
