//! Reading one back: every sum is looked at, and nothing is believed that the manifest does not name.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::BackupError;
use super::archive::{self, Entry, Sum};
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
    let mut found: Vec<Listed> = Vec::new();
    let mut manifest = None;
    archive::each(files::open(path, u64::MAX)?, failed, |entry| {
        let (name, size) = (entry.name.clone(), entry.size);
        if manifest.is_some() || !is_plain(&name) {
            return Err(broken(format!("`{}` does not belong into it", name.escape_debug())));
        }
        if name == manifest::NAME {
            if size > MANIFEST_MAX {
                return Err(broken("its manifest is too large".to_owned()));
            }
            let mut text = Vec::new();
            entry.content(&mut text).map_err(failed)?;
            manifest = Some(Manifest::parse(&text).map_err(broken)?);
            return Ok(());
        }
        let sha256 = match place(&name) {
            None => entry.content(&mut io::sink()).map_err(failed)?,
            Some(target) => unpack(entry, &target, failed)?,
        };
        found.push(Listed { name, size, sha256 });
        Ok(())
    })?;
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

/// Writes one file to its place.
fn unpack(
    entry: Entry<'_>,
    target: &Path,
    failed: impl Fn(io::Error) -> BackupError,
) -> Result<Sum, BackupError> {
    files::make_folder(target.parent().unwrap_or(Path::new(".")), 0o750)?;
    let mut to = Watched { draft: Draft::create(target, 0o600)?, trouble: None };
    match (entry.content(&mut to), to.trouble) {
        (Ok(sum), _) => to.draft.keep().map(|()| sum).map_err(BackupError::from),
        (Err(_), Some(source)) => Err(BackupError::Write { path: target.to_path_buf(), source }),
        (Err(error), None) => Err(failed(error)),
    }
}

/// Keeps what went wrong in writing, which is told apart from what is wrong with the backup.
struct Watched {
    draft: Draft,
    trouble: Option<io::Error>,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.draft.write(bytes).map_err(|error| {
            let kind = error.kind();
            self.trouble = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

/// A name that stays below wherever it is put.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
