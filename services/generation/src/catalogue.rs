//! What can be asked for by its id: models, painters, voices; the first one listed is the default.

use std::collections::HashMap;

/// Something that can be asked for.
pub trait Listed {
    /// The id to ask for.
    fn id(&self) -> &str;
    /// The provider that runs it.
    fn provider(&self) -> &str;
}

/// All that can be asked for, the default first.
pub struct Catalogue<E> {
    entries: Vec<E>,
    by_id: HashMap<String, usize>,
}

impl<E: Listed> Catalogue<E> {
    /// The first entry becomes the default; there should be one.
    pub fn new(entries: Vec<E>) -> Self {
        let by_id = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.id().to_owned(), at))
            .collect();
        Self { entries, by_id }
    }

    /// An entry by its id; the empty id is the default.
    pub fn get(&self, id: &str) -> Option<&E> {
        if id.is_empty() {
            return self.entries.first();
        }
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// All entries, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter()
    }

    /// For the inventory: `id (provider), …`.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .map(|entry| format!("{} ({})", entry.id(), entry.provider()))
            .collect();
        names.join(", ")
    }
}
