//! A host's definition, fixed until the next reload.

use std::sync::Arc;

use super::asset::{Identity, Location};
use super::check::Check;
use super::dependency::Dependency;
use super::id::{HostId, Name, ServiceId};
use super::policy::{Own, Policy};

#[derive(Clone, Debug)]
pub struct Host {
    pub name: Name,
    /// For people; the name where nothing else was said.
    pub alias: Arc<str>,
    pub display_name: Arc<str>,
    /// What its checks connect to: an address or a name.
    pub address: Arc<str>,
    /// The same machine under other names.
    pub aliases: Vec<Arc<str>>,
    pub parents: Vec<HostId>,
    pub check: Arc<Check>,
    pub policy: Arc<Policy>,
    pub own: Option<Arc<Own>>,
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// Names of host groups it is in, in byte order.
    pub hostgroups: Vec<Name>,
    /// 0 to 5, as in OSSIM.
    pub asset_value: u8,
    /// Off: kept as an asset, not checked, its services neither.
    pub is_monitored: bool,
    pub depends_on: Vec<Dependency>,
    /// Former names: state, history and tickets come along.
    pub was: Vec<Name>,
    pub location: Option<Arc<Location>>,
    pub identity: Option<Arc<Identity>>,
    pub poller: Option<Name>,
    /// Its services, in byte order of their names.
    pub services: Vec<ServiceId>,
    /// Of every effective value; equal means unchanged by a reload.
    pub fingerprint: u64,
    /// Goes on as it was last good, because what the files now say has a mistake.
    pub is_last_good: bool,
}

impl Host {
    /// A host of which only this is known; its name stands for what people and checks call it.
    pub fn new(name: Name, check: Arc<Check>, policy: Arc<Policy>) -> Self {
        Self {
            alias: Arc::clone(&name),
            display_name: Arc::clone(&name),
            address: Arc::clone(&name),
            name,
            aliases: Vec::new(),
            parents: Vec::new(),
            check,
            policy,
            own: None,
            tags: Vec::new(),
            hostgroups: Vec::new(),
            asset_value: 2,
            is_monitored: true,
            depends_on: Vec::new(),
            was: Vec::new(),
            location: None,
            identity: None,
            poller: None,
            services: Vec::new(),
            fingerprint: 0,
            is_last_good: false,
        }
    }
}
