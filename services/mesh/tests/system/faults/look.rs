//! What is left after a fault: everything that was acknowledged, each thing once.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_proto::text_image::v1::ListImagesRequest;
use atelier_proto::tts::v1::ListConversionsRequest;

use super::load::{Book, Done, is_there};
use crate::people::Person;
use crate::running::eventually;
use crate::story::usage_events;
use crate::web;

/// How long it may take until all is counted.
const COUNTED: Duration = Duration::from_secs(60);

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
    for done in &done {
        match done {
            Done::Account { email, password } => {
                missing(email.clone(), is_there(edge, email, password).await);
            }
            Done::Conversation { person, id } => {
                let request = atelier_proto::llm_chat::v1::GetConversationRequest {
                    conversation_id: id.clone(),
                };
                let me = people[*person].through(edge);
                let found = me.chat().get_conversation(request).await;
                missing(format!("the conversation {id}"), found.is_ok());
            }
            Done::Reply {
                person,
                conversation,
                generation,
                text,
            } => {
                let said = messages(&people[*person].through(edge), conversation).await;
                missing(
                    format!("the reply {generation}"),
                    said.get(generation) == Some(text),
                );
            }
            Done::Picture { person, id, .. } => {
                let url = images[person].get(id);
                missing(format!("the picture {id}"), fetched(url, b"\x89PNG").await);
            }
            Done::Speech { person, id, .. } => {
                let url = sounds[person].get(id);
                missing(format!("the speech {id}"), fetched(url, b"RIFF").await);
            }
        }
    }
    counted_once(people, edge, &done).await;
    lost
}

/// What is listed can be fetched: a row that is ready has its object.
async fn fetched(url: Option<&String>, head: &[u8]) -> bool {
    match url {
        Some(url) => web::get(url).await.body.starts_with(head),
        None => false,
    }
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
            let events = usage_events(&me).await;
            of_him
                .iter()
                .all(|id| events.iter().any(|event| event.id == **id))
        })
        .await;
        let events = usage_events(&me).await;
        let mut ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "an event is counted twice");
    }
}
