//! What people do: accounts, sessions, rights, and the record of every act.
//!
//! Orders to the engine do not pass through here: they go in as an input by the door that called, and the store
//! writes them into the audit itself. What has no engine behind it (log in, users) is recorded here.

pub mod audit;
pub mod documents;
pub mod files;
mod password;
pub mod rights;
mod secret;
mod sessions;
#[cfg(test)]
mod tests;
mod users;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use vigia_core::model::time::Timestamp;

use crate::store::{Store, StoreError};

pub use documents::{DocumentTrouble, Documents, Knowledge};
pub use files::{FileLimits, FileTrouble, Files};
pub use password::Password;
pub use rights::Role;
pub use secret::Token;
pub use sessions::{LoginRefused, Origin, Who};
pub use users::{NewUser, ProgramToken, User};

use password::Hasher;

/// How accounts are guarded (`config.md` 6, `web.auth`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Characters of a password, at least.
    pub min_length: usize,
    /// Wrong passwords in a row until the account is locked.
    pub tries: u32,
    pub lock: Duration,
    /// A session ends when it was not used for so long …
    pub session_idle: Duration,
    /// … and in any case after so long.
    pub session_absolute: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            min_length: 10,
            tries: 5,
            lock: Duration::from_secs(300),
            session_idle: 12 * hour,
            session_absolute: 7 * 24 * hour,
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    policy: Mutex<Policy>,
    files: Files,
    hasher: Hasher,
    /// Wrong tries under names that do not exist, so that they lock like those that do.
    strangers: Mutex<HashMap<String, Tries>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    failed: u32,
    locked_until: Option<Timestamp>,
}

/// Why the desk did not do what it was asked. Shown to whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("there is no user `{0}`")]
    Unknown(String),
    #[error("there is already a user `{0}`")]
    Exists(String),
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

impl Desk {
    /// What people attach lies below the state folder.
    pub fn new(store: Store, policy: Policy, state_dir: &Path) -> Self {
        let shared = Shared {
            files: Files::new(store.clone(), state_dir.join("attachments")),
            store,
            policy: Mutex::new(policy),
            hasher: Hasher::default(),
            strangers: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub fn policy(&self) -> Policy {
        *self.shared.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the next request on; a reload may change it.
    pub fn set_policy(&self, policy: Policy) {
        *self.shared.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub fn documents(&self) -> Documents {
        Documents::new(self.store().clone())
    }

    pub fn files(&self) -> Files {
        self.shared.files.clone()
    }

    fn store(&self) -> &Store {
        &self.shared.store
    }

    fn now(&self) -> Timestamp {
        self.shared.store.clock().now()
    }
}
