//! A scan that has ended, as it is handed to whoever learns from it.

use vigia_core::model::id::Name;
use vigia_core::model::time::Timestamp;

use super::finding::Sweep;
use super::targets::Targets;

#[derive(Debug)]
pub struct Report {
    /// Its number in the store.
    pub scan: i64,
    /// None: by hand.
    pub job: Option<Name>,
    /// Scans missed until a host is stale.
    pub stale_after: u32,
    pub ended: Timestamp,
    /// All that was to be looked at.
    pub targets: Targets,
    /// `is_complete` false: nothing may be concluded from silence.
    pub sweep: Sweep,
}
