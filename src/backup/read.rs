//! Reading one back: every sum is looked at, and nothing is believed that the manifest does not name.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::BackupError;
use super::archive::Reader;
use super::make::DATABASE;
use super::manifest::{self, Listed, Manifest};
use crate::os::draft::Draft;
use crate::os::files;

/// No manifest is larger: it has a line for each file.
const MANIFEST_MAX: u64 = 64 << 20;

/// Looks whether a backup is whole: every file is there with its sum. Blocks.
///
/// # Errors
/// When it cannot be read, or is not whole.
pub fn verify(path: &Path) -> Result<Manifest, BackupError> {
    read(path, |_| None)
}

/// Reads all of it; what `place` names a path for is written there.
pub(super) fn read(path: &Path, place: impl Fn(&str) -> Option<PathBuf>) -> Result<Manifest, BackupError> {
    let broken = |why: String| BackupError::Broken { path: path.to_path_buf(), why };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => broken("it is cut off".to_owned()),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => broken(error.to_string()),
        _ => BackupError::Read { path: path.to_path_buf(), source: error },
    };
    let mut reader = Reader::new(files::open(path, u64::MAX)?);
    let mut found: Vec<Listed> = Vec::new();
    let mut manifest = None;
    while let Some(entry) = reader.next().map_err(failed)? {
        if manifest.is_some() || !is_plain(&entry.name) {
            return Err(broken(format!("`{}` does not belong into it", entry.name.escape_debug())));
        }
        if entry.name == manifest::NAME {
            if entry.size > MANIFEST_MAX {
                return Err(broken("its manifest is too large".to_owned()));
            }
            let mut text = Vec::new();
            let keep = |bytes: &[u8]| -> io::Result<()> {
                text.extend_from_slice(bytes);
                Ok(())
            };
            reader.content(&entry, keep).map_err(failed)?;
            manifest = Some(Manifest::parse(&text).map_err(broken)?);
            continue;
        }
        let sha256 = match place(&entry.name) {
            None => reader.content(&entry, |_| Ok(())).map_err(failed)?,
            Some(target) => {
                let folder = target.parent().unwrap_or(Path::new("."));
                files::make_folder(folder, 0o750)?;
                let mut draft = Draft::create(&target, 0o600)?;
                let wrong = |source| BackupError::Write { path: target.clone(), source };
                let mut trouble = None;
                let write = |bytes: &[u8]| {
                    draft.write_all(bytes).map_err(|error| {
                        let kind = error.kind();
                        trouble = Some(error);
                        io::Error::from(kind)
                    })
                };
                let sum = reader.content(&entry, write);
                let sum = sum.map_err(|error| trouble.take().map_or_else(|| failed(error), wrong))?;
                draft.keep()?;
                sum
            }
        };
        found.push(Listed { name: entry.name, size: entry.size, sha256 });
    }
    let Some(manifest) = manifest else { return Err(broken("it has no manifest".to_owned())) };
    let differs = manifest.files.iter().zip(&found).find(|(said, is)| said != is);
    if let Some((wrong, _)) = differs {
        return Err(broken(format!("`{}` is not as it was when it was packed", wrong.name)));
    }
    if found.len() != manifest.files.len() || !found.iter().any(|file| file.name == DATABASE) {
        return Err(broken("it holds other files than its manifest says".to_owned()));
    }
    Ok(manifest)
}

/// A name that stays below wherever it is put.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
