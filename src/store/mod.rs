//! What outlives the process: one SQLite file, written by one thread, read by a few connections.
//!
//! Events, statuses and what persons did go in through [`RunningWriter::batches`]; users, sessions and audit
//! through [`Store::write`]. Reading is [`Store::read`] with the functions of the modules below. Nothing here
//! decides; nothing here knows the runtime or a page.

mod absent;
pub mod alarms;
pub mod anomalies;
pub mod assets;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod comments;
pub mod documents;
pub mod downtimes;
mod error;
mod events;
mod health;
pub mod log;
mod notifications;
pub mod outbox;
mod prune;
mod query;
mod reconcile;
mod rename;
mod restore;
mod rows;
pub mod scans;
mod schema;
mod status;
pub mod suppressions;
#[cfg(test)]
mod tests;
pub mod ticket_mail;
pub mod tickets;
pub mod users;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use vigia_core::engine::world::{Restored, World};
use vigia_core::model::message::Message;

use crate::os::clock::Clock;

pub use error::{NotKept, StoreError};
pub use health::{Failing, StoreHealth};
pub use prune::Retention;
pub use query::{MOST, Page, Slice, Sorted};
pub use writer::{Accepted, Answer, Batch};

use prune::Pruner;
use writer::{Act, Outlet, Parts, Writer};

/// Read-only connections: pages wait for each other a little rather than crowd out the checks.
const READERS: usize = 4;

/// How long one query may take: a page that asks too much must not hold a connection for ever.
const QUERY: Duration = Duration::from_secs(20);

/// How often somebody who waits asks whether the store still answers.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// SQLite's steps between two looks at the clock: some milliseconds.
const STEPS: i32 = 100_000;

/// Batches and acts on their way to the writer.
const QUEUE: usize = 64;

/// The store as doors use it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    clock: Clock,
    idle_readers: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    acts: mpsc::Sender<Act>,
    health: watch::Receiver<StoreHealth>,
    retention: Arc<Mutex<Retention>>,
    post: Arc<Notify>,
}

/// A store that was opened: its file is sound, nothing is written yet.
pub struct Opened {
    pub store: Store,
    /// For the engine.
    pub restored: Restored,
    pub writer: IdleWriter,
}

/// The writer before it runs.
pub struct IdleWriter {
    connection: Connection,
    acts: mpsc::Receiver<Act>,
    health: watch::Sender<StoreHealth>,
    retention: Arc<Mutex<Retention>>,
    clock: Clock,
    post: Arc<Notify>,
}

/// The writer's other end.
pub struct RunningWriter {
    /// Full: batches are merged until there is room, so nothing is lost.
    pub batches: mpsc::Sender<Batch>,
    /// Cancelled when the thread has ended, for whatever reason. Unless [`Self::stop`] was called, that was a
    /// panic, and the process should not go on.
    pub ended: CancellationToken,
    stop: CancellationToken,
}

impl Store {
    /// Opens the database, makes or migrates it, and reads what the engine is to know. Blocks.
    ///
    /// Two daemons on one file are kept apart by the lock on the state folder (`os::lock`), not here.
    pub fn open(path: &Path, clock: Clock) -> Result<Opened, StoreError> {
        let mut connection = open_for_writing(path)?;
        schema::migrate(&mut connection, path)?;
        configure(&connection).map_err(|source| StoreError::opening(path, source))?;
        let restored = restore::restore(&connection).map_err(|source| StoreError::opening(path, source))?;
        let (acts, waiting_acts) = mpsc::channel(QUEUE);
        let (health_of_writer, health) = watch::channel(StoreHealth::default());
        let retention = Arc::default();
        let post = Arc::new(Notify::new());
        let writer = IdleWriter {
            connection,
            acts: waiting_acts,
            health: health_of_writer,
            retention: Arc::clone(&retention),
            clock: clock.clone(),
            post: Arc::clone(&post),
        };
        let shared = Shared {
            path: path.to_owned(),
            clock,
            idle_readers: Mutex::default(),
            permits: Arc::new(Semaphore::new(READERS)),
            acts,
            health,
            retention,
            post,
        };
        Ok(Opened { store: Self { shared: Arc::new(shared) }, restored, writer })
    }

    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub fn health(&self) -> watch::Receiver<StoreHealth> {
        self.shared.health.clone()
    }

    /// Wakes whoever delivers, after a commit that put something into the outbox.
    pub fn post(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.post)
    }

    /// From the next look on; a reload may change it.
    pub fn set_retention(&self, retention: Retention) {
        *self.shared.retention.lock().unwrap_or_else(PoisonError::into_inner) = retention;
    }

    /// Runs `query` with a read-only connection on a blocking thread.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.unless_silent(self.read_however_long(query)).await
    }

    /// A disk that hangs must not take along whoever asks: no page is worth less than one without its history.
    async fn unless_silent<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::pin!(work);
        // Tried first: what is asked for often is in memory, sessions above all.
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut work).await {
                Ok(done) => return done,
                Err(_elapsed) => self.answers()?,
            }
        }
    }

    fn answers(&self) -> Result<(), StoreError> {
        let silent_for = self.shared.health.borrow().silent_for();
        silent_for.map_or(Ok(()), |busy| Err(StoreError::Silent { seconds: busy.as_secs() }))
    }

    async fn read_however_long<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.permits).acquire_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit.map_err(|_closed| StoreError::Ended)?;
            let mut connection = shared.reader()?;
            let deadline = Instant::now() + QUERY;
            connection.progress_handler(STEPS, Some(move || Instant::now() > deadline))?;
            let answer = query(&connection);
            shared.give_back(connection);
            Ok(answer?)
        });
        // The task ends without an answer only when the query panicked or the runtime goes down.
        reading.await.unwrap_or(Err(StoreError::Ended))
    }

    /// Writes something that must be on the platter before it is answered: what a person did.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.act(true, work).await
    }

    /// Writes something whose loss in a power cut nobody would notice.
    pub async fn write_lightly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.act(false, work).await
    }

    async fn act<T: Send + 'static>(
        &self,
        is_weighty: bool,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |connection: Option<&Connection>| {
            let result = connection.map(|connection| {
                work(connection).map_err(|source| {
                    let is_of_the_disk = error::is_of_the_disk(&source);
                    let reason = is_of_the_disk.then(|| NotKept::because(&source, connection));
                    (source, reason)
                })
            });
            let worked = matches!(result, Some(Ok(_)));
            let after: Answer = Box::new(move |committed| {
                let told = match (committed, result) {
                    (_, Some(Err((_, Some(reason))))) => Err(StoreError::NotKept(reason)),
                    (_, Some(Err((source, None)))) => Err(StoreError::Read { source }),
                    (Err(reason), _) => Err(StoreError::NotKept(reason)),
                    (Ok(()), Some(Ok(value))) => Ok(value),
                    (Ok(()), None) => Err(StoreError::Ended),
                };
                // Whoever asked may have gone away meanwhile.
                drop(answer.send(told));
            });
            (worked, after)
        });
        let act = Act { work, is_weighty };
        // Nothing is begun of which nobody knows whether it will be done.
        self.answers()?;
        self.unless_silent(async {
            self.shared.acts.send(act).await.map_err(|_closed| StoreError::Ended)?;
            answered.await.unwrap_or(Err(StoreError::Ended))
        })
        .await
    }
}

impl Shared {
    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => open_for_reading(&self.path).map_err(|source| StoreError::opening(&self.path, source)),
        }
    }

    fn give_back(&self, connection: Connection) {
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl IdleWriter {
    /// Starts the thread. `base` is the world the engine made of what was restored, before its first step: what
    /// differs from it later is what must be written. What somebody is to be told and the disk does not take goes
    /// to `unkept`: a full disk must not silence anybody.
    pub fn start(self, base: Arc<World>, unkept: mpsc::Sender<Message>) -> RunningWriter {
        let (batches, waiting) = mpsc::channel(QUEUE);
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let writer = Writer::new(Parts {
            connection: self.connection,
            batches: waiting,
            acts: self.acts,
            base,
            health: self.health,
            pruner: Pruner::new(self.retention),
            stop: stop.clone(),
            clock: self.clock,
            outlet: Outlet { post: self.post, unkept },
        });
        let guard = ended.clone().drop_guard();
        // Tokio's clock is the runtime's: where a test moves it, it is to move for this thread as well.
        let runtime = tokio::runtime::Handle::try_current();
        let run = move || {
            let _guard = guard;
            let _inside = runtime.as_ref().map(tokio::runtime::Handle::enter);
            writer.run();
        };
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(run)
            .expect("a thread can be had at start, or nothing can");
        RunningWriter { batches, ended, stop }
    }
}

impl RunningWriter {
    /// Writes what is queued, closes the file and waits for that.
    pub async fn stop(self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}

/// The file is made with rights for its owner alone: it holds password hashes.
fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let opening = |source| StoreError::opening(path, source);
    make_private(path);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(opening)?;
    Ok(connection)
}

/// Where this fails, so will the opening that follows, and it says why.
#[allow(clippy::disallowed_methods, reason = "SQLite makes the file itself, but not with these rights")]
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    drop(std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path));
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // After a burst the log file shrinks again.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // Statuses are written all over the table: a longer log lets pages be written once for many changes.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}
