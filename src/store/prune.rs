//! Retention: what is older than its time goes, a little at a time, so that nobody waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use vigia_core::model::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long records are kept (`config.md` 6, `store.retention`). Tickets stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// State history.
    pub states: Duration,
    /// The rest of the event log, messages, and downtimes that are over.
    pub events: Duration,
    /// Closed alarms.
    pub alarms: Duration,
    pub audit: Duration,
    /// Scans of net discovery that are over.
    pub scans: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { states: 400 * DAY, events: 400 * DAY, alarms: 400 * DAY, audit: 400 * DAY, scans: 90 * DAY }
    }
}

/// Rows deleted before the writer looks at its queues again.
const AT_ONCE: i64 = 500;

/// Between two looks when nothing was left to do.
const PAUSE: Duration = Duration::from_secs(600);

pub(super) struct Pruner {
    retention: Arc<Mutex<Retention>>,
    last: Option<Instant>,
    is_behind: bool,
}

impl Pruner {
    pub(super) fn new(retention: Arc<Mutex<Retention>>) -> Self {
        Self { retention, last: None, is_behind: false }
    }

    /// How long the writer may sleep.
    pub(super) fn patience(&self) -> Duration {
        if self.is_behind { Duration::from_millis(50) } else { PAUSE }
    }

    pub(super) fn run(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        if !self.is_behind && self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let retention = *self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_behind = prune(connection, retention, now)?;
        Ok(())
    }
}

/// What goes, and how long it is kept. In the SQL `?1` is the time before which it is too old, `?2` how many at once.
type Step = (&'static str, fn(Retention) -> Duration);

const STEPS: [Step; 8] = [
    (
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1 AND kind = 'state' LIMIT ?2)",
        |kept| kept.states,
    ),
    (
        "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1 AND kind <> 'state' LIMIT ?2)",
        |kept| kept.events,
    ),
    // With its deliveries. One that still waits is ended by whoever delivers, long before.
    (
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM delivery \
         WHERE delivery.message = message.id AND status IN ('waiting', 'sending')) LIMIT ?2)",
        |kept| kept.events,
    ),
    ("DELETE FROM downtime WHERE id IN (SELECT id FROM downtime WHERE ended < ?1 LIMIT ?2)", |kept| {
        kept.events
    }),
    (
        "DELETE FROM alarm WHERE id IN \
         (SELECT id FROM alarm WHERE is_open = 0 AND last < ?1 AND closed < ?1 LIMIT ?2)",
        |kept| kept.alarms,
    ),
    // Those that are settled: what is open or was kept says what is right.
    (
        "DELETE FROM anomaly WHERE id IN \
         (SELECT id FROM anomaly WHERE status IN ('accepted', 'over') AND last < ?1 LIMIT ?2)",
        |kept| kept.alarms,
    ),
    ("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT ?2)", |kept| kept.audit),
    ("DELETE FROM scan WHERE id IN (SELECT id FROM scan WHERE ended < ?1 LIMIT ?2)", |kept| kept.scans),
];

/// Deletes some of what is too old, and says whether there is more.
fn prune(connection: &Connection, retention: Retention, now: Timestamp) -> rusqlite::Result<bool> {
    let mut is_behind = false;
    for (sql, kept) in STEPS {
        let before = now.before(kept(retention)).as_micros();
        let deleted = connection.prepare_cached(sql)?.execute((before, AT_ONCE))?;
        is_behind |= i64::try_from(deleted).unwrap_or(i64::MAX) == AT_ONCE;
    }
    Ok(is_behind)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    /// How SQLite would find the rows of each step.
    fn plans() -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        let plan = |(sql, _): Step| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines = statement.query_map((0, AT_ONCE), |row| row.get::<_, String>(3)).unwrap();
            lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        STEPS.into_iter().map(plan).collect()
    }

    #[test]
    fn no_step_walks_over_rows_that_are_kept() {
        let plans = plans();
        let wanted = [
            "event_state_at",
            "event_other_at",
            "message_at",
            "downtime_ended",
            "alarm_open",
            "anomaly_status",
            "audit_at",
            "scan_ended",
        ];
        for (plan, index) in plans.iter().zip(wanted) {
            assert!(plan.contains(&format!("{index} (")), "{index} is not used: {plan}");
            assert!(!plan.contains("SCAN"), "{plan}");
        }
    }
}
