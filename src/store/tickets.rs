//! Tickets whole: the head that the engine decides by, and what only people read.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::event::TicketDraft;
use vigia_core::model::id::{AlarmId, ObjectKey, ProblemId, TicketId};
use vigia_core::model::operation::TicketNote;
use vigia_core::model::ticket::{TicketClass, TicketHead, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice, Sorted};
use super::rows::{self, maybe_time, micros, signed, time, unsigned};

const FROM: &str = "ticket LEFT JOIN object ON object.id = ticket.object";

const HEAD: &str = "ticket.id, class, object.host, object.service, problem, rule, status, opened, updated, closed, \
     recovered, last_note";

const REST: &str = "type, title, text, priority, resolution, in_charge, submitter, reopened, alarm, extra, \
     (SELECT json_group_array(tag) FROM ticket_tag WHERE ticket_tag.ticket = ticket.id)";

/// One ticket as people see it (`ossim-tickets.md` T-80), without its notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    pub head: TicketHead,
    pub r#type: Arc<str>,
    pub title: Arc<str>,
    pub text: Arc<str>,
    pub priority: u8,
    pub resolution: Option<Arc<str>>,
    pub in_charge: Option<Arc<str>>,
    pub submitter: Arc<str>,
    /// How often it was opened again.
    pub reopened: u32,
    pub alarm: Option<AlarmId>,
    /// JSON, by class.
    pub extra: String,
    pub tags: Vec<Arc<str>>,
}

impl Ticket {
    /// Open: until now; closed: until it was closed, whatever was noted later.
    pub fn life_time(&self, now: Timestamp) -> Duration {
        self.head.closed.unwrap_or(now).since(self.head.opened)
    }
}

/// One line of a ticket's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub id: u64,
    pub at: Timestamp,
    pub author: Arc<str>,
    pub note: TicketNote,
    /// Who had it before; [`TicketNote::in_charge`] is who has it since.
    pub was_in_charge: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TicketWithNotes {
    pub ticket: Ticket,
    /// Oldest first.
    pub notes: Vec<Note>,
}

/// Which tickets, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    pub status: StatusFilter,
    pub class: Option<TicketClass>,
    pub host: Option<String>,
    /// With `host`: this service of it.
    pub service: Option<String>,
    pub in_charge: Option<String>,
    /// In title, text, notes, resolution, and the names of host and service.
    pub text: Option<String>,
    /// Unless said otherwise: the newest first.
    pub sorted: Sorted<TicketSort>,
    pub slice: Slice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusFilter {
    #[default]
    All,
    NotClosed,
    Exactly(TicketStatus),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TicketSort {
    #[default]
    Created,
    Updated,
    Priority,
    Title,
    LifeTime,
}

impl TicketSort {
    /// By the name of its field in the API.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "opened" | "created" => Some(Self::Created),
            "updated" => Some(Self::Updated),
            "priority" => Some(Self::Priority),
            "title" => Some(Self::Title),
            "life_time" => Some(Self::LifeTime),
            _ => None,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Created => &["opened"],
            Self::Updated => &["updated"],
            Self::Priority => &["priority", "opened"],
            Self::Title => &["title"],
            Self::LifeTime => &["coalesce(closed, 1000000 * CAST(strftime('%s') AS INTEGER)) - opened"],
        }
    }
}

pub(super) fn insert(
    connection: &Connection,
    head: &TicketHead,
    draft: &TicketDraft,
) -> rusqlite::Result<()> {
    let object = head.subject.as_ref().map(|key| rows::object_id(connection, key)).transpose()?;
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO ticket (id, class, type, title, text, priority, status, in_charge, submitter, \
             opened, updated, object, alarm) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)",
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
        ])?;
    for tag in &draft.tags {
        connection
            .prepare_cached("INSERT OR IGNORE INTO ticket_tag VALUES (?1, ?2)")?
            .execute((signed(head.id.0), &**tag))?;
    }
    save_head(connection, head)
}

pub(super) fn save_head(connection: &Connection, head: &TicketHead) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE ticket SET status = ?2, updated = ?3, closed = ?4, problem = ?5, rule = ?6, recovered = ?7, \
             last_note = ?8, resolution = iif(?4 IS NULL, NULL, resolution) WHERE id = ?1",
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
        ])?;
    Ok(())
}

pub(super) fn count_reopening(connection: &Connection, id: TicketId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE ticket SET reopened = reopened + 1 WHERE id = ?1")?
        .execute([signed(id.0)])?;
    Ok(())
}

/// A line of history, and what it changes of the ticket.
pub(super) fn add_note(
    connection: &Connection,
    id: TicketId,
    note: &TicketNote,
    author: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ticket_note (ticket, at, author, text, action, status, resolution, priority, \
             was_in_charge, transferred_to) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, in_charge, ?9 FROM ticket \
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
        ])?;
    connection
        .prepare_cached(
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

fn read_head(row: &Row<'_>) -> rusqlite::Result<TicketHead> {
    Ok(TicketHead {
        id: TicketId(row.get(0).map(unsigned)?),
        class: rows::ticket_class(row.get_ref(1)?.as_str()?),
        subject: rows::maybe_key(row.get(2)?, row.get(3)?),
        problem: row.get::<_, Option<i64>>(4)?.map(|id| ProblemId(unsigned(id))),
        rule: row.get(5)?,
        status: rows::ticket_status(row.get_ref(6)?.as_str()?),
        opened: row.get(7).map(time)?,
        updated: row.get(8).map(time)?,
        closed: row.get(9).map(maybe_time)?,
        recovered: row.get(10).map(maybe_time)?,
        last_note: row.get(11).map(maybe_time)?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let tags: Vec<String> = serde_json::from_str(row.get_ref(22)?.as_str()?).unwrap_or_default();
    Ok(Ticket {
        head: read_head(row)?,
        r#type: row.get(12)?,
        title: row.get(13)?,
        text: row.get(14)?,
        priority: row.get(15)?,
        resolution: row.get(16)?,
        in_charge: row.get(17)?,
        submitter: row.get(18)?,
        reopened: row.get(19)?,
        alarm: row.get::<_, Option<i64>>(20)?.map(|id| AlarmId(unsigned(id))),
        extra: row.get(21)?,
        tags: tags.into_iter().map(Arc::from).collect(),
    })
}

/// Every one there is: an old ticket can be noted and reopened as well.
pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Vec<TicketHead>> {
    connection
        .prepare(&format!("SELECT {HEAD} FROM {FROM} WHERE deleted IS NULL ORDER BY ticket.id"))?
        .query_map([], read_head)?
        .collect()
}

pub fn list(connection: &Connection, filter: &TicketFilter) -> rusqlite::Result<Page<Ticket>> {
    let mut conditions = Conditions::default();
    conditions.plain("deleted IS NULL");
    match filter.status {
        StatusFilter::All => {}
        StatusFilter::NotClosed => conditions.any_of(
            "status",
            TicketStatus::ALL
                .iter()
                .filter(|status| **status != TicketStatus::Closed)
                .map(|status| Value::Text(status.word().to_owned())),
        ),
        StatusFilter::Exactly(status) => conditions.with("status = ?", status.word().to_owned()),
    }
    if let Some(class) = filter.class {
        conditions.with("class = ?", class.prefix().to_owned());
    }
    if let Some(host) = &filter.host {
        conditions.with("object.host = ?", host.clone());
    }
    if let Some(service) = &filter.service {
        conditions.with("object.service = ?", service.clone());
    }
    if let Some(in_charge) = &filter.in_charge {
        conditions.with("in_charge = ?", in_charge.clone());
    }
    if let Some(text) = &filter.text {
        let notes = "(SELECT group_concat(text || ' ' || coalesce(action, ''), ' ') FROM ticket_note \
                     WHERE ticket_note.ticket = ticket.id)";
        conditions.contains(
            &["title", "text", "resolution", "object.host", "object.service", "extra", notes],
            text,
        );
    }
    Ok(Page {
        total: conditions.count(connection, FROM)?,
        items: conditions.rows(
            connection,
            &format!("SELECT {HEAD}, {REST} FROM {FROM}"),
            &filter.sorted.sql(TicketSort::columns, "ticket.id"),
            filter.slice,
            read,
        )?,
    })
}

/// One ticket with its whole history; none when there never was one or it was deleted.
pub fn ticket(connection: &Connection, id: TicketId) -> rusqlite::Result<Option<TicketWithNotes>> {
    let ticket = connection
        .prepare_cached(&format!(
            "SELECT {HEAD}, {REST} FROM {FROM} WHERE ticket.id = ?1 AND deleted IS NULL"
        ))?
        .query_row([signed(id.0)], read)
        .optional()?;
    let Some(ticket) = ticket else { return Ok(None) };
    let notes = connection
        .prepare_cached(
            "SELECT id, at, author, text, action, status, resolution, priority, transferred_to, was_in_charge \
             FROM ticket_note WHERE ticket = ?1 ORDER BY id LIMIT 10000",
        )?
        .query_map([signed(id.0)], read_note)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(TicketWithNotes { ticket, notes }))
}

fn read_note(row: &Row<'_>) -> rusqlite::Result<Note> {
    let status: Option<String> = row.get(5)?;
    Ok(Note {
        id: row.get(0).map(unsigned)?,
        at: row.get(1).map(time)?,
        author: row.get(2)?,
        note: TicketNote {
            text: row.get(3)?,
            action: row.get(4)?,
            status: status.as_deref().map(rows::ticket_status),
            resolution: row.get(6)?,
            priority: row.get(7)?,
            in_charge: row.get(8)?,
        },
        was_in_charge: row.get(9)?,
    })
}

/// Tickets of one object, newest first.
pub fn of(connection: &Connection, subject: &ObjectKey, slice: Slice) -> rusqlite::Result<Page<Ticket>> {
    let filter = TicketFilter {
        host: Some(subject.host.to_string()),
        service: Some(subject.service.as_deref().unwrap_or_default().to_owned()),
        slice,
        ..TicketFilter::default()
    };
    list(connection, &filter)
}
