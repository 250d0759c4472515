//! Takes a prompt's words one by one and gathers what they say. Draws nothing.

use super::super::palette::Rgb;
use super::lexicon::{Word, look_up};
use super::{
    Habitat, Mood, Noun, Reading, Relation, Scene, Season, Subject, Time, Weather, What, tokens,
};

/// Kinds of subjects in one picture.
const MAX_SUBJECTS: usize = 5;

/// What has been said since the last noun.
#[derive(Default)]
struct Pending {
    colours: Vec<Rgb>,
    count: Option<u8>,
    size: Option<f32>,
    relation: Option<Relation>,
    unknown: Vec<String>,
    /// A known noun was met since the last joining word.
    named: bool,
}

#[derive(Default)]
pub(super) struct Reader {
    scene: Option<Scene>,
    time: Option<Time>,
    weather: Option<Weather>,
    season: Option<Season>,
    mood: Option<Mood>,
    accent: Option<Rgb>,
    subjects: Vec<Subject>,
    pending: Pending,
    /// The last thing named was a subject, so a colour may still belong to it.
    just_named: bool,
}

impl Reader {
    pub(super) fn take(&mut self, word: Word, plural: bool, text: &str) {
        let named = self.just_named;
        self.just_named = false;
        if matches!(text, "of" | "de") {
            // "a stack of books": the measure is no thing of its own.
            self.pending.unknown.clear();
            self.pending.count = self.pending.count.filter(|&n| n > 1);
        }
        // "una rosa" is the flower, "una casa rosa" the colour.
        let word = if text == "rosa" && self.pending.count.is_some() {
            Word::Noun(Noun::Rose)
        } else {
            word
        };
        match word {
            Word::Noun(noun) => {
                self.pending.unknown.clear();
                self.pending.named = true;
                self.subject(What::Known(noun), text, plural);
            }
            Word::Scene(scene) => {
                self.scene.get_or_insert(scene);
                self.leave_subject();
                if let Some(&colour) = self.pending.colours.first() {
                    self.accent.get_or_insert(colour);
                }
                // The place also names the phrase, so that words before it are its adjectives.
                self.pending = Pending {
                    named: true,
                    ..Pending::default()
                };
            }
            Word::Time(t) => _ = self.time.get_or_insert(t),
            Word::Weather(w) => _ = self.weather.get_or_insert(w),
            Word::Season(s) => _ = self.season.get_or_insert(s),
            Word::Mood(m) => _ = self.mood.get_or_insert(m),
            Word::Colour(colour) => {
                // "barco rojo": the colour follows its noun.
                let spanish =
                    text.ends_with(['o', 'a', 's', 'e', 'l']) && !ENGLISH_ENDS.contains(&text);
                match self.subjects.last_mut() {
                    Some(last) if named && spanish && last.tints.is_empty() => {
                        last.tints.push(colour);
                    }
                    _ => self.pending.colours.push(colour),
                }
            }
            Word::Count(n) => {
                self.flush_unknown();
                self.pending.count = Some(n);
                self.pending.named = false;
            }
            Word::Size(k) => self.pending.size = Some(k),
            Word::Relation(r) => {
                self.flush_unknown();
                self.pending = Pending {
                    relation: Some(r),
                    ..Pending::default()
                };
            }
            Word::Link => {
                self.flush_unknown();
                self.pending.named = false;
            }
            Word::Filler => {}
        }
    }

    pub(super) fn stray(&mut self, token: &str) {
        self.just_named = false;
        if token.is_empty() {
            self.flush_unknown();
            self.pending.named = false;
            return;
        }
        if let Ok(n) = token.parse::<u32>() {
            self.pending.count = Some(n.clamp(1, 12) as u8);
            return;
        }
        let manner = token.is_ascii()
            && ["ing", "ly", "ed", "ful", "ous", "ando", "iendo"]
                .iter()
                .any(|e| token.ends_with(e));
        if !manner || self.subjects.is_empty() {
            self.pending.unknown.push(token.to_owned());
        }
    }

    /// A phrase ended: its last unknown word is a subject when no known noun was in it.
    fn flush_unknown(&mut self) {
        let word = self.pending.unknown.pop();
        self.pending.unknown.clear();
        if let Some(word) = word.filter(|_| !self.pending.named) {
            let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
            let name = if plural {
                word.trim_end_matches('s').to_owned()
            } else {
                word
            };
            self.subject(
                What::Unknown(name.clone()),
                &name,
                plural && self.pending.count.is_some(),
            );
        }
    }

    fn subject(&mut self, what: What, name: &str, plural: bool) {
        let said = std::mem::take(&mut self.pending);
        self.pending.named = true;
        self.just_named = true;
        if self.subjects.len() >= MAX_SUBJECTS || self.subjects.iter().any(|s| s.what == what) {
            return;
        }
        let usual = if plural { 3 } else { 1 };
        let count = said
            .count
            .map_or(usual, |n| if plural { n.max(2) } else { n });
        let before = self.subjects.len().checked_sub(1);
        // The relation belongs to what came before it: "a over b" puts a over b.
        if let (Some(a), Some(relation)) = (before, said.relation) {
            let b = self.subjects.len();
            self.subjects[a].place = Some((relation, b));
        }
        self.subjects.push(Subject {
            what,
            name: name.to_owned(),
            count: count.clamp(1, 12),
            tints: said.colours,
            size: said.size.unwrap_or(1.0),
            place: None,
            aloft: false,
        });
    }

    /// "a whale over the sea": no subject follows the relation, so it only lifts.
    fn leave_subject(&mut self) {
        if let (Some(Relation::Over), Some(last)) =
            (self.pending.relation, self.subjects.last_mut())
        {
            last.aloft = true;
        }
    }

    pub(super) fn finish(mut self, prompt: &str) -> Reading {
        self.flush_unknown();
        if self.subjects.is_empty() && self.scene.is_none() {
            // Only adjectives, weather or nothing at all: the longest odd word still becomes a figure.
            let odd = tokens(prompt)
                .into_iter()
                .filter(|t| !t.is_empty() && look_up(t).is_none())
                .max_by_key(|t| t.chars().count());
            if let Some(odd) = odd {
                self.subject(What::Unknown(odd.clone()), &odd, false);
            }
        }
        let first = self.subjects.first().map(|s| s.what.clone());
        let mood = self.mood.unwrap_or(Mood::Neutral);
        let scene = self.scene.unwrap_or_else(|| self.home());
        let nightly =
            |s: &Subject| matches!(s.what, What::Known(Noun::Moon | Noun::Star | Noun::Ghost));
        let dusk_to_dawn = self.subjects.iter().any(nightly);
        let time = self.time.unwrap_or(match (mood, scene) {
            (Mood::Dark, _) | (_, Scene::Space | Scene::Moonscape) => Time::Night,
            _ if dusk_to_dawn => Time::Night,
            _ if first == Some(What::Known(Noun::Sun)) => Time::Dusk,
            _ => Time::Day,
        });
        let wintry = scene == Scene::Snow || self.weather == Some(Weather::Snowfall);
        let season = self.season.unwrap_or(if wintry {
            Season::Winter
        } else {
            Season::Summer
        });
        let weather = self.weather.unwrap_or(match mood {
            Mood::Dark => Weather::Fog,
            _ => Weather::Clear,
        });
        if self.subjects.is_empty() {
            self.subjects.extend(resident(scene));
        }
        Reading {
            scene,
            time,
            weather,
            season,
            mood,
            subjects: self.subjects,
            accent: self.accent,
        }
    }

    /// The scene the subjects belong to when none was named: that of whatever would anchor it best.
    fn home(&self) -> Scene {
        let known = |s: &Subject| match s.what {
            What::Known(noun) => Some(noun),
            What::Unknown(_) => None,
        };
        let nouns: Vec<Noun> = self.subjects.iter().filter_map(known).collect();
        let lead = |wanted: &[Habitat]| {
            nouns
                .iter()
                .find(|n| wanted.contains(&n.habitat()))
                .copied()
        };
        lead(&[Habitat::Water])
            .or(lead(&[Habitat::Land]))
            .or(lead(&[Habitat::Ground]))
            .or(lead(&[Habitat::Deep, Habitat::Air]))
            .or(lead(&[Habitat::Table, Habitat::Sky]))
            .map_or(Scene::Meadow, Noun::home)
    }
}

/// English colour words that end like Spanish ones.
const ENGLISH_ENDS: &[&str] = &[
    "white",
    "blue",
    "purple",
    "orange",
    "beige",
    "teal",
    "turquoise",
    "rose",
    "aqua",
    "magenta",
    "fuchsia",
    "indigo",
    "jade",
    "sky blue",
    "light blue",
    "dark blue",
];

/// What lives in a scene that was asked for by itself.
fn resident(scene: Scene) -> Option<Subject> {
    let (noun, count) = match scene {
        Scene::Meadow => (Noun::Tree, 1),
        Scene::Forest => (Noun::Deer, 1),
        Scene::Mountains => (Noun::Pine, 3),
        Scene::Sea | Scene::Coast => (Noun::Boat, 1),
        Scene::Lake => (Noun::Duck, 2),
        Scene::Desert => (Noun::Cactus, 3),
        Scene::Snow => (Noun::Pine, 3),
        Scene::City => (Noun::Lamp, 1),
        Scene::Space => (Noun::Planet, 1),
        Scene::Moonscape => (Noun::Astronaut, 1),
        Scene::Underwater => (Noun::Fish, 5),
        Scene::Room => (Noun::Book, 1),
        Scene::Sky => (Noun::Bird, 5),
    };
    Some(Subject {
        what: What::Known(noun),
        name: noun
            .names()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        count,
        tints: Vec::new(),
        size: 0.8,
        place: None,
        aloft: false,
    })
}
