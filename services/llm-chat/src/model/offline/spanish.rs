//! Recognises Spanish and puts the sentences it knows into the English the other rooms understand; it answers nothing itself.

use super::words::{Line, fold, tidy};

/// Whether `text` is Spanish, English, or too short to tell.
pub(super) fn is_spanish(text: &str) -> Option<bool> {
    let low = fold(crate::tokens::head(text, 600));
    if low.contains(['¿', '¡']) {
        return Some(true);
    }
    let (mut spanish, mut english) = (0, 0);
    for word in low
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
    {
        match word {
            "hola" | "gracias" | "cómo" | "qué" | "cuál" | "dónde" | "quién" | "cuánto"
            | "cuántos" | "adiós" | "ayuda" | "ayúdame" | "llamo" | "gusta" | "vivo"
            | "recuerda" | "recuerdas" | "buenas" | "buenos" | "añade" | "español" | "soy"
            | "eres" | "tengo" | "puedes" | "olvida" | "sabes" | "dije" | "escribe"
            | "escríbeme" | "cuéntame" | "trabajo" | "también" | "siento" | "estoy" | "triste"
            | "cansado" | "cansada" => spanish += 3,
            "el" | "los" | "las" | "una" | "que" | "de" | "en" | "mi" | "mis" | "es" | "y"
            | "por" | "para" | "con" | "tu" | "te" | "se" | "del" | "muy" | "pero" | "como"
            | "leche" => spanish += 1,
            "the" | "is" | "my" | "what" | "you" | "and" | "of" | "to" | "do" | "are" | "how"
            | "i" | "i'm" | "in" | "that" | "for" | "with" | "say" | "mean" | "this" | "what's"
            | "who" | "where" | "when" | "hello" | "hi" | "thanks" | "tell" | "write" | "it" => {
                english += 2
            }
            _ => {}
        }
    }
    match spanish.cmp(&english) {
        std::cmp::Ordering::Greater => Some(true),
        std::cmp::Ordering::Less => Some(false),
        std::cmp::Ordering::Equal => None,
    }
}

/// The English of a Spanish sentence, with names and things left as they were written.
pub(super) fn to_english(text: &str) -> Option<String> {
    let opening = fold(tidy(text));
    let corrects = ["en realidad ", "no, ", "perdón, "]
        .iter()
        .find(|start| opening.starts_with(**start));
    if let Some(start) = corrects {
        let rest = tidy(text).get(start.len()..)?;
        return to_english(rest).map(|english| format!("actually {english}"));
    }
    let line = Line::new(text);
    // `{}` takes what the pattern captured, in order.
    const TABLE: &[(&[&str], &str)] = &[
        (
            &[
                "hola ?amigo|amiga|buenas|qué|tal",
                "buenas ?tardes|noches|días",
                "buenos días",
                "saludos",
                "hola hola",
            ],
            "hello",
        ),
        (
            &[
                "adiós",
                "hasta luego|mañana|pronto",
                "chao",
                "nos vemos",
                "buenas noches",
            ],
            "goodbye",
        ),
        (
            &["?muchas|muchísimas|mil gracias _", "te lo agradezco"],
            "thank you",
        ),
        (
            &[
                "?y cómo estás|está|andas ?hoy",
                "?y qué tal ?estás|todo ?hoy",
                "cómo te va",
                "y tú",
                "¿y tú",
            ],
            "how are you?",
        ),
        (
            &[
                "?y quién|qué eres ?tú",
                "qué es esto",
                "eres ?un|una humano|persona|robot|ia|máquina|bot",
                "preséntate",
            ],
            "who are you?",
        ),
        (
            &["?y cómo te llamas ?tú", "?y cuál es tu nombre"],
            "what is your name?",
        ),
        (
            &[
                "ayuda",
                "ayúdame",
                "?y ?en ?qué puedes hacer _",
                "?y ?en qué me ?puedes ayudar|ayudas",
                "qué sabes hacer",
                "para qué sirves",
                "necesito ayuda",
            ],
            "help",
        ),
        (
            &[
                "me llamo *",
                "mi nombre es *",
                "llámame *",
                "puedes llamarme *",
            ],
            "my name is {}",
        ),
        (
            &[
                "?y cómo me llamo ?yo",
                "?y cuál es|era mi nombre",
                "?y sabes|recuerdas|dime ?cómo ?cuál ?es me|mi llamo|nombre",
                "te acuerdas de mi nombre",
                "recuerdas cómo me llamo",
                "sabes cómo me llamo",
                "te acuerdas de cómo me llamo",
            ],
            "what is my name?",
        ),
        (
            &[
                "?y ?ahora vivo ?ahora en *",
                "me he mudado a *",
                "me mudé a *",
            ],
            "I live in {}",
        ),
        (
            &[
                "?y ?en ?dónde vivo ?yo",
                "?y ?en ?qué ?ciudad vivo",
                "recuerdas|sabes dónde vivo",
                "te acuerdas de dónde vivo",
            ],
            "where do I live?",
        ),
        (&["soy de *", "vengo de *", "nací en *"], "I come from {}"),
        (&["?y ?de dónde soy|vengo ?yo"], "where am I from?"),
        (
            &[
                "trabajo como *",
                "trabajo de *",
                "soy ?un|una \
             médico|médica|profesor|profesora|ingeniero|ingeniera|enfermero|enfermera|abogado|abogada|estudiante|programador|programadora|cocinero|cocinera|escritor|escritora|músico|pintora|pintor|arquitecta|arquitecto",
            ],
            "I work as {}",
        ),
        (
            &[
                "?y ?en qué trabajo ?yo",
                "?y a qué me dedico",
                "cuál es mi trabajo|profesión",
            ],
            "what is my job?",
        ),
        (&["tengo * años"], "I am {} years old"),
        (
            &["?y cuántos años tengo", "qué edad tengo"],
            "how old am I?",
        ),
        (
            &["tengo * que se llama *", "tengo * llamado|llamada *"],
            "I have {} called {}",
        ),
        (&["tengo *"], "I have {}"),
        (&["no me gusta|gustan ?nada *", "odio *"], "I don't like {}"),
        (
            &[
                "?y ?también ?a ?mí ?me gusta|gustan|encanta|encantan ?mucho *",
                "?y ?también me gusta|gustan|encanta|encantan ?mucho *",
                "adoro *",
            ],
            "I like {}",
        ),
        (
            &[
                "?y qué cosas me gusta|gustan",
                "?y qué me gusta|gustan|encanta ?a ?mí",
                "sabes|recuerdas qué|lo ?que me gusta",
                "cuáles son mis gustos",
            ],
            "what do I like?",
        ),
        (&["?y qué no me gusta"], "what don't I like?"),
        (&["mi color favorito es ?el *"], "my favourite colour is {}"),
        (
            &["?y cuál es mi color favorito"],
            "what is my favourite colour?",
        ),
        (
            &["mi * favorito|favorita es ?el|la *"],
            "my favourite {} is {}",
        ),
        (
            &["?y cuál es mi * favorito|favorita"],
            "what is my favourite {}?",
        ),
        (&["mi * se llama *"], "my {} is called {}"),
        (&["?y cómo se llama mi *"], "what is my {} called?"),
        (
            &["?y cuál es|era mi *", "?y cuándo es mi *"],
            "what is my {}?",
        ),
        (&["mi * es *"], "my {} is {}"),
        (
            &["recuerda ?que *", "no olvides ?que *", "acuérdate de que *"],
            "remember that {}",
        ),
        (
            &[
                "?y qué sabes|recuerdas de|sobre mí",
                "?y qué recuerdas",
                "quién soy ?yo",
                "qué te he contado ?de ?mí",
            ],
            "what do you know about me?",
        ),
        (
            &[
                "olvida ?todo|lo|eso ?que ?te ?dije",
                "olvídalo",
                "olvídate de todo",
            ],
            "forget everything",
        ),
        (&["olvida mi nombre"], "forget my name"),
        (&["olvida ?mi|el|la|que *"], "forget {}"),
        (
            &[
                "?y qué ?te dije ?yo ?al|lo primero|principio",
                "cuál fue mi primer|primera mensaje|pregunta",
            ],
            "what did I say first?",
        ),
        (
            &[
                "?y qué ?te dije ?yo antes",
                "qué acabo de decir",
                "cuál fue mi último|última mensaje|pregunta",
            ],
            "what did I just say?",
        ),
        (
            &[
                "?y qué ?te dije ?yo sobre|de|acerca ?de *",
                "qué te conté sobre|de *",
            ],
            "what did I say about {}?",
        ),
        (
            &[
                "?y qué dijiste|respondiste ?tú ?antes",
                "repite ?eso|lo ?por ?favor",
                "qué has dicho",
            ],
            "what did you just say?",
        ),
        (
            &["?y qué ?me respondiste|contestaste cuando|a|sobre *"],
            "what did you answer to {}?",
        ),
        (
            &[
                "?de|sobre qué hemos hablado _",
                "resume ?la|esta|nuestra conversación",
            ],
            "what have we talked about?",
        ),
        (
            &["añade|agrega|pon|apunta|mete * a|en la|mi lista ?de ?la ?compra|compras"],
            "add {} to my shopping list",
        ),
        (
            &["añade|agrega|apunta también *", "añade|agrega|apunta *"],
            "also add {}",
        ),
        (
            &["quita|borra|elimina|tacha ?el|la|los|las * de|en la|mi lista _"],
            "remove {} from the list",
        ),
        (
            &[
                "?y qué hay ?ahora en la|mi lista _",
                "?y ?muéstrame|enséñame|dime|lee|cuál|qué ?es ?hay ?en ?mi|la lista ?de \
             ?la ?compra ?ahora",
            ],
            "what is on the list?",
        ),
        (&["vacía|borra|limpia la|mi lista _"], "clear the list"),
        (
            &[
                "cuéntame|dime|sabes ?un ?otro chiste",
                "otro chiste",
                "un chiste",
            ],
            "tell me a joke",
        ),
        (
            &[
                "dime|cuéntame ?algo más",
                "sigue",
                "continúa",
                "más",
                "y qué más",
                "cuéntame más ?sobre|de ?eso|ello",
            ],
            "tell me more",
        ),
        (
            &[
                "cuéntame ?algo sobre|de *",
                "háblame de|sobre *",
                "?y qué es|son ?el|la|los|las *",
                "explícame ?qué ?es *",
            ],
            "tell me about {}",
        ),
        (
            &["escribe|escríbeme|hazme|haz|inventa|cuéntame un haiku|haikú sobre|de *"],
            "write a haiku about {}",
        ),
        (
            &[
                "escribe|escríbeme|hazme|haz|inventa|cuéntame un|una poema|poesía \
             sobre|de|para *",
            ],
            "write a poem about {}",
        ),
        (
            &[
                "escribe|escríbeme|hazme|haz|inventa|cuéntame un|una cuento|historia \
             ?corto|corta sobre|de|con *",
            ],
            "write a story about {}",
        ),
        (
            &["escribe|escríbeme|hazme|haz|inventa|cuéntame un poema"],
            "write a poem",
        ),
        (&["cuál es la capital de *"], "what is the capital of {}?"),
        (
            &["?y cuánto es|son *", "calcula *", "?y si lo"],
            "what is {}?",
        ),
        (
            &[
                "?en qué día es|estamos ?hoy",
                "qué hora es",
                "qué fecha es ?hoy",
            ],
            "what day is it?",
        ),
        (
            &[
                "habla|responde|contesta|háblame en inglés ?ahora",
                "cambia a inglés",
            ],
            "answer in English",
        ),
        (
            &["habla|responde|contesta|háblame en español ?ahora"],
            "answer in Spanish",
        ),
        (
            &[
                "estoy triste|deprimido|deprimida",
                "me siento mal|triste|solo|sola",
            ],
            "I am sad",
        ),
        (&["estoy cansado|cansada|agotado|agotada"], "I am tired"),
        (&["estoy contento|contenta|feliz|bien|genial"], "I am happy"),
        (&["soy *"], "I am {}"),
        (
            &[
                "sí",
                "vale",
                "de acuerdo",
                "claro",
                "bueno",
                "está bien",
                "muy bien",
                "perfecto",
            ],
            "ok then",
        ),
        (
            &["tradúceme|traduce * al inglés|español"],
            "translate {} to English",
        ),
    ];
    for (patterns, english) in TABLE {
        if let Some(found) = line.any(patterns) {
            let mut parts = found.into_iter();
            let mut said = String::new();
            for (at, piece) in english.split("{}").enumerate() {
                if at > 0 {
                    said.push_str(parts.next().unwrap_or_default());
                }
                said.push_str(piece);
            }
            // "soy pintora" keeps its noun: the pattern's choice is no capture.
            if english.ends_with("{}") && said.ends_with(' ') {
                said.push_str(tidy(text).split_whitespace().last().unwrap_or_default());
            }
            return Some(said);
        }
    }
    None
}
