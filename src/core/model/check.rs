//! One look at a host or service: how it is made, and what came back.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::id::{Checkable, Name, ObjectKey};
use super::state::State;
use super::time::Timestamp;

/// How an object is checked. Equal checks of many services are one shared value.
#[derive(Debug)]
pub struct Check {
    /// The kind as in YAML: `tcp`, `http`, `plugin`, `passive`, …
    pub kind: &'static str,
    pub method: CheckMethod,
    /// One deadline for the whole check.
    pub timeout: Duration,
}

#[derive(Debug)]
pub enum CheckMethod {
    /// Runs inside vigia. The core does not look inside.
    BuiltIn(Arc<dyn BuiltInCheck>),
    /// An external program that follows the Nagios plugin contract; never through a shell.
    Plugin(PluginCommand),
    /// We do not look; somebody tells us. `stale`: the state when nothing came for too long.
    Passive { stale: State },
    /// A host that nobody looks at: taken as UP.
    AssumedUp,
}

/// The decoded options of a built-in check. The crate of checks implements it and finds its own type again
/// through [`Any`].
pub trait BuiltInCheck: Any + fmt::Debug + Send + Sync {}

/// An argument vector and its environment, all values from the configuration already put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginCommand {
    /// The program's path, absolute where it was found, and its arguments.
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// `shell: true` of a command: `argv` is then one line for `/bin/sh -c`.
    pub shell: bool,
}

/// One check handed out for execution.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where the object stands in the inventory of `generation`.
    pub object: Checkable,
    pub generation: u32,
    /// The object's name, by which its result finds it again after a reload.
    pub host: Name,
    pub service: Option<Name>,
    /// What the host's `address` says.
    pub address: Arc<str>,
    pub check: Arc<Check>,
    pub due: Timestamp,
    /// For a ping as host check: UP at the first answer, fewer packets.
    pub is_host_check: bool,
}

impl Job {
    pub fn key(&self) -> ObjectKey {
        ObjectKey { host: self.host.clone(), service: self.service.clone() }
    }
}

/// What came back of one check, active or passive.
#[derive(Clone, Debug)]
pub struct CheckResult {
    pub key: ObjectKey,
    /// Place and generation where the sender knows them; saves the look-up by name.
    pub place: Option<(Checkable, u32)>,
    pub verdict: Verdict,
    pub output: Arc<Output>,
    pub started: Timestamp,
    pub finished: Timestamp,
    /// How late the check started.
    pub latency: Duration,
    pub source: Source,
}

/// How a check ended, before it is a state (`nagios-states.md` 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A plugin's exit code, whatever it is; or the code as submitted.
    Exit(i32),
    /// A built-in check's own word.
    State(State),
    /// Ended by its deadline.
    TimedOut,
    /// The runner could not obtain an exit status.
    Abnormal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Active,
    Passive,
}

/// What a check said, already text: bounded, UTF-8, without control characters but newline and tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The first line.
    pub text: Box<str>,
    /// Everything after it; empty for most.
    pub long: Box<str>,
    /// Performance data as printed, `'label'=value[unit];warn;crit;min;max …`.
    pub perfdata: Box<str>,
}

impl Output {
    pub fn line(text: impl Into<Box<str>>) -> Arc<Self> {
        Arc::new(Self { text: text.into(), ..Self::default() })
    }
}

/// Why a check that is due does not run. (`nagios-states.md` 6.4)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchecked {
    /// Outside the object's `check_period`; none: it never opens.
    OutsidePeriod { opens: Option<Timestamp> },
    /// A master that it depends on has failed.
    Dependency { on: ObjectKey },
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsidePeriod { opens: Some(opens) } => {
                write!(f, "outside its check_period, which opens {opens}")
            }
            Self::OutsidePeriod { opens: None } => {
                f.write_str("outside its check_period, which never opens again")
            }
            Self::Dependency { on } => write!(f, "it depends on `{on}`, which has failed"),
        }
    }
}
