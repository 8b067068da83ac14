//! Which rules a problem sets off, and when. (`config.md` 5, "Rules"; `ossim-tickets.md` 8.4)
//!
//! Everything here follows from the status and the clock, so a restart or a reload changes nothing: `lasting`
//! counts from the last hard change (for rules that take soft problems, from the last change), and not from
//! before the host came back. What `notify`, `webhook` and `run` do is [`super::act`]'s; sources other than
//! availability belong to the issue on alarms.

use std::sync::Arc;

use super::Engine;
use super::alarm::severity;
use super::member::Glance;
use super::period::Periods;
use super::selection::selects;
use super::timers::Timer;
use crate::model::event::Event;
use crate::model::id::{Checkable, Name};
use crate::model::rule::{Rule, RuleSource, Tri};
use crate::model::state::AnyState;
use crate::model::time::Timestamp;

enum Holds {
    No,
    /// Not yet; look again then.
    From(Timestamp),
    Yes,
}

impl Engine {
    /// Looks again at the next opportunity: something that a rule depends on changed.
    pub(super) fn wake_rules(&mut self, object: Checkable, now: Timestamp) {
        if self.world.glance(object).is_problem && !self.world.inventory.rules.is_empty() {
            self.timers.set(now, Timer::Rules(object));
        }
    }

    pub(super) fn consider_rules(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        let inventory = Arc::clone(&self.world.inventory);
        let seen = self.world.glance(object);
        if !seen.is_problem || inventory.rules.is_empty() || self.is_explained_by_host(object) {
            return;
        }
        let mut opens: Option<&Rule> = None;
        let mut acting: Vec<&Rule> = Vec::new();
        let mut is_suppressed = self.suppressed_by(object).is_some();
        for rule in inventory.rules.iter().filter(|rule| acts_here(rule)) {
            match self.holds(rule, object, &seen, now) {
                Holds::No => continue,
                Holds::From(later) => {
                    self.timers.set(later, Timer::Rules(object));
                    continue;
                }
                Holds::Yes => {}
            }
            is_suppressed |= rule.suppress;
            if let (Some(label), Some(alarm)) = (&rule.label, self.alarm_of(object)) {
                // The alarm is open: it was just looked up.
                let _labelled = self.put_label(alarm, label, true, now, events);
            }
            acting.extend(rule.acts().then_some(rule));
            let is_stronger = opens.is_none_or(|other| rule.priority > other.priority);
            if rule.ticket.is_some() && is_stronger {
                opens = Some(rule);
            }
        }
        if is_suppressed {
            return;
        }
        if let Some((rule, action)) = opens.and_then(|rule| Some((rule, rule.ticket.as_ref()?))) {
            self.open_ticket_by_rule(object, &rule.name, action, now, events);
        }
        for rule in acting {
            self.act_by_rule(object, rule, now, events);
        }
    }

    /// The rule that says that nobody is to be told of a problem.
    pub(super) fn suppressing_rule(&self, object: Checkable, now: Timestamp) -> Option<Name> {
        let rules = &self.world.inventory.rules;
        let mut suppressing = rules.iter().filter(|rule| rule.suppress && acts_here(rule)).peekable();
        suppressing.peek()?;
        let seen = self.world.glance(object);
        let found = suppressing.find(|rule| matches!(self.holds(rule, object, &seen, now), Holds::Yes));
        found.map(|rule| rule.name.clone())
    }

    fn holds(&self, rule: &Rule, object: Checkable, seen: &Glance, now: Timestamp) -> Holds {
        let when = &rule.when;
        let is_state = match seen.state {
            AnyState::Host(_) => when.states.hosts.has(seen.state.number()),
            AnyState::Service(_) => when.states.services.has(seen.state.number()),
        };
        let fits = is_state
            && (seen.is_hard || !when.hard)
            && severity(seen.state) >= when.severity
            && is_so(when.in_downtime, seen.in_downtime)
            && is_so(when.acknowledged, seen.is_acknowledged)
            && is_so(when.flapping, seen.is_flapping)
            && selects(&self.world.inventory, &when.only, object)
            && when.text.as_ref().is_none_or(|text| text.is_match(&self.result_of(object).text));
        if !fits {
            return Holds::No;
        }
        let lasted = self.since(object, when.hard).map_or(now, |since| since.after(when.lasting));
        if lasted > now {
            return Holds::From(lasted);
        }
        match Periods(&self.world.inventory.periods).opens(when.period, now) {
            Some(opening) if opening > now => Holds::From(opening),
            Some(_) => Holds::Yes,
            None => Holds::No,
        }
    }

    fn since(&self, object: Checkable, hard: bool) -> Option<Timestamp> {
        let (change, hard_change) = match object {
            Checkable::Host(id) => {
                let status = self.world.host(id);
                (status.last_state_change, status.last_hard_state_change)
            }
            Checkable::Service(id) => {
                let status = self.world.service(id);
                (status.last_state_change, status.last_hard_state_change)
            }
        };
        let since = if hard { hard_change } else { change };
        match object {
            Checkable::Host(_) => since,
            // That its host is there is one of the conditions.
            Checkable::Service(id) => {
                let host = self.world.inventory.service(id).host;
                since.max(self.world.host(host).last_state_change)
            }
        }
    }

    /// A service's state says nothing of its own while its host is not UP, nor until it was looked at after the
    /// host came back: the host's ticket speaks for it.
    pub(super) fn is_explained_by_host(&self, object: Checkable) -> bool {
        let Checkable::Service(id) = object else { return false };
        let status = self.world.service(id);
        let host = self.world.inventory.service(id).host;
        self.world.host_is_bad(host)
            || status.host_problem_at_last_check
            || status.last_check < self.world.host(host).last_state_change
    }
}

fn acts_here(rule: &Rule) -> bool {
    let acts = rule.ticket.is_some() || rule.label.is_some() || rule.suppress || rule.acts();
    acts && rule.when.sources.contains(&RuleSource::Availability)
}

fn is_so(wanted: Tri, is: bool) -> bool {
    match wanted {
        Tri::On => is,
        Tri::Off => !is,
        Tri::Any => true,
    }
}
