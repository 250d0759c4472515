//! Understands what a person says about themselves as one fact; it files nothing but what comes along with it.

use super::learning::{capital, proper};
use super::memory::{Key, own};
use super::talk::Talk;
use super::words::{Line, fold};

/// Words that follow "I am" without being a name, a job or anything worth filing.
const STATES: &[&str] = &[
    "fine",
    "good",
    "ok",
    "okay",
    "great",
    "well",
    "happy",
    "sad",
    "tired",
    "bored",
    "hungry",
    "busy",
    "back",
    "here",
    "sure",
    "sorry",
    "not",
    "so",
    "very",
    "really",
    "just",
    "going",
    "trying",
    "looking",
    "afraid",
    "in",
    "at",
    "on",
    "still",
    "done",
    "ready",
    "lost",
    "confused",
    "angry",
    "stressed",
    "excited",
    "ill",
    "sick",
    "lonely",
    "thinking",
    "wondering",
    "planning",
    "using",
    "writing",
    "working",
    "learning",
    "feeling",
    "glad",
    "curious",
    "interested",
    "worried",
    "nervous",
    "anxious",
    "scared",
    "alone",
    "allergic",
    "vegetarian",
    "vegan",
    "married",
    "single",
    "left-handed",
    "right-handed",
    "doing",
    "having",
    "making",
    "getting",
    "reading",
    "playing",
    "trying",
    "new",
    "right",
    "wrong",
    "about",
    "too",
    "also",
    "now",
    "always",
    "never",
    "exhausted",
    "depressed",
    "the",
    "your",
    "my",
    "all",
    "from",
    "called",
    "leaving",
    "moving",
    "travelling",
    "traveling",
    "visiting",
    "cold",
    "hot",
    "free",
];

/// Peoples, which "I am" names without naming a person.
const PEOPLES: &[&str] = &[
    "spanish",
    "english",
    "french",
    "german",
    "italian",
    "portuguese",
    "american",
    "british",
    "irish",
    "dutch",
    "mexican",
    "indian",
    "chinese",
    "japanese",
    "korean",
    "polish",
    "brazilian",
    "canadian",
    "australian",
    "greek",
    "turkish",
    "russian",
    "ukrainian",
    "swedish",
    "norwegian",
    "danish",
    "finnish",
    "argentinian",
    "colombian",
    "peruvian",
    "chilean",
    "catholic",
    "jewish",
    "muslim",
    "christian",
    "european",
    "african",
    "basque",
    "catalan",
];

pub(super) fn understand(talk: &mut Talk, line: &Line) -> Option<(Key, String)> {
    let one = |patterns: &[&str]| line.any(patterns).map(|found| found[0].to_owned());
    if let Some(note) = one(&[
        "remember ?that *",
        "keep in mind ?that *",
        "do not forget ?that *",
        "note ?down ?that *",
        "for the record *",
    ]) {
        if let Some(plan) = note.strip_prefix("to ") {
            return Some((Key::Plan, plan.to_owned()));
        }
        if matches!(fold(&note).as_str(), "me" | "this" | "that" | "it") {
            return None;
        }
        // "Remember that my name is Ana" is the fact itself, not a note about it.
        let inner = Line::new(&note);
        return Some(understand(talk, &inner).unwrap_or((Key::Note, note.clone())));
    }
    if let Some(name) = one(&[
        "?hi my ?first|full name is *",
        "_ my name is *",
        "call me *",
        "you can|may call me *",
        "i am called *",
        "_ name is|am *",
    ]) {
        let short = name.split_whitespace().count() <= 4;
        let about_me = line.is(&[
            "_ my ?first|full name is *",
            "_ call me *",
            "i am called *",
            "name is *",
        ]);
        if short && about_me && !fold(&name).starts_with("not ") {
            return Some((Key::Name, proper(&name)));
        }
    }
    if let Some(place) = one(&[
        "i ?currently|still live in *",
        "i am living in *",
        "i ?just|recently moved to *",
        "we live in *",
        "i am based in *",
        "i live at|near *",
    ]) {
        return Some((Key::Home, place));
    }
    if let Some(place) = one(&[
        "i come from *",
        "i am ?originally from *",
        "i was born in *",
    ]) {
        return Some((Key::Origin, place));
    }
    if let Some(found) = line.any(&[
        "i am * years old",
        "i am * years",
        "i am * yrs old",
        "i turned *",
    ]) {
        return Some((Key::Age, found[0].to_owned()));
    }
    if let Some(work) = line.hit("i work as *") {
        return Some((Key::Job, work[0].to_owned()));
    }
    for place in ["at", "in", "for"] {
        if let Some(work) = line.hit(&format!("i work {place} *")) {
            return Some((Key::Job, format!("{place} {}", work[0])));
        }
    }
    if let Some(thing) = one(&[
        "i do not like *",
        "i hate *",
        "i dislike *",
        "i can not stand *",
        "i do not enjoy *",
        "i no longer like *",
        "i do not like * anymore",
    ]) {
        return Some((Key::Dislike, thing));
    }
    if let Some(thing) = one(&[
        "i ?really|also|do|just|absolutely like|love|enjoy|adore|prefer *",
        "i am a ?big fan of *",
        "i am really|very into *",
        "i am into *",
    ]) {
        let low = fold(&thing);
        if !matches!(
            low.as_str(),
            "it" | "that" | "this" | "you" | "them" | "him" | "her"
        ) {
            return Some((Key::Like, thing));
        }
        return None;
    }
    if let Some(found) = line.any(&[
        "_ my * is called|named *",
        "my * name is *",
        "our * is called|named *",
    ]) {
        let host = found[0]
            .trim_end_matches("'s")
            .trim_end_matches("\u{2019}s");
        return Some((Key::Own(format!("{}'s name", fold(host))), proper(found[1])));
    }
    if let Some(name) = one(&[
        "his|her|its name is *",
        "he|she|it is called|named *",
        "the|their name is *",
    ]) {
        let host = talk.subject.clone()?;
        return Some((Key::Own(format!("{host}'s name")), proper(&name)));
    }
    if let Some(found) = line.any(&["my * is|are *", "my * was *", "i changed my * to *"]) {
        let what = found[0];
        if what.split_whitespace().count() <= 5
            && !matches!(fold(what).as_str(), "question" | "point" | "problem is")
        {
            return Some((own(what), found[1].to_owned()));
        }
    }
    if let Some(found) = line.any(&[
        "i have got *",
        "i have *",
        "i own *",
        "i also have *",
        "we have *",
        "i ?have ?just adopted|bought|got *",
    ]) {
        let low = fold(found[0]);
        let thing = [
            "a ", "an ", "one ", "two ", "three ", "four ", "five ", "six ", "some ", "un ",
            "una ", "dos ", "tres ",
        ]
        .iter()
        .any(|start| low.starts_with(start))
            || low.starts_with(|c: char| c.is_ascii_digit());
        let vague = [
            "question", "problem", "idea", "request", "doubt", "bit", "headache", "cold", "look",
            "moment",
        ]
        .iter()
        .any(|word| low.split_whitespace().any(|held| held == *word));
        return (thing && !vague).then(|| (Key::Have, found[0].to_owned()));
    }
    if let Some(plan) = one(&[
        "i am going to *",
        "i ?am plan|planning to *",
        "i will *",
        "we are going to *",
        "tomorrow i am going to *",
        "i have to *",
        "i need to *",
        "i must *",
        "remind me ?later to *",
    ]) {
        let low = fold(&plan);
        let act = ![
            "be ",
            "try",
            "ask",
            "need",
            "have a question",
            "know",
            "understand",
            "say",
            "tell you",
        ]
        .iter()
        .any(|start| low.starts_with(start));
        return (act && plan.split_whitespace().count() > 1).then_some((Key::Plan, plan));
    }
    if let Some(plan) = line.any(&["i am planning a|an|my *", "we are planning a|an|our *"]) {
        return Some((Key::Plan, format!("make a {}", plan[0])));
    }
    if let Some(plan) = line.any(&["i am travelling|traveling|flying|moving|driving to *"]) {
        return Some((Key::Plan, format!("travel to {}", plan[0])));
    }
    if let Some(want) = one(&["i ?really want *", "i would love *", "my dream is *"]) {
        let low = fold(&want);
        return (!low.starts_with("you ") && !low.starts_with("to know"))
            .then_some((Key::Want, want));
    }
    // "She is very naughty", of a pet whose name is known.
    if let Some(said) = line.any(&["he|she ?also *"])
        && let Some(name) = talk
            .subject
            .as_ref()
            .and_then(|host| talk.facts.get(&Key::Own(format!("{host}'s name"))))
        && said[0].split_whitespace().count() <= 12
    {
        return Some((Key::Note, format!("{name} {}", said[0])));
    }
    if let Some(trait_) = line.any(&["i am allergic to *"]) {
        return Some((Key::Note, format!("I am allergic to {}", trait_[0])));
    }
    if line.is(&["i am ?a vegetarian|vegan|married|single|left-handed|right-handed"]) {
        return Some((Key::Note, line.body().trim_end_matches('.').to_owned()));
    }
    who(talk, line)
}

/// "I am …": a name, a job or a people, told apart by its article and its capital letters.
fn who(talk: &mut Talk, line: &Line) -> Option<(Key, String)> {
    let found = line.any(&["i am *", "this is * here", "it is * here"])?;
    let words: Vec<&str> = found[0].split_whitespace().collect();
    let first = fold(words.first()?);
    if matches!(first.as_str(), "a" | "an") && words.len() > 1 && words.len() <= 6 {
        if let Some((job, place)) = found[0].split_once(" from ") {
            talk.facts.put(Key::Origin, place);
            return Some((Key::Job, job.to_owned()));
        }
        return Some((Key::Job, found[0].to_owned()));
    }
    if PEOPLES.contains(&first.as_str()) && words.len() == 1 {
        return Some((Key::Note, format!("I am {}", capital(&first))));
    }
    if STATES.contains(&first.as_str()) || words.len() > 3 {
        return None;
    }
    if words.len() == 1 && first.chars().all(|c| c.is_ascii_digit()) && first.len() <= 3 {
        return Some((Key::Age, first));
    }
    let capitals = words
        .iter()
        .all(|word| word.chars().next().is_some_and(char::is_uppercase));
    (capitals || (talk.greeted && words.len() == 1)).then(|| (Key::Name, proper(found[0])))
}
