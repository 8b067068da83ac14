//! One host with its services: from what was merged to definitions, everything but the places of other objects.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use vigia_core::model::asset::{Identity, Location, Network};
use vigia_core::model::check::{Check, CheckMethod};
use vigia_core::model::host::Host;
use vigia_core::model::id::{HostId, Name};
use vigia_core::model::service::Service;

use super::chain::Tags;
use super::check::{Built, Checks, filled};
use super::policy::{Shelf, World, own, policy, variables};
use super::subject::Subject;
use crate::config::decode::Decoder;
use crate::config::insertion::macros_in;
use crate::config::merge::{Merged, MergedService, Slots, View, key};
use crate::config::place::Place;
use crate::config::problem::Problem;
use crate::config::written::WrittenHost;
use crate::config::written::fields::{Dependency, Fields, Item, Value};
use crate::config::written::kinds;
use crate::config::written::read::CANCELLED;

/// A host that still names others instead of knowing their places.
#[derive(Debug)]
pub(super) struct HostDraft<'t> {
    pub host: Host,
    pub at: Place,
    pub parents: Vec<Item<'t>>,
    pub depends_on: Vec<Dependency<'t>>,
    pub services: Vec<ServiceDraft<'t>>,
    pub has_error: bool,
    pub is_doubtful: bool,
}

#[derive(Debug)]
pub(super) struct ServiceDraft<'t> {
    pub service: Service,
    pub at: Place,
    pub servicegroups: Vec<Item<'t>>,
    pub depends_on: Vec<Dependency<'t>>,
    pub has_error: bool,
}

/// Makes drafts.
#[derive(Debug)]
pub(super) struct Maker<'c, 'a, 't> {
    pub checks: Checks<'c, 't>,
    pub world: World<'a, 't>,
    pub networks: &'a [Network],
    pub shelf: Shelf,
    pub period_names: Vec<Name>,
    /// What services alike in all things were resolved to.
    prepared: HashMap<(usize, usize), Prepared>,
    usual_host_check: Option<Built>,
}

/// A service that says nothing of the host it is on: the same on every host with the same chain.
#[derive(Clone, Debug)]
struct Prepared {
    service: Service,
    has_error: bool,
}

impl<'c, 'a, 't> Maker<'c, 'a, 't> {
    pub(super) fn new(
        checks: Checks<'c, 't>,
        world: World<'a, 't>,
        networks: &'a [Network],
        period_names: Vec<Name>,
    ) -> Self {
        Self {
            checks,
            world,
            networks,
            shelf: Shelf::default(),
            period_names,
            prepared: HashMap::new(),
            usual_host_check: None,
        }
    }

    /// `groups` are in byte order.
    pub(super) fn host(
        &mut self,
        written: &WrittenHost,
        at: Place,
        merged: &Merged<'_, 't>,
        groups: &[&'t str],
        decoder: &mut Decoder,
    ) -> HostDraft<'t> {
        let before = decoder.errors();
        let host = self.host_itself(written, at, merged, groups, decoder);
        let has_error =
            written.has_error || merged.has_error || merged.check.has_error || decoder.errors() > before;
        let mut draft = HostDraft { has_error, is_doubtful: merged.is_doubtful, ..host };
        let variables = draft.host.own.clone();
        let subject = Subject {
            host: &written.name,
            address: &draft.host.address,
            alias: &draft.host.alias,
            index: written.index.as_deref(),
            tags: &draft.host.tags,
            service: None,
            host_variables: variables.as_ref().map_or(&[], |own| &own.custom_variables),
            service_variables: &[],
        };
        let mut services = Vec::with_capacity(merged.services.len());
        for (name, service) in merged.services.values() {
            if !service.is_off {
                services.push(self.service(*name, service, &merged.shared, subject, decoder));
            }
        }
        draft.services = services;
        draft
    }

    fn host_itself(
        &mut self,
        written: &WrittenHost,
        at: Place,
        merged: &Merged<'_, 't>,
        groups: &[&'t str],
        decoder: &mut Decoder,
    ) -> HostDraft<'t> {
        let view = View::of_host(merged);
        let name = Arc::clone(&written.name);
        let tags = tags(view, decoder);
        // An address may ask for the host's name, an alias for its address.
        let bare = Subject {
            host: &name,
            address: &name,
            alias: &name,
            index: written.index.as_deref(),
            tags: &tags,
            service: None,
            host_variables: &[],
            service_variables: &[],
        };
        let text = |key: usize, subject: &Subject<'_>, decoder: &mut Decoder| -> Option<Arc<str>> {
            let found = view.get(key, decoder)?;
            let text = found.value.as_text()?;
            Some(filled(text, found.at, found.via, subject, decoder).into())
        };
        let address = text(key::ADDRESS, &bare, decoder).unwrap_or_else(|| Arc::clone(&name));
        check_address(&address, view, decoder);
        let addressed = Subject { address: &address, ..bare };
        let alias = text(key::ALIAS, &addressed, decoder).unwrap_or_else(|| Arc::clone(&name));
        let named = Subject { alias: &alias, ..addressed };
        let display_name = text(key::DISPLAY_NAME, &named, decoder).unwrap_or_else(|| Arc::clone(&alias));
        let variables = variables(view, &named, decoder);
        let subject = Subject { host_variables: &variables, ..named };
        let network = Network::closest(&address, self.networks);
        let (check, print, freshness) = self.host_check(merged, view, &subject, decoder);
        let (policy, policy_print) =
            self.shelf.policy(policy(view, self.world, freshness, decoder), &self.period_names);
        let own = own(view, self.world, &subject, decoder);
        let items = |key: usize, decoder: &mut Decoder| -> Vec<Item<'t>> {
            view.get(key, decoder).and_then(|found| Some(found.value.as_list()?.to_vec())).unwrap_or_default()
        };
        let parents = items(key::PARENTS, decoder);
        let depends_on = dependencies(view, decoder);
        let asset_value = view.get(key::ASSET_VALUE, decoder).and_then(|found| found.value.as_whole());
        let host = Host {
            display_name,
            aliases: items(key::ALIASES, decoder).iter().map(|item| item.text.into()).collect(),
            parents: Vec::new(),
            check,
            policy,
            own,
            hostgroups: groups.iter().map(|group| self.shelf.text(group)).collect(),
            asset_value: asset_value
                .and_then(|value| u8::try_from(value).ok())
                .unwrap_or_else(|| network.map_or(2, |network| network.asset_value)),
            is_monitored: is_monitored(view, &address, self.networks, decoder),
            depends_on: Vec::new(),
            was: items(key::WAS, decoder).iter().map(|item| item.text.into()).collect(),
            location: location(view, decoder),
            identity: identity(view, decoder),
            poller: text(key::POLLER, &subject, decoder),
            services: Vec::new(),
            fingerprint: 0,
            is_last_good: false,
            alias,
            address,
            name,
            tags,
        };
        let print = (print, policy_print, names(&parents), dependency_names(&depends_on));
        let host = Host { fingerprint: host_fingerprint(&host, &print), ..host };
        HostDraft {
            host,
            at,
            parents,
            depends_on,
            services: Vec::new(),
            has_error: false,
            is_doubtful: false,
        }
    }

    fn host_check(
        &mut self,
        merged: &Merged<'_, 't>,
        view: View<'_, '_, 't>,
        subject: &Subject<'_>,
        decoder: &mut Decoder,
    ) -> (Arc<Check>, u64, Option<std::time::Duration>) {
        let timeout = view.get(key::TIMEOUT, decoder).and_then(|found| found.value.as_duration());
        if merged.check.is_off {
            return (self.checks.assumed_up(), 1, None);
        }
        if merged.check.check.is_empty() {
            let built = match (&self.usual_host_check, timeout) {
                (Some(built), None) => built.clone(),
                (_, timeout) => self.checks.usual_host_check(timeout),
            };
            if timeout.is_none() {
                self.usual_host_check = Some(built.clone());
            }
            return (built.check, built.print, None);
        }
        match self.checks.build(&merged.check.check, timeout, subject, decoder) {
            Some(built) => (built.check, built.print, built.freshness),
            None => (self.checks.assumed_up(), 0, None),
        }
    }

    fn service(
        &mut self,
        name: Item<'t>,
        merged: &Rc<MergedService<'_, 't>>,
        of_host: &Rc<Slots<'_, 't>>,
        host: Subject<'_>,
        decoder: &mut Decoder,
    ) -> ServiceDraft<'t> {
        let key = (Rc::as_ptr(merged).addr(), Rc::as_ptr(of_host).addr());
        if let Some(prepared) = self.prepared.get(&key) {
            return ServiceDraft {
                service: prepared.service.clone(),
                at: merged.at,
                servicegroups: Vec::new(),
                depends_on: Vec::new(),
                has_error: prepared.has_error,
            };
        }
        let draft = self.new_service(name, merged, of_host, host, decoder);
        // Alone, an Rc belongs to one host, and its address may be another's later.
        let is_shared = Rc::strong_count(merged) > 1 && Rc::strong_count(of_host) > 1;
        let is_plain = draft.servicegroups.is_empty() && draft.depends_on.is_empty();
        if is_shared && is_plain && !asks_for_host(merged, of_host) {
            let prepared = Prepared { service: draft.service.clone(), has_error: draft.has_error };
            self.prepared.insert(key, prepared);
        }
        draft
    }

    fn new_service(
        &mut self,
        name: Item<'t>,
        merged: &MergedService<'_, 't>,
        of_host: &Slots<'_, 't>,
        host: Subject<'_>,
        decoder: &mut Decoder,
    ) -> ServiceDraft<'t> {
        let before = decoder.errors();
        let view = View { near: &merged.slots, far: of_host, alone: None };
        let subject = Subject { service: Some(name.text), ..host };
        let variables = variables(view, &subject, decoder);
        let subject = Subject { service_variables: &variables, ..subject };
        let timeout = view.get(key::TIMEOUT, decoder).and_then(|found| found.value.as_duration());
        let layers = if merged.check.is_empty() {
            match kinds::of_name(name) {
                Ok(check) => vec![(check, merged.via)],
                // A kind that does not exist is one mistake and not two.
                Err(_) if decoder.has_said(&subject.to_string(), kinds::UNKNOWN) => {
                    decoder.count_reported();
                    Vec::new()
                }
                Err(problem) => {
                    decoder.push(merged.via.mark(problem.of(subject.to_string())));
                    Vec::new()
                }
            }
        } else {
            Vec::new()
        };
        let layers = if layers.is_empty() { &merged.check } else { &layers };
        let built = self.checks.build(layers, timeout, &subject, decoder);
        let freshness = built.as_ref().and_then(|built| built.freshness);
        let (policy, policy_print) =
            self.shelf.policy(policy(view, self.world, freshness, decoder), &self.period_names);
        let items = |key: usize, decoder: &mut Decoder| -> Vec<Item<'t>> {
            view.get(key, decoder).and_then(|found| Some(found.value.as_list()?.to_vec())).unwrap_or_default()
        };
        let servicegroups = items(key::SERVICEGROUPS, decoder);
        let depends_on = dependencies(view, decoder);
        let name_text = self.shelf.text(name.text);
        let display_name = match view.get(key::DISPLAY_NAME, decoder) {
            Some(found) => {
                let text = found.value.as_text().unwrap_or(name.text);
                self.shelf.text(&filled(text, found.at, found.via, &subject, decoder))
            }
            None => Arc::clone(&name_text),
        };
        let own = own(view, self.world, &subject, decoder);
        let print = built.as_ref().map_or(0, |built| built.print);
        let service = Service {
            host: HostId(0),
            name: name_text,
            display_name,
            check: built.map_or_else(|| self.checks.assumed_up(), |built| built.check),
            policy,
            own,
            servicegroups: Vec::new(),
            depends_on: Vec::new(),
            was: items(key::WAS, decoder).iter().map(|item| item.text.into()).collect(),
            fingerprint: 0,
            is_last_good: false,
        };
        let print = (print, policy_print, names(&servicegroups), dependency_names(&depends_on));
        let service = Service { fingerprint: service_fingerprint(&service, &print), ..service };
        let has_error = merged.has_error || decoder.errors() > before;
        ServiceDraft { service, at: merged.at, servicegroups, depends_on, has_error }
    }
}

/// Does what is said of the service, or of its host for it, hold a `${…}` or a command's macros?
fn asks_for_host(merged: &MergedService<'_, '_>, of_host: &Slots<'_, '_>) -> bool {
    merged.check.iter().any(|(check, _)| check.kind == "command" || check.asks_for_values())
        || merged.slots.asks_for_values()
        || of_host.asks_for_values()
}

type Prints = (u64, u64, Vec<String>, Vec<String>);

fn host_fingerprint(host: &Host, prints: &Prints) -> u64 {
    let texts = (&host.alias, &host.display_name, &host.address, &host.aliases, &host.tags, &host.hostgroups);
    let rest = format!(
        "{:?} {:?} {:?} {:?} {} {} {:?}",
        host.own, host.location, host.identity, host.poller, host.asset_value, host.is_monitored, host.was
    );
    FixedState::with_seed(2).hash_one((texts, rest, prints))
}

fn service_fingerprint(service: &Service, prints: &Prints) -> u64 {
    let own = service.own.as_ref().map(|own| format!("{own:?}"));
    FixedState::with_seed(3).hash_one((&service.display_name, own, &service.was, prints))
}

fn names(items: &[Item<'_>]) -> Vec<String> {
    items.iter().map(|item| item.text.to_owned()).collect()
}

fn dependency_names(all: &[Dependency<'_>]) -> Vec<String> {
    all.iter()
        .map(|one| format!("{} {:?}", one.on.text, crate::config::written::json::of_fields(&one.fields)))
        .collect()
}

fn dependencies<'t>(view: View<'_, '_, 't>, decoder: &mut Decoder) -> Vec<Dependency<'t>> {
    match view.get(key::DEPENDS_ON, decoder).map(|found| found.value.into_owned()) {
        Some(Value::Dependencies(all)) => all,
        Some(_) | None => Vec::new(),
    }
}

pub(super) fn tags(view: View<'_, '_, '_>, decoder: &mut Decoder) -> Tags {
    match view.get(key::TAGS, decoder).as_ref().map(|found| &*found.value) {
        Some(Value::Pairs(pairs)) => {
            let kept = pairs.iter().filter(|(_, text)| text.text != CANCELLED);
            kept.map(|(key, text)| (key.text.into(), text.text.into())).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

fn fields_of<'t>(view: View<'_, '_, 't>, key: usize, decoder: &mut Decoder) -> Option<Fields<'t>> {
    match view.get(key, decoder).map(|found| found.value.into_owned()) {
        Some(Value::Fields(fields)) => Some(*fields),
        Some(_) | None => None,
    }
}

fn location(view: View<'_, '_, '_>, decoder: &mut Decoder) -> Option<Arc<Location>> {
    let fields = fields_of(view, key::LOCATION, decoder)?;
    let number =
        |name: &str| if let Some(Value::Decimal(number)) = fields.find(name) { Some(*number) } else { None };
    Some(Arc::new(Location {
        latitude: number("latitude"),
        longitude: number("longitude"),
        place: fields.text("place").map(Into::into),
    }))
}

fn identity(view: View<'_, '_, '_>, decoder: &mut Decoder) -> Option<Arc<Identity>> {
    let fields = fields_of(view, key::IDENTITY, decoder)?;
    let text = |name: &str| fields.text(name).map(Into::into);
    Some(Arc::new(Identity {
        ssh_host_key: text("ssh_host_key"),
        tls_key: text("tls_key"),
        mac: text("mac"),
    }))
}

/// Its own word, else that of the closest network that says one, else on.
fn is_monitored(view: View<'_, '_, '_>, address: &str, networks: &[Network], decoder: &mut Decoder) -> bool {
    match view.get(key::MONITOR, decoder).and_then(|found| found.value.as_text()) {
        Some("on") => true,
        Some("off") => false,
        Some(_) | None => Network::monitoring(address, networks).unwrap_or(true),
    }
}

/// An address goes into command lines and connections: no blanks, no control characters, no leading dash.
fn check_address(address: &str, view: View<'_, '_, '_>, decoder: &mut Decoder) {
    let is_bad = address.is_empty()
        || address.starts_with('-')
        || address.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/');
    let wrong =
        if is_bad { Some("write an IP address or a host name".to_owned()) } else { no_address(address) };
    if let Some(hint) = wrong
        && let Some(found) = view.get(key::ADDRESS, decoder)
    {
        let problem = Problem::error(found.at, format!("`{address}` is not an address"));
        decoder.push(found.via.mark(problem).hint(hint));
    }
}

/// What is no address though it has the letters of one: a port behind it, numbers that are none of an IP address,
/// a macro of Nagios.
fn no_address(address: &str) -> Option<String> {
    if address.parse::<IpAddr>().is_ok() {
        return None;
    }
    if macros_in(address).next().is_some() {
        return Some("write an IP address or a host name; macros of Nagios are not read here".to_owned());
    }
    if let Some((host, port)) = address.rsplit_once(':')
        && !host.contains([':', '%'])
    {
        return Some(format!("write `{host}` here; the port belongs to the check, as in `tcp:{port}`"));
    }
    let is_numbers =
        address.contains('.') && address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_numbers.then(|| "an IPv4 address is four numbers from 0 to 255".to_owned())
}

impl Checks<'_, '_> {
    /// For a host that nobody looks at, and in place of a check that could not be made.
    pub(super) fn assumed_up(&mut self) -> Arc<Check> {
        Arc::clone(self.nothing.get_or_insert_with(|| {
            let timeout = std::time::Duration::from_secs(10);
            Arc::new(Check { kind: "off", method: CheckMethod::AssumedUp, timeout })
        }))
    }
}
