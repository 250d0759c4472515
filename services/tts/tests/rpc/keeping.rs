//! Conversions are kept until they are deleted, and then nothing of them is.

use std::path::Path;

use atelier_kit::sql;
use atelier_kit::testing::{eventually, foundation};
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::tts::v1 as pb;
use serde_json::Value;
use tonic::Code;

use crate::house::{FOX, House, Room, of, text};

async fn page(room: &Room, page_size: i32, page_token: String) -> (Vec<String>, String) {
    let request = pb::ListConversionsRequest {
        page_size,
        page_token,
    };
    let page = room
        .client()
        .list_conversions(of("ana", request))
        .await
        .unwrap()
        .into_inner();
    assert!(
        page.conversions
            .iter()
            .all(|one| one.state() == State::Completed && !one.download_url.is_empty())
    );
    (
        page.conversions.into_iter().map(|one| one.text).collect(),
        page.next_page_token,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_list_the_newest_first_and_each_once() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    for number in ["one", "two", "three", "four", "five"] {
        room.say("ana", text(number)).await.unwrap();
    }
    room.say("bob", text("not hers")).await.unwrap();
    let (first, token) = page(&room, 2, String::new()).await;
    assert_eq!(first, ["five", "four"]);
    // What comes in between moves no page.
    room.say("ana", text("six")).await.unwrap();
    let (second, token) = page(&room, 2, token).await;
    assert_eq!(second, ["three", "two"]);
    let (third, end) = page(&room, 2, token.clone()).await;
    assert_eq!((third, end.as_str()), (vec!["one".to_owned()], ""));
    let (all, end) = page(&room, 0, String::new()).await;
    assert_eq!((all.len(), end.as_str()), (6, ""));
    let request = pb::ListConversionsRequest {
        page_size: 2,
        page_token: token,
    };
    let other = room.client().list_conversions(of("bob", request)).await;
    assert_eq!(other.unwrap_err().code(), Code::InvalidArgument);
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_conversion_is_gone_with_its_objects() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let request = pb::SynthesizeRequest {
        request_id: "again".into(),
        ..text(FOX)
    };
    let told = room.say("ana", request.clone()).await.unwrap();
    let kept = room.say("ana", text("Stay.")).await.unwrap();
    assert_eq!(house.keys().await.len(), 6);
    room.delete("ana", told.id()).await.unwrap();
    assert_eq!(
        room.get("ana", told.id()).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        room.watch("ana", told.id(), 0).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        room.delete("ana", told.id()).await.unwrap_err().code(),
        Code::NotFound
    );
    eventually("the objects of the deleted one are gone", async || {
        house.keys().await.len() == 3
    })
    .await;
    assert!(house.keys().await.iter().all(|key| key.contains(kept.id())));
    assert_ne!(
        room.say("ana", request).await.unwrap().id(),
        told.id(),
        "its request id is free again"
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let request = pb::SynthesizeRequest {
        request_id: "r-9".into(),
        ..text(FOX)
    };
    let told = room.say("ana", request.clone()).await.unwrap();
    let before = room.get("ana", told.id()).await.unwrap();
    room.shut().await;

    let room = house.open(&[]).await;
    let mut after = room.get("ana", told.id()).await.unwrap();
    after.download_url.clone_from(&before.download_url);
    after.url_expire_time = before.url_expire_time;
    assert_eq!(after, before);
    let replayed = room.say("ana", request).await.unwrap();
    assert_eq!(replayed.id(), told.id());
    assert_eq!(
        replayed.0.last().unwrap().sequence,
        told.0.last().unwrap().sequence
    );
    let Some(Event::Snapshot(snapshot)) = replayed.events().next().cloned() else {
        panic!("a generation without a journal is told by a snapshot")
    };
    assert_eq!(snapshot.audio_bytes, told.audio().0.len() as i64);
    assert_eq!(snapshot.artifacts[0].sha256, before.sha256);
    assert!(
        snapshot.artifacts[0]
            .url
            .starts_with("http://edge.example/objects/tts/")
    );
    room.shut().await;
}

async fn metadata(folder: &Path, id: &str) -> Value {
    // A look at the rows beside the service, which has made the tables.
    let database = foundation("tts", folder).database("tts.db", &[]).await;
    let database = database.unwrap();
    let (text,): (String,) = sql::query_as("SELECT metadata FROM tts_conversions WHERE id = $1")
        .bind(id)
        .fetch_one(database.read())
        .await
        .unwrap();
    database.close().await;
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_beside_the_audio_say_where_it_came_from() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let request = pb::SynthesizeRequest {
        request_id: "r-7".into(),
        format: pb::AudioFormat::Flac.into(),
        ..text(FOX)
    };
    let told = room.say("ana", request).await.unwrap();
    let keys = house.keys().await;
    let prefix = keys[0]
        .strip_suffix("audio/original.flac")
        .expect("the audio is first in order")
        .to_owned();
    assert_eq!(
        keys,
        ["audio/original.flac", "input.json", "record.json"].map(|end| format!("{prefix}{end}"))
    );
    assert!(
        prefix.starts_with("requests/20") && prefix.ends_with(&format!("/{}/", told.id())),
        "{prefix}"
    );

    let read = async |end: &str| -> Value {
        serde_json::from_slice(&house.object(&format!("{prefix}{end}")).await).unwrap()
    };
    let input = read("input.json").await;
    assert_eq!(
        (input["user_id"].as_str(), input["request"]["text"].as_str()),
        (Some("ana"), Some(FOX))
    );
    assert_eq!(
        (
            input["request"]["voice"].as_str(),
            input["request"]["format"].as_str()
        ),
        (Some("kal"), Some("flac"))
    );
    let record = read("record.json").await;
    assert_eq!(record["request"], input["request"]);
    assert_eq!(
        record["result"]["sha256"].as_str(),
        Some(told.artifact().sha256.as_str())
    );

    let kept = metadata(house.folder.path(), told.id()).await;
    assert_eq!(kept["request_id"], "r-7");
    assert_eq!(kept["provider"], "offline");
    assert_eq!(kept["cost_usd"], 0.0);
    assert!(
        kept["latency_ms"].is_u64() && kept["status_code"].is_null(),
        "{kept}"
    );
    assert_eq!(kept["record_key"], format!("{prefix}record.json"));
    assert_eq!(kept["input_key"], format!("{prefix}input.json"));
    room.shut().await;
}

#[tokio::test]
async fn a_list_of_generations_names_the_conversion_of_each_and_is_ones_own() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let told = room.say("ana", text(FOX)).await.unwrap();
    for (who, count) in [("ana", 1), ("bob", 0)] {
        let request = of(who, pb::ListGenerationsRequest::default());
        let answer = room.client().list_generations(request).await.unwrap();
        let generations = answer.into_inner().generations;
        assert_eq!(generations.len(), count);
        for one in generations {
            assert_eq!(
                (one.id.as_str(), one.subject.as_str()),
                (told.id(), told.id())
            );
            assert_eq!(one.state(), State::Completed);
            assert!(one.usage.unwrap().characters > 0);
        }
    }
    room.shut().await;
}
