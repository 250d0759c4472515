//! What a process holds in memory, as the kernel counts it.

use anyhow::Context as _;
use bench_report::of_process;

/// When memory is read.
pub const MOMENTS: [&str; 3] = ["idle after a start", "right after work", "idle after work"];

/// What a process holds, in KiB; of threads, how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All that is resident.
    pub resident: u64,
    /// Its own: heap and stacks.
    pub own: u64,
    /// Pages of files, above all of the program itself; the kernel may take them back at any time.
    pub files: u64,
    /// The most that was ever resident.
    pub peak: u64,
    /// Threads.
    pub threads: u64,
}

impl Memory {
    /// Reads it now.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name| of_process(pid, name).with_context(|| format!("{name} of the program"));
        Ok(Self {
            resident: read("VmRSS")?,
            own: read("RssAnon")?,
            files: read("RssFile")?,
            peak: read("VmHWM")?,
            threads: read("Threads")?,
        })
    }
}
