//! `atelier export`: everything that is kept of the account, as files in a folder that is whole or not there. Where a file
//! goes is decided here, whatever a server says.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use atelier_proto::privacy::v1::ExportReceipt;
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{ExportAccountRequest, ExportAccountResponse};
use tempfile::TempDir;
use tonic::Streaming;

use super::Ground;
use super::interrupt::Interrupts;
use super::json::Json;
use super::progress::Progress;
use super::terminal::{plain, print};
use super::trouble::Trouble;
use crate::args::Export;

const RECEIPT: &str = "atelier.privacy.v1.ExportReceipt";
/// The longest path that a file is written under; those of an export are far shorter.
const MAX_PATH_BYTES: usize = 512;

/// Runs it.
pub async fn run(ground: &Ground<'_>, export: Export) -> anyhow::Result<()> {
    let draft = Draft::begin(&export.folder)?;
    ground
        .visit(async |session| {
            let mut interrupts = Interrupts::of_process()?;
            let answers = session
                .call(ExportAccountRequest {}, async |channel, request| {
                    UsersServiceClient::new(channel).export_account(request).await
                })
                .await
                .map_err(|error| session.gone(error))?;
            let progress = Progress::new(ground.terminal, "reading what is kept");
            let receipts = tokio::select! {
                receipts = read(answers, &draft, &progress) => receipts.map_err(|error| session.gone(error))?,
                () = interrupts.next() => {
                    return Err(Trouble::interrupted("interrupted; nothing was written").into());
                }
            };
            progress.end();
            let folder = draft.finish()?;
            let json = export.json.then(Json::new).transpose()?;
            for receipt in &receipts {
                print(&match &json {
                    Some(json) => format!("{}\n", json.line(RECEIPT, receipt)?),
                    None => format!(
                        "{}: {} files, {} bytes\n",
                        plain(&receipt.service), receipt.files, receipt.bytes
                    ),
                })?;
            }
            ground.terminal.aside(&format!("written to {}", folder.display()));
            Ok(())
        })
        .await
}

/// Writes every file below the draft, and returns the receipts.
async fn read(
    mut answers: Streaming<ExportAccountResponse>,
    draft: &Draft,
    progress: &Progress,
) -> anyhow::Result<Vec<ExportReceipt>> {
    let (mut file, mut receipts) = (None, Vec::new());
    let (mut files, mut bytes) = (0, 0);
    while let Some(answer) = answers.message().await? {
        let piece = answer.piece.and_then(|piece| piece.piece);
        match piece.context("an answer without a piece")? {
            Piece::File(begun) => {
                files += 1;
                progress.say(&format!("{files} files, now {}", begun.path));
                file = Some(draft.file(&begun.path)?);
            }
            Piece::Data(data) => {
                bytes += data.len() as u64;
                let file = file.as_mut().context("bytes of no file")?;
                file.write_all(&data).context("a file of the export")?;
            }
            Piece::Receipt(receipt) => receipts.push(receipt),
        }
    }
    // Each service tells what it has sent: less has arrived only if something on the way is broken.
    let told = receipts.iter().fold((0, 0), |(files, bytes), receipt| {
        (files + receipt.files, bytes + receipt.bytes)
    });
    if receipts.is_empty() || told != (files, bytes) {
        return Err(Trouble::failed("the export is not whole: try again").into());
    }
    Ok(receipts)
}

/// A folder in the making, which goes again if it is not finished.
struct Draft {
    folder: TempDir,
    to: PathBuf,
}

impl Draft {
    /// Beside where it is to be. What cannot work is refused before a server is asked.
    fn begin(to: &Path) -> anyhow::Result<Self> {
        let shown = to.display();
        match std::fs::read_dir(to) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Trouble::usage(format!("{shown} is not empty")).into());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Trouble::usage(format!("{shown}: {error}")).into()),
        }
        let parent = match to.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Readable by its owner alone, as all that is made so.
        let folder = tempfile::Builder::new()
            .prefix(".atelier-export-")
            .tempdir_in(parent)
            .map_err(|error| Trouble::usage(format!("{}: {error}", parent.display())))?;
        Ok(Self {
            folder,
            to: to.to_path_buf(),
        })
    }

    /// A new file below, under the path that a server tells.
    fn file(&self, path: &str) -> anyhow::Result<std::fs::File> {
        let place = below(self.folder.path(), path).with_context(|| {
            Trouble::failed(format!(
                "the server told a path that is none: {}",
                plain(path)
            ))
        })?;
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        // Never one that is there: a path that comes twice is as wrong as one that leads elsewhere.
        std::fs::File::create_new(&place).with_context(|| plain(path))
    }

    /// Puts it where it is to be.
    fn finish(self) -> anyhow::Result<PathBuf> {
        let made = self.folder.keep();
        // An empty folder gives way to it; one that was filled meanwhile does not.
        if let Err(error) = std::fs::rename(&made, &self.to) {
            let _ = std::fs::remove_dir_all(&made);
            return Err(error).with_context(|| self.to.display().to_string());
        }
        Ok(self.to)
    }
}

/// A path of an export below a folder; `None` for one that leads anywhere else, or that a file system might read so.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    if path.len() > MAX_PATH_BYTES || !atelier_privacy::is_path(path) {
        return None;
    }
    let relative = Path::new(path);
    let is_plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    is_plain.then(|| folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_below_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("mine");
        let draft = Draft::begin(&to).unwrap();
        draft.file("tts/conversions/1.json").unwrap();
        for bad in [
            "../elsewhere",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "",
            ".",
            "a\\b",
            "tts/conversions/1.json",
            "tts/conversions",
            &"a/".repeat(300),
        ] {
            assert!(draft.file(bad).is_err(), "{bad}");
        }
        assert!(!to.exists(), "there before it is whole");
        assert!(
            draft
                .finish()
                .unwrap()
                .join("tts/conversions/1.json")
                .is_file()
        );
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "something is left beside it");
        assert!(Draft::begin(&to).is_err(), "a folder that is not empty");
        drop(Draft::begin(&folder.path().join("other")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
