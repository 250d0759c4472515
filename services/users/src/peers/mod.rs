//! The other services that keep something of accounts, over their links: the same methods of each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind, reason_of};
use atelier_kit::link::{Link, Links};
use atelier_kit::moment;
use atelier_ledger::Amounts;
use atelier_proto::privacy::v1::ErasureReceipt;
use atelier_proto::{analytics, generation, llm_chat, text_image, tts};
use futures_util::StreamExt as _;
use tonic::Status;

use crate::leaving::Receipt;
use crate::ports::{Maker, Peer, Pieces, Standing};

/// How long one erasure may take; one that takes longer is asked for again and goes on where it was.
const ERASE: Duration = Duration::from_secs(60);
/// How long an answer about a generation may take; it is asked for again later.
const INSPECT: Duration = Duration::from_secs(5);

/// All services that keep something of accounts.
pub(crate) fn all(links: &Links) -> Vec<Arc<dyn Peer>> {
    vec![
        Arc::new(LlmChatPeer(links.to(LlmChatPeer::ROLE))),
        Arc::new(TextImagePeer(links.to(TextImagePeer::ROLE))),
        Arc::new(TtsPeer(links.to(TtsPeer::ROLE))),
        Arc::new(AnalyticsPeer(links.to(AnalyticsPeer::ROLE))),
    ]
}

/// The services that make what is paid for.
pub(crate) fn makers(links: &Links) -> Vec<Arc<dyn Maker>> {
    vec![
        Arc::new(LlmChatPeer(links.to(LlmChatPeer::ROLE))),
        Arc::new(TextImagePeer(links.to(TextImagePeer::ROLE))),
        Arc::new(TtsPeer(links.to(TtsPeer::ROLE))),
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

/// A service that makes what is paid for: their messages differ by their names alone, too.
macro_rules! maker {
    ($name:ident, $room:ident, $client:path) => {
        #[async_trait]
        impl Maker for $name {
            fn role(&self) -> &'static str {
                Self::ROLE
            }

            async fn inspect(&self, generation_id: &str) -> Result<Standing, Fault> {
                use $client as Client;
                let request = $room::v1::InspectGenerationRequest {
                    generation_id: generation_id.to_owned(),
                };
                let answer = Client::new(self.0.clone())
                    .inspect_generation(Call::background(INSPECT).request(request))
                    .await
                    .map_err(fault)?;
                answer
                    .into_inner()
                    .standing
                    .map_or_else(|| Err(nothing()), standing)
            }
        }
    };
}

maker!(
    LlmChatPeer,
    llm_chat,
    llm_chat::v1::llm_chat_service_client::LlmChatServiceClient
);
maker!(
    TextImagePeer,
    text_image,
    text_image::v1::text_image_service_client::TextImageServiceClient
);
maker!(TtsPeer, tts, tts::v1::tts_service_client::TtsServiceClient);

/// How a generation stands. A state of tomorrow is none to decide by.
fn standing(told: generation::v1::Standing) -> Result<Standing, Fault> {
    use generation::v1::State;
    match State::try_from(told.state) {
        Ok(State::Unspecified) => Ok(Standing::Unknown),
        Ok(State::Queued | State::Running) => Ok(Standing::Open),
        Ok(State::Completed | State::Failed | State::Cancelled) => {
            Ok(Standing::Ended(told.charge.as_ref().map(amounts)))
        }
        Err(_) => Err(nothing()),
    }
}

/// Figures as the book counts them.
fn amounts(usage: &generation::v1::Usage) -> Amounts {
    Amounts {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        images: usage.images,
        characters: usage.characters,
        audio_millis: usage.audio_millis,
    }
}

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
    Fault::internal(&std::io::Error::other("an answer without what it is for"))
}

/// What a service said, in this service's words: its own reason is for the log.
fn fault(status: Status) -> Fault {
    let reason = reason_of(&status).unwrap_or_default();
    let words = format!("{reason} {}", status.message());
    Fault::new(Kind::of(status.code()), "PEER_FAILED", words)
}
