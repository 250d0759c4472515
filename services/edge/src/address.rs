//! Where a client calls from: the connection's other end, or what a proxy says that is believed. RFC 7239's `Forwarded`
//! is not read; every proxy in use can write `x-forwarded-for`.

use std::net::{IpAddr, SocketAddr};

use atelier_kit::network::{Client, connected};
use atelier_kit::next::Next;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How many proxies may stand one behind another.
const MOST_HOPS: usize = 32;

/// The proxies whose word is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Adds a network, or one address; an error says what is wrong with it. A network is written by its first address,
    /// since `10.1.2.3/8` is more likely one address with a slip of the pen than sixteen million.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse::<IpNet>().map_err(|_| {
                format!("{text:?} is neither a network such as 10.0.0.0/8 nor an address")
            })?,
        };
        if network != network.trunc() {
            return Err(format!("{text:?} is not the network {}", network.trunc()));
        }
        self.0.push(network);
        Ok(())
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a connection: whoever is named last in `x-forwarded-for` and is not one of these proxies. Each of
    /// them adds whom it sees at the end, so whatever stands before the last stranger is the stranger's own word.
    fn client(&self, connected: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = connected.to_canonical();
        let said = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .rev()
            .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        for hop in said.take(MOST_HOPS) {
            if !self.trust(client) {
                break;
            }
            // Behind what is no address nobody knows who called: it is as if the proxy had.
            let Some(before) = read(hop) else { break };
            client = before;
        }
        client
    }
}

/// An address as proxies write it: some add the port.
fn read(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop
        .parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|hop| hop.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Finds out where a request comes from. The header goes no further: nothing behind may believe it.
pub(crate) async fn find(proxies: &Proxies, mut request: Request, next: impl Next) -> Response {
    if let Some(connected) = connected(request.extensions()) {
        let client = proxies.client(connected, request.headers());
        request.extensions_mut().insert(Client(client));
    }
    request.headers_mut().remove(FORWARDED_FOR);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> Proxies {
        let mut proxies = Proxies::default();
        for text in list {
            proxies.add(text).unwrap();
        }
        proxies
    }

    #[track_caller]
    fn client(trusted: &[&str], connected: &str, said: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        proxies(trusted)
            .client(connected.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client(&[], "192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        let trusted = ["10.0.0.0/8"];
        assert_eq!(client(&trusted, "192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(client(&trusted, "11.0.0.0", &["198.51.100.1"]), "11.0.0.0");
    }

    #[test]
    fn the_last_stranger_is_the_client() {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48", "203.0.113.9"];
        for (said, found) in [
            (vec!["198.51.100.1"], "198.51.100.1"),
            // What the client wrote himself stands before what the proxy saw.
            (vec!["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            (vec!["10.0.0.66, 198.51.100.1"], "198.51.100.1"),
            (vec!["198.51.100.1, 10.9.9.9,203.0.113.9"], "198.51.100.1"),
            (
                vec!["192.0.2.66", "198.51.100.1 , 10.0.0.2"],
                "198.51.100.1",
            ),
            (vec!["198.51.100.1:4711"], "198.51.100.1"),
            (vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            (vec!["2001:db8::7, 2001:db8:ffff::1"], "2001:db8::7"),
            (vec!["::ffff:198.51.100.1"], "198.51.100.1"),
            // Nobody but proxies, or what is no address: the last that is known for certain.
            (vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (vec![], "10.0.0.1"),
            (vec![""], "10.0.0.1"),
            (vec!["198.51.100.1, unknown"], "10.0.0.1"),
            (vec!["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(client(&trusted, "10.0.0.1", &said), found, "{said:?}");
            assert_eq!(
                client(&trusted, "::ffff:10.0.0.1", &said),
                found,
                "{said:?}"
            );
        }
    }

    #[test]
    fn no_more_than_so_many_hops_are_read() {
        let chain = vec!["10.0.0.2"; MOST_HOPS].join(",");
        let said = format!("198.51.100.1,{chain}");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&said]), "10.0.0.2");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.1.2.3/8",
            "localhost",
            "10.0.0",
            "::/129",
            "*",
        ] {
            assert!(Proxies::default().add(bad).is_err(), "{bad}");
        }
        for good in [
            "10.0.0.0/8",
            "10.1.2.3",
            "10.1.2.3/32",
            "::1",
            "2001:db8::/32",
        ] {
            proxies(&[good]);
        }
    }
}
