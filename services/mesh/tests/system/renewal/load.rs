//! The load: people who refresh their tokens as clients do, and calls at a fixed pace through the edge and around it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_kit::link::{Link, Route};
use atelier_kit::tls::MeshTls;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{RefreshSessionRequest, TokenPair};
use bytes::Bytes;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tonic::Code;
use tonic::transport::Channel;

use super::CALLER;
use crate::people::{Person, connect};
use crate::raw;
use crate::split::{SERVICES, Split};

/// How many calls a second begin, whatever becomes of those before.
pub const PER_SECOND: u32 = 200;
/// How many people call.
const PEOPLE: usize = 8;
/// How often each of them refreshes: sooner than clients need, so that the keys of tokens change while it is watched.
const REFRESH: Duration = Duration::from_secs(2);
/// How often new connections are made around the edge, with the certificate that then is there.
const RECONNECT: Duration = Duration::from_secs(1);

/// What is called: through the edge or around it, and every service in both ways.
const CALLS: [(&str, bool); 11] = [
    ("/atelier.users.v1.UsersService/GetMe", true),
    ("/atelier.users.v1.UsersService/GetMe", false),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListConversations",
        true,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/ListConversations",
        false,
    ),
    (
        "/atelier.llm_chat.v1.LlmChatService/CreateConversation",
        true,
    ),
    ("/atelier.text_image.v1.TextImageService/ListImages", true),
    ("/atelier.text_image.v1.TextImageService/ListImages", false),
    ("/atelier.tts.v1.TtsService/ListConversions", true),
    ("/atelier.tts.v1.TtsService/ListConversions", false),
    (
        "/atelier.analytics.v1.AnalyticsService/ListUsageEvents",
        true,
    ),
    (
        "/atelier.analytics.v1.AnalyticsService/ListUsageEvents",
        false,
    ),
];
/// The one of them that makes something.
const MAKES: usize = 4;

/// Somebody whose tokens change.
struct Client {
    person: Person,
    tokens: Mutex<TokenPair>,
    made: AtomicU64,
}

impl Client {
    fn token(&self) -> String {
        self.tokens.lock().unwrap().access_token.clone()
    }
}

/// The key that a token is signed with.
fn kid(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header);
    let header: serde_json::Value = serde_json::from_slice(&header.unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The people, and their ways into the mesh.
pub struct Crowd {
    clients: Vec<Client>,
    edge: Channel,
    certificates: PathBuf,
    /// The URL of each service, and the connection to it that is used at the moment.
    direct: BTreeMap<&'static str, (String, Mutex<Link>)>,
    kids: Mutex<BTreeSet<String>>,
}

impl Crowd {
    /// Registers the people.
    pub async fn gather(mesh: &Split, certificates: &Path) -> Self {
        let mut clients = Vec::new();
        for _ in 0..PEOPLE {
            let person = Person::register(mesh.edge()).await;
            clients.push(Client {
                tokens: Mutex::new(person.tokens.clone()),
                person,
                made: AtomicU64::new(0),
            });
        }
        let direct = SERVICES.map(|(role, _)| {
            let url = mesh.of(role).to_owned();
            let link = link(role, &url, certificates);
            (role, (url, Mutex::new(link)))
        });
        let crowd = Self {
            clients,
            edge: connect(mesh.edge()).await,
            certificates: certificates.to_path_buf(),
            direct: direct.into(),
            kids: Mutex::default(),
        };
        let now = crowd.kids_now();
        crowd.kids.lock().unwrap().extend(now);
        crowd
    }

    /// The keys of all tokens that there were.
    pub fn kids(&self) -> BTreeSet<String> {
        self.kids.lock().unwrap().clone()
    }

    /// The keys of the tokens that are in use.
    pub fn kids_now(&self) -> BTreeSet<String> {
        self.clients.iter().map(|c| kid(&c.token())).collect()
    }

    /// Everything that was made is there, once.
    pub async fn made_is_there(&self) {
        for client in &self.clients {
            let mut person = client.person.clone();
            person.tokens = client.tokens.lock().unwrap().clone();
            let mut there = 0;
            let mut page_token = String::new();
            loop {
                let request = atelier_proto::llm_chat::v1::ListConversationsRequest {
                    page_size: 1000,
                    page_token,
                };
                let page = person.chat().list_conversations(request).await.unwrap();
                let page = page.into_inner();
                there += page.conversations.len() as u64;
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            let made = client.made.load(Ordering::SeqCst);
            assert!(made > 0);
            assert_eq!(there, made, "conversations");
        }
    }

    /// New connections around the edge; calls that are under way keep theirs.
    fn reconnect(&self) {
        for (role, (url, kept)) in &self.direct {
            *kept.lock().unwrap() = link(role, url, &self.certificates);
        }
    }

    /// Exchanges somebody's refresh token.
    async fn refresh(&self, who: usize) -> Result<(), String> {
        let client = &self.clients[who];
        let refresh_token = client.tokens.lock().unwrap().refresh_token.clone();
        let answer = UsersServiceClient::new(self.edge.clone())
            .refresh_session(RefreshSessionRequest { refresh_token })
            .await
            .map_err(|status| format!("a refresh: {status:?}"))?;
        let tokens = answer.into_inner().tokens.unwrap();
        self.kids.lock().unwrap().insert(kid(&tokens.access_token));
        *client.tokens.lock().unwrap() = tokens;
        Ok(())
    }

    /// The call with this number, and the role and the key that it was made with.
    async fn call(&self, number: usize) -> Result<(&'static str, String), String> {
        let (path, through_edge) = CALLS[number % CALLS.len()];
        let client = &self.clients[number / CALLS.len() % PEOPLE];
        let (token, role) = (client.token(), raw::role_of(path));
        let answer = if through_edge {
            raw::call(&self.edge, path, Some(&token), Bytes::new()).await
        } else {
            let link = self.direct[role].1.lock().unwrap().clone();
            raw::call(&link, path, Some(&token), Bytes::new()).await
        };
        if answer.code != Code::Ok {
            let way = if through_edge {
                "through the edge"
            } else {
                "directly"
            };
            return Err(format!("{path} {way}: {answer:?}"));
        }
        if number % CALLS.len() == MAKES {
            client.made.fetch_add(1, Ordering::SeqCst);
        }
        Ok((role, kid(&token)))
    }
}

/// A link that shows the caller's certificate as it is in the folder now.
fn link(role: &str, url: &str, certificates: &Path) -> Link {
    let tls = MeshTls::read(certificates, CALLER).unwrap();
    Link::new(role, &Route::Mesh(url.parse().unwrap(), tls), None).unwrap()
}

/// What came of a load.
#[derive(Default)]
pub struct Done {
    /// How many calls began, refreshes among them.
    pub begun: u64,
    /// How many were answered well.
    pub answered: u64,
    /// What the others were told.
    pub refused: Vec<String>,
    /// The keys of the tokens that each role has taken.
    pub kids_at: BTreeMap<&'static str, BTreeSet<String>>,
    /// How long it lasted.
    pub lasted: Duration,
}

/// A load that goes on.
pub struct Load {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Done>,
}

impl Load {
    /// Begins no more calls, and waits for the answers to all.
    pub async fn end(self) -> Done {
        self.stop.store(true, Ordering::SeqCst);
        self.running.await.unwrap()
    }
}

/// Begins a load.
pub fn begin(crowd: Arc<Crowd>) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let running = tokio::spawn(run(crowd, stop.clone()));
    Load { stop, running }
}

async fn run(crowd: Arc<Crowd>, stop: Arc<AtomicBool>) -> Done {
    let begun = Instant::now();
    let mut done = Done::default();
    let mut calls = JoinSet::new();
    let (mut refreshed, mut connected) = (Vec::from([begun; PEOPLE]), begun);
    // Who is late catches up: the pace is that of the clock and not that of the answers.
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let called = crowd.clone();
        calls.spawn(async move { called.call(number).await.map(Some) });
        let who = number % PEOPLE;
        number += 1;
        done.begun += 1;
        if refreshed[who].elapsed() > REFRESH {
            refreshed[who] = Instant::now();
            let called = crowd.clone();
            calls.spawn(async move { called.refresh(who).await.map(|()| None) });
            done.begun += 1;
        }
        if connected.elapsed() > RECONNECT {
            connected = Instant::now();
            crowd.reconnect();
        }
        while let Some(answer) = calls.try_join_next() {
            done.take(answer.unwrap());
        }
    }
    done.lasted = begun.elapsed();
    while let Some(answer) = calls.join_next().await {
        done.take(answer.unwrap());
    }
    done
}

impl Done {
    fn take(&mut self, answer: Result<Option<(&'static str, String)>, String>) {
        match answer {
            Ok(told) => {
                self.answered += 1;
                if let Some((role, kid)) = told {
                    self.kids_at.entry(role).or_default().insert(kid);
                }
            }
            Err(why) => self.refused.push(why),
        }
    }
}
