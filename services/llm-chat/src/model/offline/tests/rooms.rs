//! One thing at a time: styles, titles, numbers, verses and variety.

use std::collections::HashSet;

use super::super::{Speaker, Turn, reply, title};
use super::{last_of, to};

fn under<'a>(system: &'a str, text: &'a str) -> String {
    reply(&[
        Turn {
            speaker: Speaker::System,
            text: system,
        },
        Turn {
            speaker: Speaker::User,
            text,
        },
    ])
}

#[test]
fn capitals_are_capitals_until_they_are_stopped() {
    let loud = under("Answer in capitals.", "what is Rust?");
    assert_eq!(loud, loud.to_uppercase());
    let calm = last_of(&["answer in capitals", "stop using capitals", "what is Rust?"]);
    assert_ne!(calm, calm.to_uppercase());
    let asked = last_of(&["please answer in capitals", "what is Rust?"]);
    assert_eq!(asked, asked.to_uppercase());
}

#[test]
fn one_sentence_is_one_sentence() {
    for question in [
        "what is HTTP/2?",
        "write a poem about the sea",
        "how do I connect a model?",
        "hello! who are you?",
    ] {
        let said = under("Please answer in one sentence.", question);
        assert!(!said.contains('\n'), "{said}");
        assert!(super::super::phrases::sentences(&said).len() == 1, "{said}");
    }
}

#[test]
fn an_ending_and_a_role_are_kept() {
    assert!(under("End every answer with \"Amen.\"", "what is 2+2?").ends_with("Amen."));
    assert!(under("You are a pirate captain.", "hello").starts_with("Arr!"));
    assert!(under("Your name is Max Power.", "what is your name?").contains("Max Power"));
}

#[test]
fn answers_to_the_unknown_vary() {
    let questions = [
        "who painted the night watch?",
        "what is photosynthesis?",
        "why is bread brown?",
        "how do I fix a bicycle?",
        "who is the king of Norway?",
        "what is a monad?",
        "when did the war end?",
        "how tall is the Eiffel Tower?",
        "what is dark matter?",
        "who wrote Ulysses?",
    ];
    let said: HashSet<String> = questions.iter().map(|question| to(question)).collect();
    assert!(said.len() >= 8, "{said:#?}");
    let openings: HashSet<String> = said
        .iter()
        .map(|text| text.chars().take(12).collect())
        .collect();
    assert!(openings.len() >= 3, "{openings:?}");
}

#[test]
fn greetings_and_statements_vary() {
    let greetings: HashSet<String> = [
        "hi",
        "hello",
        "hey",
        "Hi!",
        "Hello there",
        "hey there",
        "good morning",
        "howdy",
    ]
    .iter()
    .map(|text| to(text))
    .collect();
    assert!(greetings.len() >= 3, "{greetings:?}");
    let jokes: Vec<String> = (1..5)
        .map(|n| {
            last_of(
                &[
                    "tell me a joke",
                    "another one",
                    "another one",
                    "another one",
                ][..n],
            )
        })
        .collect();
    let kinds: HashSet<&String> = jokes.iter().collect();
    assert_eq!(kinds.len(), 4, "no joke twice in a row: {jokes:?}");
}

#[test]
fn sums_are_right() {
    for (asked, answer) in [
        ("3 + 4 * (2 - 1)", "7"),
        ("2^10", "1024"),
        ("7!", "5040"),
        ("what is 0.1 + 0.2?", "0.3"),
        ("123456789 * 987654321", "121,932,631,112,635,269"),
        ("what's five times six", "30"),
        ("square root of 144", "12"),
        ("average of 3, 4 and 8", "5"),
        ("the sum of 1, 2, 3 and 4", "10"),
        ("1/3", "0.333333"),
        ("-5 + 3", "-2"),
        ("17 mod 5", "2"),
        ("subtract 4 from 10", "6"),
        ("20 percent of 50", "10"),
        (
            "if I have 3 cats and buy 2 more, how many cats do I have?",
            "5",
        ),
        ("12 x 12", "144"),
        ("(1 + 2) * (3 + 4)", "21"),
        ("5 apples plus 3 apples", "8"),
    ] {
        assert!(to(asked).contains(answer), "{asked}: {}", to(asked));
    }
    // Numbers alone, years and telephone numbers are not sums.
    for text in [
        "call me at 555-1234 tomorrow",
        "I was born in 1990",
        "chapter 3 is long",
    ] {
        assert!(!to(text).contains('='), "{text}: {}", to(text));
    }
}

#[test]
fn pieces_of_verse_keep_their_form_and_subject() {
    for noun in [
        "rain",
        "a lighthouse",
        "the old harbour",
        "winter",
        "my grandmother",
        "fog",
        "potato",
    ] {
        let haiku = to(&format!("write a haiku about {noun}"));
        assert_eq!(haiku.lines().count(), 3, "{haiku}");
        let bare = noun.rsplit(' ').next().unwrap_or(noun);
        assert!(haiku.to_lowercase().contains(bare), "{haiku}");
    }
    let story = to("write a short story about a fox and a lantern");
    assert!(
        story.contains("fox") && story.contains("lantern"),
        "{story}"
    );
    assert_ne!(
        last_of(&["write a haiku about rain", "another one"]),
        to("write a haiku about rain")
    );
    assert_eq!(to("write a limerick about a frog").lines().count(), 5);
}

#[test]
fn titles_are_short_and_say_something() {
    assert_eq!(title("What is gRPC?"), "gRPC");
    assert_eq!(
        title("hello! Write me a poem about the sea, please."),
        "Poem about the sea"
    );
    assert_eq!(title(""), "Conversation");
    assert_eq!(title("?!"), "Conversation");
    for text in [
        "ß".repeat(500),
        "word ".repeat(300),
        "👩‍👩‍👧".repeat(90),
        "a\u{301}".repeat(200),
        "x\ny\u{0}z".to_owned(),
    ] {
        let title = title(&text);
        assert!(!title.is_empty() && title.chars().count() <= 60, "{title}");
        assert!(!title.contains('\n') && !title.contains('\0'));
    }
}

#[test]
fn someone_in_danger_is_sent_to_people() {
    for text in [
        "I want to kill myself",
        "i have been thinking about suicide lately",
        "quiero morir",
    ] {
        assert!(to(text).contains("emergency"), "{}", to(text));
    }
}

#[test]
fn an_answer_that_was_edited_or_missing_does_not_confuse() {
    let turns = [
        Turn {
            speaker: Speaker::User,
            text: "my name is Ana",
        },
        Turn {
            speaker: Speaker::User,
            text: "I like tea",
        },
        Turn {
            speaker: Speaker::Assistant,
            text: "Something another model said.",
        },
        Turn {
            speaker: Speaker::User,
            text: "what's my name?",
        },
    ];
    assert!(reply(&turns).contains("Ana"));
    let quoted = reply(
        &[
            &turns[..3],
            &[Turn {
                speaker: Speaker::User,
                text: "what did you just say?",
            }],
        ]
        .concat(),
    );
    assert!(quoted.contains("Something another model said."), "{quoted}");
    assert!(!reply(&[]).is_empty());
    assert!(
        !reply(&[Turn {
            speaker: Speaker::Assistant,
            text: "hm"
        }])
        .is_empty()
    );
}
