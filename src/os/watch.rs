//! Tells when the content of some files has changed.
//!
//! Events of the kernel mean "look again" and nothing else; what counts is a hash of the content. Folders are
//! watched, never files: editors rename a new file over the old one, and its watch would follow the old one
//! into the grave. Every link on the way is watched where it lies, so that a swapped link (`ConfigMap`) is
//! seen. A look every minute finds what no event told (network disks, lost events), and where the kernel has
//! no watches left we look more often instead.

mod folders;
mod survey;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{error, warn};

use folders::Folders;
use survey::Survey;
pub use survey::{Files, Sources};

/// How patient the watcher is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// So long nothing may happen before we look: an editor saves in several steps.
    pub settle: Duration,
    /// Somebody who writes all the time is looked at after so long all the same.
    pub settle_at_most: Duration,
    /// A look without any event.
    pub scan: Duration,
    /// The same where the kernel gives no watches.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(500),
            settle_at_most: Duration::from_secs(5),
            scan: Duration::from_secs(60),
            poll: Duration::from_secs(2),
        }
    }
}

/// Watches as long as it lives.
#[derive(Debug)]
pub struct Watcher {
    wake: Sender<Wake>,
    changes: watch::Receiver<u64>,
    trouble: watch::Receiver<Option<&'static str>>,
}

enum Wake {
    /// Something happened at these paths; none: events were lost.
    Seen(Vec<PathBuf>),
    Stop,
}

impl Watcher {
    /// Begins to watch what `sources` names. It is asked again after each change, since what is there to
    /// watch may depend on the content (`include`).
    pub fn start(sources: Sources, patience: Patience) -> std::io::Result<Self> {
        let (wake, woken) = mpsc::channel();
        let (tell, changes) = watch::channel(0);
        let (tell_trouble, trouble) = watch::channel(None);
        let folders = Folders::new(wake.clone());
        let survey = Survey::new(sources);
        let mut watching = Watching { folders, survey, patience, woken, tell, trouble: tell_trouble };
        // Before we return: what changes from now on is seen, and so is what changed since it was remembered.
        watching.look_and_tell();
        thread::Builder::new().name("vigia-watch".into()).spawn(move || watching.run())?;
        Ok(Self { wake, changes, trouble })
    }

    /// What keeps it from seeing changes at once; none: all is well.
    pub fn trouble(&self) -> watch::Receiver<Option<&'static str>> {
        self.trouble.clone()
    }

    /// Waits for the next change. Several that nobody waited for are one. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The thread is gone; it said why in the log, and no change will be seen any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // An error says that it has already ended.
        drop(self.wake.send(Wake::Stop));
    }
}

struct Watching {
    folders: Folders,
    survey: Survey,
    patience: Patience,
    woken: Receiver<Wake>,
    tell: watch::Sender<u64>,
    trouble: watch::Sender<Option<&'static str>>,
}

impl Watching {
    /// Until told to stop. A mistake of ours costs the watches and not the look every minute.
    fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.follow())).is_err() {
            let text = "a mistake in vigia ended the watching; changed files are looked for once a minute";
            self.trouble.send_replace(Some(text));
            error!(event = "watch.failed", "{text}; please report it");
            self.scan();
        }
    }

    /// Looks at the content now and then, whatever happens meanwhile.
    fn scan(&mut self) {
        let mut next = Instant::now() + self.patience.scan;
        loop {
            match self.woken.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Wake::Seen(_)) => {}
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + self.patience.scan;
                    // The panic itself is in the log.
                    if catch_unwind(AssertUnwindSafe(|| self.survey.has_changed())).unwrap_or(false) {
                        self.tell.send_modify(|count| *count += 1);
                    }
                }
            }
        }
    }

    fn follow(&mut self) {
        loop {
            let wait = if self.folders.is_complete() { self.patience.scan } else { self.patience.poll };
            match self.woken.recv_timeout(wait) {
                Ok(Wake::Seen(paths)) if !self.folders.concerns(&paths) => continue,
                Ok(Wake::Seen(_)) => {
                    if !self.settle() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look_and_tell();
        }
    }

    fn look_and_tell(&mut self) {
        if self.look() {
            self.tell.send_modify(|count| *count += 1);
        }
    }

    /// Waits until nothing happens any more. False: we are to stop.
    fn settle(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < self.patience.settle_at_most {
            match self.woken.recv_timeout(self.patience.settle) {
                Ok(Wake::Seen(_)) => {}
                Err(RecvTimeoutError::Timeout) => return true,
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    /// Looks at the content, and puts the watches where they belong now. True: it has changed.
    fn look(&mut self) -> bool {
        // Watches first: what changes between the two is seen by one of them.
        let wanted = self.survey.places();
        if self.folders.follow(wanted) {
            warn!(
                event = "watch.limited",
                "no watch is left for some folders; looking at them every {} s instead. hint: sysctl fs.inotify.max_user_watches (and max_user_instances)",
                self.patience.poll.as_secs()
            );
        }
        self.survey.has_changed()
    }
}

/// What notify says, as wake-ups.
fn on_event(wake: &Sender<Wake>, event: notify::Result<notify::Event>) {
    let paths = match event {
        // Reading a file is an event too, and we read them ourselves.
        Ok(event) if event.kind.is_access() => return,
        Ok(event) if event.need_rescan() => Vec::new(),
        Ok(event) => event.paths,
        Err(error) => {
            error!(event = "watch.failed", %error, "a folder cannot be watched");
            Vec::new()
        }
    };
    // An error says that nobody watches any more.
    drop(wake.send(Wake::Seen(paths)));
}

#[cfg(test)]
mod tests;
