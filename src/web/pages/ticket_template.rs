//! The mail of tickets: subject and body with their labels, looked at with a real ticket before it is saved.
//! (`ossim-tickets.md` T-77)

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};

use super::tickets::ticket_id;
use crate::deliver::{Letter, TICKET_LABELS, Template, template_mistake};
use crate::desk::Role;
use crate::web::auth;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen};
use crate::web::query::Pairs;

#[derive(askama::Template)]
#[template(path = "ticket_template.html", config = ".askama.toml")]
struct TemplatePage {
    frame: Frame,
    template: Template,
    is_own: bool,
    may_write: bool,
    labels: &'static [(&'static str, &'static str)],
    /// The ticket that it is tried with, and what comes out.
    ticket: String,
    preview: Option<Letter>,
    error: String,
}

fn value<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
}

/// As it was typed; browsers send another end of line.
pub(crate) fn typed(subject: &str, body: &str) -> Template {
    Template { subject: subject.trim().to_owned(), body: body.replace("\r\n", "\n") }
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    let kept = seen.web.backend.ticket_template().await?;
    show(&seen, kept.clone().unwrap_or_default(), kept.is_some(), value(&asked, "ticket"), String::new())
        .await
}

async fn show(
    seen: &Seen,
    template: Template,
    is_own: bool,
    ticket: &str,
    error: String,
) -> Result<Response, Failure> {
    let preview = match ticket_id(ticket) {
        Some(id) if error.is_empty() => Some(seen.web.backend.preview_ticket(id, template.clone()).await?),
        Some(_) | None => None,
    };
    let status = if error.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let mut frame = seen.frame("Mail of tickets", "tickets");
    frame.path = "/ticket-template".to_owned();
    let page = TemplatePage {
        frame,
        template,
        is_own,
        may_write: seen.may(Role::Editor),
        labels: TICKET_LABELS,
        ticket: ticket.to_owned(),
        preview,
        error,
    };
    Ok((status, Page(page)).into_response())
}

pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Form(asked): Form<Pairs>,
) -> Result<Response, Failure> {
    let template = typed(value(&asked, "subject"), value(&asked, "body"));
    let (change, told) = match value(&asked, "do") {
        "reset" => (None, "The mail of tickets is the one built in again"),
        word => {
            let error = template_mistake(&template).unwrap_or_default();
            if !error.is_empty() || word == "preview" {
                return show(&seen, template, true, value(&asked, "ticket"), error).await;
            }
            (Some(template), "Mail of tickets saved")
        }
    };
    seen.web.backend.set_ticket_template(change, seen.by()).await?;
    let mut response = Redirect::to("/ticket-template").into_response();
    auth::say(&mut response, &Said { text: told.to_owned(), undo: None });
    Ok(response)
}
