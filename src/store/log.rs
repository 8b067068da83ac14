//! The event log: what happened, in order. The history of an object is its part of it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::event::StateChange;
use vigia_core::model::id::{EventId, ObjectKey};
use vigia_core::model::state::{AnyState, StateType};
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Slice};
use super::rows::{self, signed, time, unsigned};

const COLUMNS: &str = "SELECT event.id, at, kind, host, service, before, state, state_type, attempt, author, record, \
     text, long_text FROM event LEFT JOIN object ON object.id = event.object";

/// What a line of the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// SERVICE ALERT or HOST ALERT.
    State,
    FlappingStarted,
    FlappingStopped,
    FlappingDisabled,
    Stale,
    /// A check that was due did not run, and why.
    CheckHeld,
    /// A message to somebody was decided; what became of it is in the outbox.
    Notified,
    /// Nobody was told, and which rule decided.
    NotificationHeld,
    /// Who did not hear of what others were told.
    ContactsSkipped,
    /// An event handler was to run; what became of it is in the outbox.
    HandlerRun,
    /// A rule's webhook or program, likewise.
    RuleActed,
    NotificationDelayed,
    /// Messages about everything, on or off.
    NotificationsSwitched,
    Acknowledged,
    AcknowledgementEnded,
    CommentAdded,
    CommentDeleted,
    DowntimeScheduled,
    DowntimeStarted,
    DowntimeEnded,
    AlarmOpened,
    AlarmClosed,
    SuppressionMade,
    SuppressionHeld,
    SuppressionEnded,
    TicketOpened,
    TicketReopened,
    TicketNoted,
    TicketEdited,
    TicketDeleted,
    Rechecked,
    Switched,
    Removed,
    Returned,
    Forgotten,
    Added,
    Renamed,
    Reloaded,
}

impl LogKind {
    pub const ALL: &'static [Self] = &[
        Self::State,
        Self::FlappingStarted,
        Self::FlappingStopped,
        Self::FlappingDisabled,
        Self::Stale,
        Self::CheckHeld,
        Self::Notified,
        Self::NotificationHeld,
        Self::ContactsSkipped,
        Self::HandlerRun,
        Self::RuleActed,
        Self::NotificationDelayed,
        Self::NotificationsSwitched,
        Self::Acknowledged,
        Self::AcknowledgementEnded,
        Self::CommentAdded,
        Self::CommentDeleted,
        Self::DowntimeScheduled,
        Self::DowntimeStarted,
        Self::DowntimeEnded,
        Self::AlarmOpened,
        Self::AlarmClosed,
        Self::SuppressionMade,
        Self::SuppressionHeld,
        Self::SuppressionEnded,
        Self::TicketOpened,
        Self::TicketReopened,
        Self::TicketNoted,
        Self::TicketEdited,
        Self::TicketDeleted,
        Self::Rechecked,
        Self::Switched,
        Self::Removed,
        Self::Returned,
        Self::Forgotten,
        Self::Added,
        Self::Renamed,
        Self::Reloaded,
    ];

    /// As kept on disk and shown in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::FlappingStarted => "flapping-started",
            Self::FlappingStopped => "flapping-stopped",
            Self::FlappingDisabled => "flapping-disabled",
            Self::Stale => "stale",
            Self::CheckHeld => "check-held",
            Self::Notified => "notified",
            Self::NotificationHeld => "notification-held",
            Self::ContactsSkipped => "contacts-skipped",
            Self::HandlerRun => "handler-run",
            Self::RuleActed => "rule-acted",
            Self::NotificationDelayed => "notification-delayed",
            Self::NotificationsSwitched => "notifications-switched",
            Self::Acknowledged => "acknowledged",
            Self::AcknowledgementEnded => "acknowledgement-ended",
            Self::CommentAdded => "comment-added",
            Self::CommentDeleted => "comment-deleted",
            Self::DowntimeScheduled => "downtime-scheduled",
            Self::DowntimeStarted => "downtime-started",
            Self::DowntimeEnded => "downtime-ended",
            Self::AlarmOpened => "alarm-opened",
            Self::AlarmClosed => "alarm-closed",
            Self::SuppressionMade => "suppression-made",
            Self::SuppressionHeld => "suppression-held",
            Self::SuppressionEnded => "suppression-ended",
            Self::TicketOpened => "ticket-opened",
            Self::TicketReopened => "ticket-reopened",
            Self::TicketNoted => "ticket-noted",
            Self::TicketEdited => "ticket-edited",
            Self::TicketDeleted => "ticket-deleted",
            Self::Rechecked => "rechecked",
            Self::Switched => "switched",
            Self::Removed => "removed",
            Self::Returned => "returned",
            Self::Forgotten => "forgotten",
            Self::Added => "added",
            Self::Renamed => "renamed",
            Self::Reloaded => "reloaded",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub id: EventId,
    pub at: Timestamp,
    /// As [`LogKind::word`]; a line of a newer program may have another.
    pub kind: String,
    pub subject: Option<ObjectKey>,
    /// Of [`LogKind::State`] only.
    pub change: Option<Change>,
    pub author: Option<String>,
    /// The number of the alarm, ticket, comment or downtime.
    pub record: Option<u64>,
    /// Plugin output, comment, or what it was.
    pub text: String,
    pub long_text: String,
}

impl LogLine {
    pub fn kind(&self) -> Option<LogKind> {
        LogKind::from_word(&self.kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: AnyState,
    pub state: AnyState,
    pub state_type: StateType,
    pub attempt: u16,
}

/// A line to write; what it does not have stays empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewLine<'a> {
    pub(super) at: Timestamp,
    pub(super) kind: LogKind,
    pub(super) subject: Option<&'a ObjectKey>,
    pub(super) change: Option<&'a StateChange>,
    pub(super) author: Option<&'a str>,
    pub(super) record: Option<u64>,
    pub(super) text: &'a str,
    pub(super) long_text: &'a str,
}

impl<'a> NewLine<'a> {
    pub(super) fn new(at: Timestamp, kind: LogKind) -> Self {
        Self { at, kind, subject: None, change: None, author: None, record: None, text: "", long_text: "" }
    }

    pub(super) fn about(at: Timestamp, kind: LogKind, subject: &'a ObjectKey) -> Self {
        Self { subject: Some(subject), ..Self::new(at, kind) }
    }

    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let object = self.subject.map(|key| rows::object_id(connection, key)).transpose()?;
        connection
            .prepare_cached(
                "INSERT INTO event (at, kind, object, before, state, state_type, attempt, author, record, text, \
                 long_text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                self.at.as_micros(),
                self.kind.word(),
                object,
                self.change.map(|change| change.before.number()),
                self.change.map(|change| change.state.number()),
                self.change.map(|change| change.state_type.number()),
                self.change.map(|change| change.attempt),
                self.author,
                self.record.map(signed),
                self.text,
                self.long_text,
            ])?;
        Ok(())
    }
}

/// Which lines. The newest come first; [`before`](Self::before) turns the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub subject: Option<ObjectKey>,
    /// With a host as subject: its services too.
    pub with_services: bool,
    /// Empty: all.
    pub kinds: Vec<LogKind>,
    /// Lines older than this one.
    pub before: Option<EventId>,
    /// From here (included) to there (excluded).
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// In text or author.
    pub text: Option<String>,
    pub limit: usize,
}

pub fn list(connection: &Connection, filter: &LogFilter) -> rusqlite::Result<Vec<LogLine>> {
    let mut conditions = Conditions::default();
    if let Some(subject) = &filter.subject {
        if filter.with_services && subject.service.is_none() {
            conditions
                .with("event.object IN (SELECT id FROM object WHERE host = ?)", subject.host.to_string());
        } else {
            let Some(object) = rows::find_object(connection, subject)? else { return Ok(Vec::new()) };
            conditions.with("event.object = ?", object);
        }
    }
    if !filter.kinds.is_empty() {
        conditions.any_of("kind", filter.kinds.iter().map(|kind| Value::Text(kind.word().to_owned())));
    }
    if let Some(before) = filter.before {
        conditions.with("event.id < ?", signed(before.0));
    }
    if let Some(from) = filter.from {
        conditions.with("at >= ?", from.as_micros());
    }
    if let Some(to) = filter.to {
        conditions.with("at < ?", to.as_micros());
    }
    if let Some(text) = &filter.text {
        conditions.contains(&["text", "author"], text);
    }
    // An object's lines come from its own index, whose order is that of time.
    let order = if filter.subject.is_some() { "at DESC, event.id DESC" } else { "event.id DESC" };
    conditions.rows(connection, COLUMNS, order, Slice::first(filter.limit), read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<LogLine> {
    let subject = rows::maybe_key(row.get(3)?, row.get(4)?);
    let state: Option<i64> = row.get(6)?;
    let change = match (&subject, state) {
        (Some(key), Some(state)) => Some(Change {
            before: rows::any_state(key, row.get::<_, Option<i64>>(5)?.unwrap_or(0)),
            state: rows::any_state(key, state),
            state_type: rows::state_type(row.get::<_, Option<i64>>(7)?.unwrap_or(1)),
            attempt: row.get::<_, Option<u16>>(8)?.unwrap_or(1),
        }),
        (None, _) | (_, None) => None,
    };
    Ok(LogLine {
        id: EventId(row.get(0).map(unsigned)?),
        at: row.get(1).map(time)?,
        kind: row.get(2)?,
        subject,
        change,
        author: row.get(9)?,
        record: row.get::<_, Option<i64>>(10)?.map(unsigned),
        text: row.get(11)?,
        long_text: row.get(12)?,
    })
}

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub from: Timestamp,
    pub to: Timestamp,
    /// None: nothing is known of that time.
    pub state: Option<AnyState>,
    pub state_type: StateType,
}

/// How an object stood between `from` and `to`, without gaps, oldest first: the ribbon on its page.
/// At most `limit` changes, the latest; what lies before them is unknown then.
pub fn ribbon(
    connection: &Connection,
    subject: &ObjectKey,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Segment>> {
    let unknown = Segment { from, to, state: None, state_type: StateType::Hard };
    let Some(object) = rows::find_object(connection, subject)? else { return Ok(vec![unknown]) };
    let filter = LogFilter {
        subject: Some(subject.clone()),
        kinds: vec![LogKind::State],
        from: Some(from),
        to: Some(to),
        limit,
        ..LogFilter::default()
    };
    let mut changes: Vec<(Timestamp, Change)> =
        list(connection, &filter)?.into_iter().filter_map(|line| Some((line.at, line.change?))).collect();
    changes.reverse();
    let is_whole = changes.len() < limit;
    let first = if is_whole { first_standing(connection, object, subject, from, &changes)? } else { None };
    let mut segments = vec![unknown];
    let mut change_to = |from: Timestamp, state: AnyState, state_type: StateType| {
        if let Some(last) = segments.last_mut() {
            last.to = from;
        }
        segments.push(Segment { from, to, state: Some(state), state_type });
    };
    if let Some((since, state, state_type)) = first.filter(|(since, ..)| *since < to) {
        change_to(since.max(from), state, state_type);
    }
    for (at, change) in changes {
        change_to(at, change.state, change.state_type);
    }
    segments.retain(|segment| segment.from < segment.to);
    Ok(segments)
}

/// What is known of the time before the first of these changes, and since when: the last change before `from`, else
/// what that first change says was before, since the object is watched, else the standing now of an object that
/// never changed.
fn first_standing(
    connection: &Connection,
    object: i64,
    subject: &ObjectKey,
    from: Timestamp,
    changes: &[(Timestamp, Change)],
) -> rusqlite::Result<Option<(Timestamp, AnyState, StateType)>> {
    let read = |row: &Row<'_>| {
        let state = rows::any_state(subject, row.get(0)?);
        Ok((row.get(2).map(time)?, state, row.get(1).map(rows::state_type)?))
    };
    let before = connection
        .prepare_cached(
            "SELECT state, state_type, at FROM event WHERE object = ?1 AND at < ?2 AND kind = 'state' \
             ORDER BY at DESC, id DESC LIMIT 1",
        )?
        .query_row((object, from.as_micros()), read)
        .optional()?;
    if before.is_some() {
        return Ok(before);
    }
    if let Some((at, change)) = changes.first() {
        let created = connection
            .prepare_cached("SELECT created FROM object WHERE id = ?1")?
            .query_row([object], |row| row.get(0).map(time))?;
        return Ok((created < *at).then_some((created, change.before, StateType::Hard)));
    }
    connection
        .prepare_cached(
            "SELECT state, state_type, coalesce(last_state_change, last_check) FROM status \
             WHERE object = ?1 AND has_been_checked = 1 AND coalesce(last_state_change, last_check) IS NOT NULL",
        )?
        .query_row([object], read)
        .optional()
}
