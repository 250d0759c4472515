//! Load: people who register, talk, draw and speak without a pause, what they were told is done, and every error that they met.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{GetMeRequest, RegisterRequest};
use tokio::task::JoinSet;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::people::{Person, connect, credentials};
use crate::told::{Tells, Told};

/// The longest that anything may keep a caller waiting, be it for an error.
pub const LONGEST: Duration = Duration::from_secs(40);

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
    /// How many calls that only read have succeeded.
    pub read: AtomicU64,
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
            let act = tokio::time::timeout(LONGEST, self.act(doing));
            let told = act
                .await
                .unwrap_or_else(|_| panic!("{doing} kept its caller waiting for {LONGEST:?}"));
            match told {
                Ok(Some(done)) => self.book.done.lock().unwrap().push(done),
                Ok(None) => {}
                Err(status) => {
                    self.book.met.lock().unwrap().push(Met {
                        at: Instant::now(),
                        doing,
                        status,
                    });
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
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
                let request = chat::CreateConversationRequest::default();
                let made = me.chat().create_conversation(request).await?.into_inner();
                let id = made.conversation.expect("a conversation").id;
                self.conversation = Some(id.clone());
                Ok(Some(Done::Conversation { person, id }))
            }
            "say" => {
                let Some(conversation) = self.conversation.clone() else {
                    return Ok(None);
                };
                let request = chat::SendMessageRequest {
                    conversation_id: conversation.clone(),
                    text: format!("Word {}", self.chance.u32(..)),
                    ..Default::default()
                };
                let told = match me.chat().send_message(request).await {
                    Ok(answer) => hear(answer.into_inner()).await?,
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
                let request = image::GenerateImageRequest {
                    prompt: format!("waves {}", self.chance.u32(..)),
                    size: Some(image::Size {
                        width: 64,
                        height: 64,
                    }),
                    ..Default::default()
                };
                let answer = me.pictures().generate_image(request).await?;
                let told = hear(answer.into_inner()).await?;
                Ok(self.ended(&told).then(|| Done::Picture {
                    person,
                    id: told.artifact().id.clone(),
                    generation: told.id().to_owned(),
                }))
            }
            "speak" => {
                let request = tts::SynthesizeRequest {
                    text: format!("Word {}.", self.chance.u32(..)),
                    ..Default::default()
                };
                let answer = me.speech().synthesize(request).await?;
                let told = hear(answer.into_inner()).await?;
                Ok(self.ended(&told).then(|| Done::Speech {
                    person,
                    id: told.artifact().id.clone(),
                    generation: told.id().to_owned(),
                }))
            }
            _ => {
                me.users().get_me(GetMeRequest {}).await?;
                self.book.read.fetch_add(1, Ordering::SeqCst);
                Ok(None)
            }
        }
    }

    /// Whether it ended well; one that failed has a reason that may pass.
    fn ended(&self, told: &Told) -> bool {
        match told.end() {
            Some(Event::Completed(_)) => true,
            Some(Event::Failed(failed)) => {
                assert!(failed.retryable, "{failed:?}");
                assert_ne!(failed.reason, "INTERNAL", "{failed:?}");
                self.book.failed.fetch_add(1, Ordering::SeqCst);
                false
            }
            other => panic!("an end that nobody asked for: {other:?}"),
        }
    }
}

/// Makes an account.
pub async fn register(edge: &str, email: &str, password: &str) -> Result<(), Status> {
    let request = RegisterRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        display_name: String::new(),
    };
    let lazy = tonic::transport::Endpoint::from_shared(edge.to_owned())
        .unwrap()
        .connect_timeout(Duration::from_secs(5))
        .connect_lazy();
    UsersServiceClient::new(lazy)
        .register(request)
        .await
        .map(drop)
}

/// Listens to the end of a generation; one whose stream is cut is not known to have ended.
async fn hear<T: Tells>(mut stream: Streaming<T>) -> Result<Told, Status> {
    let mut told = Told::default();
    while let Some(answer) = stream.message().await? {
        told.0.push(answer.tells());
    }
    match told.end() {
        Some(_) => Ok(told),
        None => Err(Status::data_loss("the stream ended before the generation")),
    }
}

/// Whether a caller may be told this while something is away: that it is, and when to come again; or that a connection broke,
/// by his own library.
pub fn passes(status: &Status) -> bool {
    if std::error::Error::source(status).is_some() {
        return true;
    }
    status.code() == Code::Unavailable && status.get_error_details().retry_info().is_some()
}

/// Does each thing once, at each edge: whether the mesh answers again.
pub async fn all_answers(edges: &[String], person: &Person) -> Result<(), Status> {
    for edge in edges {
        let me = person.through(edge);
        let (email, password) = credentials();
        register(edge, &email, &password).await?;
        let request = chat::CreateConversationRequest::default();
        let made = me.chat().create_conversation(request).await?.into_inner();
        let request = chat::SendMessageRequest {
            conversation_id: made.conversation.expect("a conversation").id,
            text: "Hello".to_owned(),
            ..Default::default()
        };
        ended_well(hear(me.chat().send_message(request).await?.into_inner()).await?)?;
        let request = image::GenerateImageRequest {
            prompt: "waves".to_owned(),
            size: Some(image::Size {
                width: 64,
                height: 64,
            }),
            ..Default::default()
        };
        ended_well(hear(me.pictures().generate_image(request).await?.into_inner()).await?)?;
        let request = tts::SynthesizeRequest {
            text: "Hello.".to_owned(),
            ..Default::default()
        };
        ended_well(hear(me.speech().synthesize(request).await?.into_inner()).await?)?;
    }
    Ok(())
}

fn ended_well(told: Told) -> Result<(), Status> {
    match told.is_completed() {
        true => Ok(()),
        false => Err(Status::unavailable("a generation failed")),
    }
}

/// Signs in, to see whether an account is there.
pub async fn is_there(edge: &str, email: &str, password: &str) -> bool {
    let request = atelier_proto::users::v1::LoginRequest {
        email: email.to_owned(),
        password: password.to_owned(),
        ..Default::default()
    };
    let mut users = UsersServiceClient::new(connect(edge).await);
    users.login(request).await.is_ok()
}
