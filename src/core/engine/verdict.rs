//! From how a check ended to a state. (`nagios-states.md` 2; the texts are the runner's)

use crate::model::check::{Source, Verdict};
use crate::model::semantics::Semantics;
use crate::model::state::{Condition, HostState, State};

pub(super) fn of_service(verdict: Verdict, source: Source, semantics: &Semantics) -> State {
    let code = match verdict {
        Verdict::State(state) => return state,
        Verdict::TimedOut => return semantics.timeout_state,
        Verdict::Abnormal => return State::Critical,
        Verdict::Exit(code) => code,
    };
    let known = u8::try_from(code).ok().and_then(State::from_number);
    known.unwrap_or(match source {
        Source::Passive => State::Unknown,
        // 126, 127 and everything out of bounds: nothing was checked, and that must not go unseen.
        Source::Active => State::Critical,
    })
}

/// DOWN stands for *not UP*; parents decide between DOWN and UNREACHABLE. None: a passive code that is no state.
pub(super) fn of_host(verdict: Verdict, source: Source, semantics: &Semantics) -> Option<HostState> {
    let is_up = match (verdict, source) {
        (Verdict::Exit(code), Source::Passive) => {
            return u8::try_from(code).ok().and_then(HostState::from_number);
        }
        (Verdict::Exit(0) | Verdict::State(State::Ok), _) => true,
        (Verdict::Exit(1) | Verdict::State(State::Warning), _) => !semantics.warning_is_down,
        (
            Verdict::Exit(_)
            | Verdict::State(State::Critical | State::Unknown)
            | Verdict::TimedOut
            | Verdict::Abnormal,
            _,
        ) => false,
    };
    Some(if is_up { HostState::Up } else { HostState::Down })
}
