//! The settings of the service; token lifetimes are constants of the contract and no settings.

mod sign_in;

use std::time::Duration;

use atelier_kit::config::{Setting, Settings};
use atelier_kit::followed::FollowedFile;
use atelier_kit::identity::KEY_LEAD;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::openid::OpenIdServer;
use crate::plans::{PLANS, Plans};
use crate::post::{Sender, SmtpServer};

/// How long a spent refresh token may be presented again.
pub const REFRESH_GRACE_SECONDS: Setting = Setting::new(
    "ATELIER_REFRESH_GRACE_SECONDS",
    "60",
    "How many seconds after its exchange a refresh token may be presented again and gets the identical pair: 0 to 600.",
);

/// How long a new signing key is published before it signs.
pub const KEY_LEAD_SECONDS: Setting = Setting::new(
    "ATELIER_KEY_LEAD_SECONDS",
    "90",
    "How many seconds a new signing key is published before it signs, the same in every process of a mesh: 12 to 3600. Below 90 \
     services ask for unknown keys more often than once a minute, and clocks must agree within an eighteenth of it.",
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

/// How long an anonymous account is kept.
pub const ANONYMOUS_DAYS: Setting = Setting::new(
    "ATELIER_ANONYMOUS_DAYS",
    "30",
    "How many days after its last use an anonymous account is deleted, with all that it has made: 1 to 3650.",
);

/// All settings of the service.
pub const SETTINGS: &[Setting] = &[
    REFRESH_GRACE_SECONDS,
    KEY_LEAD_SECONDS,
    SMTP_URL,
    MAIL_FROM,
    MAIL_LINK,
    ANONYMOUS_DAYS,
    PLANS,
    sign_in::OIDC_ISSUER,
    sign_in::OIDC_CLIENT_ID,
    sign_in::OIDC_CLIENT_SECRET,
    sign_in::OIDC_NAME,
    sign_in::OIDC_REDIRECT_URIS,
];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads `ATELIER_KEY_LEAD_SECONDS`, which every process needs: those with the keys, and those that verify.
pub fn key_lead(settings: &Settings) -> Duration {
    settings
        .number(&KEY_LEAD_SECONDS, 12..=3600)
        .map_or(KEY_LEAD, Duration::from_secs)
}

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
    /// `ATELIER_KEY_LEAD_SECONDS`, 90 seconds by default.
    pub key_lead: Duration,
    /// How often what has passed is erased. No variable sets it: it bounds how long a sealed pair outlives its grace.
    pub sweep_every: Duration,
    /// How mails are sent.
    pub mails: MailConfig,
    /// `ATELIER_ANONYMOUS_DAYS`, 30 days by default.
    pub anonymous_for: Duration,
    /// How often is looked for services that are to be asked again to erase something. No variable sets it.
    pub erase_every: Duration,
    /// Who else accounts may sign in with; `None` for nobody.
    pub provider: Option<OpenIdServer>,
    /// What `ATELIER_PLANS` says at the start, else what is built in.
    pub plans: Plans,
    /// The file that `ATELIER_PLANS` names, where there is one.
    pub plans_file: Option<FollowedFile>,
    /// How often is looked for credits that have expired and generations that nobody has settled. No variable sets it.
    pub rounds_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            refresh_grace: Duration::from_secs(60),
            key_lead: KEY_LEAD,
            sweep_every: Duration::from_secs(10),
            mails: MailConfig::default(),
            anonymous_for: 30 * DAY,
            erase_every: Duration::from_millis(500),
            provider: None,
            plans: Plans::default(),
            plans_file: None,
            rounds_every: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Reads the settings; what cannot be used is told by `Settings::finish`.
    pub fn read(settings: &Settings) -> Self {
        let fallback = Self::default();
        let (plans_file, plans) = settings.file(&PLANS, Plans::read).unzip();
        Self {
            refresh_grace: settings
                .number(&REFRESH_GRACE_SECONDS, 0..=600)
                .map_or(fallback.refresh_grace, Duration::from_secs),
            key_lead: key_lead(settings),
            sweep_every: fallback.sweep_every,
            mails: MailConfig::read(settings),
            anonymous_for: settings
                .number(&ANONYMOUS_DAYS, 1..=3650)
                .and_then(|days| u32::try_from(days).ok())
                .map_or(fallback.anonymous_for, |days| days * DAY),
            erase_every: fallback.erase_every,
            provider: sign_in::read(settings),
            plans: plans.unwrap_or(fallback.plans),
            plans_file,
            rounds_every: fallback.rounds_every,
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
        assert_eq!(read.key_lead, Config::default().key_lead);
        let set = Settings::new([("ATELIER_REFRESH_GRACE_SECONDS".to_owned(), "5".to_owned())]);
        assert_eq!(Config::read(&set).refresh_grace, Duration::from_secs(5));
        assert_eq!(read.anonymous_for, Config::default().anonymous_for);
        let set = Settings::new([("ATELIER_ANONYMOUS_DAYS".to_owned(), "2".to_owned())]);
        assert_eq!(Config::read(&set).anonymous_for, 2 * DAY);
        for bad in ["0", "3651", "a month"] {
            assert!(told(&[("ATELIER_ANONYMOUS_DAYS", bad)]).starts_with("ATELIER_ANONYMOUS_DAYS"));
        }
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
    fn a_provider_is_set_whole_and_told_without_its_secret() {
        let issuer = ("ATELIER_OIDC_ISSUER", "https://accounts.google.com");
        let client = ("ATELIER_OIDC_CLIENT_ID", "mesh");
        let uris = (
            "ATELIER_OIDC_REDIRECT_URIS",
            "https://app.example/back, http://127.0.0.1/back",
        );
        let secret = ("ATELIER_OIDC_CLIENT_SECRET", "hunter2");
        let name = ("ATELIER_OIDC_NAME", "—");
        for (pairs, says) in [
            (&[issuer, client, uris, secret][..], ""),
            (&[issuer, client, uris], ""),
            (&[issuer, uris], "ATELIER_OIDC_CLIENT_ID: must be set"),
            (&[issuer, client], "ATELIER_OIDC_REDIRECT_URIS: must be set"),
            (&[client], "ATELIER_OIDC_CLIENT_ID: needs"),
            (&[secret], "ATELIER_OIDC_CLIENT_SECRET: needs"),
            (&[uris], "ATELIER_OIDC_REDIRECT_URIS: needs"),
            (&[name], "ATELIER_OIDC_NAME: needs"),
            (
                &[issuer, client, uris, name],
                "ATELIER_OIDC_NAME: must have",
            ),
            (
                &[("ATELIER_OIDC_ISSUER", "http://id.example"), client, uris],
                "ATELIER_OIDC_ISSUER: ",
            ),
            (
                &[issuer, client, ("ATELIER_OIDC_REDIRECT_URIS", "/back")],
                "ATELIER_OIDC_REDIRECT_URIS: ",
            ),
        ] {
            let told = told(pairs);
            assert!(
                told.starts_with(says) && told.is_empty() == says.is_empty(),
                "{told}"
            );
            assert!(!told.contains("hunter2"));
        }
        let set = [issuer, client, uris, secret];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let read = Config::read(&Settings::new(set));
        assert!(!format!("{read:?}").contains("hunter2"));
        assert_eq!(read.provider.unwrap().id, "google");
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
