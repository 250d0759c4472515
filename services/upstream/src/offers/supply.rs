//! Where a service's registry comes from: a file that is looked at again and again, or a few variables.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_kit::config::{Setting, Settings, Variables, read_text};
use atelier_kit::followed::Reread;

use crate::calls::timeouts;
use crate::registry::{
    BuiltIn, Key, MODELS, Medium, ModelSpec, Problems, ProviderSpec, Reading, Registry, Seen,
    Surroundings, read,
};

/// How often the file is looked at.
const PACE: Duration = Duration::from_secs(2);
/// The largest file that is read.
const FILE_BYTES: u64 = 4 << 20;

/// The provider of an API that a few variables name.
const OPENAI: &str = "openai-compatible";

/// A service's registry, and where the next one comes from.
#[derive(Clone, Debug)]
pub struct Supply {
    /// What it says, of the service's medium alone.
    pub registry: Registry,
    pub(super) file: Option<File>,
}

/// A file that is looked at.
#[derive(Clone)]
pub(super) struct File {
    path: PathBuf,
    variables: Variables,
    medium: Medium,
    built_in: Vec<BuiltIn>,
    /// How it was when it was read.
    pub(super) sight: Sight,
    pub(super) pace: Duration,
    pub(super) reread: Reread,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.path).finish()
    }
}

/// How a file looks: two that are equal need no second reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    content: Option<[u8; 32]>,
    pub(super) keys: Vec<Seen>,
}

impl Supply {
    /// What is offered without a file: the models of an API, where one is set, and then what is built in.
    pub fn fixed(provider: Option<ProviderSpec>, models: Vec<ModelSpec>) -> Self {
        let registry = Registry {
            providers: provider.into_iter().collect(),
            models,
        };
        Self {
            registry,
            file: None,
        }
    }

    /// The registry of the file that the settings name; `None` when they name none. `instead` are the variables that
    /// say the same of this medium: one of them beside a file is a problem.
    pub fn read(
        settings: &Settings,
        medium: Medium,
        built_in: Vec<BuiltIn>,
        instead: &[&Setting],
    ) -> Option<Self> {
        let path = PathBuf::from(settings.text(&MODELS)?);
        for setting in instead {
            if settings.text(setting).is_some() {
                let what = format!(
                    "the models are in the file of {}: leave this unset",
                    MODELS.name
                );
                settings.problem(setting, &what);
            }
        }
        let mut file = File {
            path,
            variables: settings.variables().clone(),
            medium,
            built_in,
            sight: Sight::default(),
            pace: PACE,
            reread: settings.reread().clone(),
        };
        match file.read() {
            Ok((registry, sight)) => {
                file.sight = sight;
                Some(Self {
                    registry,
                    file: Some(file),
                })
            }
            Err(problems) => {
                settings.problem(&MODELS, &problems.to_string());
                None
            }
        }
    }

    /// Looks at the file so often, in place of every two seconds.
    #[must_use]
    pub fn at_pace(mut self, pace: Duration) -> Self {
        if let Some(file) = &mut self.file {
            file.pace = pace;
        }
        self
    }
}

/// An API of a few variables as a provider.
pub fn provider(
    name: &str,
    url: url::Url,
    key: Option<secrecy::SecretString>,
    source: &Setting,
    medium: Medium,
) -> ProviderSpec {
    let key = key.map(|secret| Key {
        source: source.name.to_owned(),
        secret,
    });
    ProviderSpec {
        name: name.to_owned(),
        endpoints: vec![url],
        keys: key.into_iter().collect(),
        at_once: None,
        timeouts: timeouts(medium),
    }
}

/// What an API of a few variables is called, and how it is told of.
pub fn named(url: &url::Url) -> (&'static str, String) {
    if url.scheme() == atelier_simulator::SCHEME {
        return (atelier_simulator::SCHEME, "the simulator".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    (OPENAI, format!("the OpenAI-compatible API at {host}"))
}

impl File {
    /// How it looks now; the files of keys are those of the last reading.
    pub(super) fn look(&self, keys: &[Seen]) -> Sight {
        Sight {
            content: read_text(&self.path, FILE_BYTES)
                .ok()
                .map(|content| atelier_kit::secret::digest(&[content.as_bytes()])),
            keys: keys.iter().map(|seen| Seen::now(&seen.path)).collect(),
        }
    }

    /// What it says of the service's medium, and how it looked then.
    pub(super) fn read(&self) -> Result<(Registry, Sight), Problems> {
        let named = self.path.display().to_string();
        let content = read_text(&self.path, FILE_BYTES)
            .map_err(|why| Problems::whole(&named, format!("cannot be read: {why}")))?;
        let around = Surroundings {
            file: &self.path,
            variables: &self.variables,
            medium: Some(self.medium),
            built_in: &self.built_in,
        };
        let Reading { registry, keys } = read(&content, &around)?;
        let sight = Sight {
            content: Some(atelier_kit::secret::digest(&[content.as_bytes()])),
            keys,
        };
        Ok((registry.of(self.medium), sight))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
