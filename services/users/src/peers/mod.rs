//! The other services that keep something of accounts, over their links: the same two methods of each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::link::{Link, Links};
use atelier_kit::moment;
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::{analytics, llm_chat, text_image, tts};
use futures_util::StreamExt as _;
use tonic::Status;

use crate::leaving::Receipt;
use crate::ports::{Peer, Pieces};

/// How long one erasure may take; one that takes longer is asked for again and goes on where it was.
const ERASE: Duration = Duration::from_secs(60);

/// All services that keep something of accounts.
pub(crate) fn all(links: &Links) -> Vec<Arc<dyn Peer>> {
    vec![
        Arc::new(LlmChatPeer(links.to(LlmChatPeer::ROLE))),
        Arc::new(TextImagePeer(links.to(TextImagePeer::ROLE))),
        Arc::new(TtsPeer(links.to(TtsPeer::ROLE))),
        Arc::new(AnalyticsPeer(links.to(AnalyticsPeer::ROLE))),
    ]
}

/// A service by its role: its messages and its client differ by their names alone.
macro_rules! peer {
    ($(#[$doc:meta])* $name:ident, $role:literal, $room:ident, $client:path) => {
        $(#[$doc])*
        struct $name(Link);

        impl $name {
            const ROLE: &str = $role;
        }

        #[async_trait]
        impl Peer for $name {
            fn role(&self) -> &'static str {
                Self::ROLE
            }

            async fn export(&self, user_id: &str, call: &Call) -> Result<Pieces, Fault> {
                use $client as Client;
                let request = $room::v1::ExportPersonalDataRequest {
                    user_id: user_id.to_owned(),
                };
                let answer = Client::new(self.0.clone())
                    .export_personal_data(call.request(request))
                    .await
                    .map_err(fault)?;
                Ok(Box::pin(answer.into_inner().map(|answer| match answer {
                    Ok(answer) => answer.piece.ok_or_else(nothing),
                    Err(status) => Err(fault(status)),
                })))
            }

            async fn erase(&self, user_id: &str) -> Result<Receipt, Fault> {
                use $client as Client;
                let request = $room::v1::ErasePersonalDataRequest {
                    user_id: user_id.to_owned(),
                };
                let answer = Client::new(self.0.clone())
                    .erase_personal_data(Call::background(ERASE).request(request))
                    .await
                    .map_err(fault)?;
                answer.into_inner().receipt.map(receipt).ok_or_else(nothing)
            }
        }
    };
}

peer!(
    /// Conversations.
    LlmChatPeer,
    "llm-chat",
    llm_chat,
    llm_chat::v1::llm_chat_service_client::LlmChatServiceClient
);
peer!(
    /// Pictures.
    TextImagePeer,
    "text-image",
    text_image,
    text_image::v1::text_image_service_client::TextImageServiceClient
);
peer!(
    /// Spoken texts.
    TtsPeer,
    "tts",
    tts,
    tts::v1::tts_service_client::TtsServiceClient
);
peer!(
    /// Usage.
    AnalyticsPeer,
    "analytics",
    analytics,
    analytics::v1::analytics_service_client::AnalyticsServiceClient
);

fn receipt(told: ErasureReceipt) -> Receipt {
    Receipt {
        erased: told.erased.into_iter().collect(),
        kept: told.kept.into_iter().collect(),
        time: told
            .time
            .as_ref()
            .and_then(moment::from_timestamp)
            .unwrap_or_else(moment::now),
    }
}

/// An answer without what it is for.
fn nothing() -> Fault {
    Fault::internal(&std::io::Error::other(
        "an answer without a piece or a receipt",
    ))
}

/// What a service said, in this service's words: its own reason is for the log.
fn fault(status: Status) -> Fault {
    let reason = reason_of(&status).unwrap_or_default();
    let words = format!("{reason} {}", status.message());
    Fault::new(Kind::of(status.code()), "PEER_FAILED", words)
}
