//! Odd and huge input: nothing panics, everything is bounded, the same turns get the same reply, pieces are exact.

use std::time::{Duration, Instant};

use super::super::{MAX_REPLY, Speaker, Turn, reply, title};
use crate::tokens::{count_tokens, pieces};

/// A small generator of its own, so that a failure comes back every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or(0)
    }

    /// Text of words the model listens to, figures, marks and characters from everywhere.
    fn text(&mut self, most: usize) -> String {
        const WORDS: &[&str] = &[
            "my",
            "name",
            "is",
            "what",
            "I",
            "like",
            "add",
            "to",
            "list",
            "the",
            "remove",
            "forget",
            "12",
            "3.5",
            "+",
            "*",
            "(",
            ")",
            "^",
            "!",
            "%",
            "of",
            "sum",
            "divide",
            "by",
            "it",
            "write",
            "a",
            "poem",
            "about",
            "convert",
            "km",
            "miles",
            "days",
            "between",
            "2024-02-30",
            "31 April",
            "and",
            "?",
            ".",
            "\n",
            ":",
            "\"",
            "hola",
            "me",
            "llamo",
            "¿",
            "qué",
            "tell",
            "more",
            "reverse",
            "how",
            "many",
            "letters",
            "in",
            "answer",
            "capitals",
            "-",
            "--",
            "99999999999999999999",
            "é",
            "e\u{301}",
            "👩‍👩‍👧",
            "🇪🇸",
            "नमस्ते",
            "한국어",
            "\r\n",
            "\u{0}",
            "ß",
            "İ",
            "ﬃ",
            "\u{202E}",
            "\u{FEFF}",
            "’",
            "I'm",
            "don't",
            "x",
            "=",
            "let",
            "0",
            "/",
            "summarise:",
            "sort:",
            "factorial",
            "root",
            "square",
            "percent",
            "9223372036854775807",
            "1e999",
            "call",
            "quiz",
            "another",
            "one",
            "today",
            "weeks",
            "after",
        ];
        let mut text = String::new();
        for _ in 0..self.roll(most) {
            match self.roll(8) {
                0 => text.extend(char::from_u32(
                    u32::try_from(self.roll(0x11_0000)).unwrap_or(0),
                )),
                1 => text.extend(char::from_u32(u32::try_from(self.roll(0x300)).unwrap_or(0))),
                _ => {
                    text.push_str(WORDS[self.roll(WORDS.len())]);
                    if self.roll(4) > 0 {
                        text.push(' ');
                    }
                }
            }
        }
        text
    }
}

fn check(turns: &[Turn<'_>]) -> String {
    let said = reply(turns);
    assert!(!said.trim().is_empty());
    assert!(said.chars().count() <= MAX_REPLY);
    assert_eq!(pieces(&said).concat(), said);
    said
}

#[test]
fn no_text_panics_and_replies_are_bounded_and_repeatable() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..400 {
        let texts: Vec<(Speaker, String)> = (0..1 + dice.roll(8))
            .map(|_| {
                let speaker = [
                    Speaker::User,
                    Speaker::User,
                    Speaker::Assistant,
                    Speaker::System,
                ][dice.roll(4)];
                (speaker, dice.text(40))
            })
            .collect();
        let turns: Vec<Turn<'_>> = texts
            .iter()
            .map(|(speaker, text)| Turn {
                speaker: *speaker,
                text,
            })
            .collect();
        assert_eq!(check(&turns), reply(&turns));
    }
}

#[test]
fn pieces_are_exact_and_counted_alike() {
    let mut dice = Dice(88_172_645_463_325_252);
    for _ in 0..500 {
        let text = dice.text(60);
        let cut = pieces(&text);
        assert_eq!(cut.concat(), text);
        assert!(cut.iter().all(|piece| !piece.is_empty()));
        assert_eq!(
            usize::try_from(count_tokens(&text)).ok(),
            Some(cut.len()),
            "{text:?}"
        );
        let title = title(&text);
        assert!(!title.is_empty() && title.chars().count() <= 60);
    }
    assert!(pieces("").is_empty());
    assert_eq!(count_tokens(""), 0);
}

#[test]
fn no_piece_begins_inside_a_character() {
    for whole in [
        "e\u{301}",
        "👩‍👩‍👧",
        "👍🏽",
        "🇪🇸",
        "\r\n",
        "क्षि",
        "नि",
        "각",
        "\u{1112}\u{1161}\u{11AB}",
        "☎\u{FE0F}",
        "กำ",
    ] {
        for text in [
            whole.to_owned(),
            format!("abcdefghijkl{whole}"),
            whole.repeat(40),
            format!(" {whole} {whole}!"),
        ] {
            let mut at = 0;
            let starts: Vec<usize> = text.match_indices(whole).map(|(start, _)| start).collect();
            for piece in pieces(&text) {
                assert!(
                    !starts
                        .iter()
                        .any(|start| at > *start && at < start + whole.len()),
                    "{text:?} at {at}"
                );
                at += piece.len();
            }
        }
    }
}

#[test]
fn pieces_look_like_tokens() {
    assert_eq!(pieces("Hello, world!"), ["Hello", ",", " world", "!"]);
    assert_eq!(pieces("12345"), ["123", "45"]);
    assert_eq!(pieces("a  b\n\nc"), ["a", " ", " b", "\n\n", "c"]);
    assert_eq!(pieces("你好"), ["你", "好"]);
    let prose = "The quick brown fox jumps over the lazy dog while the autumn rain keeps falling on the quiet street.";
    let words = prose.split(' ').count();
    let tokens = usize::try_from(count_tokens(prose)).unwrap_or(0);
    assert!((words..=words * 3 / 2).contains(&tokens), "{tokens}");
}

/// A megabyte takes a fraction of a second in a release build; the bound leaves room for a debug build on a busy machine.
#[test]
fn a_megabyte_is_answered_in_time() {
    let shapes: [String; 10] = [
        "a".repeat(1 << 20),
        "my name is ".repeat(100_000),
        "I like tea. ".repeat(90_000),
        "add milk to my list and ".repeat(45_000),
        "((((((((".repeat(130_000),
        "1+".repeat(500_000),
        "👩‍👩‍👧".repeat(60_000),
        format!(
            "summarise: {}",
            "The mesh is one binary. It paints. ".repeat(30_000)
        ),
        "\n".repeat(1 << 20),
        "e\u{301}".repeat(350_000),
    ];
    for text in &shapes {
        let start = Instant::now();
        check(&[Turn {
            speaker: Speaker::User,
            text,
        }]);
        check(&[
            Turn {
                speaker: Speaker::System,
                text,
            },
            Turn {
                speaker: Speaker::User,
                text,
            },
            Turn {
                speaker: Speaker::Assistant,
                text,
            },
            Turn {
                speaker: Speaker::User,
                text: "what did I say first?",
            },
        ]);
        assert_eq!(
            pieces(text).len(),
            usize::try_from(count_tokens(text)).unwrap_or(0)
        );
        assert!(title(text).chars().count() <= 60);
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?} for {:?}…",
            start.elapsed(),
            crate::tokens::head(text, 20)
        );
    }
}

#[test]
fn many_turns_are_answered_in_time_and_the_first_is_kept() {
    let texts: Vec<String> = (0..60_000)
        .map(|n| {
            if n == 0 {
                "my name is Ana".to_owned()
            } else {
                format!("I like thing{n} and 3 + {n}")
            }
        })
        .collect();
    let mut turns: Vec<Turn<'_>> = texts
        .iter()
        .map(|text| Turn {
            speaker: Speaker::User,
            text,
        })
        .collect();
    turns.push(Turn {
        speaker: Speaker::User,
        text: "what's my name?",
    });
    let start = Instant::now();
    assert!(check(&turns).contains("Ana"));
    turns.push(Turn {
        speaker: Speaker::User,
        text: "how many messages have I sent?",
    });
    assert!(check(&turns).contains("60002"));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}
