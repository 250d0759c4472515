//! An account that takes its spoken texts along, and one that leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_kit::call::Call;
use atelier_kit::objects::{BlobStore as _, ObjectKey};
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::tts::v1 as pb;
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, Room, text};

async fn export(room: &Room, account: &str) -> BTreeMap<String, Vec<u8>> {
    let request = pb::ExportPersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(30)).request(request);
    let answer = room.client().export_personal_data(request).await.unwrap();
    let mut stream = answer.into_inner();
    let (mut files, mut path) = (BTreeMap::<String, Vec<u8>>::new(), String::new());
    loop {
        let answer = stream.message().await.unwrap().expect("a receipt");
        match answer.piece.unwrap().piece.unwrap() {
            Piece::File(file) => {
                path = file.path;
                assert!(files.insert(path.clone(), Vec::new()).is_none(), "{path}");
            }
            Piece::Data(data) => files.get_mut(&path).unwrap().extend_from_slice(&data),
            Piece::Receipt(receipt) => {
                assert_eq!(
                    (receipt.service.as_str(), receipt.files),
                    ("tts", files.len() as u64)
                );
                return files;
            }
        }
    }
}

async fn erase(room: &Room, account: &str) -> Result<ErasureReceipt, Status> {
    let request = pb::ErasePersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(60)).request(request);
    let answer = room.client().erase_personal_data(request).await?;
    Ok(answer.into_inner().receipt.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_audio_byte_for_byte() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    room.say("ana", text("taken along")).await.unwrap();
    room.say("ana", text("lost")).await.unwrap();
    room.say("bob", text("not hers")).await.unwrap();
    let audio = |keys: Vec<String>| keys.into_iter().filter(|key| key.ends_with(".wav"));
    let ids = |files: &BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Value> {
        let documents = files.iter().filter(|(path, _)| path.ends_with(".json"));
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        documents
            .map(|(_, bytes)| read(bytes))
            .map(|told| (told["text"].as_str().unwrap().to_owned(), told))
            .collect()
    };
    let told = ids(&export(&room, "ana").await);
    let lost = told["lost"]["id"].as_str().unwrap();
    let key = audio(house.keys().await)
        .find(|key| key.contains(lost))
        .unwrap();
    house
        .objects
        .delete(&ObjectKey::new(key).unwrap())
        .await
        .unwrap();

    let files = export(&room, "ana").await;
    assert_eq!(files.len(), 3, "{:?}", files.keys());
    let told = ids(&files);
    assert_eq!(told["lost"]["is_missing"], true);
    let kept = told["taken along"]["id"].as_str().unwrap();
    let key = audio(house.keys().await)
        .find(|key| key.contains(kept))
        .unwrap();
    let file = told["taken along"]["file"].as_str().unwrap();
    assert_eq!(files[file], house.object(&key).await);
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_leaves_neither_row_nor_object_and_others_stay() {
    let house = House::new().await;
    let room = house.open(&[]).await;
    let secret = "the parrot knows the password";
    room.say("ana", text(secret)).await.unwrap();
    room.say("bob", text("his own words")).await.unwrap();
    let receipt = erase(&room, "ana").await.unwrap();
    assert_eq!(
        (receipt.erased["conversions"], receipt.erased["objects"]),
        (1, 3)
    );
    let again = erase(&room, "ana").await.unwrap();
    assert!(again.erased.values().all(|count| *count == 0), "{again:?}");
    assert!(export(&room, "ana").await.is_empty());
    assert_eq!(export(&room, "bob").await.len(), 2);
    assert_eq!(house.keys().await.len(), 3);
    let refused = room.say("ana", text("once more")).await.err().unwrap();
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(
        (refused.code(), reason.as_str()),
        (Code::NotFound, "ACCOUNT_ERASED")
    );
    room.shut().await;
    for entry in std::fs::read_dir(house.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}
