//! What the edge sends again, and what it does not: replicas that answer as they are told, behind a real door.

mod house;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::link::{Replicas, Route};
use atelier_kit::policy::{Idempotency, Policies, Policy};
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use bytes::Bytes;
use house::alone::Alone;
use house::policies;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

const CHAT: &str = "atelier.llm_chat.v1.LlmChatService";
const CREATE: &str = "/atelier.llm_chat.v1.LlmChatService/CreateConversation";

/// What a replica does with a call, once it has read it.
#[derive(Clone, Debug)]
enum Answer {
    /// An empty message, and OK.
    Well,
    /// UNAVAILABLE without a message, and when to come again.
    Away(Option<Duration>),
    /// Another error without a message.
    Refused(Kind),
    /// A message, and UNAVAILABLE after it.
    AwayAfterAMessage,
    /// The stream is reset.
    Breaks,
}

/// What a replica was sent.
#[derive(Clone)]
struct Heard {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

/// A replica of the chat.
struct Replica {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Replica {
    /// One that answers so, each a call, and after that as the last one.
    async fn that(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
        let told = heard.clone();
        let service = hyper::service::service_fn(move |request: http::Request<_>| {
            let (heard, answers) = (told.clone(), answers.clone());
            async move {
                let (parts, body): (_, hyper::body::Incoming) = request.into_parts();
                // The door asks again and again how it is.
                if parts.uri.path().starts_with("/grpc.health") {
                    return Ok(Status::unimplemented("nobody asks").into_http());
                }
                let body = body.collect().await.map_err(|_| "it went away")?.to_bytes();
                heard.lock().unwrap().push(Heard {
                    at: Instant::now(),
                    headers: parts.headers,
                    body,
                });
                let mut answers = answers.lock().unwrap();
                let answer = match answers.len() {
                    1 => answers[0].clone(),
                    _ => answers.pop_front().unwrap(),
                };
                respond(&answer)
            }
        });
        let serving = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(socket), service.clone()));
            }
        });
        Self {
            address,
            heard,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn respond(answer: &Answer) -> Result<http::Response<Body>, &'static str> {
    let status = match answer {
        Answer::Breaks => return Err("it breaks"),
        Answer::Away(None) => Status::unavailable("away"),
        Answer::Away(Some(wait)) => Fault::new(Kind::Unavailable, "AWAY", "away")
            .retry_after(*wait)
            .into(),
        Answer::Refused(kind) => Fault::new(*kind, "REFUSED", "no").into(),
        Answer::Well => return Ok(message_and(&Status::ok(""))),
        Answer::AwayAfterAMessage => return Ok(message_and(&Status::unavailable("away"))),
    };
    Ok(status.into_http())
}

fn message_and(status: &Status) -> http::Response<Body> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    let frames = [
        Frame::data(Bytes::from_static(&[0; 5])),
        Frame::trailers(trailers),
    ];
    let frames = frames.map(Ok::<_, Status>);
    let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
    let answer = http::Response::builder().header("content-type", "application/grpc");
    answer.body(body).unwrap()
}

/// A door with the chat behind it.
struct Edge(Alone);

impl Edge {
    async fn before(replicas: &[&Replica]) -> Self {
        Self::with(replicas, policies()).await
    }

    async fn with(replicas: &[&Replica], policies: Policies) -> Self {
        let urls = replicas.iter().map(|replica| {
            let url = format!("http://{}", replica.address);
            url.parse().unwrap()
        });
        let route = Route::Replicas(Replicas::at(urls.collect()));
        Self(Alone::before(CHAT, "llm-chat", &route, policies).await)
    }

    fn chat(&self) -> LlmChatServiceClient<Channel> {
        LlmChatServiceClient::new(self.0.channel())
    }

    /// A call that only reads.
    async fn reads(&self) -> Result<(), Status> {
        let request = chat::GetConversationRequest::default();
        self.chat().get_conversation(request).await.map(drop)
    }

    /// A call that makes something, with a key or without.
    async fn makes(&self, key: Option<&str>, prompt: &str) -> Result<(), Status> {
        let mut request = Request::new(chat::CreateConversationRequest {
            system_prompt: prompt.to_owned(),
            ..Default::default()
        });
        if let Some(key) = key {
            let value = key.parse().unwrap();
            request.metadata_mut().insert("idempotency-key", value);
        }
        self.chat().create_conversation(request).await.map(drop)
    }
}

/// The policies, but for the one method that makes something.
fn policies_with(change: impl Fn(&mut Policy)) -> Policies {
    let known = policies();
    Policies::new(known.iter().map(|(path, policy)| {
        let mut policy = policy.clone();
        if path == CREATE {
            change(&mut policy);
        }
        (path.to_owned(), policy)
    }))
}

const AWAY: Answer = Answer::Away(None);

fn is_away(answer: Result<(), Status>) -> bool {
    answer.is_err_and(|status| status.code() == Code::Unavailable)
}

#[tokio::test]
async fn what_only_reads_is_sent_again_as_it_was() {
    let replica = Replica::that(&[AWAY, AWAY, Answer::Well]).await;
    let edge = Edge::before(&[&replica]).await;
    edge.reads().await.expect("the third attempt");
    let heard = replica.heard();
    assert_eq!(heard.len(), 3);
    for (before, heard) in heard.iter().enumerate() {
        let told = heard.headers.get("grpc-previous-rpc-attempts");
        let told = told.map(|value| value.to_str().unwrap().parse().unwrap());
        assert_eq!(told.unwrap_or(0), before);
        assert_eq!(heard.body, Bytes::from_static(&[0; 5]));
        let id = |heard: &Heard| heard.headers["x-request-id"].clone();
        assert_eq!(id(heard), id(&replica.heard()[0]));
    }
}

#[tokio::test]
async fn a_call_is_sent_three_times_at_the_most() {
    let replica = Replica::that(&[AWAY]).await;
    let edge = Edge::before(&[&replica]).await;
    assert!(is_away(edge.reads().await));
    assert_eq!(replica.heard().len(), 3);
}

#[tokio::test]
async fn what_makes_something_is_sent_again_for_a_key_alone() {
    let replica = Replica::that(&[AWAY, AWAY, Answer::Well]).await;
    let edge = Edge::before(&[&replica]).await;
    assert!(is_away(edge.makes(None, "").await));
    assert_eq!(replica.heard().len(), 1);
    edge.makes(Some("r-1"), "").await.expect("another attempt");
    let heard = replica.heard();
    assert_eq!(heard.len(), 3);
    assert!(
        heard[1..]
            .iter()
            .all(|h| h.headers["idempotency-key"] == "r-1")
    );
}

#[tokio::test]
async fn what_acts_anew_each_time_is_sent_once_whatever_its_caller_says() {
    let replica = Replica::that(&[AWAY]).await;
    let policies = policies_with(|policy| policy.idempotency = Idempotency::None);
    let edge = Edge::with(&[&replica], policies).await;
    assert!(is_away(edge.makes(Some("r-1"), "").await));
    assert_eq!(replica.heard().len(), 1);
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    let replica = Replica::that(&[AWAY]).await;
    let edge = Edge::before(&[&replica]).await;
    let mut request = Request::new(chat::SendMessageRequest::default());
    request
        .metadata_mut()
        .insert("idempotency-key", "r-1".parse().unwrap());
    let refused = edge.chat().send_message(request).await.map(drop);
    assert!(is_away(refused));
    assert_eq!(replica.heard().len(), 1);
}

#[tokio::test]
async fn only_unavailable_before_the_first_byte_is_sent_again() {
    let kinds = [
        Kind::Internal,
        Kind::Exhausted,
        Kind::Conflict,
        Kind::Deadline,
        Kind::NotFound,
    ];
    for kind in kinds {
        let replica = Replica::that(&[Answer::Refused(kind)]).await;
        let edge = Edge::before(&[&replica]).await;
        let status = edge.reads().await.unwrap_err();
        assert_eq!(status.code(), kind.code());
        assert_eq!(replica.heard().len(), 1, "{kind:?}");
    }
    let replica = Replica::that(&[Answer::AwayAfterAMessage]).await;
    let edge = Edge::before(&[&replica]).await;
    assert!(is_away(edge.reads().await));
    assert_eq!(replica.heard().len(), 1);
}

#[tokio::test]
async fn a_large_message_passes_and_is_not_kept() {
    let policies = || policies_with(|policy| policy.max_request_bytes = 1 << 20);
    for (bytes, sends) in [(60_000, 3), (70_000, 1)] {
        let replica = Replica::that(&[AWAY]).await;
        let edge = Edge::with(&[&replica], policies()).await;
        let prompt = "x".repeat(bytes);
        assert!(is_away(edge.makes(Some("r-1"), &prompt).await));
        let heard = replica.heard();
        assert_eq!(heard.len(), sends, "{bytes} bytes");
        for heard in heard {
            assert!(heard.body.len() > bytes && heard.body.ends_with(b"xxx"));
        }
    }
}

#[tokio::test]
async fn a_service_that_says_when_is_left_alone_until_then() {
    let wait = Duration::from_millis(400);
    let replica = Replica::that(&[Answer::Away(Some(wait)), Answer::Well]).await;
    let edge = Edge::before(&[&replica]).await;
    edge.reads().await.expect("another attempt");
    let heard = replica.heard();
    assert!(heard[1].at - heard[0].at >= wait);

    // Nobody is kept waiting for long, or for longer than he has: he is told instead.
    let long = Replica::that(&[Answer::Away(Some(Duration::from_secs(30)))]).await;
    let edge = Edge::before(&[&long]).await;
    let status = edge.reads().await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some("AWAY"));
    assert_eq!(long.heard().len(), 1);

    let late = Replica::that(&[Answer::Away(Some(Duration::from_secs(1)))]).await;
    let edge = Edge::before(&[&late]).await;
    let mut request = Request::new(chat::GetConversationRequest::default());
    request.set_timeout(Duration::from_millis(900));
    let status = edge.chat().get_conversation(request).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some("AWAY"));
    assert_eq!(late.heard().len(), 1);
}

#[tokio::test]
async fn no_more_is_sent_again_than_a_fifth_and_ten_a_second() {
    const CALLS: usize = 400;
    let replica = Replica::that(&[AWAY]).await;
    let edge = Edge::before(&[&replica]).await;
    let begun = Instant::now();
    let calls = (0..CALLS).map(|_| edge.reads());
    for answer in futures_util::future::join_all(calls).await {
        let told = format!("{answer:?}");
        assert!(is_away(answer), "{told}");
    }
    let again = replica.heard().len() - CALLS;
    // Ten a second are those of the last ten seconds, and of those that it took.
    let most = CALLS / 5 + 100 + 10 * (begun.elapsed().as_secs() as usize + 1);
    assert!((100..=most).contains(&again), "{again} of at most {most}");
}

#[tokio::test]
async fn one_of_three_that_breaks_every_call_costs_none() {
    let replicas = [
        Replica::that(&[Answer::Breaks]).await,
        Replica::that(&[Answer::Well]).await,
        Replica::that(&[Answer::Well]).await,
    ];
    let edge = Edge::before(&[&replicas[0], &replicas[1], &replicas[2]]).await;
    let callers = (0..4).map(|_| async {
        for call in 0..250 {
            let answer = edge.reads().await;
            answer.unwrap_or_else(|status| panic!("call {call}: {status:?}"));
        }
    });
    futures_util::future::join_all(callers).await;
    let heard: Vec<usize> = replicas.iter().map(|r| r.heard().len()).collect();
    assert!(heard[0] >= 5, "{heard:?}");
    assert_eq!(heard[1] + heard[2], 1000);
}
