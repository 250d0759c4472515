//! An account that takes its conversations along, and one that leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_kit::call::Call;
use atelier_kit::testing::eventually;
use atelier_proto::llm_chat::v1::*;
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::privacy::v1::export_piece::Piece;
use serde_json::Value;
use tonic::{Code, Status};

use crate::stage::*;

/// What an account is told: documents by path.
async fn export(world: &World, account: &str) -> BTreeMap<String, Value> {
    let request = ExportPersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(30)).request(request);
    let answer = world.chat().export_personal_data(request).await.unwrap();
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
                    ("llm-chat", files.len() as u64)
                );
                let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes).unwrap();
                return files
                    .into_iter()
                    .map(|(path, bytes)| (path, read(bytes)))
                    .collect();
            }
        }
    }
}

async fn erase(world: &World, account: &str) -> Result<ErasureReceipt, Status> {
    let request = ErasePersonalDataRequest {
        user_id: account.into(),
    };
    let request = Call::background(Duration::from_secs(60)).request(request);
    let answer = world.chat().erase_personal_data(request).await?;
    Ok(answer.into_inner().receipt.unwrap())
}

async fn complete(world: &World, text: &str) {
    let request = CompleteRequest {
        messages: vec![InputMessage {
            role: Role::User.into(),
            text: text.into(),
        }],
        ..Default::default()
    };
    let answer = world.chat().complete(world.ana(request)).await.unwrap();
    let mut stream = answer.into_inner();
    while stream.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn an_export_has_every_message_of_every_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    assert!(export(&world, "ana").await.is_empty());
    let long = world.conversation().await;
    // More than one page.
    for number in 0..60 {
        let said = world.send(&long, &format!("number {number}"), "").await;
        all(said.unwrap()).await;
    }
    let silent = world.conversation().await;
    complete(&world, "What is 17% of 340?").await;
    let his = CreateConversationRequest::default();
    world
        .chat()
        .create_conversation(world.bob(his))
        .await
        .unwrap();

    let told = export(&world, "ana").await;
    assert_eq!(told.len(), 3, "{:?}", told.keys());
    let conversation = &told[&format!("conversations/{long}.json")];
    let messages = conversation["messages"].as_array().unwrap();
    let kept = world.messages(&long).await;
    assert_eq!((messages.len(), kept.len()), (120, 50));
    for (told, kept) in messages.iter().zip(&kept) {
        assert_eq!(
            (&told["id"], &told["text"]),
            (&kept.id.as_str().into(), &kept.text.as_str().into())
        );
    }
    assert_eq!(
        (&messages[0]["role"], &messages[0]["text"]),
        (&"user".into(), &"number 0".into())
    );
    assert_eq!(messages[1]["state"], "STATE_COMPLETED");
    let nothing = &told[&format!("conversations/{silent}.json")];
    assert_eq!(nothing["messages"], Value::Array(Vec::new()));
    let (_, completion) = told
        .iter()
        .find(|(path, _)| path.starts_with("completions/"))
        .unwrap();
    assert_eq!(completion["messages"][0]["text"], "What is 17% of 340?");
    assert!(completion["reply"].as_str().unwrap().contains("57.8"));
}

#[tokio::test]
async fn whoever_leaves_leaves_no_word_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let secret = "the combination is seventeen left";
    let talk = world.conversation().await;
    all(world.send(&talk, secret, "").await.unwrap()).await;
    complete(&world, secret).await;
    let his = CreateConversationRequest {
        title: "his own".into(),
        ..Default::default()
    };
    let his = world
        .chat()
        .create_conversation(world.bob(his))
        .await
        .unwrap();
    let his = his.into_inner().conversation.unwrap().id;
    let second = world.conversation().await;
    let running = world
        .send(&second, "Tell me a long story about the sea.", "")
        .await
        .unwrap();

    eventually("it is erased", || async {
        erase(&world, "ana").await.is_ok()
    })
    .await;
    drop(running);
    let again = erase(&world, "ana").await.unwrap();
    assert!(again.erased.values().all(|count| *count == 0), "{again:?}");

    assert!(export(&world, "ana").await.is_empty());
    let request = GetConversationRequest {
        conversation_id: his.clone(),
    };
    world
        .chat()
        .get_conversation(world.bob(request))
        .await
        .unwrap();
    for refused in [
        world
            .chat()
            .create_conversation(world.ana(Default::default()))
            .await
            .map(drop),
        world
            .chat()
            .complete(world.ana(CompleteRequest {
                messages: vec![InputMessage {
                    role: Role::User.into(),
                    text: "hello".into(),
                }],
                ..Default::default()
            }))
            .await
            .map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::NotFound, "ACCOUNT_ERASED")
        );
    }
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[tokio::test]
async fn a_receipt_counts_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    for _ in 0..2 {
        let talk = world.conversation().await;
        all(world.send(&talk, "hello", "").await.unwrap()).await;
    }
    complete(&world, "hello").await;
    let receipt = erase(&world, "ana").await.unwrap();
    let counts = ["conversations", "messages", "completions"].map(|kind| receipt.erased[kind]);
    assert_eq!(counts, [2, 4, 1]);
    assert!(receipt.kept.is_empty());
    assert_eq!(
        fields(&erase(&world, "no id").await.unwrap_err()),
        ["user_id"]
    );
}
