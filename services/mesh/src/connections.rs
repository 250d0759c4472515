//! How many connections the edge has with strangers.

use atelier_kit::config::{Setting, Settings};
use atelier_kit::serve::Bounds;

use crate::files;

/// How many there may be.
pub const MAX_CONNECTIONS: Setting = Setting::new(
    "ATELIER_EDGE_MAX_CONNECTIONS",
    "16384",
    "How many connections the edge has at once, at most three quarters of the files that the process may open; one more is closed.",
);
/// How many of one client.
pub const MAX_CONNECTIONS_OF_ONE: Setting = Setting::new(
    "ATELIER_EDGE_MAX_CONNECTIONS_OF_ONE",
    "1024",
    "How many of them one client may have, by its IPv4 address or its /64 of IPv6; those of ATELIER_TRUSTED_PROXIES may have all.",
);
/// All settings of this room.
pub const SETTINGS: &[Setting] = &[MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ONE];

/// Reads the settings of this room.
pub fn read(settings: &Settings) -> Bounds {
    let number = |setting| {
        settings
            .number(setting, 1..=1_000_000)
            .and_then(|number| usize::try_from(number).ok())
    };
    let mut bounds = Bounds::default();
    if let Some(connections) = number(&MAX_CONNECTIONS) {
        bounds.connections = connections;
    }
    // Files and the connections to engines need some too.
    if let Some(files) = files::allowed() {
        bounds.connections = bounds.connections.min(files / 4 * 3);
    }
    if let Some(connections) = number(&MAX_CONNECTIONS_OF_ONE) {
        bounds.connections_of_one = connections;
    }
    // What is no network is told by whoever believes them.
    bounds.proxies = settings
        .list(&atelier_edge::TRUSTED_PROXIES)
        .iter()
        .filter_map(|proxy| atelier_kit::network::parse(proxy))
        .collect();
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Bounds {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        super::read(&Settings::new(pairs))
    }

    #[test]
    fn connections_never_take_all_files() {
        let files = files::allowed().unwrap();
        let most = read(&[("ATELIER_EDGE_MAX_CONNECTIONS", "1000000")]).connections;
        assert!(most <= files / 4 * 3, "{most} of {files}");
        assert_eq!(
            read(&[("ATELIER_EDGE_MAX_CONNECTIONS", "7")]).connections,
            7
        );
    }

    #[test]
    fn proxies_are_those_whose_word_is_taken() {
        let bounds = read(&[
            ("ATELIER_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
            ("ATELIER_EDGE_MAX_CONNECTIONS_OF_ONE", "3"),
        ]);
        let proxies: Vec<String> = bounds.proxies.iter().map(ToString::to_string).collect();
        assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.1/32"]);
        assert_eq!(bounds.connections_of_one, 3);
    }
}
