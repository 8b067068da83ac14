//! Hosts of a scan onto discovery's pages, one writer at a time. Blocks: run where blocking is allowed.

use std::path::Path;
use std::time::Duration;

use vigia_core::model::inventory::Inventory;
use vigia_core::model::time::Timestamp;

use super::NotDone;
use crate::discovery::insert::{self, Inserted, Pages, Properties};
use crate::discovery::shelf::{self, Shelf};
use crate::discovery::summary::HostRow;
use crate::os::files;
use crate::os::lock::{LockError, StateLock};
use crate::telemetry::Chain;

/// A person at the command line may be writing just now.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Writes; what cannot be written leaves all pages as they were, but for those already replaced.
pub(super) fn write(
    state_dir: &Path,
    page: &str,
    rows: &[&HostRow],
    properties: &Properties,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<Inserted, NotDone> {
    let refused = |error: &(dyn std::error::Error + 'static)| {
        NotDone::Unavailable(format!("nothing was written: {}", Chain(error)))
    };
    let _lock = lock(state_dir, now)?;
    let shelf = Shelf::at(state_dir);
    let own = shelf.path(page);
    // One that we do not understand is not replaced.
    shelf::read(&own).map_err(|error| refused(&error))?;
    let mut pages = Pages { all: shelf.pages().into_iter().collect(), own, ..Pages::default() };
    let inserted = insert::insert(&mut pages, rows, properties, inventory);
    for path in &pages.touched {
        if let Some(page) = pages.all.get(path) {
            shelf::write(path, page).map_err(|error| refused(&error))?;
        }
    }
    Ok(inserted)
}

fn lock(state_dir: &Path, now: Timestamp) -> Result<StateLock, NotDone> {
    let folder = state_dir.join("discovery");
    let unavailable = |error: &(dyn std::error::Error + 'static)| {
        NotDone::Unavailable(format!("nothing was written: {}", Chain(error)))
    };
    files::make_folder(&folder, 0o755).map_err(|error| unavailable(&error))?;
    for _ in 1..TRIES {
        match StateLock::take(&folder, now) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { .. }) => std::thread::sleep(PAUSE),
            Err(error @ LockError::File(_)) => return Err(unavailable(&error)),
        }
    }
    StateLock::take(&folder, now).map_err(|error| unavailable(&error))
}
