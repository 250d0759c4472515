//! Jokes, a quiz and choices between two things; nothing in it is left to chance.

use super::phrases::{clip, content, to_you};
use super::talk::{Act, Part, Pending, Talk};
use super::words::{Line, fold};

const JOKES: [&str; 8] = [
    "Why did the gRPC call bring a coat? It had heard about the deadline \
             propagating a cold.",
    "I asked the borrow checker for a book. It said only one of us may hold \
             it, and it had to know when I'd give it back.",
    "There are ten kinds of people: those who read binary and those who don't.",
    "A photon checks into a hotel. \"Any luggage?\" \"No, I'm travelling light.\"",
    "I told my clock a secret. Now it's only a matter of time.",
    "Two fish are in a tank. One says to the other: \"Do you know how to \
             drive this?\"",
    "Why don't skeletons argue? They haven't the guts.",
    "I'd tell you the one about UDP, but you might not get it.",
];
const CHISTES: [&str; 3] = [
    "¿Qué le dice un bit a otro? Nos vemos en el bus.",
    "—Camarero, este filete tiene muchos nervios. —Normal, es la primera vez \
             que lo comen.",
    "¿Qué hace una abeja en el gimnasio? ¡Zum-ba!",
];
const QUIZ: [(&str, &str, &str); 6] = [
    (
        "Which planet has the tallest known volcano?",
        "mars",
        "It's Mars: Olympus Mons, some 22 km high.",
    ),
    (
        "How many syllables does a haiku's middle line have?",
        "seven|7",
        "Seven, between two lines of five.",
    ),
    (
        "Which colour do blue and yellow paint make?",
        "green",
        "Green.",
    ),
    (
        "What is the capital of Australia?",
        "canberra",
        "Canberra, not Sydney.",
    ),
    (
        "In which wire format do gRPC messages usually travel?",
        "protobuf|protocol buffers|protocol",
        "Protocol Buffers.",
    ),
    ("What is 17 times 3?", "51|fifty-one", "51."),
];

pub(super) fn play(talk: &mut Talk, line: &Line) -> Option<String> {
    if line.is(&[
        "?tell|give|know|say|do|got|have ?me|you ?us ?know ?a|another|any \
             ?good|funny|other joke|jokes",
        "make me laugh",
        "another joke",
        "one more joke",
        "something funny",
    ]) || (talk.act == Act::Joke
        && line.is(&["another|more ?one|please", "one more", "again", "otro"]))
    {
        let list: &[&str] = if talk.spanish { &CHISTES } else { &JOKES };
        // The first is chosen by the words of the wish; from there on none comes twice in a round.
        let start = if talk.jokes == 0 {
            talk.seed
        } else {
            talk.joke_start
        };
        talk.joke_start = start;
        let at = usize::try_from((start + talk.jokes) % list.len() as u64).unwrap_or(0);
        talk.jokes += 1;
        talk.act_on(Act::Joke);
        return list.get(at).map(|joke| (*joke).to_owned());
    }
    if line.is(&[
        "?let|ask|give ?us|me ?play ?a quiz ?me|question _",
        "quiz me ?again",
        "ask me ?a|another|something ?a question ?please",
        "another question",
        "test me",
    ]) {
        let at = usize::try_from((talk.seed + talk.quizzes) % QUIZ.len() as u64).unwrap_or(0);
        talk.quizzes += 1;
        talk.pending = Some(Pending::Quiz(at));
        return QUIZ
            .get(at)
            .map(|(question, ..)| format!("Here you go: {question}"));
    }
    if line.is(&[
        "flip|toss a coin",
        "roll a|the|some|two die|dice",
        "pick|choose|give|think ?me ?of a ?random number _",
        "heads or tails",
    ]) {
        return Some(
            talk.vary(&[
                "I have no chance in me: the same words always get the same answer, so my \
             coin would be a fraud."
                    .to_owned(),
                "Nothing random in here, I'm afraid. A real coin beats me.".to_owned(),
            ]),
        );
    }
    if let Some(found) = line.any(&[
        "should i choose|take|have|pick * or *",
        "which ?one ?is|should ?i ?better|choose|pick * or *",
        "choose|pick between * and|or *",
        "* or *",
    ]) && (line.question || line.is(&["choose|pick _"]))
        && found
            .iter()
            .all(|part| part.split_whitespace().count() <= 4)
    {
        let (a, b) = (clip(found[0], 50), clip(found[1], 50));
        let liked = talk.facts.every(&super::memory::Key::Like);
        for option in [&a, &b] {
            if liked.iter().any(|like| {
                content(option, 3)
                    .iter()
                    .any(|word| fold(like).contains(word.as_str()))
            }) {
                return Some(format!(
                    "{}, since you told me you like it.",
                    super::learning::capital(&to_you(option))
                ));
            }
        }
        let chosen = if talk.seed.is_multiple_of(2) { &a } else { &b };
        return Some(talk.vary(&[
            format!(
                "If you leave it to me: {chosen}. I have no better reason than the sound \
             of it."
            ),
            format!(
                "{}, I'd say, with the confidence of a coin.",
                super::learning::capital(chosen)
            ),
        ]));
    }
    None
}

/// The answer to a quiz question that was asked.
pub(super) fn judge(talk: &mut Talk, line: &Line, at: usize) -> Option<Part> {
    let (_, right, said) = QUIZ.get(at)?;
    if line.words.len() > 8 {
        return None;
    }
    let given = line.norm();
    let gave_up = line.is(&[
        "i ?do ?not know|idea",
        "no idea",
        "pass",
        "tell me",
        "i give up",
        "what is it",
        "dunno",
        "idk",
    ]);
    let correct = right
        .split('|')
        .any(|word| format!(" {given} ").contains(&format!(" {word} ")));
    Some(Part::Answer(if correct {
        talk.vary(&[
            "Right! Another one? Say \"quiz me\".".to_owned(),
            format!("Correct. {said}"),
        ])
    } else if gave_up {
        format!("No shame in that. {said}")
    } else if line.question {
        return None;
    } else {
        format!("Not quite. {said}")
    }))
}
