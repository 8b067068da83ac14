//! What people called false positives: those in force, and those that have ended.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use vigia_core::model::anomaly::AnomalyKind;
use vigia_core::model::id::{AlarmId, SuppressionId, TicketId};
use vigia_core::model::suppression::{Matched, Suppression, SuppressionEnd};
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice};
use super::rows::{self, maybe_time, micros, signed, time, unsigned};

const COLUMNS: &str = "SELECT suppression.id, object.host, object.service, kind, about, up_to, reason, author, since, \
     expires, work.id, suppression.alarm, suppression.rule, held, last, ended, how, ended_by, work.class \
     FROM suppression JOIN object ON object.id = suppression.object \
     LEFT JOIN ticket AS work ON work.id = suppression.ticket AND work.deleted IS NULL";

const FROM: &str = "suppression JOIN object ON object.id = suppression.object";

/// One as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub suppression: Suppression,
    /// None: in force.
    pub end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Timestamp,
    pub how: SuppressionEnd,
    /// None: nobody, it expired.
    pub by: Option<Arc<str>>,
}

/// Which of them, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuppressionFilter {
    /// None: those that have ended too.
    pub in_force: Option<bool>,
    pub host: Option<String>,
    /// With `host`: this service of it.
    pub service: Option<String>,
    /// In names, reason or author.
    pub text: Option<String>,
    pub slice: Slice,
}

pub(super) fn save(db: &Connection, one: &Suppression) -> rusqlite::Result<()> {
    let object = rows::object_id(db, &one.subject)?;
    let (kind, about, up_to) = match &one.matched {
        Matched::Problem { up_to } => (None, "", up_to.map(|state| state.number())),
        Matched::Anomaly { kind, about } => (Some(kind.word()), &**about, None),
    };
    db.prepare_cached(
        "INSERT OR REPLACE INTO suppression (id, object, kind, about, up_to, reason, author, since, expires, ticket, \
         alarm, rule, held, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        signed(one.id.0),
        object,
        kind,
        about,
        up_to,
        &*one.reason,
        &*one.author,
        one.since.as_micros(),
        micros(one.expires),
        one.ticket.map(|ticket| signed(ticket.id.0)),
        one.alarm.map(|alarm| signed(alarm.0)),
        one.rule.as_deref(),
        one.held,
        micros(one.last),
    ])?;
    Ok(())
}

pub(super) fn end(
    db: &Connection,
    id: SuppressionId,
    at: Timestamp,
    how: SuppressionEnd,
    by: Option<&str>,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE suppression SET ended = ?2, how = ?3, ended_by = ?4 WHERE id = ?1")?
        .execute((signed(id.0), at.as_micros(), how.word(), by))?;
    Ok(())
}

/// For the engine.
pub(super) fn in_force(db: &Connection) -> rusqlite::Result<Vec<Suppression>> {
    let sql = format!("{COLUMNS} WHERE ended IS NULL ORDER BY suppression.id");
    db.prepare(&sql)?.query_map([], |row| read(row).map(|kept| kept.suppression))?.collect()
}

pub fn list(db: &Connection, filter: &SuppressionFilter) -> rusqlite::Result<Page<Kept>> {
    let mut conditions = Conditions::default();
    match filter.in_force {
        Some(true) => conditions.plain("ended IS NULL"),
        Some(false) => conditions.plain("ended IS NOT NULL"),
        None => {}
    }
    if let Some(host) = &filter.host {
        conditions.with("object.host = ?", host.clone());
    }
    if let Some(service) = &filter.service {
        conditions.with("object.service = ?", service.clone());
    }
    if let Some(text) = &filter.text {
        conditions.contains(&["object.host", "object.service", "reason", "author"], text);
    }
    Ok(Page {
        total: conditions.count(db, FROM)?,
        items: conditions.rows(db, COLUMNS, "suppression.id DESC", filter.slice, read)?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let subject = rows::key(row.get(1)?, row.get_ref(2)?.as_str()?);
    let kind: Option<String> = row.get(3)?;
    let up_to: Option<i64> = row.get(5)?;
    let matched = match kind.as_deref().and_then(AnomalyKind::from_word) {
        Some(kind) => Matched::Anomaly { kind, about: row.get(4)? },
        None => Matched::Problem { up_to: up_to.map(|number| rows::any_state(&subject, number)) },
    };
    let ticket = match (row.get::<_, Option<i64>>(10)?, row.get::<_, Option<String>>(18)?) {
        (Some(id), Some(class)) => {
            Some(Reference { class: rows::ticket_class(&class), id: TicketId(unsigned(id)) })
        }
        _ => None,
    };
    let how: Option<String> = row.get(16)?;
    let how = SuppressionEnd::ALL.iter().find(|one| how.as_deref() == Some(one.word()));
    let by = row.get(17)?;
    Ok(Kept {
        end: row.get(15).map(maybe_time)?.map(|at| End {
            at,
            how: how.copied().unwrap_or(SuppressionEnd::Expired),
            by,
        }),
        suppression: Suppression {
            id: SuppressionId(row.get(0).map(unsigned)?),
            subject,
            matched,
            reason: row.get(6)?,
            author: row.get(7)?,
            since: row.get(8).map(time)?,
            expires: row.get(9).map(maybe_time)?,
            ticket,
            alarm: row.get::<_, Option<i64>>(11)?.map(|id| AlarmId(unsigned(id))),
            rule: row.get(12)?,
            held: row.get(13)?,
            last: row.get(14).map(maybe_time)?,
        },
    })
}
