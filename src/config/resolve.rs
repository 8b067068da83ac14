//! From written to definitions: references, defaults, quarantine.
//!
//! Kinds are resolved in the order in which they name each other. An object with a mistake goes on as it was last
//! good, where that is known (`kept`), and else is not loaded; who names it does without, or goes with it.

mod chain;
pub mod check;
pub mod explain;
mod host;
mod link;
mod names;
mod objects;
mod policy;
pub mod seen;
mod subject;
mod unused;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use vigia_core::model::asset::Network;
use vigia_core::model::command::UserMacros;
use vigia_core::model::contact::ContactGroup;
use vigia_core::model::id::Name;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::period::{PeriodId, TimePeriod};

use self::chain::{Chains, circle_problem};
use self::check::Checks;
use self::host::{HostDraft, Maker};
use self::names::{Known, Names};
use self::objects::{People, circles};
use self::policy::World;
use self::unused::Unused;
use super::decode::Decoder;
use super::files::Author;
use super::merge::{Merged, Via};
use super::place::Place;
use super::problem::Problem;
use super::settings::EventHandlers;
use super::switches::{self, Switches};
use super::written::fields::Item;
use super::written::{Section, Written, WrittenHost, WrittenObject};

/// What of the daemon's settings the objects depend on.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub plugin_path: Vec<PathBuf>,
    /// `USER1` and so on, secrets read.
    pub user_macros: Vec<(String, String)>,
    /// In charge of tickets where no rule names one.
    pub in_charge: Option<Name>,
    pub event_handlers: EventHandlers,
    /// Hosts and services beyond this are not loaded.
    pub most_objects: Option<usize>,
    pub switches: Switches,
}

/// An object that is not what the files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `host`, `service`, `contact`, …
    pub kind: &'static str,
    /// `web1`, `web1/HTTP`, `ana`.
    pub name: String,
    pub at: Place,
    /// Goes on as it was; else it is not loaded.
    pub is_last_good: bool,
    /// What is wrong, in a few words.
    pub why: String,
}

#[derive(Debug, Default)]
pub struct Resolved {
    pub inventory: Inventory,
    pub quarantine: Vec<Quarantined>,
    /// Good themselves, but `defaults` or a group of theirs has a mistake: as they were, if that is known.
    pub doubtful: Vec<Quarantined>,
}

const OWN_MISTAKE: &str = "what is written of it has a mistake";
const MISTAKE_ABOVE: &str = "`defaults` or a host group that speaks of it has a mistake";
const TOO_MANY: &str = "there are more objects than `limits: {objects: …}` allows";

/// Everything that is resolved so far.
struct Work<'w, 't, 'd> {
    written: &'w Written<'t>,
    kept: Kept<'w, 't>,
    decoder: &'d mut Decoder,
    quarantine: Vec<Quarantined>,
    doubtful: Vec<Quarantined>,
    inventory: Inventory,
    /// Timeperiods that name no timezone: the clock of whoever reads them.
    floating: HashSet<PeriodId>,
}

pub fn resolve<'t>(
    written: &Written<'t>,
    kept: &Kept<'_, 't>,
    context: &Context,
    decoder: &mut Decoder,
) -> Resolved {
    resolve_and_see(written, kept, context, decoder, &mut |_| {})
}

/// Resolves, and collects the effective values of the hosts that are wanted, and of their services.
pub fn explain<'t>(
    written: &Written<'t>,
    context: &Context,
    decoder: &mut Decoder,
    wanted: &dyn Fn(&str) -> bool,
) -> (Resolved, Vec<seen::Object>) {
    let nothing = Written::default();
    let mut objects = Vec::new();
    let resolved = resolve_and_see(
        written,
        &Kept { objects: &nothing, services: &nothing },
        context,
        decoder,
        &mut |seen| {
            if wanted(&seen.written.name) {
                objects.extend(seen.objects());
            }
        },
    );
    objects.extend(seen::others(written));
    (resolved, objects)
}

/// Objects as they were last good.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'k, 't> {
    pub objects: &'k Written<'t>,
    /// Services whose hosts go on as they are now.
    pub services: &'k Written<'t>,
}

type See<'s, 't> = dyn for<'a, 'w, 'c> FnMut(seen::Seen<'a, 'w, 'c, 't>) + 's;

fn resolve_and_see<'t>(
    written: &Written<'t>,
    kept: &Kept<'_, 't>,
    context: &Context,
    decoder: &mut Decoder,
    see: &mut See<'_, 't>,
) -> Resolved {
    let mut inventory = Inventory::default();
    inventory.in_charge.clone_from(&context.in_charge);
    let mut work = Work {
        written,
        kept: *kept,
        decoder,
        quarantine: Vec::new(),
        doubtful: Vec::new(),
        inventory,
        floating: HashSet::new(),
    };
    let periods = work.periods();
    let (commands, mut checks) = work.commands(context);
    work.inventory.handlers = objects::handlers_of_all(&context.event_handlers, &commands, work.decoder);
    let people = work.people(&periods, &commands);
    work.networks(&context.switches);
    let world = World { periods: &periods, people: &people, commands: &commands };
    let networks = work.inventory.networks.clone();
    let names: Vec<Name> = work.inventory.periods.iter().map(|period| Arc::clone(&period.name)).collect();
    checks.quarantine(work.lost(Section::Commands));
    let maker = Maker::new(checks, world, &networks, names);
    let drafts = work.hosts(maker, &networks, see);
    work.link(drafts);
    work.rest(&periods, &people);
    work.inventory.index();
    Resolved { inventory: work.inventory, quarantine: work.quarantine, doubtful: work.doubtful }
}

impl<'w, 't> Work<'w, 't, '_> {
    /// Resolves every object of a section; what has a mistake as it was last good, if that is known.
    fn each<T>(
        &mut self,
        section: Section,
        mut resolve: impl FnMut(&'w WrittenObject<'t>, &mut Decoder) -> Option<T>,
    ) -> Vec<(&'w WrittenObject<'t>, Option<T>)> {
        let written = self.written;
        let kept = self.kept.objects;
        let mut all = Vec::new();
        for object in written.of(section).iter().filter(|object| !object.is_off) {
            self.decoder.reading(format!("{} {}", section.word(), object.name.text));
            let before = self.decoder.errors();
            let value = resolve(object, self.decoder);
            if !object.has_error && self.decoder.errors() == before {
                all.push((object, value));
                continue;
            }
            let mut quiet = Decoder::default();
            let old = kept.of(section).iter().find(|old| old.name.text == object.name.text && !old.has_error);
            let value = old.and_then(|old| resolve(old, &mut quiet)).filter(|_| quiet.errors() == 0);
            self.put_away(section.word(), object.name.text, object.name.at, value.is_some(), OWN_MISTAKE);
            all.push((old.filter(|_| value.is_some()).unwrap_or(object), value));
        }
        self.decoder.reading_no_object();
        all
    }

    fn put_away(&mut self, kind: &'static str, name: &str, at: Place, is_last_good: bool, why: &str) {
        self.quarantine.push(Quarantined {
            kind,
            name: name.to_owned(),
            at,
            is_last_good,
            why: why.to_owned(),
        });
    }

    /// Names of a section that are not loaded.
    fn lost(&self, section: Section) -> HashSet<String> {
        let of = self.quarantine.iter().filter(|one| one.kind == section.word() && !one.is_last_good);
        of.map(|one| one.name.clone()).collect()
    }

    fn periods(&mut self) -> Names<'t, PeriodId> {
        let mut names = Names::default();
        names.insert("always", Known::Good(PeriodId::ALWAYS));
        names.insert("never", Known::Good(PeriodId::NEVER));
        let all = self.each(Section::TimePeriods, objects::period);
        let mut periods = vec![built_in_period("always"), built_in_period("never")];
        let mut written = Vec::new();
        for (object, period) in all {
            if matches!(object.name.text, "always" | "never") {
                let message = format!("timeperiod `{}` is built in", object.name.text);
                self.decoder.push(Problem::error(object.name.at, message).hint("give yours another name"));
                continue;
            }
            match period.zip(u16::try_from(periods.len()).ok()) {
                Some((period, id)) => {
                    names.insert(object.name.text, Known::Good(PeriodId(id)));
                    if object.fields.item("timezone").is_none() {
                        self.floating.insert(PeriodId(id));
                    }
                    periods.push(period);
                    written.push((object, id));
                }
                None => names.insert(object.name.text, Known::Quarantined),
            }
        }
        self.period_references(&names, &mut periods, &written);
        self.inventory.periods = periods;
        names
    }

    fn period_references(
        &mut self,
        names: &Names<'t, PeriodId>,
        periods: &mut [TimePeriod],
        written: &[(&'w WrittenObject<'t>, u16)],
    ) {
        let mut edges: HashMap<&'t str, Vec<Item<'t>>> = HashMap::new();
        for (object, _) in written {
            let others = object.fields.list("exclude").into_iter().chain(object.fields.list("use"));
            edges.insert(object.name.text, others.collect());
        }
        let mut in_circle = HashSet::new();
        for circle in circles(&edges) {
            in_circle.extend(circle.iter().map(|item| item.text));
            self.decoder.push(circle_problem("timeperiods name each other", &circle));
        }
        for (object, id) in written {
            self.decoder.reading(format!("timeperiod {}", object.name.text));
            let mut ids = |key: &str| -> Vec<PeriodId> {
                let items = object.fields.list(key).into_iter();
                // A step of a circle is left out, so that the rest still holds.
                let items = items.filter(|item| !in_circle.contains(item.text));
                items.filter_map(|item| objects::period_named(Some(item), names, self.decoder)).collect()
            };
            let (exclude, r#use) = (ids("exclude"), ids("use"));
            if let Some(period) = periods.get_mut(usize::from(*id)) {
                (period.exclude, period.r#use) = (exclude, r#use);
            }
        }
        self.decoder.reading_no_object();
    }

    fn commands<'c>(&mut self, context: &'c Context) -> (Names<'t, ()>, Checks<'c, 't>)
    where
        'w: 'c,
    {
        let mut names = Names::default();
        let mut checks = Checks::new(context);
        for (object, command) in self.each(Section::Commands, objects::command) {
            match command {
                Some(()) => {
                    checks.add_command(object);
                    self.inventory.commands.push(objects::callable(object));
                    names.insert(object.name.text, Known::Good(()));
                }
                None => names.insert(object.name.text, Known::Quarantined),
            }
        }
        self.inventory.commands.sort_by(|one, two| one.name.cmp(&two.name));
        self.inventory.user_macros = UserMacros(context.user_macros.clone());
        (names, checks)
    }

    fn people(&mut self, periods: &Names<'t, PeriodId>, commands: &Names<'t, ()>) -> People<'t> {
        let mut people = People::default();
        let contacts = self
            .each(Section::Contacts, |object, decoder| objects::contact(object, periods, commands, decoder));
        for (object, contact) in contacts {
            let known = match contact {
                Some(mut contact) => {
                    let name = Arc::clone(&contact.name);
                    if let Some(zone) = contact.timezone.as_deref() {
                        let periods = &mut self.inventory.periods;
                        let period = contact.notification_period;
                        contact.notification_period = zones::read_in(periods, &self.floating, period, zone);
                    }
                    self.inventory.contacts.push(contact);
                    Known::Good(name)
                }
                None => Known::Quarantined,
            };
            people.contacts.insert(object.name.text, known);
        }
        self.inventory.contacts.sort_by(|one, two| one.name.cmp(&two.name));
        for object in self.written.of(Section::ContactGroups) {
            if people.contacts.get(object.name.text).is_some() {
                let message = format!("`{}` is a contact and a contact group", object.name.text);
                let hint = "contacts and contact groups share their names: rename one of them";
                self.decoder.push(Problem::error(object.name.at, message).hint(hint));
            }
            let known =
                if object.has_error { Known::Quarantined } else { Known::Good(object.name.text.into()) };
            people.groups.insert(object.name.text, known);
        }
        self.contact_groups(&people);
        people
    }

    fn contact_groups(&mut self, people: &People<'t>) {
        let groups = self.each(Section::ContactGroups, |object, decoder| {
            Some(objects::audience(&object.fields.list("members"), people, decoder))
        });
        let mut edges: HashMap<&str, Vec<Item<'_>>> = HashMap::new();
        let mut direct: HashMap<&str, (Vec<Name>, Vec<Name>)> = HashMap::new();
        for (object, members) in &groups {
            let members = members.clone().unwrap_or_default();
            let inner = object.fields.list("members").into_iter();
            let inner = inner.filter(|item| members.1.iter().any(|group| **group == *item.text));
            edges.insert(object.name.text, inner.collect());
            direct.insert(object.name.text, members);
        }
        for circle in circles(&edges) {
            self.decoder.push(circle_problem("contact groups are members of each other", &circle));
        }
        for (object, members) in &groups {
            if members.is_none() {
                continue;
            }
            let name: Name = object.name.text.into();
            let members = flattened(&name, &direct);
            self.inventory.contactgroups.push(ContactGroup { alias: objects::alias(object), name, members });
        }
        self.inventory.contactgroups.sort_by(|one, two| one.name.cmp(&two.name));
    }

    fn networks(&mut self, switches: &Switches) {
        let all = self.each(Section::Networks, objects::network);
        self.inventory.networks = switches::turned(all.into_iter().filter_map(|one| one.1), switches);
        self.inventory.networks.sort_by(|one, two| one.name.cmp(&two.name));
    }

    /// Drafts of all hosts, mistaken ones as they were last good.
    fn hosts(
        &mut self,
        mut maker: Maker<'_, '_, 't>,
        networks: &[Network],
        see: &mut See<'_, 't>,
    ) -> Vec<HostDraft<'t>> {
        let written = self.written;
        let mut chains = Chains::new(written, networks, self.decoder);
        let by_hand = self.identities();
        let mut drafts = Vec::with_capacity(written.hosts.len());
        let mut unused = Unused::of(written);
        let (mut count, mut beyond) = (0, Vec::new());
        for host in &written.hosts {
            let Some(body) = body_of(written, host) else { continue };
            if host.author == Author::Discovery && by_hand.has(host, body) {
                continue;
            }
            if maker.checks.most_objects().is_some_and(|most| count >= most) {
                beyond.push(host);
                continue;
            }
            self.decoder.reading_no_object();
            let settled = chains.settle(host, body, self.decoder);
            unused.strike(&settled);
            let mut merged = chains.base(&settled, self.decoder);
            self.decoder.reading(&*host.name);
            merged.apply(body, Via::Host, self.decoder);
            merged.has_error = merged.has_error || settled.has_error || body.has_error;
            merged.is_doubtful = merged.is_doubtful || settled.is_doubtful;
            let draft = maker.host(host, host.at, &merged, &settled.groups, self.decoder);
            see(seen::Seen {
                written: host,
                merged: &merged,
                groups: &settled.groups,
                host: &draft.host,
                checks: &maker.checks,
            });
            count += 1 + draft.services.len();
            drafts.push(draft);
        }
        self.decoder.reading_no_object();
        chains.warn_of_idle_selectors(self.decoder);
        unused.check(&mut maker, self.decoder);
        self.check_references(&mut drafts);
        let mut drafts = self.replace_mistaken(drafts, &mut maker);
        drafts.extend(self.replace_beyond(&beyond, &mut maker));
        drafts
    }

    /// Hosts beyond the limit are not looked at: they go on as they were, or are not loaded.
    fn replace_beyond(
        &mut self,
        beyond: &[&'w WrittenHost],
        maker: &mut Maker<'_, '_, 't>,
    ) -> Vec<HostDraft<'t>> {
        let (Some(first), Some(most)) = (beyond.first(), maker.checks.most_objects()) else {
            return Vec::new();
        };
        let message =
            format!("there are more than {most} objects: `{}` and what follows are too many", first.name);
        let hint = "raise `limits: {objects: …}` of the main file if so many are meant";
        self.decoder.push(Problem::error(first.at, message).hint(hint));
        let mut all = Vec::new();
        for host in beyond {
            let old = kept_host(self.kept.objects, &host.name, maker);
            self.put_away("host", &host.name, host.at, old.is_some(), TOO_MANY);
            all.extend(old);
        }
        all
    }

    /// Names and addresses that a person has written.
    fn identities(&self) -> ByHand<'w> {
        let mut by_hand = ByHand::default();
        for host in self.written.hosts.iter().filter(|host| host.author == Author::Person) {
            by_hand.0.insert(&host.name);
            if let Some(body) = body_of(self.written, host) {
                by_hand.0.extend(ByHand::of(body));
            }
        }
        by_hand
    }

    /// Mistaken hosts and services become what they were, or go.
    fn replace_mistaken(
        &mut self,
        drafts: Vec<HostDraft<'t>>,
        maker: &mut Maker<'_, '_, 't>,
    ) -> Vec<HostDraft<'t>> {
        let mut all = Vec::with_capacity(drafts.len());
        for mut draft in drafts {
            let name = Arc::clone(&draft.host.name);
            let has_bad_service = draft.services.iter().any(|service| service.has_error);
            if !draft.has_error && !draft.is_doubtful && !has_bad_service {
                all.push(draft);
                continue;
            }
            if draft.has_error || draft.is_doubtful {
                let old = kept_host(self.kept.objects, &name, maker);
                let is_needed = draft.has_error;
                let why = if is_needed { OWN_MISTAKE } else { MISTAKE_ABOVE };
                match old {
                    Some(old) => {
                        self.put_away("host", &name, draft.at, true, why);
                        all.push(old);
                        continue;
                    }
                    None if is_needed => {
                        self.put_away("host", &name, draft.at, false, why);
                        continue;
                    }
                    None => {
                        self.doubtful.push(Quarantined {
                            kind: "host",
                            name: name.to_string(),
                            at: draft.at,
                            is_last_good: false,
                            why: why.to_owned(),
                        });
                        all.push(draft);
                    }
                }
            } else {
                let mut old = Vec::new();
                for kept in [self.kept.services, self.kept.objects] {
                    old.extend(kept_host(kept, &name, maker).map(|host| host.services).unwrap_or_default());
                }
                let mut services = Vec::with_capacity(draft.services.len());
                for service in std::mem::take(&mut draft.services) {
                    if !service.has_error {
                        services.push(service);
                        continue;
                    }
                    let known = old.iter().position(|old| old.service.name == service.service.name);
                    let label = format!("{name}/{}", service.service.name);
                    self.put_away("service", &label, service.at, known.is_some(), OWN_MISTAKE);
                    services.extend(known.map(|index| old.swap_remove(index)));
                }
                draft.services = services;
                all.push(draft);
            }
        }
        // A doubtful host may still have mistaken services.
        for draft in &mut all {
            draft.services.retain(|service| !service.has_error);
        }
        all
    }
}

/// A host as it was last good: all it says is its own.
fn kept_host<'t>(kept: &Written<'t>, name: &str, maker: &mut Maker<'_, '_, 't>) -> Option<HostDraft<'t>> {
    let host: &WrittenHost = kept.host(name)?;
    let body = body_of(kept, host)?;
    let mut quiet = Decoder::default();
    let mut merged = Merged::nothing();
    merged.apply(body, Via::Host, &mut quiet);
    let groups: Vec<&'t str> = body.fields.list("hostgroups").iter().map(|item| item.text).collect();
    let mut draft = maker.host(host, host.at, &merged, &groups, &mut quiet);
    draft.services.retain(|service| !service.has_error);
    draft.host.is_last_good = true;
    for service in &mut draft.services {
        service.service.is_last_good = true;
    }
    (!draft.has_error && !body.has_error).then_some(draft)
}

fn body_of<'w, 't>(
    written: &'w Written<'t>,
    host: &WrittenHost,
) -> Option<&'w super::written::checkable::Body<'t>> {
    usize::try_from(host.body).ok().and_then(|index| written.bodies.get(index))
}

/// What identifies hosts that a person wrote: discovery's of the same kind give way.
#[derive(Default)]
struct ByHand<'w>(HashSet<&'w str>);

impl<'w> ByHand<'w> {
    fn of<'b>(body: &'b super::written::checkable::Body<'_>) -> impl Iterator<Item = &'b str> {
        let aliases =
            body.fields.entry("aliases").and_then(|entry| entry.value.as_list()).unwrap_or_default();
        let identity =
            body.fields.fields("identity").map(|fields| fields.entries.as_slice()).unwrap_or_default();
        let address = body.fields.entry("address").and_then(|entry| entry.value.as_text());
        address
            .into_iter()
            .chain(aliases.iter().map(|item| item.text))
            .chain(identity.iter().filter_map(|entry| entry.value.as_text()))
    }

    fn has(&self, host: &WrittenHost, body: &super::written::checkable::Body<'_>) -> bool {
        self.0.contains(&*host.name) || Self::of(body).any(|text| self.0.contains(text))
    }
}

fn built_in_period(name: &str) -> TimePeriod {
    let days = vigia_core::model::period::DaySpec::Weekdays(0b0111_1111);
    let ranges = vec![vigia_core::model::period::TimeRange { start: 0, end: 1440 }];
    let day = vigia_core::model::period::DayRule { days, ranges };
    TimePeriod {
        name: name.into(),
        alias: name.into(),
        timezone: Some(jiff::tz::TimeZone::UTC),
        days: if name == "always" { vec![day] } else { Vec::new() },
        exclude: Vec::new(),
        r#use: Vec::new(),
    }
}

/// All contacts of a group, groups inside groups followed once.
fn flattened(name: &Name, direct: &HashMap<&str, (Vec<Name>, Vec<Name>)>) -> Vec<Name> {
    let mut seen: HashSet<Name> = HashSet::new();
    let mut open = vec![Arc::clone(name)];
    let mut members = Vec::new();
    while let Some(group) = open.pop() {
        if !seen.insert(Arc::clone(&group)) {
            continue;
        }
        if let Some((contacts, groups)) = direct.get(&*group) {
            members.extend(contacts.iter().cloned());
            open.extend(groups.iter().cloned());
        }
    }
    members.sort();
    members.dedup();
    members
}
