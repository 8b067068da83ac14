//! What hosts and services are called, and where they stand in an inventory.

use std::fmt;
use std::sync::Arc;

/// A name as the user wrote it; shared, because definitions, statuses and pages all hold it.
pub type Name = Arc<str>;

/// A host's place in one [`Inventory`](super::inventory::Inventory). Another inventory, another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// A service's place in one [`Inventory`](super::inventory::Inventory).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

impl HostId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ServiceId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A host or a service, where it does not matter which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checkable {
    Host(HostId),
    Service(ServiceId),
}

/// A host or a service by name: what is kept on disk, written in URLs and carried over a reload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub host: Name,
    pub service: Option<Name>,
}

impl ObjectKey {
    pub fn host(host: impl Into<Name>) -> Self {
        Self { host: host.into(), service: None }
    }

    pub fn service(host: impl Into<Name>, service: impl Into<Name>) -> Self {
        Self { host: host.into(), service: Some(service.into()) }
    }

    /// Reads `HOST` or `HOST/SERVICE`; the first slash divides, since a service's name may hold others.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((host, service)) => Self::service(host, service),
            None => Self::host(text),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{}/{service}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// A counter that only grows and is kept over restarts: alarms, tickets, comments, downtimes, problems.
macro_rules! record_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

record_id!(
    /// One problem of one object, from the first bad result to recovery.
    ProblemId
);
record_id!(AlarmId);
record_id!(
    /// One counter for tickets of every class (`ossim-tickets.md` T-1).
    TicketId
);
record_id!(AssetId);
record_id!(AnomalyId);
record_id!(CommentId);
record_id!(DowntimeId);
record_id!(SuppressionId);
record_id!(
    /// A line of the event log, in the order things happened.
    EventId
);
