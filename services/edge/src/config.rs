//! What the edge is told: who may call from a browser, what it is called from outside, and how much it takes on.

use atelier_kit::config::{Setting, Settings};
use atelier_kit::followed::FollowedFile;
use url::Url;

use crate::address::Proxies;
use crate::origins::{Origins, no_origin};

/// Which web pages may call.
pub const CORS_ORIGINS: Setting = Setting::new(
    "ATELIER_CORS_ORIGINS",
    "http://localhost:3000,http://127.0.0.1:3000",
    "The origins of web pages that may call the edge, divided by commas; `*` is any page; its own is always one.",
);

/// The same, as a file that may change.
pub const CORS_ORIGINS_FILE: Setting = Setting::new(
    "ATELIER_CORS_ORIGINS_FILE",
    "",
    "A file of those origins, one on each line, in place of ATELIER_CORS_ORIGINS; it is read again when it changes, and a wrong one changes nothing.",
);

/// What the edge is called from outside.
pub const PUBLIC_URL: Setting = Setting::new(
    "ATELIER_PUBLIC_URL",
    "http://localhost:8080",
    "The URL by which callers reach the edge; by default its port on this machine.",
);

/// How many calls may be under way.
pub const MAX_CALLS: Setting = Setting::new(
    "ATELIER_EDGE_MAX_CALLS",
    "1000",
    "How many calls, streams included, the edge forwards at once; one more is UNAVAILABLE.",
);

/// Whose word about a client's address is taken.
pub const TRUSTED_PROXIES: Setting = Setting::new(
    "ATELIER_TRUSTED_PROXIES",
    "",
    "The proxies before the edge whose x-forwarded-for is believed: networks such as 10.0.0.0/8 or single addresses, divided by commas; nobody's by default.",
);

/// All settings of the edge.
pub const SETTINGS: &[Setting] = &[
    CORS_ORIGINS,
    CORS_ORIGINS_FILE,
    PUBLIC_URL,
    MAX_CALLS,
    TRUSTED_PROXIES,
];

/// The edge's settings, read.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Which web pages may call (`ATELIER_CORS_ORIGINS`, or what its file says at the start), the edge's own among them.
    pub origins: Origins,
    /// The edge's own origins, which no file takes away.
    pub own: Origins,
    /// The file that says which others there are (`ATELIER_CORS_ORIGINS_FILE`), where there is one.
    pub origins_file: Option<FollowedFile>,
    /// The URL by which browsers reach the edge, without a slash at its end (`ATELIER_PUBLIC_URL`).
    pub public_url: String,
    /// How many calls, streams included, are forwarded at once (`ATELIER_EDGE_MAX_CALLS`).
    pub max_calls: usize,
    /// Whose word about a client's address is taken (`ATELIER_TRUSTED_PROXIES`).
    pub proxies: Proxies,
    pub(crate) bare_errors: bool,
}

impl EdgeConfig {
    /// The edge's own errors are a code and a message: for services behind it that know nothing of Atelier, whose
    /// callers expect no details but theirs. Otherwise each has an `ErrorInfo`.
    #[must_use]
    pub fn with_bare_errors(mut self) -> Self {
        self.bare_errors = true;
        self
    }

    /// Reads the settings; what cannot be used is told by [`Settings::finish`].
    pub fn read(settings: &Settings) -> Self {
        let public_url = settings.url(&PUBLIC_URL);
        let mut own = Origins::default();
        if let Some(url) = &public_url {
            own.add_own(url);
        }
        let mut origins = own.clone();
        let meaning = |file: &str, text: &str| own.and_those_of(file, text);
        let mut origins_file = None;
        if settings.text(&CORS_ORIGINS_FILE).is_some() {
            if let Some((file, all)) = settings.file(&CORS_ORIGINS_FILE, meaning) {
                (origins_file, origins) = (Some(file), all);
            }
        } else {
            for text in settings.list(&CORS_ORIGINS) {
                if !origins.add(&text) {
                    settings.problem(&CORS_ORIGINS, &no_origin(&text));
                }
            }
        }
        let mut proxies = Proxies::default();
        for text in settings.list(&TRUSTED_PROXIES) {
            if let Err(what) = proxies.add(&text) {
                settings.problem(&TRUSTED_PROXIES, &what);
            }
        }
        let max_calls = settings
            .number(&MAX_CALLS, 1..=1_000_000)
            .unwrap_or_default();
        Self {
            origins,
            own,
            origins_file,
            public_url: public_url
                .map(|url| url.as_str().trim_end_matches('/').to_owned())
                .unwrap_or_default(),
            max_calls: usize::try_from(max_calls).unwrap_or(usize::MAX),
            proxies,
            bare_errors: false,
        }
    }

    /// Tells the edge where it really is, once its port is known; pages of that origin are its own.
    pub fn reached_at(&mut self, url: &Url) {
        self.origins.add_own(url);
        self.own.add_own(url);
        url.as_str()
            .trim_end_matches('/')
            .clone_into(&mut self.public_url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (EdgeConfig, Result<(), String>) {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings = Settings::new(pairs);
        let config = EdgeConfig::read(&settings);
        let declared: Vec<&Setting> = SETTINGS.iter().collect();
        (config, settings.finish(&declared).map_err(|error| error.0))
    }

    #[test]
    fn without_settings_the_usual_local_pages_may_call_and_no_other() {
        let (config, finished) = read(&[]);
        assert_eq!(finished, Ok(()));
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
        ] {
            assert!(config.origins.allow(origin), "{origin}");
        }
        for origin in [
            "http://localhost:3001",
            "https://localhost:3000",
            "http://evil.example",
            "null",
            "",
        ] {
            assert!(!config.origins.allow(origin), "{origin}");
        }
    }

    #[test]
    fn origins_are_compared_as_browsers_write_them() {
        let (config, finished) = read(&[
            (
                "ATELIER_CORS_ORIGINS",
                "HTTPS://App.Example.com:443/, http://b:80",
            ),
            ("ATELIER_PUBLIC_URL", "https://atelier.example/"),
        ]);
        assert_eq!(finished, Ok(()));
        assert!(config.origins.allow("https://app.example.com"));
        assert!(config.origins.allow("http://b"));
        assert!(config.origins.allow("https://atelier.example"));
        assert!(!config.origins.allow("http://localhost:3000"));
        assert!(!config.origins.allow("http://localhost"));
        assert_eq!(config.public_url, "https://atelier.example");
    }

    #[test]
    fn a_file_is_in_place_of_the_list_and_a_wrong_one_is_one_clear_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("origins");
        let path = path.to_str().unwrap();
        std::fs::write(path, "https://app.example.com\n").unwrap();
        let settings = [("ATELIER_CORS_ORIGINS_FILE", path)];
        let (config, finished) = read(&settings);
        assert_eq!(finished, Ok(()));
        for (origin, may) in [
            ("https://app.example.com", true),
            ("http://localhost:8080", true),
            ("http://localhost:3000", false),
        ] {
            assert_eq!(config.origins.allow(origin), may, "{origin}");
        }
        std::fs::write(path, "https://app.example.com\nnobody\n").unwrap();
        let line = read(&settings).1.unwrap_err();
        let start = format!("ATELIER_CORS_ORIGINS_FILE: {path}: line 2: ");
        assert!(line.starts_with(&start), "{line}");
    }

    #[test]
    fn what_is_no_origin_is_one_clear_line() {
        for bad in [
            "app.example.com",
            "https://a/path",
            "ftp://a",
            "https://*.a/x",
            "null",
        ] {
            let (_, finished) = read(&[("ATELIER_CORS_ORIGINS", bad)]);
            let line = finished.unwrap_err();
            assert!(line.starts_with("ATELIER_CORS_ORIGINS: "), "{line}");
        }
        assert!(
            read(&[("ATELIER_CORS_ORIGINS", "*")])
                .0
                .origins
                .allow("https://anything")
        );
    }
}
