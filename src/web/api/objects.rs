//! Hosts and services with the field names and numbers of Livestatus, their history, comments and downtimes.

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde_json::{Value, json};
use vigia_core::engine::world::World;
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::check::CheckMethod;
use vigia_core::model::comment::CommentKind;
use vigia_core::model::downtime::{Downtime, DowntimeKind};
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::policy::Policy;
use vigia_core::model::state::Condition;
use vigia_core::model::status::Status;
use vigia_core::model::time::Timestamp;

use super::{list, seconds};
use crate::web::backend::{HistoryQuery, HistoryRow, Origin};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::list as select;
use crate::web::query::{ListQuery, Pairs};

pub(crate) async fn services(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let query = ListQuery::read_strictly(&pairs)?;
    let problems = seen.web.problems.of(&seen.world);
    let found = select::services(&seen.world, &problems, &query);
    let items = found.items.iter().map(|id| item(&seen.world, Checkable::Service(*id))).collect();
    Ok(Json(list(found.total, items)))
}

pub(crate) async fn hosts(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let query = ListQuery::read_strictly(&pairs)?;
    let problems = seen.web.problems.of(&seen.world);
    let found = select::hosts(&seen.world, &problems, &query);
    let items = found.items.iter().map(|id| item(&seen.world, Checkable::Host(*id))).collect();
    Ok(Json(list(found.total, items)))
}

pub(crate) async fn host(
    Extension(seen): Extension<Seen>,
    Path(host): Path<String>,
) -> Result<Json<Value>, Failure> {
    one(&seen, &ObjectKey::host(host.as_str()))
}

pub(crate) async fn service(
    Extension(seen): Extension<Seen>,
    Path((host, service)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    one(&seen, &ObjectKey::service(host.as_str(), service.as_str()))
}

pub(crate) async fn host_origins(
    Extension(seen): Extension<Seen>,
    Path(host): Path<String>,
) -> Result<Json<Value>, Failure> {
    origins(&seen, ObjectKey::host(host.as_str())).await
}

pub(crate) async fn service_origins(
    Extension(seen): Extension<Seen>,
    Path((host, service)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    origins(&seen, ObjectKey::service(host.as_str(), service.as_str())).await
}

/// Where each value of it was written: as it runs, and which of these files are others on disk.
async fn origins(seen: &Seen, key: ObjectKey) -> Result<Json<Value>, Failure> {
    find(seen, &key)?;
    let found = seen.web.backend.defined(key).await?;
    let origin = |o: &Origin| json!({"key": o.key, "value": o.value, "place": o.place, "via": o.via});
    let items: Vec<Value> = found.origins.iter().map(origin).collect();
    Ok(Json(json!({
        "total": items.len(),
        "items": items,
        "changed": found.changed,
        "of_disk": found.is_of_disk,
    })))
}

pub(super) fn find(seen: &Seen, key: &ObjectKey) -> Result<Checkable, Failure> {
    let found = seen.world.inventory.find(key);
    found.ok_or_else(|| Failure::Missing(format!("there is no host or service `{key}`")))
}

fn one(seen: &Seen, key: &ObjectKey) -> Result<Json<Value>, Failure> {
    let object = find(seen, key)?;
    let mut item = item(&seen.world, object);
    if let Some(fields) = item.as_object_mut() {
        fields.insert("comments".to_owned(), Value::from(comments_of(&seen.world, |subject| subject == key)));
        fields
            .insert("downtimes".to_owned(), Value::from(downtimes_of(&seen.world, |subject| subject == key)));
    }
    Ok(Json(item))
}

/// One host or service as JSON.
pub(crate) fn item(world: &World, object: Checkable) -> Value {
    let inventory = &world.inventory;
    match object {
        Checkable::Host(id) => {
            let (host, status) = (inventory.host(id), world.host(id));
            let mut item = json!({
                "host_name": &*host.name,
                "name": &*host.name,
                "alias": &*host.alias,
                "display_name": &*host.display_name,
                "address": &*host.address,
                "num_services": host.services.len(),
                "groups": host.hostgroups.iter().map(|name| &**name).collect::<Vec<&str>>(),
                "check_command": host.check.kind,
            });
            common(&mut item, status, &host.policy, &host.check.method);
            item
        }
        Checkable::Service(id) => {
            let (service, status) = (inventory.service(id), world.service(id));
            let host = inventory.host(service.host);
            let mut item = json!({
                "host_name": &*host.name,
                "description": &*service.name,
                "display_name": &*service.display_name,
                "host_address": &*host.address,
                "host_state": world.host(service.host).state().number(),
                "groups": service.servicegroups.iter().map(|name| &**name).collect::<Vec<&str>>(),
                "check_command": service.check.kind,
            });
            common(&mut item, status, &service.policy, &service.check.method);
            item
        }
    }
}

fn common<S: Condition>(item: &mut Value, status: &Status<S>, policy: &Policy, method: &CheckMethod) {
    let Some(fields) = item.as_object_mut() else { return };
    let acknowledgement = status.acknowledgement.as_deref();
    let is_active = matches!(method, CheckMethod::BuiltIn(_) | CheckMethod::Plugin(_));
    for (name, value) in [
        ("state", json!(status.state().number())),
        ("state_type", json!(status.standing.state_type.number())),
        ("current_attempt", json!(status.standing.attempt)),
        (
            "max_check_attempts",
            json!(status.switches.max_check_attempts.unwrap_or(policy.max_check_attempts)),
        ),
        ("has_been_checked", json!(u8::from(status.has_been_checked))),
        ("plugin_output", json!(&*status.output.text)),
        ("long_plugin_output", json!(&*status.output.long)),
        ("perf_data", json!(&*status.output.perfdata)),
        ("last_check", json!(seconds(status.last_check))),
        ("next_check", json!(seconds(status.next_check))),
        ("last_state_change", json!(seconds(status.last_state_change))),
        ("last_hard_state_change", json!(seconds(status.last_hard_state_change))),
        ("last_hard_state", json!(status.last_hard_state.number())),
        ("last_state", json!(status.last_state.number())),
        ("acknowledged", json!(u8::from(acknowledgement.is_some()))),
        ("acknowledged_by", json!(acknowledgement.map(|ack| &*ack.author))),
        ("acknowledgement_until", json!(acknowledgement.map(|ack| ack.lasts.until().word()))),
        ("acknowledgement_expires", json!(acknowledgement.map_or(0, |ack| seconds(ack.expires)))),
        (
            "acknowledgement_type",
            json!(acknowledgement.map_or(0, |ack| if ack.lasts.until() == Until::Recovery { 2 } else { 1 })),
        ),
        ("scheduled_downtime_depth", json!(status.downtime_depth)),
        ("is_flapping", json!(u8::from(status.is_flapping))),
        ("percent_state_change", json!(status.percent_state_change)),
        ("latency", json!(status.latency.seconds())),
        ("execution_time", json!(status.execution_time.seconds())),
        ("check_interval", json!(policy.check_interval.as_secs_f64() / 60.0)),
        ("retry_interval", json!(policy.retry_interval.as_secs_f64() / 60.0)),
        (
            "active_checks_enabled",
            json!(u8::from(is_active && status.switches.active_checks.unwrap_or(policy.active_checks))),
        ),
        (
            "accept_passive_checks",
            json!(u8::from(status.switches.passive_checks.unwrap_or(policy.passive_checks))),
        ),
    ] {
        fields.insert(name.to_owned(), value);
    }
}

/// The object of `host` and `service`, where asked for.
pub(super) fn subject(pairs: &Pairs) -> Option<ObjectKey> {
    let value = |name: &str| {
        pairs.iter().find(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value)
    };
    let host = value("host")?;
    Some(ObjectKey {
        host: host.as_str().into(),
        service: value("service").map(|service| service.as_str().into()),
    })
}

pub(crate) async fn history(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<i64>().ok())
    };
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100).clamp(1, 10_000);
    let before = number("before").map(Timestamp::from_second);
    let rows = seen
        .web
        .backend
        .history(HistoryQuery { subject: subject(&pairs), before, limit, is_about_messages: false })
        .await?;
    Ok(Json(list(rows.len(), rows.iter().map(event).collect())))
}

pub(super) fn event(row: &HistoryRow) -> Value {
    let mut item = json!({
        "time": row.at.as_second(),
        "host_name": row.subject.as_ref().map(|key| &*key.host),
        "description": row.subject.as_ref().and_then(|key| key.service.as_deref()),
        "event": row.what,
        "author": row.author,
        "text": row.text,
    });
    if let (Some((state, state_type, attempt)), Some(fields)) = (row.state, item.as_object_mut()) {
        fields.insert("state".to_owned(), json!(state.number()));
        fields.insert("state_type".to_owned(), json!(state_type.number()));
        fields.insert("current_attempt".to_owned(), json!(attempt));
    }
    item
}

/// Of one object where one is named: a host alone means the host object alone.
fn about(asked: &Option<ObjectKey>, subject: &ObjectKey) -> bool {
    asked.as_ref().is_none_or(|asked| asked == subject)
}

pub(crate) async fn comments(Extension(seen): Extension<Seen>, Query(pairs): Query<Pairs>) -> Json<Value> {
    let asked = subject(&pairs);
    let items = comments_of(&seen.world, |subject| about(&asked, subject));
    Json(list(items.len(), items))
}

fn comments_of(world: &World, is_meant: impl Fn(&ObjectKey) -> bool) -> Vec<Value> {
    let comments = world.records.comments.values().filter(|comment| is_meant(&comment.subject));
    let item = |comment: &std::sync::Arc<vigia_core::model::comment::Comment>| {
        json!({
            "id": comment.id.0,
            "host_name": &*comment.subject.host,
            "description": comment.subject.service.as_deref(),
            "author": &*comment.author,
            "comment": &*comment.text,
            "entry_time": comment.at.as_second(),
            "entry_type": match comment.kind {
                CommentKind::User => 1,
                CommentKind::Downtime => 2,
                CommentKind::Flapping => 3,
                CommentKind::Acknowledgement => 4,
            },
        })
    };
    comments.map(item).collect()
}

pub(crate) async fn downtimes(Extension(seen): Extension<Seen>, Query(pairs): Query<Pairs>) -> Json<Value> {
    let asked = subject(&pairs);
    let items = downtimes_of(&seen.world, |subject| about(&asked, subject));
    Json(list(items.len(), items))
}

fn downtimes_of(world: &World, is_meant: impl Fn(&ObjectKey) -> bool) -> Vec<Value> {
    let downtimes = world.records.downtimes.values().filter(|downtime| is_meant(&downtime.subject));
    downtimes.map(|downtime| downtime_item(downtime)).collect()
}

fn downtime_item(downtime: &Downtime) -> Value {
    let flexible = match downtime.kind {
        DowntimeKind::Fixed => None,
        DowntimeKind::Flexible(span) => Some(span.as_secs()),
    };
    json!({
        "id": downtime.id.0,
        "host_name": &*downtime.subject.host,
        "description": downtime.subject.service.as_deref(),
        "author": &*downtime.author,
        "comment": &*downtime.comment,
        "entry_time": downtime.entered.as_second(),
        "start_time": downtime.start.as_second(),
        "end_time": downtime.end.as_second(),
        "fixed": u8::from(flexible.is_none()),
        "duration": flexible.unwrap_or(0),
        "started": seconds(downtime.started),
        "triggered_by": downtime.triggered_by.map_or(0, |id| id.0),
    })
}
