//! Which job may start now: limits over all, for each kind and for each host. Pure; the executor acts on it.
//!
//! Jobs wait in one line for each kind, first come first served, and the kinds take turns: what is overloaded
//! is stretched evenly and delays nothing else. There is never more than one job of an object, so the lines
//! are no longer than the inventory.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hashbrown::HashMap;
use vigia_core::model::check::Job;
use vigia_core::model::id::Name;
use vigia_core::model::time::Timestamp;

/// How many checks may run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub total: usize,
    pub per_host: usize,
    /// By kind; a kind that is not here may use all of `total`.
    pub kinds: BTreeMap<String, usize>,
}

impl Default for Limits {
    fn default() -> Self {
        let plugins = 4 * std::thread::available_parallelism().map_or(2, usize::from);
        let kinds = [("plugin".to_owned(), plugins), ("command".to_owned(), plugins)].into();
        Self { total: 10_000, per_host: 16, kinds }
    }
}

/// A kind that cannot keep up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overload {
    pub kind: &'static str,
    pub waiting: usize,
    pub limit: usize,
    /// How late the job at the head of the line is.
    pub behind: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Places {
    limits: Limits,
    running: usize,
    lines: Vec<Line>,
    /// The line whose turn it is.
    turn: usize,
    hosts: HashMap<Name, HostLoad, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Line {
    kind: &'static str,
    limit: usize,
    running: usize,
    waiting: VecDeque<Job>,
}

#[derive(Debug, Default)]
struct HostLoad {
    running: usize,
    /// Had their turn while the host had no place.
    blocked: VecDeque<Job>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        for line in &mut self.lines {
            line.limit = limit_of(&limits, line.kind);
        }
        self.limits = limits;
        // A host may have more places now: who was blocked lines up again, in front.
        let blocked: Vec<Job> =
            self.hosts.values_mut().flat_map(|host| host.blocked.drain(..).rev()).collect();
        for job in blocked {
            self.line(job.check.kind).waiting.push_front(job);
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        let blocked: usize = self.hosts.values().map(|host| host.blocked.len()).sum();
        self.lines.iter().map(|line| line.waiting.len()).sum::<usize>() + blocked
    }

    /// A job that is due lines up.
    pub(super) fn line_up(&mut self, job: Job) {
        self.line(job.check.kind).waiting.push_back(job);
    }

    /// The next job that may start. It has its place from now on, until [`Self::leave`].
    pub(super) fn next(&mut self) -> Option<Job> {
        for _ in 0..self.lines.len() {
            if self.running >= self.limits.total {
                return None;
            }
            self.turn = (self.turn + 1) % self.lines.len();
            if let Some(job) = self.next_of(self.turn) {
                return Some(job);
            }
        }
        None
    }

    fn next_of(&mut self, line: usize) -> Option<Job> {
        let line = self.lines.get_mut(line)?;
        while line.running < line.limit {
            let job = line.waiting.pop_front()?;
            let host = self.hosts.entry_ref(&job.host).or_default();
            if host.running >= self.limits.per_host {
                host.blocked.push_back(job);
                continue;
            }
            host.running += 1;
            line.running += 1;
            self.running += 1;
            return Some(job);
        }
        None
    }

    /// A job of this kind and host has ended.
    pub(super) fn leave(&mut self, kind: &'static str, host: &Name) {
        self.running -= 1;
        self.line(kind).running -= 1;
        let Some(load) = self.hosts.get_mut(host) else { return };
        load.running -= 1;
        let freed = load.blocked.pop_front();
        if load.running == 0 && load.blocked.is_empty() {
            self.hosts.remove(host);
        }
        if let Some(job) = freed {
            // It had its turn already.
            self.line(job.check.kind).waiting.push_front(job);
        }
    }

    /// Kinds whose first job waits for longer than `patience`.
    pub(super) fn overloads(&self, patience: Duration, now: Timestamp) -> Vec<Overload> {
        let late = |line: &Line| {
            let behind = now.since(line.waiting.front()?.due);
            let limit = line.limit.min(self.limits.total);
            (behind > patience).then_some(Overload {
                kind: line.kind,
                waiting: line.waiting.len(),
                limit,
                behind,
            })
        };
        self.lines.iter().filter_map(late).collect()
    }

    /// Everything that waits, in no order; for the end.
    pub(super) fn take_waiting(&mut self) -> Vec<Job> {
        let blocked = self.hosts.values_mut().flat_map(|host| host.blocked.drain(..));
        self.lines.iter_mut().flat_map(|line| line.waiting.drain(..)).chain(blocked).collect()
    }

    fn line(&mut self, kind: &'static str) -> &mut Line {
        let at = self.lines.iter().position(|line| line.kind == kind).unwrap_or_else(|| {
            let limit = limit_of(&self.limits, kind);
            self.lines.push(Line { kind, limit, running: 0, waiting: VecDeque::new() });
            self.lines.len() - 1
        });
        &mut self.lines[at]
    }
}

/// At least one, so that nothing waits for ever.
fn limit_of(limits: &Limits, kind: &str) -> usize {
    limits.kinds.get(kind).copied().unwrap_or(limits.total).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vigia_core::model::check::{Check, CheckMethod};
    use vigia_core::model::id::{Checkable, ServiceId};
    use vigia_core::model::state::State;

    use super::*;

    fn job(kind: &'static str, host: &str, service: u32) -> Job {
        let method = CheckMethod::Passive { stale: State::Critical };
        Job {
            object: Checkable::Service(ServiceId(service)),
            generation: 0,
            host: host.into(),
            service: Some(service.to_string().into()),
            address: "192.0.2.1".into(),
            check: Arc::new(Check { kind, method, timeout: Duration::from_secs(10) }),
            due: Timestamp::from_second(100),
            is_host_check: false,
        }
    }

    fn limits(total: usize, per_host: usize, plugins: usize) -> Limits {
        Limits { total, per_host, kinds: [("plugin".to_owned(), plugins)].into() }
    }

    fn started(places: &mut Places) -> Vec<u32> {
        let number = |job: Job| match job.object {
            Checkable::Service(id) => id.0,
            Checkable::Host(id) => id.0,
        };
        std::iter::from_fn(|| places.next()).map(number).collect()
    }

    #[test]
    fn a_kind_at_its_limit_does_not_hold_up_another() {
        let mut places = Places::new(limits(10, 10, 1));
        for number in 0..3 {
            places.line_up(job("plugin", &format!("h{number}"), number));
        }
        places.line_up(job("tcp", "h9", 9));
        assert_eq!(started(&mut places), [9, 0]);
        places.leave("plugin", &"h0".into());
        assert_eq!(started(&mut places), [1]);
    }

    #[test]
    fn a_host_at_its_limit_does_not_hold_up_another() {
        let mut places = Places::new(limits(10, 1, 1));
        for (host, number) in [("a", 0), ("a", 1), ("a", 2), ("b", 3)] {
            places.line_up(job("tcp", host, number));
        }
        assert_eq!(started(&mut places), [0, 3]);
        places.leave("tcp", &"a".into());
        assert_eq!(started(&mut places), [1]);
        assert_eq!((places.running(), places.waiting()), (2, 1));
    }

    #[test]
    fn kinds_take_turns_when_the_total_is_short() {
        let mut places = Places::new(limits(1, 10, 10));
        for number in 0..2 {
            places.line_up(job("tcp", "a", number));
            places.line_up(job("http", "a", 10 + number));
        }
        let mut order = started(&mut places);
        for kind in ["http", "tcp", "http"] {
            places.leave(kind, &"a".into());
            order.extend(started(&mut places));
        }
        assert_eq!(order, [10, 0, 11, 1]);
    }

    #[test]
    fn more_places_for_a_host_let_the_blocked_start_in_their_order() {
        let mut places = Places::new(limits(10, 1, 1));
        for number in 0..4 {
            places.line_up(job("tcp", "a", number));
        }
        assert_eq!(started(&mut places), [0]);
        places.set_limits(limits(10, 3, 1));
        assert_eq!(started(&mut places), [1, 2]);
    }

    #[test]
    fn an_overloaded_kind_is_named_with_how_far_it_is_behind() {
        let mut places = Places::new(limits(10, 10, 1));
        for number in 0..3 {
            places.line_up(job("plugin", "a", number));
        }
        assert_eq!(started(&mut places), [0]);
        let soon = Timestamp::from_second(101);
        assert_eq!(places.overloads(Duration::from_secs(5), soon), []);
        let later = Timestamp::from_second(110);
        let expected = Overload { kind: "plugin", waiting: 2, limit: 1, behind: Duration::from_secs(10) };
        assert_eq!(places.overloads(Duration::from_secs(5), later), [expected]);
    }
}
