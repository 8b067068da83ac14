//! Attachments through the API: sent as forms with files, as `curl -F file=@…` does it.

use axum::extract::Path;
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::desk::files::Kind;
use crate::web::backend::{Attachment, Trouble};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::house::who;
use crate::web::pages::ticket_acts;
use crate::web::pages::tickets::ticket_id;
use crate::web::upload::Sent;

pub(super) fn item(one: &Attachment) -> Value {
    json!({
        "id": one.id,
        "name": &*one.file.name,
        "kind": &*one.file.kind,
        "media_type": Kind::from_word(&one.file.kind).media_type,
        "size": one.file.size,
        "sha256": &*one.file.sha256,
        "author": &*one.author,
        "at": one.at.as_second(),
        "note": one.note,
    })
}

/// The files become a note, with `text` where something is to be said of them.
pub(crate) async fn attach(
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    sent: Sent,
) -> Result<Json<Value>, Failure> {
    let id =
        ticket_id(&reference).ok_or_else(|| Failure::Missing(format!("there is no ticket `{reference}`")))?;
    if let Some(problem) = sent.problem {
        return Err(problem.into());
    }
    if sent.files.is_empty() {
        let text = "send files as `multipart/form-data`: `curl -F file=@PATH …`".to_owned();
        return Err(Failure::Wrong(text));
    }
    let said = sent.pairs.iter().find(|(name, _)| name == "text").map_or("", |(_, text)| text);
    let note = vigia_core::model::operation::TicketNote {
        text: ticket_acts::said_of(&sent.files, said)?,
        ..Default::default()
    };
    let count = sent.files.len();
    let ids = ticket_acts::note_with_files(&seen, id, None, note, sent.files).await?;
    let files = if count == 1 { "file" } else { "files" };
    Ok(Json(json!({ "message": format!("{count} {files} attached to {reference}"), "ids": ids })))
}

pub(crate) async fn delete(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let one = seen.web.backend.files().delete(&who(seen.by()), id).await.map_err(Trouble::from)?;
    Ok(Json(json!({ "message": format!("attachment {id} ({}) deleted", one.file.name) })))
}
