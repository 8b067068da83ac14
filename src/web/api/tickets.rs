//! Tickets, their types and tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use vigia_core::model::id::{AlarmId, TicketId};
use vigia_core::model::operation::{Operation, TicketEdit, TicketNote};
use vigia_core::model::ticket::{PriorityWord, TicketStatus};

use super::acts::{Body, Named, When, done, said as time_said};
use super::{list as listed, seconds};
use crate::web::backend::{Done, Note, Ticket, TypeChange};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::orders::{self, TicketFields};
use crate::web::pages::tickets::ticket_id;
use crate::web::query::{MOST, Pairs};
use crate::web::tickets::{self, Asked};

/// `limit` and `offset` where pages have numbers.
pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let mut filter = Asked::parse(&pairs, &seen)?.filter;
    filter.slice.limit = number("limit").unwrap_or(filter.slice.limit).clamp(1, MOST);
    filter.slice.offset = number("offset").unwrap_or(filter.slice.offset);
    let (total, tickets) = seen.web.backend.tickets(filter).await?;
    Ok(Json(listed(total, tickets.iter().map(|ticket| item(&seen, ticket)).collect())))
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Failure> {
    let whole = seen.web.backend.ticket(numbered(&reference)?).await?;
    let mut item = item(&seen, &whole.ticket);
    if let Some(fields) = item.as_object_mut() {
        fields.insert("notes".to_owned(), whole.notes.iter().map(note_item).collect());
        fields.insert("attachments".to_owned(), whole.files.iter().map(super::files::item).collect());
        fields.insert("subscribers".to_owned(), whole.subscribers.iter().map(|name| &**name).collect());
    }
    Ok(Json(item))
}

fn numbered(reference: &str) -> Result<TicketId, Failure> {
    ticket_id(reference).ok_or_else(|| Failure::Missing(format!("there is no ticket `{reference}`")))
}

fn item(seen: &Seen, ticket: &Ticket) -> Value {
    let head = &ticket.head;
    let fields: BTreeMap<&str, &str> = ticket.fields.iter().map(|(key, text)| (&**key, &**text)).collect();
    json!({
        "id": head.id.0,
        "reference": head.reference().to_string(),
        "version": head.version,
        "class": head.class.word(),
        "type": &*ticket.r#type,
        "title": &*ticket.title,
        "text": &*ticket.text,
        "status": head.status.word(),
        "resolution": ticket.resolution.as_deref(),
        "priority": ticket.priority,
        "priority_word": PriorityWord::of(ticket.priority).word(),
        "in_charge": ticket.in_charge.as_deref(),
        "submitter": &*ticket.submitter,
        "tags": ticket.tags.iter().map(|tag| &**tag).collect::<Vec<&str>>(),
        "fields": fields,
        "host_name": head.subject.as_ref().map(|key| &*key.host),
        "description": head.subject.as_ref().and_then(|key| key.service.as_deref()),
        "alarm": ticket.alarm.map(|alarm| alarm.0),
        "rule": head.rule.as_deref(),
        "opened": head.opened.as_second(),
        "updated": head.updated.as_second(),
        "closed": seconds(head.closed),
        "reopened": ticket.reopened,
        "life_time": ticket.life_time(seen.eyes.now).as_secs(),
    })
}

fn note_item(note: &Note) -> Value {
    let changes = note
        .changes
        .iter()
        .map(|change| json!({"field": change.field, "before": change.before, "after": change.after}));
    json!({
        "id": note.id,
        "at": note.at.as_second(),
        "author": &*note.author,
        "text": &*note.note.text,
        "action": note.note.action.as_deref(),
        "status": note.note.status.map(TicketStatus::word),
        "priority": note.note.priority,
        "in_charge": note.note.in_charge.as_deref(),
        "resolution": note.note.resolution.as_deref(),
        "changes": changes.collect::<Vec<Value>>(),
    })
}

#[derive(Deserialize)]
pub(crate) struct New {
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    r#type: String,
    priority: Option<u8>,
    #[serde(default)]
    in_charge: String,
    host: Option<String>,
    service: Option<String>,
    alarm: Option<u64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

pub(crate) async fn open(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<New>,
) -> Result<Json<Value>, Failure> {
    let subject = asked.host.clone().map(|host| Named { host, service: asked.service.clone() }.key());
    let ticket = orders::new_ticket(TicketFields {
        title: &asked.title,
        text: &asked.text,
        class: &asked.class,
        r#type: tickets::known_type(&seen, &asked.r#type).await?,
        priority: &asked.priority.map(|number| number.to_string()).unwrap_or_default(),
        in_charge: tickets::known_name(&seen, "in_charge", &asked.in_charge).await?,
        tags: &asked.tags.join(","),
        fields: asked.fields.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect(),
        subject,
        alarm: asked.alarm.map(AlarmId),
    })?;
    let answer = seen.give(Operation::OpenTicket { ticket: Box::new(ticket) }).await?;
    Ok(done(opened(&answer), &answer))
}

fn opened(answer: &Done) -> String {
    answer.ticket.map_or_else(|| "ticket opened".to_owned(), |reference| format!("ticket {reference} opened"))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    text: String,
    action: String,
    status: String,
    priority: Option<u8>,
    in_charge: String,
    resolution: String,
    /// Of a false positive; none: for good.
    expires: Option<When>,
    /// The version that was looked at; none: whichever it is.
    version: Option<u32>,
}

async fn give_note(
    seen: &Seen,
    reference: &str,
    version: Option<u32>,
    note: TicketNote,
    what: &str,
) -> Result<Json<Value>, Failure> {
    let id = numbered(reference)?;
    let answer = seen.give(Operation::NoteTicket { id, version, note: Box::new(note) }).await?;
    Ok(done(format!("ticket {reference} {what}"), &answer))
}

pub(crate) async fn note(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Said>,
) -> Result<Json<Value>, Failure> {
    let note = TicketNote {
        text: orders::text("text", &asked.text)?,
        action: orders::some(&asked.action),
        status: tickets::status(&asked.status)?,
        priority: orders::priority(&asked.priority.map(|number| number.to_string()).unwrap_or_default())?,
        in_charge: tickets::known_name(&seen, "in_charge", &asked.in_charge).await?,
        resolution: orders::some(&asked.resolution),
        ..TicketNote::default()
    };
    give_note(&seen, &reference, asked.version, note, "noted").await
}

pub(crate) async fn close(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Said>,
) -> Result<Json<Value>, Failure> {
    let note =
        orders::closing(&asked.resolution, &asked.text, &time_said(asked.expires.as_ref()), &seen.eyes)?;
    give_note(&seen, &reference, asked.version, note, "closed").await
}

pub(crate) async fn reopen(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Said>,
) -> Result<Json<Value>, Failure> {
    let text = orders::text("text", &asked.text)?;
    let note = TicketNote { text, status: Some(TicketStatus::Open), ..TicketNote::default() };
    give_note(&seen, &reference, asked.version, note, "reopened").await
}

/// What is not said stays.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Edited {
    title: Option<String>,
    text: Option<String>,
    r#type: Option<String>,
    priority: Option<u8>,
    /// `null`: nobody.
    #[serde(deserialize_with = "said")]
    in_charge: Option<Option<String>>,
    tags: Option<Vec<String>>,
    fields: Option<BTreeMap<String, String>>,
    version: Option<u32>,
}

/// A field that was sent, be it as `null`.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

pub(crate) async fn edit(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Edited>,
) -> Result<Json<Value>, Failure> {
    let id = numbered(&reference)?;
    let fields = match &asked.fields {
        Some(fields) => {
            let class = seen.web.backend.ticket(id).await?.ticket.head.class;
            let fields = fields.iter().map(|(key, text)| (key.as_str(), text.as_str()));
            Some(tickets::fields(class, fields)?)
        }
        None => None,
    };
    let in_charge: Option<Option<Arc<str>>> = match &asked.in_charge {
        Some(name) => {
            Some(tickets::known_name(&seen, "in_charge", name.as_deref().unwrap_or_default()).await?)
        }
        None => None,
    };
    let edit = TicketEdit {
        title: asked.title.as_deref().map(orders::title).transpose()?,
        text: asked.text.as_deref().map(|text| orders::maybe_text("text", text)).transpose()?,
        r#type: tickets::known_type(&seen, asked.r#type.as_deref().unwrap_or_default()).await?,
        priority: orders::priority(&asked.priority.map(|number| number.to_string()).unwrap_or_default())?,
        in_charge,
        tags: asked.tags.map(|tags| tickets::tags(&tags.join(","))),
        fields,
    };
    if edit == TicketEdit::default() {
        return Err(Failure::Wrong(
            "nothing is said that could be changed; docs/api.md has the fields".to_owned(),
        ));
    }
    let answer =
        seen.give(Operation::EditTicket { id, version: asked.version, edit: Box::new(edit) }).await?;
    Ok(done(format!("ticket {reference} changed"), &answer))
}

pub(crate) async fn delete(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Failure> {
    let answer = seen.give(Operation::DeleteTicket { id: numbered(&reference)? }).await?;
    Ok(done(format!("ticket {reference} deleted"), &answer))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Who {
    /// Empty: whoever asks.
    name: String,
}

async fn hear(seen: &Seen, reference: &str, asked: Who, is_to: bool) -> Result<Json<Value>, Failure> {
    let id = numbered(reference)?;
    let name =
        if is_to { tickets::known_name(seen, "name", &asked.name).await? } else { orders::some(&asked.name) };
    let name = name.unwrap_or_else(|| seen.author());
    seen.web.backend.subscribe(id, name.to_string(), is_to, seen.by()).await?;
    let verb = if is_to { "hears of" } else { "does not hear of" };
    Ok(Json(json!({ "message": format!("{name} {verb} {reference}") })))
}

pub(crate) async fn subscribe(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Who>,
) -> Result<Json<Value>, Failure> {
    hear(&seen, &reference, asked, true).await
}

pub(crate) async fn unsubscribe(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    Body(asked): Body<Who>,
) -> Result<Json<Value>, Failure> {
    hear(&seen, &reference, asked, false).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Linked {
    ticket: Option<String>,
    title: Option<String>,
}

/// Links the alarm to a ticket, or opens one for it.
pub(crate) async fn for_alarm(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Linked>,
) -> Result<Json<Value>, Failure> {
    let alarm = seen.web.backend.alarm(AlarmId(id)).await?;
    if let Some(reference) = asked.ticket {
        let ticket = numbered(&reference)?;
        let answer = seen.give(Operation::LinkAlarm { alarm: AlarmId(id), ticket }).await?;
        return Ok(done(format!("alarm {id} linked to {reference}"), &answer));
    }
    let title = asked.title.unwrap_or_else(|| format!("{} is {}", alarm.subject, alarm.state));
    let fields = TicketFields {
        title: &title,
        text: &alarm.output,
        subject: Some(alarm.subject.clone()),
        alarm: Some(AlarmId(id)),
        ..TicketFields::default()
    };
    let ticket = orders::new_ticket(fields)?;
    let answer = seen.give(Operation::OpenTicket { ticket: Box::new(ticket) }).await?;
    Ok(done(opened(&answer), &answer))
}

pub(crate) async fn tags(Extension(seen): Extension<Seen>) -> Result<Json<Value>, Failure> {
    let tags = seen.web.backend.ticket_tags().await?;
    let items: Vec<Value> =
        tags.iter().map(|(name, tickets)| json!({"name": name, "tickets": tickets})).collect();
    Ok(Json(listed(items.len(), items)))
}

pub(crate) async fn types(Extension(seen): Extension<Seen>) -> Result<Json<Value>, Failure> {
    let types = seen.web.backend.ticket_types().await?;
    let item = |one: &crate::web::backend::TicketType| json!({"name": one.name, "description": one.description, "is_system": one.is_system, "tickets": one.tickets});
    Ok(Json(listed(types.len(), types.iter().map(item).collect())))
}

#[derive(Deserialize)]
pub(crate) struct TypeSaid {
    name: String,
    #[serde(default)]
    description: String,
}

pub(crate) async fn add_type(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<TypeSaid>,
) -> Result<Json<Value>, Failure> {
    let (name, description) = tickets::type_said(&asked.name, &asked.description)?;
    seen.web
        .backend
        .change_ticket_type(TypeChange::Add { name: name.clone(), description }, seen.by())
        .await?;
    Ok(Json(json!({ "message": format!("ticket type {name} added") })))
}

pub(crate) async fn change_type(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Body(asked): Body<TypeSaid>,
) -> Result<Json<Value>, Failure> {
    let (to, description) = tickets::type_said(&asked.name, &asked.description)?;
    let change = TypeChange::Change { name: name.clone(), to, description };
    seen.web.backend.change_ticket_type(change, seen.by()).await?;
    Ok(Json(json!({ "message": format!("ticket type {name} changed") })))
}

pub(crate) async fn delete_type(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let moved =
        seen.web.backend.change_ticket_type(TypeChange::Delete { name: name.clone() }, seen.by()).await?;
    let message = format!("ticket type {name} deleted; {moved} tickets are Generic now");
    Ok(Json(json!({ "message": message, "moved": moved })))
}
