//! The connection to a Redis server: it is made when it is needed, heals by itself, waits for nobody for long, and trusts no
//! certificate that it was not told of.

use std::time::{Duration, Instant};

use atelier_kit::redis::{Redis, RedisServer, Script};
use atelier_kit::testing::{eventually, servers};
use atelier_kit::tls::Authority;

async fn asked<T>(of: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (of.await, began.elapsed())
}

#[tokio::test]
async fn a_server_that_is_killed_is_missed_at_once_and_found_again_by_itself() {
    let mut server = servers::Redis::start();
    let redis = Redis::new(&server.server_of()).unwrap();
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    let count = || async {
        let mut call = script.prepare_invoke();
        call.key("n");
        redis.run::<i64>(&call).await
    };
    redis.ping().await.unwrap();
    assert_eq!(count().await.unwrap(), 1);
    for _ in 0..2 {
        server.server().kill();
        for _ in 0..3 {
            let (answer, waited) = asked(redis.ping()).await;
            assert!(
                answer.is_err() && waited < Duration::from_secs(2),
                "{waited:?}"
            );
        }
        server.server().begin();
        let (_, waited) = asked(eventually("it is found", || async {
            redis.ping().await.is_ok()
        }))
        .await;
        assert!(waited < Duration::from_secs(2), "{waited:?}");
        // It knows neither the script nor the key any more, and is told the one.
        assert_eq!(count().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_not_waited_for_for_long() {
    let mut server = servers::Redis::start();
    let redis = Redis::new(&server.server_of()).unwrap();
    redis.ping().await.unwrap();
    server.server().freeze();
    let fresh = Redis::new(&server.server_of()).unwrap();
    for redis in [&redis, &fresh] {
        let (answer, waited) = asked(redis.ping()).await;
        assert!(
            answer.is_err() && waited < Duration::from_secs(3),
            "{waited:?}"
        );
    }
    let (answer, waited) = asked(redis.subscriber()).await;
    assert!(
        answer.is_err() && waited < Duration::from_secs(3),
        "{waited:?}"
    );
    server.server().thaw();
    for redis in [&redis, &fresh] {
        eventually("it goes on", || async { redis.ping().await.is_ok() }).await;
    }
}

#[tokio::test]
async fn what_is_said_is_heard_until_the_connection_is_lost() {
    let mut server = servers::Redis::start();
    let redis = Redis::new(&server.server_of()).unwrap();
    let (mut subscriber, mut heard) = redis.subscriber().await.unwrap();
    let channels = ["a".to_owned(), "b".to_owned()];
    subscriber.listen(&channels).await.unwrap();
    subscriber.ping().await.unwrap();
    assert_eq!(server.cli(&["PUBLISH", "b", "word"]), "1");
    assert_eq!(heard.next().await, Some(("b".into(), "word".into())));
    subscriber.leave(&channels[1..]).await.unwrap();
    assert_eq!(server.cli(&["PUBLISH", "b", "word"]), "0");
    server.server().kill();
    let lost = tokio::time::timeout(Duration::from_secs(2), heard.next()).await;
    assert_eq!(lost.unwrap(), None);
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_authority_knows_and_with_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::in_folder(folder.path()).unwrap();
    authority
        .issue("redis", &["127.0.0.1".to_owned()], 1)
        .unwrap();
    let server = servers::Redis::secured(folder.path(), "redis");
    let redis = Redis::new(&server.server_of()).unwrap();
    redis.ping().await.unwrap();
    let (mut subscriber, _heard) = redis.subscriber().await.unwrap();
    subscriber.listen(&["a".to_owned()]).await.unwrap();

    let url = server.url(0);
    let (plain, _) = url.split_once('?').unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    Authority::in_folder(elsewhere.path()).unwrap();
    let other = format!("{plain}?ca={}", elsewhere.path().join("ca.pem").display());
    // Those that the world trusts, another authority, and no TLS at all.
    for wrong in [plain, &*other, &plain.replace("rediss:", "redis:")] {
        let redis = Redis::new(&RedisServer::parse(wrong).unwrap()).unwrap();
        assert!(redis.ping().await.is_err(), "{wrong}");
    }
    let missing = format!("{plain}?ca=/no/such/file.pem");
    let error = Redis::new(&RedisServer::parse(&missing).unwrap())
        .err()
        .unwrap();
    let told = atelier_kit::fault::chain(&error).to_string();
    assert!(told.contains("/no/such/file.pem"), "{told}");
}
