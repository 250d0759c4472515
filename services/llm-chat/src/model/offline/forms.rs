//! The forms that pieces are composed in: each fills its lines from nouns and a seed, and from nothing else.

use super::learning::capital;
use super::phrases::mix;
use super::talk::Talk;
use super::words::fold;

/// Takes the `step`-th choice from a list by the seed.
pub(super) fn choose<'a>(list: &[&'a str], seed: u64, step: u32) -> &'a str {
    let at = mix(seed.wrapping_add(u64::from(step))) % list.len().max(1) as u64;
    usize::try_from(at)
        .ok()
        .and_then(|at| list.get(at))
        .copied()
        .unwrap_or_default()
}

pub(super) fn story(talk: &Talk, nouns: &[String], seed: u64, es: bool) -> String {
    let hero = &nouns[0];
    let named = hero.chars().next().is_some_and(char::is_uppercase);
    if es {
        let lugar = choose(
            &[
                "al final de un valle",
                "en una calle sin número",
                "cerca del puerto",
            ],
            seed,
            1,
        );
        let otro = nouns.get(1).map_or("una llave antigua", String::as_str);
        return format!(
            "Había una vez {hero}, {lugar}. Nadie preguntaba por qué estaba allí, \
             hasta que un martes apareció {otro}.\n\n«Llegas tarde», pareció decir el \
             silencio. Y era verdad: llevaban años esperando.\n\nDesde aquel día, \
             quien pasa por allí baja la voz, por si acaso la historia continúa."
        );
    }
    let who = if named {
        hero.clone()
    } else {
        format!("{} {hero}", article(hero))
    };
    let the = if named {
        hero.clone()
    } else {
        format!("the {hero}")
    };
    let place = choose(
        &[
            "at the edge of a town that maps forgot",
            "in a house with one window too many",
            "where the tram line ends",
            "on an island the size of a field",
            "above a bakery that never closed",
        ],
        seed,
        1,
    );
    let other = nouns.get(1).map_or_else(
        || {
            choose(
                &[
                    "a letter without a stamp",
                    "a key that fitted nothing",
                    "a very small storm",
                    "a clock that ran backwards",
                    "an umbrella with an opinion",
                ],
                seed,
                2,
            )
            .to_owned()
        },
        |other| {
            if other.chars().next().is_some_and(char::is_uppercase) {
                other.clone()
            } else {
                format!("{} {other}", article(other))
            }
        },
    );
    let day = choose(
        &[
            "One Tuesday",
            "On the first cold morning",
            "The night the lights went out",
            "Just before the rains",
        ],
        seed,
        3,
    );
    let turn = choose(
        &[
            "\"You took your time,\" it seemed to say.",
            "Neither of them knew the rules of such meetings.",
            "It was not what anyone would have ordered.",
            "At first there was only staring.",
        ],
        seed,
        4,
    );
    let work = choose(
        &[
            "They tried to take turns being brave",
            "They agreed to look for whatever was missing",
            "They shared what there was, which was half a pear",
            "They walked until the road ran out and then a little further",
        ],
        seed,
        5,
    );
    let end = choose(
        &[
            "and by evening the place was known by a new name, which was theirs.",
            "and when they got back, nothing had changed except the two of them.",
            "and it turned out that the thing they were looking for had been keeping \
             them company all along.",
            "and people still leave a lamp on there, in case the story comes home.",
        ],
        seed,
        6,
    );
    let reader = talk
        .facts
        .get(&super::memory::Key::Name)
        .filter(|name| seed.is_multiple_of(3) && fold(name) != fold(hero))
        .map_or_else(String::new, |name| {
            format!("\n\n(That one was for you, {name}.)")
        });
    format!(
        "{} lived {place}. It was a quiet life, and {the} had stopped expecting \
             it to be anything else.\n\n{day}, {other} turned up at the door. \
             {turn}\n\n{work}, {end}{reader}",
        capital(&who)
    )
}

pub(super) fn article(noun: &str) -> &'static str {
    let low = fold(noun);
    if low.starts_with(['a', 'e', 'i', 'o', 'u'])
        && !low.starts_with("uni")
        && !low.starts_with("eu")
        && !low.starts_with("one")
    {
        "an"
    } else {
        "a"
    }
}

pub(super) fn prompt(about: &str, seed: u64) -> String {
    let light = choose(
        &[
            "soft morning light",
            "low golden sun",
            "overcast, even light",
            "a single lamp at night",
            "blue hour",
        ],
        seed,
        1,
    );
    let frame = choose(
        &[
            "wide shot, low horizon",
            "close-up, shallow depth of field",
            "seen from above",
            "centred, symmetrical",
            "from behind, three-quarter view",
        ],
        seed,
        2,
    );
    let manner = choose(
        &[
            "watercolour on rough paper",
            "35 mm photograph with fine grain",
            "flat poster in four colours",
            "ink drawing with a grey wash",
            "oil sketch, visible strokes",
        ],
        seed,
        3,
    );
    let palette = choose(
        &[
            "teal and ochre",
            "muted greens and rust",
            "black, cream and one red",
            "dusty pink and slate",
        ],
        seed,
        4,
    );
    format!(
        "Here is a prompt for the picture service:\n\n> {about}, {frame}, \
             {light}, {manner}, palette of {palette}, no text"
    )
}

pub(super) fn slogan(nouns: &[String], seed: u64, es: bool) -> String {
    let noun = &nouns[0];
    if es {
        return choose(
            &[
                "{n}: menos ruido, más verdad.",
                "{n}. Lo demás es esperar.",
                "Todo empieza por {n}.",
            ],
            seed,
            1,
        )
        .replace("{n}", &capital(noun));
    }
    capital(
        &choose(
            &[
                "{n}, without the fuss.",
                "{n}: small hours, big difference.",
                "There's a bit of {n} in every good day.",
                "{n}. You'll know it when it's gone.",
                "Less waiting, more {n}.",
            ],
            seed,
            1,
        )
        .replace("{n}", noun),
    )
}

pub(super) fn names(nouns: &[String], seed: u64) -> String {
    let noun = capital(nouns[0].split_whitespace().last().unwrap_or("thing"));
    let heads = [
        "Little", "North", "Paper", "Amber", "Second", "Open", "Quiet", "Tall",
    ];
    let tails = [
        "House",
        "& Daughters",
        "Works",
        "Yard",
        "Corner",
        "Post",
        "Club",
        "Folk",
    ];
    let start = usize::try_from(seed % 8).unwrap_or(0);
    let rows: Vec<String> = (0..5_usize)
        .map(|n| {
            if n % 2 == 0 {
                format!("- {} {noun}", heads[(start + n) % 8])
            } else {
                format!("- {noun} {}", tails[(start + 3 * n) % 8])
            }
        })
        .collect();
    format!("A few to try on:\n\n{}", rows.join("\n"))
}
