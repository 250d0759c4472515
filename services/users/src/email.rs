//! The rule of e-mails: what can be one, and the one form in which it is kept and compared.

/// The most bytes an e-mail may have.
pub(crate) const MAX_BYTES: usize = 254;

/// An e-mail in the form in which it is kept: in lower case. The rule that it breaks when it cannot be one.
pub(crate) fn normalise(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("must have at most 254 bytes");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must have no white space and no control characters");
    }
    match text.split_once('@') {
        Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {}
        _ => return Err("must be a name, one @ and a domain"),
    }
    let lower = text.to_lowercase();
    // A few letters are longer in lower case.
    if lower.len() > MAX_BYTES {
        return Err("must have at most 254 bytes");
    }
    Ok(lower)
}

/// The form in which an e-mail is looked up, whether or not it could be one.
pub(crate) fn lookup(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_an_email_is_kept_in_lower_case() {
        assert_eq!(
            normalise("Ana.B+x@Example.ORG").unwrap(),
            "ana.b+x@example.org"
        );
        assert_eq!(normalise("JOSÉ@x.es").unwrap(), "josé@x.es");
        assert!(normalise(&format!("{}@x", "a".repeat(252))).is_ok());
    }

    #[test]
    fn what_cannot_be_an_email_is_refused() {
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "ab",
            "a@b@c",
            "a b@c",
            "a@b\n",
            "a\u{0}@b",
            "a@\u{2003}b",
        ] {
            assert!(normalise(bad).is_err(), "{bad:?}");
        }
        assert!(normalise(&format!("{}@x", "a".repeat(253))).is_err());
        // 126 two-byte letters that become three bytes each.
        assert!(normalise(&format!("{}@x", "İ".repeat(126))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_kept_email_stays_as_it_is_and_is_found(text in "\\PC{1,20}@\\PC{1,20}") {
            if let Ok(kept) = normalise(&text) {
                proptest::prop_assert_eq!(normalise(&kept), Ok(kept.clone()));
                proptest::prop_assert_eq!(lookup(&text), kept);
            }
        }
    }
}
