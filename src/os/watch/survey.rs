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
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Asked before each look. Its clones share what was seen.
#[derive(Clone)]
pub struct Sources {
    ask: Arc<dyn Fn() -> Files + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
}

/// What a look compares with: the content that somebody relies on, or that somebody was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nobody relies on anything yet: the first look only remembers.
    Nothing,
    Content(u64),
    /// It changed while it was read: nobody knows what was read of it.
    Moving,
}

impl Sources {
    pub fn new(ask: impl Fn() -> Files + Send + Sync + 'static) -> Self {
        Self { ask: Arc::new(ask), seen: Arc::new(Mutex::new(Seen::Nothing)) }
    }

    #[cfg(test)]
    pub(super) fn ask(&self) -> Files {
        (self.ask)()
    }

    /// Reads the content by `read`. From then on it counts as a change whatever differs from what was read, not
    /// from what the last look saw: a file put back right after a reload is a change.
    pub fn reading<T>(&self, read: impl FnOnce() -> T) -> T {
        let files = (self.ask)().files;
        let before = stamp(&files);
        self.see(|_| Seen::Content(hash(files)));
        let read = read();
        if stamp(&(self.ask)().files) != before {
            self.see(|_| Seen::Moving);
        }
        read
    }

    /// Changes what was seen, while no other look does; gives what it was before, and what it is.
    fn see(&self, look: impl FnOnce(Seen) -> Seen) -> (Seen, Seen) {
        // A mistake of ours in a look leaves what was seen before, which is right.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *seen;
        *seen = look(before);
        (before, *seen)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

pub(super) struct Survey {
    sources: Sources,
}

impl Survey {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources }
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

    /// Whether the content is another than what was read last, or at the last look. The first look only
    /// remembers, unless it was read before.
    pub(super) fn has_changed(&mut self) -> bool {
        let (before, now) = self.sources.see(|_| Seen::Content(hash((self.sources.ask)().files)));
        before != Seen::Nothing && before != now
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

/// Other than before when anything was written in the mean time, also when the content is the same again.
fn stamp(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.hash(&mut hasher);
        let metadata = fs::metadata(path).ok();
        let marks = metadata.map(|it| (it.dev(), it.ino(), it.size(), it.ctime(), it.ctime_nsec()));
        marks.hash(&mut hasher);
    }
    hasher.finish()
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
