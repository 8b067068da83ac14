//! What somebody wrote on a host or service. Immutable, with author and id.

use std::sync::Arc;

use super::id::{CommentId, ObjectKey};
use super::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub id: CommentId,
    pub subject: ObjectKey,
    pub author: Arc<str>,
    pub text: Arc<str>,
    pub at: Timestamp,
    pub kind: CommentKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentKind {
    User,
    Downtime,
    Flapping,
    Acknowledgement,
}
