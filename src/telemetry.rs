//! Logs with stable event names, and an error with its causes in one line.
//!
//! Names of events and fields are closed lists (`conventions`, 11): scripts match them. What goes into the
//! message is for people.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::linux::fs::MetadataExt;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as text, reload};

/// An error and what caused it: `cannot read /etc/vigia/vigia.yaml: Permission denied (os error 13)`.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    pub const ALL: &'static [Self] = &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.word() == word)
    }

    /// Ours at this level; the libraries only when something is wrong.
    fn filter(self) -> EnvFilter {
        let word = self.word();
        EnvFilter::new(format!("warn,vigia={word},vigia_core={word},vigia_checks={word}"))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Fields of the journal where it listens, else text.
    #[default]
    Auto,
    Text,
    Json,
}

impl LogFormat {
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Text, Self::Json];

    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.word() == word)
    }
}

/// The running log; its level can be changed.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Begins to log on standard error, or to the journal.
pub fn start(level: Level, format: LogFormat) -> Result<Logs, TryInitError> {
    let (filter, handle) = reload::Layer::new(level.filter());
    tracing_subscriber::registry().with(filter).with(sink(format)).try_init()?;
    Ok(Logs { filter: handle })
}

impl Logs {
    pub fn set_level(&self, level: Level) {
        // An error says that nobody logs any more.
        self.filter.reload(level.filter()).ok();
    }
}

type Filtered = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

fn sink(format: LogFormat) -> Box<dyn Layer<Filtered> + Send + Sync> {
    let lines = || text::layer().with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Json => lines().json().flatten_event(true).boxed(),
        LogFormat::Text => lines().with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Auto => match journal() {
            Some(journal) => journal.boxed(),
            None => sink(LogFormat::Text),
        },
    }
}

/// The journal, where it is what standard error is connected to.
fn journal() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let (device, inode) = stream.split_once(':')?;
    let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
    let is_ours = device.parse() == Ok(stderr.st_dev()) && inode.parse() == Ok(stderr.st_ino());
    if !is_ours {
        return None;
    }
    let layer = tracing_journald::layer().ok()?;
    Some(layer.with_syslog_identifier("vigia".to_owned()).with_field_prefix(Some("VIGIA".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot save")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = Outer(io::Error::new(io::ErrorKind::StorageFull, "disk full"));
        assert_eq!(Chain(&error).to_string(), "cannot save: disk full");
    }

    #[test]
    fn words_of_levels_and_formats_are_read_as_they_are_written() {
        assert!(Level::ALL.iter().all(|level| Level::from_word(level.word()) == Some(*level)));
        assert!(LogFormat::ALL.iter().all(|format| LogFormat::from_word(format.word()) == Some(*format)));
    }
}
