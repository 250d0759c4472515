//! What every client of somebody else's API needs before it asks and when it is refused; it makes no call itself.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::config::{Setting, Settings};

/// How many characters of an API's own words are kept.
const QUOTED_CHARS: usize = 300;

/// Makes sure that the process has its one crypto library, without which no TLS client can be built. Any number of
/// calls are as good as one; a library that was chosen before stays.
pub fn crypto() {
    // An error says that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// An OpenAI-compatible API and the models to offer from it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The base URL.
    pub url: Url,
    /// The key, where one is needed.
    pub key: Option<SecretString>,
    /// The models to offer; at least one.
    pub models: Vec<String>,
}

impl Upstream {
    /// Reads it from its three settings; `None` when there is no URL. An URL without models, or models without a URL,
    /// is a problem of the settings. Of the schemes besides those of the web one is taken: `simulator`.
    pub fn read(
        settings: &Settings,
        url: &Setting,
        key: &Setting,
        models: &Setting,
        simulator: &str,
    ) -> Option<Self> {
        let named = settings.list(models);
        let Some(base) = settings.url_or(url, Some(simulator)) else {
            if !named.is_empty() {
                settings.problem(models, &format!("needs {}", url.name));
            }
            return None;
        };
        if named.is_empty() {
            settings.problem(
                models,
                &format!("must name at least one model of {}", url.name),
            );
        }
        Some(Self {
            url: base,
            key: settings.secret(key),
            models: named,
        })
    }
}

/// What an API said when it refused, fit for a log: without the key, which some repeat, and at most 300 characters.
pub fn quote(said: &str, key: Option<&SecretString>) -> String {
    let key = key.map_or("", |key| key.expose_secret());
    let said = if key.is_empty() {
        said.to_owned()
    } else {
        said.replace(key, "[key]")
    };
    said.chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_hidden_also_where_the_quotation_is_cut() {
        let key = SecretString::from("sk-secret");
        let said = format!("{}sk-secret is wrong", "x".repeat(295));
        let quoted = quote(&said, Some(&key));
        assert_eq!(quoted, format!("{}[key]", "x".repeat(295)));
        assert_eq!(quote("sk-secret is wrong", Some(&key)), "[key] is wrong");
        assert_eq!(quote("no", None), "no");
        assert_eq!(quote("no", Some(&SecretString::from(""))), "no");
    }

    #[test]
    fn the_crypto_library_may_be_asked_for_twice() {
        crypto();
        crypto();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
