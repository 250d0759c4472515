//! How many connections a listener has, in all and of one network; one more is closed before anything is read of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Bounds;
use crate::network::Network;

/// The places of one listener.
pub(super) struct Places {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<Network, usize>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    /// None for a proxy, whose connections are those of many.
    network: Option<Network>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    All,
    /// This network has as many as one may have.
    Network,
}

impl Full {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Network => "network",
        }
    }
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            taken: Mutex::default(),
        })
    }

    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = address.to_canonical();
        let proxies = &self.bounds.proxies;
        let network =
            (!proxies.iter().any(|proxy| proxy.contains(&address))).then(|| Network::of(address));
        let mut taken = self.taken();
        if taken.all >= self.bounds.connections {
            return Err(Full::All);
        }
        if let Some(network) = &network {
            let of = taken.of.entry(network.clone()).or_default();
            if *of >= self.bounds.connections_of_one {
                return Err(Full::Network);
            }
            *of += 1;
        }
        taken.all += 1;
        metrics::gauge!("atelier_connections").increment(1);
        Ok(Place {
            places: self.clone(),
            network,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether the connection is one client's own.
    pub(super) fn is_of_one(&self) -> bool {
        self.network.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(network) = &self.network
            && let Some(of) = taken.of.get_mut(network)
        {
            *of -= 1;
            if *of == 0 {
                taken.of.remove(network);
            }
        }
        metrics::gauge!("atelier_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, connections_of_one: usize) -> Arc<Places> {
        Places::new(Bounds {
            connections,
            connections_of_one,
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Bounds::default()
        })
    }

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn one_network_has_no_more_than_its_own_and_what_is_given_back_can_be_taken() {
        let places = places(10, 2);
        let first = take(&places, "2001:db8::1").unwrap();
        let _second = take(&places, "2001:db8::2").unwrap();
        assert_eq!(take(&places, "2001:db8::3").err(), Some(Full::Network));
        let _other = take(&places, "192.0.2.1").unwrap();
        drop(first);
        let _third = take(&places, "2001:db8::3").unwrap();
    }

    #[test]
    fn proxies_stand_for_many_and_all_together_have_no_more_than_there_are() {
        let places = places(4, 1);
        let kept: Vec<Place> = (0..4).map(|_| take(&places, "10.1.2.3").unwrap()).collect();
        assert_eq!(take(&places, "10.1.2.3").err(), Some(Full::All));
        assert_eq!(take(&places, "192.0.2.1").err(), Some(Full::All));
        drop(kept);
        assert_eq!(places.taken().all, 0);
        // Nobody is remembered who is gone.
        drop(take(&places, "192.0.2.1"));
        assert!(places.taken().of.is_empty());
    }
}
