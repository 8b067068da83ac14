//! Every object as written: which there are, what they say and where. Second definitions are found here; what refers
//! to what is [`crate::config::resolve`]'s.

pub mod checkable;
pub mod fields;
pub mod json;
pub mod kinds;
pub mod read;
pub mod tables;

use std::sync::Arc;

use hashbrown::HashMap;
use vigia_core::model::grammar::check_name;
use vigia_core::model::range::RangedName;

use self::checkable::{Body, Whose};
use self::fields::{Allowed, Entry, Fields, Item, Value};
use self::read::malformed;
use super::decode::{Decoder, How, switch};
use super::files::Author;
use super::keys::{Key, Scope};
use super::place::Place;
use super::problem::Problem;
use super::tree::{Entry as TreeEntry, Map, Node, Value as Tree};

const EVERYWHERE: Allowed = Allowed { scope: Scope::ALL, except: &[] };

/// A kind of object with a name of its own, as the word over its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Defaults,
    Templates,
    Hosts,
    HostGroups,
    ServiceGroups,
    Contacts,
    ContactGroups,
    TimePeriods,
    Commands,
    Escalations,
    Downtimes,
    Rules,
    Networks,
    Discovery,
}

/// Every section with the word over it and what one object of it is called.
pub const SECTIONS: &[(Section, &str, &str)] = &[
    (Section::Defaults, "defaults", "defaults"),
    (Section::Templates, "templates", "template"),
    (Section::Hosts, "hosts", "host"),
    (Section::HostGroups, "hostgroups", "hostgroup"),
    (Section::ServiceGroups, "servicegroups", "servicegroup"),
    (Section::Contacts, "contacts", "contact"),
    (Section::ContactGroups, "contactgroups", "contactgroup"),
    (Section::TimePeriods, "timeperiods", "timeperiod"),
    (Section::Commands, "commands", "command"),
    (Section::Escalations, "escalations", "escalation"),
    (Section::Downtimes, "downtimes", "downtime"),
    (Section::Rules, "rules", "rule"),
    (Section::Networks, "networks", "network"),
    (Section::Discovery, "discovery", "discovery job"),
];

impl Section {
    /// What one object is called.
    pub fn word(self) -> &'static str {
        SECTIONS.iter().find(|(section, ..)| *section == self).map_or("object", |(_, _, word)| word)
    }

    /// The key over the section.
    pub fn key(self) -> &'static str {
        SECTIONS.iter().find(|(section, ..)| *section == self).map_or("", |(_, key, _)| key)
    }

    fn of(key: &str) -> Option<Self> {
        SECTIONS.iter().find(|(_, name, _)| *name == key).map(|(section, ..)| *section)
    }

    /// Keys of the kinds that are read by a table alone.
    fn table(self) -> &'static [Key] {
        match self {
            Self::ServiceGroups => tables::SERVICEGROUP,
            Self::Contacts => tables::CONTACT,
            Self::ContactGroups => tables::CONTACTGROUP,
            Self::TimePeriods => tables::TIMEPERIOD,
            Self::Commands => tables::COMMAND,
            Self::Escalations => tables::ESCALATION,
            Self::Downtimes => tables::DOWNTIME,
            Self::Rules => tables::RULE,
            Self::Networks => tables::NETWORK,
            Self::Discovery => tables::DISCOVERY,
            Self::HostGroups => tables::HOSTGROUP,
            Self::Defaults | Self::Templates | Self::Hosts => tables::CHECKABLE,
        }
    }
}

/// A host by name; hosts of one range share their body.
#[derive(Debug)]
pub struct WrittenHost {
    pub name: Arc<str>,
    /// Of the key.
    pub at: Place,
    /// What the key's last range put into the name.
    pub index: Option<Box<str>>,
    /// Place in [`Written::bodies`].
    pub body: u32,
    /// Defined twice.
    pub has_error: bool,
    pub author: Author,
}

/// A template or host group.
#[derive(Debug)]
pub struct WrittenBody<'t> {
    pub name: Item<'t>,
    pub body: Body<'t>,
    /// A host group's own keys; empty for templates.
    pub fields: Fields<'t>,
    pub has_error: bool,
    pub author: Author,
}

/// Any other object.
#[derive(Debug)]
pub struct WrittenObject<'t> {
    pub name: Item<'t>,
    pub fields: Fields<'t>,
    /// Days of a timeperiod.
    pub days: Vec<(Item<'t>, &'t Node<'t>)>,
    pub has_error: bool,
    /// `tickets: off`.
    pub is_off: bool,
}

/// Everything that was written, by kind and in the order of files.
#[derive(Debug, Default)]
pub struct Written<'t> {
    pub defaults: Option<Body<'t>>,
    pub templates: Vec<WrittenBody<'t>>,
    pub hostgroups: Vec<WrittenBody<'t>>,
    pub bodies: Vec<Body<'t>>,
    pub hosts: Vec<WrittenHost>,
    pub objects: HashMap<Section, Vec<WrittenObject<'t>>>,
    /// Sections that are not ours, for the settings.
    pub settings: Vec<&'t TreeEntry<'t>>,
    by_host_name: HashMap<Arc<str>, usize>,
}

impl<'t> Written<'t> {
    /// Reads one file.
    pub fn add(&mut self, map: &'t Map<'t>, author: Author, decoder: &mut Decoder) {
        for entry in map.iter().chain(map.refused()) {
            match Section::of(&entry.key.text) {
                Some(section) => self.add_section(section, entry, author, decoder),
                None => self.settings.push(entry),
            }
        }
    }

    pub fn of(&self, section: Section) -> &[WrittenObject<'t>] {
        self.objects.get(&section).map_or(&[], Vec::as_slice)
    }

    pub fn host(&self, name: &str) -> Option<&WrittenHost> {
        self.by_host_name.get(name).and_then(|index| self.hosts.get(*index))
    }

    fn add_section(
        &mut self,
        section: Section,
        entry: &'t TreeEntry<'t>,
        author: Author,
        decoder: &mut Decoder,
    ) {
        let key = &*entry.key.text;
        if author == Author::Discovery && !matches!(section, Section::Hosts | Section::HostGroups) {
            let message = format!("`{key}` may not stand in a file of net discovery");
            decoder.push(Problem::error(entry.key.at, message).hint("only `hosts` and `hostgroups` do"));
            return;
        }
        if entry.value.is_nothing() {
            decoder.warn_of_nothing(entry.key.at, key);
            return;
        }
        let Some(map) = entry.value.map() else {
            if !entry.value.is_cancelled() {
                let names = matches!(entry.value.value, Tree::List(_))
                    .then(|| format!("`{key}` is a map by name: `{key}: {{NAME: {{…}}}}`"));
                if let Tree::Broken = entry.value.value {
                    decoder.count_reported();
                } else {
                    let what = entry.value.what();
                    decoder.push(
                        Problem::error(entry.value.at, format!("`{key}` wants a map, not {what}"))
                            .maybe_hint(names),
                    );
                }
            }
            return;
        };
        if section == Section::Defaults {
            self.add_defaults(map, entry, decoder);
            return;
        }
        let entries: Vec<&'t TreeEntry<'t>> = map.iter().chain(map.refused()).collect();
        let mut taken = 0;
        for (index, one) in entries.iter().enumerate() {
            let is_repeated = index >= map.len();
            if index < taken {
                continue;
            }
            if section == Section::Hosts {
                let next = entries.get(index + 1..).unwrap_or_default();
                let misplaced = next.iter().take_while(|next| is_key_of_hosts(next)).count();
                if misplaced > 0 && one.value.is_nothing() && !is_key_of_hosts(one) {
                    self.add_unindented(one, next, author, decoder);
                    taken = index + 1 + misplaced;
                    continue;
                }
                warn_of_key(one, index.checked_sub(1).and_then(|before| entries.get(before)), decoder);
            }
            self.add_object(section, one, is_repeated, author, decoder);
        }
    }

    /// A host with nothing in it, and below it, as far left as itself, what is surely meant to be in it. It is mistaken,
    /// and so goes on as it was; watching a host named `address` instead helps nobody.
    fn add_unindented(
        &mut self,
        host: &'t TreeEntry<'t>,
        keys: &[&'t TreeEntry<'t>],
        author: Author,
        decoder: &mut Decoder,
    ) {
        let Some(key) = keys.first() else { return };
        let (name, inner) = (&*host.key.text, &*key.key.text);
        let value = key.value.text().unwrap_or("…");
        decoder.push(
            Problem::error(key.key.at, format!("`{inner}` stands as far left as the host `{name}` above it"))
                .also(host.key.at, "a host with nothing in it")
                .hint(format!(
                    "indent what belongs to it, as in\n  {name}:\n    {inner}: {value}\nor write `{name}: {{}}` if there is a host of the name `{inner}`"
                ))
                .of(name),
        );
        let names = RangedName::parse(name).and_then(|ranged| ranged.names()).unwrap_or_default();
        let body = u32::try_from(self.bodies.len()).expect("the limit of objects is far below");
        self.bodies.push(Body { has_error: true, ..Body::empty(host.key.at) });
        for (name, _) in names {
            let host = WrittenHost {
                name: name.into(),
                at: host.key.at,
                index: None,
                body,
                has_error: true,
                author,
            };
            self.add_host(host, false, decoder);
        }
    }

    fn add_defaults(&mut self, map: &'t Map<'t>, entry: &TreeEntry<'t>, decoder: &mut Decoder) {
        if let Some(first) = &self.defaults {
            let problem = Problem::error(entry.key.at, "`defaults` is defined twice");
            decoder.push(problem.also(first.at, "the first one").hint("all of it stands in one place"));
            return;
        }
        let whose = Whose { scope: Scope::SHARED, name: "defaults", own: &[] };
        self.defaults = Some(Body::read(map, entry.value.at, whose, decoder));
    }

    fn add_object(
        &mut self,
        section: Section,
        entry: &'t TreeEntry<'t>,
        is_repeated: bool,
        author: Author,
        decoder: &mut Decoder,
    ) {
        let name = Item { text: &entry.key.text, at: entry.key.at };
        if entry.value.is_nothing() {
            decoder.push(
                Problem::warning(
                    name.at,
                    format!("nothing stands after `{}:`, so it counts as not written", name.text),
                )
                .hint(format!("`{}: {{}}` if it is meant as it stands", name.text)),
            );
            return;
        }
        if section == Section::Hosts {
            self.add_hosts(name, entry, is_repeated, author, decoder);
            return;
        }
        if let Err(error) = check_name(name.text) {
            decoder.push(malformed(name.at, &error));
            return;
        }
        match section {
            Section::Templates | Section::HostGroups => {
                self.add_body(section, name, &entry.value, is_repeated, author, decoder);
            }
            Section::Defaults
            | Section::Hosts
            | Section::ServiceGroups
            | Section::Contacts
            | Section::ContactGroups
            | Section::TimePeriods
            | Section::Commands
            | Section::Escalations
            | Section::Downtimes
            | Section::Rules
            | Section::Networks
            | Section::Discovery => {
                let object = read_object(section, name, &entry.value, decoder);
                self.add_named(section, object, is_repeated, decoder);
            }
        }
    }

    fn add_named(
        &mut self,
        section: Section,
        mut object: WrittenObject<'t>,
        is_repeated: bool,
        decoder: &mut Decoder,
    ) {
        object.has_error = object.has_error || is_repeated;
        let all = self.objects.entry(section).or_default();
        match all.iter_mut().find(|one| one.name.text == object.name.text) {
            None => all.push(object),
            Some(first) => {
                first.has_error = true;
                if !is_repeated {
                    decoder.push(twice(section, object.name, first.name.at));
                }
            }
        }
    }

    fn add_body(
        &mut self,
        section: Section,
        name: Item<'t>,
        node: &'t Node<'t>,
        is_repeated: bool,
        author: Author,
        decoder: &mut Decoder,
    ) {
        let Some(written) = read_body(section, name, node, author, decoder) else { return };
        let all = if section == Section::Templates { &mut self.templates } else { &mut self.hostgroups };
        match all.iter_mut().find(|one| one.name.text == name.text) {
            None => all.push(WrittenBody { has_error: written.has_error || is_repeated, ..written }),
            // What a person wrote beats what discovery wrote.
            Some(first) if first.author == Author::Person && author == Author::Discovery => {}
            Some(first) => {
                first.has_error = true;
                if !is_repeated {
                    decoder.push(twice(section, name, first.name.at));
                }
            }
        }
    }

    fn add_hosts(
        &mut self,
        key: Item<'t>,
        entry: &'t TreeEntry<'t>,
        is_repeated: bool,
        author: Author,
        decoder: &mut Decoder,
    ) {
        let names = match RangedName::parse(key.text).and_then(|ranged| ranged.names()) {
            Ok(names) => names,
            Err(error) => {
                decoder.push(malformed(key.at, &error));
                return;
            }
        };
        if let Some(Err(error)) = names.first().map(|(name, _)| check_name(name)) {
            decoder.push(malformed(key.at, &error));
            return;
        }
        let Some(body) = read_host(key, &entry.value, decoder) else { return };
        let body_index = u32::try_from(self.bodies.len()).expect("the limit of objects is far below");
        self.bodies.push(body);
        let is_range = names.len() > 1 || key.text.contains('[');
        for (name, index) in names {
            let host = WrittenHost {
                name: name.into(),
                at: key.at,
                index: is_range.then(|| index.into()),
                body: body_index,
                has_error: is_repeated,
                author,
            };
            self.add_host(host, is_repeated, decoder);
        }
    }

    fn add_host(&mut self, host: WrittenHost, is_repeated: bool, decoder: &mut Decoder) {
        match self.by_host_name.get(&host.name) {
            None => {
                self.by_host_name.insert(Arc::clone(&host.name), self.hosts.len());
                self.hosts.push(host);
            }
            Some(index) => {
                let Some(first) = self.hosts.get_mut(*index) else { return };
                if first.author == Author::Person && host.author == Author::Discovery {
                    return;
                }
                first.has_error = true;
                if !is_repeated {
                    decoder.push(twice(Section::Hosts, Item { text: &host.name, at: host.at }, first.at));
                }
            }
        }
    }

    /// Two names that differ in case alone are most often one name, mistyped.
    pub fn warn_of_case(&self, decoder: &mut Decoder) {
        let hosts = self.hosts.iter().map(|host| (&*host.name, host.at));
        warn_of_case(Section::Hosts, hosts, decoder);
        for (section, bodies) in
            [(Section::Templates, &self.templates), (Section::HostGroups, &self.hostgroups)]
        {
            warn_of_case(section, bodies.iter().map(|one| (one.name.text, one.name.at)), decoder);
        }
        for (section, ..) in SECTIONS {
            warn_of_case(*section, self.of(*section).iter().map(|one| (one.name.text, one.name.at)), decoder);
        }
    }
}

/// Has a host the name of something that is written inside hosts?
fn is_key_of_hosts(entry: &TreeEntry<'_>) -> bool {
    let name = entry.key.text.trim_end_matches(['+', '-']);
    let is_key = |key: &Key| key.name == name && key.scope.has(Scope::HOST);
    matches!(name, "services" | "check") || tables::CHECKABLE.iter().any(is_key)
}

fn warn_of_key(entry: &TreeEntry<'_>, before: Option<&&TreeEntry<'_>>, decoder: &mut Decoder) {
    if !is_key_of_hosts(entry) {
        return;
    }
    let name = &entry.key.text;
    let message = format!("a host of the name `{name}`, which is a key of hosts");
    let hint = match before {
        Some(before) => format!("if it belongs to `{}`, indent it further than that", before.key.text),
        None => "if it belongs to a host, the host's name is missing above it".to_owned(),
    };
    decoder.push(Problem::warning(entry.key.at, message).hint(hint));
}

fn warn_of_case<'a>(section: Section, names: impl Iterator<Item = (&'a str, Place)>, decoder: &mut Decoder) {
    let mut seen: HashMap<String, (&str, Place)> = HashMap::new();
    for (name, at) in names {
        if let Some((other, place)) = seen.insert(name.to_lowercase(), (name, at))
            && other != name
        {
            let message = format!("{}s `{other}` and `{name}` differ in case alone", section.word());
            decoder.push(Problem::warning(at, message).also(place, "the other one"));
        }
    }
}

fn twice(section: Section, name: Item<'_>, first: Place) -> Problem {
    Problem::error(name.at, format!("{} `{}` is defined twice", section.word(), name.text))
        .also(first, "the first one")
        .of(name.text)
}

fn read_host<'t>(key: Item<'t>, node: &'t Node<'t>, decoder: &mut Decoder) -> Option<Body<'t>> {
    let whose = Whose { scope: Scope::HOST, name: key.text, own: &[] };
    decoder.reading(key.text);
    let body = match &node.value {
        Tree::Text(text) => Body::of_address(&text.text, node.at),
        Tree::Map(map) => Body::read(map, node.at, whose, decoder),
        Tree::Null(_) | Tree::List(_) | Tree::Broken => {
            decoder.wants::<()>(node, key.text, "an address or a map");
            Body { has_error: true, ..Body::empty(node.at) }
        }
    };
    decoder.reading_no_object();
    (!node.is_cancelled()).then_some(body)
}

fn read_body<'t>(
    section: Section,
    name: Item<'t>,
    node: &'t Node<'t>,
    author: Author,
    decoder: &mut Decoder,
) -> Option<WrittenBody<'t>> {
    let label = format!("{} {}", section.word(), name.text);
    decoder.reading(&*label);
    let before = decoder.errors();
    let is_group = section == Section::HostGroups;
    let table: &'static [Key] = if is_group { tables::HOSTGROUP } else { &[] };
    let mut written = WrittenBody {
        name,
        body: Body::empty(node.at),
        fields: Fields::empty(table, node.at),
        has_error: false,
        author,
    };
    match node.map() {
        None => {
            decoder.wants::<()>(node, name.text, "a map");
            written.has_error = true;
        }
        Some(map) => {
            if is_group {
                written.fields = Fields::read_with(map, node.at, table, EVERYWHERE, |_| true, decoder);
            }
            let scope = if is_group { Scope::SHARED } else { Scope::TEMPLATE };
            written.body = Body::read(map, node.at, Whose { scope, name: &label, own: table }, decoder);
        }
    }
    let of_services = written.body.services.iter().any(|(_, service)| service.has_error);
    written.has_error =
        written.has_error || written.body.has_error || (decoder.errors() > before && !of_services);
    decoder.reading_no_object();
    (!node.is_cancelled()).then_some(written)
}

fn read_object<'t>(
    section: Section,
    name: Item<'t>,
    node: &'t Node<'t>,
    decoder: &mut Decoder,
) -> WrittenObject<'t> {
    let table = section.table();
    decoder.reading(format!("{} {}", section.word(), name.text));
    let before = decoder.errors();
    let mut object = WrittenObject {
        name,
        fields: Fields::empty(table, node.at),
        days: Vec::new(),
        has_error: false,
        is_off: node.text().and_then(switch) == Some(false) && section == Section::Rules,
    };
    match &node.value {
        Tree::Text(text) if section == Section::Contacts => {
            let email = Item { text: &text.text, at: node.at };
            let key = table.iter().position(|key| key.name == "email").and_then(|at| u8::try_from(at).ok());
            object.fields.entries.extend(key.map(|key| Entry {
                key,
                how: How::Replace,
                at: node.at,
                value: Value::List(vec![email]),
            }));
        }
        Tree::Text(_) if object.is_off => {}
        Tree::Map(map) if section == Section::TimePeriods => {
            let days = &mut object.days;
            let take = |entry: &'t TreeEntry<'t>| {
                days.push((Item { text: &entry.key.text, at: entry.key.at }, &entry.value));
                true
            };
            object.fields = Fields::read_with(map, node.at, table, EVERYWHERE, take, decoder);
        }
        Tree::Map(map) => object.fields = Fields::read(map, node.at, table, decoder),
        Tree::Null(_) if node.is_cancelled() => object.is_off = true,
        Tree::Text(text) if section == Section::Networks => {
            let (name, text) = (name.text, &text.text);
            let problem = Problem::error(node.at, format!("`{name}` wants a map, not `{text}`"));
            decoder.push(problem.hint(format!("write `{name}: {{cidr: {text}}}`")));
        }
        Tree::Text(_) | Tree::List(_) | Tree::Null(_) | Tree::Broken => {
            decoder.wants::<()>(node, name.text, "a map");
        }
    }
    object.has_error = decoder.errors() > before;
    decoder.reading_no_object();
    object
}
