//! A mail in the form in which mails travel (RFC 5322); nothing is sent here.

use std::str::FromStr;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use secrecy::ExposeSecret as _;

use crate::ports::{Mail, MailError};

/// Who mails come from, as in `Atelier <atelier@example.org>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Nobody on this machine: for mails that go nowhere else.
    pub(crate) fn here() -> Self {
        Self(Mailbox::new(
            Some("Atelier".to_owned()),
            lettre::Address::new("atelier", "localhost")
                .unwrap_or_else(|_| unreachable!("it is an address")),
        ))
    }
}

impl FromStr for Sender {
    type Err = lettre::address::AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A mail as it travels. [`MailError::Refused`] for a recipient that no mail can be addressed to.
pub(super) fn message(sender: &Sender, mail: &Mail) -> Result<Message, MailError> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| MailError::Refused(error);
    // Not from text: `Mailbox` would read a name and another address out of it.
    let to = mail.to.parse().map_err(|error| refused(Box::new(error)))?;
    Message::builder()
        .from(sender.0.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject)
        // The same for a mail that is sent again, so that who gets both can tell.
        .message_id(Some(format!("<{}@{}>", mail.id, sender.0.email.domain())))
        .header(ContentType::TEXT_PLAIN)
        // RFC 3834: so that no holiday notice answers.
        .header(AutoSubmitted)
        .body(mail.text.expose_secret().to_owned())
        .map_err(|error| refused(Box::new(error)))
}

/// Says that a program wrote the mail.
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str) -> Mail {
        Mail {
            id: "0190-1".into(),
            to: to.into(),
            subject: "A subject",
            text: "See:\n\nhttp://localhost:8080/#reset=abc\n"
                .to_owned()
                .into(),
            link: None,
        }
    }

    #[test]
    fn a_mail_is_readable_as_it_travels() {
        let sender: Sender = "Atelier <atelier@x.org>".parse().unwrap();
        let message = message(&sender, &mail("ana@y.org")).unwrap().formatted();
        let text = String::from_utf8(message).unwrap();
        for line in [
            "From: Atelier <atelier@x.org>",
            "To: ana@y.org",
            "Subject: A subject",
            "Message-ID: <0190-1@x.org>",
            "Auto-Submitted: auto-generated",
            "Content-Transfer-Encoding: 7bit",
            "http://localhost:8080/#reset=abc",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn a_recipient_is_one_address_and_nothing_else() {
        let sender: Sender = "atelier@x.org".parse().unwrap();
        for bad in [
            "<b@x.org>",
            "ana<b@x.org>",
            "a@x.org,b@x.org",
            "a@x.org\r\nBcc: b@x.org",
            "a",
            "",
        ] {
            assert!(
                matches!(message(&sender, &mail(bad)), Err(MailError::Refused(_))),
                "{bad:?}"
            );
        }
    }
}
