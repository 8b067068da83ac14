//! vigia watches itself: twice a minute the services of host `vigia` get a result like any that somebody hands in, so that
//! rules, messages and downtimes hold for them too. What is made of the facts is pure (`verdict`); the dead man's switch is
//! a task of its own (`pulse`).

mod pulse;
mod verdict;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use vigia_core::model::check::{CheckResult, Source, Verdict};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::state::State;
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::output;

pub(super) use self::pulse::Pulse;
use self::verdict::{Room, Said, said};
use super::vitals::WatchedFiles;
use crate::backup::schedule;
use crate::config::settings::SelfMonitoring;
use crate::config::{own, secret};
use crate::deliver;
use crate::runtime::{ConfigHealth, Handle};
use crate::store::StoreHealth;

const LOOK_EVERY: Duration = Duration::from_secs(30);

/// For a file system to answer.
const DISK_ANSWERS: Duration = Duration::from_secs(10);

/// What is looked at.
pub(super) struct Organs {
    pub(super) handle: Handle,
    pub(super) store: watch::Receiver<StoreHealth>,
    pub(super) delivery: watch::Receiver<deliver::Health>,
    pub(super) backups: watch::Receiver<schedule::Health>,
    pub(super) files: WatchedFiles,
    pub(super) settings: watch::Receiver<SelfMonitoring>,
    pub(super) pulse: watch::Receiver<Pulse>,
    /// Folders that must not be full.
    pub(super) folders: Vec<PathBuf>,
}

pub(super) struct Itself {
    organs: Organs,
    config: watch::Receiver<Arc<ConfigHealth>>,
    /// Since when each object is known to have no result.
    pending: HashMap<ObjectKey, Timestamp>,
    /// Events the store had lost when it was last looked at.
    lost: u64,
}

impl Itself {
    pub(super) fn new(organs: Organs) -> Self {
        let config = organs.handle.config();
        Self { organs, config, pending: HashMap::new(), lost: 0 }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut pulse = self.organs.pulse.clone();
            let before = known_of(&pulse.borrow());
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                // It begins or ends to fail; an error says that nobody is called any more.
                Ok(_) = pulse.wait_for(|pulse| known_of(pulse) != before) => {}
                // What is new shall not wait for its first result.
                changed = self.config.changed() => if changed.is_err() { return },
            }
            let is_ours = self.config.borrow_and_update().findings.watches_itself;
            if is_ours {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.look() => {}
                }
            }
        }
    }

    async fn look(&mut self) {
        let now = self.organs.handle.now();
        let settings = self.organs.settings.borrow().clone();
        let mut all = self.of_checks(&settings, now).await;
        let store = self.organs.store.borrow().clone();
        all.push(verdict::store(&store, self.lost, now));
        self.lost = store.lost;
        let delivery = self.organs.delivery.borrow().clone();
        let dead: Vec<String> =
            delivery.dead.iter().map(|dead| format!("{}: {}", dead.channel, dead.why)).collect();
        let age = delivery.oldest.map(|oldest| now.since(oldest));
        all.push(verdict::messages(delivery.waiting, age, &dead, &settings.messages));
        let config = self.config.borrow().clone();
        all.push(verdict::configuration(&config, self.organs.files.trouble(), now));
        all.push(verdict::disk(&rooms(&self.organs.folders).await, &settings.disk));
        all.extend(backup(&self.organs.backups.borrow(), now));
        all.extend(settings.ping.as_ref().and_then(|_| ping(&self.organs.pulse.borrow(), now)));
        self.submit(all, now).await;
    }

    /// Walks over all objects, so not on a thread that must answer.
    async fn of_checks(&mut self, settings: &SelfMonitoring, now: Timestamp) -> Vec<Said> {
        let world = self.organs.handle.world();
        let Ok(survey) = tokio::task::spawn_blocking(move || verdict::survey(&world, now)).await else {
            return Vec::new();
        };
        let before = std::mem::take(&mut self.pending);
        for key in &survey.pending {
            self.pending.insert(key.clone(), before.get(key).copied().unwrap_or(now));
        }
        let oldest = self.pending.iter().min_by_key(|(_, since)| **since);
        let oldest = oldest.map(|(key, since)| (key, now.since(*since)));
        vec![
            verdict::lateness(&survey, &settings.lateness),
            verdict::never_run(self.pending.len(), oldest, &settings.never_run),
        ]
    }

    async fn submit(&self, all: Vec<Said>, now: Timestamp) {
        let result = |said: Said| CheckResult {
            key: ObjectKey { host: own::HOST.into(), service: Some(said.service.into()) },
            place: None,
            verdict: Verdict::State(said.state),
            output: output::parse(said.text.as_bytes()).into(),
            started: now,
            finished: now,
            latency: Duration::ZERO,
            source: Source::Passive,
        };
        // A service that a person took away is refused, and so it should be; the others are taken.
        if let Err(error) = self.organs.handle.submit(all.into_iter().map(result).collect()).await {
            debug!(event = "self.refused", error = %error, "no result for host `vigia`");
        }
    }
}

/// What a person must not wait for: whether it was ever taken, and whether it fails.
fn known_of(pulse: &Pulse) -> (bool, bool) {
    (pulse.last.is_some(), pulse.failing.is_some())
}

fn backup(health: &schedule::Health, now: Timestamp) -> Option<Said> {
    let plan = health.plan.as_ref()?;
    if let Some(trouble) = health.trouble(now) {
        return Some(said("backup", State::Critical, trouble));
    }
    let text = match &health.last {
        None => "none yet".to_owned(),
        Some(last) => {
            let (age, bytes) = (now.since(last.taken), last.bytes);
            let limit = plan.max_age.as_secs();
            let (text, seconds) = (verdict::span(age), age.as_secs());
            format!("the newest of {} is {text} old | age={seconds}s;;{limit} size={bytes}B", health.count)
        }
    };
    Some(said("backup", State::Ok, text))
}

fn ping(pulse: &Pulse, now: Timestamp) -> Option<Said> {
    let ago = |last: Option<Timestamp>| {
        last.map_or_else(|| "never yet".to_owned(), |at| format!("{} ago", verdict::span(now.since(at))))
    };
    match (&pulse.failing, pulse.last) {
        (Some((_, why)), last) => {
            Some(said("ping", State::Critical, format!("{why}; it was last taken {}", ago(last))))
        }
        (None, Some(last)) => Some(said("ping", State::Ok, format!("taken {}", ago(Some(last))))),
        // The first call is on its way.
        (None, None) => None,
    }
}

/// A file system that hangs must not hang us.
async fn rooms(folders: &[PathBuf]) -> Vec<(String, Result<Room, String>)> {
    let mut rooms = Vec::with_capacity(folders.len());
    for folder in folders {
        let path = folder.clone();
        let looked = timeout(DISK_ANSWERS, tokio::task::spawn_blocking(move || room(&path))).await;
        let room = match looked {
            Ok(Ok(room)) => room,
            Ok(Err(_)) | Err(_) => Err("its disk does not answer".to_owned()),
        };
        rooms.push((folder.display().to_string(), room));
    }
    rooms
}

fn room(folder: &Path) -> Result<Room, String> {
    let stat = nix::sys::statvfs::statvfs(folder).map_err(|error| error.desc().to_owned())?;
    #[expect(clippy::cast_precision_loss, reason = "per cents need no more than 52 bits")]
    let share = |free: u64, all: u64| if all == 0 { None } else { Some(100.0 * free as f64 / all as f64) };
    #[expect(clippy::cast_precision_loss, reason = "gigabytes for people")]
    let bytes = stat.blocks_available() as f64 * stat.fragment_size() as f64;
    // What is kept for root is not free for us.
    let usable = stat.blocks() - stat.blocks_free() + stat.blocks_available();
    Ok(Room {
        bytes,
        free: share(stat.blocks_available(), usable).unwrap_or(100.0),
        free_files: share(stat.files_available(), stat.files()),
    })
}

/// The task that calls who would miss us.
pub(super) async fn call(
    handle: Handle,
    settings: watch::Receiver<SelfMonitoring>,
    pulse: watch::Sender<Pulse>,
    stop: CancellationToken,
) {
    let shared = vigia_checks::Shared::new(secret::source());
    pulse::Caller { handle, settings, shared, pulse }.run(stop).await;
}
