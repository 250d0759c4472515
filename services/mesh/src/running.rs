//! Where the mesh that runs on a data folder is: written for commands on the same machine, which then need no URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use url::Url;

/// The file's name in the data folder.
const FILE: &str = "running.json";

/// The edge that runs on a data folder, or ran there: whoever reads this asks whether it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Its URL.
    pub edge: String,
    /// The authority to trust there, a PEM file, when it is one of Atelier's own.
    pub ca: Option<PathBuf>,
    /// The admin port of its process, as it is reached from this machine.
    #[serde(default)]
    pub admin: Option<String>,
    /// The process.
    pub pid: u32,
}

/// Writes it. A file of a process that was killed is replaced.
pub fn write(data: &Path, edge: &Url, ca: Option<&Path>, admin: SocketAddr) -> anyhow::Result<()> {
    let place = Place {
        edge: edge.to_string(),
        // Whoever reads it stands in another folder.
        ca: ca.map(std::path::absolute).transpose()?,
        admin: Some(format!("http://{}", near(admin))),
        pid: std::process::id(),
    };
    let path = data.join(FILE);
    let beside = data.join(format!("{FILE}.new"));
    std::fs::write(&beside, serde_json::to_vec(&place)?)
        .and_then(|()| std::fs::rename(&beside, &path))
        .with_context(|| format!("{}", path.display()))
}

/// An address as it is reached from this machine: one that stands for all of them is reached at loopback.
fn near(address: SocketAddr) -> SocketAddr {
    let near: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(near, address.port())
}

/// Removes it, unless another process has written its own since.
pub fn remove(data: &Path) {
    if read(data).is_some_and(|place| place.pid == std::process::id()) {
        let _ = std::fs::remove_file(data.join(FILE));
    }
}

/// What is written there.
pub fn read(data: &Path) -> Option<Place> {
    let bytes = std::fs::read(data.join(FILE)).ok()?;
    serde_json::from_slice(&bytes).ok()
}
