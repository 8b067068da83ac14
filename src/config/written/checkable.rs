//! Hosts, templates, `defaults`, the host half of host groups, and services, as written.

use vigia_core::model::grammar::check_service_name;

use super::fields::{Allowed, Entry, Fields, Item, Value};
use super::kinds;
use super::read::malformed;
use super::tables::CHECKABLE;
use crate::config::decode::{Decoder, How, switch};
use crate::config::keys::{Key, Scope, place_of};
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean, nearest};
use crate::config::tree::{Entry as TreeEntry, Map, Node, Value as Tree};

/// What a map says of hosts: of a host itself, of its check, of its services.
#[derive(Debug)]
pub struct Body<'t> {
    pub at: Place,
    pub fields: Fields<'t>,
    pub check: Option<WrittenService<'t>>,
    pub services: Vec<(Item<'t>, WrittenService<'t>)>,
    /// Something said of the host itself is wrong (a service's mistakes are its own).
    pub has_error: bool,
}

#[derive(Debug)]
pub struct WrittenService<'t> {
    pub at: Place,
    /// `off`, or `null`: what was inherited of it is dropped.
    pub is_off: bool,
    pub fields: Fields<'t>,
    pub check: Option<WrittenCheck<'t>>,
    pub has_error: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct WrittenCheck<'t> {
    pub kind: &'static str,
    /// Of the kind's key.
    pub at: Place,
    pub options: Options<'t>,
}

#[derive(Clone, Copy, Debug)]
pub enum Options<'t> {
    /// The kind alone.
    None,
    /// The argument of a short form: `5432` of `"tcp:5432"`, a URL.
    Text(Item<'t>),
    /// What stands under the kind's key.
    Node(&'t Node<'t>),
}

impl WrittenCheck<'_> {
    /// Do its options hold a `${…}`?
    pub fn asks_for_values(&self) -> bool {
        fn asks(node: &Node<'_>) -> bool {
            match &node.value {
                Tree::Text(text) => crate::config::insertion::is_in(&text.text),
                Tree::List(items) => items.iter().any(asks),
                Tree::Map(map) => map.iter().any(|entry| asks(&entry.value)),
                Tree::Null(_) | Tree::Broken => false,
            }
        }
        match self.options {
            Options::None => false,
            Options::Text(item) => crate::config::insertion::is_in(item.text),
            Options::Node(node) => asks(node),
        }
    }
}

/// What reads them has to say whose body this is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    pub scope: Scope,
    /// As problems call it: `web1`, `template linux`.
    pub name: &'a str,
    /// Keys of the map that are its owner's: a host group's `alias`.
    pub own: &'static [Key],
}

impl<'t> Body<'t> {
    /// A host that is an address alone.
    pub fn of_address(address: &'t str, at: Place) -> Self {
        let key = u8::try_from(ADDRESS).expect("the table is short");
        let mut body = Self::empty(at);
        body.fields.entries.push(Entry { key, how: How::Replace, at, value: Value::Text(address) });
        body
    }

    pub fn empty(at: Place) -> Self {
        Self { at, fields: Fields::empty(CHECKABLE, at), check: None, services: Vec::new(), has_error: false }
    }

    pub fn read(map: &'t Map<'t>, at: Place, whose: Whose<'_>, decoder: &mut Decoder) -> Self {
        decoder.reading(whose.name);
        let before = decoder.errors();
        let mut check = None;
        let mut services = None;
        let fields = Fields::read_with(
            map,
            at,
            CHECKABLE,
            Allowed { scope: whose.scope, except: whose.own },
            |entry| match &*entry.key.text {
                "check" => check.replace(entry).is_none(),
                "services" => services.replace(entry).is_none(),
                name => whose.own.iter().any(|key| key.name == name.trim_end_matches(['+', '-'])),
            },
            decoder,
        );
        let mut body = Self { fields, ..Self::empty(at) };
        if let Some(entry) = check {
            body.check = read_service(entry, Scope::CHECK, decoder);
        }
        body.has_error =
            decoder.errors() > before || body.check.as_ref().is_some_and(|check| check.has_error);
        if let Some(entry) = services {
            let before = decoder.errors();
            body.services = read_services(&entry.value, whose, decoder);
            let of_services = body.services.iter().any(|(_, service)| service.has_error);
            // A mistake that is no service's is the host's.
            body.has_error = body.has_error || (decoder.errors() > before && !of_services);
        }
        decoder.reading_no_object();
        body
    }
}

const ADDRESS: usize = place_of(CHECKABLE, "address");

fn read_services<'t>(
    node: &'t Node<'t>,
    whose: Whose<'_>,
    decoder: &mut Decoder,
) -> Vec<(Item<'t>, WrittenService<'t>)> {
    let mut services = Vec::new();
    match &node.value {
        Tree::Map(map) => {
            for entry in map.iter().chain(map.refused()) {
                let name = Item { text: &entry.key.text, at: entry.key.at };
                decoder.reading(format!("{}/{}", whose.name, name.text));
                if let Some(service) = named_service(name, entry, decoder) {
                    services.push((name, service));
                }
            }
            for entry in map.refused() {
                decoder.count_reported();
                let is_it = |(name, _): &&mut (Item<'_>, WrittenService<'_>)| name.text == entry.key.text;
                if let Some((_, service)) = services.iter_mut().find(is_it) {
                    service.has_error = true;
                }
            }
        }
        Tree::List(_) | Tree::Text(_) => list_of_services(node, whose, &mut services, decoder),
        Tree::Null(_) => decoder.warn_of_nothing(node.at, "services"),
        Tree::Broken => decoder.count_reported(),
    }
    warn_of_case(&services, whose, decoder);
    services
}

fn list_of_services<'t>(
    node: &'t Node<'t>,
    whose: Whose<'_>,
    services: &mut Vec<(Item<'t>, WrittenService<'t>)>,
    decoder: &mut Decoder,
) {
    for item in decoder.items(node, "services").unwrap_or_default() {
        // One that is wrong hides none of the others.
        let Some(text) = item.text() else {
            decoder.reading(whose.name);
            no_name(item, decoder);
            continue;
        };
        let name = Item { text, at: item.at };
        decoder.reading(format!("{}/{}", whose.name, name.text));
        if let Some((first, service)) = services.iter_mut().find(|(first, _)| first.text == name.text) {
            let problem = Problem::error(name.at, format!("service `{}` is named twice", name.text));
            decoder.push(problem.also(first.at, "the first one"));
            service.has_error = true;
            continue;
        }
        if is_service_name(name, decoder) {
            services.push((name, WrittenService::empty(name.at)));
        }
    }
}

/// `- http: {…}` in a list of names, as one writes a service in other programs.
fn no_name(item: &Node<'_>, decoder: &mut Decoder) {
    let Some(map) = item.map() else {
        decoder.wants::<()>(item, "services", "names");
        return;
    };
    let key = map.iter().next().map_or("NAME", |first| &*first.key.text);
    let problem = Problem::error(item.at, "an item of this list is the name of a service, not a map");
    decoder.push(problem.hint(format!(
        "services with options stand in a map, without the dash:\nservices:\n  {key}: {{…}}\nand `- {key}` alone is one without options"
    )));
}

fn is_service_name(name: Item<'_>, decoder: &mut Decoder) -> bool {
    match check_service_name(name.text) {
        Ok(()) => true,
        Err(error) => {
            decoder.push(malformed(name.at, &error));
            false
        }
    }
}

fn named_service<'t>(
    name: Item<'t>,
    entry: &'t TreeEntry<'t>,
    decoder: &mut Decoder,
) -> Option<WrittenService<'t>> {
    if !is_service_name(name, decoder) {
        return None;
    }
    if entry.value.is_nothing() {
        // Its name alone may say all.
        let warning = Problem::warning(name.at, format!("nothing stands after `{}:`", name.text));
        decoder.push(warning.hint(format!("it counts as `{}: {{}}`", name.text)));
        return Some(WrittenService::empty(name.at));
    }
    read_service(entry, Scope::SERVICE, decoder)
}

fn warn_of_case(services: &[(Item<'_>, WrittenService<'_>)], whose: Whose<'_>, decoder: &mut Decoder) {
    for (index, (name, _)) in services.iter().enumerate() {
        let twin = services.iter().take(index).find(|(other, _)| {
            other.text.len() == name.text.len() && other.text.to_lowercase() == name.text.to_lowercase()
        });
        if let Some((other, _)) = twin.filter(|(other, _)| other.text != name.text) {
            let message = format!(
                "services `{}` and `{}` of {} differ in case alone",
                other.text, name.text, whose.name
            );
            decoder.push(Problem::warning(name.at, message).also(other.at, "the other one"));
        }
    }
}

impl<'t> WrittenService<'t> {
    pub fn empty(at: Place) -> Self {
        Self { at, is_off: false, fields: Fields::empty(CHECKABLE, at), check: None, has_error: false }
    }
}

/// Reads what stands after a service's name, or after a host's `check`.
fn read_service<'t>(
    entry: &'t TreeEntry<'t>,
    scope: Scope,
    decoder: &mut Decoder,
) -> Option<WrittenService<'t>> {
    let node = &entry.value;
    let before = decoder.errors();
    let mut service = WrittenService::empty(entry.key.at);
    match &node.value {
        Tree::Null(_) if node.is_cancelled() => service.is_off = true,
        Tree::Null(_) => {
            decoder.warn_of_nothing(entry.key.at, &entry.key.text);
            return None;
        }
        Tree::Text(text) if switch(&text.text) == Some(false) => service.is_off = true,
        Tree::Text(text) => match kinds::short_form(Item { text: &text.text, at: node.at }) {
            Ok(check) => service.check = Some(check),
            Err(problem) => decoder.push(*problem),
        },
        Tree::List(_) => {
            let problem = format!("`{}` wants a kind of check, not a list", entry.key.text);
            decoder.push(
                Problem::error(node.at, problem).hint("for example `{tcp: 22}`, or `\"tcp:22\"` for short"),
            );
        }
        Tree::Map(map) => read_map(map, node.at, scope, &mut service, decoder),
        Tree::Broken => decoder.count_reported(),
    }
    service.has_error = decoder.errors() > before;
    Some(service)
}

fn read_map<'t>(
    map: &'t Map<'t>,
    at: Place,
    scope: Scope,
    service: &mut WrittenService<'t>,
    decoder: &mut Decoder,
) {
    let mut kinds_said = Vec::new();
    service.fields = Fields::read_with(
        map,
        at,
        CHECKABLE,
        Allowed { scope, except: &[] },
        |entry| {
            let is_kind = kinds::may_be(&entry.key.text);
            if is_kind {
                kinds_said.push(entry);
            }
            is_kind
        },
        decoder,
    );
    for entry in &kinds_said {
        let Some(kind) = kinds::find(&entry.key.text) else {
            decoder.push(kinds::unknown(&entry.key.text, entry.key.at));
            continue;
        };
        if let Some(first) = &service.check {
            let message = format!("a service has one kind of check, this one `{}` and `{kind}`", first.kind);
            decoder.push(
                Problem::error(entry.key.at, message)
                    .also(first.at, "the first one")
                    .hint("make two services of it"),
            );
            continue;
        }
        let options = match &entry.value.value {
            Tree::Broken => {
                decoder.count_reported();
                continue;
            }
            Tree::Null(_) if entry.value.is_nothing() => {
                let warning = Problem::warning(entry.key.at, format!("nothing stands after `{kind}:`"));
                decoder.push(warning.hint(format!("it counts as `{kind}: {{}}`")));
                Options::None
            }
            Tree::Null(_) => Options::None,
            Tree::Text(_) | Tree::List(_) | Tree::Map(_) => Options::Node(&entry.value),
        };
        service.check = Some(WrittenCheck { kind, at: entry.key.at, options });
    }
}

/// `did you mean` over keys and kinds together.
pub fn near_kind(word: &str) -> Option<String> {
    nearest(word, CHECKABLE.iter().map(|key| key.name))
        .is_none()
        .then(|| did_you_mean(word, kinds::names()))
        .flatten()
}
