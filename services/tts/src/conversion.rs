//! Spoken texts as the rules see them: what is asked for, what is kept, and what may be asked.

use std::ops::RangeInclusive;

use atelier_kit::moment::Micros;
use atelier_proto::generation::v1::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::audio::AudioFormat;

/// How long a text may be, in characters.
pub const CHARACTERS: RangeInclusive<usize> = 1..=5000;
/// How fast and how high a voice can be asked to speak.
pub const FACTORS: RangeInclusive<f64> = 0.5..=2.0;

/// Whether a text has anything to say at all.
pub fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// A text that is to be spoken: everything that the work needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The text.
    pub text: String,
    /// The voice's id.
    pub voice: String,
    /// The language of the voice, as a BCP 47 tag.
    pub language: String,
    /// The format of the audio.
    #[serde(with = "format_name")]
    pub format: AudioFormat,
    /// How fast, as a factor of the voice's own pace.
    pub speed: f64,
    /// How high, as a factor of the voice's own pitch.
    pub pitch: f64,
    /// The caller's key for repeating the call, where there was one.
    pub request_id: Option<String>,
    /// When it was asked for: the day in the keys of its objects, here so that nobody reads another clock.
    pub create_time: Micros,
    /// The voice that was asked for, where another speaks in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

impl Order {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .unwrap_or_else(|_| unreachable!("an order is plain values"))
            .into()
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// The name that a format is kept under.
pub fn format_name(format: AudioFormat) -> &'static str {
    format.extension()
}

/// The format of a name; `None` for a name that none has.
pub fn format_of(name: &str) -> Option<AudioFormat> {
    [AudioFormat::Wav, AudioFormat::Flac]
        .into_iter()
        .find(|format| format.extension() == name)
}

/// Formats by their names, for serde.
mod format_name {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::AudioFormat;

    pub(super) fn serialize<S: Serializer>(format: &AudioFormat, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(super::format_name(*format))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<AudioFormat, D::Error> {
        let name = String::deserialize(from)?;
        super::format_of(&name).ok_or_else(|| D::Error::custom("no such audio format"))
    }
}

/// What is known of a spoken text once its object is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Where the object is.
    pub s3_key: String,
    /// The media type.
    pub content_type: String,
    /// The size in bytes.
    pub size_bytes: i64,
    /// The SHA-256 in hexadecimal.
    pub sha256: String,
    /// How long it plays.
    pub duration_micros: Micros,
    /// How long the voice worked.
    pub processing_micros: Micros,
    /// What the provider answered, where it speaks HTTP.
    pub status_code: Option<u16>,
    /// What the provider charged, where that is known.
    pub cost_usd: Option<f64>,
}

/// What the row of a conversion is told at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spoke {
    /// What is stored.
    #[serde(flatten)]
    pub stored: Stored,
    /// The voice that spoke: it may be another than was asked for.
    pub voice: String,
    /// Its language, as a BCP 47 tag.
    pub language: String,
}

/// What is kept beside a conversion for whoever looks into the bucket, in the words that the product began with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The caller's key for repeating the call, where there was one.
    pub request_id: Option<String>,
    /// Who spoke it.
    pub provider: String,
    /// How long the voice worked, in milliseconds.
    pub latency_ms: Option<i64>,
    /// What the provider answered, where it speaks HTTP.
    pub status_code: Option<u16>,
    /// What the provider charged, where that is known.
    pub cost_usd: Option<f64>,
    /// Where all that is known of it is, once it is stored.
    pub record_key: Option<String>,
    /// Where the request is.
    pub input_key: String,
}

/// A spoken text.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// Its id, which is its generation's too.
    pub id: String,
    /// The account it belongs to.
    pub user_id: String,
    /// What was asked for.
    pub order: Order,
    /// Where it stands.
    pub state: State,
    /// Who spoke it.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its object, once it is stored.
    pub stored: Option<Stored>,
    /// When it last changed.
    pub update_time: Micros,
}

impl Conversion {
    /// Whether it is still being made.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_comes_back_from_its_bytes() {
        let order = Order {
            text: "Olá 🎙".into(),
            voice: "kal".into(),
            language: "en-US".into(),
            format: AudioFormat::Flac,
            speed: 0.1 + 0.7,
            pitch: 1.0,
            request_id: None,
            create_time: 1_704_110_400_000_000,
            asked: None,
        };
        assert_eq!(Order::decode(&order.encode()).unwrap(), order);
        let other = String::from_utf8(order.encode().to_vec())
            .unwrap()
            .replace("\"flac\"", "\"mp3\"");
        assert!(Order::decode(other.as_bytes()).is_err());
    }

    #[test]
    fn a_text_needs_a_letter_or_a_digit() {
        for (text, has) in [
            ("", false),
            (" …!? 🎙\n", false),
            ("- 7 -", true),
            ("é", true),
            ("你", true),
        ] {
            assert_eq!(has_words(text), has, "{text:?}");
        }
    }
}
