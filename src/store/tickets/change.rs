//! What changes of a ticket: opening, notes, edits, and what each of them leaves in its history and its index.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use vigia_core::model::event::TicketDraft;
use vigia_core::model::id::TicketId;
use vigia_core::model::operation::{Fields, TicketEdit, TicketNote};
use vigia_core::model::ticket::{TicketHead, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::super::attachments;
use super::super::rows::{self, micros, signed};
use super::{Change, Ticket, types, whole};

/// Bits of a row of the index that say which piece of the ticket it is.
const PIECE: u32 = 20;

/// Pieces beyond this are kept and shown, and not found by a search.
const MOST_PIECES: i64 = (1 << PIECE) - 1;

pub(in crate::store) fn insert(
    db: &Connection,
    head: &TicketHead,
    draft: &TicketDraft,
) -> rusqlite::Result<()> {
    let object = head.subject.as_ref().map(|key| rows::object_id(db, key)).transpose()?;
    let inserted = db
        .prepare_cached(
            "INSERT OR IGNORE INTO ticket (id, class, type, title, text, priority, status, in_charge, submitter, \
             opened, updated, object, alarm, extra, pieces) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, 1)",
        )?
        .execute(params![
            signed(head.id.0),
            head.class.prefix(),
            &*draft.r#type,
            &*draft.title,
            &*draft.text,
            draft.priority,
            head.status.word(),
            draft.in_charge.as_deref(),
            &*draft.submitter,
            head.opened.as_micros(),
            object,
            draft.alarm.map(|alarm| signed(alarm.0)),
            json(&draft.fields),
        ])?;
    if inserted > 0 {
        types::know(db, &draft.r#type)?;
        index(db, head.id, 0, &first_piece(&draft.title, &draft.text, &draft.fields))?;
        put_tags(db, head.id, &draft.tags)?;
        for name in draft.in_charge.iter().chain(is_person(&draft.submitter).then_some(&draft.submitter)) {
            subscribe(db, head.id, name)?;
        }
    }
    save_head(db, head)
}

pub(in crate::store) fn save_head(db: &Connection, head: &TicketHead) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE ticket SET status = ?2, updated = ?3, closed = ?4, problem = ?5, rule = ?6, recovered = ?7, \
         last_note = ?8, version = ?9, resolution = iif(?4 IS NULL, NULL, resolution) WHERE id = ?1",
    )?
    .execute(params![
        signed(head.id.0),
        head.status.word(),
        head.updated.as_micros(),
        micros(head.closed),
        head.problem.map(|problem| signed(problem.0)),
        head.rule.as_deref(),
        micros(head.recovered),
        micros(head.last_note),
        head.version,
    ])?;
    Ok(())
}

pub(in crate::store) fn count_reopening(db: &Connection, id: TicketId) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE ticket SET reopened = reopened + 1 WHERE id = ?1")?.execute([signed(id.0)])?;
    Ok(())
}

/// A line of history, and what it changes of the ticket; its head is saved after it.
pub(in crate::store) fn add_note(
    db: &Connection,
    id: TicketId,
    note: &TicketNote,
    author: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let Some(ticket) = whole(db, id)? else { return Ok(()) };
    let mut changes = Vec::new();
    if let Some(status) = note.status {
        changed(&mut changes, "status", ticket.head.status.word(), status.word());
    }
    if let Some(resolution) = &note.resolution {
        changed(&mut changes, "resolution", ticket.resolution.as_deref().unwrap_or_default(), resolution);
    }
    if let Some(priority) = note.priority {
        changed(&mut changes, "priority", &ticket.priority.to_string(), &priority.to_string());
    }
    if let Some(in_charge) = &note.in_charge {
        changed(&mut changes, "in charge", ticket.in_charge.as_deref().unwrap_or_default(), in_charge);
        subscribe(db, id, in_charge)?;
    }
    write_line(db, id, note, author, at, &changes)?;
    db.prepare_cached(
        "UPDATE ticket SET priority = coalesce(?2, priority), in_charge = coalesce(?3, in_charge), \
         resolution = coalesce(?4, resolution) WHERE id = ?1",
    )?
    .execute(params![
        signed(id.0),
        note.priority,
        note.in_charge.as_deref(),
        note.resolution.as_deref(),
    ])?;
    Ok(())
}

fn write_line(
    db: &Connection,
    id: TicketId,
    note: &TicketNote,
    author: &str,
    at: Timestamp,
    changes: &[Change],
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO ticket_note (ticket, at, author, text, action, status, resolution, priority, was_in_charge, \
         transferred_to, changes) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, in_charge, ?9, ?10 FROM ticket \
         WHERE id = ?1",
    )?
    .execute(params![
        signed(id.0),
        at.as_micros(),
        author,
        &*note.text,
        note.action.as_deref(),
        note.status.map(TicketStatus::word),
        note.resolution.as_deref(),
        note.priority,
        note.in_charge.as_deref(),
        as_json(changes),
    ])?;
    let piece = db
        .prepare_cached("UPDATE ticket SET pieces = pieces + 1 WHERE id = ?1 RETURNING pieces - 1")?
        .query_row([signed(id.0)], |row| row.get(0))?;
    let action = note.action.as_deref().unwrap_or_default();
    index(db, id, piece, &format!("{}\n{action}", note.text))
}

/// New values, and a line of history with the old ones. Answers with what changed, in words.
pub(in crate::store) fn edit(
    db: &Connection,
    head: &TicketHead,
    edit: &TicketEdit,
    author: &str,
    at: Timestamp,
) -> rusqlite::Result<String> {
    let Some(before) = whole(db, head.id)? else { return Ok(String::new()) };
    let mut after = before.clone();
    after.title = edit.title.clone().unwrap_or(after.title);
    after.text = edit.text.clone().unwrap_or(after.text);
    after.r#type = edit.r#type.clone().unwrap_or(after.r#type);
    after.priority = edit.priority.unwrap_or(after.priority);
    after.in_charge = edit.in_charge.clone().unwrap_or(after.in_charge);
    after.tags = edit.tags.clone().unwrap_or(after.tags);
    after.tags.sort();
    after.tags.dedup();
    after.fields = edit.fields.clone().unwrap_or(after.fields);
    let changes = differences(&before, &after);
    db.prepare_cached(
        "UPDATE ticket SET title = ?2, text = ?3, type = ?4, priority = ?5, in_charge = ?6, extra = ?7 WHERE id = ?1",
    )?
    .execute(params![
        signed(head.id.0),
        &*after.title,
        &*after.text,
        &*after.r#type,
        after.priority,
        after.in_charge.as_deref(),
        json(&after.fields),
    ])?;
    types::know(db, &after.r#type)?;
    db.prepare_cached("DELETE FROM ticket_tag WHERE ticket = ?1")?.execute([signed(head.id.0)])?;
    put_tags(db, head.id, &after.tags)?;
    if let Some(in_charge) = &after.in_charge {
        subscribe(db, head.id, in_charge)?;
    }
    let (old, new) = (piece_of(&before), piece_of(&after));
    if old != new {
        unindex(db, head.id, 0, &old)?;
        index(db, head.id, 0, &new)?;
    }
    if !changes.is_empty() {
        write_line(db, head.id, &TicketNote::default(), author, at, &changes)?;
    }
    save_head(db, head)?;
    Ok(changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", "))
}

fn differences(before: &Ticket, after: &Ticket) -> Vec<Change> {
    let mut changes = Vec::new();
    let tags = |ticket: &Ticket| ticket.tags.join(", ");
    changed(&mut changes, "title", &before.title, &after.title);
    changed(&mut changes, "text", &before.text, &after.text);
    changed(&mut changes, "type", &before.r#type, &after.r#type);
    changed(&mut changes, "priority", &before.priority.to_string(), &after.priority.to_string());
    let (was, is) = (before.in_charge.as_deref(), after.in_charge.as_deref());
    changed(&mut changes, "in charge", was.unwrap_or_default(), is.unwrap_or_default());
    changed(&mut changes, "tags", &tags(before), &tags(after));
    for (key, name) in before.head.class.fields() {
        let value = |ticket: &Ticket| ticket.fields.get(*key).map(ToString::to_string).unwrap_or_default();
        changed(&mut changes, name, &value(before), &value(after));
    }
    changes
}

fn changed(changes: &mut Vec<Change>, field: &str, before: &str, after: &str) {
    if before != after {
        let (before, after) = (before.to_owned(), after.to_owned());
        changes.push(Change { field: field.to_owned(), before, after });
    }
}

/// A tombstone: the number is never used again. What it said goes.
pub(in crate::store) fn delete(db: &Connection, id: TicketId, at: Timestamp) -> rusqlite::Result<()> {
    let Some(ticket) = whole(db, id)? else { return Ok(()) };
    unindex(db, id, 0, &piece_of(&ticket))?;
    let lines: Vec<(String, Option<String>)> = db
        .prepare_cached("SELECT text, action FROM ticket_note WHERE ticket = ?1 ORDER BY id")?
        .query_map([signed(id.0)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (piece, (text, action)) in (1..).zip(lines) {
        unindex(db, id, piece, &format!("{text}\n{}", action.unwrap_or_default()))?;
    }
    for table in ["ticket_note", "ticket_tag", "ticket_subscriber"] {
        db.execute(&format!("DELETE FROM {table} WHERE ticket = ?1"), [signed(id.0)])?;
    }
    attachments::remove_all(db, id)?;
    db.prepare_cached("UPDATE ticket SET deleted = ?2, title = '', text = '', extra = '{}' WHERE id = ?1")?
        .execute((signed(id.0), at.as_micros()))?;
    Ok(())
}

/// From now on `name` hears of each change.
pub fn subscribe(db: &Connection, id: TicketId, name: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO ticket_subscriber VALUES (?1, ?2)")?
        .execute((signed(id.0), name))?;
    Ok(())
}

pub fn unsubscribe(db: &Connection, id: TicketId, name: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM ticket_subscriber WHERE ticket = ?1 AND name = ?2")?
        .execute((signed(id.0), name))?;
    Ok(())
}

fn put_tags(db: &Connection, id: TicketId, tags: &[Arc<str>]) -> rusqlite::Result<()> {
    for tag in tags {
        db.prepare_cached("INSERT OR IGNORE INTO ticket_tag VALUES (?1, ?2)")?
            .execute((signed(id.0), &**tag))?;
    }
    Ok(())
}

/// What rules and the daemon itself write has no mailbox.
fn is_person(name: &str) -> bool {
    name != "vigia"
}

fn piece_of(ticket: &Ticket) -> String {
    first_piece(&ticket.title, &ticket.text, &ticket.fields)
}

/// Title and text, and the fields behind them: whatever a migration of older tickets indexed reads the same.
fn first_piece(title: &str, text: &str, fields: &Fields) -> String {
    let fields: String = fields.values().flat_map(|text| ["\n", text]).collect();
    format!("{title}\n{text}{fields}")
}

fn index(db: &Connection, id: TicketId, piece: i64, text: &str) -> rusqlite::Result<()> {
    if piece <= MOST_PIECES {
        db.prepare_cached("INSERT INTO ticket_text (rowid, text) VALUES (?1, ?2)")?
            .execute(((signed(id.0) << PIECE) + piece, text))?;
    }
    Ok(())
}

/// The index keeps no texts: it must be told the one that it forgets.
fn unindex(db: &Connection, id: TicketId, piece: i64, text: &str) -> rusqlite::Result<()> {
    if piece <= MOST_PIECES {
        db.prepare_cached("INSERT INTO ticket_text (ticket_text, rowid, text) VALUES ('delete', ?1, ?2)")?
            .execute(((signed(id.0) << PIECE) + piece, text))?;
    }
    Ok(())
}

fn json(fields: &Fields) -> String {
    let fields = fields.iter().map(|(name, text)| (name.to_string(), (**text).into()));
    serde_json::Value::Object(fields.collect()).to_string()
}

fn as_json(changes: &[Change]) -> String {
    let list: serde_json::Value =
        changes.iter().map(|change| serde_json::json!([change.field, change.before, change.after])).collect();
    list.to_string()
}

pub(super) fn parse(text: &str) -> Vec<Change> {
    let list: Vec<[String; 3]> = serde_json::from_str(text).unwrap_or_default();
    list.into_iter().map(|[field, before, after]| Change { field, before, after }).collect()
}

/// A note of before changes were kept: what it set is known, and of what was before only who was in charge.
pub(super) fn of_old_note(note: &TicketNote, was_in_charge: Option<String>) -> Vec<Change> {
    let mut changes = Vec::new();
    changed(&mut changes, "status", "", note.status.map(TicketStatus::word).unwrap_or_default());
    changed(&mut changes, "resolution", "", note.resolution.as_deref().unwrap_or_default());
    changed(&mut changes, "priority", "", &note.priority.map(|to| to.to_string()).unwrap_or_default());
    if let Some(in_charge) = &note.in_charge {
        changed(&mut changes, "in charge", &was_in_charge.unwrap_or_default(), in_charge);
    }
    changes
}

/// How a name is written where it is known, whatever the case in which it was asked for.
pub(super) fn known_name(db: &Connection, sql: &str, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()
}
