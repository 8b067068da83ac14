//! Names of backups in their folder: the time is in the name, so that a listing is a history.

use std::path::{Path, PathBuf};

use vigia_core::model::time::Timestamp;

use crate::os::draft;
use crate::os::files::{self, FileError, Kind};

const BEGIN: &str = "vigia-";
const END: &str = ".tar.gz";
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A backup in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub path: PathBuf,
    pub taken: Timestamp,
    pub bytes: u64,
}

/// Where one taken now goes.
pub fn path_in(folder: &Path, now: Timestamp) -> PathBuf {
    folder.join(format!("{BEGIN}{}{END}", now.to_jiff().strftime(TIME)))
}

/// When the backup of this name was taken.
fn time_of(path: &Path) -> Option<Timestamp> {
    let name = path.file_name()?.to_str()?;
    let time = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
    let time = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
    Some(Timestamp::from_second(time.as_second()))
}

/// The backups in a folder, oldest first. A folder that is not there has none.
pub fn list(folder: &Path) -> Result<Vec<Kept>, FileError> {
    let entries = match files::list(folder) {
        Err(error) if error.is_absence() => return Ok(Vec::new()),
        entries => entries?,
    };
    let files = entries.into_iter().filter(|(_, kind)| matches!(kind, Ok(Kind::File)));
    let mut kept: Vec<Kept> = files
        .filter_map(|(path, _)| {
            let taken = time_of(&path)?;
            Some(Kept { bytes: draft::length(&path).unwrap_or(0), path, taken })
        })
        .collect();
    kept.sort_by_key(|one| one.taken);
    Ok(kept)
}

/// Removes the oldest, so that `most` are left.
pub fn prune(folder: &Path, most: usize) -> Result<(), FileError> {
    let kept = list(folder)?;
    let old = kept.len().saturating_sub(most);
    kept.iter().take(old).try_for_each(|one| files::remove(&one.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_a_history_and_what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let at = |day: i64| Timestamp::from_second(1_700_000_000 + day * 86_400);
        for day in [2, 0, 1] {
            std::fs::write(path_in(path, at(day)), "x").unwrap();
        }
        std::fs::write(path.join("vigia-notes.tar.gz"), "").unwrap();
        std::fs::write(path.join("vigia.tar.gz"), "").unwrap();
        let days: Vec<_> = list(path).unwrap().into_iter().map(|kept| kept.taken).collect();
        assert_eq!(days, [at(0), at(1), at(2)]);
        prune(path, 2).unwrap();
        assert_eq!(list(path).unwrap().len(), 2);
        assert!(path.join("vigia-notes.tar.gz").exists());
        assert_eq!(list(&path.join("nowhere")).unwrap(), []);
    }
}
