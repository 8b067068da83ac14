//! False positives: what was called one, by whom and why, how often that held something back, and its way back.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use vigia_core::model::suppression::Suppression;

use crate::store::Slice;
use crate::web::backend::{KeptSuppression, SuppressionFilter};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "suppressions.html", config = ".askama.toml")]
struct SuppressionsPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    rows: Vec<SuppressionRow>,
    page: usize,
    pages: usize,
}

/// One as a page shows it.
pub(crate) struct SuppressionRow {
    pub(crate) id: u64,
    pub(crate) subject: String,
    pub(crate) href: String,
    pub(crate) matched: String,
    pub(crate) reason: String,
    pub(crate) author: String,
    pub(crate) since: Moment,
    pub(crate) expires: Option<Moment>,
    pub(crate) ticket: Option<String>,
    pub(crate) held: u32,
    pub(crate) last: Option<Moment>,
    /// How it ended, and when.
    pub(crate) ended: Option<(String, Moment)>,
}

impl SuppressionRow {
    pub(crate) fn in_force(seen: &Seen, one: &Suppression) -> Self {
        Self::of(seen, &KeptSuppression { suppression: one.clone(), end: None })
    }

    pub(crate) fn of(seen: &Seen, kept: &KeptSuppression) -> Self {
        let one = &kept.suppression;
        let is_here = seen.world.inventory.find(&one.subject).is_some();
        let ended = kept.end.as_ref().map(|end| {
            let by = end.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            (format!("{}{by}", end.how.word()), seen.eyes.moment(end.at))
        });
        Self {
            id: one.id.0,
            subject: one.subject.to_string(),
            href: if is_here { href(&one.subject) } else { String::new() },
            matched: one.matched.to_string(),
            reason: one.reason.to_string(),
            author: one.author.to_string(),
            since: seen.eyes.moment(one.since),
            expires: one.expires.map(|at| seen.eyes.moment(at)),
            ticket: one.ticket.map(|reference| reference.to_string()),
            held: one.held,
            last: one.last.map(|at| seen.eyes.since(at)),
            ended,
        }
    }
}

/// Which of them, and which page.
pub(crate) fn wanted(pairs: &Pairs) -> (SuppressionFilter, &'static str, usize) {
    let value = |name: &str| {
        let found = pairs.iter().rev().find(|(found, value)| found == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let (in_force, which) = match value("status") {
        Some("ended") => (Some(false), "ended"),
        Some("all") => (None, "all"),
        Some(_) | None => (Some(true), "in force"),
    };
    let page = value("page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    let text = |name| value(name).map(str::to_owned);
    let slice = Slice { limit: PAGE, offset: (page - 1).saturating_mul(PAGE) };
    let filter =
        SuppressionFilter { in_force, host: text("host"), service: text("service"), text: text("q"), slice };
    (filter, which, page)
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let (filter, which, page) = wanted(&pairs);
    let (total, found) = seen.web.backend.suppressions(filter).await?;
    let said = match which {
        "all" => "",
        "ended" => " that have ended",
        _ => " in force",
    };
    let page = SuppressionsPage {
        frame: seen.live_frame("False positives", "alarms", "overview", ""),
        lead: format!(
            "{} suppression{}{said}. No ticket and no message comes of what they cover; it stays on every page.",
            words::count(total),
            if total == 1 { "" } else { "s" }
        ),
        which,
        rows: found.iter().map(|kept| SuppressionRow::of(&seen, kept)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
}
