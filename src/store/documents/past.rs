//! How the same thing was mended before: the last closed tickets of an object, with what their people wrote.

use std::sync::Arc;

use rusqlite::Connection;
use vigia_core::model::id::{ObjectKey, TicketId};
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use super::super::rows::{self, signed, time, unsigned};

/// How a ticket of the same object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    pub reference: Reference,
    pub closed: Timestamp,
    pub resolution: Arc<str>,
    pub author: Arc<str>,
    /// What was written when it was closed, and what was done last.
    pub text: Arc<str>,
    pub action: Option<Arc<str>>,
}

/// Newest first. What vigia closed by itself teaches nothing.
pub fn remedies(
    db: &Connection,
    subject: &ObjectKey,
    but: Option<TicketId>,
    limit: usize,
) -> rusqlite::Result<Vec<Remedy>> {
    let Some(object) = rows::find_object(db, subject)? else { return Ok(Vec::new()) };
    db.prepare_cached(
        "SELECT ticket.id, class, ticket.closed, coalesce(ticket.resolution, ''), author, ticket_note.text, \
         (SELECT action FROM ticket_note WHERE ticket = ticket.id AND action <> '' ORDER BY id DESC LIMIT 1) AS done \
         FROM ticket JOIN ticket_note ON ticket_note.id = (SELECT max(id) FROM ticket_note WHERE ticket = ticket.id \
         AND status = 'Closed' AND author <> 'vigia') \
         WHERE object = ?1 AND ticket.status = 'Closed' AND deleted IS NULL AND ticket.id <> ?2 \
         AND (ticket_note.text <> '' OR done IS NOT NULL) ORDER BY ticket.closed DESC LIMIT ?3",
    )?
    .query_map(
        (object, signed(but.map_or(0, |but| but.0)), i64::try_from(limit).unwrap_or(i64::MAX)),
        |row| {
            Ok(Remedy {
                reference: Reference {
                    id: TicketId(row.get(0).map(unsigned)?),
                    class: rows::ticket_class(row.get_ref(1)?.as_str()?),
                },
                closed: row.get(2).map(time)?,
                resolution: row.get(3)?,
                author: row.get(4)?,
                text: row.get(5)?,
                action: row.get(6)?,
            })
        },
    )?
    .collect()
}
