//! Small tables with exact answers: planets, colours, capitals, a pocket dictionary. It reasons about nothing else.

use super::learning::capital;
use super::planets::planets;
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

#[rustfmt::skip]
const CAPITALS: &[(&str, &str)] = &[
    ("france", "Paris"), ("spain", "Madrid"), ("portugal", "Lisbon"), ("italy", "Rome"), ("germany", "Berlin"), ("england", "London"), ("the united kingdom", "London"), ("united kingdom", "London"), ("uk", "London"),
    ("ireland", "Dublin"), ("scotland", "Edinburgh"), ("wales", "Cardiff"), ("belgium", "Brussels"), ("netherlands", "Amsterdam"), ("switzerland", "Bern"), ("austria", "Vienna"), ("poland", "Warsaw"), ("greece", "Athens"),
    ("sweden", "Stockholm"), ("norway", "Oslo"), ("denmark", "Copenhagen"), ("finland", "Helsinki"), ("iceland", "Reykjavík"), ("czechia", "Prague"), ("hungary", "Budapest"), ("romania", "Bucharest"), ("ukraine", "Kyiv"),
    ("russia", "Moscow"), ("turkey", "Ankara"), ("egypt", "Cairo"), ("morocco", "Rabat"), ("kenya", "Nairobi"), ("nigeria", "Abuja"), ("india", "New Delhi"), ("china", "Beijing"), ("japan", "Tokyo"), ("south korea", "Seoul"),
    ("thailand", "Bangkok"), ("vietnam", "Hanoi"), ("indonesia", "Jakarta"), ("australia", "Canberra"), ("new zealand", "Wellington"), ("canada", "Ottawa"), ("united states", "Washington, D.C."), ("usa", "Washington, D.C."),
    ("mexico", "Mexico City"), ("brazil", "Brasília"), ("argentina", "Buenos Aires"), ("chile", "Santiago"), ("peru", "Lima"), ("colombia", "Bogotá"), ("cuba", "Havana"), ("uruguay", "Montevideo"), ("ecuador", "Quito"),
    ("francia", "París"), ("españa", "Madrid"), ("italia", "Roma"), ("alemania", "Berlín"), ("japón", "Tokio"), ("méxico", "Ciudad de México"), ("perú", "Lima"),
];

#[rustfmt::skip]
const DICTIONARY: &[(&str, &str)] = &[
    ("dog", "perro"), ("cat", "gato"), ("house", "casa"), ("water", "agua"), ("bread", "pan"), ("milk", "leche"), ("book", "libro"), ("friend", "amigo"), ("love", "amor"), ("sun", "sol"), ("moon", "luna"), ("sea", "mar"),
    ("tree", "árbol"), ("flower", "flor"), ("bird", "pájaro"), ("fish", "pez"), ("hello", "hola"), ("goodbye", "adiós"), ("thank you", "gracias"), ("thanks", "gracias"), ("please", "por favor"), ("yes", "sí"), ("no", "no"),
    ("good morning", "buenos días"), ("good night", "buenas noches"), ("red", "rojo"), ("blue", "azul"), ("green", "verde"), ("yellow", "amarillo"), ("black", "negro"), ("white", "blanco"), ("one", "uno"), ("two", "dos"),
    ("three", "tres"), ("four", "cuatro"), ("five", "cinco"), ("today", "hoy"), ("tomorrow", "mañana"), ("city", "ciudad"), ("street", "calle"), ("school", "escuela"), ("work", "trabajo"), ("music", "música"), ("time", "tiempo"),
    ("window", "ventana"), ("door", "puerta"), ("table", "mesa"), ("chair", "silla"), ("apple", "manzana"), ("cheese", "queso"), ("coffee", "café"), ("tea", "té"), ("wine", "vino"), ("beer", "cerveza"), ("happy", "feliz"), ("sad", "triste"),
    ("i love you", "te quiero"), ("how are you", "¿cómo estás?"), ("where is", "¿dónde está?"), ("train", "tren"), ("beach", "playa"), ("mountain", "montaña"), ("rain", "lluvia"), ("snow", "nieve"), ("night", "noche"), ("day", "día"),
];

#[rustfmt::skip]
const MIXES: &[(&str, &str, &str)] = &[
    ("red", "blue", "purple"), ("red", "yellow", "orange"), ("blue", "yellow", "green"), ("red", "white", "pink"), ("black", "white", "grey"), ("red", "green", "brown"), ("blue", "white", "light blue"), ("blue", "green", "teal"),
    ("orange", "blue", "brown"), ("purple", "yellow", "brown"), ("black", "red", "maroon"), ("green", "white", "mint"), ("yellow", "green", "lime"),
];

#[rustfmt::skip]
const COLOURS: &[(&str, &str, &str)] = &[
    ("red", "#FF0000", "green"), ("green", "#008000", "red"), ("blue", "#0000FF", "orange"), ("orange", "#FFA500", "blue"), ("yellow", "#FFFF00", "purple"), ("purple", "#800080", "yellow"), ("teal", "#008080", "coral"),
    ("pink", "#FFC0CB", "mint green"), ("brown", "#A52A2A", "a soft blue"), ("black", "#000000", "white"), ("white", "#FFFFFF", "black"), ("grey", "#808080", "any colour at all"), ("navy", "#000080", "amber"),
    ("turquoise", "#40E0D0", "coral red"), ("coral", "#FF7F50", "teal"), ("gold", "#FFD700", "indigo"), ("lavender", "#E6E6FA", "pale yellow"), ("maroon", "#800000", "sea green"), ("indigo", "#4B0082", "gold"), ("crimson", "#DC143C", "jade"),
];

/// Answers from the tables.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    planets(talk, line)
        .or_else(|| colours(talk, line))
        .or_else(|| places(talk, line))
        .or_else(|| dictionary(talk, line))
        .map(Part::Answer)
}

fn colours(talk: &mut Talk, line: &Line) -> Option<String> {
    let plain = |text: &str| {
        fold(tidy(text))
            .trim_start_matches("the colour ")
            .to_owned()
    };
    if let Some(found) = line.any(&[
        "what ?colour do|does|would ?you ?get|mixing * and * make|give|mix|become \
             ?together|when|if ?mixed",
        "what ?colour do|would you|i|we get ?when|if|by ?from ?you|i|we \
             mix|mixing|combining|combine * and|with *",
        "mix * and|with *",
        "what ?colour is * and * ?mixed|together",
        "what happens if|when i|you mix * and|with *",
        "?what ?about ?and * and|with * ?mixed",
    ]) && let (a, b) = (plain(found[0]), plain(found[1]))
        && [&a, &b]
            .iter()
            .all(|word| COLOURS.iter().any(|(name, ..)| name == word))
    {
        talk.subject = Some("colours".to_owned());
        return Some(
            match MIXES
                .iter()
                .find(|(x, y, _)| (*x == a && *y == b) || (*x == b && *y == a))
            {
                _ if a == b => format!("More {a}, and nothing else."),
                Some((.., mix)) => talk.vary(&[
                    format!("As paint, {a} and {b} make {mix}."),
                    format!("{}: that's what {a} and {b} paint give.", capital(mix)),
                ]),
                None => format!(
                    "As paint, {a} and {b} most likely end up as something muddy; I don't \
             have a name for it."
                ),
            },
        );
    }
    if let Some(found) = line.any(&[
        "_ hex ?code|value ?for|of|is *",
        "what is * in hex",
        "what is the rgb|code of|for *",
    ]) {
        let (name, hex, _) = COLOURS.iter().find(|(name, ..)| *name == plain(found[0]))?;
        talk.subject = Some("colours".to_owned());
        return Some(format!("{} is {hex}.", capital(name)));
    }
    if let Some(found) = line.any(&[
        "_ complement|complementary|opposite ?colour of|to|is *",
        "what ?colour goes ?well with *",
        "what goes ?well with *",
    ]) {
        let (name, _, other) = COLOURS.iter().find(|(name, ..)| *name == plain(found[0]))?;
        talk.subject = Some("colours".to_owned());
        return Some(format!(
            "Opposite {name}, and so its strongest partner, is {other}."
        ));
    }
    if line.is(&["_ primary colours _"]) {
        talk.subject = Some("colours".to_owned());
        return Some(
            "For light: red, green and blue. For paint, the old school says red, \
             yellow and blue; printers use cyan, magenta and yellow."
                .to_owned(),
        );
    }
    if line.is(&["_ colours of the|a rainbow _", "_ rainbow colours _"]) {
        return Some("Red, orange, yellow, green, blue, indigo and violet.".to_owned());
    }
    if line.is(&[
        "?tell|teach ?me ?something|more|about about colours|colour",
        "what are colours",
        "what do you know about colours",
    ]) {
        talk.subject = Some("colours".to_owned());
        return Some(
            "Colour is how we see the wavelength of light, from red at about 700 \
             nanometres to violet at about 400. Ask me what two paints make, which \
             colour goes with teal, or the hex code of coral."
                .to_owned(),
        );
    }
    if line.is(&["why is the sky blue"]) {
        return Some(
            "Air scatters short waves of light more than long ones, so blue reaches \
             your eyes from every side of the sky. At sunset the light has crossed \
             more air and mostly red is left."
                .to_owned(),
        );
    }
    None
}

fn places(talk: &mut Talk, line: &Line) -> Option<String> {
    let find = |text: &str| {
        let low = fold(tidy(text));
        let low = low.strip_prefix("the ").unwrap_or(&low).to_owned();
        CAPITALS
            .iter()
            .find(|(country, _)| *country == low)
            .map(|(_, city)| (tidy(text).to_owned(), *city))
    };
    let asked = line
        .any(&[
            "_ capital ?city of|de *",
            "what is *'s capital",
            "_ capital does * have",
        ])
        .map(|found| found[0]);
    let follow = (talk.trait_ == Some('c'))
        .then(|| line.any(&["?what|how ?about ?of *", "?y ?la ?de *"]))
        .flatten()
        .map(|found| found[0]);
    let asked = asked.or(follow)?;
    let (country, city) = find(asked)?;
    talk.trait_ = Some('c');
    talk.subject = Some(fold(city));
    Some(if talk.spanish {
        format!("La capital de {country} es {city}.")
    } else {
        talk.vary(&[
            format!("{city}."),
            format!("The capital of {country} is {city}."),
        ])
    })
}

fn dictionary(talk: &mut Talk, line: &Line) -> Option<String> {
    let found = line.any(&[
        "how do|would you|i|we say * in spanish|english",
        "what is * in spanish|english",
        "translate * to|into spanish|english",
        "what is the spanish|english word|for ?for *",
        "cómo se dice * en inglés|español",
        "what does * mean in english|spanish",
        "?and ?what ?about * in spanish|english",
    ]);
    let follow = if found.is_none() && talk.trait_ == Some('w') {
        line.any(&["?what|how ?about *"])
    } else {
        None
    };
    let wanted = found.or(follow)?;
    let word = fold(tidy(wanted[0]));
    let word = ["the word ", "the ", "a ", "an "]
        .iter()
        .find_map(|start| word.strip_prefix(start))
        .unwrap_or(&word)
        .trim_matches('\'')
        .to_owned();
    let pair = DICTIONARY
        .iter()
        .find(|(english, spanish)| *english == word || fold(spanish) == word);
    let Some((english, spanish)) = pair else {
        return (talk.trait_ != Some('w') || line.has(&["spanish", "english"])).then(|| {
            format!(
                "\"{}\" isn't in my pocket dictionary, which has only some seventy \
             everyday words.",
                super::phrases::clip(&word, 40)
            )
        });
    };
    talk.trait_ = Some('w');
    Some(if *english == word {
        format!("*{english}* in Spanish is **{spanish}**.")
    } else {
        format!("*{spanish}* means **{english}**.")
    })
}
