//! Reactions to how a person feels or felt; it gives no advice beyond rest, water and people to call.

use super::talk::{Act, Talk};
use super::words::Line;

pub(super) fn in_danger(line: &Line) -> Option<&'static str> {
    line.is(&[
        "_ kill myself _",
        "_ suicide _",
        "_ suicidal _",
        "_ end my life _",
        "_ want to die _",
        "_ hurt myself _",
        "_ quiero morir _",
        "_ suicidarme _",
        "_ matarme _",
    ])
    .then_some(
        "I'm glad you said it, and I'm sorry it hurts this much. I'm a small \
             program and not the help you deserve right now: please call your local \
             emergency number or a crisis line (findahelpline.com lists them by \
             country), or go to someone you trust and tell them what you told me. If \
             you are in danger this minute, call now.\n\n*Si estás en peligro, llama \
             al número de emergencias de tu país.*",
    )
}

/// Reactions to how a person feels, or to how something was.
pub(super) fn felt(talk: &mut Talk, line: &Line) -> Option<String> {
    let es = talk.spanish;
    let name = talk
        .facts
        .get(&super::memory::Key::Name)
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    if line.is(&["_ died|dying _", "_ passed away _", "i lost my \
             mother|father|mum|mom|dad|grandmother|grandfather|friend|brother|sister|dog|cat|wife|husband|partner|son|daughter \
             _", "_ funeral _", "_ murió|falleció _"]) && !line.question {
        return Some(if es { format!("Lo siento mucho{name}. Si quieres hablar de ello, te escucho.") } else { talk.vary(&[format!("I'm so sorry{name}. If you'd like to talk about them, I'm listening."), format!("That's a real loss{name}, and I'm sorry. What do you remember most fondly?")]) });
    }
    let judged = ["it|that|this|they was|were|is ?so|very|really|quite|pretty|all *"];
    if !line.question && line.words.len() <= 6 && line.is(&judged) && !es {
        if line.has(&[
            "fun",
            "great",
            "good",
            "lovely",
            "nice",
            "amazing",
            "wonderful",
            "fantastic",
            "beautiful",
            "delicious",
        ]) && talk.act != Act::Work
        {
            return Some(talk.vary(&[
                "Glad to hear it. What was the best part?".to_owned(),
                "Good! What would you do again?".to_owned(),
                "That's worth keeping. Who was it with?".to_owned(),
            ]));
        }
        if line.has(&[
            "boring",
            "awful",
            "terrible",
            "horrible",
            "sad",
            "disappointing",
            "hard",
            "scary",
        ]) {
            return Some(talk.vary(&[
                "That's a pity. What went wrong?".to_owned(),
                "Sorry it was like that. Is it behind you now?".to_owned(),
            ]));
        }
    }
    let mood: &[(&[&str], &[&str], &str)] = &[
        (
            &[
                "sad",
                "down",
                "unhappy",
                "depressed",
                "heartbroken",
                "lonely",
                "miserable",
                "crying",
                "upset",
            ],
            &[
                "I'm sorry to hear that{n}. Do you want to tell me what happened, or \
             would something else to think about help more?",
                "That sounds heavy{n}. I can't do much, but I can listen: what's weighing \
             on you?",
            ],
            "Lo siento mucho{n}. ¿Quieres contarme qué ha pasado?",
        ),
        (
            &["tired", "exhausted", "exhausting", "sleepy", "worn"],
            &[
                "Then go easy on yourself{n}. What took it out of you?",
                "Sounds like a long day{n}. Is rest within reach, or is there more to get \
             through?",
            ],
            "Pues descansa si puedes{n}. ¿Ha sido un día largo?",
        ),
        (
            &[
                "happy",
                "glad",
                "excited",
                "delighted",
                "thrilled",
                "great",
                "fantastic",
                "wonderful",
            ],
            &[
                "That's good to hear{n}! What's behind it?",
                "Lovely{n}. Tell me the reason, so I can remember it with you.",
            ],
            "¡Qué bien{n}! ¿A qué se debe?",
        ),
        (
            &[
                "stressed",
                "anxious",
                "worried",
                "nervous",
                "afraid",
                "scared",
                "overwhelmed",
            ],
            &[
                "That's uncomfortable{n}. What's the nearest piece of it you could do \
             something about?",
                "Shall we write it down{n}? Say \"add … to my to-do list\" and it's out \
             of your head, at least.",
            ],
            "Vamos por partes{n}: ¿qué es lo más urgente?",
        ),
        (
            &["angry", "annoyed", "furious", "frustrated"],
            &[
                "Understandable, I'm sure{n}. What set it off?",
                "Let it out{n}: I don't take things personally.",
            ],
            "Te entiendo{n}. ¿Qué ha pasado?",
        ),
        (
            &["bored"],
            &[
                "Then let's do something about it{n}: say \"quiz me\", \"tell me a \
             joke\", or give me two nouns and I'll write a story.",
                "Boredom is a fair start{n}. A haiku? A riddle of numbers? Or tell me \
             about the last place you liked.",
            ],
            "¿Te cuento un chiste o escribo un haiku{n}?",
        ),
        (
            &["sick", "ill", "unwell", "headache", "cold", "fever"],
            &[
                "Oh no{n}. I hope it passes soon; water and rest, and a doctor if it doesn't.",
                "Get well soon{n}. Is someone looking after you?",
            ],
            "Que te mejores pronto{n}.",
        ),
        (
            &["hungry", "starving"],
            &[
                "What's in the kitchen{n}? I can keep a shopping list if the answer is \
             nothing.",
                "Then food first{n}. Anything you're craving?",
            ],
            "¿Qué te apetece comer{n}?",
        ),
    ];
    if !line.question
        && line.is(&[
            "i am|feel|was|have ?feeling|a \
             ?so|very|really|a|bit|quite|pretty|just|still|too _",
            "feeling _",
            "we are _",
            "_ just|so|a|bit|really bored|tired|exhausted|stressed|hungry|exhausting _",
        ])
        && line.words.len() <= 14
        && (!line.has(&["not"]) || line.is(&["not much _"]))
    {
        for (words, answers, spanish) in mood {
            if line.has(words) {
                let said = if es {
                    (*spanish).to_owned()
                } else {
                    talk.pick(answers).to_owned()
                };
                return Some(said.replace("{n}", &name));
            }
        }
    }
    None
}
