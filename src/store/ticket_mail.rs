//! What is to be told of tickets by mail, until the messages are made of it, and the template of an editor.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use vigia_core::model::id::TicketId;
use vigia_core::model::time::Timestamp;

use super::rows::{signed, time, unsigned};

/// Something that happened to a ticket, of which somebody wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub id: u64,
    pub ticket: TicketId,
    /// The line of its history; none: it was opened.
    pub note: Option<u64>,
    /// In a word: `opened`.
    pub what: String,
    pub at: Timestamp,
    pub author: Arc<str>,
}

/// In the transaction of what happened. Where nobody wants to hear of it, nothing is written.
pub(super) fn ask(
    db: &Connection,
    ticket: TicketId,
    what: &str,
    at: Timestamp,
    author: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO ticket_mail (ticket, note, what, at, author) \
         SELECT id, iif(?2 = 'opened', NULL, (SELECT max(id) FROM ticket_note WHERE ticket = ?1)), ?2, ?3, ?4 \
         FROM ticket WHERE id = ?1 AND (in_charge IS NOT NULL OR EXISTS \
         (SELECT 1 FROM ticket_subscriber WHERE ticket_subscriber.ticket = ?1))",
    )?
    .execute((signed(ticket.0), what, at.as_micros(), author))?;
    Ok(())
}

/// The oldest first.
pub fn pending(db: &Connection, limit: u32) -> rusqlite::Result<Vec<Pending>> {
    db.prepare_cached("SELECT id, ticket, note, what, at, author FROM ticket_mail ORDER BY id LIMIT ?1")?
        .query_map([limit], |row| {
            Ok(Pending {
                id: row.get(0).map(unsigned)?,
                ticket: TicketId(row.get(1).map(unsigned)?),
                note: row.get::<_, Option<i64>>(2)?.map(unsigned),
                what: row.get(3)?,
                at: row.get(4).map(time)?,
                author: row.get(5)?,
            })
        })?
        .collect()
}

/// The messages are made.
pub fn done(db: &Connection, id: u64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM ticket_mail WHERE id = ?1")?.execute([signed(id)])?;
    Ok(())
}

/// Subject and body of an editor; none: those built in.
pub fn template(db: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    db.prepare_cached("SELECT subject, body FROM ticket_template")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// None: those built in again.
pub fn set_template(db: &Connection, template: Option<(&str, &str)>) -> rusqlite::Result<()> {
    match template {
        Some(template) => db
            .prepare_cached("INSERT OR REPLACE INTO ticket_template VALUES (1, ?1, ?2)")?
            .execute(template)
            .map(drop),
        None => db.execute("DELETE FROM ticket_template", []).map(drop),
    }
}
