//! Mails as files in a folder, for a machine without a mail server; it keeps the newest and sends nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::message::{Sender, message};
use crate::ports::{Mail, MailError, Mailer};

/// How many mails are kept.
const KEPT: usize = 1_000;
/// How the name of a mail ends; it begins with the mail's id, so that names sort by time.
const END: &str = ".eml";

/// Writes mails into a folder.
pub(crate) struct FolderMailer {
    folder: PathBuf,
    sender: Sender,
}

impl FolderMailer {
    /// Writes into a folder, which is made when the first mail comes.
    pub(crate) fn new(folder: PathBuf, sender: Sender) -> Self {
        Self { folder, sender }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let bytes = message(&self.sender, mail)?.formatted();
        let (folder, id) = (self.folder.clone(), mail.id.clone());
        let path = tokio::task::spawn_blocking(move || keep(&folder, &id, &bytes))
            .await
            .map_err(|error| MailError::Away(error.into()))?
            .map_err(|error| MailError::Away(error.into()))?;
        tracing::info!(
            to = mail.to,
            subject = mail.subject,
            file = %path.display(),
            "a mail waits in a folder, because no ATELIER_SMTP_URL is set"
        );
        if let Some(link) = &mail.link {
            // Who has no mail server is alone on his machine, and wants to go on from here. Nothing of the kind is told
            // where mails are really sent.
            let link = link.expose_secret();
            tracing::info!(target: "atelier_users::post", link, "the link in the mail");
        }
        Ok(())
    }

    async fn forget(&self, to: &str) -> Result<(), MailError> {
        let (folder, line) = (self.folder.clone(), format!("To: {to}\r\n"));
        tokio::task::spawn_blocking(move || erase(&folder, &line))
            .await
            .map_err(|error| MailError::Away(error.into()))?
            .map_err(|error| MailError::Away(error.into()))
    }

    fn told(&self) -> String {
        format!("folder {}", self.folder.display())
    }
}

/// Keeps a mail under its id, for its owner's eyes alone, and lets the oldest go; returns where it is. The same mail
/// again replaces itself.
fn keep(folder: &Path, id: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    make(folder)?;
    let path = folder.join(format!("{id}{END}"));
    let draft = folder.join(format!("{id}.new"));
    let mut file = private(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(END) {
            names.push(name);
        }
    }
    names.sort_unstable();
    let over = names.len().saturating_sub(KEPT);
    for name in names.iter().take(over) {
        match fs::remove_file(folder.join(name)) {
            // Another process lets old ones go as well.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(path)
}

/// Erases mails that have this line among their headers.
fn erase(folder: &Path, line: &str) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let is_to = |mail: &[u8]| {
            let mail = String::from_utf8_lossy(mail);
            let headers = mail.split("\r\n\r\n").next().unwrap_or_default();
            format!("\r\n{headers}\r\n").contains(&format!("\r\n{line}"))
        };
        match fs::read(&path).map(|mail| is_to(&mail)) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_mail_is_a_private_file_and_the_same_again_is_one() {
        let house = tempfile::tempdir().unwrap();
        let folder = house.path().join("deep/mails");
        keep(&folder, "1", b"one").unwrap();
        let path = keep(&folder, "1", b"again").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"again");
        assert_eq!(names(&folder), ["1.eml"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        }
    }

    #[tokio::test]
    async fn the_log_says_where_a_mail_waits_and_tells_its_link_on_one_line_of_its_own() {
        let log = atelier_kit::testing::log::Log::new();
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(folder.path().join("mails"), Sender::here());
        let mail = Mail {
            id: "1".into(),
            to: "ana@x.org".into(),
            subject: "A subject",
            text: "See http://localhost/#reset=abc\n".to_owned().into(),
            link: Some("http://localhost/#reset=abc".to_owned().into()),
        };
        mailer.send(&mail).await.unwrap();
        let text = log.text();
        let with: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("reset=abc"))
            .collect();
        assert_eq!(with.len(), 1, "{text}");
        assert!(with[0].contains(" INFO atelier_users::post: "), "{text}");
        let told = |line: &str| {
            line.contains("INFO") && line.contains("ana@x.org") && line.contains("1.eml")
        };
        assert!(text.lines().any(told), "{text}");
    }

    #[test]
    fn only_the_newest_are_kept_and_what_is_no_mail_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0.txt"), "a note").unwrap();
        for id in 0..KEPT {
            fs::write(folder.path().join(format!("{id:05}{END}")), "").unwrap();
        }
        keep(folder.path(), "90000", b"new").unwrap();
        keep(folder.path(), "90001", b"new").unwrap();
        let names = names(folder.path());
        assert_eq!(names.len(), KEPT + 1);
        assert_eq!(
            (names[0].as_str(), names[1].as_str()),
            ("0.txt", "00002.eml")
        );
        assert_eq!(names.last().unwrap(), "90001.eml");
    }

    #[test]
    fn mails_to_one_are_erased_and_those_to_others_stay() {
        let house = tempfile::tempdir().unwrap();
        erase(&house.path().join("none"), "To: ana@x.org\r\n").unwrap();
        let mail = |to: &str, text: &str| format!("From: a\r\nTo: {to}\r\n\r\n{text}");
        keep(house.path(), "1", mail("ana@x.org", "hello").as_bytes()).unwrap();
        keep(
            house.path(),
            "2",
            mail("ana@x.org.example", "hello").as_bytes(),
        )
        .unwrap();
        keep(
            house.path(),
            "3",
            mail("bob@x.org", "\r\nTo: ana@x.org\r\n").as_bytes(),
        )
        .unwrap();
        erase(house.path(), "To: ana@x.org\r\n").unwrap();
        assert_eq!(names(house.path()), ["2.eml", "3.eml"]);
    }
}
