//! Accounts, for administrators and `vigia user`; and the login of programs.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Body;
use crate::desk::{ProgramToken, Role};
use crate::web::backend::{Account, NewToken, Trouble, UserChange};
use crate::web::error::Failure;
use crate::web::frame::Seen;
use crate::web::orders;

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
    Role::from_word(word).ok_or_else(wrong)
}

async fn change(seen: &Seen, change: UserChange, told: String) -> Result<Json<Value>, Failure> {
    seen.web.backend.change_user(change, seen.by()).await?;
    seen.web.accounts.send_replace(());
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
        Err(Trouble::Unavailable(text) | Trouble::Unsaved(text)) => Err(Failure::Unavailable(text)),
        Err(
            Trouble::Wrong(text)
            | Trouble::Refused(text)
            | Trouble::Unconfirmed(text)
            | Trouble::Changed(text)
            | Trouble::Missing(text),
        ) => Ok((StatusCode::UNAUTHORIZED, Json(json!({ "error": text, "hint": null }))).into_response()),
    }
}

/// Programs' tokens of a user.
pub(crate) async fn tokens(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let tokens = seen.web.backend.tokens(name).await?;
    let item = |token: &ProgramToken| {
        json!({
            "label": token.label,
            "created": token.created.as_second(),
            "expires": super::seconds(token.expires),
            "used": super::seconds(token.used),
        })
    };
    Ok(Json(super::list(tokens.len(), tokens.iter().map(item).collect())))
}

#[derive(Deserialize)]
pub(crate) struct AskedToken {
    label: String,
    /// As people say times; none: until it is revoked.
    expires: Option<String>,
}

/// The answer is the only place where the token is ever said.
pub(crate) async fn add_token(
    Extension(seen): Extension<Seen>,
    Path(name): Path<String>,
    Body(asked): Body<AskedToken>,
) -> Result<Json<Value>, Failure> {
    let expires = orders::expires(asked.expires.as_deref().unwrap_or_default(), &seen.eyes)?;
    let message = format!("token `{}` of `{name}` made; it is shown once", asked.label);
    let new = NewToken { name, label: asked.label, expires };
    let token = seen.web.backend.add_token(new, seen.by()).await?;
    Ok(Json(json!({ "message": message, "token": token, "expires": super::seconds(expires) })))
}

pub(crate) async fn revoke_token(
    Extension(seen): Extension<Seen>,
    Path((name, label)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let told = format!("token `{label}` of `{name}` revoked");
    change(&seen, UserChange::RevokeToken { name, label }, told).await
}
