//! One daemon on one state folder: the second is told who holds it.

#![allow(clippy::disallowed_methods, reason = "the lock is a file kept open")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use vigia_core::model::time::Timestamp;

use super::files::FileError;

/// Held as long as it lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by another vigia ({holder})", folder.display())]
    Held { folder: PathBuf, holder: String },
    #[error(transparent)]
    File(#[from] FileError),
}

impl StateLock {
    /// Takes the state folder `folder`, or says who has it.
    pub fn take(folder: &Path, now: Timestamp) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&path)
            .map_err(FileError::on("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { folder: folder.to_path_buf(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::on("lock", &path)(error).into()),
        }
        let said = format!("process {}, since {now:.0}\n", std::process::id(), now = now.to_jiff());
        file.set_len(0)
            .and_then(|()| file.write_all(said.as_bytes()))
            .map_err(FileError::on("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// What the holder wrote about itself; it may be about to write it.
fn holder(file: &mut File) -> String {
    let mut said = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut said));
    match read {
        Ok(length) if length > 0 => said.trim_end().replace(char::is_control, " "),
        Ok(_) | Err(_) => "which has just started".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_folder_and_gets_it_when_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_700_000_000);
        let first = StateLock::take(dir.path(), now).unwrap();
        let refused = StateLock::take(dir.path(), now).unwrap_err().to_string();
        let process = format!("(process {}, since 2023-11-14T22:13:20Z)", std::process::id());
        assert!(refused.contains(&process), "{refused}");
        drop(first);
        StateLock::take(dir.path(), now).unwrap();
    }
}
