//! `vigia schema`: the language for editors, and its reference pages.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::{Answer, Console, Exit};
use crate::config::schema;

/// Print the JSON Schema of the configuration, or a reference page
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia schema > vigia.schema.json
  vigia schema --reference checks | less")]
pub(crate) struct Schema {
    /// Print this reference page instead, in Markdown
    #[arg(long, value_enum, value_name = "PAGE")]
    reference: Option<Page>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    Configuration,
    Checks,
}

impl Schema {
    pub(super) fn run(&self, console: &mut Console) -> Answer {
        match self.reference {
            None => writeln!(console.out, "{:#}", schema::schema())?,
            Some(Page::Configuration) => write!(console.out, "{}", schema::reference())?,
            Some(Page::Checks) => write!(console.out, "{}", schema::checks_reference())?,
        }
        Ok(Exit::DONE)
    }
}
