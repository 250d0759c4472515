//! How long the calls of each medium may take, where nobody says otherwise.

use std::time::Duration;

use crate::registry::{Medium, Timeouts};

/// Until a connection stands.
pub const CONNECT: Duration = Duration::from_secs(10);

/// What a medium's calls may take by default.
pub const fn timeouts(medium: Medium) -> Timeouts {
    let (first_byte, total) = match medium {
        // A long prompt is read before anything is said; a reply that is still written after an hour is none.
        Medium::Chat => (120, 3_600),
        // The API answers when the picture is done.
        Medium::Image => (300, 300),
        // Some providers speak the whole text before they send anything.
        Medium::Speech => (120, 600),
    };
    Timeouts {
        connect: CONNECT,
        first_byte: Duration::from_secs(first_byte),
        idle: Duration::from_secs(60),
        total: Duration::from_secs(total),
    }
}
