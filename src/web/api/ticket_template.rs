//! The mail of tickets: its template, and what comes out of it.

use axum::extract::Query;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Body;
use crate::deliver::{TICKET_LABELS, template_mistake};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::pages::ticket_template::typed;
use crate::web::pages::tickets::ticket_id;
use crate::web::query::Pairs;

/// With `ticket`, also what comes out of it for that one.
pub(crate) async fn show(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let kept = seen.web.backend.ticket_template().await?;
    let is_own = kept.is_some();
    let template = kept.unwrap_or_default();
    let labels: Vec<Value> =
        TICKET_LABELS.iter().map(|(label, meaning)| json!({"label": label, "meaning": meaning})).collect();
    let mut answer = json!({
        "subject": template.subject, "body": template.body, "is_own": is_own, "labels": labels,
    });
    let asked = pairs.iter().find(|(name, _)| name == "ticket").map(|(_, value)| value.as_str());
    if let (Some(reference), Some(fields)) = (asked, answer.as_object_mut()) {
        let id = ticket_id(reference)
            .ok_or_else(|| Failure::Missing(format!("there is no ticket `{reference}`")))?;
        let letter = seen.web.backend.preview_ticket(id, template).await?;
        let preview = json!({"subject": letter.subject, "text": letter.text, "html": letter.html});
        fields.insert("preview".to_owned(), preview);
    }
    Ok(Json(answer))
}

/// Both, or `reset`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    subject: String,
    body: String,
    reset: bool,
}

pub(crate) async fn set(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Wanted>,
) -> Result<Json<Value>, Failure> {
    let template = typed(&asked.subject, &asked.body);
    if !asked.reset
        && let Some(why) = template_mistake(&template)
    {
        return Err(Failure::Wrong(why));
    }
    let change = (!asked.reset).then_some(template);
    let message = if asked.reset { "the template built in" } else { "the template is saved" };
    seen.web.backend.set_ticket_template(change, seen.by()).await?;
    Ok(Json(json!({ "message": message })))
}
