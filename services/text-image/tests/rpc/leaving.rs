//! An account that takes its pictures along, and one that leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_kit::call::Call;
use atelier_kit::objects::{BlobStore as _, ObjectKey};
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::privacy::v1::{ErasureReceipt, ExportReceipt};
use atelier_proto::text_image::v1::*;
use tonic::{Code, Status};

use crate::stage::*;

/// What an account is told, by path, and the receipt.
async fn export(world: &World, account: &str) -> (BTreeMap<String, Vec<u8>>, ExportReceipt) {
    let request = ExportPersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(30)).request(request);
    let answer = world.rpc().export_personal_data(request).await.unwrap();
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
                assert!(stream.message().await.unwrap().is_none());
                return (files, receipt);
            }
        }
    }
}

async fn erase(world: &World, account: &str) -> Result<ErasureReceipt, Status> {
    let request = ErasePersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(60)).request(request);
    let answer = world.rpc().erase_personal_data(request).await?;
    Ok(answer.into_inner().receipt.unwrap())
}

/// Erases as the users service does: again until it is done. Returns the receipt and the reasons to wait.
async fn erase_at_last(world: &World, account: &str) -> (ErasureReceipt, Vec<String>) {
    let mut waited = Vec::new();
    for _ in 0..100 {
        match erase(world, account).await {
            Ok(receipt) => return (receipt, waited),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                waited.push(reason(&status));
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
    panic!("never erased: {waited:?}");
}

#[tokio::test]
async fn an_export_has_every_picture_and_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let (files, receipt) = export(&world, "ana").await;
    assert_eq!((files.len(), receipt.files), (0, 0));

    let kept = artifact(&world.paint(ask("a lighthouse")).await).id;
    let gone = artifact(&world.paint(ask("a whale")).await).id;
    let others = world.bob(ask("not hers"));
    all(world
        .rpc()
        .generate_image(others)
        .await
        .unwrap()
        .into_inner())
    .await;
    let key = |id: &str| {
        let id = id.to_owned();
        let world = &world;
        async move {
            let keys = world.keys("requests/").await;
            let mut keys = keys.into_iter();
            keys.find(|key| key.contains(&id) && key.ends_with(".png"))
                .unwrap()
        }
    };
    let lost = ObjectKey::new(key(&gone).await).unwrap();
    world.objects.delete(&lost).await.unwrap();

    let (files, receipt) = export(&world, "ana").await;
    let paths: Vec<&str> = files.keys().map(String::as_str).collect();
    let mut expected = [
        format!("images/{kept}.json"),
        format!("images/{kept}.png"),
        format!("images/{gone}.json"),
    ];
    expected.sort();
    assert_eq!(paths, expected);
    let bytes: usize = files.values().map(Vec::len).sum();
    assert_eq!((receipt.files, receipt.bytes), (3, bytes as u64));
    assert_eq!(receipt.service, "text-image");
    let picture = &files[&format!("images/{kept}.png")];
    assert_eq!(*picture, world.object(&key(&kept).await).await);
    let told = |id: &str| -> serde_json::Value {
        serde_json::from_slice(&files[&format!("images/{id}.json")]).unwrap()
    };
    assert_eq!(told(&kept)["prompt"], "a lighthouse");
    assert_eq!(told(&kept)["sha256"], sha256(picture));
    assert_eq!(told(&kept)["is_missing"], false);
    // A picture whose object is gone is told all the same.
    assert_eq!(
        (
            told(&gone)["prompt"].clone(),
            told(&gone)["is_missing"].clone()
        ),
        ("a whale".into(), true.into())
    );
}

#[tokio::test]
async fn whoever_leaves_leaves_neither_row_nor_object_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let secret = "a very particular lighthouse";
    let made = artifact(&world.paint(ask(secret)).await).id;
    let deleted = artifact(&world.paint(ask("soon deleted")).await).id;
    world.delete(&deleted).await.unwrap();
    let others = world.bob(ask("a castle of his"));
    let his = all(world
        .rpc()
        .generate_image(others)
        .await
        .unwrap()
        .into_inner())
    .await;
    let his = artifact(&his).id;
    eventually("histories are written", || async {
        world.keys("users/ana/").await.len() == 1 && world.keys("users/bob/").await.len() == 1
    })
    .await;
    let mut running = world.start(ask_large("still being painted")).await;
    until_painting(&mut running).await;

    let (receipt, waited) = erase_at_last(&world, "ana").await;
    // The one that was broken off may have been about to put its object.
    assert!(waited.iter().all(|reason| reason == "STILL_ENDING") && !waited.is_empty());
    assert_eq!(receipt.service, "text-image");
    assert_eq!(receipt.erased["images"], 2, "{receipt:?}");
    assert_eq!(receipt.erased["histories"], 1);
    assert!(receipt.erased["objects"] >= 3);
    assert!(receipt.kept.is_empty());
    assert_eq!(kinds(&all(running).await).last(), Some(&"cancelled"));

    let rest = world.keys("").await;
    assert!(
        rest.iter()
            .all(|key| key.contains(&his) || key.starts_with("users/bob/")),
        "{rest:?}"
    );
    assert_eq!(rest.len(), 4);
    assert_eq!(world.image(&made).await.unwrap_err().code(), Code::NotFound);
    let request = world.bob(GetImageRequest {
        image_id: his.clone(),
    });
    world.rpc().get_image(request).await.unwrap();

    // A token that still lives makes nothing new; a second erasure finds nothing more.
    let refused = world
        .rpc()
        .generate_image(world.ana(ask("once more")))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "ACCOUNT_ERASED")
    );
    let again = erase(&world, "ana").await.unwrap();
    assert!(again.erased.values().all(|count| *count == 0), "{again:?}");
    // Rounds of the keeper bring nothing back.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.keys("").await.len(), 4);
    world.close().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
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

#[tokio::test]
async fn an_account_is_named_by_its_id_and_only_services_ask() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    assert_eq!(fields(&erase(&world, "").await.unwrap_err()), ["user_id"]);
    let request = world.ana(ErasePersonalDataRequest {
        user_id: "ana".into(),
    });
    let refused = world.rpc().erase_personal_data(request).await.unwrap_err();
    assert_eq!(reason(&refused), "INTERNAL_ONLY");
}
