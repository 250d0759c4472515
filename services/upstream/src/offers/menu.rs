//! All that can be asked for by its id, the default first, and what comes of asking for it today.

use std::collections::HashMap;
use std::sync::Arc;

use atelier_generation::Failure;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment::Micros;

use super::{MODEL_DEPRECATED, MODEL_REPLACED, MODEL_SHUT_DOWN};
use crate::registry::{ModelSpec, Registry, Stage, day};

/// Something that can be asked for: a model, or a voice of one.
pub trait Offered: Send + Sync + 'static {
    /// The id to ask for.
    fn id(&self) -> &str;
    /// The model behind it.
    fn model(&self) -> &ModelSpec;
    /// Whether it is what another model has in the place of `other`, as a voice of the same name is.
    fn resembles(&self, other: &Self) -> bool {
        let _ = other;
        true
    }
}

/// All that can be asked for.
pub struct Menu<E> {
    registry: Registry,
    entries: Vec<Arc<E>>,
    by_id: HashMap<String, usize>,
}

/// What comes of asking for something.
pub struct Choice<E> {
    /// What was asked for.
    pub asked: Arc<E>,
    /// Who is to answer: what was asked for, or what replaces it.
    pub offer: Arc<E>,
    /// What the caller should know.
    pub notices: Vec<Notice>,
    /// Who is asked next, in this order, when nothing comes.
    pub fallbacks: Vec<Arc<E>>,
}

impl<E: Offered> Choice<E> {
    /// The id that was asked for, where another answers in its place.
    pub fn replaced(&self) -> Option<&str> {
        (!Arc::ptr_eq(&self.asked, &self.offer)).then(|| self.asked.id())
    }
}

/// Something that is told as a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A constant in UPPER_SNAKE_CASE.
    pub reason: &'static str,
    /// A sentence for a person.
    pub message: String,
}

/// Why something cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unoffered {
    /// There is nothing of this id.
    #[error("{0} is not offered")]
    Unknown(String),
    /// It was shut down, and nothing answers in its place.
    #[error("{0}")]
    ShutDown(String),
}

impl From<Unoffered> for Fault {
    fn from(why: Unoffered) -> Self {
        match why {
            Unoffered::Unknown(_) => Fault::not_found("model"),
            Unoffered::ShutDown(message) => {
                Fault::new(Kind::Precondition, MODEL_SHUT_DOWN, message)
            }
        }
    }
}

impl From<Unoffered> for Failure {
    fn from(why: Unoffered) -> Self {
        match why {
            Unoffered::Unknown(id) => {
                Failure::lasting(super::MODEL_GONE, format!("{id} is not offered any more"))
            }
            Unoffered::ShutDown(message) => Failure::lasting(MODEL_SHUT_DOWN, message),
        }
    }
}

impl<E: Offered> Menu<E> {
    /// What a registry of one medium offers; the first entry is the default.
    pub fn new(registry: Registry, entries: Vec<E>) -> Self {
        let entries: Vec<Arc<E>> = entries.into_iter().map(Arc::new).collect();
        let mut by_id = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            by_id.entry(entry.id().to_owned()).or_insert(at);
        }
        Self {
            registry,
            entries,
            by_id,
        }
    }

    /// An entry by its id, whatever its life; the empty id is the default.
    pub fn get(&self, id: &str) -> Option<&Arc<E>> {
        if id.is_empty() {
            return self.entries.first();
        }
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// All entries, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<E>> {
        self.entries.iter()
    }

    /// What it is made from.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many generations may work at a provider at the same time, where the registry says it.
    pub fn at_once(&self, provider: &str) -> Option<usize> {
        self.registry.provider(provider)?.at_once
    }

    /// For the inventory: `id (provider), …`.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .map(|entry| format!("{} ({})", entry.id(), entry.model().provider))
            .collect();
        names.join(", ")
    }

    /// What comes of asking for an id at this time; the empty id is the default.
    pub fn choose(&self, id: &str, now: Micros) -> Result<Choice<E>, Unoffered> {
        let asked = self
            .get(id)
            .ok_or_else(|| Unoffered::Unknown(id.to_owned()))?;
        let mut notices = Vec::new();
        let mut offer = asked;
        // The registry has no circles; a bound all the same.
        for _ in 0..=self.registry.models.len() {
            let life = &offer.model().life;
            if life.at(now) != Stage::ShutDown {
                break;
            }
            let next = life
                .replacement
                .as_deref()
                .and_then(|model| self.counterpart(model, offer));
            match next {
                Some(next) if life.is_replaced => offer = next,
                next => {
                    let instead = next.map_or(String::new(), |next| {
                        format!("; ask for {} instead", named(&**next))
                    });
                    return Err(Unoffered::ShutDown(format!(
                        "{} was shut down{}{instead}",
                        named(&**offer),
                        on(life.shut_down)
                    )));
                }
            }
        }
        if !Arc::ptr_eq(asked, offer) {
            notices.push(Notice {
                reason: MODEL_REPLACED,
                message: format!(
                    "{} was shut down{}; {} answers in its place",
                    named(&**asked),
                    on(asked.model().life.shut_down),
                    named(&**offer)
                ),
            });
        }
        let life = &offer.model().life;
        if life.at(now) == Stage::Deprecated {
            let instead = life
                .replacement
                .as_deref()
                .and_then(|model| self.counterpart(model, offer))
                .map_or(String::new(), |next| {
                    format!("; ask for {} instead", named(&**next))
                });
            notices.push(Notice {
                reason: MODEL_DEPRECATED,
                message: format!(
                    "{} is deprecated and will be shut down{}{instead}",
                    named(&**offer),
                    on(life.shut_down)
                ),
            });
        }
        let fallbacks = offer
            .model()
            .fallbacks
            .iter()
            .filter_map(|model| self.counterpart(model, offer))
            .filter(|entry| entry.model().life.at(now) != Stage::ShutDown);
        Ok(Choice {
            asked: asked.clone(),
            offer: offer.clone(),
            fallbacks: fallbacks.cloned().collect(),
            notices,
        })
    }

    /// What a model has in the place of an entry of another model.
    fn counterpart(&self, model: &str, like: &E) -> Option<&Arc<E>> {
        let mut of_model = self
            .entries
            .iter()
            .filter(|entry| entry.model().id == model);
        let first = of_model.clone().next();
        of_model.find(|entry| entry.resembles(like)).or(first)
    }

    /// What the log should say of the default, if anything.
    pub fn doubts(&self, now: Micros) -> Option<String> {
        if self.entries.is_empty() {
            return Some("no model is offered".to_owned());
        }
        let why = match self.choose("", now) {
            Err(why) => why.to_string(),
            Ok(choice) => choice.notices.first()?.message.clone(),
        };
        Some(format!("the default model: {why}"))
    }
}

/// An entry as a person is told of it.
pub(super) fn named<E: Offered>(entry: &E) -> String {
    let (id, model) = (entry.id(), &entry.model().id);
    if id == model {
        id.to_owned()
    } else {
        format!("{id} ({model})")
    }
}

fn on(time: Option<Micros>) -> String {
    time.map_or(String::new(), |time| format!(" on {}", day(time)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Life, Medium};

    struct Plain(ModelSpec);

    impl Offered for Plain {
        fn id(&self) -> &str {
            &self.0.id
        }

        fn model(&self) -> &ModelSpec {
            &self.0
        }
    }

    fn model(id: &str, life: Life, fallbacks: &[&str]) -> ModelSpec {
        ModelSpec {
            life,
            fallbacks: fallbacks.iter().map(|id| (*id).to_owned()).collect(),
            ..ModelSpec::new(id, Medium::Chat, "p", "")
        }
    }

    fn life(written: Stage, replacement: Option<&str>, is_replaced: bool) -> Life {
        Life {
            written,
            shut_down: Some(1_792_713_600_000_000),
            replacement: replacement.map(str::to_owned),
            is_replaced,
        }
    }

    fn menu(models: Vec<ModelSpec>) -> Menu<Plain> {
        let registry = Registry {
            providers: Vec::new(),
            models: models.clone(),
        };
        Menu::new(registry, models.into_iter().map(Plain).collect())
    }

    const BEFORE: Micros = 1_792_713_599_999_999;
    const AFTER: Micros = 1_792_713_600_000_000;

    #[test]
    fn the_day_it_is_shut_down_its_replacement_answers() {
        let old = life(Stage::Deprecated, Some("new"), true);
        let menu = menu(vec![
            model("old", old, &[]),
            model("new", Life::default(), &[]),
        ]);
        let before = menu.choose("old", BEFORE).unwrap();
        assert_eq!(before.offer.id(), "old");
        let told: Vec<(&str, &str)> = before
            .notices
            .iter()
            .map(|n| (n.reason, n.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [(
                "MODEL_DEPRECATED",
                "old is deprecated and will be shut down on 2026-10-23; ask for new instead"
            )]
        );
        let after = menu.choose("", AFTER).unwrap();
        assert_eq!((after.asked.id(), after.offer.id()), ("old", "new"));
        assert_eq!(after.notices[0].reason, "MODEL_REPLACED");
        assert_eq!(
            after.notices[0].message,
            "old was shut down on 2026-10-23; new answers in its place"
        );
        assert!(menu.doubts(AFTER).unwrap().contains("old was shut down"));
        assert!(menu.choose("new", AFTER).unwrap().notices.is_empty());
    }

    #[test]
    fn a_refused_one_names_its_replacement() {
        let menu = menu(vec![
            model("a", life(Stage::ShutDown, Some("b"), true), &[]),
            model("b", life(Stage::ShutDown, Some("c"), false), &[]),
            model("c", Life::default(), &[]),
            model("d", life(Stage::ShutDown, None, false), &[]),
        ]);
        for id in ["a", "b"] {
            let why = menu.choose(id, BEFORE).err().unwrap();
            assert_eq!(
                why.to_string(),
                "b was shut down on 2026-10-23; ask for c instead"
            );
        }
        let why = menu.choose("d", BEFORE).err().unwrap();
        assert_eq!(why.to_string(), "d was shut down on 2026-10-23");
        assert_eq!(
            menu.choose("e", BEFORE).err(),
            Some(Unoffered::Unknown("e".into()))
        );
    }

    #[test]
    fn a_chain_of_replacements_ends_where_one_is_alive() {
        let menu = menu(vec![
            model("a", life(Stage::ShutDown, Some("b"), true), &["d"]),
            model("b", life(Stage::ShutDown, Some("c"), true), &[]),
            model("c", life(Stage::Deprecated, Some("d"), true), &["b", "d"]),
            model("d", Life::default(), &[]),
        ]);
        let choice = menu.choose("a", BEFORE).unwrap();
        assert_eq!(choice.offer.id(), "c");
        let reasons: Vec<&str> = choice.notices.iter().map(|n| n.reason).collect();
        assert_eq!(reasons, ["MODEL_REPLACED", "MODEL_DEPRECATED"]);
        // Those of the model that answers, and none that is shut down.
        let fallbacks: Vec<&str> = choice.fallbacks.iter().map(|entry| entry.id()).collect();
        assert_eq!(fallbacks, ["d"]);
    }
}
