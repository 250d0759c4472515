//! The file of the registry, read strictly: whatever is wrong is told at once, and nothing is taken from a wrong file.

use std::ops::Range;
use std::path::Path;

use atelier_kit::config::Variables;
use toml::de::DeTable;

use super::fields::{Fields, Placed};
use super::keys::Seen;
use super::parts::{life, limits, voices};
use super::price_lists::prices;
use super::problem::{Collector, Problems};
use super::{Medium, ModelSpec, OFFLINE, Registry, VoiceSpec, references};

/// The most models and the most providers of a file.
pub(super) const MOST: usize = 1_000;
/// The longest id of a model.
const ID_BYTES: usize = 200;

/// A model that is built in.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    /// What it makes.
    pub medium: Medium,
    /// Its name.
    pub name: &'static str,
    /// Its voices, where it speaks.
    pub voices: Vec<&'static str>,
}

/// What a file is read with.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The file, as it was named.
    pub file: &'a Path,
    /// The variables that keys may be in.
    pub variables: &'a Variables,
    /// Whose keys are needed: those of providers that serve this medium. `None` looks for no key at all.
    pub medium: Option<Medium>,
    /// The models that are built in, where they are known.
    pub built_in: &'a [BuiltIn],
}

/// What came of reading a file.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says, of all media.
    pub registry: Registry,
    /// The files of keys that it depends on.
    pub keys: Vec<Seen>,
}

/// Reads a registry. Every problem of the file is in the error.
pub fn read(content: &str, around: &Surroundings<'_>) -> Result<Reading, Problems> {
    let file = around.file.display().to_string();
    let mut problems = Collector::new(content);
    let (document, errors) = DeTable::parse_recoverable(content);
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        problems.add(&at, format!("this is no TOML: {}", error.message()));
    }
    if !problems.is_empty() {
        return Err(problems.into_problems(&file));
    }
    let mut root = Fields::new("the file", 0..0, document.get_ref());
    let mut reader = Reader {
        around,
        problems,
        seen: Vec::new(),
    };
    let sources = reader.providers(&mut root);
    let models = reader.models(&mut root);
    root.end(&mut reader.problems);
    references::check(&models, &sources, &mut reader.problems);
    let models: Vec<ModelSpec> = models.into_iter().map(|(model, _)| model.spec).collect();
    let providers = sources
        .into_iter()
        .map(|source| reader.provider(source, &models))
        .collect();
    if !reader.problems.is_empty() {
        return Err(reader.problems.into_problems(&file));
    }
    Ok(Reading {
        registry: Registry { providers, models },
        keys: reader.seen,
    })
}

/// A model with the places of what refers to others.
pub(super) struct Written {
    pub(super) spec: ModelSpec,
    pub(super) provider_at: Range<usize>,
    pub(super) replacement_at: Range<usize>,
    pub(super) fallbacks_at: Vec<Range<usize>>,
    pub(super) voices_at: Vec<Range<usize>>,
    pub(super) currencies: Vec<Placed<String>>,
}

pub(super) struct Reader<'a, 't> {
    pub(super) around: &'a Surroundings<'a>,
    pub(super) problems: Collector<'t>,
    pub(super) seen: Vec<Seen>,
}

impl Reader<'_, '_> {
    fn models(&mut self, root: &mut Fields<'_>) -> Vec<Placed<Written>> {
        let tables = root.with("models", &mut self.problems, |value| {
            value
                .as_array()
                .filter(|models| !models.is_empty())
                .ok_or_else(|| "must be tables, each as in [[models]]".to_owned())
        });
        let Some((list, at)) = tables else {
            if self.problems.is_empty() {
                let what = "there is no model: each is a table, as in [[models]]";
                self.problems.add(&(0..0), what);
            }
            return Vec::new();
        };
        if list.len() > MOST {
            self.problems
                .add(&at, format!("there may be {MOST} models"));
        }
        let mut models = Vec::new();
        for (number, value) in list.iter().take(MOST).enumerate() {
            let Some(table) = value.get_ref().as_table() else {
                let what = "a model must be a table, as in [[models]]";
                self.problems.add(&value.span(), what);
                continue;
            };
            let id = table
                .iter()
                .find(|(key, _)| key.get_ref() == "id")
                .and_then(|(_, value)| value.get_ref().as_str());
            let what = match id {
                Some(id) => format!("the model {id:?}"),
                None => format!("the model number {}", number + 1),
            };
            let fields = Fields::new(what, value.span(), table);
            models.extend(self.model(fields));
        }
        models
    }

    fn model(&mut self, mut fields: Fields<'_>) -> Option<Placed<Written>> {
        let problems = &mut self.problems;
        let id = fields.needed("id", problems);
        let id = id.filter(|(id, at)| {
            let fits = id.len() <= ID_BYTES;
            if !fits {
                problems.add(at, format!("an id may have {ID_BYTES} bytes"));
            }
            fits
        });
        let medium = fields.needed("medium", problems).and_then(|(name, at)| {
            let medium = Medium::ALL.into_iter().find(|medium| medium.name() == name);
            if medium.is_none() {
                problems.add(
                    &at,
                    format!("{}: `medium` must be chat, image or speech", fields.what()),
                );
            }
            medium
        });
        let provider = fields.needed("provider", problems);
        let upstream_name = fields.text("upstream_name", problems);
        let description = fields.text("description", problems);
        let capabilities = fields.texts("capabilities", problems);
        for (word, at) in capabilities.iter().flat_map(|(words, _)| words) {
            let fits = word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !fits {
                let what = format!(
                    "{}: a capability is written in lower_snake_case",
                    fields.what()
                );
                problems.add(at, what);
            }
        }
        let fallbacks = fields.texts("fallbacks", problems);
        let costs = prices(&mut fields, medium, problems);
        let limits = limits(&mut fields, medium, problems);
        // What may be written without end may cost without end, and nobody could hold that.
        let is_endless = medium == Some(Medium::Chat) && limits.output_tokens.is_none();
        if is_endless && costs.prices.is_priced() {
            let what = "a model that costs something needs `limits.output_tokens`, the most that a reply can cost";
            problems.add(&costs.at, format!("{}: {what}", fields.what()));
        }
        let (life, replacement_at) = life(&mut fields, problems);
        let voices = voices(&mut fields, medium, problems);
        let formats = match medium {
            Some(Medium::Speech) | None => fields.texts("formats", problems),
            _ => None,
        };
        for (format, at) in formats.iter().flat_map(|(formats, _)| formats) {
            if !matches!(format.as_str(), "wav" | "flac") {
                let what = format!("{}: a format is \"wav\" or \"flac\"", fields.what());
                problems.add(at, what);
            }
        }
        let (what, at) = (fields.what().to_owned(), fields.at.clone());
        fields.end(problems);

        let ((id, id_at), medium, (provider, provider_at)) = (id?, medium?, provider?);
        let texts = |list: Vec<Placed<String>>| list.into_iter().map(|(text, _)| text).collect();
        let (fallbacks, fallbacks_at) = fallbacks.unwrap_or_default().0.into_iter().unzip();
        let mut spec = ModelSpec {
            upstream_name: upstream_name.map_or_else(|| id.clone(), |(name, _)| name),
            description: match description {
                Some((description, _)) => description,
                None => format!("{id}, from {provider}"),
            },
            prices: costs.prices,
            limits,
            life,
            fallbacks,
            capabilities: texts(capabilities.unwrap_or_default().0),
            formats: texts(formats.unwrap_or_default().0),
            ..ModelSpec::new(&id, medium, &provider, "")
        };
        let (mut named, mut voices_at): (Vec<VoiceSpec>, Vec<_>) = voices.into_iter().unzip();
        if provider == OFFLINE {
            self.built_in(&spec, &mut named, &mut voices_at, &id_at);
        }
        if medium == Medium::Speech && named.is_empty() {
            let what = format!("{what} needs `voices`, at least one");
            self.problems.add(&at, what);
        }
        spec.voices = named;
        let written = Written {
            spec,
            provider_at,
            replacement_at,
            fallbacks_at,
            voices_at,
            currencies: costs.currencies,
        };
        Some((written, id_at))
    }

    /// A model that is built in is one that there is, and without a list it has all its voices.
    fn built_in(
        &mut self,
        spec: &ModelSpec,
        voices: &mut Vec<VoiceSpec>,
        voices_at: &mut Vec<Range<usize>>,
        at: &Range<usize>,
    ) {
        let of_medium = |known: &&BuiltIn| known.medium == spec.medium;
        let mut known = self.around.built_in.iter().filter(of_medium).peekable();
        if known.peek().is_none() {
            return;
        }
        let names: Vec<&str> = known.clone().map(|known| known.name).collect();
        let Some(known) = known.find(|known| known.name == spec.upstream_name) else {
            let what = format!(
                "no model {:?} is built in; there are: {}",
                spec.upstream_name,
                names.join(", ")
            );
            self.problems.add(at, what);
            return;
        };
        if voices.is_empty() {
            *voices = known
                .voices
                .iter()
                .map(|name| VoiceSpec::new(name))
                .collect();
            *voices_at = vec![at.clone(); voices.len()];
        }
        for (voice, at) in voices.iter().zip(voices_at) {
            if !known.voices.contains(&voice.upstream_name.as_str()) {
                let what = format!(
                    "no voice {:?} is built in; there are: {}",
                    voice.upstream_name,
                    known.voices.join(", ")
                );
                self.problems.add(at, what);
            }
        }
    }
}
