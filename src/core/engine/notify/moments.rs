//! When a message is offered: with a result, at the end of what held it, and at the object's own time.

use std::sync::Arc;
use std::time::Duration;

use super::super::member::Member;
use super::super::result::Change;
use super::super::timers::Timer;
use super::super::transition::Transition;
use super::super::{Engine, tell};
use super::Offer;
use crate::model::downtime::Downtime;
use crate::model::event::{DowntimeEnd, Event, What};
use crate::model::id::{Checkable, HostId};
use crate::model::message::MessageKind;
use crate::model::notification::Hold;
use crate::model::operation::Refusal;
use crate::model::time::Timestamp;

/// What a person set free is looked at with the next result, and no later than this: there is time to think
/// twice, and what nobody checks is not forgotten.
const SOON: Duration = Duration::from_secs(60);

/// A check that was asked for has come back by then, or does not run.
const LONGEST_LOOK: Duration = Duration::from_secs(300);

impl Engine {
    /// After a result, before its handler: the problem, its repeat, or its end.
    pub(in crate::engine) fn offer_after_result<M: Member>(
        &mut self,
        id: M,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if change.transition != Transition::Steady {
            self.begin_anew(id, change.state.is_problem());
        }
        if change.is_hard_problem {
            self.offer_of(id, &Offer::new(MessageKind::Problem), now, events);
        } else if !change.state.is_problem() && id.status(&self.world).notification.told.is_some() {
            self.offer_of(id, &Offer::new(MessageKind::Recovery), now, events);
        }
    }

    /// Another state is news, whenever the last message was.
    fn begin_anew<M: Member>(&mut self, id: M, is_problem: bool) {
        let status = &id.status(&self.world).notification;
        let waits = status.held.as_ref().is_some_and(|held| matches!(held.hold, Hold::HostVerdict { .. }));
        let keeps = is_problem && waits;
        let is_clean = status.next.is_none()
            && !status.no_more
            && status.again.is_none()
            && (status.held.is_none() || keeps);
        if is_clean {
            return;
        }
        let status = &mut id.status_mut(&mut self.world).notification;
        (status.next, status.no_more, status.again) = (None, false, None);
        if !keeps {
            status.held = None;
        }
    }

    /// Whatever may be due, after something that held it ended.
    pub(in crate::engine) fn offer_again(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if !self.world.may_have_news(object) {
            return;
        }
        let is_problem = self.world.glance(object).is_problem;
        let kind = if is_problem { MessageKind::Problem } else { MessageKind::Recovery };
        self.offer(object, &Offer::new(kind), now, events);
    }

    /// The object's own time has come. A timer that was set before and no longer counts says another time.
    pub(in crate::engine) fn notification_is_due(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if self.world.notification(object).again.is_none_or(|again| again > now) {
            return;
        }
        self.set_again(object, None);
        self.offer_again(object, now, events);
    }

    fn set_again(&mut self, object: Checkable, again: Option<Timestamp>) {
        match object {
            Checkable::Host(id) => self.look_at(id, again),
            Checkable::Service(id) => self.look_at(id, again),
        }
    }

    /// With the next result, and soon in any case.
    pub(in crate::engine) fn look_soon(&mut self, object: Checkable, now: Timestamp) {
        if self.world.may_have_news(object) {
            let soon = now.after(SOON);
            let again = self.world.notification(object).again;
            self.set_again(object, Some(again.map_or(soon, |again| again.min(soon))));
        }
    }

    /// With the next result; soon only where none is to be expected.
    pub(in crate::engine) fn look_soon_if_unchecked(&mut self, object: Checkable, now: Timestamp) {
        let slot = self.agenda.slot(object);
        if slot.due.is_none() && slot.running.is_none() {
            self.look_soon(object, now);
        }
    }

    /// After a restart or a reload: what is to come follows from the status.
    pub(in crate::engine) fn restore_notification(&mut self, object: Checkable) {
        let status = self.world.notification(object);
        let waits = status.held.as_ref().is_some_and(|held| matches!(held.hold, Hold::HostVerdict { .. }));
        if let Some(again) = status.again {
            self.timers.set(again, Timer::Notification(object));
        }
        if waits {
            self.note_waiting(object);
        }
    }

    /// Asks after the hosts whose verdict a message waits for.
    pub(super) fn await_verdict(&mut self, object: Checkable, now: Timestamp) {
        self.note_waiting(object);
        for host in self.hosts_in_doubt(object) {
            if !self.world.host_is_bad(host) && self.is_looked_at(host) {
                self.demand(Checkable::Host(host), now, false);
            }
        }
    }

    fn note_waiting(&mut self, object: Checkable) {
        for host in self.hosts_in_doubt(object) {
            self.index.waiting.entry(host).or_default().insert(object);
        }
    }

    fn hosts_in_doubt(&self, object: Checkable) -> Vec<HostId> {
        match object {
            Checkable::Host(id) => self.world.inventory.host(id).parents.clone(),
            Checkable::Service(id) => vec![self.world.inventory.service(id).host],
        }
    }

    /// A result of a host: what waited for it need wait no longer.
    pub(in crate::engine) fn verdict_came(&mut self, host: HostId, now: Timestamp, events: &mut Vec<Event>) {
        let Some(waiting) = self.index.waiting.remove(&host) else { return };
        for object in waiting {
            let held = self.world.notification(object).held.as_ref();
            if held.is_some_and(|held| matches!(held.hold, Hold::HostVerdict { .. })) {
                self.offer_again(object, now, events);
            }
        }
    }

    /// A host is up again. Its services speak with their next result, and those that nobody checks for
    /// themselves.
    pub(in crate::engine) fn host_is_back(&mut self, host: HostId, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        for service in &inventory.host(host).services {
            self.look_soon_if_unchecked(Checkable::Service(*service), now);
        }
    }

    /// Told before it counts, so that it does not hold its own message.
    pub(in crate::engine) fn offer_downtime_start(
        &mut self,
        object: Option<Checkable>,
        downtime: &Downtime,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(object) = object else { return };
        if !self.world.glance(object).in_downtime {
            let Downtime { author, comment, id, .. } = downtime;
            self.offer(object, &Offer::by(MessageKind::DowntimeStart, author, comment, id.0), now, events);
        }
    }

    /// The last downtime of an object is over: its end is told, and then what it held back.
    pub(in crate::engine) fn downtime_is_over(
        &mut self,
        object: Checkable,
        downtime: &Downtime,
        how: DowntimeEnd,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if self.world.glance(object).in_downtime {
            return;
        }
        let kind = match how {
            DowntimeEnd::Over | DowntimeEnd::Unused => MessageKind::DowntimeEnd,
            DowntimeEnd::Cancelled => MessageKind::DowntimeCancelled,
        };
        let Downtime { author, comment, id, .. } = downtime;
        self.offer(object, &Offer::by(kind, author, comment, id.0), now, events);
        let inventory = Arc::clone(&self.world.inventory);
        let services = match object {
            Checkable::Host(id) => inventory.host(id).services.as_slice(),
            Checkable::Service(_) => &[],
        };
        let held = std::iter::once(object).chain(services.iter().copied().map(Checkable::Service));
        for object in held.filter(|object| self.world.may_have_news(*object)).collect::<Vec<_>>() {
            match how {
                DowntimeEnd::Cancelled => self.look_soon(object, now),
                DowntimeEnd::Over | DowntimeEnd::Unused => self.look_afresh(object, now, events),
            }
        }
    }

    /// A problem that outlasted its downtime is checked at once, and what that says is told. Ends of problems and
    /// what nobody checks are told as they stand.
    fn look_afresh(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        let is_behind = matches!(object, Checkable::Service(_))
            && self.world.host_is_bad(self.world.inventory.host_of(object));
        let is_problem = self.world.glance(object).is_problem;
        if is_problem && !is_behind && self.demand(object, now, false) {
            self.set_again(object, Some(now.after(LONGEST_LOOK)));
        } else {
            self.offer_again(object, now, events);
        }
    }

    /// Messages about everything, on or off.
    pub(in crate::engine) fn switch_notifications(
        &mut self,
        on: bool,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        self.world.records.notifications_off = !on;
        tell(events, now, What::NotificationsSwitched { on, author });
        if !on {
            return;
        }
        let inventory = Arc::clone(&self.world.inventory);
        let hosts = inventory.host_ids().map(Checkable::Host);
        for object in hosts.chain(inventory.service_ids().map(Checkable::Service)) {
            let held = self.world.notification(object).held.as_ref();
            if held.is_some_and(|held| held.hold == Hold::AllOff) {
                self.look_soon(object, now);
            }
            self.wake_rules(object, now);
        }
    }

    /// No repeat before `until`; a change of state ends this.
    pub(in crate::engine) fn delay_notification(
        &mut self,
        object: Checkable,
        until: Timestamp,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let subject = self.world.inventory.key(object);
        if !self.world.glance(object).is_problem {
            return Err(Refusal::NoProblem(subject));
        }
        let set = |status: &mut crate::model::status::NotificationStatus| status.next = Some(until);
        match object {
            Checkable::Host(id) => set(&mut id.status_mut(&mut self.world).notification),
            Checkable::Service(id) => set(&mut id.status_mut(&mut self.world).notification),
        }
        tell(events, now, What::NotificationDelayed { subject, until, author });
        self.offer_again(object, now, events);
        Ok(())
    }
}
