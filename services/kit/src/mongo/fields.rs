//! Documents, read field by field: one that is missing where it must not be is told by its name.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document};

use super::Error;

/// Bytes as a value.
pub fn bytes(bytes: impl Into<Vec<u8>>) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.into(),
    })
}

/// A document that is read field by field.
pub trait Fields {
    /// A field that may be missing, or null.
    fn maybe(&self, field: &str) -> Option<&Bson>;

    /// A text.
    fn text(&self, field: &str) -> Result<String, Error> {
        match self.maybe(field) {
            Some(Bson::String(text)) => Ok(text.clone()),
            _ => Err(Error::field(field)),
        }
    }

    /// A text that may be missing.
    fn maybe_text(&self, field: &str) -> Option<String> {
        match self.maybe(field) {
            Some(Bson::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A whole number, however wide it is kept.
    fn number(&self, field: &str) -> Result<i64, Error> {
        self.maybe_number(field).ok_or_else(|| Error::field(field))
    }

    /// A whole number that may be missing.
    fn maybe_number(&self, field: &str) -> Option<i64> {
        match self.maybe(field) {
            Some(Bson::Int64(number)) => Some(*number),
            Some(Bson::Int32(number)) => Some(i64::from(*number)),
            _ => None,
        }
    }

    /// The number of a value of an enumeration.
    fn code(&self, field: &str) -> Result<i32, Error> {
        i32::try_from(self.number(field)?).map_err(|_| Error::field(field))
    }

    /// Yes or no; missing is no.
    fn flag(&self, field: &str) -> bool {
        matches!(self.maybe(field), Some(Bson::Boolean(true)))
    }

    /// Bytes.
    fn bytes(&self, field: &str) -> Result<&[u8], Error> {
        self.maybe_bytes(field).ok_or_else(|| Error::field(field))
    }

    /// Bytes that may be missing.
    fn maybe_bytes(&self, field: &str) -> Option<&[u8]> {
        match self.maybe(field) {
            Some(Bson::Binary(binary)) => Some(&binary.bytes),
            _ => None,
        }
    }

    /// A document within it.
    fn part(&self, field: &str) -> Result<&Document, Error> {
        self.maybe_part(field).ok_or_else(|| Error::field(field))
    }

    /// A document within it that may be missing.
    fn maybe_part(&self, field: &str) -> Option<&Document> {
        match self.maybe(field) {
            Some(Bson::Document(part)) => Some(part),
            _ => None,
        }
    }
}

impl Fields for Document {
    fn maybe(&self, field: &str) -> Option<&Bson> {
        self.get(field).filter(|value| !matches!(value, Bson::Null))
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_field_that_is_missing_is_told_by_its_name() {
        let document =
            doc! {"n": 3_i32, "wide": 4_i64, "t": "x", "none": Bson::Null, "b": bytes(*b"12")};
        assert_eq!(document.number("n").unwrap(), 3);
        assert_eq!(document.number("wide").unwrap(), 4);
        assert_eq!(document.text("t").unwrap(), "x");
        assert_eq!(document.bytes("b").unwrap(), b"12");
        assert_eq!(document.maybe_text("none"), None);
        assert!(!document.flag("none"));
        let error = document.text("none").unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
