//! The parcel that an export is written into, file by file; what it holds is on its way to the caller already.

use std::collections::HashSet;

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment::{self, Micros};
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::privacy::v1::{ExportFile, ExportPiece, ExportReceipt};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tonic::Status;

/// The most bytes of a file that one piece holds.
pub const MAX_DATA_BYTES: usize = 65_536;
/// The media type of a file of one JSON document.
const JSON: &str = "application/json";
/// The media type of a file of JSON lines.
const JSON_LINES: &str = "application/jsonl";

/// An export that is being written. A caller that reads slowly makes the writer wait.
pub struct Parcel {
    pieces: mpsc::Sender<Result<ExportPiece, Status>>,
    /// Eight bytes of the digest of each path that was given out: no two files have the same.
    paths: HashSet<u64>,
    bytes: u64,
}

/// A JSON document whose last member is a list that need not be held as a whole.
pub struct List<'a> {
    parcel: &'a mut Parcel,
    is_empty: bool,
}

impl Parcel {
    pub(crate) fn new(pieces: mpsc::Sender<Result<ExportPiece, Status>>) -> Self {
        Self {
            pieces,
            paths: HashSet::new(),
            bytes: 0,
        }
    }

    /// Begins a file. `path` is made of letters, digits, `-`, `_` and `.`, with `/` between its parts; another one, and one
    /// that was used before, is a defect of the service and ends the export.
    pub async fn file(&mut self, path: &str, content_type: &str) -> Result<(), Fault> {
        if !is_path(path) {
            return Err(defect(format!("{path:?} is no path of an export")));
        }
        let [a, b, c, d, e, f, g, h, ..] = atelier_kit::secret::digest(&[path.as_bytes()]);
        if !self
            .paths
            .insert(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
        {
            return Err(defect(format!("the path {path:?} was used before")));
        }
        let (path, content_type) = (path.to_owned(), content_type.to_owned());
        self.send(Piece::File(ExportFile { path, content_type }))
            .await
    }

    /// Writes the next bytes of the file that began last.
    pub async fn write(&mut self, mut data: Bytes) -> Result<(), Fault> {
        if self.paths.is_empty() {
            return Err(defect("bytes of no file".to_owned()));
        }
        while !data.is_empty() {
            let next = data.split_to(data.len().min(MAX_DATA_BYTES));
            self.bytes += next.len() as u64;
            self.send(Piece::Data(next)).await?;
        }
        Ok(())
    }

    /// Writes a file of one JSON document, for people's eyes too.
    pub async fn json(&mut self, path: &str, document: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_vec_pretty(document).map_err(|error| Fault::internal(&error))?;
        self.file(path, JSON).await?;
        self.write(text.into()).await
    }

    /// Begins a file of JSON lines.
    pub async fn lines(&mut self, path: &str) -> Result<(), Fault> {
        self.file(path, JSON_LINES).await
    }

    /// Writes a line of JSON into the file that began last.
    pub async fn line(&mut self, document: &impl Serialize) -> Result<(), Fault> {
        let mut text = serde_json::to_vec(document).map_err(|error| Fault::internal(&error))?;
        text.push(b'\n');
        self.write(text.into()).await
    }

    /// Begins a file of one JSON document: the members of `head`, and then a list under `name`, written element by element.
    pub async fn list(
        &mut self,
        path: &str,
        head: &serde_json::Map<String, serde_json::Value>,
        name: &str,
    ) -> Result<List<'_>, Fault> {
        let mut text = serde_json::to_vec_pretty(head).map_err(|error| Fault::internal(&error))?;
        // Up to the brace that closes it, and the line break before that.
        text.truncate(
            text.len()
                .saturating_sub(if head.is_empty() { 1 } else { 2 }),
        );
        let name = serde_json::to_string(name).map_err(|error| Fault::internal(&error))?;
        let comma = if head.is_empty() { "" } else { "," };
        text.extend_from_slice(format!("{comma}\n  {name}: [").as_bytes());
        self.file(path, JSON).await?;
        self.write(text.into()).await?;
        Ok(List {
            parcel: self,
            is_empty: true,
        })
    }

    pub(crate) async fn seal(mut self, role: &'static str) {
        let receipt = ExportReceipt {
            service: role.to_owned(),
            files: self.paths.len() as u64,
            bytes: self.bytes,
            time: Some(moment::timestamp(moment::now())),
        };
        // A caller that has left misses nothing.
        let _ = self.send(Piece::Receipt(receipt)).await;
    }

    async fn send(&mut self, piece: Piece) -> Result<(), Fault> {
        let piece = Ok(ExportPiece { piece: Some(piece) });
        self.pieces.send(piece).await.map_err(|_| {
            Fault::new(
                Kind::Cancelled,
                Kind::Cancelled.default_reason(),
                "the caller has left",
            )
        })
    }
}

impl List<'_> {
    /// Writes the next element.
    pub async fn element(&mut self, element: &impl Serialize) -> Result<(), Fault> {
        let before = if self.is_empty { "\n    " } else { ",\n    " };
        let mut text = before.as_bytes().to_vec();
        serde_json::to_writer(&mut text, element).map_err(|error| Fault::internal(&error))?;
        self.is_empty = false;
        self.parcel.write(text.into()).await
    }

    /// Ends the list and the document.
    pub async fn end(self) -> Result<(), Fault> {
        let end = if self.is_empty { "]\n}" } else { "\n  ]\n}" };
        self.parcel.write(Bytes::from_static(end.as_bytes())).await
    }
}

/// A time as an export tells it: RFC 3339 in UTC, to the microsecond. One outside the years that this can tell is a number.
pub fn time(micros: Micros) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| micros.to_string(), |time| time.to_string())
}

fn defect(what: String) -> Fault {
    Fault::internal(&std::io::Error::other(what))
}

/// Whether a text is a path of an export: nothing that a file system would read as anything but a place below.
pub fn is_path(text: &str) -> bool {
    text.split('/').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && part != "."
            && part != ".."
    })
}
