//! What a model says of others: that they are there, of its own medium, and lead in no circle; and one currency for all.

use std::collections::HashMap;
use std::ops::Range;

use super::document::Written;
use super::fields::Placed;
use super::problem::Collector;
use super::providers::Source;
use super::{Medium, ModelSpec, OFFLINE};

/// Adds what is wrong between the models of a file.
pub(super) fn check(
    models: &[Placed<Written>],
    providers: &[Source],
    problems: &mut Collector<'_>,
) {
    let mut ids: HashMap<&str, &ModelSpec> = HashMap::new();
    let mut voices: HashMap<&str, &str> = HashMap::new();
    for (model, at) in models {
        let spec = &model.spec;
        if ids.insert(&spec.id, spec).is_some() {
            problems.add(at, format!("there is another model {:?}", spec.id));
        }
        let known = spec.provider == OFFLINE
            || providers
                .iter()
                .any(|provider| provider.name == spec.provider);
        if !known {
            let what = format!(
                "the model {:?}: there is no provider {:?}",
                spec.id, spec.provider
            );
            problems.add(&model.provider_at, what);
        }
        // A voice is asked for by its id alone.
        for (voice, at) in spec.voices.iter().zip(&model.voices_at) {
            if let Some(other) = voices.insert(&voice.id, &spec.id) {
                let what = format!(
                    "the voice {:?} is one of {other:?} already: give it another `id`, and its name as `upstream_name`",
                    voice.id
                );
                problems.add(at, what);
            }
        }
    }
    for (model, _) in models {
        let spec = &model.spec;
        let refers = |to: &str, what: &str| wrong(&ids, spec, to, what);
        if let Some(replacement) = &spec.life.replacement
            && let Some(wrong) = refers(replacement, "replacement")
        {
            problems.add(&model.replacement_at, wrong);
        }
        for (fallback, at) in spec.fallbacks.iter().zip(&model.fallbacks_at) {
            if let Some(wrong) = refers(fallback, "fallback") {
                problems.add(at, wrong);
            }
        }
    }
    circles(models, &ids, problems);
    currencies(models, problems);
}

/// All is charged in one currency, the ledger's: there are no rates between two.
fn currencies(models: &[Placed<Written>], problems: &mut Collector<'_>) {
    let said = models.iter().flat_map(|(model, _)| {
        let of = |said| (&model.spec.id, said);
        model.currencies.iter().map(of)
    });
    let mut first: Option<(&str, &str)> = None;
    for (id, (code, at)) in said {
        let (other, known) = *first.get_or_insert((id, code));
        if code != known {
            let what = format!(
                "the model {id:?}: its prices are in {code}, and those of {other:?} in {known}: a file has one currency"
            );
            problems.add(at, what);
        }
    }
}

fn wrong(
    ids: &HashMap<&str, &ModelSpec>,
    spec: &ModelSpec,
    to: &str,
    what: &str,
) -> Option<String> {
    let of = |medium: Medium| medium.name();
    match ids.get(to) {
        _ if to == spec.id => Some(format!("the model {to:?} cannot be its own {what}")),
        None => Some(format!(
            "the model {:?}: there is no model {to:?} as its {what}",
            spec.id
        )),
        Some(other) if other.medium != spec.medium => Some(format!(
            "the model {:?} makes {}, its {what} {to:?} {}",
            spec.id,
            of(spec.medium),
            of(other.medium)
        )),
        Some(_) => None,
    }
}

/// A circle of replacements is told once, at the first of its models.
fn circles(
    models: &[Placed<Written>],
    ids: &HashMap<&str, &ModelSpec>,
    problems: &mut Collector<'_>,
) {
    let mut told: Vec<&str> = Vec::new();
    for (model, _) in models {
        let begin = model.spec.id.as_str();
        let mut path = vec![begin];
        let mut at = begin;
        while let Some(next) = ids
            .get(at)
            .and_then(|spec| spec.life.replacement.as_deref())
            .filter(|next| *next != at)
        {
            if next == begin {
                if !told.contains(&begin) {
                    told.extend(&path);
                    let span: &Range<usize> = &model.replacement_at;
                    path.push(begin);
                    let what = format!("these replace each other in a circle: {}", path.join(", "));
                    problems.add(span, what);
                }
                break;
            }
            if path.contains(&next) {
                break;
            }
            path.push(next);
            at = next;
        }
    }
}
