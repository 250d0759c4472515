//! What a build has cost, as the kernel counts it: time on a core, and space.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// How the clock of `/proc` ticks: USER_HZ is 100 on every architecture that Linux has.
const TICKS_PER_SECOND: f64 = 100.0;

/// Time on a core, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Worked {
    /// In programs.
    pub user: f64,
    /// In the kernel on their behalf.
    pub system: f64,
}

impl Worked {
    /// What all children of this process that have ended have worked, and theirs.
    pub fn by_children() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/self/stat")?;
        Self::parse(&text).context("/proc/self/stat is not as expected")
    }

    fn parse(text: &str) -> Option<Self> {
        // The name, in parentheses, may hold spaces; what follows it does not.
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(13);
        let mut next = || fields.next()?.parse::<f64>().ok();
        Some(Self {
            user: next()? / TICKS_PER_SECOND,
            system: next()? / TICKS_PER_SECOND,
        })
    }

    /// What was worked after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
        }
    }
}

/// The size of all files in a folder, in bytes.
pub fn folder_size(folder: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        size += if data.is_dir() {
            folder_size(&entry.path())?
        } else {
            data.len()
        };
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_childrens_time_is_found_behind_a_name_with_spaces() {
        let text = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 200 0 0 11 12 1300 140 20 0 1 0 5 6 7";
        let worked = Worked::parse(text).unwrap();
        assert_eq!((worked.user, worked.system), (13.0, 1.4));
    }
}
