//! What is done to tickets from their pages: to one, or to those that are ticked.

use std::sync::Arc;

use vigia_core::model::id::{AlarmId, TicketId};
use vigia_core::model::operation::{Operation, TicketEdit, TicketNote};
use vigia_core::model::ticket::TicketStatus;

use super::act::{Asked, Not, Outcome, said};
use super::tickets::ticket_id;
use crate::desk::Role;
use crate::desk::files::Received;
use crate::web::backend::{Place, Ticket, Trouble};
use crate::web::error::Failure;
use crate::web::frame::{Said, Seen};
use crate::web::house::who;
use crate::web::orders::{self, FieldError, TicketFields};
use crate::web::tickets;

/// Rows that one act may be for.
const MOST: usize = 1000;

/// Acts of the page of one ticket; what is wrong with them is said there.
pub(super) fn is_of_one(act: &str) -> bool {
    matches!(
        act,
        "note-ticket"
            | "close-ticket"
            | "reopen-ticket"
            | "edit-ticket"
            | "delete-ticket"
            | "delete-attachment"
            | "subscribe-ticket"
            | "unsubscribe-ticket"
    )
}

pub(super) async fn open(seen: &Seen, asked: &Asked, files: Vec<Received>) -> Outcome {
    let class = tickets::class(asked.get("class"))?;
    let own = class.map(|class| class.fields()).unwrap_or_default();
    let ticket = orders::new_ticket(TicketFields {
        title: asked.get("title"),
        text: asked.get("text"),
        class: asked.get("class"),
        r#type: tickets::known_type(seen, asked.get("type")).await?,
        priority: asked.get("priority"),
        in_charge: tickets::known_name(seen, "in charge", asked.get("in_charge")).await?,
        tags: asked.get("tags"),
        fields: own.iter().map(|(key, _)| (*key, asked.get(&format!("field-{key}")))).collect(),
        subject: asked.objects().into_iter().next(),
        alarm: asked.get("alarm").parse().ok().map(AlarmId),
    })?;
    let done = seen.give(Operation::OpenTicket { ticket: Box::new(ticket) }).await?;
    let Some(reference) = done.ticket else { return said("Ticket opened") };
    let mut text = format!("Ticket {reference} opened");
    if !files.is_empty() {
        let attached =
            seen.web.backend.files().attach(&who(seen.by()), Place::Ticket(reference.id), files).await;
        // The ticket is there: whoever opened it must not send it again.
        if let Err(trouble) = attached {
            text.push_str(&format!(", without its files: {}", Trouble::from(trouble)));
        }
    }
    let told = Said { text, undo: None };
    Ok((told, Some(format!("/tickets/{reference}"))))
}

pub(super) async fn perform(seen: &Seen, act: &str, asked: &Asked, files: Vec<Received>) -> Outcome {
    let reference = asked.get("ticket");
    let id = numbered(reference)?;
    let version = asked.get("version").parse().ok();
    match act {
        "edit-ticket" => {
            let edit = Box::new(edit(seen, id, asked).await?);
            seen.give(Operation::EditTicket { id, version, edit }).await?;
            said(format!("Ticket {reference} changed"))
        }
        "delete-ticket" if seen.may(Role::Admin) => {
            seen.give(Operation::DeleteTicket { id }).await?;
            let told = Said { text: format!("Ticket {reference} deleted"), undo: None };
            Ok((told, Some("/tickets".to_owned())))
        }
        "delete-attachment" if seen.may(Role::Admin) => {
            let number = asked.get("attachment").parse().unwrap_or_default();
            let files = seen.web.backend.files();
            let gone = files.delete(&who(seen.by()), number).await.map_err(Trouble::from)?;
            said(format!("{} deleted", gone.file.name))
        }
        "delete-ticket" | "delete-attachment" => Err(Failure::Forbidden { needs: Role::Admin }.into()),
        "subscribe-ticket" | "unsubscribe-ticket" => {
            let is_to = act == "subscribe-ticket";
            let name = match is_to {
                true => tickets::known_name(seen, "name", asked.get("name")).await?,
                false => orders::some(asked.get("name")),
            };
            let name = name.unwrap_or_else(|| seen.author()).to_string();
            seen.web.backend.subscribe(id, name.clone(), is_to, seen.by()).await?;
            let verb = if is_to { "hears of each change from now on" } else { "hears of it no more" };
            said(format!("{name} {verb}"))
        }
        _ => {
            let (note, what) = note(seen, act, asked, &files).await?;
            note_with_files(seen, id, version, note, files).await.map_err(of_files)?;
            said(format!("Ticket {reference} {what}"))
        }
    }
}

fn numbered(reference: &str) -> Result<TicketId, Failure> {
    ticket_id(reference).ok_or_else(|| Failure::Missing(format!("There is no ticket `{reference}`.")))
}

/// What is wrong with the files is said beside them.
fn of_files(trouble: Trouble) -> Not {
    match trouble {
        Trouble::Refused(text) => Not::Field(FieldError { field: "note", text }),
        other => other.into(),
    }
}

/// A note and what is attached with it: both are there, or neither.
pub(crate) async fn note_with_files(
    seen: &Seen,
    id: TicketId,
    version: Option<u32>,
    note: TicketNote,
    received: Vec<Received>,
) -> Result<Vec<u64>, Trouble> {
    let order = Operation::NoteTicket { id, version, note: Box::new(note) };
    if received.is_empty() {
        return seen.give(order).await.map(|_done| Vec::new());
    }
    let files = seen.web.backend.files();
    let ids = files.attach(&who(seen.by()), Place::Ticket(id), received).await?;
    match seen.give(order).await {
        Ok(_) => files.came_with_note(ids.clone(), &seen.author()).await?,
        // The note is in effect, and they belong to it.
        Err(trouble @ Trouble::Unsaved(_)) => return Err(trouble),
        Err(trouble) => {
            if let Err(error) = files.withdraw(ids).await {
                tracing::warn!(event = "files.withdraw", error = %crate::telemetry::Chain(&error), "files of a note that was refused stay with its ticket");
            }
            return Err(trouble);
        }
    }
    Ok(ids)
}

/// What a note says; one that only brings files says which.
pub(crate) fn said_of(files: &[Received], text: &str) -> Result<Arc<str>, FieldError> {
    if files.is_empty() || !text.trim().is_empty() {
        return orders::text("text", text);
    }
    let names: Vec<&str> = files.iter().map(Received::name).collect();
    Ok(format!("Attached {}.", names.join(", ")).into())
}

async fn note(
    seen: &Seen,
    act: &str,
    asked: &Asked,
    files: &[Received],
) -> Result<(TicketNote, &'static str), Not> {
    Ok(match act {
        "close-ticket" => (closing(seen, asked)?, "closed"),
        "reopen-ticket" => {
            let text = orders::text("text", asked.get("text"))?;
            (TicketNote { text, status: Some(TicketStatus::Open), ..TicketNote::default() }, "reopened")
        }
        _ => {
            let note = TicketNote {
                text: said_of(files, asked.get("text"))?,
                action: orders::some(asked.get("action")),
                status: tickets::status(asked.get("status"))?,
                priority: orders::priority(asked.get("priority"))?,
                in_charge: tickets::known_name(seen, "in charge", asked.get("in_charge")).await?,
                ..TicketNote::default()
            };
            (note, "noted")
        }
    })
}

fn closing(seen: &Seen, asked: &Asked) -> Result<TicketNote, FieldError> {
    orders::closing(asked.get("resolution"), asked.get("text"), asked.get("expires"), &seen.eyes)
}

async fn edit(seen: &Seen, id: TicketId, asked: &Asked) -> Result<TicketEdit, Not> {
    let class = seen.web.backend.ticket(id).await?.ticket.head.class;
    let keys = class.fields().iter().map(|(key, _)| (*key, format!("field-{key}")));
    let said: Vec<(&str, &str)> = keys.map(|(key, name)| (key, asked.get(&name))).collect();
    Ok(TicketEdit {
        title: Some(orders::title(asked.get("title"))?),
        text: Some(orders::maybe_text("text", asked.get("text"))?),
        r#type: tickets::known_type(seen, asked.get("type")).await?,
        priority: orders::priority(asked.get("priority"))?,
        in_charge: Some(tickets::known_name(seen, "in charge", asked.get("in_charge")).await?),
        tags: Some(tickets::tags(asked.get("tags"))),
        fields: Some(tickets::fields(class, said.into_iter())?),
    })
}

/// The same for each that is ticked. What is refused for one is done for the others, and said.
pub(super) async fn many(seen: &Seen, asked: &Asked) -> Outcome {
    let ticked = asked.0.iter().filter(|(name, _)| name == "ticket").map(|(_, reference)| reference.as_str());
    let ticked: Vec<&str> = ticked.take(MOST).collect();
    if ticked.is_empty() {
        let text = "Nothing is ticked. Go back and tick the tickets that are meant.".to_owned();
        return Err(Failure::Wrong(text).into());
    }
    let wanted = Wanted::of(seen, asked).await.map_err(as_page)?;
    let (mut done, mut refused) = (0_usize, Vec::new());
    for reference in ticked {
        match one_of_many(seen, reference, &wanted).await {
            Ok(()) => done += 1,
            Err(trouble @ Trouble::Unavailable(_)) => return Err(trouble.into()),
            Err(trouble) => refused.push(format!("{reference}: {trouble}")),
        }
    }
    let tickets = if done == 1 { "ticket" } else { "tickets" };
    let mut text = format!("{done} {tickets} {}", wanted.told());
    if let Some(first) = refused.first() {
        text.push_str(&format!("; refused for {}, first {first}", refused.len()));
    }
    said(text)
}

/// The list has no form to show a mistake in.
fn as_page(not: Not) -> Not {
    match not {
        Not::Field(error) => Not::Done(error.into()),
        done @ Not::Done(_) => done,
    }
}

enum Wanted {
    Note(TicketNote, String),
    Tag(Arc<str>),
    Untag(Arc<str>),
}

impl Wanted {
    async fn of(seen: &Seen, asked: &Asked) -> Result<Self, Not> {
        let note = |note: TicketNote, what: &str| Self::Note(note, what.to_owned());
        Ok(match asked.get("do") {
            "close" => note(closing(seen, asked)?, "closed"),
            "transfer" => {
                let in_charge = tickets::known_name(seen, "in charge", asked.get("in_charge")).await?;
                let Some(name) = &in_charge else {
                    return orders::wrong("in charge", "say who").map_err(Not::from);
                };
                let what = format!("given to {name}");
                note(TicketNote { in_charge, ..TicketNote::default() }, &what)
            }
            "priority" => {
                let priority = orders::priority(asked.get("priority"))?;
                if priority.is_none() {
                    return orders::wrong("priority", "a number from 1 to 10").map_err(Not::from);
                }
                note(TicketNote { priority, ..TicketNote::default() }, "changed")
            }
            "tag" => Self::Tag(orders::text("tag", asked.get("tag"))?),
            "untag" => Self::Untag(orders::text("tag", asked.get("tag"))?),
            _ => return Err(Failure::Wrong("Say what is to be done with them.".to_owned()).into()),
        })
    }

    fn told(&self) -> String {
        match self {
            Self::Note(_, what) => what.clone(),
            Self::Tag(tag) => format!("tagged {tag}"),
            Self::Untag(tag) => format!("without {tag}"),
        }
    }
}

async fn one_of_many(seen: &Seen, reference: &str, wanted: &Wanted) -> Result<(), Trouble> {
    let id = ticket_id(reference).ok_or_else(|| Trouble::Missing("there is no such ticket".to_owned()))?;
    let operation = match wanted {
        Wanted::Note(note, _) => Operation::NoteTicket { id, version: None, note: Box::new(note.clone()) },
        Wanted::Tag(tag) => tagged(seen.web.backend.ticket(id).await?.ticket, |tags| tags.push(tag.clone())),
        Wanted::Untag(tag) => {
            tagged(seen.web.backend.ticket(id).await?.ticket, |tags| tags.retain(|other| other != tag))
        }
    };
    seen.give(operation).await.map(|_done| ())
}

/// With the version that its tags are of: nobody's tag gets lost in between.
fn tagged(ticket: Ticket, change: impl Fn(&mut Vec<Arc<str>>)) -> Operation {
    let mut tags = ticket.tags;
    change(&mut tags);
    let edit = Box::new(TicketEdit { tags: Some(tags), ..TicketEdit::default() });
    Operation::EditTicket { id: ticket.head.id, version: Some(ticket.head.version), edit }
}
