//! A map read against its table of keys: typed values with their places, sparse, because most objects say little.
//!
//! Every mistake is reported where it stands, once, whoever uses the value later. What a value *means* (does that
//! contact exist?) is for [`crate::config::resolve`].

use std::time::Duration;

use vigia_core::model::selector::{Selection, Selector};

use super::read;
use crate::config::decode::{Decoder, How};
use crate::config::keys::{Key, Scope};
use crate::config::place::Place;
use crate::config::problem::Problem;
use crate::config::tree::{Entry as TreeEntry, Map, Node};

/// A text with its place.
#[derive(Clone, Copy, Debug)]
pub struct Item<'t> {
    pub text: &'t str,
    pub at: Place,
}

impl PartialEq for Item<'_> {
    /// What is said counts, not where.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A value as its key wants it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'t> {
    /// What `null` leaves.
    Nothing,
    Switch(bool),
    Whole(u64),
    Decimal(f64),
    /// 0 to 100.
    Percent(f64),
    Duration(Duration),
    /// Bytes.
    Size(u64),
    /// Texts, names, and words that were checked against their list.
    Text(&'t str),
    List(Vec<Item<'t>>),
    /// The words of a command, split already.
    Words(Vec<String>),
    Pairs(Vec<(Item<'t>, Item<'t>)>),
    Selection(Box<Selected<'t>>),
    Fields(Box<Fields<'t>>),
    Named(Vec<(Item<'t>, Fields<'t>)>),
    Dependencies(Vec<Dependency<'t>>),
    /// For its owner to read.
    Node(Same<'t>),
}

/// A node, equal to another when they are written alike.
#[derive(Clone, Copy, Debug)]
pub struct Same<'t>(pub &'t Node<'t>);

impl PartialEq for Same<'_> {
    fn eq(&self, other: &Self) -> bool {
        super::json::of_node(self.0) == super::json::of_node(other.0)
    }
}

/// One item of `depends_on`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency<'t> {
    pub on: Item<'t>,
    /// Empty for the short form.
    pub fields: Fields<'t>,
}

/// Selectors as written, parsed one by one.
#[derive(Clone, Debug)]
pub struct Selected<'t> {
    pub items: Vec<(Selector, Item<'t>)>,
    pub every: bool,
}

impl PartialEq for Selected<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.every == other.every
            && self.items.iter().map(|(_, item)| item.text).eq(other.items.iter().map(|(_, item)| item.text))
    }
}

impl Selected<'_> {
    pub fn selection(&self) -> Selection {
        Selection { items: self.items.iter().map(|(one, _)| one.clone()).collect(), every: self.every }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'t> {
    /// The key's place in its table.
    pub key: u8,
    pub how: How,
    /// Of the value.
    pub at: Place,
    pub value: Value<'t>,
}

/// What a map says, in the order written.
#[derive(Clone, Debug)]
pub struct Fields<'t> {
    pub table: &'static [Key],
    pub at: Place,
    pub entries: Vec<Entry<'t>>,
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        let has = |one: &Entry<'_>| {
            other.entries.iter().any(|two| (two.key, two.how) == (one.key, one.how) && two.value == one.value)
        };
        self.entries.len() == other.entries.len() && self.entries.iter().all(has)
    }
}

/// Which keys of a table may stand in a map.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub scope: Scope,
    /// Keys that are another table's here: a host group's own `alias`.
    pub except: &'static [Key],
}

impl<'t> Fields<'t> {
    pub fn empty(table: &'static [Key], at: Place) -> Self {
        Self { table, at, entries: Vec::new() }
    }

    /// Reads a map all of whose keys are in the table.
    pub fn read(map: &'t Map<'t>, at: Place, table: &'static [Key], decoder: &mut Decoder) -> Self {
        Self::read_with(map, at, table, Allowed { scope: Scope::ALL, except: &[] }, |_| false, decoder)
    }

    /// Reads a map. `others` takes what is not in the table and is its owner's to read.
    pub fn read_with(
        map: &'t Map<'t>,
        at: Place,
        table: &'static [Key],
        allowed: Allowed,
        others: impl FnMut(&'t TreeEntry<'t>) -> bool,
        decoder: &mut Decoder,
    ) -> Self {
        let said = decoder.fields(map, table, others);
        let mut entries = Vec::new();
        for one in said.iter() {
            let key = one.key;
            if allowed.except.iter().any(|other| other.name == key.name) {
                continue;
            }
            if !key.scope.has(allowed.scope) {
                let problem = Problem::error(one.at, format!("`{}` may not stand here", key.name));
                decoder.push(problem.hint(format!("it belongs to {}", places(key.scope))));
                continue;
            }
            let index = table.iter().position(|known| std::ptr::eq(known, key));
            let index = index.and_then(|index| u8::try_from(index).ok()).expect("no table has 256 keys");
            let value = match one.how {
                How::Cancel => Some(Value::Nothing),
                How::Replace | How::Add | How::Remove => read::value(key, one.value, decoder),
            };
            if let Some(value) = value {
                entries.push(Entry { key: index, how: one.how, at: one.value.at, value });
            }
        }
        Self { table, at, entries }
    }

    fn index(&self, name: &str) -> u8 {
        let index = self.table.iter().position(|known| known.name == name);
        let index = index.expect("keys are asked for by names of their table");
        u8::try_from(index).expect("no table has 256 keys")
    }

    fn with(&self, name: &str, how: How) -> Option<&Entry<'t>> {
        let index = self.index(name);
        self.entries.iter().find(|entry| entry.key == index && entry.how == how)
    }

    /// The entry that sets a key.
    pub fn entry(&self, name: &str) -> Option<&Entry<'t>> {
        self.with(name, How::Replace)
    }

    pub fn added(&self, name: &str) -> Option<&Entry<'t>> {
        self.with(name, How::Add)
    }

    /// Where a key's value stands, else the map.
    pub fn place(&self, name: &str) -> Place {
        self.entry(name).map_or(self.at, |entry| entry.at)
    }

    pub fn find(&self, name: &str) -> Option<&Value<'t>> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// The value written, else the table's default.
    fn get(&self, name: &str) -> Option<Value<'t>> {
        self.find(name).cloned().or_else(|| default(self.table, name))
    }

    pub fn text(&self, name: &str) -> Option<&'t str> {
        self.get(name).and_then(|value| value.as_text())
    }

    pub fn item(&self, name: &str) -> Option<Item<'t>> {
        self.text(name).map(|text| Item { text, at: self.place(name) })
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.get(name).and_then(|value| value.as_duration())
    }

    pub fn switch(&self, name: &str) -> bool {
        self.get(name) == Some(Value::Switch(true))
    }

    pub fn whole(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|value| value.as_whole())
    }

    /// The list written, else the table's default.
    pub fn list(&self, name: &str) -> Vec<Item<'t>> {
        match self.get(name) {
            Some(Value::List(items)) => items,
            Some(_) | None => Vec::new(),
        }
    }

    pub fn words(&self, name: &str) -> Option<Vec<String>> {
        match self.find(name) {
            Some(Value::Words(words)) => Some(words.clone()),
            Some(_) | None => None,
        }
    }

    pub fn pairs(&self, name: &str) -> &[(Item<'t>, Item<'t>)] {
        match self.find(name) {
            Some(Value::Pairs(pairs)) => pairs,
            Some(_) | None => &[],
        }
    }

    pub fn fields(&self, name: &str) -> Option<&Self> {
        match self.find(name) {
            Some(Value::Fields(fields)) => Some(fields),
            Some(_) | None => None,
        }
    }

    pub fn named(&self, name: &str) -> &[(Item<'t>, Self)] {
        match self.find(name) {
            Some(Value::Named(named)) => named,
            Some(_) | None => &[],
        }
    }

    pub fn selected(&self, name: &str) -> Option<&Selected<'t>> {
        match self.find(name) {
            Some(Value::Selection(selected)) => Some(selected),
            Some(_) | None => None,
        }
    }

    pub fn node(&self, name: &str) -> Option<&'t Node<'t>> {
        match self.find(name) {
            Some(Value::Node(Same(node))) => Some(node),
            Some(_) | None => None,
        }
    }
}

/// A key's default, read as if it had been written.
pub fn default(table: &'static [Key], name: &str) -> Option<Value<'static>> {
    let key = table.iter().find(|key| key.name == name)?;
    read::default(key)
}

impl<'t> Value<'t> {
    pub fn as_text(&self) -> Option<&'t str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_duration(&self) -> Option<Duration> {
        if let Self::Duration(span) = self { Some(*span) } else { None }
    }

    pub fn as_whole(&self) -> Option<u64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    pub fn as_list(&self) -> Option<&[Item<'t>]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }
}

fn places(scope: Scope) -> &'static str {
    if scope == Scope::HOST {
        "hosts alone"
    } else if scope.has(Scope::HOST) && !scope.has(Scope::SERVICE) {
        "hosts and templates"
    } else if scope == Scope::SERVICE {
        "services"
    } else {
        "hosts and services"
    }
}
