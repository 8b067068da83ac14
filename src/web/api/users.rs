//! Accounts, for administrators and `vigia user`; and the login of programs.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Body;
use crate::web::backend::{Account, Role, Trouble, UserChange};
use crate::web::error::Failure;
use crate::web::frame::Seen;

pub(crate) async fn list(Extension(seen): Extension<Seen>) -> Result<Json<Value>, Failure> {
    let users = seen.web.backend.users().await?;
    let item = |user: &Account| {
        json!({
            "name": &*user.name,
            "role": user.role.word(),
            "contact": user.contact.as_deref(),
            "disabled": user.is_disabled,
        })
    };
    Ok(Json(super::list(users.len(), users.iter().map(item).collect())))
}

#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    role: String,
    password: Option<String>,
    contact: Option<String>,
}

pub(crate) async fn add(
    Extension(seen): Extension<Seen>,
    Body(user): Body<NewUser>,
) -> Result<Json<Value>, Failure> {
    let role = role_of(&user.role)?;
    let NewUser { name, password, contact, .. } = user;
    let told = format!("user `{name}` added");
    change(&seen, UserChange::Add { name, role, password, contact }, told).await
}

#[derive(Deserialize)]
pub(crate) struct NewPassword {
    password: String,
}

pub(crate) async fn password(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Body(new): Body<NewPassword>,
) -> Result<Json<Value>, Failure> {
    let told = format!("password of `{name}` set; its sessions are ended");
    change(&seen, UserChange::SetPassword { name, password: new.password }, told).await
}

pub(crate) async fn disable(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let told = format!("user `{name}` disabled; its sessions are ended");
    change(&seen, UserChange::Disable { name }, told).await
}

pub(crate) async fn enable(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let told = format!("user `{name}` enabled");
    change(&seen, UserChange::Enable { name }, told).await
}

#[derive(Deserialize)]
pub(crate) struct NewRole {
    role: String,
}

pub(crate) async fn role(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Body(new): Body<NewRole>,
) -> Result<Json<Value>, Failure> {
    let role = role_of(&new.role)?;
    let told = format!("`{name}` is now {}", role.word());
    change(&seen, UserChange::SetRole { name, role }, told).await
}

fn role_of(word: &str) -> Result<Role, Failure> {
    let wrong = || Failure::Wrong(format!("`{word}` is not a role: viewer, operator, editor or admin"));
    Role::parse(word).ok_or_else(wrong)
}

async fn change(seen: &Seen, change: UserChange, told: String) -> Result<Json<Value>, Failure> {
    seen.web.backend.change_user(change, seen.by()).await?;
    Ok(Json(json!({ "message": told })))
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
}

/// A token for programs: `Authorization: Bearer TOKEN`.
pub(crate) async fn login(
    Extension(seen): Extension<Seen>,
    Body(who): Body<Credentials>,
) -> Result<Response, Failure> {
    match seen.web.backend.login(who.name, who.password, seen.from.clone()).await {
        Ok(token) => Ok(Json(json!({ "token": token })).into_response()),
        Err(Trouble::Unavailable(text)) => Err(Failure::Unavailable(text)),
        Err(Trouble::Refused(text) | Trouble::Missing(text)) => {
            Ok((StatusCode::UNAUTHORIZED, Json(json!({ "error": text, "hint": null }))).into_response())
        }
    }
}
