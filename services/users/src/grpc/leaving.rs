//! Taking along and leaving, on the wire.

use std::pin::Pin;
use std::sync::Arc;

use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::Fault;
use atelier_kit::moment::timestamp;
use atelier_proto::privacy::v1::export_piece::Piece;
use atelier_proto::privacy::v1::{ErasureReceipt, ExportPiece};
use atelier_proto::users::v1 as pb;
use futures_util::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::{Answer, UsersGrpc};
use crate::error::Error;
use crate::keepsakes::OwnPart;
use crate::leaving::{Deletion, ROLE, Receipt};
use crate::tokens::Opaque;

/// The answers of ExportAccount.
pub(super) type Told =
    Pin<Box<dyn Stream<Item = Result<pb::ExportAccountResponse, Status>> + Send>>;

impl UsersGrpc {
    pub(super) async fn export_account(
        &self,
        request: Request<pb::ExportAccountRequest>,
    ) -> Answer<Told> {
        let caller = self.caller(&request).await?;
        let call = Call::of(&request)?;
        let user_id = caller.user.id.clone();
        let own = OwnPart {
            accounts: self.accounts.clone(),
            user: caller.user,
        };
        let mut own = atelier_privacy::export(Arc::new(own), ROLE, &user_id, |piece| piece)?;
        let peers = self.accounts.peers.clone();
        // One service after the other, and none is read faster than the caller reads.
        let told = async_stream::try_stream! {
            while let Some(piece) = own.next().await {
                yield answer(ROLE, piece?.unwrap_or_default());
            }
            for peer in peers {
                let role = peer.role();
                let mut pieces = peer.export(&user_id, &call).await.map_err(|fault| broken(role, &fault))?;
                let mut is_whole = false;
                while let Some(piece) = pieces.next().await {
                    let piece = piece.map_err(|fault| broken(role, &fault))?;
                    is_whole = matches!(piece.piece, Some(Piece::Receipt(_)));
                    yield answer(role, piece);
                }
                if !is_whole {
                    Err(Status::from(Error::ExportBroken(role)))?;
                }
            }
        };
        Ok(Response::new(Box::pin(told)))
    }

    pub(super) async fn delete_account(
        &self,
        request: Request<pb::DeleteAccountRequest>,
    ) -> Answer<pb::DeleteAccountResponse> {
        let caller = self.caller(&request).await?;
        let client = super::client(&Call::of(&request)?);
        let request = request.into_inner();
        Check::new()
            .chars("password", &request.password, 0..=256)
            .bytes(
                "second_factor",
                &request.second_factor,
                0..=super::second_factor::CODE_BYTES,
            )
            .finish()?;
        let (deletion, token) = self
            .accounts
            .delete_account(
                &caller,
                request.password.into(),
                &request.second_factor,
                &client,
            )
            .await?;
        Ok(Response::new(pb::DeleteAccountResponse {
            deletion: Some(deletion.into()),
            deletion_token: token.expose().to_owned(),
        }))
    }

    pub(super) async fn get_deletion(
        &self,
        request: Request<pb::GetDeletionRequest>,
    ) -> Answer<pb::GetDeletionResponse> {
        let token = request.into_inner().deletion_token;
        Check::new()
            .bytes("deletion_token", &token, 1..=512)
            .finish()?;
        let token = Opaque::presented(token);
        let deletion = self.accounts.deletion(&token).await?;
        Ok(Response::new(pb::GetDeletionResponse {
            deletion: Some(deletion.into()),
        }))
    }
}

/// A piece of a service as a piece of the whole: its paths begin with the role.
fn answer(role: &str, mut piece: ExportPiece) -> pb::ExportAccountResponse {
    if let Some(Piece::File(file)) = &mut piece.piece {
        file.path = format!("{role}/{}", file.path);
    }
    pb::ExportAccountResponse { piece: Some(piece) }
}

/// A service has not told everything: why is for the log, which one is for the caller.
fn broken(role: &'static str, fault: &Fault) -> Status {
    tracing::warn!(service = role, error = %fault, "an export is broken");
    Error::ExportBroken(role).into()
}

impl From<Deletion> for pb::Deletion {
    fn from(deletion: Deletion) -> Self {
        pb::Deletion {
            user_id: deletion.user_id,
            create_time: Some(timestamp(deletion.create_time)),
            done_time: deletion.done_time.map(timestamp),
            receipts: deletion.receipts.into_iter().map(receipt).collect(),
            waiting: deletion.waiting,
        }
    }
}

fn receipt((service, receipt): (String, Receipt)) -> ErasureReceipt {
    ErasureReceipt {
        service,
        erased: receipt.erased.into_iter().collect(),
        kept: receipt.kept.into_iter().collect(),
        time: Some(timestamp(receipt.time)),
    }
}
