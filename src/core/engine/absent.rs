//! Objects that the configuration lost: remembered for a while, taken up again when they come back, then forgotten.
//!
//! A mount that is away, a file that is half written or a slip of the editor looks just like a deletion. So nothing that
//! was known or done is given up before [`REMEMBERED`] is over; only the alarm closes at once, and opens again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::timers::Timer;
use super::world::{Absent, REMEMBERED};
use super::{Engine, tell};
use crate::model::alarm::AlarmStatus;
use crate::model::event::{DowntimeEnd, Event, What};
use crate::model::id::{AlarmId, ObjectKey};
use crate::model::time::Timestamp;

/// What a new inventory meant for those that were absent, and for those that are now.
#[derive(Debug, Default)]
pub(super) struct Absence {
    /// Absent from now on.
    pub(super) gone: BTreeMap<ObjectKey, Absent>,
    /// Absent before and still.
    pub(super) still: BTreeMap<ObjectKey, Absent>,
    /// Back, under the names of today, with the time since when they were away.
    pub(super) back: BTreeMap<ObjectKey, Timestamp>,
}

impl Engine {
    /// Remembers who is away, and closes and opens alarms accordingly.
    pub(super) fn take_absence(&mut self, absence: Absence, now: Timestamp, events: &mut Vec<Event>) {
        let Absence { gone, still, back } = absence;
        for subject in back.keys() {
            tell(events, now, What::ObjectReturned { subject: subject.clone() });
        }
        for subject in gone.keys() {
            tell(events, now, What::ObjectRemoved { subject: subject.clone() });
        }
        let mut absent = still;
        absent.extend(gone);
        self.world.records.absent = Arc::new(absent);
        self.close_alarms_of_absent(events);
        self.reopen_alarms(&back, now, events);
        self.set_absence_timer();
    }

    /// Closed at the moment of absence: by that they are known when the object is back.
    fn close_alarms_of_absent(&mut self, events: &mut Vec<Event>) {
        let absent = Arc::clone(&self.world.records.absent);
        if absent.is_empty() {
            return;
        }
        for alarm in Arc::make_mut(&mut self.world.records.alarms).values_mut() {
            let Some(away) = absent.get(&alarm.subject) else { continue };
            if alarm.status == AlarmStatus::Open {
                let alarm = Arc::make_mut(alarm);
                (alarm.status, alarm.closed) = (AlarmStatus::Closed, Some(away.since));
                tell(events, away.since, What::AlarmClosed(alarm.clone()));
            }
        }
    }

    fn reopen_alarms(
        &mut self,
        back: &BTreeMap<ObjectKey, Timestamp>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if back.is_empty() {
            return;
        }
        for alarm in Arc::make_mut(&mut self.world.records.alarms).values_mut() {
            let was_closed_by_absence =
                alarm.status == AlarmStatus::Closed && alarm.closed == back.get(&alarm.subject).copied();
            if was_closed_by_absence && alarm.closed.is_some() {
                let alarm = Arc::make_mut(alarm);
                (alarm.status, alarm.closed) = (AlarmStatus::Open, None);
                tell(events, now, What::AlarmOpened(alarm.clone()));
            }
        }
    }

    fn set_absence_timer(&mut self) {
        let first = self.world.records.absent.values().map(|away| away.since).min();
        if let Some(first) = first {
            self.timers.set(first.after(REMEMBERED), Timer::Absence);
        }
    }

    /// Whoever stayed away for too long is forgotten; history, alarms and tickets stay in the store.
    pub(super) fn forget_absent(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let is_over = |away: &Absent| away.since.after(REMEMBERED) <= now;
        let absent = &self.world.records.absent;
        let over: BTreeSet<ObjectKey> =
            absent.iter().filter(|(_, away)| is_over(away)).map(|(key, _)| key.clone()).collect();
        if !over.is_empty() {
            self.end_records_of(&over, now, events);
            Arc::make_mut(&mut self.world.records.absent).retain(|key, _| !over.contains(key));
            for subject in over {
                self.note_removal(&subject, now, events);
                tell(events, now, What::ObjectForgotten { subject });
            }
        }
        self.set_absence_timer();
    }

    fn end_records_of(&mut self, over: &BTreeSet<ObjectKey>, now: Timestamp, events: &mut Vec<Event>) {
        let records = &self.world.records;
        let comments = records.comments.values().filter(|comment| over.contains(&comment.subject));
        let comments: Vec<_> = comments.map(|comment| comment.id).collect();
        let downtimes = records.downtimes.values().filter(|downtime| over.contains(&downtime.subject));
        let downtimes: Vec<_> = downtimes.map(|downtime| downtime.id).collect();
        let alarms = records.alarms.values().filter(|alarm| over.contains(&alarm.subject));
        let alarms: Vec<AlarmId> = alarms.map(|alarm| alarm.id).collect();
        for id in comments {
            // It was there a moment ago.
            let _deleted = self.delete_comment(id, now, events);
        }
        for id in downtimes {
            self.end_downtime(id, DowntimeEnd::Cancelled, now, events);
        }
        for id in alarms {
            self.drop_alarm(id, now, events);
        }
    }
}
