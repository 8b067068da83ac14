//! What people said and planned, of all objects: comments, and downtimes with those of the files that are to come.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::downtime::{Downtime, DowntimeKind, PlannedDowntime};

use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "comments.html", config = ".askama.toml")]
struct CommentsPage {
    frame: Frame,
    lead: String,
    rows: Vec<CommentRow>,
    page: usize,
    pages: usize,
}

struct CommentRow {
    id: u64,
    subject: String,
    href: String,
    author: String,
    at: Moment,
    text: String,
    /// What it came with, where a person did not write it for its own sake.
    kind: &'static str,
}

#[derive(Template)]
#[template(path = "downtimes.html", config = ".askama.toml")]
struct DowntimesPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    rows: Vec<DowntimeRow>,
    planned: Vec<PlannedRow>,
    page: usize,
    pages: usize,
}

struct DowntimeRow {
    id: u64,
    subject: String,
    href: String,
    author: String,
    comment: String,
    from: Moment,
    until: Moment,
    how: String,
    is_running: bool,
}

/// A downtime of the files.
struct PlannedRow {
    name: String,
    next: Option<Moment>,
    lasts: String,
    comment: String,
}

/// The tabs of the page.
const WHICH: &[&str] = &["all", "running", "planned"];

fn value<'p>(pairs: &'p Pairs, name: &str) -> &'p str {
    pairs.iter().rev().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
}

fn page_of(pairs: &Pairs) -> usize {
    value(pairs, "page").parse::<usize>().unwrap_or(1).max(1)
}

/// The newest first.
pub(crate) async fn comments(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let comments = &seen.world.records.comments;
    let (total, page) = (comments.len(), page_of(&pairs));
    let rows = comments.values().rev().skip((page - 1).saturating_mul(PAGE)).take(PAGE);
    let page = CommentsPage {
        frame: seen.live_frame("Comments", "comments", "overview", ""),
        lead: format!("{} comment{}.", words::count(total), if total == 1 { "" } else { "s" }),
        rows: rows.map(|comment| comment_row(&seen, comment)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
}

fn comment_row(seen: &Seen, comment: &Comment) -> CommentRow {
    CommentRow {
        id: comment.id.0,
        subject: comment.subject.to_string(),
        href: href(&comment.subject),
        author: comment.author.to_string(),
        at: seen.eyes.moment(comment.at),
        text: comment.text.to_string(),
        kind: match comment.kind {
            CommentKind::User => "",
            CommentKind::Downtime => "downtime",
            CommentKind::Flapping => "flapping",
            CommentKind::Acknowledgement => "acknowledgement",
        },
    }
}

/// What ends first comes first.
pub(crate) async fn downtimes(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let asked = value(&pairs, "status");
    let which = WHICH.iter().copied().find(|word| *word == asked).unwrap_or("all");
    let is_wanted = |downtime: &Downtime| match which {
        "running" => downtime.is_in_effect(),
        "planned" => !downtime.is_in_effect(),
        _ => true,
    };
    let downtimes = seen.world.records.downtimes.values().filter(|downtime| is_wanted(downtime));
    let mut downtimes: Vec<&Downtime> = downtimes.map(|downtime| &**downtime).collect();
    downtimes.sort_by_key(|downtime| (downtime.until(), downtime.id));
    let (total, page) = (downtimes.len(), page_of(&pairs));
    let rows = downtimes.into_iter().skip((page - 1).saturating_mul(PAGE)).take(PAGE);
    let what = if which == "all" { String::new() } else { format!("{which} ") };
    let page = DowntimesPage {
        frame: seen.live_frame("Downtime", "downtimes", "overview", ""),
        lead: format!("{} {what}downtime{}.", words::count(total), if total == 1 { "" } else { "s" }),
        which,
        rows: rows.map(|downtime| downtime_row(&seen, downtime)).collect(),
        planned: seen.world.inventory.downtimes.iter().map(|plan| planned_row(&seen, plan)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
}

fn downtime_row(seen: &Seen, downtime: &Downtime) -> DowntimeRow {
    let how = match (downtime.kind, downtime.started, downtime.triggered_by) {
        (_, Some(_), _) => "in effect".to_owned(),
        (_, None, Some(trigger)) => format!("starts with downtime {trigger}"),
        (DowntimeKind::Fixed, None, None) => "planned".to_owned(),
        (DowntimeKind::Flexible(span), None, None) => {
            format!("begins with a problem, then {}", words::span(span))
        }
    };
    DowntimeRow {
        id: downtime.id.0,
        subject: downtime.subject.to_string(),
        href: href(&downtime.subject),
        author: downtime.author.to_string(),
        comment: downtime.comment.to_string(),
        from: seen.eyes.moment(downtime.started.unwrap_or(downtime.start)),
        until: seen.eyes.moment(downtime.until()),
        how,
        is_running: downtime.is_in_effect(),
    }
}

fn planned_row(seen: &Seen, plan: &PlannedDowntime) -> PlannedRow {
    PlannedRow {
        name: plan.name.to_string(),
        next: plan.next_start(seen.eyes.now).map(|at| seen.eyes.moment(at)),
        lasts: plan.duration.map(words::span).unwrap_or_default(),
        comment: plan.comment.to_string(),
    }
}
