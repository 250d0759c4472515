//! Where a picture or a sound goes: decided before it is made, and written whole or not at all.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::trouble::Trouble;

/// How many letters of a text a file's name takes at most.
const NAME_CHARS: usize = 48;
/// How many files of one name may stand beside each other.
const SAME_NAMES: u32 = 10_000;

/// Where a file goes.
#[derive(Debug)]
pub enum Output {
    /// To standard output.
    Stdout,
    /// To a file of this name.
    File {
        /// The file.
        path: PathBuf,
        /// Whether it may replace one.
        force: bool,
    },
    /// To a file in this folder, named after what it was made from; none is replaced.
    Named {
        /// The folder.
        folder: PathBuf,
        /// The name without its end.
        stem: String,
    },
}

impl Output {
    /// Decides; what cannot work is refused before anything is made.
    pub fn decide(out: Option<&Path>, force: bool, made_from: &str) -> anyhow::Result<Self> {
        let Some(out) = out else {
            let folder = PathBuf::from(".");
            let stem = stem(made_from);
            return Ok(Self::Named { folder, stem });
        };
        if out == Path::new("-") {
            if io::stdout().is_terminal() {
                let line = "a terminal cannot show it: give -o FILE, or send it on with |";
                return Err(Trouble::usage(line).into());
            }
            return Ok(Self::Stdout);
        }
        if out.is_dir() {
            return Ok(Self::Named {
                folder: out.to_path_buf(),
                stem: stem(made_from),
            });
        }
        let named = out.display();
        if !folder_of(out).is_dir() {
            let line = format!("{named}: there is no folder {}", folder_of(out).display());
            return Err(Trouble::usage(line).into());
        }
        let found = fs::symlink_metadata(out);
        if !force && found.is_ok() {
            let line = format!("{named} is there already: --force replaces it");
            return Err(Trouble::usage(line).into());
        }
        // A link stays: what it leads to is replaced. Anything but a file, as a device, must not be.
        let path = match found {
            Ok(found) if found.is_symlink() => {
                fs::canonicalize(out).with_context(|| named.to_string())?
            }
            _ => out.to_path_buf(),
        };
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            let line = format!("{named} is no file that can be replaced: -o - writes to anything");
            return Err(Trouble::usage(line).into());
        }
        Ok(Self::File { path, force })
    }

    /// A file to write to until all of it is there.
    pub fn draft(&self) -> anyhow::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".atelier-");
        #[cfg(unix)]
        if !matches!(self, Self::Stdout) {
            use std::os::unix::fs::PermissionsExt as _;
            // As any other new file: the umask takes away what it takes away.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let made = match self {
            Self::Stdout => builder.tempfile(),
            Self::File { path, .. } => builder.tempfile_in(folder_of(path)),
            Self::Named { folder, .. } => builder.tempfile_in(folder),
        };
        made.context("a file to write to")
    }

    /// Gives a whole draft its name, and tells it.
    pub fn keep(&self, draft: NamedTempFile, content_type: &str) -> anyhow::Result<PathBuf> {
        draft.as_file().sync_all()?;
        match self {
            Self::Stdout => Ok(PathBuf::from("-")),
            Self::File { path, force: true } => {
                draft
                    .persist(path)
                    .map_err(|error| error.error)
                    .with_context(|| path.display().to_string())?;
                Ok(path.clone())
            }
            Self::File { path, force: false } => {
                draft
                    .persist_noclobber(path)
                    .map_err(|error| error.error)
                    .with_context(|| path.display().to_string())?;
                Ok(path.clone())
            }
            Self::Named { folder, stem } => named(draft, folder, stem, end_of(content_type)),
        }
    }
}

fn named(
    mut draft: NamedTempFile,
    folder: &Path,
    stem: &str,
    end: &str,
) -> anyhow::Result<PathBuf> {
    let folder = if folder == Path::new(".") {
        Path::new("")
    } else {
        folder
    };
    for count in 1..=SAME_NAMES {
        let name = match count {
            1 => format!("{stem}.{end}"),
            count => format!("{stem}-{count}.{end}"),
        };
        let path = folder.join(name);
        match draft.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => draft = error.file,
            Err(error) => return Err(error.error).with_context(|| path.display().to_string()),
        }
    }
    anyhow::bail!("there are {SAME_NAMES} files named {stem} here; give -o FILE")
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A file's name from a text: its first letters and digits, joined by dashes.
fn stem(text: &str) -> String {
    let mut stem = String::new();
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let longer = stem.chars().count() + 1 + word.chars().count();
        if !stem.is_empty() {
            if longer > NAME_CHARS {
                break;
            }
            stem.push('-');
        }
        stem.extend(word.chars().take(NAME_CHARS).flat_map(char::to_lowercase));
    }
    if stem.is_empty() {
        "atelier".to_owned()
    } else {
        stem
    }
}

fn end_of(content_type: &str) -> &'static str {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/flac" | "audio/x-flac" => "flac",
        "text/csv" => "csv",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn write(output: &Output, content_type: &str) -> anyhow::Result<PathBuf> {
        let mut draft = output.draft()?;
        draft.write_all(b"whole")?;
        output.keep(draft, content_type)
    }

    #[test]
    fn a_name_is_made_of_the_text() {
        assert_eq!(stem("A red boat, at sunset!"), "a-red-boat-at-sunset");
        assert_eq!(stem("../../etc/passwd"), "etc-passwd");
        assert_eq!(stem("…"), "atelier");
        assert!(stem(&"word ".repeat(50)).chars().count() <= NAME_CHARS);
        assert_eq!(stem(&"é".repeat(500)).chars().count(), NAME_CHARS);
    }

    #[test]
    fn no_file_is_replaced_unless_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let output = Output::decide(Some(&path), false, "").unwrap();
        assert_eq!(write(&output, "image/png").unwrap(), path);
        let error = Output::decide(Some(&path), false, "").unwrap_err();
        assert_eq!(super::super::trouble::exit_of(&error), 64);
        // One that came up meanwhile stays too.
        assert!(write(&output, "image/png").is_err());
        let output = Output::decide(Some(&path), true, "").unwrap();
        assert_eq!(write(&output, "image/png").unwrap(), path);
        assert!(Output::decide(Some(&folder.path().join("no/a.png")), false, "").is_err());
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a draft is left over");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.png"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&Output::decide(Some(&link), true, "").unwrap(), "image/png").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "whole");
        let error = Output::decide(Some(Path::new("/dev/null")), true, "").unwrap_err();
        assert_eq!(super::super::trouble::exit_of(&error), 64);
    }

    #[test]
    fn a_folder_takes_files_with_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::decide(Some(folder.path()), false, "red boat").unwrap();
        for name in ["red-boat.jpg", "red-boat-2.jpg"] {
            assert_eq!(
                write(&output, "image/jpeg").unwrap(),
                folder.path().join(name)
            );
        }
    }
}
