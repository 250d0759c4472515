//! The origins of web pages that may call: which they are, and the file that says so, read again when it changes.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use atelier_kit::followed::{FileError, FollowedFile};
use url::Url;

/// A set of origins (RFC 6454) of web pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    any: bool,
    these: BTreeSet<String>,
}

impl Origins {
    /// Whether a page of this origin, as a browser writes it, may call.
    pub fn allow(&self, origin: &str) -> bool {
        self.any || self.these.contains(origin)
    }

    /// Whether a page of any origin may.
    pub fn are_any(&self) -> bool {
        self.any
    }

    /// Adds `*` or one origin, in whatever spelling; `false` when it is neither.
    pub fn add(&mut self, text: &str) -> bool {
        if text == "*" {
            self.any = true;
            return true;
        }
        match Url::parse(text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.host_str().is_some()
                    && url.path() == "/"
                    && url.query().is_none()
                    && url.username().is_empty() =>
            {
                self.these.insert(url.origin().ascii_serialization());
                true
            }
            _ => false,
        }
    }

    /// These and those of a file: one on each line, white space around it and lines that begin with `#` aside.
    pub(crate) fn and_those_of(&self, file: &str, text: &str) -> Result<Self, FileError> {
        let mut all = self.clone();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            let is_said = !line.is_empty() && !line.starts_with('#');
            if is_said && !all.add(line) {
                let what = format!("line {}: {}", at + 1, no_origin(line));
                return Err(FileError::whole(file, &what));
            }
        }
        Ok(all)
    }

    /// Adds the edge's own origin, since a page that the edge serves calls with one too. A loopback address is
    /// known by three names, and people type any of them.
    pub(crate) fn add_own(&mut self, url: &Url) {
        const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
        self.these.insert(url.origin().ascii_serialization());
        if url.host_str().is_some_and(|host| LOOPBACK.contains(&host)) {
            for host in LOOPBACK {
                let mut twin = url.clone();
                if twin.set_host(Some(host)).is_ok() {
                    self.these.insert(twin.origin().ascii_serialization());
                }
            }
        }
    }
}

/// What is said of a text that is none.
pub(crate) fn no_origin(text: &str) -> String {
    format!("{text:?} is not an origin such as https://app.example.com")
}

/// The origins as they are now. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Current(Arc<RwLock<Arc<Origins>>>);

impl Current {
    pub(crate) fn new(origins: Origins) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(origins))))
    }

    /// Those of this moment.
    pub(crate) fn now(&self) -> Arc<Origins> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, origins: Origins) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(origins);
    }

    /// Keeps them as their file says, besides the edge's own; runs until it is dropped. A wrong file changes nothing.
    pub(crate) async fn follow(self, file: FollowedFile, own: Origins) {
        let take = |origins: Origins| {
            let origins = self.open_no_further(origins)?;
            let is_other = origins != *self.now();
            if is_other {
                self.set(origins);
            }
            Ok(is_other)
        };
        let meaning = |file: &str, text: &str| own.and_those_of(file, text);
        let gauge = "atelier_cors_origins_are_good";
        file.keep("the origins of pages", gauge, meaning, take)
            .await;
    }

    /// That any page may call is weighed at the start, where a profile can refuse it, and nowhere else.
    fn open_no_further(&self, origins: Origins) -> Result<Origins, String> {
        if origins.are_any() && !self.now().are_any() {
            return Err("`*` is taken at a start alone".to_owned());
        }
        Ok(origins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use atelier_kit::testing::eventually;
    use std::time::Duration;

    fn own() -> Origins {
        let mut own = Origins::default();
        own.add_own(&Url::parse("https://atelier.example").unwrap());
        own
    }

    #[test]
    fn a_file_has_an_origin_on_each_line() {
        let text = "# the pages\n\n  https://a.example  \r\nhttps://b.example:8443\n";
        let origins = own().and_those_of("origins", text).unwrap();
        for origin in [
            "https://atelier.example",
            "https://a.example",
            "https://b.example:8443",
        ] {
            assert!(origins.allow(origin), "{origin}");
        }
        assert!(!origins.allow("https://c.example"));
        let wrong = own()
            .and_those_of("origins", "https://a.example\nb.example")
            .unwrap_err()
            .to_string();
        assert!(
            wrong.starts_with("origins: line 2: \"b.example\""),
            "{wrong}"
        );
        assert_eq!(own().and_those_of("origins", ""), Ok(own()));
    }

    #[tokio::test]
    async fn a_changed_file_is_taken_and_a_wrong_one_changes_nothing() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // The test runs on one thread, so the recorder of this thread hears the watcher too.
        let _guard = metrics::set_default_local_recorder(&recorder);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("origins");
        std::fs::write(&path, "https://a.example").unwrap();
        let file = FollowedFile::new(&path).at_pace(Duration::from_millis(5));
        let current = Current::new(own());
        let followed = tokio::spawn(current.clone().follow(file, own()));
        let allows = async |origin: &str| {
            eventually(origin, async || current.now().allow(origin)).await;
        };
        allows("https://a.example").await;
        for wrong in ["https://b.example\nnonsense", "*"] {
            std::fs::write(&path, wrong).unwrap();
            eventually("it is told", async || {
                handle.render().contains("atelier_cors_origins_are_good 0")
            })
            .await;
            let now = current.now();
            assert!(now.allow("https://a.example") && !now.allow("https://b.example"));
            assert!(!now.are_any());
            std::fs::write(&path, "https://a.example").unwrap();
            eventually("it is good again", async || {
                handle.render().contains("atelier_cors_origins_are_good 1")
            })
            .await;
        }
        std::fs::write(&path, "https://b.example").unwrap();
        allows("https://b.example").await;
        let now = current.now();
        assert!(!now.allow("https://a.example") && now.allow("https://atelier.example"));
        followed.abort();
    }
}
