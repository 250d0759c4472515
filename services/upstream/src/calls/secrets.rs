//! What must be hidden in whatever is told of a provider: its keys, and the passwords of its URLs.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How many characters of an API's own words are kept.
const QUOTED_CHARS: usize = 300;
/// What stands where a secret was.
const HIDDEN: &str = "[key]";

/// From how many bytes on a secret is hidden in what a model says. A short one is no secret: servers that want none
/// are given `none` or `EMPTY`, which a reply may well have.
const WORD_BYTES: usize = 16;

/// All that a provider's answers may repeat and nobody may see. Cheap to clone; without any by default.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<[SecretString]>);

impl Secrets {
    pub(super) fn new<'a>(keys: impl Iterator<Item = &'a SecretString>, endpoints: &[Url]) -> Self {
        let mut found = Vec::new();
        for key in keys {
            found.push(key.expose_secret().to_owned());
        }
        for url in endpoints {
            if let Some(pair) = basic(url) {
                found.push(pair.encoded());
                found.push(pair.password);
            }
        }
        // As it stands in a document of JSON.
        let written: Vec<String> = found
            .iter()
            .filter_map(|secret| serde_json::to_string(secret).ok())
            .map(|text| text[1..text.len() - 1].to_owned())
            .collect();
        found.extend(written);
        found.retain(|secret| !secret.is_empty());
        // One that has another within it goes first, or half of it would stay.
        found.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found.into_iter().map(SecretString::from).collect())
    }

    fn without<'a>(&self, text: &'a str, from_bytes: usize) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter().map(SecretString::expose_secret) {
            if secret.len() >= from_bytes && text.contains(secret) {
                text = Cow::Owned(text.replace(secret, HIDDEN));
            }
        }
        text
    }

    /// What an API said, fit for a log: without them, and at most 300 characters.
    pub fn quote(&self, said: &str) -> String {
        // Hidden before it is cut: a cut within a secret would leave the first half of it.
        self.without(said, 1).chars().take(QUOTED_CHARS).collect()
    }

    /// What a model said, fit for its reader: whole, without those of them that are no word.
    pub(super) fn hide(&self, said: String) -> String {
        match self.without(&said, WORD_BYTES) {
            Cow::Borrowed(_) => said,
            Cow::Owned(hidden) => hidden,
        }
    }
}

/// A name and a password.
pub(super) struct Pair {
    name: String,
    password: String,
}

impl Pair {
    fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.name, self.password))
    }

    /// As they are sent.
    pub(super) fn header(&self) -> String {
        format!("Basic {}", self.encoded())
    }
}

/// The name and the password of a URL.
pub(super) fn basic(url: &Url) -> Option<Pair> {
    let plain = |text: &str| {
        let text = percent_encoding::percent_decode_str(text);
        text.decode_utf8_lossy().into_owned()
    };
    let name = plain(url.username());
    let password = plain(url.password().unwrap_or_default());
    (!name.is_empty() || !password.is_empty()).then_some(Pair { name, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(keys: &[&str], urls: &[&str]) -> Secrets {
        let keys: Vec<SecretString> = keys.iter().map(|key| SecretString::from(*key)).collect();
        let urls: Vec<Url> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        Secrets::new(keys.iter(), &urls)
    }

    #[test]
    fn a_secret_is_hidden_also_where_the_quotation_is_cut() {
        let secrets = secrets(&["sk-secret"], &[]);
        let said = format!("{}sk-secret is wrong", "x".repeat(295));
        assert_eq!(secrets.quote(&said), format!("{}[key]", "x".repeat(295)));
        assert_eq!(secrets.quote("sk-secret is wrong"), "[key] is wrong");
        assert_eq!(secrets.quote("no"), "no");
    }

    #[test]
    fn every_secret_is_hidden_in_every_form_that_is_sent() {
        let secrets = secrets(
            &["sk-one", "sk-one-longer", "odd\"key", ""],
            &["http://ana:p%40ss-0815@api.example/v1"],
        );
        for said in [
            "sk-one",
            "sk-one-longer",
            "odd\"key",
            "odd\\\"key",
            "p@ss-0815",
            "YW5hOnBAc3MtMDgxNQ==",
        ] {
            assert_eq!(secrets.quote(&format!("<{said}>")), "<[key]>", "{said}");
        }
        assert_eq!(self::secrets(&[""], &[]).quote("no"), "no");
    }

    #[test]
    fn a_model_may_say_a_word_that_stands_for_no_key() {
        let said = "{\"content\":\"none of it, sk-long-enough-4711\"}".to_owned();
        let hidden = secrets(&["none", "sk-long-enough-4711"], &[]).hide(said.clone());
        assert_eq!(hidden, said.replace("sk-long-enough-4711", "[key]"));
    }

    proptest::proptest! {
        #[test]
        fn wherever_a_secret_stands_it_is_hidden(before in ".{0,310}", after in ".{0,40}", times in 1_usize..4) {
            let said = format!("{before}{}{after}", "sk-secret-4711".repeat(times));
            let quoted = secrets(&["sk-secret-4711"], &[]).quote(&said);
            proptest::prop_assert!(!quoted.contains("sk-secret"), "{quoted}");
            proptest::prop_assert!(quoted.chars().count() <= QUOTED_CHARS);
        }
    }
}
