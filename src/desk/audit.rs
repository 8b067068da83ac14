//! The record of what people did. Written by whoever did it; read here.

use serde_json::Value;
use vigia_core::model::time::Timestamp;

use super::sessions::Who;
use super::{Desk, DeskError};
use crate::store::Page;
use crate::store::audit::{self, Act, AuditFilter, AuditLine};

impl Who {
    /// An act of this person, for the audit. `detail` never holds a secret.
    pub fn act(&self, at: Timestamp, action: &str, subject: &str, detail: Value) -> Act {
        Act {
            at,
            author: self.name.clone(),
            peer: self.peer.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail,
        }
    }
}

impl Desk {
    /// Records an act that changed nothing in the store by itself: a reload, a log out.
    pub async fn record(&self, act: Act) -> Result<(), DeskError> {
        Ok(self.store().write(move |connection| audit::insert(connection, &act)).await?)
    }

    pub async fn audit(&self, filter: AuditFilter) -> Result<Page<AuditLine>, DeskError> {
        Ok(self.store().read(move |connection| audit::list(connection, &filter)).await?)
    }
}
