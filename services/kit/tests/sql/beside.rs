//! Who writes beside whom: in a file one at a time, and on a server as each says.

use std::time::{Duration, Instant};

use atelier_kit::sql::{Database, query, query_as};

use crate::stage::{count, on, open, server};

/// Reads a number and writes the next one, which nobody may do at the same time.
async fn step(database: &Database, name: &str) -> Result<(), sqlx::Error> {
    let mut write = database.begin().await?;
    let (number,): (i64,) = query_as("SELECT integer FROM things WHERE name = $1")
        .bind(name)
        .fetch_one(&mut *write)
        .await?;
    tokio::time::sleep(Duration::from_millis(1)).await;
    query("UPDATE things SET integer = $2 WHERE name = $1")
        .bind(name)
        .bind(number + 1)
        .execute(&mut *write)
        .await?;
    write.commit().await
}

async fn counter(database: &Database, name: &str) {
    let mut write = database.begin().await.unwrap();
    query("INSERT INTO things (name, integer) VALUES ($1, 0)")
        .bind(name)
        .execute(&mut *write)
        .await
        .unwrap();
    write.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_alone_loses_no_step_of_anybody() {
    let folder = tempfile::tempdir().unwrap();
    // Two of them, as two processes have.
    let databases = [open(folder.path()).await, open(folder.path()).await];
    counter(&databases[0], "counter").await;
    let steps = (0..60).map(|number| {
        let database = databases[number % 2].clone();
        tokio::spawn(async move { step(&database, "counter").await })
    });
    for step in futures_util::future::join_all(steps).await {
        step.unwrap().unwrap();
    }
    let (number,): (i64,) = query_as("SELECT integer FROM things")
        .fetch_one(databases[0].read())
        .await
        .unwrap();
    assert_eq!(number, 60);
}

#[tokio::test]
async fn those_of_other_names_do_not_wait_for_each_other_and_those_of_one_do() {
    let Some(server) = server() else { return };
    let databases = [on(&server).await, on(&server).await];
    let soon = Duration::from_millis(300);
    let one = databases[0].begin_beside(&["one"]).await.unwrap();
    for database in &databases {
        let two = database.begin_beside(&["two", "three"]).await.unwrap();
        let none = database.begin_beside(&[]).await.unwrap();
        for names in [&["one"][..], &["two"], &["zero", "three"]] {
            let waits = tokio::time::timeout(soon, database.begin_beside(names)).await;
            assert!(waits.is_err(), "{names:?}");
        }
        let waits = tokio::time::timeout(soon, database.begin()).await;
        assert!(waits.is_err(), "who is alone is beside nobody");
        drop((two, none));
    }
    drop(one);
    for database in &databases {
        database.begin().await.unwrap().commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_to_write_keep_nobody_from_reading() {
    let Some(server) = server() else { return };
    let database = on(&server).await;
    let held = database.begin().await.unwrap();
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.begin().await?.commit().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    assert_eq!(count(&database).await, 0);
    assert!(began.elapsed() < Duration::from_millis(500));
    held.commit().await.unwrap();
    for waited in waiting {
        waited.await.unwrap().unwrap();
    }
}
