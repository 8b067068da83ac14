//! Makes backups when they are due, keeps as many as are wanted, and knows when there is none that is young enough.
//!
//! When one is due follows from what lies in the folder: a restart forgets nothing, and one made by hand counts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigia_core::model::time::Timestamp;

use super::{BackupError, Kept, Made, Source, list, make, path_in, prune};
use crate::os::clock::Clock;
use crate::telemetry::Chain;

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// After one that failed, for as long as the reason may last.
const RETRY: Duration = Duration::from_secs(600);

/// A backup from further ahead was made when the clock was wrong, and says nothing of now.
const AHEAD: Duration = Duration::from_secs(300);

/// What was asked for (`backup` of the settings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub dir: PathBuf,
    pub every: Duration,
    pub keep: usize,
    pub max_age: Duration,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Nothing: backups are made by hand.
    pub plan: Option<Plan>,
    pub last: Option<Kept>,
    pub count: usize,
    /// Since when, and why.
    pub failing: Option<(Timestamp, String)>,
}

impl Health {
    /// What is wrong with the backups, in one sentence.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        let plan = self.plan.as_ref()?;
        if let Some((_, why)) = &self.failing {
            return Some(format!("the last backup failed: {why}"));
        }
        let last = self.last.as_ref()?;
        let age = now.since(last.taken);
        let dir = plan.dir.display();
        (age > plan.max_age).then(|| format!("the newest backup in {dir} is {} old", span(age)))
    }
}

/// `2 days`, `3 hours`: for a sentence.
fn span(age: Duration) -> String {
    let hours = age.as_secs() / 3600;
    let (count, unit) = if hours >= 48 { (hours / 24, "day") } else { (hours, "hour") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// What belongs into a backup, asked anew for each. Blocks.
pub type Sources = Arc<dyn Fn() -> Source + Send + Sync>;

/// Where one is asked for.
#[derive(Clone)]
pub struct Asker(mpsc::Sender<Asked>);

/// Whoever asked waits here.
pub type Asked = oneshot::Sender<Result<Kept, NotMade>>;

/// Why there is no backup for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotMade {
    /// Nobody said where they go.
    Unplanned,
    Failed(String),
    /// vigia ends.
    Stopping,
}

/// Orders that wait for the backup that is being made. Full: whoever asks waits.
const ORDERS: usize = 4;

impl Asker {
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (orders, asked) = mpsc::channel(ORDERS);
        (Self(orders), asked)
    }

    /// Comes back when there is a backup that was made after this was called, or none.
    pub async fn ask(&self) -> Result<Kept, NotMade> {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_closed| NotMade::Stopping)?;
        answered.await.unwrap_or(Err(NotMade::Stopping))
    }
}

pub struct Keeper {
    pub plan: watch::Receiver<Option<Plan>>,
    /// Filled by people who want one now, beside those that come by themselves.
    pub orders: mpsc::Receiver<Asked>,
    pub sources: Sources,
    pub clock: Clock,
    pub health: watch::Sender<Health>,
}

impl Keeper {
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failed: Option<Instant> = None;
        loop {
            let plan = self.plan.borrow_and_update().clone();
            match &plan {
                Some(plan) => {
                    let may_try = failed.is_none_or(|at| at.elapsed() >= RETRY);
                    failed = if self.look(plan, may_try, &stop).await {
                        None
                    } else {
                        failed.filter(|_| !may_try).or(Some(Instant::now()))
                    };
                }
                None => self.tell(|health| *health = Health::default()),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.plan.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What was wrong may be put right by it.
                    failed = None;
                }
                Some(asked) = self.orders.recv() => {
                    // Whoever asked may have gone.
                    asked.send(self.order(plan.as_ref(), &stop).await).ok();
                    continue;
                }
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn order(&self, plan: Option<&Plan>, stop: &CancellationToken) -> Result<Kept, NotMade> {
        let plan = plan.ok_or(NotMade::Unplanned)?;
        // Their names have seconds: whoever comes within the one of another waits for the next.
        if self
            .health
            .borrow()
            .last
            .as_ref()
            .is_some_and(|last| last.path == path_in(&plan.dir, self.clock.now()))
        {
            sleep(Duration::from_secs(1)).await;
        }
        self.make(plan, self.clock.now(), stop).await
    }

    /// True: all is well.
    async fn look(&self, plan: &Plan, may_try: bool, stop: &CancellationToken) -> bool {
        let now = self.clock.now();
        let dir = plan.dir.clone();
        let found = tokio::task::spawn_blocking(move || list(&dir)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                drop(self.failed(plan, now, BackupError::from(error).whole()));
                return false;
            }
            Err(_ended) => return true,
        };
        let last = found.iter().rfind(|one| one.taken <= now.after(AHEAD)).cloned();
        self.tell(|health| {
            health.plan = Some(plan.clone());
            health.last.clone_from(&last);
            health.count = found.len();
        });
        let is_due = last.is_none_or(|last| now.since(last.taken) >= plan.every);
        if !is_due {
            // Somebody may have made one by hand.
            self.tell(|health| health.failing = None);
            return true;
        }
        if !may_try {
            return false;
        }
        // One that was stopped is no failure.
        matches!(self.make(plan, now, stop).await, Ok(_) | Err(NotMade::Stopping))
    }

    async fn make(&self, plan: &Plan, now: Timestamp, stop: &CancellationToken) -> Result<Kept, NotMade> {
        let (sources, path, keep) = (self.sources.clone(), path_in(&plan.dir, now), plan.keep);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (asked, dir) = (is_stopped.clone(), plan.dir.clone());
        let mut making = tokio::task::spawn_blocking(move || -> Result<Made, BackupError> {
            let made = make(&sources(), &path, now, &|| asked.load(Ordering::Relaxed))?;
            if let Err(error) = prune(&dir, keep) {
                warn!(event = "backup.kept", error = %Chain(&error), "an old backup cannot be removed");
            }
            Ok(made)
        });
        let made = tokio::select! {
            made = &mut making => made,
            () = stop.cancelled() => {
                is_stopped.store(true, Ordering::Relaxed);
                making.await
            }
        };
        match made {
            Ok(Ok(made)) => {
                info!(event = "backup.made", path = %made.path.display(), count = made.bytes, "a backup was made and read back");
                let kept = Kept { path: made.path, taken: now, bytes: made.bytes };
                self.tell(|health| {
                    health.count = (health.count + 1).min(plan.keep);
                    health.last = Some(kept.clone());
                    health.failing = None;
                });
                Ok(kept)
            }
            Ok(Err(BackupError::Stopped)) => Err(NotMade::Stopping),
            Ok(Err(error)) => Err(self.failed(plan, now, error.whole())),
            Err(_panicked) => {
                Err(self.failed(plan, now, "vigia made a mistake; its log says more".to_owned()))
            }
        }
    }

    /// Said in the log when it begins; the banner says it as long as it lasts.
    fn failed(&self, plan: &Plan, now: Timestamp, why: String) -> NotMade {
        let is_new = self.health.borrow().failing.is_none();
        if is_new {
            error!(event = "backup.failed", path = %plan.dir.display(), error = why, "no backup could be made; it is tried again");
        }
        self.tell(|health| {
            health.plan = Some(plan.clone());
            let since = health.failing.as_ref().map_or(now, |(since, _)| *since);
            health.failing = Some((since, why.clone()));
        });
        NotMade::Failed(why)
    }

    fn tell(&self, change: impl Fn(&mut Health)) {
        self.health.send_if_modified(|health| {
            let before = health.clone();
            change(health);
            *health != before
        });
    }
}
