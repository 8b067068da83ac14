//! Documents of the knowledge base as JSON.

use axum::extract::{Path, Query};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Body;
use super::{list as listed, seconds};
use crate::store::documents::{Document, Link};
use crate::web::backend::{Place, Trouble};
use crate::web::documents::{Said, draft, link as parse};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::house::who;
use crate::web::pages::documents::{may_delete, wanted};
use crate::web::query::{MOST, Pairs};
use crate::web::upload::Sent;

fn links(links: &[Link]) -> Vec<String> {
    links.iter().map(ToString::to_string).collect()
}

fn item(seen: &Seen, one: &Document) -> Value {
    json!({
        "id": one.id,
        "version": one.version,
        "title": &*one.title,
        "keywords": &*one.keywords,
        "links": links(&one.links),
        "author": &*one.author,
        "created": one.created.as_second(),
        "editor": &*one.editor,
        "updated": one.updated.as_second(),
        "review": seconds(one.review),
        "overdue": one.is_overdue(seen.eyes.now),
        "attachments": one.files.iter().map(super::files::item).collect::<Vec<Value>>(),
    })
}

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Value>, Failure> {
    let number = |name: &str| {
        pairs.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (mut filter, _) = wanted(&seen, &pairs)?;
    filter.slice.limit = number("limit").unwrap_or(filter.slice.limit).clamp(1, MOST);
    filter.slice.offset = number("offset").unwrap_or(filter.slice.offset);
    let page = seen.web.backend.documents().list(filter).await.map_err(Trouble::from)?;
    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
    Ok(Json(listed(total, page.items.iter().map(|one| item(&seen, one)).collect())))
}

pub(crate) async fn one(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let one = seen.web.backend.documents().one(id).await.map_err(Trouble::from)?;
    let mut item = item(&seen, &one);
    item["text"] = json!(&*one.text);
    Ok(Json(item))
}

pub(crate) async fn versions(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let documents = seen.web.backend.documents();
    documents.one(id).await.map_err(Trouble::from)?;
    let versions = documents.versions(id).await.map_err(Trouble::from)?;
    let items: Vec<Value> = versions
        .iter()
        .map(|one| {
            json!({"version": one.version, "title": &*one.title, "text": &*one.text, "keywords": &*one.keywords,
                   "author": &*one.author, "at": one.at.as_second()})
        })
        .collect();
    Ok(Json(listed(items.len(), items)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Written {
    title: Option<String>,
    text: Option<String>,
    keywords: Option<String>,
    links: Option<Vec<String>>,
    /// A day, a time, `30d`; empty: never.
    review: Option<String>,
    /// The version that was looked at; none: whichever it is.
    version: Option<u32>,
}

pub(crate) async fn create(
    Extension(seen): Extension<Seen>,
    Body(asked): Body<Written>,
) -> Result<Json<Value>, Failure> {
    let said = Said {
        title: asked.title.as_deref().unwrap_or_default(),
        text: asked.text.as_deref().unwrap_or_default(),
        keywords: asked.keywords.as_deref().unwrap_or_default(),
        links: asked.links.iter().flatten().map(String::as_str).collect(),
        review: asked.review.as_deref().unwrap_or_default(),
    };
    let draft = draft(&seen, said)?;
    let id = seen.web.backend.documents().create(&who(seen.by()), draft).await.map_err(Trouble::from)?;
    Ok(Json(json!({ "message": format!("document {id} written"), "id": id })))
}

/// What is not said stays.
pub(crate) async fn edit(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Written>,
) -> Result<Json<Value>, Failure> {
    let documents = seen.web.backend.documents();
    let before = documents.one(id).await.map_err(Trouble::from)?;
    let kept = links(&before.links);
    let said = Said {
        title: asked.title.as_deref().unwrap_or(&before.title),
        text: asked.text.as_deref().unwrap_or(&before.text),
        keywords: asked.keywords.as_deref().unwrap_or(&before.keywords),
        links: asked.links.as_ref().unwrap_or(&kept).iter().map(String::as_str).collect(),
        review: asked.review.as_deref().unwrap_or_default(),
    };
    let mut draft = draft(&seen, said)?;
    if asked.review.is_none() {
        draft.review = before.review;
    }
    // What was read here to fill the gaps must still be so.
    let version = asked.version.or(Some(before.version));
    documents.edit(&who(seen.by()), id, version, draft).await.map_err(Trouble::from)?;
    Ok(Json(json!({ "message": format!("document {id} changed") })))
}

#[derive(Deserialize)]
pub(crate) struct Restored {
    /// What it is to say again.
    version: u32,
}

pub(crate) async fn restore(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Restored>,
) -> Result<Json<Value>, Failure> {
    let documents = seen.web.backend.documents();
    documents.restore(&who(seen.by()), id, None, asked.version).await.map_err(Trouble::from)?;
    Ok(Json(json!({ "message": format!("document {id} says what version {} said", asked.version) })))
}

pub(crate) async fn delete(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, Failure> {
    let documents = seen.web.backend.documents();
    let one = documents.one(id).await.map_err(Trouble::from)?;
    if !may_delete(&seen, &one) {
        return Err(Failure::Forbidden { needs: crate::desk::Role::Admin });
    }
    documents.delete(&who(seen.by()), id).await.map_err(Trouble::from)?;
    seen.web.backend.files().look_soon();
    Ok(Json(json!({ "message": format!("document {id} ({}) deleted", one.title) })))
}

#[derive(Deserialize)]
pub(crate) struct Linked {
    /// `host:web01`.
    link: String,
}

async fn set(seen: &Seen, id: u64, asked: &Linked, is_to: bool) -> Result<Json<Value>, Failure> {
    let link = parse(&asked.link)?;
    let verb = if is_to { "is about" } else { "is no longer about" };
    let message = format!("document {id} {verb} {link}");
    seen.web.backend.documents().link(&who(seen.by()), id, link, is_to).await.map_err(Trouble::from)?;
    Ok(Json(json!({ "message": message })))
}

pub(crate) async fn link(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Linked>,
) -> Result<Json<Value>, Failure> {
    set(&seen, id, &asked, true).await
}

pub(crate) async fn unlink(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Body(asked): Body<Linked>,
) -> Result<Json<Value>, Failure> {
    set(&seen, id, &asked, false).await
}

pub(crate) async fn attach(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    sent: Sent,
) -> Result<Json<Value>, Failure> {
    if let Some(problem) = sent.problem {
        return Err(problem.into());
    }
    if sent.files.is_empty() {
        let text = "send files as `multipart/form-data`: `curl -F file=@PATH …`".to_owned();
        return Err(Failure::Wrong(text));
    }
    let count = sent.files.len();
    let files = seen.web.backend.files();
    let ids = files.attach(&who(seen.by()), Place::Document(id), sent.files).await.map_err(Trouble::from)?;
    let word = if count == 1 { "file" } else { "files" };
    Ok(Json(json!({ "message": format!("{count} {word} attached to document {id}"), "ids": ids })))
}
