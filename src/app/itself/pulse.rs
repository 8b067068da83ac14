//! The dead man's switch: somebody is called as long as checks are handed out, and misses us when we are dead.
//!
//! A task of its own with one request at a time: whoever is called cannot delay a check.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vigia_checks::http::{Post, post};
use vigia_core::model::time::Timestamp;

use crate::config::secret;
use crate::config::settings::{Ping, SelfMonitoring};
use crate::runtime::Handle;

/// For the conductor to answer: it does so ten times a second.
const ANSWER: Duration = Duration::from_secs(10);

/// How the last call went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// When somebody last took it.
    pub(crate) last: Option<Timestamp>,
    /// Since when, and why nobody does.
    pub(crate) failing: Option<(Timestamp, String)>,
}

pub(super) struct Caller {
    pub(super) handle: Handle,
    pub(super) settings: watch::Receiver<SelfMonitoring>,
    pub(super) shared: vigia_checks::Shared,
    pub(super) pulse: watch::Sender<Pulse>,
}

impl Caller {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let ping = self.settings.borrow_and_update().ping.clone();
            let Some(ping) = ping else {
                self.pulse.send_replace(Pulse::default());
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = self.settings.changed() => if changed.is_err() { return },
                }
                continue;
            };
            let called = tokio::select! {
                () = stop.cancelled() => return,
                called = self.call(&ping) => called,
            };
            self.note(called);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(ping.every) => {}
                changed = self.settings.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn call(&self, ping: &Ping) -> Result<(), String> {
        // Nobody is told that all is well by a daemon that only still answers timers.
        match timeout(ANSWER, self.handle.submit(Vec::new())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("nobody is called while checks pause: {error}")),
            Err(_elapsed) => return Err("nobody is called while checks are not handed out".to_owned()),
        }
        let url = secret::reveal(&ping.url).map_err(|why| format!("`ping.url` cannot be had: {why}"))?;
        let body = serde_json::json!({ "program": "vigia", "version": env!("CARGO_PKG_VERSION") });
        let request = Post {
            url: url.trim().to_owned(),
            headers: Vec::new(),
            body: body.to_string(),
            timeout: ping.timeout,
        };
        match post(&request, &self.shared).await {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) => Err(format!("the answer was {}", reply.status_line)),
            Err(failure) => Err(failure.text),
        }
    }

    /// Said in the log when it begins to fail and when it is taken again.
    fn note(&self, called: Result<(), String>) {
        let now = self.handle.now();
        let before = self.pulse.borrow().clone();
        let pulse = match called {
            Ok(()) => {
                if let Some((since, _)) = &before.failing {
                    info!(event = "ping.recovered", duration = ?now.since(*since), "the ping is taken again");
                }
                Pulse { last: Some(now), failing: None }
            }
            Err(why) => {
                if before.failing.is_none() {
                    warn!(event = "ping.failed", error = why, "the ping of `self_monitoring` is not taken");
                }
                let since = before.failing.map_or(now, |(since, _)| since);
                Pulse { last: before.last, failing: Some((since, why)) }
            }
        };
        self.pulse.send_replace(pulse);
    }
}
