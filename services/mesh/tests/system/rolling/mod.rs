//! A rolling restart: each process of each role is told to go and started again, one after the other, under calls at a fixed
//! pace and open streams. No unary call fails, and every stream goes on where it was. Nothing is written by the calls into the
//! file of conversations, which two processes share here: its one writer keeps up with the replies alone on a busy machine.

mod callers;
mod streams;

use std::time::{Duration, Instant};

use atelier_kit::link::{Link, Replicas, Route};
use atelier_kit::testing::campaign;

use self::callers::Calls;
use self::streams::Streams;
use crate::faults::stage::{Engines, Mesh, Ways};
use crate::people::Person;
use crate::running::{alone, eventually};

/// How many calls a second begin, as long as the machine can hold it; a campaign asks for more.
const PER_SECOND: u64 = 40;
/// How many of them there are for each open stream.
const FOR_EACH_STREAM: u64 = 4;
/// How many people there are.
const PEOPLE: usize = 10;
/// How long a process may take to be found by all others on a busy machine.
const FOUND: Duration = Duration::from_secs(60);
/// How long a client that was refused may take to try again where it was refused: the longest pause of a link, and more.
const TRIED_AGAIN: Duration = Duration::from_secs(7);
/// How the simulator behaves: a reply lasts six to ten seconds, which a service that goes has, and an edge has not.
const SCRIPT: &str = "seed=5&tokens=90-150&tokens_per_second=15";

/// A client that has the addresses of both edges: it asks each how it is (`grpc.health.v1`), as gRPC's own clients do that
/// are told to, and sends elsewhere what was not sent at all.
fn client(edges: &[String]) -> Link {
    let urls = edges.iter().map(|url| url.parse().unwrap()).collect();
    let edges = Replicas::at(urls).asked_for("");
    Link::new("edge", &Route::Replicas(edges), None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_restarts_under_load_and_no_call_fails_and_every_stream_goes_on() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let ways = Ways {
        provider: format!("simulator://?{SCRIPT}"),
        settings: vec![
            (
                "ATELIER_ALLOW",
                "offline,simulator,mail-folder,sqlite".to_owned(),
            ),
            ("ATELIER_CHAT_AT_ONCE", "200".to_owned()),
            ("ATELIER_DRAIN_SECONDS", "30".to_owned()),
            // Conversations and usage in a file that both processes share: what stands in for MongoDB here holds no such load.
            ("ATELIER_MONGODB_URL", String::new()),
        ],
        of_edges: vec![("ATELIER_DRAIN_SECONDS", "4".to_owned())],
        shared: vec!["llm-chat", "analytics"],
    };
    let mut mesh = Mesh::start_on(folder.path(), Engines::start(None), &ways).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(Person::register(&mesh.edges[number % 2]).await);
    }
    let link = client(&mesh.edges);
    let per_second = campaign::size("ATELIER_CAMPAIGN_ROLLING_CALLS", PER_SECOND);
    let open = per_second.div_ceil(FOR_EACH_STREAM);
    let calls = Calls::begin(&link, &people, u32::try_from(per_second).unwrap());
    let streams = Streams::begin(&link, &people, usize::try_from(open).unwrap(), SCRIPT);
    tokio::time::sleep(Duration::from_secs(3)).await;

    let begun = Instant::now();
    for role in mesh.roles() {
        for copy in 0..2 {
            mesh.tell_to_go(role, copy);
            mesh.gone(role, copy).await;
            mesh.begin(role, copy).await;
            if role == "edge" {
                tokio::time::sleep(TRIED_AGAIN).await;
            }
            eventually("it is found again", FOUND, || mesh.is_whole(role)).await;
        }
    }
    let rolled = begun.elapsed();
    let calls = calls.end().await;
    let streams = streams.end().await;

    campaign::report(format!(
        "12 processes restarted in {:.0} s under {:.0} calls/s ({} calls, {} failed) and {open} open streams: {} replies, \
         {} streams cut, {} resumed, {} replies unfinished",
        rolled.as_secs_f64(),
        calls.answered as f64 / calls.lasted.as_secs_f64(),
        calls.answered + calls.failed.len() as u64,
        calls.failed.len(),
        streams.completed,
        streams.cut,
        streams.resumed,
        streams.unfinished.len(),
    ));
    assert_eq!(calls.failed, Vec::<String>::new());
    assert!(
        calls.answered > 1000,
        "{} calls are no load",
        calls.answered
    );
    assert_eq!(streams.unfinished, Vec::<String>::new());
    assert_eq!(streams.resumed, streams.cut);
    assert!(streams.cut > 0, "no stream had to go on anywhere");
    assert!(streams.completed >= open);
}
