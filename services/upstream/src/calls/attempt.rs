//! One attempt at a call: what is sent, and what its answer says of the endpoint and of the key.

use std::time::Duration;

use atelier_generation::ProviderError;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Late};
use super::caller::{Ask, Caller, What, unreachable};
use super::endpoint::{Endpoint, Outcome, Visit};
use super::retry::{Cause, Failed, retry_after};

/// The longest error body that is read, and for how long.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_TIME: Duration = Duration::from_secs(5);

impl Caller {
    fn request(
        &self,
        ask: &Ask,
        endpoint: &Endpoint,
        key: Option<usize>,
    ) -> reqwest::RequestBuilder {
        match &ask.what {
            What::Get(_, url) => self.0.client.get(url.clone()),
            What::Post(path, body) => {
                let base = endpoint.url.as_str().trim_end_matches('/');
                let request = self
                    .0
                    .client
                    .post(format!("{base}/{path}"))
                    .header(http::header::CONTENT_TYPE, "application/json")
                    .body(body.clone());
                // A key, or the name and the password of the URL: never both.
                match key
                    .map(|key| self.0.keys.header(key))
                    .or(endpoint.basic.as_ref())
                {
                    Some(value) => request.header(http::header::AUTHORIZATION, value.clone()),
                    None => request,
                }
            }
        }
    }

    pub(super) async fn send(
        &self,
        ask: &Ask,
        index: usize,
        mut visit: Visit,
        key: Option<usize>,
    ) -> Result<Answer, Failed> {
        let request = self.request(ask, &visit.endpoint, key);
        let within = Instant::now() + self.timeouts().first_byte;
        let sent = timeout_at(within.min(ask.deadline), request.send()).await;
        let (cause, error) = match sent {
            Ok(Ok(response)) => return self.judge(ask, index, visit, key, response).await,
            Ok(Err(error)) if error.is_connect() => (Cause::Unconnected, unreachable(error)),
            Ok(Err(error)) => (Cause::Lost, unreachable(error)),
            Err(_) => (Cause::Late, Late::error("no answer came in time")),
        };
        visit.ends(cause.outcome());
        Err(Failed {
            cause,
            error,
            retry_after: None,
        })
    }

    async fn judge(
        &self,
        ask: &Ask,
        index: usize,
        mut visit: Visit,
        key: Option<usize>,
        response: reqwest::Response,
    ) -> Result<Answer, Failed> {
        let status = response.status();
        let (status, is_success) = (status.as_u16(), status.is_success());
        let mut answer = Answer {
            caller: self.clone(),
            endpoint: index,
            response,
            deadline: ask.deadline,
            visit: None,
        };
        if is_success {
            visit.ends(Outcome::Answered);
            answer.visit = Some(visit);
            return Ok(answer);
        }
        let retry_after = retry_after(answer.response.headers());
        answer.deadline = ask.deadline.min(Instant::now() + ERROR_TIME);
        let words = words(answer).await;
        let cause = Cause::of(status, &words, key.is_some());
        visit.ends(cause.outcome());
        let error = match Cause::is_busy(status) {
            true => ProviderError::Busy(status),
            false => ProviderError::Refused {
                status,
                message: self.0.secrets.quote(&words),
            },
        };
        Err(Failed {
            cause,
            error,
            retry_after,
        })
    }
}

/// What was said with a refusal, as far as it came and is read.
async fn words(answer: Answer) -> String {
    let mut body = std::pin::pin!(answer.bytes(usize::MAX));
    let mut said = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        said.extend_from_slice(&chunk[..chunk.len().min(ERROR_BYTES - said.len())]);
        if said.len() >= ERROR_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}
