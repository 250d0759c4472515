//! Takes waiting mails to the mailer in the background, until each is sent, refused or too old; nobody waits for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::chain;
use atelier_kit::moment::Micros;
use futures_util::future::join_all;
use tokio::sync::Notify;

use crate::emails::Waiting;
use crate::error::Error;
use crate::letters::Letters;
use crate::ports::{Clock, MailError, MailStore, Mailer};

const SECOND: Micros = 1_000_000;

/// How many mails are on their way at once.
const AT_ONCE: i64 = 8;
/// How long one may take to be handed over.
const SEND: Duration = Duration::from_secs(30);
/// For how long a mail is this process's own; longer than it takes, however slow the tables are.
const LEASE: Micros = 90 * SECOND;
/// The first pause after a mail could not be sent; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Micros = 10 * SECOND;
const LONGEST_PAUSE: Micros = 15 * 60 * SECOND;
/// How long a mail is tried.
const TRIED: Micros = 24 * 3600 * SECOND;
/// How long mails that are on their way at the end are waited for. One that is cut off is sent again by whoever starts
/// next, with the same id and the same token.
const LAST: Duration = Duration::from_secs(2);

/// Takes mails to the mailer.
pub(crate) struct Courier {
    pub(crate) mails: Arc<dyn MailStore>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) letters: Letters,
    pub(crate) clock: Arc<dyn Clock>,
    /// Rung when a mail was added.
    pub(crate) bell: Arc<Notify>,
    /// How often it looks without having heard the bell: for mails to try again, and those of other processes.
    pub(crate) every: Duration,
}

impl Courier {
    /// Works until `stopped`.
    pub(crate) async fn run(self, stopped: impl Future<Output = ()> + Send) {
        tokio::pin!(stopped);
        loop {
            let round = self.round();
            tokio::pin!(round);
            let more = tokio::select! {
                more = &mut round => more,
                () = &mut stopped => {
                    // Nothing is lost by not waiting longer.
                    let _ = tokio::time::timeout(LAST, round).await;
                    return;
                }
            };
            if more {
                continue;
            }
            tokio::select! {
                () = &mut stopped => return,
                () = self.bell.notified() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    /// Takes what is due; whether there may be more.
    async fn round(&self) -> bool {
        let now = self.clock.now();
        let due = match self.mails.claim(now, now + LEASE, AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the waiting mails cannot be read");
                return false;
            }
        };
        let more = !due.is_empty();
        let taken = join_all(due.iter().map(|mail| self.take(mail))).await;
        for (mail, result) in due.iter().zip(taken) {
            if let Err(error) = result {
                // Its lease ends, and then it is tried again.
                tracing::warn!(mail = mail.id, error = %chain(&error), "a mail cannot be looked after");
            }
        }
        more
    }

    /// Sends one mail, and keeps what became of it.
    async fn take(&self, mail: &Waiting) -> Result<(), Error> {
        let (id, purpose) = (mail.id.as_str(), mail.purpose.name());
        let now = self.clock.now();
        if now - mail.create_time > TRIED {
            tracing::warn!(mail = id, purpose, "a mail is given up");
            return self.mails.done(id, now).await;
        }
        let token = self.letters.token(mail).hash();
        if !self.mails.ready(mail, &token, now).await? {
            return self.mails.done(id, now).await;
        }
        let letter = self.letters.write(mail);
        let sent = tokio::time::timeout(SEND, self.mailer.send(&letter))
            .await
            .unwrap_or_else(|elapsed| Err(MailError::Away(elapsed.into())));
        let now = self.clock.now();
        match sent {
            Ok(()) => self.mails.done(id, now).await,
            Err(error @ MailError::Refused(_)) => {
                tracing::warn!(mail = id, purpose, error = %chain(&error), "a mail is not sent");
                self.mails.done(id, now).await
            }
            Err(error @ MailError::Away(_)) => {
                let pause = pause(mail.attempts);
                let seconds = pause / SECOND;
                tracing::warn!(mail = id, purpose, seconds, error = %chain(&error), "a mail waits to be tried again");
                self.mails.again(id, now + pause).await
            }
        }
    }
}

/// How long to wait after a mail has failed so many times.
fn pause(attempts: i64) -> Micros {
    let steps = (attempts - 1).clamp(0, 20);
    (FIRST_PAUSE << steps).min(LONGEST_PAUSE)
}

#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
