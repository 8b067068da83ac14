//! Accounts: made, changed, disabled, listed. Every change is audited in the same transaction.

use serde_json::json;
use vigia_core::model::time::Timestamp;

use super::password::Password;
use super::rights::Role;
use super::secret::Token;
use super::sessions::Who;
use super::{Desk, DeskError};
use crate::store::audit::{self, Act};
use crate::store::users::{self, TokenRow, UserRow};

/// An account as others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// The contact whose teams it is in.
    pub contact: Option<String>,
    /// A selector; none: sees everything.
    pub sight: Option<String>,
    pub created: Timestamp,
    pub disabled: Option<Timestamp>,
    pub locked_until: Option<Timestamp>,
    pub last_login: Option<Timestamp>,
    /// Without one it cannot log in.
    pub has_password: bool,
}

#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: String,
    pub role: Role,
    pub password: Option<Password>,
    pub contact: Option<String>,
    pub sight: Option<String>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            // A role of a newer program: the least there is.
            role: Role::from_word(&row.role).unwrap_or(Role::Viewer),
            name: row.name,
            contact: row.contact,
            sight: row.sight,
            created: row.created,
            disabled: row.disabled,
            locked_until: row.locked_until,
            last_login: row.last_login,
            has_password: row.password.is_some(),
        }
    }
}

/// A program's token as others may see it: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramToken {
    pub label: String,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub used: Option<Timestamp>,
}

const NAME_MAX: usize = 64;

/// Names stand in logs, in references and on command lines.
fn check_name(name: &str) -> Result<(), DeskError> {
    let is_plain = |sign: char| sign.is_alphanumeric() || ".-_@+".contains(sign);
    let is_good = !name.is_empty()
        && name.len() <= NAME_MAX
        && name.chars().all(is_plain)
        && name.starts_with(char::is_alphanumeric);
    if is_good {
        return Ok(());
    }
    Err(DeskError::Invalid(format!(
        "`{}` cannot be a user's name: up to {NAME_MAX} letters, digits and . - _ @ +, a letter or digit first",
        name.escape_debug()
    )))
}

/// Labels stand in addresses and on command lines.
fn check_label(label: &str) -> Result<(), DeskError> {
    let is_good = !label.is_empty()
        && label.chars().count() <= NAME_MAX
        && label.trim() == label
        && !label.contains(char::is_control);
    if is_good {
        return Ok(());
    }
    Err(DeskError::Invalid(format!(
        "`{}` cannot be a token's label: say in up to {NAME_MAX} characters what it is for",
        label.escape_debug()
    )))
}

impl Desk {
    pub async fn users(&self) -> Result<Vec<User>, DeskError> {
        let rows = self.store().read(users::users).await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    pub async fn add_user(&self, by: &Who, new: NewUser) -> Result<User, DeskError> {
        check_name(&new.name)?;
        let password = match new.password {
            Some(password) => Some(self.hashed(&new.name, password).await?),
            None => None,
        };
        let now = self.now();
        let row = UserRow {
            name: new.name.clone(),
            role: new.role.word().to_owned(),
            password,
            contact: new.contact,
            sight: new.sight,
            created: now,
            changed: now,
            disabled: None,
            failed: 0,
            locked_until: None,
            last_login: None,
        };
        let detail = json!({"role": row.role, "contact": row.contact, "sight": row.sight});
        let act = by.act(now, "add-user", &row.name, detail);
        let user = User::from(row.clone());
        let added = self.audited(act, move |connection| users::insert(connection, &row)).await?;
        if added { Ok(user) } else { Err(DeskError::Exists(new.name)) }
    }

    /// Ends the user's sessions: whoever knew the old password is out.
    pub async fn set_password(&self, by: &Who, name: &str, password: Password) -> Result<(), DeskError> {
        let phc = self.hashed(name, password).await?;
        let now = self.now();
        let act = by.act(now, "set-password", name, json!({}));
        let user = name.to_owned();
        let work = move |connection: &_| users::set_password(connection, &user, &phc, now);
        self.changed(name, act, work).await
    }

    pub async fn set_disabled(&self, by: &Who, name: &str, is_disabled: bool) -> Result<(), DeskError> {
        let now = self.now();
        let action = if is_disabled { "disable-user" } else { "enable-user" };
        let act = by.act(now, action, name, json!({}));
        let user = name.to_owned();
        let since = is_disabled.then_some(now);
        self.changed(name, act, move |connection| users::set_disabled(connection, &user, since, now)).await
    }

    pub async fn set_role(&self, by: &Who, name: &str, role: Role) -> Result<(), DeskError> {
        let now = self.now();
        let user = name.to_owned();
        let before = self.store().read(move |connection| users::user(connection, &user)).await?;
        let before = before.map(|row| row.role);
        let act = by.act(now, "set-role", name, json!({"old": before, "new": role.word()}));
        let user = name.to_owned();
        self.changed(name, act, move |connection| users::set_role(connection, &user, role.word(), now)).await
    }

    /// A token for programs; shown once, here. Its label tells it from the others of that user.
    pub async fn add_token(
        &self,
        by: &Who,
        name: &str,
        label: &str,
        expires: Option<Timestamp>,
    ) -> Result<Token, DeskError> {
        check_label(label)?;
        let now = self.now();
        if self.tokens(name).await?.iter().any(|token| token.label == label) {
            return Err(DeskError::Invalid(format!("user `{name}` already has a token `{label}`")));
        }
        let token = Token::new();
        let row = TokenRow {
            hash: token.hash(),
            user: name.to_owned(),
            role: String::new(),
            contact: None,
            sight: None,
            is_disabled: false,
            label: label.to_owned(),
            created: now,
            expires,
            used: None,
        };
        let act = by.act(
            now,
            "add-token",
            name,
            json!({"label": label, "expires": expires.map(Timestamp::as_second)}),
        );
        let work = move |connection: &_| {
            let exists = users::user(connection, &row.user)?.is_some_and(|user| user.disabled.is_none());
            if exists {
                users::insert_token(connection, &row)?;
            }
            Ok(exists)
        };
        self.changed(name, act, work).await?;
        Ok(token)
    }

    /// In the order in which they were made.
    pub async fn tokens(&self, name: &str) -> Result<Vec<ProgramToken>, DeskError> {
        let user = name.to_owned();
        let read = move |connection: &_| {
            Ok((users::user(connection, &user)?.is_some(), users::tokens_of(connection, &user)?))
        };
        let (exists, rows) = self.store().read(read).await?;
        if !exists {
            return Err(DeskError::Unknown(name.to_owned()));
        }
        let token = |row: TokenRow| ProgramToken {
            label: row.label,
            created: row.created,
            expires: row.expires,
            used: row.used,
        };
        Ok(rows.into_iter().map(token).collect())
    }

    pub async fn revoke_token(&self, by: &Who, name: &str, label: &str) -> Result<(), DeskError> {
        let act = by.act(self.now(), "revoke-token", name, json!({"label": label}));
        let (user, of) = (name.to_owned(), label.to_owned());
        let work = move |connection: &_| Ok(users::revoke_token(connection, &user, &of)? > 0);
        if self.audited(act, work).await? {
            return Ok(());
        }
        Err(DeskError::Invalid(format!("user `{name}` has no token `{label}`")))
    }

    async fn hashed(&self, name: &str, password: Password) -> Result<String, DeskError> {
        password.check(name, self.policy().min_length)?;
        self.shared.hasher.hash(password).await
    }

    async fn changed(
        &self,
        name: &str,
        act: Act,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<(), DeskError> {
        if self.audited(act, work).await? { Ok(()) } else { Err(DeskError::Unknown(name.to_owned())) }
    }

    /// Does `work` and, when it changed something, records it: both or neither.
    async fn audited(
        &self,
        act: Act,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<bool, DeskError> {
        let writing = self.store().write(move |connection| {
            let changed = work(connection)?;
            if changed {
                audit::insert(connection, &act)?;
            }
            Ok(changed)
        });
        Ok(writing.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["ana", "jörg", "ops-2", "a.b@example.test"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-rf", "a b", "<b>", "a/b", "a\nb", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
