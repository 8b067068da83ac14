//! Everything the engine can say has happened: past tense, never undone, in one order for all listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::acknowledgement::Acknowledgement;
use super::alarm::Alarm;
use super::check::{Output, Unchecked};
use super::comment::Comment;
use super::downtime::Downtime;
use super::id::{AlarmId, CommentId, DowntimeId, Name, ObjectKey, TicketId};
use super::message::{Message, MessageKind};
use super::notification::{Hold, Skip};
use super::operation::{Fields, Refusal, TicketEdit, TicketNote};
use super::state::{AnyState, StateType};
use super::suppression::{Suppression, SuppressionEnd};
use super::ticket::TicketHead;
use super::time::Timestamp;

#[derive(Clone, Debug)]
pub struct Event {
    pub at: Timestamp,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// What Nagios logs as SERVICE ALERT or HOST ALERT.
    StateChanged(StateChange),
    /// Something is to be done that tells no contact: an event handler, the webhook or program of a rule. From
    /// here on it is the outbox's, like a message.
    ActionDue(Message),
    FlappingStarted {
        subject: ObjectKey,
        percent: f32,
    },
    FlappingStopped {
        subject: ObjectKey,
        percent: f32,
    },
    FlappingDisabled {
        subject: ObjectKey,
    },
    /// It was decided to tell nobody, and which rule decided. Said once when it begins, not with every result.
    NotificationHeld {
        subject: ObjectKey,
        kind: MessageKind,
        /// That the message would have had.
        number: u32,
        hold: Hold,
        /// With [`Hold::Nobody`]: why not each of them.
        skipped: Vec<(Name, Skip)>,
    },
    /// Those who do not hear of what others were told just before.
    ContactsSkipped {
        subject: ObjectKey,
        kind: MessageKind,
        number: u32,
        skipped: Vec<(Name, Skip)>,
    },
    /// The next repeat comes at another time than it would have.
    NotificationDelayed {
        subject: ObjectKey,
        until: Timestamp,
        author: Arc<str>,
    },
    /// Messages about everything.
    NotificationsSwitched {
        on: bool,
        author: Arc<str>,
    },
    /// A check that was due does not run, and why. Said once when it begins, not each time.
    CheckHeld {
        subject: ObjectKey,
        why: Unchecked,
    },
    WentStale {
        subject: ObjectKey,
        last_check: Option<Timestamp>,
    },
    /// Somebody is to be told. From here on it is the outbox's to deliver.
    Notified(Message),
    /// A result that was not taken, and why.
    ResultRefused {
        refusal: Refusal,
    },
    Acknowledged {
        subject: ObjectKey,
        acknowledgement: Arc<Acknowledgement>,
    },
    AcknowledgementEnded {
        subject: ObjectKey,
        why: AcknowledgementEnd,
    },
    CommentAdded(Comment),
    CommentDeleted {
        id: CommentId,
        subject: ObjectKey,
    },
    DowntimeScheduled(Downtime),
    DowntimeStarted {
        id: DowntimeId,
        subject: ObjectKey,
    },
    DowntimeEnded {
        id: DowntimeId,
        subject: ObjectKey,
        how: DowntimeEnd,
    },
    AlarmOpened(Alarm),
    /// Count, state, owner, labels or ticket changed; repetition alone is told at most once a minute.
    AlarmChanged(Alarm),
    AlarmClosed(Alarm),
    /// What a person did with it, in words, and what they said.
    AlarmNoted {
        alarm: AlarmId,
        subject: ObjectKey,
        author: Arc<str>,
        what: Arc<str>,
        text: Arc<str>,
    },
    /// Somebody called something a false positive.
    SuppressionMade(Suppression),
    /// A problem came of which nobody hears. Said once for each problem.
    SuppressionHeld(Suppression),
    SuppressionEnded {
        suppression: Suppression,
        how: SuppressionEnd,
        /// None: nobody, it expired.
        author: Option<Arc<str>>,
    },
    TicketOpened {
        head: TicketHead,
        draft: TicketDraft,
    },
    TicketReopened {
        head: TicketHead,
        note: TicketNote,
        author: Arc<str>,
    },
    /// Also closing: the note's status then is Closed.
    TicketNoted {
        head: TicketHead,
        note: TicketNote,
        author: Arc<str>,
    },
    /// What it says is another; the store keeps what it was.
    TicketEdited {
        head: TicketHead,
        edit: TicketEdit,
        author: Arc<str>,
    },
    TicketDeleted {
        head: TicketHead,
        author: Arc<str>,
    },
    Rechecked {
        subject: ObjectKey,
        author: Arc<str>,
    },
    Switched {
        subject: ObjectKey,
        switch: super::operation::Switch,
        author: Arc<str>,
    },
    /// A host or service that the new configuration no longer has. What is known of it is kept for a while.
    ObjectRemoved {
        subject: ObjectKey,
    },
    /// It is in the configuration again, before it was forgotten.
    ObjectReturned {
        subject: ObjectKey,
    },
    /// It stayed away for too long: nothing of it is kept but its history.
    ObjectForgotten {
        subject: ObjectKey,
    },
    ObjectAdded {
        subject: ObjectKey,
    },
    /// All of one reload at once, from old to new: names may have been swapped. A host brings whatever else is known below
    /// its old name.
    ObjectsRenamed {
        names: Arc<BTreeMap<ObjectKey, ObjectKey>>,
    },
    Reloaded {
        hosts: usize,
        services: usize,
        added: usize,
        changed: usize,
        removed: usize,
    },
}

/// One transition as the log and the history show it: `CRITICAL;SOFT;2`.
#[derive(Clone, Debug, PartialEq)]
pub struct StateChange {
    pub subject: ObjectKey,
    pub before: AnyState,
    pub state: AnyState,
    pub state_type: StateType,
    /// The attempt that was logged, before a soft recovery resets it.
    pub attempt: u16,
    pub output: Arc<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgementEnd {
    Recovered,
    StateChanged,
    /// It lasted until it was worse.
    Worse,
    Expired,
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DowntimeEnd {
    /// It ran to its end.
    Over,
    Cancelled,
    /// Flexible, and nothing happened in its window.
    Unused,
}

/// What the store must write of a new ticket beyond its head.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketDraft {
    pub r#type: Arc<str>,
    pub title: Arc<str>,
    pub text: Arc<str>,
    pub priority: u8,
    pub in_charge: Option<Arc<str>>,
    pub submitter: Arc<str>,
    pub tags: Vec<Arc<str>>,
    pub fields: Fields,
    pub alarm: Option<AlarmId>,
}

/// The number under which a ticket that an order opened can be found.
pub fn opened_ticket(events: &[Event]) -> Option<TicketId> {
    events.iter().find_map(|event| match &event.what {
        What::TicketOpened { head, .. } => Some(head.id),
        _ => None,
    })
}
