//! `vigia user token`: what programs show instead of a password. A token may what its user may.

use std::io::Write;

use serde_json::json;

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, clean, items, moment, number, text};
use super::{Answer, Common, Console, Exit, Format};

/// Tokens with which programs use the API under a user's name
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia user token add bot backup --expires 90d
  vigia user token list bot
  vigia user token revoke bot backup")]
pub(super) struct Token {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Make a token and print it: it is shown this once
    #[command(before_help = "Examples:
  vigia user token add bot backup
  vigia user token add bot backup --expires 90d > token-file")]
    Add {
        name: String,
        /// What it is for
        label: String,
        /// When it stops being good: `90d`, `2027-01-01`; never, unless it is said
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// List the tokens of a user, and when each was last used
    #[command(before_help = "Example:\n  vigia user token list bot")]
    List { name: String },
    /// Make a token worthless from now on
    #[command(before_help = "Example:\n  vigia user token revoke bot backup")]
    Revoke { name: String, label: String },
}

impl Token {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            Act::Add { name, label, expires } => {
                let body = json!({"label": label, "expires": expires});
                let answer = client.post(&Target::of(&["users", name, "tokens"]), &body)?;
                if common.output == Format::Json {
                    writeln!(console.out, "{answer:#}")?;
                } else {
                    // The token alone, so that it can go into a file.
                    writeln!(console.out, "{}", clean(text(&answer, "token")))?;
                    writeln!(console.err, "{}", clean(text(&answer, "message")))?;
                }
                Ok(Exit::DONE)
            }
            Act::Revoke { name, label } => {
                let target = Target::of(&["users", name, "tokens", label, "revoke"]);
                done(common, console, &client.post(&target, &json!({}))?)
            }
            Act::List { name } => list(common, console, &client, name),
        }
    }
}

fn list(common: &Common, console: &mut Console, client: &Client, name: &str) -> Answer {
    let answer = client.get(&Target::of(&["users", name, "tokens"]))?;
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let when = |second: i64| if second == 0 { "never".to_owned() } else { moment(second) };
    let mut table = Table::new(&["LABEL", "MADE", "EXPIRES", "LAST USED"]);
    for item in items(&answer) {
        table.row(vec![
            text(item, "label").into(),
            when(number(item, "created")).into(),
            when(number(item, "expires")).into(),
            when(number(item, "used")).into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    tell_more(console, &answer, items(&answer).len())?;
    Ok(Exit::DONE)
}
