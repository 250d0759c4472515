//! Whole conversations, and the proof that a model without memory or sense would not get through them.

use super::super::{Turn, reply};
use super::{Dialogue, bar, hear, hold};

const DIALOGUES: &[Dialogue] = &[
    Dialogue {
        name: "memory of a person",
        system: "",
        beats: &[
            hear("Hi!", &[]),
            hear("My name is Ana and I live in Lisbon.", &["ana", "lisbon"]),
            hear("I love jazz and black coffee.", &["jazz"]),
            hear("What's my name?", &["ana"]),
            hear("Where do I live?", &["lisbon"]),
            hear("What do I like?", &["jazz", "black coffee"]),
            hear("I have a dog called Rex", &["dog"]),
            hear("what's my dog's name?", &["rex"]),
            hear(
                "what do you know about me?",
                &["ana", "lisbon", "jazz", "rex"],
            ),
        ],
    },
    Dialogue {
        name: "corrections",
        system: "",
        beats: &[
            hear("my name is Ana", &["ana"]),
            hear("actually my name is Joan", &["joan"]),
            bar("what is my name?", &["joan"], &["ana."]),
            hear("my favourite film is Alien", &["alien"]),
            hear("no, I meant Aliens", &["aliens"]),
            hear("what's my favourite film?", &["aliens"]),
            hear("I live in Leeds", &["leeds"]),
            hear("I moved to York last year", &["york"]),
            bar("where do I live now?", &["york"], &["leeds"]),
            hear("what was my favourite film before?", &["alien"]),
        ],
    },
    Dialogue {
        name: "what was said",
        system: "",
        beats: &[
            hear("The kettle is broken.", &[]),
            hear("What is gRPC?", &["protocol buffers"]),
            hear("I went to the harbour yesterday", &[]),
            hear("what did I say first?", &["the kettle is broken"]),
            hear(
                "what did I say about the harbour?",
                &["i went to the harbour yesterday"],
            ),
            hear(
                "what did you answer when I asked about gRPC?",
                &["protocol buffers"],
            ),
            hear("how many messages have I sent?", &["7"]),
            hear("what was my second message?", &["what is grpc?"]),
            hear("recap", &["kettle", "harbour"]),
        ],
    },
    Dialogue {
        name: "forgetting",
        system: "",
        beats: &[
            hear("I'm Tom and I like chess", &["tom", "chess"]),
            hear("what's my name", &["tom"]),
            hear("forget my name", &["your name"]),
            bar("what's my name?", &[], &["tom"]),
            hear("what do I like?", &["chess"]),
            hear("forget everything", &[]),
            bar("what do you know about me?", &[], &["chess", "tom"]),
        ],
    },
    Dialogue {
        name: "arithmetic with follow-ups",
        system: "",
        beats: &[
            hear("What is 12 * 7?", &["84"]),
            hear("and times 3?", &["252"]),
            hear("divide that by 4", &["63"]),
            hear("plus 10%", &["69.3"]),
            hear("what is 17% of 340?", &["57.8"]),
            hear("add 0.2", &["58"]),
            hear("half of that", &["29"]),
            hear("is it prime?", &["yes", "29"]),
            hear("two hundred and five minus thirty-two", &["173"]),
            hear("let x be 6", &["6"]),
            hear("what is x squared + 1?", &["37"]),
            bar("what is 10 / 0?", &["zero"], &["37"]),
        ],
    },
    Dialogue {
        name: "lists",
        system: "",
        beats: &[
            hear(
                "add milk, eggs and bread to my shopping list",
                &["milk", "eggs", "bread"],
            ),
            hear("also add butter", &["butter", "4"]),
            hear("what is on the list?", &["milk", "eggs", "bread", "butter"]),
            hear("remove the eggs from the list", &["eggs"]),
            bar("show me the list", &["milk", "bread", "butter"], &["eggs"]),
            hear("add call Linda to my to-do list", &["call linda"]),
            bar("what's on my shopping list?", &["milk"], &["linda"]),
            hear("is milk on the list?", &["yes"]),
            hear("how many items are on it?", &["3"]),
            hear("clear my shopping list", &["empty"]),
            bar("what's on my shopping list?", &["empty"], &["butter"]),
            hear("what's on my to-do list?", &["call linda"]),
        ],
    },
    Dialogue {
        name: "a topic, and more of it",
        system: "",
        beats: &[
            hear("What is Rust?", &["owner"]),
            bar("tell me more", &["borrow"], &["garbage"]),
            hear("go on", &["result"]),
            hear("continue", &["rust"]),
            hear("how many moons does Mars have?", &["phobos"]),
            hear("how big is it?", &["6,792"]),
            hear("and Jupiter?", &["142,984"]),
            hear("what is the capital of Australia?", &["canberra"]),
            hear("and Japan?", &["tokyo"]),
            hear("what do blue and yellow make?", &["green"]),
        ],
    },
    Dialogue {
        name: "a name and one sentence",
        system: "You are Clio, a helpful assistant. Answer in one sentence.",
        beats: &[
            hear("hello, who are you?", &["clio"]),
            bar(
                "what is gRPC?",
                &["protocol buffers"],
                &["four kinds", "deadline"],
            ),
            bar("what is HTTP/2?", &["single connection"], &["hpack"]),
            bar("what can you do?", &["remember"], &["\n"]),
            hear("what's your name?", &["clio"]),
        ],
    },
    Dialogue {
        name: "español",
        system: "",
        beats: &[
            hear("¡Hola! Me llamo Lucía", &["lucía"]),
            hear(
                "vivo en Sevilla y me gusta el flamenco",
                &["vives en sevilla", "flamenco"],
            ),
            hear("¿cómo me llamo?", &["lucía"]),
            hear("¿dónde vivo?", &["sevilla"]),
            hear("¿qué me gusta?", &["flamenco"]),
            hear("recuerda que mi tren sale a las nueve", &["tren"]),
            hear("¿cuándo sale mi tren?", &["nueve"]),
            hear("¿cuánto es 12 por 7?", &["84"]),
            hear("y por 2?", &["168"]),
            hear("ayuda", &["puedo", "recordar"]),
            hear("en realidad me llamo Lucía Ruiz", &["lucía ruiz"]),
            hear("¿qué sabes de mí?", &["lucía ruiz", "sevilla", "flamenco"]),
            hear("adiós", &["lucía"]),
        ],
    },
    Dialogue {
        name: "english asked to be spanish",
        system: "Responde siempre en español.",
        beats: &[
            bar("hello", &[], &["hello", "what"]),
            hear("my name is Bob", &["bob"]),
            hear("what's my name?", &["bob", "llam"]),
            hear("what is gRPC?", &["permite"]),
        ],
    },
    Dialogue {
        name: "pets, plans and pronouns",
        system: "",
        beats: &[
            hear("I just adopted a puppy", &["puppy"]),
            hear("her name is Luna", &["luna"]),
            hear("what is my puppy's name?", &["luna"]),
            hear("write a haiku about my puppy", &["luna"]),
            hear("she is very naughty", &["luna"]),
            hear(
                "I'm going to paint the fence on Saturday",
                &["paint the fence"],
            ),
            hear("what are my plans?", &["paint the fence on saturday"]),
            hear("Remember that the wifi code is 4471", &["4471"]),
            hear("what is the wifi code?", &["4471"]),
            hear("my lucky number is 7", &["7"]),
            hear("what is my lucky number times 6?", &["42"]),
        ],
    },
    Dialogue {
        name: "measures and dates",
        system: "",
        beats: &[
            hear("convert 10 km to miles", &["6.2137"]),
            hear("and in feet?", &["32,808.4"]),
            hear("100 f in celsius", &["37.7778"]),
            bar("what day is it today?", &["clock"], &["monday"]),
            hear("today is 3 May 2026", &["sunday"]),
            hear("how many days until Christmas?", &["236"]),
            hear("my birthday is 12 June", &["12 june"]),
            hear("how long until my birthday?", &["40"]),
            hear("what day of the week was 20 July 1969?", &["sunday"]),
            hear("how many days between 3 May 2024 and 2024-12-25?", &["236"]),
        ],
    },
    Dialogue {
        name: "honesty",
        system: "",
        beats: &[
            hear("are you human?", &["no", "model"]),
            hear(
                "who won the world cup in 1998?",
                &[
                    "offline",
                    "ATELIER_CHAT_URL",
                    "ATELIER_CHAT_API_KEY",
                    "ATELIER_CHAT_MODELS",
                    "restart",
                ],
            ),
            hear(
                "how do I connect a real model?",
                &["ATELIER_CHAT_URL", "OpenAI-compatible"],
            ),
            bar("flip a coin", &[], &["heads", "tails"]),
            hear("what is Atelier?", &["pictures", "speech", "grpc"]),
            hear("how do credits work?", &["reserved"]),
        ],
    },
    Dialogue {
        name: "capitals, on and off",
        system: "Answer in capitals.",
        beats: &[
            hear("my favourite colour is green", &["green"]),
            hear("what is my favourite colour?", &["green"]),
            hear("stop using capitals", &[]),
            hear("what is my favourite colour?", &["green"]),
        ],
    },
    Dialogue {
        name: "small work on text",
        system: "",
        beats: &[
            hear("reverse \"hello world\"", &["dlrow olleh"]),
            hear("how many r's in strawberry?", &["3"]),
            hear("times 4", &["12"]),
            hear("is racecar a palindrome?", &["yes"]),
            hear("sort: pear, apple, fig", &["apple, fig, pear"]),
            hear("count the words in: one two three four", &["4"]),
            bar(
                "summarise: The mesh is one binary. It runs many roles. The binary paints pictures. Rain fell yesterday.",
                &["binary"],
                &["rain"],
            ),
            hear("my name is Iris", &["iris"]),
            hear("spell my name backwards", &["siri"]),
        ],
    },
];

#[test]
fn every_dialogue_is_held() {
    let misses: Vec<String> = DIALOGUES
        .iter()
        .flat_map(|dialogue| hold(dialogue, &reply))
        .collect();
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

#[test]
fn there_are_enough_dialogues_and_they_are_long_enough() {
    assert!(DIALOGUES.len() >= 10);
    for dialogue in DIALOGUES {
        assert!(dialogue.beats.len() >= 4, "{}", dialogue.name);
    }
}

/// Each of these shams must fail every dialogue, or the dialogue proves nothing.
#[test]
fn shams_fail_every_dialogue() {
    let echo = |turns: &[Turn<'_>]| turns.last().map_or("", |turn| turn.text).to_owned();
    let constant = |_: &[Turn<'_>]| {
        "I'm the built-in offline model. Set ATELIER_CHAT_URL and restart.".to_owned()
    };
    let parrot = |turns: &[Turn<'_>]| {
        let texts: Vec<&str> = turns.iter().map(|turn| turn.text).collect();
        texts.join(" ")
    };
    let forgetful = |turns: &[Turn<'_>]| reply(&turns[turns.len().saturating_sub(1)..]);
    let shams: [(&str, super::Model<'_>); 4] = [
        ("echo", &echo),
        ("constant", &constant),
        ("parrot of everything said", &parrot),
        ("the model without its memory", &forgetful),
    ];
    for (name, sham) in shams {
        for dialogue in DIALOGUES {
            // What one turn alone can answer, a model without memory answers as well.
            let memoryless = ["honesty", "capitals, on and off"].contains(&dialogue.name);
            if memoryless && name == "the model without its memory" {
                continue;
            }
            // Everything ever said holds every fact, and capitals are looked at elsewhere.
            if name == "parrot of everything said" || dialogue.name == "capitals, on and off" {
                continue;
            }
            assert!(
                !hold(dialogue, sham).is_empty(),
                "{name} gets through {}",
                dialogue.name
            );
        }
        let all: usize = DIALOGUES
            .iter()
            .map(|dialogue| hold(dialogue, sham).len())
            .sum();
        let beats: usize = DIALOGUES.iter().map(|dialogue| dialogue.beats.len()).sum();
        assert!(all * 4 > beats, "{name} misses only {all} of {beats}");
    }
}
