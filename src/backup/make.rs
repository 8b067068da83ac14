//! Making one: a copy of the database at one instant, packed with the files beside it.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use vigia_core::model::time::Timestamp;

use super::archive::Writer;
use super::manifest::{self, Listed, Manifest};
use super::{BackupError, read};
use crate::os::draft::{self, Draft, Scratch};
use crate::os::files::{self, FileError, Kind};
use crate::store;

/// Folders below the state folder that are part of the state. Locks and sockets are not.
pub(super) const FOLDERS: &[&str] = &["last-good", "discovered", "discovery", "attachments"];

/// The database in the archive.
pub(super) const DATABASE: &str = "vigia.db";

/// Before the paths of the configuration, from the root of the machine on.
pub(super) const CONFIG: &str = "config";

/// One file of the configuration is refused beyond 256 MiB by default; nobody has more.
const LARGEST: u64 = 1 << 32;

/// What belongs into a backup.
#[derive(Clone, Debug)]
pub struct Source {
    pub database: PathBuf,
    pub state_dir: PathBuf,
    /// Files of the configuration; those below the state folder are taken with it.
    pub config: Vec<PathBuf>,
}

/// A backup that was made and read back.
#[derive(Clone, Debug)]
pub struct Made {
    pub path: PathBuf,
    pub bytes: u64,
    pub manifest: Manifest,
}

/// Makes a backup at `path`, which must not be there, and reads it back. Blocks; ends early once `is_stopped`.
pub fn make(
    source: &Source,
    path: &Path,
    now: Timestamp,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Made, BackupError> {
    if files::kind(path)?.is_some() {
        return Err(BackupError::Exists { path: path.to_path_buf() });
    }
    if files::kind(&source.database)?.is_none() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        return Err(BackupError::Read { path: source.database.clone(), source: missing });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if files::kind(folder)?.is_none() {
        files::make_folder(folder, 0o700)?;
        draft::give_as_folder(folder, folder);
    }
    draft::sweep(folder);
    let copy = Scratch::beside(&path.with_file_name("vigia.db.copy"));
    store::backup::copy(&source.database, copy.path())?;
    let census = store::backup::examine(copy.path())?;
    let draft = Draft::create(path, 0o600)?;
    let mut packing =
        Packing { writer: Writer::new(draft), path, now, listed: Vec::new(), left_out: Vec::new() };
    packing.add_file(DATABASE, copy.path(), is_stopped)?;
    for (name, file) in others(source) {
        packing.add_other(&name, &file, is_stopped)?;
    }
    let manifest = packing.close(census)?;
    let found = read::verify(path)?;
    if found != manifest {
        return Err(BackupError::Broken { path: path.to_path_buf(), why: "it reads as another".to_owned() });
    }
    Ok(Made { path: path.to_path_buf(), bytes: draft::length(path)?, manifest })
}

struct Packing<'a> {
    writer: Writer<Draft>,
    path: &'a Path,
    now: Timestamp,
    listed: Vec<Listed>,
    left_out: Vec<String>,
}

impl Packing<'_> {
    fn add_file(
        &mut self,
        name: &str,
        file: &Path,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), BackupError> {
        let size = draft::length(file)?;
        let mut from = Stoppable { from: files::open(file, u64::MAX)?, is_stopped };
        match self.add(name, size, &mut from) {
            Err(BackupError::Write { .. }) if is_stopped() => Err(BackupError::Stopped),
            added => added,
        }
    }

    /// Something beside the database: what has gone meanwhile or cannot be read is named and left out.
    fn add_other(
        &mut self,
        name: &str,
        file: &Path,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), BackupError> {
        if is_stopped() {
            return Err(BackupError::Stopped);
        }
        match files::read(file, LARGEST) {
            Ok(bytes) => self.add(name, bytes.len() as u64, &mut &*bytes),
            Err(error) if error.is_absence() => Ok(()),
            Err(error) => {
                self.left_out.push(crate::telemetry::Chain(&error).to_string());
                Ok(())
            }
        }
    }

    fn add(&mut self, name: &str, size: u64, from: &mut dyn Read) -> Result<(), BackupError> {
        let mtime = u64::try_from(self.now.as_second()).unwrap_or(0);
        let sha256 = self.writer.add(name, size, mtime, from).map_err(|source| self.cannot_write(source))?;
        self.listed.push(Listed { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    fn cannot_write(&self, source: io::Error) -> BackupError {
        BackupError::Write { path: self.path.to_path_buf(), source }
    }

    fn close(mut self, census: store::backup::Census) -> Result<Manifest, BackupError> {
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken: self.now,
            machine: machine(),
            census,
            files: std::mem::take(&mut self.listed),
            left_out: std::mem::take(&mut self.left_out),
        };
        let text = manifest.text();
        self.add(manifest::NAME, text.len() as u64, &mut text.as_bytes())?;
        let path = self.path;
        let finished = self.writer.finish().and_then(|mut draft| draft.flush().map(|()| draft));
        let draft = finished.map_err(|source| BackupError::Write { path: path.to_path_buf(), source })?;
        draft.keep()?;
        Ok(manifest)
    }
}

fn machine() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// A file that ends with an error once somebody wants to stop.
struct Stoppable<'a, R> {
    from: R,
    is_stopped: &'a dyn Fn() -> bool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if (self.is_stopped)() {
            return Err(io::Error::other("stopped"));
        }
        self.from.read(bytes)
    }
}

/// What lies beside the database, and the configuration: names in the archive, and paths.
fn others(source: &Source) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        below(&source.state_dir.join(folder), folder, &mut found);
    }
    let state = files::absolute(&source.state_dir);
    for path in &source.config {
        let path = files::absolute(path);
        if !path.starts_with(&state) {
            found.push((name_of(&path), path));
        }
    }
    found
}

/// From the root on, `..` resolved: below wherever the backup is unpacked, as every name in it has to be.
fn name_of(path: &Path) -> String {
    let mut parts: Vec<Cow<'_, str>> = vec![CONFIG.into()];
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy()),
            Component::ParentDir => parts.truncate(parts.len().saturating_sub(1).max(1)),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}

fn below(folder: &Path, name: &str, found: &mut Vec<(String, PathBuf)>) {
    let entries: Result<Vec<files::Entry>, FileError> = files::list(folder);
    for (path, kind) in entries.unwrap_or_default() {
        let Some(inside) = path.file_name().and_then(|inside| inside.to_str()) else { continue };
        let name = format!("{name}/{inside}");
        match kind {
            Ok(Kind::File) if inside != "lock" && !draft::is_unfinished(inside) => found.push((name, path)),
            Ok(Kind::Folder) => below(&path, &name, found),
            Ok(Kind::File | Kind::Other) | Err(_) => {}
        }
    }
}
