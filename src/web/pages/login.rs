//! Logging in and out, and the switch of colours: what a person may do without a role.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};

use crate::web::auth;
use crate::web::error::Failure;
use crate::web::frame::{Frame, Page, Seen, safe_back};
use crate::web::query::Pairs;

#[derive(Template)]
#[template(path = "login.html", config = ".askama.toml")]
struct LoginPage {
    frame: Frame,
    name: String,
    next: String,
    error: Option<String>,
    /// What the login is for, where the visitor was about to do something.
    to_act: bool,
}

fn value(pairs: &Pairs, name: &str) -> String {
    pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

pub(crate) async fn form(Extension(seen): Extension<Seen>, Query(pairs): Query<Pairs>) -> Response {
    let next = safe_back(&value(&pairs, "next"));
    if seen.viewer.token.is_some() {
        return Redirect::to(&next).into_response();
    }
    let to_act = next.starts_with("/act/");
    Page(LoginPage { frame: seen.frame("Log in", ""), name: String::new(), next, error: None, to_act })
        .into_response()
}

pub(crate) async fn submit(
    Extension(seen): Extension<Seen>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Failure> {
    let (name, next) = (value(&pairs, "name"), safe_back(&value(&pairs, "next")));
    match seen.web.backend.login(name.clone(), value(&pairs, "password"), seen.from.clone()).await {
        Ok(token) => {
            let mut response = Redirect::to(&next).into_response();
            auth::set_session(&mut response, &token, seen.is_secure);
            Ok(response)
        }
        Err(trouble) => {
            let to_act = next.starts_with("/act/");
            let page = LoginPage {
                frame: seen.frame("Log in", ""),
                name,
                next,
                error: Some(trouble.to_string()),
                to_act,
            };
            Ok((StatusCode::UNAUTHORIZED, Page(page)).into_response())
        }
    }
}

pub(crate) async fn logout(Extension(seen): Extension<Seen>) -> Response {
    if let Some(token) = seen.viewer.token.clone() {
        seen.web.backend.logout(token).await;
        seen.web.accounts.send_replace(());
    }
    let mut response = Redirect::to("/").into_response();
    auth::end_session(&mut response, seen.is_secure);
    response
}

pub(crate) async fn theme(Form(pairs): Form<Pairs>) -> Response {
    let mut response = Redirect::to(&safe_back(&value(&pairs, "back"))).into_response();
    auth::set_theme(&mut response, &value(&pairs, "theme"));
    response
}
