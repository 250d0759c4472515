//! Composes short pieces (haiku, poems, stories, picture prompts, names) from a prompt's nouns; the same prompt gives the same piece.

use super::forms::{names, prompt, slogan, story};
use super::metre::{haiku, limerick, poem};
use super::phrases::{clip, content, hash};
use super::talk::{Act, Part, Talk};
use super::words::{Line, fold, tidy};

/// What was composed last, for "another one".
#[derive(Clone)]
pub(super) struct Work {
    form: Form,
    about: String,
    count: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Haiku,
    Limerick,
    Poem,
    Story,
    Prompt,
    Slogan,
    Names,
}

/// Answers a wish for something composed.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    if let Some(work) = talk.work.clone().filter(|_| talk.act == Act::Work) {
        let again = line.is(&[
            "another|again ?one ?haiku|poem|story|prompt ?please",
            "one more ?haiku|poem|story",
            "?write|make|give ?me another ?one|haiku|poem|story",
            "a different one",
            "more",
            "once more",
            "otro|otra ?más",
            "do it again",
        ]);
        let turned = line.any(&[
            "?now|and ?another|one ?one ?haiku|poem|story about *",
            "?what|how ?about one about *",
        ]);
        let form = form_of(line);
        if again
            || (turned.is_some() && line.words.len() <= 8 && line.has(&["about", "one", "another"]))
        {
            let about = turned.map_or(work.about.clone(), |found| subject(talk, found[0]));
            let form = form.unwrap_or(work.form);
            return Some(compose(talk, form, about, work.count + 1));
        }
    }
    let form = form_of(line)?;
    let asked = line.is(&[
        "write|compose|make|give|tell|invent|create|sing|draft|suggest|escribe|escríbeme|cuéntame|inventa|hazme|haz \
             _", "a|an|un|una ?short|little|small \
             haiku|poem|story|slogan|limerick|poema|cuento|haikú|historia _",
        "i want|need|would _", "haiku|poem|story|haikú|poema|cuento _", "let us write|make _", "another|one _", "do you have|know a _", "read me _", "suggest|think|find _", "prompt _", "_ name|names ideas|suggestions _",
        "me _",
    ]);
    if !asked {
        return None;
    }
    let about = line
        .any(&[
            "_ about|on|for|of|sobre|with|featuring|describing|acerca|starring *",
            "_ con|de *",
        ])
        .map(|found| found[0].to_owned())
        .or_else(|| before_form(line))
        .unwrap_or_default();
    let about = subject(talk, &about);
    let count = talk.work.as_ref().map_or(0, |work| {
        if work.form == form && work.about == about {
            work.count + 1
        } else {
            0
        }
    });
    Some(compose(talk, form, about, count))
}

/// "a dragon story": the noun before the form.
fn before_form(line: &Line) -> Option<String> {
    let found = line.any(&["_ a|an * haiku|poem|story|slogan"])?;
    let noun = found[0];
    (!matches!(
        fold(noun).as_str(),
        "short"
            | "little"
            | "nice"
            | "good"
            | "new"
            | "funny"
            | "quick"
            | "small"
            | "picture"
            | "image"
            | "bedtime"
            | "very short"
    ))
    .then(|| noun.to_owned())
}

fn form_of(line: &Line) -> Option<Form> {
    let table: &[(&[&str], Form)] = &[
        (&["limerick"], Form::Limerick),
        (&["haiku", "haikú", "haikus"], Form::Haiku),
        (
            &["poem", "poema", "verse", "rhyme", "song", "poesía"],
            Form::Poem,
        ),
        (
            &["story", "tale", "cuento", "historia", "fable"],
            Form::Story,
        ),
        (&["prompt"], Form::Prompt),
        (
            &["slogan", "tagline", "motto", "headline", "eslogan"],
            Form::Slogan,
        ),
    ];
    table
        .iter()
        .find(|(words, _)| line.has(words))
        .map(|(_, form)| *form)
        .or_else(|| {
            line.is(&[
                "_ name|names ideas|suggestions for _",
                "suggest|invent|find|give ?me ?some|a ?few|three|five ?good name|names for _",
            ])
            .then_some(Form::Names)
        })
}

/// What a piece is about, with "it" and "me" resolved.
fn subject(talk: &Talk, about: &str) -> String {
    let mut about = tidy(about).to_owned();
    for fact in talk.facts.all().iter().take(60) {
        // "my dog" becomes the dog's own name when that is known.
        if let super::memory::Key::Own(what) = &fact.key
            && let Some(host) = what.strip_suffix("'s name")
        {
            about = about.replace(&format!("my {host}"), &fact.value);
        }
    }
    // "my colleague Marta" is Marta.
    let named = about.rsplit(' ').next().filter(|name| {
        fold(&about).starts_with("my ") && name.chars().next().is_some_and(char::is_uppercase)
    });
    let about = named.unwrap_or(about.as_str());
    let low = fold(about);
    match low.as_str() {
        "it" | "that" | "this" | "them" => talk.subject.clone().unwrap_or_default(),
        "me" | "my life" | "mí" => talk
            .facts
            .get(&super::memory::Key::Name)
            .map(str::to_owned)
            .unwrap_or_default(),
        _ => clip(about, 60),
    }
}

fn compose(talk: &mut Talk, form: Form, about: String, count: u64) -> Part {
    let shown = if about.is_empty() {
        default_subject(talk)
    } else {
        about.clone()
    };
    let seed = hash(&format!("{}/{count}", fold(&shown)))
        .wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let nouns = nouns(&shown);
    let es = talk.spanish;
    let text = match form {
        Form::Haiku => haiku(&nouns, seed, es),
        Form::Poem => poem(&dressed(&shown, &nouns), seed, es),
        Form::Limerick => limerick(&nouns, seed),
        Form::Story => story(talk, &nouns, seed, es),
        Form::Prompt => prompt(&shown, seed),
        Form::Slogan => slogan(&nouns, seed, es),
        Form::Names => names(&nouns, seed),
    };
    // A pet written about by name stays the pet that "she" is.
    if !about.is_empty() && !talk.facts.all().iter().any(|fact| fact.value == nouns[0]) {
        talk.subject = Some(nouns[0].clone());
    }
    talk.act_on(Act::Work);
    talk.work = Some(Work { form, about, count });
    Part::Answer(text)
}

fn default_subject(talk: &Talk) -> String {
    const SUBJECTS: [&str; 6] = [
        "rain",
        "a lighthouse",
        "the moon",
        "a garden",
        "winter",
        "the sea",
    ];
    const TEMAS: [&str; 4] = ["la lluvia", "la luna", "un faro", "el mar"];
    if talk.spanish {
        talk.pick(&TEMAS).to_owned()
    } else {
        talk.pick(&SUBJECTS).to_owned()
    }
}

/// The nouns as they stand in a running line: "a fox" and "my fox" are "the fox" there, "rain" stays as it is.
fn dressed(about: &str, nouns: &[String]) -> Vec<String> {
    let low = fold(about);
    nouns
        .iter()
        .map(|noun| {
            let bare = fold(noun);
            let held = ["a ", "an ", "the ", "my "]
                .iter()
                .any(|article| low.contains(&format!("{article}{bare}")));
            if held {
                format!("the {noun}")
            } else {
                noun.clone()
            }
        })
        .collect()
}

/// The prompt's nouns, at least one.
fn nouns(about: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in about
        .split(" and ")
        .flat_map(|part| part.split(" y "))
        .flat_map(|part| part.split(','))
        .flat_map(|part| part.split(" who "))
        .flat_map(|part| part.split(" with "))
    {
        let part = tidy(part);
        let low = fold(part);
        let part = ["a ", "an ", "the ", "my ", "un ", "una ", "el ", "la "]
            .iter()
            .find_map(|article| {
                if low.starts_with(article) {
                    part.get(article.len()..)
                } else {
                    None
                }
            })
            .unwrap_or(part);
        if !part.is_empty() {
            found.push(clip(part, 40));
        }
    }
    if found.is_empty() {
        found = content(about, 3);
    }
    if found.is_empty() {
        found.push("silence".to_owned());
    }
    found.truncate(3);
    found
}
