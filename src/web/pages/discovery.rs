//! Net Discovery: ask for a scan, follow it, see what it found, insert what is wanted.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};

use crate::desk::Role;
use crate::discovery::jobs::{JobState, Live};
use crate::discovery::scan::Stage;
use crate::discovery::summary::HostRow;
use crate::store::scans::ScanState;
use crate::web::auth;
use crate::web::backend::{Ask, Chosen, Properties, ScanOrder, ScanRow, Trouble};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen};
use crate::web::orders::FieldError;
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Moment, href};
use crate::web::words;

/// Scans of the past on the first page.
const PAST: usize = 20;

/// As on the form: the word, and what it means.
const SCANS: &[(&str, &str)] = &[
    ("ping", "Ping — who is there"),
    ("fast", "Fast — 37 usual ports"),
    ("normal", "Normal — about 1,300 ports"),
    ("full", "Full — all 65,535 ports"),
    ("custom", "Custom — these ports:"),
];
const TIMINGS: &[(&str, &str)] = &[
    ("paranoid", "T0 Paranoid — five minutes between probes"),
    ("sneaky", "T1 Sneaky — fifteen seconds between probes"),
    ("polite", "T2 Polite — little load"),
    ("normal", "T3 Normal"),
    ("aggressive", "T4 Aggressive — fast, reliable networks"),
    ("insane", "T5 Insane — may miss something"),
];

#[derive(Template)]
#[template(path = "discovery.html", config = ".askama.toml")]
struct DiscoveryPage {
    frame: Frame,
    may_edit: bool,
    asked: Asked,
    networks: Vec<(String, String)>,
    scans: &'static [(&'static str, &'static str)],
    timings: &'static [(&'static str, &'static str)],
    error: Option<FieldError>,
    /// So many addresses want to be confirmed.
    unconfirmed: Option<String>,
    live: Vec<LiveView>,
    jobs: Vec<JobView>,
    past: Vec<PastView>,
    more: usize,
}

impl DiscoveryPage {
    fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.text.as_str())
    }
}

/// What was typed so far.
struct Asked(Pairs);

impl Asked {
    fn get(&self, name: &str) -> &str {
        self.0.iter().rev().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    fn or<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        Some(self.get(name)).filter(|said| !said.is_empty()).unwrap_or(usual)
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }
}

/// A scan under way, as the page shows and follows it.
pub(crate) struct LiveView {
    id: i64,
    title: String,
    by: String,
    how: String,
    stage: String,
    percent: usize,
    is_stopping: bool,
}

impl LiveView {
    fn of(live: &Live) -> Self {
        Self {
            id: live.id,
            title: live.job.as_ref().map_or_else(|| live.targets.clone(), |job| format!("Job {job}")),
            by: live.by.clone(),
            how: how(&live.plan.depth.to_string(), live.plan.timing.name(), live.plan.engine.name()),
            stage: stage(live),
            percent: live.progress.percent(),
            is_stopping: live.is_stopping,
        }
    }
}

/// How far it is, in a line.
pub(crate) fn stage(live: &Live) -> String {
    let many = words::count(live.addresses);
    let addresses = if live.addresses == 1 { "1 address".to_owned() } else { format!("{many} addresses") };
    if live.is_stopping {
        return format!("{addresses}: stopping; what was found is kept");
    }
    if live.begun.is_none() {
        let why = live.waits_for.map_or_else(
            || "for its turn".to_owned(),
            |id| format!("for scan {id}, which looks at the same addresses"),
        );
        return format!("{addresses}: waits {why}");
    }
    let progress = live.progress;
    let what = match progress.stage {
        Stage::Searching => "who is there",
        Stage::Scanning => "what is there",
        Stage::Finished => "comparing with what is known, trying the checks",
    };
    let found = match progress.found {
        1 => "1 host".to_owned(),
        many => format!("{} hosts", words::count(many)),
    };
    let left = match live.left {
        Some(left) => format!(", about {} left", words::span(left)),
        None => pauses(live),
    };
    format!("{addresses}: {what}, {} %, {found} found{left}", progress.percent())
}

/// Said before anybody waits for days: how long the pauses of the template take alone.
fn pauses(live: &Live) -> String {
    let ports = live.plan.depth.ports().iter().count().max(1);
    let least = live.plan.timing.limits().least_time(live.addresses, ports);
    if least.as_secs() < 600 {
        String::new()
    } else {
        format!(", the pauses alone take {}", words::span(least))
    }
}

fn how(scan: &str, timing: &str, engine: &str) -> String {
    let ports = scan.starts_with(|c: char| c.is_ascii_digit());
    let scan = if ports { format!("ports {scan}") } else { format!("{scan} scan") };
    let engine = if engine == "builtin" { "built-in engine" } else { engine };
    format!("{scan}, {timing}, {engine}")
}

struct JobView {
    name: String,
    targets: String,
    how: String,
    mode: &'static str,
    next: Option<Moment>,
    last: Option<(i64, &'static str, Moment)>,
    is_busy: bool,
}

struct PastView {
    id: i64,
    title: String,
    by: String,
    how: String,
    state: &'static str,
    at: Moment,
    took: String,
    found: String,
    said: String,
    is_over: bool,
}

fn past(seen: &Seen, row: &ScanRow) -> PastView {
    let took = match (row.begun, row.ended) {
        (Some(begun), Some(ended)) => words::span(ended.since(begun)),
        (_, _) => String::new(),
    };
    let counts = row.counts;
    let found = match (counts.new, counts.changed) {
        (0, 0) => counts.found.to_string(),
        (new, 0) => format!("{}, {new} new", counts.found),
        (0, changed) => format!("{}, {changed} changed", counts.found),
        (new, changed) => format!("{}, {new} new, {changed} changed", counts.found),
    };
    PastView {
        id: row.id,
        title: row.targets.clone(),
        by: row.author.clone(),
        how: how(&row.scan, &row.timing, &row.engine),
        state: row.state.word(),
        at: seen.eyes.moment(row.asked),
        took,
        found: if row.state.is_over() { found } else { String::new() },
        said: row.said.clone().unwrap_or_default(),
        is_over: row.state.is_over(),
    }
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    show(&seen, Asked(pairs), None, None).await
}

async fn show(
    seen: &Seen,
    asked: Asked,
    error: Option<FieldError>,
    unconfirmed: Option<String>,
) -> Result<Response, Failure> {
    let board = seen.web.backend.scans().borrow().clone();
    let (total, rows) = seen.web.backend.past_scans(PAST, 0).await?;
    let status = if error.is_some() || unconfirmed.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let networks = seen.world.inventory.networks.iter().map(|network| {
        let ranges: Vec<String> = network.cidr.iter().map(ToString::to_string).collect();
        (format!("net:{}", network.name), format!("{} ({})", network.alias, ranges.join(", ")))
    });
    let job = |state: &JobState| JobView {
        name: state.job.name.to_string(),
        targets: state.job.targets.to_string(),
        how: how(&state.job.scan, &state.job.timing, if state.job.is_nmap { "nmap" } else { "builtin" }),
        mode: state.job.mode.word(),
        next: state.next.map(|at| seen.eyes.moment(at)),
        last: state.last.map(|last| (last.id, last.state.word(), seen.eyes.moment(last.asked))),
        is_busy: board.live.iter().any(|one| one.job.as_ref() == Some(&state.job.name)),
    };
    let page = DiscoveryPage {
        frame: seen.live_frame("Net Discovery", "discovery", "discovery", &format!("turn={}", board.turn)),
        may_edit: seen.may(Role::Editor),
        networks: networks.collect(),
        asked,
        scans: SCANS,
        timings: TIMINGS,
        error,
        unconfirmed,
        live: board.live.iter().map(LiveView::of).collect(),
        jobs: board.jobs.iter().map(job).collect(),
        past: rows.iter().filter(|row| row.state.is_over()).map(|row| past(seen, row)).collect(),
        more: total.saturating_sub(rows.len()),
    };
    Ok((status, Page(page)).into_response())
}

/// The form: a scan by hand.
pub(crate) async fn start(
    Extension(seen): Extension<Seen>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Failure> {
    let asked = Asked(pairs);
    if !asked.get("cancel").is_empty() {
        return cancel(&seen, &asked).await;
    }
    let order = if asked.get("job").is_empty() {
        let targets = format!("{} {}", asked.get("network"), asked.get("targets"));
        let scan = match asked.get("scan") {
            "custom" => asked.get("ports").to_owned(),
            word => word.to_owned(),
        };
        if asked.get("scan") == "custom" && scan.trim().is_empty() {
            let text = "say which, such as 22,80,8000-8100".to_owned();
            return show(&seen, asked, Some(FieldError { field: "ports", text }), None).await;
        }
        let is_confirmed = asked.get("confirmed") == "yes";
        let read = Ask::read(&targets, &scan, asked.get("timing"), asked.get("engine"), is_confirmed);
        match read {
            Ok(ask) => ScanOrder::Ask(ask),
            Err((field, text)) => {
                let field = if field == "scan" { "ports" } else { field };
                return show(&seen, asked, Some(FieldError { field, text }), None).await;
            }
        }
    } else {
        ScanOrder::Job(asked.get("job").to_owned())
    };
    match seen.web.backend.start_scan(order, seen.by()).await {
        Ok(id) => {
            let mut response = Redirect::to(&format!("/discovery/{id}")).into_response();
            auth::say(&mut response, &Said { text: format!("Scan {id} was asked for"), undo: None });
            Ok(response)
        }
        Err(Trouble::Unconfirmed(text)) => show(&seen, asked, None, Some(text)).await,
        Err(Trouble::Wrong(text) | Trouble::Refused(text)) if asked.get("job").is_empty() => {
            let text = text.trim_start_matches("nothing was scanned:").trim().to_owned();
            show(&seen, asked, Some(FieldError { field: "targets", text }), None).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn cancel(seen: &Seen, asked: &Asked) -> Result<Response, Failure> {
    let id: i64 = asked
        .get("cancel")
        .parse()
        .map_err(|_error| Failure::Wrong("`cancel` must be the number of a scan".to_owned()))?;
    seen.web.backend.cancel_scan(id, seen.by()).await?;
    let mut response = Redirect::to(&format!("/discovery/{id}")).into_response();
    let text = format!("Scan {id} is being cancelled; what it found stays");
    auth::say(&mut response, &Said { text, undo: None });
    Ok(response)
}

#[derive(Template)]
#[template(path = "scan.html", config = ".askama.toml")]
struct ScanPage {
    frame: Frame,
    may_edit: bool,
    scan: PastView,
    lead: String,
    live: Vec<LiveView>,
    asked: Asked,
    error: Option<FieldError>,
    tabs: Vec<Tab>,
    which: String,
    hosts: Vec<HostView>,
    offered: usize,
    notes: Vec<String>,
    groups: Vec<String>,
    page: usize,
    pages: usize,
    has_result: bool,
}

impl ScanPage {
    fn is_asked(&self, field: &str, value: &u8) -> bool {
        self.asked.get(field) == value.to_string()
    }

    fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.text.as_str())
    }
}

struct Tab {
    word: &'static str,
    name: &'static str,
    number: usize,
    is_current: bool,
}

struct HostView {
    name: String,
    /// Of the host it is now, where it is one.
    href: Option<String>,
    addresses: String,
    mac: String,
    vendor: String,
    os: String,
    os_evidence: String,
    services: Vec<(String, String, bool)>,
    verdict: String,
    details: Vec<String>,
    yaml: String,
    is_ticked: bool,
    can_tick: bool,
}

fn host_view(seen: &Seen, row: &HostRow, ticked: Option<&[String]>) -> HostView {
    let known = seen.world.inventory.host_id(&row.host_name).is_some();
    let key = vigia_core::model::id::ObjectKey::host(row.host_name.as_str());
    let service = |one: &crate::discovery::summary::ServiceRow| {
        let doubt = if one.sure { "" } else { "?" };
        let name = if one.name.is_empty() { "unknown" } else { &one.name };
        let software = [one.product.as_deref(), one.version.as_deref(), one.note.as_deref()];
        let software: Vec<&str> = software.into_iter().flatten().collect();
        let title = format!("{}/{} {}", one.port, one.transport, software.join(" "));
        (format!("{name}{doubt}"), title.trim().to_owned(), one.tls)
    };
    let can_tick = row.verdict != "by hand" && row.verdict != "ignored";
    HostView {
        href: known.then(|| href(&key)),
        addresses: row.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        mac: row.mac.clone().unwrap_or_default(),
        vendor: row.vendor.clone().unwrap_or_default(),
        os: row.os.as_ref().map(|os| os.name.clone()).unwrap_or_default(),
        os_evidence: row.os.as_ref().map(|os| os.evidence.clone()).unwrap_or_default(),
        services: row.services.iter().map(service).collect(),
        verdict: row.verdict.clone(),
        details: row.details.clone(),
        yaml: row.yaml.clone(),
        is_ticked: can_tick
            && ticked.map_or_else(|| row.is_offered(), |ticked| ticked.contains(&row.host_name)),
        can_tick,
        name: row.host_name.clone(),
    }
}

pub(crate) async fn scan(
    Extension(seen): Extension<Seen>,
    Path(id): Path<i64>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    show_scan(&seen, id, Asked(pairs), None).await
}

const VERDICTS: &[(&str, &str)] = &[
    ("", "All"),
    ("new", "New"),
    ("changed", "Changed"),
    ("same", "Same"),
    ("by hand", "By hand"),
    ("ignored", "Ignored"),
];

async fn show_scan(
    seen: &Seen,
    id: i64,
    asked: Asked,
    error: Option<FieldError>,
) -> Result<Response, Failure> {
    // First: what it says of turns is never newer than what is shown.
    let board = seen.web.backend.scans().borrow().clone();
    let (row, summary) = seen.web.backend.scan(id).await?;
    let live: Vec<LiveView> = board.live.iter().filter(|one| one.id == id).map(LiveView::of).collect();
    let which = asked.get("verdict").to_owned();
    let summary = summary.unwrap_or_default();
    let all: Vec<&HostRow> =
        summary.hosts.iter().filter(|host| which.is_empty() || host.verdict == which).collect();
    let page = asked.get("page").parse::<usize>().unwrap_or(1).max(1);
    let ticked = error.is_some().then(|| asked.all("host"));
    let hosts = all.iter().skip((page - 1).saturating_mul(PAGE)).take(PAGE);
    let hosts = hosts.map(|host| host_view(seen, host, ticked.as_deref())).collect();
    let tabs: Vec<Tab> = VERDICTS
        .iter()
        .map(|(word, name)| Tab {
            word,
            name,
            number: if word.is_empty() { summary.hosts.len() } else { summary.count(word) },
            is_current: *word == which,
        })
        .filter(|tab| tab.word.is_empty() || tab.number > 0)
        .collect();
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let lead = match row.state {
        ScanState::Waiting | ScanState::Running => String::new(),
        ScanState::Finished | ScanState::Stopped | ScanState::Failed | ScanState::Interrupted => format!(
            "{} of {} addresses answer. {}",
            words::count(row.counts.found as usize),
            words::count(row.counts.looked_at as usize),
            sentence(row.said.as_deref().unwrap_or_default()),
        ),
    };
    let page = ScanPage {
        frame: seen.live_frame(
            format!("Scan {id}"),
            "discovery",
            "discovery",
            &format!("turn={}", board.turn),
        ),
        may_edit: seen.may(Role::Editor),
        scan: past(seen, &row),
        lead,
        live,
        error,
        tabs,
        which,
        offered: summary.hosts.iter().filter(|host| host.is_offered()).count(),
        notes: notes(&summary),
        groups: seen.world.inventory.hostgroups.iter().map(|group| group.name.to_string()).collect(),
        pages: all.len().div_ceil(PAGE).max(1),
        page,
        hosts,
        has_result: !summary.engine.is_empty(),
        asked,
    };
    Ok((status, Page(page)).into_response())
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// What a person should know of the result as a whole.
fn notes(summary: &crate::discovery::summary::Summary) -> Vec<String> {
    let mut notes = Vec::new();
    if !summary.engine.is_empty() && !summary.complete {
        notes.push("Not all was looked at, so nothing is concluded from silence.".to_owned());
    }
    if !summary.mirage.is_empty() {
        notes.push(format!(
            "{} addresses answer all alike and say nothing: a firewall seems to answer for the network, so none of \
             them is proposed.",
            words::count(summary.mirage.len())
        ));
    }
    if !summary.broadcasts.is_empty() {
        let list: Vec<String> = summary.broadcasts.iter().map(ToString::to_string).collect();
        notes.push(format!("{} answer as broadcasts and are not proposed.", list.join(", ")));
    }
    notes.extend(
        summary.not_seen.iter().map(|name| format!("{name}: not seen; it stays, missing is not gone.")),
    );
    notes.extend(summary.unknown.iter().map(|text| format!("Not known: {text}.")));
    notes
}

/// *Insert*: what was ticked goes to discovery's page.
pub(crate) async fn insert(
    Extension(seen): Extension<Seen>,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Failure> {
    let asked = Asked(pairs);
    // A tick that is missing is an answer, for hosts that are new.
    let said = |field: &str| match (field, asked.get(field)) {
        ("monitor_new", "") => "off".to_owned(),
        (_, text) => text.to_owned(),
    };
    let properties = match Properties::read(&said) {
        Ok(properties) => properties,
        Err(wrong) => {
            let error = FieldError { field: wrong.field, text: wrong.text };
            return show_scan(&seen, id, asked, Some(error)).await;
        }
    };
    let named = asked.all("host");
    let hosts = if asked.get("all") == "yes" { Chosen::Offered } else { Chosen::Named(named) };
    if hosts == Chosen::Named(Vec::new()) {
        let text = "nothing is ticked".to_owned();
        return show_scan(&seen, id, asked, Some(FieldError { field: "host", text })).await;
    }
    let inserted = seen.web.backend.insert_hosts(id, hosts, properties, seen.by()).await?;
    let live = if inserted.written() == 0 { "" } else { "; they are live in a moment" };
    let mut response = Redirect::to(&format!("/discovery/{id}")).into_response();
    auth::say(&mut response, &Said { text: sentence(&format!("{}{live}", inserted.told())), undo: None });
    Ok(response)
}
