//! Alarms, open and closed, and what people did with them.

pub mod report;

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::alarm::Alarm;
use vigia_core::model::id::{AlarmId, ObjectKey, ProblemId, TicketId};
use vigia_core::model::state::AnyState;
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice, Sorted};
use super::rows::{self, maybe_time, micros, signed, time, unsigned};

const FROM: &str = "alarm JOIN object ON object.id = alarm.object";

const COLUMNS: &str = "SELECT alarm.id, object.host, object.service, alarm.problem, is_open, alarm.state, severity, \
     asset_value, first, last, count, alarm.output, alarm.closed, work.id, owner, labels, cause.host, cause.service, \
     work.class \
     FROM alarm JOIN object ON object.id = alarm.object LEFT JOIN object AS cause ON cause.id = alarm.root \
     LEFT JOIN ticket AS work ON work.id = alarm.ticket AND work.deleted IS NULL";

/// Which alarms, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmFilter {
    /// None: open and closed ones.
    pub open: Option<bool>,
    pub host: Option<String>,
    /// With `host`: this service of it.
    pub service: Option<String>,
    /// In names, output, owner or labels.
    pub text: Option<String>,
    pub owner: Option<String>,
    /// Nobody's.
    pub unowned: bool,
    pub label: Option<String>,
    /// Those that this is the cause of, and its own.
    pub root: Option<ObjectKey>,
    /// At least so severe.
    pub severity: Option<u8>,
    /// In this state: of services for a service's state, of hosts for a host's.
    pub state: Option<AnyState>,
    /// Unless said otherwise: the newest `last` first.
    pub sorted: Sorted<AlarmSort>,
    pub slice: Slice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlarmSort {
    #[default]
    Last,
    First,
    Severity,
    Host,
    Count,
}

impl AlarmSort {
    /// By the name of its field in the API.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "last" => Some(Self::Last),
            "first" => Some(Self::First),
            "severity" | "state" => Some(Self::Severity),
            "host_name" | "host" => Some(Self::Host),
            "count" => Some(Self::Count),
            _ => None,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Last => &["last"],
            Self::First => &["first"],
            Self::Severity => &["severity", "asset_value", "last"],
            Self::Host => &["object.host", "object.service"],
            Self::Count => &["count"],
        }
    }
}

pub(super) fn save(connection: &Connection, alarm: &Alarm) -> rusqlite::Result<()> {
    let object = rows::object_id(connection, &alarm.subject)?;
    let root = alarm.root.as_ref().map(|root| rows::object_id(connection, root)).transpose()?;
    let labels: Vec<&str> = alarm.labels.iter().map(|label| &**label).collect();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO alarm VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            signed(alarm.id.0),
            object,
            signed(alarm.problem.0),
            rows::is_open(alarm.status),
            alarm.state.number(),
            alarm.severity,
            alarm.asset_value,
            alarm.first.as_micros(),
            alarm.last.as_micros(),
            alarm.count,
            &*alarm.output,
            micros(alarm.closed),
            alarm.ticket.map(|ticket| signed(ticket.id.0)),
            root,
            alarm.owner.as_deref(),
            serde_json::Value::from(labels).to_string(),
        ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    let subject = rows::key(row.get(1)?, row.get_ref(2)?.as_str()?);
    let labels: Vec<String> = serde_json::from_str(row.get_ref(15)?.as_str()?).unwrap_or_default();
    Ok(Alarm {
        id: AlarmId(row.get(0).map(unsigned)?),
        problem: ProblemId(row.get(3).map(unsigned)?),
        status: row.get(4).map(rows::alarm_status)?,
        state: rows::any_state(&subject, row.get(5)?),
        severity: row.get(6)?,
        asset_value: row.get(7)?,
        first: row.get(8).map(time)?,
        last: row.get(9).map(time)?,
        count: row.get(10)?,
        output: row.get(11)?,
        closed: row.get(12).map(maybe_time)?,
        ticket: match (row.get::<_, Option<i64>>(13)?, row.get::<_, Option<String>>(18)?) {
            (Some(id), Some(class)) => {
                Some(Reference { class: rows::ticket_class(&class), id: TicketId(unsigned(id)) })
            }
            _ => None,
        },
        owner: row.get(14)?,
        labels: labels.into_iter().map(Arc::from).collect(),
        root: rows::maybe_key(row.get(16)?, row.get(17)?),
        subject,
    })
}

/// Open ones, and those that a person closed while the problem stands: it must not raise a second one.
pub(super) fn standing(connection: &Connection) -> rusqlite::Result<Vec<Alarm>> {
    connection
        .prepare(&format!(
            "{COLUMNS} LEFT JOIN status ON status.object = alarm.object \
             WHERE is_open = 1 OR alarm.problem = status.problem ORDER BY alarm.id"
        ))?
        .query_map([], read)?
        .collect()
}

pub fn alarm(connection: &Connection, id: AlarmId) -> rusqlite::Result<Option<Alarm>> {
    connection
        .prepare_cached(&format!("{COLUMNS} WHERE alarm.id = ?1"))?
        .query_row([signed(id.0)], read)
        .optional()
}

pub fn list(connection: &Connection, filter: &AlarmFilter) -> rusqlite::Result<Page<Alarm>> {
    let mut conditions = Conditions::default();
    if let Some(open) = filter.open {
        conditions.with("is_open = ?", open);
    }
    if let Some(host) = &filter.host {
        conditions.with("object.host = ?", host.clone());
    }
    if let Some(service) = &filter.service {
        conditions.with("object.service = ?", service.clone());
    }
    if let Some(owner) = &filter.owner {
        conditions.with("owner = ?", owner.clone());
    }
    if filter.unowned {
        conditions.plain("owner IS NULL");
    }
    if let Some(label) = &filter.label {
        conditions
            .with("EXISTS (SELECT 1 FROM json_each(labels) WHERE value = ? COLLATE NOCASE)", label.clone());
    }
    if let Some(severity) = filter.severity {
        conditions.with("severity >= ?", i64::from(severity));
    }
    if let Some(root) = &filter.root {
        let id = rows::find_object(connection, root)?.unwrap_or(-1);
        conditions.bound("(alarm.root = ? OR alarm.object = ?)", [id, id].map(Value::Integer));
    }
    if let Some(state) = filter.state {
        conditions.with("alarm.state = ?", i64::from(state.number()));
        conditions.with("(object.service = '') = ?", matches!(state, AnyState::Host(_)));
    }
    if let Some(text) = &filter.text {
        conditions.contains(&["object.host", "object.service", "output", "owner", "labels"], text);
    }
    Ok(Page {
        total: conditions.count(connection, FROM)?,
        items: conditions.rows(
            connection,
            COLUMNS,
            &filter.sorted.sql(AlarmSort::columns, "alarm.id"),
            filter.slice,
            read,
        )?,
    })
}

/// A line of an alarm's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmNote {
    pub at: Timestamp,
    pub author: Arc<str>,
    /// In words; empty: a comment.
    pub what: String,
    pub text: String,
}

pub(super) fn add_note(db: &Connection, alarm: AlarmId, note: &AlarmNote) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO alarm_note (alarm, at, author, what, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((signed(alarm.0), note.at.as_micros(), &*note.author, &note.what, &note.text))?;
    Ok(())
}

/// Oldest first.
pub fn notes(db: &Connection, alarm: AlarmId) -> rusqlite::Result<Vec<AlarmNote>> {
    db.prepare_cached(
        "SELECT at, author, what, text FROM alarm_note WHERE alarm = ?1 ORDER BY id LIMIT 10000",
    )?
    .query_map([signed(alarm.0)], |row| {
        Ok(AlarmNote { at: row.get(0).map(time)?, author: row.get(1)?, what: row.get(2)?, text: row.get(3)? })
    })?
    .collect()
}

/// Labels in use.
pub fn labels(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT DISTINCT value FROM alarm, json_each(alarm.labels) WHERE is_open = 1 ORDER BY value LIMIT 200",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// All alarms an object ever had, the latest first.
pub fn of(connection: &Connection, subject: &ObjectKey, slice: Slice) -> rusqlite::Result<Page<Alarm>> {
    let filter = AlarmFilter {
        host: Some(subject.host.to_string()),
        service: Some(subject.service.as_deref().unwrap_or_default().to_owned()),
        slice,
        ..AlarmFilter::default()
    };
    list(connection, &filter)
}
