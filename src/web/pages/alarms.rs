//! Alarms: one line per problem that became hard, put together by cause, and the page of one.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use vigia_core::model::alarm::{Alarm, AlarmStatus, LABELS};
use vigia_core::model::id::AlarmId;

use super::suppressions::SuppressionRow;
use crate::web::alarms::{self, Group, Grouping, value, wanted};
use crate::web::backend::{AlarmNote, AlarmsOf};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs, escape};
use crate::web::tickets;
use crate::web::view::{Face, Moment, href};
use crate::web::words;

/// Groups that one page shows.
const GROUPS: usize = 500;

#[derive(Template)]
#[template(path = "alarms.html", config = ".askama.toml")]
struct AlarmsPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    asked: Pairs,
    labels: Vec<String>,
    names: Vec<String>,
    alarms: Vec<AlarmRow>,
    groups: Vec<GroupRow>,
    page: usize,
    pages: usize,
    /// This list without its page.
    query: String,
}

impl AlarmsPage {
    fn get(&self, name: &str) -> &str {
        value(&self.asked, name).unwrap_or_default()
    }

    fn is_filtered(&self) -> bool {
        ["q", "host", "owner", "label", "root", "severity"].iter().any(|name| !self.get(name).is_empty())
    }
}

struct AlarmRow {
    id: u64,
    face: Face,
    subject: String,
    href: String,
    output: String,
    severity: u8,
    first: Moment,
    last: Moment,
    closed: Option<Moment>,
    count: u32,
    owner: String,
    ticket: Option<String>,
    root: Option<(String, String)>,
    labels: Vec<String>,
    is_open: bool,
}

struct GroupRow {
    name: String,
    /// The alarms of it.
    list: String,
    face: Face,
    says: String,
    alarms: usize,
    unowned: usize,
    first: Moment,
}

#[derive(Template)]
#[template(path = "alarm.html", config = ".askama.toml")]
struct AlarmPage {
    frame: Frame,
    alarm: AlarmRow,
    asset_value: u8,
    /// Its problem stands, so a person's closing can be taken back.
    may_reopen: bool,
    others: usize,
    cause: String,
    notes: Vec<NoteRow>,
    labels: Vec<&'static str>,
    names: Vec<String>,
    suppressions: Vec<SuppressionRow>,
    me: String,
}

struct NoteRow {
    at: Moment,
    author: String,
    what: String,
    text: String,
}

#[derive(Template)]
#[template(path = "alarm_report.html", config = ".askama.toml")]
struct ReportPage {
    frame: Frame,
    lead: String,
    since: String,
    until: String,
    csv: String,
    rows: Vec<ReportRow>,
}

struct ReportRow {
    subject: String,
    href: String,
    alarms: u64,
    span: String,
    /// Of the longest there is, in thousandths.
    share: u64,
    longest: String,
    severity: u8,
    tickets: u64,
    open: u64,
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let grouping = value(&pairs, "group").and_then(Grouping::of);
    let (query, which, page) = wanted(&pairs, &seen)?;
    let (total, found) = match grouping {
        Some(_) => (0, Vec::new()),
        None => seen.web.backend.alarms(query).await?,
    };
    let groups = grouping.map(|by| alarms::groups(&seen.world, by)).unwrap_or_default();
    let many = |number: usize| if number == 1 { "" } else { "s" };
    let lead = match grouping {
        None => format!(
            "{} {which} alarm{}. A hard problem raises one, and never a second.",
            words::count(total),
            many(total)
        ),
        Some(Grouping::Root) => {
            format!("{} cause{} of what is wrong now.", words::count(groups.len()), many(groups.len()))
        }
        Some(Grouping::Host | Grouping::Service) => {
            format!("{} group{} of open alarms.", words::count(groups.len()), many(groups.len()))
        }
    };
    let kept = pairs.iter().filter(|(name, value)| name != "page" && !value.is_empty());
    let kept: Vec<String> =
        kept.map(|(name, value)| format!("{}={}&", escape(name), escape(value))).collect();
    let page = AlarmsPage {
        frame: seen.live_frame("Alarms", "alarms", "overview", ""),
        lead,
        which: if grouping.is_some() { "" } else { which },
        labels: seen.web.backend.alarm_labels().await.unwrap_or_default(),
        names: tickets::names(&seen).await.iter().map(ToString::to_string).collect(),
        alarms: found.iter().map(|alarm| row(&seen, alarm)).collect(),
        groups: groups
            .iter()
            .take(GROUPS)
            .filter_map(|group| Some(group_row(&seen, group, grouping?)))
            .collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
        query: kept.concat(),
        asked: pairs,
    };
    Ok(Page(page).into_response())
}

fn group_row(seen: &Seen, group: &Group, grouping: Grouping) -> GroupRow {
    let field = match grouping {
        Grouping::Root => "root",
        Grouping::Host => "host",
        Grouping::Service => "service",
    };
    let is_of_hosts = grouping == Grouping::Service && group.worst.subject.service.is_none();
    GroupRow {
        list: match is_of_hosts {
            true => "/alarms".to_owned(),
            false => format!("/alarms?{field}={}", escape(&group.name)),
        },
        face: Face::of_state(group.worst.state),
        says: match &group.key {
            Some(key) if *key == group.worst.subject => group.worst.output.to_string(),
            Some(_) | None => format!("{}: {}", group.worst.subject, group.worst.output),
        },
        alarms: group.alarms,
        unowned: group.unowned,
        first: seen.eyes.since(group.first),
        name: group.name.clone(),
    }
}

pub(crate) async fn one(Extension(seen): Extension<Seen>, Path(id): Path<u64>) -> Result<Response, Failure> {
    let alarm = seen.web.backend.alarm(AlarmId(id)).await?;
    let notes = seen.web.backend.alarm_notes(AlarmId(id)).await?;
    let records = &seen.world.records;
    let cause = alarm.root.as_ref().unwrap_or(&alarm.subject);
    let is_of_it = |other: &Alarm| other.root.as_ref() == Some(cause) && other.id != alarm.id;
    let others = records.alarms.values().filter(|other| is_of_it(other)).count();
    let is_false = |label: &str| alarm.labels.iter().any(|known| **known == *label);
    let page = AlarmPage {
        asset_value: alarm.asset_value,
        may_reopen: alarm.status == AlarmStatus::Closed && records.alarms.contains_key(&alarm.id),
        others,
        cause: cause.to_string(),
        notes: notes.iter().map(|note| note_row(&seen, note)).collect(),
        labels: LABELS.iter().copied().filter(|label| !is_false(label)).collect(),
        names: tickets::names(&seen).await.iter().map(ToString::to_string).collect(),
        suppressions: seen
            .world
            .suppressions_of(&alarm.subject)
            .map(|suppression| SuppressionRow::in_force(&seen, suppression))
            .collect(),
        me: seen.author().to_string(),
        alarm: row(&seen, &alarm),
        frame: seen.frame(format!("Alarm {id}: {}", alarm.subject), "alarms"),
    };
    Ok(Page(page).into_response())
}

fn note_row(seen: &Seen, note: &AlarmNote) -> NoteRow {
    NoteRow {
        at: seen.eyes.moment(note.at),
        author: note.author.to_string(),
        what: note.what.clone(),
        text: note.text.clone(),
    }
}

/// Objects that a page of the report shows; the file has more.
const SHOWN: usize = 100;

pub(crate) async fn report(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let period = alarms::period(&pairs, &seen.eyes)?;
    let rows = seen.web.backend.alarm_report(period.from, period.to).await?;
    if value(&pairs, "format") == Some("csv") {
        return Ok(as_file(&rows));
    }
    let alarms: u64 = rows.iter().map(|row| row.alarms).sum();
    let most = rows.iter().map(|row| row.seconds).max().unwrap_or_default().max(1);
    let zone = &seen.eyes.zone;
    let said = |name: &str| value(&pairs, name).unwrap_or_default().to_owned();
    let page = ReportPage {
        frame: seen.frame("Report of alarms", "alarms"),
        lead: format!(
            "{} alarms of {} objects from {} to {}, what was bad for longest first.",
            words::count(usize::try_from(alarms).unwrap_or(usize::MAX)),
            words::count(rows.len()),
            words::full_stamp(period.from, zone),
            words::full_stamp(period.to, zone)
        ),
        csv: format!(
            "/alarms/report?since={}&until={}&format=csv",
            escape(&said("since")),
            escape(&said("until"))
        ),
        since: Some(said("since")).filter(|said| !said.is_empty()).unwrap_or_else(|| "30d".to_owned()),
        until: said("until"),
        rows: rows.iter().take(SHOWN).map(|row| report_row(&seen, row, most)).collect(),
    };
    Ok(Page(page).into_response())
}

/// The report for a spreadsheet.
pub(crate) fn as_file(rows: &[AlarmsOf]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"alarms.csv\""),
    ];
    (headers, alarms::csv(rows)).into_response()
}

fn report_row(seen: &Seen, row: &AlarmsOf, most: u64) -> ReportRow {
    let span = |seconds| words::span(std::time::Duration::from_secs(seconds));
    let is_here = seen.world.inventory.find(&row.subject).is_some();
    ReportRow {
        subject: row.subject.to_string(),
        href: if is_here { href(&row.subject) } else { String::new() },
        alarms: row.alarms,
        span: span(row.seconds),
        share: row.seconds.saturating_mul(1000) / most,
        longest: span(row.longest),
        severity: row.severity,
        tickets: row.tickets,
        open: row.open,
    }
}

fn row(seen: &Seen, alarm: &Alarm) -> AlarmRow {
    AlarmRow {
        id: alarm.id.0,
        face: Face::of_state(alarm.state),
        subject: alarm.subject.to_string(),
        href: href(&alarm.subject),
        output: alarm.output.to_string(),
        severity: alarm.severity,
        first: seen.eyes.moment(alarm.first),
        last: seen.eyes.since(alarm.last),
        closed: alarm.closed.map(|at| seen.eyes.moment(at)),
        count: alarm.count,
        owner: alarm.owner.as_deref().unwrap_or_default().to_owned(),
        ticket: alarm.ticket.map(|reference| reference.to_string()),
        root: alarm.root.as_ref().map(|root| (href(root), root.to_string())),
        labels: alarm.labels.iter().map(ToString::to_string).collect(),
        is_open: alarm.closed.is_none(),
    }
}
