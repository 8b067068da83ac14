//! Types of tickets: added, changed and deleted on one page. (`ossim-tickets.md` T-20 to T-22)

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};

use crate::desk::Role;
use crate::web::auth;
use crate::web::backend::{TicketType, TypeChange};
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Said, Seen};
use crate::web::query::Pairs;
use crate::web::tickets;

#[derive(Template)]
#[template(path = "ticket_types.html", config = ".askama.toml")]
struct TypesPage {
    frame: Frame,
    types: Vec<TicketType>,
    /// The one that is being changed.
    chosen: Option<TicketType>,
    may_write: bool,
}

fn value<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
}

pub(crate) async fn page(
    Extension(seen): Extension<Seen>,
    Query(asked): Query<Pairs>,
) -> Result<Response, Failure> {
    let types = seen.web.backend.ticket_types().await?;
    let page = TypesPage {
        frame: seen.frame("Ticket types", "tickets"),
        chosen: types.iter().find(|one| one.name == value(&asked, "change")).cloned(),
        types,
        may_write: seen.may(Role::Editor),
    };
    Ok(Page(page).into_response())
}

pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Form(asked): Form<Pairs>,
) -> Result<Response, Failure> {
    let name = value(&asked, "name").to_owned();
    let said = || tickets::type_said(value(&asked, "to"), value(&asked, "description"));
    let (change, mut told) = match value(&asked, "do") {
        "delete" => (TypeChange::Delete { name: name.clone() }, format!("Type {name} deleted")),
        "change" => {
            let (to, description) = said()?;
            let told = format!("Type {to} changed");
            (TypeChange::Change { name, to, description }, told)
        }
        _ => {
            let (name, description) = said()?;
            let told = format!("Type {name} added");
            (TypeChange::Add { name, description }, told)
        }
    };
    let moved = seen.web.backend.change_ticket_type(change, seen.by()).await?;
    if moved > 0 {
        told.push_str(&format!("; {moved} tickets are Generic now"));
    }
    let mut response = Redirect::to("/ticket-types").into_response();
    auth::say(&mut response, &Said { text: told, undo: None });
    Ok(response)
}
