//! The first page: how things are in one sentence, the totals, problems, what happened, vigia's own health.

use askama::Template;
use axum::Extension;
use axum::response::{IntoResponse, Response};

use super::LogLine;
use crate::web::backend::HistoryQuery;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::list;
use crate::web::query::ListQuery;
use crate::web::view::{Count, Row, Rows};
use crate::web::words;

const PROBLEMS_SHOWN: usize = 12;
const EVENTS_SHOWN: usize = 14;

#[derive(Template)]
#[template(path = "overview.html", config = ".askama.toml")]
struct Overview {
    frame: Frame,
    headline: String,
    sub: String,
    host_shares: Vec<Share>,
    service_shares: Vec<Share>,
    rows: Vec<Row>,
    more: usize,
    shows_service: bool,
    events: Vec<LogLine>,
    open_tickets: u64,
    open_alarms: usize,
    health: Vec<(&'static str, String, &'static str)>,
}

/// A part of the bar under a box of totals, in thousandths.
struct Share {
    symbol: &'static str,
    x: u32,
    width: u32,
}

pub(crate) async fn page(Extension(seen): Extension<Seen>) -> Result<Response, Failure> {
    let problems = seen.web.problems.of(&seen.world);
    let mut query = ListQuery { limit: PROBLEMS_SHOWN, ..ListQuery::default() };
    query.filter.handled = Some(false);
    let found = list::problems(&seen.world, &problems, &query);
    let rows = Rows::new(&seen.world, &seen.eyes).mixed(found.items.iter().copied());
    let history = HistoryQuery { limit: EVENTS_SHOWN, ..HistoryQuery::default() };
    let events = seen.web.backend.history(history).await.unwrap_or_default();
    let frame = seen.live_frame("Overview", "overview", "overview", "");
    let boxes = &frame.boxes;
    let records = &seen.world.records;
    let page = Overview {
        headline: headline(boxes.unhandled, boxes.host_total + boxes.service_total),
        sub: sub(
            &seen,
            boxes.host_total,
            boxes.service_total,
            boxes.host_problems + boxes.service_problems - boxes.unhandled,
        ),
        host_shares: shares(&boxes.hosts, boxes.host_total),
        service_shares: shares(&boxes.services, boxes.service_total),
        more: found.total - rows.len(),
        rows,
        shows_service: true,
        events: events.iter().map(|row| LogLine::of(row, &seen.eyes)).collect(),
        open_tickets: records.open_tickets,
        open_alarms: records.alarms.values().filter(|alarm| alarm.closed.is_none()).count(),
        health: health(&seen),
        frame,
    };
    Ok(Page(page).into_response())
}

fn headline(unhandled: u32, watched: u32) -> String {
    match (unhandled, watched) {
        (_, 0) => "Nothing is watched yet".to_owned(),
        (0, _) => "All quiet".to_owned(),
        (1, _) => "1 problem needs somebody".to_owned(),
        (many, _) => format!("{} problems need somebody", words::count(many as usize)),
    }
}

fn sub(seen: &Seen, hosts: u32, services: u32, handled: u32) -> String {
    if hosts == 0 {
        return "Write the first host into a file in the configuration folder; vigia picks it up by itself."
            .to_owned();
    }
    let plural = |number: u32, word: &str| {
        format!("{} {word}{}", words::count(number as usize), if number == 1 { "" } else { "s" })
    };
    let mut text = format!("{} on {} watched", plural(services, "service"), plural(hosts, "host"));
    if handled > 0 {
        text.push_str(&format!(", {} handled", plural(handled, "problem")));
    }
    // The newest result is near the front of few statuses and anywhere in many: look at a bounded number.
    let newest = seen.world.services.iter().take(20_000).filter_map(|status| status.last_check).max();
    if let Some(newest) = newest {
        text.push_str(&format!(", last result {} ago", words::span(seen.eyes.now.since(newest))));
    }
    text
}

fn shares(counts: &[Count], total: u32) -> Vec<Share> {
    let mut x = 0;
    let mut shares = Vec::new();
    for count in counts.iter().filter(|count| count.number > 0) {
        // What exists is seen: at least half a percent of the width.
        let width =
            u32::try_from(u64::from(count.number) * 1000 / u64::from(total.max(1))).unwrap_or(1000).max(5);
        shares.push(Share { symbol: count.symbol, x, width });
        x += width;
    }
    shares
}

fn health(seen: &Seen) -> Vec<(&'static str, String, &'static str)> {
    let health = seen.web.backend.health();
    let process = seen.web.backend.process();
    let age = |at: Option<_>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", words::span(seen.eyes.now.since(at))))
    };
    let config = match (&health.refused, health.quarantine.len(), health.errors()) {
        (Some(_), ..) => "refused; the last good one goes on".to_owned(),
        (None, 0, 0) => format!("good, read {}", age(health.loaded)),
        (None, out, errors) => format!("{errors} errors, {out} objects in quarantine"),
    };
    let running = process.checks.running;
    let checks = match usize::try_from(process.checks.total).unwrap_or(usize::MAX) {
        0 => format!("{running} running, none done yet"),
        done => {
            let (done, late) = (words::count(done), process.checks.latency.p95);
            format!("{running} running, {done} done, 95 % start within {late:.3} s")
        }
    };
    let store = match &process.store.trouble {
        Some(trouble) => format!("cannot write: {trouble}"),
        None => format!(
            "{} written {}",
            process.store.bytes.map(words::bytes).unwrap_or_default(),
            age(process.store.last_commit)
        ),
    };
    let mut lines = vec![
        ("Configuration", config, "/config"),
        ("Checks", checks, "/process"),
        ("Store", store, "/process"),
    ];
    lines.push(("Running", format!("for {}", words::span(seen.eyes.now.since(process.started))), "/process"));
    lines
}
