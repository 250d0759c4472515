#![doc = include_str!("../README.md")]

mod parcel;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::check::Check;
use atelier_kit::fault::Fault;
use atelier_kit::moment;
use atelier_proto::privacy::v1::{ErasureReceipt, ExportPiece};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

pub use parcel::{List, MAX_DATA_BYTES, Parcel, is_path, time};

/// What a service keeps of accounts.
#[async_trait]
pub trait Keepsakes: Send + Sync + 'static {
    /// Writes everything that is kept of an account into a parcel.
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault>;

    /// Erases everything of an account that is more than ids, times and amounts. A second call finds nothing more. A
    /// fault says that not everything was erased, and that the whole is to be asked again.
    async fn erase(&self, account: &str) -> Result<Erased, Fault>;
}

/// What was erased, and what stays without the person: how many of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// What was erased, as in `conversations`.
    pub erased: BTreeMap<&'static str, u64>,
    /// What stays, as in `usage_events`.
    pub kept: BTreeMap<&'static str, u64>,
}

impl Erased {
    /// With so many more of a kind erased; none is told as none.
    #[must_use]
    pub fn erased(mut self, kind: &'static str, count: u64) -> Self {
        *self.erased.entry(kind).or_default() += count;
        self
    }

    /// With so many more of a kind kept.
    #[must_use]
    pub fn kept(mut self, kind: &'static str, count: u64) -> Self {
        *self.kept.entry(kind).or_default() += count;
        self
    }
}

/// How many pieces may wait for a caller that reads slowly.
const WAITING: usize = 4;

/// The answers of ExportPersonalData.
pub type Pieces<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// Streams what is kept of an account, as ExportPersonalData does. It ends with the caller.
///
/// INVALID_ARGUMENT for an id that no account could have.
pub fn export<R: Send + 'static>(
    keepsakes: Arc<dyn Keepsakes>,
    role: &'static str,
    account: &str,
    wrap: fn(Option<ExportPiece>) -> R,
) -> Result<Pieces<R>, Status> {
    Check::new().id("user_id", account).finish()?;
    let account = account.to_owned();
    let (pieces, received) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut parcel = Parcel::new(pieces.clone());
        let told = tokio::select! {
            told = AssertUnwindSafe(keepsakes.export(&account, &mut parcel)).catch_unwind() => told,
            // Nobody reads any more.
            () = pieces.closed() => return,
        };
        let fault = match told {
            Ok(Ok(())) => return parcel.seal(role).await,
            Ok(Err(fault)) => fault,
            // Its words were logged where it panicked.
            Err(_) => Fault::internal(&std::io::Error::other("an export panicked")),
        };
        drop(pieces.send(Err(fault.into())).await);
    });
    let answers = ReceiverStream::new(received);
    Ok(Box::pin(
        answers.map(move |piece| piece.map(|piece| wrap(Some(piece)))),
    ))
}

/// Erases what is kept of an account, as ErasePersonalData does.
///
/// INVALID_ARGUMENT for an id that no account could have.
pub async fn erase(
    keepsakes: &dyn Keepsakes,
    role: &'static str,
    account: &str,
) -> Result<ErasureReceipt, Status> {
    Check::new().id("user_id", account).finish()?;
    let done = keepsakes.erase(account).await?;
    let counted = |counts: BTreeMap<&'static str, u64>| {
        let named = counts.into_iter();
        named
            .map(|(kind, count)| (kind.to_owned(), count))
            .collect()
    };
    Ok(ErasureReceipt {
        service: role.to_owned(),
        erased: counted(done.erased),
        kept: counted(done.kept),
        time: Some(moment::timestamp(moment::now())),
    })
}

#[cfg(test)]
mod tests;
