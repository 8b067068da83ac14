//! The pace of a scan: how many probes may be under way, and how many may begin a second, whoever sends them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::timing::Limits;

/// What all probes of a scan share: how many are under way, and how many may begin a second.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) under_way: Semaphore,
    gap: Duration,
    next: Mutex<Instant>,
}

/// Gaps this short are not waited for one by one.
pub(super) const SLACK: Duration = Duration::from_millis(5);

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let gap = limits.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { under_way: Semaphore::new(limits.probes), gap, next: Mutex::new(Instant::now()) }
    }

    /// Waits until one more probe may be sent; it counts as under way while the permit lives.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.under_way.acquire().await.ok()?;
        if let Some(at) = self.slot() {
            sleep_until(at).await;
        }
        Some(permit)
    }

    /// Takes the next place of the rate, and says when it is where that is not now.
    pub(super) fn slot(&self) -> Option<Instant> {
        if self.gap.is_zero() {
            return None;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // What was not used in the past is not made up for.
        *next = (*next).max(now.checked_sub(SLACK).unwrap_or(now)) + self.gap;
        (*next > now + SLACK).then_some(*next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::timing::Timing;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept() {
        let pace = Pace::new(&Limits { rate: Some(100), ..Timing::Normal.limits() });
        let begun = Instant::now();
        for _ in 0..300 {
            drop(pace.turn().await.unwrap());
        }
        let took = begun.elapsed().as_millis();
        assert!((2_900..3_100).contains(&took), "{took}");
    }
}
