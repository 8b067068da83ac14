//! Who was told, who was not and why: as columns of a status, and as lines of the log.
//!
//! What is sent to whom is the outbox's.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use vigia_core::model::id::{Name, ObjectKey, ProblemId};
use vigia_core::model::message::MessageKind;
use vigia_core::model::notification::{Act, Acts, Held, Hold, Skip, Told};
use vigia_core::model::status::NotificationStatus;
use vigia_core::model::time::Timestamp;

use super::log::{LogKind, NewLine};

/// A row of the table of counters: 1 while messages are off for everything.
const OFF: &str = "notifications_off";
/// Contacts named in one line for people; its data has them all.
const SHOWN: usize = 10;

pub(super) fn save_switch(connection: &Connection, is_off: bool) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO counter VALUES (?1, ?2)")?;
    statement.execute((OFF, is_off)).map(|_rows| ())
}

pub(super) fn are_off(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT next FROM counter WHERE name = ?1")?;
    Ok(statement.query_row([OFF], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// Rows of the same table: when each downtime of the files last began.
const PLANNED: &str = "planned ";

pub(super) fn save_planned(
    connection: &Connection,
    before: &BTreeMap<Name, Timestamp>,
    planned: &BTreeMap<Name, Timestamp>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO counter VALUES (?1, ?2)")?;
    for (name, start) in planned.iter().filter(|(name, start)| before.get(*name) != Some(*start)) {
        statement.execute((format!("{PLANNED}{name}"), start.as_micros()))?;
    }
    Ok(())
}

pub(super) fn planned(connection: &Connection) -> rusqlite::Result<BTreeMap<Name, Timestamp>> {
    let mut statement = connection.prepare("SELECT name, next FROM counter WHERE name GLOB 'planned *'")?;
    let mut rows = statement.query([])?;
    let mut planned = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if let Some(name) = row.get_ref(0)?.as_str()?.strip_prefix(PLANNED) {
            planned.insert(name.into(), Timestamp::from_micros(row.get(1)?));
        }
    }
    Ok(planned)
}

pub(super) fn told_text(status: &NotificationStatus) -> Option<String> {
    let told = status.told.as_deref()?;
    let one = |told: &Told| json!([*told.contact, told.number, told.hears_of_end]);
    Some(Value::from_iter(told.iter().map(one)).to_string())
}

/// A column that cannot be read is as if nobody had been told: better no word of the end than no start.
pub(super) fn told(text: Option<&str>) -> Option<Arc<Vec<Told>>> {
    let rows: Vec<(String, u32, bool)> = serde_json::from_str(text?).ok()?;
    let one = |(contact, number, hears_of_end): (String, u32, bool)| Told {
        contact: contact.into(),
        number,
        hears_of_end,
    };
    Some(Arc::new(rows.into_iter().map(one).collect()))
}

/// `[7, [["dba-hook", "ana", 1700000000000000, 1], …]]`: the problem, and what rules have done about it.
pub(super) fn acts_text(status: &NotificationStatus) -> Option<String> {
    let Acts { problem, acts } = status.acts.as_deref()?;
    let one = |act: &Act| json!([*act.rule, *act.to, act.at.as_micros(), act.times]);
    Some(json!([problem.0, Value::from_iter(acts.iter().map(one))]).to_string())
}

/// A column that cannot be read is as if nothing had been done: better twice than not at all.
pub(super) fn acts(text: Option<&str>) -> Option<Arc<Acts>> {
    type Row = (String, String, i64, u32);
    let (problem, rows): (u64, Vec<Row>) = serde_json::from_str(text?).ok()?;
    let one = |(rule, to, at, times): Row| Act {
        rule: rule.into(),
        to: to.into(),
        at: Timestamp::from_micros(at),
        times,
    };
    Some(Arc::new(Acts { problem: ProblemId(problem), acts: rows.into_iter().map(one).collect() }))
}

pub(super) fn held_text(status: &NotificationStatus) -> Option<String> {
    let Held { kind, hold } = status.held.as_deref()?;
    Some(hold_json(*kind, hold).to_string())
}

pub(super) fn held(text: Option<&str>) -> Option<Arc<Held>> {
    let value: Value = serde_json::from_str(text?).ok()?;
    let kind = MessageKind::from_word(value.get("kind")?.as_str()?)?;
    let until = value.get("until").and_then(Value::as_i64).map(Timestamp::from_micros);
    let about = value.get("about").and_then(Value::as_str);
    let hold = Hold::from_parts(value.get("hold")?.as_str()?, until, about)?;
    Some(Arc::new(Held { kind, hold }))
}

fn hold_json(kind: MessageKind, hold: &Hold) -> Value {
    let until = hold.until().map(Timestamp::as_micros);
    json!({"kind": kind.word(), "hold": hold.word(), "until": until, "about": hold.about()})
}

/// Lines of the log. The text is for people, the long text is the same as data.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) at: Timestamp,
    pub(super) subject: &'a ObjectKey,
    pub(super) kind: MessageKind,
    pub(super) number: u32,
}

pub(super) fn log_held(
    db: &Connection,
    about: About<'_>,
    hold: &Hold,
    skipped: &[(Name, Skip)],
) -> rusqlite::Result<()> {
    let About { at, subject, kind, number } = about;
    let mut text = format!("{}: {hold}", kind.word());
    if !skipped.is_empty() {
        text = format!("{text}: {}", reasons(skipped));
    }
    let mut data = hold_json(kind, hold);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("number".to_owned(), json!(number));
        fields.insert("skipped".to_owned(), skipped_json(skipped));
    }
    let line = NewLine::about(at, LogKind::NotificationHeld, subject);
    NewLine { text: &text, long_text: &data.to_string(), ..line }.write(db)
}

pub(super) fn log_skipped(
    db: &Connection,
    about: About<'_>,
    skipped: &[(Name, Skip)],
) -> rusqlite::Result<()> {
    let About { at, subject, kind, number } = about;
    let text = format!("{} not to {}", kind.word(), reasons(skipped));
    let data = json!({"kind": kind.word(), "number": number, "skipped": skipped_json(skipped)});
    let line = NewLine::about(at, LogKind::ContactsSkipped, subject);
    NewLine { text: &text, long_text: &data.to_string(), ..line }.write(db)
}

pub(super) fn log_delayed(
    db: &Connection,
    at: Timestamp,
    subject: &ObjectKey,
    until: Timestamp,
    author: &str,
) -> rusqlite::Result<()> {
    let text = format!("no repeat before {until}");
    let line = NewLine::about(at, LogKind::NotificationDelayed, subject);
    NewLine { author: Some(author), text: &text, ..line }.write(db)
}

pub(super) fn log_switched(db: &Connection, at: Timestamp, on: bool, author: &str) -> rusqlite::Result<()> {
    let text = if on { "messages are on" } else { "messages are off for everything" };
    NewLine { author: Some(author), text, ..NewLine::new(at, LogKind::NotificationsSwitched) }.write(db)
}

/// `ana (the contact's `options` leave this out), ben (…)`.
fn reasons(skipped: &[(Name, Skip)]) -> String {
    let one = |(name, skip): &(Name, Skip)| format!("{name} ({skip})");
    let mut text = skipped.iter().take(SHOWN).map(one).collect::<Vec<_>>().join(", ");
    if let Some(more) = skipped.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    text
}

fn skipped_json(skipped: &[(Name, Skip)]) -> Value {
    let one = |(name, skip): &(Name, Skip)| json!({"contact": **name, "why": skip.word(), "opens": skip.opens().map(Timestamp::as_micros)});
    Value::from_iter(skipped.iter().map(one))
}
