//! Pictures as the rules see them: what is asked for, what is kept, and what may be asked.

use atelier_kit::moment::Micros;
use atelier_proto::generation::v1::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The shortest and the longest side, in pixels.
pub const SIDES: std::ops::RangeInclusive<i64> = 64..=2048;
/// The side of a picture whose size was not asked for.
pub const DEFAULT_SIDE: u32 = 512;

/// What is to be painted: everything a painter needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commission {
    /// The prompt.
    pub prompt: String,
    /// The style's id.
    pub style: String,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The seed.
    pub seed: i64,
    /// The model that was asked for, where another paints in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

impl Commission {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .unwrap_or_else(|_| unreachable!("a commission is plain values"))
            .into()
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// What is known of a picture once its object is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Where the object is.
    pub s3_key: String,
    /// The media type.
    pub content_type: String,
    /// The size in bytes.
    pub size_bytes: i64,
    /// The SHA-256 in hexadecimal.
    pub sha256: String,
    /// The width in pixels that it really has.
    pub width: u32,
    /// The height in pixels that it really has.
    pub height: u32,
    /// How long the painter worked.
    pub processing_micros: Micros,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its id, which is its generation's too.
    pub id: String,
    /// The account it belongs to.
    pub user_id: String,
    /// What was asked for.
    pub commission: Commission,
    /// Where it stands.
    pub state: State,
    /// Who painted it.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its object, once it is stored.
    pub stored: Option<Stored>,
    /// When it was asked for.
    pub create_time: Micros,
    /// When it last changed.
    pub update_time: Micros,
}

impl Image {
    /// Whether it is still being made.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }
}
