//! Page tokens: opaque, signed, and good only for the listing, the caller and the filter they were made for.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, Violation};
use crate::secret::MeshSecret;

const MAX_TOKEN_BYTES: usize = 1024;
const TAG_BYTES: usize = 16;

/// Makes and reads page tokens. Replicas of one mesh read each other's.
#[derive(Clone, Debug)]
pub struct Pages {
    key: hmac::Key,
}

impl Pages {
    /// Takes its key from the mesh secret.
    pub fn new(secret: &MeshSecret) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret.derive("page-tokens")),
        }
    }

    /// A token for the page after `cursor`. `scope` names the listing, its owner and its filter.
    pub fn token<C: Serialize>(&self, scope: &[&str], cursor: &C) -> String {
        let mut bytes = serde_json::to_vec(cursor)
            .unwrap_or_else(|_| unreachable!("a cursor is a tuple of plain values"));
        let tag = self.tag(scope, &bytes);
        bytes.extend_from_slice(&tag.as_ref()[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of a token, or `None` for the first page; a `BadRequest` when the token was not made for this scope.
    pub fn cursor<C: DeserializeOwned>(
        &self,
        scope: &[&str],
        token: &str,
    ) -> Result<Option<C>, Fault> {
        if token.is_empty() {
            return Ok(None);
        }
        self.read(scope, token).map(Some).ok_or_else(|| {
            Fault::bad_request(vec![Violation {
                field: "page_token".into(),
                rule: "must be the next_page_token of the same listing".into(),
            }])
        })
    }

    /// Cuts the one row too many that a page reads, and makes the token of the next page from the last row kept.
    pub fn cut<T, C: Serialize>(
        &self,
        scope: &[&str],
        rows: &mut Vec<T>,
        limit: i64,
        cursor: impl FnOnce(&T) -> C,
    ) -> String {
        let limit = usize::try_from(limit).unwrap_or(0);
        if rows.len() <= limit {
            return String::new();
        }
        rows.truncate(limit);
        rows.last()
            .map_or_else(String::new, |row| self.token(scope, &cursor(row)))
    }

    fn read<C: DeserializeOwned>(&self, scope: &[&str], token: &str) -> Option<C> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (cursor, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let expected = self.tag(scope, cursor);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..TAG_BYTES], tag)
            .ok()?;
        serde_json::from_slice(cursor).ok()
    }

    fn tag(&self, scope: &[&str], cursor: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in scope {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.update(cursor);
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        Pages::new(&MeshSecret::new(&[3; 32]).unwrap())
    }

    #[test]
    fn a_token_is_good_for_its_scope_alone() {
        let token = pages().token(&["images", "ana"], &(12_i64, "id"));
        let read: (i64, String) = pages().cursor(&["images", "ana"], &token).unwrap().unwrap();
        assert_eq!(read, (12, "id".into()));
        assert!(
            pages()
                .cursor::<(i64, String)>(&["images", "bob"], &token)
                .is_err()
        );
        // The parts of a scope do not run into each other.
        assert!(
            pages()
                .cursor::<(i64, String)>(&["imagesana"], &token)
                .is_err()
        );
        assert!(
            pages()
                .cursor::<(i64, String)>(&["images", "ana"], "")
                .unwrap()
                .is_none()
        );
    }

    proptest::proptest! {
        #[test]
        fn no_other_text_is_a_token(text in ".{1,200}") {
            proptest::prop_assert!(pages().cursor::<(i64, String)>(&["x"], &text).is_err());
        }

        #[test]
        fn no_changed_token_is_a_token(at in 0_usize..40, to in "[A-Za-z0-9_-]") {
            let token = pages().token(&["x"], &(1_i64, "abc"));
            let mut changed = token.clone();
            let at = at % token.len();
            changed.replace_range(at..=at, &to);
            // The last character of base64 carries unused bits, which decoding refuses unless they are zero.
            if changed != token {
                proptest::prop_assert!(pages().cursor::<(i64, String)>(&["x"], &changed).is_err());
            }
        }
    }
}
