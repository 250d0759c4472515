//! How a sentence is cut into words and matched against patterns; it knows no topic and keeps no state.

use std::ops::Range;

/// The longest clause, in words, that patterns look at: wildcards backtrack, so the length must be bounded.
const MAX_WORDS: usize = 80;

/// One word: its comparable form, and where it stands in the text it came from.
pub(super) struct Word {
    pub(super) norm: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A clause ready to be matched.
pub(super) struct Line<'a> {
    /// The clause as it was written.
    pub(super) raw: &'a str,
    /// Its words, without openers such as "please" or "could you".
    pub(super) words: Vec<Word>,
    /// Whether it asks something.
    pub(super) question: bool,
    /// Whether it opened by taking something back ("actually", "no", "sorry").
    pub(super) corrects: bool,
}

impl<'a> Line<'a> {
    /// Cuts `raw` into words, dropping the polite openers that carry no meaning.
    pub(super) fn new(raw: &'a str) -> Self {
        let raw = raw.trim();
        let mut words = cut(raw);
        let mut corrects = false;
        let mut dropped = 0;
        while let Some(skip) = opener(&words[dropped..], &mut corrects) {
            dropped += skip;
        }
        words.drain(..dropped);
        while words.len() > 1
            && words.last().is_some_and(|w| {
                matches!(
                    w.norm.as_str(),
                    "please" | "though" | "btw" | "lol" | "haha" | "por favor"
                )
            })
        {
            words.pop();
        }
        let asks = words.first().is_some_and(|w| {
            matches!(
                w.norm.as_str(),
                "what"
                    | "who"
                    | "where"
                    | "when"
                    | "why"
                    | "how"
                    | "which"
                    | "whose"
                    | "is"
                    | "are"
                    | "do"
                    | "does"
                    | "did"
                    | "was"
                    | "were"
                    | "am"
                    | "can"
                    | "could"
                    | "should"
                    | "would"
                    | "will"
                    | "has"
                    | "have"
            )
        });
        let question = asks
            || raw
                .trim_end_matches(['"', '\'', ')', '!', ' '])
                .ends_with('?');
        Self {
            raw,
            words,
            question,
            corrects,
        }
    }

    /// What the captures of `pattern` matched, or nothing when the whole clause does not fit it.
    ///
    /// A pattern is words separated by spaces: `a|b` is either word, `?a` may be missing, `*` captures one
    /// word or more (as few as fit), `_` skips any number of words.
    pub(super) fn hit(&self, pattern: &str) -> Option<Vec<&'a str>> {
        let mut captures = Vec::new();
        fits(pattern, &self.words, 0, &mut captures).then(|| {
            captures
                .into_iter()
                .map(|range| self.slice(range))
                .collect()
        })
    }

    /// The captures of the first pattern that fits.
    pub(super) fn any(&self, patterns: &[&str]) -> Option<Vec<&'a str>> {
        patterns.iter().find_map(|pattern| self.hit(pattern))
    }

    /// Whether one of the patterns fits.
    pub(super) fn is(&self, patterns: &[&str]) -> bool {
        self.any(patterns).is_some()
    }

    /// Whether one of `words` stands in the clause.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|w| words.contains(&w.norm.as_str()))
    }

    /// The clause in comparable form.
    pub(super) fn norm(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|w| w.norm.as_str()).collect();
        words.join(" ")
    }

    /// The clause as written, from its first word that matters.
    pub(super) fn body(&self) -> &'a str {
        let start = self.words.first().map_or(0, |w| w.start);
        self.raw.get(start..).unwrap_or_default()
    }

    fn slice(&self, range: Range<usize>) -> &'a str {
        match (
            self.words.get(range.start),
            self.words.get(range.end.wrapping_sub(1)),
        ) {
            (Some(first), Some(last)) => {
                tidy(self.raw.get(first.start..last.end).unwrap_or_default())
            }
            _ => "",
        }
    }
}

/// How many words at the front are an opener without meaning, if any; never the whole clause.
fn opener(words: &[Word], corrects: &mut bool) -> Option<usize> {
    let at = |i: usize| words.get(i).map_or("", |w| w.norm.as_str());
    let asking = |word: &str| {
        matches!(
            word,
            "what" | "who" | "where" | "when" | "how" | "which" | "my" | "why" | "if"
        )
    };
    let skip = match (at(0), at(1), at(2)) {
        ("by", "the", "way") => 3,
        ("i", "mean", _) => 2,
        ("do", "you", "know" | "remember") if asking(at(3)) => 3,
        ("can" | "could" | "would" | "will", "you", "please") => 3,
        ("can" | "could" | "would" | "will", "you", _) if words.len() > 2 && at(2) != "do" => 2,
        ("tell" | "remind", "me", word) if asking(word) => 2,
        ("remind" | "tell", "me", "of") if asking(at(3)) => 3,
        ("actually" | "sorry" | "correction" | "wait" | "no" | "nope", _, _) => {
            *corrects = words.len() > 1;
            1
        }
        (
            "please" | "ok" | "okay" | "well" | "oh" | "so" | "hmm" | "um" | "and" | "but" | "then"
            | "now" | "also" | "btw" | "great" | "cool" | "nice" | "alright" | "right" | "ah"
            | "yes" | "yeah" | "anyway" | "kindly" | "just" | "again" | "perfect",
            _,
            _,
        ) => 1,
        _ => return None,
    };
    (words.len() > skip).then_some(skip)
}

fn fits(pattern: &str, words: &[Word], at: usize, captures: &mut Vec<Range<usize>>) -> bool {
    if pattern.is_empty() {
        return at == words.len();
    }
    let (head, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
    match head {
        "*" => (at + 1..=words.len()).any(|end| {
            captures.push(at..end);
            let fit = fits(rest, words, end, captures);
            if !fit {
                captures.pop();
            }
            fit
        }),
        "_" => (at..=words.len()).any(|next| fits(rest, words, next, captures)),
        _ => {
            let (optional, choices) = match head.strip_prefix('?') {
                Some(choices) => (true, choices),
                None => (false, head),
            };
            let here = words
                .get(at)
                .is_some_and(|w| choices.split('|').any(|choice| choice == w.norm));
            (here && fits(rest, words, at + 1, captures))
                || (optional && fits(rest, words, at, captures))
        }
    }
}

pub(super) fn cut(raw: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = raw.char_indices().peekable();
    let mut start = None;
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        if words.len() >= MAX_WORDS {
            return words;
        }
        let after = chars.peek().map_or(' ', |&(_, next)| next);
        let inside = start.is_some()
            && match c {
                '\'' | '\u{2019}' | '-' | '_' | '&' => {
                    before.is_alphanumeric() && after.is_alphanumeric()
                }
                '.' | ',' | ':' => before.is_ascii_digit() && after.is_ascii_digit(),
                _ => crate::tokens::is_mark(c),
            };
        if c.is_alphanumeric() || inside {
            start.get_or_insert(at);
        } else if let Some(from) = start.take() {
            push(&mut words, raw, from, at);
        }
        before = c;
    }
    if let Some(from) = start {
        push(&mut words, raw, from, raw.len());
    }
    words
}

/// Adds the word at `from..to`, a contraction as the two words it stands for.
fn push(words: &mut Vec<Word>, raw: &str, from: usize, to: usize) {
    let norm = fold(raw.get(from..to).unwrap_or_default());
    let whole = |norm: &str| Word {
        norm: norm.to_owned(),
        start: from,
        end: to,
    };
    let split = match norm.as_str() {
        "can't" | "cannot" => Some(("can", "not")),
        "won't" => Some(("will", "not")),
        "im" => Some(("i", "am")),
        "ive" => Some(("i", "have")),
        "whats" => Some(("what", "is")),
        "dont" => Some(("do", "not")),
        "gonna" => Some(("going", "to")),
        "wanna" => Some(("want", "to")),
        _ => None,
    };
    if let Some((first, second)) = split {
        words.extend([whole(first), whole(second)]);
        return;
    }
    if let Some((host, tail)) = norm.rsplit_once('\'') {
        let expanded = match tail {
            "m" => Some((host, "am")),
            "re" => Some((host, "are")),
            "ve" => Some((host, "have")),
            "ll" => Some((host, "will")),
            "d" => Some((host, "would")),
            "t" if host.ends_with('n') => host.strip_suffix('n').map(|verb| (verb, "not")),
            "s" if matches!(
                host,
                "what"
                    | "who"
                    | "where"
                    | "when"
                    | "how"
                    | "it"
                    | "that"
                    | "he"
                    | "she"
                    | "there"
                    | "here"
                    | "name"
                    | "why"
            ) =>
            {
                Some((host, "is"))
            }
            "s" if host == "let" => Some(("let", "us")),
            _ => None,
        };
        if let Some((first, second)) = expanded {
            words.extend([whole(first), whole(second)]);
            return;
        }
    }
    words.push(whole(match norm.as_str() {
        "favorite" | "favourites" | "favorites" => "favourite",
        "color" => "colour",
        "colors" => "colours",
        "u" => "you",
        "pls" | "plz" => "please",
        "thx" => "thanks",
        "summarize" => "summarise",
        "capitalize" => "capitalise",
        "gray" => "grey",
        other => other,
    }));
}

/// Lower case with plain apostrophes: the form words are compared in.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase().replace('\u{2019}', "'")
}

/// `text` without the punctuation and blanks around it.
pub(super) fn tidy(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '.' | ','
                    | '!'
                    | '?'
                    | ';'
                    | ':'
                    | '"'
                    | '\u{201c}'
                    | '\u{201d}'
                    | '*'
                    | '`'
                    | '¿'
                    | '¡'
            )
    })
}
