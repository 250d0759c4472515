//! Every other word the painter understands: scenes, times, weather, seasons, moods, colours, counts,
//! sizes, relations, and the words it passes over. Data and one lookup table.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::palette::Rgb;
use super::nouns::Noun;
use super::{Mood, Relation, Scene, Season, Time, Weather};

/// What a word means to the painter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Word {
    /// A drawable thing.
    Noun(Noun),
    /// A place.
    Scene(Scene),
    /// A time of day.
    Time(Time),
    /// Weather.
    Weather(Weather),
    /// A season.
    Season(Season),
    /// A mood.
    Mood(Mood),
    /// A colour.
    Colour(Rgb),
    /// How many.
    Count(u8),
    /// How large, as a factor.
    Size(f32),
    /// How what came before relates to what comes next.
    Relation(Relation),
    /// Joins phrases without saying where.
    Link,
    /// Says nothing that can be drawn.
    Filler,
}

const SCENES: &[(Scene, &str)] = &[
    (
        Scene::Meadow,
        "meadow field hill countryside garden park farm grass grassland prairie valley savanna village spring_meadow pradera campo jardin parque colina valle pueblo",
    ),
    (
        Scene::Forest,
        "forest wood woodland jungle pine_forest grove rainforest bosque selva",
    ),
    (
        Scene::Mountains,
        "mountain_range alps himalayas cliff highland canyon mountain_landscape landscape mountains montanas sierra paisaje",
    ),
    (
        Scene::Sea,
        "sea ocean wave open_sea waves mar oceano ola olas",
    ),
    (
        Scene::Coast,
        "beach coast shore seaside harbor harbour port bay playa costa puerto orilla",
    ),
    (
        Scene::Lake,
        "lake river pond stream waterfall lagoon lago rio estanque cascada",
    ),
    (
        Scene::Desert,
        "desert dune sahara sand oasis desierto arena duna",
    ),
    (
        Scene::Snow,
        "arctic tundra glacier ice antarctica north_pole snowy_field snowfield artico hielo glaciar",
    ),
    (
        Scene::City,
        "city street town skyline downtown metropolis cityscape tokyo london paris york madrid alley road market rooftop building ciudad calle edificio",
    ),
    (
        Scene::Space,
        "space galaxy cosmos universe outer_space nebula orbit asteroid espacio galaxia universo nebulosa",
    ),
    (
        Scene::Moonscape,
        "moon_surface lunar lunar_surface crater on_the_moon alien_planet",
    ),
    (
        Scene::Underwater,
        "underwater undersea reef coral coral_reef deep_sea aquarium seabed under_the_sea bajo_el_mar submarino_fondo arrecife acuario",
    ),
    (
        Scene::Room,
        "room kitchen interior indoors library cafe_interior bedroom living_room studio museum table desk shelf window windowsill wooden_table still_life bar habitacion cocina mesa ventana biblioteca cuarto",
    ),
    (
        Scene::Sky,
        "sky heaven above_the_clouds clouds air cielo nubes aire",
    ),
];

const TIMES: &[(Time, &str)] = &[
    (
        Time::Dawn,
        "dawn sunrise daybreak early_morning amanecer alba",
    ),
    (
        Time::Day,
        "day noon midday morning afternoon daylight sunny dia mediodia manana soleado tarde",
    ),
    (
        Time::Dusk,
        "sunset dusk twilight evening golden_hour sundown atardecer ocaso anochecer crepusculo puesta_de_sol",
    ),
    (
        Time::Night,
        "night midnight moonlit moonlight starry nighttime starlight starry_night noche medianoche estrellado nocturno",
    ),
];

const WEATHERS: &[(Weather, &str)] = &[
    (Weather::Clear, "clear cloudless despejado"),
    (Weather::Cloudy, "cloudy overcast nublado"),
    (
        Weather::Rain,
        "rain rainy drizzle raining shower wet lluvia lluvioso lloviendo",
    ),
    (
        Weather::Storm,
        "storm thunder lightning thunderstorm stormy tempest hurricane tormenta rayo trueno",
    ),
    (
        Weather::Snowfall,
        "snow snowy snowfall snowing blizzard snowstorm nieve nevado nevando",
    ),
    (
        Weather::Fog,
        "fog foggy mist misty haze hazy smoke niebla bruma neblina",
    ),
];

const SEASONS: &[(Season, &str)] = &[
    (
        Season::Spring,
        "spring springtime cherry_blossom blooming primavera",
    ),
    (Season::Summer, "summer summertime tropical verano"),
    (
        Season::Autumn,
        "autumn fall autumnal october halloween otono",
    ),
    (
        Season::Winter,
        "winter wintry frosty frozen christmas invierno navidad",
    ),
];

const MOODS: &[(Mood, &str)] = &[
    (
        Mood::Calm,
        "calm peaceful serene quiet tranquil cozy cosy gentle soft minimal minimalist tranquilo sereno",
    ),
    (
        Mood::Dark,
        "dark gloomy ominous spooky scary eerie sad lonely haunted mysterious gothic oscuro triste misterioso",
    ),
    (
        Mood::Bright,
        "happy cheerful bright joyful vibrant colorful colourful festive playful cute alegre feliz brillante",
    ),
    (
        Mood::Dream,
        "dreamy magical surreal fantasy enchanted ethereal fairy mystical psychedelic whimsical magico fantastico",
    ),
];

const COLOURS: &[(u32, &str)] = &[
    (0xd62828, "red scarlet rojo roja rojos rojas"),
    (0x9b1b30, "crimson burgundy maroon granate"),
    (0xf07f22, "orange naranja naranjas anaranjado"),
    (0xf6c829, "yellow amarillo amarilla amarillos amarillas"),
    (0xe0aa2e, "gold golden dorado dorada oro"),
    (0x3a9d4a, "green verde verdes"),
    (0x8fd14f, "lime_green bright_green"),
    (0x1f7a5c, "emerald_green jade dark_green"),
    (0x22b5a8, "teal turquoise turquesa"),
    (0x27c5e8, "cyan aqua cian"),
    (0x2f6fd6, "blue azul azules"),
    (0x86c5f2, "light_blue sky_blue celeste baby_blue"),
    (0x1d3f8f, "navy dark_blue cobalt indigo"),
    (0x8642c8, "purple violet morado morada violeta purpura"),
    (0xb79ae6, "lavender lilac lila"),
    (0xf277ad, "pink rosa rosado rosada"),
    (0xe0359a, "magenta fuchsia fucsia"),
    (0x86552f, "brown bronze marron cafe_claro chocolate"),
    (0xd9b98a, "beige tan cream crema"),
    (0xf7f5ef, "white ivory blanco blanca blancos blancas"),
    (0x26262e, "black negro negra negros negras"),
    (0x8b929c, "grey gray gris grises"),
    (0xc3ccd6, "silver chrome plateado plata"),
    (0xc2703d, "copper rust cobre"),
];

const COUNTS: &[(u8, &str)] = &[
    (1, "a an one single lone un una uno"),
    (2, "two pair couple both dos"),
    (
        3,
        "three several few some trio tres unos unas varios varias",
    ),
    (4, "four cuatro"),
    (5, "five group many cinco muchos muchas"),
    (6, "six half_dozen seis"),
    (7, "seven flock herd school siete"),
    (8, "eight ocho"),
    (9, "nine swarm nueve"),
    (10, "ten diez"),
    (12, "eleven twelve dozen dozens hundreds thousands doce"),
];

const SIZES: &[(f32, &str)] = &[
    (0.55, "tiny miniature diminuto"),
    (0.72, "small little pequeno pequena"),
    (1.25, "big large tall grande alto"),
    (
        1.5,
        "giant huge enormous gigantic massive colossal gigante enorme",
    ),
];

const RELATIONS: &[(Relation, &str)] = &[
    (
        Relation::Over,
        "over above flying_over floating_over soaring_over hovering_over jumping_over encima encima_de por_encima_de",
    ),
    (
        Relation::On,
        "on atop upon onto on_top_of riding sitting_on standing_on sobre",
    ),
    (
        Relation::Under,
        "under beneath below underneath bajo debajo debajo_de",
    ),
    (
        Relation::Beside,
        "beside near by next_to alongside junto junto_a cerca_de al_lado_de around",
    ),
    (Relation::Behind, "behind detras detras_de"),
    (
        Relation::Front,
        "before in_front_of frente_a delante_de facing",
    ),
];

const LINKS: &str = "and with in inside into within at of for from to through across along between against among during while as like y con en dentro de del al por para entre desde hacia e o or but than that which who where its his her their the el la los las this these su sus is are was be has have";

const FILLER: &str = "beautiful amazing stunning detailed highly very ultra hd 4k 8k masterpiece trending artstation painting picture photo photograph photography image drawing illustration style art artwork realistic watercolor watercolour oil pixel lineart line ink neon cyberpunk digital render rendering portrait scene view background foreground close closeup wide shot angle cinematic lighting light lights glow glowing reflection shadow old new young ancient modern vintage retro wild lovely pretty elegant sleeping sitting standing running walking flying swimming jumping floating sailing playing reading eating drinking dancing looking watching holding wearing riding growing falling burning shining lit covered made full empty open wooden wood stone metal glass paper warm cold hot cool sits stands flies runs swims floats sails it he she they there here out up down off all each every other another more most just only also not no so too my your our we you i me please draw paint make create show generate dibuja pinta un dibujo imagen foto cuadro hermoso hermosa bonito bonita viejo vieja volando nadando durmiendo muy s t";

/// The whole vocabulary; words joined by `_` in the tables are looked up with spaces.
static WORDS: LazyLock<HashMap<String, Word>> = LazyLock::new(|| {
    let mut map = HashMap::new();
    let mut add = |names: &str, word: Word| {
        for name in names.split_whitespace() {
            map.entry(name.replace('_', " ")).or_insert(word);
        }
    };
    for &(r, names) in RELATIONS {
        add(names, Word::Relation(r));
    }
    for &(n, names) in COUNTS {
        add(names, Word::Count(n));
    }
    add(LINKS, Word::Link);
    for &(s, names) in SCENES {
        add(names, Word::Scene(s));
    }
    for &(t, names) in TIMES {
        add(names, Word::Time(t));
    }
    for &(w, names) in WEATHERS {
        add(names, Word::Weather(w));
    }
    for &(s, names) in SEASONS {
        add(names, Word::Season(s));
    }
    for &(m, names) in MOODS {
        add(names, Word::Mood(m));
    }
    for &(c, names) in COLOURS {
        add(names, Word::Colour(Rgb::hex(c)));
    }
    for &(k, names) in SIZES {
        add(names, Word::Size(k));
    }
    for &noun in Noun::ALL {
        add(noun.names(), Word::Noun(noun));
    }
    add(FILLER, Word::Filler);
    map
});

/// What a folded word or a few words joined by spaces mean. None when unknown.
pub fn look_up(text: &str) -> Option<Word> {
    WORDS.get(text).copied()
}

/// As [`look_up`], also trying the singular; the flag says whether it was a plural.
pub fn look_up_any(text: &str) -> Option<(Word, bool)> {
    if let Some(word) = look_up(text) {
        return Some((
            word,
            matches!(text, "people" | "peces" | "cacti" | "dragones"),
        ));
    }
    let irregular = match text {
        "men" => "man",
        "women" => "woman",
        "children" => "child",
        "geese" => "goose",
        "knives" => "knife",
        _ => "",
    };
    let mut singulars = vec![irregular.to_owned()];
    if let Some(stem) = text.strip_suffix("ies") {
        singulars.push(format!("{stem}y"));
    }
    if let Some(stem) = text.strip_suffix("ves") {
        singulars.push(format!("{stem}f"));
    }
    for suffix in ["s", "es"] {
        if let Some(stem) = text.strip_suffix(suffix) {
            singulars.push(stem.to_owned());
        }
    }
    // A Spanish plural in -ces comes from -z.
    if let Some(stem) = text.strip_suffix("ces") {
        singulars.push(format!("{stem}z"));
    }
    singulars
        .iter()
        .filter(|s| s.len() > 1)
        .find_map(|s| look_up(s))
        .map(|word| (word, true))
}
