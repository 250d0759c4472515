//! What SendMessage and Complete ask for: checked, looked up in what is offered, and made the generation that it begins.

use atelier_generation::{NewGeneration, Priority};
use atelier_kit::call::Call;
use atelier_kit::check::Check;
use atelier_kit::fault::{Fault, Violation};
use atelier_kit::moment;
use atelier_proto::llm_chat::v1 as wire;
use atelier_upstream::offers::{Choice, Menu};
use atelier_upstream::registry::ModelSpec;
use tonic::Status;

use super::Rpcs;
use crate::conversation::{Speaker, Turn};
use crate::model::{Entry, Sampling};
use crate::task::{COMPLETE, Of, SEND_MESSAGE, Task};

impl Rpcs {
    /// A generation of the caller, as the request has it.
    fn generation(
        call: &Call,
        kind: &'static str,
        request_id: &str,
        body: &[u8],
        task: Task,
        model: &ModelSpec,
    ) -> Result<NewGeneration, Status> {
        Ok(NewGeneration {
            id: moment::new_id(),
            owner: call.account()?.id.to_string(),
            priority: Priority::of(call),
            subject: task.of.conversation().to_owned(),
            kind,
            body: body.to_vec(),
            request_id: Some(request_id.to_owned()).filter(|id| !id.is_empty()),
            task: task.encode(),
            provider: model.provider.clone(),
            model: model.id.clone(),
        })
    }

    /// The reply that a message asks for.
    pub(super) async fn reply(
        &self,
        call: &Call,
        request: &wire::SendMessageRequest,
        body: &[u8],
    ) -> Result<NewGeneration, Status> {
        let mut check = Check::new();
        check
            .id("conversation_id", &request.conversation_id)
            .bytes("text", &request.text, 1..=65_536)
            .not_blank("text", &request.text)
            .optional_id("request_id", &request.request_id);
        let sampling = sampling(&mut check, request.sampling);
        let menu = self.models.now();
        if !request.model.is_empty() {
            known(&menu, &mut check, &request.model);
        }
        check.finish()?;
        let owner = &call.account()?.id;
        let found = self.store.find(owner, &request.conversation_id).await?;
        let asked = if request.model.is_empty() {
            &found.model
        } else {
            &request.model
        };
        if menu.get(asked).is_none() {
            return Err(gone(asked).into());
        }
        let choice = chosen(&menu, asked, &sampling)?;
        let task = Task {
            of: Of::Message {
                conversation_id: request.conversation_id.clone(),
                message_id: moment::new_id(),
                reply_id: moment::new_id(),
                text: request.text.clone(),
            },
            sampling,
            asked: choice.replaced().map(str::to_owned),
        };
        let model = &choice.offer.model;
        Self::generation(call, SEND_MESSAGE, &request.request_id, body, task, model)
    }

    /// The completion that a request asks for.
    pub(super) fn completion(
        &self,
        call: &Call,
        request: &wire::CompleteRequest,
        body: &[u8],
    ) -> Result<NewGeneration, Status> {
        let mut check = Check::new();
        check
            .that(
                (1..=1000).contains(&request.messages.len()),
                "messages",
                "must have 1 to 1000 messages",
            )
            .optional_id("request_id", &request.request_id);
        let turns = turns(&mut check, &request.messages);
        let sampling = sampling(&mut check, request.sampling);
        let menu = self.models.now();
        known(&menu, &mut check, &request.model);
        check.finish()?;
        let choice = chosen(&menu, &request.model, &sampling)?;
        let task = Task {
            of: Of::Turns(turns),
            sampling,
            asked: choice.replaced().map(str::to_owned),
        };
        let model = &choice.offer.model;
        Self::generation(call, COMPLETE, &request.request_id, body, task, model)
    }
}

fn sampling(check: &mut Check, asked: Option<wire::Sampling>) -> Sampling {
    let asked = asked.unwrap_or_default();
    if let Some(temperature) = asked.temperature {
        check.between("sampling.temperature", temperature, 0.0..=2.0);
    }
    if let Some(tokens) = asked.max_tokens {
        check.within("sampling.max_tokens", tokens.into(), 1..=32_768);
    }
    Sampling {
        temperature: asked.temperature,
        max_tokens: asked
            .max_tokens
            .and_then(|tokens| u32::try_from(tokens).ok()),
    }
}

/// Whether there is a model of an id, or the field's violation.
pub(super) fn known(menu: &Menu<Entry>, check: &mut Check, id: &str) {
    let rule = match id {
        "" => "must be named: no model is offered by default",
        _ => "must be a model of ListModels, or empty",
    };
    check.that(menu.get(id).is_some(), "model", rule);
}

/// Who replies to whoever asks for a model, or why nobody does: the limits are of the one that replies.
pub(super) fn chosen(
    menu: &Menu<Entry>,
    id: &str,
    sampling: &Sampling,
) -> Result<Choice<Entry>, Fault> {
    let choice = menu.choose(id, moment::now())?;
    let model = &choice.offer.model;
    if let (Some(asked), Some(most)) = (sampling.max_tokens, model.limits.output_tokens) {
        let rule = format!("must be at most {most}, the limit of {}", model.id);
        Check::new()
            .that(asked <= most, "sampling.max_tokens", &rule)
            .finish()?;
    }
    Ok(choice)
}

/// The messages of a Complete call, or the violations of their fields.
fn turns(check: &mut Check, messages: &[wire::InputMessage]) -> Vec<Turn> {
    let mut turns = Vec::with_capacity(messages.len().min(1000));
    for (at, message) in messages.iter().take(1000).enumerate() {
        let speaker = match message.role() {
            wire::Role::System => Speaker::System,
            wire::Role::User => Speaker::User,
            wire::Role::Assistant => Speaker::Assistant,
            wire::Role::Unspecified => {
                check.broken(
                    &format!("messages[{at}].role"),
                    "must be SYSTEM, USER or ASSISTANT",
                );
                Speaker::User
            }
        };
        check.bytes(&format!("messages[{at}].text"), &message.text, 1..=262_144);
        turns.push(Turn {
            speaker,
            text: message.text.clone(),
        });
    }
    if let Some(last) = turns.last() {
        check.that(
            last.speaker == Speaker::User,
            "messages",
            "must end with a message of the user",
        );
        check.not_blank("messages", &last.text);
    }
    turns
}

/// The conversation's own model is not offered any more.
fn gone(model: &str) -> Fault {
    Fault::bad_request(vec![Violation {
        field: "model".to_owned(),
        rule: format!("{model} is not offered any more; name a model of ListModels"),
    }])
}
