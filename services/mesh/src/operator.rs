//! The operator's room on the admin port: whoever has the token of the data folder may call what is for services alone,
//! in the name of the owner of the machine; nothing else of the contract, and never without the token.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{AsService, Link, Links};
use atelier_kit::policy::{Access, Policies, Policy};
use atelier_kit::secret;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use tonic::Status;
use tonic::client::GrpcService as _;

use crate::roster::ROSTER;

/// The service identity of the operator.
pub const OPERATOR: &str = "operator";
/// The token's file in the data folder.
pub const TOKEN_FILE: &str = "operator-token";
/// What may be a token, in bytes: a file of anything else is no token.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 32..=256;
/// How many calls the operator may have under way at once.
const PLACES: usize = 32;
/// A gRPC frame's prefix: a compression flag, and four bytes of length.
const PREFIX: usize = 5;

/// The operator's token. It is never printed.
#[derive(Clone)]
pub struct OperatorToken(Arc<SecretString>);

impl OperatorToken {
    /// The token of a data folder: 256 random bits, made on the first start, for the eyes of its owner alone. Two
    /// processes that start at once agree: the file appears whole or not at all, and the second reads the first's.
    pub fn load_or_create(data: &Path) -> anyhow::Result<Self> {
        let path = data.join(TOKEN_FILE);
        let named = || format!("the operator's token {}", path.display());
        if !path.exists() {
            let text = URL_SAFE_NO_PAD.encode(secret::random::<32>()?);
            // A temporary file is its owner's alone from its first moment.
            let mut draft = tempfile::Builder::new()
                .prefix(".operator-token-")
                .tempfile_in(data)
                .with_context(named)?;
            draft.write_all(text.as_bytes()).with_context(named)?;
            draft.as_file().sync_all().with_context(named)?;
            match draft.persist_noclobber(&path) {
                Err(error) if error.error.kind() != ErrorKind::AlreadyExists => {
                    return Err(error.error).with_context(named);
                }
                _ => {}
            }
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .with_context(named)?;
        }
        Self::read(&path)
    }

    /// The token in a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("the operator's token {}", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        let text = text.trim();
        let sound = TOKEN_BYTES.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        anyhow::ensure!(sound, "{}: there is no token in it", named());
        Ok(Self(Arc::new(text.to_owned().into())))
    }

    /// The value of the `authorization` header.
    pub fn header(&self) -> anyhow::Result<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0.expose_secret()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whether a presented text is the token. It takes as long whatever the text is.
    fn is(&self, presented: &str) -> bool {
        let digest = |text: &str| secret::digest(&[text.as_bytes()]);
        let (own, presented) = (digest(self.0.expose_secret()), digest(presented));
        verify_slices_are_equal(&own, &presented).is_ok()
    }
}

/// What the room needs.
struct Room {
    token: OperatorToken,
    policies: Policies,
    links: BTreeMap<&'static str, Link>,
}

/// The routes of the room, behind the layers that every call passes: all methods of the contract, of which those for
/// services are passed on over `links`.
pub fn routes(token: OperatorToken, policies: &Policies, links: &Links) -> Router {
    let room = Arc::new(Room {
        token,
        policies: policies.clone(),
        links: ROSTER
            .iter()
            .flat_map(|seat| {
                seat.services
                    .iter()
                    .map(|name| (*name, links.to(seat.role)))
            })
            .collect(),
    });
    let method = Router::new().fallback(post(forward)).with_state(room);
    let guarded = Inbound::edge(OPERATOR, policies.clone(), PLACES)
        .guard_open(method)
        .into_service::<Body>();
    // Each path by itself, so that what is no method of the contract stays with the port's other routes.
    policies.iter().fold(Router::new(), |router, (path, _)| {
        router.route_service(path, guarded.clone())
    })
}

async fn forward(State(room): State<Arc<Room>>, request: Request) -> Response {
    match room.pass(request).await {
        Ok(response) => response,
        Err(status) => status.into_http(),
    }
}

impl Room {
    async fn pass(&self, request: Request) -> Result<Response, Status> {
        let (parts, body) = request.into_parts();
        self.admit(&parts.headers)?;
        let path = parts.uri.path();
        let policy = self.policies.of(path).ok_or_else(unknown)?;
        if policy.access != Access::Internal {
            return Err(Fault::new(
                Kind::Denied,
                "OPERATOR_METHODS_ONLY",
                "this method is called at the edge, with an account",
            )
            .into());
        }
        let onward = onward(&parts.headers, path, policy, body).await?;
        let mut link = self.link(path).ok_or_else(unknown)?.clone();
        std::future::poll_fn(|cx| link.poll_ready(cx)).await?;
        tracing::info!(path, "the operator calls");
        Ok(link.call(onward).await?.map(Body::new))
    }

    /// Whether the call has the token: one header with it, and no other.
    fn admit(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let refused = |reason, why| Err(Fault::new(Kind::Unauthenticated, reason, why));
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let presented = match (values.next(), values.next()) {
            (None, _) => return refused("TOKEN_MISSING", "the operator's token is needed"),
            (Some(value), None) => value.to_str().ok().and_then(|text| text.split_once(' ')),
            (Some(_), Some(_)) => None,
        };
        match presented {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("bearer") && self.token.is(token) =>
            {
                Ok(())
            }
            _ => refused("TOKEN_INVALID", "this is not the operator's token"),
        }
    }

    fn link(&self, path: &str) -> Option<&Link> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.links.get(service)
    }
}

/// The request as the role gets it: one whole message of the size that the policy allows, and the operator's identity
/// in place of his token.
async fn onward(
    headers: &HeaderMap,
    path: &str,
    policy: &Policy,
    body: Body,
) -> Result<axum::http::Request<tonic::body::Body>, Status> {
    // The role's own layers look at the message; here is only made sure that what is held is little.
    let message = to_bytes(body, PREFIX + policy.max_request_bytes).await;
    let message = message.map_err(|_| {
        Fault::new(
            Kind::Exhausted,
            "MESSAGE_TOO_LARGE",
            format!("at most {} bytes are taken", policy.max_request_bytes),
        )
    })?;
    let mut onward = axum::http::Request::new(tonic::body::Body::new(Body::from(message)));
    *onward.method_mut() = Method::POST;
    *onward.version_mut() = Version::HTTP_2;
    *onward.uri_mut() = Uri::try_from(path).map_err(|error| Fault::internal(&error))?;
    for name in ["grpc-encoding", "grpc-accept-encoding", "user-agent"] {
        if let Some(value) = headers.get(name) {
            onward.headers_mut().insert(name, value.clone());
        }
    }
    let grpc = HeaderValue::from_static("application/grpc");
    onward.headers_mut().insert(CONTENT_TYPE, grpc);
    let trailers = HeaderValue::from_static("trailers");
    onward.headers_mut().insert("te", trailers);
    // The layers around bound the call by the caller's own deadline; the role is told of the policy's.
    let call = Call::background(policy.deadline);
    onward.extensions_mut().insert(call);
    onward.extensions_mut().insert(AsService);
    Ok(onward)
}

fn unknown() -> Status {
    Fault::new(
        Kind::Unimplemented,
        "METHOD_UNKNOWN",
        "no service here has this method",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let token = OperatorToken::load_or_create(folder.path()).unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&text).unwrap().len(), 32);
        assert!(token.is(&text));
        for other in ["", &text[1..], &format!("{text} "), &text.to_lowercase()] {
            assert!(!token.is(other), "{other}");
        }
        let again = OperatorToken::load_or_create(folder.path()).unwrap();
        assert!(again.is(&text));
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(
            !OperatorToken::load_or_create(elsewhere.path())
                .unwrap()
                .is(&text)
        );
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a draft is left over");
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_others_could_read_is_closed_to_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        OperatorToken::load_or_create(folder.path()).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        OperatorToken::load_or_create(folder.path()).unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_file_without_a_token_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        for text in [
            "",
            " \n",
            "short",
            &"x".repeat(300),
            &format!("a b{}", "c".repeat(40)),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(
                OperatorToken::load_or_create(folder.path()).is_err(),
                "{text}"
            );
        }
    }
}
