//! Objects in the language of the files, with all that they inherit: for keeping an object as it was. What people are
//! shown is `explain`'s.

use serde_json::{Map, Value as Json, json};
use vigia_checks::options::{Node, Value};
use vigia_core::model::host::Host;

use super::check::Checks;
use super::subject::Subject;
use crate::config::decode::Decoder;
use crate::config::keys::{Key, Scope};
use crate::config::merge::{Merged, MergedService, View, key};
use crate::config::place::Place;
use crate::config::written::fields::{Fields, Item};
use crate::config::written::json::{of_fields, of_value};
use crate::config::written::tables::CHECKABLE;
use crate::config::written::{SECTIONS, Written, WrittenHost, kinds};

/// One object with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The key it stands under; `services` for services.
    pub section: &'static str,
    pub name: String,
    pub values: Vec<Effective>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub key: String,
    pub value: Json,
    /// Where it was said, and through what; none: built in.
    pub from: Option<(Place, Option<String>)>,
}

impl Object {
    /// As a map that a file could hold, without what is built in.
    pub fn json(&self) -> Json {
        let said = self.values.iter().filter(|value| value.from.is_some());
        Json::Object(said.map(|value| (value.key.clone(), value.value.clone())).collect())
    }
}

/// A host as it is being resolved.
pub(super) struct Seen<'a, 'w, 'c, 't> {
    pub written: &'a WrittenHost,
    pub merged: &'a Merged<'w, 't>,
    pub groups: &'a [&'t str],
    pub host: &'a Host,
    pub checks: &'a Checks<'c, 't>,
}

impl Seen<'_, '_, '_, '_> {
    /// The host and its services.
    pub(super) fn objects(&self) -> Vec<Object> {
        let view = View::of_host(self.merged);
        let mut values = keys(view, Scope::HOST, self.groups);
        if self.merged.check.is_off {
            let from = Some((self.merged.check.at, self.merged.check.via.words()));
            values.push(Effective { key: "check".to_owned(), value: json!("off"), from });
        } else if let Some(check) = self.check(&self.merged.check.clone(), None) {
            let from = check.from.clone();
            let value = Json::Object(Map::from_iter([(check.key, check.value)]));
            values.push(Effective { key: "check".to_owned(), value, from });
        } else {
            values.push(Effective { key: "check".to_owned(), value: json!({ "ping": {} }), from: None });
        }
        let mut objects = vec![Object { section: "hosts", name: self.written.name.to_string(), values }];
        for (name, service) in self.merged.services.values().filter(|(_, service)| !service.is_off) {
            let view = View { near: &service.slots, far: &self.merged.shared, alone: None };
            let mut values = Vec::new();
            values.extend(self.check(service, Some(*name)));
            values.extend(keys(view, Scope::SERVICE, &[]));
            let name = format!("{}/{}", self.written.name, name.text);
            objects.push(Object { section: "services", name, values });
        }
        objects
    }

    /// The kind of check with its options in their long form.
    fn check(&self, merged: &MergedService<'_, '_>, name: Option<Item<'_>>) -> Option<Effective> {
        let subject = Subject {
            host: &self.host.name,
            address: &self.host.address,
            alias: &self.host.alias,
            index: self.written.index.as_deref(),
            tags: &self.host.tags,
            service: name.map(|name| name.text),
            host_variables: &[],
            service_variables: &[],
        };
        let mut quiet = Decoder::default();
        if let Some((last, via)) = merged.check.last() {
            let options = self.checks.options(&merged.check, &subject, &mut quiet)?;
            let from = Some((last.at, via.words()));
            return Some(Effective { key: last.kind.to_owned(), value: json_of(&options), from });
        }
        let check = kinds::of_name(name?).ok()?;
        let options = self.checks.options(&[(check, merged.via)], &subject, &mut quiet)?;
        let from = Some((merged.at, merged.via.words()));
        Some(Effective { key: check.kind.to_owned(), value: json_of(&options), from })
    }
}

/// Every key of the table that may stand there.
fn keys(view: View<'_, '_, '_>, scope: Scope, groups: &[&str]) -> Vec<Effective> {
    let mut quiet = Decoder::default();
    let mut values = Vec::new();
    for (index, known) in CHECKABLE.iter().enumerate().filter(|(_, key)| key.scope.has(scope)) {
        let found = view.get(index, &mut quiet);
        let key = known.name.to_owned();
        // Templates and groups are what the values came from; the groups themselves stay.
        let value = match (index, &found) {
            (key::USE, _) => continue,
            (key::HOSTGROUPS, _) if groups.is_empty() => continue,
            (key::HOSTGROUPS, _) => json!(groups),
            (_, Some(found)) => of_value(&found.value),
            (_, None) if known.default.is_empty() => continue,
            (_, None) => {
                values.push(Effective { key, value: json!(known.default), from: None });
                continue;
            }
        };
        let from = found.map_or((Place::nowhere(), None), |found| (found.at, found.via.words()));
        values.push(Effective { key, value, from: Some(from) });
    }
    values
}

/// Options as JSON, literal secrets as they are: it is kept in a folder that only the daemon can read.
fn json_of(options: &Value) -> Json {
    match &options.node {
        Node::Null => Json::Null,
        Node::Text(text) => json!(text),
        Node::List(items) => Json::Array(items.iter().map(json_of).collect()),
        Node::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.value))).collect())
        }
    }
}

/// Everything that is neither host nor service, as written, with defaults.
pub fn others(written: &Written<'_>) -> Vec<Object> {
    let mut objects = Vec::new();
    for (section, key, _) in SECTIONS {
        for object in written.of(*section) {
            let mut values = of_table(object.fields.table, &object.fields);
            for (day, node) in &object.days {
                let value = crate::config::written::json::of_node(node);
                values.push(Effective { key: day.text.to_owned(), value, from: Some((day.at, None)) });
            }
            objects.push(Object { section: key, name: object.name.text.to_owned(), values });
        }
    }
    for group in &written.hostgroups {
        let values = of_table(group.fields.table, &group.fields);
        objects.push(Object { section: "hostgroups", name: group.name.text.to_owned(), values });
    }
    objects
}

fn of_table(table: &'static [Key], fields: &Fields<'_>) -> Vec<Effective> {
    let said = of_fields(fields);
    let mut values = Vec::new();
    for known in table {
        for sign in ["", "+", "-"] {
            let key = format!("{}{sign}", known.name);
            if let Some(value) = said.get(&key) {
                let from = Some((fields.place(known.name), None));
                values.push(Effective { key, value: value.clone(), from });
            } else if sign.is_empty() && !known.default.is_empty() {
                values.push(Effective { key, value: json!(known.default), from: None });
            }
        }
    }
    values
}
