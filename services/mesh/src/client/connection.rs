//! A connection to an edge, and the fetching of objects by their signed URLs; both trust the same authorities.

use std::path::Path;
use std::time::Duration;

use atelier_kit::fault;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use url::Url;

use super::trouble::{Trouble, root};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// How long an object may be silent while it is fetched.
const SILENCE: Duration = Duration::from_secs(30);
/// More than any file of authorities needs.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;
/// What the client says it is.
const NAME: &str = concat!("atelier/", env!("CARGO_PKG_VERSION"));

/// A connection to an edge. A lost one is made again by the next call.
#[derive(Clone)]
pub struct Connection {
    /// The channel that generated clients take.
    pub channel: Channel,
    /// The edge.
    pub url: Url,
    /// Fetches objects.
    pub objects: reqwest::Client,
}

impl Connection {
    /// Connects, and makes sure that an Atelier answers.
    pub async fn open(url: &Url, ca: Option<&Path>) -> anyhow::Result<Self> {
        let authorities = ca.map(Authorities::read).transpose()?;
        let channel = endpoint(url, authorities.as_ref())?
            .connect()
            .await
            .map_err(|error| nobody(url, &error))?;
        asked(channel.clone(), FIRST_ANSWER)
            .await
            .map_err(|status| nobody(url, &status))?;
        Ok(Self {
            channel,
            url: url.clone(),
            objects: fetcher(authorities.as_ref())?,
        })
    }

    /// The edge's URL as a person writes it.
    pub fn shown(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

/// Whether an Atelier that takes calls answers there.
pub async fn answers(url: &Url, ca: Option<&Path>) -> bool {
    let Ok(authorities) = ca.map(Authorities::read).transpose() else {
        return false;
    };
    let Ok(endpoint) = endpoint(url, authorities.as_ref()) else {
        return false;
    };
    match endpoint.connect().await {
        Ok(channel) => asked(channel, FIRST_ANSWER).await.is_ok(),
        Err(_) => false,
    }
}

/// Asks for the edge's health. One that is about to go counts as none.
async fn asked(channel: Channel, limit: Duration) -> Result<(), tonic::Status> {
    use tonic_health::pb::health_check_response::ServingStatus;
    let mut health = HealthClient::new(channel);
    let asked = health.check(HealthCheckRequest::default());
    let answer = tokio::time::timeout(limit, asked)
        .await
        .map_err(|_| tonic::Status::unavailable("no answer in time"))??;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        _ => Err(tonic::Status::unavailable("it takes no calls at present")),
    }
}

fn nobody(url: &Url, error: &(dyn std::error::Error + 'static)) -> Trouble {
    let url = url.as_str().trim_end_matches('/');
    let why = match error.downcast_ref::<tonic::Status>() {
        Some(status) if std::error::Error::source(status).is_none() => status.message().to_owned(),
        _ => root(error),
    };
    let hint = if why.contains("UnknownIssuer") {
        " (--ca FILE names an authority to trust)"
    } else {
        ""
    };
    Trouble::unreachable(format!("no Atelier answers at {url}: {why}{hint}"))
}

fn endpoint(url: &Url, authorities: Option<&Authorities>) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_string())?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(15))
        .keep_alive_timeout(Duration::from_secs(10))
        .user_agent(NAME)?;
    if url.scheme() != "https" {
        return Ok(endpoint);
    }
    let mut tls = ClientTlsConfig::new().with_webpki_roots();
    if let Some(authorities) = authorities {
        tls = tls.ca_certificate(Certificate::from_pem(&authorities.pem));
    }
    Ok(endpoint.tls_config(tls)?)
}

fn fetcher(authorities: Option<&Authorities>) -> anyhow::Result<reqwest::Client> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(authorities) = authorities {
        roots.add_parsable_certificates(authorities.certificates.iter().cloned());
    }
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(NAME)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()?)
}

/// Authorities that are trusted beside the usual ones.
struct Authorities {
    pem: Vec<u8>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    fn read(path: &Path) -> Result<Self, Trouble> {
        let wrong = |why: &str| {
            Trouble::usage(format!(
                "the authorities to trust, {}: {why}",
                path.display()
            ))
        };
        let size = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
        if size.len() > MAX_CA_BYTES {
            return Err(wrong("the file is too large"));
        }
        let pem = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&fault::chain(&error)))?;
        if certificates.is_empty() {
            return Err(wrong("no certificate in PEM is there"));
        }
        Ok(Self { pem, certificates })
    }
}
