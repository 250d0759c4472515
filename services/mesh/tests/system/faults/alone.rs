//! A mesh in one process, its files on a disk that can be full.

use super::disk::Disk;
use crate::running::{Launch, Running};

/// The mesh.
pub struct Alone {
    /// It runs; before the disk, which it uses to its end.
    running: Running,
    /// Where its files are.
    pub disk: Disk,
}

impl Alone {
    /// Starts it on a new disk.
    pub async fn start() -> Self {
        let disk = Disk::mount("64m");
        let running = Launch::serving(&[], disk.path()).start().await;
        Self { running, disk }
    }

    /// The URL of its edge.
    pub fn edge(&self) -> String {
        self.running.edge().to_owned()
    }
}
