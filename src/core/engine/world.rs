//! What we know: definitions, statuses and the records that decisions need. Published whole and immutable to
//! readers, so cloning it must stay cheap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::table::Table;
use crate::model::alarm::Alarm;
use crate::model::comment::Comment;
use crate::model::downtime::Downtime;
use crate::model::id::{
    AlarmId, CommentId, DowntimeId, HostId, Name, ObjectKey, ServiceId, SuppressionId, TicketId,
};
use crate::model::inventory::SharedInventory;
use crate::model::status::{HostStatus, ServiceStatus};
use crate::model::suppression::Suppression;
use crate::model::ticket::TicketHead;
use crate::model::time::Timestamp;

#[derive(Clone, Debug, Default)]
pub struct World {
    pub inventory: SharedInventory,
    pub hosts: Table<HostStatus>,
    pub services: Table<ServiceStatus>,
    pub records: Records,
    pub totals: Totals,
}

/// What people and rules added. Behind `Arc`s: most publications change none of them.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub comments: Arc<BTreeMap<CommentId, Arc<Comment>>>,
    pub downtimes: Arc<BTreeMap<DowntimeId, Arc<Downtime>>>,
    /// Open ones, and those that a person closed while the problem stands; others live in the store alone.
    pub alarms: Arc<BTreeMap<AlarmId, Arc<Alarm>>>,
    /// Those on which something may still be decided: open ones of a problem or a rule, closed ones that may be
    /// reopened, and for a while those that somebody acts on. The others live in the store alone.
    pub tickets: Arc<BTreeMap<TicketId, Arc<TicketHead>>>,
    /// How many are open, held here or not.
    pub open_tickets: u64,
    /// Those in force; others live in the store alone.
    pub suppressions: Arc<BTreeMap<SuppressionId, Arc<Suppression>>>,
    /// Somebody switched messages off for everything; kept over restarts.
    pub notifications_off: bool,
    /// The latest start of each downtime of the files that was begun; kept over restarts.
    pub planned: Arc<BTreeMap<Name, Timestamp>>,
    /// What the configuration no longer has. It may come back: a folder that was away, a mistake that is undone.
    pub absent: Arc<BTreeMap<ObjectKey, Absent>>,
    /// The next number of each counter; kept over restarts.
    pub next: NextIds,
}

/// How long an absent object is remembered: longer than a weekend.
pub const REMEMBERED: Duration = Duration::from_secs(3 * 24 * 3600);

/// An object as it was when the configuration lost it. Its comments, downtimes and tickets stay among the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    pub since: Timestamp,
    pub status: AbsentStatus,
}

#[derive(Clone, Debug, PartialEq)]
pub enum AbsentStatus {
    Host(Arc<HostStatus>),
    Service(Arc<ServiceStatus>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextIds {
    pub problem: u64,
    pub alarm: u64,
    pub ticket: u64,
    pub comment: u64,
    pub downtime: u64,
    pub suppression: u64,
}

impl Default for NextIds {
    fn default() -> Self {
        Self { problem: 1, alarm: 1, ticket: 1, comment: 1, downtime: 1, suppression: 1 }
    }
}

/// What a store kept of an earlier life, by name: the engine takes what the inventory still has.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub hosts: Vec<(ObjectKey, HostStatus)>,
    pub services: Vec<(ObjectKey, ServiceStatus)>,
    pub comments: Vec<Comment>,
    /// Not ended yet.
    pub downtimes: Vec<Downtime>,
    /// Open ones, and closed ones whose problem is still that of their subject.
    pub alarms: Vec<Alarm>,
    /// Open ones of a problem or a rule, and the latest of each object.
    pub tickets: Vec<TicketHead>,
    /// How many are open, given back or not.
    pub open_tickets: u64,
    /// In force.
    pub suppressions: Vec<Suppression>,
    /// Which of all these were absent already, and since when.
    pub absent: Vec<(ObjectKey, Timestamp)>,
    pub notifications_off: bool,
    pub planned: BTreeMap<Name, Timestamp>,
    pub next: NextIds,
}

/// How many objects are in which state, kept up to date with every result: a page never counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By [`HostState`](crate::model::state::HostState) number.
    pub hosts: [u32; 3],
    pub hosts_pending: u32,
    /// By [`State`](crate::model::state::State) number.
    pub services: [u32; 4],
    pub services_pending: u32,
    /// Neither acknowledged nor in downtime.
    pub host_problems_unhandled: u32,
    pub service_problems_unhandled: u32,
}

impl World {
    pub fn host(&self, id: HostId) -> &HostStatus {
        self.hosts.get(id.index())
    }

    pub fn service(&self, id: ServiceId) -> &ServiceStatus {
        self.services.get(id.index())
    }
}
