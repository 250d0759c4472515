//! What our edge checks of a call: the key that tokens are verified with, and how often one may call.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use async_trait::async_trait;
use atelier_edge::{ApiKeyExchange, Exchanged};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::KeySource;
use atelier_kit::limit::Table;
use secrecy::SecretString;

/// What is checked.
#[derive(Clone, Debug, clap::Args)]
pub struct Checks {
    /// The file of the public keys
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    /// How often somebody may call in a minute, and at once; as often as he likes without it
    #[arg(long)]
    pub per_minute: Option<u32>,
}

impl Checks {
    /// The limits that say so.
    pub fn table(&self) -> anyhow::Result<Table> {
        let Some(per_minute) = self.per_minute else {
            return Ok(Table::unlimited());
        };
        let text = format!("[login]\naddress = {{ per_minute = {per_minute} }}\n");
        Ok(Table::read("limits", &text)?)
    }
}

/// The public keys, as somebody has written them into a file.
pub struct Keys(String);

impl Keys {
    /// Reads them.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).context("the public keys cannot be read")?;
        Ok(Self(text))
    }
}

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<String, Fault> {
        Ok(self.0.clone())
    }
}

/// Nobody calls with an API key here.
pub struct NoApiKeys;

#[async_trait]
impl ApiKeyExchange for NoApiKeys {
    async fn exchange(&self, _: SecretString) -> Result<Exchanged, Fault> {
        Err(Fault::new(
            Kind::Unavailable,
            "AWAY",
            "there is nobody to ask",
        ))
    }
}
