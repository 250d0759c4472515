//! Whole pieces of text: cutting messages into sentences and clauses, shortening, joining, turning "my" into "your".

use super::words::{cut, fold, tidy};

/// Cuts a message at sentence ends and line ends, keeping each end mark with its sentence.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        let ends = match c {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' => next.is_none_or(char::is_whitespace) && !shortened(text, at),
            _ => false,
        };
        if ends {
            let to = at + c.len_utf8();
            keep(&mut found, text.get(from..to));
            from = to;
        }
    }
    keep(&mut found, text.get(from..));
    found
}

fn keep<'a>(found: &mut Vec<&'a str>, sentence: Option<&'a str>) {
    if let Some(sentence) = sentence.map(str::trim).filter(|s| !s.is_empty()) {
        found.push(sentence);
    }
}

/// Whether the full stop at `at` closes an abbreviation rather than a sentence.
fn shortened(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let word = before
        .rsplit(|c: char| c.is_whitespace())
        .next()
        .unwrap_or_default();
    matches!(
        word,
        "Mr" | "Mrs" | "Ms" | "Dr" | "St" | "e.g" | "i.e" | "vs" | "etc" | "No" | "approx"
    ) && text[at..].starts_with('.')
        && word != "No"
}

/// Cuts a sentence where a new subject begins ("… and I …", "…, what is …"), so that each clause can be understood alone.
pub(super) fn clauses(sentence: &str) -> Vec<&str> {
    let words = cut(sentence);
    let mut found = Vec::new();
    let mut from = 0;
    let at = |i: usize| words.get(i).map_or("", |w| w.norm.as_str());
    for (i, word) in words.iter().enumerate().skip(1) {
        let previous = &words[i - 1];
        let comma = sentence
            .get(previous.end..word.start)
            .is_some_and(|gap| gap.contains([',', ';', '-', '\u{2014}']));
        let joined = matches!(previous.norm.as_str(), "and" | "but" | "so" | "y" | "pero");
        let greeted = i <= 2
            && matches!(
                at(0),
                "hi" | "hello" | "hey" | "hola" | "thanks" | "gracias" | "morning" | "greetings"
            );
        let verb_near = (i..i + 5).any(|j| {
            matches!(
                at(j),
                "is" | "are" | "was" | "likes" | "lives" | "has" | "works" | "es" | "se" | "loves"
            )
        });
        let begins = match word.norm.as_str() {
            "i" | "vivo" | "trabajo" | "soy" => true,
            "my" | "mi" | "it" | "he" | "she" | "his" | "her" => verb_near,
            "me" => matches!(at(i + 1), "llamo" | "gusta" | "gustan" | "encanta"),
            "tengo" => true,
            "what" | "who" | "where" | "how" | "when" | "can" | "could" | "do" | "please"
            | "add" | "tell" | "write" | "call" | "remember" | "qué" | "cómo" | "cuánto"
            | "dónde" => true,
            _ => false,
        };
        if begins && (comma || joined || greeted) && !(at(0) == "if" || at(0) == "when") {
            let to = if joined { previous.start } else { previous.end };
            let head = sentence.get(from..to).unwrap_or_default();
            // "No, I meant …" is one thought.
            let turn = matches!(
                fold(tidy(head)).as_str(),
                "no" | "actually" | "sorry" | "wait" | "well" | "oh" | "so" | "yes" | "ok"
            );
            if turn {
                continue;
            }
            if !tidy(head).is_empty() {
                keep(&mut found, Some(head));
            }
            from = word.start;
        }
    }
    keep(&mut found, sentence.get(from..));
    found
}

/// A 64-bit FNV-1a hash: the only source of variety this model has.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads a seed's bits, so that neighbouring seeds choose differently.
pub(super) fn mix(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// `text` on one line, at most `most` characters, with an ellipsis where it was cut.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if count + length + 1 > most {
            if line.is_empty() {
                line = crate::tokens::head(word, most.saturating_sub(1)).to_owned();
            }
            line.push('…');
            return line;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        count += length + 1;
    }
    line
}

/// "a, b and c".
pub(super) fn join(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} {and} {last}", head.join(", ")),
    }
}

/// Cuts "a, b and c" into its items; "salt and pepper" are two of them too.
pub(super) fn items(text: &str) -> Vec<String> {
    text.split([',', ';', '\n'])
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" & "))
        .map(|part| {
            tidy(part)
                .trim_start_matches("and ")
                .trim_start_matches("- ")
        })
        .map(|part| {
            ["some ", "a ", "an ", "the "]
                .iter()
                .find_map(|article| part.strip_prefix(article))
                .unwrap_or(part)
        })
        .filter(|part| !part.is_empty())
        .map(|part| clip(part, 80))
        .collect()
}

/// Turns the speaker's words into words about the listener: "my dog" becomes "your dog".
pub(super) fn to_you(text: &str) -> String {
    let turned: Vec<String> = text
        .split_whitespace()
        .map(|word| {
            let core = tidy(word);
            let turned = match fold(core).as_str() {
                "i" | "me" => "you",
                "my" => "your",
                "mine" => "yours",
                "am" => "are",
                "i'm" => "you're",
                "i've" => "you've",
                "i'll" => "you'll",
                "i'd" => "you'd",
                "myself" => "yourself",
                _ => return word.to_owned(),
            };
            word.replacen(core, turned, 1)
        })
        .collect();
    turned.join(" ")
}

/// The words of `text` that carry meaning, in comparable form, in order, at most `most` of them.
pub(super) fn content(text: &str, most: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in cut(text) {
        if found.len() >= most {
            break;
        }
        let weighty = word.norm.chars().count() > 2 && !STOP.contains(&word.norm.as_str());
        if weighty && !found.contains(&word.norm) {
            found.push(word.norm);
        }
    }
    found
}

/// Words too common to say what a text is about.
const STOP: &[&str] = &[
    "the",
    "and",
    "for",
    "are",
    "but",
    "not",
    "you",
    "your",
    "all",
    "any",
    "can",
    "had",
    "her",
    "was",
    "one",
    "our",
    "out",
    "has",
    "him",
    "his",
    "how",
    "its",
    "may",
    "new",
    "now",
    "old",
    "see",
    "two",
    "who",
    "did",
    "get",
    "let",
    "say",
    "she",
    "too",
    "use",
    "that",
    "with",
    "have",
    "this",
    "will",
    "from",
    "they",
    "know",
    "want",
    "been",
    "good",
    "much",
    "some",
    "time",
    "very",
    "when",
    "come",
    "here",
    "just",
    "like",
    "long",
    "make",
    "many",
    "more",
    "only",
    "over",
    "such",
    "take",
    "than",
    "them",
    "well",
    "were",
    "what",
    "about",
    "could",
    "would",
    "should",
    "there",
    "their",
    "which",
    "think",
    "really",
    "because",
    "into",
    "then",
    "also",
    "does",
    "mine",
    "most",
    "other",
    "these",
    "those",
    "where",
    "while",
    "after",
    "before",
    "going",
    "went",
    "today",
    "said",
    "tell",
    "please",
    "write",
    "give",
    "something",
    "anything",
    "thing",
    "things",
    "short",
    "little",
    "got",
    "put",
    "yes",
    "per",
    "why",
    "off",
    "own",
    "way",
    "even",
    "lot",
    "still",
    "quite",
    "every",
    "each",
    "both",
    "never",
    "always",
    "explain",
    "show",
    "help",
    "made",
    "que",
    "los",
    "las",
    "una",
    "por",
    "con",
    "para",
    "del",
    "como",
    "más",
    "pero",
    "sus",
    "este",
    "esta",
    "qué",
    "quién",
    "dónde",
    "cuándo",
    "cuál",
    "cómo",
    "poem",
    "story",
    "haiku",
    "actually",
    "maybe",
    "want",
    "need",
    "best",
    "day",
    "let",
    "explícame",
];
