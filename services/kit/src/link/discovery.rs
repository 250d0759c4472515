//! Which replicas there are: names are looked up again and again, and whoever comes or goes is told to the balancer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::balancer::Field;
use super::endpoint::Endpoint;
use super::replicas::{Host, Plan, Target};
use super::standing::{CONNECT, about};

/// The least between two look-ups, however much one is asked for.
const BREATH: Duration = Duration::from_secs(1);

/// A replica, and whoever keeps its connection.
struct Kept {
    endpoint: Arc<Endpoint>,
    _keeper: AbortOnDropHandle<()>,
}

/// What is known of the replicas of a role.
struct Known {
    plan: Plan,
    field: Arc<Field>,
    /// The addresses of each target, as they were heard last.
    addresses: Vec<Vec<SocketAddr>>,
    /// Whether the last look-up of each target failed.
    failing: Vec<bool>,
    replicas: BTreeMap<SocketAddr, Kept>,
}

/// Follows who is there, until this is dropped; connections are kept as long.
pub(super) async fn follow(plan: Plan, field: Arc<Field>) {
    let named: Vec<usize> = (0..plan.targets.len())
        .filter(|at| plan.targets[*at].address().is_none())
        .collect();
    let every = plan.every;
    let mut known = Known {
        addresses: plan
            .targets
            .iter()
            .map(|target| target.address().into_iter().collect())
            .collect(),
        failing: vec![false; plan.targets.len()],
        replicas: BTreeMap::new(),
        field: field.clone(),
        plan,
    };
    known.settle();
    if named.is_empty() {
        field.looked();
        return std::future::pending().await;
    }
    loop {
        let begun = Instant::now();
        known.look(&named).await;
        field.looked();
        tokio::select! {
            () = tokio::time::sleep(about(every)) => {}
            () = field.news().look.notified() => {
                tokio::time::sleep_until(begun + BREATH.min(every)).await;
            }
        }
    }
}

impl Known {
    /// Looks all names up at once; one that takes long keeps no other waiting.
    async fn look(&mut self, named: &[usize]) {
        let mut asked: FuturesUnordered<_> = named
            .iter()
            .map(|at| {
                let (at, target) = (*at, self.plan.targets[*at].clone());
                let resolver = self.plan.resolver.clone();
                async move {
                    let Host::Name(name) = &target.host else {
                        return (at, Ok(Vec::new()));
                    };
                    let asked = resolver.resolve(name, target.port);
                    let heard = tokio::time::timeout(CONNECT, asked).await;
                    let heard = heard.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
                    (at, heard)
                }
            })
            .collect();
        while let Some((at, heard)) = asked.next().await {
            self.hear(at, heard);
        }
    }

    /// What a look-up said. One that failed, or knows nobody, leaves what was known: a name server that is away is no
    /// reason to hang up on those who are there.
    fn hear(&mut self, at: usize, heard: std::io::Result<Vec<SocketAddr>>) {
        let heard = heard.and_then(|addresses| {
            if addresses.is_empty() {
                return Err(std::io::Error::other("the name has no address"));
            }
            Ok(addresses)
        });
        match heard {
            Ok(addresses) => {
                self.failing[at] = false;
                self.addresses[at] = addresses;
                self.settle();
            }
            Err(error) if !std::mem::replace(&mut self.failing[at], true) => {
                let (role, host) = (&self.plan.role, &self.plan.targets[at].authority);
                tracing::warn!(%role, %host, %error, "the name of a role cannot be looked up");
            }
            Err(_) => {}
        }
    }

    /// Begins with those who came, and ends with those who went.
    fn settle(&mut self) {
        let mut there: BTreeMap<SocketAddr, &Arc<Target>> = BTreeMap::new();
        for (target, addresses) in self.plan.targets.iter().zip(&self.addresses) {
            for address in addresses {
                there.entry(*address).or_insert(target);
            }
        }
        self.replicas.retain(|address, kept| {
            let stays = there.contains_key(address);
            if !stays {
                kept.endpoint.leave();
            }
            stays
        });
        for (address, target) in there {
            self.replicas.entry(address).or_insert_with(|| {
                let (plan, news) = (&self.plan, self.field.news());
                let endpoint = Arc::new(Endpoint::new(target, address, plan, news));
                tracing::debug!(role = %plan.role, %address, "a replica was found");
                Kept {
                    _keeper: AbortOnDropHandle::new(tokio::spawn(endpoint.clone().keep())),
                    endpoint,
                }
            });
        }
        let endpoints = self.replicas.values().map(|kept| kept.endpoint.clone());
        self.field.set(endpoints.collect());
    }
}
