//! The wall clock, as the monotonic clock carries it on.
//!
//! Reading it never goes backwards and never jumps by itself: the wall time of the start is carried on by
//! tokio's clock, so that a test in paused time moves both, and [`Clock::follow`] says when the system's wall
//! clock has gone elsewhere (NTP, suspend, an administrator) and by how much.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use vigia_core::model::time::Timestamp;

/// A difference up to this is followed in silence: NTP slews, leap smears, the crystal.
const SLEW: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Clock {
    base: Instant,
    /// Wall time at `base`, in microseconds since 1970.
    wall_at_base: Arc<AtomicI64>,
    /// What [`Self::follow`] follows; none: nothing.
    source: Option<Source>,
}

/// The wall clock that is followed: the system's, moved by so many microseconds. Zero outside tests, where it
/// stands for the hand that sets a clock.
#[derive(Clone, Debug, Default)]
pub struct Source(Arc<AtomicI64>);

impl Source {
    /// Sets the wall clock forward or back by this much more.
    pub fn shift(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(system_now().as_micros() + self.0.load(Ordering::Relaxed))
    }
}

/// The wall clock was set: every instant after it lies `micros` further (or, negative, back).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    pub micros: i64,
}

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Self {
        Self::following(Source::default())
    }

    pub fn following(source: Source) -> Self {
        Self { source: Some(source.clone()), ..Self::starting_at(source.now()) }
    }

    /// A clock that reads `now` now and follows tokio's clock alone.
    pub fn starting_at(now: Timestamp) -> Self {
        Self { base: Instant::now(), wall_at_base: Arc::new(AtomicI64::new(now.as_micros())), source: None }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall_at_base.load(Ordering::Relaxed) + self.elapsed_micros())
    }

    /// When `at` will be, on tokio's clock; for what is past already, now.
    pub fn instant(&self, at: Timestamp) -> Instant {
        let now = Instant::now();
        // Farther than a year ahead is as good as a year: whoever waits asks again then.
        now + at.since(self.now()).min(Duration::from_secs(366 * 24 * 3600))
    }

    /// Takes over what the system's wall clock says now. Small differences in silence; a jump is told.
    pub fn follow(&self) -> Option<Jump> {
        self.set(self.source.as_ref()?.now())
    }

    /// Sets the clock, as [`Self::follow`] does.
    pub fn set(&self, wall: Timestamp) -> Option<Jump> {
        let micros = wall.as_micros() - self.now().as_micros();
        self.wall_at_base.fetch_add(micros, Ordering::Relaxed);
        let is_jump = u128::from(micros.unsigned_abs()) > SLEW.as_micros();
        is_jump.then_some(Jump { micros })
    }

    fn elapsed_micros(&self) -> i64 {
        i64::try_from(self.base.elapsed().as_micros()).unwrap_or(i64::MAX / 2)
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
fn system_now() -> Timestamp {
    jiff::Timestamp::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_the_wall_clock_too() {
        let clock = Clock::starting_at(Timestamp::from_second(1000));
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), Timestamp::from_second(1090));
        assert_eq!(clock.instant(Timestamp::from_second(1100)), Instant::now() + Duration::from_secs(10));
        assert_eq!(clock.instant(Timestamp::from_second(5)), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_told_once_and_a_small_difference_never() {
        let clock = Clock::starting_at(Timestamp::from_second(1000));
        assert_eq!(clock.set(Timestamp::from_second(1001)), None);
        assert_eq!(clock.now(), Timestamp::from_second(1001));
        assert_eq!(clock.set(Timestamp::from_second(4601)), Some(Jump { micros: 3_600_000_000 }));
        assert_eq!(clock.set(Timestamp::from_second(4601)), None);
        assert_eq!(clock.set(Timestamp::from_second(1001)), Some(Jump { micros: -3_600_000_000 }));
    }
}
