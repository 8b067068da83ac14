//! One host, one service: what it says, its history, its numbers, what belongs to it, where it is defined.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::alarm::Alarm;
use vigia_core::model::check::{CheckMethod, Output};
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::policy::Own;
use vigia_core::model::state::AnyState;
use vigia_core::model::status::Status;
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::perfdata::{self, Metric};
use vigia_core::nagios::threshold::Range;

use super::LogLine;
use super::document_form::KnowledgeView;
use super::suppressions::SuppressionRow;
use crate::store::{Slice, Sorted};
use crate::web::api::why;
use crate::web::backend::{HistoryQuery, HistoryRow, Origin, Segment, Ticket, TicketFilter, TicketSort};
use crate::web::documents;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{Pairs, escape};
use crate::web::view::{Face, Moment, Row, Rows, href, symbol};
use crate::web::words;

const TICKETS_SHOWN: usize = 10;
const HISTORY_SHOWN: usize = 20;
const DAY: u64 = 86_400;
/// The ribbons of an object; the last one is the longest.
const SPANS: &[(&str, Duration)] =
    &[("24 h", Duration::from_secs(DAY)), ("7 d", Duration::from_secs(7 * DAY)), ("30 d", MONTH)];
const MONTH: Duration = Duration::from_secs(30 * DAY);
/// A ribbon's width, in the units of its drawing.
const WIDE: u64 = 1000;

#[derive(Template)]
#[template(path = "object.html", config = ".askama.toml")]
struct ObjectPage {
    frame: Frame,
    row: Row,
    /// `HOST/SERVICE`, as forms send it.
    key: String,
    name: String,
    alias: Option<String>,
    address: String,
    first_line: String,
    long: String,
    check: String,
    acknowledgement: Option<Acknowledged>,
    graphs: Vec<Graph>,
    ribbons: Vec<Ribbon>,
    events: Vec<LogLine>,
    /// How the telling of it stands, as `vigia why` says it, and what was decided, newest first.
    says: Vec<String>,
    decided: Vec<LogLine>,
    /// The messages themselves.
    messages_at: String,
    comments: Vec<Remark>,
    downtimes: Vec<Planned>,
    suppressions: Vec<SuppressionRow>,
    alarms: Vec<(String, String)>,
    tickets: Vec<(String, String)>,
    knowledge: Option<KnowledgeView>,
    /// Services of the host, or the other services beside this one.
    rows: Vec<Row>,
    shows_service: bool,
    parents: Vec<Row>,
    children: Vec<Row>,
    child_count: usize,
    /// For whoever asked for it.
    definition: Option<Definition>,
    /// This page with it.
    definition_at: String,
    notes: Option<String>,
    links: Vec<(&'static str, String)>,
    groups: Vec<String>,
    tags: Vec<String>,
    is_last_good: bool,
    is_quarantined: Option<String>,
    execution: String,
    latency: String,
}

/// What the store and the files know of an object.
struct Past {
    history: Vec<HistoryRow>,
    decided: Vec<HistoryRow>,
    month: Vec<Segment>,
    /// The last changed.
    tickets: Vec<Ticket>,
    knowledge: Option<KnowledgeView>,
    definition: Option<Definition>,
}

/// Where it is defined.
#[derive(Clone)]
struct Definition {
    origins: Vec<Origin>,
    /// What one must know to read it right.
    remarks: Vec<String>,
}

struct Acknowledged {
    author: String,
    comment: String,
    at: Moment,
    how: String,
}

struct Remark {
    id: u64,
    author: String,
    at: Moment,
    text: String,
}

struct Planned {
    id: u64,
    author: String,
    comment: String,
    from: String,
    until: String,
    how: String,
}

/// One value of the performance data, drawn against its thresholds, in thousandths of its span.
struct Graph {
    label: String,
    value: String,
    width: Option<u32>,
    warning: Option<u32>,
    critical: Option<u32>,
    limits: String,
}

struct Ribbon {
    /// The span, as `24 h`.
    name: &'static str,
    parts: Vec<Part>,
    /// Percent of the known time in OK or UP, where any is known.
    availability: Option<String>,
}

struct Part {
    symbol: &'static str,
    title: String,
    x: u64,
    width: u64,
}

pub(crate) async fn host(
    Extension(seen): Extension<Seen>,
    Path(host): Path<String>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    page(seen, ObjectKey::host(host.as_str()), &asked).await
}

pub(crate) async fn service(
    Extension(seen): Extension<Seen>,
    Path((host, service)): Path<(String, String)>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    page(seen, ObjectKey::service(host.as_str(), service.as_str()), &asked).await
}

async fn page(seen: Seen, key: ObjectKey, asked: &Pairs) -> Result<Response, Failure> {
    let world = seen.world.clone();
    let Some(object) = world.inventory.find(&key) else { return Err(missing(&seen, &key)) };
    let history =
        HistoryQuery { subject: Some(key.clone()), limit: HISTORY_SHOWN, ..HistoryQuery::default() };
    let history = seen.web.backend.history(history).await.unwrap_or_default();
    let decided = decided(&seen, &key).await;
    let month = seen.web.backend.ribbon(key.clone(), seen.eyes.now.before(MONTH)).await.unwrap_or_default();
    let tickets = TicketFilter {
        host: Some(key.host.to_string()),
        service: Some(key.service.as_deref().unwrap_or_default().to_owned()),
        sorted: Sorted { by: TicketSort::Updated, is_descending: true },
        slice: Slice::first(TICKETS_SHOWN),
        ..TicketFilter::default()
    };
    let (_, tickets) = seen.web.backend.tickets(tickets).await.unwrap_or_default();
    let wants_definition = asked.iter().any(|(name, _)| name == "defined");
    let definition = if wants_definition { Some(definition(&seen, key.clone()).await) } else { None };
    let view = if key.service.is_some() { "service" } else { "host" };
    let mut query = format!("host={}", escape(&key.host));
    if let Some(service) = &key.service {
        query.push_str(&format!("&service={}", escape(service)));
    }
    let section = if key.service.is_some() { "services" } else { "hosts" };
    let frame = seen.live_frame(key.to_string(), section, view, &query);
    let links = documents::of_object(&seen.world, &key);
    let known = KnowledgeView::of(&seen, links, Some(key.clone()), None).await;
    let knowledge = (!known.is_empty()).then_some(known);
    let past = Past { history, decided, month, tickets, knowledge, definition };
    Ok(Page(build(&seen, frame, object, key, past)).into_response())
}

/// Who was told, who was not, and what ran; changes of state stand in the history beside it.
async fn decided(seen: &Seen, key: &ObjectKey) -> Vec<HistoryRow> {
    let subject = Some(key.clone());
    let limit = 3 * HISTORY_SHOWN;
    let wanted = HistoryQuery { subject, limit, is_about_messages: true, ..HistoryQuery::default() };
    let mut rows = seen.web.backend.history(wanted).await.unwrap_or_default();
    rows.retain(|row| row.state.is_none());
    rows.truncate(HISTORY_SHOWN);
    rows
}

async fn definition(seen: &Seen, key: ObjectKey) -> Definition {
    let found = match seen.web.backend.defined(key).await {
        Ok(found) => found,
        Err(trouble) => return Definition { origins: Vec::new(), remarks: vec![format!("{trouble}.")] },
    };
    let mut remarks: Vec<String> = found
        .changed
        .iter()
        .map(|file| format!("{file} on disk is not what was read. This is what runs."))
        .collect();
    if found.is_of_disk {
        remarks.push("Nothing is kept of what was read. This is what the files say now.".to_owned());
    }
    if found.origins.is_empty() && remarks.is_empty() {
        remarks.push("Nothing is known of where it is written.".to_owned());
    }
    Definition { origins: found.origins, remarks }
}

/// A name that is not there may be one with a mistake in its definition.
fn missing(seen: &Seen, key: &ObjectKey) -> Failure {
    let health = seen.web.backend.health();
    let out = health.quarantine.iter().find(|out| out.key.as_ref() == Some(key));
    Failure::Missing(match out {
        Some(out) => format!("`{key}` is in quarantine: {} ({}:{})", out.message, out.file, out.line),
        None => format!("There is no host or service `{key}`."),
    })
}

fn build(seen: &Seen, frame: Frame, object: Checkable, key: ObjectKey, past: Past) -> ObjectPage {
    let world = &seen.world;
    let inventory = &world.inventory;
    let host = inventory.host(inventory.host_of(object));
    let rows = Rows::new(world, &seen.eyes);
    let facts = facts(seen, object);
    let others = host.services.iter().filter(|id| Checkable::Service(**id) != object).take(200);
    let siblings = rows.mixed(others.map(|id| Checkable::Service(*id)));
    let (parents, children, child_count) = match object {
        Checkable::Host(id) => {
            let children = inventory.children(id);
            (rows.hosts(&host.parents), rows.hosts(children.get(..50).unwrap_or(children)), children.len())
        }
        Checkable::Service(id) => (rows.hosts(&[inventory.service(id).host]), Vec::new(), 0),
    };
    let quarantine = seen.web.backend.health();
    let out = quarantine.quarantine.iter().find(|out| out.key.as_ref() == Some(&key));
    let own = facts.own;
    ObjectPage {
        row: rows.row(object),
        name: key.service.as_deref().unwrap_or(&key.host).to_owned(),
        alias: Some(facts.display.to_owned()).filter(|alias| *alias != *facts.name),
        address: host.address.to_string(),
        first_line: facts.output.text.to_string(),
        long: facts.output.long.to_string(),
        check: facts.check,
        acknowledgement: facts.acknowledgement,
        graphs: graphs(&facts.output.perfdata),
        ribbons: ribbons(seen, &past.month),
        events: past.history.iter().map(|row| LogLine::of(row, &seen.eyes)).collect(),
        says: why::in_words(seen, object),
        decided: past.decided.iter().map(|row| LogLine::of(row, &seen.eyes)).collect(),
        messages_at: messages_at(&key),
        comments: comments(seen, &key),
        downtimes: downtimes(seen, &key),
        suppressions: world.suppressions_of(&key).map(|one| SuppressionRow::in_force(seen, one)).collect(),
        alarms: world
            .records
            .alarms
            .values()
            .filter(|alarm| alarm.subject == key)
            .map(|alarm| alarm_line(seen, alarm))
            .collect(),
        tickets: past.tickets.iter().map(|ticket| ticket_line(seen, ticket)).collect(),
        rows: siblings,
        shows_service: true,
        parents,
        children,
        child_count,
        knowledge: past.knowledge,
        definition: past.definition,
        definition_at: format!("{}?defined=yes#defined", href(&key)),
        notes: own.and_then(|own| own.notes.as_deref()).map(str::to_owned),
        links: links(own),
        groups: host.hostgroups.iter().map(ToString::to_string).collect(),
        tags: host
            .tags
            .iter()
            .map(|(k, v)| if v.is_empty() { k.to_string() } else { format!("{k}={v}") })
            .collect(),
        is_last_good: facts.is_last_good,
        is_quarantined: out.map(|out| format!("{} ({}:{})", out.message, out.file, out.line)),
        execution: facts.execution,
        latency: facts.latency,
        key: key.to_string(),
        frame,
    }
}

/// What is asked of hosts and services alike.
struct Facts<'a> {
    name: &'a str,
    display: &'a str,
    output: &'a Output,
    check: String,
    own: Option<&'a Own>,
    acknowledgement: Option<Acknowledged>,
    is_last_good: bool,
    execution: String,
    latency: String,
}

fn facts(seen: &Seen, object: Checkable) -> Facts<'_> {
    let inventory = &seen.world.inventory;
    match object {
        Checkable::Host(id) => {
            let (host, status) = (inventory.host(id), seen.world.host(id));
            let facts = of_status(seen, status);
            let check = check_words(host.check.kind, &host.check.method, host.policy.check_interval);
            let own = host.own.as_deref();
            Facts {
                name: &host.name,
                display: &host.display_name,
                check,
                own,
                is_last_good: host.is_last_good,
                ..facts
            }
        }
        Checkable::Service(id) => {
            let (service, status) = (inventory.service(id), seen.world.service(id));
            let facts = of_status(seen, status);
            let check = check_words(service.check.kind, &service.check.method, service.policy.check_interval);
            let (own, is_last_good) = (service.own.as_deref(), service.is_last_good);
            Facts { name: &service.name, display: &service.display_name, check, own, is_last_good, ..facts }
        }
    }
}

fn of_status<'a, S>(seen: &Seen, status: &'a Status<S>) -> Facts<'a> {
    let acknowledged = status.acknowledgement.as_deref().map(|ack| Acknowledged {
        author: ack.author.to_string(),
        comment: ack.comment.to_string(),
        at: seen.eyes.moment(ack.at),
        how: {
            let by =
                |end| format!(", at the latest {}", words::short_stamp(end, &seen.eyes.zone, seen.eyes.now));
            let until = match ack.lasts.until() {
                Until::Recovery => "until recovery",
                Until::Worse => "until it is worse or recovers",
                Until::Change => "until the state changes",
            };
            format!("{until}{}", ack.expires.map(by).unwrap_or_default())
        },
    });
    Facts {
        name: "",
        display: "",
        output: &status.output,
        check: String::new(),
        own: None,
        acknowledgement: acknowledged,
        is_last_good: false,
        execution: format!("{:.3} s", status.execution_time.seconds()),
        latency: format!("{:.3} s", status.latency.seconds()),
    }
}

fn check_words(kind: &str, method: &CheckMethod, every: Duration) -> String {
    match method {
        CheckMethod::BuiltIn(_) | CheckMethod::Plugin(_) if every.is_zero() => format!("{kind}, on demand"),
        CheckMethod::BuiltIn(_) | CheckMethod::Plugin(_) => format!("{kind}, every {}", words::span(every)),
        CheckMethod::AssumedUp => "none: taken as UP".to_owned(),
        CheckMethod::Passive { .. } => "passive: results come from outside".to_owned(),
    }
}

fn links(own: Option<&Own>) -> Vec<(&'static str, String)> {
    let Some(own) = own else { return Vec::new() };
    let urls = [("Notes", &own.notes_url), ("Action", &own.action_url)];
    // Only what a click may safely open: `javascript:` in a configuration stays text.
    let safe = |url: &str| ["http://", "https://", "mailto:", "/"].iter().any(|start| url.starts_with(start));
    urls.into_iter()
        .filter_map(|(name, url)| Some((name, url.as_deref().filter(|url| safe(url))?.to_owned())))
        .collect()
}

fn comments(seen: &Seen, key: &ObjectKey) -> Vec<Remark> {
    let comments = seen.world.records.comments.values().rev().filter(|comment| comment.subject == *key);
    let remark = |comment: &std::sync::Arc<vigia_core::model::comment::Comment>| Remark {
        id: comment.id.0,
        author: comment.author.to_string(),
        at: seen.eyes.moment(comment.at),
        text: comment.text.to_string(),
    };
    comments.take(100).map(remark).collect()
}

fn downtimes(seen: &Seen, key: &ObjectKey) -> Vec<Planned> {
    use vigia_core::model::downtime::DowntimeKind;
    let zone = &seen.eyes.zone;
    let planned = seen.world.records.downtimes.values().filter(|downtime| downtime.subject == *key);
    let plan = |downtime: &std::sync::Arc<vigia_core::model::downtime::Downtime>| Planned {
        id: downtime.id.0,
        author: downtime.author.to_string(),
        comment: downtime.comment.to_string(),
        from: words::stamp(downtime.start, zone),
        until: words::stamp(downtime.end, zone),
        how: match (downtime.kind, downtime.started) {
            (DowntimeKind::Fixed, Some(_)) => "in effect".to_owned(),
            (DowntimeKind::Fixed, None) => "planned".to_owned(),
            (DowntimeKind::Flexible(span), Some(_)) => format!("in effect, flexible, {}", words::span(span)),
            (DowntimeKind::Flexible(span), None) => {
                format!("begins with a problem, then {}", words::span(span))
            }
        },
    };
    planned.take(100).map(plan).collect()
}

fn messages_at(key: &ObjectKey) -> String {
    let service = key.service.as_deref().map(|service| format!("&service={}", escape(service)));
    format!("/notifications?host={}{}", escape(&key.host), service.unwrap_or_default())
}

fn alarm_line(seen: &Seen, alarm: &Alarm) -> (String, String) {
    let age = words::span(seen.eyes.now.since(alarm.first));
    (
        format!("/alarms#a{}", alarm.id),
        format!("Alarm {}, {}, severity {}, since {age}", alarm.id, alarm.state, alarm.severity),
    )
}

fn ticket_line(seen: &Seen, ticket: &Ticket) -> (String, String) {
    let head = &ticket.head;
    let reference = head.reference();
    let age = words::span(seen.eyes.now.since(head.updated));
    let how = ticket.resolution.as_ref().map(|how| format!(", {how}")).unwrap_or_default();
    let text = format!("{reference} {}: {}{how}, changed {age} ago", ticket.title, head.status.word());
    (format!("/tickets/{reference}"), text)
}

/// A month cut to each span of [`SPANS`].
fn ribbons(seen: &Seen, month: &[Segment]) -> Vec<Ribbon> {
    SPANS.iter().map(|(name, span)| ribbon(seen, name, *span, month)).collect()
}

/// The last part of it as parts of a bar. What nobody watched is no data: an hour of OK is no day of it.
fn ribbon(seen: &Seen, name: &'static str, span: Duration, month: &[Segment]) -> Ribbon {
    let now = seen.eyes.now;
    let start = now.before(span);
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let place = |at: Timestamp| micros(at.since(start)) * WIDE / micros(span);
    let (mut parts, mut good, mut known) = (Vec::new(), 0, 0);
    for segment in month.iter().filter(|segment| segment.to > start) {
        let (from, until) = (segment.from.max(start), segment.to.min(now));
        let (x, to, length) = (place(from), place(until), micros(until.since(from)));
        if let Some(state) = segment.state {
            known += length;
            good += if state.is_problem() { 0 } else { length };
        }
        // What is too short to be seen is left out, unless it was a problem.
        if to > x || segment.state.is_some_and(AnyState::is_problem) {
            let word = segment.state.map_or("no data", AnyState::word);
            let zone = &seen.eyes.zone;
            let title = format!("{word} from {} to {}", words::stamp(from, zone), words::stamp(until, zone));
            let symbol = segment.state.map_or("nothing", symbol);
            parts.push(Part { symbol, title, x: x.min(WIDE - 3), width: (to - x).max(3) });
        }
    }
    // What was known for a small part of the span says how small.
    let is_part = known < micros(span) / 100 * 99;
    let watched = is_part.then(|| format!(" of {} watched", words::span(Duration::from_micros(known))));
    #[expect(clippy::cast_precision_loss, reason = "a percentage with two places")]
    let availability = (known > 0)
        .then(|| format!("{:.2} %{}", good as f64 * 100.0 / known as f64, watched.unwrap_or_default()));
    Ribbon { name, parts, availability }
}

/// What cannot be read is left out; the thresholds are drawn where they are a limit on the way up.
fn graphs(perfdata: &str) -> Vec<Graph> {
    let metrics = perfdata::metrics(perfdata).flatten().take(40);
    metrics.filter_map(|metric| Some(graph(&metric, metric.value?))).collect()
}

fn graph(metric: &Metric<'_>, value: f64) -> Graph {
    let limit = |range: Option<Range>| range.map(Range::end).filter(|end| end.is_finite());
    let (warning, critical) = (limit(metric.warn), limit(metric.crit));
    let beyond = [Some(value), critical.map(|c| c * 1.15), warning.map(|w| w * 1.3)];
    let top = metric.max.or_else(|| beyond.into_iter().flatten().reduce(f64::max)).unwrap_or(0.0);
    let bottom = metric.min.unwrap_or(0.0).min(value);
    let has_scale = top > bottom && (metric.max.is_some() || warning.is_some() || critical.is_some());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
    let scale = |value: f64| ((value - bottom) / (top - bottom) * 1000.0).clamp(0.0, 1000.0) as u32;
    let limits = [("warning", metric.warn), ("critical", metric.crit)];
    let limits = limits.into_iter().filter_map(|(name, range)| range.map(|range| format!("{name} {range}")));
    Graph {
        value: format!("{value}{}", metric.unit),
        width: has_scale.then(|| scale(value)),
        warning: warning.filter(|_| has_scale).map(scale),
        critical: critical.filter(|_| has_scale).map(scale),
        limits: limits.collect::<Vec<_>>().join(", "),
        label: metric.label.to_string(),
    }
}

impl ObjectPage {
    fn is_service(&self) -> bool {
        self.row.key.service.is_some()
    }

    fn host_href(&self) -> String {
        href(&ObjectKey { host: self.row.key.host.clone(), service: None })
    }

    fn act(&self, act: &str) -> String {
        format!("/act/{act}?object={}&back={}", escape(&self.key), escape(&self.frame.path))
    }

    /// The mark of a line in *related*.
    fn face<'a>(&self, row: &'a Row) -> &'a Face {
        &row.face
    }
}
