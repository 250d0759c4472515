//! Asks a provider by HTTP: over TLS, in a bounded time and for a bounded answer, and never further than it was told.

use std::time::Duration;

use atelier_kit::outbound;
use futures_util::StreamExt as _;
use oauth2::http::header::{ACCEPT, AUTHORIZATION};
use oauth2::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use url::Url;

use super::server::{Issuer, is_here};

/// The longest answer that is read.
const ANSWER_BYTES: usize = 256 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("the request failed")]
    Request(#[source] reqwest::Error),
    #[error("the request cannot be made")]
    Unmade(#[source] oauth2::http::Error),
    #[error("{0} is not an https:// URL")]
    Insecure(String),
    #[error("the answer has more than {ANSWER_BYTES} bytes")]
    TooLong,
    #[error("the answer is {0}")]
    Status(u16),
    /// What is wrong where; never what was there, which may be a token or a person's.
    #[error("the answer is not what was asked for ({0} error in line {1}, column {2})")]
    Garbled(&'static str, usize, usize),
    #[error("the answer is of another issuer")]
    OtherIssuer,
}

impl From<&serde_json::Error> for WebError {
    fn from(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Io => "input",
            Category::Syntax => "syntax",
            Category::Data => "data",
            Category::Eof => "length",
        };
        Self::Garbled(what, error.line(), error.column())
    }
}

/// A client of one provider; its clones share their connections.
#[derive(Clone)]
pub(super) struct Web {
    client: reqwest::Client,
    /// Whether the provider is on this machine, where it may do without TLS.
    here: bool,
}

impl Web {
    /// A client that waits so long for each answer.
    pub(super) fn new(issuer: &Issuer, patience: Duration) -> Result<Self, reqwest::Error> {
        outbound::crypto();
        let client = reqwest::Client::builder()
            .connect_timeout(patience)
            .timeout(patience)
            // Elsewhere is somebody else, who must see neither code nor secret.
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!issuer.is_here())
            .build()?;
        Ok(Self {
            client,
            here: issuer.is_here(),
        })
    }

    /// Whether a URL that the provider names may be asked.
    pub(super) fn may_ask(&self, url: &Url) -> Result<(), WebError> {
        if url.scheme() == "https" || (self.here && is_here(url)) {
            Ok(())
        } else {
            Err(WebError::Insecure(url.to_string()))
        }
    }

    /// One question and its answer, as `oauth2` wants them. An answer of 3xx, 429 or 5xx is none.
    pub(super) async fn call(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let failed = |error: reqwest::Error| WebError::Request(error.without_url());
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let response = self.client.execute(request).await.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() || status.is_server_error() || status.as_u16() == 429 {
            return Err(WebError::Status(status.as_u16()));
        }
        let headers = response.headers().clone();
        let mut chunks = response.bytes_stream();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failed)?;
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(WebError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }

    /// A JSON document, with an access token where one is needed.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<T, WebError> {
        let mut request = oauth2::http::Request::get(url).header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self
            .call(request.body(Vec::new()).map_err(WebError::Unmade)?)
            .await?;
        if !answer.status().is_success() {
            return Err(WebError::Status(answer.status().as_u16()));
        }
        serde_json::from_slice(answer.body()).map_err(|error| WebError::from(&error))
    }
}
