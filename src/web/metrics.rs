//! `/metrics`: Prometheus text, written family by family and streamed in pieces, so that a hundred thousand
//! services never stand in memory as one text. Series vanish with their object, because the snapshot is all
//! that is read.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use vigia_core::engine::world::World;
use vigia_core::model::state::{Condition, StateType};
use vigia_core::model::status::Status;
use vigia_core::nagios::perfdata::metrics;

use super::Web;
use super::backend::{Health, Process};

/// Objects whose lines make one piece: about 100 kB.
const PIECE: usize = 1000;

/// One family about each host or each service.
struct Family<S: 'static> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    /// None: this object has no such series.
    value: fn(&Status<S>) -> Option<f64>,
}

fn seconds(at: Option<vigia_core::model::time::Timestamp>) -> Option<f64> {
    at.map(vigia_core::model::time::Timestamp::as_seconds_f64)
}

fn switch(is: bool) -> f64 {
    f64::from(u8::from(is))
}

macro_rules! families {
    ($name:ident, $state:ty, $prefix:literal, $states:literal) => {
        const $name: &[Family<$state>] = &[
            Family {
                name: concat!($prefix, "_state"),
                kind: "gauge",
                help: concat!("Current state: ", $states, ". Absent while pending."),
                value: |status| status.has_been_checked.then(|| f64::from(status.state().number())),
            },
            Family {
                name: concat!($prefix, "_state_hard"),
                kind: "gauge",
                help: "1: the state is hard (confirmed); 0: soft (being retried).",
                value: |status| {
                    status.has_been_checked.then(|| switch(status.standing.state_type == StateType::Hard))
                },
            },
            Family {
                name: concat!($prefix, "_acknowledged"),
                kind: "gauge",
                help: "1: somebody acknowledged the problem.",
                value: |status| Some(switch(status.acknowledgement.is_some())),
            },
            Family {
                name: concat!($prefix, "_in_downtime"),
                kind: "gauge",
                help: "1: a downtime is in effect.",
                value: |status| Some(switch(status.downtime_depth > 0)),
            },
            Family {
                name: concat!($prefix, "_flapping"),
                kind: "gauge",
                help: "1: the state changes too often.",
                value: |status| Some(switch(status.is_flapping)),
            },
            Family {
                name: concat!($prefix, "_check_execution_seconds"),
                kind: "gauge",
                help: "How long the last check ran.",
                value: |status| status.last_check.map(|_| status.execution_time.seconds()),
            },
            Family {
                name: concat!($prefix, "_check_latency_seconds"),
                kind: "gauge",
                help: "How late the last check started.",
                value: |status| status.last_check.map(|_| status.latency.seconds()),
            },
            Family {
                name: concat!($prefix, "_last_check_timestamp_seconds"),
                kind: "gauge",
                help: "When the last check started.",
                value: |status| seconds(status.last_check),
            },
            Family {
                name: concat!($prefix, "_last_state_change_timestamp_seconds"),
                kind: "gauge",
                help: "When the state last changed.",
                value: |status| seconds(status.last_state_change),
            },
        ];
    };
}

families!(HOSTS, vigia_core::model::state::HostState, "vigia_host", "0 UP, 1 DOWN, 2 UNREACHABLE");
families!(
    SERVICES,
    vigia_core::model::state::State,
    "vigia_service",
    "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN"
);

/// Where the writing stands between two pieces.
#[derive(Clone, Copy)]
enum Step {
    Own,
    Hosts(usize, usize),
    Services(usize, usize),
    HostPerfdata(usize),
    ServicePerfdata(usize),
    Done,
}

/// `GET /metrics`
pub(crate) async fn page(State(web): State<Web>) -> Response {
    let world = web.backend.world();
    let pieces = stream::unfold((Step::Own, world, web), |(mut step, world, web)| async move {
        loop {
            // Each piece takes about a millisecond; others get their turn in between.
            tokio::task::yield_now().await;
            let (text, next) = piece(step, &world, &web)?;
            // An empty piece would be the end of the page to whoever compresses it.
            if !text.is_empty() {
                return Some((Ok::<_, Infallible>(Bytes::from(text)), (next, world, web)));
            }
            step = next;
        }
    });
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, Body::from_stream(pieces)).into_response()
}

fn piece(step: Step, world: &Arc<World>, web: &Web) -> Option<(String, Step)> {
    let mut text = String::with_capacity(64 * 1024);
    let next = match step {
        Step::Own => {
            own(
                &mut text,
                world,
                &web.backend.process(),
                &web.backend.health(),
                web.panics.load(Ordering::Relaxed),
            );
            text.push_str(&web.backend.metrics());
            Step::Hosts(0, 0)
        }
        Step::Hosts(family, first) => match HOSTS.get(family) {
            None => Step::Services(0, 0),
            Some(_) if world.hosts.is_empty() => Step::Services(0, 0),
            Some(this) => {
                let end = (first + PIECE).min(world.hosts.len());
                if first == 0 {
                    head(&mut text, this.name, this.kind, this.help);
                }
                for (at, host) in world
                    .inventory
                    .hosts
                    .iter()
                    .enumerate()
                    .take(end)
                    .skip(first)
                    .filter(|(_, h)| h.is_monitored)
                {
                    if let Some(value) = (this.value)(world.hosts.get(at)) {
                        line(&mut text, this.name, &[("host", &host.name)], value);
                    }
                }
                if end == world.hosts.len() { Step::Hosts(family + 1, 0) } else { Step::Hosts(family, end) }
            }
        },
        Step::Services(family, first) => match SERVICES.get(family) {
            None => Step::HostPerfdata(0),
            Some(_) if world.services.is_empty() => Step::HostPerfdata(0),
            Some(this) => {
                let end = (first + PIECE).min(world.services.len());
                if first == 0 {
                    head(&mut text, this.name, this.kind, this.help);
                }
                for (at, service) in world.inventory.services.iter().enumerate().take(end).skip(first) {
                    let host = world.inventory.host(service.host);
                    if let Some(value) = (this.value)(world.services.get(at)).filter(|_| host.is_monitored) {
                        line(
                            &mut text,
                            this.name,
                            &[("host", &host.name), ("service", &service.name)],
                            value,
                        );
                    }
                }
                if end == world.services.len() {
                    Step::Services(family + 1, 0)
                } else {
                    Step::Services(family, end)
                }
            }
        },
        Step::HostPerfdata(first) => {
            let end = (first + PIECE).min(world.hosts.len());
            if first == 0 && end > 0 {
                head(
                    &mut text,
                    "vigia_host_perfdata",
                    "gauge",
                    "Performance data of the last host check, as the check printed it.",
                );
            }
            for (at, host) in
                world.inventory.hosts.iter().enumerate().take(end).skip(first).filter(|(_, h)| h.is_monitored)
            {
                perfdata(
                    &mut text,
                    "vigia_host_perfdata",
                    &[("host", &host.name)],
                    &world.hosts.get(at).output.perfdata,
                );
            }
            if end == world.hosts.len() { Step::ServicePerfdata(0) } else { Step::HostPerfdata(end) }
        }
        Step::ServicePerfdata(first) => {
            let end = (first + PIECE).min(world.services.len());
            if first == 0 && end > 0 {
                head(
                    &mut text,
                    "vigia_service_perfdata",
                    "gauge",
                    "Performance data of the last check, as the check printed it.",
                );
            }
            for (at, service) in world.inventory.services.iter().enumerate().take(end).skip(first) {
                let host = world.inventory.host(service.host);
                if host.is_monitored {
                    let labels: [(&str, &str); 2] = [("host", &host.name), ("service", &service.name)];
                    perfdata(
                        &mut text,
                        "vigia_service_perfdata",
                        &labels,
                        &world.services.get(at).output.perfdata,
                    );
                }
            }
            if end == world.services.len() { Step::Done } else { Step::ServicePerfdata(end) }
        }
        Step::Done => return None,
    };
    Some((text, next))
}

/// vigia about itself.
fn own(text: &mut String, world: &World, process: &Process, health: &Health, door_panics: u64) {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let float = |number: u64| number as f64;
    let mut one = |name: &str, kind: &str, help: &str, value: f64| {
        head(text, name, kind, help);
        line(text, name, &[], value);
    };
    let totals = &world.totals;
    one(
        "vigia_config_generation",
        "gauge",
        "Counts the configurations taken over since the start.",
        float(health.generation.into()),
    );
    one(
        "vigia_process_start_time_seconds",
        "gauge",
        "When the daemon started.",
        process.started.as_seconds_f64(),
    );
    one(
        "vigia_web_panics_total",
        "counter",
        "Requests that failed because of a mistake in vigia.",
        float(door_panics),
    );
    one(
        "vigia_checks_limit",
        "gauge",
        "Checks that may be in flight at once.",
        float(process.checks.limit as u64),
    );
    one(
        "vigia_store_writable",
        "gauge",
        "1: the store writes; 0: it cannot at the moment.",
        switch(process.store.trouble.is_none()),
    );
    one(
        "vigia_host_problems_unhandled",
        "gauge",
        "Hosts with a problem, neither acknowledged nor in downtime.",
        f64::from(totals.host_problems_unhandled),
    );
    one(
        "vigia_service_problems_unhandled",
        "gauge",
        "Services with a problem, neither acknowledged nor in downtime.",
        f64::from(totals.service_problems_unhandled),
    );
    one(
        "vigia_alarms_open",
        "gauge",
        "Open alarms.",
        float(world.records.alarms.values().filter(|alarm| alarm.closed.is_none()).count() as u64),
    );
    one(
        "vigia_tickets_open",
        "gauge",
        "Open tickets.",
        float(world.records.tickets.values().filter(|ticket| ticket.closed.is_none()).count() as u64),
    );
    head(text, "vigia_hosts", "gauge", "Hosts by state.");
    for (word, number) in
        ["up", "down", "unreachable"].iter().zip(totals.hosts).chain([(&"pending", totals.hosts_pending)])
    {
        line(text, "vigia_hosts", &[("state", word)], f64::from(number));
    }
    head(text, "vigia_services", "gauge", "Services by state.");
    let words = ["ok", "warning", "critical", "unknown"];
    for (word, number) in words.iter().zip(totals.services).chain([(&"pending", totals.services_pending)]) {
        line(text, "vigia_services", &[("state", word)], f64::from(number));
    }
    if !process.queues.is_empty() {
        head(text, "vigia_queue_length", "gauge", "Entries waiting in a queue.");
        for queue in &process.queues {
            line(text, "vigia_queue_length", &[("queue", queue.name)], float(queue.length as u64));
        }
    }
    if let Some(bytes) = process.store.bytes {
        head(text, "vigia_store_bytes", "gauge", "Size of the database file.");
        line(text, "vigia_store_bytes", &[], float(bytes));
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", help.replace('\\', "\\\\").replace('\n', "\\n"))
        .expect("writing to a string does not fail");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    text.push_str(name);
    if !labels.is_empty() {
        text.push('{');
        for (at, (label, value)) in labels.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(label);
            text.push_str("=\"");
            escape(text, value);
            text.push('"');
        }
        text.push('}');
    }
    writeln!(text, " {}", number(value)).expect("writing to a string does not fail");
}

/// A label's value exactly as the format wants it: backslash, quote and newline escaped, all else as it is.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// Two values under one label are one series: the first counts, or the whole scrape would be refused.
fn perfdata(text: &mut String, name: &str, object: &[(&str, &str)], printed: &str) {
    if printed.is_empty() {
        return;
    }
    let mut seen: Vec<(String, String)> = Vec::new();
    for metric in metrics(printed).flatten() {
        let Some(value) = metric.value else { continue };
        if seen.iter().any(|(label, unit)| *label == metric.label && unit == metric.unit) {
            continue;
        }
        let mut labels = object.to_vec();
        labels.push(("label", &metric.label));
        labels.push(("unit", metric.unit));
        line(text, name, &labels, value);
        seen.push((metric.label.into_owned(), metric.unit.to_owned()));
    }
}
