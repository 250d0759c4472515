//! Ways to send a mail; what it says and whether it is sent again is not decided here.

mod folder;
mod message;
mod smtp;

pub(crate) use folder::FolderMailer;
pub use message::Sender;
pub(crate) use smtp::SmtpMailer;
pub use smtp::SmtpServer;
