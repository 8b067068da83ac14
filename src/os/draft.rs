//! A file on its way: written beside its place, and there only when it is whole. Of one that is given up nothing stays.

#![allow(clippy::disallowed_methods, reason = "with `os::files`, the place that opens files")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::files::FileError;

/// The end of names of files that are not finished.
const UNFINISHED: &str = ".new";

/// A path for a file that nobody else sees; removed with what belongs to it when this goes.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Beside `path`, under a hidden name of this process.
    pub fn beside(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{name}.{}{UNFINISHED}", std::process::id());
        Self { path: path.with_file_name(name) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
        // What SQLite may leave beside it.
        for end in ["-wal", "-shm", "-journal"] {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            drop(fs::remove_file(name));
        }
    }
}

/// Whether this is the name of a file that somebody is writing.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(UNFINISHED)
}

/// Removes what processes that are gone left unfinished in `folder`.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name
            .strip_suffix(UNFINISHED)
            .filter(|name| name.starts_with('.'))
            .and_then(|name| name.rsplit('.').next()?.parse::<u32>().ok());
        let is_left = process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists());
        if is_left {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// A file being written.
#[derive(Debug)]
pub struct Draft {
    file: File,
    scratch: Scratch,
    path: PathBuf,
}

impl Draft {
    /// For `path`, with these rights; who has the folder gets the file too where we may give it away.
    pub fn create(path: &Path, mode: u32) -> Result<Self, FileError> {
        let scratch = Scratch::beside(path);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(scratch.path())
            .map_err(FileError::on("write", path))?;
        Ok(Self { file, scratch, path: path.to_path_buf() })
    }

    /// The same in another place of the same file system: for what is called by what it holds.
    pub fn keep_as(self, path: &Path) -> Result<(), FileError> {
        Self { path: path.to_path_buf(), ..self }.keep()
    }

    /// Puts it in its place, on the disk.
    pub fn keep(self) -> Result<(), FileError> {
        let Self { file, scratch, path } = self;
        let kept = || -> io::Result<()> {
            file.sync_all()?;
            give_as_folder(&path, scratch.path());
            fs::rename(scratch.path(), &path)?;
            File::open(folder_of(&path))?.sync_all()
        };
        kept().map_err(FileError::on("write", &path))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What root makes in a folder of the daemon's user is the daemon's. Others may give nothing away and need not.
pub fn give_as_folder(of: &Path, path: &Path) {
    if let Ok(folder) = fs::metadata(folder_of(of)) {
        drop(std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid())));
    }
}

/// The same for a folder with all in it.
pub fn give_all_as_folder(path: &Path) {
    give_as_folder(path, path);
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            give_all_as_folder(&entry.path());
        } else {
            give_as_folder(&entry.path(), &entry.path());
        }
    }
}

/// Renames and makes sure that it stays so.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    let moved = || -> io::Result<()> {
        fs::rename(from, to)?;
        File::open(folder_of(to))?.sync_all()
    };
    moved().map_err(FileError::on("move", from))
}

/// How many bytes a file holds.
pub fn length(path: &Path) -> Result<u64, FileError> {
    fs::metadata(path).map(|found| found.len()).map_err(FileError::on("look at", path))
}

/// Removes a folder with all in it; one that is not there is as good as removed.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FileError { action: "remove", path: path.to_path_buf(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_draft_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        let mut draft = Draft::create(&path, 0o600).unwrap();
        draft.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(draft);
        assert_eq!(names(folder.path()), [""; 0]);
        let mut draft = Draft::create(&path, 0o600).unwrap();
        draft.write_all(b"whole").unwrap();
        draft.keep().unwrap();
        assert_eq!(names(folder.path()), ["copy"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_that_of_the_living_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (dead, own) = (".copy.4294967295.new", format!(".copy.{}.new", std::process::id()));
        for name in [dead, &own, "copy.new", ".hidden"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        sweep(folder.path());
        let mut kept = vec![own, ".hidden".to_owned(), "copy.new".to_owned()];
        kept.sort();
        assert_eq!(names(folder.path()), kept);
    }
}
