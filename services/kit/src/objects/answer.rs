//! The SDK's answers in the port's words: errors and bodies; it asks for nothing.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::BlobError;

/// The SDK's body as a stream of the port's words.
pub(super) fn pieces(body: ByteStream) -> BoxStream<'static, Result<Bytes, BlobError>> {
    stream::try_unfold(body, |mut body| async move {
        match body.next().await {
            Some(Ok(piece)) => Ok(Some((piece, body))),
            Some(Err(error)) => Err(broken_body(error.into())),
            None => Ok(None),
        }
    })
    .boxed()
}

/// Holds the last piece back until the body was found whole. A reader who was promised a length would otherwise have
/// all he was promised before an error at the very end, such as a checksum that does not match, can reach him.
pub(super) fn exactly(
    body: BoxStream<'static, Result<Bytes, BlobError>>,
    length: u64,
) -> BoxStream<'static, Result<Bytes, BlobError>> {
    stream::try_unfold(Some((body, None::<Bytes>, length)), |state| async move {
        let Some((mut body, mut held, mut left)) = state else {
            return Ok(None);
        };
        loop {
            let Some(piece) = body.next().await else {
                if left != 0 {
                    return Err(BlobError::Unavailable("the body ended early".into()));
                }
                return Ok(held.map(|piece| (piece, None)));
            };
            let piece = piece?;
            if piece.is_empty() {
                continue;
            }
            left = left
                .checked_sub(piece.len() as u64)
                .ok_or_else(|| BlobError::Unavailable("the body is longer than promised".into()))?;
            if let Some(ready) = held.replace(piece) {
                return Ok(Some((ready, Some((body, held, left)))));
            }
        }
    })
    .boxed()
}

/// The SDK's checksum error is a type of a crate of its own, so it is known by its words.
fn broken_body(error: Box<dyn Error + Send + Sync>) -> BlobError {
    let mut link: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(cause) = link {
        if cause.to_string().contains("checksum") {
            return BlobError::Checksum;
        }
        link = cause.source();
    }
    BlobError::Unavailable(error)
}

type Answer = aws_sdk_s3::config::http::HttpResponse;

/// The HTTP status of an answer that was an error.
pub(super) fn status<E>(error: &SdkError<E, Answer>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

/// An error of the SDK as one of the port.
pub(super) fn translate<E>(error: SdkError<E, Answer>) -> BlobError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let known = match &error {
        SdkError::ConstructionFailure(_) => return BlobError::Other(error.into()),
        SdkError::ServiceError(_) => (error.code(), status(&error)),
        // No answer, or half of one.
        _ => return BlobError::Unavailable(error.into()),
    };
    match known {
        (
            Some(
                "BadDigest"
                | "InvalidDigest"
                | "XAmzContentSHA256Mismatch"
                | "XAmzContentChecksumMismatch",
            ),
            _,
        ) => BlobError::Checksum,
        (Some("InvalidRange"), _) | (_, Some(416)) => BlobError::Range,
        (_, Some(404)) => BlobError::NotFound,
        (Some("RequestTimeout" | "SlowDown" | "Throttling"), _) | (_, Some(429 | 500..=599)) => {
            BlobError::Unavailable(error.into())
        }
        _ => BlobError::Other(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn bodies_that_end_early_or_late_are_errors() {
        let body = |pieces: &[&'static str]| {
            let pieces: Vec<_> = pieces
                .iter()
                .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
                .collect();
            stream::iter(pieces).boxed()
        };
        let all = |stream: BoxStream<'static, Result<Bytes, BlobError>>| async move {
            let mut seen = Vec::new();
            let ended = stream
                .try_for_each(|piece| {
                    seen.extend_from_slice(&piece);
                    async { Ok(()) }
                })
                .await;
            (seen, ended.is_ok())
        };
        assert_eq!(
            all(exactly(body(&["ab", "", "cd"]), 4)).await,
            (b"abcd".to_vec(), true)
        );
        assert_eq!(all(exactly(body(&[]), 0)).await, (vec![], true));
        assert_eq!(
            all(exactly(body(&["ab", "cd"]), 5)).await,
            (b"ab".to_vec(), false)
        );
        assert_eq!(
            all(exactly(body(&["ab", "cd"]), 3)).await,
            (b"".to_vec(), false)
        );
        assert_eq!(all(exactly(body(&[]), 1)).await, (vec![], false));
    }
}
