//! A new configuration for the running daemon: loaded beside it, compared, handed over as one input.
//!
//! What loads is a closure of the caller's ([`Load`]); here is when it runs, what becomes of its outcome, and
//! who is told. No listener closes and no check waits: the engine carries over whatever the two
//! configurations have in common.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigia_core::model::event::{Event, What};
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::time::Timestamp;

use super::inbox::Message;
use super::meters::Meters;
use crate::config::problem::{Reported, Severity};
use crate::os::clock::Clock;
use crate::os::systemd;
use crate::os::watch::Watcher;

/// So long a reload waits for what is kept for the next start.
const KEPT_WITHIN: Duration = Duration::from_secs(5);

/// Reads the configuration for this generation; whether one without hosts is meant. Blocks; an error says, for people, why there is none at all.
pub type Load = Arc<dyn Fn(u32, bool) -> Result<Fresh, String> + Send + Sync>;

/// What a load gave.
pub struct Fresh {
    pub inventory: SharedInventory,
    pub findings: Findings,
    /// Called once the inventory is in effect: new settings, and what is kept for the next start. Blocks.
    pub in_effect: Box<dyn FnOnce() + Send>,
}

/// What a load found wrong.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub problems: Vec<Reported>,
    pub quarantine: Vec<Quarantined>,
    /// What is written and not acted on by this version, one line each.
    pub notices: Vec<String>,
    /// Every file that was read.
    pub files: Vec<String>,
    /// Settings that changed and take effect with the next start only.
    pub restart_needed: Vec<String>,
    /// The host `vigia` is the daemon's own: its services want states.
    pub watches_itself: bool,
}

/// An object with a mistake in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `host`, `service`, `contact`, …
    pub kind: &'static str,
    /// `web1`, `web1/HTTP`, `ana`.
    pub name: String,
    /// It goes on as it was when it was last good; else it is not loaded.
    pub is_last_good: bool,
    pub path: String,
    pub line: u32,
    /// What is wrong with it.
    pub message: String,
}

impl Findings {
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }

    /// All that the files say is in effect.
    pub fn is_clean(&self) -> bool {
        self.errors() == 0 && self.quarantine.is_empty()
    }
}

/// How the configuration stands: the banner, the page, the exit code of `vigia reload`.
#[derive(Clone, Debug)]
pub struct ConfigHealth {
    /// Of the configuration in effect.
    pub generation: u32,
    /// When it was last read.
    pub loaded_at: Timestamp,
    /// When all that the files say was last in effect.
    pub clean_at: Option<Timestamp>,
    /// Nothing could be read at all, and why; everything goes on as it was.
    pub refused: Option<String>,
    pub findings: Findings,
}

impl ConfigHealth {
    pub fn is_clean(&self) -> bool {
        self.refused.is_none() && self.findings.is_clean()
    }

    /// Of the last load, in a word: `complete`, `partial`, `refused`.
    pub fn outcome(&self) -> &'static str {
        match (&self.refused, self.is_clean()) {
            (Some(_), _) => "refused",
            (None, true) => "complete",
            (None, false) => "partial",
        }
    }
}

/// What a reload came to.
#[derive(Clone, Debug)]
pub struct ReloadReport {
    pub health: Arc<ConfigHealth>,
    pub hosts: usize,
    pub services: usize,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub took: Duration,
}

impl ReloadReport {
    /// All that the files say took effect.
    pub fn is_complete(&self) -> bool {
        self.health.is_clean()
    }
}

/// Somebody wants the configuration read again.
#[derive(Debug)]
pub struct Request {
    /// For the log.
    pub by: String,
    /// No host is to be left, if the files say so.
    pub accept_empty: bool,
    pub answer: Option<oneshot::Sender<ReloadReport>>,
}

/// What reloads need from others.
pub struct Wiring {
    /// Filled by doors and signals. Full: they wait.
    pub requests: mpsc::Receiver<Request>,
    /// The conductor's.
    pub inbox: mpsc::Sender<Message>,
    pub health: watch::Sender<Arc<ConfigHealth>>,
    pub load: Load,
    /// None: nothing is watched.
    pub watcher: Option<Watcher>,
    pub clock: Clock,
    pub meters: Arc<Meters>,
}

pub struct Reloader(Wiring);

impl Reloader {
    pub fn new(wiring: Wiring) -> Self {
        note(&wiring.meters, &wiring.health.borrow());
        Self(wiring)
    }

    /// Runs until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                () = stop.cancelled() => return,
                Some(request) = self.0.requests.recv() => request,
                () = changed(&mut self.0.watcher) => {
                    Request { by: "changed files".to_owned(), accept_empty: false, answer: None }
                }
            };
            // Whoever asked meanwhile gets the same report: what they changed is read below.
            let mut asked = vec![first];
            while let Ok(request) = self.0.requests.try_recv() {
                asked.push(request);
            }
            let Some(report) = self.reload(&asked).await else { return };
            for answer in asked.into_iter().filter_map(|request| request.answer) {
                // Nobody may be waiting for it any more.
                answer.send(report.clone()).ok();
            }
        }
    }

    /// None: the daemon is stopping.
    async fn reload(&self, asked: &[Request]) -> Option<ReloadReport> {
        let begun = Instant::now();
        systemd::reloading();
        let by = asked.iter().map(|request| request.by.as_str()).collect::<Vec<_>>().join(", ");
        info!(event = "config.reloading", by, "reading the configuration");
        let before = self.0.health.borrow().clone();
        let generation = before.generation.wrapping_add(1);
        let accept_empty = asked.iter().any(|request| request.accept_empty);
        let load = self.0.load.clone();
        let loaded = tokio::task::spawn_blocking(move || load(generation, accept_empty)).await;
        let fresh =
            loaded.unwrap_or_else(|panic| Err(format!("reading it failed by a mistake in vigia: {panic}")));
        let report = match fresh {
            Ok(fresh) => self.hand_over(fresh, generation, &before, begun).await?,
            Err(why) => self.refused(why, &before, begun),
        };
        self.tell(&report);
        Some(report)
    }

    async fn hand_over(
        &self,
        fresh: Fresh,
        generation: u32,
        before: &ConfigHealth,
        begun: Instant,
    ) -> Option<ReloadReport> {
        let (answer, answered) = oneshot::channel();
        let (hosts, services) = (fresh.inventory.hosts.len(), fresh.inventory.services.len());
        self.0.inbox.send(Message::Reload(fresh.inventory, answer)).await.ok()?;
        let (added, changed, removed) = counted(&answered.await.ok()?);
        // A panic in it is in the log. A disk that hangs must not hold up what is in effect all the same.
        timeout(KEPT_WITHIN, tokio::task::spawn_blocking(fresh.in_effect)).await.ok();
        let now = self.0.clock.now();
        let clean_at = if fresh.findings.is_clean() { Some(now) } else { before.clean_at };
        let health =
            ConfigHealth { generation, loaded_at: now, clean_at, refused: None, findings: fresh.findings };
        let health = Arc::new(health);
        self.0.health.send_replace(health.clone());
        Some(ReloadReport { health, hosts, services, added, changed, removed, took: begun.elapsed() })
    }

    fn refused(&self, why: String, before: &ConfigHealth, begun: Instant) -> ReloadReport {
        let health = ConfigHealth { loaded_at: self.0.clock.now(), refused: Some(why), ..before.clone() };
        let health = Arc::new(health);
        self.0.health.send_replace(health.clone());
        let (hosts, services, added, changed, removed) = (0, 0, 0, 0, 0);
        ReloadReport { health, hosts, services, added, changed, removed, took: begun.elapsed() }
    }

    fn tell(&self, report: &ReloadReport) {
        let health = &report.health;
        note(&self.0.meters, health);
        self.0.meters.reloads.with_label_values(&[health.outcome()]).inc();
        if health.refused.is_none() {
            self.0.meters.reload_duration.observe(report.took.as_secs_f64());
        }
        let changes =
            format!("{} added, {} changed, {} removed", report.added, report.changed, report.removed);
        if let Some(why) = &health.refused {
            error!(
                event = "config.rejected",
                error = why,
                "the configuration cannot be read; all goes on as it was"
            );
        } else if health.is_clean() {
            tell_findings(&health.findings);
            info!(event = "config.reloaded", duration = ?report.took, "all of it is in effect: {changes}");
        } else {
            tell_findings(&health.findings);
            warn!(
                event = "config.rejected",
                count = health.findings.errors(),
                duration = ?report.took,
                "what is good is in effect: {changes}{}",
                put_away(&health.findings)
            );
        }
        for key in &health.findings.restart_needed {
            warn!(event = "config.restart", "`{key}` changed and takes effect with the next start");
        }
        systemd::ready(&status(health));
    }
}

/// What became of objects with a mistake, and of files that cannot be read at all.
pub fn put_away(findings: &Findings) -> String {
    let count = |is_last_good: bool| {
        findings.quarantine.iter().filter(|one| one.is_last_good == is_last_good).count()
    };
    let object = |count: usize| if count == 1 { "object" } else { "objects" };
    match (count(true), count(false)) {
        // The mistake is no object's: a file that cannot be parsed, a section that does not exist.
        (0, 0) => "; what a file that cannot be read held goes on as it was".to_owned(),
        (kept, 0) => format!("; {kept} {} with a mistake as last good", object(kept)),
        (0, out) => format!("; {out} {} with a mistake not loaded", object(out)),
        (kept, out) => format!("; {kept} {} with a mistake as last good, {out} not loaded", object(kept)),
    }
}

/// One line for each problem; whoever wants the excerpts asks `vigia validate`.
pub fn tell_findings(findings: &Findings) {
    for problem in &findings.problems {
        let (path, line, message) = (&problem.path, problem.line, &problem.message);
        let at = if path.is_empty() { String::new() } else { format!("{path}:{line}: ") };
        match problem.severity {
            Severity::Error => error!(event = "config.problem", path, line, "{at}{message}"),
            Severity::Warning => warn!(event = "config.problem", path, line, "{at}{message}"),
        }
    }
}

/// What `systemctl status` shows.
pub fn status(health: &ConfigHealth) -> String {
    match (&health.refused, health.is_clean()) {
        (Some(_), _) => "running; the configuration cannot be read, an earlier one is in effect".to_owned(),
        (None, true) => "running".to_owned(),
        (None, false) => {
            format!("running; {} errors in the configuration, see `vigia validate`", health.findings.errors())
        }
    }
}

fn note(meters: &Meters, health: &ConfigHealth) {
    let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    meters.reload_ok.set(i64::from(health.is_clean()));
    if let Some(at) = health.clean_at {
        meters.reload_ok_at.set(at.as_seconds_f64());
    }
    meters.config_problems.with_label_values(&["error"]).set(gauge(health.findings.errors()));
    meters.config_problems.with_label_values(&["warning"]).set(gauge(health.findings.warnings()));
    meters.quarantined.set(gauge(health.findings.quarantine.len()));
}

fn counted(events: &[Event]) -> (usize, usize, usize) {
    let found = events.iter().find_map(|event| match event.what {
        What::Reloaded { added, changed, removed, .. } => Some((added, changed, removed)),
        _ => None,
    });
    found.unwrap_or_default()
}

async fn changed(watcher: &mut Option<Watcher>) {
    match watcher {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("findings", &self.findings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
