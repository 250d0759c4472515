//! How long it takes until a mesh answers again: the first success of one cheap call to each role at each edge, each tried
//! again and again, beside the others, from the moment of the return.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::things::{converse, draw, ended_well, look_up, passes, speak, sum_up};
use crate::people::Person;

/// How long after one refusal it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A call that needs the engines of a role.
#[derive(Clone, Copy, Debug)]
enum Cheap {
    /// users reads PostgreSQL.
    LookUp,
    /// llm-chat writes to MongoDB.
    Converse,
    /// text-image writes to PostgreSQL, tells by Redis and puts into S3.
    Draw,
    /// So does tts.
    Speak,
    /// analytics reads MongoDB.
    SumUp,
}

impl Cheap {
    const ALL: [Self; 5] = [
        Self::LookUp,
        Self::Converse,
        Self::Draw,
        Self::Speak,
        Self::SumUp,
    ];

    /// Whether it went well; an error is for the caller to try again.
    async fn ask(self, me: &Person) -> Result<bool, Status> {
        match self {
            Self::LookUp => look_up(me).await.map(|()| true),
            Self::Converse => converse(me, "").await.map(|_| true),
            Self::Draw => draw(me, "a wave".to_owned())
                .await
                .map(|told| ended_well(&told)),
            Self::Speak => speak(me, "Word.".to_owned())
                .await
                .map(|told| ended_well(&told)),
            Self::SumUp => sum_up(me).await.map(|()| true),
        }
    }
}

/// Waits until each has succeeded once; how long the last of them took.
pub async fn answers_again(edges: &[String], person: &Person, limit: Duration) -> Duration {
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for edge in edges {
        for call in Cheap::ALL {
            let me = person.through(edge);
            asked.spawn(async move {
                let again = async {
                    loop {
                        match call.ask(&me).await {
                            Ok(true) => break,
                            Ok(false) => {}
                            // What is slow is no error here: the limit says how slow it may be.
                            Err(status) if status.code() == Code::DeadlineExceeded => {}
                            Err(status) => assert!(passes(&status), "{call:?}: {status:?}"),
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                };
                let done = tokio::time::timeout(limit, again).await;
                assert!(done.is_ok(), "{call:?} has no success after {limit:?}");
            });
        }
    }
    while let Some(done) = asked.join_next().await {
        done.expect("an answer within the time");
    }
    begun.elapsed()
}
