//! One check result folded into the world, in the order of `nagios-states.md` 3 and 4: state, records that end
//! with it, flapping, plan, then what is said about it: the alert, whom it is told, and the event handler.

use std::sync::Arc;

use super::member::{Definition, Member};
use super::notify::Offer;
use super::transition::{Facts, Step, Transition, advance};
use super::{Engine, flapping, submission, tell, verdict};
use crate::model::check::{CheckResult, Source};
use crate::model::event::{Event, StateChange, What};
use crate::model::id::{Checkable, HostId, ProblemId, ServiceId};
use crate::model::message::MessageKind;
use crate::model::operation::Refusal;
use crate::model::state::{AnyState, Condition, HostState, State, StateType};
use crate::model::status::{Millis, Status};
use crate::model::time::Timestamp;

/// What one result changed, for everything that follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) transition: Transition,
    pub(super) before: AnyState,
    pub(super) state: AnyState,
    /// As the alert says it.
    pub(super) state_type: StateType,
    pub(super) attempt: u16,
    pub(super) is_other_state: bool,
    /// A confirmed bad result.
    pub(super) is_hard_problem: bool,
    /// The text changed while its state is stalked.
    is_stalked: bool,
}

/// What surrounds the object while its result is folded in.
#[derive(Clone, Copy)]
struct Surroundings {
    is_final: bool,
    host_is_bad: bool,
    recovery_counts: bool,
    next_problem: ProblemId,
}

impl Engine {
    pub(super) fn take_result(
        &mut self,
        result: &CheckResult,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let seen = submission::as_seen(result, now)?;
        let result = &*seen;
        match self.locate(result)? {
            Checkable::Host(id) => {
                self.admit(id, result, now, events)?;
                let inventory = &self.world.inventory;
                let is_assumed =
                    result.source == Source::Active && Definition::of(inventory, id.object()).is_assumed_up();
                let told = verdict::of_host(result.verdict, result.source, &inventory.semantics);
                let Some(state) = told.map(|told| if is_assumed { HostState::Up } else { told }) else {
                    return Err(Refusal::Invalid("a host is 0 (UP), 1 (DOWN) or 2 (UNREACHABLE)".to_owned()));
                };
                self.fold_host(id, state, result, now, events);
            }
            Checkable::Service(id) => {
                self.admit(id, result, now, events)?;
                let semantics = &self.world.inventory.semantics;
                let state = verdict::of_service(result.verdict, result.source, semantics);
                self.fold_service(id, state, result, now, events);
            }
        }
        Ok(())
    }

    /// Where the object stands now: by its place, or by its name when the inventory changed since.
    fn locate(&self, result: &CheckResult) -> Result<Checkable, Refusal> {
        match result.place {
            Some((object, generation)) if generation == self.generation => Some(object),
            Some(_) | None => self.world.inventory.find_also_renamed(&result.key),
        }
        .ok_or_else(|| Refusal::UnknownObject(result.key.clone()))
    }

    /// What is not taken still was a check that ran: the next one is planned all the same.
    fn admit<M: Member>(
        &mut self,
        id: M,
        result: &CheckResult,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let refused = self.refusal(id, result, now);
        if refused.is_some() && result.source == Source::Active {
            let inventory = Arc::clone(&self.world.inventory);
            let definition = Definition::of(&inventory, id.object());
            self.plan_after_result(id, &definition, result.started, now, events);
        }
        refused.map_or(Ok(()), Err)
    }

    fn refusal<M: Member>(&self, id: M, result: &CheckResult, now: Timestamp) -> Option<Refusal> {
        let definition = Definition::of(&self.world.inventory, id.object());
        let status = id.status(&self.world);
        if result.source == Source::Passive {
            if !definition.is_monitored {
                return Some(Refusal::NotMonitored(result.key.clone()));
            }
            if !definition.accepts_passive(status) {
                return Some(Refusal::PassiveOff(result.key.clone()));
            }
        }
        // Commands carry whole seconds. What seems to come from the future was seen by a clock that went back.
        let is_older = status
            .last_check
            .is_some_and(|last| last <= now && result.started.as_second() < last.as_second());
        is_older.then(|| Refusal::Outdated(result.key.clone()))
    }

    pub(super) fn fold_service(
        &mut self,
        id: ServiceId,
        seen: State,
        result: &CheckResult,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let host = self.world.inventory.service(id).host;
        let around = Surroundings {
            is_final: false,
            host_is_bad: self.world.host_is_bad(host),
            recovery_counts: true,
            next_problem: ProblemId(self.world.records.next.problem),
        };
        let (change, acts) = self.fold(id, seen, result, around, now, events);
        self.ask_for_host(host, change, now);
        self.offer_after_result(id, change, now, events);
        if acts {
            self.run_handlers(id, change, now, events);
        }
        if change.transition != Transition::Steady || change.is_hard_problem {
            self.follow_up(id.object(), change, now, events);
        }
    }

    pub(super) fn fold_host(
        &mut self,
        id: HostId,
        seen: HostState,
        result: &CheckResult,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let semantics = &self.world.inventory.semantics;
        let is_passive = result.source == Source::Passive;
        let is_translated = !is_passive || semantics.passive_hosts_are_translated;
        let around = Surroundings {
            is_final: is_passive && !semantics.passive_hosts_are_soft,
            host_is_bad: false,
            recovery_counts: false,
            next_problem: ProblemId(self.world.records.next.problem),
        };
        let seen = match seen {
            HostState::Down | HostState::Unreachable if is_translated => self.world.kind_of_outage(id),
            HostState::Up | HostState::Down | HostState::Unreachable => seen,
        };
        let (change, acts) = self.fold(id, seen, result, around, now, events);
        if change.before.is_problem() != change.state.is_problem() {
            self.ask_for_neighbours(id, change.state.is_problem(), now);
            if !change.state.is_problem() {
                self.host_is_back(id, now);
            }
        }
        self.offer_after_result(id, change, now, events);
        self.verdict_came(id, now, events);
        if acts {
            self.run_handlers(id, change, now, events);
        }
        if change.transition != Transition::Steady || change.is_hard_problem {
            self.follow_up(id.object(), change, now, events);
            self.blame_host(id, change, now, events);
        }
    }

    /// What both kinds go through. Also whether the result calls for the event handler.
    fn fold<M: Member>(
        &mut self,
        id: M,
        seen: M::State,
        result: &CheckResult,
        around: Surroundings,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> (Change, bool) {
        let inventory = Arc::clone(&self.world.inventory);
        let object = id.object();
        let definition = Definition::of(&inventory, object);
        let counted_before = self.world.place(object);
        let status = id.status_mut(&mut self.world);
        let (change, problem_opened) = absorb::<M>(status, seen, result, &definition, around);
        if problem_opened {
            self.world.records.next.problem += 1;
        }
        let counted = self.world.place(object);
        self.world.totals.shift(counted_before, counted);
        if !self.silent.is_empty() {
            self.silent.remove(&object);
        }
        if change.transition != Transition::Steady {
            self.end_acknowledgement_with(id, change, now, events);
            if change.state.is_problem() {
                self.start_flexible_downtimes(object, now, events);
            }
        }
        self.record_flapping(id, change, &definition, around.host_is_bad, now, events);
        if result.source == Source::Active {
            self.plan_after_result(id, &definition, result.started, now, events);
        }
        let is_repeated = definition.policy.volatile && change.is_hard_problem;
        let acts = change.transition != Transition::Steady || is_repeated;
        if acts || change.is_stalked {
            tell(events, now, What::StateChanged(self.state_change(id, change)));
        }
        (change, acts)
    }

    fn state_change<M: Member>(&self, id: M, change: Change) -> StateChange {
        StateChange {
            subject: self.world.inventory.key(id.object()),
            before: change.before,
            state: change.state,
            state_type: change.state_type,
            attempt: change.attempt,
            output: Arc::clone(&id.status(&self.world).output),
        }
    }

    /// Services: confirmed states and recoveries; hosts: every result. (`nagios-states.md` 9)
    fn record_flapping<M: Member>(
        &mut self,
        id: M,
        change: Change,
        definition: &Definition<'_>,
        host_is_bad: bool,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let object = id.object();
        let status = id.status_mut(&mut self.world);
        let is_settled = match object {
            Checkable::Host(_) => true,
            Checkable::Service(_) => !host_is_bad && status.standing.state_type == StateType::Hard,
        };
        let state = change.state.number();
        let policy = &definition.policy.flapping;
        if !is_settled || !policy.states.has(state) {
            return;
        }
        let history = flapping::record(status.flap_history, state);
        // The steady path: nothing but what already filled it.
        if history == status.flap_history && !status.is_flapping && status.percent_state_change == 0.0 {
            return;
        }
        status.flap_history = history;
        status.percent_state_change = flapping::percent(history);
        let percent = status.percent_state_change;
        let is_flapping =
            definition.detects_flapping(status) && flapping::is_flapping(status.is_flapping, percent, policy);
        if is_flapping == status.is_flapping {
            return;
        }
        status.is_flapping = is_flapping;
        let subject = self.world.inventory.key(object);
        let (what, kind) = match is_flapping {
            true => (What::FlappingStarted { subject, percent }, MessageKind::FlappingStart),
            false => (What::FlappingStopped { subject, percent }, MessageKind::FlappingStop),
        };
        tell(events, now, what);
        self.offer_of(id, &Offer::at(kind, now), now, events);
        if !is_flapping {
            self.wake_rules(object, now);
        }
    }
}

/// Puts the result into the status. Also whether a new problem began.
fn absorb<M: Member>(
    status: &mut Status<M::State>,
    seen: M::State,
    result: &CheckResult,
    definition: &Definition<'_>,
    around: Surroundings,
) -> (Change, bool) {
    let before = status.standing;
    let max_check_attempts = definition.max_check_attempts(status);
    let facts = Facts {
        max_check_attempts,
        is_final: around.is_final,
        host_is_bad: around.host_is_bad,
        may_start_over: !around.host_is_bad
            && status.host_problem_at_last_check
            && before.attempt < max_check_attempts
            && status.notification.notified_on == 0,
        recovery_counts: around.recovery_counts,
    };
    let step = advance(before, seen, facts);
    let is_other_state = seen != before.state;
    let is_stalked = definition.own.is_some_and(|own| own.stalking.has(seen.number()))
        && status.output.text != result.output.text;
    status.last_state = before.state;
    status.standing = step.standing;
    status.has_been_checked = true;
    status.host_problem_at_last_check = around.host_is_bad;
    status.source = result.source;
    status.last_check = Some(result.started);
    status.last_time_in[usize::from(seen.number())] = Some(result.started);
    status.latency = Millis::from(result.latency);
    status.execution_time = Millis::from(result.finished.since(result.started));
    status.output = Arc::clone(&result.output);
    let problem_opened = date_change(status, step, is_other_state, around.next_problem, result.started);
    let change = Change {
        transition: step.transition,
        before: M::any(before.state),
        state: M::any(seen),
        state_type: step.told.state_type,
        attempt: step.told.attempt,
        is_other_state,
        is_hard_problem: seen.is_problem() && step.standing.state_type == StateType::Hard,
        is_stalked,
    };
    (change, problem_opened)
}

fn date_change<S: Condition>(
    status: &mut Status<S>,
    step: Step<S>,
    is_other_state: bool,
    next_problem: ProblemId,
    started: Timestamp,
) -> bool {
    // From PENDING to its first state is a change too: people ask how long it has been so.
    if is_other_state || status.last_state_change.is_none() {
        status.last_state_change = Some(started);
    }
    match step.transition {
        Transition::HardProblem | Transition::HardRecovery | Transition::SoftRecovery => {
            status.last_hard_state = step.standing.state;
            status.last_hard_state_change = Some(started);
        }
        Transition::Steady | Transition::SoftProblem => {}
    }
    if !step.standing.state.is_problem() {
        if status.problem.is_some() {
            status.last_problem = status.problem.take();
        }
        return false;
    }
    let is_new = status.problem.is_none();
    if is_new {
        status.problem = Some(next_problem);
    }
    is_new
}
