//! What is left after a fault: everything that was acknowledged, each thing once.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_proto::analytics::v1::ListUsageEventsRequest;
use atelier_proto::llm_chat::v1::GetConversationRequest;
use atelier_proto::text_image::v1::ListImagesRequest;
use atelier_proto::tts::v1::ListConversionsRequest;
use futures_util::future::join_all;

use super::load::{Book, Done};
use super::things::is_there;
use crate::people::Person;
use crate::running::eventually;
use crate::web;

/// How long it may take until all is counted.
const COUNTED: Duration = Duration::from_secs(60);

/// How many things are looked for at once.
const AT_ONCE: usize = 6;

/// Looks for everything that was acknowledged; returns what is missing.
pub async fn lost(edge: &str, people: &[Person], book: &Book) -> Vec<String> {
    let done = book.done.lock().unwrap().clone();
    let mut lost = Vec::new();
    let mut missing = |what: String, is_there: bool| {
        if !is_there {
            lost.push(what);
        }
    };
    let mut images: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    let mut sounds: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    for (number, person) in people.iter().enumerate() {
        let me = person.through(edge);
        images.insert(number, pictures(&me).await);
        sounds.insert(number, speech(&me).await);
    }
    // Not those alone that were acknowledged: no row is ready without its object.
    let (images, sounds) = (&images, &sounds);
    for (listed, head) in [(images, &b"\x89PNG"[..]), (sounds, b"RIFF")] {
        let ready = listed.values().flatten().filter(|(_, url)| !url.is_empty());
        let ready: Vec<_> = ready.collect();
        for some in ready.chunks(AT_ONCE) {
            let looks = some.iter().map(|(id, url)| async move {
                (format!("the object of {id}"), fetched(url, head).await)
            });
            for (what, is_there) in join_all(looks).await {
                missing(what, is_there);
            }
        }
    }
    let is_listed = |listed: &BTreeMap<usize, BTreeMap<String, String>>, person, id| {
        let url = listed.get(person).and_then(|of_him| of_him.get(id));
        url.is_some_and(|url| !url.is_empty())
    };
    for some in done.chunks(AT_ONCE) {
        let looks = some.iter().map(|done| async move {
            match done {
                Done::Picture { person, id, .. } => {
                    (format!("the picture {id}"), is_listed(images, person, id))
                }
                Done::Speech { person, id, .. } => {
                    (format!("the speech {id}"), is_listed(sounds, person, id))
                }
                other => found(edge, people, other).await,
            }
        });
        for (what, is_there) in join_all(looks).await {
            missing(what, is_there);
        }
    }
    counted_once(people, edge, &done).await;
    lost
}

/// Whether what is no object is there, and its name.
async fn found(edge: &str, people: &[Person], done: &Done) -> (String, bool) {
    match done {
        Done::Account { email, password } => (email.clone(), is_there(edge, email, password).await),
        Done::Conversation { person, id } => {
            let request = GetConversationRequest {
                conversation_id: id.clone(),
            };
            let me = people[*person].through(edge);
            let found = me.chat().get_conversation(request).await;
            (format!("the conversation {id}"), found.is_ok())
        }
        Done::Reply {
            person,
            conversation,
            generation,
            text,
        } => {
            let said = messages(&people[*person].through(edge), conversation).await;
            let is_there = said.get(generation) == Some(text);
            (format!("the reply {generation}"), is_there)
        }
        Done::Picture { .. } | Done::Speech { .. } => unreachable!("these are listed"),
    }
}

/// Whether an object is there that begins like this.
async fn fetched(url: &str, head: &[u8]) -> bool {
    web::get(url).await.body.starts_with(head)
}

/// A conversation's replies, by their generations.
async fn messages(me: &Person, conversation: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = atelier_proto::llm_chat::v1::ListMessagesRequest {
            conversation_id: conversation.to_owned(),
            page_token,
            ..Default::default()
        };
        let page = me
            .chat()
            .list_messages(request)
            .await
            .expect("messages")
            .into_inner();
        for message in page.messages {
            found.insert(message.generation_id, message.text);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

async fn pictures(me: &Person) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListImagesRequest {
            page_token,
            ..Default::default()
        };
        let page = me
            .pictures()
            .list_images(request)
            .await
            .expect("images")
            .into_inner();
        for image in page.images {
            found.insert(image.id, image.download_url);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

async fn speech(me: &Person) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListConversionsRequest {
            page_token,
            ..Default::default()
        };
        let page = me
            .speech()
            .list_conversions(request)
            .await
            .expect("conversions")
            .into_inner();
        for conversion in page.conversions {
            found.insert(conversion.id, conversion.download_url);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// Every generation that has ended is counted, and none twice.
async fn counted_once(people: &[Person], edge: &str, done: &[Done]) {
    for (number, person) in people.iter().enumerate() {
        let of_him = done.iter().filter_map(|done| match done {
            Done::Reply {
                person, generation, ..
            }
            | Done::Picture {
                person, generation, ..
            }
            | Done::Speech {
                person, generation, ..
            } => (*person == number).then_some(generation),
            _ => None,
        });
        let of_him: Vec<&String> = of_him.collect();
        let me = person.through(edge);
        eventually("all that ended is counted", COUNTED, || async {
            let events = counted(&me).await;
            of_him.iter().all(|id| events.contains(id))
        })
        .await;
        let mut ids = counted(&me).await;
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "an event is counted twice");
    }
}

/// The generations of all usage events of an account, in pages as large as there may be.
async fn counted(me: &Person) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListUsageEventsRequest {
            page_size: 1000,
            page_token,
            user_id: String::new(),
        };
        let answer = me.usage().list_usage_events(request).await;
        let page = answer.expect("usage events").into_inner();
        ids.extend(page.events.into_iter().map(|event| event.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}
