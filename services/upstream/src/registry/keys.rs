//! Where keys come from: variables and files; which of them is needed is decided by whoever reads the registry.

use std::path::{Path, PathBuf};

use atelier_kit::config::read_text;
use secrecy::SecretString;

use super::Key;

/// The largest file of keys that is read.
const FILE_BYTES: u64 = 64 * 1024;

/// A file that a reading depended on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub path: PathBuf,
    /// What was in it, as a digest: a key is not kept for this.
    pub digest: [u8; 32],
}

impl Seen {
    /// What is in a file now; one that cannot be read is empty.
    pub fn now(path: &Path) -> Self {
        let content = read_text(path, FILE_BYTES).unwrap_or_default();
        Self {
            path: path.to_owned(),
            digest: atelier_kit::secret::digest(&[content.as_bytes()]),
        }
    }
}

/// The key of a variable.
pub(super) fn of_variable(name: &str, value: Option<&str>) -> Result<Key, String> {
    let value = value.map(str::trim).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| format!("the variable {name} is not set"))?;
    Ok(Key {
        source: name.to_owned(),
        secret: SecretString::from(value),
    })
}

/// The keys of a file, one a line.
pub(super) fn of_file(named: &str, path: &Path) -> Result<Vec<Key>, String> {
    let content = read_text(path, FILE_BYTES)
        .map_err(|why| format!("the file {named} cannot be read: {why}"))?;
    let lines: Vec<&str> = content
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return Err(format!("the file {named} has no key"));
    }
    let keys = lines.iter().enumerate().map(|(at, line)| Key {
        source: match lines.len() {
            1 => named.to_owned(),
            _ => format!("{named}:{}", at + 1),
        },
        secret: SecretString::from(*line),
    });
    Ok(keys.collect())
}
