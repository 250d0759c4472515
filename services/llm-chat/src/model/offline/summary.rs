//! Shortens a text by choosing among its own sentences; it rewords nothing.

use std::collections::HashMap;

use super::phrases::{clip, content, join, sentences};
use super::talk::Talk;
use super::words::tidy;
use crate::tokens::head;

/// The most sentences of a long text that a summary weighs.
const MAX_SENTENCES: usize = 400;

/// The sentences whose words come up most, in their own order: nothing is reworded.
pub(super) fn summary(talk: &Talk, text: &str) -> String {
    let all: Vec<&str> = sentences(text).into_iter().take(MAX_SENTENCES).collect();
    if all.len() <= 1 {
        let short = clip(text, 160);
        return if talk.spanish {
            format!("Ya es breve: {short}")
        } else {
            format!("It's a single sentence already. At its shortest: {short}")
        };
    }
    let words: Vec<Vec<String>> = all
        .iter()
        .map(|sentence| content(head(sentence, 600), 60))
        .collect();
    let mut weight: HashMap<&str, usize> = HashMap::new();
    for word in words.iter().flatten() {
        *weight.entry(word.as_str()).or_default() += 1;
    }
    let mut ranked: Vec<(usize, usize)> = words
        .iter()
        .enumerate()
        .map(|(at, held)| {
            let sum: usize = held
                .iter()
                .filter_map(|word| weight.get(word.as_str()))
                .map(|n| n.saturating_sub(1))
                .sum();
            // The opening sentence usually says what a text is about.
            let score = sum * 100 / (held.len() + 3) + if at == 0 { 40 } else { 0 };
            (score, at)
        })
        .collect();
    ranked.sort_by_key(|&(score, at)| (std::cmp::Reverse(score), at));
    let take = if all.len() < 4 {
        1
    } else if all.len() < 12 {
        2
    } else {
        3
    };
    let mut kept: Vec<usize> = ranked.into_iter().take(take).map(|(_, at)| at).collect();
    kept.sort_unstable();
    let chosen: Vec<String> = kept
        .into_iter()
        .filter_map(|at| all.get(at))
        .map(|s| clip(s, 300))
        .collect();
    chosen.join(" ")
}

/// The first sentence of an answer.
pub(super) fn briefly(text: &str) -> String {
    // Of verses and stories the first stanza is kept as it stands.
    let mut blocks = text.split("\n\n").filter(|block| !block.starts_with("**"));
    if let (Some(first), Some(_)) = (blocks.next(), blocks.next())
        && !text.contains("\n- ")
    {
        return first.to_owned();
    }
    let first: Vec<String> = sentences(text)
        .into_iter()
        .map(|s| tidy(s).trim_start_matches("- ").to_owned())
        .filter(|s| !s.is_empty())
        .collect();
    match first.as_slice() {
        [] => "There is nothing to shorten.".to_owned(),
        [one] => {
            let words: Vec<&str> = one.split_whitespace().take(8).collect();
            format!("{}.", tidy(&words.join(" ")))
        }
        [one, ..] if one.split_whitespace().count() > 3 => format!("{one}."),
        many => format!("{}.", join(&many[..many.len().min(4)], "and")),
    }
}
