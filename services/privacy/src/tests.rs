//! Exports as their caller reads them, and receipts.

use std::sync::atomic::{AtomicUsize, Ordering};

use atelier_kit::fault::{Kind, reason_of};
use atelier_proto::privacy::v1::export_piece::Piece;
use bytes::Bytes;
use proptest::prelude::*;
use tonic::Code;

use super::*;

/// How a service behaves.
enum Way {
    /// Writes a file of so many bytes, a document, lines, and a list.
    Well(usize),
    /// Writes a path twice.
    Twice,
    /// Writes a path that leads elsewhere.
    Elsewhere,
    /// Writes bytes of no file.
    Nothing,
    Fails,
    Panics,
    /// Writes for as long as somebody reads, and counts.
    Endless(Arc<AtomicUsize>),
}

#[async_trait]
impl Keepsakes for Way {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        match self {
            Way::Well(size) => {
                parcel.file("a/b.bin", "application/octet-stream").await?;
                parcel.write(Bytes::from(vec![7; *size])).await?;
                parcel.json("who.json", &account).await?;
                parcel.lines("lines.jsonl").await?;
                parcel.line(&1).await?;
                parcel.line(&2).await?;
                let mut head = serde_json::Map::new();
                let list = parcel.list("none.json", &head, "all").await?;
                list.end().await?;
                head.insert("id".to_owned(), "}".into());
                let mut list = parcel.list("some.json", &head, "all").await?;
                list.element(&"x").await?;
                list.element(&"y").await?;
                list.end().await
            }
            Way::Twice => {
                parcel.json("a.json", &1).await?;
                parcel.json("a.json", &2).await
            }
            Way::Elsewhere => parcel.json("../a.json", &1).await,
            Way::Nothing => parcel.write(Bytes::from_static(b"x")).await,
            Way::Fails => Err(Fault::new(Kind::Unavailable, "AWAY", "it is away")),
            Way::Panics => panic!("the keepsakes fell over"),
            Way::Endless(count) => {
                parcel.file("endless", "text/plain").await?;
                loop {
                    parcel.write(Bytes::from_static(b"x")).await?;
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }

    async fn erase(&self, _: &str) -> Result<Erased, Fault> {
        Ok(Erased::default()
            .erased("things", 2)
            .erased("things", 1)
            .kept("amounts", 4))
    }
}

async fn told(way: Way) -> Vec<Result<Piece, Status>> {
    let pieces = export(Arc::new(way), "things", "ana", |piece| {
        piece.and_then(|piece| piece.piece)
    });
    pieces
        .unwrap()
        .map(|piece| piece.map(Option::unwrap))
        .collect()
        .await
}

/// The files of an export, joined.
fn files(pieces: &[Result<Piece, Status>]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for piece in pieces {
        match piece.as_ref().unwrap() {
            Piece::File(file) => files.push((file.path.clone(), Vec::new())),
            Piece::Data(data) => {
                assert!((1..=MAX_DATA_BYTES).contains(&data.len()));
                files.last_mut().unwrap().1.extend_from_slice(data);
            }
            Piece::Receipt(_) => {}
        }
    }
    files
}

#[tokio::test]
async fn an_export_has_every_byte_and_a_receipt_at_its_end() {
    for size in [0, 1, MAX_DATA_BYTES, MAX_DATA_BYTES + 1, 5 * MAX_DATA_BYTES] {
        let pieces = told(Way::Well(size)).await;
        let files = files(&pieces);
        assert_eq!(files[0], ("a/b.bin".to_owned(), vec![7; size]));
        assert_eq!(files[1].1, b"\"ana\"");
        assert_eq!(files[2].1, b"1\n2\n");
        let json = |at: usize| serde_json::from_slice::<serde_json::Value>(&files[at].1).unwrap();
        assert_eq!(json(3), serde_json::json!({"all": []}));
        assert_eq!(json(4), serde_json::json!({"id": "}", "all": ["x", "y"]}));
        let Some(Ok(Piece::Receipt(receipt))) = pieces.last() else {
            panic!("no receipt: {:?}", pieces.last());
        };
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!((receipt.files, receipt.bytes), (5, bytes as u64));
        assert_eq!(receipt.service, "things");
    }
}

#[tokio::test]
async fn what_is_not_whole_has_no_receipt() {
    for (way, code) in [
        (Way::Twice, Code::Internal),
        (Way::Elsewhere, Code::Internal),
        (Way::Nothing, Code::Internal),
        (Way::Fails, Code::Unavailable),
        (Way::Panics, Code::Internal),
    ] {
        let pieces = told(way).await;
        let last = pieces.last().unwrap().as_ref().unwrap_err();
        assert_eq!(last.code(), code, "{last:?}");
        let receipts = pieces
            .iter()
            .filter(|piece| matches!(piece, Ok(Piece::Receipt(_))));
        assert_eq!(receipts.count(), 0);
    }
}

#[tokio::test]
async fn a_reader_that_is_slow_is_waited_for_and_one_that_leaves_ends_it() {
    let count = Arc::new(AtomicUsize::new(0));
    let way = Arc::new(Way::Endless(count.clone()));
    let mut pieces = export(way.clone(), "things", "ana", |piece| piece).unwrap();
    pieces.next().await.unwrap().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let written = count.load(Ordering::SeqCst);
    assert!(written <= WAITING + 1, "{written} pieces wait");
    drop(pieces);
    // The task lets go of the keepsakes.
    while Arc::strong_count(&way) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_receipt_counts_and_an_id_must_be_one() {
    let receipt = erase(&Way::Fails, "things", "ana").await.unwrap();
    assert_eq!((receipt.erased["things"], receipt.kept["amounts"]), (3, 4));
    assert_eq!(receipt.service, "things");
    assert!(receipt.time.is_some());
    let refused = erase(&Way::Fails, "things", "").await.unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("INVALID_REQUEST"));
    assert!(export(Arc::new(Way::Fails), "things", "a b", |piece| piece).is_err());
}

#[test]
fn a_path_leads_down_alone() {
    for good in ["a", "conversations/0190.json", "a/b-c/d_e.png", "..a"] {
        assert!(is_path(good), "{good}");
    }
    for bad in [
        "", "/a", "a/", "a//b", ".", "..", "a/../b", "a\\b", "a b", "ä", "a\0", "C:a",
    ] {
        assert!(!is_path(bad), "{bad}");
    }
}

#[test]
fn times_are_told_in_utc() {
    assert_eq!(time(1_704_110_400_000_001), "2024-01-01T12:00:00.000001Z");
    assert_eq!(time(i64::MAX), i64::MAX.to_string());
}

proptest! {
    #[test]
    fn whatever_is_a_path_stays_below(text in "[a./\\\\-]{0,12}") {
        if is_path(&text) {
            let whole = std::path::Path::new("/below").join(&text);
            let only_names = whole.components().skip(1).all(|part| matches!(part, std::path::Component::Normal(_)));
            prop_assert!(only_names && whole.starts_with("/below"));
        }
    }
}
