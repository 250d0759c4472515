//! The process as its operator sees it: how it starts or says why not, how it ends, what a crash leaves, and what it
//! never writes down.

mod crash;
mod end;
mod families;
mod operator;
mod profile;
mod quiet;
mod start;
mod window;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1::{
    SendMessageRequest, SendMessageResponse, WatchGenerationRequest,
};
use tonic::Streaming;

use crate::people::Person;
use crate::told::{Told, listen};

/// Asks a model in a conversation of its own and returns the stream of the reply.
async fn ask(person: &Person, model: &str, text: &str) -> Streaming<SendMessageResponse> {
    let request = SendMessageRequest {
        conversation_id: person.conversation().await,
        text: text.to_owned(),
        model: model.to_owned(),
        ..Default::default()
    };
    let answer = person.chat().send_message(request).await;
    answer.expect("a reply").into_inner()
}

/// Watches a reply from its beginning to its end.
async fn watch(person: &Person, id: &str) -> Told {
    let request = WatchGenerationRequest {
        generation_id: id.to_owned(),
        after_sequence: 0,
    };
    let answer = person.chat().watch_generation(request).await;
    listen(answer.expect("the generation").into_inner()).await
}

/// Whether a generation failed for this reason.
fn failed_as(told: &Told, reason: &str) -> bool {
    matches!(told.end(), Some(Event::Failed(failed)) if failed.reason == reason)
}
