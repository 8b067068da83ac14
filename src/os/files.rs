//! Files, with the path in every error, and writing that leaves the old file or the new one, never half of it.

#![allow(clippy::disallowed_methods, reason = "this is the one place that opens files")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What could not be done, to which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    pub action: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: puts the path and what was tried in front of the system's error.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.to_path_buf(), source }
    }
}

/// The whole file, refused when it holds more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let wrong = FileError::on("read", path);
    read_up_to(path, limit).map_err(wrong)
}

fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too long from one that just fits.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("it holds more than {limit} bytes, the limit for such a file");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The file as a stream, for what need not be held whole; it ends after `limit` bytes.
pub fn open(path: &Path, limit: u64) -> Result<impl io::BufRead + use<>, FileError> {
    let file = File::open(path).map_err(FileError::on("open", path))?;
    Ok(io::BufReader::new(file.take(limit)))
}

/// Replaces `path` by `bytes`: written beside it, on the disk, then renamed over it.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = path.file_name().unwrap_or_default().to_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = dir.join(beside);
    let done = write_through(&beside, bytes, mode)
        .and_then(|()| fs::rename(&beside, path))
        // The rename itself is on the disk only when its folder is.
        .and_then(|()| File::open(dir)?.sync_all());
    done.map_err(|source| {
        drop(fs::remove_file(&beside));
        FileError { action: "write", path: path.to_path_buf(), source }
    })
}

fn write_through(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes `path` and what is missing above it. A folder that exists keeps its mode.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(FileError::on("create", path))
}

/// Removes a file; one that is not there is as good as removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FileError { action: "remove", path: path.to_path_buf(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What stands at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A pipe, a device, a socket, or a link that leads nowhere.
    Other,
}

/// `None`: nothing is there, not even a link. Only the system's word for "not there" counts as that: a folder without
/// rights or a dead mount is an error.
pub fn kind(path: &Path) -> Result<Option<Kind>, FileError> {
    let wrong = FileError::on("look at", path);
    match fs::metadata(path) {
        Ok(found) => Ok(Some(kind_of(found.file_type()))),
        Err(error) if is_absence(&error) => match fs::symlink_metadata(path) {
            Ok(_) => Ok(Some(Kind::Other)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(wrong(error)),
        },
        Err(error) => Err(wrong(error)),
    }
}

fn kind_of(found: fs::FileType) -> Kind {
    if found.is_file() {
        Kind::File
    } else if found.is_dir() {
        Kind::Folder
    } else {
        Kind::Other
    }
}

/// Nothing is there, or what should be a folder on the way is none.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl FileError {
    /// Nothing is there: neither rights nor a failing disk are in the way.
    pub fn is_absence(&self) -> bool {
        is_absence(&self.source)
    }
}

/// Something in a folder: what stands there, or why nobody can tell.
pub type Entry = (PathBuf, Result<Kind, FileError>);

/// The paths in a folder with what stands there, in byte order.
pub fn list(dir: &Path) -> Result<Vec<Entry>, FileError> {
    let wrong = FileError::on("list", dir);
    let paths = || -> io::Result<Vec<(PathBuf, io::Result<fs::FileType>)>> {
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| (entry.path(), entry.file_type()))).collect()
    };
    let mut paths = paths().map_err(wrong)?;
    paths.sort_by(|(a, _), (b, _)| a.cmp(b));
    let look = |(path, named): (PathBuf, io::Result<fs::FileType>)| {
        // Only a link has to be asked for what it leads to.
        let found = match named.map(kind_of) {
            Ok(kind @ (Kind::File | Kind::Folder)) => Ok(Some(kind)),
            Ok(Kind::Other) | Err(_) => kind(&path),
        };
        found.transpose().map(|found| (path, found))
    };
    Ok(paths.into_iter().filter_map(look).collect())
}

/// Two paths with equal answers lead to the same file, whatever links are on the way.
pub fn canonical(path: &Path) -> Result<PathBuf, FileError> {
    fs::canonicalize(path).map_err(FileError::on("follow", path))
}

/// The same path from the root on, without looking at the disk: for telling whether two are one, however they are written.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        write(&path, b"old", 0o640).unwrap();
        write(&path, b"new", 0o640).unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_error_names_the_path_and_leaves_the_cause_to_its_source() {
        let error = read(Path::new("/no/such/file"), 10).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /no/such/file");
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"", 0o600).unwrap();
        assert_eq!(kind(&path).unwrap(), Some(Kind::File));
        assert_eq!(kind(&dir.path().join("nothing")).unwrap(), None);
        assert_eq!(kind(&path.join("below")).unwrap(), None);
        let circle = dir.path().join("circle");
        std::os::unix::fs::symlink("circle", &circle).unwrap();
        assert!(!kind(&circle).unwrap_err().is_absence());
        let listed = list(dir.path()).unwrap();
        assert_eq!(listed.iter().map(|(_, kind)| kind.is_ok()).collect::<Vec<_>>(), [false, true]);
        assert!(list(&dir.path().join("nothing")).unwrap_err().is_absence());
    }

    #[test]
    fn a_file_over_the_limit_is_refused_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        write(&path, b"1234", 0o600).unwrap();
        let error = read(&path, 3).unwrap_err();
        assert!(error.source.to_string().contains("more than 3 bytes"), "{}", error.source);
    }

    #[test]
    fn writing_into_a_missing_folder_fails_and_names_the_file() {
        let error = write(Path::new("/no/such/folder/file"), b"", 0o600).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /no/such/folder/file");
    }
}
