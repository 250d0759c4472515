//! Where things are in the bucket: the layout that the product began with, and nothing else knows it.
//!
//! `requests/{yyyy}/{mm}/{dd}/{uuid}/{input.json,record.json,image/original.png}` and
//! `users/{id}/image/history/{yyyy}/{mm}/{dd}.jsonl`.

use atelier_kit::moment::Micros;
use atelier_kit::objects::{BlobError, ObjectKey};

const DAY: Micros = 86_400_000_000;

/// The day of a time: days since the epoch, in UTC.
pub fn day_of(time: Micros) -> i64 {
    time.div_euclid(DAY)
}

/// When a day begins and when the next one does.
pub fn bounds_of(day: i64) -> (Micros, Micros) {
    (day * DAY, (day + 1) * DAY)
}

fn date(day: i64) -> String {
    // Hinnant's civil_from_days is in the library; the day is a count of whole days in UTC.
    let epoch = jiff::civil::date(1970, 1, 1);
    let date = epoch.saturating_add(jiff::Span::new().days(day.clamp(0, 2_900_000)));
    format!("{:04}/{:02}/{:02}", date.year(), date.month(), date.day())
}

/// Everything of one request begins with this.
pub fn prefix(id: &str, create_time: Micros) -> String {
    format!("requests/{}/{id}/", date(day_of(create_time)))
}

/// The prefix of the request that this original belongs to. The key tells it and not the row's time: midnight may lie
/// between the two.
pub fn prefix_of(original: &str) -> &str {
    original
        .find("image/original.")
        .map_or(original, |end| &original[..end])
}

/// What was asked for.
pub fn input(id: &str, create_time: Micros) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!("{}input.json", prefix(id, create_time)))
}

/// All that is known of the picture.
pub fn record(id: &str, create_time: Micros) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!("{}record.json", prefix(id, create_time)))
}

/// The picture itself; its name ends as its media type says.
pub fn original(id: &str, create_time: Micros, content_type: &str) -> Result<ObjectKey, BlobError> {
    let end = match content_type {
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        _ => "png",
    };
    ObjectKey::new(format!("{}image/original.{end}", prefix(id, create_time)))
}

/// A user's pictures of one day, a line each.
pub fn history(user_id: &str, day: i64) -> Result<ObjectKey, BlobError> {
    ObjectKey::new(format!("users/{user_id}/image/history/{}.jsonl", date(day)))
}

/// Every history of a user begins with this.
pub fn histories(user_id: &str) -> String {
    format!("users/{user_id}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_layout() {
        let time = 1_704_110_400_000_000; // 2024-01-01T12:00:00Z
        let key = original("abc", time, "image/png").unwrap();
        assert_eq!(key.as_str(), "requests/2024/01/01/abc/image/original.png");
        assert_eq!(prefix_of(key.as_str()), prefix("abc", time));
        let key = history("ana", day_of(time)).unwrap();
        assert_eq!(key.as_str(), "users/ana/image/history/2024/01/01.jsonl");
        assert_eq!(day_of(bounds_of(19_723).1 - 1), 19_723);
        assert!(history("../evil", 1).is_err());
    }
}
