//! What one service offers now: chosen by an id, with what the caller is told about it, and changed as a whole.

mod attempt;
mod menu;
mod supply;
mod terms;
#[cfg(test)]
mod tests;
mod watch;

pub use attempt::{Begun, Pieces, begin};
pub use menu::{Choice, Menu, Notice, Offered, Unoffered};
pub use supply::{Supply, named, provider};
pub use terms::{prices, quote, terms};
pub use watch::{Maker, Offers};

/// The reason of a warning: the model will be shut down.
pub const MODEL_DEPRECATED: &str = "MODEL_DEPRECATED";
/// The reason of a warning: the model was shut down, and another answers in its place.
pub const MODEL_REPLACED: &str = "MODEL_REPLACED";
/// The reason of a warning: the model's provider gave nothing, and another model is asked.
pub const FALLBACK: &str = "FALLBACK";
/// The reason of a refusal: the model was shut down.
pub const MODEL_SHUT_DOWN: &str = "MODEL_SHUT_DOWN";
/// The reason of a failure: the model vanished from the registry while the generation waited.
pub const MODEL_GONE: &str = "MODEL_GONE";
