//! Sign-ins on this machine: one file, readable by its owner alone, replaced whole and changed under a lock; it asks no server.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use atelier_proto::users::v1::{TokenPair, User};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::trouble::Trouble;

/// The file's name.
const FILE: &str = "credentials.json";
/// The lock's name. The file itself is replaced, so it cannot be what is locked.
const LOCK: &str = "credentials.lock";
/// How long another command may hold the lock: longer than one call to a server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than thousands of sign-ins need.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Who is signed in at one mesh.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The account's id.
    pub user_id: String,
    /// Its e-mail; empty for an anonymous session.
    pub email: String,
    /// The token of calls.
    pub access: SecretString,
    /// When it expires, in seconds since the epoch.
    pub access_expires: i64,
    /// The token that makes a new pair, once.
    pub refresh: SecretString,
}

impl SignIn {
    /// From the answer of a sign-in.
    pub fn new(user: &User, tokens: TokenPair) -> Self {
        Self::of(user.id.clone(), user.email.clone(), tokens)
    }

    /// The same account with a new pair of tokens.
    pub fn renewed(&self, tokens: TokenPair) -> Self {
        Self::of(self.user_id.clone(), self.email.clone(), tokens)
    }

    fn of(user_id: String, email: String, tokens: TokenPair) -> Self {
        Self {
            user_id,
            email,
            access_expires: tokens.access_expire_time.map_or(0, |time| time.seconds),
            access: tokens.access_token.into(),
            refresh: tokens.refresh_token.into(),
        }
    }

    /// Whether it is an account without an e-mail.
    pub fn is_anonymous(&self) -> bool {
        self.email.is_empty()
    }
}

/// The sign-in as the file has it.
#[derive(Serialize, Deserialize)]
struct Written {
    user_id: String,
    email: String,
    access_token: String,
    access_expires: i64,
    refresh_token: String,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
struct Book {
    /// By what a mesh is known: its origin, or its data folder.
    meshes: BTreeMap<String, Written>,
}

/// The sign-in at one mesh.
#[derive(Clone, Debug)]
pub struct Credentials {
    folder: PathBuf,
    key: String,
}

/// The right to change the file, until it is dropped.
pub struct Locked<'a> {
    credentials: &'a Credentials,
    _lock: File,
}

impl Credentials {
    /// Those of one mesh, in a folder that is made when something is kept.
    pub fn new(folder: &Path, key: &str) -> Self {
        Self {
            folder: folder.to_path_buf(),
            key: key.to_owned(),
        }
    }

    /// Who is signed in.
    pub fn read(&self) -> anyhow::Result<Option<SignIn>> {
        let written = self.book()?.meshes.remove(&self.key);
        Ok(written.map(|written| SignIn {
            user_id: written.user_id,
            email: written.email,
            access: written.access_token.into(),
            access_expires: written.access_expires,
            refresh: written.refresh_token.into(),
        }))
    }

    fn book(&self) -> anyhow::Result<Book> {
        let path = self.folder.join(FILE);
        let unusable = |why: String| {
            anyhow!(
                "{} cannot be used: {why}; remove it and sign in again",
                path.display()
            )
        };
        let bytes = match fs::metadata(&path) {
            Ok(found) if found.len() > MAX_FILE_BYTES => {
                return Err(unusable("it is too large".to_owned()));
            }
            Ok(_) => fs::read(&path).with_context(|| path.display().to_string())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        // The parser's own words may quote what it read.
        serde_json::from_slice(&bytes)
            .map_err(|error| unusable(format!("line {}, column {}", error.line(), error.column())))
    }

    /// Takes the lock, which other commands of this person wait for.
    pub async fn lock(&self) -> anyhow::Result<Locked<'_>> {
        private_folder(&self.folder)?;
        let path = self.folder.join(LOCK);
        let mut options = File::options();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options
            .open(&path)
            .with_context(|| path.display().to_string())?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => {
                    return Ok(Locked {
                        credentials: self,
                        _lock: file,
                    });
                }
                Err(fs::TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(Trouble::later(
                        "another command is busy with the sign-ins; try again",
                    )
                    .into());
                }
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).with_context(|| path.display().to_string());
                }
            }
        }
    }
}

impl Locked<'_> {
    /// Who is signed in, now that nobody else changes it.
    pub fn read(&self) -> anyhow::Result<Option<SignIn>> {
        self.credentials.read()
    }

    /// Keeps a sign-in.
    pub fn keep(&self, sign_in: &SignIn) -> anyhow::Result<()> {
        let mut book = self.credentials.book()?;
        let written = Written {
            user_id: sign_in.user_id.clone(),
            email: sign_in.email.clone(),
            access_token: sign_in.access.expose_secret().to_owned(),
            access_expires: sign_in.access_expires,
            refresh_token: sign_in.refresh.expose_secret().to_owned(),
        };
        book.meshes.insert(self.credentials.key.clone(), written);
        self.write(&book)
    }

    /// Forgets the sign-in.
    pub fn forget(&self) -> anyhow::Result<()> {
        let mut book = self.credentials.book()?;
        if book.meshes.remove(&self.credentials.key).is_none() {
            return Ok(());
        }
        self.write(&book)
    }

    fn write(&self, book: &Book) -> anyhow::Result<()> {
        let path = self.credentials.folder.join(FILE);
        let replaced = || -> io::Result<()> {
            // Made readable by its owner alone, whatever the umask says.
            let mut draft = tempfile::NamedTempFile::new_in(&self.credentials.folder)?;
            draft.write_all(&serde_json::to_vec_pretty(book)?)?;
            draft.as_file().sync_all()?;
            draft.persist(&path)?;
            Ok(())
        };
        replaced().with_context(|| path.display().to_string())
    }
}

/// Makes a folder that its owner alone may look into, where there is none.
pub fn private_folder(folder: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .with_context(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(email: &str) -> SignIn {
        SignIn {
            email: email.to_owned(),
            user_id: "id".to_owned(),
            access: SecretString::from("access-secret"),
            access_expires: 7,
            refresh: SecretString::from("refresh-secret"),
        }
    }

    #[tokio::test]
    async fn each_mesh_has_its_own_sign_in() {
        let folder = tempfile::tempdir().unwrap();
        let here = Credentials::new(&folder.path().join("new/one"), "http://here");
        let there = Credentials::new(&folder.path().join("new/one"), "http://there");
        assert!(here.read().unwrap().is_none());
        here.lock().await.unwrap().keep(&sign_in("a@b.c")).unwrap();
        there.lock().await.unwrap().keep(&sign_in("")).unwrap();
        assert_eq!(here.read().unwrap().unwrap().email, "a@b.c");
        assert!(there.read().unwrap().unwrap().is_anonymous());
        here.lock().await.unwrap().forget().unwrap();
        assert!(here.read().unwrap().is_none());
        let kept = there.read().unwrap().unwrap();
        assert_eq!(kept.refresh.expose_secret(), "refresh-secret");
        assert!(!format!("{kept:?}").contains("secret\""), "{kept:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &str| {
                let path = folder.path().join(path);
                fs::metadata(path).unwrap().permissions().mode() & 0o777
            };
            assert_eq!(mode("new/one/credentials.json"), 0o600);
            assert_eq!(mode("new/one"), 0o700);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_none_of_ours_is_told_without_its_words() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"meshes\": \"hidden\"}").unwrap();
        let error = Credentials::new(folder.path(), "x").read().unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("sign in again"), "{told}");
        assert!(!told.contains("hidden"), "{told}");
    }

    #[tokio::test]
    async fn the_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::new(folder.path(), "x");
        let held = credentials.lock().await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(100), credentials.lock());
        assert!(waits.await.is_err(), "two hold it");
        drop(held);
        credentials.lock().await.unwrap();
    }
}
