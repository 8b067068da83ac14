//! `vigia reload`: the configuration is read again, and the exit code says whether all of it took effect.

use serde_json::{Value, json};

use super::client::{Client, Target};
use super::table::{flag, text};
use super::{Answer, Common, Console, Exit, Format};

/// Have the running daemon read its configuration again
///
/// Comes back when what is good of it is in effect. Exits 0 when that is all of it, and 1 with the report when something was
/// refused: what has a mistake goes on as it was. A changed file is noticed without this command too.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia reload
  vigia reload --wait && echo in effect
  vigia reload --accept-empty")]
pub(crate) struct Reload {
    /// Wait for the outcome; so it does anyway, and a script may say that it relies on it
    #[arg(long)]
    wait: bool,
    /// Take a configuration without any host at its word: all that is known of the hosts so far is removed
    #[arg(long)]
    accept_empty: bool,
}

impl Reload {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let asked = if self.accept_empty { json!({ "accept_empty": true }) } else { Value::Null };
        let report = Client::of(common).patient().post(&Target::of(&["reload"]), &asked)?;
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
    if let Some(said) = mistakes(list("problems"), list("quarantine")) {
        writeln!(console.out, "{said}")?;
    }
    for key in list("restart_needed").iter().filter_map(Value::as_str) {
        writeln!(console.out, "`{key}` takes effect with the next start")?;
    }
    Ok(())
}

/// How much was wrong, in one line after the report; none: nothing.
fn mistakes(problems: &[Value], quarantine: &[Value]) -> Option<String> {
    let of = |word: &str| problems.iter().filter(|problem| text(problem, "severity") == word).count();
    let count =
        |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}{}", if n == 1 { "" } else { "s" }));
    let kept = quarantine.iter().filter(|one| flag(one, "last_good")).count();
    let out = quarantine.len() - kept;
    let parts: Vec<String> = [
        count(of("error"), "error"),
        count(of("warning"), "warning"),
        count(kept, "object").map(|said| format!("{said} as last good")),
        count(out, "object").map(|said| format!("{said} not loaded")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn warnings_are_counted_beside_errors() {
        let (warning, error) = (json!({"severity": "warning"}), json!({"severity": "error"}));
        assert_eq!(mistakes(&[], &[]), None);
        assert_eq!(mistakes(std::slice::from_ref(&warning), &[]).as_deref(), Some("1 warning"));
        let quarantine = [json!({"last_good": true}), json!({"last_good": false})];
        assert_eq!(
            mistakes(&[error, warning], &quarantine).as_deref(),
            Some("1 error, 1 warning, 1 object as last good, 1 object not loaded")
        );
    }
}
