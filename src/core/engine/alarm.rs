//! A confirmed problem raises one alarm, its repetitions count, its recovery closes it. Never a second for the
//! same problem, not even after a person closed the first.

use std::sync::Arc;
use std::time::Duration;

use super::member::Definition;
use super::result::Change;
use super::transition::Transition;
use super::{Engine, tell};
use crate::model::alarm::{Alarm, AlarmStatus};
use crate::model::check::Output;
use crate::model::event::{Event, What};
use crate::model::id::{AlarmId, Checkable, HostId, ProblemId};
use crate::model::operation::Refusal;
use crate::model::state::{AnyState, HostState, State};
use crate::model::suppression::FALSE_POSITIVE;
use crate::model::time::Timestamp;

/// Repetition alone is told no more often than this.
const QUIET: Duration = Duration::from_secs(60);

/// 0 to 10; also where the priority of a ticket starts from (`ossim-tickets.md` 8.4).
pub(super) fn severity(state: AnyState) -> u8 {
    match state {
        AnyState::Host(HostState::Down) => 8,
        AnyState::Service(State::Critical) => 7,
        AnyState::Service(State::Warning) => 4,
        AnyState::Service(State::Unknown) => 3,
        // The parent has it.
        AnyState::Host(HostState::Unreachable) => 0,
        AnyState::Host(HostState::Up) | AnyState::Service(State::Ok) => 0,
    }
}

fn alarm_has(alarm: &Alarm, label: &str) -> bool {
    alarm.labels.iter().any(|one| **one == *label)
}

/// A silence that is over before it begins is a slip.
pub(super) fn check_expiry(expires: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    match expires {
        Some(at) if at <= now => Err(Refusal::Past),
        Some(_) | None => Ok(()),
    }
}

impl Engine {
    /// Everything that follows from a result that was not simply good again.
    pub(super) fn follow_up(
        &mut self,
        object: Checkable,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if !change.state.is_problem() {
            self.close_alarm_on_recovery(object, now, events);
            self.end_acts(object, now, events);
            if change.transition == Transition::HardRecovery || self.has_open_ticket(object) {
                self.note_recovery(object, now, events);
            } else {
                self.wait_for_closing(object, now);
            }
            return;
        }
        if change.is_hard_problem {
            self.raise_alarm(object, change, now, events);
            self.note_return(object, now, events);
        } else if self.is_last_attempt(object) {
            self.ask_for_masters(object, now);
        }
        self.consider_rules(object, now, events);
    }

    /// Opens the alarm of the problem, or counts one more bad result.
    fn raise_alarm(&mut self, object: Checkable, change: Change, now: Timestamp, events: &mut Vec<Event>) {
        let Some(id) = self.index.alarms.get(&object).copied() else {
            return self.open_alarm(object, change.state, now, events);
        };
        let root = self.world.root_cause(object);
        let output = self.result_of(object);
        let Some(alarm) = self.alarm_mut(id).filter(|alarm| alarm.status == AlarmStatus::Open) else {
            return;
        };
        let is_other = alarm.state != change.state;
        let is_news = is_other || alarm.root != root;
        (alarm.state, alarm.severity, alarm.root) = (change.state, severity(change.state), root);
        if *alarm.output != *output.text {
            alarm.output = Arc::from(&*output.text);
        }
        let is_labelled = alarm_has(alarm, FALSE_POSITIVE);
        alarm.last = now;
        alarm.count = alarm.count.saturating_add(1);
        let is_due = self.index.told.get(&id).is_none_or(|told| now.since(*told) >= QUIET);
        if is_news || is_due {
            self.tell_alarm(id, now, events);
        }
        if is_other && is_labelled {
            self.show_suppression(id, now, events);
        }
    }

    fn open_alarm(&mut self, object: Checkable, state: AnyState, now: Timestamp, events: &mut Vec<Event>) {
        let Some(problem) = self.problem_of(object) else { return };
        // A host behind a dead parent is an event and not an alarm: its parent has one.
        if state == AnyState::Host(HostState::Unreachable) {
            return;
        }
        let suppressed_by = self.suppressed_by(object);
        let inventory = &self.world.inventory;
        let next = &mut self.world.records.next.alarm;
        let id = AlarmId(*next);
        *next += 1;
        let alarm = Alarm {
            id,
            subject: inventory.key(object),
            problem,
            status: AlarmStatus::Open,
            state,
            severity: severity(state),
            asset_value: inventory.host(inventory.host_of(object)).asset_value,
            first: now,
            last: now,
            count: 1,
            output: Arc::from(&*self.result_of(object).text),
            closed: None,
            ticket: None,
            root: self.world.root_cause(object),
            owner: None,
            labels: suppressed_by.iter().map(|_| FALSE_POSITIVE.into()).collect(),
        };
        self.index.alarms.insert(object, id);
        self.index.told.insert(id, now);
        tell(events, now, What::AlarmOpened(alarm.clone()));
        Arc::make_mut(&mut self.world.records.alarms).insert(id, Arc::new(alarm));
        if let Some(suppression) = suppressed_by {
            self.count_suppressed(suppression, now, events);
        }
    }

    pub(super) fn close_alarm_on_recovery(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(id) = self.index.alarms.remove(&object) else { return };
        self.drop_alarm(id, now, events);
    }

    /// Out of the world; told as closed unless a person had closed it before.
    pub(super) fn drop_alarm(&mut self, id: AlarmId, now: Timestamp, events: &mut Vec<Event>) {
        self.index.told.remove(&id);
        let Some(alarm) = Arc::make_mut(&mut self.world.records.alarms).remove(&id) else { return };
        if alarm.status == AlarmStatus::Open {
            let mut alarm = Arc::unwrap_or_clone(alarm);
            (alarm.status, alarm.closed) = (AlarmStatus::Closed, Some(now));
            tell(events, now, What::AlarmClosed(alarm));
        }
    }

    /// A host that is confirmed down explains the alarms of its services; one that is back does no more.
    pub(super) fn blame_host(&mut self, id: HostId, change: Change, now: Timestamp, events: &mut Vec<Event>) {
        if change.transition == Transition::Steady {
            return;
        }
        let inventory = Arc::clone(&self.world.inventory);
        for service in inventory.host(id).services.iter().copied().map(Checkable::Service) {
            let Some(alarm) = self.index.alarms.get(&service).copied() else { continue };
            let root = self.world.root_cause(service);
            if let Some(open) = self.alarm_mut(alarm).filter(|open| open.root != root) {
                open.root = root;
                self.tell_alarm(alarm, now, events);
            }
        }
    }

    pub(super) fn alarm_of(&self, object: Checkable) -> Option<AlarmId> {
        let id = self.index.alarms.get(&object)?;
        let alarm = self.world.records.alarms.get(id)?;
        (alarm.status == AlarmStatus::Open).then_some(alarm.id)
    }

    pub(super) fn tell_alarm(&mut self, id: AlarmId, now: Timestamp, events: &mut Vec<Event>) {
        if let Some(alarm) = self.world.records.alarms.get(&id) {
            tell(events, now, What::AlarmChanged(Alarm::clone(alarm)));
            self.index.told.insert(id, now);
        }
    }

    pub(super) fn alarm_mut(&mut self, id: AlarmId) -> Option<&mut Alarm> {
        Arc::make_mut(&mut self.world.records.alarms).get_mut(&id).map(Arc::make_mut)
    }

    pub(super) fn open_alarm_mut(&mut self, id: AlarmId) -> Result<&mut Alarm, Refusal> {
        let open = self.alarm_mut(id).filter(|alarm| alarm.status == AlarmStatus::Open);
        open.ok_or(Refusal::UnknownRecord { what: "open alarm", id: id.0 })
    }

    pub(super) fn problem_of(&self, object: Checkable) -> Option<ProblemId> {
        match object {
            Checkable::Host(id) => self.world.host(id).problem,
            Checkable::Service(id) => self.world.service(id).problem,
        }
    }

    pub(super) fn result_of(&self, object: Checkable) -> Arc<Output> {
        Arc::clone(match object {
            Checkable::Host(id) => &self.world.host(id).output,
            Checkable::Service(id) => &self.world.service(id).output,
        })
    }

    /// One more bad result confirms it.
    fn is_last_attempt(&self, object: Checkable) -> bool {
        let definition = Definition::of(&self.world.inventory, object);
        let (attempt, max) = match object {
            Checkable::Host(id) => {
                let status = self.world.host(id);
                (status.standing.attempt, definition.max_check_attempts(status))
            }
            Checkable::Service(id) => {
                let status = self.world.service(id);
                (status.standing.attempt, definition.max_check_attempts(status))
            }
        };
        attempt + 1 == max
    }
}
