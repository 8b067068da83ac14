//! Downtimes: those to come, those in effect, and those that are over.

use rusqlite::{Connection, Row, params};
use vigia_core::model::downtime::Downtime;
use vigia_core::model::event::DowntimeEnd;
use vigia_core::model::id::{DowntimeId, ObjectKey};
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice};
use super::rows::{self, maybe_time, micros, signed, time, unsigned};

const COLUMNS: &str = "SELECT downtime.id, host, service, author, comment, entered, start, \"end\", flexible, \
     triggered_by, started, ended, how FROM downtime JOIN object ON object.id = downtime.object";

/// A downtime with how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDowntime {
    pub downtime: Downtime,
    pub ended: Option<(Timestamp, DowntimeEnd)>,
}

/// Which downtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DowntimeFilter {
    pub subject: Option<ObjectKey>,
    /// Overlapping this span.
    pub between: Option<(Timestamp, Timestamp)>,
    /// Only those that have not ended.
    pub open: bool,
    pub slice: Slice,
}

pub(super) fn insert(connection: &Connection, downtime: &Downtime) -> rusqlite::Result<()> {
    let object = rows::object_id(connection, &downtime.subject)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO downtime VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, NULL)",
        )?
        .execute(params![
            signed(downtime.id.0),
            object,
            &*downtime.author,
            &*downtime.comment,
            downtime.entered.as_micros(),
            downtime.start.as_micros(),
            downtime.end.as_micros(),
            rows::flexible(downtime.kind),
            downtime.triggered_by.map(|id| signed(id.0)),
            micros(downtime.started),
        ])?;
    Ok(())
}

pub(super) fn start(connection: &Connection, id: DowntimeId, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE downtime SET started = ?2 WHERE id = ?1")?
        .execute((signed(id.0), at.as_micros()))?;
    Ok(())
}

pub(super) fn end(
    connection: &Connection,
    id: DowntimeId,
    at: Timestamp,
    how: DowntimeEnd,
) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE downtime SET ended = ?2, how = ?3 WHERE id = ?1")?.execute((
        signed(id.0),
        at.as_micros(),
        end_word(how),
    ))?;
    Ok(())
}

pub(super) fn end_word(how: DowntimeEnd) -> &'static str {
    match how {
        DowntimeEnd::Over => "over",
        DowntimeEnd::Cancelled => "cancelled",
        DowntimeEnd::Unused => "unused",
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<PastDowntime> {
    let downtime = Downtime {
        id: DowntimeId(row.get(0).map(unsigned)?),
        subject: rows::key(row.get(1)?, row.get_ref(2)?.as_str()?),
        author: row.get(3)?,
        comment: row.get(4)?,
        entered: row.get(5).map(time)?,
        start: row.get(6).map(time)?,
        end: row.get(7).map(time)?,
        kind: row.get(8).map(rows::downtime_kind)?,
        triggered_by: row.get::<_, Option<i64>>(9)?.map(|id| DowntimeId(unsigned(id))),
        started: row.get(10).map(maybe_time)?,
    };
    let how: Option<String> = row.get(12)?;
    let how = match how.as_deref() {
        Some("cancelled") => DowntimeEnd::Cancelled,
        Some("unused") => DowntimeEnd::Unused,
        _ => DowntimeEnd::Over,
    };
    let ended: Option<Timestamp> = row.get(11).map(maybe_time)?;
    Ok(PastDowntime { downtime, ended: ended.map(|at| (at, how)) })
}

pub(super) fn not_ended(connection: &Connection) -> rusqlite::Result<Vec<Downtime>> {
    connection
        .prepare(&format!("{COLUMNS} WHERE ended IS NULL ORDER BY downtime.id"))?
        .query_map([], |row| read(row).map(|past| past.downtime))?
        .collect()
}

/// The latest first.
pub fn list(connection: &Connection, filter: &DowntimeFilter) -> rusqlite::Result<Page<PastDowntime>> {
    let mut conditions = Conditions::default();
    if let Some(subject) = &filter.subject {
        let Some(object) = rows::find_object(connection, subject)? else { return Ok(Page::default()) };
        conditions.with("downtime.object = ?", object);
    }
    if let Some((from, to)) = filter.between {
        conditions.with("start < ?", to.as_micros());
        conditions.with("coalesce(ended, \"end\") > ?", from.as_micros());
    }
    if filter.open {
        conditions.plain("ended IS NULL");
    }
    Ok(Page {
        total: conditions.count(connection, "downtime")?,
        items: conditions.rows(connection, COLUMNS, "start DESC, downtime.id DESC", filter.slice, read)?,
    })
}
