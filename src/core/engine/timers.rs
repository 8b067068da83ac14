//! What is due that is no check: ends of downtimes, expiries, rules that wait. Every timer can be derived from
//! the world again, so none is kept over a restart, and whoever answers one looks whether it still means
//! something.

use std::collections::BTreeSet;

use crate::model::id::{Checkable, DowntimeId, SuppressionId, TicketId};
use crate::model::time::Timestamp;

/// In the order in which those of one instant are answered: what begins before what ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A downtime of the files, by its place there.
    Planned(u16),
    DowntimeStart(DowntimeId),
    DowntimeEnd(DowntimeId),
    AcknowledgementExpiry(Checkable),
    SuppressionExpiry(SuppressionId),
    Freshness(Checkable),
    /// A rule's `lasting` is over, or its period opens.
    Rules(Checkable),
    /// A message may be due: after what begins, ends and expires at the same instant.
    Notification(Checkable),
    /// Stable long enough since recovery.
    TicketClose(TicketId),
    /// The problem still stands: say so again.
    TicketNote(TicketId),
    /// Nothing more may be left to decide on it.
    TicketLeave(TicketId),
    /// Somebody may have been absent for too long.
    Absence,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Timestamp, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        let first = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }
}
