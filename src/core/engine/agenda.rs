//! Which check is due when. One pending check per object, none while one is running.
//!
//! A heap with stale entries: what an object's slot says is true, an entry that says otherwise is skipped. Times
//! are decided elsewhere; here they are kept.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::model::id::{Checkable, HostId, ServiceId};
use crate::model::time::Timestamp;

/// What is planned for one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    /// When its next check is due; none: nothing is planned.
    pub(super) due: Option<Timestamp>,
    /// The due time of the check that is running.
    pub(super) running: Option<Timestamp>,
    /// Asked for by a person or by freshness: switches, period and dependencies do not matter.
    pub(super) is_forced: bool,
    /// Due at a time that is not its own: the first check, one on demand. Afterwards it goes back to its phase.
    pub(super) is_off_phase: bool,
    /// The same of the check that is running.
    pub(super) ran_off_phase: bool,
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    hosts: Vec<Slot>,
    services: Vec<Slot>,
    heap: BinaryHeap<Reverse<(Timestamp, Checkable)>>,
}

impl Agenda {
    pub(super) fn new(hosts: Vec<Slot>, services: Vec<Slot>) -> Self {
        let mut agenda = Self { hosts, services, heap: BinaryHeap::new() };
        agenda.rebuild();
        agenda
    }

    pub(super) fn slot(&self, object: Checkable) -> &Slot {
        match object {
            Checkable::Host(id) => &self.hosts[id.index()],
            Checkable::Service(id) => &self.services[id.index()],
        }
    }

    pub(super) fn slot_mut(&mut self, object: Checkable) -> &mut Slot {
        match object {
            Checkable::Host(id) => &mut self.hosts[id.index()],
            Checkable::Service(id) => &mut self.services[id.index()],
        }
    }

    /// Plans the regular next check in place of whatever was planned.
    pub(super) fn plan(&mut self, object: Checkable, due: Option<Timestamp>) {
        let slot = self.slot_mut(object);
        let is_new = slot.due != due;
        (slot.due, slot.is_forced, slot.is_off_phase) = (due, false, false);
        if let (Some(due), true) = (due, is_new) {
            self.push(due, object);
        }
    }

    /// Asks for a check that nobody had planned for that time. The earlier one stays, and a forced one is never
    /// displaced by one that is not (`nagios-states.md` 6.3). Whether the plan changed.
    pub(super) fn demand(&mut self, object: Checkable, due: Timestamp, is_forced: bool) -> bool {
        let slot = self.slot_mut(object);
        if slot.running.is_some() {
            return false;
        }
        let wins = match slot.due {
            None => true,
            Some(_) if is_forced != slot.is_forced => is_forced,
            Some(planned) => due < planned,
        };
        if wins {
            *slot = Slot { due: Some(due), is_forced, is_off_phase: true, ..Slot::default() };
            self.push(due, object);
        }
        wins
    }

    pub(super) fn next_due(&mut self) -> Option<Timestamp> {
        self.drop_stale();
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes out what is due first, if it is due; its slot then is empty and is for the caller to fill.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Checkable, Slot)> {
        self.drop_stale();
        let Reverse((due, object)) = *self.heap.peek()?;
        if due > now {
            return None;
        }
        self.heap.pop();
        let slot = std::mem::take(self.slot_mut(object));
        Some((object, slot))
    }

    /// Changes every planned time at once.
    pub(super) fn move_all(&mut self, mut moved: impl FnMut(Checkable, Timestamp) -> Timestamp) {
        for (at, slot) in self.hosts.iter_mut().enumerate() {
            slot.due = slot.due.map(|due| moved(host(at), due));
        }
        for (at, slot) in self.services.iter_mut().enumerate() {
            slot.due = slot.due.map(|due| moved(service(at), due));
        }
        self.rebuild();
    }

    fn push(&mut self, due: Timestamp, object: Checkable) {
        self.heap.push(Reverse((due, object)));
        // A million stale entries would only cost memory; twice the slots is where a rebuild pays.
        if self.heap.len() > 2 * (self.hosts.len() + self.services.len()) + 64 {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        let hosts = self.hosts.iter().enumerate().map(|(at, slot)| (slot.due, host(at)));
        let services = self.services.iter().enumerate().map(|(at, slot)| (slot.due, service(at)));
        let entries = hosts.chain(services).filter_map(|(due, object)| Some(Reverse((due?, object))));
        self.heap = entries.collect::<Vec<_>>().into();
    }

    fn drop_stale(&mut self) {
        while let Some(Reverse((due, object))) = self.heap.peek() {
            if self.slot(*object).due == Some(*due) {
                return;
            }
            self.heap.pop();
        }
    }
}

fn host(at: usize) -> Checkable {
    Checkable::Host(HostId(u32::try_from(at).expect("indexes of an inventory fit")))
}

fn service(at: usize) -> Checkable {
    Checkable::Service(ServiceId(u32::try_from(at).expect("indexes of an inventory fit")))
}

/// Where in its interval an object is checked: a hash of its name, the same after every restart.
pub(super) fn phase(name: u64, span: Duration) -> Duration {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(name % micros)
}

/// The instant of the object's own phase nearest to `wanted`.
pub(super) fn in_phase(name: u64, interval: Duration, wanted: Timestamp) -> Timestamp {
    let micros = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
    let phase = i64::try_from(phase(name, interval).as_micros()).unwrap_or(0);
    let ahead = (phase - wanted.as_micros()).rem_euclid(micros);
    let step = if ahead > micros / 2 { ahead - micros } else { ahead };
    Timestamp::from_micros(wanted.as_micros().saturating_add(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Checkable = Checkable::Service(ServiceId(0));
    const DB: Checkable = Checkable::Service(ServiceId(1));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second)
    }

    fn agenda() -> Agenda {
        Agenda::new(Vec::new(), vec![Slot::default(); 2])
    }

    #[test]
    fn what_is_due_first_comes_first_and_once() {
        let mut agenda = agenda();
        agenda.plan(WEB, Some(at(20)));
        agenda.plan(DB, Some(at(10)));
        agenda.plan(WEB, Some(at(30)));
        assert_eq!(agenda.next_due(), Some(at(10)));
        assert_eq!(agenda.pop(at(40)).map(|(object, _)| object), Some(DB));
        assert_eq!(agenda.next_due(), Some(at(30)));
        assert!(agenda.pop(at(29)).is_none());
        assert_eq!(agenda.pop(at(30)).map(|(object, _)| object), Some(WEB));
        assert_eq!(agenda.next_due(), None);
    }

    #[test]
    fn a_demand_wins_when_it_is_earlier_or_forced() {
        let mut agenda = agenda();
        agenda.plan(WEB, Some(at(20)));
        assert!(!agenda.demand(WEB, at(30), false));
        assert!(agenda.demand(WEB, at(30), true));
        assert!(!agenda.demand(WEB, at(5), false));
        assert!(agenda.demand(WEB, at(5), true));
        assert_eq!(agenda.next_due(), Some(at(5)));
    }

    #[test]
    fn nothing_is_asked_for_while_a_check_runs() {
        let mut agenda = agenda();
        agenda.slot_mut(WEB).running = Some(at(1));
        assert!(!agenda.demand(WEB, at(5), true));
    }

    #[test]
    fn the_nearest_instant_of_its_phase_lies_within_half_an_interval() {
        let minute = Duration::from_secs(60);
        for name in [1, 17_000_000, 59_999_999, u64::MAX] {
            for wanted in [at(60), at(91), at(1_700_000_000)] {
                let near = in_phase(name, minute, wanted);
                let away = near.since(wanted).max(wanted.since(near));
                assert!(away <= minute / 2, "{near} is not near {wanted}");
                let own = phase(name, minute).as_micros();
                assert_eq!(near.as_micros().rem_euclid(60_000_000) as u128, own);
            }
        }
    }
}
