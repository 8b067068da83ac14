//! Putting one back: everything is unpacked and looked at beside the state folder's files before any of them moves, and
//! what was there is kept.

use std::path::{Path, PathBuf};

use vigia_core::model::time::Timestamp;

use super::make::{CONFIG, DATABASE, FOLDERS};
use super::manifest::Manifest;
use super::{BackupError, read};
use crate::os::draft;
use crate::os::files;
use crate::os::lock::StateLock;
use crate::store::backup::{self as database, Census, Settled};
use crate::telemetry::Chain;

/// Where the state goes.
#[derive(Clone, Debug)]
pub struct Place {
    pub state_dir: PathBuf,
    pub database: PathBuf,
    /// The files of the configuration go below it; nowhere: they stay in the backup.
    pub config_to: Option<PathBuf>,
}

/// What came of it, or would come of it.
#[derive(Clone, Debug)]
pub struct Restored {
    pub manifest: Manifest,
    /// What the store held before; none: there was no store. Or it cannot be read, and why.
    pub before: Option<Result<Census, String>>,
    /// Where what was there before is kept now; in a dry run, nowhere.
    pub aside: Option<PathBuf>,
    pub settled: Settled,
    /// Files of the configuration in it, as they were called on the machine it was taken of.
    pub config: Vec<String>,
}

/// Puts the state of a backup in the place of what is there. In a dry run everything is read, unpacked, looked at and
/// thrown away, so that what is said then holds. Blocks.
///
/// # Errors
/// When the backup is not whole, a daemon runs on the state folder, or the disk refuses; the state is then as it was.
pub fn restore(archive: &Path, place: &Place, is_dry: bool, now: Timestamp) -> Result<Restored, BackupError> {
    if !is_dry {
        files::make_folder(&place.state_dir, 0o750)?;
        draft::give_as_folder(&place.state_dir, &place.state_dir);
    }
    let _lock = if is_dry { None } else { Some(StateLock::take(&place.state_dir, now)?) };
    let room = Room::make(if is_dry { std::env::temp_dir() } else { place.state_dir.clone() })?;
    let manifest = read::read(archive, |name| (!name.starts_with("config/")).then(|| room.path.join(name)))?;
    let unpacked = room.path.join(DATABASE);
    database::examine(&unpacked)?;
    let settled = database::settle(&unpacked, now)?;
    let census = |_| database::count(&place.database).map_err(|error| Chain(&error).to_string());
    let before = files::kind(&place.database)?.map(census);
    let config: Vec<String> =
        manifest.files.iter().filter_map(|file| Some(file.name.strip_prefix(CONFIG)?.to_owned())).collect();
    if let Some(to) = &place.config_to {
        put_config(archive, to, &config, is_dry)?;
    }
    let aside = if is_dry {
        None
    } else {
        draft::give_all_as_folder(&room.path);
        put_state(&room, place, now)?
    };
    Ok(Restored { manifest, before, aside, settled, config })
}

/// A folder for what is unpacked; goes with all that is still in it.
struct Room {
    path: PathBuf,
}

impl Room {
    fn make(folder: PathBuf) -> Result<Self, BackupError> {
        let room = Self { path: folder.join(format!(".vigia-restore.{}", std::process::id())) };
        draft::remove_folder(&room.path)?;
        files::make_folder(&room.path, 0o700)?;
        draft::give_as_folder(&room.path, &room.path);
        Ok(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(draft::remove_folder(&self.path));
    }
}

/// Nothing that is there is overwritten: a configuration is a person's.
fn put_config(archive: &Path, to: &Path, config: &[String], is_dry: bool) -> Result<(), BackupError> {
    for name in config {
        let path = to.join(name.trim_start_matches('/'));
        if files::kind(&path)?.is_some() {
            return Err(BackupError::Exists { path });
        }
    }
    if !is_dry {
        read::read(archive, |name| {
            let inside = name.strip_prefix(CONFIG)?.strip_prefix('/')?;
            Some(to.join(inside))
        })?;
    }
    Ok(())
}

/// Moves what is there aside and what was unpacked into its place; undoes it all where one move fails.
fn put_state(room: &Room, place: &Place, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    let name = format!("before-restore-{}", now.to_jiff().strftime("%Y%m%dT%H%M%SZ"));
    let aside = place.state_dir.join(name);
    files::make_folder(&aside, 0o750)?;
    draft::give_as_folder(&aside, &aside);
    let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
    let database = place.database.as_os_str();
    for end in ["", "-wal", "-shm"] {
        let mut path = database.to_owned();
        path.push(end);
        moves.push((PathBuf::from(path), aside.join(format!("{DATABASE}{end}"))));
    }
    for folder in FOLDERS {
        moves.push((place.state_dir.join(folder), aside.join(folder)));
    }
    moves.push((room.path.join(DATABASE), place.database.clone()));
    for folder in FOLDERS {
        moves.push((room.path.join(folder), place.state_dir.join(folder)));
    }
    let mut done: Vec<&(PathBuf, PathBuf)> = Vec::new();
    for step in &moves {
        let moved = match files::kind(&step.0) {
            Ok(None) => continue,
            Ok(Some(_)) => draft::rename(&step.0, &step.1),
            Err(error) => Err(error),
        };
        if let Err(error) = moved {
            for (from, to) in done.into_iter().rev() {
                // What cannot be put back stays where the error and the folder's name lead to.
                drop(draft::rename(to, from));
            }
            return Err(error.into());
        }
        done.push(step);
    }
    let has_any = done.iter().any(|(_, to)| to.starts_with(&aside));
    if !has_any {
        draft::remove_folder(&aside)?;
    }
    Ok(has_any.then_some(aside))
}
