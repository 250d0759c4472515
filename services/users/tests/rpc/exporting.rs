//! Taking an account along: its own part, and that of every other service.

use std::collections::BTreeMap;

use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::users::v1 as pb;
use tonic::{Code, Status};

use crate::house::{House, PASSWORD, by, quiet, refused};
use crate::leaving::{EMAIL, Town};
use crate::peers::ROLES;

/// The files of an export by their paths, and the services whose receipts came; or how it broke.
pub async fn export(
    house: &House,
    tokens: &pb::TokenPair,
) -> (BTreeMap<String, String>, Vec<String>, Option<Status>) {
    let request = by(tokens, pb::ExportAccountRequest {});
    let mut stream = house
        .client
        .clone()
        .export_account(request)
        .await
        .unwrap()
        .into_inner();
    let (mut files, mut receipts, mut path) = (BTreeMap::new(), Vec::new(), String::new());
    loop {
        match stream.message().await {
            Ok(None) => return (files, receipts, None),
            Err(status) => return (files, receipts, Some(status)),
            Ok(Some(answer)) => match answer.piece.unwrap().piece.unwrap() {
                Piece::File(file) => {
                    path = file.path;
                    assert!(
                        files.insert(path.clone(), String::new()).is_none(),
                        "{path}"
                    );
                }
                Piece::Data(data) => {
                    let text = std::str::from_utf8(&data).unwrap();
                    files.get_mut(&path).unwrap().push_str(text);
                }
                Piece::Receipt(receipt) => receipts.push(receipt.service),
            },
        }
    }
}

#[tokio::test]
async fn an_export_is_the_own_part_and_that_of_every_service() {
    let town = Town::new(quiet()).await;
    let house = &town.house;
    let (user, tokens) = house.register(EMAIL).await;
    house.login(EMAIL, PASSWORD).await.unwrap();
    let key = pb::CreateApiKeyRequest {
        display_name: "a script".into(),
        scopes: vec![1],
        expire_time: None,
    };
    let key = house
        .client
        .clone()
        .create_api_key(by(&tokens, key))
        .await
        .unwrap()
        .into_inner();
    house.register("bob@x.org").await;

    let (files, receipts, broken) = export(house, &tokens).await;
    assert!(broken.is_none(), "{broken:?}");
    assert_eq!(
        receipts,
        ["users", "llm-chat", "text-image", "tts", "analytics"]
    );
    for role in ROLES {
        let told = &files[&format!("{role}/kept.txt")];
        assert_eq!(*told, format!("what {role} keeps of {}", user.id));
    }
    assert_eq!(files.len(), 11, "{:?}", files.keys());
    let json = |name: &str| -> serde_json::Value { serde_json::from_str(&files[name]).unwrap() };
    assert_eq!(json("users/account.json")["email"], EMAIL);
    assert_eq!(
        json("users/sessions.json")["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        json("users/api_keys.json")["api_keys"][0]["display_name"],
        "a script"
    );
    assert!(files["users/audit.jsonl"].contains("api_key.created"));
    for text in files.values() {
        assert!(
            !text.contains(&key.secret) && !text.contains("bob@x.org") && !text.contains("argon2")
        );
    }
}

#[tokio::test]
async fn an_export_that_is_not_whole_says_so() {
    let town = Town::new(quiet()).await;
    let (_, tokens) = town.house.register(EMAIL).await;
    for code in [Code::Unavailable, Code::Internal, Code::DeadlineExceeded] {
        town.peers.fail("tts", Some(code));
        let (files, receipts, broken) = export(&town.house, &tokens).await;
        let status = refused::<()>(Err(broken.unwrap()), Code::Unavailable, "EXPORT_BROKEN");
        assert!(status.message().contains("tts"), "{status:?}");
        assert!(
            files.contains_key("text-image/kept.txt") && !files.contains_key("analytics/kept.txt")
        );
        assert_eq!(receipts, ["users", "llm-chat", "text-image"]);
    }
    // One that ends without a receipt has not told everything either.
    town.peers.fail("tts", None);
    town.peers.notes.lock().unwrap().forgetful.push("llm-chat");
    let (_, _, broken) = export(&town.house, &tokens).await;
    refused::<()>(Err(broken.unwrap()), Code::Unavailable, "EXPORT_BROKEN");
    // Nobody else's session, and nobody without one.
    let nobody = town
        .house
        .client
        .clone()
        .export_account(pb::ExportAccountRequest {})
        .await;
    assert_eq!(nobody.unwrap_err().code(), Code::Unauthenticated);
}
