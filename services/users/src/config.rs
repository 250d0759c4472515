//! The settings of the service; token lifetimes are constants of the contract and no settings.

use std::time::Duration;

use atelier_kit::config::{Setting, Settings};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::post::{Sender, SmtpServer};

/// How long a spent refresh token may be presented again.
pub const REFRESH_GRACE_SECONDS: Setting = Setting::new(
    "ATELIER_REFRESH_GRACE_SECONDS",
    "60",
    "How many seconds after its exchange a refresh token may be presented again and gets the identical pair: 0 to 600.",
);

/// The server that sends mails.
pub const SMTP_URL: Setting = Setting::new(
    "ATELIER_SMTP_URL",
    "",
    "The server that sends mails, as smtps://user:password@host:port or smtp://…, which speaks TLS when the server does and \
     always when there is a password; without one, mails are files in the folder `mails` of the users role.",
);

/// Who mails come from.
pub const MAIL_FROM: Setting = Setting::new(
    "ATELIER_MAIL_FROM",
    "Atelier <atelier@localhost>",
    "Who mails come from; to be set where there is a mail server.",
);

/// The links in mails.
pub const MAIL_LINK: Setting = Setting::new(
    "ATELIER_MAIL_LINK",
    "http://localhost:8080/#{purpose}={token}",
    "The links in mails: {purpose} becomes `reset`, `verify` or `change`, {token} the token for ResetPassword or ConfirmEmail.",
);

/// All settings of the service.
pub const SETTINGS: &[Setting] = &[REFRESH_GRACE_SECONDS, SMTP_URL, MAIL_FROM, MAIL_LINK];

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `ATELIER_SMTP_URL`; without one, mails are written into a folder.
    pub smtp: Option<SmtpServer>,
    /// `ATELIER_MAIL_FROM`.
    pub from: Sender,
    /// `ATELIER_MAIL_LINK`, with `{purpose}` and `{token}` in it.
    pub link: String,
    /// How often is looked for mails to try again. No variable sets it.
    pub every: Duration,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            smtp: None,
            from: Sender::here(),
            link: MAIL_LINK.default.to_owned(),
            every: Duration::from_secs(5),
        }
    }
}

impl MailConfig {
    fn read(settings: &Settings) -> Self {
        let fallback = Self::default();
        let smtp = settings.secret(&SMTP_URL).and_then(|url| {
            SmtpServer::parse(url.expose_secret())
                .map_err(|rule| settings.problem(&SMTP_URL, &rule))
                .ok()
        });
        let from = settings.parse(&MAIL_FROM).unwrap_or(fallback.from);
        if smtp.is_some() && from == Sender::here() {
            settings.problem(&MAIL_FROM, "must be set where ATELIER_SMTP_URL is");
        }
        let link = settings.text(&MAIL_LINK).unwrap_or(fallback.link);
        if let Err(rule) = sound(&link) {
            settings.problem(&MAIL_LINK, rule);
        }
        Self {
            smtp,
            from,
            link,
            every: fallback.every,
        }
    }
}

/// Whether links can be made of a template, or the rule that it breaks.
fn sound(link: &str) -> Result<(), &'static str> {
    if !link.contains("{purpose}") || !link.contains("{token}") {
        return Err("must have {purpose} and {token} in it");
    }
    let example = link.replace("{purpose}", "reset").replace("{token}", "x");
    match Url::parse(&example) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err("must be an http:// or https:// URL"),
    }
}

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ATELIER_REFRESH_GRACE_SECONDS`, 60 seconds by default.
    pub refresh_grace: Duration,
    /// How often what has passed is erased. No variable sets it: it bounds how long a sealed pair outlives its grace.
    pub sweep_every: Duration,
    /// How mails are sent.
    pub mails: MailConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            refresh_grace: Duration::from_secs(60),
            sweep_every: Duration::from_secs(10),
            mails: MailConfig::default(),
        }
    }
}

impl Config {
    /// Reads the settings; what cannot be used is told by `Settings::finish`.
    pub fn read(settings: &Settings) -> Self {
        let fallback = Self::default();
        Self {
            refresh_grace: settings
                .number(&REFRESH_GRACE_SECONDS, 0..=600)
                .map_or(fallback.refresh_grace, Duration::from_secs),
            sweep_every: fallback.sweep_every,
            mails: MailConfig::read(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_in_the_table_is_the_default_in_the_code() {
        let read = Config::read(&Settings::default());
        assert_eq!(read.refresh_grace, Config::default().refresh_grace);
        let set = Settings::new([("ATELIER_REFRESH_GRACE_SECONDS".to_owned(), "5".to_owned())]);
        assert_eq!(Config::read(&set).refresh_grace, Duration::from_secs(5));
    }

    fn told(pairs: &[(&str, &str)]) -> String {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let set = Settings::new(pairs);
        Config::read(&set);
        let declared: Vec<&Setting> = SETTINGS.iter().collect();
        set.finish(&declared)
            .err()
            .map_or(String::new(), |error| error.0)
    }

    #[test]
    fn the_defaults_of_mails_are_those_in_the_table() {
        let read = Config::read(&Settings::default()).mails;
        assert!(read.smtp.is_none());
        assert_eq!(read.from, MailConfig::default().from);
        assert_eq!(read.link, MailConfig::default().link);
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_its_password_is_never_told() {
        let server = ("ATELIER_SMTP_URL", "smtps://ana:hunter2@mail.example");
        assert!(told(&[server]).starts_with("ATELIER_MAIL_FROM: must be set"));
        assert_eq!(told(&[server, ("ATELIER_MAIL_FROM", "a@mail.example")]), "");
        let wrong = told(&[("ATELIER_SMTP_URL", "http://ana:hunter2@mail.example")]);
        assert!(wrong.starts_with("ATELIER_SMTP_URL: ") && !wrong.contains("hunter2"));
        assert!(told(&[("ATELIER_MAIL_FROM", "nobody")]).starts_with("ATELIER_MAIL_FROM: "));
    }

    #[test]
    fn links_have_both_of_their_places() {
        for bad in [
            "https://a.example/{token}",
            "https://a.example/{purpose}",
            "ftp://a.example/{purpose}/{token}",
            "{purpose}{token}",
        ] {
            assert!(
                told(&[("ATELIER_MAIL_LINK", bad)]).starts_with("ATELIER_MAIL_LINK: "),
                "{bad}"
            );
        }
        assert_eq!(
            told(&[("ATELIER_MAIL_LINK", "https://a.example/{purpose}?t={token}")]),
            ""
        );
    }

    #[test]
    fn a_grace_out_of_bounds_is_refused() {
        let set = Settings::new([("ATELIER_REFRESH_GRACE_SECONDS".to_owned(), "601".to_owned())]);
        Config::read(&set);
        let declared: Vec<&Setting> = SETTINGS.iter().collect();
        assert!(
            set.finish(&declared)
                .unwrap_err()
                .0
                .starts_with("ATELIER_REFRESH_GRACE_SECONDS")
        );
    }
}
