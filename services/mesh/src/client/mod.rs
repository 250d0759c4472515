//! The client in a shell: every command that speaks to a mesh, by the public contract alone.
//!
//! Results go to standard output, everything else to standard error. What can be refused without a mesh is refused
//! before one is looked for.

mod account;
mod chat;
mod connection;
mod credentials;
pub mod credits;
pub mod demo;
mod export;
mod generation;
mod image;
mod interrupt;
pub mod json;
mod leaving;
mod markdown;
mod object;
mod output;
mod place;
mod progress;
mod say;
mod session;
pub mod settings;
pub mod terminal;
pub mod trouble;

use std::io::Read as _;
use std::time::Duration;

use atelier_kit::config::Settings;
use clap::CommandFactory as _;

use crate::args::{Args, ClientCommand};
use place::Site;
use progress::Progress;
use session::Session;
use settings::ClientConfig;
use terminal::Terminal;
use trouble::Trouble;

/// More than the contract lets anybody say.
const MAX_INPUT_BYTES: u64 = 1024 * 1024;

/// How long the end may take without a word.
const AT_ONCE: Duration = Duration::from_millis(500);

/// What every command stands on.
pub struct Ground<'a> {
    /// The client's own settings.
    pub client: ClientConfig,
    /// What the terminal is.
    pub terminal: Terminal,
    settings: &'a Settings,
    args: &'a Args,
}

/// Runs a command.
pub async fn run(command: ClientCommand, settings: &Settings, args: &Args) -> anyhow::Result<()> {
    if let ClientCommand::Completions { shell } = command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "atelier", &mut script);
        return terminal::print(&String::from_utf8(script)?);
    }
    let client = ClientConfig::read(settings)?;
    let ground = Ground {
        terminal: Terminal::look(client.dumb),
        client,
        settings,
        args,
    };
    match command {
        ClientCommand::Chat(chat) => chat::run(&ground, chat).await,
        ClientCommand::Image(image) => image::run(&ground, image).await,
        ClientCommand::Say(say) => say::run(&ground, say).await,
        ClientCommand::Login(login) => account::login(&ground, login).await,
        ClientCommand::Logout(_) => account::logout(&ground).await,
        ClientCommand::Whoami(whoami) => account::whoami(&ground, whoami).await,
        ClientCommand::Usage(usage) => account::usage(&ground, usage).await,
        ClientCommand::Credits(credits) => credits::run(&ground, credits).await,
        ClientCommand::Export(export) => export::run(&ground, export).await,
        ClientCommand::DeleteAccount(delete) => leaving::run(&ground, delete).await,
        ClientCommand::Demo(demo) => demo::run(&ground, demo).await,
        ClientCommand::Completions { .. } => Ok(()),
    }
}

impl Ground<'_> {
    /// Finds the mesh, or starts it, does the work there, and ends what was started.
    pub async fn visit<R>(
        &self,
        work: impl AsyncFnOnce(&Session<'_>) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let looking = Progress::new(self.terminal, "looking for Atelier");
        let site = self.site().await?;
        let connection = match site.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                site.close().await;
                return Err(error);
            }
        };
        looking.end();
        let session = Session::new(self, site, connection);
        let worked = work(&session).await;
        let mut closing = std::pin::pin!(session.close());
        if tokio::time::timeout(AT_ONCE, &mut closing).await.is_err() {
            let waiting = Progress::new(self.terminal, "waiting for others that use this mesh");
            closing.await;
            waiting.end();
        }
        worked
    }

    /// Where the mesh is; it is started where there is none.
    pub async fn site(&self) -> anyhow::Result<Site> {
        Site::find(&self.client, self.settings, self.args).await
    }
}

/// The words of the command line as one text, or all of standard input where they say so.
fn words(words: &[String]) -> anyhow::Result<String> {
    if !(words.is_empty() || words == ["-"]) {
        return Ok(words.join(" "));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_INPUT_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(Trouble::usage("standard input has more than can be said at once").into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Trouble::usage("standard input is not text in UTF-8"))?;
    if text.trim().is_empty() {
        return Err(
            Trouble::usage("there is no text: give it as words or on standard input").into(),
        );
    }
    Ok(text)
}
