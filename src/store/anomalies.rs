//! Anomalies: rows in, rows out.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::anomaly::{Anomaly, AnomalyKind, AnomalyStatus};
use vigia_core::model::id::{AnomalyId, AssetId, ObjectKey, TicketId};
use vigia_core::model::operation::AnomalyMeant;
use vigia_core::model::ticket::{Reference, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice, Sorted};
use super::rows::{self, maybe_time, micros, signed, time, unsigned};

const COLUMNS: &str = "anomaly.id, anomaly.asset, anomaly.kind, subject, old, new, severity, anomaly.status, first, last, \
     decided_by, decided, ticket";

fn read(row: &Row<'_>) -> rusqlite::Result<Anomaly> {
    Ok(Anomaly {
        id: AnomalyId(row.get(0).map(unsigned)?),
        asset: AssetId(row.get(1).map(unsigned)?),
        kind: AnomalyKind::from_word(row.get_ref(2)?.as_str()?).unwrap_or(AnomalyKind::VersionChanged),
        subject: row.get(3)?,
        old: row.get(4)?,
        new: row.get(5)?,
        severity: row.get(6)?,
        status: AnomalyStatus::from_word(row.get_ref(7)?.as_str()?).unwrap_or_default(),
        first: row.get(8).map(time)?,
        last: row.get(9).map(time)?,
        decided_by: row.get(10)?,
        decided: row.get(11).map(maybe_time)?,
        ticket: row.get::<_, Option<i64>>(12)?.map(|id| TicketId(unsigned(id))),
    })
}

/// Those that are open or were kept: what they call old is what is right.
pub fn standing(connection: &Connection, asset: AssetId) -> rusqlite::Result<Vec<Anomaly>> {
    let sql = format!("SELECT {COLUMNS} FROM anomaly WHERE asset = ?1 AND status IN ('open', 'kept')");
    connection.prepare_cached(&sql)?.query_map([signed(asset.0)], read)?.collect()
}

pub fn anomaly(connection: &Connection, id: AnomalyId) -> rusqlite::Result<Option<Anomaly>> {
    let sql = format!("SELECT {COLUMNS} FROM anomaly WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([signed(id.0)], read).optional()
}

/// Adds one that is open; one of its kind that was kept gives way to it.
pub fn raise(connection: &Connection, anomaly: &Anomaly) -> rusqlite::Result<AnomalyId> {
    connection
        .prepare_cached(
            "UPDATE anomaly SET status = 'over' WHERE asset = ?1 AND kind = ?2 AND subject = ?3 AND status IN \
             ('open', 'kept')",
        )?
        .execute(params![signed(anomaly.asset.0), anomaly.kind.word(), &*anomaly.subject])?;
    connection
        .prepare_cached(
            "INSERT INTO anomaly (asset, kind, subject, old, new, severity, status, first, last) VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?7)",
        )?
        .execute(params![
            signed(anomaly.asset.0),
            anomaly.kind.word(),
            &*anomaly.subject,
            &*anomaly.old,
            &*anomaly.new,
            anomaly.severity,
            anomaly.first.as_micros(),
        ])?;
    Ok(AnomalyId(unsigned(connection.last_insert_rowid())))
}

pub fn change(connection: &Connection, id: AnomalyId, new: &str, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE anomaly SET new = ?2, last = ?3 WHERE id = ?1 AND new <> ?2")?
        .execute(params![signed(id.0), new, now.as_micros()])?;
    Ok(())
}

/// Somebody's word on one, or its end by itself. False: it is not open (nor, where it is over, kept).
pub fn settle(
    connection: &Connection,
    id: AnomalyId,
    status: AnomalyStatus,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE anomaly SET status = ?2, decided_by = ?3, decided = ?4 WHERE id = ?1 AND status IN ('open', 'kept')",
        )?
        .execute(params![signed(id.0), status.word(), by, micros(Some(now))])?;
    Ok(changed > 0)
}

pub fn set_ticket(connection: &Connection, id: AnomalyId, ticket: TicketId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE anomaly SET ticket = ?2 WHERE id = ?1")?
        .execute((signed(id.0), signed(ticket.0)))?;
    Ok(())
}

/// Most that [`unruled`] gives at once.
pub const AT_ONCE: usize = 1000;

/// Open ones that no rule has seen yet, oldest first.
pub fn unruled(connection: &Connection) -> rusqlite::Result<Vec<Anomaly>> {
    let sql = format!("SELECT {COLUMNS} FROM anomaly WHERE ruled = 0 ORDER BY id LIMIT {AT_ONCE}");
    connection.prepare_cached(&sql)?.query_map([], read)?.collect()
}

pub fn set_ruled(connection: &Connection, id: AnomalyId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE anomaly SET ruled = 1 WHERE id = ?1")?.execute([signed(id.0)])?;
    Ok(())
}

/// The newest ticket that is not closed, of this or an earlier anomaly of the same kind about the same thing.
pub fn open_ticket(connection: &Connection, anomaly: &Anomaly) -> rusqlite::Result<Option<TicketId>> {
    connection
        .prepare_cached(
            "SELECT ticket.id FROM anomaly JOIN ticket ON ticket.id = anomaly.ticket WHERE asset = ?1 AND kind = ?2 AND \
             subject = ?3 AND ticket.status <> ?4 ORDER BY anomaly.id DESC LIMIT 1",
        )?
        .query_row(
            params![
                signed(anomaly.asset.0),
                anomaly.kind.word(),
                &*anomaly.subject,
                TicketStatus::Closed.word()
            ],
            |row| row.get(0).map(unsigned).map(TicketId),
        )
        .optional()
}

/// What a ticket is about, where it is about an anomaly.
pub fn meant_by(connection: &Connection, ticket: TicketId) -> rusqlite::Result<Option<AnomalyMeant>> {
    let sql = format!("SELECT {COLUMNS} FROM anomaly WHERE ticket = ?1 ORDER BY id DESC LIMIT 1");
    let found = connection.prepare_cached(&sql)?.query_row([signed(ticket.0)], read).optional()?;
    let Some(anomaly) = found else { return Ok(None) };
    let asset = super::assets::asset(connection, anomaly.asset)?;
    Ok(asset.map(|asset| AnomalyMeant {
        asset: ObjectKey::host(asset.name()),
        kind: anomaly.kind,
        about: anomaly.subject,
    }))
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyLine {
    pub anomaly: Anomaly,
    /// What people call the asset, and the host that it is.
    pub asset_name: Arc<str>,
    pub host: Option<Arc<str>>,
    pub address: Option<Arc<str>>,
    pub ticket: Option<Reference>,
}

/// Which anomalies, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnomalyFilter {
    /// Empty: any.
    pub statuses: Vec<AnomalyStatus>,
    pub kind: Option<AnomalyKind>,
    pub asset: Option<AssetId>,
    /// In the values, the subject, and the names and addresses of the asset.
    pub text: Option<String>,
    pub sorted: Sorted<AnomalySort>,
    pub slice: Slice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnomalySort {
    #[default]
    Last,
    First,
    Severity,
    Kind,
    Asset,
}

impl AnomalySort {
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "last" => Some(Self::Last),
            "first" => Some(Self::First),
            "severity" => Some(Self::Severity),
            "kind" => Some(Self::Kind),
            "asset" => Some(Self::Asset),
            _ => None,
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Last => &["last"],
            Self::First => &["first"],
            Self::Severity => &["severity", "last"],
            Self::Kind => &["anomaly.kind", "last"],
            Self::Asset => &["asset_name COLLATE NOCASE", "last"],
        }
    }
}

const FROM: &str = "anomaly JOIN asset ON asset.id = anomaly.asset";

pub fn list(connection: &Connection, filter: &AnomalyFilter) -> rusqlite::Result<Page<AnomalyLine>> {
    let mut conditions = Conditions::default();
    if !filter.statuses.is_empty() {
        let words = filter.statuses.iter().map(|status| Value::Text(status.word().to_owned()));
        conditions.any_of("anomaly.status", words);
    }
    if let Some(kind) = filter.kind {
        conditions.with("anomaly.kind = ?", kind.word().to_owned());
    }
    if let Some(asset) = filter.asset {
        conditions.with("anomaly.asset = ?", signed(asset.0));
    }
    if let Some(text) = &filter.text {
        let addresses = "coalesce((SELECT group_concat(address, ' ') FROM asset_address WHERE asset_address.asset = \
             asset.id), '')";
        let columns = [
            "old",
            "new",
            "subject",
            "asset.name",
            "coalesce(host, '')",
            "coalesce(set_name, '')",
            addresses,
        ];
        conditions.contains(&columns, text);
    }
    let total = conditions.count(connection, FROM)?;
    let select = format!(
        "SELECT {COLUMNS}, coalesce(set_name, host, asset.name) AS asset_name, host, (SELECT address FROM \
         asset_address WHERE asset_address.asset = asset.id ORDER BY asset_address.last_seen DESC, sort LIMIT 1), \
         (SELECT class FROM ticket WHERE ticket.id = anomaly.ticket) FROM {FROM}"
    );
    let order = filter.sorted.sql(AnomalySort::columns, "anomaly.id");
    let items = conditions.rows(connection, &select, &order, filter.slice, |row| {
        let anomaly = read(row)?;
        let class: Option<String> = row.get(16)?;
        let ticket =
            class.zip(anomaly.ticket).map(|(class, id)| Reference { class: rows::ticket_class(&class), id });
        Ok(AnomalyLine {
            anomaly,
            asset_name: row.get(13)?,
            host: row.get(14)?,
            address: row.get(15)?,
            ticket,
        })
    })?;
    Ok(Page { total, items })
}

/// How many are open.
pub fn open(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM anomaly WHERE status = 'open'")?
        .query_row([], |row| row.get(0))
        .map(unsigned)
}
