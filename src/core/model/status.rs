//! What we know of a host or service at run time. Changes with every result, survives reloads and restarts.

use std::sync::Arc;
use std::time::Duration;

use super::acknowledgement::Acknowledgement;
use super::check::{Output, Source};
use super::id::ProblemId;
use super::notification::{Acts, Held, Told};
use super::state::{Condition, HostState, Standing, State, StateType};
use super::time::Timestamp;

pub type HostStatus = Status<HostState>;
pub type ServiceStatus = Status<State>;

/// One per object and there may be a million: texts are shared, options of a timestamp cost nothing, and
/// what few objects have stands behind a pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Status<S> {
    pub standing: Standing<S>,
    /// After the previous result, soft or hard.
    pub last_state: S,
    /// At the last hard state change.
    pub last_hard_state: S,
    /// False: PENDING; the standing then holds the initial state.
    pub has_been_checked: bool,
    /// Services: the host was not UP when the last result was processed.
    pub host_problem_at_last_check: bool,
    pub is_flapping: bool,
    /// The last result's source.
    pub source: Source,
    /// A person's switches at run time; the definition's values hold until somebody turns one.
    pub switches: Switches,
    /// Start of the last check (`nagios-states.md` 1), not the time its result was processed.
    pub last_check: Option<Timestamp>,
    /// Planned; none: on demand, or nobody looks.
    pub next_check: Option<Timestamp>,
    pub last_state_change: Option<Timestamp>,
    pub last_hard_state_change: Option<Timestamp>,
    /// Last check start at which the object was in each state, by state number.
    pub last_time_in: [Option<Timestamp>; 4],
    pub latency: Millis,
    pub execution_time: Millis,
    pub output: Arc<Output>,
    /// The last 21 states, two bits each, the newest lowest (`nagios-states.md` 9).
    pub flap_history: u64,
    pub percent_state_change: f32,
    /// The running problem, or none.
    pub problem: Option<ProblemId>,
    pub last_problem: Option<ProblemId>,
    pub acknowledgement: Option<Arc<Acknowledgement>>,
    /// Downtimes in effect right now.
    pub downtime_depth: u16,
    pub notification: NotificationStatus,
}

/// Switches that a person or an external command turned; `None` means as defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    pub active_checks: Option<bool>,
    pub passive_checks: Option<bool>,
    pub notifications: Option<bool>,
    pub flap_detection: Option<bool>,
    pub event_handler: Option<bool>,
    pub max_check_attempts: Option<u16>,
}

/// Where the telling of the current problem stands (`nagios-notifications.md` 5). Few objects have anything to
/// tell, so what takes room stands behind pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationStatus {
    /// Of the current problem; 0: nobody was told.
    pub number: u32,
    pub last: Option<Timestamp>,
    /// Problem states somebody was told of since the last delivered recovery, by state number.
    pub notified_on: u8,
    pub no_more: bool,
    /// No repeat before this.
    pub next: Option<Timestamp>,
    /// When the object is looked at again without a result; the one timer it has, kept so that a restart finds it.
    pub again: Option<Timestamp>,
    /// Everybody who was told of the problem and not yet of its end, in byte order.
    pub told: Option<Arc<Vec<Told>>>,
    /// What holds the next message back, said once when it began.
    pub held: Option<Arc<Held>>,
    /// What rules have done about the problem it names, which may be over.
    pub acts: Option<Arc<Acts>>,
}

impl NotificationStatus {
    pub fn told(&self) -> &[Told] {
        self.told.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// A short span in a small field: tenths of a millisecond, up to five days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Millis(u32);

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        Self(u32::try_from(span.as_micros() / 100).unwrap_or(u32::MAX))
    }
}

impl Millis {
    /// As kept on disk.
    pub fn from_tenths(tenths: u32) -> Self {
        Self(tenths)
    }

    pub fn tenths(self) -> u32 {
        self.0
    }

    pub fn duration(self) -> Duration {
        Duration::from_micros(u64::from(self.0) * 100)
    }

    pub fn seconds(self) -> f64 {
        self.duration().as_secs_f64()
    }
}

impl<S: Condition> Status<S> {
    /// Never checked: PENDING, in the initial state, hard (`nagios-states.md` 1).
    pub fn pending(initial: S, max_check_attempts: u16) -> Self {
        let attempt = if initial.is_problem() { max_check_attempts } else { 1 };
        Self {
            standing: Standing { state: initial, state_type: StateType::Hard, attempt },
            last_state: initial,
            last_hard_state: initial,
            has_been_checked: false,
            host_problem_at_last_check: false,
            is_flapping: false,
            source: Source::Active,
            switches: Switches::default(),
            last_check: None,
            next_check: None,
            last_state_change: None,
            last_hard_state_change: None,
            last_time_in: [None; 4],
            latency: Millis::default(),
            execution_time: Millis::default(),
            output: Arc::default(),
            flap_history: 0,
            percent_state_change: 0.0,
            problem: None,
            last_problem: None,
            acknowledgement: None,
            downtime_depth: 0,
            notification: NotificationStatus::default(),
        }
    }

    pub fn state(&self) -> S {
        self.standing.state
    }

    pub fn is_problem(&self) -> bool {
        self.has_been_checked && self.standing.state.is_problem()
    }

    pub fn is_hard_problem(&self) -> bool {
        self.is_problem() && self.standing.state_type == StateType::Hard
    }

    /// Somebody is on it, or it was planned.
    pub fn is_handled(&self) -> bool {
        self.acknowledgement.is_some() || self.downtime_depth > 0
    }
}
