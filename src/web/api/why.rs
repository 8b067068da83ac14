//! Why somebody was told or not: how the telling of an object stands, who would hear of a problem now, and what was
//! decided, newest first.

use axum::extract::Query;
use axum::{Extension, Json};
use serde_json::{Value, json};
use vigia_core::engine::notify::preview;
use vigia_core::engine::world::World;
use vigia_core::model::id::{Checkable, Name};
use vigia_core::model::notification::Skip;
use vigia_core::model::state::{AnyState, HostState, State};
use vigia_core::model::status::NotificationStatus;
use vigia_core::model::time::Timestamp;

use super::objects::{event, find, subject};
use super::says;
use super::{list, seconds};
use crate::web::backend::{HistoryQuery, HistoryRow};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::query::Pairs;
use crate::web::words;

/// A decision that was asked for by its time is looked for this long after it: repeats and delays come later.
const AFTER: std::time::Duration = std::time::Duration::from_secs(900);

pub(crate) async fn why(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let value = |name: &str| {
        let found = pairs.iter().find(|(found, value)| found == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let wanted = "say which object: `host`, and `service` for a service";
    let key = subject(&pairs).ok_or_else(|| Failure::Wrong(wanted.to_owned()))?;
    let object = find(&seen, &key)?;
    let contact = value("contact");
    if let Some(name) = contact.filter(|name| seen.world.inventory.contact(name).is_none()) {
        return Err(Failure::Missing(format!("there is no contact `{name}`")));
    }
    let before = value("at").map(|text| instant(text, &seen)).transpose()?.map(|at| at.after(AFTER));
    let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20_usize).clamp(1, 1_000);
    let history = HistoryQuery { subject: Some(key), before, limit, is_about_messages: true };
    let rows = seen.web.backend.history(history).await?;
    let rows: Vec<Value> =
        rows.iter().filter(|row| contact.is_none_or(|name| concerns(row, name))).map(line).collect();
    let mut answer = list(rows.len(), rows);
    if let Some(fields) = answer.as_object_mut() {
        let (standing, now) =
            (standing(&seen.world, object), now(&seen.world, object, contact, seen.eyes.now));
        fields.insert("says".to_owned(), json!(says::sentences(&standing, &now, &seen.eyes.zone)));
        fields.insert("standing".to_owned(), standing);
        fields.insert("now".to_owned(), now);
    }
    Ok(Json(answer))
}

/// What the answer says of now, in sentences, for the object's page.
pub(crate) fn in_words(seen: &Seen, object: Checkable) -> Vec<String> {
    let now = now(&seen.world, object, None, seen.eyes.now);
    says::sentences(&standing(&seen.world, object), &now, &seen.eyes.zone)
}

/// `@SECONDS`, a date and a time, a time of day (the last one), or how long ago.
fn instant(text: &str, seen: &Seen) -> Result<Timestamp, Failure> {
    let now = seen.eyes.now;
    let ago = words::parse_span(text.trim().trim_end_matches(" ago")).map(|span| now.before(span));
    let said = || words::parse_instant(text, &seen.eyes.zone, now);
    // What lies ahead was said of the day before.
    let past = |at: Timestamp| if at > now { at.before(std::time::Duration::from_secs(86_400)) } else { at };
    let hint = "say when, such as `2026-11-24 03:00`, `03:00` or `2h ago`";
    ago.or_else(said).map(past).ok_or_else(|| Failure::Wrong(format!("`{text}` is no time: {hint}")))
}

fn line(row: &HistoryRow) -> Value {
    let mut item = event(row);
    if let (Some(data), Some(fields)) = (&row.data, item.as_object_mut()) {
        fields.insert("data".to_owned(), data.clone());
    }
    item
}

/// Messages to others are left out, and so is what others alone did not hear.
fn concerns(row: &HistoryRow, contact: &str) -> bool {
    match row.what.as_str() {
        "notified" => row.author.as_deref() == Some(contact),
        "contacts skipped" => {
            let skipped = row.data.as_ref().and_then(|data| data.get("skipped")).and_then(Value::as_array);
            skipped
                .into_iter()
                .flatten()
                .any(|one| one.get("contact").and_then(Value::as_str) == Some(contact))
        }
        _ => true,
    }
}

fn standing(world: &World, object: Checkable) -> Value {
    let (state, state_type, status) = look(world, object);
    let told = status.told().iter();
    let told = told.map(
        |told| json!({"contact": *told.contact, "number": told.number, "hears_of_end": told.hears_of_end}),
    );
    let held = status.held.as_deref().map(|held| {
        json!({
            "kind": held.kind.word(),
            "hold": held.hold.word(),
            "until": seconds(held.hold.until()),
            "about": held.hold.about(),
            "text": held.hold.to_string(),
        })
    });
    json!({
        "state": state.word(),
        "state_type": state_type,
        "number": status.number,
        "last_notification": seconds(status.last),
        "next_notification": seconds(status.next.filter(|_| held.is_none())),
        "told": told.collect::<Vec<Value>>(),
        "held": held,
        "all_off": world.records.notifications_off,
    })
}

/// Who would hear of a problem now: of the one that stands, else of the worst there is.
fn now(world: &World, object: Checkable, contact: Option<&str>, now: Timestamp) -> Value {
    let (state, _, status) = look(world, object);
    let state = match state {
        AnyState::Host(HostState::Up) => AnyState::Host(HostState::Down),
        AnyState::Service(State::Ok) => AnyState::Service(State::Critical),
        AnyState::Host(_) | AnyState::Service(_) => state,
    };
    let number = status.number.saturating_add(1);
    let found = preview(&world.inventory, object, state, number, now);
    let is_asked = |name: &Name| contact.is_none_or(|contact| contact == &**name);
    let mut skipped: Vec<Value> =
        found.skipped.iter().filter(|(name, _)| is_asked(name)).map(|(name, why)| skip(name, *why)).collect();
    let is_known = |name: &str| {
        found.to.iter().any(|to| **to == *name) || found.skipped.iter().any(|(skipped, _)| **skipped == *name)
    };
    if let Some(name) = contact.filter(|name| !is_known(name)) {
        let text = if found.is_escalated {
            "the escalations that match name others"
        } else {
            "neither `contacts` nor `contactgroups` of the object name them"
        };
        skipped.push(json!({"contact": name, "why": "not-named", "opens": 0, "text": text}));
    }
    json!({
        "state": state.word(),
        "number": number,
        "escalated": found.is_escalated,
        "to": found.to.iter().filter(|name| is_asked(name)).map(|name| &**name).collect::<Vec<&str>>(),
        "skipped": skipped,
    })
}

fn skip(name: &Name, why: Skip) -> Value {
    json!({"contact": **name, "why": why.word(), "opens": seconds(why.opens()), "text": why.to_string()})
}

fn look(world: &World, object: Checkable) -> (AnyState, &'static str, &NotificationStatus) {
    match object {
        Checkable::Host(id) => {
            let status = world.host(id);
            (AnyState::Host(status.state()), status.standing.state_type.word(), &status.notification)
        }
        Checkable::Service(id) => {
            let status = world.service(id);
            (AnyState::Service(status.state()), status.standing.state_type.word(), &status.notification)
        }
    }
}
