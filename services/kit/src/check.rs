//! Field rules: a handler states them in order, and every broken one is told in a single `BadRequest`.

use crate::fault::{Fault, Violation};

/// Collects the broken rules of one request.
///
/// ```
/// use atelier_kit::check::Check;
///
/// let mut check = Check::new();
/// check.chars("title", "a", 1..=200).id("conversation_id", "");
/// assert!(check.finish().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// Begins with nothing broken.
    pub fn new() -> Self {
        Self::default()
    }

    /// States that a rule of a field is broken.
    pub fn broken(&mut self, field: &str, rule: impl Into<String>) -> &mut Self {
        self.violations.push(Violation {
            field: field.to_owned(),
            rule: rule.into(),
        });
        self
    }

    /// A rule of one's own.
    pub fn that(&mut self, holds: bool, field: &str, rule: &str) -> &mut Self {
        if !holds {
            self.broken(field, rule);
        }
        self
    }

    /// A text of so many characters.
    pub fn chars(
        &mut self,
        field: &str,
        text: &str,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> &mut Self {
        // A text of more bytes than four times the most characters needs no counting.
        let count = if text.len() > allowed.end().saturating_mul(4) {
            usize::MAX
        } else {
            text.chars().count()
        };
        self.that(
            allowed.contains(&count),
            field,
            &format!(
                "must have {} to {} characters",
                allowed.start(),
                allowed.end()
            ),
        )
    }

    /// A text of so many bytes.
    pub fn bytes(
        &mut self,
        field: &str,
        text: &str,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> &mut Self {
        self.that(
            allowed.contains(&text.len()),
            field,
            &format!("must have {} to {} bytes", allowed.start(), allowed.end()),
        )
    }

    /// A text that is not only white space.
    pub fn not_blank(&mut self, field: &str, text: &str) -> &mut Self {
        self.that(!text.trim().is_empty(), field, "must not be blank")
    }

    /// An id that this mesh could have made: 1 to 64 bytes of `A-Z a-z 0-9 - _ . :`.
    pub fn id(&mut self, field: &str, id: &str) -> &mut Self {
        self.that(
            is_id(id),
            field,
            "must be an id: 1 to 64 of A-Z a-z 0-9 - _ . :",
        )
    }

    /// An id that may be left empty.
    pub fn optional_id(&mut self, field: &str, id: &str) -> &mut Self {
        if id.is_empty() {
            self
        } else {
            self.id(field, id)
        }
    }

    /// A page size: 0 means 50, at most 1000. Returns how many rows to read.
    pub fn page_size(&mut self, size: i32) -> i64 {
        self.that((0..=1000).contains(&size), "page_size", "must be 0 to 1000");
        if size == 0 { 50 } else { i64::from(size) }
    }

    /// An integer within bounds.
    pub fn within(
        &mut self,
        field: &str,
        value: i64,
        allowed: std::ops::RangeInclusive<i64>,
    ) -> &mut Self {
        self.that(
            allowed.contains(&value),
            field,
            &format!("must be {} to {}", allowed.start(), allowed.end()),
        )
    }

    /// A finite number within bounds.
    pub fn between(
        &mut self,
        field: &str,
        value: f64,
        allowed: std::ops::RangeInclusive<f64>,
    ) -> &mut Self {
        self.that(
            value.is_finite() && allowed.contains(&value),
            field,
            &format!("must be {} to {}", allowed.start(), allowed.end()),
        )
    }

    /// An update mask: at least one path, and each among those that can be changed.
    pub fn mask(&mut self, mask: Option<&prost_types::FieldMask>, allowed: &[&str]) -> Vec<String> {
        let paths = mask.map(|mask| mask.paths.clone()).unwrap_or_default();
        if paths.is_empty() {
            self.broken(
                "update_mask",
                format!("must name at least one of: {}", allowed.join(", ")),
            );
        }
        for path in &paths {
            if !allowed.contains(&path.as_str()) {
                self.broken(
                    "update_mask",
                    format!("can name only: {}", allowed.join(", ")),
                );
                break;
            }
        }
        paths
    }

    /// The end: an error that names every broken rule, if there is one.
    pub fn finish(&mut self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(Fault::bad_request(std::mem::take(&mut self.violations)))
        }
    }
}

/// Whether a text could be an id or a request id: 1 to 64 of `A-Z a-z 0-9 - _ . :`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_told() {
        let mut check = Check::new();
        check
            .chars("a", &"é".repeat(11), 1..=10)
            .not_blank("b", " \t")
            .id("c", "with space")
            .between("d", f64::NAN, 0.0..=1.0);
        check.page_size(-1);
        let fault = check.finish().unwrap_err();
        for field in ["a:", "b:", "c:", "d:", "page_size:"] {
            assert!(fault.to_string().contains(field), "{fault}");
        }
    }

    #[test]
    fn characters_are_not_bytes() {
        let mut check = Check::new();
        check.chars("a", &"é".repeat(10), 1..=10);
        assert!(check.finish().is_ok());
    }

    #[test]
    fn a_mask_names_known_fields_only() {
        let mask = |paths: &[&str]| prost_types::FieldMask {
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
        };
        let mut check = Check::new();
        check.mask(Some(&mask(&["title"])), &["title"]);
        assert!(check.finish().is_ok());
        check.mask(Some(&mask(&["owner"])), &["title"]);
        assert!(check.finish().is_err());
        check.mask(None, &["title"]);
        assert!(check.finish().is_err());
    }
}
