//! How the store is: what the banner, `/readyz` and the metrics show.

use vigia_core::model::time::Timestamp;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreHealth {
    /// Since when and why nothing gets onto the disk; none: all is well.
    pub failing: Option<Failing>,
    /// Events waiting for a disk that takes them again.
    pub waiting: usize,
    /// Events that could not be kept, ever.
    pub lost: u64,
    pub commits: u64,
    /// Rows of statuses written.
    pub statuses: u64,
    pub events: u64,
    /// Time spent in transactions.
    pub busy_seconds: f64,
    pub last_commit: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub since: Timestamp,
    /// With what to do about it.
    pub why: String,
}
