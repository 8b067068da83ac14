//! Configuration health and Process Info: vigia about itself.

use askama::Template;
use axum::Extension;
use axum::response::{IntoResponse, Response};

use vigia_core::model::time::Timestamp;

use crate::web::backend::{BackupGauge, ReloadGauge, Urgency};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::view::{Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "config.html", config = ".askama.toml")]
struct ConfigPage {
    frame: Frame,
    verdict: &'static str,
    tone: &'static str,
    lead: String,
    refused: Option<String>,
    problems: Vec<ProblemView>,
    left_out: usize,
    quarantine: Vec<OutView>,
    notices: Vec<String>,
    restart_needed: Vec<String>,
    files: Vec<String>,
    may_reload: bool,
}

struct ProblemView {
    is_error: bool,
    rendered: String,
}

struct OutView {
    object: String,
    href: Option<String>,
    place: String,
    message: String,
    is_last_good: bool,
}

/// A broken template may spoil ten thousand objects; the first of them say enough.
const SHOWN: usize = 200;

pub(crate) async fn config(Extension(seen): Extension<Seen>) -> Result<Response, Failure> {
    let health = seen.web.backend.health();
    let (verdict, tone) = match (&health.refused, health.errors() + health.quarantine.len()) {
        (Some(_), _) => ("The last change was refused", "critical"),
        (None, 0) => ("The configuration is good", "ok"),
        (None, _) => ("Parts of the configuration have mistakes", "warning"),
    };
    let read = health
        .loaded
        .map_or_else(String::new, |at| format!(", read {} ago", words::span(seen.eyes.now.since(at))));
    let page = ConfigPage {
        frame: seen.frame("Configuration", "config"),
        verdict,
        tone,
        lead: format!(
            "{} hosts and {} services from {} files{read}. Generation {}.",
            words::count(seen.world.inventory.hosts.len()),
            words::count(seen.world.inventory.services.len()),
            health.files.len(),
            health.generation
        ),
        refused: health.refused.clone(),
        problems: health
            .problems
            .iter()
            .take(SHOWN)
            .map(|problem| ProblemView { is_error: problem.is_error, rendered: problem.rendered.clone() })
            .collect(),
        left_out: health.problems.len().saturating_sub(SHOWN),
        quarantine: health
            .quarantine
            .iter()
            .take(SHOWN)
            .map(|out| OutView {
                object: out.object.clone(),
                href: out.key.as_ref().filter(|key| seen.world.inventory.find(key).is_some()).map(href),
                place: format!("{}:{}", out.file, out.line),
                message: out.message.clone(),
                is_last_good: out.is_last_good,
            })
            .collect(),
        notices: health.notices.iter().map(|notice| notice.text.clone()).collect(),
        restart_needed: health.restart_needed.clone(),
        files: health.files.iter().take(1000).cloned().collect(),
        may_reload: seen.may(crate::desk::Role::Admin),
    };
    Ok(Page(page).into_response())
}

#[derive(Template)]
#[template(path = "process.html", config = ".askama.toml")]
struct ProcessPage {
    frame: Frame,
    facts: Vec<(&'static str, String)>,
    started: Moment,
    running: String,
    spreads: Vec<(&'static str, [String; 3])>,
    kinds: Vec<(String, String)>,
    queues: Vec<(&'static str, String)>,
    store: Vec<(&'static str, String)>,
    trouble: Option<String>,
    notices: Vec<String>,
    may_back_up: bool,
}

fn reloads(reload: &ReloadGauge, last: &str) -> String {
    let ReloadGauge { complete, partial, refused, outcome, took, .. } = reload;
    let counts = format!("{complete} complete, {partial} with mistakes, {refused} refused");
    let mean = if complete + partial == 0 {
        String::new()
    } else {
        format!("; {:.3} s on average", took.as_secs_f64())
    };
    let outcome = if *outcome == "partial" { "with mistakes" } else { outcome };
    format!("{counts}{mean}; read last {last}: {outcome}")
}

fn backups(backup: Option<&BackupGauge>, age: &dyn Fn(Option<Timestamp>) -> String) -> String {
    let Some(backup) = backup else { return "by hand alone".to_owned() };
    let BackupGauge { dir, count, last, bytes, failing } = backup;
    let made = format!("{count} in {dir}, the last {}", age(*last));
    let size = last.map_or_else(String::new, |_| format!(" ({})", words::bytes(*bytes)));
    let failing = failing.as_ref().map_or_else(String::new, |why| format!("; failing: {why}"));
    format!("{made}{size}{failing}")
}

pub(crate) async fn process(Extension(seen): Extension<Seen>) -> Result<Response, Failure> {
    let process = seen.web.backend.process();
    let health = seen.web.backend.health();
    let checks = &process.checks;
    let number = |number: u64| words::count(usize::try_from(number).unwrap_or(usize::MAX));
    let age = |at: Option<_>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", words::span(seen.eyes.now.since(at))))
    };
    let is_measured = checks.total > 0;
    let seconds = |value: f64| if is_measured { format!("{value:.3} s") } else { "–".to_owned() };
    let spread = |spread: crate::web::backend::Spread| [spread.p50, spread.p95, spread.p99].map(seconds);
    let page = ProcessPage {
        frame: seen.frame("Process Info", "process"),
        started: seen.eyes.moment(process.started),
        running: words::span(seen.eyes.now.since(process.started)),
        facts: vec![
            ("Version", format!("vigia {}", process.version)),
            ("Process", process.pid.to_string()),
            ("Listening on", process.listen.join(", ")),
            ("Configuration", process.config.clone()),
            ("State folder", process.state_dir.clone()),
            ("Reloads", reloads(&process.reload, &age(process.reload.last))),
            (
                "Checks running",
                format!("{} of at most {}", number(checks.running as u64), number(checks.limit as u64)),
            ),
            ("Checks done", number(checks.total)),
            (
                "Keeping up",
                match checks.overloaded.as_slice() {
                    [] => "yes".to_owned(),
                    kinds => {
                        format!("no: {} start up to {} late", kinds.join(", "), words::span(checks.behind))
                    }
                },
            ),
            ("Panics caught", number(process.panics)),
            ("Backups", backups(process.backup.as_ref(), &age)),
        ],
        spreads: vec![
            ("Start after their time (latency)", spread(checks.latency)),
            ("Run for (execution time)", spread(checks.run_time)),
        ],
        kinds: checks.kinds.iter().map(|(kind, total)| (kind.clone(), number(*total))).collect(),
        queues: process.queues.iter().map(|queue| (queue.name, queue.length.to_string())).collect(),
        store: vec![
            ("File", process.store.path.clone()),
            ("Size", process.store.bytes.map_or_else(|| "not known".to_owned(), words::bytes)),
            ("Last written", age(process.store.last_commit)),
            ("Batches", number(process.store.batches)),
            ("Events", number(process.store.events)),
        ],
        trouble: process.store.trouble.clone(),
        may_back_up: process.backup.is_some() && seen.may(crate::desk::Role::Admin),
        notices: health
            .notices
            .iter()
            .filter(|notice| notice.urgency == Urgency::Banner)
            .map(|notice| notice.text.clone())
            .collect(),
    };
    Ok(Page(page).into_response())
}
