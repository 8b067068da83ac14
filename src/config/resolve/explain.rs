//! What each object comes to, as texts with their origins: the same merging as for definitions, for `vigia show` and
//! `vigia diff`. Objects whose merging has a mistake are left out; `vigia validate` names them.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde_json::{Map, Value as Json};
use vigia_checks::options::Shape;
use vigia_checks::{KINDS, Kind, Short};

use super::chain::{Chains, Settled};
use super::subject::Subject;
use super::{Kept, Work, body_of};
use crate::config::decode::Decoder;
use crate::config::effective::{EffectiveObject, EffectiveValue, Origin, quoted};
use crate::config::files::Author;
use crate::config::insertion;
use crate::config::keys::{Key, Scope, Type};
use crate::config::merge::{Merged, MergedService, Via, View, key};
use crate::config::place::{Place, Sources};
use crate::config::switches::Switches;
use crate::config::veil;
use crate::config::written::checkable::{Options, WrittenCheck};
use crate::config::written::fields::{Fields, Item};
use crate::config::written::tables::CHECKABLE;
use crate::config::written::{SECTIONS, Section, Written, WrittenHost, WrittenObject, json, kinds, read};
use vigia_core::model::inventory::Inventory;

/// Effective values of one host and its services, or of everything, in the order of sections and names.
pub fn explain(written: &Written<'_>, host: Option<&str>, sources: &Sources) -> Vec<EffectiveObject> {
    let nothing = Written::default();
    let kept = Kept { objects: &nothing, services: &nothing };
    let mut quiet = Decoder::default();
    let inventory = Inventory::default();
    let (quarantine, doubtful) = (Vec::new(), Vec::new());
    let floating = hashbrown::HashSet::new();
    let mut work = Work { written, kept, decoder: &mut quiet, quarantine, doubtful, inventory, floating };
    work.networks(&Switches::new());
    let by_hand = work.identities();
    let networks = std::mem::take(&mut work.inventory.networks);
    let mut decoder = Decoder::default();
    let mut chains = Chains::new(written, &networks, &mut decoder);
    let teller = Teller { written, sources };
    let mut objects = Vec::new();
    for one in &written.hosts {
        let Some(body) = body_of(written, one) else { continue };
        let gives_way = one.author == Author::Discovery && by_hand.has(one, body);
        if gives_way || host.is_some_and(|host| *host != *one.name) {
            continue;
        }
        let settled = chains.settle(one, body, &mut decoder);
        let mut merged = chains.base(&settled, &mut decoder);
        merged.apply(body, Via::Host, &mut decoder);
        if !(merged.has_error || settled.has_error || body.has_error || one.has_error) {
            teller.host(one, &merged, &settled, &mut objects);
        }
    }
    if host.is_none() {
        for (section, ..) in SECTIONS {
            let others = written.of(*section).iter().filter(|one| !one.has_error && !one.is_off);
            objects.extend(others.map(|one| teller.other(*section, one)));
        }
    }
    objects.sort_by(|one, two| (rank(one), &one.name).cmp(&(rank(two), &two.name)));
    objects
}

/// A host goes before its services, hosts before all others.
fn rank(object: &EffectiveObject) -> usize {
    match object.section {
        "hosts" | "services" => 0,
        section => 1 + SECTIONS.iter().position(|(_, name, _)| *name == section).unwrap_or(SECTIONS.len()),
    }
}

struct Teller<'w, 't> {
    written: &'w Written<'t>,
    sources: &'w Sources,
}

impl Teller<'_, '_> {
    fn host(
        &self,
        host: &WrittenHost,
        merged: &Merged<'_, '_>,
        settled: &Settled<'_>,
        objects: &mut Vec<EffectiveObject>,
    ) {
        let view = View::of_host(merged);
        let mut quiet = Decoder::default();
        let tags = super::host::tags(view, &mut quiet);
        let bare = Subject {
            host: &host.name,
            address: &host.name,
            alias: &host.name,
            index: host.index.as_deref(),
            tags: &tags,
            service: None,
            host_variables: &[],
            service_variables: &[],
        };
        let mut text = |key: usize, subject: &Subject<'_>| -> Option<Arc<str>> {
            let found = view.get(key, &mut quiet)?;
            Some(filled(found.value.as_text()?, subject).into())
        };
        let address = text(key::ADDRESS, &bare).unwrap_or_else(|| Arc::clone(&host.name));
        let alias = text(key::ALIAS, &Subject { address: &address, ..bare })
            .unwrap_or_else(|| Arc::clone(&host.name));
        let subject = Subject { address: &address, alias: &alias, ..bare };
        let mut values = self.values(view, Scope(Scope::HOST.0 | Scope::CHECK.0), &subject, &merged.check);
        self.groups(settled, &mut values);
        values.push(self.host_check(&merged.check, &subject));
        objects.push(EffectiveObject { section: "hosts", name: host.name.to_string(), values });
        for (name, service) in
            merged.services.values().filter(|(_, service)| !service.is_off && !service.has_error)
        {
            objects.extend(self.service(*name, service, merged, &subject));
        }
    }

    fn service(
        &self,
        name: Item<'_>,
        service: &MergedService<'_, '_>,
        merged: &Merged<'_, '_>,
        host: &Subject<'_>,
    ) -> Option<EffectiveObject> {
        let subject = Subject { service: Some(name.text), ..*host };
        let view = View { near: &service.slots, far: &merged.shared, alone: None };
        let of_name = [(kinds::of_name(name).ok(), service.via)];
        let layers: Vec<(WrittenCheck<'_>, Via<'_>)> = match service.check.is_empty() {
            true => of_name.into_iter().filter_map(|(check, via)| Some((check?, via))).collect(),
            false => service.check.clone(),
        };
        let mut values = vec![self.check(&layers, &subject)?];
        values.extend(self.values(view, Scope::SERVICE, &subject, service));
        Some(EffectiveObject { section: "services", name: format!("{}/{}", host.host, name.text), values })
    }

    /// What is said, and the defaults of what is not, in the order of the table.
    fn values(
        &self,
        view: View<'_, '_, '_>,
        scope: Scope,
        subject: &Subject<'_>,
        check: &MergedService<'_, '_>,
    ) -> Vec<EffectiveValue> {
        let mut quiet = Decoder::default();
        let mut values = Vec::new();
        let is_told = |place: usize, quiet: &mut Decoder| view.get(place, quiet).is_some();
        for (place, declared) in CHECKABLE.iter().enumerate() {
            if !declared.scope.has(scope) {
                continue;
            }
            let value = match view.get(place, &mut quiet) {
                Some(found) => {
                    let text = flow(&insert(json::of_value(&found.value), subject));
                    Some((text, Some(self.origin(found.at, found.via))))
                }
                None if place == key::ADDRESS => Some((quoted(subject.host), None)),
                None if place == key::TIMEOUT => Some((usual_timeout(check).to_owned(), None)),
                None if place == key::CONTACTS && !is_told(key::CONTACTGROUPS, &mut quiet) => {
                    Some((self.everybody(), None))
                }
                None => default(declared).map(|text| (text, None)),
            };
            values.extend(value.map(|(value, origin)| EffectiveValue {
                key: declared.name.to_owned(),
                value,
                hidden: 0,
                origin,
            }));
        }
        values
    }

    fn everybody(&self) -> String {
        let mut names: Vec<&str> =
            self.written.of(Section::Contacts).iter().map(|one| one.name.text).collect();
        names.sort_unstable();
        flow(&Json::from(names))
    }

    /// Host groups, also those whose selectors found the host.
    fn groups(&self, settled: &Settled<'_>, values: &mut Vec<EffectiveValue>) {
        if settled.groups.is_empty() {
            return;
        }
        let value = flow(&Json::from(settled.groups.clone()));
        match values.iter_mut().find(|one| one.key == "hostgroups") {
            Some(said) => said.value = value,
            None => {
                let first = settled.groups.first();
                let group = self.written.hostgroups.iter().find(|group| Some(&group.name.text) == first);
                let origin = group.map(|group| Origin {
                    at: self.sources.show(group.name.at),
                    through: Some("`members` of the group".to_owned()),
                });
                values.push(EffectiveValue { key: "hostgroups".to_owned(), value, hidden: 0, origin });
            }
        }
    }

    fn host_check(&self, check: &MergedService<'_, '_>, subject: &Subject<'_>) -> EffectiveValue {
        let key = "check".to_owned();
        if check.is_off {
            let origin = Some(self.origin(check.at, check.via));
            return EffectiveValue { key, value: "off".to_owned(), hidden: 0, origin };
        }
        match self.check(&check.check, subject) {
            None => EffectiveValue { key, value: "{ping: {}}".to_owned(), hidden: 0, origin: None },
            Some(EffectiveValue { key: kind, value, hidden, origin }) => {
                EffectiveValue { key, value: format!("{{{kind}: {value}}}"), hidden, origin }
            }
        }
    }

    /// The kind with its options in the long form; the strongest says where it comes from.
    fn check(&self, layers: &[(WrittenCheck<'_>, Via<'_>)], subject: &Subject<'_>) -> Option<EffectiveValue> {
        let (last, via) = layers.last()?;
        let kind = KINDS.iter().copied().find(|kind| kind.name == last.kind);
        let mut options = Map::new();
        for (check, _) in layers {
            for (option, value) in long_form(check, kind) {
                match value {
                    Json::Null => options.remove(&option),
                    value => options.insert(option, value),
                };
            }
        }
        let mut options = insert(Json::Object(options), subject);
        let plain = flow(&options);
        for (option, value) in options.as_object_mut().into_iter().flatten() {
            let declared = kind.and_then(|kind| kind.options().find(|declared| declared.name == *option));
            if let Some(declared) = declared {
                conceal(declared.shape, value);
            }
        }
        veil::hide(last.kind, &mut options);
        let (value, hidden) = veiled(&plain, flow(&options));
        let origin = Some(self.origin(last.at, *via));
        Some(EffectiveValue { key: last.kind.to_owned(), value, hidden, origin })
    }

    fn origin(&self, at: Place, via: Via<'_>) -> Origin {
        Origin { at: self.sources.show(at), through: via.words() }
    }

    /// An object that inherits nothing.
    fn other(&self, section: Section, object: &WrittenObject<'_>) -> EffectiveObject {
        let mut values = self.said(&object.fields);
        for (day, ranges) in &object.days {
            let origin = Some(Origin { at: self.sources.show(day.at), through: None });
            values.push(EffectiveValue {
                key: quoted(day.text),
                value: flow(&json::of_node(ranges)),
                hidden: 0,
                origin,
            });
        }
        EffectiveObject { section: section.key(), name: object.name.text.to_owned(), values }
    }

    fn said(&self, fields: &Fields<'_>) -> Vec<EffectiveValue> {
        let mut all = match json::of_fields(fields) {
            Json::Object(all) => all,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Map::new(),
        };
        let mut values = Vec::new();
        for declared in fields.table {
            let said = all.remove(declared.name).or_else(|| all.remove(&format!("{}+", declared.name)));
            let value = match said {
                Some(mut said) => {
                    let plain = flow(&said);
                    match declared.holds {
                        Type::Secret => said = Json::from("***"),
                        _ if declared.name == "custom_variables" => {}
                        _ => veil::hide(declared.name, &mut said),
                    }
                    Some(veiled(&plain, flow(&said)))
                }
                None => default(declared).map(|text| (text, 0)),
            };
            let at =
                fields.entry(declared.name).or_else(|| fields.added(declared.name)).map(|entry| entry.at);
            let origin = at.map(|at| Origin { at: self.sources.show(at), through: None });
            let key = declared.name.to_owned();
            values.extend(value.map(|(value, hidden)| EffectiveValue { key, value, hidden, origin }));
        }
        values
    }
}

/// The text to show, and what tells it apart where something in it is hidden.
fn veiled(plain: &str, shown: String) -> (String, u64) {
    let hidden = if plain == shown { 0 } else { FixedState::with_seed(6).hash_one(plain) };
    (shown, hidden)
}

fn default(declared: &Key) -> Option<String> {
    if declared.default.is_empty() {
        return None;
    }
    let value = read::default(declared).map(|value| flow(&json::of_value(&value)));
    Some(value.unwrap_or_else(|| declared.default.to_owned()))
}

fn usual_timeout(check: &MergedService<'_, '_>) -> &'static str {
    match check.check.last().map(|(check, _)| check.kind) {
        Some("plugin" | "command") => "60s",
        Some(_) | None => "10s",
    }
}

/// Options by name, whatever form they were written in.
fn long_form(check: &WrittenCheck<'_>, kind: Option<&Kind>) -> Map<String, Json> {
    let written = match check.options {
        Options::None => return Map::new(),
        Options::Text(item) => Json::from(item.text),
        Options::Node(node) => json::of_node(node),
    };
    let text = written.as_str().unwrap_or_default();
    let option = match (kind.map(|kind| kind.short), check.kind) {
        (Some(Short::Option(name)), _) => name,
        (Some(Short::Text(choose)), _) => choose(text),
        (Some(Short::None), _) => "value",
        (None, "plugin") => "argv",
        (None, "passive") => "freshness",
        (None, _) => "name",
    };
    match written {
        Json::Object(options) => options,
        Json::Null => Map::new(),
        short @ (Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
            std::iter::once((option.to_owned(), short)).collect()
        }
    }
}

/// A secret that stands in the file itself is stars.
fn conceal(shape: Shape, value: &mut Json) {
    match shape {
        Shape::Secret if value.is_string() => *value = Json::from("***"),
        Shape::Map(options) => {
            for (name, value) in value.as_object_mut().into_iter().flatten() {
                if let Some(option) = options.iter().find(|option| option.name == *name) {
                    conceal(option.shape, value);
                }
            }
        }
        Shape::OneOf(shapes) => shapes.iter().for_each(|shape| {
            if !matches!(shape, Shape::Secret) {
                conceal(*shape, value);
            }
        }),
        Shape::Text
        | Shape::Number(..)
        | Shape::Duration
        | Shape::Size
        | Shape::Switch
        | Shape::Secret
        | Shape::Pattern
        | Shape::Threshold
        | Shape::Range
        | Shape::Age
        | Shape::Choice(_)
        | Shape::List(_)
        | Shape::MapOf(_) => {}
    }
}

/// `${…}` filled in wherever the configuration knows the value.
fn insert(value: Json, subject: &Subject<'_>) -> Json {
    match value {
        Json::String(text) => Json::String(filled(&text, subject)),
        Json::Array(items) => items.into_iter().map(|item| insert(item, subject)).collect(),
        Json::Object(map) => map.into_iter().map(|(key, value)| (key, insert(value, subject))).collect(),
        other @ (Json::Null | Json::Bool(_) | Json::Number(_)) => other,
    }
}

fn filled(text: &str, subject: &Subject<'_>) -> String {
    if !insertion::is_in(text) {
        return text.to_owned();
    }
    insertion::fill(text, |name| subject.value(name)).unwrap_or_else(|_| text.to_owned())
}

/// YAML on one line.
fn flow(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::String(text) => quoted(text),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
