//! What there is to watch, and what it contains.

#![allow(
    clippy::disallowed_methods,
    reason = "a file that cannot be read is part of what is seen, not an error"
)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::folders::{Interest, Places};

/// Links followed on one path before it counts as a circle, as in the kernel.
const LINKS: usize = 40;

/// What to watch, as whoever knows it says at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Their content counts.
    pub files: Vec<PathBuf>,
    /// New files in here may count: any event means that we look.
    pub folders: Vec<PathBuf>,
}

/// Asked before each look.
pub struct Sources {
    ask: Box<dyn Fn() -> Files + Send>,
    /// The content as it was when somebody last relied on it.
    seen: Option<u64>,
}

impl Sources {
    pub fn new(ask: impl Fn() -> Files + Send + 'static) -> Self {
        Self { ask: Box::new(ask), seen: None }
    }

    #[cfg(test)]
    pub(super) fn ask(&self) -> Files {
        (self.ask)()
    }

    /// Remembers the content as it is now: whoever reads it after this hears of each change since, also of those
    /// before the watcher started.
    pub fn remember(mut self) -> Self {
        self.seen = Some(hash((self.ask)().files));
        self
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

pub(super) struct Survey {
    sources: Sources,
    seen: Option<u64>,
}

impl Survey {
    pub(super) fn new(sources: Sources) -> Self {
        Self { seen: sources.seen, sources }
    }

    /// Where watches belong: the folders, those the files are in, and those of every link on the way.
    pub(super) fn places(&self) -> Places {
        let Files { files, folders } = (self.sources.ask)();
        let mut places = Places::new();
        for folder in &folders {
            let real = trail(folder, &mut places);
            places.insert(real, Interest::Everything);
        }
        for file in &files {
            trail(file, &mut places);
        }
        places
    }

    /// Whether the content is another than at the last look. The first look only remembers, unless it was
    /// remembered before.
    pub(super) fn has_changed(&mut self) -> bool {
        let seen = hash((self.sources.ask)().files);
        let before = self.seen.replace(seen);
        before.is_some_and(|before| before != seen)
    }
}

/// Notes for each link on the way to `path`, and for its last part, the name in the folder it lies in; gives
/// the place that it all leads to.
fn trail(path: &Path, places: &mut Places) -> PathBuf {
    let mut at = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut ahead: Vec<PathBuf> = parts(path);
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        match part.components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                at.pop();
            }
            Some(Component::Normal(name)) => {
                let here = at.join(name);
                let link = fs::read_link(&here).ok().filter(|_| links < LINKS);
                let is_missing = link.is_none() && !here.exists();
                if link.is_some() || is_missing || ahead.is_empty() {
                    note(places, &at, name);
                }
                if is_missing {
                    return rest(here, ahead);
                }
                match link {
                    Some(target) => {
                        links += 1;
                        ahead.extend(parts(&target));
                    }
                    None => at = here,
                }
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    at
}

/// The parts of a path, the first of them last.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

fn rest(missing: PathBuf, ahead: Vec<PathBuf>) -> PathBuf {
    ahead.into_iter().rev().fold(missing, |path, part| path.join(part))
}

fn note(places: &mut Places, folder: &Path, name: &OsStr) {
    places
        .entry(folder.to_path_buf())
        .or_insert_with(|| Interest::Names(BTreeSet::new()))
        .add(name.to_os_string());
}

fn hash(mut files: Vec<PathBuf>) -> u64 {
    files.sort();
    files.dedup();
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.hash(&mut hasher);
        // A file that cannot be read has an error for its content.
        if let Err(error) = hash_content(&path, &mut hasher) {
            error.kind().hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn hash_content(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        // A pipe would keep us waiting, a device would never end.
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        hasher.write(buffer.get(..count).unwrap_or_default());
    }
}
