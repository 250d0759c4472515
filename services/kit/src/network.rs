//! Where a client calls from, cut to its network; the edge sees it, and the services behind it believe no one else.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use tonic::transport::server::TcpConnectInfo;

use crate::tls::TlsPeer;

/// The header by which one role tells another, under a key of the mesh secret.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-atelier-network");
/// Longer than any that is written.
const MAX_BYTES: usize = 128;
/// Half of an HMAC-SHA256 (RFC 2104, section 5).
const MAC_BYTES: usize = 16;

/// The network of a client: the whole of an IPv4 address, the first 64 bits of an IPv6 one, since whoever has one of
/// those has them all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(Arc<str>);

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        let text = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let mut octets = address.octets();
                octets[8..].fill(0);
                format!("{}/64", std::net::Ipv6Addr::from(octets))
            }
        };
        Self(text.into())
    }

    /// As it is written: `192.0.2.7`, `2001:db8::/64`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A network as it is written, or one address.
pub fn parse(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse().ok(),
    }
}

/// The address of a client that is not the connection's: whoever stands before a proxy that is believed. An extension
/// of the request; only the edge reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub IpAddr);

/// Where a request comes from: as the edge has found out, else the other end of the connection.
pub fn client(extensions: &http::Extensions) -> Option<IpAddr> {
    match extensions.get::<Client>() {
        Some(Client(address)) => Some(*address),
        None => connected(extensions),
    }
}

/// The other end of the connection, where it has an address.
pub fn connected(extensions: &http::Extensions) -> Option<IpAddr> {
    let tls = extensions.get::<TlsPeer>().map(|peer| peer.address);
    let plain = || extensions.get::<TcpConnectInfo>()?.remote_addr();
    tls.or_else(plain).map(|address| address.ip())
}

/// The key under which networks are told.
#[derive(Clone)]
pub(crate) struct NetworkKey(Arc<hmac::Key>);

impl NetworkKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// What [`HEADER`] carries; `None` for what no header can.
    pub(crate) fn tell(&self, network: &Network) -> Option<HeaderValue> {
        let mac = hmac::sign(&self.0, network.0.as_bytes());
        let mac = URL_SAFE_NO_PAD.encode(&mac.as_ref()[..MAC_BYTES]);
        HeaderValue::from_str(&format!("{} {mac}", network.0)).ok()
    }

    /// The network that a role of the mesh has told; `None` for what anybody else wrote.
    pub(crate) fn read(&self, headers: &http::HeaderMap) -> Option<Network> {
        let text = headers.get(HEADER)?.to_str().ok()?;
        let (network, told) = text.split_once(' ').filter(|_| text.len() <= MAX_BYTES)?;
        let told = URL_SAFE_NO_PAD.decode(told).ok()?;
        let mac = hmac::sign(&self.0, network.as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(&told, &mac.as_ref()[..MAC_BYTES])
            .ok()
            .map(|()| Network(network.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        Network::of(text.parse().unwrap()).as_str().to_owned()
    }

    #[test]
    fn an_address_is_cut_to_what_one_client_has() {
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::9"), "2001:db8:1:2::/64");
    }

    #[test]
    fn only_what_the_mesh_told_is_believed() {
        let (key, other) = (NetworkKey::new(&[1; 32]), NetworkKey::new(&[2; 32]));
        let network = Network::of("192.0.2.7".parse().unwrap());
        let mut headers = http::HeaderMap::new();
        assert_eq!(key.read(&headers), None);
        headers.insert(HEADER, key.tell(&network).unwrap());
        assert_eq!(key.read(&headers), Some(network));
        assert_eq!(other.read(&headers), None);
        for forged in ["192.0.2.7", "192.0.2.8 AAAA", "192.0.2.7 ", " "] {
            headers.insert(HEADER, HeaderValue::from_static(forged));
            assert_eq!(key.read(&headers), None, "{forged}");
        }
    }
}
