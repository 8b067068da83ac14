//! The outbox as people read it: newest first, each message with its ways.

use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use vigia_core::model::id::{Name, ObjectKey};
use vigia_core::model::message::{About, MessageId};
use vigia_core::model::time::Timestamp;

use super::{DeliveryStatus, body};
use crate::store::query::{Conditions, Page, Slice};
use crate::store::rows;

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: MessageId,
    pub at: Timestamp,
    pub contact: Name,
    pub about: About,
    /// Empty: the contact has no channel.
    pub ways: Vec<Way>,
}

/// One way of telling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub channel: String,
    pub target: String,
    pub status: DeliveryStatus,
    pub attempts: u32,
    /// Waiting: not before.
    pub next: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Why it failed or still waits.
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxFilter {
    pub contact: Option<String>,
    pub subject: Option<ObjectKey>,
    /// With a host as subject: its services too.
    pub with_services: bool,
    /// At least one way stands so.
    pub status: Option<DeliveryStatus>,
    pub kind: Option<String>,
    /// This message alone.
    pub id: Option<String>,
    pub slice: Slice,
}

const COLUMNS: &str = "SELECT message.id, key, at, contact, kind, host, service, problem, number, state, detail \
     FROM message LEFT JOIN object ON object.id = message.object";

pub fn list(connection: &Connection, filter: &OutboxFilter) -> rusqlite::Result<Page<Listed>> {
    let Some(conditions) = conditions(connection, filter)? else { return Ok(Page::default()) };
    let total = conditions.count(connection, "message")?;
    let found = conditions.rows(connection, COLUMNS, "message.id DESC", filter.slice, read)?;
    let mut items = Vec::with_capacity(found.len());
    for (row, mut listed) in found {
        listed.ways = ways(connection, row)?;
        items.push(listed);
    }
    Ok(Page { total, items })
}

/// None: nothing can match.
fn conditions(connection: &Connection, filter: &OutboxFilter) -> rusqlite::Result<Option<Conditions>> {
    let mut conditions = Conditions::default();
    if let Some(contact) = &filter.contact {
        conditions.with("contact = ?", contact.clone());
    }
    if let Some(subject) = &filter.subject {
        if filter.with_services && subject.service.is_none() {
            conditions
                .with("message.object IN (SELECT id FROM object WHERE host = ?)", subject.host.to_string());
        } else {
            let Some(object) = rows::find_object(connection, subject)? else { return Ok(None) };
            conditions.with("message.object = ?", object);
        }
    }
    if let Some(status) = filter.status {
        conditions.with(
            "message.id IN (SELECT message FROM delivery WHERE status = ?)",
            Value::Text(status.word().to_owned()),
        );
    }
    if let Some(kind) = &filter.kind {
        conditions.with("kind = ?", kind.clone());
    }
    if let Some(id) = &filter.id {
        conditions.with("key = ?", id.clone());
    }
    Ok(Some(conditions))
}

fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Listed)> {
    let key: Name = row.get(1)?;
    let listed = Listed {
        id: MessageId(key),
        at: row.get(2).map(rows::time)?,
        contact: row.get(3)?,
        about: body::about(row, 4)?,
        ways: Vec::new(),
    };
    Ok((row.get(0)?, listed))
}

fn ways(connection: &Connection, message: i64) -> rusqlite::Result<Vec<Way>> {
    connection
        .prepare_cached(
            "SELECT channel, target, status, attempts, next, ended, reason FROM delivery \
             WHERE message = ?1 ORDER BY id",
        )?
        .query_map([message], |row| {
            let status: String = row.get(2)?;
            Ok(Way {
                channel: row.get(0)?,
                target: row.get(1)?,
                status: DeliveryStatus::from_word(&status).unwrap_or(DeliveryStatus::Unknown),
                attempts: row.get(3)?,
                next: row.get(4).map(rows::maybe_time)?,
                ended: row.get(5).map(rows::maybe_time)?,
                reason: row.get(6)?,
            })
        })?
        .collect()
}
