//! The planets: a table, and questions about it. It knows nothing beyond the eight.

use super::learning::capital;
use super::talk::Talk;
use super::words::{Line, fold};

struct Planet {
    name: &'static str,
    spanish: &'static str,
    /// Millions of kilometres from the sun.
    distance: &'static str,
    diameter: &'static str,
    moons: &'static str,
    day: &'static str,
    year: &'static str,
    note: &'static str,
}

#[rustfmt::skip]
const PLANETS: &[Planet] = &[
    Planet { name: "Mercury", spanish: "Mercurio", distance: "58", diameter: "4,879", moons: "no moons", day: "176 Earth days from sunrise to sunrise", year: "88 days", note: "the smallest planet, scorched by day and frozen by night" },
    Planet { name: "Venus", spanish: "Venus", distance: "108", diameter: "12,104", moons: "no moons", day: "117 Earth days from sunrise to sunrise", year: "225 days", note: "the hottest planet, under clouds of sulphuric acid, and it turns backwards" },
    Planet { name: "Earth", spanish: "la Tierra", distance: "150", diameter: "12,756", moons: "one moon", day: "24 hours", year: "365.26 days", note: "the only one known to have weather worth small talk" },
    Planet { name: "Mars", spanish: "Marte", distance: "228", diameter: "6,792", moons: "two moons, Phobos and Deimos", day: "24 hours and 40 minutes", year: "687 days", note: "red with iron oxide, home of the tallest known volcano, Olympus Mons" },
    Planet { name: "Jupiter", spanish: "Júpiter", distance: "778", diameter: "142,984", moons: "more than ninety known moons, four of them large: Io, Europa, Ganymede \
             and Callisto", day: "just under 10 hours", year: "11.9 years", note: "the largest planet, with a storm that has lasted for centuries" },
    Planet { name: "Saturn", spanish: "Saturno", distance: "1,434", diameter: "120,536", moons: "well over a hundred known moons, the largest being Titan", day: "10.7 hours", year: "29.4 years", note: "the one with the bright rings, less dense than water" },
    Planet { name: "Uranus", spanish: "Urano", distance: "2,871", diameter: "51,118", moons: "nearly thirty known moons, named after characters of Shakespeare and Pope", day: "17.2 hours", year: "84 years", note: "tipped over so far that it rolls around the sun on its side" },
    Planet { name: "Neptune", spanish: "Neptuno", distance: "4,495", diameter: "49,528", moons: "sixteen known moons, the largest being Triton", day: "16.1 hours", year: "165 years", note: "the windiest planet, found by calculation before it was seen" },
];

pub(super) fn planets(talk: &mut Talk, line: &Line) -> Option<String> {
    if line.has(&["pluto"]) && (line.question || line.words.len() <= 4) {
        return Some(
            "Pluto is a dwarf planet since 2006: 2,377 km across, smaller than our \
             moon, and 248 years to a round. It has five moons, the largest being \
             Charon."
                .to_owned(),
        );
    }
    let around = talk.subject.as_deref().is_some_and(|subject| {
        subject == "planets" || PLANETS.iter().any(|planet| fold(planet.name) == subject)
    });
    let of_planets =
        line.has(&["planet", "planets"]) || (around && line.is(&["which|what ?one|of ?them is _"]));
    let extremes: &[(&[&str], &str, &str)] = &[
        (
            &["largest", "biggest"],
            "jupiter",
            "Jupiter is the largest: 142,984 km across.",
        ),
        (
            &["smallest"],
            "mercury",
            "Mercury is the smallest: 4,879 km across.",
        ),
        (
            &["hottest", "warmest"],
            "venus",
            "Venus is the hottest, at about 465 °C.",
        ),
        (
            &["coldest"],
            "neptune",
            "Neptune, on the whole, at about -200 °C; Uranus has had the lowest reading.",
        ),
        (
            &["closest", "nearest"],
            "mercury",
            "Mercury is the nearest to the sun, at 58 million km on average.",
        ),
        (
            &["farthest", "furthest"],
            "neptune",
            "Neptune is the farthest from the sun, at about 4,495 million km.",
        ),
    ];
    if of_planets
        && let Some((_, planet, said)) = extremes.iter().find(|(words, ..)| line.has(words))
    {
        talk.subject = Some((*planet).to_owned());
        return Some((*said).to_owned());
    }
    if line.is(&["_ planets _"])
        && (line.question || line.is(&["tell|name|list|give _", "planets", "the planets"]))
    {
        let names: Vec<String> = PLANETS
            .iter()
            .map(|planet| planet.name.to_owned())
            .collect();
        talk.subject = Some("planets".to_owned());
        return Some(if talk.spanish {
            let names: Vec<String> = PLANETS
                .iter()
                .map(|planet| planet.spanish.to_owned())
                .collect();
            format!("Hay ocho planetas: {}.", super::phrases::join(&names, "y"))
        } else {
            format!(
                "There are eight planets. From the sun outwards: {}.",
                super::phrases::join(&names, "and")
            )
        });
    }
    let named = |word: &str| {
        PLANETS
            .iter()
            .find(|planet| fold(planet.name) == word || fold(planet.spanish) == word)
    };
    let here = line
        .words
        .iter()
        .find_map(|word| named(word.norm.trim_end_matches("'s")));
    let pointed = line
        .has(&["it", "its", "that", "there"])
        .then(|| talk.subject.as_deref().and_then(named))
        .flatten();
    let bare = line.is(&["and ?what|how ?about *", "?what|how about *"]);
    let planet = here.or(pointed)?;
    let asks = line.question
        || bare
        || line.words.len() <= 2
        || line.is(&["tell|describe|explain|more|give|facts|háblame|cuéntame _"]);
    if !asks {
        return None;
    }
    talk.subject = Some(fold(planet.name));
    let name = planet.name;
    let trait_ = if line.has(&["moons", "moon", "lunas"]) {
        'm'
    } else if line.has(&["big", "large", "diameter", "size", "wide"]) {
        'b'
    } else if line.has(&["far", "distance"]) {
        'f'
    } else if line.has(&["day"]) {
        'd'
    } else if line.has(&["year", "orbit"]) {
        'y'
    } else if line.words.len() <= 4
        && talk.trait_.is_some()
        && here.is_some()
        && line.is(&["?what|how ?about *"])
        && !line.is(&["what is _"])
    {
        talk.trait_.unwrap_or(' ')
    } else {
        ' '
    };
    talk.trait_ = (trait_ != ' ').then_some(trait_);
    if talk.spanish {
        return Some(format!(
            "{}: a {} millones de km del sol, con {} km de diámetro.",
            capital(planet.spanish),
            planet.distance.replace(',', "."),
            planet.diameter.replace(',', ".")
        ));
    }
    Some(match trait_ {
        'm' => format!("{name} has {}.", planet.moons),
        'b' => format!("{name} is {} km across.", planet.diameter),
        'f' => format!(
            "{name} is about {} million km from the sun.",
            planet.distance
        ),
        'd' => format!("A day on {name} lasts {}.", planet.day),
        'y' => format!("A year on {name} lasts {}.", planet.year),
        _ => format!(
            "{name} is {}. It is {} km across, about {} million km from the sun, and \
             has {}.",
            planet.note, planet.diameter, planet.distance, planet.moons
        ),
    })
}
