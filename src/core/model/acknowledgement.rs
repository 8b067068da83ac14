//! "Someone is on it."

use std::sync::Arc;

use super::time::Timestamp;

/// Immutable; the comment that came with it is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub author: Arc<str>,
    pub comment: Arc<str>,
    pub at: Timestamp,
    /// Sticky: until recovery. Otherwise until the state changes.
    pub sticky: bool,
    pub expires: Option<Timestamp>,
}
