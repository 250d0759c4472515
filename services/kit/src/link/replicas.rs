//! Where the replicas of a role are: URLs, and names that stand for several addresses; nothing here connects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::watch;
use url::Url;

use super::resolver::{Resolve, SystemResolver};
use super::standing::EJECTION;
use crate::config::ConfigError;
use crate::tls::{self, MeshTls};

/// How often names are looked up again, unless it is said otherwise.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The replicas of one role: each URL is one, or as many as its host has addresses, as a headless Service of Kubernetes
/// has one for each pod. Names are looked up again and again, so that replicas come and go without a restart, and the URLs
/// themselves may become others.
#[derive(Clone, Debug)]
pub struct Replicas {
    urls: watch::Receiver<Vec<Url>>,
    tls: Option<MeshTls>,
    service: Option<Arc<str>>,
    resolver: Arc<dyn Resolve>,
    every: Duration,
    ejection: Duration,
}

impl Replicas {
    /// Replicas at these URLs: `http://` for HTTP/2 with prior knowledge, `https://` for TLS with a host that the world
    /// trusts.
    pub fn at(urls: Vec<Url>) -> Self {
        Self::following(watch::channel(urls).1)
    }

    /// The same, at the URLs that are told here. When others are told, links take them as soon as one of them takes calls:
    /// until then they keep those they know, and calls that are under way end where they began.
    pub fn following(urls: watch::Receiver<Vec<Url>>) -> Self {
        Self {
            urls,
            tls: None,
            service: None,
            resolver: Arc::new(SystemResolver),
            every: LOOK_AGAIN,
            ejection: EJECTION,
        }
    }

    /// The same, where `https://` means both sides with certificates of the mesh: whoever answers must be the role, at
    /// whatever address.
    #[must_use]
    pub fn with_certificates(mut self, tls: MeshTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same, each asked again and again how this service of it is (`grpc.health.v1`); without a service, a replica
    /// that is connected is taken for healthy.
    #[must_use]
    pub fn asked_for(mut self, service: &str) -> Self {
        self.service = Some(service.into());
        self
    }

    /// The same, with names looked up so, and so often.
    #[must_use]
    pub fn found_by(mut self, resolver: Arc<dyn Resolve>, every: Duration) -> Self {
        self.resolver = resolver;
        self.every = every;
        self
    }

    /// The same, where one whose calls break again and again is left out for so long, in place of thirty seconds: for
    /// the first time, and each further time for as much longer.
    #[must_use]
    pub fn left_out_for(mut self, ejection: Duration) -> Self {
        self.ejection = ejection;
        self
    }

    /// Whether a link for the role `role` can lead to the URLs as they are now.
    pub fn check(&self, role: &str) -> Result<(), ConfigError> {
        self.plan(role).map(drop)
    }

    /// What it takes to find and reach them, for the role `role`.
    pub(super) fn plan(&self, role: &str) -> Result<Plan, ConfigError> {
        let mut plan = Plan {
            role: role.into(),
            targets: Vec::new(),
            urls: self.urls.clone(),
            tls: self.tls.clone(),
            service: self.service.clone(),
            resolver: self.resolver.clone(),
            every: self.every,
            ejection: self.ejection,
        };
        plan.take_urls()?;
        Ok(plan)
    }
}

impl std::fmt::Display for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, url) in self.urls.borrow().iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", url.as_str().trim_end_matches('/'))?;
        }
        Ok(())
    }
}

/// What it takes to find and reach the replicas of a role.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) role: Arc<str>,
    /// What the URLs are.
    pub(super) targets: Vec<Arc<Target>>,
    urls: watch::Receiver<Vec<Url>>,
    tls: Option<MeshTls>,
    /// The service that is asked for its health.
    pub(super) service: Option<Arc<str>>,
    pub(super) resolver: Arc<dyn Resolve>,
    /// How often names are looked up.
    pub(super) every: Duration,
    /// How long one that fails is left out for the first time.
    pub(super) ejection: Duration,
}

impl Plan {
    /// Waits until other URLs are told, for ever when nobody is there to tell.
    pub(super) async fn other_urls(&mut self) {
        if self.urls.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Makes the URLs of now the targets; of those that cannot be used the targets before stay.
    pub(super) fn take_urls(&mut self) -> Result<(), ConfigError> {
        let role = &*self.role;
        let wrong = |what: &str| ConfigError(format!("the address of {role} {what}"));
        let urls = self.urls.borrow_and_update();
        if urls.is_empty() {
            return Err(wrong("is not set"));
        }
        let targets: Result<Vec<_>, ConfigError> = urls
            .iter()
            .map(|url| {
                let target = Target::new(role, url, self.tls.as_ref());
                target.map(Arc::new).ok_or_else(|| wrong("cannot be used"))
            })
            .collect();
        drop(urls);
        self.targets = targets?;
        Ok(())
    }
}

/// One URL: what stands in every request that goes there, and how a connection is made.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) security: Security,
}

/// The host of a URL.
#[derive(Clone, Debug)]
pub(super) enum Host {
    /// An address, which is never looked up.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// How a connection is protected.
#[derive(Debug)]
pub(super) enum Security {
    /// Not at all.
    Clear,
    /// By certificates of the mesh: who answers must be this role.
    Mesh(MeshTls, String),
    /// By a certificate that the world trusts, for this host.
    World(Arc<ClientConfig>, ServerName<'static>),
}

impl Target {
    fn new(role: &str, url: &Url, certificates: Option<&MeshTls>) -> Option<Self> {
        let uri: http::Uri = url.as_str().parse().ok()?;
        let host = match url.host()? {
            url::Host::Domain(name) => Host::Name(name.to_owned()),
            url::Host::Ipv4(address) => Host::Address(address.into()),
            url::Host::Ipv6(address) => Host::Address(address.into()),
        };
        let security = match (url.scheme(), certificates) {
            ("http", _) => Security::Clear,
            ("https", Some(own)) => Security::Mesh(own.clone(), role.to_owned()),
            ("https", None) => {
                let name = match &host {
                    Host::Address(address) => ServerName::from(*address),
                    Host::Name(name) => ServerName::try_from(name.clone()).ok()?,
                };
                Security::World(tls::trusting_the_world(), name)
            }
            _ => return None,
        };
        Some(Self {
            host,
            port: url.port_or_known_default()?,
            scheme: uri.scheme()?.clone(),
            authority: uri.authority()?.clone(),
            security,
        })
    }

    /// What it was made of.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Its address, where it is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Address(address) => Some(SocketAddr::new(address, self.port)),
            Host::Name(_) => None,
        }
    }
}
