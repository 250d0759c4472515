//! A generation as a document, and back.

use atelier_kit::moment::Micros;
use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{Fields as _, bytes};
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use bytes::Bytes;
use prost::Message as _;

use super::{Change, time};
use crate::error::Error;
use crate::fold::base;
use crate::ports::{End, Failure, GenerationRecord, Listing, NewGeneration, Repeat};
use crate::queue::Priority;

/// All that a record has beside its debts.
pub(super) const FIELDS: &[&str] = &[
    "owner",
    "intent",
    "kind",
    "subject",
    "priority",
    "task",
    "state",
    "epoch",
    "heartbeat",
    "cancel_requested",
    "cancelling",
    "released",
    "provider",
    "model",
    "snapshot",
    "sequence",
    "finish_reason",
    "failure",
    "create_time",
    "end_time",
    "open",
    "own",
];

pub(super) fn digest(again: Repeat<'_>) -> Vec<u8> {
    atelier_kit::secret::digest(&[again.kind.as_bytes(), again.body]).to_vec()
}

/// One that begins, owned under epoch 1.
pub(super) fn fresh(
    new: &NewGeneration,
    state: State,
    intent: &str,
    own: Document,
    now: Micros,
) -> Document {
    let snapshot = Snapshot {
        state: state.into(),
        model: new.model.clone(),
        ..Snapshot::default()
    };
    doc! {
        "_id": &new.id,
        "owner": &new.owner,
        "intent": intent,
        "kind": new.kind,
        "subject": &new.subject,
        "priority": i64::from(new.priority.weight()),
        "task": bytes(new.task.to_vec()),
        "state": i32::from(state),
        "epoch": 1_i64,
        "heartbeat": 0_i64,
        "cancel_requested": false,
        "released": false,
        "provider": &new.provider,
        "model": &new.model,
        "snapshot": bytes(snapshot.encode_to_vec()),
        "sequence": base(1),
        "finish_reason": i32::from(FinishReason::Unspecified),
        "create_time": now,
        // There for as long as it has not ended, so that what is open is found by an index of these alone.
        "open": &new.id,
        "own": own,
    }
}

/// The one update that ends a generation.
pub(super) fn ended(end: &End, own: Change, now: Micros) -> Document {
    let event = &end.usage_event;
    let mut set = doc! {
        "state": i32::from(end.state),
        "snapshot": bytes(end.snapshot.encode_to_vec()),
        "sequence": end.sequence,
        "finish_reason": i32::from(end.finish_reason),
        // Who made it in the end may be another than was chosen.
        "provider": &event.provider,
        "model": &event.model,
        "end_time": now,
        "outbox": {"event": bytes(event.encode_to_vec()), "at": now, "owner": &event.user_id},
    };
    let mut owed = doc! {"id": &end.settlement.id};
    if let Some(usage) = &end.settlement.charge {
        owed.insert("charge", bytes(usage.encode_to_vec()));
    }
    set.insert("settlement", owed);
    if let Some(failure) = &end.failure {
        set.insert(
            "failure",
            doc! {
                "reason": &failure.reason,
                "message": &failure.message,
                "retryable": failure.retryable,
                "retry_time": time(failure.retry_time),
            },
        );
    }
    let mut add = doc! {"heartbeat": 1_i64};
    for (field, value) in own.set {
        set.insert(format!("own.{field}"), value);
    }
    for (field, value) in own.add {
        add.insert(format!("own.{field}"), value);
    }
    doc! {"$set": set, "$inc": add, "$unset": {"open": "", "cancelling": ""}}
}

pub(super) fn record(document: &Document) -> Result<GenerationRecord, Error> {
    Ok(GenerationRecord {
        id: document.text("_id")?,
        owner: document.text("owner")?,
        kind: document.text("kind")?,
        subject: document.text("subject")?,
        priority: Priority::of_weight(document.number("priority")?),
        task: Bytes::copy_from_slice(document.bytes("task")?),
        state: state(document)?,
        epoch: document.number("epoch")?,
        heartbeat: document.number("heartbeat")?,
        cancel_requested: document.flag("cancel_requested"),
        provider: document.text("provider")?,
        model: document.text("model")?,
        snapshot: snapshot(document)?,
        sequence: document.number("sequence")?,
        finish_reason: FinishReason::try_from(document.code("finish_reason")?)
            .unwrap_or(FinishReason::Unspecified),
        failure: failure(document)?,
        create_time: document.number("create_time")?,
        end_time: document.maybe_number("end_time"),
    })
}

pub(super) fn listing(document: &Document) -> Result<Listing, Error> {
    Ok(Listing {
        id: document.text("_id")?,
        subject: document.text("subject")?,
        state: state(document)?,
        provider: document.text("provider")?,
        model: document.text("model")?,
        sequence: document.number("sequence")?,
        usage: snapshot(document)?.usage,
        failure: failure(document)?,
        create_time: document.number("create_time")?,
        end_time: document.maybe_number("end_time"),
    })
}

fn state(document: &Document) -> Result<State, Error> {
    Ok(State::try_from(document.code("state")?).unwrap_or(State::Unspecified))
}

fn snapshot(document: &Document) -> Result<Snapshot, Error> {
    Snapshot::decode(document.bytes("snapshot")?).map_err(Error::store)
}

fn failure(document: &Document) -> Result<Option<Failure>, Error> {
    let Some(failure) = document.maybe_part("failure") else {
        return Ok(None);
    };
    Ok(Some(Failure {
        reason: failure.text("reason")?,
        message: failure.text("message")?,
        retryable: failure.flag("retryable"),
        retry_time: failure.maybe_number("retry_time"),
    }))
}
