//! An instant on the wall clock, small enough to keep millions of.

use std::fmt;
use std::num::NonZeroI64;
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00Z.
///
/// Eight bytes, and `Option<Timestamp>` is no larger: a status holds a dozen of these and there may be a
/// million statuses. The instant zero itself is kept as one microsecond later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroI64);

impl Timestamp {
    pub fn from_micros(micros: i64) -> Self {
        Self(NonZeroI64::new(micros).unwrap_or(const { NonZeroI64::new(1).expect("not zero") }))
    }

    pub fn from_second(second: i64) -> Self {
        Self::from_micros(second.saturating_mul(1_000_000))
    }

    pub fn as_micros(self) -> i64 {
        self.0.get()
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_second(self) -> i64 {
        self.as_micros().div_euclid(1_000_000)
    }

    /// Seconds since the epoch with their fraction, for metrics and JSON.
    pub fn as_seconds_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "52 bits hold microseconds until the year 2255")]
        let micros = self.as_micros() as f64;
        micros / 1e6
    }

    /// Time passed since `earlier`; zero when `earlier` lies ahead (a clock that jumped back).
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.as_micros().saturating_sub(earlier.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_add(micros))
    }

    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_sub(micros))
    }

    /// The same instant for calendar arithmetic. Instants that no calendar knows become its nearest end.
    pub fn to_jiff(self) -> jiff::Timestamp {
        let nearest = if self.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_microsecond(self.as_micros()).unwrap_or(nearest)
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self::from_micros(at.as_microsecond())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_timestamp_takes_no_more_room() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn time_since_a_later_instant_is_zero() {
        let now = Timestamp::from_second(100);
        assert_eq!(now.since(Timestamp::from_second(200)), Duration::ZERO);
        assert_eq!(now.after(Duration::from_secs(5)).since(now), Duration::from_secs(5));
    }
}
