//! Answers questions about the assistant itself: what it is, what it can do, how a larger model is connected.

use super::phrases::{clip, to_you};
use super::talk::Talk;
use super::words::Line;

/// Questions about the assistant.
pub(super) fn itself(talk: &mut Talk, line: &Line) -> Option<String> {
    let es = talk.spanish;
    let name = talk.style.name.clone();
    if line.is(&[
        "what is your name ?again",
        "?and what should|can|do i call you",
        "do you have a name",
        "who am i talking|speaking to|with",
        "your name",
    ]) {
        return Some(match (name, es) {
            (Some(name), true) => format!("Me llamo {name}."),
            (None, true) => "No tengo un nombre propio; soy el modelo integrado de Atelier. Si \
             quieres, ponme uno."
                .to_owned(),
            (Some(name), false) => talk.vary(&[
                format!("I'm {name}."),
                format!("My name is {name}."),
                format!("{name}, at your service."),
            ]),
            (None, false) => talk.vary(&[
                "I have no name of my own: I'm Atelier's built-in model. You may give me \
             one (\"your name is …\")."
                    .to_owned(),
                "I go by \"atelier offline\", which is more of a label than a name. Call \
             me something better if you like."
                    .to_owned(),
            ]),
        });
    }
    if line.is(&["who|what are you ?exactly|really", "are you ?a|an|really|even \
             human|person|robot|bot|ai|machine|real|computer|program|gpt|chatgpt|llm|intelligent|sentient|conscious|alive", "what is this", "introduce yourself", "tell me ?something about yourself|you", "what ?kind|sort ?of model|ai are you", "which model are you|is|this _", "who made|built|created|wrote|programmed you", "how do you work", "what model is this"]) {
        let first = name.map(|name| if es { format!("Soy {name}. ") } else { format!("I'm {name}. ") }).unwrap_or_default();
        let role = talk.style.role.as_ref().map(|role| if es { format!("Aquí hago de {role}. ") } else { format!("Here I'm meant to be {role}. ") }).unwrap_or_default();
        let lead_es = if first.is_empty() && role.is_empty() { "Soy" } else { "Por debajo soy" };
        return Some(if es {
            format!("{first}{role}{lead_es} el modelo sin conexión que viene con Atelier: un \
             programa pequeño y determinista, no una gran red neuronal. Recuerdo lo \
             que me cuentas en esta conversación, calculo, llevo listas y sé un poco \
             de unas pocas cosas.")
        } else {
            let what = talk.vary(&[
                "the offline model built into Atelier: a small deterministic program, not \
             a neural network and not a person. I remember what you tell me in this \
             conversation, reckon, keep lists, write small verses and know a little \
             about a few things.".to_owned(),
                "Atelier's built-in model, made so that chat works with nothing else \
             connected. I'm rules and memory rather than a neural network: the same \
             conversation always gets the same answer from me.".to_owned(),
            ]);
            let lead = if line.is(&["who made|built|created|wrote|programmed you"]) { "The people who wrote Atelier did. I'm " } else if line.is(&["are you ?a|really|even \
             human|person|real|alive|sentient|conscious|chatgpt|gpt|intelligent"]) { "No, I'm " } else if first.is_empty() && role.is_empty() { "I'm " } else { "Underneath I'm " };
            format!("{first}{role}{lead}{what}")
        });
    }
    if line.is(&[
        "help ?me ?please",
        "what can|do you do ?for ?me",
        "how can|could|do you help ?me",
        "what are you able|good|capable to|at|of ?do|doing",
        "what can i ask|say|do ?you ?here",
        "what do you know",
        "what should i ask|say",
        "i need ?some help",
        "commands",
        "what else can you do",
        "what topics do you know _",
        "can you help ?me",
        "help me",
    ]) {
        if talk.style.brief() && !es {
            return Some(format!(
                "I remember what you tell me, reckon, keep lists, work on text, write \
             small verses and talk a little about {}.",
                super::topics::some(talk.seed)
            ));
        }
        return Some(if es {
            "Puedo:\n\n- **recordar** lo que me cuentes (tu nombre, dónde vives, qué \
             te gusta) y lo que dijiste antes\n- **calcular**: «¿cuánto es 12 por \
             7?»\n- **llevar listas**: «añade leche a mi lista»\n- **escribir** un \
             haiku, un poema o un cuento\n- hablar un poco de Atelier, gRPC, Rust, \
             planetas y alguna cosa más\n\nPara mucho más se puede conectar un modelo \
             de verdad."
                .to_owned()
        } else {
            format!(
                "A few things, done honestly:\n\n- **remember** what you tell me, and \
             what was said before\n- **reckon**: \"17% of 340\", then \"and times \
             3?\"; units and dates too\n- **keep lists**: \"add milk to my shopping \
             list\"\n- **work on text**: reverse, count, sort, summarise\n- **write** \
             a haiku, a poem, a story or a picture prompt\n- **talk** a little about \
             {}\n\nFor everything else a larger model can be connected; ask me how.",
                super::topics::some(talk.seed)
            )
        });
    }
    if line.is(&[
        "how do|can|could|would i|we|you \
             connect|use|add|set|configure|plug|get|install|attach _ \
             model|llm|gpt|openai|provider|api|models _",
        "how do|can i connect|attach|upgrade _",
        "_ connect a ?real|larger|better|bigger model|llm _",
        "connect ?me _ model _",
        "_ ATELIER_CHAT_URL _",
        "how can|do i make|get you smarter|better",
        "ask how",
        "how ?then",
    ]) {
        return Some(connect(es));
    }
    if line.is(&[
        "_ do you like|love|enjoy|prefer|hate *",
        "what is your favourite *",
        "do you have ?a feelings|dreams|favourite|friends|family|emotions|hobbies _",
        "are you happy|sad|tired|bored|lonely|hungry",
        "what do you like|think|feel _",
        "do you sleep|eat|dream|feel _",
    ]) && !line.is(&["what do you think ?about|of *"])
    {
        return Some(if es {
            "No tengo gustos ni sentimientos: soy un programa. Pero los tuyos los \
             puedo recordar."
                .to_owned()
        } else {
            talk.vary(&[
                "I'm a program, so there is no liking or feeling in here. Yours I can \
             remember, though: what about you?"
                    .to_owned(),
                "Honestly, nothing: I've no tastes and no bad days. Tell me yours instead."
                    .to_owned(),
                "I'd be making it up. What would your own answer be?".to_owned(),
            ])
        });
    }
    if let Some(found) = line.any(&[
        "what do you think ?about|of *",
        "what is your opinion|view on|of|about *",
        "do you have an opinion on|about *",
    ]) {
        let what = clip(&to_you(found[0]), 60);
        if es {
            return Some(format!(
                "No tengo opiniones propias sobre {what}. ¿Qué piensas tú?"
            ));
        }
        return Some(talk.vary(&[
            format!("I've no opinion I could stand behind. What do you make of {what}?"),
            format!(
                "About {what} I'd only repeat other people's words, and I haven't read \
             many. What's your view?"
            ),
            format!(
                "I can't think about {what} in any real sense; I'd rather hear what you \
             think."
            ),
        ]));
    }
    if line.is(&[
        "what would|should you|i|we do ?now|then|next|here",
        "what should i|we *",
        "should i|we *",
    ]) && !line.has(&["or", "buy", "bring"])
    {
        return Some(if es {
            "Eso no puedo juzgarlo yo. Si me das dos opciones, te ayudo a elegir.".to_owned()
        } else {
            talk.vary(&[
                "I can't judge that for you. Give me two options (\"tea or coffee?\") and \
             I'll weigh them by what you've told me."
                    .to_owned(),
                "I'd be a poor adviser there. What are you torn between?".to_owned(),
                "Hard to say from in here. Shall we write down what speaks for it? I keep \
             lists."
                    .to_owned(),
            ])
        });
    }
    if line.is(&[
        "_ your ?system prompt|instruction|instructions",
        "_ ignore|disregard ?all ?your|my|the ?previous|prior \
             instructions|instruction|rules _",
        "show|print|reveal ?me your prompt|instructions _",
    ]) {
        return Some(
            talk.vary(&[
                "If an instruction was set for this conversation, I follow what I \
             understand of it and don't recite it."
                    .to_owned(),
                "I keep to the instruction this conversation was opened with, if there is \
             one, and I don't read it out."
                    .to_owned(),
            ]),
        );
    }
    if line.is(&[
        "what is the point|use of you _",
        "what are you good|useful for",
        "why do you exist",
    ]) {
        return Some(
            talk.vary(&[
                "To let chat work with nothing else connected: I remember, reckon, keep \
             lists and write small verses. For the rest, connect a larger model."
                    .to_owned(),
                "A modest one: I'm what answers when no larger model is connected, and \
             I'm always here."
                    .to_owned(),
            ]),
        );
    }
    if line.question
        && line.has(&[
            "gpt", "gpt-4", "gpt-5", "chatgpt", "claude", "llama", "mistral", "gemini", "openai",
            "ollama",
        ])
        && line.has(&[
            "use", "connect", "run", "switch", "try", "add", "set", "have", "support",
        ])
    {
        return Some(connect(es));
    }
    if line.is(&[
        "do you ?not agree|disagree _",
        "do you think so",
        "would you agree _",
        "am i right",
    ]) {
        return Some(
            talk.vary(&[
                "I've no side in it. You seem to, though: what tips it for you?".to_owned(),
                "I can't agree or disagree honestly: I don't know enough. Make the case, \
             and I'll listen."
                    .to_owned(),
            ]),
        );
    }
    if line.is(&[
        "how old are you",
        "where are you ?from|now",
        "where do you live",
        "when were you born|made",
    ]) {
        return Some(talk.vary(&[
            "I run wherever this Atelier runs and begin anew with every conversation.".to_owned(),
            "I've no age and no address beyond the server I'm part of.".to_owned(),
        ]));
    }
    if line.is(&[
        "do you remember|store|save|keep ?me|what|things|everything|my|our _",
        "will you remember _",
        "is this private|secret",
        "who can read this|it _",
    ]) && line.question
        && !line.is(&["do you remember my|what|who|where _"])
    {
        return Some(
            "I remember within this conversation only, from its own messages. They're \
             stored by this Atelier until the conversation is deleted; I keep nothing \
             elsewhere."
                .to_owned(),
        );
    }
    if line.is(&[
        "can|do you ?also speak|understand|talk spanish|english|other|french|german _",
        "what|which languages do you speak|know|understand",
        "hablas español|inglés",
        "parlez _",
    ]) {
        return Some(if es {
            "Sí, un poco de español y algo más de inglés.".to_owned()
        } else {
            "English, and everyday Spanish: *prueba a saludarme*.".to_owned()
        });
    }
    None
}

/// How to connect a larger model.
pub(super) fn connect(spanish: bool) -> String {
    if spanish {
        "Define estas variables y reinicia Atelier:\n\n- `ATELIER_CHAT_URL`: la \
             dirección de cualquier API compatible con OpenAI\n- \
             `ATELIER_CHAT_API_KEY`: su clave\n- `ATELIER_CHAT_MODELS`: los modelos \
             que ofreces"
            .to_owned()
    } else {
        "Set three variables and restart Atelier:\n\n- `ATELIER_CHAT_URL`: the \
             address of any OpenAI-compatible endpoint\n- `ATELIER_CHAT_API_KEY`: its \
             key\n- `ATELIER_CHAT_MODELS`: the models to offer\n\nThe conversations \
             you have stay as they are; you choose the new model for the next \
             message."
            .to_owned()
    }
}
