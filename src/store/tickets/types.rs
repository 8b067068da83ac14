//! Types of tickets: the nine that people of OSSIM know, Availability, and own ones. (`ossim-tickets.md` 2)

use rusqlite::Connection;

use super::super::rows::unsigned;
use super::change::known_name;

/// Where tickets go whose type is deleted.
pub const GENERIC: &str = "Generic";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketType {
    pub name: String,
    pub description: String,
    /// Cannot be renamed or deleted (T-21).
    pub is_system: bool,
    /// How many tickets have it.
    pub tickets: u64,
}

/// Why a type was not changed, for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeRefusal {
    #[error("there is no ticket type `{0}`")]
    Unknown(String),
    #[error("there is a ticket type `{0}` already")]
    Exists(String),
    #[error("the ticket type `{0}` cannot be renamed or deleted")]
    System(String),
}

pub fn all(db: &Connection) -> rusqlite::Result<Vec<TicketType>> {
    db.prepare_cached(
        "SELECT name, description, is_system, \
         (SELECT count(*) FROM ticket WHERE type = name AND deleted IS NULL) FROM ticket_type \
         ORDER BY name <> 'Generic', name",
    )?
    .query_map([], |row| {
        Ok(TicketType {
            name: row.get(0)?,
            description: row.get(1)?,
            is_system: row.get(2)?,
            tickets: unsigned(row.get(3)?),
        })
    })?
    .collect()
}

pub fn names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT name FROM ticket_type ORDER BY name <> 'Generic', name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// A rule may name a type that nobody made: its tickets are listed all the same.
pub(super) fn know(db: &Connection, name: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO ticket_type (name) VALUES (?1)")?.execute([name])?;
    Ok(())
}

fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    known_name(db, "SELECT name FROM ticket_type WHERE name = ?1", name)
}

fn is_system(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.query_row("SELECT is_system FROM ticket_type WHERE name = ?1", [name], |row| row.get(0))
}

pub fn add(db: &Connection, name: &str, description: &str) -> rusqlite::Result<Result<(), TypeRefusal>> {
    if let Some(known) = find(db, name)? {
        return Ok(Err(TypeRefusal::Exists(known)));
    }
    db.execute("INSERT INTO ticket_type (name, description) VALUES (?1, ?2)", (name, description))?;
    Ok(Ok(()))
}

/// Another name takes its tickets along; the description is replaced.
pub fn change(
    db: &Connection,
    name: &str,
    to: &str,
    description: &str,
) -> rusqlite::Result<Result<(), TypeRefusal>> {
    let Some(known) = find(db, name)? else { return Ok(Err(TypeRefusal::Unknown(name.to_owned()))) };
    if known != to {
        if is_system(db, &known)? {
            return Ok(Err(TypeRefusal::System(known)));
        }
        if let Some(other) = find(db, to)?.filter(|other| *other != known) {
            return Ok(Err(TypeRefusal::Exists(other)));
        }
    }
    db.execute(
        "UPDATE ticket_type SET name = ?2, description = ?3 WHERE name = ?1",
        (&known, to, description),
    )?;
    db.execute("UPDATE ticket SET type = ?2 WHERE type = ?1", (&known, to))?;
    Ok(Ok(()))
}

/// Its tickets become Generic (T-22). Answers with how many.
pub fn delete(db: &Connection, name: &str) -> rusqlite::Result<Result<u64, TypeRefusal>> {
    let Some(known) = find(db, name)? else { return Ok(Err(TypeRefusal::Unknown(name.to_owned()))) };
    if is_system(db, &known)? {
        return Ok(Err(TypeRefusal::System(known)));
    }
    let moved =
        db.execute("UPDATE ticket SET type = ?2 WHERE type = ?1 AND deleted IS NULL", (&known, GENERIC))?;
    db.execute("DELETE FROM ticket_type WHERE name = ?1", [&known])?;
    Ok(Ok(moved as u64))
}
