//! A message ↔ its row. What is searched for has columns; the rest is JSON.

use std::sync::Arc;

use rusqlite::Row;
use serde_json::{Value, json};
use vigia_core::model::check::Output;
use vigia_core::model::id::{Name, ObjectKey, ProblemId, TicketId};
use vigia_core::model::message::{About, Digest, DigestEntry, Message, MessageKind, Notice, TicketMail};
use vigia_core::model::state::{AnyState, HostState};
use vigia_core::model::ticket::{Reference, TicketClass};
use vigia_core::model::time::Timestamp;

use crate::store::rows;

/// The kind of a summary.
pub(super) const DIGEST: &str = "DIGEST";

/// The kind of what is said of a ticket.
const TICKET: &str = "TICKET";

fn ticket_detail(mail: &TicketMail) -> Value {
    json!({
        "ticket": mail.reference.to_string(), "what": *mail.what, "subject": *mail.subject, "text": *mail.text,
        "html": *mail.html,
    })
}

fn ticket(detail: &Value) -> TicketMail {
    let said = |name: &str| Arc::from(text(detail, name).unwrap_or_default());
    // Only a damaged row names none.
    let nobody = Reference { class: TicketClass::Custom, id: TicketId(0) };
    TicketMail {
        reference: text(detail, "ticket").and_then(Reference::parse).unwrap_or(nobody),
        what: said("what"),
        subject: said("subject"),
        text: said("text"),
        html: said("html"),
    }
}

/// What a test tells of: nothing that is watched.
const NOTHING: &str = "vigia";

/// The values of a row, in the order of the table.
pub(super) struct Columns {
    pub(super) kind: &'static str,
    pub(super) problem: Option<u64>,
    pub(super) number: u32,
    pub(super) state: Option<u8>,
    pub(super) detail: String,
}

impl Columns {
    pub(super) fn of(message: &Message) -> Self {
        match &message.about {
            About::Object(notice) => Self {
                kind: notice.kind.word(),
                problem: notice.problem.map(|id| id.0),
                number: notice.number,
                state: Some(notice.state.number()),
                detail: notice_detail(notice).to_string(),
            },
            About::Ticket(mail) => Self {
                kind: TICKET,
                problem: None,
                number: 0,
                state: None,
                detail: ticket_detail(mail).to_string(),
            },
            About::Digest(digest) => Self {
                kind: DIGEST,
                problem: None,
                number: 0,
                state: None,
                detail: digest_detail(digest).to_string(),
            },
        }
    }
}

/// The object that the row refers to.
pub(super) fn object(message: &Message) -> Option<&ObjectKey> {
    match &message.about {
        About::Object(notice) if notice.kind != MessageKind::Test => Some(&notice.subject),
        About::Object(_) | About::Digest(_) | About::Ticket(_) => None,
    }
}

/// Reads kind, host, service, problem, number, state and detail, from the column `at` on.
pub(super) fn about(row: &Row<'_>, at: usize) -> rusqlite::Result<About> {
    let word: String = row.get(at)?;
    let detail: String = row.get(at + 6)?;
    let detail: Value = serde_json::from_str(&detail).unwrap_or_default();
    if word == DIGEST {
        return Ok(About::Digest(Arc::new(digest(&detail))));
    }
    if word == TICKET {
        return Ok(About::Ticket(Arc::new(ticket(&detail))));
    }
    let subject = rows::maybe_key(row.get(at + 1)?, row.get(at + 2)?);
    let subject = subject.unwrap_or_else(|| ObjectKey::host(NOTHING));
    let state = rows::any_state(&subject, row.get::<_, Option<i64>>(at + 5)?.unwrap_or(0));
    let problem: Option<i64> = row.get(at + 3)?;
    Ok(About::Object(Arc::new(Notice {
        // Only a newer program writes others, and this one does not open its files.
        kind: MessageKind::from_word(&word).unwrap_or(MessageKind::Custom),
        problem: problem.map(rows::unsigned).map(ProblemId),
        number: row.get(at + 4)?,
        state,
        state_type: rows::state_type(integer(&detail, "state_type").unwrap_or(1)),
        last_state: rows::any_state(&subject, integer(&detail, "last_state").unwrap_or(0)),
        attempt: integer(&detail, "attempt").and_then(|number| u16::try_from(number).ok()).unwrap_or(1),
        output: Arc::new(output(&detail)),
        since: integer(&detail, "since").map(rows::time),
        last_check: integer(&detail, "last_check").map(rows::time),
        host: host(&detail),
        author: text(&detail, "author").map(Arc::from),
        comment: text(&detail, "comment").map(Arc::from),
        is_escalated: detail.get("escalated").and_then(Value::as_bool).unwrap_or(false),
        recipients: recipients(&detail),
        subject,
    })))
}

fn notice_detail(notice: &Notice) -> Value {
    let host = notice.host.as_ref().map(|(state, output)| {
        json!({ "state": state.number(), "output": &*output.text, "long_output": &*output.long, "perfdata": &*output.perfdata })
    });
    json!({
        "state_type": notice.state_type.number(),
        "last_state": notice.last_state.number(),
        "attempt": notice.attempt,
        "output": &*notice.output.text,
        "long_output": &*notice.output.long,
        "perfdata": &*notice.output.perfdata,
        "since": rows::micros(notice.since),
        "last_check": rows::micros(notice.last_check),
        "host": host,
        "author": notice.author.as_deref(),
        "comment": notice.comment.as_deref(),
        "escalated": notice.is_escalated,
        "recipients": notice.recipients.iter().map(|name| &**name).collect::<Vec<_>>(),
    })
}

fn output(detail: &Value) -> Output {
    let text = |key: &str| text(detail, key).unwrap_or_default().into();
    Output { text: text("output"), long: text("long_output"), perfdata: text("perfdata") }
}

fn host(detail: &Value) -> Option<(AnyState, Arc<Output>)> {
    let host = detail.get("host").filter(|host| host.is_object())?;
    let state = AnyState::Host(rows::state::<HostState>(integer(host, "state")?));
    Some((state, Arc::new(output(host))))
}

fn recipients(detail: &Value) -> Arc<[Name]> {
    let names = detail.get("recipients").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(Name::from).collect()
}

fn digest_detail(digest: &Digest) -> Value {
    let entry = |entry: &DigestEntry| {
        json!({
            "at": entry.at.as_micros(),
            "kind": entry.kind.word(),
            "host": &*entry.subject.host,
            "service": entry.subject.service.as_deref(),
            "state": entry.state.number(),
            "output": &*entry.output,
        })
    };
    json!({
        "messages": digest.messages,
        "hosts": digest.hosts,
        "services": digest.services,
        "entries": digest.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn digest(detail: &Value) -> Digest {
    let count = |key: &str| integer(detail, key).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let entries = detail.get("entries").and_then(Value::as_array);
    Digest {
        entries: entries.into_iter().flatten().filter_map(digest_entry).collect(),
        messages: count("messages"),
        hosts: count("hosts"),
        services: count("services"),
    }
}

fn digest_entry(entry: &Value) -> Option<DigestEntry> {
    let service = text(entry, "service").map(Name::from);
    let subject = ObjectKey { host: text(entry, "host")?.into(), service };
    Some(DigestEntry {
        at: Timestamp::from_micros(integer(entry, "at")?),
        kind: MessageKind::from_word(text(entry, "kind")?)?,
        state: rows::any_state(&subject, integer(entry, "state")?),
        output: text(entry, "output")?.into(),
        subject,
    })
}

fn integer(value: &Value, key: &str) -> Option<i64> {
    value.get(key).and_then(Value::as_i64)
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}
