//! What a person (or an external command) orders. Every order is typed; nothing is a line of text in here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::acknowledgement::Until;
use super::anomaly::AnomalyKind;
use super::check::Verdict;
use super::downtime::DowntimeKind;
use super::id::{AlarmId, CommentId, DowntimeId, ObjectKey, SuppressionId, TicketId};
use super::ticket::{Reference, TicketClass, TicketStatus};
use super::time::Timestamp;

/// An order and who gives it. The audit names the author.
#[derive(Clone, Debug)]
pub struct Order {
    pub author: Arc<str>,
    pub operation: Operation,
}

#[derive(Clone, Debug)]
pub enum Operation {
    Acknowledge {
        subject: ObjectKey,
        comment: Arc<str>,
        until: Until,
        notify: bool,
        /// The comment stays when the acknowledgement ends.
        keeps_comment: bool,
        expires: Option<Timestamp>,
    },
    RemoveAcknowledgement {
        subject: ObjectKey,
    },
    AddComment {
        subject: ObjectKey,
        text: Arc<str>,
    },
    DeleteComment {
        id: CommentId,
    },
    ScheduleDowntime {
        subject: ObjectKey,
        start: Timestamp,
        end: Timestamp,
        kind: DowntimeKind,
        comment: Arc<str>,
        triggered_by: Option<DowntimeId>,
    },
    CancelDowntime {
        id: DowntimeId,
    },
    /// Check now; forced ignores switches, period and dependencies.
    Recheck {
        subject: ObjectKey,
        at: Timestamp,
        forced: bool,
    },
    SubmitResult {
        subject: ObjectKey,
        verdict: Verdict,
        output: Arc<super::check::Output>,
        at: Timestamp,
    },
    Switch {
        subject: ObjectKey,
        switch: Switch,
    },
    /// Messages about everything, on or off.
    SwitchNotifications {
        on: bool,
    },
    /// A message in a person's own words.
    Notify {
        subject: ObjectKey,
        text: Arc<str>,
        how: HowToNotify,
    },
    /// No repeat before `until`; a change of state ends this.
    DelayNotification {
        subject: ObjectKey,
        until: Timestamp,
    },
    OpenTicket {
        ticket: Box<NewTicket>,
    },
    NoteTicket {
        id: TicketId,
        /// Which version the author saw; none: whichever it is.
        version: Option<u32>,
        note: Box<TicketNote>,
    },
    /// Changes what a ticket says, without a note.
    EditTicket {
        id: TicketId,
        /// Which version the author saw; none: whichever it is.
        version: Option<u32>,
        edit: Box<TicketEdit>,
    },
    /// Its number is never used again.
    DeleteTicket {
        id: TicketId,
    },
    /// Links an open alarm to a ticket that exists.
    LinkAlarm {
        alarm: AlarmId,
        ticket: TicketId,
    },
    OwnAlarm {
        alarm: AlarmId,
        owner: Option<Arc<str>>,
    },
    LabelAlarm {
        alarm: AlarmId,
        label: Arc<str>,
        set: bool,
    },
    CommentAlarm {
        alarm: AlarmId,
        text: Arc<str>,
    },
    /// One that a person closed, while its problem stands.
    ReopenAlarm {
        alarm: AlarmId,
        comment: Arc<str>,
    },
    CloseAlarm {
        alarm: AlarmId,
        comment: Arc<str>,
        /// It was none, and the next such problem is none either.
        false_positive: Option<FalsePositive>,
    },
    /// What was called a false positive is told again.
    RevokeSuppression {
        id: SuppressionId,
    },
}

impl Operation {
    /// The ticket that must exist for it.
    pub fn ticket(&self) -> Option<TicketId> {
        match self {
            Self::NoteTicket { id, .. }
            | Self::EditTicket { id, .. }
            | Self::DeleteTicket { id }
            | Self::LinkAlarm { ticket: id, .. } => Some(*id),
            Self::Acknowledge { .. }
            | Self::RemoveAcknowledgement { .. }
            | Self::AddComment { .. }
            | Self::DeleteComment { .. }
            | Self::ScheduleDowntime { .. }
            | Self::CancelDowntime { .. }
            | Self::Recheck { .. }
            | Self::SubmitResult { .. }
            | Self::Switch { .. }
            | Self::SwitchNotifications { .. }
            | Self::Notify { .. }
            | Self::DelayNotification { .. }
            | Self::OpenTicket { .. }
            | Self::OwnAlarm { .. }
            | Self::LabelAlarm { .. }
            | Self::CommentAlarm { .. }
            | Self::ReopenAlarm { .. }
            | Self::CloseAlarm { .. }
            | Self::RevokeSuppression { .. } => None,
        }
    }
}

/// Options of a custom message (`nagios-notifications.md` 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HowToNotify {
    /// To the usual contacts and to those of every escalation.
    pub broadcast: bool,
    /// Whatever rule would hold it back.
    pub forced: bool,
    /// Counts like a message of the problem.
    pub counted: bool,
}

/// A switch turned at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    ActiveChecks(bool),
    PassiveChecks(bool),
    Notifications(bool),
    FlapDetection(bool),
    EventHandler(bool),
    MaxCheckAttempts(u16),
}

/// A ticket that a person opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    pub class: TicketClass,
    pub r#type: Arc<str>,
    pub title: Arc<str>,
    pub text: Arc<str>,
    /// 1 to 10.
    pub priority: u8,
    pub in_charge: Option<Arc<str>>,
    pub subject: Option<ObjectKey>,
    pub alarm: Option<AlarmId>,
    pub tags: Vec<Arc<str>>,
    pub fields: Fields,
}

/// One update of a ticket: text, and what it changes (`ossim-tickets.md` 1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketNote {
    pub text: Arc<str>,
    /// What was done.
    pub action: Option<Arc<str>>,
    pub status: Option<TicketStatus>,
    /// With a status of Closed.
    pub resolution: Option<Arc<str>>,
    pub priority: Option<u8>,
    pub in_charge: Option<Arc<str>>,
    /// With the resolution [`FALSE_POSITIVE`](super::suppression::FALSE_POSITIVE): for how long, and of which anomaly.
    pub false_positive: FalsePositive,
}

/// What the engine cannot know of what is called a false positive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FalsePositive {
    /// None: for good.
    pub expires: Option<Timestamp>,
    /// That the ticket is about; none: it is about a problem.
    pub anomaly: Option<AnomalyMeant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnomalyMeant {
    /// The host, or the name of the asset.
    pub asset: ObjectKey,
    pub kind: AnomalyKind,
    /// `22/tcp`, an address; empty: the asset itself.
    pub about: Arc<str>,
}

impl TicketNote {
    /// Says something and leaves the ticket as it is.
    pub fn is_mere_text(&self) -> bool {
        self.status.is_none()
            && self.priority.is_none()
            && self.in_charge.is_none()
            && self.resolution.is_none()
    }
}

/// New values of a ticket; what is none stays. Its history keeps the old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketEdit {
    pub title: Option<Arc<str>>,
    pub text: Option<Arc<str>>,
    pub r#type: Option<Arc<str>>,
    /// 1 to 10.
    pub priority: Option<u8>,
    /// Within: none is nobody.
    pub in_charge: Option<Option<Arc<str>>>,
    /// All of them.
    pub tags: Option<Vec<Arc<str>>>,
    /// All fields of its class.
    pub fields: Option<Fields>,
}

/// Fields of a ticket's class by their keys ([`TicketClass::fields`]); those left empty are absent.
pub type Fields = BTreeMap<Arc<str>, Arc<str>>;

/// Why an order was refused. Shown to whoever gave it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no host or service `{0}`")]
    UnknownObject(ObjectKey),
    #[error("there is no {what} {id}")]
    UnknownRecord { what: &'static str, id: u64 },
    #[error("`{0}` has no problem to acknowledge")]
    NoProblem(ObjectKey),
    #[error("`{0}` is already acknowledged")]
    AlreadyAcknowledged(ObjectKey),
    #[error("`{0}` is not monitored (monitor: off)")]
    NotMonitored(ObjectKey),
    #[error(
        "nobody looks at `{0}`: its check is passive or switched off; a forced check ignores the switch alone"
    )]
    NotChecked(ObjectKey),
    #[error("passive results for `{0}` are not accepted (passive_checks: off)")]
    PassiveOff(ObjectKey),
    #[error("a newer result for `{0}` is already known")]
    Outdated(ObjectKey),
    #[error(
        "the result for `{subject}` is of {at}, more than a day ago: it says nothing of how things are now"
    )]
    TooOld { subject: ObjectKey, at: Timestamp },
    #[error(
        "the result for `{subject}` is of {at}, which is still to come: set the clock of its sender, or send no time"
    )]
    InFuture { subject: ObjectKey, at: Timestamp },
    #[error(
        "{reference} was changed since it was looked at (that was version {seen}, it is at {now}): look at it again"
    )]
    Changed { reference: Reference, seen: u32, now: u32 },
    #[error("the downtime ends before it begins")]
    Reversed,
    #[error("the downtime lies in the past")]
    Past,
    #[error("{0}")]
    Invalid(String),
}

/// How long something may last, where a person may say so.
pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
