//! When a check is due: after a result, on demand, at the start, after the clock jumped, and whether it may run
//! when its time comes. (`nagios-states.md` 6)

use std::sync::Arc;
use std::time::Duration;

use super::agenda::{Slot, in_phase, phase};
use super::member::{Definition, Member};
use super::period::Periods;
use super::result::Change;
use super::{Engine, tell};
use crate::model::check::{CheckResult, Job, Output, Source, Unchecked, Verdict};
use crate::model::event::{Event, What};
use crate::model::id::{Checkable, HostId, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::state::{HostState, State, StateType};
use crate::model::time::Timestamp;

/// Between two checks when an object has no interval of its own and its check could not run.
const RELUCTANT: Duration = Duration::from_secs(300);
/// First checks come no denser than this, however few intervals would allow it.
const APART: Duration = Duration::from_millis(20);
/// A step of the clock that is a jump and not a busy moment.
const JUMP: Duration = Duration::from_secs(60);
/// Nothing begins in the last minute of a period.
const LAST_MINUTE: Duration = Duration::from_secs(60);

impl Engine {
    /// The next check that is due and may run; it counts as running until its result comes. Looking for it can
    /// change what the world shows ([`Self::was_touched`]).
    pub fn take_due(&mut self, now: Timestamp) -> Option<Job> {
        self.observe(now);
        loop {
            let (object, slot) = self.agenda.pop(now)?;
            match self.hindrance(object, &slot, now) {
                None if Definition::of(&self.world.inventory, object).is_assumed_up() => {
                    self.assume_up(object, slot, now);
                }
                None => return Some(self.start(object, slot)),
                Some(hindrance) => {
                    if let Hindrance::Until(later, why) = hindrance {
                        self.agenda.plan(object, Some(later));
                        let mut events = std::mem::take(&mut self.waiting);
                        self.note_unchecked(object, Some(why), now, &mut events);
                        self.waiting = events;
                    }
                    self.show_plan(object);
                    self.is_touched = true;
                }
            }
        }
    }

    /// The clock jumped: planned checks move with it, so that neither a thousand are late at once nor all wait.
    /// A check that is due about now or within its interval stays, so being told twice of one jump does no harm.
    pub fn shift(&mut self, by_micros: i64, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        self.agenda.move_all(|object, due| {
            let policy = Definition::of(&inventory, object).policy;
            let span = policy.check_interval.max(policy.retry_interval);
            let fits = |due: Timestamp| due.after(JUMP) >= now && due <= now.after(span);
            let moved = Timestamp::from_micros(due.as_micros().saturating_add(by_micros));
            if fits(due) {
                due
            } else if fits(moved) {
                moved
            } else {
                now.after(phase(hash_of(&inventory, object), span))
            }
        });
        for id in inventory.host_ids() {
            self.show_plan(Checkable::Host(id));
        }
        for id in inventory.service_ids() {
            self.show_plan(Checkable::Service(id));
        }
        self.is_touched = true;
        self.seen = now;
    }

    /// Notices a clock that went back, or a sleep that nobody told us of.
    pub(super) fn observe(&mut self, now: Timestamp) {
        let jump = now.as_micros().saturating_sub(self.seen.as_micros());
        if now.after(JUMP) < self.seen {
            self.shift(jump, now);
        } else if now > self.seen.after(JUMP) {
            // Being late is not a jump, having been asleep since before the next check was due is.
            let expected = self.agenda.next_due().map_or(now, |due| due.max(self.seen));
            if expected.after(JUMP) < now {
                self.shift(now.as_micros().saturating_sub(expected.as_micros()), now);
            }
        }
        self.seen = now;
    }

    /// `check: off`: the check that asks nobody. What it leads to is told with the next step.
    pub(super) fn assume_up(&mut self, object: Checkable, slot: Slot, now: Timestamp) {
        let Checkable::Host(id) = object else { return };
        *self.agenda.slot_mut(object) =
            Slot { running: slot.due, ran_off_phase: slot.is_off_phase, ..Slot::default() };
        let result = CheckResult {
            key: self.world.inventory.key(object),
            place: None,
            verdict: Verdict::State(State::Ok),
            output: Output::line("not checked, taken as UP"),
            started: now,
            finished: now,
            latency: Duration::ZERO,
            source: Source::Active,
        };
        let mut events = std::mem::take(&mut self.waiting);
        self.fold_host(id, HostState::Up, &result, now, &mut events);
        self.waiting = events;
        self.is_touched = true;
    }

    fn start(&mut self, object: Checkable, slot: Slot) -> Job {
        self.unchecked.remove(&object);
        let due = slot.due.expect("what the agenda pops was due");
        *self.agenda.slot_mut(object) =
            Slot { running: Some(due), ran_off_phase: slot.is_off_phase, ..Slot::default() };
        let inventory = &self.world.inventory;
        let host = inventory.host(inventory.host_of(object));
        let (service, check) = match object {
            Checkable::Host(_) => (None, &host.check),
            Checkable::Service(id) => {
                let service = inventory.service(id);
                (Some(service.name.clone()), &service.check)
            }
        };
        Job {
            object,
            generation: self.generation,
            host: host.name.clone(),
            service,
            address: Arc::clone(&host.address),
            check: Arc::clone(check),
            due,
            is_host_check: matches!(object, Checkable::Host(_)),
        }
    }

    /// Why a check does not run now. The order is Nagios' (6.4).
    fn hindrance(&self, object: Checkable, slot: &Slot, now: Timestamp) -> Option<Hindrance> {
        let definition = Definition::of(&self.world.inventory, object);
        if !definition.has_active_check() {
            return Some(Hindrance::Off);
        }
        if slot.is_forced {
            return None;
        }
        if !self.may_be_checked(object) {
            return Some(Hindrance::Off);
        }
        let policy = definition.policy;
        let wait = if policy.check_interval.is_zero() { RELUCTANT } else { policy.check_interval };
        let periods = Periods(&self.world.inventory.periods);
        if !periods.is_inside(policy.check_period, now) {
            let opening = self.fit_in_period(object, &definition, now);
            let why = Unchecked::OutsidePeriod { opens: periods.opens(policy.check_period, now) };
            // A period that never opens again: look whether it does, and no more often than we would check.
            return Some(Hindrance::Until(if opening > now { opening } else { now.after(wait) }, why));
        }
        if let Some(master) = self.world.execution_blocker(object, now) {
            let is_soft = !self.world.glance(object).is_hard;
            let why = Unchecked::Dependency { on: self.world.inventory.key(master) };
            return Some(Hindrance::Until(
                now.after(if is_soft { policy.retry_interval } else { wait }),
                why,
            ));
        }
        None
    }

    /// Says once why an object is not checked; none: it is.
    pub(super) fn note_unchecked(
        &mut self,
        object: Checkable,
        why: Option<Unchecked>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(why) = why else {
            self.unchecked.remove(&object);
            return;
        };
        if self.unchecked.get(&object) == Some(&why) {
            return;
        }
        let subject = self.world.inventory.key(object);
        tell(events, now, What::CheckHeld { subject, why: why.clone() });
        self.unchecked.insert(object, why);
    }

    /// The next check had to wait for its period.
    fn waits_for_period(&self, definition: &Definition<'_>, from: Timestamp) -> Option<Unchecked> {
        let periods = Periods(&self.world.inventory.periods);
        let period = definition.policy.check_period;
        let opens = periods.opens(period, from);
        (!periods.is_inside(period, from)).then_some(Unchecked::OutsidePeriod { opens })
    }

    pub(super) fn may_be_checked(&self, object: Checkable) -> bool {
        let definition = Definition::of(&self.world.inventory, object);
        match object {
            Checkable::Host(id) => definition.may_be_checked(self.world.host(id)),
            Checkable::Service(id) => definition.may_be_checked(self.world.service(id)),
        }
    }

    /// After an active result. Passive ones never touch the plan.
    pub(super) fn plan_after_result<M: Member>(
        &mut self,
        id: M,
        definition: &Definition<'_>,
        started: Timestamp,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let object = id.object();
        let ran = *self.agenda.slot(object);
        let status = id.status(&self.world);
        let policy = definition.policy;
        let due = if !definition.may_be_checked(status) {
            None
        } else if status.standing.state_type == StateType::Soft {
            Some(now.after(policy.retry_interval))
        } else if policy.check_interval.is_zero() {
            None
        } else {
            Some(self.regular(object, ran, policy.check_interval, started).max(now))
        };
        let held = due.and_then(|due| self.waits_for_period(definition, due));
        let due = due.map(|due| self.fit_in_period(object, definition, due));
        if held.is_some() {
            self.note_unchecked(object, held, now, events);
        }
        self.agenda.slot_mut(object).running = None;
        self.agenda.plan(object, due);
        id.status_mut(&mut self.world).next_check = due;
    }

    /// One interval after the check was due, so that being a little late now and then does not add up; after
    /// one out of turn, back in its own phase.
    fn regular(&self, object: Checkable, ran: Slot, interval: Duration, started: Timestamp) -> Timestamp {
        match ran.running {
            Some(_) if ran.ran_off_phase => {
                let name = hash_of(&self.world.inventory, object);
                in_phase(name, interval, started.after(interval))
            }
            Some(due) if started.since(due) < interval / 10 => due.after(interval),
            Some(_) | None => started.after(interval),
        }
    }

    /// The first instant from `due` inside the check period. Where it had to be moved, a part of the interval
    /// is added: periods do not open with a burst. A period that never opens changes nothing here.
    pub(super) fn fit_in_period(
        &self,
        object: Checkable,
        definition: &Definition<'_>,
        due: Timestamp,
    ) -> Timestamp {
        let policy = definition.policy;
        let periods = Periods(&self.world.inventory.periods);
        match periods.opens(policy.check_period, due) {
            Some(opening) if opening > due => {
                let open_for = match periods.closes(policy.check_period, opening) {
                    Some(closing) => closing.since(opening).saturating_sub(LAST_MINUTE),
                    None => policy.check_interval,
                };
                let room = open_for.min(policy.check_interval);
                opening.after(phase(hash_of(&self.world.inventory, object), room))
            }
            Some(_) | None => due,
        }
    }

    /// Asks for a check at `at`, ahead of the plan. Whether one is coming.
    pub(super) fn demand(&mut self, object: Checkable, at: Timestamp, is_forced: bool) -> bool {
        let definition = Definition::of(&self.world.inventory, object);
        if !definition.has_active_check() || (!is_forced && !self.may_be_checked(object)) {
            return false;
        }
        if self.agenda.demand(object, at, is_forced) {
            self.show_plan(object);
        }
        true
    }

    /// A check on demand, unless the last result is young enough to stand for it.
    fn ask_for(&mut self, object: Checkable, now: Timestamp) {
        let horizon = self.world.inventory.semantics.horizon;
        let last = match object {
            Checkable::Host(id) => self.world.host(id).last_check,
            Checkable::Service(id) => self.world.service(id).last_check,
        };
        if last.is_none_or(|last| now.since(last) >= horizon) {
            self.demand(object, now, false);
        }
    }

    /// A service's result asks after its host (`nagios-states.md` 3.4), and shortly before it is confirmed
    /// after its masters (10.4).
    pub(super) fn ask_for_host(&mut self, host: HostId, change: Change, now: Timestamp) {
        let status = self.world.host(host);
        let is_up = status.state() == HostState::Up;
        let wanted = match (change.state.is_problem(), is_up) {
            (false, true) => !status.has_been_checked,
            (false, false) => true,
            (true, true) => change.is_other_state,
            (true, false) => false,
        };
        if wanted {
            self.ask_for(Checkable::Host(host), now);
        }
    }

    pub(super) fn ask_for_masters(&mut self, object: Checkable, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        for dependency in Definition::of(&inventory, object).depends_on {
            self.ask_for(dependency.on, now);
        }
    }

    /// A host that goes down or comes back asks after those that could explain it or depend on it.
    pub(super) fn ask_for_neighbours(&mut self, id: HostId, is_bad: bool, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        for parent in &inventory.host(id).parents {
            if self.world.host_is_bad(*parent) != is_bad {
                self.ask_for(Checkable::Host(*parent), now);
            }
        }
        for child in inventory.children(id) {
            let state = self.world.host(*child).state();
            let is_open = if is_bad { state != HostState::Unreachable } else { state != HostState::Up };
            if is_open {
                self.ask_for(Checkable::Host(*child), now);
            }
        }
    }

    /// The status shows what the agenda holds.
    pub(super) fn show_plan(&mut self, object: Checkable) {
        let due = self.agenda.slot(object).due;
        match object {
            Checkable::Host(id) if self.world.host(id).next_check != due => {
                id.status_mut(&mut self.world).next_check = due;
            }
            Checkable::Service(id) if self.world.service(id).next_check != due => {
                id.status_mut(&mut self.world).next_check = due;
            }
            Checkable::Host(_) | Checkable::Service(_) => {}
        }
    }

    /// Plans every object that has nothing planned: those never checked, and those whose time passed while
    /// nobody was here. What is merely late at a reload keeps its place. Spread by name over their interval, or over less when they are few.
    pub(super) fn plan_all(&mut self, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        let hosts = inventory.host_ids().map(Checkable::Host);
        let services = inventory.service_ids().map(Checkable::Service);
        let open: Vec<Checkable> = hosts.chain(services).filter(|object| self.wants_plan(*object)).collect();
        let enough = APART.saturating_mul(u32::try_from(open.len()).unwrap_or(u32::MAX)).max(APART * 50);
        for object in open {
            let definition = Definition::of(&inventory, object);
            let span = definition.policy.check_interval.min(enough);
            let due = now.after(phase(hash_of(&inventory, object), span));
            let due = self.fit_in_period(object, &definition, due);
            self.agenda.plan(object, Some(due));
            self.agenda.slot_mut(object).is_off_phase = span < definition.policy.check_interval;
            self.show_plan(object);
        }
    }

    /// Within `span` from now, by the object's name.
    pub(super) fn own_time(&self, object: Checkable, span: Duration, now: Timestamp) -> Timestamp {
        now.after(phase(hash_of(&self.world.inventory, object), span))
    }

    /// Nothing planned, though something should be.
    fn wants_plan(&self, object: Checkable) -> bool {
        let slot = self.agenda.slot(object);
        let interval = Definition::of(&self.world.inventory, object).policy.check_interval;
        let is_open = slot.running.is_none() && slot.due.is_none();
        let is_soft = !self.world.glance(object).is_hard;
        is_open && self.may_be_checked(object) && (!interval.is_zero() || is_soft)
    }

    /// A switch or an edit changed whether and how often an object is checked.
    pub(super) fn plan_anew(&mut self, object: Checkable, now: Timestamp) {
        let inventory = Arc::clone(&self.world.inventory);
        let definition = Definition::of(&inventory, object);
        let slot = *self.agenda.slot(object);
        if !self.may_be_checked(object) {
            if !slot.is_forced {
                self.agenda.plan(object, None);
            }
        } else if slot.due.is_none() && slot.running.is_none() && !definition.policy.check_interval.is_zero()
        {
            let span = definition.policy.check_interval.min(APART * 50);
            let due =
                self.fit_in_period(object, &definition, now.after(phase(hash_of(&inventory, object), span)));
            self.agenda.plan(object, Some(due));
            self.agenda.slot_mut(object).is_off_phase = true;
        }
        self.show_plan(object);
    }
}

enum Hindrance {
    Until(Timestamp, Unchecked),
    /// Nobody is to look at it.
    Off,
}

/// A number of the object's name, the same on every machine and in every release.
fn hash_of(inventory: &Inventory, object: Checkable) -> u64 {
    let ObjectKey { host, service } = inventory.key(object);
    let text = service.as_deref().unwrap_or_default().bytes();
    let bytes = host.bytes().chain(std::iter::once(b'/')).chain(text);
    // FNV-1a, then a finaliser: names that differ in their last digit shall lie far apart.
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
