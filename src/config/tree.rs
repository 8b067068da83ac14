//! YAML as a tree in which every value has a place and keeps its spelling. The YAML library ends here.
//!
//! The tree knows no types: `no`, `1.10` and `007` are texts, and whoever wants a switch or a number reads one
//! from the characters written ([`super::decode`]). It is built straight from the parser's events, because a
//! large site has a million of them.

use std::borrow::Cow;

use super::place::{FileId, Place, Source};
use super::problem::Problem;

mod build;
mod syntax;

/// A value, where it was written. One that came through an alias stands at its anchor.
#[derive(Clone, Debug)]
pub struct Node<'s> {
    pub value: Value<'s>,
    pub at: Place,
}

#[derive(Clone, Debug)]
pub enum Value<'s> {
    Null(Null),
    Text(Text<'s>),
    List(Vec<Node<'s>>),
    Map(Map<'s>),
    /// What nobody can read, such as an unquoted `!db9`. Reported already; its object has a mistake.
    Broken,
}

/// Commenting out what stood under a key leaves nothing behind it, which is not the word that cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// A key with nothing after it.
    Nothing,
    /// The words `null` and `~`.
    Word,
}

/// A scalar's characters, escapes and folding undone; borrowed from the source for nearly all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'s> {
    pub text: Cow<'s, str>,
    pub is_quoted: bool,
}

/// Entries in the order they were written; what `<<` brought stands behind them.
#[derive(Clone, Debug, Default)]
pub struct Map<'s> {
    entries: Vec<Entry<'s>>,
    /// What is not among the entries: second definitions of a key, a `<<` of no map. All is reported already;
    /// whoever owns the map knows by them that it has a mistake.
    #[expect(clippy::box_collection, reason = "nearly always absent, and there are a million maps")]
    refused: Option<Box<Vec<Entry<'s>>>>,
}

#[derive(Clone, Debug)]
pub struct Entry<'s> {
    pub key: Key<'s>,
    pub value: Node<'s>,
}

#[derive(Clone, Debug)]
pub struct Key<'s> {
    pub text: Cow<'s, str>,
    pub at: Place,
}

impl<'s> Map<'s> {
    pub fn get(&self, key: &str) -> Option<&Node<'s>> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub fn entry(&self, key: &str) -> Option<&Entry<'s>> {
        self.entries.iter().find(|entry| entry.key.text == key)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Entry<'s>> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Second definitions of a key and the like: not among the entries, and reported.
    pub fn refused(&self) -> &[Entry<'s>] {
        self.refused.as_ref().map_or(&[], |entries| entries.as_slice())
    }
}

impl<'a, 's> IntoIterator for &'a Map<'s> {
    type Item = &'a Entry<'s>;
    type IntoIter = std::slice::Iter<'a, Entry<'s>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl<'s> Node<'s> {
    /// What it is, as a message calls it.
    pub fn what(&self) -> &'static str {
        match &self.value {
            Value::Null(_) => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Broken => "something unreadable",
        }
    }

    /// The characters, where it is a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(&text.text),
            Value::Null(_) | Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    pub fn map(&self) -> Option<&Map<'s>> {
        match &self.value {
            Value::Map(map) => Some(map),
            Value::Null(_) | Value::Text(_) | Value::List(_) | Value::Broken => None,
        }
    }

    pub fn list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Null(_) | Value::Text(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    /// The word `null` or `~`: cancels what would be inherited.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.value, Value::Null(Null::Word))
    }

    /// A key with nothing after it.
    pub fn is_nothing(&self) -> bool {
        matches!(self.value, Value::Null(Null::Nothing))
    }
}

/// What one file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lists and maps inside each other, aliases followed.
    pub depth: usize,
    /// Values written in one file.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, nodes: 40_000_000 }
    }
}

/// Reads a file. `None`: it cannot be parsed, and `problems` says why. An empty file is an empty map.
pub fn parse<'s>(
    source: &'s Source,
    file: FileId,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Option<Map<'s>> {
    if let Some(problem) = syntax::check_characters(source, file) {
        problems.push(problem);
        return None;
    }
    build::build(source, file, limits, problems)
}

#[cfg(test)]
mod tests;
