//! `depends_on`: holds messages back, never checks, unless `execution_failure` says so.

use super::id::Checkable;
use super::period::PeriodId;
use super::policy::StateSet;

#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The master.
    pub on: Checkable,
    /// Master states that hold messages of the dependent back.
    pub notification_failure: FailureStates,
    /// Master states that keep the dependent from being checked.
    pub execution_failure: FailureStates,
    pub period: Option<PeriodId>,
    /// The master's own failing dependencies count as well.
    pub inherits_parent: bool,
}

/// States of the master, and PENDING, which is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureStates {
    pub states: StateSet,
    pub pending: bool,
}
