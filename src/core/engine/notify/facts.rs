//! What a decision depends on, gathered from the world.

use super::super::Engine;
use super::super::member::{Definition, Member};
use super::super::period::Periods;
use super::audience::wants;
use super::decide::{Facts, Way};
use crate::model::id::{Checkable, HostId};
use crate::model::message::MessageKind;
use crate::model::notification::Hold;
use crate::model::policy::Policy;
use crate::model::state::{AnyState, Condition, HostState, StateType};
use crate::model::status::{NotificationStatus, Status};
use crate::model::time::Timestamp;

impl Engine {
    pub(super) fn notification_facts<M: Member>(
        &self,
        id: M,
        kind: MessageKind,
        is_forced: bool,
        now: Timestamp,
    ) -> Facts {
        let world = &self.world;
        let object = id.object();
        let definition = Definition::of(&world.inventory, object);
        let policy = definition.policy;
        let status = id.status(world);
        let told = &status.notification;
        let periods = Periods(&world.inventory.periods);
        let period = policy.notification_period;
        let is_inside = periods.is_inside(period, now);
        let is_of_problem = kind == MessageKind::Problem;
        let host = match object {
            Checkable::Host(_) => None,
            Checkable::Service(service) => Some(Checkable::Host(world.inventory.service(service).host)),
        };
        Facts {
            kind,
            is_forced,
            all_off: world.records.notifications_off,
            is_off: !status.switches.notifications.unwrap_or(true),
            outside: (!is_inside).then(|| periods.opens(period, now)),
            is_problem: status.is_problem(),
            is_hard: status.standing.state_type == StateType::Hard,
            is_wanted: is_wanted(policy, kind, M::any(status.state())),
            is_acknowledged: status.acknowledgement.is_some(),
            suppressed_by: if is_of_problem { self.suppressing_rule(object, now) } else { None },
            false_positive: if is_of_problem { self.suppressed_by(object) } else { None },
            failed_master: if is_of_problem { self.failed_master(object, now) } else { None },
            was_told: told.told.is_some(),
            first_delay: self.first_delay(status, policy),
            is_flapping: status.is_flapping,
            downtime: self.downtime_until(object),
            host_downtime: host.and_then(|host| self.downtime_until(host)),
            no_more: told.no_more,
            next: told.next,
            is_volatile: policy.volatile,
            way: if is_of_problem { self.way(id, status, now) } else { Way::Open },
        }
    }

    /// The master that holds messages of an object back, or of the host it is on.
    fn failed_master(&self, object: Checkable, now: Timestamp) -> Option<crate::model::id::ObjectKey> {
        let world = &self.world;
        let own = world.notification_blocker(object, now);
        let of_host = || match object {
            Checkable::Host(_) => None,
            Checkable::Service(id) => {
                world.notification_blocker(Checkable::Host(world.inventory.service(id).host), now)
            }
        };
        own.or_else(of_host).map(|master| world.inventory.key(master))
    }

    fn first_delay<S: Condition>(&self, status: &Status<S>, policy: &Policy) -> Option<Timestamp> {
        let delay = policy.first_notification_delay;
        if status.notification.number > 0 || delay.is_zero() {
            return None;
        }
        Some(status.last_hard_state_change.unwrap_or(self.started).after(delay))
    }

    /// In downtime, and when the last of them ends.
    fn downtime_until(&self, object: Checkable) -> Option<Option<Timestamp>> {
        if !self.world.glance(object).in_downtime {
            return None;
        }
        let ids = self.index.downtimes.get(&object).into_iter().flatten();
        let downtimes = ids.filter_map(|id| self.world.records.downtimes.get(id));
        Some(downtimes.filter(|downtime| downtime.is_in_effect()).map(|downtime| downtime.until()).max())
    }

    fn way<M: Member>(&self, id: M, status: &Status<M::State>, now: Timestamp) -> Way {
        let world = &self.world;
        let is_cut_off = |host| world.kind_of_outage(host) == HostState::Unreachable;
        let doubtful = match id.object() {
            Checkable::Service(service) => {
                let host = world.inventory.service(service).host;
                if world.host_is_bad(host) {
                    return Way::HostDown;
                }
                if is_cut_off(host) {
                    return Way::CutOff;
                }
                vec![host]
            }
            // UNREACHABLE is a state of its own, which options choose; DOWN behind parents that have failed since
            // is the same outage, which its next result says.
            Checkable::Host(_) if M::any(status.state()) != AnyState::Host(HostState::Down) => {
                return Way::Open;
            }
            Checkable::Host(host) if is_cut_off(host) => return Way::CutOff,
            Checkable::Host(host) => world.inventory.host(host).parents.clone(),
        };
        // Repeats rely on what is known; whoever hears of a problem first shall hear of the right one.
        if status.notification.number > 0 {
            return Way::Open;
        }
        match self.longest_look(&doubtful, status.last_state_change) {
            Some(span) => {
                Way::Unknown { until: waits_until(&status.notification).unwrap_or(now.after(span)) }
            }
            None => Way::Open,
        }
    }

    /// How long the checks of these hosts may take. None: one of them was seen up since, or nobody looks.
    fn longest_look(&self, hosts: &[HostId], since: Option<Timestamp>) -> Option<std::time::Duration> {
        let world = &self.world;
        let up = || hosts.iter().copied().filter(|host| !world.host_is_bad(*host));
        if up().any(|host| world.host(host).last_check >= since) {
            return None;
        }
        let looked_at = up().filter(|host| self.is_looked_at(*host));
        looked_at.map(|host| world.inventory.host(host).check.timeout).max()
    }

    pub(super) fn is_looked_at(&self, host: HostId) -> bool {
        let object = Checkable::Host(host);
        self.may_be_checked(object) && !Definition::of(&self.world.inventory, object).is_assumed_up()
    }
}

/// It waits already: one look is waited for, not one after the other.
fn waits_until(status: &NotificationStatus) -> Option<Timestamp> {
    let Hold::HostVerdict { until } = status.held.as_ref()?.hold else { return None };
    Some(until)
}

fn is_wanted(policy: &Policy, kind: MessageKind, state: AnyState) -> bool {
    let options = policy.notification_options;
    match kind {
        MessageKind::Problem | MessageKind::Recovery => wants(options, state),
        MessageKind::FlappingStart | MessageKind::FlappingStop | MessageKind::FlappingDisabled => {
            options.flapping
        }
        MessageKind::DowntimeStart | MessageKind::DowntimeEnd | MessageKind::DowntimeCancelled => {
            options.downtime
        }
        MessageKind::Acknowledgement | MessageKind::Custom | MessageKind::Handler | MessageKind::Test => true,
    }
}
