//! Who speaks of a host: its templates in order, and the groups it is in. Settled before anything is merged, so a
//! group cannot change who is in it.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use vigia_core::model::asset::Network;
use vigia_core::model::selector::{Net, Target, hint_of_prefix};

use super::names::missing;
use super::objects::circles;
use crate::config::decode::Decoder;
use crate::config::merge::{Disagreement, Merged, Slots, Via, key};
use crate::config::problem::{Problem, did_you_mean};
use crate::config::written::checkable::Body;
use crate::config::written::fields::{Item, Value};
use crate::config::written::read::CANCELLED;
use crate::config::written::{Section, Written, WrittenBody, WrittenHost};

pub(super) type Tags = Vec<(Arc<str>, Arc<str>)>;

/// What is settled of one host.
#[derive(Debug)]
pub(super) struct Settled<'t> {
    /// The strongest first.
    pub templates: Vec<&'t str>,
    /// In byte order.
    pub groups: Vec<&'t str>,
    pub has_error: bool,
    /// It is in a group that has a mistake, and does without.
    pub is_doubtful: bool,
}

#[derive(Debug)]
pub(super) struct Chains<'w, 't> {
    written: &'w Written<'t>,
    templates: HashMap<&'t str, &'w WrittenBody<'t>>,
    groups: HashMap<&'t str, &'w WrittenBody<'t>>,
    /// Groups in byte order of their names.
    group_order: Vec<&'t str>,
    /// Templates that cannot be used, or use one that cannot.
    bad_templates: HashSet<&'t str>,
    networks: HashMap<Arc<str>, Network>,
    of_templates: HashMap<Vec<&'t str>, Rc<Slots<'w, 't>>>,
    bases: HashMap<(Vec<&'t str>, Vec<&'t str>), Merged<'w, 't>>,
    /// Items of `members` that somebody was found by.
    hits: HashSet<(&'t str, usize)>,
}

impl<'w, 't> Chains<'w, 't> {
    pub(super) fn new(written: &'w Written<'t>, networks: &[Network], decoder: &mut Decoder) -> Self {
        let by_name = |all: &'w [WrittenBody<'t>]| all.iter().map(|one| (one.name.text, one)).collect();
        let groups: HashMap<&'t str, &'w WrittenBody<'t>> = by_name(&written.hostgroups);
        let mut group_order: Vec<&'t str> = groups.keys().copied().collect();
        group_order.sort_unstable();
        let mut chains = Self {
            written,
            templates: by_name(&written.templates),
            groups,
            group_order,
            bad_templates: HashSet::new(),
            networks: networks.iter().map(|network| (Arc::clone(&network.name), network.clone())).collect(),
            of_templates: HashMap::new(),
            bases: HashMap::new(),
            hits: HashSet::new(),
        };
        chains.check_templates(decoder);
        chains.check_groups(decoder);
        chains
    }

    fn check_templates(&mut self, decoder: &mut Decoder) {
        let mut edges: HashMap<&'t str, Vec<Item<'t>>> = HashMap::new();
        for (name, template) in &self.templates {
            let uses = said(&template.body, "use");
            for item in uses.iter().filter(|item| !self.templates.contains_key(item.text)) {
                let problem = missing(*item, "template", self.templates.keys().copied());
                decoder.push(problem.of(format!("template {name}")));
                self.bad_templates.insert(name);
            }
            if template.has_error {
                self.bad_templates.insert(name);
            }
            edges.insert(name, uses);
        }
        for circle in circles(&edges) {
            self.bad_templates.extend(circle.iter().map(|item| item.text));
            decoder.push(circle_problem("templates use each other", &circle));
        }
    }

    fn check_groups(&mut self, decoder: &mut Decoder) {
        let mut edges: HashMap<&'t str, Vec<Item<'t>>> = HashMap::new();
        for name in &self.group_order {
            let Some(group) = self.groups.get(name) else { continue };
            decoder.reading(format!("hostgroup {name}"));
            let mut inner = Vec::new();
            for (selector, item) in
                group.fields.selected("members").map_or(&[][..], |selected| &selected.items)
            {
                match &selector.target {
                    Target::Group(other) => match self.groups.get_key_value(&**other) {
                        Some((other, _)) => inner.push(Item { text: other, at: item.at }),
                        None => {
                            let wanted = Item { text: other, at: item.at };
                            decoder.push(missing(wanted, "hostgroup", self.groups.keys().copied()));
                        }
                    },
                    Target::Net(Net::Named(other)) if !self.networks.contains_key(other) => {
                        let wanted = Item { text: other, at: item.at };
                        decoder.push(missing(wanted, "network", self.networks.keys().map(|name| &**name)));
                    }
                    Target::Services { .. } | Target::ServiceGroup(_) => decoder.push(
                        Problem::error(
                            item.at,
                            format!("`{}` selects services, and a host group has hosts", item.text),
                        )
                        .hint("service groups have services as members"),
                    ),
                    Target::Tag { .. } | Target::Net(_) | Target::Hosts(_) => {}
                }
            }
            edges.insert(name, inner);
        }
        decoder.reading_no_object();
        for circle in circles(&edges) {
            decoder.push(circle_problem("host groups are members of each other", &circle));
        }
    }

    /// Templates and groups of a host.
    pub(super) fn settle(
        &mut self,
        host: &WrittenHost,
        body: &'w Body<'t>,
        decoder: &mut Decoder,
    ) -> Settled<'t> {
        let mut has_error = false;
        let mut wanted = Vec::new();
        for item in said(body, "use") {
            match self.templates.get_key_value(item.text) {
                Some((name, _)) => wanted.push(*name),
                None => {
                    decoder.push(missing(item, "template", self.templates.keys().copied()).of(&*host.name));
                    has_error = true;
                }
            }
        }
        let templates = self.in_order(&wanted);
        has_error = has_error || templates.iter().any(|name| self.bad_templates.contains(name));
        let mut slots = (*self.template_slots(&templates)).clone();
        slots.apply(body.fields.entries.iter(), Via::Host, &mut Decoder::default());
        let mut groups = self.groups_of(host, &slots, &mut has_error, decoder);
        let count = groups.len();
        groups.retain(|name| self.groups.get(name).is_some_and(|group| !group.has_error));
        Settled { templates, is_doubtful: groups.len() < count, groups, has_error }
    }

    /// A template beats those it uses; of several the first named wins. The strongest first.
    fn in_order(&self, wanted: &[&'t str]) -> Vec<&'t str> {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        for name in wanted.iter().rev() {
            self.visit(name, &mut seen, &mut order, 0);
        }
        order.reverse();
        order
    }

    fn visit(&self, name: &'t str, seen: &mut HashSet<&'t str>, order: &mut Vec<&'t str>, depth: usize) {
        // Deeper than anybody nests templates; keeps a hostile file from using up the stack.
        const DEEPEST: usize = 500;
        if depth > DEEPEST || !seen.insert(name) {
            return;
        }
        if let Some(template) = self.templates.get(name) {
            for item in said(&template.body, "use").iter().rev() {
                if let Some((inner, _)) = self.templates.get_key_value(item.text) {
                    self.visit(inner, seen, order, depth + 1);
                }
            }
        }
        order.push(name);
    }

    fn template_slots(&mut self, templates: &[&'t str]) -> Rc<Slots<'w, 't>> {
        if let Some(known) = self.of_templates.get(templates) {
            return Rc::clone(known);
        }
        let mut slots = Slots::default();
        // What is wrong here is found and reported again where all is merged.
        let mut quiet = Decoder::default();
        for name in templates.iter().rev() {
            if let Some((name, template)) = self.templates.get_key_value(name) {
                slots.apply(template.body.fields.entries.iter(), Via::Template(name), &mut quiet);
            }
        }
        let slots = Rc::new(slots);
        self.of_templates.insert(templates.to_vec(), Rc::clone(&slots));
        slots
    }

    fn groups_of(
        &mut self,
        host: &WrittenHost,
        slots: &Slots<'w, 't>,
        has_error: &mut bool,
        decoder: &mut Decoder,
    ) -> Vec<&'t str> {
        let mut named = Vec::new();
        let found = slots.get(key::HOSTGROUPS, decoder);
        for item in found.iter().flat_map(|found| found.value.as_list().unwrap_or_default()) {
            match self.groups.get_key_value(item.text) {
                Some((name, group)) => {
                    if group.has_error {
                        let message = format!("hostgroup `{name}` is in quarantine, so it is left out");
                        decoder.push(Problem::warning(item.at, message).of(&*host.name));
                    }
                    named.push(*name);
                }
                None => {
                    let problem = missing(*item, "hostgroup", self.groups.keys().copied()).of(&*host.name);
                    decoder.push(found.as_ref().map_or(problem.clone(), |found| found.via.mark(problem)));
                    *has_error = true;
                }
            }
        }
        let tags = match slots.get(key::TAGS, decoder).map(|found| found.value.into_owned()) {
            Some(Value::Pairs(pairs)) => pairs,
            Some(_) | None => Vec::new(),
        };
        let address = slots.get(key::ADDRESS, decoder).and_then(|found| found.value.as_text());
        let candidate = Candidate {
            name: &host.name,
            address: address.unwrap_or(&host.name).parse().ok(),
            tags: &tags,
            named: &named,
        };
        let mut known = HashMap::new();
        let order = std::mem::take(&mut self.group_order);
        let groups =
            order.iter().filter(|group| self.is_in(&candidate, group, &mut known)).copied().collect();
        self.group_order = order;
        groups
    }

    /// Named by the host, or found by the group's selectors.
    fn is_in(
        &mut self,
        host: &Candidate<'_, 't>,
        group: &'t str,
        known: &mut HashMap<&'t str, bool>,
    ) -> bool {
        if let Some(known) = known.get(group) {
            return *known;
        }
        // While it is being looked at, a group in a circle counts as not holding.
        known.insert(group, false);
        let is_named = host.named.contains(&group);
        let members = self.groups.get(group).copied();
        let is_found = members.and_then(|group| group.fields.selected("members")).is_some_and(|selected| {
            let hits: Vec<bool> =
                selected.items.iter().map(|(one, _)| self.is_hit(host, &one.target, known)).collect();
            for (index, _) in hits.iter().enumerate().filter(|(_, hit)| **hit) {
                self.hits.insert((group, index));
            }
            let mut hits = hits.into_iter();
            selected.selection().holds(|_| hits.next().unwrap_or(false))
        });
        known.insert(group, is_named || is_found);
        is_named || is_found
    }

    fn is_hit(
        &mut self,
        host: &Candidate<'_, 't>,
        target: &Target,
        known: &mut HashMap<&'t str, bool>,
    ) -> bool {
        match target {
            Target::Hosts(glob) => glob.matches(host.name),
            Target::Group(name) => {
                let name = self.groups.get_key_value(&**name).map(|(name, _)| *name);
                name.is_some_and(|name| self.is_in(host, name, known))
            }
            Target::Tag { key, value } => {
                let text =
                    host.tags.iter().find(|(known, _)| *known.text == **key).map(|(_, text)| text.text);
                let text = text.filter(|text| *text != CANCELLED);
                text.is_some_and(|text| value.as_ref().is_none_or(|glob| glob.matches(text)))
            }
            Target::Net(Net::Cidr(net)) => host.address.is_some_and(|address| net.contains(&address)),
            Target::Net(Net::Named(name)) => {
                let nets = self.networks.get(name).map_or(&[][..], |network| &network.cidr);
                host.address.is_some_and(|address| nets.iter().any(|net| net.contains(&address)))
            }
            Target::ServiceGroup(_) | Target::Services { .. } => false,
        }
    }

    /// Everything but the host's own word, shared by all hosts with the same templates and groups.
    pub(super) fn base(&mut self, settled: &Settled<'t>, decoder: &mut Decoder) -> Merged<'w, 't> {
        let chain = (settled.groups.clone(), settled.templates.clone());
        if let Some(base) = self.bases.get(&chain) {
            return base.clone();
        }
        let mut base = Merged::nothing();
        if let Some(defaults) = &self.written.defaults {
            base.apply(defaults, Via::Defaults, decoder);
            base.is_doubtful = defaults.has_error;
        }
        let mut groups: Vec<(u64, &'w WrittenBody<'t>)> = settled
            .groups
            .iter()
            .filter_map(|name| self.groups.get(name))
            .map(|group| (group.fields.whole("priority").unwrap_or(0), *group))
            .collect();
        groups.sort_by_key(|(priority, group)| (*priority, group.name.text));
        let before = decoder.errors();
        let mut disagreement = Disagreement::default();
        for (priority, group) in groups {
            disagreement.look(group.name.text, priority, &group.body, decoder);
            base.apply(&group.body, Via::Group(group.name.text), decoder);
        }
        base.has_error = base.has_error || decoder.errors() > before;
        for name in settled.templates.iter().rev() {
            if let Some(template) = self.templates.get(name) {
                base.apply(&template.body, Via::Template(template.name.text), decoder);
                base.has_error = base.has_error || self.bad_templates.contains(name);
            }
        }
        self.bases.insert(chain, base.clone());
        base
    }

    /// Selectors of `members` that found nobody.
    pub(super) fn warn_of_idle_selectors(&self, decoder: &mut Decoder) {
        for name in &self.group_order {
            let Some(selected) = self.groups.get(name).and_then(|group| group.fields.selected("members"))
            else {
                continue;
            };
            for (index, (selector, item)) in selected.items.iter().enumerate() {
                if self.hits.contains(&(*name, index)) {
                    continue;
                }
                let hint = match &selector.target {
                    Target::Hosts(glob) => {
                        did_you_mean(&glob.text, self.written.hosts.iter().map(|host| &*host.name))
                    }
                    Target::Group(_)
                    | Target::Tag { .. }
                    | Target::Net(_)
                    | Target::ServiceGroup(_)
                    | Target::Services { .. } => None,
                };
                let message = format!("`{}` selects no host", item.text);
                let problem =
                    Problem::warning(item.at, message).of(format!("{} {name}", Section::HostGroups.word()));
                decoder.push(problem.maybe_hint(hint_of_prefix(item.text).or(hint)));
            }
        }
    }
}

struct Candidate<'a, 't> {
    name: &'a str,
    address: Option<IpAddr>,
    tags: &'a [(Item<'t>, Item<'t>)],
    named: &'a [&'t str],
}

/// `key` or `key+`, where nothing weaker can have said it.
fn said<'t>(body: &Body<'t>, key: &str) -> Vec<Item<'t>> {
    let entry = body.fields.entry(key).or_else(|| body.fields.added(key));
    entry.and_then(|entry| entry.value.as_list()).unwrap_or_default().to_vec()
}

/// `… : a → b → a`, with the place of every step.
pub(super) fn circle_problem(what: &str, circle: &[Item<'_>]) -> Problem {
    let last = circle.last();
    let names: Vec<&str> = last.into_iter().chain(circle).map(|item| item.text).collect();
    let at = circle.first().map_or(crate::config::place::Place::nowhere(), |item| item.at);
    let problem = Problem::error(at, format!("{what} in a circle: {}", names.join(" → ")));
    circle
        .iter()
        .skip(1)
        .fold(problem, |problem, item| problem.also(item.at, format!("then `{}`", item.text)))
}
