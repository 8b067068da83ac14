//! The record of one problem of one object, from hard problem to recovery. Never two for one problem.

use std::sync::Arc;

use super::id::{AlarmId, ObjectKey, ProblemId};
use super::state::AnyState;
use super::ticket::Reference;
use super::time::Timestamp;

/// Labels that every alarm may be given at once; people may give their own.
pub const LABELS: &[&str] = &["Analysis in progress", super::suppression::FALSE_POSITIVE];

/// Letters of a label, and labels of an alarm.
pub const LONGEST_LABEL: usize = 64;
pub const MOST_LABELS: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub id: AlarmId,
    pub subject: ObjectKey,
    /// With the subject what makes the alarm the only one of its problem.
    pub problem: ProblemId,
    pub status: AlarmStatus,
    /// The worst state now standing.
    pub state: AnyState,
    /// 0 to 10, from the state.
    pub severity: u8,
    /// 0 to 5, from the host.
    pub asset_value: u8,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Bad results that belong to it.
    pub count: u32,
    pub output: Arc<str>,
    pub closed: Option<Timestamp>,
    pub ticket: Option<Reference>,
    /// The host that is down, where that is why.
    pub root: Option<ObjectKey>,
    pub owner: Option<Arc<str>>,
    pub labels: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmStatus {
    Open,
    Closed,
}
