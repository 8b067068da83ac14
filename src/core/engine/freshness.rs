//! Passive results that stay away. (`nagios-states.md` 7.2)
//!
//! One timer an object, set again when it finds the object fresh: results themselves cost nothing here.

use std::time::Duration;

use super::member::{Definition, Member};
use super::period::Periods;
use super::timers::Timer;
use super::{Engine, tell, verdict};
use crate::model::check::{CheckMethod, CheckResult, Output, Source, Verdict};
use crate::model::event::{Event, What};
use crate::model::id::Checkable;
use crate::model::policy::Freshness;
use crate::model::state::{Condition, State, StateType};
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// What Nagios allows on top of an automatic threshold (`additional_freshness_latency`).
const GRACE: Duration = Duration::from_secs(15);
/// When an object is outside its check period or being checked, it is looked at again after this.
const LATER: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn set_freshness_timer(&mut self, object: Checkable) {
        let definition = Definition::of(&self.world.inventory, object);
        if definition.policy.freshness == Freshness::Off || !definition.is_monitored {
            return;
        }
        if let Some(expires) = self.expires(object) {
            self.timers.set(expires, Timer::Freshness(object));
        }
    }

    pub(super) fn look_at_freshness(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        let Some(expires) = self.expires(object) else { return };
        let definition = Definition::of(&self.world.inventory, object);
        let is_silent = self.silent.contains_key(&object);
        if expires > now && !is_silent {
            self.timers.set(expires, Timer::Freshness(object));
            return;
        }
        let periods = Periods(&self.world.inventory.periods);
        let slot = self.agenda.slot(object);
        let is_busy = slot.running.is_some() || slot.is_forced;
        if is_busy || !periods.is_inside(definition.policy.check_period, now) {
            self.timers.set(now.after(LATER), Timer::Freshness(object));
            return;
        }
        let retry = definition.policy.retry_interval;
        let method = match definition.check.method {
            CheckMethod::Passive { stale } => Some(stale),
            CheckMethod::BuiltIn(_) | CheckMethod::Plugin(_) => None,
            CheckMethod::AssumedUp => return,
        };
        let (last_check, wait) = self.silence(object);
        if !is_silent {
            let subject = self.world.inventory.key(object);
            tell(events, now, What::WentStale { subject, last_check });
        }
        match method {
            // Runs even while active checks are off: that is what it is for.
            None => {
                self.demand(object, now, true);
                self.timers.set(now.after(wait.max(LATER)), Timer::Freshness(object));
            }
            Some(stale) => {
                self.take_silence(object, stale, last_check, now, events);
                // Silence is retried like a result, so that it is confirmed in minutes and not in days.
                let is_soft = !self.world.glance(object).is_hard;
                let wait = if is_soft { retry } else { wait };
                self.timers.set(now.after(wait.max(Duration::from_secs(1))), Timer::Freshness(object));
            }
        }
    }

    /// A passive check that nobody answers: silence stands in the place of a result.
    fn take_silence(
        &mut self,
        object: Checkable,
        stale: State,
        last: Option<Timestamp>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let since = *self.silent.entry(object).or_insert(last.unwrap_or(self.started));
        let text = format!("no result for {} s", now.since(since).as_secs());
        let result = CheckResult {
            key: self.world.inventory.key(object),
            place: None,
            verdict: Verdict::State(stale),
            output: Output::line(text),
            started: now,
            finished: now,
            latency: Duration::ZERO,
            source: Source::Passive,
        };
        match object {
            Checkable::Host(id) => {
                let semantics = &self.world.inventory.semantics;
                let state = verdict::of_host(result.verdict, Source::Passive, semantics);
                self.fold_host(id, state.unwrap_or_default(), &result, now, events);
            }
            Checkable::Service(id) => self.fold_service(id, stale, &result, now, events),
        }
        self.silent.insert(object, since);
    }

    fn silence(&self, object: Checkable) -> (Option<Timestamp>, Duration) {
        let definition = Definition::of(&self.world.inventory, object);
        match object {
            Checkable::Host(id) => silence(self.world.host(id), &definition),
            Checkable::Service(id) => silence(self.world.service(id), &definition),
        }
    }

    /// When it is stale if nothing comes; none: freshness means nothing here.
    fn expires(&self, object: Checkable) -> Option<Timestamp> {
        fn of<M: Member>(engine: &Engine, id: M) -> Option<Timestamp> {
            let definition = Definition::of(&engine.world.inventory, id.object());
            let status = id.status(&engine.world);
            let threshold = threshold(status, &definition)?;
            let start = engine.started;
            let Some(last) = status.last_check else { return Some(start.after(threshold)) };
            let is_from_before = last < start;
            let is_automatic = definition.policy.freshness == Freshness::Automatic;
            Some(if is_from_before && is_automatic && definition.may_be_checked(status) {
                start.after(threshold).after(definition.policy.check_interval)
            } else if is_from_before && status.source == Source::Passive && start.since(last) >= threshold {
                // Nobody could tell us while we were not there.
                start.after(threshold)
            } else {
                last.after(threshold)
            })
        }
        match object {
            Checkable::Host(id) => of(self, id),
            Checkable::Service(id) => of(self, id),
        }
    }
}

fn silence<S: Condition>(status: &Status<S>, definition: &Definition<'_>) -> (Option<Timestamp>, Duration) {
    (status.last_check, threshold(status, definition).unwrap_or(LATER))
}

fn threshold<S: Condition>(status: &Status<S>, definition: &Definition<'_>) -> Option<Duration> {
    let policy = definition.policy;
    match policy.freshness {
        Freshness::Off => None,
        Freshness::Threshold(threshold) => Some(threshold).filter(|threshold| !threshold.is_zero()),
        Freshness::Automatic => {
            let is_soft = status.standing.state_type == StateType::Soft;
            let interval = if is_soft { policy.retry_interval } else { policy.check_interval };
            (!interval.is_zero()).then(|| interval + status.latency.duration() + GRACE)
        }
    }
}
