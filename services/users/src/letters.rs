//! What the mails say; whom they go to and when is not decided here.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use crate::emails::{Purpose, Waiting};
use crate::mail_token::MailToken;
use crate::ports::Mail;

/// Writes mails.
pub(crate) struct Letters {
    /// The link, with `{purpose}` and `{token}` in it.
    link: String,
    key: hmac::Key,
}

impl Letters {
    /// Writes mails with links made of a template, and tokens made under a key.
    pub(crate) fn new(link: String, key: &[u8; 32]) -> Self {
        Self {
            link,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The token of a mail; only that of a mail whose purpose has a lifetime is ever told.
    pub(crate) fn token(&self, mail: &Waiting) -> MailToken {
        MailToken::of_mail(&self.key, &mail.id)
    }

    /// Writes a mail.
    pub(crate) fn write(&self, mail: &Waiting) -> Mail {
        let link = mail.purpose.lifetime().map(|_| {
            let link = self
                .link
                .replace("{purpose}", mail.purpose.name())
                .replace("{token}", self.token(mail).expose());
            SecretString::from(link)
        });
        let (subject, before, after) = words(mail.purpose);
        let text = match &link {
            Some(link) => format!("{before}\n\n{}\n\n{after}\n", link.expose_secret()),
            None => format!("{before}\n\n{after}\n"),
        };
        Mail {
            id: mail.id.clone(),
            to: mail.recipient.clone(),
            subject,
            text: text.into(),
            link,
        }
    }
}

/// The subject, and what stands before and after the link. Lines are short: longer ones would be folded, and not be
/// readable in a file.
fn words(purpose: Purpose) -> (&'static str, &'static str, &'static str) {
    match purpose {
        Purpose::Reset => (
            "Set another password for Atelier",
            "Somebody, hopefully you, wants to set another password for the Atelier\n\
             account of this e-mail. This link does it, once, within an hour:",
            "If it was not you, nothing has to be done: without the link, nothing\n\
             changes.",
        ),
        Purpose::Verify => (
            "Verify your e-mail for Atelier",
            "This e-mail was given for an Atelier account. If the account is yours,\n\
             this link shows that you read this e-mail, once, within a day:",
            "If it is not yours, nothing has to be done.",
        ),
        Purpose::Change => (
            "Verify your new e-mail for Atelier",
            "This e-mail was given as the new one of an Atelier account. If the\n\
             account is yours, this link makes the change, once, within a day:",
            "If it is not yours, nothing has to be done.",
        ),
        Purpose::Changing => (
            "Another e-mail is wanted for your Atelier account",
            "Somebody who knows your password wants another e-mail for your Atelier\n\
             account. It changes when a link that was sent there is opened.",
            "If it was not you, change your password now: that ends the link.",
        ),
        Purpose::Changed => (
            "The e-mail of your Atelier account was changed",
            "Your Atelier account has another e-mail from now on, and this one no\n\
             longer signs in.",
            "If it was not you, write to whoever runs this Atelier.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(purpose: Purpose) -> Waiting {
        Waiting {
            id: "0190-1".into(),
            purpose,
            recipient: "ana@x.org".into(),
            user_id: None,
            create_time: 0,
            attempts: 1,
        }
    }

    #[test]
    fn a_mail_with_a_token_has_its_link_and_a_notice_has_none() {
        let letters = Letters::new("https://a.example/{purpose}?t={token}".into(), &[1; 32]);
        for purpose in [Purpose::Reset, Purpose::Verify, Purpose::Change] {
            let waiting = waiting(purpose);
            let mail = letters.write(&waiting);
            let expected = format!(
                "https://a.example/{}?t={}",
                purpose.name(),
                letters.token(&waiting).expose()
            );
            assert_eq!(mail.link.unwrap().expose_secret(), expected);
            assert!(mail.text.expose_secret().contains(&expected));
        }
        for purpose in [Purpose::Changing, Purpose::Changed] {
            let mail = letters.write(&waiting(purpose));
            assert!(mail.link.is_none() && !mail.text.expose_secret().contains("https"));
        }
    }

    #[test]
    fn lines_are_short_enough_to_be_read_in_a_file() {
        let letters = Letters::new("http://localhost:8080/#{purpose}={token}".into(), &[1; 32]);
        for purpose in Purpose::ALL {
            let mail = letters.write(&waiting(purpose));
            let text = mail.text.expose_secret();
            assert!(text.is_ascii() && mail.subject.is_ascii());
            assert!(text.lines().all(|line| line.len() <= 76), "{text}");
        }
    }
}
