//! Values as JSON: the long form that `vigia show` prints, that two configurations are compared by, and in which the
//! last good definition of an object is kept. JSON is YAML, so the same reader takes it back.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::fields::{Dependency, Entry, Fields, Item, Same, Value};
use super::read::CANCELLED;
use crate::config::decode::How;
use crate::config::tree::{Node, Value as Tree};

pub fn of_value(value: &Value<'_>) -> Json {
    match value {
        Value::Nothing => Json::Null,
        Value::Switch(switch) => json!(if *switch { "on" } else { "off" }),
        Value::Whole(number) => json!(number.to_string()),
        Value::Decimal(number) => json!(number.to_string()),
        Value::Percent(percent) => json!(format!("{percent}%")),
        Value::Duration(span) => json!(duration(*span)),
        Value::Size(bytes) => json!(format!("{bytes}B")),
        Value::Text(text) => json!(text),
        Value::List(items) => of_items(items),
        Value::Words(words) => json!(words),
        Value::Pairs(pairs) => Json::Object(pairs.iter().map(of_pair).collect()),
        Value::Selection(selected) => {
            let items: Vec<Item<'_>> = selected.items.iter().map(|(_, item)| *item).collect();
            if selected.every { json!({ "all": of_items(&items) }) } else { of_items(&items) }
        }
        Value::Fields(fields) => of_fields(fields),
        Value::Named(named) => Json::Object(
            named.iter().map(|(name, fields)| (name.text.to_owned(), of_fields(fields))).collect(),
        ),
        Value::Dependencies(all) => Json::Array(all.iter().map(of_dependency).collect()),
        Value::Node(Same(node)) => of_node(node),
    }
}

fn of_items(items: &[Item<'_>]) -> Json {
    Json::Array(items.iter().map(|item| json!(item.text)).collect())
}

fn of_pair((key, text): &(Item<'_>, Item<'_>)) -> (String, Json) {
    let value = if text.text == CANCELLED { Json::Null } else { json!(text.text) };
    (key.text.to_owned(), value)
}

fn of_dependency(one: &Dependency<'_>) -> Json {
    if one.fields.entries.is_empty() { json!(one.on.text) } else { of_fields(&one.fields) }
}

pub fn of_fields(fields: &Fields<'_>) -> Json {
    Json::Object(fields.entries.iter().map(|entry| of_entry(fields, entry)).collect())
}

fn of_entry(fields: &Fields<'_>, entry: &Entry<'_>) -> (String, Json) {
    let name = fields.table.get(usize::from(entry.key)).map_or("", |key| key.name);
    let sign = match entry.how {
        How::Replace | How::Cancel => "",
        How::Add => "+",
        How::Remove => "-",
    };
    (format!("{name}{sign}"), of_value(&entry.value))
}

/// A tree as it was written.
pub fn of_node(node: &Node<'_>) -> Json {
    match &node.value {
        Tree::Null(_) | Tree::Broken => Json::Null,
        Tree::Text(text) => json!(text.text),
        Tree::List(items) => Json::Array(items.iter().map(of_node).collect()),
        Tree::Map(map) => {
            let pairs = map.iter().map(|entry| (entry.key.text.clone().into_owned(), of_node(&entry.value)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// `1h30m`, `250ms`, `0`.
pub fn duration(span: Duration) -> String {
    const UNITS: [(u128, &str); 6] = [
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
        (1_000, "ms"),
        (1, "us"),
    ];
    let mut rest = span.as_micros();
    if rest == 0 {
        return "0".to_owned();
    }
    let mut text = String::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}
