//! Replication: that both threads of a replica run, and how far it lags behind its source.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};
use vigia_core::model::state::State;
use vigia_core::nagios::perfdata::Metric;
use vigia_core::nagios::threshold::Thresholds;

use super::answer::{Answer, column};
use crate::options::{Given, Node, Opt, OptionType, Reader, Shape, Threshold, Value};

/// ER_PARSE_ERROR: an old server knows the old words alone.
const NO_SUCH_STATEMENT: u16 = 1064;

/// The option `replication`: `on`, or how far behind it may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Replication {
    pub(super) is_on: bool,
    thresholds: Thresholds,
}

const INSIDE: &[Opt] = &[
    Opt::new::<Threshold>("warn", "a longer lag is WARNING"),
    Opt::new::<Threshold>("crit", "a longer lag is CRITICAL"),
];

impl OptionType for Replication {
    const SHAPE: Shape = Shape::OneOf(&[Shape::Switch, Shape::Map(INSIDE)]);

    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        if let Node::Map(_) = &value.node {
            let given = Given::read(value, &[INSIDE], reader);
            let limit = |name| given.find::<Threshold>(name).map(|Threshold(range)| range);
            return Some(Self {
                is_on: true,
                thresholds: Thresholds { warn: limit("warn"), crit: limit("crit") },
            });
        }
        bool::read(value, reader).map(|is_on| Self { is_on, thresholds: Thresholds::default() })
    }
}

impl Replication {
    /// With the check's own `warn` and `crit` where it has none of its own, as `check_mysql -S -w -c` wants it.
    pub(super) fn or(self, thresholds: Thresholds) -> Self {
        let Thresholds { warn, crit } = self.thresholds;
        Self {
            thresholds: Thresholds { warn: warn.or(thresholds.warn), crit: crit.or(thresholds.crit) },
            ..self
        }
    }
}

/// Adds what the replica says to the answer; the worst of its channels counts.
pub(super) async fn judge(
    connection: &mut Conn,
    replication: &Replication,
    answer: &mut Answer,
) -> mysql_async::Result<()> {
    let rows: Vec<Row> = match connection.query("SHOW REPLICA STATUS").await {
        Err(Error::Server(error)) if error.code == NO_SUCH_STATEMENT => {
            connection.query("SHOW SLAVE STATUS").await?
        }
        answered => answered?,
    };
    if rows.is_empty() {
        answer.state = State::Critical;
        answer.text = format!("this server is no replica; {}", answer.text);
        return Ok(());
    }
    for row in &rows {
        add(row, replication, answer);
    }
    Ok(())
}

fn add(row: &Row, replication: &Replication, answer: &mut Answer) {
    let either = |new: &str, old: &str| column(row, new).or_else(|| column(row, old));
    let io = either("Replica_IO_Running", "Slave_IO_Running").unwrap_or_default();
    let sql = either("Replica_SQL_Running", "Slave_SQL_Running").unwrap_or_default();
    let behind =
        either("Seconds_Behind_Source", "Seconds_Behind_Master").and_then(|text| text.parse::<u32>().ok());
    let runs = io == "Yes" && sql == "Yes";
    let state = match behind {
        Some(seconds) if runs => {
            replication.thresholds.judge(Duration::from_secs(u64::from(seconds)).as_secs_f64())
        }
        Some(_) | None => State::Critical,
    };
    answer.state = answer.state.worst(state);
    let seconds = behind.map_or("N/A".to_owned(), |seconds| seconds.to_string());
    let channel = either("Channel_Name", "Connection_name").filter(|name| !name.is_empty());
    let of = channel.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    answer.text.push_str(&format!("  Slave IO: {io} Slave SQL: {sql} Seconds Behind Master: {seconds}{of}"));
    for error in ["Last_IO_Error", "Last_SQL_Error"] {
        if let Some(error) = column(row, error).filter(|error| !error.is_empty()) {
            answer.text.push_str(&format!("  {error}"));
        }
    }
    let label =
        channel.map_or("seconds behind master".to_owned(), |name| format!("seconds behind master {name}"));
    let value = behind.map_or(f64::NAN, f64::from);
    let unit = if behind.is_some() { "s" } else { "" };
    let metric = Metric::new(label, value, unit)
        .thresholds(replication.thresholds.warn, replication.thresholds.crit)
        .at_least(0.0);
    answer.perfdata.push_str(&format!(" {metric}"));
}
