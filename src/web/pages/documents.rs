//! The knowledge base: its list, one document, its versions.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};

use super::document_form::LinkView;
use super::files::FileList;
use crate::desk::Role;
use crate::store::Slice;
use crate::store::documents::{Document, DocumentFilter, Link, LinkKind, Version};
use crate::web::auth;
use crate::web::backend::Trouble;
use crate::web::compare::{self, Line};
use crate::web::documents::link;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen, safe_back};
use crate::web::house::who;
use crate::web::markdown::{Rendered, render};
use crate::web::query::{PAGE, Pairs, encode};
use crate::web::view::Moment;
use crate::web::words;

#[derive(Template)]
#[template(path = "documents.html", config = ".askama.toml")]
struct DocumentsPage {
    frame: Frame,
    lead: String,
    may_write: bool,
    asked: String,
    is_overdue: bool,
    overdue: u64,
    /// Only those about this, and the address without that.
    link: Option<(String, String)>,
    /// The ticket that one is to be linked to.
    ticket: String,
    rows: Vec<DocumentRow>,
    page: usize,
    pages: usize,
    kept: String,
}

struct DocumentRow {
    id: u64,
    title: String,
    keywords: String,
    links: Vec<LinkView>,
    files: usize,
    editor: String,
    updated: Moment,
    review: Option<Moment>,
    is_overdue: bool,
}

#[derive(Template)]
#[template(path = "document.html", config = ".askama.toml")]
struct DocumentPage {
    frame: Frame,
    id: u64,
    title: String,
    body: Rendered,
    keywords: String,
    links: Vec<LinkView>,
    files: FileList,
    has_files: bool,
    author: String,
    created: Moment,
    editor: String,
    updated: Moment,
    version: u32,
    review: Option<Moment>,
    is_overdue: bool,
    may_write: bool,
    may_delete: bool,
}

#[derive(Template)]
#[template(path = "document_versions.html", config = ".askama.toml")]
struct VersionsPage {
    frame: Frame,
    id: u64,
    title: String,
    current: u32,
    versions: Vec<VersionRow>,
    /// From which to which version, and the lines.
    compared: Option<(u32, u32, Lines)>,
    may_write: bool,
}

/// `same`, `gone` or `new`, and the line.
type Lines = Vec<(&'static str, String)>;

struct VersionRow {
    version: u32,
    title: String,
    author: String,
    at: Moment,
}

pub(super) fn value<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
}

/// What was asked of the list, for pages and the API.
pub(crate) fn wanted(seen: &Seen, pairs: &Pairs) -> Result<(DocumentFilter, usize), Failure> {
    const KNOWN: &[&str] = &["q", "link", "due", "page", "for", "limit", "offset"];
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::Wrong(format!("`{name}` is not a filter of documents")));
    }
    let page = value(pairs, "page").parse().unwrap_or(1).max(1);
    let text = value(pairs, "q");
    let about = value(pairs, "link");
    let filter = DocumentFilter {
        text: (!text.is_empty()).then(|| text.to_owned()),
        link: if about.is_empty() { None } else { Some(link(about)?) },
        overdue: (value(pairs, "due") == "yes").then_some(seen.eyes.now),
        slice: Slice { limit: PAGE, offset: (page - 1) * PAGE },
    };
    Ok((filter, page))
}

pub(crate) async fn list(
    Extension(seen): Extension<Seen>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let (filter, page) = wanted(&seen, &pairs)?;
    let documents = seen.web.backend.documents();
    let found = documents.list(filter.clone()).await.map_err(Trouble::from)?;
    let overdue = documents.how_many_overdue(seen.eyes.now).await.map_err(Trouble::from)?;
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let but = |left: &str| {
        let kept = pairs.iter().filter(|(name, value)| name != left && name != "page" && !value.is_empty());
        encode(kept.map(|(name, value)| (name.as_str(), value.as_str())))
    };
    let page = DocumentsPage {
        frame: seen.frame("Knowledge", "documents"),
        lead: format!("{} document{}", words::count(total), if total == 1 { "" } else { "s" }),
        may_write: seen.may(Role::Editor),
        asked: value(&pairs, "q").to_owned(),
        is_overdue: filter.overdue.is_some(),
        overdue,
        link: filter.link.as_ref().map(|link| (link.to_string(), but("link"))),
        ticket: value(&pairs, "for").to_owned(),
        rows: found.items.iter().map(|one| row(&seen, one)).collect(),
        page,
        pages: total.div_ceil(PAGE).max(1),
        kept: but("page"),
    };
    Ok(Page(page).into_response())
}

fn row(seen: &Seen, one: &Document) -> DocumentRow {
    DocumentRow {
        id: one.id,
        title: one.title.to_string(),
        keywords: one.keywords.to_string(),
        links: one.links.iter().map(|link| LinkView::of(seen, link)).collect(),
        files: one.files.len(),
        editor: one.editor.to_string(),
        updated: seen.eyes.moment(one.updated),
        review: one.review.map(|at| seen.eyes.moment(at)),
        is_overdue: one.is_overdue(seen.eyes.now),
    }
}

pub(crate) async fn one(Extension(seen): Extension<Seen>, Path(id): Path<u64>) -> Result<Response, Failure> {
    let one = seen.web.backend.documents().one(id).await.map_err(Trouble::from)?;
    let may_write = seen.may(Role::Editor);
    let page = DocumentPage {
        frame: seen.frame(one.title.to_string(), "documents"),
        id,
        title: one.title.to_string(),
        body: render(&one.text),
        keywords: one.keywords.to_string(),
        links: one.links.iter().map(|link| LinkView::of(&seen, link)).collect(),
        has_files: !one.files.is_empty(),
        files: FileList::of(one.files.iter(), ""),
        author: one.author.to_string(),
        created: seen.eyes.moment(one.created),
        editor: one.editor.to_string(),
        updated: seen.eyes.moment(one.updated),
        version: one.version,
        review: one.review.map(|at| seen.eyes.moment(at)),
        is_overdue: one.is_overdue(seen.eyes.now),
        may_write,
        may_delete: may_delete(&seen, &one),
    };
    Ok(Page(page).into_response())
}

/// Whoever wrote it, and administrators.
pub(crate) fn may_delete(seen: &Seen, one: &Document) -> bool {
    seen.may(Role::Admin) || (seen.may(Role::Editor) && one.author == seen.author())
}

pub(crate) async fn versions(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Failure> {
    let documents = seen.web.backend.documents();
    let one = documents.one(id).await.map_err(Trouble::from)?;
    let all = documents.versions(id).await.map_err(Trouble::from)?;
    let number = |name: &str| value(&pairs, name).parse::<u32>().ok();
    let to = number("to").unwrap_or(one.version);
    let from = number("from").unwrap_or(to.saturating_sub(1));
    let find = |version: u32| all.iter().find(|one| one.version == version);
    let compared = match (find(from), find(to)) {
        (Some(before), Some(after)) => Some((from, to, compare(before, after))),
        (_, _) => None,
    };
    let page = VersionsPage {
        frame: seen.frame(format!("Versions of {}", one.title), "documents"),
        id,
        title: one.title.to_string(),
        current: one.version,
        versions: all
            .iter()
            .map(|version| VersionRow {
                version: version.version,
                title: version.title.to_string(),
                author: version.author.to_string(),
                at: seen.eyes.moment(version.at),
            })
            .collect(),
        compared,
        may_write: seen.may(Role::Editor),
    };
    Ok(Page(page).into_response())
}

/// Title and keywords are lines like those of the text.
fn compare(before: &Version, after: &Version) -> Lines {
    let whole = |one: &Version| format!("{}\n{}\n\n{}", one.title, one.keywords, one.text);
    let (before, after) = (whole(before), whole(after));
    let line = |line: Line<'_>| match line {
        Line::Same(text) => ("same", text.to_owned()),
        Line::Gone(text) => ("gone", text.to_owned()),
        Line::New(text) => ("new", text.to_owned()),
    };
    compare::lines(&before, &after).into_iter().map(line).collect()
}

fn led(to: &str, text: String) -> Response {
    let mut response = Redirect::to(to).into_response();
    auth::say(&mut response, &Said { text, undo: None });
    response
}

/// Restoring a version and deleting the document.
pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Form(asked): Form<Pairs>,
) -> Result<Response, Failure> {
    let documents = seen.web.backend.documents();
    let by = who(seen.by());
    match value(&asked, "do") {
        "restore" => {
            let version = value(&asked, "version").parse().ok();
            let old: u32 = value(&asked, "old")
                .parse()
                .map_err(|_error| Failure::Wrong("say which version".to_owned()))?;
            documents.restore(&by, id, version, old).await.map_err(Trouble::from)?;
            Ok(led(&format!("/documents/{id}"), format!("Version {old} is what it says again")))
        }
        "delete" => {
            let one = documents.one(id).await.map_err(Trouble::from)?;
            if !may_delete(&seen, &one) {
                return Err(Failure::Forbidden { needs: Role::Admin });
            }
            documents.delete(&by, id).await.map_err(Trouble::from)?;
            seen.web.backend.files().look_soon();
            Ok(led("/documents", format!("Document {id} ({}) deleted", one.title)))
        }
        _ => Err(Failure::Wrong("Say what is to be done with it.".to_owned())),
    }
}

/// From the page of a ticket: a document is about it, or no longer.
pub(crate) async fn link_ticket(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    Form(asked): Form<Pairs>,
) -> Result<Response, Failure> {
    let ticket = link(&format!("ticket:{}", value(&asked, "ticket")))?;
    let is_to = value(&asked, "do") != "unlink";
    let reference = ticket.name.clone();
    seen.web.backend.documents().link(&who(seen.by()), id, ticket, is_to).await.map_err(Trouble::from)?;
    let verb = if is_to { "linked to" } else { "no longer linked to" };
    let back = match value(&asked, "back") {
        "" => format!("/tickets/{reference}"),
        back => safe_back(back),
    };
    Ok(led(&back, format!("Document {id} {verb} {reference}")))
}

/// The list of documents about one thing.
pub(crate) fn list_of(link: &Link) -> String {
    format!("/documents?{}", encode([("link", link.to_string().as_str())].into_iter()))
}

/// Where the thing itself is shown; nothing for what has no page.
pub(super) fn page_of(seen: &Seen, link: &Link) -> Option<String> {
    let inventory = &seen.world.inventory;
    let name = crate::web::query::escape(&link.name);
    match link.kind {
        LinkKind::Host => inventory.host_id(&link.name).map(|_| format!("/hosts/{name}")),
        LinkKind::Service => match link.name.split_once('/') {
            Some((host, _)) if inventory.host_id(host).is_some() => {
                let key = vigia_core::model::id::ObjectKey::parse(&link.name);
                inventory.find(&key).map(|_| crate::web::view::href(&key))
            }
            Some(_) | None => Some(format!("/services?service={name}")),
        },
        LinkKind::Group => Some(format!("/services?hostgroup={name}")),
        LinkKind::Network => Some("/networks".to_owned()),
        LinkKind::Ticket => Some(format!("/tickets/{name}")),
        LinkKind::Type => Some(format!("/tickets?status=all&type={name}")),
        LinkKind::Check | LinkKind::Rule => None,
    }
}
