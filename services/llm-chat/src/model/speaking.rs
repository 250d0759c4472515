//! The built-in model behind the port: it thinks at once and speaks at a pace that a reader can follow.

use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_proto::generation::v1::{FinishReason, Usage};
use futures_util::stream::BoxStream;

use super::offline::{self, Speaker as Voice, Turn as Heard};
use super::{Delta, Sampling};
use crate::conversation::{Speaker, Turn};
use crate::ports::ChatModel;
use crate::tokens;

/// The model's id.
pub const MODEL: &str = "atelier-offline";

/// Answers without any network.
#[derive(Clone, Copy, Debug)]
pub struct OfflineChatModel {
    pace: Duration,
}

impl Default for OfflineChatModel {
    fn default() -> Self {
        Self {
            pace: Duration::from_millis(8),
        }
    }
}

#[async_trait]
impl ChatModel for OfflineChatModel {
    async fn reply(
        &self,
        _: &str,
        turns: Vec<Turn>,
        sampling: Sampling,
    ) -> Result<BoxStream<'static, Result<Delta, ProviderError>>, ProviderError> {
        let pace = self.pace;
        let thought = tokio::task::spawn_blocking(move || {
            let heard: Vec<Heard<'_>> = turns
                .iter()
                .map(|turn| Heard {
                    speaker: match turn.speaker {
                        Speaker::System => Voice::System,
                        Speaker::User => Voice::User,
                        Speaker::Assistant => Voice::Assistant,
                    },
                    text: &turn.text,
                })
                .collect();
            let read: u32 = turns
                .iter()
                .map(|turn| tokens::count_tokens(&turn.text))
                .sum();
            (offline::reply(&heard), read)
        });
        let (reply, read) = thought
            .await
            .map_err(|error| ProviderError::Unreachable(Box::new(error)))?;
        Ok(Box::pin(async_stream::try_stream! {
            let pieces = tokens::pieces(&reply);
            let allowed = sampling.max_tokens.map_or(usize::MAX, |tokens| tokens as usize);
            let cut = pieces.len() > allowed;
            let mut said = 0;
            for piece in pieces.iter().take(allowed) {
                yield Delta::Text((*piece).to_owned());
                said += 1;
                tokio::time::sleep(pace).await;
            }
            yield Delta::Usage(Usage { input_tokens: read.into(), output_tokens: said, ..Usage::default() });
            yield Delta::Finish(if cut { FinishReason::Length } else { FinishReason::Stop });
        }))
    }
}
