//! A service's definition, fixed until the next reload.

use std::sync::Arc;

use super::check::Check;
use super::dependency::Dependency;
use super::id::{HostId, Name};
use super::policy::{Own, Policy};

#[derive(Clone, Debug)]
pub struct Service {
    pub host: HostId,
    pub name: Name,
    pub display_name: Arc<str>,
    pub check: Arc<Check>,
    pub policy: Arc<Policy>,
    pub own: Option<Arc<Own>>,
    pub servicegroups: Vec<Name>,
    pub depends_on: Vec<Dependency>,
    pub was: Vec<Name>,
    /// Of every effective value; equal means unchanged by a reload.
    pub fingerprint: u64,
    /// Goes on as it was last good, because what the files now say has a mistake.
    pub is_last_good: bool,
}

impl Service {
    /// A service of which only this is known.
    pub fn new(host: HostId, name: Name, check: Arc<Check>, policy: Arc<Policy>) -> Self {
        Self {
            host,
            display_name: Arc::clone(&name),
            name,
            check,
            policy,
            own: None,
            servicegroups: Vec::new(),
            depends_on: Vec::new(),
            was: Vec::new(),
            fingerprint: 0,
            is_last_good: false,
        }
    }
}
