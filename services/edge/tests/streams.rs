//! Calls that send a stream, through the edge over a real socket. No method of the contract takes one, so those here are
//! the test's own.

mod house;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::link::Route;
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::Side;
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, eventually, mount_route};
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use house::alone::{Alone, breakable};
use house::listen;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::DropGuard;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service as _, ServiceExt as _, service_fn};

const SERVICE: &str = "tests.Streams";
const JOIN: &str = "/tests.Streams/Join";
const ECHO: &str = "/tests.Streams/Echo";
/// How many bytes a message may have.
const LIMIT: usize = 1024;
/// What [`ECHO`] has no answer to but an error.
const TOO_MUCH: &str = "more";

/// What the service behind the edge has seen.
#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    messages: Mutex<Vec<String>>,
    /// A call was dropped before its stream had ended.
    dropped: AtomicBool,
}

impl Seen {
    fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    async fn was_dropped(&self) {
        eventually("the service's call is dropped", || {
            std::future::ready(self.dropped.load(Ordering::SeqCst))
        })
        .await;
    }
}

/// The messages of one call.
struct Heard {
    stream: Streaming<String>,
    seen: Arc<Seen>,
    ended: bool,
}

impl Heard {
    fn new(request: Request<Streaming<String>>, seen: &Arc<Seen>) -> Self {
        seen.calls.fetch_add(1, Ordering::SeqCst);
        Self {
            stream: request.into_inner(),
            seen: seen.clone(),
            ended: false,
        }
    }

    async fn next(&mut self) -> Result<Option<String>, Status> {
        let message = self.stream.message().await?;
        self.ended = message.is_none();
        let mut seen = self.seen.messages.lock().unwrap();
        seen.extend(message.clone());
        Ok(message)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if !self.ended {
            self.seen.dropped.store(true, Ordering::SeqCst);
        }
    }
}

/// All messages as one.
async fn join(mut heard: Heard) -> Result<Response<String>, Status> {
    let mut all = Vec::new();
    while let Some(message) = heard.next().await? {
        all.push(message);
    }
    Ok(Response::new(all.join(",")))
}

/// Each message as it comes.
fn echo(mut heard: Heard) -> BoxStream<'static, Result<String, Status>> {
    Box::pin(async_stream::try_stream! {
        while let Some(message) = heard.next().await? {
            if message == TOO_MUCH {
                Err(Fault::new(Kind::Exhausted, "NO_CREDITS", "nothing left"))?;
            }
            yield message;
        }
    })
}

fn codec() -> ProstCodec<String, String> {
    ProstCodec::default()
}

fn routes(seen: &Arc<Seen>) -> Router {
    let (joins, echoes) = (seen.clone(), seen.clone());
    let join = move |request: axum::extract::Request| {
        let seen = joins.clone();
        let handler = service_fn(move |request| join(Heard::new(request, &seen)));
        async move {
            let mut grpc = tonic::server::Grpc::new(codec());
            grpc.client_streaming(handler, request).await
        }
    };
    let echo = move |request: axum::extract::Request| {
        let seen = echoes.clone();
        let handler = service_fn(move |request| {
            std::future::ready(Ok(Response::new(echo(Heard::new(request, &seen)))))
        });
        async move {
            let mut grpc = tonic::server::Grpc::new(codec());
            grpc.streaming(handler, request).await
        }
    };
    Router::new()
        .route(JOIN, post(join))
        .route(ECHO, post(echo))
        // The door asks again and again how it is.
        .fallback(async || Status::unimplemented("nobody asks").into_http::<axum::body::Body>())
}

fn policies() -> Policies {
    let policy = |server_streaming| Policy {
        access: Access::Public,
        rate_bucket: "read".to_owned(),
        credit_class: "free".to_owned(),
        idempotency: Idempotency::Safe,
        max_request_bytes: LIMIT,
        deadline: Duration::from_secs(60),
        client_streaming: true,
        server_streaming,
        scope: None,
    };
    Policies::new([
        (JOIN.to_owned(), policy(false)),
        (ECHO.to_owned(), policy(true)),
    ])
}

/// A door with the service behind it.
struct House {
    door: Alone,
    seen: Arc<Seen>,
    _guard: DropGuard,
}

impl House {
    async fn open() -> Self {
        let seen = Arc::<Seen>::default();
        let service = Service::new(routes(&seen).into());
        let (route, guard) = mount_route(service, "streams", policies(), &Issuer::new());
        Self::at(&route, seen, guard).await
    }

    async fn at(route: &Route, seen: Arc<Seen>, guard: DropGuard) -> Self {
        Self {
            door: Alone::before(SERVICE, "streams", route, policies()).await,
            seen,
            _guard: guard,
        }
    }

    async fn client(&self) -> Grpc<Channel> {
        let mut client = Grpc::new(self.door.channel());
        client.ready().await.unwrap();
        client
    }

    /// An echo, and what is said to it.
    async fn echo(&self) -> (Sender<String>, Streaming<String>) {
        let (say, said) = channel(8);
        let request = Request::new(ReceiverStream::new(said));
        let mut client = self.client().await;
        let answer = client.streaming(request, ECHO.parse().unwrap(), codec());
        (say, answer.await.unwrap().into_inner())
    }

    /// A call whose bytes are the test's own; after an error it is reset.
    async fn raw(
        &self,
        path: &str,
        bytes: Receiver<Result<Bytes, Status>>,
    ) -> http::Response<Body> {
        let frames = ReceiverStream::new(bytes).map_ok(Frame::data);
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(StreamBody::new(frames)))
            .unwrap();
        let mut channel = self.door.channel();
        channel.ready().await.unwrap().call(request).await.unwrap()
    }
}

/// A message as it is on the wire.
fn frame(text: &str) -> Bytes {
    use prost::Message as _;
    let message = text.to_owned().encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &message].concat().into()
}

fn assert_status(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(reason_of(status).as_deref(), Some(reason), "{status:?}");
}

/// Beginnings of messages that are none, and what their sender is told.
fn broken() -> [(&'static str, Bytes, Code, &'static str); 3] {
    let too_large = (LIMIT as u32 + 1).to_be_bytes();
    [
        (
            "too large by its declared length",
            [&[0], &too_large[..]].concat().into(),
            Code::ResourceExhausted,
            "MESSAGE_TOO_LARGE",
        ),
        (
            "cut short",
            frame("whole").slice(..7),
            Code::InvalidArgument,
            "MALFORMED_MESSAGE",
        ),
        (
            "with a flag that nobody knows",
            Bytes::from_static(&[8, 0, 0, 0, 0]),
            Code::InvalidArgument,
            "MALFORMED_MESSAGE",
        ),
    ]
}

#[tokio::test]
async fn many_messages_get_one_answer() {
    let house = House::open().await;
    let words = ["one", "two", "three"].map(str::to_owned);
    let request = Request::new(tokio_stream::iter(words));
    let mut client = house.client().await;
    let answer = client.client_streaming(request, JOIN.parse().unwrap(), codec());
    assert_eq!(answer.await.unwrap().into_inner(), "one,two,three");
    assert!(!house.seen.dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn each_message_passes_as_it_comes_both_ways() {
    let house = House::open().await;
    let (say, mut heard) = house.echo().await;
    // None is sent before the one before it has come back.
    for word in ["one", "two", "three"] {
        say.send(word.to_owned()).await.unwrap();
        assert_eq!(heard.message().await.unwrap().as_deref(), Some(word));
    }
    drop(say);
    assert_eq!(heard.message().await.unwrap(), None);
    assert!(!house.seen.dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_message_that_breaks_after_the_answer_has_begun_is_told_at_its_end() {
    for (what, bytes, code, reason) in broken() {
        let house = House::open().await;
        let (send, sent) = channel(8);
        send.send(Ok(frame("one"))).await.unwrap();
        let mut answer = house.raw(ECHO, sent).await;
        let first = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), frame("one"), "{what}");
        send.send(Ok(bytes)).await.unwrap();
        drop(send);
        let last = answer.body_mut().frame().await.unwrap().unwrap();
        let trailers = last.into_trailers().expect(what);
        assert_status(&Status::from_header_map(&trailers).unwrap(), code, reason);
        assert!(answer.body_mut().frame().await.is_none(), "{what}");
        house.seen.was_dropped().await;
        assert_eq!(house.seen.messages(), ["one"], "{what}");
    }
}

#[tokio::test]
async fn a_message_that_breaks_before_the_answer_is_the_answer() {
    for (what, bytes, code, reason) in broken() {
        let house = House::open().await;
        let (send, sent) = channel(8);
        send.send(Ok(frame("one"))).await.unwrap();
        send.send(Ok(bytes)).await.unwrap();
        drop(send);
        let answer = house.raw(JOIN, sent).await;
        let status = Status::from_header_map(answer.headers()).expect(what);
        assert_status(&status, code, reason);
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_while_it_sends_ends_the_call_behind() {
    let house = House::open().await;
    let (send, sent) = channel(8);
    send.send(Ok(frame("one"))).await.unwrap();
    let mut answer = house.raw(ECHO, sent).await;
    let first = answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), frame("one"));
    assert!(!house.seen.dropped.load(Ordering::SeqCst));
    send.send(Err(Status::cancelled("enough"))).await.unwrap();
    house.seen.was_dropped().await;
}

#[tokio::test]
async fn a_service_that_has_had_enough_is_heard_while_the_client_still_sends() {
    let house = House::open().await;
    let (say, mut heard) = house.echo().await;
    say.send("one".to_owned()).await.unwrap();
    assert!(heard.message().await.unwrap().is_some());
    say.send(TOO_MUCH.to_owned()).await.unwrap();
    let status = heard.message().await.unwrap_err();
    assert_status(&status, Code::ResourceExhausted, "NO_CREDITS");
}

#[tokio::test]
async fn a_deadline_ends_what_is_never_said_to_its_end() {
    let house = House::open().await;
    let (_say, said) = channel::<String>(8);
    let mut request = Request::new(ReceiverStream::new(said));
    let timeout = "300m".parse().unwrap();
    request.metadata_mut().insert("grpc-timeout", timeout);
    let mut client = house.client().await;
    let answer =
        client.client_streaming::<_, String, String, _>(request, JOIN.parse().unwrap(), codec());
    let status = answer.await.unwrap_err();
    assert_status(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    house.seen.was_dropped().await;
}

#[tokio::test]
async fn a_service_that_is_lost_while_the_client_sends_is_told_as_unavailable_and_asked_once() {
    let seen = Arc::<Seen>::default();
    let (url, guard) = listen(routes(&seen), Side::Inside, "127.0.0.1:0").await;
    let (route, cut) = breakable(&url).await;
    let house = House::at(&route, seen, guard).await;
    let (say, mut heard) = house.echo().await;
    say.send("one".to_owned()).await.unwrap();
    assert!(heard.message().await.unwrap().is_some());
    cut.notify_waiters();
    let status = heard.message().await.unwrap_err();
    assert_status(&status, Code::Unavailable, "PEER_LOST");
    house.seen.was_dropped().await;
    assert_eq!(house.seen.calls.load(Ordering::SeqCst), 1);
}
