//! All of vigia's state in one file: made while the daemon runs, looked at, put back.
//!
//! The file is an ordinary `.tar.gz`, so that nobody needs vigia to look into it: the database, what lies beside it in the
//! state folder, the files of the configuration, and last a manifest with the sum of each. What secrets of the
//! configuration are kept in (`{file: …}`) is not in it; of passwords and tokens only hashes are. Nothing here knows when
//! one is due but [`schedule`].

mod archive;
mod make;
mod manifest;
mod name;
mod read;
mod restore;
pub mod schedule;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use crate::os::files::FileError;
use crate::os::lock::LockError;
use crate::store::StoreError;
use crate::telemetry::Chain;

pub use make::{Made, Source, make};
pub use manifest::Manifest;
pub use name::{Kept, list, path_in, prune};
pub use read::verify;
pub use restore::{Place, Restored, restore};

/// Why there is no backup, or why one cannot be put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Locked(#[from] LockError),
    #[error("{} is not a whole backup of vigia: {why}", path.display())]
    Broken { path: PathBuf, why: String },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    /// Somebody wanted to end meanwhile.
    #[error("stopped before it was done")]
    Stopped,
}

impl BackupError {
    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        let source = match self {
            Self::File(error) | Self::Locked(LockError::File(error)) => &error.source,
            Self::Read { source, .. } | Self::Write { source, .. } => source,
            Self::Locked(LockError::Held { .. }) => {
                return Some("stop it first: `systemctl stop vigia`".to_owned());
            }
            Self::Broken { .. } => {
                return Some("take an older one; `vigia backup --list` names those it knows".to_owned());
            }
            Self::Exists { .. } => return Some("name another file, or a folder".to_owned()),
            Self::Store(_) | Self::Stopped => return None,
        };
        hint_of(source).map(str::to_owned)
    }

    /// The error with its causes and what to do, in one line.
    pub fn whole(&self) -> String {
        let text = Chain(self).to_string();
        self.hint().map_or(text.clone(), |hint| format!("{text}; {hint}"))
    }
}

fn hint_of(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Some("it belongs to vigia's user: `sudo -u vigia vigia …`, or as root")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some(
            "under systemd all but the state folder is read-only to the daemon: name a folder below it, or add \
             `ReadWritePaths=` with `systemctl edit vigia`",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("the disk is full: it needs room for a copy of the database and the packed file")
        }
        io::ErrorKind::NotFound => Some("see that it is there, with its folder"),
        _ => None,
    }
}
