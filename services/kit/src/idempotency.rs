//! `idempotency-key`, the metadata by which a caller allows that his call is made again; that it means the call is checked here.

use tonic::Request;

use crate::check::Check;
use crate::fault::Fault;

/// The metadata.
pub const KEY: &str = "idempotency-key";

/// Refuses a request whose key is not its `request_id`: whoever is between may send it again on the strength of the
/// key alone, and it is the `request_id` that keeps the second from acting anew. Without a key there is nothing to say.
pub fn is_request_id<T>(request: &Request<T>, request_id: &str) -> Result<(), Fault> {
    let mut keys = request.metadata().get_all(KEY).iter();
    let agrees = keys.all(|key| key.as_encoded_bytes() == request_id.as_bytes());
    Check::new()
        .that(
            agrees,
            "request_id",
            "must be what the metadata idempotency-key says",
        )
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(keys: &[&[u8]], request_id: &str) -> bool {
        let mut request = Request::new(());
        for key in keys {
            request
                .metadata_mut()
                .append(KEY, (*key).try_into().unwrap());
        }
        is_request_id(&request, request_id).is_ok()
    }

    #[test]
    fn a_key_must_be_the_request_id_and_need_not_be_there() {
        assert!(is_taken(&[], ""));
        assert!(is_taken(&[], "r-1"));
        assert!(is_taken(&[b"r-1"], "r-1"));
        assert!(!is_taken(&[b"r-1"], ""));
        assert!(!is_taken(&[b"r-1"], "r-2"));
        assert!(!is_taken(&[b"r-1", b"r-2"], "r-1"));
        assert!(!is_taken(&[b"\xff"], "r-1"));
    }

    #[test]
    fn the_refusal_names_the_field() {
        let mut request = Request::new(());
        request.metadata_mut().insert(KEY, "r-1".parse().unwrap());
        let fault = is_request_id(&request, "r-2").unwrap_err();
        assert!(fault.to_string().contains(": request_id: "), "{fault}");
    }
}
