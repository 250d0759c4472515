//! Parts of an object: what was asked for, what is served, and the `Range` header; it reads no bytes.

use super::BlobError;

/// The part of an object that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From one byte to another, both counted from zero, both included.
    Between {
        /// The first byte.
        first: u64,
        /// The last byte; beyond the end means up to the end.
        last: u64,
    },
    /// From a byte, counted from zero, to the end.
    From(u64),
    /// The last so many bytes; more than there are means all.
    Last(u64),
}

impl ByteRange {
    /// The value of a `Range` header that asks for this part.
    pub(super) fn to_header(self) -> String {
        match self {
            Self::Between { first, last } => format!("bytes={first}-{last}"),
            Self::From(first) => format!("bytes={first}-"),
            Self::Last(count) => format!("bytes=-{count}"),
        }
    }

    /// Reads a `Range` header (RFC 9110, section 14.2).
    ///
    /// `None` means that the whole is to be served, as the RFC demands for a header that is not understood; several
    /// ranges at once are not served either, which it allows.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (unit, ranges) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = ranges.trim().split_once('-')?;
        match (first, last) {
            ("", last) => position(last).map(Self::Last),
            (first, "") => position(first).map(Self::From),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Between { first, last })
            }
        }
    }

    /// Refuses what no object can serve.
    pub(super) fn check(self) -> Result<(), BlobError> {
        match self {
            Self::Between { first, last } if first > last => Err(BlobError::Range),
            Self::Last(0) => Err(BlobError::Range),
            _ => Ok(()),
        }
    }
}

/// Digits alone, as the grammar has it. A number too large to count to is as good as the largest.
fn position(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Half the range of u64: stores count in signed numbers.
    Some(text.parse().unwrap_or(u64::MAX).min(i64::MAX as u64))
}

/// The part of an object that is served: both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedRange {
    /// The first byte, counted from zero.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl ServedRange {
    /// How many bytes it has: at least one.
    pub fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Reads a `Content-Range` header, as in `bytes 0-9/100`: the part, and the size of the whole.
    pub(super) fn parse(header: &str) -> Option<(Self, u64)> {
        let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, total) = (position(first)?, position(last)?, position(total)?);
        (first <= last && last < total).then_some((Self { first, last }, total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_read() {
        assert_eq!(
            ByteRange::parse("bytes=0-9"),
            Some(ByteRange::Between { first: 0, last: 9 })
        );
        assert_eq!(
            ByteRange::parse("Bytes=5-5"),
            Some(ByteRange::Between { first: 5, last: 5 })
        );
        assert_eq!(ByteRange::parse("bytes=7-"), Some(ByteRange::From(7)));
        assert_eq!(ByteRange::parse("bytes=-3"), Some(ByteRange::Last(3)));
        let huge = ByteRange::parse("bytes=0-99999999999999999999999");
        assert_eq!(
            huge,
            Some(ByteRange::Between {
                first: 0,
                last: i64::MAX as u64
            })
        );
    }

    #[test]
    fn anything_else_means_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=9-0",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=1 -2",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header:?}");
        }
    }

    #[test]
    fn content_ranges_are_read_only_when_they_make_sense() {
        let (range, total) = ServedRange::parse("bytes 2-5/10").unwrap();
        assert_eq!((range.length(), total), (4, 10));
        for header in [
            "bytes 5-2/10",
            "bytes 0-10/10",
            "bytes */10",
            "bytes 0-1/*",
            "0-1/2",
        ] {
            assert_eq!(ServedRange::parse(header), None, "{header:?}");
        }
    }

    #[test]
    fn a_header_of_ours_is_read_back() {
        for range in [
            ByteRange::Between { first: 1, last: 2 },
            ByteRange::From(3),
            ByteRange::Last(4),
        ] {
            assert_eq!(ByteRange::parse(&range.to_header()), Some(range));
        }
    }
}
