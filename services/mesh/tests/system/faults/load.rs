//! Load: people who register, talk, draw and speak, what they were told is done, and every error that they met.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::things::{converse, draw, ended_well, hear, look_up, made, register, say, speak};
use crate::people::{Person, credentials};
use crate::told::Told;

/// The longest that anything may keep a caller waiting, be it for an error.
pub const LONGEST: Duration = Duration::from_secs(40);

/// How long somebody rests between two things, in milliseconds: the engines must not be busier than their faults need.
const PAUSE: std::ops::Range<u64> = 300..900;

/// What somebody was told is done.
#[derive(Clone, Debug)]
pub enum Done {
    /// An account.
    Account { email: String, password: String },
    /// A conversation.
    Conversation { person: usize, id: String },
    /// A reply: its generation, and its words.
    Reply {
        person: usize,
        conversation: String,
        generation: String,
        text: String,
    },
    /// A picture.
    Picture {
        person: usize,
        id: String,
        generation: String,
    },
    /// A spoken text.
    Speech {
        person: usize,
        id: String,
        generation: String,
    },
}

/// An error that a caller met.
#[derive(Clone, Debug)]
pub struct Met {
    /// When.
    pub at: Instant,
    /// By what.
    pub doing: &'static str,
    /// What he was told.
    pub status: Status,
}

/// What came of the load so far.
#[derive(Default)]
pub struct Book {
    /// What was acknowledged.
    pub done: Mutex<Vec<Done>>,
    /// What was refused.
    pub met: Mutex<Vec<Met>>,
    /// How many generations have failed, as their owners were told.
    pub failed: AtomicU64,
    /// How many calls there were.
    pub calls: AtomicU64,
    /// The longest that one of them took, in milliseconds.
    pub longest: AtomicU64,
}

impl Book {
    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.done.lock().unwrap().len()
    }
}

/// People at work, until they are told to stop.
pub struct Load {
    /// What came of it.
    pub book: Arc<Book>,
    /// Who they are.
    pub people: Arc<Vec<Person>>,
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
}

impl Load {
    /// Sets so many to work at these edges.
    pub async fn begin(edges: &[String], count: usize, seed: u64) -> Self {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(Person::register(&edges[number % edges.len()]).await);
        }
        let (book, people) = (Arc::new(Book::default()), Arc::new(people));
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for number in 0..count {
            let worker = Worker {
                number,
                edges: edges.to_vec(),
                people: people.clone(),
                book: book.clone(),
                chance: fastrand::Rng::with_seed(seed.wrapping_add(number as u64)),
                conversation: None,
            };
            workers.spawn(worker.work(stop.clone()));
        }
        Self {
            book,
            people,
            stop,
            workers,
        }
    }

    /// Lets everybody finish what he is at.
    pub async fn end(mut self) -> (Arc<Book>, Arc<Vec<Person>>) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(worker) = self.workers.join_next().await {
            worker.expect("a worker who was never kept waiting");
        }
        (self.book, self.people)
    }
}

struct Worker {
    number: usize,
    edges: Vec<String>,
    people: Arc<Vec<Person>>,
    book: Arc<Book>,
    chance: fastrand::Rng,
    conversation: Option<String>,
}

impl Worker {
    async fn work(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::SeqCst) {
            let doing = [
                "register", "converse", "say", "say", "draw", "speak", "read",
            ];
            let doing = doing[self.chance.usize(..doing.len())];
            let begun = Instant::now();
            let act = tokio::time::timeout(LONGEST, self.act(doing));
            let told = act
                .await
                .unwrap_or_else(|_| panic!("{doing} kept its caller waiting for {LONGEST:?}"));
            self.book.calls.fetch_add(1, Ordering::SeqCst);
            let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
            self.book.longest.fetch_max(took, Ordering::SeqCst);
            match told {
                Ok(Some(done)) => self.book.done.lock().unwrap().push(done),
                Ok(None) => {}
                Err(status) => {
                    self.book.met.lock().unwrap().push(Met {
                        at: Instant::now(),
                        doing,
                        status,
                    });
                }
            }
            let pause = self.chance.u64(PAUSE);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Whoever does it, through any edge.
    fn me(&mut self) -> Person {
        let edge = &self.edges[self.chance.usize(..self.edges.len())];
        self.people[self.number].through(edge)
    }

    async fn act(&mut self, doing: &str) -> Result<Option<Done>, Status> {
        let (me, person) = (self.me(), self.number);
        match doing {
            "register" => {
                let (email, password) = credentials();
                let edge = self.edges[self.chance.usize(..self.edges.len())].clone();
                register(&edge, &email, &password).await?;
                Ok(Some(Done::Account { email, password }))
            }
            "converse" => {
                let id = converse(&me, "").await?;
                self.conversation = Some(id.clone());
                Ok(Some(Done::Conversation { person, id }))
            }
            "say" => {
                let Some(conversation) = self.conversation.clone() else {
                    return Ok(None);
                };
                let text = format!("Word {}", self.chance.u32(..));
                let told = match say(&me, &conversation, text).await {
                    Ok(stream) => hear(stream).await?,
                    // The reply before may still be on its way to its end, at whoever takes it over.
                    Err(status) if status.code() == Code::FailedPrecondition => {
                        self.conversation = None;
                        return Ok(None);
                    }
                    Err(status) => return Err(status),
                };
                Ok(self.ended(&told).then(|| Done::Reply {
                    person,
                    conversation,
                    generation: told.id().to_owned(),
                    text: told.text(),
                }))
            }
            "draw" => {
                let told = draw(&me, format!("waves {}", self.chance.u32(..))).await?;
                Ok(self.ended(&told).then(|| Done::Picture {
                    person,
                    id: made(&told),
                    generation: told.id().to_owned(),
                }))
            }
            "speak" => {
                let told = speak(&me, format!("Word {}.", self.chance.u32(..))).await?;
                Ok(self.ended(&told).then(|| Done::Speech {
                    person,
                    id: made(&told),
                    generation: told.id().to_owned(),
                }))
            }
            _ => {
                look_up(&me).await?;
                Ok(None)
            }
        }
    }

    /// Whether it ended well.
    fn ended(&self, told: &Told) -> bool {
        let well = ended_well(told);
        if !well {
            self.book.failed.fetch_add(1, Ordering::SeqCst);
        }
        well
    }
}
