//! Greetings, thanks, feelings, jokes, what this model is, and what to say when it knows nothing. It keeps no facts.

use super::games::play;
use super::identity::itself;
use super::moods::felt;
use super::talk::{Part, Pending, Talk};
use super::words::Line;

/// Answers what people say to be sociable, and questions about the assistant itself.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    if let Some(said) = greeting(talk, line) {
        return Some(Part::Social(said));
    }
    itself(talk, line)
        .or_else(|| play(talk, line))
        .or_else(|| felt(talk, line))
        .or_else(|| manners(talk, line))
        .map(Part::Answer)
}

fn greeting(talk: &mut Talk, line: &Line) -> Option<String> {
    let name = talk
        .facts
        .get(&super::memory::Key::Name)
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    if line.is(&[
        "hi|hello|hey|hiya|howdy|greetings|yo|hola|ahoy \
             ?hi|hello|there|again|everyone|you|friend|assistant|atelier|bot",
        "good morning|afternoon|evening|day _",
        "morning",
    ]) || line.words.len() == 2 && line.is(&["hi|hello|hey|hola *"])
    {
        let again = std::mem::replace(&mut talk.greeted, true) && !talk.heard.is_empty();
        return Some(match (talk.spanish, again) {
            (true, false) => talk.vary(&[
                format!("¡Hola{name}! ¿De qué hablamos?"),
                format!("¡Hola{name}! ¿En qué te ayudo?"),
                format!("Buenas{name}. Cuéntame."),
            ]),
            (true, true) => format!("¡Hola otra vez{name}!"),
            (false, true) => talk.vary(&[
                format!("Hello again{name}."),
                format!("Still here{name}. Go ahead."),
            ]),
            (false, false) => talk.vary(&[
                format!("Hello{name}! What's on your mind?"),
                format!("Hi{name}. What can I do for you?"),
                format!("Hello{name}, good to have you here. Where shall we start?"),
                format!("Hi there{name}! Ask me something or tell me about yourself."),
            ]),
        });
    }
    if line.is(&["bonjour|salut|ciao|hallo|olá|привет|你好|こんにちは|안녕하세요|مرحبا|merhaba|namaste|servus|moin \
             _", "guten tag|morgen|abend _"]) {
        return Some(format!("Hello{name}! I manage English and some Spanish, and no more than that."));
    }
    if line.is(&[
        "good bye ?then",
        "goodbye|bye|cya|farewell|ciao _",
        "see you _",
        "good night _",
        "i have to go ?now",
        "i am leaving ?now",
        "talk to you later|soon",
    ]) {
        return Some(if talk.spanish {
            talk.vary(&[
                format!("¡Hasta luego{name}!"),
                format!("Adiós{name}, que vaya bien."),
            ])
        } else {
            talk.vary(&[
                format!("Goodbye{name}. Come back whenever you like."),
                format!("See you{name}!"),
                format!("Take care{name}. I'll keep what you told me in this conversation."),
            ])
        });
    }
    None
}

fn manners(talk: &mut Talk, line: &Line) -> Option<String> {
    let es = talk.spanish;
    let name = talk
        .facts
        .get(&super::memory::Key::Name)
        .map(|name| format!(", {name}"))
        .unwrap_or_default();
    if line.is(&[
        "how are you ?doing|today|feeling ?today",
        "how is it going ?today",
        "how do you do",
        "how have you been",
        "what is up",
        "and you",
        "how about you",
        "what about you",
        "you good",
    ]) {
        talk.pending = Some(Pending::Mood);
        return Some(if es {
            talk.vary(&[
                format!("Bien, gracias{name}. ¿Y tú?"),
                format!("Todo en orden por aquí{name}. ¿Qué tal tú?"),
            ])
        } else {
            talk.vary(&[
                format!("All in order here, thanks{name}. How are you?"),
                format!("Steady as ever: programs don't have bad mornings. And you{name}?"),
                format!("Fine, thank you{name}. How's your day?"),
            ])
        });
    }
    if line.is(&[
        "thanks|thank|ty|cheers|gracias _",
        "i appreciate it|that _",
        "much appreciated",
    ]) {
        return Some(if es {
            talk.vary(&[format!("De nada{name}."), format!("A ti{name}.")])
        } else {
            talk.vary(&[
                format!("You're welcome{name}."),
                format!("Glad it helped{name}."),
                format!("Any time{name}."),
            ])
        });
    }
    if line.is(&["you are ?so|very|really|the ?a \
             ?great|good|nice|smart|clever|funny|helpful|amazing|awesome|best|kind \
             ?assistant|bot", "good job|work|bot", "well done", "i like|love you", "that is|was ?so|very|really \
             great|good|nice|helpful|perfect|funny|beautiful|lovely|amazing|cool|brilliant", "love|like it", "i love|like it|that|this", "beautiful|lovely|awesome|brilliant|excellent|wonderful|amazing|impressive|nice|cool|great|wow|perfect"]) {
        return Some(if es { "¡Gracias!".to_owned() } else { talk.vary(&["That's kind of you. What next?".to_owned(), "Glad you think so.".to_owned(), "Thank you. I'll take it, within my modest means.".to_owned()]) });
    }
    if line.is(&[
        "you are ?so|very|really|a ?an \
             ?stupid|dumb|useless|bad|wrong|idiot|terrible|boring|annoying|awful",
        "that is|was ?not|so \
             wrong|bad|stupid|terrible|nonsense|right|correct|useful|helpful",
        "bad bot",
        "wrong",
        "you do not understand _",
        "that makes no sense",
        "nonsense",
        "useless",
        "this is useless|stupid",
    ]) {
        return Some(if es {
            "Lo siento. Dímelo con otras palabras y lo intento de nuevo.".to_owned()
        } else {
            talk.vary(&[
                "Sorry about that. I'm a small model and miss things; try it in other \
             words, or give me the right answer and I'll use it."
                    .to_owned(),
                "Fair. If you tell me what you were after, I'll say plainly whether I can \
             do it."
                    .to_owned(),
                "I may well have got that wrong. What should it have been?".to_owned(),
            ])
        });
    }
    if line.is(&["you are ?very ?most welcome", "no problem ?at ?all"]) {
        return Some(if es {
            "¡Gracias!".to_owned()
        } else {
            "Kind of you. Anything else?".to_owned()
        });
    }
    if line.is(&["why ?not|so|is ?that"]) {
        return Some(if es {
            "Porque así son mis reglas; no hay una razón más honda.".to_owned()
        } else {
            talk.vary(&[
                "There's no deeper reason in me than my rules, I'm afraid. What would you \
             have expected?"
                    .to_owned(),
                "I couldn't say: I follow patterns and don't know the reasons behind things."
                    .to_owned(),
            ])
        });
    }
    if line.is(&["what is the meaning of life _", "what is the point of life"]) {
        return Some(
            talk.vary(&[
                "Forty-two, according to one well-known book. I'd start with something \
             nearer: what was good about this week?"
                    .to_owned(),
                "Wiser heads than mine disagree. People tell me it has to do with whom \
             you spend your time."
                    .to_owned(),
            ]),
        );
    }
    if line.is(&[
        "yes|yeah|yep|sure|ok|okay|right|alright|fine|good|indeed|exactly|correct|absolutely \
             ?please|then|sure|thanks",
        "of course",
        "i see",
        "got it",
        "makes sense",
        "understood",
        "not really",
        "no ?thanks|thank ?you",
        "nope",
        "never mind",
        "nothing",
        "maybe",
        "perhaps",
        "i do not know",
        "i ?am not sure",
        "true",
        "hmm",
        "oh",
        "ah",
        "lol",
        "haha",
    ]) {
        let no = line.is(&["no _", "nope", "not really", "nothing", "never mind"]);
        if es {
            return Some(if no {
                "Está bien. ¿Otra cosa?".to_owned()
            } else {
                "Muy bien. ¿Seguimos?".to_owned()
            });
        }
        return Some(if no {
            talk.vary(&[
                "All right. Something else, then?".to_owned(),
                "Fine by me. What would you rather do?".to_owned(),
                "No harm done.".to_owned(),
            ])
        } else {
            talk.vary(&[
                "Good. Where to next?".to_owned(),
                "Right then. What else is on your mind?".to_owned(),
                "I'm with you. Go on.".to_owned(),
                "Very well.".to_owned(),
            ])
        });
    }
    None
}
