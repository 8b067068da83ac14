//! All definitions of one configuration, resolved and indexed. Immutable; a reload makes a new one.

use std::sync::Arc;

use hashbrown::HashMap;

use super::asset::Network;
use super::command::{Command, UserMacros};
use super::contact::{Contact, ContactGroup, Escalation};
use super::downtime::PlannedDowntime;
use super::group::{HostGroup, ServiceGroup};
use super::host::Host;
use super::id::{Checkable, HostId, Name, ObjectKey, ServiceId};
use super::period::TimePeriod;
use super::policy::HandlersOfAll;
use super::rule::Rule;
use super::scan::ScanJob;
use super::semantics::Semantics;
use super::service::Service;

type Index<T> = HashMap<Name, T, foldhash::fast::RandomState>;

/// Hosts lie in byte order of their names and services by host and then name, so a page in the usual order
/// needs no sorting.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Counts reloads of this process, so that an id of another inventory is recognised.
    pub generation: u32,
    pub hosts: Vec<Host>,
    pub services: Vec<Service>,
    pub hostgroups: Vec<HostGroup>,
    pub servicegroups: Vec<ServiceGroup>,
    /// In byte order of their names, groups too.
    pub contacts: Vec<Contact>,
    pub contactgroups: Vec<ContactGroup>,
    /// Those that can be called, in byte order of their names.
    pub commands: Vec<Command>,
    pub user_macros: UserMacros,
    /// By [`PeriodId`](super::period::PeriodId); the first two are `always` and `never`.
    pub periods: Vec<TimePeriod>,
    pub escalations: Vec<Escalation>,
    pub downtimes: Vec<PlannedDowntime>,
    pub rules: Vec<Rule>,
    pub handlers: HandlersOfAll,
    pub networks: Vec<Network>,
    /// Jobs of net discovery, in byte order of their names.
    pub scans: Vec<ScanJob>,
    pub semantics: Semantics,
    /// For teams and `in_charge` of tickets where no rule names one.
    pub in_charge: Option<Name>,
    by_host_name: Index<HostId>,
    by_former_host_name: Index<HostId>,
    children: Vec<Vec<HostId>>,
}

impl Inventory {
    /// Builds the indexes over `hosts`, which must lie in byte order of their names, as must each host's
    /// services.
    pub fn index(&mut self) {
        let id = |place: usize| HostId(u32::try_from(place).expect("the load limit is far below"));
        self.by_host_name =
            self.hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), id(at))).collect();
        self.by_former_host_name = Index::default();
        self.children = vec![Vec::new(); self.hosts.len()];
        for (at, host) in self.hosts.iter().enumerate() {
            self.by_former_host_name.extend(host.was.iter().map(|was| (was.clone(), id(at))));
            for parent in &host.parents {
                self.children[parent.index()].push(id(at));
            }
        }
    }

    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.index()]
    }

    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.index()]
    }

    pub fn host_id(&self, name: &str) -> Option<HostId> {
        self.by_host_name.get(name).copied()
    }

    /// The host that says `was: name`.
    pub fn renamed_host_id(&self, name: &str) -> Option<HostId> {
        self.by_former_host_name.get(name).copied()
    }

    pub fn service_id(&self, host: HostId, name: &str) -> Option<ServiceId> {
        let services = &self.host(host).services;
        let place = services.binary_search_by(|id| (*self.service(*id).name).cmp(name)).ok()?;
        services.get(place).copied()
    }

    pub fn find(&self, key: &ObjectKey) -> Option<Checkable> {
        let host = self.host_id(&key.host)?;
        match &key.service {
            None => Some(Checkable::Host(host)),
            Some(service) => self.service_id(host, service).map(Checkable::Service),
        }
    }

    /// As [`Self::find`], also by names that hosts and services had before (`was`).
    pub fn find_also_renamed(&self, key: &ObjectKey) -> Option<Checkable> {
        let host = self.host_id(&key.host).or_else(|| self.renamed_host_id(&key.host))?;
        let Some(name) = &key.service else { return Some(Checkable::Host(host)) };
        let renamed = || {
            let services = self.host(host).services.iter().copied();
            services.into_iter().find(|id| self.service(*id).was.contains(name))
        };
        self.service_id(host, name).or_else(renamed).map(Checkable::Service)
    }

    pub fn key(&self, object: Checkable) -> ObjectKey {
        match object {
            Checkable::Host(id) => ObjectKey { host: self.host(id).name.clone(), service: None },
            Checkable::Service(id) => {
                let service = self.service(id);
                ObjectKey { host: self.host(service.host).name.clone(), service: Some(service.name.clone()) }
            }
        }
    }

    /// The host an object is, or is on.
    pub fn host_of(&self, object: Checkable) -> HostId {
        match object {
            Checkable::Host(id) => id,
            Checkable::Service(id) => self.service(id).host,
        }
    }

    pub fn contact(&self, name: &str) -> Option<&Contact> {
        let at = self.contacts.binary_search_by(|contact| (*contact.name).cmp(name)).ok()?;
        self.contacts.get(at)
    }

    pub fn contactgroup(&self, name: &str) -> Option<&ContactGroup> {
        let at = self.contactgroups.binary_search_by(|group| (*group.name).cmp(name)).ok()?;
        self.contactgroups.get(at)
    }

    pub fn children(&self, id: HostId) -> &[HostId] {
        self.children.get(id.index()).map_or(&[], Vec::as_slice)
    }

    pub fn command(&self, name: &str) -> Option<&Command> {
        let at = self.commands.binary_search_by(|command| (*command.name).cmp(name)).ok()?;
        self.commands.get(at)
    }

    pub fn host_ids(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)).map(HostId)
    }

    pub fn service_ids(&self) -> impl Iterator<Item = ServiceId> + use<> {
        (0..u32::try_from(self.services.len()).unwrap_or(u32::MAX)).map(ServiceId)
    }
}

/// An inventory as it is handed around.
pub type SharedInventory = Arc<Inventory>;
