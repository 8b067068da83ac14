//! The ticket list with the seed's columns (T-80), and one ticket with its history.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use vigia_core::model::ticket::{PriorityWord, RESOLUTIONS, Reference, TicketClass, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::act::Asked as Typed;
use super::document_form::KnowledgeView;
use super::files::FileList;
use super::suppressions::SuppressionRow;
use super::ticket_form::FieldView;
use crate::desk::{Role, files};
use crate::store::tickets::Change;
use crate::web::backend::{Attachment, Note, Ticket, TicketWithNotes};
use crate::web::documents;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen};
use crate::web::query::{PAGE, Pairs};
use crate::web::tickets::{self, Asked, Chip};
use crate::web::view::{Moment, href};
use crate::web::words;

#[derive(Template)]
#[template(path = "tickets.html", config = ".askama.toml")]
struct TicketsPage {
    frame: Frame,
    lead: String,
    tabs: Vec<Tab>,
    asked: Asked,
    chips: Vec<Chip>,
    columns: Vec<Column>,
    tickets: Vec<TicketView>,
    pages: usize,
    types: Vec<String>,
    tags: Vec<String>,
    names: Vec<String>,
}

impl TicketsPage {
    /// Value, words, and whether it is the one in force.
    fn statuses(&self) -> Vec<(String, &'static str, bool)> {
        let is = |value: &str| self.asked.status().eq_ignore_ascii_case(value);
        let groups = [("open", "not closed"), ("all", "any")];
        let groups = groups.into_iter().map(|(value, name)| (value.to_owned(), name, is(value)));
        let exact = TicketStatus::ALL.iter().map(|status| {
            let value = tickets::exactly(*status);
            let is_it = is(&value);
            (value, status.word(), is_it)
        });
        groups.chain(exact).collect()
    }

    fn classes(&self) -> &'static [TicketClass] {
        TicketClass::ALL
    }

    fn priorities(&self) -> &'static [PriorityWord] {
        PriorityWord::ALL
    }

    fn resolutions(&self) -> &'static [&'static str] {
        RESOLUTIONS
    }
}

struct Tab {
    name: &'static str,
    href: String,
    is_current: bool,
}

struct Column {
    name: &'static str,
    class: &'static str,
    /// The list sorted by it; empty where it cannot be.
    href: String,
    /// `ascending`, `descending` or nothing, as it is sorted now.
    sorted: &'static str,
}

/// What a column is called, how it is shown, and the field that it is sorted by.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("Ticket", "tight", "opened"),
    ("Title", "", "title"),
    ("Priority", "tight", "priority"),
    ("Created", "tight wide less", "opened"),
    ("Life Time", "num tight wide", "life_time"),
    ("In charge", "tight wide", "in_charge"),
    ("Submitter", "tight wide less", "submitter"),
    ("Type", "tight wide less", "type"),
    ("Status", "tight", "status"),
    ("Extra", "wide", ""),
];

#[derive(Template)]
#[template(path = "ticket.html", config = ".askama.toml")]
struct TicketPage {
    frame: Frame,
    ticket: TicketView,
    text: String,
    priority_text: String,
    tags_text: String,
    version: u32,
    notes: Vec<NoteView>,
    /// Those that came with no note.
    knowledge: KnowledgeView,
    files: FileList,
    /// What one file may hold, in words.
    limit: String,
    fields: Vec<FieldView>,
    subscribers: Vec<String>,
    is_subscribed: bool,
    me: String,
    types: Vec<String>,
    names: Vec<String>,
    may_delete: bool,
    /// That closing it made, in force.
    suppressions: Vec<SuppressionRow>,
    /// What was typed into one of its forms and was not taken, and why.
    typed: Typed,
    act: String,
    error: String,
}

impl TicketPage {
    /// Every status that a note may set.
    fn statuses(&self) -> impl Iterator<Item = &'static str> {
        TicketStatus::ALL.iter().filter(|status| **status != TicketStatus::Closed).map(|status| status.word())
    }

    fn resolutions(&self) -> &'static [&'static str] {
        RESOLUTIONS
    }

    /// What was typed into the form of `act`, else what is.
    fn value(&self, act: &str, name: &str, is: &str) -> String {
        if self.act == act { self.typed.get(name).to_owned() } else { is.to_owned() }
    }
}

pub(crate) struct TicketView {
    reference: String,
    class: &'static str,
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
    closed: Option<Moment>,
    resolution: String,
    reopened: u32,
    tags: Vec<String>,
    subject: Option<(String, String)>,
    alarm: Option<u64>,
    rule: String,
    updated: Moment,
}

struct NoteView {
    id: u64,
    author: String,
    at: Moment,
    text: String,
    action: String,
    changes: Vec<Change>,
    files: FileList,
}

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let asked = Asked::parse(&pairs, &seen)?;
    let (total, found) = seen.web.backend.tickets(asked.filter.clone()).await?;
    let which = match asked.status() {
        "all" => String::new(),
        word => format!("{} ", word.to_lowercase()),
    };
    let page = TicketsPage {
        frame: seen.live_frame("Tickets", "tickets", "overview", ""),
        lead: format!("{} {which}ticket{}", words::count(total), if total == 1 { "" } else { "s" }),
        tabs: tabs(&asked),
        chips: asked.chips(),
        columns: columns(&asked),
        tickets: found.iter().map(|ticket| view(&seen, ticket)).collect(),
        pages: total.div_ceil(PAGE).max(1),
        types: type_names(&seen).await,
        tags: seen
            .web
            .backend
            .ticket_tags()
            .await
            .unwrap_or_default()
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        names: tickets::names(&seen).await.iter().map(ToString::to_string).collect(),
        asked,
    };
    Ok(Page(page).into_response())
}

async fn type_names(seen: &Seen) -> Vec<String> {
    let types = seen.web.backend.ticket_types().await.unwrap_or_default();
    types.into_iter().map(|one| one.name).collect()
}

fn tabs(asked: &Asked) -> Vec<Tab> {
    let (status, who) = (asked.status(), asked.get("in_charge"));
    let tab = |name, to: &[(&str, &str)], is_current| Tab {
        name,
        href: format!("/tickets?{}", asked.but(to)),
        is_current,
    };
    vec![
        tab(
            "Open",
            &[("status", "open"), ("in_charge", "")],
            status == "open" && !matches!(who, "me" | "nobody"),
        ),
        tab("Mine", &[("status", "open"), ("in_charge", "me")], status == "open" && who == "me"),
        tab("Nobody's", &[("status", "open"), ("in_charge", "nobody")], status == "open" && who == "nobody"),
        tab("Closed", &[("status", "closed"), ("in_charge", "")], status.eq_ignore_ascii_case("closed")),
        tab("All", &[("status", "all"), ("in_charge", "")], status == "all"),
    ]
}

fn columns(asked: &Asked) -> Vec<Column> {
    let sort = Some(asked.get("sort")).filter(|sort| !sort.is_empty()).unwrap_or("-updated");
    let column = |(name, class, field): &(&'static str, &'static str, &str)| {
        let (down, up) = (format!("-{field}"), (*field).to_owned());
        let sorted = match () {
            () if sort == down => "descending",
            () if sort == up => "ascending",
            () => "",
        };
        let next = if sorted == "descending" { up } else { down };
        let is_twin = *name == "Created";
        Column {
            name,
            class,
            href: if field.is_empty() {
                String::new()
            } else {
                format!("?{}", asked.but(&[("sort", &next)]))
            },
            // The number grows with the time: one arrow is enough.
            sorted: if is_twin { "" } else { sorted },
        }
    };
    COLUMNS.iter().map(column).collect()
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Result<Response, Failure> {
    let id = ticket_id(&reference)
        .ok_or_else(|| Failure::Missing(format!("There is no ticket `{reference}`.")))?;
    let whole = seen.web.backend.ticket(id).await?;
    Ok(Page(whole_page(&seen, whole, Typed(Vec::new()), "", "").await).into_response())
}

/// The page of the ticket once more, with what was typed and why it was not taken.
pub(super) async fn again(
    seen: &Seen,
    act: &str,
    typed: &Typed,
    error: &str,
    status: StatusCode,
) -> Result<Response, Failure> {
    let reference = typed.get("ticket");
    let id =
        ticket_id(reference).ok_or_else(|| Failure::Missing(format!("There is no ticket `{reference}`.")))?;
    let whole = seen.web.backend.ticket(id).await?;
    let page = whole_page(seen, whole, Typed(typed.0.clone()), act, error).await;
    Ok((status, Page(page)).into_response())
}

async fn whole_page(seen: &Seen, whole: TicketWithNotes, typed: Typed, act: &str, error: &str) -> TicketPage {
    let ticket = &whole.ticket;
    let view = view(seen, ticket);
    let mut frame = seen.frame(format!("{} {}", view.reference, view.title), "tickets");
    // Where the forms lead back to, also when this is the answer to one of them.
    frame.path = format!("/tickets/{}", view.reference);
    let me = seen.author().to_string();
    let delete = if seen.may(Role::Admin) { view.reference.clone() } else { String::new() };
    let field = |(key, name): &(&'static str, &'static str)| {
        FieldView::of(key, name, ticket.fields.get(*key).map(|text| &**text).unwrap_or_default())
    };
    let links = documents::of_ticket(&seen.world, ticket);
    let asks = (ticket.head.id, view.reference.clone(), view.is_closed);
    let knowledge = KnowledgeView::of(seen, links, ticket.head.subject.clone(), Some(asks)).await;
    TicketPage {
        knowledge,
        frame,
        text: ticket.text.to_string(),
        priority_text: ticket.priority.to_string(),
        tags_text: view.tags.join(" "),
        version: ticket.head.version,
        notes: whole.notes.iter().map(|note| note_view(seen, note, &whole.files, &delete)).collect(),
        files: FileList::of(of_no_note(&whole), &delete),
        limit: files::size(seen.web.backend.files().limits().one),
        fields: ticket.head.class.fields().iter().map(field).collect(),
        is_subscribed: whole.subscribers.iter().any(|name| name.eq_ignore_ascii_case(&me)),
        subscribers: whole.subscribers.iter().map(ToString::to_string).collect(),
        me,
        types: type_names(seen).await,
        names: tickets::names(seen).await.iter().map(ToString::to_string).collect(),
        may_delete: seen.may(Role::Admin),
        suppressions: seen
            .world
            .records
            .suppressions
            .values()
            .filter(|one| one.ticket == Some(ticket.head.reference()))
            .map(|one| SuppressionRow::in_force(seen, one))
            .collect(),
        ticket: view,
        typed,
        act: act.to_owned(),
        error: error.to_owned(),
    }
}

/// `AVA01`, or the bare number.
pub(crate) fn ticket_id(text: &str) -> Option<vigia_core::model::id::TicketId> {
    let number = || text.parse().ok().map(vigia_core::model::id::TicketId);
    Reference::parse(text).map(|reference| reference.id).or_else(number)
}

fn view(seen: &Seen, ticket: &Ticket) -> TicketView {
    let head = &ticket.head;
    TicketView {
        reference: head.reference().to_string(),
        class: head.class.word(),
        title: ticket.title.to_string(),
        priority: ticket.priority,
        priority_word: PriorityWord::of(ticket.priority).word(),
        created: seen.eyes.moment(head.opened),
        life: life(head.opened, head.closed.unwrap_or(seen.eyes.now)),
        in_charge: ticket.in_charge.as_deref().unwrap_or_default().to_owned(),
        submitter: ticket.submitter.to_string(),
        r#type: ticket.r#type.to_string(),
        status: head.status.word(),
        is_closed: !head.is_open(),
        closed: head.closed.map(|at| seen.eyes.moment(at)),
        resolution: ticket.resolution.as_deref().unwrap_or_default().to_owned(),
        reopened: ticket.reopened,
        tags: ticket.tags.iter().map(ToString::to_string).collect(),
        subject: head.subject.as_ref().map(|key| (href(key), key.to_string())),
        alarm: ticket.alarm.map(|alarm| alarm.0),
        rule: head.rule.as_deref().unwrap_or_default().to_owned(),
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

/// Files that came with the ticket itself.
fn of_no_note(whole: &TicketWithNotes) -> impl Iterator<Item = &Attachment> {
    let is_claimed = |file: &Attachment| whole.notes.iter().any(|note| Some(note.id) == file.note);
    whole.files.iter().filter(move |file| !is_claimed(file))
}

fn note_view(seen: &Seen, note: &Note, files: &[Attachment], delete: &str) -> NoteView {
    NoteView {
        id: note.id,
        author: note.author.to_string(),
        at: seen.eyes.moment(note.at),
        text: note.note.text.to_string(),
        action: note.note.action.as_deref().unwrap_or_default().to_owned(),
        changes: note.changes.clone(),
        files: FileList::of(files.iter().filter(|file| file.note == Some(note.id)), delete),
    }
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
