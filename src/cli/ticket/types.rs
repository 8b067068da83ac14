//! `vigia ticket type`: what kinds of work there are.

use serde_json::json;

use crate::cli::acts::done;
use crate::cli::client::{Client, Target};
use crate::cli::table::{Style, Table, items, number, text};
use crate::cli::{Answer, Common, Console, Exit, Format};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Types {
    /// List types and how many tickets have each
    #[command(before_help = "Example:\n  vigia ticket type list")]
    List,
    /// Add a type
    #[command(
        before_help = "Example:\n  vigia ticket type add 'Night shift' --description 'What wakes people'"
    )]
    Add {
        name: String,
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// Rename or describe a type; its tickets come along
    #[command(before_help = "Example:\n  vigia ticket type change 'Net Performance' --name Network")]
    Change {
        name: String,
        /// The new name
        #[arg(long = "name", value_name = "NAME")]
        to: Option<String>,
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// Delete a type; its tickets become Generic
    #[command(before_help = "Example:\n  vigia ticket type delete 'Policy Violation'")]
    Delete { name: String },
}

impl Types {
    pub(super) fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let all = Target::of(&["ticket-types"]);
        match self {
            Self::List => list(client, common, console),
            Self::Add { name, description } => {
                done(common, console, &client.post(&all, &json!({"name": name, "description": description}))?)
            }
            Self::Change { name, to, description } => {
                let body = json!({"name": to.as_ref().unwrap_or(name), "description": description});
                done(common, console, &client.post(&Target::of(&["ticket-types", name]), &body)?)
            }
            Self::Delete { name } => {
                let target = Target::of(&["ticket-types", name, "delete"]);
                done(common, console, &client.post(&target, &json!({}))?)
            }
        }
    }
}

fn list(client: &Client, common: &Common, console: &mut Console) -> Answer {
    let answer = client.get(&Target::of(&["ticket-types"]))?;
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(&["TYPE", "TICKETS", "DESCRIPTION"]);
    for item in items(&answer) {
        table.row(vec![
            text(item, "name").into(),
            number(item, "tickets").to_string().into(),
            text(item, "description").into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    Ok(Exit::DONE)
}
