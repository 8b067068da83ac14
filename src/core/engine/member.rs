//! What hosts and services have in common for the engine, so that one set of functions serves both.

use std::sync::Arc;

use super::world::World;
use crate::model::check::{Check, CheckMethod};
use crate::model::dependency::Dependency;
use crate::model::id::{Checkable, HostId, ServiceId};
use crate::model::inventory::Inventory;
use crate::model::policy::{Own, Policy};
use crate::model::state::{AnyState, Condition, HostState, State};
use crate::model::status::Status;

pub(super) trait Member: Copy + Eq {
    type State: Condition;

    fn object(self) -> Checkable;
    fn status(self, world: &World) -> &Status<Self::State>;
    fn status_mut(self, world: &mut World) -> &mut Status<Self::State>;
    fn any(state: Self::State) -> AnyState;
}

impl Member for HostId {
    type State = HostState;

    fn object(self) -> Checkable {
        Checkable::Host(self)
    }

    fn status(self, world: &World) -> &Status<HostState> {
        world.hosts.get(self.index())
    }

    fn status_mut(self, world: &mut World) -> &mut Status<HostState> {
        world.hosts.get_mut(self.index())
    }

    fn any(state: HostState) -> AnyState {
        AnyState::Host(state)
    }
}

impl Member for ServiceId {
    type State = State;

    fn object(self) -> Checkable {
        Checkable::Service(self)
    }

    fn status(self, world: &World) -> &Status<State> {
        world.services.get(self.index())
    }

    fn status_mut(self, world: &mut World) -> &mut Status<State> {
        world.services.get_mut(self.index())
    }

    fn any(state: State) -> AnyState {
        AnyState::Service(state)
    }
}

/// The parts of a definition that both kinds have.
#[derive(Clone, Copy)]
pub(super) struct Definition<'a> {
    pub(super) policy: &'a Policy,
    pub(super) own: Option<&'a Own>,
    pub(super) check: &'a Arc<Check>,
    pub(super) depends_on: &'a [Dependency],
    pub(super) is_monitored: bool,
}

impl<'a> Definition<'a> {
    pub(super) fn of(inventory: &'a Inventory, object: Checkable) -> Self {
        match object {
            Checkable::Host(id) => {
                let host = inventory.host(id);
                Self {
                    policy: &host.policy,
                    own: host.own.as_deref(),
                    check: &host.check,
                    depends_on: &host.depends_on,
                    is_monitored: host.is_monitored,
                }
            }
            Checkable::Service(id) => {
                let service = inventory.service(id);
                Self {
                    policy: &service.policy,
                    own: service.own.as_deref(),
                    check: &service.check,
                    depends_on: &service.depends_on,
                    is_monitored: inventory.host(service.host).is_monitored,
                }
            }
        }
    }

    /// There is something to look at, and be it only that nobody wants to know.
    pub(super) fn has_active_check(&self) -> bool {
        match self.check.method {
            CheckMethod::BuiltIn(_) | CheckMethod::Plugin(_) | CheckMethod::AssumedUp => self.is_monitored,
            CheckMethod::Passive { .. } => false,
        }
    }

    pub(super) fn is_assumed_up(&self) -> bool {
        matches!(self.check.method, CheckMethod::AssumedUp)
    }

    pub(super) fn max_check_attempts<S: Condition>(&self, status: &Status<S>) -> u16 {
        status.switches.max_check_attempts.unwrap_or(self.policy.max_check_attempts).max(1)
    }

    pub(super) fn may_be_checked<S: Condition>(&self, status: &Status<S>) -> bool {
        self.has_active_check() && status.switches.active_checks.unwrap_or(self.policy.active_checks)
    }

    pub(super) fn accepts_passive<S: Condition>(&self, status: &Status<S>) -> bool {
        status.switches.passive_checks.unwrap_or(self.policy.passive_checks)
    }

    pub(super) fn detects_flapping<S: Condition>(&self, status: &Status<S>) -> bool {
        status.switches.flap_detection.unwrap_or(self.policy.flapping.enabled)
    }
}

/// What the engine asks of a status whose kind it does not know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    pub(super) state: AnyState,
    pub(super) is_hard: bool,
    pub(super) has_been_checked: bool,
    pub(super) is_problem: bool,
    pub(super) in_downtime: bool,
    pub(super) is_acknowledged: bool,
    pub(super) is_flapping: bool,
}

impl World {
    pub(super) fn glance(&self, object: Checkable) -> Glance {
        fn of<M: Member>(id: M, world: &World) -> Glance {
            let status = id.status(world);
            Glance {
                state: M::any(status.state()),
                is_hard: status.standing.state_type == crate::model::state::StateType::Hard,
                has_been_checked: status.has_been_checked,
                is_problem: status.is_problem(),
                in_downtime: status.downtime_depth > 0,
                is_acknowledged: status.acknowledgement.is_some(),
                is_flapping: status.is_flapping,
            }
        }
        match object {
            Checkable::Host(id) => of(id, self),
            Checkable::Service(id) => of(id, self),
        }
    }
}
