//! Changing too often to be worth a message each time: Nagios' weighted history of 21 states.
//! (`nagios-states.md` 9)
//!
//! Two deviations: results of a service whose host is down do not enter its history, and a host's history
//! grows with its own results alone.

use crate::model::policy::FlapPolicy;

/// States in the history; between them lie [`CHANGES`].
const ENTRIES: u32 = 21;
const CHANGES: u32 = ENTRIES - 1;
const MASK: u64 = (1 << (2 * ENTRIES)) - 1;
const LOWEST_BITS: u64 = 0x5555_5555_5555_5555 & ((1 << (2 * CHANGES)) - 1);

/// Puts a state number (two bits) in front of a history.
pub(super) fn record(history: u64, state: u8) -> u64 {
    ((history << 2) | u64::from(state & 0b11)) & MASK
}

/// How much of the history is change, weighted 1.25 for the newest and 0.75 for the oldest.
pub(super) fn percent(history: u64) -> f32 {
    let difference = history ^ (history >> 2);
    let mut changed = (difference | (difference >> 1)) & LOWEST_BITS;
    let mut sum = 0.0;
    while changed != 0 {
        let age = changed.trailing_zeros() / 2;
        #[expect(clippy::cast_precision_loss, reason = "an age is below 20")]
        let weight = 1.25 - age as f32 * (0.5 / 19.0);
        sum += weight;
        changed &= changed - 1;
    }
    sum * (100.0 / 20.0)
}

/// Whether it flaps now; equality counts at both ends, between them nothing changes.
pub(super) fn is_flapping(was: bool, percent: f32, policy: &FlapPolicy) -> bool {
    if percent >= policy.high {
        true
    } else if percent <= policy.low {
        false
    } else {
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::StateSet;

    fn history(states: &[u8]) -> u64 {
        states.iter().fold(0, |history, state| record(history, *state))
    }

    #[test]
    fn one_change_weighs_less_the_older_it_is() {
        assert!((percent(history(&[2])) - 6.25).abs() < 0.01);
        assert!((percent(history(&[2, 2])) - 6.12).abs() < 0.01);
        let mut old = vec![2; 20];
        assert!((percent(history(&old)) - 3.75).abs() < 0.01);
        old.push(2);
        assert!(percent(history(&old)).abs() < 0.01);
    }

    #[test]
    fn change_at_every_entry_is_a_hundred_percent() {
        let states: Vec<u8> = (0..21).map(|at| at % 2 + 1).collect();
        assert!((percent(history(&states)) - 100.0).abs() < 0.01);
    }

    #[test]
    fn it_starts_at_the_high_threshold_and_stops_at_the_low_one() {
        let policy = FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL };
        assert!(!is_flapping(false, 29.9, &policy));
        assert!(is_flapping(false, 30.0, &policy));
        assert!(is_flapping(true, 20.1, &policy));
        assert!(!is_flapping(true, 20.0, &policy));
    }
}
