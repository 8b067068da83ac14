//! The real engine in a time that is only a number: who would be told if this failed? Checks answer at once, and
//! answer what the failures say.

use std::collections::BTreeSet;
use std::time::Duration;

use super::member::Definition;
use super::selection::selects;
use super::world::{Restored, World};
use super::{Engine, Input};
use crate::model::check::{CheckMethod, CheckResult, Output, Source, Verdict};
use crate::model::event::Event;
use crate::model::id::{Checkable, HostId};
use crate::model::inventory::SharedInventory;
use crate::model::selector::Selection;
use crate::model::time::Timestamp;

/// Where nobody looks, somebody reports this often.
const USUAL: Duration = Duration::from_secs(300);
/// Chains of parents are finite by configuration; this is for the mistake there.
const DEPTH: u8 = 32;

/// What does not work, and when.
#[derive(Clone, Debug)]
pub struct Failure {
    pub what: Selection,
    pub from: Timestamp,
    /// None: for good.
    pub until: Option<Timestamp>,
}

/// A site in which everything is fine, until something fails.
#[derive(Debug)]
pub struct Simulation {
    engine: Engine,
    now: Timestamp,
    /// Reports of what is only reported.
    reports: BTreeSet<(Timestamp, Checkable)>,
}

impl Simulation {
    /// Everything was just seen to be good.
    pub fn new(inventory: SharedInventory, start: Timestamp) -> Self {
        let engine = Engine::new(inventory, Restored::default(), start);
        let mut simulation = Self { engine, now: start, reports: BTreeSet::new() };
        let inventory = simulation.engine.world().inventory.clone();
        let hosts = inventory.host_ids().map(Checkable::Host);
        for object in hosts.chain(inventory.service_ids().map(Checkable::Service)) {
            simulation.report(object, false, &mut Vec::new());
            if let CheckMethod::Passive { .. } = Definition::of(&inventory, object).check.method {
                simulation.report_again(object);
            }
        }
        simulation
    }

    pub fn world(&self) -> &World {
        self.engine.world()
    }

    /// Lets time pass, and hands on what happens in it, in order.
    pub fn run(&mut self, failures: &[Failure], until: Timestamp, mut tell: impl FnMut(Event)) {
        let mut events = Vec::new();
        while let Some(next) = self.next(until) {
            self.now = next;
            // Time alone is never refused.
            let _ticked = self.engine.step(Input::Tick, next, &mut events);
            while let Some(job) = self.engine.take_due(next) {
                let fails = self.fails(failures, job.object);
                self.answer(job.object, fails, Source::Active, &mut events);
            }
            while let Some((_, object)) = self.reports.first().copied().filter(|(at, _)| *at <= next) {
                self.reports.pop_first();
                let fails = self.fails(failures, object);
                self.report(object, fails, &mut events);
                self.report_again(object);
            }
            events.drain(..).for_each(&mut tell);
        }
        self.now = until;
    }

    fn next(&mut self, until: Timestamp) -> Option<Timestamp> {
        let report = self.reports.first().map(|(at, _)| *at);
        let next = [self.engine.next_due(), report].into_iter().flatten().min()?;
        (next <= until).then(|| next.max(self.now))
    }

    fn report_again(&mut self, object: Checkable) {
        let interval = Definition::of(&self.engine.world().inventory, object).policy.check_interval;
        let interval = if interval.is_zero() { USUAL } else { interval };
        self.reports.insert((self.now.after(interval), object));
    }

    fn report(&mut self, object: Checkable, fails: bool, events: &mut Vec<Event>) {
        let is_passive = matches!(
            Definition::of(&self.world().inventory, object).check.method,
            CheckMethod::Passive { .. }
        );
        let source = if is_passive { Source::Passive } else { Source::Active };
        self.answer(object, fails, source, events);
    }

    fn answer(&mut self, object: Checkable, fails: bool, source: Source, events: &mut Vec<Event>) {
        let code = match (fails, object, source) {
            (false, _, _) => 0,
            // A passive report of a host says the host's own state.
            (true, Checkable::Host(_), Source::Passive) => 1,
            (true, Checkable::Host(_) | Checkable::Service(_), _) => 2,
        };
        let result = CheckResult {
            key: self.world().inventory.key(object),
            place: None,
            verdict: Verdict::Exit(code),
            output: Output::line(if fails { "does not answer" } else { "fine" }),
            started: self.now,
            finished: self.now,
            latency: Duration::ZERO,
            source,
        };
        // What is not monitored or not accepted is not told of either.
        let _taken = self.engine.step(Input::Result(result), self.now, events);
    }

    fn fails(&self, failures: &[Failure], object: Checkable) -> bool {
        match object {
            Checkable::Host(id) => self.host_fails(failures, id, DEPTH),
            Checkable::Service(id) => {
                let host = self.world().inventory.service(id).host;
                self.is_selected(failures, object) || self.host_fails(failures, host, DEPTH)
            }
        }
    }

    /// Selected itself, or behind nothing but what fails.
    fn host_fails(&self, failures: &[Failure], id: HostId, depth: u8) -> bool {
        let parents = &self.world().inventory.host(id).parents;
        let is_behind = |parent: &HostId| depth > 0 && self.host_fails(failures, *parent, depth - 1);
        self.is_selected(failures, Checkable::Host(id))
            || (!parents.is_empty() && parents.iter().all(is_behind))
    }

    fn is_selected(&self, failures: &[Failure], object: Checkable) -> bool {
        let is_on = |failure: &&Failure| {
            failure.from <= self.now && failure.until.is_none_or(|until| self.now < until)
        };
        let mut failing = failures.iter().filter(is_on);
        failing.any(|failure| selects(&self.world().inventory, &failure.what, object))
    }
}
