//! Forms counted in lines and syllables: haiku, limerick, poem. The nouns are given, the rest is chosen by a seed.

use super::forms::{article, choose};
use super::learning::capital;
use super::words::{fold, tidy};

/// The same, passing over what already says `noun`.
fn choose_beside<'a>(list: &[&'a str], noun: &str, seed: u64, step: u32) -> &'a str {
    let apart: Vec<&str> = list
        .iter()
        .copied()
        .filter(|text| !text.contains(noun))
        .collect();
    choose(&apart, seed, step)
}

/// English syllables, near enough to count a haiku line.
fn syllables(text: &str) -> usize {
    text.split_whitespace()
        .map(|word| {
            let word = fold(tidy(word));
            let mut count = 0;
            let mut before = false;
            for c in word.chars() {
                let vowel = "aeiouyáéíóúü".contains(c);
                count += usize::from(vowel && !before);
                before = vowel;
            }
            let silent = word.ends_with('e') && !word.ends_with("le") && count > 1
                || word.ends_with("ed") && !word.ends_with("ted") && count > 1;
            (count - usize::from(silent && count > 1)).max(1)
        })
        .sum()
}

pub(super) fn haiku(nouns: &[String], seed: u64, es: bool) -> String {
    let noun = &nouns[0];
    let second = nouns.get(1);
    if es {
        let first = choose(
            &[
                "en la mañana",
                "bajo la luna",
                "junto a la orilla",
                "tras la ventana",
            ],
            seed,
            1,
        );
        let middle = choose(
            &[
                "el tiempo pasa despacio",
                "una sombra se detiene",
                "el viento guarda silencio",
            ],
            seed,
            2,
        );
        let last = choose(
            &["y nadie lo ve", "vuelve la calma", "se apaga el día"],
            seed,
            3,
        );
        return format!("*{}*\n\n{first}\n{middle}\n{last}", capital(noun));
    }
    let low = if noun.chars().skip(1).any(char::is_uppercase) {
        noun.clone()
    } else {
        fold(noun)
    };
    let name = if noun.chars().next().is_some_and(char::is_uppercase)
        && noun.split_whitespace().count() == 1
    {
        noun.clone()
    } else {
        low
    };
    let first = match syllables(&name) {
        1 => format!(
            "{name} in {}",
            choose_beside(
                &[
                    "morning light",
                    "early spring",
                    "autumn rain",
                    "the first snow"
                ],
                &name,
                seed,
                1
            )
        ),
        2 => format!(
            "{name} {}",
            choose_beside(
                &[
                    "in the rain",
                    "at first light",
                    "under stars",
                    "past the gate"
                ],
                &name,
                seed,
                1
            )
        ),
        3 => format!(
            "{name} {}",
            choose_beside(&["at dusk", "in snow", "at dawn", "in fog"], &name, seed, 1)
        ),
        4 => format!(
            "{name} {}",
            choose_beside(&["waits", "sleeps", "sings", "drifts"], &name, seed, 1)
        ),
        5 => name.clone(),
        _ => format!(
            "{}\nfor {name}:\n{}",
            choose_beside(&["a few quiet words"], &name, seed, 1),
            choose_beside(&["so little to say", "so much left to see"], &name, seed, 2)
        ),
    };
    let middle = match second.map(|noun| (fold(noun), syllables(noun))) {
        Some((other, 1)) => format!("a {other} answers from the hill"),
        Some((other, 2)) => format!("and {other} is not far behind"),
        Some((other, 3)) => format!("{other} looks up, and then away"),
        _ => choose_beside(
            &[
                "the whole street holds its breath once",
                "one thought arrives and stays on",
                "a door stands open somewhere",
                "the kettle begins to hum",
                "nothing else asks to be seen",
                "somebody laughs far away",
            ],
            &name,
            seed,
            3,
        )
        .to_owned(),
    };
    let last = choose_beside(
        &[
            "then the wind moves on",
            "and the day begins",
            "no one says a word",
            "the tea has gone cold",
            "the lamp burns all night",
            "I forget the time",
        ],
        &name,
        seed,
        4,
    );
    format!("{first}\n{middle}\n{last}")
}

/// Five lines in the old metre; the noun only enters where any noun fits.
pub(super) fn limerick(nouns: &[String], seed: u64) -> String {
    let noun = &nouns[0];
    let named = noun.chars().next().is_some_and(char::is_uppercase);
    let who = if named {
        format!("a certain {noun}")
    } else {
        format!("{} {noun}", article(noun))
    };
    let verse = choose(
        &[
            "There was once, by the side of the sea,\n{n} that took salt with its \
             tea;\nwhen they asked, \"Is it nice?\"\nit would answer, \"Just \
             twice,\"\nand go back to its biscuits, carefree.",
            "They tell of {n} in Peru\nwith nothing whatever to do;\nso it counted \
             its toes,\nand as everyone knows\nit came to one more than was due.",
            "I lent my best hat, on a date,\nto {n} that was always too late;\nit \
             came back the next year\nwith a hole by the ear\nand a note saying, \
             \"Sorry. It's great.\"",
        ],
        seed,
        1,
    );
    verse.replace("{n}", &who)
}

pub(super) fn poem(nouns: &[String], seed: u64, es: bool) -> String {
    let noun = &nouns[0];
    if es {
        let fin = choose(
            &[
                "y el mundo cabe en su rumor.",
                "y basta para hacer mejor el día.",
                "y nada falta alrededor.",
            ],
            seed,
            2,
        );
        return format!(
            "**{}**\n\nHablo de {noun} en voz muy baja,\ncomo quien abre un \
             ventanal;\nla luz se sienta en la baraja\nde lo pequeño y lo \
             cabal.\n\nNo hace falta gran palabra\nni prometer ningún honor:\n{noun} \
             pasa, deja huella,\n{fin}",
            capital(noun)
        );
    }
    let with = nouns.get(1).map_or_else(
        || {
            choose(
                &["the evening", "an old song", "the long way home"],
                seed,
                1,
            )
            .to_owned()
        },
        |other| other.clone(),
    );
    let first = choose(
        &[
            "I went to look for {n} at the break of the day,\nwhen the streets were \
             still silver, the sky still grey;\nand {w} came along for a part of the \
             way,\nwith little to carry and little to say.",
            "There's a corner for {n} where the afternoon lies,\nwith the hum of a \
             kettle, the traffic of flies;\nand {w} looks in with its half-open \
             eyes\nand asks for no answers, and gives no replies.",
            "They say that of {n} there is nothing to tell,\nno trumpet, no banner, \
             no toll of a bell;\nbut {w} and I, we remember it well,\nthe way that \
             the light on it lingered and fell.",
        ],
        seed,
        2,
    );
    let second = choose(
        &[
            "So keep what you're given and leave what is gone:\nthe road doesn't end \
             where the map isn't drawn;\nand {n} is a lamp you may lean your heart \
             on\nfrom the first of the dark to the first of the dawn.",
            "And if you should lose it, then look where you were:\nin a cup, in a \
             coat, in the afternoon's blur;\nfor {n} is no traveller, no \
             wanderer:\nit waits in the place where your thoughts used to stir.",
            "The hours go over, the seasons go through,\nthe old things get older, \
             the new things less new;\nbut {n}, if you let it, will still colour \
             you\nthe way a small window lets morning come through.",
        ],
        seed,
        3,
    );
    let fill = |stanza: &str| stanza.replace("{n}", noun).replace("{w}", &with);
    let verse = format!("{}\n\n{}", fill(first), fill(second));
    let lines: Vec<String> = verse.lines().map(capital).collect();
    format!("**{}**\n\n{}", capital(noun), lines.join("\n"))
}
