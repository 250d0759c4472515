//! Cuts readable text into pieces that are spoken one at a time; it changes no word.

/// The longest piece, in bytes: some twenty seconds of ordinary speech. A caller who cancels waits for one piece at
/// most, and one piece is what is held in memory.
const LONGEST: usize = 280;
/// A piece at least this long may end at a comma when the whole sentence would be too long.
const SHORTEST_CLAUSE: usize = 80;

/// Words that end with a full stop and do not end a sentence, without the stop and in lower case.
const ABBREVIATIONS: [&str; 39] = [
    "adm", "apr", "aug", "ave", "blvd", "capt", "col", "dec", "dept", "dr", "feb", "fig", "fr",
    "gen", "gov", "hon", "inc", "jan", "jr", "jul", "jun", "lt", "ltd", "mar", "mr", "mrs", "ms",
    "mt", "nov", "oct", "prof", "rep", "rev", "sen", "sep", "sgt", "sr", "st", "vol",
];

/// The pieces of `text`, in order, each a sentence or a clause of a very long one. Words are never cut, and no piece is
/// longer than 280 bytes unless one word is.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for paragraph in text.split('\n') {
        let mut piece = String::new();
        let mut words = paragraph
            .split(' ')
            .filter(|word| !word.is_empty())
            .peekable();
        while let Some(word) = words.next() {
            if !piece.is_empty() && piece.len() + 1 + word.len() > LONGEST {
                let rest = cut_at_clause(&mut piece);
                pieces.push(std::mem::replace(&mut piece, rest));
            }
            if !piece.is_empty() {
                piece.push(' ');
            }
            piece.push_str(word);
            if ends_sentence(word, words.peek().copied()) {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}

/// Shortens `piece` to its last clause end, if it has one that is not too early, and returns what came after.
fn cut_at_clause(piece: &mut String) -> String {
    let clause = piece
        .rmatch_indices([',', ';', ':'])
        .map(|(at, mark)| at + mark.len())
        .find(|end| piece[*end..].starts_with(' '));
    match clause {
        Some(end) if end >= SHORTEST_CLAUSE => {
            let rest = piece[end..].trim_start().to_owned();
            piece.truncate(end);
            rest
        }
        _ => String::new(),
    }
}

fn ends_sentence(word: &str, next: Option<&str>) -> bool {
    let bare = word.trim_end_matches(['"', '\'', ')']);
    if bare.ends_with(['?', '!']) {
        return true;
    }
    let Some(stem) = bare.strip_suffix('.') else {
        return false;
    };
    let Some(next) = next else {
        return true;
    };
    // A figure opens no sentence: "No. 5" and "Fig. 3" are far more common.
    let opens = next
        .trim_start_matches(['"', '\'', '('])
        .starts_with(char::is_uppercase);
    let stem = stem.trim_start_matches(['"', '\'', '(']);
    let initial = stem.chars().count() == 1 && stem.chars().all(char::is_uppercase);
    let dotted = stem.contains('.');
    opens && !initial && !dotted && !ABBREVIATIONS.contains(&stem.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_stops_inside_names_end_nothing() {
        let text = "Dr. A. Smith lives at 5 St. John's Rd. in the U.S. Capitol area. He left! Did he? Yes.";
        assert_eq!(
            sentences(text),
            [
                "Dr. A. Smith lives at 5 St. John's Rd. in the U.S. Capitol area.",
                "He left!",
                "Did he?",
                "Yes."
            ]
        );
        assert_eq!(
            sentences("It cost 3.50 at Mt. Hope"),
            ["It cost 3.50 at Mt. Hope"]
        );
        assert_eq!(
            sentences("\"Go.\" \"Why?\" (No.)"),
            ["\"Go.\"", "\"Why?\"", "(No.)"]
        );
    }

    #[test]
    fn a_paragraph_ends_a_sentence() {
        assert_eq!(
            sentences("A title\nand its text"),
            ["A title", "and its text"]
        );
        assert!(sentences("").is_empty());
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn long_sentences_are_cut_between_clauses_and_lose_nothing() {
        let text = "one two three four, five six seven eight nine ten ".repeat(40);
        let pieces = sentences(&text);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST));
        let (last, full) = pieces.split_last().unwrap();
        assert!(
            full.iter().all(|piece| piece.ends_with("four,")),
            "{full:?}"
        );
        assert!(!last.is_empty());
        assert_eq!(pieces.join(" "), text.trim());

        let plain = "word ".repeat(1000);
        let pieces = sentences(&plain);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST));
        assert_eq!(pieces.join(" "), plain.trim());
    }
}
