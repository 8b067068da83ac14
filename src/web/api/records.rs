//! Alarms.

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde_json::{Value, json};
use vigia_core::model::alarm::Alarm;
use vigia_core::model::id::AlarmId;

use super::{list, seconds};
use crate::web::backend::RecordQuery;
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::pages::alarms::wanted;
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
    Ok(Json(list(total, alarms.iter().map(|alarm| alarm_item(alarm)).collect())))
}

pub(crate) async fn alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(alarm_item(&*seen.web.backend.alarm(AlarmId(id)).await?)))
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
