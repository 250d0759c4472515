//! The file of routes: where the roles are for those that call them, told in place of their URLs and again when it changes;
//! where a role listens is not its to say. And `atelier routes`, which looks at one before a mesh does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use atelier_kit::config::{ConfigError, Setting, Settings};
use atelier_kit::followed::{FileError, FollowedFile, read_toml};
use atelier_kit::link::Replicas;
use serde::Deserialize;
use tokio::sync::watch;
use toml::Spanned;
use url::Url;

use crate::args::RoutesCommand;
use crate::client::terminal::print;
use crate::roster::ROSTER;

/// The file.
pub const ROUTES: Setting = Setting::new(
    "ATELIER_ROUTES",
    "",
    "A TOML file that says where roles are for those that call them, in place of their URLs (examples/routes.toml); it is read again when it changes. Where a role listens, its own URL says as ever.",
);

/// Where the replicas of the roles are that a file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(BTreeMap<&'static str, Vec<Url>>);

/// One role of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    urls: Spanned<Vec<Spanned<String>>>,
}

impl Routes {
    /// Reads a file. It names any of the roles, and at least one URL for each.
    pub fn read(file: &str, text: &str) -> Result<Self, FileError> {
        let document: BTreeMap<Spanned<String>, Lines> = read_toml(file, text)?;
        let mut routes = BTreeMap::new();
        for (name, Lines { urls }) in document {
            let wrong = |byte: usize, what: &str| FileError::at(file, text, byte, what);
            let Some(seat) = ROSTER.iter().find(|seat| seat.role == name.get_ref()) else {
                let roles: Vec<&str> = ROSTER.iter().map(|seat| seat.role).collect();
                let what = format!("{:?} is none of {}", name.get_ref(), roles.join(", "));
                return Err(wrong(name.span().start, &what));
            };
            let texts = urls.get_ref().iter().map(|url| url.get_ref().as_str());
            let read = parse(texts).map_err(|(at, what)| {
                let at = urls.get_ref().get(at).map(Spanned::span);
                wrong(at.unwrap_or(urls.span()).start, &what)
            })?;
            let reached = Replicas::at(read.clone()).check(seat.role);
            reached.map_err(|error| wrong(urls.span().start, &error.0))?;
            routes.insert(seat.role, read);
        }
        Ok(Self(routes))
    }

    /// The URLs of a role, where it is named.
    pub fn of(&self, role: &str) -> Option<&Vec<Url>> {
        self.0.get(role)
    }
}

/// Reads the URLs of a role: at least one, and all in the clear or all with TLS. An error says which cannot be, and why.
pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<Url>, (usize, String)> {
    let mut urls: Vec<Url> = Vec::new();
    for (at, text) in texts.into_iter().enumerate() {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        let Some(url) = url else {
            return Err((at, format!("{text:?} must be an http:// or https:// URL")));
        };
        let first = urls.first().unwrap_or(&url);
        if first.scheme() != url.scheme() {
            let what = "some URLs are https:// and some are not";
            return Err((at, what.to_owned()));
        }
        urls.push(url);
    }
    if urls.is_empty() {
        return Err((0, "there is no URL in it".to_owned()));
    }
    Ok(urls)
}

/// The routes of this process, and the file that says so, where there is one.
#[derive(Debug, Default)]
pub struct RoutesConfig {
    /// What it says at the start.
    pub said: Routes,
    /// Where it is.
    pub file: Option<FollowedFile>,
}

impl RoutesConfig {
    /// Reads the file that the settings name.
    pub fn read(settings: &Settings) -> Self {
        match settings.file(&ROUTES, Routes::read) {
            Some((file, said)) => Self {
                said,
                file: Some(file),
            },
            None => Self::default(),
        }
    }
}

/// Tells the links of a process where the roles are that run elsewhere.
#[derive(Debug, Default)]
pub struct Guide(Vec<Guided>);

/// One role: where it is when no file says so, and who hears where it is.
#[derive(Debug)]
struct Guided {
    role: &'static str,
    otherwise: Vec<Url>,
    told: watch::Sender<Vec<Url>>,
}

impl Guide {
    /// Adds a role, which is at `otherwise` as long as no file names it. Its replicas from now on.
    pub fn lead_to(&mut self, role: &'static str, otherwise: &[Url], routes: &Routes) -> Replicas {
        let otherwise = otherwise.to_vec();
        let now = routes.of(role).unwrap_or(&otherwise).clone();
        let (told, heard) = watch::channel(now);
        self.0.push(Guided {
            role,
            otherwise,
            told,
        });
        Replicas::following(heard)
    }

    /// Tells what the file says, until this is dropped.
    pub async fn follow(self, file: FollowedFile) {
        let take = |routes: Routes| Ok(self.take(&routes));
        file.keep("the routes", "atelier_routes_are_good", Routes::read, take)
            .await;
    }

    /// Whether some role is somewhere else now.
    fn take(&self, routes: &Routes) -> bool {
        let mut some = false;
        for guided in &self.0 {
            let urls = routes.of(guided.role).unwrap_or(&guided.otherwise);
            some |= guided.told.send_if_modified(|now| {
                let is_other = now != urls;
                if is_other {
                    now.clone_from(urls);
                }
                is_other
            });
        }
        some
    }
}

/// Does what was asked.
pub fn run(command: &RoutesCommand) -> anyhow::Result<()> {
    match command {
        RoutesCommand::Check { file } => check(file),
    }
}

/// A wrong file is a wrong setting.
fn check(file: &Path) -> anyhow::Result<()> {
    let routes = FollowedFile::new(file)
        .read(Routes::read)
        .map_err(|error| ConfigError(error.to_string()))?;
    print(&summary(&routes))
}

/// What a good file says, a line for each role.
fn summary(routes: &Routes) -> String {
    let mut said = String::new();
    for seat in ROSTER {
        let place = match routes.of(seat.role) {
            Some(urls) => Replicas::at(urls.clone()).to_string(),
            None => format!("as {} says", seat.url.name),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(said, "{:11} {place}", seat.role);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| Url::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_example_is_good() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/routes.toml");
        let routes = FollowedFile::new(example).read(Routes::read).unwrap();
        let said = summary(&routes);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), ROSTER.len());
        assert_eq!(lines[0], "users       as ATELIER_USERS_URL says");
        assert_eq!(
            lines[3],
            "tts         http://10.0.0.4:8001, http://10.0.0.5:8001"
        );
    }

    #[test]
    fn a_wrong_file_is_one_clear_line() {
        for (text, told) in [
            (
                "[edge]\nurls = [\"http://e\"]",
                "1:2: \"edge\" is none of users, llm-chat,",
            ),
            ("[tts]\n", "1:1: missing field `urls`"),
            ("[tts]\nurls = []", "2:8: there is no URL in it"),
            ("[tts]\nurl = \"http://t\"", "2:1: unknown field `url`"),
            (
                "[tts]\nurls = [\"http://t\",\n  \"t:8001\"]",
                "3:3: \"t:8001\" must be an http://",
            ),
            (
                "[tts]\nurls = [\"http://t\", \"https://u\"]",
                "2:21: some URLs are https:// and some are not",
            ),
            ("[tts]\nurls = \"http://t\"", "2:8: invalid type"),
            ("[tts]\n[tts]", "2:2: duplicate key"),
            ("[tts", "1:5: "),
        ] {
            let error = Routes::read("routes.toml", text).unwrap_err().to_string();
            let told = format!("routes.toml:{told}");
            assert!(error.starts_with(&told), "{error}\n{told}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(Routes::read("routes.toml", "").unwrap(), Routes::default());
    }

    #[test]
    fn a_role_that_is_named_no_longer_is_where_its_url_says() {
        let mut guide = Guide::default();
        let set = urls(&["http://set:1"]);
        let [users, tts] =
            ["users", "tts"].map(|role| guide.lead_to(role, &set, &Routes::default()));
        let named = Routes::read("routes.toml", "[tts]\nurls = [\"http://named:1\"]").unwrap();
        assert!(guide.take(&named));
        assert_eq!(
            (users.to_string(), tts.to_string()),
            ("http://set:1".into(), "http://named:1".into())
        );
        assert!(!guide.take(&named));
        assert!(guide.take(&Routes::default()));
        assert_eq!(tts.to_string(), "http://set:1");
    }
}
