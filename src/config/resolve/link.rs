//! Places of objects in the inventory: hosts and services in their order, and who names whom by place.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use vigia_core::model::dependency::{Dependency, FailureStates};
use vigia_core::model::group::{HostGroup, ServiceGroup};
use vigia_core::model::id::{Checkable, HostId, Name, ServiceId};
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::StateSet;
use vigia_core::model::rule::{Rule, RuleSource, TicketAction};
use vigia_core::model::selector::{Net, Selection, Target, hint_of_prefix};

use super::Work;
use super::chain::circle_problem;
use super::host::HostDraft;
use super::names::{Names, missing};
use super::objects::{self, People, circles};
use crate::config::problem::Problem;
use crate::config::written::Section;
use crate::config::written::fields::{Dependency as Written, Fields, Item};

/// The host and maybe service that a text of `depends_on` names, seen from a host.
fn target<'a>(text: &'a str, own_host: &'a str) -> (&'a str, Option<&'a str>) {
    match text.split_once('/') {
        None => (text, None),
        Some(("", service)) => (own_host, Some(service)),
        Some((host, service)) => (host, Some(service)),
    }
}

impl<'w, 't> Work<'w, 't, '_> {
    /// Every name that a host or service says must exist, loaded or not. Circles of parents and dependencies are
    /// mistakes of all their members.
    pub(super) fn check_references(&mut self, drafts: &mut [HostDraft<'t>]) {
        let hosts: HashMap<Name, usize> =
            drafts.iter().enumerate().map(|(index, draft)| (Arc::clone(&draft.host.name), index)).collect();
        let mut bad_hosts = Vec::new();
        let mut bad_services = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            for parent in &draft.parents {
                if !hosts.contains_key(parent.text) {
                    let known = hosts.keys().map(|name| &**name);
                    self.decoder.push(missing(*parent, "host", known).of(&*draft.host.name));
                    bad_hosts.push(index);
                }
            }
            if !self.know_all(&draft.depends_on, &draft.host.name, &draft.host.name, drafts, &hosts) {
                bad_hosts.push(index);
            }
            for (place, service) in draft.services.iter().enumerate() {
                for group in &service.servicegroups {
                    let groups = self.written.of(Section::ServiceGroups);
                    if !groups.iter().any(|known| known.name.text == group.text) {
                        let label = format!("{}/{}", draft.host.name, service.service.name);
                        let known = groups.iter().map(|known| known.name.text);
                        self.decoder.push(missing(*group, "servicegroup", known).of(label));
                        bad_services.push((index, place));
                    }
                }
                if !service.depends_on.is_empty() {
                    let label = format!("{}/{}", draft.host.name, service.service.name);
                    if !self.know_all(&service.depends_on, &label, &draft.host.name, drafts, &hosts) {
                        bad_services.push((index, place));
                    }
                }
            }
        }
        self.circles_of_parents(drafts, &hosts, &mut bad_hosts);
        for index in bad_hosts {
            if let Some(draft) = drafts.get_mut(index) {
                draft.has_error = true;
            }
        }
        for (index, place) in bad_services {
            if let Some(service) = drafts.get_mut(index).and_then(|draft| draft.services.get_mut(place)) {
                service.has_error = true;
            }
        }
    }

    fn know_all(
        &mut self,
        all: &[Written<'t>],
        label: &str,
        own_host: &str,
        drafts: &[HostDraft<'t>],
        hosts: &HashMap<Name, usize>,
    ) -> bool {
        let mut is_good = true;
        for one in all {
            let (host, service) = target(one.on.text, own_host);
            let Some(draft) = hosts.get(host).and_then(|index| drafts.get(*index)) else {
                let item = Item { text: host, at: one.on.at };
                self.decoder.push(missing(item, "host", hosts.keys().map(|name| &**name)).of(label));
                is_good = false;
                continue;
            };
            let Some(service) = service else { continue };
            let names = draft.services.iter().map(|known| &*known.service.name);
            if !names.clone().any(|name| name == service) {
                let problem =
                    Problem::error(one.on.at, format!("there is no service `{service}` on `{host}`"));
                let hint = crate::config::problem::did_you_mean(service, names);
                self.decoder.push(problem.maybe_hint(hint).of(label));
                is_good = false;
            }
            if let Some(period) = one.fields.item("period")
                && !self.inventory.periods.iter().any(|known| *known.name == *period.text)
                && !self.written.of(Section::TimePeriods).iter().any(|known| known.name.text == period.text)
            {
                let known = self.inventory.periods.iter().map(|known| &*known.name);
                self.decoder.push(missing(period, "timeperiod", known).of(label));
                is_good = false;
            }
        }
        is_good
    }

    fn circles_of_parents(
        &mut self,
        drafts: &[HostDraft<'t>],
        hosts: &HashMap<Name, usize>,
        bad_hosts: &mut Vec<usize>,
    ) {
        let edges: HashMap<&str, Vec<Item<'_>>> = drafts
            .iter()
            .filter(|draft| !draft.parents.is_empty())
            .map(|draft| (&*draft.host.name, draft.parents.clone()))
            .collect();
        for circle in circles(&edges) {
            bad_hosts.extend(circle.iter().filter_map(|item| hosts.get(item.text)));
            self.decoder.push(circle_problem("hosts are parents of each other", &circle));
        }
        let mut names: Vec<(String, Vec<(String, crate::config::place::Place)>)> = Vec::new();
        for draft in drafts {
            let host = &draft.host.name;
            let full = |one: &Written<'_>| {
                let (host, service) = target(one.on.text, host);
                (service.map_or_else(|| host.to_owned(), |service| format!("{host}/{service}")), one.on.at)
            };
            if !draft.depends_on.is_empty() {
                names.push((host.to_string(), draft.depends_on.iter().map(full).collect()));
            }
            for service in draft.services.iter().filter(|service| !service.depends_on.is_empty()) {
                let label = format!("{host}/{}", service.service.name);
                names.push((label, service.depends_on.iter().map(full).collect()));
            }
        }
        let edges: HashMap<&str, Vec<Item<'_>>> = names
            .iter()
            .map(|(name, on)| (&**name, on.iter().map(|(text, at)| Item { text, at: *at }).collect()))
            .collect();
        for circle in circles(&edges) {
            for item in &circle {
                let host = item.text.split_once('/').map_or(item.text, |(host, _)| host);
                bad_hosts.extend(hosts.get(host));
            }
            self.decoder.push(circle_problem("objects depend on each other", &circle));
        }
    }

    /// Puts hosts and services in their order and fills in places.
    pub(super) fn link(&mut self, mut drafts: Vec<HostDraft<'t>>) {
        drafts.sort_by(|one, two| one.host.name.cmp(&two.host.name));
        let count = drafts.iter().map(|draft| draft.services.len()).sum();
        let mut names: Vec<(Vec<Item<'t>>, Vec<Written<'t>>)> = Vec::with_capacity(drafts.len());
        let mut groups: Vec<(ServiceId, Vec<Item<'t>>)> = Vec::new();
        let mut dependents: Vec<(ServiceId, Vec<Written<'t>>)> = Vec::new();
        self.inventory.hosts = Vec::with_capacity(drafts.len());
        self.inventory.services = Vec::with_capacity(count);
        for draft in drafts {
            let host_id = HostId(narrow(self.inventory.hosts.len()));
            let mut host = draft.host;
            let mut services = draft.services;
            services.sort_by(|one, two| one.service.name.cmp(&two.service.name));
            host.services = Vec::with_capacity(services.len());
            for service in services {
                let id = ServiceId(narrow(self.inventory.services.len()));
                host.services.push(id);
                if !service.servicegroups.is_empty() {
                    groups.push((id, service.servicegroups));
                }
                if !service.depends_on.is_empty() {
                    dependents.push((id, service.depends_on));
                }
                let mut definition = service.service;
                definition.host = host_id;
                self.inventory.services.push(definition);
            }
            names.push((draft.parents, draft.depends_on));
            self.inventory.hosts.push(host);
        }
        self.inventory.index();
        self.link_hosts(names);
        for (id, all) in dependents {
            let host = self.inventory.service(id).host;
            let linked = self.dependencies(all, host);
            if let Some(service) = self.inventory.services.get_mut(id.index()) {
                service.depends_on = linked;
            }
        }
        self.host_groups();
        self.service_groups(groups);
    }

    fn link_hosts(&mut self, names: Vec<(Vec<Item<'t>>, Vec<Written<'t>>)>) {
        for (index, (parents, depends_on)) in names.into_iter().enumerate() {
            let id = HostId(narrow(index));
            let mut found = Vec::with_capacity(parents.len());
            for parent in parents {
                match self.inventory.host_id(parent.text) {
                    Some(id) => found.push(id),
                    None => self.decoder.push(lost(parent, "parent")),
                }
            }
            let linked = if depends_on.is_empty() { Vec::new() } else { self.dependencies(depends_on, id) };
            if let Some(host) = self.inventory.hosts.get_mut(index) {
                (host.parents, host.depends_on) = (found, linked);
            }
        }
    }

    fn dependencies(&mut self, all: Vec<Written<'t>>, own_host: HostId) -> Vec<Dependency> {
        let mut linked = Vec::with_capacity(all.len());
        for one in all {
            let own = Arc::clone(&self.inventory.host(own_host).name);
            let (host, service) = target(one.on.text, &own);
            let found = self.inventory.host_id(host).and_then(|id| match service {
                None => Some(Checkable::Host(id)),
                Some(service) => self.inventory.service_id(id, service).map(Checkable::Service),
            });
            match found {
                Some(on) => linked.push(self.dependency(on, &one.fields)),
                None => self.decoder.push(lost(one.on, "dependency")),
            }
        }
        linked
    }

    fn dependency(&self, on: Checkable, fields: &Fields<'_>) -> Dependency {
        let states = |key: &str| {
            let words = fields.list(key);
            let both = objects::states(&words);
            let of_master = match on {
                Checkable::Host(_) => both.hosts,
                Checkable::Service(_) => both.services,
            };
            FailureStates { states: of_master, pending: words.iter().any(|item| item.text == "pending") }
        };
        let period = fields.item("period").and_then(|item| {
            let index = self.inventory.periods.iter().position(|period| *period.name == *item.text)?;
            u16::try_from(index).ok().map(PeriodId)
        });
        Dependency {
            on,
            notification_failure: states("notification_failure"),
            execution_failure: states("execution_failure"),
            period: period.filter(|id| *id != PeriodId::ALWAYS),
            inherits_parent: fields.switch("inherits_parent"),
        }
    }

    fn host_groups(&mut self) {
        let mut members: HashMap<Name, Vec<HostId>> = HashMap::new();
        for (index, host) in self.inventory.hosts.iter().enumerate() {
            for group in &host.hostgroups {
                members.entry(Arc::clone(group)).or_default().push(HostId(narrow(index)));
            }
        }
        for group in &self.written.hostgroups {
            if group.has_error {
                // Only hosts that go on as they were are in it still.
                let is_last_good = members.contains_key(group.name.text);
                let (word, name) = (Section::HostGroups.word(), group.name.text);
                self.put_away(word, name, group.name.at, is_last_good, super::OWN_MISTAKE);
                if !is_last_good {
                    continue;
                }
            }
            self.inventory.hostgroups.push(HostGroup {
                name: group.name.text.into(),
                alias: group.fields.text("alias").unwrap_or(group.name.text).into(),
                notes: objects::arc(group.fields.text("notes")),
                members: members.remove(group.name.text).unwrap_or_default(),
            });
        }
        self.inventory.hostgroups.sort_by(|one, two| one.name.cmp(&two.name));
    }

    fn service_groups(&mut self, named: Vec<(ServiceId, Vec<Item<'t>>)>) {
        let all =
            self.each(Section::ServiceGroups, |object, _| Some(object.fields.selected("members").cloned()));
        let mut members: HashMap<&str, Vec<ServiceId>> = HashMap::new();
        let known: HashMap<&str, bool> =
            all.iter().map(|(object, value)| (object.name.text, value.is_some())).collect();
        for (id, groups) in named {
            for group in groups {
                match known.get_key_value(group.text) {
                    Some((name, true)) => members.entry(*name).or_default().push(id),
                    // A service that goes on as it was may name a group that is no more.
                    Some((_, false)) | None => self.decoder.push(lost(group, "service group")),
                }
            }
        }
        for (object, selected) in &all {
            let Some(selected) = selected else { continue };
            let mut ids = members.remove(object.name.text).unwrap_or_default();
            if let Some(selected) = selected {
                self.select_services(selected, object.name.text, &mut ids);
            }
            ids.sort_unstable();
            ids.dedup();
            let name: Name = object.name.text.into();
            for id in &ids {
                if let Some(service) = self.inventory.services.get_mut(id.index()) {
                    service.servicegroups.push(Arc::clone(&name));
                }
            }
            self.inventory.servicegroups.push(ServiceGroup {
                alias: objects::alias(object),
                notes: objects::arc(object.fields.text("notes")),
                name,
                members: ids,
            });
        }
        self.inventory.servicegroups.sort_by(|one, two| one.name.cmp(&two.name));
        for service in self.inventory.services.iter_mut().filter(|one| !one.servicegroups.is_empty()) {
            service.servicegroups.sort();
            // Who is in a group may change without a word about the service itself.
            let print = (service.fingerprint, &service.servicegroups);
            service.fingerprint = FixedState::with_seed(7).hash_one(print);
        }
    }

    fn select_services(
        &mut self,
        selected: &crate::config::written::fields::Selected<'_>,
        group: &str,
        ids: &mut Vec<ServiceId>,
    ) {
        let selection = selected.selection();
        let mut hits = vec![false; selected.items.len()];
        let inventory = &self.inventory;
        for id in inventory.service_ids() {
            let service = inventory.service(id);
            let mut index = 0;
            let is_in = selection.holds(|target| {
                let is_hit = is_service_hit(inventory, service.host, &service.name, target);
                if let Some(hit) = hits.get_mut(index) {
                    *hit = *hit || is_hit;
                }
                index += 1;
                is_hit
            });
            if is_in {
                ids.push(id);
            }
        }
        for ((_, item), _) in selected.items.iter().zip(hits).filter(|(_, hit)| !hit) {
            let problem = Problem::warning(item.at, format!("`{}` selects no service", item.text));
            self.decoder.push(problem.of(format!("servicegroup {group}")));
        }
    }

    /// What acts on hosts and services rather than being one.
    pub(super) fn rest(&mut self, periods: &Names<'t, PeriodId>, people: &People<'t>) {
        let all = self.each(Section::Escalations, |object, decoder| {
            objects::escalation(object, periods, people, decoder)
        });
        self.inventory.escalations = self.kept_after_warning(all);
        let all = self.each(Section::Downtimes, objects::downtime);
        self.inventory.downtimes = self.kept_after_warning(all);
        let all =
            self.each(Section::Rules, |object, decoder| objects::rule(object, periods, people, decoder));
        self.inventory.rules = self.kept_after_warning(all);
        let written = self.written.of(Section::Rules);
        if !written.iter().any(|rule| rule.name.text == "tickets") {
            self.inventory.rules.push(usual_rule());
        }
        self.inventory.rules.sort_by(|one, two| one.name.cmp(&two.name));
        let written = self.written;
        let all = self
            .each(Section::Discovery, |object, decoder| objects::scan_job(object, written, periods, decoder));
        self.inventory.scans = all.into_iter().filter_map(|(_, job)| job).collect();
        self.inventory.scans.sort_by(|one, two| one.name.cmp(&two.name));
        self.check_rules();
        self.check_templates_of_discovery();
    }

    fn check_templates_of_discovery(&mut self) {
        let known = || self.written.templates.iter().map(|template| template.name.text);
        let mut problems = Vec::new();
        for job in self.written.of(Section::Discovery) {
            let of_rules = job.fields.named("rules").iter().flat_map(|(_, rule)| rule.list("use"));
            for item in job.fields.list("use").into_iter().chain(of_rules) {
                if !known().any(|name| name == item.text) {
                    problems.push(
                        missing(item, "template", known()).of(format!("discovery job {}", job.name.text)),
                    );
                }
            }
        }
        problems.into_iter().for_each(|problem| self.decoder.push(problem));
    }

    /// Selectors that find nothing are most often mistyped.
    fn kept_after_warning<T>(
        &mut self,
        all: Vec<(&'w crate::config::written::WrittenObject<'t>, Option<T>)>,
    ) -> Vec<T> {
        for (object, _) in all.iter().filter(|(_, value)| value.is_some()) {
            let when = object.fields.table.iter().any(|key| key.name == "when");
            let nested = if when { object.fields.fields("when") } else { Some(&object.fields) };
            let Some(selected) = nested.and_then(|fields| fields.selected("match")) else { continue };
            for (selector, item) in &selected.items {
                self.check_selector(&selector.target, *item);
            }
        }
        all.into_iter().filter_map(|(_, value)| value).collect()
    }

    fn check_selector(&mut self, target: &Target, item: Item<'_>) {
        let inventory = &self.inventory;
        let (is_found, near): (bool, Vec<&str>) = match target {
            Target::Group(name) => (
                inventory.hostgroups.iter().any(|group| group.name == *name),
                inventory.hostgroups.iter().map(|group| &*group.name).collect(),
            ),
            Target::ServiceGroup(name) => (
                inventory.servicegroups.iter().any(|group| group.name == *name),
                inventory.servicegroups.iter().map(|group| &*group.name).collect(),
            ),
            Target::Net(Net::Named(name)) => (
                inventory.networks.iter().any(|network| network.name == *name),
                inventory.networks.iter().map(|network| &*network.name).collect(),
            ),
            Target::Hosts(glob) => match glob.literal() {
                Some(name) => (
                    inventory.host_id(name).is_some(),
                    inventory.hosts.iter().map(|host| &*host.name).collect(),
                ),
                None => (inventory.hosts.iter().any(|host| glob.matches(&host.name)), Vec::new()),
            },
            Target::Services { host, service } => {
                let is_hit = |one: &vigia_core::model::service::Service| {
                    service.matches(&one.name) && host.matches(&inventory.host(one.host).name)
                };
                (inventory.services.iter().any(is_hit), Vec::new())
            }
            Target::Tag { .. } | Target::Net(Net::Cidr(_)) => {
                let is_hit = |id| is_host_hit(inventory, id, target);
                (inventory.host_ids().any(is_hit), Vec::new())
            }
        };
        if is_found {
            return;
        }
        let bare = item.text.trim_start_matches('!');
        let bare = bare.split_once(':').map_or(bare, |(_, name)| name);
        let hint = crate::config::problem::did_you_mean(bare, near);
        let problem = Problem::warning(item.at, format!("`{}` selects nothing", item.text));
        self.decoder.push(problem.maybe_hint(hint_of_prefix(item.text).or(hint)));
    }

    /// Two rules that would open the ticket of one problem must not say different things of it.
    fn check_rules(&mut self) {
        let rules = &self.inventory.rules;
        let mut problems = Vec::new();
        for (index, one) in rules.iter().enumerate() {
            for two in rules.iter().take(index) {
                let is_same = one.priority == two.priority
                    && one.when.only == two.when.only
                    && one.when.sources.iter().any(|source| two.when.sources.contains(source))
                    && overlap(one, two);
                let disagree = one.ticket.is_some() && two.ticket.is_some() && one.ticket != two.ticket;
                if is_same && disagree {
                    problems.push((Arc::clone(&one.name), Arc::clone(&two.name)));
                }
            }
        }
        for (one, two) in problems {
            let place = |name: &str| {
                let written = self.written.of(Section::Rules).iter().find(|rule| rule.name.text == name);
                written.map(|rule| rule.name.at)
            };
            let Some(at) = place(&one).or_else(|| place(&two)) else { continue };
            let message =
                format!("rules `{two}` and `{one}` open the same ticket and say different things of it");
            let problem = Problem::error(at, message).hint("give one of them a higher `priority`");
            self.decoder.push(match place(&two) {
                Some(other) if other != at => problem.also(other, "the other one"),
                Some(_) => problem,
                None => {
                    problem.hint("`tickets` is built in: replace it under its name, or say `tickets: off`")
                }
            });
        }
    }
}

fn overlap(one: &Rule, two: &Rule) -> bool {
    let (one, two) = (one.when.states, two.when.states);
    (one.hosts.0 & two.hosts.0) | (one.services.0 & two.services.0) != 0
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("the limit of objects is far below")
}

fn lost(item: Item<'_>, what: &str) -> Problem {
    Problem::warning(item.at, format!("`{}` is in quarantine, so this {what} is left out", item.text))
}

fn is_host_hit(inventory: &vigia_core::model::inventory::Inventory, id: HostId, target: &Target) -> bool {
    let host = inventory.host(id);
    match target {
        Target::Hosts(glob) => glob.matches(&host.name),
        Target::Group(name) => host.hostgroups.contains(name),
        Target::Tag { key, value } => host
            .tags
            .iter()
            .any(|(known, text)| known == key && value.as_ref().is_none_or(|glob| glob.matches(text))),
        Target::Net(Net::Cidr(net)) => {
            host.address.parse().is_ok_and(|address: std::net::IpAddr| net.contains(&address))
        }
        Target::Net(Net::Named(name)) => {
            let network = inventory.networks.iter().find(|network| network.name == *name);
            let address = host.address.parse::<std::net::IpAddr>().ok();
            address.is_some_and(|address| {
                network.is_some_and(|network| network.cidr.iter().any(|net| net.contains(&address)))
            })
        }
        Target::ServiceGroup(_) | Target::Services { .. } => false,
    }
}

fn is_service_hit(
    inventory: &vigia_core::model::inventory::Inventory,
    host: HostId,
    service: &str,
    target: &Target,
) -> bool {
    match target {
        Target::Services { host: hosts, service: services } => {
            services.matches(service) && hosts.matches(&inventory.host(host).name)
        }
        Target::ServiceGroup(_) => false,
        Target::Hosts(_) | Target::Group(_) | Target::Tag { .. } | Target::Net(_) => {
            is_host_hit(inventory, host, target)
        }
    }
}

/// The rule that is built in: a ticket for what is hard and lasts five minutes.
fn usual_rule() -> Rule {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let when = vigia_core::model::rule::When {
        sources: vec![RuleSource::Availability],
        only: Selection::everything(),
        states: vigia_core::model::rule::RuleStates { hosts: StateSet(0b010), services: StateSet(0b0100) },
        hard: true,
        lasting: std::time::Duration::from_secs(300),
        period: PeriodId::ALWAYS,
        severity: 0,
        in_downtime: vigia_core::model::rule::Tri::Off,
        acknowledged: vigia_core::model::rule::Tri::Off,
        flapping: vigia_core::model::rule::Tri::Off,
        anomaly: Vec::new(),
        text: None,
    };
    let ticket = TicketAction {
        r#type: "Availability".into(),
        priority: None,
        in_charge: None,
        tags: Vec::new(),
        documents: Vec::new(),
        close_on_recovery: Some(std::time::Duration::from_secs(900)),
        reopen_within: DAY,
        note_every: DAY,
    };
    Rule {
        name: "tickets".into(),
        when,
        ticket: Some(ticket),
        notify: Vec::new(),
        webhook: None,
        run: None,
        repeat: None,
        label: None,
        suppress: false,
        priority: 0,
    }
}
