//! Names of objects that mean the same on every store; it touches no store.

use std::fmt;
use std::str::FromStr;

use super::BlobError;

/// The longest key, in bytes.
///
/// S3 would take 1024. The embedded server keeps an object's properties in a file whose name holds the whole key in
/// base64, beside the bucket's name, and file names end at 255 bytes: with this bound and a bucket of at most 24 bytes
/// a key that works anywhere works everywhere.
pub const MAX_KEY_BYTES: usize = 144;

/// The longest part between two slashes, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 128;

/// The name of an object: segments of letters, digits and `. _ = -`, divided by single slashes.
///
/// No segment is empty, `.` or `..`, so a key cannot climb out of its bucket on a store that keeps files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Takes a key of 1 to [`MAX_KEY_BYTES`] bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, BlobError> {
        let text = text.into();
        if text.is_empty() {
            return Err(BlobError::InvalidKey("it is empty"));
        }
        check_length(&text)?;
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the last slash.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectKey {
    type Err = BlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Checks that a text can be the beginning of a key; the empty text is the beginning of all.
pub(super) fn check_prefix(prefix: &str) -> Result<(), BlobError> {
    check_length(prefix)?;
    let (whole, open) = prefix
        .rsplit_once('/')
        .map_or((None, prefix), |(whole, open)| (Some(whole), open));
    if let Some(whole) = whole {
        whole.split('/').try_for_each(check_segment)?;
    }
    check_letters(open)
}

fn check_length(text: &str) -> Result<(), BlobError> {
    if text.len() > MAX_KEY_BYTES {
        return Err(BlobError::InvalidKey("it is too long"));
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), BlobError> {
    match segment {
        "" => Err(BlobError::InvalidKey("a segment is empty")),
        "." | ".." => Err(BlobError::InvalidKey("a segment is . or ..")),
        _ if segment.len() > MAX_SEGMENT_BYTES => {
            Err(BlobError::InvalidKey("a segment is too long"))
        }
        _ => check_letters(segment),
    }
}

fn check_letters(text: &str) -> Result<(), BlobError> {
    let known =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'=' | b'-');
    if text.bytes().all(known) {
        return Ok(());
    }
    Err(BlobError::InvalidKey(
        "a character is none of A-Z a-z 0-9 . _ = -",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_seed_layout_are_taken() {
        let key = "requests/2026/11/22/0193509e-7a4b-7c11-8f21-0a4be7f4c001/image/original.png";
        assert_eq!(ObjectKey::new(key).unwrap().file_name(), "original.png");
        assert_eq!(ObjectKey::new("a").unwrap().file_name(), "a");
        assert!(ObjectKey::new("day=2026-11-22/..a/b..").is_ok());
        assert!(ObjectKey::new("s".repeat(MAX_SEGMENT_BYTES)).is_ok());
    }

    #[test]
    fn nothing_else_is_a_key() {
        let long = format!("{}/{}", "s".repeat(100), "s".repeat(100));
        let segment = "s".repeat(MAX_SEGMENT_BYTES + 1);
        for text in [
            "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.", "a b", "a\\b", "ä",
            "a\0", "a%2fb", "a?b", "a\n", &long, &segment,
        ] {
            assert!(
                matches!(ObjectKey::new(text), Err(BlobError::InvalidKey(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn prefixes_may_end_anywhere() {
        for prefix in ["", "a", "a/", "a/b", "a/.", "."] {
            assert!(check_prefix(prefix).is_ok(), "{prefix:?}");
        }
        for prefix in ["/", "a//", "../", "a/../b", "*", "ä"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_key_leaves_its_folder(text in "[a-z./_=-]{0,40}") {
            if let Ok(key) = ObjectKey::new(text) {
                let path = std::path::Path::new("root").join(key.as_str());
                let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
                proptest::prop_assert!(plain);
                proptest::prop_assert!(check_prefix(key.as_str()).is_ok());
            }
        }
    }
}
