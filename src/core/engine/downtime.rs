//! Planned time: fixed, flexible, triggered. Start, end, cancel. (`nagios-notifications.md` 7.1)
//!
//! A downtime changes nothing but who is told: checks, states and alarms go on. Recurring ones from the files
//! come with the issue on notifications.

use std::sync::Arc;

use super::member::Member;
use super::timers::Timer;
use super::{Engine, tell};
use crate::model::downtime::{Downtime, DowntimeKind};
use crate::model::event::{DowntimeEnd, Event, What};
use crate::model::id::{Checkable, DowntimeId};
use crate::model::operation::Refusal;
use crate::model::time::Timestamp;

impl Engine {
    pub(super) fn schedule_downtime(
        &mut self,
        object: Checkable,
        mut downtime: Downtime,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if downtime.start >= downtime.end {
            return Err(Refusal::Reversed);
        }
        if downtime.end <= now {
            return Err(Refusal::Past);
        }
        if matches!(downtime.kind, DowntimeKind::Flexible(span) if span.is_zero()) {
            return Err(Refusal::Invalid("a flexible downtime needs a duration".to_owned()));
        }
        if let Some(trigger) = downtime.triggered_by {
            self.downtime(trigger)?;
        }
        let next = &mut self.world.records.next.downtime;
        downtime.id = DowntimeId(*next);
        *next += 1;
        self.index.downtimes.entry(object).or_default().push(downtime.id);
        self.set_downtime_timers(&downtime, now);
        tell(events, now, What::DowntimeScheduled(downtime.clone()));
        self.put_downtime(downtime);
        Ok(())
    }

    pub(super) fn cancel_downtime(
        &mut self,
        id: DowntimeId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        self.downtime(id)?;
        self.end_downtime(id, DowntimeEnd::Cancelled, now, events);
        Ok(())
    }

    /// Also after a restart or a reload: what is to come of a downtime follows from its record.
    pub(super) fn set_downtime_timers(&mut self, downtime: &Downtime, now: Timestamp) {
        if downtime.is_in_effect() {
            self.timers.set(downtime.until(), Timer::DowntimeEnd(downtime.id));
            return;
        }
        self.timers.set(downtime.end, Timer::DowntimeEnd(downtime.id));
        let trigger_runs = downtime
            .triggered_by
            .is_some_and(|id| self.downtime(id).is_ok_and(|trigger| trigger.is_in_effect()));
        if downtime.triggered_by.is_none() || trigger_runs {
            self.timers.set(downtime.start.max(now), Timer::DowntimeStart(downtime.id));
        }
    }

    /// Its window opened. A flexible one begins if the problem is there already.
    pub(super) fn downtime_is_to_start(&mut self, id: DowntimeId, now: Timestamp, events: &mut Vec<Event>) {
        let Ok(downtime) = self.downtime(id) else { return };
        let object = self.world.inventory.find(&downtime.subject);
        let is_wanted = match downtime.kind {
            DowntimeKind::Fixed => true,
            DowntimeKind::Flexible(_) => {
                downtime.triggered_by.is_some()
                    || object.is_some_and(|object| self.world.glance(object).is_problem)
            }
        };
        if is_wanted && !downtime.is_in_effect() && downtime.end > now {
            self.start_downtime(id, now, events);
        }
    }

    /// Within the processing of the bad result, so that nobody is told before the downtime counts.
    pub(super) fn start_flexible_downtimes(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(ids) = self.index.downtimes.get(&object) else { return };
        for id in ids.clone() {
            let is_due = self.downtime(id).is_ok_and(|downtime| {
                matches!(downtime.kind, DowntimeKind::Flexible(_))
                    // R8: a triggered one never starts on its own.
                    && downtime.triggered_by.is_none()
                    && !downtime.is_in_effect()
                    && downtime.start <= now
                    && now < downtime.end
            });
            if is_due {
                self.start_downtime(id, now, events);
            }
        }
    }

    fn start_downtime(&mut self, id: DowntimeId, now: Timestamp, events: &mut Vec<Event>) {
        let Ok(downtime) = self.downtime(id) else { return };
        let mut downtime = Downtime::clone(downtime);
        let object = self.world.inventory.find(&downtime.subject);
        self.offer_downtime_start(object, &downtime, now, events);
        downtime.started = Some(now);
        self.timers.set(downtime.until(), Timer::DowntimeEnd(id));
        let subject = downtime.subject.clone();
        self.put_downtime(downtime);
        self.change_depth(object, 1);
        tell(events, now, What::DowntimeStarted { id, subject });
        for triggered in self.triggered_by(id) {
            if self.downtime(triggered).is_ok_and(|downtime| !downtime.is_in_effect()) {
                self.start_downtime(triggered, now, events);
            }
        }
    }

    pub(super) fn downtime_is_to_end(&mut self, id: DowntimeId, now: Timestamp, events: &mut Vec<Event>) {
        let Ok(downtime) = self.downtime(id) else { return };
        if downtime.until() > now {
            return;
        }
        let how = match downtime.kind {
            DowntimeKind::Flexible(_) if !downtime.is_in_effect() => DowntimeEnd::Unused,
            DowntimeKind::Flexible(_) | DowntimeKind::Fixed => DowntimeEnd::Over,
        };
        self.end_downtime(id, how, now, events);
    }

    /// Ends it and what it triggered.
    pub(super) fn end_downtime(
        &mut self,
        id: DowntimeId,
        how: DowntimeEnd,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(downtime) = Arc::make_mut(&mut self.world.records.downtimes).remove(&id) else { return };
        let subject = downtime.subject.clone();
        let object = self.world.inventory.find(&subject);
        if let Some(ids) = object.and_then(|object| self.index.downtimes.get_mut(&object)) {
            ids.retain(|other| *other != id);
        }
        if downtime.is_in_effect() {
            self.change_depth(object, -1);
        }
        tell(events, now, What::DowntimeEnded { id, subject, how });
        for triggered in self.triggered_by(id) {
            self.end_downtime(triggered, how, now, events);
        }
        if let Some(object) = object {
            if downtime.is_in_effect() {
                self.downtime_is_over(object, &downtime, how, now, events);
            }
            self.wake_rules(object, now);
            if let Checkable::Host(host) = object {
                let inventory = Arc::clone(&self.world.inventory);
                for service in &inventory.host(host).services {
                    self.wake_rules(Checkable::Service(*service), now);
                }
            }
        }
    }

    fn downtime(&self, id: DowntimeId) -> Result<&Arc<Downtime>, Refusal> {
        let found = self.world.records.downtimes.get(&id);
        found.ok_or(Refusal::UnknownRecord { what: "downtime", id: id.0 })
    }

    fn put_downtime(&mut self, downtime: Downtime) {
        let downtimes = Arc::make_mut(&mut self.world.records.downtimes);
        downtimes.insert(downtime.id, Arc::new(downtime));
    }

    fn triggered_by(&self, id: DowntimeId) -> Vec<DowntimeId> {
        let downtimes = self.world.records.downtimes.values();
        downtimes.filter(|downtime| downtime.triggered_by == Some(id)).map(|downtime| downtime.id).collect()
    }

    fn change_depth(&mut self, object: Option<Checkable>, by: i16) {
        let Some(object) = object else { return };
        self.counted(object, |world| {
            let depth = match object {
                Checkable::Host(id) => &mut id.status_mut(world).downtime_depth,
                Checkable::Service(id) => &mut id.status_mut(world).downtime_depth,
            };
            *depth = depth.saturating_add_signed(by);
        });
    }
}
