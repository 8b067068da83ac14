//! What can go wrong with the database file, in words that say what to do.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database {}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{} was written by a newer vigia (schema {found}, this one knows {known}): install that version again, \
         or restore the copy it made before it changed the file", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path} is damaged or not a database of vigia ({detail}): keep a copy, then try \
         `sqlite3 {path} .recover | sqlite3 repaired.db` and put the repaired file in its place, or restore a \
         backup, or move it away to begin anew (history, tickets and users are then gone)", path = path.display()
    )]
    Damaged { path: PathBuf, detail: String },
    #[error("cannot bring {} to schema {version}; the file as it was is kept in {}", path.display(), copy.display())]
    Migrate { path: PathBuf, copy: PathBuf, version: i64, source: rusqlite::Error },
    #[error("cannot copy the database {} to {}", path.display(), copy.display())]
    Copy { path: PathBuf, copy: PathBuf, source: rusqlite::Error },
    #[error("the database refuses: {source}")]
    Read { source: rusqlite::Error },
    #[error("the store's writer has ended")]
    Ended,
    /// What was asked for before that was known may still take effect.
    #[error("it has not answered for {seconds} s; see whether the disk of the state folder hangs")]
    Silent { seconds: u64 },
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

impl StoreError {
    /// Sorts what SQLite said on opening `path`: a damaged file needs other words than a missing right.
    pub(super) fn opening(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path: path.to_owned(), detail: source.to_string() }
            }
            _ => Self::Open { path: path.to_owned(), source },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Read { source }
    }
}

/// Why something did not get onto the disk. Cheap to clone: everyone who waits is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not saved: {why}")]
pub struct NotKept {
    pub why: String,
}

impl NotKept {
    /// `connection` is the one that failed: its file is named.
    pub(super) fn because(error: &rusqlite::Error, connection: &Connection) -> Self {
        let file = connection.path().filter(|path| !path.is_empty()).unwrap_or("the database");
        let why = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => format!("the disk with {file} is full; free some space"),
            // SQLite says it of a file without the right to write and of a whole disk alike.
            Some(ErrorCode::ReadOnly) => format!(
                "{file} may not be written; see that it, {file}-wal and their folder belong to vigia's user, and \
                 that the disk is not mounted read-only"
            ),
            Some(ErrorCode::SystemIoFailure) => format!("the disk with {file} fails ({error})"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("another program holds {file}; end what else has it open")
            }
            _ => format!("{file}: {error}"),
        };
        Self { why }
    }
}

/// Trouble that passes when the disk is well again, as opposed to a row that will never fit.
pub(super) fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseCorrupt
        )
    )
}
