//! What hosts and services have in common: when they are checked, how patient we are, who is told.
//! (`config.md` 4, "key of hosts and services")

use std::sync::Arc;
use std::time::Duration;

use super::contact::Audience;
use super::message::Channel;
use super::period::PeriodId;

/// Shared by every object with the same values; a site with 100,000 services has a few dozen.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Zero: only on demand.
    pub check_interval: Duration,
    pub retry_interval: Duration,
    /// At least 1.
    pub max_check_attempts: u16,
    pub check_period: PeriodId,
    pub notification_period: PeriodId,
    pub active_checks: bool,
    pub passive_checks: bool,
    pub process_perfdata: bool,
    pub flapping: FlapPolicy,
    pub audience: Audience,
    /// Zero: once.
    pub notification_interval: Duration,
    pub first_notification_delay: Duration,
    pub notification_options: NotificationOptions,
    pub freshness: Freshness,
    /// Services only: every bad hard result counts as a new problem.
    pub volatile: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlapPolicy {
    pub enabled: bool,
    /// Percent, 0 to 100.
    pub low: f32,
    pub high: f32,
    /// States that enter the history, as a set of state numbers.
    pub states: StateSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    Off,
    /// From the interval, as Nagios computes it.
    Automatic,
    Threshold(Duration),
}

/// A set of state numbers (`1 << number`); for hosts UP DOWN UNREACHABLE, for services OK … UNKNOWN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSet(pub u8);

impl StateSet {
    pub const ALL: Self = Self(0b1111);
    pub const NONE: Self = Self(0);

    pub fn has(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }

    #[must_use]
    pub fn with(self, number: u8) -> Self {
        Self(self.0 | 1 << number)
    }
}

/// What an object tells of, or a contact wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationOptions {
    pub down: bool,
    pub unreachable: bool,
    pub warning: bool,
    pub unknown: bool,
    pub critical: bool,
    pub recovery: bool,
    pub flapping: bool,
    pub downtime: bool,
}

impl NotificationOptions {
    pub const ALL: Self = Self {
        down: true,
        unreachable: true,
        warning: true,
        unknown: true,
        critical: true,
        recovery: true,
        flapping: true,
        downtime: true,
    };
    pub const NONE: Self = Self {
        down: false,
        unreachable: false,
        warning: false,
        unknown: false,
        critical: false,
        recovery: false,
        flapping: false,
        downtime: false,
    };
}

/// What few objects have (keys marked *own*): kept apart so that the others stay small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    pub event_handler: Option<Handler>,
    pub event_handler_period: Option<PeriodId>,
    pub notes: Option<Arc<str>>,
    pub notes_url: Option<Arc<str>>,
    pub action_url: Option<Arc<str>>,
    pub icon_image: Option<Arc<str>>,
    pub custom_variables: Vec<(Arc<str>, Arc<str>)>,
    /// The state before the first result, as its number; none: OK or UP.
    pub initial_state: Option<u8>,
    pub stalking: StateSet,
}

/// What runs on a transition of every host and of every service, before its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandlersOfAll {
    pub host: Option<Handler>,
    pub service: Option<Handler>,
}

/// What runs on a transition.
#[derive(Clone, Debug, PartialEq)]
pub enum Handler {
    /// One of `commands`, with its arguments.
    Command(Arc<str>),
    /// An argument vector; `${…}` is filled in when it runs.
    Run(Vec<String>),
}

impl Handler {
    pub fn channel(&self) -> Channel {
        match self {
            Self::Command(call) => Channel::Command(Arc::clone(call)),
            Self::Run(_) => Channel::Run,
        }
    }
}
