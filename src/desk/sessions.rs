//! Log in, be known again, log out.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;
use vigia_core::model::time::Timestamp;

use super::password::Password;
use super::rights::Role;
use super::secret::{Token, is_same};
use super::{Desk, DeskError, Policy, Tries};
use crate::store::audit;
use crate::store::users::{self, SessionRow, TokenRow, UserRow};

/// Somebody we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub name: String,
    pub role: Role,
    pub contact: Option<String>,
    pub sight: Option<String>,
    /// For the audit: the address a request came from, `socket` on the control socket.
    pub peer: Option<String>,
}

/// Where a request comes from, as the audit and the list of sessions show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub peer: Option<String>,
    pub agent: Option<String>,
}

/// Why somebody was not let in. The words do not tell whether the name exists.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    #[error("name or password is wrong")]
    Wrong,
    #[error("too many wrong passwords: this name is locked for another {} s", left.as_secs().max(1))]
    Locked { left: Duration },
    #[error(transparent)]
    Desk(#[from] DeskError),
}

/// A session that was used less than this ago is not written again.
const TOUCH: Duration = Duration::from_secs(60);

/// Names that nobody has are remembered up to here; then we begin anew.
const STRANGERS: usize = 10_000;

/// What is kept of a browser's name.
const AGENT_MAX: usize = 200;

impl Desk {
    pub async fn login(
        &self,
        name: &str,
        password: Password,
        origin: Origin,
    ) -> Result<(Token, Who), LoginRefused> {
        let (now, policy) = (self.now(), self.policy());
        let wanted = name.to_owned();
        let user = self.store().read(move |connection| users::user(connection, &wanted)).await;
        let user = user.map_err(DeskError::from)?;
        let tries = match &user {
            Some(user) => Tries { failed: user.failed, locked_until: user.locked_until },
            None => self.stranger(name),
        };
        if let Some(until) = tries.locked_until.filter(|until| *until > now) {
            return Err(LoginRefused::Locked { left: until.since(now) });
        }
        let phc = user.as_ref().filter(|user| user.disabled.is_none()).and_then(|user| user.password.clone());
        let is_right = password.may_be_one() && self.shared.hasher.verify(phc, password).await?;
        match user {
            Some(user) if is_right => Ok(self.let_in(user, origin, now).await?),
            user => {
                self.count_failure(name, user, &origin, policy, now).await?;
                Err(LoginRefused::Wrong)
            }
        }
    }

    async fn let_in(&self, user: UserRow, origin: Origin, now: Timestamp) -> Result<(Token, Who), DeskError> {
        let token = Token::new();
        let who = Who {
            role: Role::from_word(&user.role).unwrap_or(Role::Viewer),
            name: user.name.clone(),
            contact: user.contact.clone(),
            sight: user.sight.clone(),
            peer: origin.peer.clone(),
        };
        let session = SessionRow {
            hash: token.hash(),
            user: user.name,
            role: user.role,
            contact: user.contact,
            sight: user.sight,
            is_disabled: false,
            created: now,
            seen: now,
            peer: origin.peer,
            agent: origin.agent.map(|agent| agent.chars().take(AGENT_MAX).collect()),
        };
        let act = who.act(now, "login", &session.user, json!({"agent": session.agent}));
        let policy = self.policy();
        let (idle, oldest) = (now.before(policy.session_idle), now.before(policy.session_absolute));
        let writing = self.store().write(move |connection| {
            users::end_sessions_before(connection, idle, oldest)?;
            users::note_login(connection, &session.user, now)?;
            users::insert_session(connection, &session)?;
            audit::insert(connection, &act)
        });
        writing.await?;
        Ok((token, who))
    }

    async fn count_failure(
        &self,
        name: &str,
        user: Option<UserRow>,
        origin: &Origin,
        policy: Policy,
        now: Timestamp,
    ) -> Result<(), DeskError> {
        let until = now.after(policy.lock);
        let Some(user) = user else {
            self.count_stranger(name, policy, until);
            return Ok(());
        };
        let who = Who {
            name: user.name.clone(),
            role: Role::Viewer,
            contact: None,
            sight: None,
            peer: origin.peer.clone(),
        };
        let act = who.act(now, "login-failed", &user.name, json!({}));
        let writing = self.store().write(move |connection| {
            users::count_failure(connection, &user.name, policy.tries, until)?;
            audit::insert(connection, &act)
        });
        Ok(writing.await?)
    }

    fn stranger(&self, name: &str) -> Tries {
        let strangers = self.shared.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.get(&stranger_key(name)).copied().unwrap_or_default()
    }

    fn count_stranger(&self, name: &str, policy: Policy, until: Timestamp) {
        let mut strangers = self.shared.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.len() >= STRANGERS {
            strangers.clear();
        }
        let tries = strangers.entry(stranger_key(name)).or_default();
        tries.failed += 1;
        if tries.failed >= policy.tries {
            *tries = Tries { failed: 0, locked_until: Some(until) };
        }
    }

    /// Who shows this token of a session or of a program; none when it is unknown, has run out or was revoked.
    pub async fn session(&self, token: &Token, origin: &Origin) -> Result<Option<Who>, DeskError> {
        let hash = token.hash();
        let session = self.store().read(move |connection| users::session(connection, &hash)).await?;
        let Some(session) = session.filter(|session| is_same(&session.hash, &hash)) else {
            return self.program(token, origin).await;
        };
        let (now, policy) = (self.now(), self.policy());
        if is_over(&session, policy, now) {
            // Where the disk takes nothing it stays, and is over all the same.
            drop(self.store().write_lightly(move |connection| users::end_session(connection, &hash)).await);
            return Ok(None);
        }
        if now.since(session.seen) > TOUCH {
            let touch = move |connection: &_| users::touch_session(connection, &hash, now);
            // On a full disk people must still be able to look: the session then ends by its older sight.
            drop(self.store().write_lightly(touch).await);
        }
        Ok(Some(Who {
            role: Role::from_word(&session.role).unwrap_or(Role::Viewer),
            name: session.user,
            contact: session.contact,
            sight: session.sight,
            peer: origin.peer.clone(),
        }))
    }

    /// Whether it is still a session or a program's token, without using it.
    pub async fn is_known(&self, token: &Token) -> Result<bool, DeskError> {
        let hash = token.hash();
        let read =
            move |connection: &_| Ok((users::session(connection, &hash)?, users::token(connection, &hash)?));
        let (session, program) = self.store().read(read).await?;
        let (now, policy) = (self.now(), self.policy());
        Ok(session.is_some_and(|session| !is_over(&session, policy, now))
            || program.is_some_and(|program| is_good(&program, now)))
    }

    async fn program(&self, token: &Token, origin: &Origin) -> Result<Option<Who>, DeskError> {
        let hash = token.hash();
        let row = self.store().read(move |connection| users::token(connection, &hash)).await?;
        let now = self.now();
        let row = row.filter(|row| is_same(&row.hash, &hash) && is_good(row, now));
        let Some(row) = row else { return Ok(None) };
        if row.used.is_none_or(|used| now.since(used) > TOUCH) {
            let touch = move |connection: &_| users::touch_token(connection, &hash, now);
            drop(self.store().write_lightly(touch).await);
        }
        Ok(Some(Who {
            role: Role::from_word(&row.role).unwrap_or(Role::Viewer),
            name: row.user,
            contact: row.contact,
            sight: row.sight,
            peer: origin.peer.clone(),
        }))
    }

    pub async fn logout(&self, token: &Token) -> Result<(), DeskError> {
        let hash = token.hash();
        Ok(self.store().write(move |connection| users::end_session(connection, &hash)).await?)
    }
}

fn is_over(session: &SessionRow, policy: Policy, now: Timestamp) -> bool {
    now.since(session.seen) > policy.session_idle
        || now.since(session.created) > policy.session_absolute
        || session.is_disabled
}

fn is_good(token: &TokenRow, now: Timestamp) -> bool {
    !token.is_disabled && token.expires.is_none_or(|expires| now < expires)
}

/// A name longer than any user's is not worth remembering whole.
fn stranger_key(name: &str) -> String {
    name.chars().take(100).collect::<String>().to_lowercase()
}
