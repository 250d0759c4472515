//! A purse that can be looked into, kept away, and made to refuse.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::{Error, Failure, Job, Purse, Quote};
use atelier_proto::generation::v1::{Allowance, Usage};

/// What this book allows whoever is quoted so much.
pub fn allowance(quote: &Quote) -> Allowance {
    Allowance {
        reserved_micros: quote.worst.output_tokens,
        currency_code: "USD".into(),
        quota_limit: 10,
        quota_remaining: 7,
        quota_reset_time: Some(atelier_kit::moment::timestamp(4_000_000_000_000_000)),
    }
}

/// A purse that keeps a book.
#[derive(Default)]
pub struct Book {
    pub lines: Mutex<Vec<String>>,
    pub empty: AtomicBool,
    /// It has nothing to give before this time.
    pub resting: Mutex<Option<i64>>,
    /// It cannot be reached.
    pub away: AtomicBool,
    /// It will have nothing of this one.
    pub refused: Mutex<Option<String>>,
    /// It takes its time with a reservation.
    pub slow: AtomicBool,
}

impl Book {
    pub fn of(&self, id: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| line.strip_suffix(&format!(" {id}")))
            .map(str::to_owned)
            .collect()
    }

    /// Waits until these are all the lines of a generation.
    pub async fn reads(&self, id: &str, lines: &[&str]) {
        atelier_kit::testing::eventually("the purse has heard of it", || async {
            self.of(id).len() >= lines.len()
        })
        .await;
        assert_eq!(self.of(id), lines);
    }

    fn hears(&self, id: &str) -> Result<(), Error> {
        let refused = self.refused.lock().unwrap().as_deref() == Some(id);
        if refused || self.away.load(Ordering::SeqCst) {
            return Err(Error::store(std::io::Error::other("the purse is away")));
        }
        Ok(())
    }
}

#[async_trait]
impl Purse for Book {
    async fn reserve(&self, job: &Job, quote: &Quote) -> Result<Allowance, Failure> {
        if self.empty.load(Ordering::SeqCst) {
            return Err(Failure::lasting("CREDITS_EXHAUSTED", "no credits are left"));
        }
        if let Some(until) = *self.resting.lock().unwrap() {
            let failure = Failure::passing("QUOTA_EXHAUSTED", "no more today");
            return Err(Failure {
                retry_time: Some(until),
                ..failure
            });
        }
        while self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.lines
            .lock()
            .unwrap()
            .push(format!("reserve {}", job.id));
        Ok(allowance(quote))
    }

    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error> {
        self.hears(id)?;
        self.lines
            .lock()
            .unwrap()
            .push(format!("settle {} {id}", usage.output_tokens));
        Ok(())
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        self.hears(id)?;
        self.lines.lock().unwrap().push(format!("release {id}"));
        Ok(())
    }
}
