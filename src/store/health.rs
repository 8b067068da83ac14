//! How the store is: what the banner, `/readyz` and the metrics show.

use std::time::{Duration, Instant};

use vigia_core::model::time::Timestamp;

/// A transaction that takes longer than this means a disk that hangs.
const SILENT_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreHealth {
    /// Since when and why nothing gets onto the disk; none: all is well.
    pub failing: Option<Failing>,
    /// Events waiting for a disk that takes them again.
    pub waiting: usize,
    /// Events that could not be kept, ever.
    pub lost: u64,
    pub commits: u64,
    /// Rows of statuses written.
    pub statuses: u64,
    pub events: u64,
    /// Time spent in transactions.
    pub busy_seconds: f64,
    pub last_commit: Option<Timestamp>,
    /// The writer is at work since then; none: it waits for something to do. Set without waking who watches.
    pub busy_since: Option<Instant>,
}

impl StoreHealth {
    /// For how long the store has not answered, once that is longer than any sound disk takes.
    pub fn silent_for(&self) -> Option<Duration> {
        self.busy_since.map(|since| since.elapsed()).filter(|busy| *busy > SILENT_AFTER)
    }

    /// Why nothing gets onto the disk right now, and what to do about it.
    pub fn trouble(&self) -> Option<String> {
        let silent = self.silent_for().map(|busy| {
            let seconds = busy.as_secs();
            format!(
                "the store has not answered for {seconds} s; see whether the disk of the state folder hangs"
            )
        });
        silent.or_else(|| self.failing.as_ref().map(|failing| failing.why.clone()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub since: Timestamp,
    /// With what to do about it.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_is_at_work_for_long_is_trouble_and_an_idle_one_is_not() {
        let mut health = StoreHealth::default();
        assert_eq!(health.trouble(), None);
        health.busy_since = Some(Instant::now());
        assert_eq!(health.trouble(), None);
        health.busy_since = Instant::now().checked_sub(Duration::from_secs(12));
        assert!(health.trouble().is_some_and(|text| text.contains("not answered for 12 s")));
    }
}
