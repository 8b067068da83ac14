//! Which names of a kind exist, and which of them are good.

use hashbrown::HashMap;

use crate::config::decode::Decoder;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::written::fields::Item;

#[derive(Clone, Debug)]
pub(super) enum Known<T> {
    Good(T),
    /// Written, but not loaded.
    Quarantined,
}

#[derive(Debug)]
pub(super) struct Names<'t, T>(HashMap<std::borrow::Cow<'t, str>, Known<T>>);

impl<T> Default for Names<'_, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'t, T> Names<'t, T> {
    pub(super) fn insert(&mut self, name: &'t str, known: Known<T>) {
        self.0.insert(name.into(), known);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Known<T>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// What a name stands for; a name that nobody wrote is an error.
    pub(super) fn find(&self, item: Item<'_>, what: &str, decoder: &mut Decoder) -> Option<&Known<T>> {
        let known = self.0.get(item.text);
        if known.is_none() {
            decoder.push(missing(item, what, self.names()));
        }
        known
    }
}

/// `there is no template …`, with the nearest name.
pub(super) fn missing<'a>(item: Item<'_>, what: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    Problem::error(item.at, format!("there is no {what} `{}`", item.text))
        .maybe_hint(did_you_mean(item.text, known.iter().copied()))
}
