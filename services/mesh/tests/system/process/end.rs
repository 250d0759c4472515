//! How it ends when it is told to: what runs may finish or is ended durably, in a bounded time, and nothing is lost.

use std::time::Duration;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::text_image::v1::{GenerateImageRequest, GetImageRequest, Size};
use atelier_proto::users::v1::GetMeRequest;

use super::{ask, failed_as, watch};
use crate::media::png_size;
use crate::people::Person;
use crate::running::{Launch, eventually, free_port};
use crate::told::{Told, listen, listen_until, next};
use crate::upstream::{ENDLESS, SLOW, SLOW_WORDS, Upstream};
use crate::web;

fn has_words(told: &Told) -> bool {
    !told.text().is_empty()
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // The port is a part of a picture's URL, so both starts have the same.
    let port = free_port().to_string();
    let data = folder.path().display().to_string();
    let args = ["--data", &data, "--port", &port, "--admin-port", "0"];
    let mesh = Launch::new(&args).start().await;
    let ada = Person::register(mesh.edge()).await;
    let stream = ask(&ada, "", "Hello! My name is Ada.").await;
    let reply = listen(stream).await;
    let request = GenerateImageRequest {
        prompt: "a harbour".to_owned(),
        size: Some(Size {
            width: 128,
            height: 96,
        }),
        ..Default::default()
    };
    let stream = ada.pictures().generate_image(request).await;
    let picture = listen(stream.unwrap().into_inner()).await;
    let url = picture.artifact().url.clone();
    let bytes = web::get(&url).await.body;
    assert_eq!(png_size(&bytes), (128, 96));
    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);

    let mesh = Launch::new(&args).start().await;
    // The old access token, the old password, and the old URL.
    let again = ada.users().get_me(GetMeRequest {}).await;
    assert_eq!(
        again.expect("me").into_inner().user.unwrap().id,
        ada.user.id
    );
    let ada = ada.login(mesh.edge()).await;
    let page = web::get(&url).await;
    assert_eq!((page.status.as_u16(), page.body), (200, bytes.clone()));
    let request = GetImageRequest {
        image_id: picture.artifact().id.clone(),
    };
    let image = ada.pictures().get_image(request).await.expect("the image");
    let image = image.into_inner().image.unwrap();
    assert_eq!(web::get(&image.download_url).await.body, bytes);
    let replayed = watch(&ada, reply.id()).await;
    assert!(replayed.is_completed());
    assert_eq!(replayed.text(), reply.text());
    let conversations = ada.conversations().await;
    assert_eq!(conversations.len(), 1);
    let messages = ada.messages(&conversations[0].id).await;
    assert_eq!(messages[1].text, reply.text());
}

#[tokio::test]
async fn a_reply_that_ends_in_time_is_finished_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let launch = || Launch::serving(&[], folder.path()).envs(&upstream.settings());
    let mesh = launch().start().await;
    let ada = Person::register(mesh.edge()).await;
    // One client listens to the end; the other has gone away, which stops nothing.
    let mut heard = ask(&ada, SLOW, "Slowly, please.").await;
    let unheard = listen_until(ask(&ada, SLOW, "And again.").await, has_words).await;
    let mut told = Told::default();
    while told.text().is_empty() {
        told.0.push(next(&mut heard).await.expect("more events"));
    }

    mesh.signal("TERM");
    let (ended, rest) = tokio::join!(mesh.ended(Duration::from_secs(20)), async {
        let mut rest = Vec::new();
        while let Some(event) = next(&mut heard).await {
            rest.push(event);
        }
        rest
    });
    told.0.extend(rest);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
    assert!(told.is_completed(), "{told:?}");
    assert_eq!(told.text().split_whitespace().count(), SLOW_WORDS);

    let mesh = launch().start().await;
    let ada = ada.login(mesh.edge()).await;
    assert_eq!(watch(&ada, told.id()).await.text(), told.text());
    // Nobody waits for what nobody hears, but it has ended, and says how.
    let unheard = watch(&ada, unheard.id()).await;
    assert!(
        unheard.is_completed() || failed_as(&unheard, "INTERRUPTED"),
        "{unheard:?}"
    );
}

#[tokio::test]
async fn a_reply_whose_turn_comes_while_calls_end_is_paid_and_made() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let mesh = Launch::serving(&[], folder.path())
        .envs(&upstream.settings())
        .env("ATELIER_CHAT_AT_ONCE", "1")
        .start()
        .await;
    let ada = Person::register(mesh.edge()).await;
    let first = ask(&ada, SLOW, "Slowly, please.").await;
    let mut second = ask(&ada, SLOW, "After that.").await;
    let queued = next(&mut second).await.expect("an event");
    assert!(matches!(queued.event, Some(Event::Queued(_))), "{queued:?}");

    mesh.signal("TERM");
    // It asks another role of the process, the users, when no new call is taken any more.
    let (ended, first, second) = tokio::join!(
        mesh.ended(Duration::from_secs(20)),
        listen(first),
        listen(second)
    );
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    for told in [first, second] {
        assert!(told.is_completed(), "{told:?}");
        assert_eq!(told.text().split_whitespace().count(), SLOW_WORDS);
    }
}

#[tokio::test]
async fn a_reply_that_does_not_end_is_interrupted_durably() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let launch = || {
        Launch::serving(&[], folder.path())
            .envs(&upstream.settings())
            .env("ATELIER_DRAIN_SECONDS", "1")
    };
    let mesh = launch().start().await;
    let ada = Person::register(mesh.edge()).await;
    let told = listen_until(ask(&ada, ENDLESS, "For ever.").await, has_words).await;
    let mut heard = ask(&ada, ENDLESS, "And ever.").await;
    let second = next(&mut heard).await.expect("an event").generation_id;

    mesh.signal("TERM");
    let (ended, heard) = tokio::join!(mesh.ended(Duration::from_secs(15)), listen(heard));
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(8), "{:?}", ended.took);
    // Whoever still listens is told of the end.
    assert!(failed_as(&heard, "INTERRUPTED"), "{heard:?}");

    let mesh = launch().start().await;
    let ada = ada.login(mesh.edge()).await;
    for id in [told.id(), &second] {
        // At once: it was ended before the end, and not by whoever found it.
        let watched = tokio::time::timeout(Duration::from_secs(3), watch(&ada, id)).await;
        let watched = watched.expect("an end that was written in time");
        assert!(failed_as(&watched, "INTERRUPTED"), "{watched:?}");
    }
    let kept = watch(&ada, told.id()).await.text();
    assert!(
        kept.starts_with(&told.text()),
        "what was told is lost: {kept}"
    );
}

#[tokio::test]
async fn a_reply_that_waits_for_its_turn_at_the_end_is_made_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let launch = || {
        Launch::serving(&[], folder.path())
            .envs(&upstream.settings())
            .env("ATELIER_CHAT_AT_ONCE", "1")
            .env("ATELIER_DRAIN_SECONDS", "1")
    };
    let mesh = launch().start().await;
    let ada = Person::register(mesh.edge()).await;
    let running = listen_until(ask(&ada, ENDLESS, "For ever.").await, has_words).await;
    let mut waits = ask(&ada, SLOW, "After that.").await;
    let queued = next(&mut waits).await.expect("an event");
    assert!(matches!(queued.event, Some(Event::Queued(_))), "{queued:?}");
    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);

    let mesh = launch().start().await;
    let ada = ada.login(mesh.edge()).await;
    assert!(failed_as(&watch(&ada, running.id()).await, "INTERRUPTED"));
    let made = watch(&ada, &queued.generation_id).await;
    assert!(made.is_completed(), "{made:?}");
    assert_eq!(made.text().split_whitespace().count(), SLOW_WORDS);
}

#[tokio::test]
async fn interrupt_ends_it_too_and_a_second_one_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = Launch::serving(&[], folder.path()).start().await;
    mesh.signal("INT");
    let ended = mesh.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);

    let upstream = Upstream::start().await;
    let mesh = Launch::serving(&[], folder.path())
        .envs(&upstream.settings())
        .env("ATELIER_DRAIN_SECONDS", "600")
        .start()
        .await;
    let ada = Person::register(mesh.edge()).await;
    let mut reply = ask(&ada, ENDLESS, "For ever.").await;
    next(&mut reply).await;
    mesh.signal("INT");
    eventually("it drains", Duration::from_secs(10), || async {
        mesh.log().contains("draining")
    })
    .await;
    mesh.signal("INT");
    let ended = mesh.ended(Duration::from_secs(15)).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_split_process_takes_calls_a_little_longer_than_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}", free_port());
    let mesh = Launch::serving(&["users", "tts"], folder.path())
        .env("ATELIER_USERS_URL", &url)
        .env(
            "ATELIER_TTS_URL",
            format!("http://127.0.0.1:{}", free_port()),
        )
        .env("ATELIER_LAME_DUCK_SECONDS", "3")
        .start()
        .await;
    // Whom it needs is here, so it waits for nobody.
    let ready = format!("{}/readyz", mesh.admin());
    assert_eq!(web::get(&ready).await.status, 200);
    Person::register(&url).await;

    mesh.signal("TERM");
    eventually("it is not ready", Duration::from_secs(2), || async {
        web::get(&ready).await.status == 503
    })
    .await;
    // Whoever has not heard of it yet is still served, on a new connection too.
    Person::register(&url).await;
    let ended = mesh.ended(Duration::from_secs(15)).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}
