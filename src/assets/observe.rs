//! What one machine of a scan makes of an asset: the asset afterwards, and its anomalies. Pure.
//!
//! A complete scan compares and learns. A scan that was cut short only says who is there: nothing is concluded from its
//! silence, and what it saw differently is left for the next complete one to find.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use vigia_core::model::anomaly::{Anomaly, AnomalyKind, AnomalyStatus};
use vigia_core::model::asset::{Asset, AssetAddress, AssetService, ServiceOrigins};
use vigia_core::model::id::AnomalyId;
use vigia_core::model::time::Timestamp;

use super::asked::Asked;
use super::compare::{self, os_family};
use crate::discovery::finding::{Finding, Service};
use crate::discovery::identity::Machine;
use crate::discovery::mac::Mac;
use crate::discovery::mirage;

/// How the scan looked.
pub struct Look<'a> {
    /// All that was wanted was done.
    pub is_complete: bool,
    /// What it asked of each host.
    pub asked: &'a Asked,
    /// Whether it looked at an address.
    pub looked_at: &'a dyn Fn(IpAddr) -> bool,
    /// Whether an earlier complete scan had looked at an address: only then is a host there news.
    pub watched: &'a dyn Fn(IpAddr) -> bool,
}

/// What becomes of the anomalies of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finds {
    Raised(Difference),
    /// One that is open says another new value.
    Changed(AnomalyId, Arc<str>),
    /// The old value is back.
    Over(AnomalyId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub kind: AnomalyKind,
    pub subject: Arc<str>,
    pub old: Arc<str>,
    pub new: Arc<str>,
}

/// The asset as it is now, and what is to be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub asset: Asset,
    pub finds: Vec<Finds>,
}

/// A card that answers for the address of another, and the other way round, within this time.
const CONFLICT: Duration = Duration::from_secs(600);
/// Complete scans in a row that miss a service before somebody is told.
const MISSED: u32 = 2;

/// Compares. `standing` are the asset's anomalies that are open or were kept: what they call old is what is right.
pub fn observe(
    before: Option<&Asset>,
    standing: &[Anomaly],
    machine: &Machine,
    look: &Look<'_>,
    now: Timestamp,
) -> Observed {
    let asset = before.cloned().unwrap_or_else(|| fresh(machine, now));
    let mut work = Work { asset, standing, finds: Vec::new(), look, now };
    let is_complete = look.is_complete && machine.findings.iter().all(|finding| finding.is_complete);
    work.seen(machine);
    match (is_complete, before) {
        (true, _) => work.learn(machine),
        (false, None) => work.remember(machine),
        (false, Some(_)) => {}
    }
    Observed { asset: work.asset, finds: work.finds }
}

/// One complete scan looked for it and did not see it.
pub fn missed(before: &Asset, standing: &[Anomaly], stale_after: u32, now: Timestamp) -> Observed {
    let mut asset = before.clone();
    let mut finds = Vec::new();
    asset.missed = asset.missed.saturating_add(1);
    if asset.missed >= stale_after.max(1) && asset.stale.is_none() {
        asset.stale = Some(now);
        if !standing.iter().any(|one| one.kind == AnomalyKind::HostGone) {
            let seen = asset.last_seen.map(|at| format!("seen {}", Timestamp::from_second(at.as_second())));
            let seen = seen.unwrap_or_else(|| "never seen".to_owned());
            finds.push(Finds::Raised(Difference {
                kind: AnomalyKind::HostGone,
                subject: "".into(),
                old: seen.into(),
                new: format!("missed by {} scans", asset.missed).into(),
            }));
        }
    }
    Observed { asset, finds }
}

fn fresh(machine: &Machine, now: Timestamp) -> Asset {
    let main = machine.main();
    let named = machine.findings.iter().find_map(|finding| finding.names.first());
    Asset {
        found_name: named.map_or_else(|| main.address.to_string(), Clone::clone).into(),
        first_seen: Some(now),
        ..Asset::default()
    }
}

struct Work<'a> {
    asset: Asset,
    standing: &'a [Anomaly],
    finds: Vec<Finds>,
    look: &'a Look<'a>,
    now: Timestamp,
}

impl Work<'_> {
    /// It is there, whatever else.
    fn seen(&mut self, machine: &Machine) {
        self.asset.first_seen = self.asset.first_seen.or(Some(self.now));
        self.asset.last_seen = Some(self.now);
        (self.asset.missed, self.asset.stale) = (0, None);
        self.is_over(AnomalyKind::HostGone, "");
        for address in machine.addresses() {
            let at = match self.asset.addresses.iter().position(|known| known.address == address) {
                Some(at) => at,
                None => {
                    self.asset.addresses.push(AssetAddress::new(address));
                    self.asset.addresses.len() - 1
                }
            };
            if let Some(known) = self.asset.addresses.get_mut(at) {
                known.last_seen = Some(self.now);
            }
        }
    }

    /// The first sight of a host by a scan that was cut short: kept, and no baseline.
    fn remember(&mut self, machine: &Machine) {
        for finding in &machine.findings {
            self.card(finding);
        }
        self.words(machine);
        for (finding, service) in seen_services(machine).into_values() {
            let service = self.met(finding, service);
            self.asset.services.push(service);
        }
        self.asset.services.sort_by_key(|one| (one.port, one.transport));
    }

    fn learn(&mut self, machine: &Machine) {
        let is_first = self.asset.asked.is_none();
        let is_anybodys = self.asset.host.is_none() && self.asset.origin == Default::default();
        if is_first && is_anybodys && machine.addresses().any(|address| (self.look.watched)(address)) {
            let main = machine.main();
            let ports: Vec<String> =
                seen_services(machine).into_values().map(|(_, one)| one.evidence()).take(12).collect();
            let told = std::iter::once(main.address.to_string()).chain(ports).collect::<Vec<_>>();
            self.differs(AnomalyKind::HostNew, "", "", &told.join(", "));
        }
        for finding in &machine.findings {
            self.card(finding);
        }
        self.words(machine);
        self.key(machine);
        self.services(machine, is_first);
    }

    /// The network card of one address. One that software made up is no identity: nothing is said of its change.
    fn card(&mut self, finding: &Finding) {
        let (Some(mac), now) = (finding.mac, self.now) else { return };
        let said = mac.to_string();
        let Some(known) = self.asset.addresses.iter_mut().find(|one| one.address == finding.address) else {
            return;
        };
        let vendor: Option<Arc<str>> = finding.vendor.as_deref().map(Arc::from);
        let old = known.mac.clone();
        if old.as_deref() == Some(said.as_str()) {
            known.vendor = vendor.or(known.vendor.take());
            return;
        }
        let returned = known.mac_before.as_deref() == Some(said.as_str())
            && known.mac_changed.is_some_and(|at| now.since(at) <= CONFLICT);
        let old_told = told_card(known.mac.as_deref().unwrap_or_default(), known.vendor.as_deref());
        let new_told = told_card(&said, vendor.as_deref());
        known.mac_before = known.mac.take();
        known.mac_changed = known.mac_before.is_some().then_some(now);
        (known.mac, known.vendor) = (Some(said.as_str().into()), vendor);
        let subject = finding.address.to_string();
        let was_identity = old.and_then(|mac| mac.parse::<Mac>().ok()).is_some_and(|mac| mac.is_identity());
        if returned && (was_identity || mac.is_identity()) {
            self.differs(AnomalyKind::IpConflict, &subject, &old_told, &new_told);
        }
        if was_identity || self.stands(AnomalyKind::Mac, &subject).is_some() {
            self.differs(AnomalyKind::Mac, &subject, &old_told, &new_told);
        }
    }

    /// Names and the operating system.
    fn words(&mut self, machine: &Machine) {
        let names: Vec<Arc<str>> = machine
            .findings
            .iter()
            .flat_map(|finding| &finding.names)
            .map(|name| Arc::from(name.as_str()))
            .collect();
        if !names.is_empty() {
            let is_other =
                !self.asset.names.is_empty() && !names.iter().any(|name| self.asset.names.contains(name));
            if is_other {
                let (old, new) = (self.asset.names.join(", "), names.join(", "));
                self.differs(AnomalyKind::Hostname, "", &old, &new);
            }
            if is_other || self.asset.names.is_empty() {
                self.asset.found_name = names.first().cloned().unwrap_or_default();
            }
            self.asset.names = names;
        }
        let Some(os) = machine.findings.iter().find_map(|finding| finding.os.as_ref()) else { return };
        if let Some(old) = self.asset.found_os.clone()
            && os_family(&old) != os_family(&os.name)
        {
            self.differs(AnomalyKind::Os, "", &old, &os.name);
        }
        self.asset.found_os = Some(os.name.as_str().into());
        self.asset.os_evidence = os.evidence.as_str().into();
    }

    fn key(&mut self, machine: &Machine) {
        let Some(new) = machine.findings.iter().find_map(|finding| finding.ssh_key.as_deref()) else {
            return;
        };
        if let Some(old) = self.asset.ssh_key.clone().filter(|old| **old != *new) {
            self.differs(AnomalyKind::KeyChanged, "ssh", &old, new);
        }
        self.asset.ssh_key = Some(new.into());
    }

    fn services(&mut self, machine: &Machine, is_first: bool) {
        let before = self.asset.asked.as_deref().map(Asked::read).unwrap_or_default();
        let is_facade = machine.findings.iter().any(mirage::is_facade);
        let asked = if is_facade { &Asked::default() } else { self.look.asked };
        let seen = seen_services(machine);
        for ((port, transport), (finding, service)) in &seen {
            let place =
                self.asset.services.iter().position(|one| (one.port, one.transport) == (*port, *transport));
            match place {
                Some(at) => self.met_again(at, finding, service),
                None => {
                    let service = self.met(finding, service);
                    if !is_first && before.holds(*port, *transport) {
                        self.differs(AnomalyKind::ServiceNew, &service.subject(), "", &service.told());
                    }
                    self.asset.services.push(service);
                }
            }
        }
        self.asset.services.sort_by_key(|one| (one.port, one.transport));
        let mine: Vec<IpAddr> = machine.addresses().collect();
        for at in 0..self.asset.services.len() {
            let Some(service) = self.asset.services.get(at) else { continue };
            let was_asked = asked.holds(service.port, service.transport)
                && service.address.is_none_or(|at| mine.contains(&at) || (self.look.looked_at)(at));
            let is_absent = !seen.contains_key(&(service.port, service.transport));
            if was_asked && is_absent && service.origins.active && service.gone.is_none() {
                self.miss(at);
            }
        }
        self.asset.asked = Some(before.and(asked).to_string().into());
    }

    fn miss(&mut self, at: usize) {
        let now = self.now;
        let Some(service) = self.asset.services.get_mut(at) else { return };
        service.missed = service.missed.saturating_add(1);
        if service.missed >= MISSED {
            service.gone = Some(now);
            let (subject, told) = (service.subject(), service.told());
            self.differs(AnomalyKind::ServiceGone, &subject, &told, "");
        }
    }

    fn met(&self, finding: &Finding, service: &Service) -> AssetService {
        let mut fresh = AssetService {
            port: service.port,
            transport: service.transport,
            origins: ServiceOrigins { active: true, ..ServiceOrigins::default() },
            first_seen: Some(self.now),
            ..AssetService::default()
        };
        compare::take(&mut fresh, service);
        (fresh.address, fresh.last_seen) = (Some(finding.address), Some(self.now));
        fresh
    }

    fn met_again(&mut self, at: usize, finding: &Finding, service: &Service) {
        let now = self.now;
        let Some(known) = self.asset.services.get_mut(at) else { return };
        let subject = known.subject();
        let differences = compare::differences(known, service, now);
        compare::take(known, service);
        known.origins.active = true;
        (known.missed, known.gone) = (0, None);
        (known.address, known.last_seen) = (Some(finding.address), Some(now));
        known.first_seen = known.first_seen.or(Some(now));
        self.is_over(AnomalyKind::ServiceGone, &subject);
        for (kind, old, new) in differences {
            self.differs(kind, &subject, &old, &new);
        }
    }

    fn stands(&self, kind: AnomalyKind, subject: &str) -> Option<&Anomaly> {
        self.standing.iter().find(|one| one.kind == kind && *one.subject == *subject)
    }

    /// The value seen is another than the one seen before. Whether that is news depends on what stands.
    fn differs(&mut self, kind: AnomalyKind, subject: &str, old: &str, new: &str) {
        let standing = self.stands(kind, subject).map(|one| (one.id, one.status, Arc::clone(&one.old)));
        let raise = |old: &str| {
            Finds::Raised(Difference { kind, subject: subject.into(), old: old.into(), new: new.into() })
        };
        self.finds.push(match standing {
            Some((id, _, right)) if *right == *new => Finds::Over(id),
            Some((id, AnomalyStatus::Open, _)) => Finds::Changed(id, new.into()),
            Some((_, _, right)) => raise(&right),
            None => raise(old),
        });
    }

    fn is_over(&mut self, kind: AnomalyKind, subject: &str) {
        if let Some(one) = self.stands(kind, subject) {
            self.finds.push(Finds::Over(one.id));
        }
    }
}

fn told_card(mac: &str, vendor: Option<&str>) -> String {
    vendor.map_or_else(|| mac.to_owned(), |vendor| format!("{mac} ({vendor})"))
}

/// Each port once: what the address with most services says of it.
fn seen_services(
    machine: &Machine,
) -> BTreeMap<(u16, vigia_core::model::asset::Transport), (&Finding, &Service)> {
    let mut all = BTreeMap::new();
    for finding in &machine.findings {
        for service in &finding.services {
            all.entry((service.port, service.transport)).or_insert((finding, service));
        }
    }
    all
}

#[cfg(test)]
mod tests;
