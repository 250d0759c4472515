//! The token in a mail: made from the mail's id, so that no table and no queue has it; what it is good for is not known here.

use std::ops::Deref;

use aws_lc_rs::hmac;

use crate::tokens::Opaque;

/// A token.
pub(crate) struct MailToken(Opaque);

impl MailToken {
    /// The token of a mail: 256 bits that nobody can tell from random ones without the key. A mail that is sent again
    /// has the same, so that whichever copy arrives is good.
    pub(crate) fn of_mail(key: &hmac::Key, mail_id: &str) -> Self {
        Self(Opaque::of(hmac::sign(key, mail_id.as_bytes()).as_ref()))
    }

    /// One that a caller presents.
    pub(crate) fn presented(text: String) -> Self {
        Self(Opaque::presented(text))
    }
}

impl Deref for MailToken {
    type Target = Opaque;

    fn deref(&self) -> &Opaque {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_has_one_token_and_another_mail_or_key_another() {
        let key = |byte| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
        let token = MailToken::of_mail(&key(1), "one");
        assert_eq!(token.expose().len(), 43);
        assert_eq!(token.hash(), MailToken::of_mail(&key(1), "one").hash());
        assert_eq!(
            token.hash(),
            MailToken::presented(token.expose().to_owned()).hash()
        );
        assert_ne!(token.hash(), MailToken::of_mail(&key(1), "two").hash());
        assert_ne!(token.hash(), MailToken::of_mail(&key(2), "one").hash());
    }
}
