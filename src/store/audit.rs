//! Who did what. Subjects are kept as they were called then; a rename changes nothing here.

use rusqlite::{Connection, Row, params};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::operation::{NewTicket, Operation, Order, Switch, TicketEdit, TicketNote};
use vigia_core::model::ticket::TicketStatus;
use vigia_core::model::time::Timestamp;

use super::query::{Conditions, Page, Slice};
use super::rows::{time, unsigned};

/// One act of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub at: Timestamp,
    pub author: String,
    /// Where the person sat: an address, `socket`; none where it is not known.
    pub peer: Option<String>,
    /// A verb: `acknowledge`, `login`, `add-user`.
    pub action: String,
    pub subject: String,
    /// What else there is to say, old and new values among it. Never a secret.
    pub detail: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine {
    pub id: u64,
    pub act: Act,
}

/// Which lines, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub author: Option<String>,
    pub action: Option<String>,
    /// In subject or detail.
    pub text: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub slice: Slice,
}

pub fn insert(connection: &Connection, act: &Act) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit (at, author, peer, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            act.at.as_micros(),
            act.author,
            act.peer,
            act.action,
            act.subject,
            act.detail.to_string(),
        ])?;
    Ok(())
}

pub fn list(connection: &Connection, filter: &AuditFilter) -> rusqlite::Result<Page<AuditLine>> {
    let mut conditions = Conditions::default();
    if let Some(author) = &filter.author {
        conditions.with("author = ?", author.clone());
    }
    if let Some(action) = &filter.action {
        conditions.with("action = ?", action.clone());
    }
    if let Some(text) = &filter.text {
        conditions.contains(&["subject", "detail"], text);
    }
    if let Some(from) = filter.from {
        conditions.with("at >= ?", from.as_micros());
    }
    if let Some(to) = filter.to {
        conditions.with("at < ?", to.as_micros());
    }
    let select = "SELECT id, at, author, peer, action, subject, detail FROM audit";
    Ok(Page {
        total: conditions.count(connection, "audit")?,
        items: conditions.rows(connection, select, "id DESC", filter.slice, read)?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditLine> {
    let detail = serde_json::from_str(row.get_ref(6)?.as_str()?).unwrap_or_default();
    let act = Act {
        at: row.get(1).map(time)?,
        author: row.get(2)?,
        peer: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        detail,
    };
    Ok(AuditLine { id: row.get(0).map(unsigned)?, act })
}

/// What the audit says of an order that the engine took.
pub(super) fn of_order(order: &Order, at: Timestamp) -> Act {
    let (action, subject, detail) = describe(&order.operation);
    let (action, author) = (action.to_owned(), order.author.to_string());
    Act { at, author, peer: None, action, subject, detail }
}

fn describe(operation: &Operation) -> (&'static str, String, serde_json::Value) {
    use serde_json::json;
    let of = ObjectKey::to_string;
    match operation {
        Operation::Acknowledge { subject, comment, until, notify, keeps_comment, expires } => (
            "acknowledge",
            of(subject),
            json!({"comment": **comment, "until": until.word(), "notify": notify, "keep_comment": keeps_comment,
                   "expires": expires.map(Timestamp::as_second)}),
        ),
        Operation::RemoveAcknowledgement { subject } => ("remove-acknowledgement", of(subject), json!({})),
        Operation::AddComment { subject, text } => ("comment", of(subject), json!({"text": **text})),
        Operation::DeleteComment { id } => ("delete-comment", id.to_string(), json!({})),
        Operation::ScheduleDowntime { subject, start, end, kind, comment, triggered_by } => (
            "schedule-downtime",
            of(subject),
            json!({"start": start.as_second(), "end": end.as_second(), "comment": **comment,
                   "flexible": super::rows::flexible(*kind).map(|span| span / 1_000_000),
                   "triggered_by": triggered_by.map(|id| id.0)}),
        ),
        Operation::CancelDowntime { id } => ("cancel-downtime", id.to_string(), json!({})),
        Operation::Recheck { subject, at, forced } => {
            ("recheck", of(subject), json!({"at": at.as_second(), "forced": forced}))
        }
        Operation::SubmitResult { subject, output, .. } => {
            ("submit-result", of(subject), json!({"output": *output.text}))
        }
        Operation::Switch { subject, switch } => ("switch", of(subject), switch_detail(*switch)),
        Operation::SwitchNotifications { on } => ("switch-notifications", String::new(), json!({"on": on})),
        Operation::Notify { subject, text, how } => (
            "notify",
            of(subject),
            json!({"text": **text, "broadcast": how.broadcast, "forced": how.forced, "counted": how.counted}),
        ),
        Operation::DelayNotification { subject, until } => {
            ("delay-notification", of(subject), json!({"until": until.as_second()}))
        }
        Operation::OpenTicket { ticket } => ("open-ticket", ticket.title.to_string(), ticket_detail(ticket)),
        Operation::NoteTicket { id, version: _, note } => ("note-ticket", id.to_string(), note_detail(note)),
        Operation::EditTicket { id, version: _, edit } => ("edit-ticket", id.to_string(), edit_detail(edit)),
        Operation::DeleteTicket { id } => ("delete-ticket", id.to_string(), json!({})),
        Operation::LinkAlarm { alarm, ticket } => {
            ("link-alarm", alarm.to_string(), json!({"ticket": ticket.0}))
        }
        Operation::OwnAlarm { alarm, owner } => {
            ("own-alarm", alarm.to_string(), json!({"owner": owner.as_deref()}))
        }
        Operation::LabelAlarm { alarm, label, set } => {
            ("label-alarm", alarm.to_string(), json!({"label": **label, "set": set}))
        }
        Operation::CloseAlarm { alarm, comment, false_positive } => (
            "close-alarm",
            alarm.to_string(),
            json!({"comment": **comment, "false_positive": false_positive.is_some(),
                   "expires": false_positive.as_ref().and_then(|how| how.expires).map(Timestamp::as_second)}),
        ),
        Operation::CommentAlarm { alarm, text } => {
            ("comment-alarm", alarm.to_string(), json!({"text": **text}))
        }
        Operation::ReopenAlarm { alarm, comment } => {
            ("reopen-alarm", alarm.to_string(), json!({"comment": **comment}))
        }
        Operation::RevokeSuppression { id } => ("revoke-suppression", id.to_string(), json!({})),
    }
}

/// A switch as one name and one value.
pub(super) fn switch_words(switch: Switch) -> (&'static str, serde_json::Value) {
    match switch {
        Switch::ActiveChecks(on) => ("active_checks", on.into()),
        Switch::PassiveChecks(on) => ("passive_checks", on.into()),
        Switch::Notifications(on) => ("notifications", on.into()),
        Switch::FlapDetection(on) => ("flap_detection", on.into()),
        Switch::EventHandler(on) => ("event_handler", on.into()),
        Switch::MaxCheckAttempts(most) => ("max_check_attempts", most.into()),
    }
}

fn switch_detail(switch: Switch) -> serde_json::Value {
    let (name, value) = switch_words(switch);
    serde_json::json!({ name: value })
}

fn ticket_detail(ticket: &NewTicket) -> serde_json::Value {
    serde_json::json!({
        "class": ticket.class.word(), "type": *ticket.r#type, "priority": ticket.priority,
        "in_charge": ticket.in_charge.as_deref(), "about": ticket.subject.as_ref().map(ObjectKey::to_string),
    })
}

/// The old values are in the ticket's history.
fn edit_detail(edit: &TicketEdit) -> serde_json::Value {
    let mut detail = serde_json::Map::new();
    let texts = [("title", &edit.title), ("text", &edit.text), ("type", &edit.r#type)];
    for (name, text) in texts {
        if let Some(text) = text {
            detail.insert(name.to_owned(), (**text).into());
        }
    }
    if let Some(priority) = edit.priority {
        detail.insert("priority".to_owned(), priority.into());
    }
    if let Some(in_charge) = &edit.in_charge {
        detail.insert("in_charge".to_owned(), in_charge.as_deref().into());
    }
    if let Some(tags) = &edit.tags {
        detail.insert("tags".to_owned(), tags.iter().map(|tag| &**tag).collect());
    }
    if let Some(fields) = &edit.fields {
        let fields = fields.iter().map(|(name, text)| (name.to_string(), (**text).into()));
        detail.insert("fields".to_owned(), serde_json::Value::Object(fields.collect()));
    }
    detail.into()
}

fn note_detail(note: &TicketNote) -> serde_json::Value {
    serde_json::json!({
        "text": *note.text, "action": note.action.as_deref(), "status": note.status.map(TicketStatus::word),
        "resolution": note.resolution.as_deref(), "priority": note.priority,
        "in_charge": note.in_charge.as_deref(),
        "expires": note.false_positive.expires.map(Timestamp::as_second),
    })
}
