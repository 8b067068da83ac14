//! Planned time: messages are held back, checks go on. (`nagios-notifications.md` 7.1)

use std::sync::Arc;
use std::time::Duration;

use super::id::{DowntimeId, Name, ObjectKey};
use super::selector::Selection;
use super::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downtime {
    pub id: DowntimeId,
    pub subject: ObjectKey,
    pub author: Arc<str>,
    pub comment: Arc<str>,
    pub entered: Timestamp,
    pub start: Timestamp,
    pub end: Timestamp,
    pub kind: DowntimeKind,
    /// Starts when this one starts, never on its own.
    pub triggered_by: Option<DowntimeId>,
    /// When it came into effect; none: not yet.
    pub started: Option<Timestamp>,
}

impl Downtime {
    /// When it ends: a flexible one that has started counts from its start, else the window closes.
    pub fn until(&self) -> Timestamp {
        match (self.kind, self.started) {
            (DowntimeKind::Flexible(span), Some(started)) => started.after(span),
            (DowntimeKind::Flexible(_), None) | (DowntimeKind::Fixed, _) => self.end,
        }
    }

    pub fn is_in_effect(&self) -> bool {
        self.started.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DowntimeKind {
    /// From `start` to `end`.
    Fixed,
    /// Begins with the first problem between `start` and `end`, then lasts this long.
    Flexible(Duration),
}

/// A downtime from the files: once, or again and again.
#[derive(Clone, Debug)]
pub struct PlannedDowntime {
    pub name: Name,
    pub only: Selection,
    pub hosts: bool,
    pub services: bool,
    pub when: Plan,
    pub duration: Option<Duration>,
    pub flexible: bool,
    pub window: Duration,
    /// IANA name; none: the system's.
    pub timezone: Option<jiff::tz::TimeZone>,
    pub comment: Arc<str>,
    pub author: Arc<str>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    Every(Recurrence),
    Once { start: jiff::civil::DateTime, end: jiff::civil::DateTime },
}

/// `sun 03:00`, `first sunday 04:00`, `day 1 02:00` (`config.md` 9, "every").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    pub days: super::period::DaySpec,
    /// Minutes after local midnight.
    pub minute: u16,
}
