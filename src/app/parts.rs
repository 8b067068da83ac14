//! The tasks the daemon is made of: each has a name, is told to stop on its own, and is missed when it ends.

use std::future::Future;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::telemetry::Chain;

#[derive(Debug, Default)]
pub(super) struct Parts(Vec<Part>);

#[derive(Debug)]
struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
    has_ended: bool,
}

impl Parts {
    /// Starts a part; `make` gets what tells it to stop. Several may have one name and are stopped together.
    pub(super) fn spawn<F>(&mut self, name: &'static str, make: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(make(stop.clone()));
        self.0.push(Part { name, stop, task, has_ended: false });
    }

    /// The name of the first part that ends. A panic in it is in the log. Cancel-safe.
    pub(super) async fn any_ended(&mut self) -> &'static str {
        let running = self.0.iter_mut().filter(|part| !part.has_ended).map(|part| {
            Box::pin(async move {
                let ended = (&mut part.task).await;
                part.has_ended = true;
                tell(part.name, ended);
                part.name
            })
        });
        let running: Vec<_> = running.collect();
        if running.is_empty() {
            return std::future::pending().await;
        }
        select_all(running).await.0
    }

    /// Tells the parts of this name to stop and waits for them, up to `grace` for all of them together. True:
    /// each of them had run until now, and has finished.
    pub(super) async fn stop(&mut self, name: &'static str, grace: Duration) -> bool {
        let until = Instant::now() + grace;
        let mut is_in_time = true;
        for part in self.0.iter().filter(|part| part.name == name) {
            part.stop.cancel();
        }
        for part in self.0.iter_mut().filter(|part| part.name == name) {
            if std::mem::replace(&mut part.has_ended, true) {
                is_in_time = false;
                continue;
            }
            match timeout_at(until, &mut part.task).await {
                Ok(ended) => tell(name, ended),
                Err(_elapsed) => {
                    warn!(
                        event = "vigia.unfinished",
                        part = name,
                        "did not finish in time and is left behind"
                    );
                    part.task.abort();
                    is_in_time = false;
                }
            }
        }
        is_in_time
    }
}

fn tell(name: &'static str, ended: Result<(), JoinError>) {
    match ended {
        Ok(()) => debug!(event = "part.ended", part = name, "ended"),
        Err(error) => {
            error!(event = "part.panicked", part = name, error = %Chain(&error), "ended by a mistake in vigia; please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_is_missed_by_its_name() {
        let mut parts = Parts::default();
        parts.spawn("steady", |stop| async move { stop.cancelled().await });
        parts.spawn("rash", |_| async { panic!("no") });
        assert_eq!(parts.any_ended().await, "rash");
        assert!(!parts.stop("rash", Duration::from_secs(1)).await);
        assert!(parts.stop("steady", Duration::from_secs(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_stop_is_left_behind_after_its_grace() {
        let mut parts = Parts::default();
        parts.spawn("stubborn", |_| std::future::pending());
        let started = Instant::now();
        parts.spawn("stubborn", |_| std::future::pending());
        assert!(!parts.stop("stubborn", Duration::from_secs(3)).await);
        assert_eq!(started.elapsed(), Duration::from_secs(3), "two of one name share their grace");
    }
}
