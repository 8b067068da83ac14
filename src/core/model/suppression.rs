//! What a person called a false positive: from then on no ticket and no message comes of it, though it stays on every
//! page. Lasting, until it expires or somebody revokes it. (`ossim-tickets.md` T-61)

use std::fmt;
use std::sync::Arc;

use super::anomaly::AnomalyKind;
use super::id::{AlarmId, Name, ObjectKey, SuppressionId};
use super::state::AnyState;
use super::ticket::Reference;
use super::time::Timestamp;

/// The label of alarms that are suppressed, and the resolution of tickets that suppress.
pub const FALSE_POSITIVE: &str = "False positive";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub id: SuppressionId,
    /// Of an anomaly: the host, or the name of the asset.
    pub subject: ObjectKey,
    pub matched: Matched,
    pub reason: Arc<str>,
    pub author: Arc<str>,
    pub since: Timestamp,
    /// None: for good.
    pub expires: Option<Timestamp>,
    /// Where it was said.
    pub ticket: Option<Reference>,
    pub alarm: Option<AlarmId>,
    /// The rule that had opened the ticket.
    pub rule: Option<Name>,
    /// Problems that it held back so far, and the latest of them.
    pub held: u32,
    pub last: Option<Timestamp>,
}

/// What of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Its problems that are no worse than this; none: however bad.
    Problem { up_to: Option<AnyState> },
    /// Anomalies of this kind about this: `22/tcp`.
    Anomaly { kind: AnomalyKind, about: Arc<str> },
}

impl Matched {
    /// One of two that are about the same takes the place of the other.
    pub fn is_about_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Problem { .. }, Self::Problem { .. }) => true,
            (Self::Anomaly { .. }, Self::Anomaly { .. }) => self == other,
            (Self::Problem { .. }, Self::Anomaly { .. }) | (Self::Anomaly { .. }, Self::Problem { .. }) => {
                false
            }
        }
    }
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem { up_to: None } => f.write_str("every problem"),
            Self::Problem { up_to: Some(state) } => write!(f, "problems up to {state}"),
            Self::Anomaly { kind, about } if about.is_empty() => write!(f, "anomaly {}", kind.word()),
            Self::Anomaly { kind, about } => write!(f, "anomaly {} of {about}", kind.word()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionEnd {
    Expired,
    Revoked,
    /// By a later one about the same.
    Replaced,
}

impl SuppressionEnd {
    pub const ALL: &'static [Self] = &[Self::Expired, Self::Revoked, Self::Replaced];

    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
        }
    }
}
