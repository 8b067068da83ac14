//! Objects with new names: the rows that refer to them stay, only the names change, all of one reload at once.

use std::collections::BTreeMap;

use rusqlite::Connection;
use vigia_core::model::id::ObjectKey;

use super::{documents, rows};

/// In two steps, since names may have been swapped: away from the old names, then to the new ones. A host brings along what
/// else is known below its old name.
pub(super) fn rename(db: &Connection, names: &BTreeMap<ObjectKey, ObjectKey>) -> rusqlite::Result<()> {
    let mut moves: Vec<(i64, ObjectKey)> = Vec::new();
    for (from, to) in names {
        if let Some(id) = rows::find_object(db, from)? {
            moves.push((id, to.clone()));
        }
        if from.service.is_none() {
            documents::rename_host(db, &from.host, &to.host)?;
            rest_of_host(db, from, to, names, &mut moves)?;
        }
    }
    for (id, _) in &moves {
        // No name holds a control character.
        db.prepare_cached("UPDATE object SET host = char(0) || id WHERE id = ?1")?.execute([id])?;
    }
    for (id, to) in moves {
        name(db, id, &to)?;
    }
    Ok(())
}

/// Services that are no longer defined, and so have no new name of their own.
fn rest_of_host(
    db: &Connection,
    from: &ObjectKey,
    to: &ObjectKey,
    names: &BTreeMap<ObjectKey, ObjectKey>,
    moves: &mut Vec<(i64, ObjectKey)>,
) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare_cached("SELECT id, service FROM object WHERE host = ?1 AND service <> ''")?;
    let mut rows = statement.query([&*from.host])?;
    while let Some(row) = rows.next()? {
        let (id, service): (i64, String) = (row.get(0)?, row.get(1)?);
        if !names.contains_key(&rows::key(from.host.clone(), &service)) {
            moves.push((id, rows::key(to.host.clone(), &service)));
        }
    }
    Ok(())
}

fn name(db: &Connection, id: i64, to: &ObjectKey) -> rusqlite::Result<()> {
    if let Some(other) = rows::find_object(db, to)? {
        merge(db, other, id)?;
    }
    let service = to.service.as_deref().unwrap_or_default();
    db.prepare_cached("UPDATE object SET host = ?2, service = ?3 WHERE id = ?1")?
        .execute((id, &*to.host, service))?;
    Ok(())
}

/// There was an object of the new name before: both pasts become one.
fn merge(db: &Connection, other: i64, into: i64) -> rusqlite::Result<()> {
    for table in ["status", "absent"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE object = ?1"))?.execute([other])?;
    }
    for (table, column) in REFERENCES {
        db.prepare_cached(&format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1"))?
            .execute((other, into))?;
    }
    db.prepare_cached("DELETE FROM object WHERE id = ?1")?.execute([other])?;
    Ok(())
}

/// Every column that refers to an object, but for the tables with one row for each.
const REFERENCES: &[(&str, &str)] = &[
    ("event", "object"),
    ("comment", "object"),
    ("downtime", "object"),
    ("alarm", "object"),
    ("alarm", "root"),
    ("suppression", "object"),
    ("ticket", "object"),
    ("message", "object"),
    ("delivery", "object"),
];
