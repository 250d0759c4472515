//! Reads a prompt: which scene, which subjects with their colours, counts and places, which light.
//! Decides what is in the picture, never how it is drawn.

mod lexicon;
mod nouns;
mod reader;

pub use nouns::{Habitat, Noun};

use super::palette::Rgb;
use lexicon::look_up_any;
use reader::Reader;

/// The longest prompt that is read; the rest is ignored.
const MAX_CHARS: usize = 4_000;

/// Where the picture is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scene {
    Meadow,
    Forest,
    Mountains,
    Sea,
    Coast,
    Lake,
    Desert,
    Snow,
    City,
    Space,
    Moonscape,
    Underwater,
    Room,
    Sky,
}

/// The time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Dawn,
    Day,
    Dusk,
    Night,
}

/// The weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Clear,
    Cloudy,
    Rain,
    Storm,
    Snowfall,
    Fog,
}

/// The season; `Summer` also stands for none named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

/// The mood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Neutral,
    Calm,
    Dark,
    Bright,
    Dream,
}

/// How one subject stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Over,
    On,
    Under,
    Beside,
    Behind,
    Front,
}

/// A thing to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One there is a drawing for.
    Known(Noun),
    /// A word of which an emblem is made.
    Unknown(String),
}

/// One subject of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// What it is.
    pub what: What,
    /// The word that named it.
    pub name: String,
    /// How many of it, 1 to 12.
    pub count: u8,
    /// Colours asked for.
    pub tints: Vec<Rgb>,
    /// Size asked for, 1 when nothing was said.
    pub size: f32,
    /// Its place relative to the subject with that index.
    pub place: Option<(Relation, usize)>,
    /// True when it was put over something that is no subject: it leaves the ground.
    pub aloft: bool,
}

/// A prompt, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Where.
    pub scene: Scene,
    /// When.
    pub time: Time,
    /// In which weather.
    pub weather: Weather,
    /// In which season.
    pub season: Season,
    /// In which mood.
    pub mood: Mood,
    /// What is in it; at least one.
    pub subjects: Vec<Subject>,
    /// A colour asked of the scene itself ("purple sky").
    pub accent: Option<Rgb>,
}

/// Reads any text; never fails, always finds something to paint.
pub fn read(prompt: &str) -> Reading {
    let tokens = tokens(prompt);
    let mut reader = Reader::default();
    let mut i = 0;
    while i < tokens.len() {
        let mut used = 0;
        for length in (1..=4usize.min(tokens.len() - i)).rev() {
            let span = &tokens[i..i + length];
            if span.iter().any(String::is_empty) {
                continue;
            }
            let text = span.join(" ");
            if let Some((word, plural)) = look_up_any(&text) {
                reader.take(word, plural, &text);
                used = length;
                break;
            }
        }
        if used == 0 {
            reader.stray(&tokens[i]);
            used = 1;
        }
        i += used;
    }
    reader.finish(prompt)
}

/// Folded words in order; an empty one is a pause (comma, full stop, …).
fn tokens(prompt: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for c in prompt.chars().take(MAX_CHARS).flat_map(char::to_lowercase) {
        if let Some(c) = fold(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() && !"-_'’".contains(c) {
            tokens.push(String::new());
        }
    }
    if !word.is_empty() {
        tokens.push(word);
    }
    tokens
}

/// A letter or digit without its accent; None for what separates words.
fn fold(c: char) -> Option<char> {
    match c {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' => Some('a'),
        'é' | 'è' | 'ê' | 'ë' => Some('e'),
        'í' | 'ì' | 'î' | 'ï' => Some('i'),
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => Some('o'),
        'ú' | 'ù' | 'û' | 'ü' => Some('u'),
        'ñ' => Some('n'),
        'ç' => Some('c'),
        c if c.is_alphanumeric() => Some(c),
        // Emoji and other symbols are words of their own.
        c if !c.is_ascii()
            && !c.is_whitespace()
            && !c.is_control()
            && !"—–…“”‘’«»¿¡、。，".contains(c) =>
        {
            Some(c)
        }
        _ => None,
    }
}
