//! Tickets whole: the head that the engine decides by, and what only people read.

mod change;
pub mod types;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};
use vigia_core::model::id::{AlarmId, ObjectKey, ProblemId, TicketId};
use vigia_core::model::operation::{Fields, TicketNote};
use vigia_core::model::ticket::{PriorityWord, Reference, TicketClass, TicketHead, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::attachments::{self, Attachment, Place};
use super::query::{Conditions, Page, Slice, Sorted};
use super::rows::{self, maybe_time, signed, time, unsigned};

pub(super) use change::{add_note, count_reopening, delete, edit, insert, save_head};
pub use change::{subscribe, unsubscribe};

const FROM: &str = "ticket LEFT JOIN object ON object.id = ticket.object";

const HEAD: &str = "ticket.id, class, object.host, object.service, problem, rule, status, opened, updated, closed, \
     recovered, last_note, version";

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
    /// Fields of its class by their keys.
    pub fields: Fields,
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
    pub changes: Vec<Change>,
}

/// What a note or an edit changed; nothing is an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `status`, `priority`, `title`, …
    pub field: String,
    pub before: String,
    pub after: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TicketWithNotes {
    pub ticket: Ticket,
    /// Oldest first.
    pub notes: Vec<Note>,
    /// Who hears of each change.
    pub subscribers: Vec<Arc<str>>,
    /// Oldest first.
    pub files: Vec<Attachment>,
}

/// Which tickets, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    pub status: StatusFilter,
    pub class: Option<TicketClass>,
    pub host: Option<String>,
    /// With `host`: this service of it.
    pub service: Option<String>,
    pub r#type: Option<String>,
    pub priority: Option<PriorityWord>,
    /// Any of these.
    pub in_charge: Vec<String>,
    /// Nobody is in charge.
    pub unassigned: bool,
    pub submitter: Option<String>,
    /// Has any part in it: submitter, in charge, or wrote a note.
    pub with: Option<String>,
    pub tag: Option<String>,
    /// Anywhere in title, text, fields, notes, and the names of files, host and service, whatever its case.
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
    InCharge,
    Submitter,
    Type,
    Status,
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
            "reference" | "id" => Some(Self::Created),
            "in_charge" => Some(Self::InCharge),
            "submitter" => Some(Self::Submitter),
            "type" => Some(Self::Type),
            "status" => Some(Self::Status),
            _ => None,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Created => &["opened"],
            Self::Updated => &["updated"],
            Self::Priority => &["priority", "opened"],
            Self::Title => &["title"],
            Self::InCharge => &["in_charge", "opened"],
            Self::Submitter => &["submitter", "opened"],
            Self::Type => &["type", "opened"],
            Self::Status => &["status", "opened"],
            Self::LifeTime => &["coalesce(closed, 1000000 * unixepoch()) - opened"],
        }
    }
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
        version: row.get(12)?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let tags: Vec<String> = serde_json::from_str(row.get_ref(23)?.as_str()?).unwrap_or_default();
    let fields: BTreeMap<String, String> =
        serde_json::from_str(row.get_ref(22)?.as_str()?).unwrap_or_default();
    Ok(Ticket {
        head: read_head(row)?,
        r#type: row.get(13)?,
        title: row.get(14)?,
        text: row.get(15)?,
        priority: row.get(16)?,
        resolution: row.get(17)?,
        in_charge: row.get(18)?,
        submitter: row.get(19)?,
        reopened: row.get(20)?,
        alarm: row.get::<_, Option<i64>>(21)?.map(|id| AlarmId(unsigned(id))),
        fields: fields.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
        tags: tags.into_iter().map(Arc::from).collect(),
    })
}

/// Those the engine may decide on: open ones of a rule or a problem, and of each object the latest.
pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Vec<TicketHead>> {
    connection
        .prepare(&format!(
            "SELECT {HEAD} FROM {FROM} WHERE deleted IS NULL AND \
             ((status <> 'Closed' AND (rule IS NOT NULL OR problem IS NOT NULL)) OR ticket.id IN \
             (SELECT max(id) FROM ticket WHERE problem IS NOT NULL AND deleted IS NULL GROUP BY object)) \
             ORDER BY ticket.id"
        ))?
        .query_map([], read_head)?
        .collect()
}

/// How a ticket stands, for the engine; none when there never was one or it was deleted.
pub fn head(connection: &Connection, id: TicketId) -> rusqlite::Result<Option<TicketHead>> {
    connection
        .prepare_cached(&format!("SELECT {HEAD} FROM {FROM} WHERE ticket.id = ?1 AND deleted IS NULL"))?
        .query_row([signed(id.0)], read_head)
        .optional()
}

pub(super) fn how_many_open(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM ticket WHERE status <> 'Closed' AND deleted IS NULL";
    connection.query_row(sql, [], |row| row.get(0).map(unsigned))
}

/// The numbers are found and ordered first, so that only what is shown is read whole.
pub fn list(connection: &Connection, filter: &TicketFilter) -> rusqlite::Result<Page<Ticket>> {
    let conditions = conditions(filter);
    let order = filter.sorted.sql(TicketSort::columns, "ticket.id");
    let from = if filter.host.is_some() { FROM } else { "ticket" };
    let id = |row: &Row<'_>| Ok((TicketId(row.get(0).map(unsigned)?), row.get(1).map(unsigned)?));
    // What is looked for in texts is looked for once; else the order's index ends the list where it is full.
    let is_once = filter.text.is_some() || filter.with.is_some();
    let total = if is_once { "count(*) OVER ()" } else { "0" };
    let select = format!("SELECT ticket.id, {total} FROM {from}");
    let ids: Vec<(TicketId, u64)> = conditions.rows(connection, &select, &order, filter.slice, id)?;
    let total = match ids.first() {
        Some((_, total)) if is_once => *total,
        Some(_) | None => conditions.count(connection, from)?,
    };
    let mut items = Vec::with_capacity(ids.len());
    for (id, _) in ids {
        items.extend(whole(connection, id)?);
    }
    Ok(Page { total, items })
}

fn conditions(filter: &TicketFilter) -> Conditions {
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
    if let Some(word) = filter.priority {
        let (from, to) = word.limits();
        conditions.with("priority >= ?", i64::from(from));
        conditions.with("priority <= ?", i64::from(to));
    }
    if filter.unassigned {
        conditions.plain("in_charge IS NULL");
    }
    if !filter.in_charge.is_empty() {
        conditions.any_of("in_charge", filter.in_charge.iter().cloned().map(Value::Text));
    }
    let texts = [
        ("object.host = ?", &filter.host),
        ("object.service = ?", &filter.service),
        ("type = ? COLLATE NOCASE", &filter.r#type),
        ("submitter = ?", &filter.submitter),
        ("ticket.id IN (SELECT ticket FROM ticket_tag WHERE tag = ?)", &filter.tag),
        (
            "ticket.id IN (SELECT id FROM ticket WHERE in_charge = ? UNION ALL SELECT id FROM ticket WHERE submitter = ? \
             UNION ALL SELECT ticket FROM ticket_note WHERE author = ? \
             UNION ALL SELECT ticket FROM ticket_note WHERE transferred_to = ?)",
            &filter.with,
        ),
    ];
    for (clause, text) in texts {
        if let Some(text) = text {
            conditions.with_same(clause, text.clone());
        }
    }
    if let Some(text) = &filter.text {
        holding(&mut conditions, text);
    }
    conditions
}

/// The index knows parts of three letters and more; shorter ones are looked for in titles alone.
fn holding(conditions: &mut Conditions, text: &str) {
    if let Some(reference) = Reference::parse(text.trim()) {
        return conditions.with("ticket.id = ?", signed(reference.id.0));
    }
    if text.chars().count() < 3 {
        return conditions.contains(&["title"], text);
    }
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    conditions.bound(
        "(ticket.id IN (SELECT rowid >> 20 FROM ticket_text WHERE ticket_text MATCH ?) OR ticket.object IN \
         (SELECT id FROM object WHERE host || '/' || service LIKE ? ESCAPE '\\') OR ticket.id IN \
         (SELECT ticket FROM attachment WHERE name LIKE ? ESCAPE '\\'))",
        [format!("\"{}\"", text.replace('"', "\"\"")), format!("%{escaped}%"), format!("%{escaped}%")]
            .map(Value::Text),
    );
}

fn whole(connection: &Connection, id: TicketId) -> rusqlite::Result<Option<Ticket>> {
    connection
        .prepare_cached(&format!(
            "SELECT {HEAD}, {REST} FROM {FROM} WHERE ticket.id = ?1 AND deleted IS NULL"
        ))?
        .query_row([signed(id.0)], read)
        .optional()
}

/// One ticket with its whole history; none when there never was one or it was deleted.
pub fn ticket(connection: &Connection, id: TicketId) -> rusqlite::Result<Option<TicketWithNotes>> {
    let Some(ticket) = whole(connection, id)? else { return Ok(None) };
    let notes = connection
        .prepare_cached(
            "SELECT id, at, author, text, action, status, resolution, priority, transferred_to, was_in_charge, \
             changes FROM ticket_note WHERE ticket = ?1 ORDER BY id LIMIT 10000",
        )?
        .query_map([signed(id.0)], read_note)?
        .collect::<rusqlite::Result<_>>()?;
    let subscribers = connection
        .prepare_cached("SELECT name FROM ticket_subscriber WHERE ticket = ?1 ORDER BY name")?
        .query_map([signed(id.0)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let files = attachments::at(connection, Place::Ticket(id))?;
    Ok(Some(TicketWithNotes { ticket, notes, subscribers, files }))
}

/// Tags in use, and how many tickets have each.
pub fn tags(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached(
            "SELECT tag, count(*) FROM ticket_tag JOIN ticket ON ticket.id = ticket AND deleted IS NULL \
             GROUP BY tag ORDER BY tag LIMIT 1000",
        )?
        .query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?
        .collect()
}

fn read_note(row: &Row<'_>) -> rusqlite::Result<Note> {
    let status: Option<String> = row.get(5)?;
    let note = TicketNote {
        text: row.get(3)?,
        action: row.get(4)?,
        status: status.as_deref().map(rows::ticket_status),
        resolution: row.get(6)?,
        priority: row.get(7)?,
        in_charge: row.get(8)?,
        ..TicketNote::default()
    };
    let changes = match row.get::<_, Option<String>>(10)? {
        Some(text) => change::parse(&text),
        None => change::of_old_note(&note, row.get(9)?),
    };
    Ok(Note { id: row.get(0).map(unsigned)?, at: row.get(1).map(time)?, author: row.get(2)?, note, changes })
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
