//! Notifications: what was told to whom, and a test.

use axum::extract::Query;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::message::About;

use super::acts::Body;
use super::{list, seconds};
use crate::store::Slice;
use crate::store::outbox::DeliveryStatus;
use crate::web::backend::{Listed, OutboxFilter, Way};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::query::{MOST, PAGE, Pairs};

/// What a query asks for; the page takes the same.
pub(crate) fn filter(pairs: &Pairs) -> Result<OutboxFilter, Failure> {
    let value = |name: &str| {
        let found = pairs.iter().rev().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let number = |name: &str| value(name).and_then(|text| text.parse::<usize>().ok());
    let status = match value("status") {
        None | Some("all") => None,
        Some(word) => Some(DeliveryStatus::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = DeliveryStatus::ALL.iter().map(|status| status.word()).collect();
            Failure::Wrong(format!("`status` is one of: {} all", words.join(" ")))
        })?),
    };
    let subject =
        value("host").map(|host| ObjectKey { host: host.into(), service: value("service").map(Into::into) });
    Ok(OutboxFilter {
        contact: value("contact").map(str::to_owned),
        with_services: true,
        subject,
        status,
        kind: value("kind").map(str::to_ascii_uppercase),
        id: value("id").map(str::to_owned),
        slice: Slice {
            limit: number("limit").unwrap_or(PAGE).clamp(1, MOST),
            offset: number("offset").unwrap_or(0),
        },
    })
}

pub(crate) async fn messages(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let (total, listed) = seen.web.backend.messages(filter(&pairs)?).await?;
    Ok(Json(list(total, listed.iter().map(item).collect())))
}

fn item(listed: &Listed) -> Value {
    let mut item = json!({
        "id": &*listed.id.0,
        "at": listed.at.as_second(),
        "contact": &*listed.contact,
        "channels": listed.ways.iter().map(way).collect::<Vec<_>>(),
    });
    let about = match &listed.about {
        About::Object(notice) => json!({
            "kind": notice.kind.word(),
            "host_name": &*notice.subject.host,
            "description": notice.subject.service.as_deref(),
            "state": notice.state.number(),
            "state_word": notice.state.word(),
            "number": notice.number,
            "problem": notice.problem.map(|id| id.0),
            "output": &*notice.output.text,
            "author": notice.author.as_deref(),
            "comment": notice.comment.as_deref(),
            "escalated": notice.is_escalated,
        }),
        About::Ticket(mail) => json!({
            "kind": "TICKET",
            "ticket": mail.reference.to_string(),
            "what": &*mail.what,
            "subject": &*mail.subject,
        }),
        About::Digest(digest) => json!({
            "kind": "DIGEST",
            "messages": digest.messages,
            "hosts": digest.hosts,
            "services": digest.services,
        }),
    };
    if let (Some(item), Value::Object(about)) = (item.as_object_mut(), about) {
        item.extend(about);
    }
    item
}

fn way(way: &Way) -> Value {
    json!({
        "channel": way.channel,
        "target": way.target,
        "status": way.status.word(),
        "attempts": way.attempts,
        "next": seconds(way.next),
        "ended": seconds(way.ended),
        "reason": way.reason,
    })
}

#[derive(Deserialize)]
pub(crate) struct Test {
    contact: String,
    channel: Option<String>,
}

/// The answer comes when the message is in the outbox; what becomes of it is told by the list, under its `id`.
pub(crate) async fn test(
    Extension(seen): Extension<Seen>,
    Body(test): Body<Test>,
) -> Result<Json<Value>, Failure> {
    let told = format!("a test for `{}` is in the outbox", test.contact);
    let id = seen.web.backend.test_contact(test.contact, test.channel, seen.by()).await?;
    Ok(Json(json!({ "ok": true, "id": id, "message": told })))
}
