//! A table of the file, field by field: what is of the wrong kind and what nobody asked for is a problem.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Collector;

/// A value and its place.
pub(super) type Placed<T> = (T, Range<usize>);

/// A table whose fields are taken one by one.
pub(super) struct Fields<'d> {
    /// What it is, for people.
    what: String,
    /// Where it is.
    pub(super) at: Range<usize>,
    left: Vec<(&'d str, Range<usize>, &'d Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
    had: Vec<&'static str>,
}

impl<'d> Fields<'d> {
    pub(super) fn new(what: impl Into<String>, at: Range<usize>, table: &'d DeTable<'d>) -> Self {
        let left = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value));
        Self {
            what: what.into(),
            at,
            left: left.collect(),
            known: Vec::new(),
            had: Vec::new(),
        }
    }

    /// Whether there was a field of this name that was asked for already.
    pub(super) fn had(&self, name: &str) -> bool {
        self.had.contains(&name)
    }

    /// Takes a field, whatever it is.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(name);
        let at = self.left.iter().position(|(key, ..)| *key == name)?;
        self.had.push(name);
        Some(self.left.remove(at).2)
    }

    /// Takes a field that something can be made of.
    pub(super) fn with<T>(
        &mut self,
        name: &'static str,
        problems: &mut Collector<'_>,
        make: impl FnOnce(&'d DeValue<'d>) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        let value = self.take(name)?;
        match make(value.get_ref()) {
            Ok(made) => Some((made, value.span())),
            Err(wrong) => {
                problems.add(&value.span(), format!("{}: `{name}` {wrong}", self.what));
                None
            }
        }
    }

    /// Takes a text that is not empty.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        problems: &mut Collector<'_>,
    ) -> Option<Placed<String>> {
        self.with(name, problems, text)
    }

    /// Takes a text that must be there.
    pub(super) fn needed(
        &mut self,
        name: &'static str,
        problems: &mut Collector<'_>,
    ) -> Option<Placed<String>> {
        if !self.left.iter().any(|(key, ..)| *key == name) {
            problems.add(&self.at, format!("{} needs `{name}`", self.what));
        }
        self.text(name, problems)
    }

    /// Takes a list of texts; none of them is there twice.
    pub(super) fn texts(
        &mut self,
        name: &'static str,
        problems: &mut Collector<'_>,
    ) -> Option<Placed<Vec<Placed<String>>>> {
        let what = self.what.clone();
        let (list, at) = self.with(name, problems, |value| {
            value
                .as_array()
                .ok_or_else(|| "must be a list of texts".to_owned())
        })?;
        let mut texts: Vec<Placed<String>> = Vec::new();
        for item in list.iter() {
            match text(item.get_ref()) {
                Ok(one) if texts.iter().any(|(other, _)| *other == one) => {
                    problems.add(&item.span(), format!("{what}: `{name}` has {one:?} twice"));
                }
                Ok(one) => texts.push((one, item.span())),
                Err(wrong) => {
                    problems.add(&item.span(), format!("{what}: each of `{name}` {wrong}"))
                }
            }
        }
        Some((texts, at))
    }

    /// Takes a whole number from 1 to a bound.
    pub(super) fn count(
        &mut self,
        name: &'static str,
        most: u32,
        problems: &mut Collector<'_>,
    ) -> Option<u32> {
        let count = self.with(name, problems, |value| {
            value
                .as_integer()
                .and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok())
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| format!("must be a whole number from 1 to {most}"))
        });
        count.map(|(count, _)| count)
    }

    /// Takes a table.
    pub(super) fn table(
        &mut self,
        name: &'static str,
        problems: &mut Collector<'_>,
    ) -> Option<Fields<'d>> {
        let what = format!("{}: `{name}`", self.what);
        let (table, at) = self.with(name, problems, |value| {
            value.as_table().ok_or_else(|| "must be a table".to_owned())
        })?;
        Some(Fields::new(what, at, table))
    }

    /// The end: what nobody took is a problem.
    pub(super) fn end(self, problems: &mut Collector<'_>) {
        for (key, span, _) in self.left {
            let known = self.known.join(", ");
            problems.add(
                &span,
                format!("{} has no `{key}`; there are: {known}", self.what),
            );
        }
    }

    /// What it is, for people.
    pub(super) fn what(&self) -> &str {
        &self.what
    }
}

/// A text that is not empty, fits on a line and is not too long.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value
        .as_str()
        .ok_or_else(|| "must be a text in quotation marks".to_owned())?;
    if text.trim().is_empty() || text.trim() != text {
        return Err("must not be empty, and have no space at its ends".to_owned());
    }
    if text.chars().any(char::is_control) || text.len() > 1_000 {
        return Err("must be one line of at most 1000 bytes".to_owned());
    }
    Ok(text.to_owned())
}
