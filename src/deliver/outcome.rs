//! How one try ended, and how long to wait for the next.

use std::time::Duration;

/// How one try to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The channel took it; what it said, or nothing.
    Sent(String),
    /// Not this message, not now.
    Later(String),
    /// The channel itself does not work: nothing else is tried on it for a while.
    Down { why: String, wait: Option<Duration> },
    /// Never: the channel refused it.
    Never(String),
    /// Never, and the channel was not even asked: there is no point in it any more, or no way.
    Void(String),
}

impl Outcome {
    /// Nothing more comes of it.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Sent(_) | Self::Never(_) | Self::Void(_) => true,
            Self::Later(_) | Self::Down { .. } => false,
        }
    }
}

/// The longest wait that a channel may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(600);

/// How long a message is tried. Later than that it tells nobody anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The same for an event handler: it would repair what may be well by now.
pub(super) const HANDLER_PATIENCE: Duration = Duration::from_secs(600);

/// The wait after so many failures in a row: 5 s, 10 s, 20 s … 10 min, each a little off, so that what failed
/// together does not come back together.
pub(super) fn wait_after(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let wait = asked.map_or(doubled, |asked| asked.min(LONGEST_ASKED).max(FIRST));
    wait.mul_f64(0.9 + fastrand::f64() * 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let about = |wait: Duration, seconds: f64| {
            let off = wait.as_secs_f64() / seconds;
            assert!((0.89..=1.11).contains(&off), "{wait:?} is not about {seconds} s");
        };
        about(wait_after(1, None), 5.0);
        about(wait_after(3, None), 20.0);
        about(wait_after(60, None), 600.0);
        about(wait_after(1, Some(Duration::from_secs(90))), 90.0);
        about(wait_after(1, Some(Duration::from_secs(999_999))), 3600.0);
        about(wait_after(9, Some(Duration::ZERO)), 5.0);
    }
}
