//! Files that people attach: taken in piece by piece, kept under their sum below the state folder, given out again.
//!
//! A file is on the disk before its row is, and goes after it: a crash leaves at worst bytes that nothing names, which
//! [`Files::run`] removes. Nothing of a file's own name is ever a path.

mod incoming;
mod kind;
mod name;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, RwLock};
use tokio_util::sync::CancellationToken;

use super::sessions::Who;
use crate::os::draft;
use crate::os::files::{self, FileError, Kind as Found};
use crate::store::attachments::{self, Attachment, Place};
use crate::store::{Store, StoreError, audit, documents, tickets};
use crate::telemetry::Chain;

pub use incoming::{Incoming, Received};
pub use kind::Kind;

/// Between two looks for bytes that nothing names.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Files of one place, whatever their size.
const MOST_FILES: u64 = 200;

/// What one file, and all of a ticket, may hold (`tickets.attachment_max`, `tickets.attachments_max`). Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    pub one: u64,
    pub all: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { one: 10 << 20, all: 50 << 20 }
    }
}

/// Why a file was not taken or cannot be had. For the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum FileTrouble {
    #[error("there is no attachment {0}")]
    Missing(u64),
    #[error("there is no ticket {0}")]
    NoTicket(u64),
    #[error("there is no document {0}")]
    NoDocument(u64),
    /// Too large, too many, empty.
    #[error("{0}")]
    Refused(String),
    /// The bytes on the disk are not those that were attached.
    #[error("`{0}` is damaged on the disk: its sum is not the one it had; a backup may still have it")]
    Damaged(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("vigia is stopping")]
    Stopping,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Files {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    store: Store,
    limits: Mutex<FileLimits>,
    /// Held for reading from when bytes are in their place until a row names them; for writing while those that
    /// nothing names are removed.
    gate: RwLock<()>,
    soon: Notify,
}

impl Files {
    pub(super) fn new(store: Store, folder: PathBuf) -> Self {
        let shared =
            Shared { folder, store, limits: Mutex::default(), gate: RwLock::default(), soon: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    pub fn limits(&self) -> FileLimits {
        *self.shared.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For files to come; a reload may change it.
    pub fn set_limits(&self, limits: FileLimits) {
        *self.shared.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// A file that is about to arrive under this name.
    pub async fn begin(&self, name: &str) -> Result<Incoming, FileTrouble> {
        Incoming::begin(&self.shared.folder, name::clean(name), self.limits().one).await
    }

    /// Attaches what arrived. Either all of it, or nothing stays of it.
    pub async fn attach(
        &self,
        by: &Who,
        place: Place,
        received: Vec<Received>,
    ) -> Result<Vec<u64>, FileTrouble> {
        let kept = {
            let _gate = self.shared.gate.read().await;
            let mut kept = Vec::with_capacity(received.len());
            for one in received {
                kept.push(self.put(one).await?);
            }
            self.name(by, place, kept).await
        };
        if kept.is_err() {
            self.shared.soon.notify_one();
        }
        kept
    }

    /// Puts bytes into their place. Who attaches what is there already adds nothing.
    async fn put(&self, received: Received) -> Result<attachments::File, FileTrouble> {
        let path = self.path_of(&received.file.sha256);
        blocking(move || {
            let Received { file, draft } = received;
            let is_there = matches!(files::kind(&path)?, Some(Found::File))
                && draft::length(&path).is_ok_and(|length| length == file.size);
            if !is_there {
                files::make_folder(path.parent().unwrap_or(Path::new(".")), 0o700)?;
                draft.keep_as(&path)?;
            }
            Ok(file)
        })
        .await
    }

    async fn name(
        &self,
        by: &Who,
        place: Place,
        new: Vec<attachments::File>,
    ) -> Result<Vec<u64>, FileTrouble> {
        let (limits, now, by) = (self.limits(), self.shared.store.clock().now(), by.clone());
        let named = self.shared.store.write(move |db| {
            let Some(subject) = subject(db, place)? else { return Ok(Err(nowhere(place))) };
            let (count, bytes) = attachments::total(db, place)?;
            let (more, larger) = (new.len() as u64, new.iter().map(|file| file.size).sum::<u64>());
            if let Err(text) = fits((count, bytes), (more, larger), limits) {
                return Ok(Err(FileTrouble::Refused(text)));
            }
            let mut ids = Vec::with_capacity(new.len());
            for file in &new {
                ids.push(attachments::insert(db, place, file, &by.name, now)?);
            }
            let said =
                new.iter().map(|file| json!({"name": *file.name, "size": file.size, "sha256": *file.sha256}));
            let detail = json!({"files": said.collect::<Vec<_>>()});
            audit::insert(db, &by.act(now, "attach", &subject, detail))?;
            Ok(Ok(ids))
        });
        named.await?
    }

    /// They came with the note that `author` wrote last.
    pub async fn came_with_note(&self, ids: Vec<u64>, author: &str) -> Result<(), FileTrouble> {
        let author = author.to_owned();
        Ok(self.shared.store.write(move |db| attachments::bind_to_note(db, &ids, &author)).await?)
    }

    /// The note that they came with was refused: they were never there.
    pub async fn withdraw(&self, ids: Vec<u64>) -> Result<(), FileTrouble> {
        self.shared.store.write(move |db| attachments::remove(db, &ids)).await?;
        self.shared.soon.notify_one();
        Ok(())
    }

    pub async fn one(&self, id: u64) -> Result<Attachment, FileTrouble> {
        let found = self.shared.store.read(move |db| attachments::one(db, id)).await?;
        found.ok_or(FileTrouble::Missing(id))
    }

    /// The bytes of an attachment, as they were when it was attached.
    pub async fn content(&self, one: &Attachment) -> Result<Vec<u8>, FileTrouble> {
        let (path, file) = (self.path_of(&one.file.sha256), one.file.clone());
        blocking(move || {
            let bytes = files::read(&path, file.size)?;
            if hexadecimal(&Sha256::digest(&bytes)) == *file.sha256 {
                Ok(bytes)
            } else {
                Err(FileTrouble::Damaged(file.name.to_string()))
            }
        })
        .await
    }

    /// For what should never have been attached. The audit keeps its name and sum.
    pub async fn delete(&self, by: &Who, id: u64) -> Result<Attachment, FileTrouble> {
        let (now, by) = (self.shared.store.clock().now(), by.clone());
        let deleted = self.shared.store.write(move |db| {
            let Some(found) = attachments::one(db, id)? else { return Ok(None) };
            attachments::remove(db, &[id])?;
            let subject = subject(db, found.place)?.unwrap_or_default();
            let detail = json!({"name": *found.file.name, "sha256": *found.file.sha256});
            audit::insert(db, &by.act(now, "delete-attachment", &subject, detail))?;
            Ok(Some(found))
        });
        let deleted = deleted.await?.ok_or(FileTrouble::Missing(id))?;
        self.shared.soon.notify_one();
        Ok(deleted)
    }

    /// Something with attachments was deleted.
    pub fn look_soon(&self) {
        self.shared.soon.notify_one();
    }

    /// Removes bytes that nothing names: at the start, each hour, and when something was deleted.
    pub async fn run(self, stop: CancellationToken) {
        let folder = self.shared.folder.clone();
        drop(tokio::task::spawn_blocking(move || draft::sweep(&folder)).await);
        loop {
            match self.sweep().await {
                Ok(0) => {}
                Ok(gone) => {
                    tracing::debug!(event = "files.swept", "{gone} files that nothing names are gone");
                }
                Err(error) => {
                    tracing::warn!(event = "files.unswept", error = %Chain(&error), "files that nothing names stay for now");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.soon.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    pub(super) async fn sweep(&self) -> Result<usize, FileTrouble> {
        let _gate = self.shared.gate.write().await;
        let named = self.shared.store.read(attachments::sums).await?;
        let folder = self.shared.folder.clone();
        blocking(move || {
            let mut gone = 0;
            for drawer in list(&folder)? {
                for path in list(&drawer)? {
                    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    // What somebody else put here is theirs.
                    if is_sum(name) && !named.contains(name) {
                        files::remove(&path)?;
                        gone += 1;
                    }
                }
            }
            Ok(gone)
        })
        .await
    }

    /// Some thousand files in a folder at most: the first two digits are a folder.
    fn path_of(&self, sha256: &str) -> PathBuf {
        self.shared.folder.join(sha256.get(..2).unwrap_or("00")).join(sha256)
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    match files::list(folder) {
        Ok(entries) => {
            Ok(entries.into_iter().map(|(path, _)| path).filter(|path| !is_hidden(path)).collect())
        }
        // A file, or nothing at all.
        Err(error) if error.is_absence() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_sum(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn subject(db: &rusqlite::Connection, place: Place) -> rusqlite::Result<Option<String>> {
    match place {
        Place::Ticket(id) => Ok(tickets::head(db, id)?.map(|head| head.reference().to_string())),
        Place::Document(id) => Ok(documents::one(db, id)?.map(|one| format!("document {}", one.id))),
    }
}

fn nowhere(place: Place) -> FileTrouble {
    match place {
        Place::Ticket(id) => FileTrouble::NoTicket(id.0),
        Place::Document(id) => FileTrouble::NoDocument(id),
    }
}

/// Whether what is there and what comes stay within the limits together.
fn fits((count, bytes): (u64, u64), (more, larger): (u64, u64), limits: FileLimits) -> Result<(), String> {
    if count + more > MOST_FILES {
        return Err(format!("there are {count} files already, and {MOST_FILES} are the most"));
    }
    if bytes + larger > limits.all {
        return Err(format!(
            "{} are attached already and {} more come, while all together may be {} (`tickets.attachments_max`)",
            size(bytes),
            size(larger),
            size(limits.all)
        ));
    }
    Ok(())
}

/// `3 B`, `12.5 KiB`, `10 MiB`.
pub fn size(bytes: u64) -> String {
    let (unit, word) = match bytes {
        0..1024 => return format!("{bytes} B"),
        1024..1_048_576 => (1024, "KiB"),
        1_048_576..1_073_741_824 => (1_048_576, "MiB"),
        _ => (1_073_741_824, "GiB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 || whole >= 100 { format!("{whole} {word}") } else { format!("{whole}.{tenth} {word}") }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileTrouble> + Send + 'static,
) -> Result<T, FileTrouble> {
    // The task ends without an answer only when it panicked or the runtime goes down.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FileTrouble::Stopping))
}

#[cfg(test)]
mod tests;
