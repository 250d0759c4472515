//! One reply: asked for, listened to, and shown as it comes.

use std::io::{Stdout, stdout};

use async_trait::async_trait;
use atelier_proto::generation::v1::FinishReason;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1::SendMessageRequest;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use tonic::transport::Channel;

use super::conversation::Conversation;
use crate::client::generation::{
    Ended, Events, Listener, Medium, Started, events, follow, follows, request_id,
};
use crate::client::image::Watched;
use crate::client::interrupt::Interrupts;
use crate::client::markdown::{Page, Size};
use crate::client::session::Session;
use crate::client::terminal::{Terminal, print, told};
use crate::client::trouble::Trouble;

/// How a reply is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Set for a person's terminal.
    Painted,
    /// Its own Markdown and nothing else.
    Raw,
    /// Not yet.
    Kept,
}

/// A reply that is to be asked for.
pub struct Reply<'a>(Started<'a, SendMessageRequest>);

impl<'a> Reply<'a> {
    /// To a text in a conversation, which is made when it is new.
    pub async fn new(
        session: &'a Session<'a>,
        conversation: &mut Conversation,
        text: String,
    ) -> anyhow::Result<Self> {
        conversation.make(session).await?;
        let request = SendMessageRequest {
            conversation_id: conversation.id.clone(),
            text,
            model: conversation.model.clone(),
            request_id: request_id(),
            ..SendMessageRequest::default()
        };
        Ok(Self(Started { session, request }))
    }

    /// Asks for it and shows it to its end.
    pub async fn listen(
        &self,
        terminal: Terminal,
        look: Look,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Ended> {
        let shown = match look {
            Look::Painted => Shown::Painted(Page::new(stdout(), size, terminal.colour)),
            Look::Raw => Shown::Raw(Poured::default()),
            Look::Kept => Shown::Kept,
        };
        let mut ear = Ear {
            watched: Watched::new(terminal, "thinking"),
            shown,
        };
        let followed = follow(&self.0, &mut ear, interrupts).await;
        let finished = ear.finish();
        ear.watched.end(terminal);
        let ended = followed.map_err(|error| self.0.session.gone(error))?;
        finished?;
        match ended.completed.finish_reason() {
            FinishReason::Length => terminal.note("the reply was cut off at its longest"),
            FinishReason::ContentFilter => {
                terminal.note("the rest was withheld by the provider's content rules");
            }
            FinishReason::Stop | FinishReason::Unspecified => {}
        }
        Ok(ended)
    }
}

impl Medium for Started<'_, SendMessageRequest> {
    fn start(&self) -> Events<'_> {
        events(
            self.session
                .call(self.request.clone(), async |channel, request| {
                    LlmChatServiceClient::new(channel)
                        .send_message(request)
                        .await
                }),
            |answer| answer.event,
        )
    }

    follows!(llm_chat, LlmChatServiceClient<Channel>);
}

fn size() -> Size {
    let terminal = Terminal::look(false);
    Size {
        columns: terminal.columns(),
        width: terminal.width(),
        rows: terminal.rows(),
    }
}

enum Shown {
    Painted(Page<Stdout>),
    Raw(Poured),
    Kept,
}

/// A reply in the making.
struct Ear {
    watched: Watched,
    shown: Shown,
}

impl Ear {
    fn finish(&mut self) -> anyhow::Result<()> {
        self.watched.progress.end();
        match &mut self.shown {
            Shown::Painted(page) => page.finish().map_err(told),
            Shown::Raw(poured) => poured.finish(),
            Shown::Kept => Ok(()),
        }
    }
}

#[async_trait(?Send)]
impl Listener for Ear {
    async fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        let (text, whole) = match event {
            Event::TextDelta(delta) => (&delta.text, false),
            Event::Snapshot(snapshot) => (&snapshot.text, true),
            other => {
                self.watched.see(other);
                return Ok(());
            }
        };
        if text.is_empty() && !whole {
            return Ok(());
        }
        if self.shown.is_seen() && !text.is_empty() {
            self.watched.progress.end();
        }
        match (&mut self.shown, whole) {
            (Shown::Painted(page), false) => page.push(text),
            (Shown::Painted(page), true) => page.replace(text).map_err(told)?,
            (Shown::Raw(poured), false) => print(poured.push(text))?,
            (Shown::Raw(poured), true) => print(poured.replace(text))?,
            (Shown::Kept, _) => {}
        }
        Ok(())
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        match &mut self.shown {
            Shown::Painted(page) => page.paint().map_err(told),
            _ => Ok(()),
        }
    }

    fn lost(&mut self) {
        self.watched.lost();
    }
}

impl Shown {
    /// Whether words appear on their own, so that a spinner would be in their way.
    fn is_seen(&self) -> bool {
        !matches!(self, Self::Kept)
    }
}

/// A reply on its way into a pipe, from which nothing can be taken back.
#[derive(Default)]
struct Poured {
    /// The reply as it is now.
    text: String,
    /// What went into the pipe.
    gone: String,
}

impl Poured {
    /// More of it: what is to be written now.
    fn push(&mut self, more: &str) -> &str {
        self.text.push_str(more);
        self.due()
    }

    /// The whole of it: what is to be written now.
    fn replace(&mut self, text: &str) -> &str {
        text.clone_into(&mut self.text);
        self.due()
    }

    /// What goes on from what was written. Where the reply has become another one, nothing does.
    fn due(&mut self) -> &str {
        let begun = self.gone.len();
        if let Some(more) = self.text.strip_prefix(self.gone.as_str()) {
            self.gone.push_str(more);
        }
        &self.gone[begun..]
    }

    fn finish(&self) -> anyhow::Result<()> {
        if self.text == self.gone {
            return Ok(());
        }
        let line = "the reply was begun anew after a part of it was written: standard output has not all of it";
        Err(Trouble::failed(line).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_each_word_once() {
        let mut poured = Poured::default();
        assert_eq!(poured.push("one "), "one ");
        assert_eq!(poured.replace("one two "), "two ");
        assert_eq!(poured.push("three"), "three");
        // A snapshot that is a moment behind.
        assert_eq!(poured.replace("one two "), "");
        assert_eq!(poured.push("three four"), " four");
        assert!(poured.finish().is_ok());
        poured.replace("another");
        assert!(poured.finish().is_err());
    }
}
