//! Which replicas there are: names are looked up again and again, and whoever comes or goes is told to the balancer.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::balancer::Field;
use super::endpoint::Endpoint;
use super::replicas::{Host, Plan, Target};
use super::standing::{CONNECT, State, about};

/// The least between two look-ups, however much one is asked for.
const BREATH: Duration = Duration::from_secs(1);

/// A replica, and whoever keeps its connection.
struct Kept {
    endpoint: Arc<Endpoint>,
    _keeper: AbortOnDropHandle<()>,
}

/// Which replica it is: where, and by which URL. One that is to be reached in another way is another.
type Place = (SocketAddr, String);

/// What is known of the replicas of a role.
struct Known {
    plan: Plan,
    field: Arc<Field>,
    /// The addresses of each target, as they were heard last.
    addresses: Vec<Vec<SocketAddr>>,
    /// Whether the last look-up of each target failed.
    failing: Vec<bool>,
    replicas: BTreeMap<Place, Kept>,
    /// Some of them are named no longer, and stay until another takes calls.
    some_linger: bool,
}

/// Follows who is there, until this is dropped; connections are kept as long.
pub(super) async fn follow(plan: Plan, field: Arc<Field>) {
    let mut known = Known {
        addresses: Vec::new(),
        failing: Vec::new(),
        replicas: BTreeMap::new(),
        some_linger: false,
        field,
        plan: plan.clone(),
    };
    // They may have become others since the link was made.
    known.take_urls(plan);
    loop {
        let mut plan = known.plan.clone();
        tokio::select! {
            () = plan.other_urls() => known.take_urls(plan),
            () = known.go_on() => {}
        }
    }
}

impl Known {
    /// Takes the URLs that were told last. What is known of those that were there before is not forgotten.
    fn take_urls(&mut self, mut plan: Plan) {
        if let Err(error) = plan.take_urls() {
            tracing::error!(%error, "the replicas stay those that they were");
        }
        let before = std::mem::replace(&mut self.plan, plan);
        let heard = std::mem::take(&mut self.addresses);
        let heard: HashMap<String, Vec<SocketAddr>> = before
            .targets
            .iter()
            .map(|target| target.url())
            .zip(heard)
            .collect();
        let known = |target: &Arc<Target>| match target.address() {
            Some(address) => vec![address],
            None => heard.get(&target.url()).cloned().unwrap_or_default(),
        };
        self.addresses = self.plan.targets.iter().map(known).collect();
        self.failing = vec![false; self.plan.targets.len()];
        self.settle();
    }

    /// Looks names up again and again.
    async fn go_on(&mut self) {
        let named: Vec<usize> = (0..self.plan.targets.len())
            .filter(|at| self.plan.targets[*at].address().is_none())
            .collect();
        if named.is_empty() {
            self.field.looked();
            return self.rest(None).await;
        }
        loop {
            let begun = Instant::now();
            self.look(&named).await;
            self.field.looked();
            self.rest(Some(begun)).await;
        }
    }

    /// The time until the next look-up after one that began then, if there is to be one. Those that linger meanwhile leave
    /// as soon as they may.
    async fn rest(&mut self, begun: Option<Instant>) {
        let field = self.field.clone();
        let every = self.plan.every;
        let next = async {
            let Some(begun) = begun else {
                return std::future::pending().await;
            };
            tokio::select! {
                () = tokio::time::sleep(about(every)) => {}
                () = field.news().look.notified() => {
                    tokio::time::sleep_until(begun + BREATH.min(every)).await;
                }
            }
        };
        tokio::pin!(next);
        loop {
            let changed = field.news().changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed, so now look again.
            Notified::enable(changed.as_mut());
            if self.some_linger && self.is_served() {
                self.settle();
            }
            tokio::select! {
                () = &mut next => return,
                () = changed, if self.some_linger => {}
            }
        }
    }

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

    /// Who is named, each once: at an address that several names stand for there is one replica.
    fn named(&self) -> BTreeMap<SocketAddr, &Arc<Target>> {
        let mut named = BTreeMap::new();
        for (target, addresses) in self.plan.targets.iter().zip(&self.addresses) {
            for address in addresses {
                named.entry(*address).or_insert(target);
            }
        }
        named
    }

    /// Whether one that is named takes calls, and of no other it is still to be found out.
    fn is_served(&self) -> bool {
        let mut is_served = false;
        for (address, target) in self.named() {
            match self.replicas.get(&(address, target.url())) {
                Some(kept) if kept.endpoint.is_awaited() => return false,
                Some(kept) => is_served |= kept.endpoint.rank() == State::Serving.rank(),
                None => return false,
            }
        }
        is_served
    }

    /// Begins with those who came, and ends with those who went: these only when somebody else takes calls, so that no call
    /// finds nobody.
    fn settle(&mut self) {
        let named = self.named().into_iter();
        let named: BTreeMap<Place, Arc<Target>> = named
            .map(|(address, target)| ((address, target.url()), target.clone()))
            .collect();
        let is_served = self.is_served();
        self.replicas.retain(|place, kept| {
            let stays = !is_served || named.contains_key(place);
            if !stays {
                kept.endpoint.leave();
            }
            stays
        });
        self.some_linger = self.replicas.keys().any(|place| !named.contains_key(place));
        for (place, target) in named {
            let address = place.0;
            self.replicas.entry(place).or_insert_with(|| {
                let (plan, news) = (&self.plan, self.field.news());
                let endpoint = Arc::new(Endpoint::new(&target, address, plan, news));
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
