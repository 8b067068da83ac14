//! Why the daemon does not start, and what to do about it: the last thing that is said, so it says all.

use std::io;

use tracing_subscriber::util::TryInitError;

use crate::config::files::LoadError;
use crate::os::files::FileError;
use crate::os::lock::LockError;
use crate::store::StoreError;
use crate::telemetry::Chain;

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The report, as `vigia validate` prints it.
    #[error("{0}")]
    Configuration(String),
    /// There is none at all.
    #[error("{}", whole(.0))]
    NoConfiguration(#[source] LoadError),
    #[error("{}", whole(.0))]
    File(#[from] FileError),
    #[error("{}", whole(.0))]
    Locked(#[from] LockError),
    #[error("{}", whole(.0))]
    Store(#[from] StoreError),
    #[error("cannot listen on {at}: {}", said(source))]
    Listen { at: String, source: io::Error },
    #[error("cannot take over signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot begin to log: {0}")]
    Logs(#[from] TryInitError),
}

impl StartError {
    /// Trying again does not help: a person must change the configuration.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Configuration(_) | Self::NoConfiguration(_))
    }

    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { at, source } => hint_of_listening(at, source),
            Self::File(error) | Self::Locked(LockError::File(error)) => hint_of_file(&error.source),
            Self::Locked(LockError::Held { .. }) => Some(
                "it has to end before another can start: `systemctl stop vigia`, or SIGTERM to that process; \
                 `vigia status` with the same --state-dir talks to it"
                    .to_owned(),
            ),
            Self::NoConfiguration(_) => {
                Some("`-c PATH`, or VIGIA_CONFIG, names the main file or its folder".to_owned())
            }
            Self::Store(StoreError::Open { .. }) => {
                Some("it, its folder and what is beside it (`-wal`, `-shm`) belong to vigia's user".to_owned())
            }
            Self::Store(_) | Self::Configuration(_) | Self::Signals(_) | Self::Logs(_) => None,
        }
    }
}

/// The error with its causes, without the system's numbers: it is the last thing that is said.
fn whole(error: &dyn std::error::Error) -> String {
    let text = Chain(error).to_string();
    text.split_once(" (os error").map_or(text.clone(), |(said, _)| said.to_owned())
}

fn hint_of_file(error: &io::Error) -> Option<String> {
    use io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => {
            "the state folder and all in it belong to vigia's user; give it to them (`chown -R`), or name another with \
             --state-dir or VIGIA_STATE_DIR"
        }
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            "this is a file where a folder should be; name the state folder with --state-dir or VIGIA_STATE_DIR"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full; free some space",
        ErrorKind::ReadOnlyFilesystem => {
            "the disk is mounted read-only; name another folder with --state-dir"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_of_listening(at: &str, source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            let port = at.rsplit(':').next().unwrap_or_default();
            Some(format!(
                "another program listens there; `ss -ltnp sport = :{port}` names it. Another address is set with \
                     `web: {{listen: …}}`"
            ))
        }
        io::ErrorKind::AddrNotAvailable => {
            Some("this machine has no such address: `ip address` lists those it has".to_owned())
        }
        io::ErrorKind::PermissionDenied => Some(
            "ports below 1024 need a right; take one above, behind a web server if it must be 80 or 443"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The system's reason without its number.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(said, _)| said.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use vigia_core::model::time::Timestamp;

    use super::*;
    use crate::os::files;
    use crate::os::lock::StateLock;

    fn told(error: impl Into<StartError>) -> (String, String) {
        let error = error.into();
        (error.to_string(), error.hint().unwrap_or_default())
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_why_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        std::fs::write(&file, "").unwrap();
        let (text, hint) = told(files::make_folder(&file, 0o750).unwrap_err());
        assert_eq!(text, format!("cannot create {}: File exists", file.display()));
        assert!(hint.contains("--state-dir"), "{hint}");
        let full = FileError { action: "write", path: file, source: io::ErrorKind::StorageFull.into() };
        assert!(told(full).1.contains("free some space"));
    }

    #[test]
    fn a_lock_of_somebody_else_says_why_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_700_000_000);
        let lock = StateLock::take(folder.path(), now).unwrap();
        let (text, hint) = told(StateLock::take(folder.path(), now).unwrap_err());
        assert!(
            text.contains("in use by another vigia") && hint.contains("systemctl stop vigia"),
            "{text} {hint}"
        );
        drop(lock);
        if nix::unistd::geteuid().is_root() {
            // Root is refused nothing.
            return;
        }
        let path = folder.path().join("lock");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        let (text, hint) = told(StateLock::take(folder.path(), now).unwrap_err());
        assert!(text.ends_with("Permission denied") && hint.contains("chown"), "{text} {hint}");
    }

    #[test]
    fn without_a_configuration_it_says_how_to_name_one() {
        let missing = LoadError::Missing { path: "/nowhere/vigia.yaml".into() };
        let error = StartError::NoConfiguration(missing);
        assert!(error.is_configuration() && error.to_string().contains("/nowhere/vigia.yaml"));
        assert!(error.hint().is_some_and(|hint| hint.contains("VIGIA_CONFIG")));
    }
}
