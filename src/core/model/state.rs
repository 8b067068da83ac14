//! States of services and hosts, and how sure we are of them.

use std::fmt;

/// What a service is. The numbers are those of plugins and Livestatus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    #[default]
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

/// What a host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum HostState {
    #[default]
    Up = 0,
    Down = 1,
    Unreachable = 2,
}

/// Soft: being retried. Hard: confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StateType {
    Soft = 0,
    #[default]
    Hard = 1,
}

/// What [`State`] and [`HostState`] have in common, so that one state machine serves both.
pub trait Condition: Copy + Eq + Default + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// All states, in the order of their numbers.
    const ALL: &'static [Self];

    /// The number of plugins, Livestatus and the API.
    fn number(self) -> u8;

    /// The word in capitals, as Nagios writes it.
    fn word(self) -> &'static str;

    fn is_problem(self) -> bool {
        self != Self::default()
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.word().eq_ignore_ascii_case(word))
    }
}

impl Condition for State {
    const ALL: &'static [Self] = &[Self::Ok, Self::Warning, Self::Critical, Self::Unknown];

    fn number(self) -> u8 {
        self as u8
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl State {
    /// How bad, for sorting and for the worst of several: OK, WARNING, UNKNOWN, CRITICAL.
    pub fn severity(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Unknown => 2,
            Self::Critical => 3,
        }
    }

    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }
}

impl Condition for HostState {
    const ALL: &'static [Self] = &[Self::Up, Self::Down, Self::Unreachable];

    fn number(self) -> u8 {
        self as u8
    }

    fn word(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unreachable => "UNREACHABLE",
        }
    }
}

impl StateType {
    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Soft => "SOFT",
            Self::Hard => "HARD",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for StateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The state of a host or a service, where it does not matter which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnyState {
    Host(HostState),
    Service(State),
}

impl AnyState {
    /// A state by its word, in any case; no word is a host's and a service's.
    pub fn from_word(word: &str) -> Option<Self> {
        let host = HostState::from_word(word).map(Self::Host);
        host.or_else(|| State::from_word(word).map(Self::Service))
    }

    pub fn is_problem(self) -> bool {
        match self {
            Self::Host(state) => state.is_problem(),
            Self::Service(state) => state.is_problem(),
        }
    }

    pub fn number(self) -> u8 {
        match self {
            Self::Host(state) => state.number(),
            Self::Service(state) => state.number(),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Host(state) => state.word(),
            Self::Service(state) => state.word(),
        }
    }
}

impl fmt::Display for AnyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where an object stands: read as `CRITICAL SOFT 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing<S> {
    pub state: S,
    pub state_type: StateType,
    /// How many results in a row were bad, from 1; a hard problem keeps the number at which it became hard.
    pub attempt: u16,
}

impl<S: Condition> Standing<S> {
    pub fn good() -> Self {
        Self { state: S::default(), state_type: StateType::Hard, attempt: 1 }
    }
}

impl<S: Condition> fmt::Display for Standing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.state, self.state_type, self.attempt)
    }
}
