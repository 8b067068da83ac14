//! What one result means: soft, hard, recovery. One machine for hosts and services; small values in, small
//! values out. (`nagios-states.md` 3 to 5, with the deviations R1, R2, R5 and R6 of its section 12)
//!
//! Who is told, what is logged and when the next check comes is decided elsewhere from the [`Step`].

use crate::model::state::{Condition, Standing, StateType};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Good as before, or the same confirmed problem.
    Steady,
    /// Bad, and being retried.
    SoftProblem,
    /// Confirmed, or a confirmed problem that became another.
    HardProblem,
    /// Good again before anybody was sure.
    SoftRecovery,
    HardRecovery,
}

/// What the step depends on beside the two states.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub max_check_attempts: u16,
    /// Confirmed by the first bad result: passive results of hosts.
    pub is_final: bool,
    /// A service whose host is not UP: there is nothing to retry.
    pub host_is_bad: bool,
    /// R2: it was made hard by its host's outage, which is over, and nobody was told.
    pub may_start_over: bool,
    /// Services: the alert of a soft recovery carries the number of this result; hosts say 1.
    pub recovery_counts: bool,
}

/// One result folded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<S> {
    /// Where the object stands now.
    pub standing: Standing<S>,
    /// What the alert and the handler say: a soft recovery is `OK SOFT n`, yet the object stands at OK HARD 1.
    pub told: Standing<S>,
    pub transition: Transition,
}

pub fn advance<S: Condition>(before: Standing<S>, seen: S, facts: Facts) -> Step<S> {
    match (before.state.is_problem(), seen.is_problem(), before.state_type) {
        (false, false, _) => Step::of(Standing::good(), Transition::Steady),
        (false, true, _) => problem(seen, 1, facts),
        // Any mix of bad states confirms a problem: WARNING, CRITICAL, UNKNOWN are three in a row.
        (true, true, StateType::Soft) => problem(seen, before.attempt.saturating_add(1), facts),
        (true, true, StateType::Hard) if facts.may_start_over => {
            let standing = Standing { state: seen, state_type: StateType::Soft, attempt: before.attempt };
            Step::of(standing, Transition::SoftProblem)
        }
        (true, true, StateType::Hard) if seen == before.state => Step::of(before, Transition::Steady),
        (true, true, StateType::Hard) => {
            let attempt = if facts.is_final { 1 } else { before.attempt };
            Step::of(Standing { state: seen, attempt, ..before }, Transition::HardProblem)
        }
        (true, false, StateType::Soft) if !facts.is_final => {
            let attempt = if facts.recovery_counts { before.attempt.saturating_add(1) } else { 1 };
            let told = Standing { state: seen, state_type: StateType::Soft, attempt };
            Step { standing: Standing::good(), told, transition: Transition::SoftRecovery }
        }
        (true, false, _) => Step::of(Standing::good(), Transition::HardRecovery),
    }
}

fn problem<S: Condition>(seen: S, attempt: u16, facts: Facts) -> Step<S> {
    let attempt = if facts.is_final { 1 } else { attempt.min(facts.max_check_attempts.max(1)) };
    let is_hard = facts.is_final || facts.host_is_bad || attempt >= facts.max_check_attempts;
    let (state_type, transition) = match is_hard {
        true => (StateType::Hard, Transition::HardProblem),
        false => (StateType::Soft, Transition::SoftProblem),
    };
    Step::of(Standing { state: seen, state_type, attempt }, transition)
}

impl<S: Condition> Step<S> {
    fn of(standing: Standing<S>, transition: Transition) -> Self {
        Self { standing, told: standing, transition }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use insta::assert_snapshot;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::state::State;

    fn facts(max_check_attempts: u16) -> Facts {
        Facts {
            max_check_attempts,
            is_final: false,
            host_is_bad: false,
            may_start_over: false,
            recovery_counts: true,
        }
    }

    /// One letter a result; a capital one arrives while the host is down.
    fn walk(max: u16, seen: &str) -> String {
        let mut at = Standing::good();
        let mut text = String::new();
        for letter in seen.chars() {
            let state = match letter.to_ascii_lowercase() {
                'o' => State::Ok,
                'w' => State::Warning,
                'c' => State::Critical,
                _ => State::Unknown,
            };
            let step = advance(at, state, Facts { host_is_bad: letter.is_ascii_uppercase(), ..facts(max) });
            writeln!(text, "{letter}: {} | {}, {:?}", step.standing, step.told, step.transition).unwrap();
            at = step.standing;
        }
        text
    }

    #[test]
    fn third_bad_result_confirms_the_problem_whatever_mix_it_was() {
        assert_snapshot!(walk(3, "ocwcco"), @r"
        o: OK HARD 1 | OK HARD 1, Steady
        c: CRITICAL SOFT 1 | CRITICAL SOFT 1, SoftProblem
        w: WARNING SOFT 2 | WARNING SOFT 2, SoftProblem
        c: CRITICAL HARD 3 | CRITICAL HARD 3, HardProblem
        c: CRITICAL HARD 3 | CRITICAL HARD 3, Steady
        o: OK HARD 1 | OK HARD 1, HardRecovery
        ");
    }

    #[test]
    fn a_soft_recovery_is_told_as_soft_and_stands_as_hard() {
        assert_snapshot!(walk(4, "cco"), @r"
        c: CRITICAL SOFT 1 | CRITICAL SOFT 1, SoftProblem
        c: CRITICAL SOFT 2 | CRITICAL SOFT 2, SoftProblem
        o: OK HARD 1 | OK SOFT 3, SoftRecovery
        ");
    }

    #[test]
    fn a_service_on_a_host_that_is_down_is_not_retried() {
        assert_snapshot!(walk(4, "cC"), @r"
        c: CRITICAL SOFT 1 | CRITICAL SOFT 1, SoftProblem
        C: CRITICAL HARD 2 | CRITICAL HARD 2, HardProblem
        ");
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop_oneof![Just(State::Ok), Just(State::Warning), Just(State::Critical), Just(State::Unknown)]
    }

    proptest! {
        #[test]
        fn invariants_hold_on_any_history(max in 1u16..10, seen in vec((any_state(), any::<bool>()), 0..60)) {
            let mut at = Standing::good();
            for (state, host_is_bad) in seen {
                let step = advance(at, state, Facts { host_is_bad, ..facts(max) });
                prop_assert!((1..=max).contains(&step.standing.attempt));
                prop_assert_eq!(step.standing.state, state);
                if step.standing.state_type == StateType::Soft {
                    prop_assert!(state.is_problem() && step.standing.attempt < max && !host_is_bad);
                }
                if step.transition == Transition::Steady {
                    prop_assert_eq!(step.standing.state, at.state);
                }
                at = step.standing;
            }
        }
    }
}
