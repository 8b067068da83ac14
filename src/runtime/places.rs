//! Which job may start now: limits over all, for each kind and for each host. Pure; the executor acts on it.
//!
//! Jobs wait in one line for each kind, first come first served, and the kinds take turns: what is overloaded
//! is stretched evenly and delays nothing else. Jobs of a host that has no place left step aside; while it has
//! one, the first of each kind stands in its line, at the place where it came. So neither a kind nor another
//! host waits for a host that is busy. There is never more than one job of an object, so the lines are no longer
//! than the inventory.

use std::collections::BTreeMap;
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
    /// How many have lined up so far.
    arrivals: u64,
}

/// Jobs by the number of their arrival.
type Waiting = BTreeMap<u64, Job>;

#[derive(Debug)]
struct Line {
    kind: &'static str,
    limit: usize,
    running: usize,
    waiting: Waiting,
}

#[derive(Debug, Default)]
struct HostLoad {
    running: usize,
    /// Had their turn while the host had no place, by kind.
    aside: Vec<Aside>,
}

#[derive(Debug)]
struct Aside {
    kind: &'static str,
    jobs: Waiting,
    /// The one that is back in its line.
    back: Option<u64>,
}

impl HostLoad {
    fn aside(&mut self, kind: &'static str) -> &mut Aside {
        let at = self.aside.iter().position(|aside| aside.kind == kind).unwrap_or_else(|| {
            self.aside.push(Aside { kind, jobs: Waiting::new(), back: None });
            self.aside.len() - 1
        });
        &mut self.aside[at]
    }

    fn step_aside(&mut self, number: u64, job: Job) {
        let aside = self.aside(job.check.kind);
        aside.back.take_if(|back| *back == number);
        aside.jobs.insert(number, job);
    }

    fn start(&mut self, kind: &str, number: u64) {
        self.running += 1;
        for aside in self.aside.iter_mut().filter(|aside| aside.kind == kind) {
            aside.back.take_if(|back| *back == number);
        }
    }

    /// While there is a place, the first of each kind may stand in its line.
    fn call_back(&mut self, places: usize) -> Vec<(u64, Job)> {
        if self.running >= places {
            return Vec::new();
        }
        let missing = self.aside.iter_mut().filter(|aside| aside.back.is_none());
        let called = missing.filter_map(|aside| {
            let (number, job) = aside.jobs.pop_first()?;
            aside.back = Some(number);
            Some((number, job))
        });
        let called = called.collect();
        self.aside.retain(|aside| aside.back.is_some() || !aside.jobs.is_empty());
        called
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.aside.is_empty()
    }
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        for line in &mut self.lines {
            line.limit = limit_of(&limits, line.kind);
        }
        // A host may have more places now.
        let called: Vec<_> =
            self.hosts.values_mut().flat_map(|host| host.call_back(limits.per_host)).collect();
        self.limits = limits;
        self.line_up_again(called);
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        let aside = self.hosts.values().flat_map(|host| &host.aside).map(|aside| aside.jobs.len());
        self.lines.iter().map(|line| line.waiting.len()).chain(aside).sum()
    }

    /// A job that is due lines up.
    pub(super) fn line_up(&mut self, job: Job) {
        self.arrivals += 1;
        let number = self.arrivals;
        self.line(job.check.kind).waiting.insert(number, job);
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
            let (number, job) = line.waiting.pop_first()?;
            let host = self.hosts.entry_ref(&job.host).or_default();
            if host.running >= self.limits.per_host {
                host.step_aside(number, job);
                continue;
            }
            host.start(line.kind, number);
            let called = host.call_back(self.limits.per_host);
            line.running += 1;
            self.running += 1;
            self.line_up_again(called);
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
        let called = load.call_back(self.limits.per_host);
        if load.is_idle() {
            self.hosts.remove(host);
        }
        self.line_up_again(called);
    }

    /// Where they came, not in front: a host that always has more to do must not keep out the others.
    fn line_up_again(&mut self, called: Vec<(u64, Job)>) {
        for (number, job) in called {
            self.line(job.check.kind).waiting.insert(number, job);
        }
    }

    /// Kinds whose first job waits for longer than `patience`.
    pub(super) fn overloads(&self, patience: Duration, now: Timestamp) -> Vec<Overload> {
        let late = |line: &Line| {
            let behind = now.since(line.waiting.first_key_value()?.1.due);
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
        let aside = self.hosts.drain().flat_map(|(_, host)| host.aside).map(|aside| aside.jobs);
        let lines = self.lines.iter_mut().map(|line| std::mem::take(&mut line.waiting));
        lines.chain(aside).flat_map(Waiting::into_values).collect()
    }

    fn line(&mut self, kind: &'static str) -> &mut Line {
        let at = self.lines.iter().position(|line| line.kind == kind).unwrap_or_else(|| {
            let limit = limit_of(&self.limits, kind);
            self.lines.push(Line { kind, limit, running: 0, waiting: Waiting::new() });
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
    fn a_kind_at_its_limit_keeps_no_other_kind_of_the_same_host_waiting() {
        let mut places = Places::new(limits(10, 1, 1));
        places.line_up(job("plugin", "b", 0));
        places.line_up(job("tcp", "a", 1));
        assert_eq!(started(&mut places).len(), 2);
        // The host's place is taken; then it is free, and the first in its line cannot use it.
        places.line_up(job("plugin", "a", 2));
        places.line_up(job("tcp", "a", 3));
        assert_eq!(started(&mut places), [0; 0]);
        places.leave("tcp", &"a".into());
        assert_eq!(started(&mut places), [3]);
        places.leave("tcp", &"a".into());
        places.leave("plugin", &"b".into());
        assert_eq!(started(&mut places), [2]);
        assert_eq!((places.running(), places.waiting()), (1, 0));
    }

    #[test]
    fn a_host_that_always_has_more_to_do_does_not_keep_out_the_others() {
        let mut places = Places::new(limits(10, 1, 1));
        for number in 0..3 {
            places.line_up(job("plugin", "busy", number));
        }
        places.line_up(job("plugin", "b", 10));
        let mut order = started(&mut places);
        for number in 3..6 {
            places.line_up(job("plugin", "busy", number));
            let host = if order.last() == Some(&10) { "b" } else { "busy" };
            places.leave("plugin", &host.into());
            order.extend(started(&mut places));
        }
        assert_eq!(order, [0, 1, 2, 10]);
    }

    #[test]
    fn whatever_the_limits_every_job_starts_once_and_the_counts_come_out() {
        for (total, per_host, plugins) in [(1, 1, 1), (4, 1, 2), (7, 3, 1), (100, 2, 100)] {
            let mut places = Places::new(limits(total, per_host, plugins));
            let (mut running, mut seen) = (Vec::new(), Vec::new());
            for number in 0..200 {
                let kind = ["plugin", "tcp", "http"][number as usize % 3];
                places.line_up(job(kind, ["a", "b", "c", "d"][number as usize * 7 / 5 % 4], number));
            }
            for round in 0.. {
                while let Some(job) = places.next() {
                    let of_host = running.iter().filter(|other: &&Job| other.host == job.host).count();
                    assert!(running.len() < total && of_host < per_host);
                    seen.push(job.key());
                    running.push(job);
                }
                if round == 50 {
                    places.set_limits(limits(total, per_host, plugins));
                }
                if running.is_empty() {
                    break;
                }
                let ended = running.remove(round * 5 % running.len());
                places.leave(ended.check.kind, &ended.host);
            }
            seen.sort();
            seen.dedup();
            assert_eq!((seen.len(), places.running(), places.waiting()), (200, 0, 0));
            assert!(places.hosts.is_empty());
        }
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
