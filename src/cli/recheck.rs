//! `vigia recheck`: look again, now.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vigia_core::model::id::ObjectKey;

use super::acts::{Objects, done};
use super::client::{Client, Target};
use super::table::{Style, Table, number};
use super::{Answer, Common, Console, Exit, Failure, Format, status};
use crate::os::clock::Clock;

/// Check hosts or services again, now
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia recheck web01/HTTP --wait
  vigia recheck web01 web02 web01/SSH
  vigia recheck --if-allowed db01/MYSQL")]
pub(crate) struct Recheck {
    #[command(flatten)]
    objects: Objects,
    /// Not outside its check period, and not where active checks are off
    #[arg(long)]
    if_allowed: bool,
    /// Come back with the results
    #[arg(long)]
    wait: bool,
}

/// Longer than most checks may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks whether a result has come in.
const PAUSE: Duration = Duration::from_millis(200);

impl Recheck {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let keys: Vec<ObjectKey> = if self.wait { self.objects.keys().collect() } else { Vec::new() };
        let before = keys.iter().map(|key| last_check(&client, key)).collect::<Result<Vec<i64>, _>>()?;
        let body = self.objects.body(json!({"forced": !self.if_allowed}));
        let answer = client.post(&Target::of(&["recheck"]), &body)?;
        if !self.wait {
            return done(common, console, &answer);
        }
        let results = await_results(&client, &keys, &before)?;
        match common.output {
            Format::Json => writeln!(console.out, "{:#}", json!({"total": results.len(), "items": results}))?,
            Format::Text => {
                let mut table = Table::new(status::HEADINGS);
                let now = Clock::system().now();
                results.iter().for_each(|item| table.row(status::row(item, now)));
                let style = Style::of(console);
                table.print(&mut console.out, style)?;
            }
        }
        Ok(Exit::DONE)
    }
}

fn await_results(client: &Client, keys: &[ObjectKey], before: &[i64]) -> Result<Vec<Value>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut results = Vec::new();
    for (key, before) in keys.iter().zip(before) {
        loop {
            let item = look(client, key)?;
            if number(&item, "last_check") > *before {
                results.push(item);
                break;
            }
            if Instant::now() > deadline {
                let message = format!("no result of `{key}` within {} s", PATIENCE.as_secs());
                let hint = "a host without a check of its own and a passive service are never checked";
                return Err(Failure::new(Exit::REFUSED, message).hint(hint));
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(results)
}

fn last_check(client: &Client, key: &ObjectKey) -> Result<i64, Failure> {
    Ok(number(&look(client, key)?, "last_check"))
}

fn look(client: &Client, key: &ObjectKey) -> Result<Value, Failure> {
    match &key.service {
        None => client.get(&Target::of(&["hosts", &key.host])),
        Some(service) => client.get(&Target::of(&["hosts", &key.host, "services", service])),
    }
}
