//! A piece of work for people; outlives its alarm. (`ossim-tickets.md`)
//!
//! Of a ticket the world keeps only what decisions need; title, notes and files live in the store.

use std::fmt;
use std::sync::Arc;

use super::id::{ObjectKey, ProblemId, TicketId};
use super::time::Timestamp;

/// What decisions need of a ticket: one problem, one ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketHead {
    pub id: TicketId,
    pub class: TicketClass,
    pub subject: Option<ObjectKey>,
    /// The problem it was last opened or reopened for.
    pub problem: Option<ProblemId>,
    /// The rule that opened it; none: a person.
    pub rule: Option<Arc<str>>,
    pub status: TicketStatus,
    pub opened: Timestamp,
    pub updated: Timestamp,
    pub closed: Option<Timestamp>,
    /// When the problem was last seen gone; none while it stands.
    pub recovered: Option<Timestamp>,
    /// For `note_every`.
    pub last_note: Option<Timestamp>,
    /// Grows with every change of a field or the status: who edits says what they saw.
    pub version: u32,
}

impl TicketHead {
    pub fn reference(&self) -> Reference {
        Reference { class: self.class, id: self.id }
    }

    pub fn is_open(&self) -> bool {
        self.status != TicketStatus::Closed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TicketClass {
    Availability,
    Alarm,
    Event,
    Metric,
    Anomaly,
    Vulnerability,
    Custom,
}

impl TicketClass {
    pub const ALL: &'static [Self] = &[
        Self::Availability,
        Self::Alarm,
        Self::Event,
        Self::Metric,
        Self::Anomaly,
        Self::Vulnerability,
        Self::Custom,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Availability => "Availability",
            Self::Alarm => "Alarm",
            Self::Event => "Event",
            Self::Metric => "Metric",
            Self::Anomaly => "Anomaly",
            Self::Vulnerability => "Vulnerability",
            Self::Custom => "Custom",
        }
    }

    /// What a ticket of this class says beyond what all say, as key and words (`ossim-tickets.md` 1.5).
    pub fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Availability | Self::Custom => &[],
            Self::Alarm | Self::Event => &[
                ("source_ips", "Source IPs"),
                ("source_ports", "Source Ports"),
                ("destination_ips", "Dest. IPs"),
                ("destination_ports", "Dest. Ports"),
            ],
            Self::Metric => {
                &[("target", "Target"), ("metric_type", "Metric Type"), ("metric_value", "Metric Value")]
            }
            Self::Anomaly => &[
                ("kind", "Anomaly type"),
                ("host", "Host"),
                ("sensor", "Sensor"),
                ("port", "Port"),
                ("previous", "Previous"),
                ("new", "New"),
                ("when", "When"),
            ],
            Self::Vulnerability => &[
                ("ip", "IP"),
                ("port", "Port"),
                ("scanner_id", "Scanner ID"),
                ("risk", "Risk"),
                ("description", "Description"),
            ],
        }
    }

    /// By its word or its prefix, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        let is_it = |class: &&Self| {
            class.word().eq_ignore_ascii_case(word) || class.prefix().eq_ignore_ascii_case(word)
        };
        Self::ALL.iter().find(is_it).copied()
    }

    /// The first three letters in capitals (T-1), but `AVA` for Availability, which OSSIM lacks.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Availability => "AVA",
            Self::Alarm => "ALA",
            Self::Event => "EVE",
            Self::Metric => "MET",
            Self::Anomaly => "ANO",
            Self::Vulnerability => "VUL",
            Self::Custom => "CUS",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TicketStatus {
    #[default]
    Open,
    Assigned,
    Studying,
    Waiting,
    Testing,
    Closed,
}

impl TicketStatus {
    pub const ALL: &'static [Self] =
        &[Self::Open, Self::Assigned, Self::Studying, Self::Waiting, Self::Testing, Self::Closed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Assigned => "Assigned",
            Self::Studying => "Studying",
            Self::Waiting => "Waiting",
            Self::Testing => "Testing",
            Self::Closed => "Closed",
        }
    }
}

/// One set of words for priorities, with one set of limits for colours and filters too (T-41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriorityWord {
    Low,
    Medium,
    High,
}

impl PriorityWord {
    pub const ALL: &'static [Self] = &[Self::High, Self::Medium, Self::Low];

    pub fn of(priority: u8) -> Self {
        match priority {
            7.. => Self::High,
            4..=6 => Self::Medium,
            0..=3 => Self::Low,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }

    /// The priorities that it names, from and to.
    pub fn limits(self) -> (u8, u8) {
        match self {
            Self::Low => (0, 3),
            Self::Medium => (4, 6),
            Self::High => (7, 10),
        }
    }

    /// In any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|known| known.word().eq_ignore_ascii_case(word)).copied()
    }
}

/// How a ticket came to be closed; closing needs one of these.
pub const RESOLUTIONS: &[&str] =
    &["Fixed", "False positive", "Duplicate", "Won't fix", "Expected/maintenance", "No longer present"];

/// What people call a ticket: `AVA01`, `ALA120` (T-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    pub class: TicketClass,
    pub id: TicketId,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.class.prefix(), self.id.0)
    }
}

impl Reference {
    /// Reads `AVA01`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, number) = text.split_at_checked(3)?;
        let class = TicketClass::ALL.iter().find(|class| class.prefix().eq_ignore_ascii_case(prefix))?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Some(Self { class: *class, id: TicketId(number.parse().ok()?) }))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_has_one_word_everywhere() {
        for priority in 1..=10 {
            let word = PriorityWord::of(priority);
            let (from, to) = word.limits();
            assert!((from..=to).contains(&priority), "{priority}");
            assert_eq!(PriorityWord::from_word(&word.word().to_lowercase()), Some(word));
        }
        assert_eq!([3, 4, 6, 7].map(|at| PriorityWord::of(at).word()), ["Low", "Medium", "Medium", "High"]);
    }

    #[test]
    fn a_reference_reads_as_it_is_written() {
        for text in ["AVA01", "ALA05", "ANO11", "VUL120"] {
            assert_eq!(Reference::parse(text).map(|r| r.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Reference::parse("AVA"), None);
        assert_eq!(Reference::parse("XYZ01"), None);
        assert_eq!(Reference::parse("AVA+1"), None);
    }
}
