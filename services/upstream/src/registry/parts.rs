//! The parts of a model's table: limits, lifecycle and voices; it knows no other model.

use std::ops::Range;

use toml::de::DeValue;

use super::fields::{Fields, Placed, text};
use super::problem::Collector;
use super::{Life, Limits, Medium, Stage, VoiceSpec, figures};

/// The longest id of a voice.
const VOICE_BYTES: usize = 64;
/// The largest count of tokens or characters.
const COUNT: u32 = 1_000_000_000;

/// What it can take.
pub(super) fn limits(
    fields: &mut Fields<'_>,
    medium: Option<Medium>,
    problems: &mut Collector<'_>,
) -> Limits {
    let Some(mut table) = fields.table("limits", problems) else {
        return Limits::default();
    };
    let mut take = |name, of: Medium, most| {
        let fits = medium.is_none_or(|medium| medium == of);
        fits.then(|| table.count(name, most, problems)).flatten()
    };
    let limits = Limits {
        context_tokens: take("context_tokens", Medium::Chat, COUNT),
        output_tokens: take("output_tokens", Medium::Chat, COUNT),
        input_characters: take("input_characters", Medium::Speech, COUNT),
        width: take("width", Medium::Image, 100_000),
        height: take("height", Medium::Image, 100_000),
    };
    table.end(problems);
    limits
}

/// Where it is in its life, and where that is said.
pub(super) fn life(fields: &mut Fields<'_>, problems: &mut Collector<'_>) -> (Life, Range<usize>) {
    let Some(mut table) = fields.table("lifecycle", problems) else {
        return (Life::default(), 0..0);
    };
    let at = table.at.clone();
    let state = table.needed("state", problems);
    let written = match state.as_ref().map(|(state, at)| (state.as_str(), at)) {
        Some(("active", _)) | None => Stage::Active,
        Some(("deprecated", _)) => Stage::Deprecated,
        Some(("shut_down", _)) => Stage::ShutDown,
        Some((_, at)) => {
            let what = "`state` must be active, deprecated or shut_down";
            problems.add(at, format!("{}: {what}", table.what()));
            Stage::Active
        }
    };
    let shut_down = table.with("shut_down", problems, |value| {
        value
            .as_datetime()
            .ok_or_else(|| "must be a date, as in 2027-01-31, without quotation marks".to_owned())
            .and_then(figures::time)
    });
    let replacement = table.text("replacement", problems);
    let then = table.text("then", problems);
    let is_replaced = match then.as_ref().map(|(then, at)| (then.as_str(), at)) {
        None => replacement.is_some(),
        Some(("refuse", _)) => false,
        Some(("replace", at)) => {
            if replacement.is_none() {
                problems.add(
                    at,
                    format!("{}: to replace needs `replacement`", table.what()),
                );
            }
            true
        }
        Some((_, at)) => {
            problems.add(
                at,
                format!("{}: `then` must be replace or refuse", table.what()),
            );
            false
        }
    };
    let has_more = shut_down.is_some() || replacement.is_some() || then.is_some();
    if written == Stage::Active && has_more && state.is_some() {
        let what = "an active model has no `shut_down`, `replacement` or `then`";
        problems.add(&at, format!("{}: {what}", table.what()));
    }
    table.end(problems);
    let replacement_at = replacement.as_ref().map_or(at, |(_, at)| at.clone());
    let life = Life {
        written,
        shut_down: shut_down.map(|(time, _)| time),
        replacement: replacement.map(|(id, _)| id),
        is_replaced,
    };
    (life, replacement_at)
}

/// Its voices, each with its place.
pub(super) fn voices(
    fields: &mut Fields<'_>,
    medium: Option<Medium>,
    problems: &mut Collector<'_>,
) -> Vec<Placed<VoiceSpec>> {
    if medium.is_some_and(|medium| medium != Medium::Speech) {
        return Vec::new();
    }
    let what = fields.what().to_owned();
    let list = fields.with("voices", problems, |value| {
        value
            .as_array()
            .filter(|voices| !voices.is_empty())
            .ok_or_else(|| "must be a list of voices, at least one".to_owned())
    });
    let mut voices = Vec::new();
    for value in list.iter().flat_map(|(list, _)| list.iter()) {
        let at = value.span();
        let voice = match value.get_ref() {
            DeValue::Table(table) => {
                let mut fields = Fields::new(format!("{what}: a voice"), at.clone(), table);
                let id = fields.needed("id", problems);
                let upstream_name = fields.text("upstream_name", problems);
                let title = fields.text("title", problems);
                let language = fields.text("language", problems);
                fields.end(problems);
                id.map(|(id, _)| VoiceSpec {
                    upstream_name: upstream_name.map_or_else(|| id.clone(), |(name, _)| name),
                    title: title.map(|(title, _)| title),
                    language: language.map(|(language, _)| language),
                    id,
                })
            }
            other => match text(other) {
                Ok(name) => Some(VoiceSpec::new(&name)),
                Err(_) => {
                    let wrong = "a voice must be a text, or a table with an `id`";
                    problems.add(&at, format!("{what}: {wrong}"));
                    None
                }
            },
        };
        if let Some(voice) = &voice
            && voice.id.len() > VOICE_BYTES
        {
            let wrong = format!("a voice's id may have {VOICE_BYTES} bytes");
            problems.add(&at, format!("{what}: {wrong}"));
        }
        voices.extend(voice.map(|voice| (voice, at)));
    }
    voices
}
