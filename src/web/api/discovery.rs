//! Scans of the network: what is under way, what was found, and the orders for both.

use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Body;
use super::{list, seconds};
use crate::discovery::jobs::{JobState, Live};
use crate::web::backend::{Ask, Chosen, Properties, ScanOrder, ScanRow};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::query::{MOST, PAGE, Pairs};

/// `GET /api/v1/discovery`: what is under way, and the jobs of the files.
pub(crate) async fn board(Extension(seen): Extension<Seen>) -> Json<Value> {
    let board = seen.web.backend.scans().borrow().clone();
    Json(json!({
        "scans": board.live.iter().map(live).collect::<Vec<Value>>(),
        "jobs": board.jobs.iter().map(job).collect::<Vec<Value>>(),
    }))
}

/// A scan under way, for programs and for the page that follows it.
pub(crate) fn live(live: &Live) -> Value {
    json!({
        "id": live.id,
        "job": live.job.as_deref(),
        "by": live.by,
        "targets": live.targets,
        "scan": live.plan.depth.to_string(),
        "timing": live.plan.timing.name(),
        "engine": live.plan.engine.name(),
        "addresses": live.addresses,
        "state": if live.begun.is_some() { "running" } else { "waiting" },
        "waits_for": live.waits_for,
        "asked": live.asked.as_second(),
        "begun": seconds(live.begun),
        "stage": live.progress.stage.word(),
        "percent": live.progress.percent(),
        "done": live.progress.done,
        "total": live.progress.total,
        "found": live.progress.found,
        "seconds_left": live.left.map(|left| left.as_secs()),
        "stopping": live.is_stopping,
    })
}

fn job(state: &JobState) -> Value {
    let job = &state.job;
    json!({
        "name": &*job.name,
        "targets": &*job.targets,
        "scan": &*job.scan,
        "timing": &*job.timing,
        "engine": if job.is_nmap { "nmap" } else { "builtin" },
        "mode": job.mode.word(),
        "next": seconds(state.next),
        "last": state.last.map(|last| json!({
            "id": last.id, "state": last.state.word(), "asked": last.asked.as_second(),
        })),
    })
}

pub(crate) async fn scans(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (limit, offset) = (number("limit").unwrap_or(PAGE).clamp(1, MOST), number("offset").unwrap_or(0));
    let (total, rows) = seen.web.backend.past_scans(limit, offset).await?;
    Ok(Json(list(total, rows.iter().map(item).collect())))
}

fn item(row: &ScanRow) -> Value {
    json!({
        "id": row.id,
        "job": row.job,
        "by": row.author,
        "targets": row.targets,
        "scan": row.scan,
        "timing": row.timing,
        "engine": row.engine,
        "state": row.state.word(),
        "asked": row.asked.as_second(),
        "begun": seconds(row.begun),
        "ended": seconds(row.ended),
        "looked_at": row.counts.looked_at,
        "answered": row.counts.found,
        "new": row.counts.new,
        "changed": row.counts.changed,
        "said": row.said,
    })
}

/// One scan with what it found, or how far it is.
pub(crate) async fn scan(Extension(seen): Extension<Seen>, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (row, summary) = seen.web.backend.scan(id).await?;
    let board = seen.web.backend.scans().borrow().clone();
    let progress = board.live.iter().find(|one| one.id == id).map(live);
    let mut item = item(&row);
    if let Value::Object(fields) = &mut item {
        fields.insert("progress".to_owned(), progress.unwrap_or_default());
    }
    // What a large network showed is written out as it stands: a tree of it would be many times its size.
    let report = summary.and_then(|summary| serde_json::to_string(&*summary).ok());
    let mut text = item.to_string();
    text.pop();
    text.push_str(",\"report\":");
    text.push_str(report.as_deref().unwrap_or("null"));
    text.push('}');
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

#[derive(Deserialize)]
pub(crate) struct NewScan {
    job: Option<String>,
    targets: Option<String>,
    scan: Option<String>,
    timing: Option<String>,
    engine: Option<String>,
    #[serde(default)]
    confirmed: bool,
}

pub(crate) async fn start(
    Extension(seen): Extension<Seen>,
    Body(new): Body<NewScan>,
) -> Result<Json<Value>, Failure> {
    let order = match (&new.job, &new.targets) {
        (Some(job), None) => ScanOrder::Job(job.clone()),
        (None, Some(targets)) => {
            let or = |text: &Option<String>| text.clone().unwrap_or_default();
            let ask = Ask::read(targets, &or(&new.scan), &or(&new.timing), &or(&new.engine), new.confirmed)
                .map_err(|(field, why)| Failure::Wrong(format!("{field}: {why}")))?;
            ScanOrder::Ask(ask)
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Failure::Wrong("say either `targets` or the name of a `job`".to_owned()));
        }
    };
    let id = seen.web.backend.start_scan(order, seen.by()).await?;
    Ok(Json(json!({ "message": format!("scan {id} was asked for"), "id": id })))
}

pub(crate) async fn cancel(
    Extension(seen): Extension<Seen>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, Failure> {
    seen.web.backend.cancel_scan(id, seen.by()).await?;
    Ok(Json(json!({ "message": format!("scan {id} is being cancelled; what it found stays"), "id": id })))
}

/// Texts, as in the form of the page.
#[derive(Deserialize)]
pub(crate) struct NewHosts {
    /// None: all that are new or changed.
    hosts: Option<Vec<String>>,
    #[serde(flatten)]
    properties: std::collections::BTreeMap<String, Value>,
}

/// Fields of [`NewHosts`] beside `hosts`.
const PROPERTIES: &[&str] =
    &["monitor_new", "monitor_known", "group", "asset_value", "description", "latitude", "longitude"];

pub(crate) async fn insert(
    Extension(seen): Extension<Seen>,
    Path(id): Path<i64>,
    Body(new): Body<NewHosts>,
) -> Result<Json<Value>, Failure> {
    if let Some(other) = new.properties.keys().find(|key| !PROPERTIES.contains(&key.as_str())) {
        let known = PROPERTIES.join(", ");
        return Err(Failure::Wrong(format!("`{other}` is no property; there are hosts, {known}")));
    }
    let said = |field: &str| match new.properties.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(Value::Bool(on)) => if *on { "on" } else { "off" }.to_owned(),
        Some(other) => other.to_string(),
    };
    let properties = Properties::read(&said).map_err(|wrong| Failure::Wrong(wrong.to_string()))?;
    let hosts = new.hosts.map_or(Chosen::Offered, Chosen::Named);
    let inserted = seen.web.backend.insert_hosts(id, hosts, properties, seen.by()).await?;
    let left: Vec<Value> =
        inserted.left.iter().map(|(name, why)| json!({ "host": name, "why": why })).collect();
    Ok(Json(json!({
        "message": inserted.told(),
        "new": inserted.new,
        "updated": inserted.updated,
        "left": left,
    })))
}
