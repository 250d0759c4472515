//! A deletion that is cut off, and one of which a part is away: both come to their end.

use std::time::Duration;

use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1::{GenerateImageRequest, Size};

use super::{ERASED, Words, delete, erased, far, make_everything, nothing_says_who};
use crate::people::Person;
use crate::running::{Launch, eventually};
use crate::split::Split;
use crate::told::{listen, listen_until};
use crate::upstream::{ENDLESS, Upstream};
use crate::web;

#[tokio::test]
async fn a_deletion_survives_power_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let launch = || Launch::serving(&[], folder.path()).envs(&upstream.settings());
    let mesh = launch().start().await;
    let (ada, bob) = (
        Person::register(mesh.edge()).await,
        Person::register(mesh.edge()).await,
    );
    let (adas, bobs) = (Words("amaranthine"), Words("bergamot"));
    for _ in 0..12 {
        draw(&ada, &adas).await;
    }
    let his = draw(&bob, &bobs).await;
    let endless = chat::SendMessageRequest {
        conversation_id: ada.conversation().await,
        text: adas.about("endless question"),
        model: ENDLESS.to_owned(),
        ..Default::default()
    };
    let stream = ada.chat().send_message(endless).await.expect("a reply");
    listen_until(stream.into_inner(), |told| !told.text().is_empty()).await;

    let token = delete(&ada).await;
    // At once, and twice in the middle of going on.
    let mut running = mesh;
    for millis in [0, 60, 600] {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let ended = running.kill().await;
        assert_eq!(ended.code(), None, "it ended by itself");
        running = launch().start().await;
    }
    let mesh = running;
    erased(mesh.edge(), &token).await;
    let bob = bob.login(mesh.edge()).await;
    let images = bob.images().await;
    assert_eq!(images.len(), 1);
    assert_eq!(web::get(&images[0].download_url).await.body, his);
    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    nothing_says_who(folder.path(), &ada, &adas);
}

/// Draws a small picture, and returns its bytes.
async fn draw(person: &Person, words: &Words) -> Vec<u8> {
    let request = GenerateImageRequest {
        prompt: words.about("picture"),
        model: "atelier-painter".to_owned(),
        size: Some(Size {
            width: 64,
            height: 64,
        }),
        ..Default::default()
    };
    let stream = person.pictures().generate_image(request).await;
    let told = listen(stream.expect("a picture").into_inner()).await;
    web::get(&told.artifact().url).await.body
}

#[tokio::test]
async fn a_role_that_is_away_erases_its_part_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 3] = [
        &["users", "edge"],
        &["llm-chat", "analytics", "text-image"],
        &["tts"],
    ];
    let mut mesh = Split::start(&groups, folder.path()).await;
    let edge = mesh.edge().to_owned();
    let ada = Person::register(&edge).await;
    let adas = Words("amaranthine");
    make_everything(&ada, &adas).await;
    mesh.kill("tts").await;
    let token = delete(&ada).await;
    eventually("the others have erased their parts", ERASED, || async {
        far(&edge, &token)
            .await
            .is_ok_and(|deletion| deletion.waiting == ["tts"])
    })
    .await;
    assert!(far(&edge, &token).await.unwrap().done_time.is_none());
    mesh.begin("tts").await;
    let receipts = erased(&edge, &token).await;
    assert_eq!(receipts["tts"].erased["conversions"], 1);
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
    nothing_says_who(folder.path(), &ada, &adas);
}
