//! Where things are in the bucket: the layout that the product began with, and nothing else knows it.
//!
//! `requests/{yyyy}/{mm}/{dd}/{uuid}/{input.json,record.json,audio/original.{wav,flac}}`.

use atelier_kit::moment::Micros;
use atelier_kit::objects::{BlobError, ObjectKey};

use crate::audio::AudioFormat;

const DAY: Micros = 86_400_000_000;

/// Everything of one request begins with this; the day is that of its time in UTC.
pub fn prefix(id: &str, create_time: Micros) -> String {
    let days = create_time.div_euclid(DAY).clamp(0, 2_900_000);
    let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
    format!(
        "requests/{:04}/{:02}/{:02}/{id}/",
        date.year(),
        date.month(),
        date.day()
    )
}

/// What was asked for.
pub fn input(id: &str, create_time: Micros) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!("{}input.json", prefix(id, create_time)))
}

/// All that is known of the spoken text.
pub fn record(id: &str, create_time: Micros) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!("{}record.json", prefix(id, create_time)))
}

/// The audio itself; its name ends as its format does.
pub fn original(
    id: &str,
    create_time: Micros,
    format: AudioFormat,
) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!(
        "{}audio/original.{}",
        prefix(id, create_time),
        format.extension()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_layout() {
        let time = 1_704_110_400_000_000; // 2024-01-01T12:00:00Z
        let key = |time, format| original("abc", time, format).unwrap().as_str().to_owned();
        assert_eq!(
            key(time, AudioFormat::Wav),
            "requests/2024/01/01/abc/audio/original.wav"
        );
        assert_eq!(
            key(time - DAY / 2 - 1, AudioFormat::Flac),
            "requests/2023/12/31/abc/audio/original.flac"
        );
        assert_eq!(
            input("abc", time).unwrap().as_str(),
            "requests/2024/01/01/abc/input.json"
        );
        assert_eq!(
            record("abc", time).unwrap().as_str(),
            "requests/2024/01/01/abc/record.json"
        );
        assert!(input("../evil", time).is_err());
        // A clock that went mad makes a key all the same.
        assert!(input("abc", Micros::MAX).is_ok() && input("abc", Micros::MIN).is_ok());
    }
}
