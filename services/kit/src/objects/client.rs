//! How an S3 is reached: the configuration of a bucket, and the SDK's client made of it.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::EdgeDoor;

/// Time for a connection to stand.
const CONNECT: Duration = Duration::from_secs(3);
/// Time for one attempt, up to the head of the answer; somebody waits for it.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time for a call with all its attempts, up to the head of the answer.
const CALL: Duration = Duration::from_secs(10);
/// The same where an object's bytes are sent.
const ATTEMPT_WITH_BYTES: Duration = Duration::from_secs(30);
const CALL_WITH_BYTES: Duration = Duration::from_secs(60);
/// Attempts of a call in all; the SDK's own budget stops them earlier while a store is away for long.
const ATTEMPTS: u32 = 3;

/// How to reach a bucket, and how others read from it.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// Where the services reach the store; `None` is AWS's own address for the region.
    pub endpoint: Option<Url>,
    /// The region, which is also part of every signature.
    pub region: String,
    /// The bucket; it is made when it is not there. At most 24 bytes on the embedded server.
    pub bucket: String,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: SecretString,
    /// Whether the bucket is named in the path rather than in the host's name; most servers other than AWS want it.
    pub force_path_style: bool,
    /// Where callers reach the store. When set, signed URLs are the store's own; otherwise they lead to the edge.
    pub public_url: Option<Url>,
    /// The door of the edge, for when there is no `public_url`.
    pub door: EdgeDoor,
    /// The folder of the embedded server, when it is that which is reached; for the inventory only.
    pub embedded_in: Option<PathBuf>,
}

/// A client with everything said explicitly: nothing is read from the environment or from files.
pub(super) fn client(config: &S3Config, endpoint: Option<&Url>) -> Client {
    let http = aws_smithy_http_client::Builder::new();
    let http = match endpoint.map(Url::scheme) {
        Some("http") => http.build_http(),
        _ => http
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https(),
    };
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(200));
    let secret = config.secret_key.expose_secret();
    let mut builder = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region.clone()))
        .credentials_provider(Credentials::new(
            &config.access_key,
            secret,
            None,
            None,
            "atelier",
        ))
        .http_client(http)
        .timeout_config(timeouts(ATTEMPT, CALL))
        .retry_config(retries)
        // Puts carry a SHA-256 of our own and gets ask for it; stores that know no other checksum stay usable.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(config.force_path_style);
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    Client::from_conf(builder.build())
}

/// The configuration of a call that sends an object's bytes.
pub(super) fn with_bytes() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().timeout_config(timeouts(ATTEMPT_WITH_BYTES, CALL_WITH_BYTES))
}

fn timeouts(attempt: Duration, call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(call)
        .build()
}
