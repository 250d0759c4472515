//! Migrations on a server: by one starter after the other, and beside a version that is newer.

use atelier_kit::sql::{Database, query_as};
use futures_util::future::join_all;

use crate::stage::{MIGRATIONS, NEWER, add, count, on, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_start_at_once_migrate_once() {
    let Some(server) = server() else { return };
    let all = (0..8).map(|number| {
        let server = server.clone();
        tokio::spawn(async move {
            // The next version among them.
            let migrations = if number % 2 == 0 { MIGRATIONS } else { NEWER };
            Database::schema(&server, "things", &[migrations])
                .await
                .unwrap()
        })
    });
    let databases: Vec<Database> = join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for (number, database) in databases.iter().enumerate() {
        add(database, &number.to_string()).await.unwrap();
    }
    assert_eq!(count(&databases[0]).await, 8);
    let applied: Vec<(i64, bool)> =
        query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(databases[0].read())
            .await
            .unwrap();
    assert_eq!(applied, [(1, true), (2, true)]);
}

#[tokio::test]
async fn the_version_before_starts_on_a_schema_of_the_next() {
    let Some(server) = server() else { return };
    let before = on(&server).await;
    add(&before, "before").await.unwrap();
    let next = Database::schema(&server, "things", &[NEWER]).await.unwrap();
    // The one that runs goes on, and one that starts again finds what it needs.
    add(&before, "meanwhile").await.unwrap();
    let again = on(&server).await;
    add(&again, "after").await.unwrap();
    assert_eq!(count(&next).await, 3);
}

#[tokio::test]
async fn schemas_of_one_database_are_strangers() {
    let Some(server) = server() else { return };
    let things = on(&server).await;
    let others = Database::schema(&server, "other-things", &[MIGRATIONS])
        .await
        .unwrap();
    add(&things, "one").await.unwrap();
    assert_eq!((count(&things).await, count(&others).await), (1, 0));
    // Neither waits for who is alone in the other.
    let held = things.begin().await.unwrap();
    add(&others, "one").await.unwrap();
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_is_not_the_one_that_was_applied_is_refused() {
    let Some(server) = server() else { return };
    let database = on(&server).await;
    let mut write = database.begin().await.unwrap();
    atelier_kit::sql::query("UPDATE _sqlx_migrations SET checksum = $1")
        .bind(&b"another"[..])
        .execute(&mut *write)
        .await
        .unwrap();
    write.commit().await.unwrap();
    let refused = Database::schema(&server, "things", &[MIGRATIONS]).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("schema things"), "{error}");
}
