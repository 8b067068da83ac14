//! `vigia reload`: the configuration is read again, and the exit code says whether all of it took effect.

use serde_json::Value;

use super::client::{Client, Target};
use super::{Answer, Common, Console, Exit, Format};

/// Have the running daemon read its configuration again
///
/// Comes back when what is good of it is in effect. Exits 0 when that is all of it, and 1 with the report when something was
/// refused: what has a mistake goes on as it was. A changed file is noticed without this command too.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia reload
  vigia reload --wait && echo in effect")]
pub(crate) struct Reload {
    /// Wait for the outcome; so it does anyway, and a script may say that it relies on it
    #[arg(long)]
    wait: bool,
}

impl Reload {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let report = Client::of(common).patient().post(&Target::of(&["reload"]), &Value::Null)?;
        match common.output {
            Format::Json => writeln!(console.out, "{report:#}")?,
            Format::Text => print(&report, console)?,
        }
        let is_complete = report.get("ok").and_then(Value::as_bool) == Some(true);
        Ok(if is_complete { Exit::DONE } else { Exit::REFUSED })
    }
}

fn print(report: &Value, console: &mut Console) -> std::io::Result<()> {
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    let list = |name: &str| report.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(text) = report.get("rendered").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        writeln!(console.err, "{}", text.trim_end())?;
    }
    writeln!(
        console.out,
        "{} added, {} changed, {} removed",
        count("added"),
        count("changed"),
        count("removed")
    )?;
    let quarantined = list("quarantine").len();
    if quarantined > 0 {
        writeln!(console.out, "{quarantined} objects with a mistake go on as they were or are left out")?;
    }
    for key in list("restart_needed").iter().filter_map(Value::as_str) {
        writeln!(console.out, "`{key}` takes effect with the next start")?;
    }
    Ok(())
}
