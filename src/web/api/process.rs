//! vigia about itself: status, configuration health, reload, and the two probes for machines.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::seconds;
use crate::web::Web;
use crate::web::backend::{ConfigProblem, Notice, Quarantined, Spread};
use crate::web::error::Failure;
use crate::web::frame::Seen;

/// How vigia is and what it sees, in one answer: for `vigia status`.
pub(crate) async fn status(Extension(seen): Extension<Seen>) -> Json<Value> {
    let process = seen.web.backend.process();
    let health = seen.web.backend.health();
    let delivery = seen.web.backend.delivery();
    let dead = delivery.dead.iter().map(|dead| format!("messages wait, a channel does not work: {dead}"));
    let totals = &seen.world.totals;
    let ([up, down, unreachable], [ok, warning, critical, unknown]) = (totals.hosts, totals.services);
    Json(json!({
        "version": process.version,
        "pid": process.pid,
        "program_start": process.started.as_second(),
        "uptime": seen.eyes.now.since(process.started).as_secs(),
        "listen": process.listen,
        "config": process.config,
        "state_dir": process.state_dir,
        "hosts": {
            "up": up, "down": down, "unreachable": unreachable, "pending": totals.hosts_pending,
            "problems": down + unreachable, "unhandled": totals.host_problems_unhandled,
            "total": up + down + unreachable + totals.hosts_pending,
        },
        "services": {
            "ok": ok, "warning": warning, "unknown": unknown, "critical": critical, "pending": totals.services_pending,
            "problems": warning + critical + unknown, "unhandled": totals.service_problems_unhandled,
            "total": ok + warning + critical + unknown + totals.services_pending,
        },
        "checks": { "running": process.checks.running, "total": process.checks.total, "latency": spread(process.checks.latency) },
        "config_errors": health.errors(),
        "config_refused": health.refused,
        "store_trouble": seen.web.backend.alerts().store,
        "quarantined": health.quarantine.len(),
        "notifications": { "waiting": delivery.waiting, "oldest": seconds(delivery.oldest), "dead": delivery.dead },
        "notices": health.notices.iter().map(|notice| notice.text.clone()).chain(dead).collect::<Vec<String>>(),
    }))
}

fn spread(spread: Spread) -> Value {
    json!({ "p50": spread.p50, "p95": spread.p95, "p99": spread.p99 })
}

pub(crate) async fn process(Extension(seen): Extension<Seen>) -> Json<Value> {
    let process = seen.web.backend.process();
    let kinds = process.checks.kinds.iter().map(|(kind, total)| json!({"kind": kind, "total": total}));
    let queues = process.queues.iter().map(|queue| json!({"queue": queue.name, "length": queue.length}));
    Json(json!({
        "version": process.version,
        "pid": process.pid,
        "program_start": process.started.as_second(),
        "listen": process.listen,
        "checks": {
            "running": process.checks.running, "limit": process.checks.limit, "total": process.checks.total,
            "latency": spread(process.checks.latency), "execution_time": spread(process.checks.run_time),
            "overloaded": process.checks.overloaded, "behind": process.checks.behind.as_secs_f64(), "kinds": kinds.collect::<Vec<Value>>(),
        },
        "queues": queues.collect::<Vec<Value>>(),
        "store": {
            "path": process.store.path, "bytes": process.store.bytes, "trouble": process.store.trouble,
            "last_commit": seconds(process.store.last_commit), "batches": process.store.batches, "events": process.store.events,
        },
        "reload": {
            "last": seconds(process.reload.last), "outcome": process.reload.outcome,
            "mean_duration": process.reload.took.as_secs_f64(), "complete": process.reload.complete,
            "partial": process.reload.partial, "refused": process.reload.refused,
        },
        "backup": process.backup.as_ref().map(|backup| json!({
            "dir": backup.dir, "count": backup.count, "last": seconds(backup.last), "bytes": backup.bytes,
            "failing": backup.failing,
        })),
        "panics": process.panics,
    }))
}

pub(crate) async fn config(Extension(seen): Extension<Seen>) -> Json<Value> {
    let health = seen.web.backend.health();
    Json(json!({
        "generation": health.generation,
        "loaded_at": seconds(health.loaded),
        "valid": health.refused.is_none() && health.errors() == 0 && health.quarantine.is_empty(),
        "refused": health.refused,
        "problems": health.problems.iter().map(problem).collect::<Vec<Value>>(),
        "quarantine": health.quarantine.iter().map(quarantined).collect::<Vec<Value>>(),
        "restart_needed": health.restart_needed,
        "notices": health.notices.iter().map(|Notice { text, .. }| text.as_str()).collect::<Vec<&str>>(),
        "files": health.files,
    }))
}

fn problem(problem: &ConfigProblem) -> Value {
    json!({
        "severity": if problem.is_error { "error" } else { "warning" },
        "file": problem.file, "line": problem.line, "column": problem.column,
        "message": problem.message, "hint": problem.hint, "rendered": problem.rendered,
    })
}

fn quarantined(out: &Quarantined) -> Value {
    json!({
        "object": out.object,
        "host_name": out.key.as_ref().map(|key| &*key.host),
        "description": out.key.as_ref().and_then(|key| key.service.as_deref()),
        "file": out.file, "line": out.line, "message": out.message, "last_good": out.is_last_good,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    /// A configuration without hosts is meant.
    #[serde(default)]
    accept_empty: bool,
}

/// Waits for the outcome, so that `vigia reload --wait` can say it and set its exit code.
pub(crate) async fn reload(Extension(seen): Extension<Seen>, body: Bytes) -> Result<Json<Value>, Failure> {
    // Nothing at all is how most ask.
    let asked = if body.is_empty() { Ok(None) } else { serde_json::from_slice::<Option<Reload>>(&body) };
    let asked = asked.map_err(|error| Failure::Wrong(format!("this is no order to reload: {error}")))?;
    let accept_empty = asked.is_some_and(|asked| asked.accept_empty);
    let report = seen.web.backend.reload(seen.by(), accept_empty).await?;
    let rendered: Vec<&str> = report.problems.iter().map(|problem| problem.rendered.as_str()).collect();
    Ok(Json(json!({
        "ok": report.is_ok,
        "generation": report.generation,
        "added": report.added, "changed": report.changed, "removed": report.removed,
        "problems": report.problems.iter().map(problem).collect::<Vec<Value>>(),
        "quarantine": report.quarantine.iter().map(quarantined).collect::<Vec<Value>>(),
        "restart_needed": report.restart_needed,
        "rendered": rendered.join("\n"),
    })))
}

/// Answers when it is made and was read back.
pub(crate) async fn back_up(Extension(seen): Extension<Seen>) -> Result<Json<Value>, Failure> {
    let made = seen.web.backend.back_up(seen.by()).await?;
    Ok(Json(json!({"path": made.path, "taken": made.taken.as_second(), "bytes": made.bytes})))
}

/// The process serves.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The first configuration is taken over and the store writes.
pub(crate) async fn readyz(State(web): State<Web>) -> impl IntoResponse {
    let trouble = web.backend.alerts().store;
    match (web.backend.health().loaded, trouble) {
        (Some(_), None) => (StatusCode::OK, "ready\n".to_owned()),
        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "no configuration is taken over yet\n".to_owned()),
        (Some(_), Some(trouble)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot write: {trouble}\n"))
        }
    }
}
