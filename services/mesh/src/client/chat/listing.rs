//! The conversations there were, and the models that can be asked, as lists.

use atelier_kit::moment;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{
    Conversation, ListConversationsRequest, ListMessagesRequest, Message, Role,
};
use prost_types::Timestamp;

use crate::client::json::Json;
use crate::client::markdown::painted;
use crate::client::session::Session;
use crate::client::terminal::{Terminal, columns, plain, print, shortened};

/// How many are asked for at once: the most that the contract gives.
const PAGE: i32 = 1000;
const MODEL: &str = "atelier.llm_chat.v1.Model";
const CONVERSATION: &str = "atelier.llm_chat.v1.Conversation";
const MESSAGE: &str = "atelier.llm_chat.v1.Message";

/// The models, the default first.
pub async fn models(session: &Session<'_>, json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    let models = super::models(session).await?;
    if json {
        let json = Json::new()?;
        for model in &models {
            text.push_str(&json.line(MODEL, model)?);
            text.push('\n');
        }
        return print(&text);
    }
    for model in &models {
        let line = format!(
            "{:<24} {:<20} {}",
            model.id, model.provider, model.description
        );
        text.push_str(&format!("{}\n", plain(line.trim_end())));
    }
    print(&text)
}

/// All conversations, the one changed last first.
pub async fn conversations(
    session: &Session<'_>,
    terminal: Terminal,
    json: bool,
) -> anyhow::Result<()> {
    let json = json.then(Json::new).transpose()?;
    let (mut token, mut none) = (String::new(), true);
    loop {
        let request = ListConversationsRequest {
            page_size: PAGE,
            page_token: token,
        };
        let answer = session
            .ask(request, async |channel, request| {
                LlmChatServiceClient::new(channel)
                    .list_conversations(request)
                    .await
            })
            .await
            .map_err(|error| session.gone(error))?;
        let mut text = String::new();
        for conversation in &answer.conversations {
            none = false;
            text.push_str(&match &json {
                Some(json) => json.line(CONVERSATION, conversation)?,
                None => listed(conversation, terminal),
            });
            text.push('\n');
        }
        print(&text)?;
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    if none {
        terminal.aside("there is no conversation yet");
    }
    Ok(())
}

/// A conversation on one line: for a person with a shortened title, for a program divided by tabs.
fn listed(conversation: &Conversation, terminal: Terminal) -> String {
    let time = conversation.update_time.as_ref();
    if !terminal.out {
        return [
            &conversation.id,
            &time.map_or_else(String::new, ToString::to_string),
            &conversation.message_count.to_string(),
            &plain(&conversation.title),
        ]
        .map(String::as_str)
        .join("\t");
    }
    let age = time.map_or_else(String::new, age);
    let begun = format!("{}  {age:>7}  ", plain(&conversation.id));
    let room = terminal.columns().saturating_sub(columns(&begun)).max(8);
    let title = if conversation.title.is_empty() {
        "…"
    } else {
        &conversation.title
    };
    format!("{begun}{}", shortened(title, room))
}

/// How long ago, as a person says it.
fn age(time: &Timestamp) -> String {
    let then = moment::from_timestamp(time).unwrap_or_default();
    let seconds = (moment::now() - then).max(0) / 1_000_000;
    match seconds {
        0..60 => "now".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// One conversation from its beginning: set for a person, as Markdown for a program.
pub async fn conversation(
    session: &Session<'_>,
    terminal: Terminal,
    id: &str,
    json: bool,
) -> anyhow::Result<()> {
    let json = json.then(Json::new).transpose()?;
    let mut first = true;
    each(session, id, |message| {
        if let Some(json) = &json {
            print(&format!("{}\n", json.line(MESSAGE, &message)?))?;
            return Ok(true);
        }
        let between = if std::mem::take(&mut first) { "" } else { "\n" };
        let who = match message.role() {
            Role::Assistant => plain(&message.model),
            Role::System => "System".to_owned(),
            Role::User | Role::Unspecified => "You".to_owned(),
        };
        if terminal.out {
            let who = console::style(who).dim();
            print(&format!(
                "{between}{who}\n{}",
                painted(&message.text, terminal)
            ))?;
        } else {
            print(&format!("{between}**{who}**\n\n{}\n", message.text))?;
        }
        Ok(true)
    })
    .await
}

/// The reply that a generation made, as JSON on one line.
pub async fn reply(session: &Session<'_>, id: &str, generation_id: &str) -> anyhow::Result<String> {
    let json = Json::new()?;
    let mut found = None;
    each(session, id, |message| {
        if message.generation_id == generation_id && message.role() == Role::Assistant {
            found = Some(json.line(MESSAGE, &message)?);
        }
        Ok(found.is_none())
    })
    .await?;
    let line = found.ok_or_else(|| anyhow::anyhow!("the reply is not in its conversation"))?;
    Ok(format!("{line}\n"))
}

/// Takes the messages of a conversation, the oldest first, as long as more are wanted.
async fn each(
    session: &Session<'_>,
    id: &str,
    mut take: impl FnMut(Message) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut token = String::new();
    loop {
        let request = ListMessagesRequest {
            conversation_id: id.to_owned(),
            page_size: PAGE,
            page_token: token,
        };
        let answer = session
            .ask(request, async |channel, request| {
                LlmChatServiceClient::new(channel)
                    .list_messages(request)
                    .await
            })
            .await
            .map_err(|error| session.gone(error))?;
        for message in answer.messages {
            if !take(message)? {
                return Ok(());
            }
        }
        token = answer.next_page_token;
        if token.is_empty() {
            return Ok(());
        }
    }
}
