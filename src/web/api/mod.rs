//! The API: the same data and acts as the pages, as JSON (`docs/api.md`).

pub(super) mod acts;
pub(super) mod assets;
pub(super) mod discovery;
pub(super) mod documents;
pub(super) mod files;
pub(super) mod messages;
pub(super) mod objects;
pub(super) mod process;
pub(super) mod records;
mod says;
pub(super) mod silence;
pub(super) mod suppressions;
pub(super) mod ticket_template;
pub(super) mod tickets;
pub(super) mod users;
pub(super) mod why;

use serde_json::Value;
use vigia_core::model::time::Timestamp;

/// Whole seconds, 0 for never, as in Livestatus.
fn seconds(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_second)
}

fn list(total: usize, items: Vec<Value>) -> Value {
    serde_json::json!({ "total": total, "items": items })
}
