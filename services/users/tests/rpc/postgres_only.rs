//! What is true on a server alone. It is killed, or hangs: callers are told soon, nothing that was acknowledged is lost, and all goes
//! on without a restart when it is back. And those who need not wait for each other do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::fault::reason_of;
use atelier_kit::testing::foundation;
use atelier_kit::testing::servers::{Postgres, Store};
use atelier_proto::users::v1 as pb;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::bank::Bank;
use crate::house::{House, PASSWORD, by, quiet};

/// Below the shortest deadline of those that are called here.
const SOON: Duration = Duration::from_secs(9);
/// How long it may take until all is as before.
const RECOVERY: Duration = Duration::from_secs(10);

/// A service on a server of its own; `None` where the suite is not run on PostgreSQL.
async fn town() -> Option<(Postgres, House, tempfile::TempDir)> {
    if Store::chosen() != Store::Postgres {
        return None;
    }
    let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut on = foundation("users", folder.path());
    on.engines.postgres = Some(postgres.database("atelier"));
    let house = House::standing(on, quiet()).await;
    Some((postgres, house, folder))
}

fn is_away(status: &Status) -> bool {
    status.code() == Code::Unavailable
        && reason_of(status).as_deref() == Some("STORE_BUSY")
        && status
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
}

/// Whatever is asked now is refused soon, for the one reason.
async fn all_are_told(house: &House, tokens: &pb::TokenPair) {
    let list = pb::ListSessionsRequest::default;
    let mut calls: Vec<LocalBoxFuture<'_, Result<(), Status>>> = Vec::new();
    for _ in 0..5 {
        calls.push(
            house
                .login("ana@x.org", PASSWORD)
                .map(|told| told.map(drop))
                .boxed_local(),
        );
        calls.push(
            house
                .refresh(&tokens.refresh_token)
                .map(|told| told.map(drop))
                .boxed_local(),
        );
        calls.push(house.me(tokens).map(|told| told.map(drop)).boxed_local());
        let mut client = house.client.clone();
        calls.push(
            async move {
                let request = pb::CreateAnonymousSessionRequest {};
                client.create_anonymous_session(request).await.map(drop)
            }
            .boxed_local(),
        );
        let mut client = house.client.clone();
        calls.push(
            async move { client.list_sessions(by(tokens, list())).await.map(drop) }.boxed_local(),
        );
        let mut credits = house.credits();
        calls.push(
            async move {
                let request = by(tokens, pb::GetBalanceRequest {});
                credits.get_balance(request).await.map(drop)
            }
            .boxed_local(),
        );
    }
    let began = Instant::now();
    for told in join_all(calls).await {
        let status = told.expect_err("nobody can know");
        assert!(is_away(&status), "{status:?}");
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// What a call is answered that is made until it is, and is told until then that the store is away.
async fn served<T>(within: Duration, call: impl AsyncFn() -> Result<T, Status>) -> T {
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) => assert!(is_away(&status), "{status:?}"),
        }
        assert!(begun.elapsed() < within);
    }
}

/// All is as before, without a restart, the mails in the background included.
async fn all_is_well(house: &House, email: &str) {
    served(RECOVERY, async || house.login("ana@x.org", PASSWORD).await).await;
    for _ in 0..20 {
        house.anonymous().await;
    }
    house.register(email).await;
    house.token(email, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some((mut postgres, house, _folder)) = town().await else {
        return;
    };
    let (_, tokens) = house.register("ana@x.org").await;
    let over = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    // Each exchanges its token again and again; one whose answer was lost asks again with the same.
    let holders: Vec<_> = (0..6)
        .map(|_| {
            let mut client = house.client.clone();
            let (over, acknowledged) = (over.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let request = pb::CreateAnonymousSessionRequest {};
                let made = client.create_anonymous_session(request).await.unwrap();
                let mut tokens = made.into_inner().tokens.unwrap();
                while !over.load(Ordering::SeqCst) {
                    let request = pb::RefreshSessionRequest {
                        refresh_token: tokens.refresh_token.clone(),
                    };
                    match client.refresh_session(request).await {
                        Ok(next) => {
                            tokens = next.into_inner().tokens.unwrap();
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(status) => assert!(is_away(&status), "{status:?}"),
                    }
                }
                tokens
            })
        })
        .collect();
    for round in 0..2 {
        let before = acknowledged.load(Ordering::SeqCst);
        while acknowledged.load(Ordering::SeqCst) < before + 60 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        postgres = tokio::task::spawn_blocking(move || {
            postgres.server().kill();
            postgres
        })
        .await
        .unwrap();
        all_are_told(&house, &tokens).await;
        postgres = tokio::task::spawn_blocking(move || {
            postgres.server().begin();
            postgres
        })
        .await
        .unwrap();
        all_is_well(&house, &format!("bob{round}@x.org")).await;
    }
    over.store(true, Ordering::SeqCst);
    for holder in holders {
        let tokens = holder.await.unwrap();
        house.me(&tokens).await.unwrap();
        house.refresh(&tokens.refresh_token).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_told_within_the_deadline() {
    let Some((postgres, house, _folder)) = town().await else {
        return;
    };
    let (_, tokens) = house.register("ana@x.org").await;
    let mut postgres = postgres;
    postgres.server().freeze();
    all_are_told(&house, &tokens).await;
    postgres.server().thaw();
    all_is_well(&house, "bob@x.org").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_in_the_book_keeps_nobody_from_signing_in_and_who_ends_sessions_is_alone() {
    if Store::chosen() != Store::Postgres {
        return;
    }
    let bank = Bank::new().await;
    let house = &bank.house;
    let (user, tokens) = house.register("ana@x.org").await;
    // As another process does.
    let book = house.database().await;
    let book = book.begin_beside(&["ledger"]).await.unwrap();
    // Whoever waited for the book would be told that the store is busy for as long as it is open. The rounds with which a
    // service begins are alone, so they do wait for it, and who comes after one of them waits with it.
    let rounds = Duration::from_secs(60);
    served(rounds, async || house.login("ana@x.org", PASSWORD).await).await;
    served(rounds, async || {
        let request = pb::CreateAnonymousSessionRequest {};
        house.client.clone().create_anonymous_session(request).await
    })
    .await;
    let tokens = served(rounds, async || house.refresh(&tokens.refresh_token).await).await;
    let mut client = house.client.clone();
    let ended = client.revoke_all_sessions(by(&tokens, pb::RevokeAllSessionsRequest::default()));
    let (ended, paid) = tokio::join!(ended, bank.picture("g1", &user));
    let (ended, paid) = (ended.unwrap_err(), paid.unwrap_err());
    assert!(is_away(&ended) && is_away(&paid), "{ended:?} {paid:?}");
    book.rollback().await.unwrap();
    bank.picture("g1", &user).await.unwrap();
    let request = by(&tokens, pb::RevokeAllSessionsRequest::default());
    house
        .client
        .clone()
        .revoke_all_sessions(request)
        .await
        .unwrap();
}
