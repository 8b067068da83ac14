//! What tables hold ↔ what the core calls it. Each conversion once.

use rusqlite::{Connection, OptionalExtension};
use vigia_core::model::acknowledgement::Lasts;
use vigia_core::model::alarm::AlarmStatus;
use vigia_core::model::comment::CommentKind;
use vigia_core::model::downtime::DowntimeKind;
use vigia_core::model::id::{Name, ObjectKey};
use vigia_core::model::state::{AnyState, Condition, HostState, State, StateType};
use vigia_core::model::ticket::{TicketClass, TicketStatus};
use vigia_core::model::time::Timestamp;

/// 0 until the state changes, 1 until recovery, 10 and a severity until it is worse.
pub(super) fn lasts_number(lasts: Lasts) -> i64 {
    match lasts {
        Lasts::UntilChange => 0,
        Lasts::UntilRecovery => 1,
        Lasts::UntilWorse { than } => 10 + i64::from(than),
    }
}

pub(super) fn lasts(number: i64) -> Lasts {
    match number {
        0 => Lasts::UntilChange,
        10.. => Lasts::UntilWorse { than: u8::try_from(number - 10).unwrap_or(u8::MAX) },
        _ => Lasts::UntilRecovery,
    }
}

pub(super) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(super) fn maybe_time(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(time)
}

/// Our counters start at one and grow by ones: they never reach the end of an `i64`.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The number of an object that some table refers to; made where there is none yet.
pub(super) fn object_id(connection: &Connection, key: &ObjectKey) -> rusqlite::Result<i64> {
    if let Some(id) = find_object(connection, key)? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO object (host, service) VALUES (?1, ?2)")?
        .execute((&*key.host, service_text(key)))?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn find_object(connection: &Connection, key: &ObjectKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM object WHERE host = ?1 AND service = ?2")?
        .query_row((&*key.host, service_text(key)), |row| row.get(0))
        .optional()
}

fn service_text(key: &ObjectKey) -> &str {
    key.service.as_deref().unwrap_or_default()
}

pub(super) fn key(host: Name, service: &str) -> ObjectKey {
    let service = (!service.is_empty()).then(|| Name::from(service));
    ObjectKey { host, service }
}

/// A key whose host may be missing: a log line about no object.
pub(super) fn maybe_key(host: Option<Name>, service: Option<String>) -> Option<ObjectKey> {
    host.map(|host| key(host, &service.unwrap_or_default()))
}

/// A number that no state has reads as the good state; only a damaged row holds one.
pub(super) fn state<S: Condition>(number: i64) -> S {
    u8::try_from(number).ok().and_then(S::from_number).unwrap_or_default()
}

pub(super) fn any_state(key: &ObjectKey, number: i64) -> AnyState {
    match key.service {
        Some(_) => AnyState::Service(state::<State>(number)),
        None => AnyState::Host(state::<HostState>(number)),
    }
}

pub(super) fn state_type(number: i64) -> StateType {
    if number == 0 { StateType::Soft } else { StateType::Hard }
}

pub(super) fn comment_kind_number(kind: CommentKind) -> i64 {
    match kind {
        CommentKind::User => 0,
        CommentKind::Downtime => 1,
        CommentKind::Flapping => 2,
        CommentKind::Acknowledgement => 3,
    }
}

pub(super) fn comment_kind(number: i64) -> CommentKind {
    match number {
        1 => CommentKind::Downtime,
        2 => CommentKind::Flapping,
        3 => CommentKind::Acknowledgement,
        _ => CommentKind::User,
    }
}

/// Microseconds of a flexible downtime.
pub(super) fn flexible(kind: DowntimeKind) -> Option<i64> {
    match kind {
        DowntimeKind::Fixed => None,
        DowntimeKind::Flexible(span) => Some(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
    }
}

pub(super) fn downtime_kind(flexible: Option<i64>) -> DowntimeKind {
    flexible.map_or(DowntimeKind::Fixed, |span| {
        DowntimeKind::Flexible(std::time::Duration::from_micros(unsigned(span)))
    })
}

pub(super) fn is_open(status: AlarmStatus) -> bool {
    match status {
        AlarmStatus::Open => true,
        AlarmStatus::Closed => false,
    }
}

pub(super) fn alarm_status(is_open: bool) -> AlarmStatus {
    if is_open { AlarmStatus::Open } else { AlarmStatus::Closed }
}

pub(super) fn ticket_class(prefix: &str) -> TicketClass {
    TicketClass::ALL.iter().copied().find(|class| class.prefix() == prefix).unwrap_or(TicketClass::Custom)
}

pub(super) fn ticket_status(word: &str) -> TicketStatus {
    TicketStatus::ALL.iter().copied().find(|status| status.word() == word).unwrap_or_default()
}
