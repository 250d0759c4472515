//! Statements: what is bound is read again, and what goes wrong leaves nothing behind.

use atelier_kit::sql::{Cells as _, QueryBuilder, is_busy, is_unique_violation, query, query_as};

use crate::stage::{add, count, open};

type Thing = (
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<f64>,
    Option<bool>,
);

#[tokio::test]
async fn values_of_every_kind_are_read_as_they_were_bound() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let full: Thing = (
        Some("é ☃ '\" \\".to_owned()),
        Some(vec![0, 255, b'\\']),
        Some(i64::MIN),
        Some(-1.5),
        Some(true),
    );
    let none: Thing = (None, None, None, None, None);
    let mut write = database.begin().await.unwrap();
    for (name, thing) in [("full", &full), ("none", &none)] {
        query(
            "INSERT INTO things (name, text, bytes, integer, real, bool) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(name)
        .bind(&thing.0)
        .bind(&thing.1)
        .bind(thing.2)
        .bind(thing.3)
        .bind(thing.4)
        .execute(&mut *write)
        .await
        .unwrap();
    }
    write.commit().await.unwrap();
    for (name, thing) in [("full", full), ("none", none)] {
        let read: Thing =
            query_as("SELECT text, bytes, integer, real, bool FROM things WHERE name = $1")
                .bind(name)
                .fetch_one(database.read())
                .await
                .unwrap();
        assert_eq!(read, thing);
    }
    let row = query("SELECT integer, bool FROM things WHERE name = 'full'")
        .fetch_optional(database.read())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.cell::<i64>("integer").unwrap(), i64::MIN);
    assert!(row.cell::<bool>("bool").unwrap());
    // A NULL of each kind is compared as one.
    let found: Vec<(String,)> = query_as(
        "SELECT name FROM things WHERE ($1 IS NULL OR text = $1) AND ($2 IS NULL OR integer = $2) \
         AND ($3 IS NULL OR bytes = $3) AND ($4 IS NULL OR bool = $4) ORDER BY name",
    )
    .bind(None::<String>)
    .bind(None::<i64>)
    .bind(None::<Vec<u8>>)
    .bind(None::<bool>)
    .fetch_all(database.read())
    .await
    .unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_group_is_one_statement() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let names: Vec<String> = (0..500).map(|number| format!("thing {number}")).collect();
    let mut write = database.begin().await.unwrap();
    let mut insert = QueryBuilder::new("INSERT INTO things (name, integer) ");
    insert.push_values(names.iter().enumerate(), |mut row, (number, name)| {
        row.push_bind(name)
            .push_bind(i64::try_from(number).unwrap());
    });
    let done = insert.build().execute(&mut *write).await.unwrap();
    assert_eq!(done.rows_affected(), 500);
    write.commit().await.unwrap();
    let mut select = QueryBuilder::new("SELECT name FROM things WHERE name IN ");
    select.push_tuples(["thing 3", "thing 4", "no thing"], |mut row, name| {
        row.push_bind(name);
    });
    select.push(" ORDER BY number");
    let found: Vec<(String,)> = select
        .build_query_as()
        .fetch_all(database.read())
        .await
        .unwrap();
    assert_eq!(found, [("thing 3".to_owned(),), ("thing 4".to_owned(),)]);
}

#[tokio::test]
async fn a_key_that_is_taken_is_told_and_is_no_busy_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    add(&database, "one").await.unwrap();
    let error = add(&database, "one").await.unwrap_err();
    assert!(is_unique_violation(&error) && !is_busy(&error), "{error:?}");
    add(&database, "two").await.unwrap();
    assert_eq!(count(&database).await, 2);
}

#[tokio::test]
async fn what_is_not_committed_is_undone_before_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    for number in 0..30 {
        let mut lost = database.begin().await.unwrap();
        query("INSERT INTO things (name) VALUES ('lost')")
            .execute(&mut *lost)
            .await
            .unwrap();
        drop(lost);
        add(&database, &number.to_string()).await.unwrap();
    }
    assert_eq!(count(&database).await, 30);
}

#[tokio::test]
async fn who_goes_away_in_the_middle_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    // Each goes away at another of its awaits, the first of them before anything was asked for.
    for polls in 0..40 {
        let mut work = Box::pin(async {
            let mut write = database.begin().await.unwrap();
            for number in 0..3 {
                query("INSERT INTO things (name) VALUES ($1)")
                    .bind(number.to_string())
                    .execute(&mut *write)
                    .await
                    .unwrap();
            }
            // Never committed.
            std::future::pending::<()>().await;
        });
        for _ in 0..polls {
            let _ = futures_util::poll!(work.as_mut());
            tokio::time::sleep(std::time::Duration::from_micros(300)).await;
        }
        drop(work);
        let mut write = database.begin().await.unwrap();
        let (count,): (i64,) = query_as("SELECT COUNT(*) FROM things")
            .fetch_one(&mut *write)
            .await
            .unwrap();
        assert_eq!(count, 0, "after {polls} polls");
        write.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_sees_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let mut snapshot = database.read().snapshot().await.unwrap();
    for (seen, there) in [(0, 1), (0, 2)] {
        let (known,): (i64,) = query_as("SELECT COUNT(*) FROM things")
            .fetch_one(&mut *snapshot)
            .await
            .unwrap();
        assert_eq!(known, seen);
        add(&database, &there.to_string()).await.unwrap();
        assert_eq!(count(&database).await, there);
    }
}

#[tokio::test]
async fn what_was_spoilt_by_a_statement_is_not_called_committed() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    add(&database, "one").await.unwrap();
    let mut write = database.begin().await.unwrap();
    query("INSERT INTO things (name) VALUES ('two')")
        .execute(&mut *write)
        .await
        .unwrap();
    query("INSERT INTO things (name) VALUES ('one')")
        .execute(&mut *write)
        .await
        .unwrap_err();
    // SQLite undoes the one statement, and PostgreSQL all of them: it must not say that they are there.
    let told = write.commit().await;
    assert_eq!(told.is_ok(), database.is_embedded());
    assert_eq!(count(&database).await, if told.is_ok() { 2 } else { 1 });
}
