//! Condition → action: OSSIM's policies. (`config.md` 5, "Rules")

use std::sync::Arc;
use std::time::Duration;

use super::id::Name;
use super::period::PeriodId;
use super::selector::Selection;

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: Name,
    pub when: When,
    pub ticket: Option<TicketAction>,
    /// Contacts and contact groups.
    pub notify: Vec<Name>,
    pub webhook: Option<super::contact::Webhook>,
    pub run: Option<Vec<String>>,
    /// What it does beside the ticket is done again after so long; none: once per problem.
    pub repeat: Option<Duration>,
    pub label: Option<Arc<str>>,
    /// No ticket and no message, still shown.
    pub suppress: bool,
    pub priority: i32,
}

impl Rule {
    /// It tells somebody or does something, beside opening a ticket.
    pub fn acts(&self) -> bool {
        !self.notify.is_empty() || self.webhook.is_some() || self.run.is_some()
    }
}

#[derive(Clone, Debug)]
pub struct When {
    pub sources: Vec<RuleSource>,
    pub only: Selection,
    pub states: RuleStates,
    pub hard: bool,
    /// How long all of this has held without a break; for `hard`, since the problem became hard.
    pub lasting: Duration,
    pub period: PeriodId,
    /// 0 to 10.
    pub severity: u8,
    pub in_downtime: Tri,
    pub acknowledged: Tri,
    pub flapping: Tri,
    pub anomaly: Vec<String>,
    /// Over the output.
    pub text: Option<regex::Regex>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSource {
    Availability,
    Anomaly,
    Alarm,
    Event,
    Vulnerability,
}

/// Sets of state numbers, for hosts and for services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleStates {
    pub hosts: super::policy::StateSet,
    pub services: super::policy::StateSet,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tri {
    /// Only when it is so.
    On,
    /// Only when it is not.
    #[default]
    Off,
    Any,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TicketAction {
    pub r#type: Arc<str>,
    /// 1 to 10; none: by `ossim-tickets.md` 8.4.
    pub priority: Option<u8>,
    pub in_charge: Option<Name>,
    pub tags: Vec<Arc<str>>,
    pub documents: Vec<Arc<str>>,
    /// Stable for so long after recovery, the ticket closes; none: never by itself.
    pub close_on_recovery: Option<Duration>,
    pub reopen_within: Duration,
    pub note_every: Duration,
}
