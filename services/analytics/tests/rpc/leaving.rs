//! An account that takes its usage along, and one that leaves: what is counted stays.

use std::time::Duration;

use atelier_kit::call::Call;
use atelier_proto::analytics::v1::*;
use atelier_proto::privacy::v1::export_piece::Piece;

use crate::stage::*;

#[tokio::test]
async fn usage_is_told_line_by_line_and_stays_as_amounts() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    // More than one page.
    for batch in 0..3 {
        let events = (0..400).map(|at| {
            let number = batch * 400 + at;
            event("tts", &format!("g-{number}"), "ana", MIDNIGHT + number % 7)
        });
        stage.record("tts", events.collect()).await.unwrap();
    }
    stage
        .record("tts", vec![event("tts", "his", "bob", MIDNIGHT)])
        .await
        .unwrap();

    let call = || Call::background(Duration::from_secs(30));
    let request = ExportPersonalDataRequest {
        user_id: "ana".into(),
    };
    let answer = stage
        .client("users")
        .export_personal_data(call().request(request))
        .await;
    let mut stream = answer.unwrap().into_inner();
    let (mut paths, mut text) = (Vec::new(), Vec::new());
    let receipt = loop {
        let answer = stream.message().await.unwrap().expect("a receipt");
        match answer.piece.unwrap().piece.unwrap() {
            Piece::File(file) => paths.push(file.path),
            Piece::Data(data) => text.extend_from_slice(&data),
            Piece::Receipt(receipt) => break receipt,
        }
    };
    assert_eq!(paths, ["usage_events.jsonl"]);
    assert_eq!((receipt.files, receipt.bytes), (1, text.len() as u64));
    let text = String::from_utf8(text).unwrap();
    let mut ids: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1200);

    for _ in 0..2 {
        let request = ErasePersonalDataRequest {
            user_id: "ana".into(),
        };
        let answer = stage
            .client("users")
            .erase_personal_data(call().request(request))
            .await;
        let receipt = answer.unwrap().into_inner().receipt.unwrap();
        assert_eq!(receipt.service, "analytics");
        assert!(receipt.erased.is_empty());
        assert_eq!(receipt.kept["usage_events"], 1200);
    }
    let request = ErasePersonalDataRequest::default();
    let answer = stage
        .client("users")
        .erase_personal_data(call().request(request))
        .await;
    assert_eq!(bad_fields(&answer.unwrap_err()), ["user_id"]);
}
