//! One error, one page or one JSON: what went wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::backend::Trouble;
use super::frame::{Frame, Page, Seen};
use super::query::{QueryError, escape};
use crate::desk::Role;

/// Why a request is not answered as asked. Becomes a page or JSON in [`dress`], where it is known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Wrong(String),
    #[error("log in to do this")]
    NotLoggedIn {
        /// Where to go on after the login.
        next: String,
    },
    #[error("this needs the role {}", .needs.word())]
    Forbidden { needs: Role },
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Refused(String),
    /// Somebody else changed it meanwhile.
    #[error("{0}")]
    Changed(String),
    #[error("{0}")]
    Unavailable(String),
    /// Done, and lost if the daemon ends before the disk takes it.
    #[error("{0}")]
    Unsaved(String),
    /// Ours; the text goes to the log, not to the page.
    #[error("vigia made a mistake; its log says more")]
    Broken(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Wrong(text) => Self::Wrong(text),
            Trouble::Refused(text) | Trouble::Unconfirmed(text) => Self::Refused(text),
            Trouble::Changed(text) => Self::Changed(text),
            Trouble::Missing(text) => Self::Missing(text),
            Trouble::Unavailable(text) => Self::Unavailable(text),
            Trouble::Unsaved(text) => Self::Unsaved(text),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl Failure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::NotLoggedIn { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Refused(_) | Self::Changed(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) | Self::Unsaved(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::Wrong(_) => "That address does not work",
            Self::NotLoggedIn { .. } => "Log in",
            Self::Forbidden { .. } => "Not allowed",
            Self::Missing(_) => "Not found",
            Self::Refused(_) => "Not done",
            Self::Changed(_) => "Changed meanwhile",
            Self::Unavailable(_) => "Not possible at the moment",
            Self::Unsaved(_) => "Done, and not saved yet",
            Self::Broken(_) => "Something is wrong here",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => {
                Some("a user is made with `vigia user add NAME --role operator`".to_owned())
            }
            Self::Forbidden { needs } => {
                Some(format!("an administrator gives it with `vigia user role NAME {}`", needs.word()))
            }
            Self::Unavailable(_) => Some("try again in a moment; `/process` says how vigia is".to_owned()),
            Self::Unsaved(_) => Some(
                "do not give it again: it is in effect, and is written when the disk takes it; `vigia status` shows \
                 for how long that is not so"
                    .to_owned(),
            ),
            Self::Wrong(_) | Self::Missing(_) | Self::Refused(_) | Self::Changed(_) | Self::Broken(_) => {
                None
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(askama::Template)]
#[template(path = "error.html", config = ".askama.toml")]
struct ErrorPage {
    frame: Frame,
    text: String,
    hint: Option<String>,
}

/// Gives a failure the shape its reader understands.
pub(crate) fn dress(seen: &Seen, failure: &Failure) -> Response {
    if let Failure::Broken(why) = failure {
        tracing::error!(event = "web.broken", error = %why, path = %seen.path, "cannot answer a request");
    }
    if seen.path.starts_with("/api/") {
        let body = json!({ "error": failure.to_string(), "hint": failure.hint() });
        return (failure.status(), Json(body)).into_response();
    }
    match failure {
        Failure::NotLoggedIn { next } => {
            Redirect::to(&format!("/login?next={}", escape(next))).into_response()
        }
        Failure::Wrong(_)
        | Failure::Forbidden { .. }
        | Failure::Missing(_)
        | Failure::Refused(_)
        | Failure::Changed(_)
        | Failure::Unavailable(_)
        | Failure::Unsaved(_)
        | Failure::Broken(_) => {
            let frame = seen.frame(failure.heading(), "");
            let page = ErrorPage { frame, text: failure.to_string(), hint: failure.hint() };
            (failure.status(), Page(page)).into_response()
        }
    }
}
