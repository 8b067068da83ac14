//! Alarms: one line per problem that became hard.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use vigia_core::model::alarm::Alarm;

use crate::web::backend::{RecordQuery, Wanted};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Face, Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "alarms.html", config = ".askama.toml")]
struct AlarmsPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    alarms: Vec<AlarmRow>,
    page: usize,
    pages: usize,
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
    count: u32,
    owner: String,
    ticket: Option<String>,
    root: Option<(String, String)>,
    labels: Vec<String>,
    is_open: bool,
}

/// What the lists of records share: which, and which page.
pub(crate) fn wanted(pairs: &Pairs) -> (RecordQuery, &'static str, usize) {
    let value =
        |name: &str| pairs.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let (status, word) = match value("status") {
        Some("closed") => (Wanted::Closed, "closed"),
        Some("all") => (Wanted::All, "all"),
        Some(_) | None => (Wanted::Open, "open"),
    };
    let page = value("page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    let text = |name| value(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let query = RecordQuery {
        status,
        host: text("host"),
        service: text("service"),
        text: text("q"),
        state: text("state"),
        sort: text("sort"),
        limit: PAGE,
        offset: (page - 1).saturating_mul(PAGE),
    };
    (query, word, page)
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let (query, which, page) = wanted(&pairs);
    let (total, alarms) = seen.web.backend.alarms(query).await?;
    let page = AlarmsPage {
        frame: seen.live_frame("Alarms", "alarms", "overview", ""),
        lead: format!(
            "{} {which} alarm{}. A hard problem raises one, and never a second.",
            words::count(total),
            if total == 1 { "" } else { "s" }
        ),
        which,
        alarms: alarms.iter().map(|alarm| row(&seen, alarm)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
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
        count: alarm.count,
        owner: alarm.owner.as_deref().unwrap_or_default().to_owned(),
        ticket: alarm.ticket.map(|reference| reference.to_string()),
        root: alarm.root.as_ref().map(|root| (href(root), root.to_string())),
        labels: alarm.labels.iter().map(ToString::to_string).collect(),
        is_open: alarm.closed.is_none(),
    }
}
