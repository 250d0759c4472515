//! The bare cost: the same hash of the same password, on threads that do nothing else.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::{Begun, Rate};

/// argon2id with what the service takes: 19 MiB, two passes, one lane.
pub struct Bare {
    argon2: Argon2<'static>,
    kept: String,
}

const PASSWORD: &[u8] = b"correct horse 0";

impl Bare {
    /// A password's hash, to verify it against.
    pub fn new() -> anyhow::Result<Self> {
        let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| anyhow::anyhow!(error))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let kept: PasswordHash = argon2
            .hash_password(PASSWORD)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self {
            kept: kept.to_string(),
            argon2,
        })
    }

    /// Verifies it once.
    pub fn verify(&self) -> anyhow::Result<()> {
        let kept = PasswordHash::new(&self.kept).map_err(|error| anyhow::anyhow!("{error}"))?;
        self.argon2
            .verify_password(PASSWORD, &kept)
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Hashes it once in memory that is there.
    fn hash(&self, memory: &mut [Block]) -> anyhow::Result<()> {
        let mut out = [0; 32];
        self.argon2
            .hash_password_into_with_memory(PASSWORD, b"a salt of 16 byt", &mut out, memory)
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// How many a second as many threads manage.
    pub fn rate(&self, threads: usize, slice: Duration) -> anyhow::Result<Rate> {
        let begun = Begun::now()?;
        let until = begun.at + slice;
        let counts = std::thread::scope(|scope| {
            let work = || {
                let mut memory = vec![Block::default(); self.argon2.params().block_count()];
                let mut count = 0_u32;
                while Instant::now() < until {
                    self.hash(&mut memory)?;
                    count += 1;
                }
                anyhow::Ok(count)
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok().context("a thread has panicked")?)
                .collect::<anyhow::Result<Vec<u32>>>()
        })?;
        begun.rate(f64::from(counts.into_iter().sum::<u32>()))
    }
}
