//! Objects that the configuration lost and may find again. Their rows of status, comments and the rest stay where they are.

use rusqlite::Connection;
use vigia_core::engine::world::World;
use vigia_core::model::id::ObjectKey;
use vigia_core::model::time::Timestamp;

use super::rows;

pub(super) fn leave(db: &Connection, subject: &ObjectKey, since: Timestamp) -> rusqlite::Result<()> {
    let object = rows::object_id(db, subject)?;
    db.prepare_cached("INSERT OR REPLACE INTO absent VALUES (?1, ?2)")?
        .execute((object, since.as_micros()))?;
    Ok(())
}

pub(super) fn come_back(db: &Connection, subject: &ObjectKey) -> rusqlite::Result<()> {
    let Some(object) = rows::find_object(db, subject)? else { return Ok(()) };
    db.prepare_cached("DELETE FROM absent WHERE object = ?1")?.execute([object])?;
    Ok(())
}

/// Its status goes; history, alarms and tickets stay. Were it kept, an object of that name that comes back
/// years later would wake up in the state of then.
pub(super) fn forget(db: &Connection, subject: &ObjectKey) -> rusqlite::Result<()> {
    let Some(object) = rows::find_object(db, subject)? else { return Ok(()) };
    db.prepare_cached("DELETE FROM status WHERE object = ?1")?.execute([object])?;
    db.prepare_cached("DELETE FROM absent WHERE object = ?1")?.execute([object])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<(ObjectKey, Timestamp)>> {
    db.prepare("SELECT host, service, since FROM absent JOIN object ON object.id = absent.object")?
        .query_map([], |row| {
            Ok((rows::key(row.get(0)?, row.get_ref(1)?.as_str()?), row.get(2).map(rows::time)?))
        })?
        .collect()
}

/// The world's absent ones are those that hold.
pub(super) fn reconcile(db: &Connection, world: &World) -> rusqlite::Result<()> {
    db.execute("DELETE FROM absent", [])?;
    for (subject, away) in world.records.absent.iter() {
        leave(db, subject, away.since)?;
    }
    Ok(())
}
