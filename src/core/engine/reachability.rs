//! Parents and dependencies: DOWN or UNREACHABLE, and whether a check may run. (`nagios-states.md` 10)

use super::period::Periods;
use super::world::World;
use crate::model::dependency::{Dependency, FailureStates};
use crate::model::id::{Checkable, HostId, ObjectKey};
use crate::model::state::{Condition, HostState, StateType};
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Chains of masters and of parents are finite by configuration; this is for the mistake there.
const DEPTH: u8 = 32;

impl World {
    /// What a host that is not UP is: cut off when each of its parents is not UP now, soft or hard.
    pub fn kind_of_outage(&self, id: HostId) -> HostState {
        let parents = &self.inventory.host(id).parents;
        let is_cut_off = !parents.is_empty() && parents.iter().all(|parent| self.host_is_bad(*parent));
        if is_cut_off { HostState::Unreachable } else { HostState::Down }
    }

    pub fn host_is_bad(&self, id: HostId) -> bool {
        self.host(id).state().is_problem()
    }

    /// The host whose being DOWN explains that this one is not UP; itself, or the nearest ancestor.
    pub fn root_of_outage(&self, id: HostId) -> Option<HostId> {
        let mut at = id;
        for _ in 0..DEPTH {
            match self.host(at).state() {
                HostState::Up => return None,
                HostState::Down => return Some(at),
                HostState::Unreachable => {
                    let parents = &self.inventory.host(at).parents;
                    at = parents.iter().copied().find(|parent| self.host_is_bad(*parent))?;
                }
            }
        }
        None
    }

    /// The host that explains the problem of an object: for a service its own host or that host's root, for a
    /// host an ancestor.
    pub fn root_cause(&self, object: Checkable) -> Option<ObjectKey> {
        let root = match object {
            Checkable::Host(id) => self.root_of_outage(id).filter(|root| *root != id),
            Checkable::Service(id) => self.root_of_outage(self.inventory.service(id).host),
        };
        root.map(|root| self.inventory.key(Checkable::Host(root)))
    }

    /// The first master in a state that keeps `object` from being checked.
    pub fn execution_blocker(&self, object: Checkable, now: Timestamp) -> Option<Checkable> {
        self.failing_master(object, |dependency| dependency.execution_failure, now, DEPTH)
    }

    /// The first master in a state that holds messages of `object` back.
    pub fn notification_blocker(&self, object: Checkable, now: Timestamp) -> Option<Checkable> {
        self.failing_master(object, |dependency| dependency.notification_failure, now, DEPTH)
    }

    fn failing_master(
        &self,
        object: Checkable,
        criteria: fn(&Dependency) -> FailureStates,
        now: Timestamp,
        depth: u8,
    ) -> Option<Checkable> {
        let inventory = &self.inventory;
        let depends_on = match object {
            Checkable::Host(id) => &inventory.host(id).depends_on,
            Checkable::Service(id) => &inventory.service(id).depends_on,
        };
        let fails = |dependency: &Dependency| {
            let wanted = criteria(dependency);
            // A dependency outside its period does not count; the others still do.
            let applies =
                dependency.period.is_none_or(|period| Periods(&inventory.periods).is_inside(period, now));
            applies
                && wanted != FailureStates::default()
                && (self.master_fails(dependency.on, wanted)
                    || (dependency.inherits_parent
                        && depth > 0
                        && self.failing_master(dependency.on, criteria, now, depth - 1).is_some()))
        };
        depends_on.iter().find(|dependency| fails(dependency)).map(|dependency| dependency.on)
    }

    fn master_fails(&self, master: Checkable, wanted: FailureStates) -> bool {
        let soft_counts = self.inventory.semantics.soft_masters_count;
        match master {
            Checkable::Host(id) => fails(self.host(id), wanted, soft_counts),
            Checkable::Service(id) => fails(self.service(id), wanted, soft_counts),
        }
    }
}

fn fails<S: Condition>(master: &Status<S>, wanted: FailureStates, soft_counts: bool) -> bool {
    if !master.has_been_checked {
        return wanted.pending;
    }
    let is_settled = soft_counts || master.standing.state_type == StateType::Hard;
    let state = if is_settled { master.state() } else { master.last_hard_state };
    wanted.states.has(state.number())
}
