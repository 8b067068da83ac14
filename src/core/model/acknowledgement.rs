//! "Someone is on it."

use std::sync::Arc;

use super::time::Timestamp;

/// Immutable; the comment that came with it is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub author: Arc<str>,
    pub comment: Arc<str>,
    pub at: Timestamp,
    pub lasts: Lasts,
    pub expires: Option<Timestamp>,
}

/// What ends an acknowledgement, beside recovery, a person and its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Any other state, better or worse: Nagios calls it normal.
    UntilChange,
    /// A state more severe than the one that was acknowledged, as a number from 0 to 10.
    UntilWorse { than: u8 },
    /// Nothing: Nagios calls it sticky.
    UntilRecovery,
}

/// How long an acknowledgement shall last, as people ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    Change,
    Worse,
    #[default]
    Recovery,
}

impl Until {
    pub const ALL: &'static [Self] = &[Self::Recovery, Self::Worse, Self::Change];

    pub fn word(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Worse => "worse",
            Self::Recovery => "recovery",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|until| until.word() == word)
    }
}

impl Lasts {
    /// What was asked for.
    pub fn until(self) -> Until {
        match self {
            Self::UntilChange => Until::Change,
            Self::UntilWorse { .. } => Until::Worse,
            Self::UntilRecovery => Until::Recovery,
        }
    }
}
