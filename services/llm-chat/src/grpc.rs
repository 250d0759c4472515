//! The RPCs: wire to domain and back; the rules are behind the ports and in the generation crate.

mod asked;

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::{Answers, Generations, Repeat, respond};
use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::idempotency;
use atelier_kit::moment;
use atelier_kit::page::Pages;
use atelier_privacy::Keepsakes;
use atelier_proto::llm_chat::v1 as wire;
use atelier_proto::llm_chat::v1::llm_chat_service_server::LlmChatService;
use atelier_upstream::offers::terms;
use prost::Message as _;
use tonic::{Request, Response, Status};

use self::asked::{chosen, known};
use crate::conversation::{Conversation, Message, NewConversation, Speaker};
use crate::error::Error;
use crate::model::{Models, Sampling};
use crate::ports::ConversationStore;
use crate::task::{COMPLETE, SEND_MESSAGE};

/// How long a deletion waits for a reply to end that it cancelled.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// The RPCs of this service.
pub struct Rpcs {
    pub(crate) store: Arc<dyn ConversationStore>,
    pub(crate) models: Arc<Models>,
    pub(crate) generations: Generations,
    pub(crate) pages: Pages,
    pub(crate) keepsakes: Arc<dyn Keepsakes>,
}

impl Rpcs {
    /// A message with what is known of a reply that is still being made.
    async fn message(&self, owner: &str, mut message: Message) -> wire::Message {
        if message.is_in_progress()
            && let Some(id) = &message.generation_id
            && let Ok(record) = self.generations.find(owner, id).await
        {
            message.text = record.snapshot.text;
            message.state = record.state;
        }
        wire::Message {
            id: message.id,
            conversation_id: message.conversation_id,
            role: match message.speaker {
                Speaker::System => wire::Role::System,
                Speaker::User => wire::Role::User,
                Speaker::Assistant => wire::Role::Assistant,
            }
            .into(),
            text: message.text,
            state: message.state.into(),
            generation_id: message.generation_id.unwrap_or_default(),
            provider: message.provider,
            model: message.model,
            usage: message.usage,
            create_time: Some(moment::timestamp(message.create_time)),
        }
    }
}

fn conversation(conversation: Conversation) -> wire::Conversation {
    wire::Conversation {
        id: conversation.id,
        title: conversation.title,
        model: conversation.model,
        system_prompt: conversation.system_prompt,
        message_count: i32::try_from(conversation.message_count).unwrap_or(i32::MAX),
        create_time: Some(moment::timestamp(conversation.create_time)),
        update_time: Some(moment::timestamp(conversation.update_time)),
    }
}

fn request_id(id: String) -> Option<String> {
    Some(id).filter(|id| !id.is_empty())
}

#[tonic::async_trait]
impl LlmChatService for Rpcs {
    type ExportPersonalDataStream = atelier_privacy::Pieces<wire::ExportPersonalDataResponse>;

    async fn export_personal_data(
        &self,
        request: Request<wire::ExportPersonalDataRequest>,
    ) -> Result<Response<Self::ExportPersonalDataStream>, Status> {
        let account = request.into_inner().user_id;
        let keepsakes = self.keepsakes.clone();
        atelier_privacy::export(keepsakes, crate::ROLE, &account, |piece| {
            wire::ExportPersonalDataResponse { piece }
        })
        .map(Response::new)
    }

    async fn erase_personal_data(
        &self,
        request: Request<wire::ErasePersonalDataRequest>,
    ) -> Result<Response<wire::ErasePersonalDataResponse>, Status> {
        let account = request.into_inner().user_id;
        let receipt = atelier_privacy::erase(&*self.keepsakes, crate::ROLE, &account).await?;
        Ok(Response::new(wire::ErasePersonalDataResponse {
            receipt: Some(receipt),
        }))
    }

    async fn inspect_generation(
        &self,
        request: Request<wire::InspectGenerationRequest>,
    ) -> Result<Response<wire::InspectGenerationResponse>, Status> {
        let id = request.into_inner().generation_id;
        let standing = self.generations.inspect_rpc(&id).await?;
        Ok(Response::new(wire::InspectGenerationResponse {
            standing: Some(standing),
        }))
    }

    type SendMessageStream = Answers<wire::SendMessageResponse>;
    type CompleteStream = Answers<wire::CompleteResponse>;
    type WatchGenerationStream = Answers<wire::WatchGenerationResponse>;

    async fn list_models(
        &self,
        _: Request<wire::ListModelsRequest>,
    ) -> Result<Response<wire::ListModelsResponse>, Status> {
        let (menu, now) = (self.models.now(), moment::now());
        let models = menu.iter().enumerate().map(|(at, entry)| wire::Model {
            id: entry.model.id.clone(),
            provider: entry.model.provider.clone(),
            description: entry.model.description.clone(),
            is_default: at == 0,
            terms: Some(terms(&entry.model, now)),
        });
        Ok(Response::new(wire::ListModelsResponse {
            models: models.collect(),
        }))
    }

    async fn create_conversation(
        &self,
        request: Request<wire::CreateConversationRequest>,
    ) -> Result<Response<wire::CreateConversationResponse>, Status> {
        let call = Call::of(&request)?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let mut check = Check::new();
        check
            .chars("title", &request.title, 0..=200)
            .bytes("system_prompt", &request.system_prompt, 0..=32_768)
            .optional_id("request_id", &request.request_id);
        let menu = self.models.now();
        known(&menu, &mut check, &request.model);
        check.finish()?;
        let choice = chosen(&menu, &request.model, &Sampling::default())?;
        let new = NewConversation {
            id: moment::new_id(),
            owner: call.account()?.id.to_string(),
            digest: atelier_kit::secret::digest(&[&request.encode_to_vec()]).to_vec(),
            request_id: request_id(request.request_id),
            title: request.title.trim().to_owned(),
            model: choice.offer.model.id.clone(),
            system_prompt: request.system_prompt,
        };
        let made = self.store.insert(&new).await?;
        Ok(Response::new(wire::CreateConversationResponse {
            conversation: Some(conversation(made)),
        }))
    }

    async fn get_conversation(
        &self,
        request: Request<wire::GetConversationRequest>,
    ) -> Result<Response<wire::GetConversationResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        Check::new()
            .id("conversation_id", &request.conversation_id)
            .finish()?;
        let found = self
            .store
            .find(&call.account()?.id, &request.conversation_id)
            .await?;
        Ok(Response::new(wire::GetConversationResponse {
            conversation: Some(conversation(found)),
        }))
    }

    async fn list_conversations(
        &self,
        request: Request<wire::ListConversationsRequest>,
    ) -> Result<Response<wire::ListConversationsResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        let mut check = Check::new();
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["conversations", &*owner];
        let before = self.pages.cursor(&scope, &request.page_token)?;
        let mut rows = self.store.list(&owner, before, limit + 1).await?;
        let next_page_token = self.pages.cut(&scope, &mut rows, limit, |last| {
            (last.update_time, last.id.clone())
        });
        Ok(Response::new(wire::ListConversationsResponse {
            conversations: rows.into_iter().map(conversation).collect(),
            next_page_token,
        }))
    }

    async fn update_conversation(
        &self,
        request: Request<wire::UpdateConversationRequest>,
    ) -> Result<Response<wire::UpdateConversationResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let asked = request.conversation.unwrap_or_default();
        let mut check = Check::new();
        check.id("conversation.id", &asked.id);
        check.mask(request.update_mask.as_ref(), &["title"]);
        check.chars("conversation.title", asked.title.trim(), 1..=200);
        check.finish()?;
        let renamed = self
            .store
            .rename(&call.account()?.id, &asked.id, asked.title.trim())
            .await?;
        Ok(Response::new(wire::UpdateConversationResponse {
            conversation: Some(conversation(renamed)),
        }))
    }

    async fn delete_conversation(
        &self,
        request: Request<wire::DeleteConversationRequest>,
    ) -> Result<Response<wire::DeleteConversationResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        Check::new()
            .id("conversation_id", &request.conversation_id)
            .finish()?;
        // A reply may begin between the cancel and the deletion; it is cancelled in its turn.
        for _ in 0..8 {
            match self.store.delete(&owner, &request.conversation_id).await? {
                None => return Ok(Response::new(wire::DeleteConversationResponse {})),
                Some(running) => {
                    self.generations
                        .forget(&owner, &running, CANCEL_WAIT)
                        .await?
                }
            }
        }
        Err(Error::ReplyInProgress.into())
    }

    async fn list_messages(
        &self,
        request: Request<wire::ListMessagesRequest>,
    ) -> Result<Response<wire::ListMessagesResponse>, Status> {
        let call = Call::of(&request)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        let mut check = Check::new();
        check.id("conversation_id", &request.conversation_id);
        let limit = check.page_size(request.page_size);
        check.finish()?;
        let scope = ["messages", &*owner, &request.conversation_id];
        let after: Option<i64> = self.pages.cursor(&scope, &request.page_token)?;
        self.store.find(&owner, &request.conversation_id).await?;
        let mut rows = self
            .store
            .messages(&request.conversation_id, after.unwrap_or(0), limit + 1)
            .await?;
        let next_page_token = self
            .pages
            .cut(&scope, &mut rows, limit, |last| last.position);
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows {
            messages.push(self.message(&owner, row).await);
        }
        Ok(Response::new(wire::ListMessagesResponse {
            messages,
            next_page_token,
        }))
    }

    async fn send_message(
        &self,
        request: Request<wire::SendMessageRequest>,
    ) -> Result<Response<Self::SendMessageStream>, Status> {
        let call = Call::of(&request)?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let owner = call.account()?.id.clone();
        let request = request.into_inner();
        let body = request.encode_to_vec();
        let again = Repeat {
            owner: &owner,
            request_id: &request.request_id,
            kind: SEND_MESSAGE,
            body: &body,
        };
        let made = self.reply(&call, &request, &body).await;
        let events = self.generations.start_rpc(made, again).await?;
        Ok(Response::new(respond(events, |event| {
            wire::SendMessageResponse { event }
        })))
    }

    async fn complete(
        &self,
        request: Request<wire::CompleteRequest>,
    ) -> Result<Response<Self::CompleteStream>, Status> {
        let call = Call::of(&request)?;
        idempotency::is_request_id(&request, &request.get_ref().request_id)?;
        let request = request.into_inner();
        let owner = &call.account()?.id;
        let body = request.encode_to_vec();
        let again = Repeat {
            owner,
            request_id: &request.request_id,
            kind: COMPLETE,
            body: &body,
        };
        let made = self.completion(&call, &request, &body);
        let events = self.generations.start_rpc(made, again).await?;
        Ok(Response::new(respond(events, |event| {
            wire::CompleteResponse { event }
        })))
    }

    async fn watch_generation(
        &self,
        request: Request<wire::WatchGenerationRequest>,
    ) -> Result<Response<Self::WatchGenerationStream>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let events = self
            .generations
            .watch_rpc(&call, &request.generation_id, request.after_sequence)
            .await?;
        Ok(Response::new(respond(events, |event| {
            wire::WatchGenerationResponse { event }
        })))
    }

    async fn cancel_generation(
        &self,
        request: Request<wire::CancelGenerationRequest>,
    ) -> Result<Response<wire::CancelGenerationResponse>, Status> {
        let call = Call::of(&request)?;
        let id = request.into_inner().generation_id;
        let state = self.generations.cancel_rpc(&call, &id).await?;
        Ok(Response::new(wire::CancelGenerationResponse {
            state: state.into(),
        }))
    }

    async fn list_generations(
        &self,
        request: Request<wire::ListGenerationsRequest>,
    ) -> Result<Response<wire::ListGenerationsResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let (generations, next_page_token) = self
            .generations
            .list_rpc(
                &call,
                &self.pages,
                request.page_size,
                &request.page_token,
                request.open_only,
            )
            .await?;
        Ok(Response::new(wire::ListGenerationsResponse {
            generations,
            next_page_token,
        }))
    }

    async fn list_upstreams(
        &self,
        _: Request<wire::ListUpstreamsRequest>,
    ) -> Result<Response<wire::ListUpstreamsResponse>, Status> {
        Ok(Response::new(wire::ListUpstreamsResponse {
            upstreams: self.models.callers().upstreams(),
        }))
    }
}
