//! Notifications: who was told of what, by which way, and what became of it.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use vigia_core::model::message::{About, Addressee};

use crate::store::outbox::DeliveryStatus;
use crate::web::api::messages::filter;
use crate::web::backend::{Listed, Way};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Face, Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "messages.html", config = ".askama.toml")]
struct MessagesPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    rows: Vec<MessageRow>,
    page: usize,
    pages: usize,
}

struct MessageRow {
    at: Moment,
    contact: String,
    kind: String,
    face: Option<Face>,
    subject: String,
    href: String,
    says: String,
    ways: Vec<WayRow>,
}

struct WayRow {
    channel: String,
    target: String,
    status: &'static str,
    says: String,
}

/// The tabs of the page: a status each.
const TABS: &[&str] = &["all", "waiting", "sent", "failed", "unknown"];

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let mut filter = filter(&pairs)?;
    let page = pairs.iter().find(|(name, _)| name == "page").and_then(|(_, text)| text.parse::<usize>().ok());
    let page = page.unwrap_or(1).max(1);
    filter.slice.limit = PAGE;
    filter.slice.offset = (page - 1).saturating_mul(PAGE);
    let which = filter.status.map_or("all", DeliveryStatus::word);
    let (total, listed) = seen.web.backend.messages(filter).await?;
    let what = if which == "all" { String::new() } else { format!("{which} ") };
    let page = MessagesPage {
        frame: seen.live_frame("Notifications", "notifications", "overview", ""),
        lead: format!("{} {what}message{}.", words::count(total), if total == 1 { "" } else { "s" }),
        which,
        rows: listed.iter().map(|listed| row(&seen, listed)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
}

fn row(seen: &Seen, listed: &Listed) -> MessageRow {
    let common = |kind: String, says: String| MessageRow {
        at: seen.eyes.moment(listed.at),
        contact: Addressee::named(&listed.contact).to_string(),
        kind,
        face: None,
        subject: String::new(),
        href: String::new(),
        says,
        ways: listed.ways.iter().map(|way| way_row(seen, way)).collect(),
    };
    match &listed.about {
        About::Object(notice) => MessageRow {
            face: Some(Face::of_state(notice.state)),
            subject: notice.subject.to_string(),
            href: href(&notice.subject),
            ..common(notice.kind.word().to_owned(), notice.output.text.to_string())
        },
        About::Ticket(mail) => MessageRow {
            subject: mail.reference.to_string(),
            href: format!("/tickets/{}", mail.reference),
            ..common("TICKET".to_owned(), format!("{}: {}", mail.what, mail.subject))
        },
        About::Digest(digest) => common(
            "DIGEST".to_owned(),
            format!("{} messages: {} services on {} hosts", digest.messages, digest.services, digest.hosts),
        ),
    }
}

fn way_row(seen: &Seen, way: &Way) -> WayRow {
    let says = match (way.status, way.next) {
        (DeliveryStatus::Waiting, Some(next)) => {
            format!("next try {}, {} so far: {}", seen.eyes.moment(next).text, way.attempts, way.reason)
        }
        (DeliveryStatus::Sent, _) => String::new(),
        (_, _) => way.reason.clone(),
    };
    WayRow { channel: way.channel.clone(), target: way.target.clone(), status: way.status.word(), says }
}
