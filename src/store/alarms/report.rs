//! Alarms of a time by object: how many, for how long, how bad.

use rusqlite::{Connection, params};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::time::Timestamp;

use super::super::rows::{self, unsigned};

/// One object in the time of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmsOf {
    pub subject: ObjectKey,
    pub alarms: u64,
    /// How long they were open within that time.
    pub seconds: u64,
    /// Of these, how long the longest was.
    pub longest: u64,
    /// The worst of them, 0 to 10.
    pub severity: u8,
    /// How many have a ticket.
    pub tickets: u64,
    /// How many are open at its end.
    pub open: u64,
}

/// Those that were open at some moment from `from` to `to`, what was bad for longest first.
pub fn report(
    db: &Connection,
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<AlarmsOf>> {
    let sql = "SELECT host, service, count(*), sum(span), max(span), max(severity), count(ticket), sum(is_open_then) FROM \
         (SELECT host, service, severity, ticket, coalesce(closed, ?2) >= ?2 AS is_open_then, \
         max(0, min(coalesce(closed, ?2), ?2) - max(first, ?1)) / 1000000 AS span \
         FROM alarm JOIN object ON object.id = alarm.object WHERE first < ?2 AND coalesce(closed, ?2) > ?1) \
         GROUP BY host, service ORDER BY sum(span) DESC, count(*) DESC, host, service LIMIT ?3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?
        .query_map(params![from.as_micros(), to.as_micros(), limit], |row| {
            Ok(AlarmsOf {
                subject: rows::key(row.get(0)?, row.get_ref(1)?.as_str()?),
                alarms: row.get(2).map(unsigned)?,
                seconds: row.get(3).map(unsigned)?,
                longest: row.get(4).map(unsigned)?,
                severity: row.get(5)?,
                tickets: row.get(6).map(unsigned)?,
                open: row.get(7).map(unsigned)?,
            })
        })?
        .collect()
}
