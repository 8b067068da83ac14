//! The form of a document: a new one, one of a closed ticket, or one that is changed. And what other pages show of what is
//! known.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use vigia_core::model::id::{ObjectKey, TicketId};

use super::documents::{list_of, page_of, value};
use super::tickets::ticket_id;
use crate::desk::files::Received;
use crate::desk::{DocumentTrouble, Knowledge, Role};
use crate::store::documents::{Document, Draft, Link, LinkKind};
use crate::web::auth;
use crate::web::backend::{Place, TicketWithNotes, Trouble};
use crate::web::documents::{Said as SaidOf, draft};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen};
use crate::web::house::who;
use crate::web::markdown::{Rendered, render};
use crate::web::query::Pairs;
use crate::web::upload::Sent;
use crate::web::view::Moment;

/// What a document is about, as a page shows it.
pub(crate) struct LinkView {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The thing itself; empty where it has no page or is not there.
    pub(super) href: String,
    /// All documents about it.
    pub(super) others: String,
}

impl LinkView {
    pub(super) fn of(seen: &Seen, link: &Link) -> Self {
        Self {
            kind: link.kind.word(),
            name: link.name.to_string(),
            href: page_of(seen, link).unwrap_or_default(),
            others: list_of(link),
        }
    }
}

#[derive(Template)]
#[template(path = "document_form.html", config = ".askama.toml")]
struct FormPage {
    frame: Frame,
    /// None: a new one.
    id: Option<u64>,
    heading: String,
    version: String,
    title: String,
    text: String,
    keywords: String,
    links: String,
    review: String,
    limit: String,
    error: String,
    preview: Option<Rendered>,
    may_write: bool,
}

/// What stands in the form.
#[derive(Default)]
struct Filled {
    version: String,
    title: String,
    text: String,
    keywords: String,
    links: String,
    review: String,
}

impl Filled {
    fn typed(asked: &Pairs) -> Self {
        let raw = |name: &str| {
            asked.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Self {
            version: raw("version"),
            title: raw("title"),
            text: raw("text"),
            keywords: raw("keywords"),
            links: raw("links"),
            review: raw("review"),
        }
    }

    fn of(seen: &Seen, one: &Document) -> Self {
        Self {
            version: one.version.to_string(),
            title: one.title.to_string(),
            text: one.text.to_string(),
            keywords: one.keywords.to_string(),
            links: lines(&one.links),
            review: one.review.map(|at| day(seen, at)).unwrap_or_default(),
        }
    }

    /// What its people wrote, in the order of the parts that documents about problems have.
    fn of_ticket(whole: &TicketWithNotes) -> Self {
        let ticket = &whole.ticket;
        let reference = ticket.head.reference();
        let mut text = format!("## What happened\n\n{}\n", ticket.text.trim());
        let said =
            whole.notes.iter().filter(|note| &*note.author != "vigia" && !note.note.text.trim().is_empty());
        let said: Vec<String> = said.map(|note| format!("- {}", one_line(&note.note.text))).collect();
        if !said.is_empty() {
            text.push_str(&format!("\n## What was found\n\n{}\n", said.join("\n")));
        }
        let done = whole.notes.iter().filter_map(|note| note.note.action.as_deref());
        let done: Vec<String> = done.map(|action| format!("- {}", one_line(action))).collect();
        let done = if done.is_empty() { "- ".to_owned() } else { done.join("\n") };
        text.push_str(&format!(
            "\n## What to do\n\n{done}\n\nFrom ticket [{reference}](/tickets/{reference}).\n"
        ));
        let mut links = vec![Link::new(LinkKind::Ticket, reference.to_string())];
        links.extend(ticket.head.subject.iter().map(|key| match &key.service {
            Some(_) => Link::new(LinkKind::Service, key.to_string()),
            None => Link::new(LinkKind::Host, key.host.clone()),
        }));
        Self { title: ticket.title.to_string(), text, links: lines(&links), ..Self::default() }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines(links: &[Link]) -> String {
    links.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn day(seen: &Seen, at: vigia_core::model::time::Timestamp) -> String {
    at.to_jiff().to_zoned_datetime(seen.eyes.zone.clone()).strftime("%Y-%m-%d").to_string()
}

fn show(seen: &Seen, id: Option<u64>, filled: Filled, error: &str, status: StatusCode) -> Response {
    let heading = if id.is_some() { format!("Edit {}", filled.title) } else { "New document".to_owned() };
    let preview = (!error.is_empty() && !filled.text.trim().is_empty()).then(|| render(&filled.text));
    let page = FormPage {
        frame: seen.frame(heading.clone(), "documents"),
        id,
        heading,
        version: filled.version,
        title: filled.title,
        text: filled.text,
        keywords: filled.keywords,
        links: filled.links,
        review: filled.review,
        limit: crate::desk::files::size(seen.web.backend.files().limits().one),
        error: error.to_owned(),
        preview,
        may_write: seen.may(Role::Editor),
    };
    (status, Page(page)).into_response()
}

pub(crate) async fn new(
    Extension(seen): Extension<Seen>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    let reference = value(&asked, "ticket");
    let filled = match ticket_id(reference) {
        Some(id) if value(&asked, "blank").is_empty() => {
            Filled::of_ticket(&seen.web.backend.ticket(id).await?)
        }
        Some(_) => Filled { links: format!("ticket:{reference}"), ..Filled::default() },
        None => Filled { links: value(&asked, "links").to_owned(), ..Filled::default() },
    };
    Ok(show(&seen, None, filled, "", StatusCode::OK))
}

pub(crate) async fn edit(Extension(seen): Extension<Seen>, Path(id): Path<u64>) -> Result<Response, Failure> {
    let one = seen.web.backend.documents().one(id).await.map_err(Trouble::from)?;
    Ok(show(&seen, Some(id), Filled::of(&seen, &one), "", StatusCode::OK))
}

fn understood(seen: &Seen, filled: &Filled, sent: &Sent) -> Result<Draft, String> {
    if let Some(problem) = &sent.problem {
        return Err(problem.to_string());
    }
    let said = SaidOf {
        title: &filled.title,
        text: &filled.text,
        keywords: &filled.keywords,
        links: filled.links.split(['\n', ',']).collect(),
        review: &filled.review,
    };
    draft(seen, said).map_err(|error| error.to_string())
}

pub(crate) async fn create(Extension(seen): Extension<Seen>, sent: Sent) -> Result<Response, Failure> {
    let filled = Filled::typed(&sent.pairs);
    let draft = match understood(&seen, &filled, &sent) {
        Ok(draft) => draft,
        Err(error) => return Ok(show(&seen, None, filled, &error, StatusCode::UNPROCESSABLE_ENTITY)),
    };
    let id = seen.web.backend.documents().create(&who(seen.by()), draft).await.map_err(Trouble::from)?;
    finish(&seen, id, sent.files, format!("Document {id} written")).await
}

pub(crate) async fn save(
    Extension(seen): Extension<Seen>,
    Path(id): Path<u64>,
    sent: Sent,
) -> Result<Response, Failure> {
    let filled = Filled::typed(&sent.pairs);
    let draft = match understood(&seen, &filled, &sent) {
        Ok(draft) => draft,
        Err(error) => return Ok(show(&seen, Some(id), filled, &error, StatusCode::UNPROCESSABLE_ENTITY)),
    };
    let documents = seen.web.backend.documents();
    let version = filled.version.parse().ok();
    match documents.edit(&who(seen.by()), id, version, draft).await {
        Ok(()) => finish(&seen, id, sent.files, format!("Document {id} changed")).await,
        Err(error @ DocumentTrouble::Changed { .. }) => {
            let now = documents.one(id).await.map_err(Trouble::from)?;
            let text = format!(
                "{error}. Compare with what it says now (/documents/{id}), take over what is missing here, and save again"
            );
            let filled = Filled { version: now.version.to_string(), ..filled };
            Ok(show(&seen, Some(id), filled, &text, StatusCode::CONFLICT))
        }
        Err(error) => Err(Trouble::from(error).into()),
    }
}

/// The document is there: what is wrong with its files is said on its page.
async fn finish(seen: &Seen, id: u64, files: Vec<Received>, mut text: String) -> Result<Response, Failure> {
    if !files.is_empty() {
        let attached = seen.web.backend.files().attach(&who(seen.by()), Place::Document(id), files).await;
        if let Err(trouble) = attached {
            text.push_str(&format!(", without its files: {}", Trouble::from(trouble)));
        }
    }
    let mut response = Redirect::to(&format!("/documents/{id}")).into_response();
    auth::say(&mut response, &Said { text, undo: None });
    Ok(response)
}

/// What is known of something that goes wrong, on its page.
#[derive(Template)]
#[template(path = "knowledge.html", config = ".askama.toml")]
pub(crate) struct KnowledgeView {
    documents: Vec<Offer>,
    remedies: Vec<RemedyView>,
    /// The ticket whose page it is on; empty: another page.
    ticket: String,
    is_closed: bool,
    may_act: bool,
    may_write: bool,
}

impl HtmlSafe for KnowledgeView {}

struct Offer {
    id: u64,
    title: String,
    /// Why it is offered; a ticket's own links need no reason.
    reason: String,
    is_linked: bool,
    is_overdue: bool,
}

struct RemedyView {
    reference: String,
    closed: Moment,
    resolution: String,
    author: String,
    text: String,
    action: String,
}

impl KnowledgeView {
    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.remedies.is_empty()
    }

    /// Of what these links and this object say; a page is not less for a store that does not answer.
    pub(super) async fn of(
        seen: &Seen,
        links: Vec<Link>,
        subject: Option<ObjectKey>,
        ticket: Option<(TicketId, String, bool)>,
    ) -> Self {
        let but = ticket.as_ref().map(|(id, ..)| *id);
        let known = seen.web.backend.documents().knowledge(links, subject, but).await;
        let Knowledge { documents, remedies } = known.unwrap_or_default();
        let (reference, is_closed) =
            ticket.map_or((String::new(), false), |(_, name, closed)| (name, closed));
        let offer = |(one, why): &(Document, Link)| {
            let is_linked = why.kind == LinkKind::Ticket;
            Offer {
                id: one.id,
                title: one.title.to_string(),
                reason: if is_linked { String::new() } else { format!("{} {}", why.kind.word(), why.name) },
                is_linked,
                is_overdue: one.is_overdue(seen.eyes.now),
            }
        };
        Self {
            documents: documents.iter().map(offer).collect(),
            remedies: remedies
                .into_iter()
                .map(|one| RemedyView {
                    reference: one.reference.to_string(),
                    closed: seen.eyes.moment(one.closed),
                    resolution: one.resolution.to_string(),
                    author: one.author.to_string(),
                    text: one.text.to_string(),
                    action: one.action.as_deref().map(str::to_owned).unwrap_or_default(),
                })
                .collect(),
            ticket: reference,
            is_closed,
            may_act: seen.may(Role::Operator),
            may_write: seen.may(Role::Editor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_becomes_a_document_in_the_words_of_its_people() {
        assert_eq!(one_line("a\n  b\t c "), "a b c");
        let links = [Link::new(LinkKind::Ticket, "AVA01"), Link::new(LinkKind::Host, "web01")];
        assert_eq!(lines(&links), "ticket:AVA01\nhost:web01");
    }
}
