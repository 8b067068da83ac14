//! After events were lost (a disk that was full for too long) the world is what holds: its records are written
//! over those of the file, and what it no longer has is ended there.

use rusqlite::Connection;
use vigia_core::engine::world::World;
use vigia_core::model::event::{DowntimeEnd, TicketDraft};
use vigia_core::model::id::{AlarmId, CommentId, DowntimeId, ObjectKey, SuppressionId};
use vigia_core::model::operation::Fields;
use vigia_core::model::suppression::SuppressionEnd;
use vigia_core::model::ticket::TicketHead;
use vigia_core::model::time::Timestamp;

use super::rows::{signed, unsigned};
use super::{absent, alarms, comments, downtimes, suppressions, tickets};

pub(super) fn reconcile(db: &Connection, world: &World, now: Timestamp) -> rusqlite::Result<()> {
    reconcile_alarms(db, world, now)?;
    reconcile_comments(db, world)?;
    reconcile_downtimes(db, world, now)?;
    reconcile_suppressions(db, world, now)?;
    absent::reconcile(db, world)?;
    for head in world.records.tickets.values() {
        save_ticket(db, head)?;
    }
    Ok(())
}

fn reconcile_alarms(db: &Connection, world: &World, now: Timestamp) -> rusqlite::Result<()> {
    let known = &world.records.alarms;
    for alarm in known.values() {
        alarms::save(db, alarm)?;
    }
    for id in ids(db, "SELECT id FROM alarm WHERE is_open = 1")? {
        if !known.contains_key(&AlarmId(id)) {
            db.prepare_cached("UPDATE alarm SET is_open = 0, closed = ?2 WHERE id = ?1")?
                .execute((signed(id), now.as_micros()))?;
        }
    }
    Ok(())
}

fn reconcile_comments(db: &Connection, world: &World) -> rusqlite::Result<()> {
    let known = &world.records.comments;
    for comment in known.values() {
        comments::insert(db, comment)?;
    }
    for id in ids(db, "SELECT id FROM comment")?.into_iter().map(CommentId) {
        if !known.contains_key(&id) {
            comments::delete(db, id)?;
        }
    }
    Ok(())
}

fn reconcile_downtimes(db: &Connection, world: &World, now: Timestamp) -> rusqlite::Result<()> {
    let known = &world.records.downtimes;
    for downtime in known.values() {
        downtimes::insert(db, downtime)?;
    }
    for id in ids(db, "SELECT id FROM downtime WHERE ended IS NULL")?.into_iter().map(DowntimeId) {
        if !known.contains_key(&id) {
            downtimes::end(db, id, now, DowntimeEnd::Over)?;
        }
    }
    Ok(())
}

fn reconcile_suppressions(db: &Connection, world: &World, now: Timestamp) -> rusqlite::Result<()> {
    let known = &world.records.suppressions;
    for one in known.values() {
        suppressions::save(db, one)?;
    }
    for id in ids(db, "SELECT id FROM suppression WHERE ended IS NULL")?.into_iter().map(SuppressionId) {
        if !known.contains_key(&id) {
            suppressions::end(db, id, now, SuppressionEnd::Expired, None)?;
        }
    }
    Ok(())
}

/// A ticket whose opening was lost gets what its head still says.
fn save_ticket(db: &Connection, head: &TicketHead) -> rusqlite::Result<()> {
    let about = head.subject.as_ref().map_or_else(|| head.reference().to_string(), ObjectKey::to_string);
    let draft = TicketDraft {
        r#type: "Generic".into(),
        title: about.into(),
        text: "What this ticket said was lost while the disk was full.".into(),
        priority: 1,
        in_charge: None,
        submitter: "vigia".into(),
        tags: Vec::new(),
        fields: Fields::new(),
        alarm: None,
    };
    tickets::insert(db, head, &draft)
}

fn ids(db: &Connection, sql: &str) -> rusqlite::Result<Vec<u64>> {
    db.prepare_cached(sql)?.query_map([], |row| row.get(0).map(unsigned))?.collect()
}
