//! The ticket list with the seed's columns, and one ticket with its notes.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
pub(crate) use vigia_core::model::ticket::RESOLUTIONS;
use vigia_core::model::ticket::{Reference, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::alarms::wanted;
use crate::web::backend::{Note, TicketRow};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::view::{Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "tickets.html", config = ".askama.toml")]
struct TicketsPage {
    frame: Frame,
    lead: String,
    which: &'static str,
    asked: String,
    tickets: Vec<TicketView>,
    page: usize,
    pages: usize,
}

#[derive(Template)]
#[template(path = "ticket.html", config = ".askama.toml")]
struct TicketPage {
    frame: Frame,
    ticket: TicketView,
    notes: Vec<NoteView>,
    statuses: Vec<&'static str>,
    resolutions: &'static [&'static str],
}

pub(crate) struct TicketView {
    reference: String,
    title: String,
    priority: u8,
    priority_word: &'static str,
    created: Moment,
    life: String,
    in_charge: String,
    submitter: String,
    r#type: String,
    status: &'static str,
    is_closed: bool,
    resolution: String,
    tags: Vec<String>,
    subject: Option<(String, String)>,
    alarm: Option<u64>,
    updated: Moment,
}

struct NoteView {
    author: String,
    at: Moment,
    text: String,
    changes: Vec<String>,
}

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let (query, which, page) = wanted(&pairs);
    let asked = query.text.clone().unwrap_or_default();
    let (total, tickets) = seen.web.backend.tickets(query).await?;
    let page = TicketsPage {
        frame: seen.live_frame("Tickets", "tickets", "overview", ""),
        lead: format!("{} {which} ticket{}", words::count(total), if total == 1 { "" } else { "s" }),
        which,
        asked,
        tickets: tickets.iter().map(|row| view(&seen, row)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
    };
    Ok(Page(page).into_response())
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Result<Response, Failure> {
    let id = ticket_id(&reference)
        .ok_or_else(|| Failure::Missing(format!("There is no ticket `{reference}`.")))?;
    let ticket = seen.web.backend.ticket(id).await?;
    let view = view(&seen, &ticket.row);
    let page = TicketPage {
        frame: seen.frame(format!("{} {}", view.reference, view.title), "tickets"),
        notes: ticket.notes.iter().map(|note| note_view(&seen, note)).collect(),
        statuses: TicketStatus::ALL
            .iter()
            .map(|status| status.word())
            .filter(|word| *word != "Closed")
            .collect(),
        resolutions: RESOLUTIONS,
        ticket: view,
    };
    Ok(Page(page).into_response())
}

/// `AVA01`, or the bare number.
pub(crate) fn ticket_id(text: &str) -> Option<vigia_core::model::id::TicketId> {
    let number = || text.parse().ok().map(vigia_core::model::id::TicketId);
    Reference::parse(text).map(|reference| reference.id).or_else(number)
}

fn view(seen: &Seen, row: &TicketRow) -> TicketView {
    let head = &row.head;
    TicketView {
        reference: head.reference().to_string(),
        title: row.title.clone(),
        priority: row.priority,
        // One set of limits for words and colours (T-41).
        priority_word: match row.priority {
            7.. => "High",
            4.. => "Medium",
            _ => "Low",
        },
        created: seen.eyes.moment(head.opened),
        life: life(head.opened, head.closed.unwrap_or(seen.eyes.now)),
        in_charge: row.in_charge.clone().unwrap_or_default(),
        submitter: row.submitter.clone(),
        r#type: row.r#type.clone(),
        status: head.status.word(),
        is_closed: head.closed.is_some(),
        resolution: row.resolution.clone().unwrap_or_default(),
        tags: row.tags.clone(),
        subject: head.subject.as_ref().map(|key| (href(key), key.to_string())),
        alarm: row.alarm.map(|alarm| alarm.0),
        updated: seen.eyes.since(head.updated),
    }
}

/// As OSSIM writes it: `20:06`, `4 Days 23:19` (T-45).
fn life(from: Timestamp, to: Timestamp) -> String {
    let minutes = to.since(from).as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}"),
        1 => format!("1 Day {hours:02}:{minutes:02}"),
        _ => format!("{days} Days {hours:02}:{minutes:02}"),
    }
}

fn note_view(seen: &Seen, note: &Note) -> NoteView {
    let mut changes = Vec::new();
    if let Some(status) = note.status {
        changes.push(format!("status {}", status.word()));
    }
    if let Some(resolution) = &note.resolution {
        changes.push(format!("resolution {resolution}"));
    }
    if let Some(priority) = note.priority {
        changes.push(format!("priority {priority}"));
    }
    if let Some(person) = &note.in_charge {
        changes.push(format!("in charge {person}"));
    }
    if let Some(action) = &note.action {
        changes.push(format!("did: {action}"));
    }
    NoteView { author: note.author.clone(), at: seen.eyes.moment(note.at), text: note.text.clone(), changes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_time_reads_as_in_the_seed() {
        let at = Timestamp::from_second;
        assert_eq!(life(at(1), at(20 * 3600 + 361)), "20:06");
        assert_eq!(life(at(1), at(4 * 86_400 + 23 * 3600 + 19 * 60 + 1)), "4 Days 23:19");
        assert_eq!(life(at(1), at(86_401)), "1 Day 00:00");
    }
}
