//! `vigia suppression`: what was called a false positive, and its way back.

use serde_json::{Value, json};

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, items, moment, number, object, text};
use super::{Answer, Common, Console, Exit, Format};

/// List and revoke what was called a false positive
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia suppression list
  vigia suppression list --all --host db01
  vigia suppression revoke 3")]
pub(crate) struct Suppression {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// List what is suppressed: no ticket and no message comes of it
    #[command(before_help = "Examples:\n  vigia suppression list\n  vigia suppression list --ended")]
    List(List),
    /// Tell of it again
    #[command(before_help = "Example:\n  vigia suppression revoke 3")]
    Revoke { id: u64 },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Those that have ended too
    #[arg(long)]
    all: bool,
    /// Only those that have ended
    #[arg(long, conflicts_with = "all")]
    ended: bool,
    /// Of this host and its services
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Suppression {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            Act::List(list) => list.run(&client, common, console),
            Act::Revoke { id } => {
                let target = Target::of(&["suppressions", &id.to_string(), "revoke"]);
                done(common, console, &client.post(&target, &json!({}))?)
            }
        }
    }
}

impl List {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let status = match (self.all, self.ended) {
            (true, _) => "all",
            (_, true) => "ended",
            (false, false) => "active",
        };
        let target = Target::of(&["suppressions"])
            .with("status", status)
            .with_some("host", self.host.as_ref())
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let headings = ["ID", "OBJECT", "WHAT", "BY", "SINCE", "UNTIL", "HELD BACK", "TICKET", "REASON"];
        let mut table = Table::new(&headings);
        for item in items(&answer) {
            table.row(vec![
                number(item, "id").to_string().into(),
                object(item).into(),
                text(item, "matches").into(),
                text(item, "author").into(),
                moment(number(item, "since")).into(),
                until(item).into(),
                number(item, "held").to_string().into(),
                text(item, "ticket").into(),
                text(item, "reason").into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

fn until(item: &Value) -> String {
    let (ended, expires) = (number(item, "ended"), number(item, "expires"));
    match (ended, expires) {
        (0, 0) => "for good".to_owned(),
        (0, expires) => moment(expires),
        (ended, _) => format!("{} {}", text(item, "how"), moment(ended)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_has_ended_says_how_and_one_in_force_until_when() {
        assert_eq!(until(&json!({"ended": 0, "expires": 0})), "for good");
        assert_eq!(until(&json!({"ended": 0, "expires": 1_764_057_600})), moment(1_764_057_600));
        let revoked = json!({"ended": 1_764_057_600, "expires": 0, "how": "revoked"});
        assert!(until(&revoked).starts_with("revoked "));
    }
}
