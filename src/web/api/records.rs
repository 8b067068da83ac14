//! Alarms.

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use vigia_core::model::alarm::Alarm;
use vigia_core::model::id::AlarmId;
use vigia_core::model::operation::Operation;

use super::acts::{Body, done};
use super::{list, seconds};
use crate::web::alarms::{self, Grouping, value, wanted};
use crate::web::backend::{AlarmNote, AlarmsOf, RecordQuery};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::orders;
use crate::web::pages::alarms::as_file;
use crate::web::query::{MOST, Pairs};

/// Lists of records take `limit` and `offset` where pages have numbers.
fn query(pairs: &Pairs, seen: &Seen) -> Result<RecordQuery, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (mut query, ..) = wanted(pairs, seen)?;
    query.limit = number("limit").unwrap_or(query.limit).clamp(1, MOST);
    query.offset = number("offset").unwrap_or(query.offset);
    Ok(query)
}

pub(crate) async fn alarms(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let (total, alarms) = seen.web.backend.alarms(query(&pairs, &seen)?).await?;
    Ok(Json(list(total, alarms.iter().map(|alarm| alarm_item(alarm)).collect())))
}

pub(crate) async fn alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let mut item = alarm_item(&*seen.web.backend.alarm(AlarmId(id)).await?);
    let notes = seen.web.backend.alarm_notes(AlarmId(id)).await?;
    if let Some(fields) = item.as_object_mut() {
        let note = |note: &AlarmNote| json!({"at": note.at.as_second(), "author": *note.author, "what": note.what, "text": note.text});
        fields.insert("notes".to_owned(), notes.iter().map(note).collect());
    }
    Ok(Json(item))
}

/// Open alarms put together: `by` the cause, the host or the name of the service.
pub(crate) async fn groups(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let by = value(&pairs, "by").unwrap_or("root");
    let grouping =
        Grouping::of(by).ok_or_else(|| Failure::Wrong(format!("`{by}`: one of root, host, service")))?;
    let groups = alarms::groups(&seen.world, grouping);
    let item = |group: &alarms::Group| {
        json!({
            "name": group.name, "alarms": group.alarms, "unowned": group.unowned, "first": group.first.as_second(),
            "worst": alarm_item(&group.worst),
        })
    };
    Ok(Json(list(groups.len(), groups.iter().map(item).collect())))
}

pub(crate) async fn report(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let period = alarms::period(&pairs, &seen.eyes)?;
    let rows = seen.web.backend.alarm_report(period.from, period.to).await?;
    if value(&pairs, "format") == Some("csv") {
        return Ok(as_file(&rows));
    }
    let item = |row: &AlarmsOf| {
        json!({
            "host_name": &*row.subject.host, "description": row.subject.service.as_deref(), "alarms": row.alarms,
            "seconds": row.seconds, "longest": row.longest, "severity": row.severity, "tickets": row.tickets,
            "open": row.open,
        })
    };
    let mut answer = list(rows.len(), rows.iter().map(item).collect());
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("from".to_owned(), json!(period.from.as_second()));
        fields.insert("to".to_owned(), json!(period.to.as_second()));
    }
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Said {
    comment: String,
}

pub(crate) async fn comment(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Said>,
) -> Result<Json<Value>, Failure> {
    let text = orders::text("comment", &asked.comment)?;
    let answer = seen.give(Operation::CommentAlarm { alarm: AlarmId(id), text }).await?;
    Ok(done(format!("alarm {id} commented"), &answer))
}

pub(crate) async fn reopen(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Said>,
) -> Result<Json<Value>, Failure> {
    let comment = orders::text("comment", &asked.comment)?;
    let answer = seen.give(Operation::ReopenAlarm { alarm: AlarmId(id), comment }).await?;
    Ok(done(format!("alarm {id} is open again"), &answer))
}

#[derive(Deserialize)]
pub(crate) struct Label {
    label: String,
    #[serde(default)]
    remove: bool,
}

pub(crate) async fn label(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Label>,
) -> Result<Json<Value>, Failure> {
    let label = orders::text("label", &asked.label)?;
    let what = if asked.remove { "is without the label" } else { "has the label" };
    let text = format!("alarm {id} {what} {label}");
    let answer = seen.give(Operation::LabelAlarm { alarm: AlarmId(id), label, set: !asked.remove }).await?;
    Ok(done(text, &answer))
}

fn alarm_item(alarm: &Alarm) -> Value {
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
        "ticket": alarm.ticket.map(|reference| reference.to_string()),
        "root": alarm.root.as_ref().map(ToString::to_string),
        "owner": alarm.owner.as_deref(),
        "labels": alarm.labels.iter().map(|label| &**label).collect::<Vec<&str>>(),
    })
}
