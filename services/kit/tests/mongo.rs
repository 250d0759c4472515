//! Collections on a server that speaks MongoDB's protocol: what the rooms on it rely on.

use std::time::{Duration, Instant};

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment::new_id;
use atelier_kit::mongo::bson::doc;
use atelier_kit::mongo::{Error, Fields as _, Mongo, MongoServer, Order};
use atelier_kit::testing::eventually;
use atelier_kit::testing::servers;

/// A database of its own on the server of this process.
async fn mongo() -> Mongo {
    let server = servers::Mongo::shared().database(&format!("t{}", new_id().replace('-', "")));
    Mongo::open(&server, "probe").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_inserts_of_an_id_is_the_first() {
    let table = mongo().await.table("things");
    let tries = (0..16).map(|by| {
        let table = table.clone();
        tokio::spawn(async move { table.insert(&doc! {"_id": "one", "by": by}).await.unwrap() })
    });
    let tries: Vec<_> = tries.collect();
    let mut firsts = 0;
    for one in tries {
        firsts += usize::from(one.await.unwrap());
    }
    assert_eq!(firsts, 1);
    assert_eq!(table.count(doc! {}).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_guarded_updates_finds_what_it_looks_for() {
    let table = mongo().await.table("things");
    for round in 0..20 {
        let id = format!("thing {round}");
        table.insert(&doc! {"_id": &id, "epoch": 1}).await.unwrap();
        let claims = (0..8).map(|_| {
            let (table, id) = (table.clone(), id.clone());
            tokio::spawn(async move {
                let seen = doc! {"_id": id, "epoch": 1};
                table
                    .update(seen, doc! {"$inc": {"epoch": 1}})
                    .await
                    .unwrap()
            })
        });
        let claims: Vec<_> = claims.collect();
        let mut won = 0;
        for claim in claims {
            won += usize::from(claim.await.unwrap());
        }
        assert_eq!(won, 1, "{id}");
    }
}

#[tokio::test]
async fn of_many_inserts_the_places_of_the_taken_are_told() {
    let table = mongo().await.table("things");
    table.insert(&doc! {"_id": "b"}).await.unwrap();
    let all = ["a", "b", "c"].map(|id| doc! {"_id": id});
    let taken = table.insert_each(&all).await.unwrap();
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [1]);
    let order = Order::by(doc! {"_id": -1}, 2);
    let found = table.many(doc! {}, order).await.unwrap();
    let ids: Vec<String> = found.iter().map(|one| one.text("_id").unwrap()).collect();
    assert_eq!(ids, ["c", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_away_until_it_is_there_again_and_keeps_what_it_had() {
    let mut server = servers::Mongo::start();
    let mongo = Mongo::open(&server.database("kept"), "probe")
        .await
        .unwrap();
    let table = mongo.table("things");
    assert!(table.insert(&doc! {"_id": "kept"}).await.unwrap());
    mongo.ping().await.unwrap();

    server.server().kill();
    let begun = Instant::now();
    let error = table.insert(&doc! {"_id": "lost"}).await.unwrap_err();
    assert!(error.is_busy(), "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(Fault::internal(&error).kind(), Kind::Unavailable);
    assert!(mongo.ping().await.is_err());

    server.server().begin();
    let begun = Instant::now();
    eventually("it is there again", || async { mongo.ping().await.is_ok() }).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(
        table.exists("kept").await.unwrap(),
        "what was acknowledged is there"
    );
    assert!(!table.insert(&doc! {"_id": "kept"}).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_is_waited_for_no_longer_than_callers_do() {
    let mut server = servers::Mongo::start();
    let mongo = Mongo::open(&server.database("frozen"), "probe")
        .await
        .unwrap();
    let table = mongo.table("things");
    table.insert(&doc! {"_id": "before"}).await.unwrap();
    server.server().freeze();
    let begun = Instant::now();
    let error = table.insert(&doc! {"_id": "during"}).await.unwrap_err();
    assert!(error.is_busy(), "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    server.server().thaw();
    eventually("it answers again", || async {
        table.exists("before").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_server_a_call_says_so_and_does_not_hang() {
    let nowhere = MongoServer::parse("mongodb://127.0.0.1:9/none").unwrap();
    let mongo = Mongo::open(&nowhere, "probe").await.unwrap();
    let begun = Instant::now();
    let error = mongo.table("things").one(doc! {}).await.unwrap_err();
    assert!(
        matches!(error, Error::Driver(_)) && error.is_busy(),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}
