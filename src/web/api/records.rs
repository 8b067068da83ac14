//! Alarms and tickets.

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde_json::{Value, json};
use vigia_core::model::alarm::Alarm;
use vigia_core::model::id::AlarmId;

use super::{list, seconds};
use crate::web::backend::{Note, RecordQuery, TicketRow};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::pages::alarms::wanted;
use crate::web::pages::tickets::ticket_id;
use crate::web::query::{MOST, Pairs};

/// Lists of records take `limit` and `offset` where pages have numbers.
fn query(pairs: &Pairs) -> RecordQuery {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (mut query, ..) = wanted(pairs);
    query.limit = number("limit").unwrap_or(query.limit).clamp(1, MOST);
    query.offset = number("offset").unwrap_or(query.offset);
    query
}

pub(crate) async fn alarms(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let (total, alarms) = seen.web.backend.alarms(query(&pairs)).await?;
    Ok(Json(list(total, alarms.iter().map(|alarm| alarm_item(&seen, alarm)).collect())))
}

pub(crate) async fn alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(alarm_item(&seen, &*seen.web.backend.alarm(AlarmId(id)).await?)))
}

fn alarm_item(seen: &Seen, alarm: &Alarm) -> Value {
    let head = alarm.ticket.map(|id| (id, seen.world.records.tickets.get(&id)));
    // The reference where the world still knows the ticket, else its number: both are understood.
    let ticket =
        head.map(|(id, head)| head.map_or_else(|| id.to_string(), |head| head.reference().to_string()));
    json!({
        "id": alarm.id.0,
        "host_name": &*alarm.subject.host,
        "description": alarm.subject.service.as_deref(),
        "status": if alarm.closed.is_some() { "closed" } else { "open" },
        "state": alarm.state.number(),
        "state_word": alarm.state.word(),
        "severity": alarm.severity,
        "asset_value": alarm.asset_value,
        "first": alarm.first.as_second(),
        "last": alarm.last.as_second(),
        "closed": seconds(alarm.closed),
        "count": alarm.count,
        "output": &*alarm.output,
        "problem": alarm.problem.0,
        "ticket": ticket,
        "root": alarm.root.as_ref().map(ToString::to_string),
        "owner": alarm.owner.as_deref(),
        "labels": alarm.labels.iter().map(|label| &**label).collect::<Vec<&str>>(),
    })
}

pub(crate) async fn tickets(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let (total, tickets) = seen.web.backend.tickets(query(&pairs)).await?;
    Ok(Json(list(total, tickets.iter().map(|row| ticket_item(&seen, row)).collect())))
}

pub(crate) async fn ticket(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Failure> {
    let id =
        ticket_id(&reference).ok_or_else(|| Failure::Missing(format!("there is no ticket `{reference}`")))?;
    let ticket = seen.web.backend.ticket(id).await?;
    let mut item = ticket_item(&seen, &ticket.row);
    if let Some(fields) = item.as_object_mut() {
        fields.insert("notes".to_owned(), ticket.notes.iter().map(note_item).collect());
    }
    Ok(Json(item))
}

fn ticket_item(seen: &Seen, row: &TicketRow) -> Value {
    let head = &row.head;
    let life = head.closed.unwrap_or(seen.eyes.now).since(head.opened);
    json!({
        "id": head.id.0,
        "reference": head.reference().to_string(),
        "class": head.class.word(),
        "type": row.r#type,
        "title": row.title,
        "status": head.status.word(),
        "resolution": row.resolution,
        "priority": row.priority,
        "in_charge": row.in_charge,
        "submitter": row.submitter,
        "tags": row.tags,
        "host_name": head.subject.as_ref().map(|key| &*key.host),
        "description": head.subject.as_ref().and_then(|key| key.service.as_deref()),
        "alarm": row.alarm.map(|alarm| alarm.0),
        "rule": head.rule.as_deref(),
        "opened": head.opened.as_second(),
        "updated": head.updated.as_second(),
        "closed": seconds(head.closed),
        "life_time": life.as_secs(),
    })
}

fn note_item(note: &Note) -> Value {
    json!({
        "at": note.at.as_second(),
        "author": note.author,
        "text": note.text,
        "action": note.action,
        "status": note.status.map(|status| status.word()),
        "priority": note.priority,
        "in_charge": note.in_charge,
        "resolution": note.resolution,
    })
}
