//! `/metrics`: Prometheus text, written family by family and streamed in pieces, so that a hundred thousand
//! services never stand in memory as one text. Series vanish with their object, because the snapshot is all
//! that is read.

mod own;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use vigia_core::engine::world::World;
use vigia_core::model::state::{Condition, HostState, State, StateType};
use vigia_core::model::status::Status;
use vigia_core::nagios::perfdata::metrics;

use self::own::Own;
use super::Web;

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

families!(HOSTS, HostState, "vigia_host", "0 UP, 1 DOWN, 2 UNREACHABLE");
families!(SERVICES, State, "vigia_service", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN");

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
pub(crate) async fn page(extract::State(web): extract::State<Web>) -> Response {
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
            let (process, health) = (web.backend.process(), web.backend.health());
            own::write(
                &mut text,
                &Own {
                    world,
                    process: &process,
                    health: &health,
                    door_panics: web.panics.load(Ordering::Relaxed),
                    delivery: &web.backend.delivery(),
                    now: web.backend.now(),
                },
            );
            text.push_str(&web.backend.metrics());
            Step::Hosts(0, 0)
        }
        Step::Hosts(family, first) => match HOSTS.get(family).filter(|_| !world.hosts.is_empty()) {
            None => Step::Services(0, 0),
            Some(this) => match hosts(&mut text, this, world, first) {
                Some(end) => Step::Hosts(family, end),
                None => Step::Hosts(family + 1, 0),
            },
        },
        Step::Services(family, first) => match SERVICES.get(family).filter(|_| !world.services.is_empty()) {
            None => Step::HostPerfdata(0),
            Some(this) => match services(&mut text, this, world, first) {
                Some(end) => Step::Services(family, end),
                None => Step::Services(family + 1, 0),
            },
        },
        Step::HostPerfdata(first) => {
            host_perfdata(&mut text, world, first).map_or(Step::ServicePerfdata(0), Step::HostPerfdata)
        }
        Step::ServicePerfdata(first) => {
            service_perfdata(&mut text, world, first).map_or(Step::Done, Step::ServicePerfdata)
        }
        Step::Done => return None,
    };
    Some((text, next))
}

/// Where the next piece of `total` begins; none: that was the last one.
fn next_piece(first: usize, total: usize) -> Option<usize> {
    let end = first.saturating_add(PIECE);
    (end < total).then_some(end)
}

/// One piece of a family over hosts.
fn hosts(text: &mut String, this: &Family<HostState>, world: &World, first: usize) -> Option<usize> {
    if first == 0 {
        head(text, this.name, this.kind, this.help);
    }
    let hosts = world.inventory.hosts.iter().enumerate().skip(first).take(PIECE);
    for (at, host) in hosts.filter(|(_, host)| host.is_monitored) {
        if let Some(value) = (this.value)(world.hosts.get(at)) {
            line(text, this.name, &[("host", &host.name)], value);
        }
    }
    next_piece(first, world.hosts.len())
}

/// One piece of a family over services.
fn services(text: &mut String, this: &Family<State>, world: &World, first: usize) -> Option<usize> {
    if first == 0 {
        head(text, this.name, this.kind, this.help);
    }
    for (at, service) in world.inventory.services.iter().enumerate().skip(first).take(PIECE) {
        let host = world.inventory.host(service.host);
        if let Some(value) = (this.value)(world.services.get(at)).filter(|_| host.is_monitored) {
            line(text, this.name, &[("host", &host.name), ("service", &service.name)], value);
        }
    }
    next_piece(first, world.services.len())
}

fn host_perfdata(text: &mut String, world: &World, first: usize) -> Option<usize> {
    const NAME: &str = "vigia_host_perfdata";
    if first == 0 && !world.hosts.is_empty() {
        head(text, NAME, "gauge", "Performance data of the last host check, as the check printed it.");
    }
    let hosts = world.inventory.hosts.iter().enumerate().skip(first).take(PIECE);
    for (at, host) in hosts.filter(|(_, host)| host.is_monitored) {
        perfdata(text, NAME, &[("host", &host.name)], &world.hosts.get(at).output.perfdata);
    }
    next_piece(first, world.hosts.len())
}

fn service_perfdata(text: &mut String, world: &World, first: usize) -> Option<usize> {
    const NAME: &str = "vigia_service_perfdata";
    if first == 0 && !world.services.is_empty() {
        head(text, NAME, "gauge", "Performance data of the last check, as the check printed it.");
    }
    for (at, service) in world.inventory.services.iter().enumerate().skip(first).take(PIECE) {
        let host = world.inventory.host(service.host);
        if host.is_monitored {
            let labels: [(&str, &str); 2] = [("host", &host.name), ("service", &service.name)];
            perfdata(text, NAME, &labels, &world.services.get(at).output.perfdata);
        }
    }
    next_piece(first, world.services.len())
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
