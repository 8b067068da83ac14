//! A file on its way in: written beside where it will lie, counted and summed as it comes. Given up, nothing stays.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::kind::{HEAD, Kind};
use super::{FileTrouble, blocking, hexadecimal, size};
use crate::os::draft::{self, Draft};
use crate::os::files::{self, FileError};
use crate::store::attachments::File;

/// What is gathered before it is written: a task of its own for each packet would cost more than the writing.
const GATHERED: usize = 256 * 1024;

/// Tells files apart that arrive at the same time.
static NUMBER: AtomicU64 = AtomicU64::new(0);

pub struct Incoming {
    name: String,
    limit: u64,
    size: u64,
    gathered: Vec<u8>,
    /// With whoever writes at the moment, or here.
    writing: Option<Writing>,
}

struct Writing {
    draft: Draft,
    sum: Sha256,
    head: Vec<u8>,
}

/// A whole file, not yet in its place.
#[derive(Debug)]
pub struct Received {
    pub(super) file: File,
    pub(super) draft: Draft,
}

impl Received {
    pub fn name(&self) -> &str {
        &self.file.name
    }
}

impl Incoming {
    pub(super) async fn begin(folder: &Path, name: String, limit: u64) -> Result<Self, FileTrouble> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("incoming-{number}"));
        let draft = blocking(move || {
            let folder = path.parent().unwrap_or(Path::new("."));
            files::make_folder(folder, 0o700)?;
            draft::give_as_folder(folder, folder);
            Ok(Draft::create(&path, 0o600)?)
        })
        .await?;
        let writing = Some(Writing { draft, sum: Sha256::new(), head: Vec::new() });
        Ok(Self { name, limit, size: 0, gathered: Vec::new(), writing })
    }

    /// The next bytes of it.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), FileTrouble> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            // Nothing more is kept of it.
            self.writing = None;
            return Err(FileTrouble::Refused(format!(
                "`{}` is larger than {}, the most for one file (`tickets.attachment_max`)",
                self.name,
                size(self.limit)
            )));
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), FileTrouble> {
        let Some(mut writing) = self.writing.take() else { return Err(FileTrouble::Stopping) };
        let bytes = std::mem::take(&mut self.gathered);
        let written = blocking(move || {
            let room = HEAD.saturating_sub(writing.head.len());
            writing.head.extend(bytes.iter().take(room));
            writing.sum.update(&bytes);
            let failed = |source| FileError { action: "keep", path: "an attachment".into(), source };
            writing.draft.write_all(&bytes).map_err(failed)?;
            Ok(writing)
        });
        self.writing = Some(written.await?);
        Ok(())
    }

    /// It is whole.
    pub async fn end(mut self) -> Result<Received, FileTrouble> {
        if self.size == 0 {
            return Err(FileTrouble::Refused(format!("`{}` is empty", self.name)));
        }
        self.write().await?;
        let Some(Writing { draft, sum, head }) = self.writing else { return Err(FileTrouble::Stopping) };
        let file = File {
            name: self.name.into(),
            kind: Kind::of(&head).word.into(),
            size: self.size,
            sha256: hexadecimal(&sum.finalize()).into(),
        };
        Ok(Received { file, draft })
    }
}
