//! From a node to the type its key wants.

use vigia_checks::options::duration;
use vigia_core::model::grammar::Malformed;
use vigia_core::model::selector::Selector;
use vigia_core::nagios::words;

use super::fields::{Dependency, Fields, Item, Same, Selected, Value};
use super::tables::DEPENDENCY;
use crate::config::decode::{Decoder, switch};
use crate::config::keys::{Key, Type};
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::{Node, Null, Value as Tree};

/// Reads a value; what is wrong goes to the decoder.
pub fn value<'t>(key: &Key, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Value<'t>> {
    typed(key.name, key.holds, node, decoder)
}

fn typed<'t>(name: &str, holds: Type, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Value<'t>> {
    match holds {
        Type::Switch => decoder.switch(node, name).map(Value::Switch),
        Type::Whole(least, most) => whole(name, least, most, node, decoder).map(Value::Whole),
        Type::Decimal(least, most) => decimal(name, least, most, node, decoder).map(Value::Decimal),
        Type::Percent => decoder.percent(node, name).map(Value::Percent),
        Type::Duration => decoder.duration(node, name).map(Value::Duration),
        Type::DurationOr(others) => duration_or(name, others, node, decoder),
        Type::Retention => decoder.retention(node, name).map(Value::Duration),
        Type::Size => decoder.size(node, name).map(Value::Size),
        Type::Text | Type::Name => decoder.text(node, name).map(Value::Text),
        Type::Word(known) => word(name, known, node, decoder).map(Value::Text),
        Type::Words(known) => word_list(name, known, node, decoder).map(Value::List),
        Type::Texts | Type::Names => items(name, node, decoder).map(Value::List),
        Type::TextMap => pairs(name, node, decoder).map(Value::Pairs),
        Type::Secret => decoder.secret(node, name).map(|_| Value::Node(Same(node))),
        Type::Run => run(name, node, decoder).map(Value::Words),
        Type::Handler => match &node.value {
            Tree::Text(text) => Some(Value::Text(&text.text)),
            Tree::List(_) => run(name, node, decoder).map(Value::Words),
            Tree::Null(_) | Tree::Map(_) | Tree::Broken => {
                decoder.wants(node, name, "a command's name or a list of arguments")
            }
        },
        Type::Selection => selection(name, node, decoder).map(|one| Value::Selection(Box::new(one))),
        Type::Map(table) => match node.map() {
            Some(map) => Some(Value::Fields(Box::new(Fields::read(map, node.at, table, decoder)))),
            None => decoder.wants(node, name, "a map"),
        },
        Type::OffOr(table) => match node.text().and_then(switch) {
            Some(false) => Some(Value::Switch(false)),
            Some(true) | None => typed(name, Type::Map(table), node, decoder),
        },
        Type::MapOf(table) => named(name, table, node, decoder).map(Value::Named),
        Type::Special(_) if name == "depends_on" => dependencies(node, decoder).map(Value::Dependencies),
        Type::Special(_) => Some(Value::Node(Same(node))),
    }
}

/// A key's default as its type reads it; none for an empty one.
pub fn default(key: &Key) -> Option<Value<'static>> {
    let text = key.default;
    if text.is_empty() {
        return None;
    }
    let words = |known: &'static [&'static str]| -> Vec<&'static str> {
        match text {
            "all" => known.to_vec(),
            "none" => Vec::new(),
            _ => text.split(' ').collect(),
        }
    };
    let list = |words: Vec<&'static str>| {
        Value::List(words.into_iter().map(|text| Item { text, at: Place::nowhere() }).collect())
    };
    match key.holds {
        Type::Switch => switch(text).map(Value::Switch),
        Type::Whole(..) => text.parse().ok().map(Value::Whole),
        Type::Percent => text.strip_suffix('%').and_then(|number| number.parse().ok()).map(Value::Percent),
        Type::Duration => duration(text).ok().map(Value::Duration),
        Type::DurationOr(others) => {
            let word = others.iter().find(|other| **other == text);
            word.map(|word| Value::Text(word)).or_else(|| duration(text).ok().map(Value::Duration))
        }
        Type::Text | Type::Name | Type::Word(_) => Some(Value::Text(text)),
        Type::Words(known) => Some(list(words(known))),
        Type::Texts | Type::Names => Some(list(words(&[]))),
        Type::Decimal(..)
        | Type::Retention
        | Type::Size
        | Type::TextMap
        | Type::Secret
        | Type::Run
        | Type::Handler
        | Type::Selection
        | Type::Map(_)
        | Type::OffOr(_)
        | Type::MapOf(_)
        | Type::Special(_) => None,
    }
}

fn whole(name: &str, least: u64, most: u64, node: &Node<'_>, decoder: &mut Decoder) -> Option<u64> {
    let narrow = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let number = decoder.integer(node, name, narrow(least), narrow(most))?;
    u64::try_from(number).ok()
}

fn decimal(name: &str, least: f64, most: f64, node: &Node<'_>, decoder: &mut Decoder) -> Option<f64> {
    let number = decoder.number(node, name)?;
    if (least..=most).contains(&number) {
        return Some(number);
    }
    decoder.refuse(Problem::error(node.at, format!("`{name}` must be from {least} to {most}")))
}

fn duration_or<'t>(
    name: &str,
    others: &'static [&'static str],
    node: &'t Node<'t>,
    decoder: &mut Decoder,
) -> Option<Value<'t>> {
    let is_off = node.text().and_then(switch) == Some(false);
    let written = if is_off { Some("off") } else { node.text() };
    match others.iter().find(|other| Some(**other) == written) {
        Some(other) => Some(Value::Text(other)),
        None => decoder.duration(node, name).map(Value::Duration),
    }
}

/// A word of a list in which `yes` and `no` stand for `on` and `off`.
fn word(
    name: &str,
    known: &'static [&'static str],
    node: &Node<'_>,
    decoder: &mut Decoder,
) -> Option<&'static str> {
    match node.text().and_then(switch) {
        Some(true) if known.contains(&"on") => Some("on"),
        Some(false) if known.contains(&"off") => Some("off"),
        Some(_) | None => decoder.choice(node, name, known),
    }
}

/// `[down, critical]`, `none`, `all`.
fn word_list<'t>(
    name: &str,
    known: &'static [&'static str],
    node: &'t Node<'t>,
    decoder: &mut Decoder,
) -> Option<Vec<Item<'t>>> {
    let at = node.at;
    match node.text() {
        Some("none") => return Some(Vec::new()),
        Some("all") => return Some(known.iter().map(|text| Item { text, at }).collect()),
        Some(_) | None => {}
    }
    let before = decoder.errors();
    let nodes = decoder.items(node, name)?;
    let words =
        nodes.iter().filter_map(|node| Some(Item { text: word(name, known, node, decoder)?, at: node.at }));
    let words = words.collect();
    (decoder.errors() == before).then_some(words)
}

/// A list of texts, or one text.
pub fn items<'t>(name: &str, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Vec<Item<'t>>> {
    let texts = decoder.texts(node, name)?;
    Some(texts.into_iter().map(|(text, at)| Item { text, at }).collect())
}

fn pairs<'t>(name: &str, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Vec<(Item<'t>, Item<'t>)>> {
    let Some(map) = node.map() else { return decoder.wants(node, name, "a map of texts") };
    if !map.refused().is_empty() {
        decoder.count_reported();
    }
    let mut pairs = Vec::with_capacity(map.len());
    for entry in map {
        let key = Item { text: &entry.key.text, at: entry.key.at };
        let at = entry.value.at;
        match &entry.value.value {
            Tree::Text(text) => pairs.push((key, Item { text: &text.text, at })),
            Tree::Null(Null::Word) => pairs.push((key, Item { text: CANCELLED, at })),
            Tree::Null(Null::Nothing) => decoder.warn_of_nothing(key.at, key.text),
            Tree::List(_) | Tree::Map(_) | Tree::Broken => {
                decoder.wants::<()>(&entry.value, key.text, "a text");
            }
        }
    }
    Some(pairs)
}

/// Stands for the word `null` in a map of texts; no text of a file holds this character.
pub const CANCELLED: &str = "\u{0}";

/// A list of arguments, or a text that is split as a shell would.
pub fn run(name: &str, node: &Node<'_>, decoder: &mut Decoder) -> Option<Vec<String>> {
    let words = match node.text() {
        Some(text) => match words::split_text(text) {
            Ok(words) => words,
            Err(error) => return decoder.refuse(Problem::error(node.at, format!("`{name}`: {error}"))),
        },
        None => decoder.texts(node, name)?.into_iter().map(|(text, _)| text.to_owned()).collect(),
    };
    if words.first().is_none_or(String::is_empty) {
        return decoder.refuse(Problem::error(node.at, format!("`{name}` names no program")));
    }
    Some(words)
}

/// One selector, a list of them, or `all:` with a list.
fn selection<'t>(name: &str, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Selected<'t>> {
    let (node, every) = match node.map().map(|map| map.iter().as_slice()) {
        None => (node, false),
        Some([only]) if only.key.text == "all" => (&only.value, true),
        Some(_) => {
            let problem = Problem::error(node.at, format!("`{name}` wants selectors"));
            return decoder
                .refuse(problem.hint("a list means any of its items, `all: […]` means every item"));
        }
    };
    let before = decoder.errors();
    let mut parsed = Vec::new();
    for item in items(name, node, decoder)? {
        match Selector::parse(item.text) {
            Ok(selector) => parsed.push((selector, item)),
            Err(error) => decoder.push(malformed(item.at, &error)),
        }
    }
    (decoder.errors() == before).then_some(Selected { items: parsed, every })
}

pub fn malformed(at: Place, error: &Malformed) -> Problem {
    Problem::error(at, error.message.clone()).maybe_hint(error.hint.clone())
}

fn named<'t>(
    name: &str,
    table: &'static [Key],
    node: &'t Node<'t>,
    decoder: &mut Decoder,
) -> Option<Vec<(Item<'t>, Fields<'t>)>> {
    let Some(outer) = node.map() else { return decoder.wants(node, name, "a map") };
    if !outer.refused().is_empty() {
        decoder.count_reported();
    }
    let mut all = Vec::with_capacity(outer.len());
    for entry in outer {
        let key = Item { text: &entry.key.text, at: entry.key.at };
        match entry.value.map() {
            Some(inner) => all.push((key, Fields::read(inner, entry.value.at, table, decoder))),
            None => {
                decoder.wants::<()>(&entry.value, key.text, "a map");
            }
        }
    }
    Some(all)
}

/// `HOST`, `HOST/SERVICE`, `/SERVICE`, or a map with `on`; one or a list.
fn dependencies<'t>(node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Vec<Dependency<'t>>> {
    let before = decoder.errors();
    let mut all = Vec::new();
    for node in decoder.items(node, "depends_on")? {
        let Some(map) = node.map() else {
            if let Some(text) = decoder.text(node, "depends_on") {
                let on = Item { text, at: node.at };
                all.push(Dependency { on, fields: Fields::empty(DEPENDENCY, node.at) });
            }
            continue;
        };
        let fields = Fields::read(map, node.at, DEPENDENCY, decoder);
        match fields.item("on") {
            Some(on) => all.push(Dependency { on, fields }),
            None => decoder.push(
                Problem::error(node.at, "`depends_on` wants `on`").hint(
                    did_you_mean("on", map.iter().map(|entry| &*entry.key.text))
                        .unwrap_or_else(|| "`on: HOST/SERVICE` says on what".to_owned()),
                ),
            ),
        }
    }
    (decoder.errors() == before).then_some(all)
}
