//! A job of net discovery as the files define it: what is looked for, how, when, and what becomes of it.
//! How a scan goes is no business of the core.

use std::sync::Arc;
use std::time::Duration;

use super::downtime::Recurrence;
use super::id::Name;
use super::period::PeriodId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanJob {
    pub name: Name,
    /// As written, in the grammar of targets, items separated by blanks.
    pub targets: Arc<str>,
    /// `ping`, `fast`, `normal`, `full`, or a list of ports.
    pub scan: Arc<str>,
    /// `paranoid` to `insane`.
    pub timing: Arc<str>,
    /// nmap looks, not vigia itself.
    pub is_nmap: bool,
    /// None: by hand alone.
    pub every: Option<Every>,
    /// A scan begins inside this period alone.
    pub window: PeriodId,
    pub mode: ScanMode,
    /// More new hosts than that become a proposal.
    pub max_new: u32,
    /// Scans missed until a host is stale.
    pub stale_after: u32,
    /// No messages about a host that the job wrote so recently.
    pub quiet: Duration,
    /// Templates of new hosts.
    pub templates: Vec<Name>,
    /// In byte order of their names.
    pub rules: Vec<ScanRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Every {
    Span(Duration),
    /// On the wall clock of the system.
    At(Recurrence),
}

/// What becomes of what a job finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanMode {
    /// It is shown.
    Report,
    /// A person ticks what is written.
    Propose,
    /// New hosts are written, and not monitored unless their network says so.
    Add,
    /// New hosts and new services are written and monitored.
    Monitor,
}

impl ScanMode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Propose => "propose",
            Self::Add => "add",
            Self::Monitor => "monitor",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Report, Self::Propose, Self::Add, Self::Monitor].into_iter().find(|mode| mode.word() == word)
    }
}

/// Templates by what was found. All that is said must hold of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanRule {
    pub name: Arc<str>,
    pub port: Option<u16>,
    pub service: Option<Arc<str>>,
    pub product: Option<Arc<str>>,
    pub os: Option<Arc<str>>,
    pub vendor: Option<Arc<str>>,
    /// One or more addresses, networks and ranges, in the grammar of targets.
    pub address: Option<Arc<str>>,
    pub templates: Vec<Name>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_they_are_written() {
        for word in ["report", "propose", "add", "monitor"] {
            assert_eq!(ScanMode::from_word(word).map(ScanMode::word), Some(word));
        }
        assert_eq!(ScanMode::from_word("delete"), None);
    }
}
