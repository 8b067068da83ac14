//! What the server says of itself: the line of `mysqladmin status`, and its counters.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};

use super::answer::text;

/// The counters of check_mysql, and whether they only grow.
const COUNTERS: &[(&str, bool)] = &[
    ("Connections", true),
    ("Open_files", false),
    ("Open_tables", false),
    ("Opened_tables", true),
    ("Qcache_free_memory", false),
    ("Qcache_hits", true),
    ("Qcache_inserts", true),
    ("Qcache_lowmem_prunes", true),
    ("Qcache_not_cached", true),
    ("Qcache_queries_in_cache", false),
    ("Queries", true),
    ("Questions", true),
    ("Slow_queries", true),
    ("Table_locks_waited", true),
    ("Threads_connected", false),
    ("Threads_running", false),
    ("Uptime", true),
];

pub(super) struct Status(Vec<(&'static str, bool, u64)>);

/// Needs no privilege.
pub(super) async fn read(connection: &mut Conn) -> mysql_async::Result<Status> {
    let names: Vec<String> = COUNTERS.iter().map(|(name, _)| format!("'{name}'")).collect();
    let query = format!("SHOW GLOBAL STATUS WHERE Variable_name IN ({})", names.join(", "));
    let rows: Vec<Row> = connection.query(query).await?;
    let read = rows.iter().filter_map(|row| {
        let (name, value) = (row.as_ref(0).and_then(text)?, row.as_ref(1).and_then(text)?);
        let (name, grows) = COUNTERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))?;
        Some((*name, *grows, value.parse().ok()?))
    });
    Ok(Status(read.collect()))
}

impl Status {
    fn get(&self, wanted: &str) -> u64 {
        self.0.iter().find(|(name, _, _)| *name == wanted).map_or(0, |(_, _, value)| *value)
    }

    /// As the server's own status line reads.
    pub(super) fn line(&self) -> String {
        let uptime = self.get("Uptime");
        let questions = self.get("Questions");
        format!(
            "Uptime: {uptime}  Threads: {}  Questions: {questions}  Slow queries: {}  Opens: {}  Open tables: {}  \
             Queries per second avg: {}",
            self.get("Threads_connected"),
            self.get("Slow_queries"),
            self.get("Opened_tables"),
            self.get("Open_tables"),
            thousandths(questions, uptime),
        )
    }

    pub(super) fn perfdata(&self) -> String {
        let metrics: Vec<String> = self
            .0
            .iter()
            .map(|(name, grows, value)| format!("{name}={value}{}", if *grows { "c" } else { "" }))
            .collect();
        metrics.join(" ")
    }
}

/// A quotient with three decimals, in whole numbers.
fn thousandths(dividend: u64, divisor: u64) -> String {
    let divisor = u128::from(divisor.max(1));
    let quotient = u128::from(dividend) * 1000 / divisor;
    format!("{}.{:03}", quotient / 1000, quotient % 1000)
}
