//! Which folders have a watch of the kernel, kept in step with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::debug;

use super::{Wake, on_event};

/// What in a folder concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    Everything,
    /// Links and folders on the way to what we watch.
    Names(BTreeSet<OsString>),
}

impl Interest {
    pub(super) fn add(&mut self, name: OsString) {
        match self {
            Self::Everything => {}
            Self::Names(names) => {
                names.insert(name);
            }
        }
    }
}

pub(super) type Places = BTreeMap<PathBuf, Interest>;

pub(super) struct Folders {
    /// None: the kernel gives us no watches at all.
    watcher: Option<RecommendedWatcher>,
    /// Device and inode tell a folder from another that took its name.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    wanted: Places,
    is_complete: bool,
    has_warned: bool,
}

impl Folders {
    pub(super) fn new(wake: Sender<Wake>) -> Self {
        let watcher = notify::recommended_watcher(move |event| on_event(&wake, event));
        if let Err(error) = &watcher {
            debug!(event = "watch.failed", %error, "no watches");
        }
        Self {
            is_complete: watcher.is_ok(),
            watcher: watcher.ok(),
            watched: BTreeMap::new(),
            wanted: Places::new(),
            has_warned: false,
        }
    }

    /// Every folder that should have a watch has one.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn concerns(&self, paths: &[PathBuf]) -> bool {
        // No path: events were lost.
        paths.is_empty() || paths.iter().any(|path| self.concerns_one(path))
    }

    fn concerns_one(&self, path: &Path) -> bool {
        // An event on a watched folder itself: it went, or its rights changed.
        if self.wanted.contains_key(path) {
            return true;
        }
        let inside = path.parent().and_then(|folder| self.wanted.get(folder));
        match inside {
            Some(Interest::Everything) => true,
            Some(Interest::Names(names)) => path.file_name().is_some_and(|name| names.contains(name)),
            None => false,
        }
    }

    /// Sets and removes watches. True, once: there are not enough of them.
    pub(super) fn follow(&mut self, wanted: Places) -> bool {
        self.wanted = wanted;
        let Some(watcher) = &mut self.watcher else { return self.warn_once() };
        let wanted = &self.wanted;
        self.watched.retain(|folder, identity| {
            let stays = wanted.contains_key(folder) && identity_of(folder) == Some(*identity);
            if !stays {
                // An error says that the kernel has already removed it, with the folder.
                drop(watcher.unwatch(folder));
            }
            stays
        });
        self.is_complete = true;
        for folder in self
            .wanted
            .keys()
            .filter(|folder| !self.watched.contains_key(*folder))
            .cloned()
            .collect::<Vec<_>>()
        {
            let Some(identity) = identity_of(&folder) else { continue };
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder, identity);
                }
                // Gone again in between: its parent's watch tells when it returns.
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    debug!(event = "watch.failed", path = %folder.display(), %error, "no watch");
                    self.is_complete = false;
                }
            }
        }
        !self.is_complete && self.warn_once()
    }

    /// As when the kernel has none left.
    #[cfg(test)]
    pub(super) fn lose_watches(&mut self) {
        self.watcher = None;
        self.is_complete = false;
    }

    fn warn_once(&mut self) -> bool {
        !std::mem::replace(&mut self.has_warned, true)
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        ErrorKind::Generic(_)
        | ErrorKind::WatchNotFound
        | ErrorKind::InvalidConfig(_)
        | ErrorKind::MaxFilesWatch => false,
    }
}

#[allow(clippy::disallowed_methods, reason = "metadata of a folder that may be gone is no error")]
fn identity_of(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}
