//! The flags of the client's commands; what they do is the client's own room.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use url::Url;

use super::credits::Credits;
use super::help;

/// Which Atelier a command speaks to, and who it speaks as.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Which Atelier")]
pub struct Reach {
    /// A mesh that runs somewhere; without it the one of the data folder is used, or started for this command [env: ATELIER_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub url: Option<Url>,

    /// A PEM file of authorities to trust beside the usual ones, for https [env: ATELIER_CA]
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,

    /// The folder of sign-ins and of the chat's history [env: ATELIER_CONFIG]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub config_dir: Option<PathBuf>,
}

/// What is done as a client of a mesh.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Talks with a model: one reply to TEXT, or a conversation when there is none and this is a terminal
    #[command(after_help = help::CHAT)]
    Chat(Chat),
    /// Paints a picture
    #[command(after_help = help::IMAGE)]
    Image(Image),
    /// Speaks a text
    #[command(after_help = help::SAY)]
    Say(Say),
    /// Signs in, and remembers it
    Login(Login),
    /// Ends the sign-in here and on the server, and forgets it
    Logout(Logout),
    /// Tells who is signed in
    Whoami(Whoami),
    /// Tells what was used
    Usage(Usage),
    /// Tells what may be spent and what is left of today's quotas, and changes the plan
    #[command(after_help = help::CREDITS)]
    Credits(Credits),
    /// Takes along everything that is kept of the account: files in a new folder
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Deletes the account and everything that it has made, for ever
    #[command(after_help = help::DELETE)]
    DeleteAccount(DeleteAccount),
    /// Registers, logs in, chats, draws, speaks, and reads the usage back
    Demo(Demo),
    /// Prints what a shell needs to complete these commands
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The flags of `atelier chat`.
#[derive(Debug, ClapArgs)]
pub struct Chat {
    /// What to say; read from standard input when there is none and that is no terminal, or when it is `-`
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// The model to ask
    #[arg(short, long, value_name = "NAME")]
    pub model: Option<String>,
    /// Goes on with the last conversation
    #[arg(short, long = "continue", conflicts_with = "conversation")]
    pub resume: bool,
    /// Goes on with this conversation
    #[arg(long, value_name = "ID")]
    pub conversation: Option<String>,
    /// Lists the conversations, the one changed last first
    #[arg(long, conflicts_with_all = ["text", "show", "list_models"])]
    pub list: bool,
    /// Prints a conversation
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "list_models"])]
    pub show: Option<String>,
    /// Lists the models that can be asked, the default first
    #[arg(long, conflicts_with = "text")]
    pub list_models: bool,
    /// Results as protobuf JSON, one object a line: a reply is an atelier.llm_chat.v1.Message, --list tells Conversation,
    /// --show Message, --list-models Model
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier image`.
#[derive(Debug, ClapArgs)]
pub struct Image {
    /// What to paint
    #[arg(value_name = "PROMPT", required_unless_present = "list_models")]
    pub prompt: Vec<String>,
    /// The file, or the folder, to write to; `-` for standard output. Without it the file is named after the prompt
    #[arg(short, long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replaces the file when it is there already
    #[arg(short, long)]
    pub force: bool,
    /// The picture's size: each side 64 to 2048 [default: 512x512]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = picture_size)]
    pub size: Option<(i32, i32)>,
    /// The style, one of --list-models
    #[arg(long, value_name = "NAME")]
    pub style: Option<String>,
    /// The same prompt, size, style, model and seed make the same picture, where the provider can
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// The model that paints
    #[arg(short, long, value_name = "NAME")]
    pub model: Option<String>,
    /// Lists the models and the styles, the defaults first
    #[arg(long, visible_alias = "list-styles", conflicts_with = "prompt")]
    pub list_models: bool,
    /// Results as protobuf JSON, one object a line: {"artifact": an atelier.generation.v1.Artifact, "file": where it was
    /// written}; --list-models tells {"model": Model} and {"style": Style} of atelier.text_image.v1
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier say`.
#[derive(Debug, ClapArgs)]
pub struct Say {
    /// What to say; read from standard input when there is none, or when it is `-`
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// The file, or the folder, to write to; `-` for standard output, as it is made. Without it the file is named after
    /// the text
    #[arg(short, long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replaces the file when it is there already
    #[arg(short, long)]
    pub force: bool,
    /// The voice, one of --list-voices
    #[arg(long, value_name = "NAME")]
    pub voice: Option<String>,
    /// The format of the audio
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// How fast: 0.5 to 2
    #[arg(long, value_name = "TIMES", value_parser = times)]
    pub speed: Option<f64>,
    /// How high: 0.5 to 2
    #[arg(long, value_name = "TIMES", value_parser = times)]
    pub pitch: Option<f64>,
    /// Lists the voices, the default first
    #[arg(long, visible_alias = "list-models", conflicts_with = "text")]
    pub list_voices: bool,
    /// Results as protobuf JSON, one object a line: {"artifact": an atelier.generation.v1.Artifact, "file": where it was
    /// written}; --list-voices tells Voice of atelier.tts.v1
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// A format of audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Linear PCM in a RIFF WAVE file
    #[default]
    Wav,
    /// Free Lossless Audio Codec
    Flac,
}

/// The flags of `atelier login`.
#[derive(Debug, ClapArgs)]
pub struct Login {
    /// The account's e-mail
    pub email: String,
    /// Makes the account first
    #[arg(long)]
    pub register: bool,
    /// The name that others see, with --register
    #[arg(long, value_name = "NAME", requires = "register")]
    pub name: Option<String>,
    /// Reads the password from standard input; without it the terminal is asked
    #[arg(long)]
    pub password_stdin: bool,
    /// The account as protobuf JSON: an atelier.users.v1.User
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier logout`.
#[derive(Debug, ClapArgs)]
pub struct Logout {
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier whoami`.
#[derive(Debug, ClapArgs)]
pub struct Whoami {
    /// The account as protobuf JSON: an atelier.users.v1.User
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier usage`.
#[derive(Debug, ClapArgs)]
pub struct Usage {
    /// Of how many days until now
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,
    /// Results as protobuf JSON, one object a line: an atelier.analytics.v1.UsageRow for each day, service and model
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier export`.
#[derive(Debug, ClapArgs)]
pub struct Export {
    /// The folder to write to; it is made, or is empty
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The receipts as protobuf JSON, one object a line: an atelier.privacy.v1.ExportReceipt for each service
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The flags of `atelier delete-account`.
#[derive(Debug, ClapArgs)]
pub struct DeleteAccount {
    /// Deletes without asking for the e-mail
    #[arg(long)]
    pub yes: bool,
    /// Reads the password from standard input; without it the terminal is asked
    #[arg(long, requires = "yes")]
    pub password_stdin: bool,
    /// The code of the authenticator, or a recovery code; the terminal is asked where one is needed
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// The receipts as protobuf JSON, one object a line: an atelier.privacy.v1.ErasureReceipt for each service
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// The demo's own flags.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// What to ask in the chat, beside the demo's own questions
    #[arg(long, value_name = "TEXT")]
    pub ask: Option<String>,
    /// What to draw
    #[arg(
        long,
        value_name = "PROMPT",
        default_value = "a red boat and a lighthouse under a full moon"
    )]
    pub draw: String,
    /// The picture's size
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "768x512", value_parser = size)]
    pub size: (i32, i32),
    /// What to say
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Welcome to Atelier. Your words, your pictures and your voice, on your own machine."
    )]
    pub say: String,
    #[command(flatten)]
    pub reach: Reach,
}

impl ClientCommand {
    /// Which Atelier it speaks to; none for a command that speaks to none.
    pub fn reach(&self) -> Option<&Reach> {
        match self {
            Self::Chat(chat) => Some(&chat.reach),
            Self::Image(image) => Some(&image.reach),
            Self::Say(say) => Some(&say.reach),
            Self::Login(login) => Some(&login.reach),
            Self::Logout(logout) => Some(&logout.reach),
            Self::Whoami(whoami) => Some(&whoami.reach),
            Self::Usage(usage) => Some(&usage.reach),
            Self::Credits(credits) => Some(&credits.reach),
            Self::Export(export) => Some(&export.reach),
            Self::DeleteAccount(delete) => Some(&delete.reach),
            Self::Demo(demo) => Some(&demo.reach),
            Self::Completions { .. } => None,
        }
    }
}

/// A size as the contract allows it.
fn picture_size(text: &str) -> Result<(i32, i32), String> {
    let (width, height) = size(text)?;
    if [width, height]
        .iter()
        .all(|side| (64..=2048).contains(side))
    {
        Ok((width, height))
    } else {
        Err("each side is 64 to 2048".to_owned())
    }
}

/// A speed or a pitch as the contract allows it.
fn times(text: &str) -> Result<f64, String> {
    let times: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.5..=2.0).contains(&times) {
        Ok(times)
    } else {
        Err("it is 0.5 to 2".to_owned())
    }
}

fn size(text: &str) -> Result<(i32, i32), String> {
    let (width, height) = text.split_once(['x', '×']).ok_or("write it as 768x512")?;
    let side = |text: &str| {
        text.trim()
            .parse::<i32>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    Ok((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!(size("64x32"), Ok((64, 32)));
        assert_eq!(size("64×32"), Ok((64, 32)));
        assert!(size("64").is_err());
        assert!(size("64xhigh").is_err());
        assert!(picture_size("63x64").is_err());
        assert_eq!(picture_size("2048x64"), Ok((2048, 64)));
        assert!(times("0.4").is_err());
        assert!(times("NaN").is_err());
    }
}
