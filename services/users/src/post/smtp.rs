//! Mails by SMTP, over TLS wherever a password or a foreign network is in play; it waits for nobody longer than told.

use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::response::{Category, Severity};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::message::{Sender, message};
use crate::ports::{Mail, MailError, Mailer};

/// How long one step of the conversation may take.
const STEP: Duration = Duration::from_secs(10);

/// A mail server, as `ATELIER_SMTP_URL` names it.
#[derive(Clone)]
pub struct SmtpServer {
    url: SecretString,
    /// Host and port.
    told: String,
}

impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpServer({})", self.told)
    }
}

impl SmtpServer {
    /// Reads a URL: `smtps://` speaks TLS from the beginning, `smtp://` when the server offers it (STARTTLS), and never
    /// without when there is a password and the server is not this machine. An error never tells the password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
        let port = match url.scheme() {
            "smtp" => 587,
            "smtps" => 465,
            _ => return Err("must be an smtp:// or smtps:// URL".into()),
        };
        let host = match url.host_str() {
            Some(host) if !host.is_empty() => host.to_owned(),
            _ => return Err("must name a host".into()),
        };
        if !matches!(url.query(), None | Some("")) || url.fragment().is_some() {
            return Err("must end after the port".into());
        }
        // For this scheme a host is not looked at by the parser.
        let host = Host::parse(&host).map_err(|error| format!("must name a host: {error}"))?;
        let port = url.port().unwrap_or(port);
        if url.scheme() == "smtp" {
            let here = match &host {
                Host::Domain(name) => name == "localhost",
                Host::Ipv4(address) => address.is_loopback(),
                Host::Ipv6(address) => address.is_loopback(),
            };
            let tls = if url.password().is_some() && !here {
                "tls=required"
            } else {
                "tls=opportunistic"
            };
            url.set_query(Some(tls));
        }
        let server = Self {
            told: format!("{host}:{port}"),
            url: String::from(url).into(),
        };
        // What is wrong with it is told at the start and not with the first mail.
        server
            .transport()
            .map_err(|error| format!("cannot be used: {error}"))?;
        Ok(server)
    }

    fn transport(
        &self,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(self.url.expose_secret())?;
        Ok(builder.timeout(Some(STEP)).build())
    }
}

/// Sends mails to a server.
pub(crate) struct SmtpMailer {
    server: SmtpServer,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
}

impl SmtpMailer {
    /// Sends through a server; a connection is made for each mail.
    pub(crate) fn new(
        server: SmtpServer,
        sender: Sender,
    ) -> Result<Self, lettre::transport::smtp::Error> {
        let transport = server.transport()?;
        Ok(Self {
            server,
            transport,
            sender,
        })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message(&self.sender, mail)?;
        match self.transport.send(message).await {
            Ok(_) => {
                tracing::info!(mail = mail.id, "mail sent");
                Ok(())
            }
            Err(error) if is_final(&error) => Err(MailError::Refused(error.into())),
            Err(error) => Err(MailError::Away(error.into())),
        }
    }

    fn told(&self) -> String {
        format!("smtp {}", self.server.told)
    }
}

/// Whether a server's answer is about this mail and for ever: a 5xx about the mail system (no such mailbox, not wanted)
/// or about the syntax of the address. A wrong password is 5xx too, and is about the settings: the mail waits for them.
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| {
        code.severity == Severity::PermanentNegativeCompletion
            && (code.category == Category::MailSystem || u16::from(code) == 501)
    })
}

#[cfg(test)]
#[path = "smtp_tests.rs"]
mod tests;
