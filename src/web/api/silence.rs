//! Downtimes by the API: for named objects or a selection, seen before they are made.

use axum::extract::Path;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use vigia_core::model::id::{DowntimeId, ObjectKey};
use vigia_core::model::operation::Operation;

use super::acts::{Body, Subjects, When, answer, done, said};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::orders;

#[derive(Deserialize)]
pub(crate) struct Silence {
    #[serde(flatten)]
    subjects: Subjects,
    comment: String,
    start: Option<When>,
    end: Option<When>,
    #[serde(rename = "for")]
    length: Option<String>,
    flexible: Option<String>,
    /// Of hosts: their services too.
    #[serde(default)]
    services: bool,
    /// Selectors in the place of names, as in the files.
    r#match: Option<OneOrMore>,
    /// `hosts` or `services`, of what `match` finds.
    #[serde(default)]
    only: String,
    /// The number of a downtime with which this one starts.
    triggered_by: Option<u64>,
    /// Say what it would act on, and do nothing.
    #[serde(default)]
    preview: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::More(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

impl Silence {
    fn keys(&self, seen: &Seen) -> Result<Vec<ObjectKey>, Failure> {
        let Some(selectors) = &self.r#match else {
            let keys = self.subjects.keys()?;
            return Ok(if self.services { orders::with_services(&seen.world, &keys) } else { keys });
        };
        if self.subjects.keys().is_ok() {
            return Err(Failure::Wrong("say `match`, or which objects: not both".to_owned()));
        }
        Ok(orders::selected(&seen.world, selectors.texts(), &self.only)?)
    }
}

pub(crate) async fn downtime(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Silence>,
) -> Result<Json<Value>, Failure> {
    let comment = orders::text("comment", &asked.comment)?;
    let end = asked.length.clone().unwrap_or_else(|| said(asked.end.as_ref()));
    let flexible = asked.flexible.as_deref().unwrap_or_default();
    let span = orders::downtime_span(&said(asked.start.as_ref()), &end, flexible, &seen.eyes)?;
    let keys = asked.keys(&seen)?;
    if asked.preview {
        return Ok(Json(previewed(&keys, &span.told(&seen.eyes))));
    }
    let trigger = asked.triggered_by.map(DowntimeId);
    let order = |subject| orders::schedule(subject, &span, comment.clone(), trigger);
    let answers = seen.give_each(&keys, order).await?;
    let end = format!(", {}", span.told(&seen.eyes));
    answer("downtime for", "number", &answers, &end).map(|Json(mut body)| {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("start_time".to_owned(), json!(span.start.as_second()));
            fields.insert("end_time".to_owned(), json!(span.end.as_second()));
        }
        Json(body)
    })
}

/// What a downtime would act on.
fn previewed(keys: &[ObjectKey], span: &str) -> Value {
    let item = |key: &ObjectKey| json!({"host_name": &*key.host, "description": key.service.as_deref()});
    json!({
        "message": format!("would be for {}, {span}", orders::told(keys.len())),
        "total": keys.len(),
        "items": keys.iter().map(item).collect::<Vec<Value>>(),
    })
}

pub(crate) async fn cancel_downtime(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let answer = seen.give(Operation::CancelDowntime { id: DowntimeId(id) }).await?;
    Ok(done("downtime cancelled", &answer))
}
