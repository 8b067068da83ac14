//! The language as JSON Schema, for editors, and what a type is called for people: from the declarations.
//!
//! A schema cannot say everything (references, ranges in names, inheritance); what it refuses is wrong, and
//! `vigia validate` finds the rest.

use serde_json::{Map, Value, json};
use vigia_checks::KINDS;
use vigia_checks::options::{Opt, options_schema};

use super::keys::{Key, Scope, Type};
use super::resolve::check;
use super::settings::SECTIONS;
use super::written::tables;

mod reference;

pub use reference::{checks_reference, reference};

/// The schema of a configuration file.
pub fn schema() -> Value {
    let mut properties = Map::new();
    properties.insert(
        "include".to_owned(),
        json!({"description": INCLUDE, "anyOf": [text(), {"type": "array", "items": text()}]}),
    );
    properties.insert(
        "defaults".to_owned(),
        described("What holds for all hosts and services", definition("shared")),
    );
    properties.insert("templates".to_owned(), described("What hosts use", map_of(definition("template"))));
    for (section, note) in OBJECTS {
        properties.insert((*section).to_owned(), described(note, map_of(definition(section))));
    }
    for section in SECTIONS {
        properties
            .insert(section.name.to_owned(), described(section.meaning, or_null(of_type(section.holds))));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "vigia",
        "description": "A configuration file of vigia",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
        "definitions": definitions(),
    })
}

pub(super) const INCLUDE: &str = "Files, folders with all below them, and globs to load, relative to this file; \
    `conf.d` where it is not said. In the main file alone. An entry that names nothing is an error, and what it named \
    goes on as it was last good; without a mistake in the list, what it does not name is removed";

/// The kinds of object, in the order in which the reference tells of them.
pub(super) const OBJECTS: &[(&str, &str)] = &[
    ("hosts", "What has an address and is watched"),
    ("hostgroups", "Hosts that belong together, and what holds for them"),
    ("servicegroups", "Services that belong together"),
    ("contacts", "Who is told, and how"),
    ("contactgroups", "Contacts that belong together; the teams that tickets are given to"),
    ("timeperiods", "Sets of times"),
    ("commands", "Command lines by name, for services, event handlers and messages"),
    ("escalations", "Other contacts from the nth message on"),
    ("downtimes", "Planned work"),
    ("rules", "What problems and findings set off"),
    ("networks", "Ranges of addresses, with their switch and their value"),
    ("discovery", "What is looked for, where and when"),
];

fn definitions() -> Value {
    let mut all = Map::new();
    for (section, _) in OBJECTS {
        all.insert((*section).to_owned(), object(section));
    }
    all.insert("template".to_owned(), checkable(Scope::TEMPLATE));
    all.insert("shared".to_owned(), checkable(Scope::SHARED));
    all.insert("service".to_owned(), or_short(service(Scope::SERVICE), true));
    all.insert("check".to_owned(), or_short(service(Scope::CHECK), true));
    all.insert(
        "services".to_owned(),
        json!({"anyOf": [
            {"type": "array", "items": text()},
            {"type": "object", "additionalProperties": {"$ref": "#/definitions/service"}},
            {"type": "null"},
        ]}),
    );
    for kind in KINDS {
        let schema = serde_json::from_str(&vigia_checks::options::schema(kind));
        all.insert(format!("check-{}", kind.name), schema.unwrap_or(Value::Bool(true)));
    }
    let place = |name: &str| json!({"type": "object", "required": [name], "properties": {name: text()}, "additionalProperties": false});
    all.insert(
        "secret".to_owned(),
        json!({"anyOf": [place("file"), place("env"), place("credential"), text()]}),
    );
    Value::Object(all)
}

/// One object of a section, with its short form.
fn object(section: &str) -> Value {
    let keys = keys(section);
    match section {
        "hosts" => or_short(checkable(Scope::HOST), false),
        "hostgroups" => {
            let mut group = checkable(Scope::SHARED);
            add(&mut group, properties(keys, |_| true));
            group
        }
        "contacts" => or_short(map(keys), false),
        "timeperiods" => {
            let mut period = map(keys);
            let ranges = json!({"anyOf": [text(), {"type": "array", "items": text()}]});
            if let Some(period) = period.as_object_mut() {
                period.insert("additionalProperties".to_owned(), ranges);
            }
            period
        }
        "rules" => json!({"anyOf": [{"enum": ["off", false]}, map(keys)]}),
        "networks" => or_short(map(keys), false),
        _ => map(keys),
    }
}

pub(super) fn keys(section: &str) -> &'static [Key] {
    tables::TABLES.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// A host, a template, or what may stand for all.
fn checkable(scope: Scope) -> Value {
    let mut all = closed(properties(keys("hosts"), |key| key.scope.has(scope)));
    let mut more = Map::new();
    more.insert("check".to_owned(), json!({"$ref": "#/definitions/check"}));
    more.insert("services".to_owned(), json!({"$ref": "#/definitions/services"}));
    add(&mut all, more);
    all
}

/// A service, or a host's own check: its keys, and at most one kind.
fn service(scope: Scope) -> Value {
    let mut all = closed(properties(keys("hosts"), |key| key.scope.has(scope)));
    let mut kinds: Map<String, Value> = KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), json!({"$ref": format!("#/definitions/check-{}", kind.name)})))
        .collect();
    for (kind, options) in OWN_KINDS {
        let long = serde_json::from_str(&options_schema(options)).unwrap_or(Value::Bool(true));
        kinds.entry(*kind).or_insert_with(|| or_short(long, true));
    }
    add(&mut all, kinds);
    all
}

/// Kinds that the daemon runs itself, with their options.
pub(super) const OWN_KINDS: &[(&str, &[Opt])] =
    &[("plugin", check::PLUGIN), ("command", check::COMMAND), ("passive", check::PASSIVE)];

fn map(keys: &'static [Key]) -> Value {
    closed(properties(keys, |_| true))
}

fn closed(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn add(object: &mut Value, more: Map<String, Value>) {
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.extend(more);
    }
}

/// A text, a list where it says so, or nothing, in place of the map.
fn or_short(long: Value, may_be_list: bool) -> Value {
    let short = json!({"type": ["string", "number", "boolean", "null"]});
    match may_be_list {
        true => json!({"anyOf": [short, {"type": "array"}, long]}),
        false => json!({"anyOf": [short, long]}),
    }
}

fn properties(keys: &'static [Key], is_wanted: impl Fn(&Key) -> bool) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in keys.iter().filter(|key| is_wanted(key)) {
        let note = match key.default {
            "" => key.meaning.to_owned(),
            default => format!("{} (default: {default})", key.meaning),
        };
        let value = described(&note, or_null(of_type(key.holds)));
        if key.holds.is_list() {
            properties.insert(format!("{}+", key.name), value.clone());
            properties.insert(format!("{}-", key.name), value.clone());
        }
        properties.insert(key.name.to_owned(), value);
    }
    properties
}

fn described(note: &str, mut schema: Value) -> Value {
    if schema.get("$ref").is_some() {
        // Nothing beside a `$ref` counts in this draft.
        schema = json!({"allOf": [schema]});
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), note.into());
    }
    schema
}

fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn map_of(value: Value) -> Value {
    json!({"type": ["object", "null"], "additionalProperties": value})
}

fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// Scalars are also numbers and switches, since YAML readers of editors take them so.
fn text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn one_or_more(item: &Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item}]})
}

/// `0` needs no unit, and is a number to an editor.
fn pattern(pattern: &str) -> Value {
    json!({"anyOf": [{"type": "string", "pattern": pattern}, {"const": 0}]})
}

fn words(known: &[&str]) -> Value {
    let mut all: Vec<Value> = known.iter().map(|word| Value::from(*word)).collect();
    if known.contains(&"on") {
        all.push(true.into());
    }
    if known.contains(&"off") {
        all.push(false.into());
    }
    json!({"enum": all})
}

fn of_type(holds: Type) -> Value {
    const DURATION: &str = "^(0|([0-9]+(\\.[0-9]+)?(w|d|h|m|s|ms|us))+)$";
    match holds {
        Type::Switch => words(&["on", "off", "yes", "no"]),
        Type::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Type::Decimal(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
        Type::Percent => json!({"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$"}),
        Type::Duration => pattern(DURATION),
        Type::DurationOr(others) => json!({"anyOf": [pattern(DURATION), words(others)]}),
        Type::Retention => pattern("^(0|([0-9]+(\\.[0-9]+)?(y|w|d|h|m|s))+)$"),
        Type::Size => pattern("^(0|[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|KiB|MiB|GiB))$"),
        Type::Text | Type::Name => text(),
        Type::Word(known) => words(known),
        Type::Words(known) => json!({"anyOf": [{"enum": ["none", "all"]}, one_or_more(&words(known))]}),
        Type::Texts | Type::Names | Type::Run | Type::Handler => one_or_more(&text()),
        Type::TextMap => json!({"type": "object", "additionalProperties": or_null(text())}),
        Type::Secret => json!({"$ref": "#/definitions/secret"}),
        Type::Selection => {
            let all = json!({
                "type": "object", "required": ["all"], "additionalProperties": false,
                "properties": {"all": {"type": "array", "items": text()}},
            });
            json!({"anyOf": [one_or_more(&text()), all]})
        }
        Type::Map(keys) => map(keys),
        Type::MapOf(keys) => map_of(map(keys)),
        Type::OffOr(keys) => json!({"anyOf": [{"enum": ["off", false]}, map(keys)]}),
        // What its owner reads may be anything; validation says.
        Type::Special(_) => json!(true),
    }
}

#[cfg(test)]
mod tests;
