//! Copies of the database while it is in use, what one holds, and what must change in one that is put back.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, backup};
use vigia_core::model::time::Timestamp;

use super::error::StoreError;
use super::{open_for_reading, schema};

/// What a database holds: the numbers by which a person recognises it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many migrations it has seen.
    pub schema: i64,
    /// Hosts and services that it knows.
    pub objects: u64,
    pub events: u64,
    pub alarms: u64,
    pub tickets: u64,
    pub users: u64,
}

impl Census {
    /// The numbers by name, for people and for JSON.
    pub fn counts(&self) -> [(&'static str, u64); 5] {
        [
            ("objects", self.objects),
            ("events", self.events),
            ("alarms", self.alarms),
            ("tickets", self.tickets),
            ("users", self.users),
        ]
    }
}

/// Copies the database at `from` to `to`, which must not be there, as it is at one instant. Whoever writes to it
/// meanwhile goes on and notices nothing; what they write is not in the copy. Blocks.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = open_for_reading(from).map_err(|error| StoreError::opening(from, error))?;
    let failed = |error| StoreError::Copy { path: from.to_owned(), copy: to.to_owned(), source: error };
    super::make_private(to);
    let mut target = Connection::open(to).map_err(failed)?;
    // In one step: a copy in pieces begins again with each commit of somebody else, ten times a second.
    backup::Backup::new(&source, &mut target).and_then(|copying| copying.step(-1)).map_err(failed)?;
    // One file, without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    Ok(())
}

/// Looks whether a database is sound, ours, and not of a newer vigia, and counts what it holds. Blocks, and reads all
/// of it.
pub fn examine(path: &Path) -> Result<Census, StoreError> {
    let opening = |error| StoreError::opening(path, error);
    let connection = open_for_reading(path).map_err(opening)?;
    let found = schema::check(&connection, path)?;
    let said: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(opening)?;
    if said != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), detail: said });
    }
    count_in(&connection, path, found)
}

/// What a database holds, without reading all of it.
pub fn count(path: &Path) -> Result<Census, StoreError> {
    let connection = open_for_reading(path).map_err(|error| StoreError::opening(path, error))?;
    let found = schema::check(&connection, path)?;
    count_in(&connection, path, found)
}

fn count_in(connection: &Connection, path: &Path, schema: i64) -> Result<Census, StoreError> {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
        rows.map_err(|error| StoreError::opening(path, error))
    };
    let count = |table: &str| count(table).map(|rows| u64::try_from(rows).unwrap_or(0));
    Ok(Census {
        schema,
        objects: count("object")?,
        events: count("event")?,
        alarms: count("alarm")?,
        tickets: count("ticket")?,
        users: count("user")?,
    })
}

/// What was changed in a copy before it takes the place of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Messages that waited when the copy was made. Whoever they were for has long been told, or it is too late.
    pub messages: usize,
    /// Logins that were open then.
    pub sessions: usize,
}

/// Makes a copy fit to go on from: nothing that was on its way then is sent again, and nobody is logged in. Blocks.
pub fn settle(path: &Path, now: Timestamp) -> Result<Settled, StoreError> {
    let opening = |error| StoreError::opening(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    let transaction = connection.transaction().map_err(opening)?;
    // Schemas before the outbox have none.
    let has_outbox: bool = transaction
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'delivery'", [], |row| row.get(0))
        .map_err(opening)?;
    let messages = if has_outbox {
        transaction
            .execute(
                "UPDATE delivery SET status = 'failed', ended = ?1, next = NULL, \
                 reason = 'it waited when the backup was made from which this store was restored' \
                 WHERE status IN ('waiting', 'sending')",
                [now.as_micros()],
            )
            .map_err(opening)?
    } else {
        0
    };
    let sessions = transaction.execute("DELETE FROM session", []).map_err(opening)?;
    transaction.commit().map_err(opening)?;
    Ok(Settled { messages, sessions })
}
