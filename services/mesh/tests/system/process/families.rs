//! Refresh tokens through two processes on one database: however calls, lost answers and replays fall, a family has one
//! live token, a replay within the grace gets the identical pair, and one after it ends the family.

use std::time::{Duration, Instant};

use atelier_kit::fault::reason_of;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{GetMeRequest, RefreshSessionRequest, RegisterRequest, TokenPair};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::people::{connect, credentials};
use crate::running::{Launch, Running, free_port};
use crate::split::SECRET;

/// The grace in this test.
const GRACE: Duration = Duration::from_secs(2);
/// A replay is surely within the grace when it is sent this soon after the exchange began, on a busy machine too.
const SURELY_WITHIN: Duration = Duration::from_millis(1000);

/// What happens to a family next.
#[derive(Clone, Debug)]
enum Step {
    /// Exchanged at one process.
    Refresh(usize),
    /// Exchanged at both at once, so many times at each.
    Race(u8),
    /// The caller goes away after so many microseconds, and asks again at the other process.
    Lost(usize, u64),
    /// The token before comes again, soon.
    Replay(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..2usize).prop_map(Step::Refresh),
        (1..4u8).prop_map(Step::Race),
        ((0..2usize), 0..6_000u64).prop_map(|(at, after)| Step::Lost(at, after)),
        (0..2usize).prop_map(Step::Replay),
    ];
    proptest::collection::vec(step, 3..10)
}

type Client = UsersServiceClient<Channel>;

async fn refresh(client: &Client, token: &str) -> Result<TokenPair, Status> {
    let request = RefreshSessionRequest {
        refresh_token: token.to_owned(),
    };
    let answer = client.clone().refresh_session(request).await?;
    Ok(answer.into_inner().tokens.expect("a pair"))
}

fn refused_as<T>(answer: Result<T, Status>, reason: &str) -> bool {
    answer.is_err_and(|status| {
        status.code() == Code::Unauthenticated && reason_of(&status).as_deref() == Some(reason)
    })
}

/// A family as its owner sees it.
struct Family {
    live: TokenPair,
    /// The token that `live` was got for, and when that exchange began.
    before: Option<(String, Instant)>,
    /// The first token of all.
    first: String,
}

/// Lives through the steps, and at the end has its first token stolen and presented.
async fn live(clients: &[Client; 2], steps: &[Step]) -> Result<(), TestCaseError> {
    let (email, password) = credentials();
    let request = RegisterRequest {
        email,
        password,
        display_name: String::new(),
    };
    let answer = clients[0]
        .clone()
        .register(request)
        .await
        .expect("an account");
    let live = answer.into_inner().tokens.expect("tokens");
    let mut family = Family {
        first: live.refresh_token.clone(),
        live,
        before: None,
    };
    for step in steps {
        take(clients, &mut family, step).await?;
    }
    if family.before.is_none() {
        take(clients, &mut family, &Step::Refresh(0)).await?;
    }
    // Whoever stole the first token comes after the grace.
    tokio::time::sleep(GRACE + Duration::from_millis(100)).await;
    let stolen = refresh(&clients[1], &family.first).await;
    prop_assert!(refused_as(stolen, "REFRESH_TOKEN_REUSED"));
    for client in clients {
        let dead = refresh(client, &family.live.refresh_token).await;
        prop_assert!(refused_as(dead, "SESSION_ENDED"), "the family lives on");
    }
    let mut request = Request::new(GetMeRequest {});
    let bearer = format!("Bearer {}", family.live.access_token);
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().expect("a header"));
    prop_assert!(refused_as(
        clients[0].clone().get_me(request).await,
        "SESSION_ENDED"
    ));
    Ok(())
}

async fn take(
    clients: &[Client; 2],
    family: &mut Family,
    step: &Step,
) -> Result<(), TestCaseError> {
    let begun = Instant::now();
    let token = family.live.refresh_token.clone();
    let next = match step {
        Step::Refresh(at) => one(refresh(&clients[*at], &token).await)?,
        Step::Race(each) => {
            let calls = (0..*each).flat_map(|_| clients.iter());
            let calls: Vec<_> = calls.map(|client| refresh(client, &token)).collect();
            let mut pairs = Vec::new();
            for answer in futures_util::future::join_all(calls).await {
                pairs.push(one(answer)?);
            }
            prop_assert!(
                pairs.iter().all(|pair| *pair == pairs[0]),
                "one token was exchanged for different pairs"
            );
            pairs.swap_remove(0)
        }
        Step::Lost(at, micros) => {
            let call = refresh(&clients[*at], &token);
            // Whether it was in time is not known to who goes away.
            let _ = tokio::time::timeout(Duration::from_micros(*micros), call).await;
            one(refresh(&clients[1 - *at], &token).await)?
        }
        Step::Replay(at) => {
            let Some((before, exchanged)) = family.before.clone() else {
                return Ok(());
            };
            if exchanged.elapsed() > SURELY_WITHIN {
                return Ok(());
            }
            let again = one(refresh(&clients[*at], &before).await)?;
            prop_assert!(again == family.live, "a replay got another pair");
            return Ok(());
        }
    };
    prop_assert!(next.refresh_token != token);
    family.before = Some((token, begun));
    family.live = next;
    Ok(())
}

fn one(answer: Result<TokenPair, Status>) -> Result<TokenPair, TestCaseError> {
    answer.map_err(|status| TestCaseError::fail(format!("refused: {status:?}")))
}

async fn start(data: &std::path::Path) -> (Running, Client) {
    let url = format!("http://127.0.0.1:{}", free_port());
    let process = Launch::serving(&["users"], data)
        .env("ATELIER_SECRET", SECRET)
        .env("ATELIER_USERS_URL", &url)
        .env("ATELIER_LAME_DUCK_SECONDS", "0")
        .env("ATELIER_REFRESH_GRACE_SECONDS", GRACE.as_secs().to_string())
        .start()
        .await;
    let client = UsersServiceClient::new(connect(&url).await);
    (process, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_keep_the_rules_of_a_family() {
    let folder = tempfile::tempdir().unwrap();
    let (one, first) = start(folder.path()).await;
    let (other, second) = start(folder.path()).await;
    let clients = [first, second];
    let handle = tokio::runtime::Handle::current();
    // Families live beside each other, as those of many people do; each thread finds its own smallest failure.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (clients, handle) = (clients.clone(), handle.clone());
            std::thread::spawn(move || {
                let mut runner = TestRunner::new(Config {
                    cases: 6,
                    max_shrink_iters: 8,
                    failure_persistence: None,
                    ..Config::default()
                });
                runner
                    .run(&steps(), |steps| handle.block_on(live(&clients, &steps)))
                    .map_err(|error| error.to_string())
            })
        })
        .collect();
    for thread in threads {
        let ended = tokio::task::spawn_blocking(move || thread.join().unwrap());
        if let Err(error) = ended.await.unwrap() {
            panic!("{error}");
        }
    }
    for process in [one, other] {
        let ended = process.terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}
