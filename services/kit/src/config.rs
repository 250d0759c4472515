//! Settings, read from a map and never from the process environment; each is declared once, with its default and its meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;

use crate::followed::{FileError, FollowedFile, Reread};

/// One setting: its variable, its default, and a sentence for `.env.example`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable, as in `ATELIER_PORT`.
    pub name: &'static str,
    /// What holds when it is not set, written as one would write it; empty when there is nothing.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

impl Setting {
    /// Declares a setting.
    pub const fn new(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self {
            name,
            default,
            about,
        }
    }
}

/// A setting that cannot be used: one clear line, and exit code 64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// All variables of a process, for what a setting names: a registry says in which variable a key is. Clones are the same.
#[derive(Clone, Default)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The settings of a process.
#[derive(Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    variables: Variables,
    problems: Mutex<Vec<String>>,
    reread: Reread,
}

impl Settings {
    /// Takes the variables; those whose name does not begin with `ATELIER_` or `OTEL_` are no settings.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: Variables = variables.into_iter().collect();
        let is_setting = |name: &str| name.starts_with("ATELIER_") || name.starts_with("OTEL_");
        let settings = variables.0.iter().filter(|(name, _)| is_setting(name));
        Self {
            values: settings
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            variables,
            problems: Mutex::default(),
            reread: Reread::default(),
        }
    }

    /// All variables, those included that are no settings.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The text of a setting: as set, else its default, else `None`. An empty variable counts as not set.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        self.values
            .get(setting.name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
            .or_else(|| Some(setting.default).filter(|default| !default.is_empty()))
            .map(str::to_owned)
    }

    /// A secret: never printed, never in a debug text.
    pub fn secret(&self, setting: &Setting) -> Option<SecretString> {
        self.text(setting).map(SecretString::from)
    }

    /// A parsed value; a text that cannot be parsed is remembered as a problem and told by [`Settings::finish`].
    pub fn parse<T>(&self, setting: &Setting) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(setting)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(setting, &format!("{text:?} cannot be used: {error}"));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn number(&self, setting: &Setting, allowed: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let value: u64 = self.parse(setting)?;
        if !allowed.contains(&value) {
            self.problem(
                setting,
                &format!(
                    "{value} is not within {} to {}",
                    allowed.start(),
                    allowed.end()
                ),
            );
            return None;
        }
        Some(value)
    }

    /// An `http` or `https` URL, without a slash at its end.
    pub fn url(&self, setting: &Setting) -> Option<url::Url> {
        self.url_or(setting, None)
    }

    /// The same, or a URL of one other scheme, which needs no host.
    pub fn url_or(&self, setting: &Setting, other: Option<&str>) -> Option<url::Url> {
        let url: url::Url = self.parse(setting)?;
        let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        if !web && other != Some(url.scheme()) {
            let or = other.map_or(String::new(), |scheme| format!(", or {scheme}://"));
            self.problem(setting, &format!("must be an http:// or https:// URL{or}"));
            return None;
        }
        Some(url)
    }

    /// A list, divided by commas; empty parts are left out.
    pub fn list(&self, setting: &Setting) -> Vec<String> {
        self.text(setting)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The file that a setting names, with what it says at the start; `None` when it names none, and when the file is wrong,
    /// which [`Settings::finish`] tells.
    pub fn file<T>(
        &self,
        setting: &Setting,
        meaning: impl FnOnce(&str, &str) -> Result<T, FileError>,
    ) -> Option<(FollowedFile, T)> {
        let file = FollowedFile::new(self.text(setting)?).asked_by(self.reread.clone());
        match file.read(meaning) {
            Ok(said) => Some((file, said)),
            Err(error) => {
                self.problem(setting, &error.to_string());
                None
            }
        }
    }

    /// Asks for the files that the settings name to be read again.
    pub fn reread(&self) -> &Reread {
        &self.reread
    }

    /// Remembers that a setting cannot be used.
    pub fn problem(&self, setting: &Setting, what: &str) {
        self.problems
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(format!("{}: {what}", setting.name));
    }

    /// The end of reading: the first problem, or an `ATELIER_` variable that no setting has, as an error.
    pub fn finish(&self, declared: &[&Setting]) -> Result<(), ConfigError> {
        let problems = self
            .problems
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(first) = problems.first() {
            return Err(ConfigError(first.clone()));
        }
        let known: BTreeSet<&str> = declared.iter().map(|setting| setting.name).collect();
        let unknown = self
            .values
            .keys()
            .find(|name| name.starts_with("ATELIER_") && !known.contains(name.as_str()));
        match unknown {
            Some(name) => Err(ConfigError(format!("{name}: there is no such setting"))),
            None => Ok(()),
        }
    }
}

/// Reads a text file that a setting names, of at most so many bytes; an error says why it cannot be, without its name.
pub fn read_text(path: &Path, most_bytes: u64) -> Result<String, String> {
    let length = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if length > most_bytes {
        return Err(format!("it has more than {most_bytes} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Setting = Setting::new("ATELIER_PORT", "8080", "the port");
    const MODELS: Setting = Setting::new("ATELIER_MODELS", "", "a list");

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::new(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn defaults_hold_until_set() {
        assert_eq!(settings(&[]).number(&PORT, 0..=65535), Some(8080));
        assert_eq!(
            settings(&[("ATELIER_PORT", "1")]).number(&PORT, 0..=65535),
            Some(1)
        );
        assert_eq!(
            settings(&[("ATELIER_MODELS", "a, b,,")]).list(&MODELS),
            ["a", "b"]
        );
    }

    #[test]
    fn a_wrong_setting_is_one_clear_line() {
        let wrong = settings(&[("ATELIER_PORT", "eighty")]);
        wrong.number(&PORT, 0..=65535);
        let error = wrong.finish(&[&PORT]).unwrap_err().to_string();
        assert!(
            error.starts_with("ATELIER_PORT: \"eighty\" cannot be used"),
            "{error}"
        );
        let unknown = settings(&[("ATELIER_PROT", "1"), ("PATH", "/bin")]);
        assert_eq!(
            unknown.finish(&[&PORT]).unwrap_err().0,
            "ATELIER_PROT: there is no such setting"
        );
    }
}
