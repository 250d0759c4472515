//! Hears of streams that other processes append to: one connection for all that are watched here, with a channel for each
//! generation, so that a process hears of nothing that nobody watches in it. It is opened when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use atelier_kit::redis::{Redis, RedisAway, Subscriber};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::Tide;

/// How often those are left whom nobody waits for any more, and the connection is tried.
const ROUND: Duration = Duration::from_secs(10);
/// How long after a lost connection the next one is tried.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So many channels are asked for at once.
const BATCH: usize = 256;

/// What is heard of one stream.
#[derive(Clone, Copy, Default)]
struct Sound {
    tide: Tide,
    /// The connection that it is heard over; 0 is none.
    over: u64,
    /// The connection whose beginning somebody has looked after: nothing was missed since.
    looked: u64,
}

type Sounds = Arc<Mutex<HashMap<String, watch::Sender<Sound>>>>;

pub(super) struct Ear {
    redis: Redis,
    sounds: Sounds,
    wanted: OnceLock<mpsc::Sender<String>>,
}

impl Ear {
    pub(super) fn new(redis: Redis) -> Self {
        Self {
            redis,
            sounds: Sounds::default(),
            wanted: OnceLock::new(),
        }
    }

    /// Returns when there may be something in a stream after a sequence, or nothing more comes; not while nothing can be heard.
    /// `look` asks the server.
    pub(super) async fn wait<F>(&self, channel: &str, after: i64, look: impl Fn() -> F)
    where
        F: Future<Output = Result<Option<Tide>, RedisAway>>,
    {
        let mut sound = {
            let mut sounds = locked(&self.sounds);
            // Within the lock: what somebody waits for is not left.
            sounds.entry(channel.to_owned()).or_default().subscribe()
        };
        let now = *sound.borrow();
        let mut connection = now.over;
        if now.over == 0 || now.looked != now.over {
            // Sent as often as anybody comes before it is heard: it is asked for once.
            let _ = self.wanted().send(channel.to_owned()).await;
            let Ok(heard) = sound
                .wait_for(|sound| sound.over != 0)
                .await
                .map(|sound| *sound)
            else {
                return;
            };
            connection = heard.over;
            // What was told before it was listened to is known by looking.
            match look().await {
                Ok(Some(tide)) => self.looked(channel, connection, tide),
                Ok(None) | Err(_) => return,
            }
        }
        let _ = sound
            .wait_for(|sound| sound.tide.is_beyond(after) || sound.over != connection)
            .await;
    }

    fn looked(&self, channel: &str, connection: u64, tide: Tide) {
        if let Some(sender) = locked(&self.sounds).get(channel) {
            sender.send_modify(|sound| {
                sound.looked = connection;
                if tide.last >= sound.tide.last {
                    sound.tide = tide;
                }
            });
        }
    }

    fn wanted(&self) -> &mpsc::Sender<String> {
        self.wanted.get_or_init(|| {
            // Whoever comes when it is full waits for his turn.
            let (wanted, orders) = mpsc::channel(BATCH);
            // Ends with the journal, which has the other end.
            tokio::spawn(listen(self.redis.clone(), self.sounds.clone(), orders));
            wanted
        })
    }
}

async fn listen(redis: Redis, sounds: Sounds, mut wanted: mpsc::Receiver<String>) {
    let mut pause = PAUSE;
    for connection in 1.. {
        let begun = tokio::time::Instant::now();
        let ended = hear_all(&redis, &sounds, &mut wanted, connection).await;
        for sender in locked(&sounds).values() {
            // Whoever waits looks for himself.
            sender.send_modify(|sound| sound.over = 0);
        }
        match ended {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "streams are not heard for a while"),
        }
        pause = match begun.elapsed() > LONGEST_PAUSE {
            true => PAUSE,
            false => (pause * 2).min(LONGEST_PAUSE),
        };
        tokio::time::sleep(pause).await;
    }
}

/// Hears until the connection is lost, or until nobody can ask for anything any more.
async fn hear_all(
    redis: &Redis,
    sounds: &Sounds,
    wanted: &mut mpsc::Receiver<String>,
    connection: u64,
) -> Result<(), Lost> {
    let (mut subscriber, mut heard) = redis.subscriber().await?;
    let known: Vec<String> = locked(sounds).keys().cloned().collect();
    for channels in known.chunks(BATCH) {
        join(&mut subscriber, sounds, channels.to_vec(), connection).await?;
    }
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut channels = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = wanted.recv_many(&mut channels, BATCH) => {
                if count == 0 {
                    return Ok(());
                }
                join(&mut subscriber, sounds, std::mem::take(&mut channels), connection).await?;
            }
            word = heard.next() => {
                let (channel, word) = word.ok_or(Lost::Closed)?;
                if let Some(sender) = locked(sounds).get(&channel) {
                    sender.send_modify(|sound| sound.tide = told(sound.tide, &word));
                }
            }
            _ = rounds.tick() => {
                let left = leave_the_unwatched(sounds);
                if left.is_empty() {
                    subscriber.ping().await?;
                } else {
                    subscriber.leave(&left).await?;
                }
            }
        }
    }
}

/// Listens to those of these channels that are not listened to yet.
async fn join(
    subscriber: &mut Subscriber,
    sounds: &Sounds,
    mut channels: Vec<String>,
    connection: u64,
) -> Result<(), Lost> {
    channels.sort_unstable();
    channels.dedup();
    {
        let sounds = locked(sounds);
        channels.retain(|channel| {
            let sound = sounds.get(channel).map(|sender| sender.borrow().over);
            sound.is_some_and(|over| over != connection)
        });
    }
    if channels.is_empty() {
        return Ok(());
    }
    subscriber.listen(&channels).await?;
    let sounds = locked(sounds);
    for sender in channels.iter().filter_map(|channel| sounds.get(channel)) {
        sender.send_modify(|sound| sound.over = connection);
    }
    Ok(())
}

fn leave_the_unwatched(sounds: &Sounds) -> Vec<String> {
    let mut left = Vec::new();
    locked(sounds).retain(|channel, sender| {
        let is_watched = sender.receiver_count() > 0;
        if !is_watched {
            left.push(channel.clone());
        }
        is_watched
    });
    left
}

/// What a word says of a stream: its last sequence, and whether it is over.
fn told(before: Tide, word: &str) -> Tide {
    let (sequence, over) = match word.strip_suffix("over") {
        Some(sequence) => (sequence.trim_end(), true),
        None => (word, false),
    };
    Tide {
        last: sequence.parse().unwrap_or(0).max(before.last),
        over,
    }
}

fn locked(sounds: &Sounds) -> MutexGuard<'_, HashMap<String, watch::Sender<Sound>>> {
    sounds.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the connection is closed")]
    Closed,
    #[error(transparent)]
    Away(#[from] RedisAway),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_sequence_an_end_or_both() {
        let before = Tide {
            last: 5,
            over: false,
        };
        for (word, last, over) in [
            ("7", 7, false),
            ("8 over", 8, true),
            ("over", 5, true),
            ("?", 5, false),
        ] {
            let tide = told(before, word);
            assert_eq!((tide.last, tide.over), (last, over), "{word}");
        }
    }
}
