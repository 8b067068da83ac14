//! What people attach, as rows: names, kinds, sums, and where each belongs. The bytes are files (`desk::files`).

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::id::TicketId;
use vigia_core::model::time::Timestamp;

use super::rows::{signed, time, unsigned};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub id: u64,
    pub place: Place,
    /// The line of history that it came with; none: it came with the ticket.
    pub note: Option<u64>,
    pub file: File,
    pub author: Arc<str>,
    pub at: Timestamp,
}

/// What an attachment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Ticket(TicketId),
    /// Of the knowledge base, by its number.
    Document(u64),
}

impl Place {
    /// The column that names it, and its number.
    fn column(self) -> (&'static str, i64) {
        match self {
            Self::Ticket(id) => ("ticket", signed(id.0)),
            Self::Document(id) => ("document", signed(id)),
        }
    }
}

/// What is known of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As it was called, without what would lead elsewhere.
    pub name: Arc<str>,
    /// A word for what its first bytes are.
    pub kind: Arc<str>,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: Arc<str>,
}

const COLUMNS: &str = "id, ticket, note, name, kind, size, sha256, author, at, document";

fn read(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    Ok(Attachment {
        id: row.get(0).map(unsigned)?,
        place: match row.get::<_, Option<i64>>(9)? {
            Some(document) => Place::Document(unsigned(document)),
            None => Place::Ticket(TicketId(row.get::<_, Option<i64>>(1)?.map(unsigned).unwrap_or_default())),
        },
        note: row.get::<_, Option<i64>>(2)?.map(unsigned),
        file: File {
            name: row.get(3)?,
            kind: row.get(4)?,
            size: row.get(5).map(unsigned)?,
            sha256: row.get(6)?,
        },
        author: row.get(7)?,
        at: row.get(8).map(time)?,
    })
}

/// Oldest first.
pub fn at(db: &Connection, place: Place) -> rusqlite::Result<Vec<Attachment>> {
    let (column, id) = place.column();
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM attachment WHERE {column} = ?1 ORDER BY id"))?
        .query_map([id], read)?
        .collect()
}

pub fn one(db: &Connection, id: u64) -> rusqlite::Result<Option<Attachment>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM attachment WHERE id = ?1"))?
        .query_row([signed(id)], read)
        .optional()
}

/// How many a place has, and how many bytes they are.
pub fn total(db: &Connection, place: Place) -> rusqlite::Result<(u64, u64)> {
    let (column, id) = place.column();
    let sql = format!("SELECT count(*), coalesce(sum(size), 0) FROM attachment WHERE {column} = ?1");
    db.prepare_cached(&sql)?.query_row([id], |row| Ok((row.get(0).map(unsigned)?, row.get(1).map(unsigned)?)))
}

pub fn insert(
    db: &Connection,
    place: Place,
    file: &File,
    author: &str,
    at: Timestamp,
) -> rusqlite::Result<u64> {
    let (column, id) = place.column();
    db.prepare_cached(&format!(
        "INSERT INTO attachment ({column}, name, kind, size, sha256, author, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    ))?
    .execute(params![
        id,
        &*file.name,
        &*file.kind,
        signed(file.size),
        &*file.sha256,
        author,
        at.as_micros()
    ])?;
    Ok(unsigned(db.last_insert_rowid()))
}

/// They came with the last note that `author` wrote to the ticket.
pub fn bind_to_note(db: &Connection, ids: &[u64], author: &str) -> rusqlite::Result<()> {
    let mut bind = db.prepare_cached(
        "UPDATE attachment SET note = (SELECT max(id) FROM ticket_note WHERE ticket_note.ticket = attachment.ticket \
         AND ticket_note.author = ?2) WHERE id = ?1",
    )?;
    for id in ids {
        bind.execute((signed(*id), author))?;
    }
    Ok(())
}

pub fn remove(db: &Connection, ids: &[u64]) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM attachment WHERE id = ?1")?;
    for id in ids {
        remove.execute([signed(*id)])?;
    }
    Ok(())
}

pub(super) fn remove_all(db: &Connection, ticket: TicketId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM attachment WHERE ticket = ?1")?.execute([signed(ticket.0)])?;
    Ok(())
}

pub(super) fn remove_all_of_document(db: &Connection, document: u64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM attachment WHERE document = ?1")?.execute([signed(document)])?;
    Ok(())
}

/// The sums of all that is attached anywhere.
pub fn sums(db: &Connection) -> rusqlite::Result<HashSet<String>> {
    db.prepare("SELECT DISTINCT sha256 FROM attachment")?.query_map([], |row| row.get(0))?.collect()
}
