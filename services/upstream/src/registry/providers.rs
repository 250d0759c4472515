//! Who runs models, as the file has them: where they are reached, with which keys, and how long that may take.

use std::path::Path;
use std::time::Duration;

use atelier_simulator::Script;
use url::Url;

use super::document::{MOST, Reader};
use super::fields::{Fields, Placed};
use super::keys::{self, Seen};
use super::{Key, Medium, ModelSpec, OFFLINE, ProviderSpec, Timeouts, figures};
use crate::calls::timeouts;

/// A provider as it is written: its keys are looked up once it is known whom it serves.
pub(super) struct Source {
    pub(super) name: String,
    endpoints: Vec<Url>,
    keys: Option<Placed<KeySource>>,
    at_once: Option<usize>,
    timeouts: Said,
}

enum KeySource {
    Variables(Vec<Placed<String>>),
    File(String),
}

/// The timeouts that are said; the others are the medium's.
#[derive(Default)]
struct Said {
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl Reader<'_, '_> {
    pub(super) fn providers(&mut self, root: &mut Fields<'_>) -> Vec<Source> {
        let Some(value) = root.take("providers") else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            let what = "`providers` must be tables, as in [providers.openai]";
            self.problems.add(&value.span(), what);
            return Vec::new();
        };
        if table.len() > MOST {
            let what = format!("there may be {MOST} providers");
            self.problems.add(&value.span(), what);
        }
        let mut sources = Vec::new();
        for (name, value) in table.iter().take(MOST) {
            let (at, name) = (name.span(), name.get_ref().as_ref());
            if !atelier_kit::check::is_id(name) {
                let what = "a provider's name must be 1 to 64 of A-Z a-z 0-9 - _ . :";
                self.problems.add(&at, what);
            }
            match value.get_ref().as_table() {
                Some(table) => {
                    let fields = Fields::new(format!("the provider {name:?}"), at, table);
                    sources.push(self.source(name, fields));
                }
                None => {
                    let what = format!("the provider {name:?} must be a table");
                    self.problems.add(&value.span(), what);
                }
            }
        }
        sources
    }

    fn source(&mut self, name: &str, mut fields: Fields<'_>) -> Source {
        let problems = &mut self.problems;
        let at = fields.at.clone();
        let at_once = fields.count("at_once", 100_000, problems);
        let mut source = Source {
            name: name.to_owned(),
            endpoints: Vec::new(),
            keys: None,
            at_once: at_once.and_then(|at_once| usize::try_from(at_once).ok()),
            timeouts: Said::default(),
        };
        if name == OFFLINE {
            // It is in this process: there is nothing to reach.
            fields.end(problems);
            return source;
        }
        let one = fields.text("url", problems).map(|one| vec![one]);
        let several = fields.texts("urls", problems).map(|(list, _)| list);
        match (one, several) {
            (Some(_), Some(_)) => problems.add(
                &at,
                format!("{} has `url` or `urls`, not both", fields.what()),
            ),
            (None, None) => problems.add(
                &at,
                format!(
                    "{} needs `url`, or `urls` for several equal ones",
                    fields.what()
                ),
            ),
            (one, several) => {
                let urls = one.or(several).unwrap_or_default();
                if urls.is_empty() || urls.len() > 100 {
                    problems.add(&at, format!("{}: `urls` must have 1 to 100", fields.what()));
                }
                for (url, at) in urls {
                    match endpoint(&url) {
                        Ok(url) => source.endpoints.push(url),
                        Err(wrong) => problems.add(&at, format!("{}: {wrong}", fields.what())),
                    }
                }
            }
        }
        let mut keys = Vec::new();
        keys.extend(
            fields
                .text("key_env", problems)
                .map(|(name, at)| (KeySource::Variables(vec![(name, at.clone())]), at)),
        );
        keys.extend(
            fields
                .texts("keys_env", problems)
                .map(|(names, at)| (KeySource::Variables(names), at)),
        );
        keys.extend(
            fields
                .text("key_file", problems)
                .map(|(path, at)| (KeySource::File(path), at)),
        );
        if keys.len() > 1 {
            problems.add(
                &at,
                format!(
                    "{} has one of `key_env`, `keys_env` and `key_file`",
                    fields.what()
                ),
            );
        }
        source.keys = keys.pop();
        if let Some(mut said) = fields.table("timeouts", problems) {
            let mut take = |name| {
                let made = said.with(name, problems, |value| {
                    let written = value
                        .as_str()
                        .ok_or_else(|| "must be a duration, as in \"10s\"".to_owned())?;
                    figures::duration(written)
                });
                made.map(|(duration, _)| duration)
            };
            source.timeouts = Said {
                connect: take("connect"),
                first_byte: take("first_byte"),
                idle: take("idle"),
                total: take("total"),
            };
            said.end(problems);
        }
        fields.end(problems);
        source
    }

    /// The provider, with its keys where they are needed.
    pub(super) fn provider(&mut self, source: Source, models: &[ModelSpec]) -> ProviderSpec {
        let served = |medium| {
            models
                .iter()
                .any(|model| model.provider == source.name && model.medium == medium)
        };
        let mut found: Vec<Key> = Vec::new();
        if self.around.medium.is_some_and(served)
            && let Some((written, at)) = &source.keys
        {
            match written {
                KeySource::Variables(names) => {
                    for (name, at) in names {
                        match keys::of_variable(name, self.around.variables.get(name)) {
                            Ok(key) => found.push(key),
                            Err(wrong) => self
                                .problems
                                .add(at, format!("the provider {:?}: {wrong}", source.name)),
                        }
                    }
                }
                KeySource::File(named) => {
                    let path = self
                        .around
                        .file
                        .parent()
                        .unwrap_or(Path::new("."))
                        .join(named);
                    // Noted before it is read: what changes in between is seen by the next look.
                    self.seen.push(Seen::now(&path));
                    match keys::of_file(named, &path) {
                        Ok(keys) => found = keys,
                        Err(wrong) => self
                            .problems
                            .add(at, format!("the provider {:?}: {wrong}", source.name)),
                    }
                }
            }
        }
        let medium = self.around.medium.or_else(|| {
            let first = models.iter().find(|model| model.provider == source.name);
            first.map(|model| model.medium)
        });
        let usual = timeouts(medium.unwrap_or(Medium::Chat));
        let said = source.timeouts;
        ProviderSpec {
            name: source.name,
            endpoints: source.endpoints,
            keys: found,
            at_once: source.at_once,
            timeouts: Timeouts {
                connect: said.connect.unwrap_or(usual.connect),
                first_byte: said.first_byte.unwrap_or(usual.first_byte),
                idle: said.idle.unwrap_or(usual.idle),
                total: said.total.unwrap_or(usual.total),
            },
        }
    }
}

/// A base URL that can be called.
fn endpoint(written: &str) -> Result<Url, String> {
    let url: Url = written
        .parse()
        .map_err(|error| format!("the URL cannot be used: {error}"))?;
    if url.scheme() == atelier_simulator::SCHEME {
        Script::check(&url).map_err(|error| format!("the simulator's URL: {error}"))?;
        return Ok(url);
    }
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if !web || url.query().is_some() || url.fragment().is_some() {
        return Err(
            "a URL must be http:// or https:// without ? and #, or simulator://".to_owned(),
        );
    }
    Ok(url)
}
