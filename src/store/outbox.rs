//! What is decided and not yet delivered, and what became of the rest.
//!
//! A message is written in the transaction of the event that decided it. Every way of telling it is a row of its
//! own, so that an address that is refused or a server that is down stops none of the others. Who sends is not
//! here.

mod body;
mod list;

use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::id::Name;
use vigia_core::model::message::{Channel, Message, MessageId};
use vigia_core::model::time::Timestamp;

pub use list::{Listed, OutboxFilter, Way, list};

use super::rows::{self, micros, signed, time};

/// How one way of telling a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    Waiting,
    /// Handed to the channel, whose answer is not known yet.
    Sending,
    Sent,
    /// For good; the reason says why.
    Failed,
    /// vigia was ended while it was being sent, and the channel would not notice a second one.
    Unknown,
    /// Told in a summary.
    Summed,
}

impl DeliveryStatus {
    pub const ALL: &'static [Self] =
        &[Self::Waiting, Self::Sending, Self::Sent, Self::Failed, Self::Unknown, Self::Summed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Summed => "summed",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.word() == word)
    }

    /// Nothing more comes of it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Sending => false,
            Self::Sent | Self::Failed | Self::Unknown | Self::Summed => true,
        }
    }
}

/// One delivery that is still open.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    pub id: i64,
    pub message: Message,
    pub channel: Channel,
    /// Tries so far.
    pub attempts: u32,
}

/// Takes a message in; a second one of its id changes nothing.
pub fn insert(connection: &Connection, message: &Message) -> rusqlite::Result<()> {
    let object = body::object(message).map(|key| rows::object_id(connection, key)).transpose()?;
    let stored = body::Columns::of(message);
    let is_new = connection
        .prepare_cached(
            "INSERT INTO message (key, at, contact, kind, object, problem, number, state, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            &*message.id.0,
            message.at.as_micros(),
            &*message.contact,
            stored.kind,
            object,
            stored.problem.map(signed),
            stored.number,
            stored.state,
            stored.detail,
        ])?
        == 1;
    if !is_new {
        return Ok(());
    }
    let row = connection.last_insert_rowid();
    for channel in &message.channels {
        connection
            .prepare_cached(
                "INSERT INTO delivery (message, contact, object, channel, target, status) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 'waiting') ON CONFLICT (message, channel, target) DO NOTHING",
            )?
            .execute(params![row, &*message.contact, object, channel.word(), channel.target()])?;
    }
    Ok(())
}

/// What waits in one lane: a kind of channel, and where each contact has its own, the contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub channel: String,
    pub contact: Name,
    pub count: u64,
    pub oldest: Timestamp,
    /// The earliest instant at which one of them may go; none: at once.
    pub next: Option<Timestamp>,
}

pub fn waiting(connection: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    connection
        .prepare_cached(
            "SELECT channel, delivery.contact, count(*), min(message.at), min(coalesce(next, 0)) \
             FROM delivery JOIN message ON message.id = delivery.message \
             WHERE status = 'waiting' GROUP BY channel, delivery.contact",
        )?
        .query_map([], |row| {
            let next: i64 = row.get(4)?;
            Ok(Waiting {
                channel: row.get(0)?,
                contact: row.get(1)?,
                count: row.get(2).map(rows::unsigned)?,
                oldest: row.get(3).map(time)?,
                next: (next > 0).then(|| time(next)),
            })
        })?
        .collect()
}

const OPEN: &str = "SELECT delivery.id, channel, target, attempts, message.key, message.at, message.contact, \
     message.kind, host, service, problem, number, state, detail \
     FROM delivery JOIN message ON message.id = delivery.message \
     LEFT JOIN object ON object.id = message.object";

/// The first that may go now, in the order in which they were decided. What is told of one object by one way
/// keeps its order: nothing overtakes an older one that still waits for its next try.
pub fn due(
    connection: &Connection,
    channel: &str,
    contact: Option<&str>,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Open>> {
    let sql = format!(
        "{OPEN} WHERE status = 'waiting' AND channel = ?1 AND (?2 IS NULL OR delivery.contact = ?2) \
         AND coalesce(next, 0) <= ?3 AND NOT EXISTS (SELECT 1 FROM delivery AS older \
         WHERE older.object = delivery.object AND older.contact = delivery.contact \
         AND older.channel = delivery.channel AND older.target = delivery.target AND older.id < delivery.id \
         AND older.status IN ('waiting', 'sending')) ORDER BY delivery.id LIMIT ?4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![channel, contact, now.as_micros(), limit], open)?
        .collect()
}

/// What was being sent when vigia was ended.
pub fn interrupted(connection: &Connection) -> rusqlite::Result<Vec<Open>> {
    connection
        .prepare_cached(&format!("{OPEN} WHERE status = 'sending' ORDER BY delivery.id"))?
        .query_map([], open)?
        .collect()
}

fn open(row: &Row<'_>) -> rusqlite::Result<Open> {
    let (word, target): (String, String) = (row.get(1)?, row.get(2)?);
    let channel = Channel::from_words(&word, &target).unwrap_or(Channel::Run);
    let key: Name = row.get(4)?;
    Ok(Open {
        id: row.get(0)?,
        message: Message {
            id: MessageId(key),
            at: row.get(5).map(time)?,
            contact: row.get(6)?,
            channels: vec![channel.clone()],
            about: body::about(row, 7)?,
        },
        channel,
        attempts: row.get(3)?,
    })
}

/// Marks it as being sent, before the channel hears of it. False: it no longer waits.
pub fn begin(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "UPDATE delivery SET status = 'sending', attempts = attempts + 1 \
             WHERE id = ?1 AND status = 'waiting'",
        )?
        .execute([id])
        .map(|changed| changed == 1)
}

/// It waits for another try, not before `next`.
pub fn postpone(
    connection: &Connection,
    id: i64,
    next: Option<Timestamp>,
    reason: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE delivery SET status = 'waiting', next = ?2, reason = ?3 WHERE id = ?1")?
        .execute(params![id, micros(next), reason])
        .map(drop)
}

/// Nothing more comes of it.
pub fn end(
    connection: &Connection,
    id: i64,
    status: DeliveryStatus,
    at: Timestamp,
    reason: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET status = ?2, ended = ?3, reason = ?4, next = NULL WHERE id = ?1 \
             AND status IN ('waiting', 'sending')",
        )?
        .execute(params![id, status.word(), at.as_micros(), reason])
        .map(drop)
}

/// Keeps the newest `keep` of what waits in a lane; the others failed for good. How many those were.
pub fn shed(
    connection: &Connection,
    channel: &str,
    contact: &str,
    keep: usize,
    at: Timestamp,
    reason: &str,
) -> rusqlite::Result<usize> {
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "UPDATE delivery SET status = 'failed', ended = ?4, reason = ?5, next = NULL WHERE id IN \
             (SELECT id FROM delivery WHERE status = 'waiting' AND channel = ?1 AND contact = ?2 \
             ORDER BY id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![channel, contact, keep, at.as_micros(), reason])
}

/// How many messages a contact got by a kind of channel since then, and when the oldest of those came.
pub fn sent_since(
    connection: &Connection,
    contact: &str,
    since: Timestamp,
) -> rusqlite::Result<(u64, Option<Timestamp>)> {
    connection
        .prepare_cached(
            "SELECT count(DISTINCT message), min(ended) FROM delivery \
             WHERE contact = ?1 AND status = 'sent' AND ended > ?2",
        )?
        .query_row(params![contact, since.as_micros()], |row| {
            Ok((row.get(0).map(rows::unsigned)?, row.get::<_, Option<i64>>(1)?.map(time)))
        })
        .optional()
        .map(Option::unwrap_or_default)
}

/// Everything that waits for a contact, by whatever way, in the order in which it was decided.
pub fn waiting_for(connection: &Connection, contact: &str, limit: usize) -> rusqlite::Result<Vec<Open>> {
    let sql =
        format!("{OPEN} WHERE status = 'waiting' AND delivery.contact = ?1 ORDER BY delivery.id LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(&sql)?.query_map(params![contact, limit], open)?.collect()
}

/// These are told in a summary.
pub fn sum_up(
    connection: &Connection,
    ids: &[i64],
    digest: &MessageId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE delivery SET status = 'summed', ended = ?2, next = NULL, reason = 'told in a summary', \
         digest = (SELECT id FROM message WHERE key = ?3) WHERE id = ?1 AND status = 'waiting'",
    )?;
    for id in ids {
        statement.execute(params![id, at.as_micros(), &*digest.0])?;
    }
    Ok(())
}

/// What waits for its next try in a lane need not wait any longer.
pub fn hurry(connection: &Connection, channel: &str, contact: Option<&str>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET next = NULL WHERE status = 'waiting' AND channel = ?1 \
             AND (?2 IS NULL OR contact = ?2)",
        )?
        .execute(params![channel, contact])
        .map(drop)
}

/// What waits for a contact waits at least until then.
pub fn hold(connection: &Connection, contact: &str, until: Timestamp, reason: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET next = ?2, reason = ?3 WHERE status = 'waiting' AND contact = ?1 \
             AND coalesce(next, 0) < ?2",
        )?
        .execute(params![contact, until.as_micros(), reason])
        .map(drop)
}

/// The same for every lane.
pub fn hurry_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE delivery SET next = NULL WHERE status = 'waiting'", []).map(drop)
}

/// How many messages wait for a contact, by whatever way.
pub fn count_waiting(connection: &Connection, contact: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(DISTINCT message) FROM delivery WHERE status = 'waiting' AND contact = ?1",
        )?
        .query_row([contact], |row| row.get(0))
        .map(rows::unsigned)
}
