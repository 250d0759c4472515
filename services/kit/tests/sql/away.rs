//! A server that is away: at the start it is waited for, and later whoever asks is told soon, and served again without a restart.

use std::time::{Duration, Instant};

use atelier_kit::sql::{Database, is_busy, query_as};
use atelier_kit::testing::servers::Postgres;

use crate::stage::{MIGRATIONS, add, count, on, own_server};

/// How long an answer may take: the deadlines of methods are longer.
const SOON: Duration = Duration::from_secs(9);
/// How long it may take until all is as before.
const RECOVERY: Duration = Duration::from_secs(10);

/// Whoever asks now is told that the database is away, and soon.
async fn all_are_told(database: &Database) {
    let began = Instant::now();
    let writes = (0..30).map(|number| {
        let database = database.clone();
        tokio::spawn(async move { add(&database, &format!("lost {number}")).await })
    });
    let reads = (0..30).map(|_| {
        let database = database.clone();
        tokio::spawn(async move {
            query_as::<(i64,)>("SELECT COUNT(*) FROM things")
                .fetch_one(database.read())
                .await
                .map(drop)
        })
    });
    for told in futures_util::future::join_all(writes.chain(reads)).await {
        let error = told.unwrap().unwrap_err();
        assert!(is_busy(&error), "{error:?}");
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(database.ping().await.is_err());
}

/// All is as before, without a restart.
async fn all_is_well(database: &Database, name: &str) {
    let back = Instant::now();
    while let Err(error) = add(database, name).await {
        assert!(is_busy(&error), "{error:?}");
        assert!(back.elapsed() < RECOVERY);
    }
    // One that worked may have had the only connection that is left.
    for number in 0..20 {
        add(database, &format!("{name} {number}")).await.unwrap();
    }
    database.ping().await.unwrap();
}

/// Begins to use it: with connections that idle, and one in the middle of a transaction.
async fn used(postgres: &Postgres) -> Database {
    let database = on(&postgres.database("things")).await;
    let reads = (0..8).map(|_| count(&database));
    futures_util::future::join_all(reads).await;
    add(&database, "before").await.unwrap();
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_its_server() {
    let Some(mut postgres) = own_server() else {
        return;
    };
    let server = postgres.database("things");
    postgres.server().kill();
    let starting =
        tokio::spawn(async move { Database::schema(&server, "things", &[MIGRATIONS]).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!starting.is_finished());
    postgres.server().begin();
    let database = starting.await.unwrap().unwrap();
    add(&database, "one").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_away_and_comes_back() {
    let Some(mut postgres) = own_server() else {
        return;
    };
    let database = used(&postgres).await;
    for round in 0..2 {
        let mut open = database.begin().await.unwrap();
        postgres.server().kill();
        let cut = query_as::<(i64,)>("SELECT COUNT(*) FROM things")
            .fetch_one(&mut *open)
            .await
            .unwrap_err();
        assert!(is_busy(&cut), "{cut:?}");
        drop(open);
        all_are_told(&database).await;
        postgres.server().begin();
        all_is_well(&database, &format!("after {round}")).await;
    }
    // What was acknowledged is there, and what was not is not.
    assert_eq!(count(&database).await, 1 + 2 * 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_never_answers_is_as_good_as_none() {
    let Some(mut postgres) = own_server() else {
        return;
    };
    let database = used(&postgres).await;
    let mut open = database.begin().await.unwrap();
    postgres.server().freeze();
    let began = Instant::now();
    let cut = query_as::<(i64,)>("SELECT COUNT(*) FROM things")
        .fetch_one(&mut *open)
        .await
        .unwrap_err();
    assert!(is_busy(&cut) && began.elapsed() < SOON, "{cut:?}");
    drop(open);
    all_are_told(&database).await;
    postgres.server().thaw();
    all_is_well(&database, "after").await;
}

#[tokio::test]
async fn a_server_that_refuses_us_is_not_waited_for() {
    let Some(postgres) = own_server() else {
        return;
    };
    let url = postgres.url("nowhere");
    let server = atelier_kit::sql::PostgresServer::parse(&url).unwrap();
    let began = Instant::now();
    let refused = Database::schema(&server, "things", &[MIGRATIONS]).await;
    let error = refused.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3), "{error}");
}
