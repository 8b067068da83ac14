//! A map read against the table of the keys it may hold.

use super::Decoder;
use super::nagios;
use crate::config::keys::Key;
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::{Entry, Map, Node, Value};

/// How a key speaks to what would be inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `key: value`
    Replace,
    /// `key+: value`
    Add,
    /// `key-: value`
    Remove,
    /// `key: null`
    Cancel,
}

/// One key of a map with its value.
#[derive(Clone, Copy, Debug)]
pub struct Said<'t, 's> {
    pub key: &'static Key,
    pub how: How,
    pub at: Place,
    pub value: &'t Node<'s>,
}

/// What a map says, key by key: known keys only, in the order written.
#[derive(Debug, Default)]
pub struct Fields<'t, 's> {
    said: Vec<Said<'t, 's>>,
}

impl<'t, 's> Fields<'t, 's> {
    /// The value of `key: value`; nothing where it is not said or cancelled.
    pub fn get(&self, key: &str) -> Option<&'t Node<'s>> {
        self.said.iter().find(|said| said.key.name == key && said.how == How::Replace).map(|said| said.value)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Said<'t, 's>> {
        self.said.iter()
    }

    pub fn of(&self, key: &str) -> impl Iterator<Item = &Said<'t, 's>> {
        self.said.iter().filter(move |said| said.key.name == key)
    }
}

impl Decoder {
    /// Every key that `keys` knows. Unknown ones, contradictions and keys with nothing behind them are reported.
    ///
    /// `others` takes a key that is not in the table, and says whether it is one of its own: a kind of check
    /// inside a service, a day inside a timeperiod.
    pub fn fields<'t, 's>(
        &mut self,
        map: &'t Map<'s>,
        keys: &'static [Key],
        mut others: impl FnMut(&'t Entry<'s>) -> bool,
    ) -> Fields<'t, 's> {
        if !map.refused().is_empty() {
            self.count_reported();
        }
        let mut said: Vec<Said<'t, 's>> = Vec::with_capacity(map.len());
        let mut previous = None;
        for entry in map {
            if let Some(known) = self.field(entry, keys) {
                said.extend(known);
            } else if !others(entry) {
                self.unknown_key(entry, previous, keys);
            }
            previous = Some(entry);
        }
        self.check_contradictions(&said);
        Fields { said }
    }

    /// `None`: not in the table. `Some(None)`: known, and there is nothing to say.
    #[expect(clippy::option_option, reason = "known or not, and then said or not, are two questions")]
    fn field<'t, 's>(&mut self, entry: &'t Entry<'s>, keys: &'static [Key]) -> Option<Option<Said<'t, 's>>> {
        let written = &*entry.key.text;
        let (name, how) = match written.as_bytes().last() {
            Some(b'+') => (written.strip_suffix('+').unwrap_or(written), How::Add),
            Some(b'-') => (written.strip_suffix('-').unwrap_or(written), How::Remove),
            Some(_) | None => (written, How::Replace),
        };
        let key = keys.iter().find(|key| key.name == name)?;
        let at = entry.key.at;
        if how != How::Replace && !key.holds.is_list() {
            let message = format!("`{written}` makes no sense: `{name}` is no list");
            self.push(
                Problem::error(at, message).hint(format!("write `{name}`; it replaces what is inherited")),
            );
            return Some(None);
        }
        let how = match &entry.value.value {
            Value::Broken => {
                self.count_reported();
                return Some(None);
            }
            _ if entry.value.is_nothing() => {
                self.warn_of_nothing(at, written);
                return Some(None);
            }
            _ if entry.value.is_cancelled() && how == How::Replace => How::Cancel,
            Value::Null(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => how,
        };
        Some(Some(Said { key, how, at, value: &entry.value }))
    }

    /// People comment out what stood under a key: it counts as not written.
    pub fn warn_of_nothing(&mut self, at: Place, key: &str) {
        let message = format!("nothing stands after `{key}:`, so it counts as not written");
        self.push(
            Problem::warning(at, message).hint("`null` cancels an inherited value; or take the key away"),
        );
    }

    fn unknown_key(&mut self, entry: &Entry<'_>, previous: Option<&Entry<'_>>, keys: &'static [Key]) {
        let written = &*entry.key.text;
        let problem = Problem::error(entry.key.at, format!("there is no key `{written}` here"));
        let hint = split_by_comma(entry, previous)
            .or_else(|| nagios::hint(written, keys))
            .or_else(|| did_you_mean(written, known(keys)))
            .or_else(|| few(keys));
        self.push(problem.maybe_hint(hint));
    }

    fn check_contradictions(&mut self, said: &[Said<'_, '_>]) {
        for (index, later) in said.iter().enumerate() {
            let is_other_way = |earlier: &&Said<'_, '_>| {
                std::ptr::eq(earlier.key, later.key) && (replaces(earlier.how) != replaces(later.how))
            };
            let Some(earlier) = said.iter().take(index).find(is_other_way) else { continue };
            let name = later.key.name;
            let message = format!("`{name}` and `{name}+` or `{name}-` contradict each other");
            let problem = Problem::error(later.at, message).also(earlier.at, "the first one");
            self.push(
                problem.hint(format!("`{name}` alone replaces what is inherited; `{name}+` adds to it")),
            );
        }
    }
}

fn replaces(how: How) -> bool {
    match how {
        How::Replace | How::Cancel => true,
        How::Add | How::Remove => false,
    }
}

/// `{warn: 100ms,20%}` is two keys to YAML, the second with nothing behind it.
fn split_by_comma(entry: &Entry<'_>, previous: Option<&Entry<'_>>) -> Option<String> {
    let previous = previous?;
    let before = previous.value.text()?;
    let is_neighbour = previous.value.at.line == entry.key.at.line && entry.value.is_nothing();
    is_neighbour
        .then(|| format!("a `,` divides here; write\n{}: \"{before},{}\"", previous.key.text, entry.key.text))
}

/// Names of a table; those of hosts have two more, which are read on their own.
fn known(keys: &'static [Key]) -> impl Iterator<Item = &'static str> {
    let is_of_hosts = keys.iter().any(|key| key.name == "max_check_attempts");
    let more: &[&str] = if is_of_hosts { &["services", "check"] } else { &[] };
    keys.iter().map(|key| key.name).chain(more.iter().copied())
}

/// All keys, where they fit a line.
fn few(keys: &[Key]) -> Option<String> {
    (!keys.is_empty() && keys.len() <= 12).then(|| {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        format!("the keys here are: {}", names.join(" "))
    })
}
