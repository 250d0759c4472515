//! A conversation in the terminal: a prompt with a history, replies as they come, and a few words of its own.

use std::path::PathBuf;

use anyhow::Context as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use super::conversation::Conversation;
use super::reply::{Look, Reply};
use crate::client::Ground;
use crate::client::credentials::private_folder;
use crate::client::interrupt::Interrupts;
use crate::client::session::Session;
use crate::client::terminal::{Terminal, plain, print};
use crate::client::trouble::{Trouble, exit_of};
use crate::inventory::{NOT_ALLOWED, UNREACHABLE, complain};

/// The history's name, beside the sign-ins.
const HISTORY: &str = "history";
/// How many lines it keeps.
const HISTORY_LINES: usize = 1000;
const HELP: &str = "\
/new            begins a new conversation
/model [NAME]   asks another model from now on; without a name, lists them
/help           this
/exit           ends, as Ctrl-D does

Ctrl-C ends a reply. A text that begins with a slash is written with two.
";

/// Talks until the person ends it.
pub async fn talk(
    ground: &Ground<'_>,
    session: &Session<'_>,
    conversation: &mut Conversation,
) -> anyhow::Result<()> {
    let terminal = ground.terminal;
    let mut pen = Pen::new(ground)?;
    greet(session, conversation, terminal).await?;
    loop {
        let Some(line) = pen.read(terminal)? else {
            break;
        };
        let text = match said(&line) {
            Said::Nothing => continue,
            Said::Exit => break,
            Said::Help => {
                print(&format!("{HELP}\n"))?;
                continue;
            }
            Said::New => {
                let model = std::mem::take(&mut conversation.model);
                *conversation = Conversation {
                    model,
                    ..Conversation::default()
                };
                quietly("a new conversation", terminal)?;
                continue;
            }
            Said::Model(name) => {
                choose_model(session, conversation, name, terminal).await?;
                continue;
            }
            Said::Unknown(word) => {
                let line = format!("there is no {word}; /help tells what there is");
                quietly(&line, terminal)?;
                continue;
            }
            Said::Text(text) => text,
        };
        print("\n")?;
        if let Err(error) = answer(session, conversation, text, terminal).await {
            if Trouble::is_interrupt(&error) {
                quietly(&error.to_string(), terminal)?;
            } else if matches!(exit_of(&error), NOT_ALLOWED | UNREACHABLE) {
                return Err(error);
            } else {
                complain(&error);
            }
        }
        print("\n")?;
    }
    if !conversation.id.is_empty() {
        let line = format!("atelier chat --conversation {}", conversation.id);
        quietly(&format!("goes on with: {line}"), terminal)?;
    }
    Ok(())
}

async fn answer(
    session: &Session<'_>,
    conversation: &mut Conversation,
    text: String,
    terminal: Terminal,
) -> anyhow::Result<()> {
    // Each reply hears only the Ctrl-C that is meant for it.
    let mut interrupts = Interrupts::of_terminal()?;
    let reply = Reply::new(session, conversation, text).await?;
    reply
        .listen(terminal, Look::Painted, &mut interrupts)
        .await?;
    Ok(())
}

async fn greet(
    session: &Session<'_>,
    conversation: &Conversation,
    terminal: Terminal,
) -> anyhow::Result<()> {
    let models = super::models(session).await?;
    let model = models.iter().find(|model| {
        model.id == conversation.model || (conversation.model.is_empty() && model.is_default)
    });
    let who = model.map_or_else(
        || conversation.model.clone(),
        |model| format!("{} ({})", model.id, model.provider),
    );
    quietly(
        &format!("{who} · /help tells what there is, Ctrl-D ends"),
        terminal,
    )?;
    if !conversation.title.is_empty() {
        quietly(&format!("going on with: {}", conversation.title), terminal)?;
    }
    print("\n")
}

async fn choose_model(
    session: &Session<'_>,
    conversation: &mut Conversation,
    name: Option<&str>,
    terminal: Terminal,
) -> anyhow::Result<()> {
    let models = super::models(session).await?;
    match name {
        Some(name) if models.iter().any(|model| model.id == name) => {
            name.clone_into(&mut conversation.model);
            quietly(&format!("{name} is asked from now on"), terminal)
        }
        Some(name) => quietly(
            &format!("there is no model {name}: /model lists them"),
            terminal,
        ),
        None => {
            for model in models {
                let line = format!("{:<24} {}", model.id, model.description);
                print(&format!("{}\n", plain(line.trim_end())))?;
            }
            Ok(())
        }
    }
}

/// The chat's own words, quieter than those of the conversation.
fn quietly(line: &str, terminal: Terminal) -> anyhow::Result<()> {
    let line = plain(line);
    let line = console::style(line).dim().force_styling(terminal.colour);
    print(&format!("{line}\n"))
}

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Nothing,
    Text(String),
    Help,
    New,
    Model(Option<&'a str>),
    Exit,
    Unknown(&'a str),
}

fn said(line: &str) -> Said<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Said::Nothing;
    }
    if let Some(text) = line.strip_prefix("//") {
        return Said::Text(format!("/{text}"));
    }
    if !line.starts_with('/') {
        return Said::Text(line.to_owned());
    }
    let mut words = line.split_whitespace();
    match (words.next().unwrap_or_default(), words.next()) {
        ("/help", None) => Said::Help,
        ("/new", None) => Said::New,
        ("/exit" | "/quit", None) => Said::Exit,
        ("/model", name) => Said::Model(name),
        (word, _) => Said::Unknown(word),
    }
}

/// The line editor and its history.
struct Pen {
    editor: Editor<(), FileHistory>,
    history: PathBuf,
}

impl Pen {
    fn new(ground: &Ground<'_>) -> anyhow::Result<Self> {
        let folder = &ground.client.folder;
        private_folder(folder)?;
        let config = Config::builder()
            .max_history_size(HISTORY_LINES)?
            // A line that begins with a space is forgotten, as in a shell.
            .history_ignore_space(true)
            .history_ignore_dups(true)?
            .build();
        let mut editor = Editor::with_config(config).context("the terminal cannot be edited in")?;
        let history = folder.join(HISTORY);
        // There is none at first, and one that cannot be read is not worth an end.
        let _ = editor.load_history(&history);
        Ok(Self { editor, history })
    }

    /// Reads a line; none when the person is done.
    ///
    /// It waits on this thread: the others go on with the connection, and with the mesh where it runs here.
    fn read(&mut self, terminal: Terminal) -> anyhow::Result<Option<String>> {
        let prompt = "› ";
        let styled = console::style(prompt)
            .cyan()
            .bold()
            .force_styling(terminal.colour);
        loop {
            match self.editor.readline(&(prompt, styled.to_string())) {
                Ok(line) => {
                    if self.editor.add_history_entry(line.as_str())? {
                        self.editor
                            .append_history(&self.history)
                            .with_context(|| self.history.display().to_string())?;
                    }
                    return Ok(Some(line));
                }
                Err(ReadlineError::Interrupted) => quietly("Ctrl-D ends", terminal)?,
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error).context("the terminal"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_word_of_the_chats_own() {
        assert_eq!(said("  "), Said::Nothing);
        assert_eq!(said("/help "), Said::Help);
        assert_eq!(said("/new"), Said::New);
        assert_eq!(said("/quit"), Said::Exit);
        assert_eq!(said("/model"), Said::Model(None));
        assert_eq!(said("/model m-1"), Said::Model(Some("m-1")));
        assert_eq!(said("/foo bar"), Said::Unknown("/foo"));
        assert_eq!(said("//etc/hosts"), Said::Text("/etc/hosts".to_owned()));
        assert_eq!(said(" hello "), Said::Text("hello".to_owned()));
    }
}
