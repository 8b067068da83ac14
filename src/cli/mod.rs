//! The command line: names, help that begins with examples, exit codes. One file per family of subcommands.
//!
//! A subcommand is an `Args` struct with a function `run(&self, &Common, &mut Console) -> Answer` in its own
//! file, and one line in [`Command`] and one in [`Command::run`] here.

mod ack;
mod acts;
mod alarm;
mod asset;
mod backup;
mod check;
mod client;
mod console;
mod diff;
mod discover;
mod docs;
mod document;
mod manual;
mod notify;
mod period;
mod recheck;
mod reload;
mod run;
mod schema;
mod serve;
mod show;
mod simulate;
mod status;
mod suppression;
mod table;
mod ticket;
mod token;
mod user;
mod validate;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use console::{Answer, Console, Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    name = "vigia",
    version,
    about = "A monitoring daemon: discover, watch, alarm, ticket, learn",
    before_help = EXAMPLES,
    after_help = EXIT_CODES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The configuration: a file, or a folder with a `vigia.yaml` or other `*.yaml` in it
    #[arg(
        short = 'c',
        long,
        global = true,
        env = "VIGIA_CONFIG",
        value_name = "PATH",
        default_value = "/etc/vigia/vigia.yaml"
    )]
    pub config: PathBuf,
    /// Where the daemon keeps its state and its control socket
    #[arg(
        long,
        global = true,
        env = "VIGIA_STATE_DIR",
        value_name = "DIR",
        default_value = "/var/lib/vigia"
    )]
    pub state_dir: PathBuf,
    /// How the answer is printed
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ack(ack::Ack),
    Alarm(alarm::Alarm),
    Anomaly(asset::Anomaly),
    Asset(asset::Asset),
    Backup(backup::Backup),
    Check(check::Check),
    Comment(ack::Comment),
    Completions(docs::Completions),
    Diff(diff::Diff),
    Discover(discover::Discover),
    Downtime(ack::Downtime),
    Man(docs::Man),
    Network(asset::Network),
    Notify(notify::Notify),
    Period(period::Period),
    Recheck(recheck::Recheck),
    Reload(reload::Reload),
    Restore(backup::Restore),
    Run(run::Run),
    Serve(serve::Serve),
    Schema(schema::Schema),
    Show(show::Show),
    Simulate(simulate::Simulate),
    Status(status::Status),
    Suppression(suppression::Suppression),
    Ticket(ticket::Ticket),
    Document(document::Document),
    User(user::User),
    Validate(validate::Validate),
    Why(why::Why),
}

impl Command {
    fn run(&self, common: &Common, console: &mut Console) -> Answer {
        match self {
            Self::Ack(args) => args.run(common, console),
            Self::Alarm(args) => args.run(common, console),
            Self::Anomaly(args) => args.run(common, console),
            Self::Asset(args) => args.run(common, console),
            Self::Network(args) => args.run(common, console),
            Self::Backup(args) => args.run(common, console),
            Self::Comment(args) => args.run(common, console),
            Self::Downtime(args) => args.run(common, console),
            Self::Notify(args) => args.run(common, console),
            Self::Period(args) => args.run(common, console),
            Self::Recheck(args) => args.run(common, console),
            Self::Reload(args) => args.run(common, console),
            Self::Restore(args) => args.run(common, console),
            Self::Run(args) => args.run(common, console),
            Self::Serve(args) => args.run(common, console),
            Self::Status(args) => args.run(common, console),
            Self::Suppression(args) => args.run(common, console),
            Self::Ticket(args) => args.run(common, console),
            Self::Document(document) => document.run(common, console),
            Self::User(args) => args.run(common, console),
            Self::Check(args) => args.run(console),
            Self::Completions(args) => args.run(console),
            Self::Man(args) => args.run(console),
            Self::Diff(args) => args.run(common, console),
            Self::Discover(args) => args.run(common, console),
            Self::Schema(args) => args.run(console),
            Self::Show(args) => args.run(common, console),
            Self::Simulate(args) => args.run(common, console),
            Self::Validate(args) => args.run(common, console),
            Self::Why(args) => args.run(common, console),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  vigia serve
  vigia run web01/HTTP
  vigia validate
  vigia discover 192.0.2.0/24 --write
  vigia asset list net:office os:linux port:443
  vigia status
  vigia user add ana --role admin
  vigia ack web01/HTTP -m 'certificate ordered'
  vigia why web01/HTTP --contact ana
  vigia backup /srv/backup/
  vigia simulate --fail router --for 2h
  vigia check http -H www.example.test -w 0.5 -c 2
  vigia completions bash > /etc/bash_completion.d/vigia
  vigia schema > vigia.schema.json
  vigia man --dir /usr/local/share/man";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused or invalid, 2 wrong usage, 3 no daemon to talk to, 78 wrong configuration.
`vigia check` and `vigia run` answer as plugins do: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN or wrong usage.";

/// Runs the command line `args`, the program's name first, on the process's own terminal.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let mut console = Console::of_process();
    let exit = run(args, &mut console);
    ExitCode::from(console.finish(exit).code())
}

/// Runs the command line `args` and prints on `console`.
pub fn run(args: Vec<OsString>, console: &mut Console) -> Exit {
    let answer = match args.split_first().and_then(|(program, rest)| Some((check::of_link(program)?, rest))) {
        Some((kind, rest)) => check::as_link(kind, rest, console),
        None => match args.first().and_then(check::unknown_link) {
            // A plugin's answer is one line on standard output, and never CRITICAL for want of a check.
            Some(said) => writeln!(console.out, "{said}").map(|()| Exit::plugin(3)).map_err(Failure::from),
            None => as_vigia(args, console),
        },
    };
    answer.unwrap_or_else(|failure| console.fail(&failure))
}

fn as_vigia(args: Vec<OsString>, console: &mut Console) -> Answer {
    let cli = match Cli::command().try_get_matches_from(args).and_then(|found| Cli::from_arg_matches(&found))
    {
        Ok(cli) => cli,
        Err(error) => return Ok(console.usage(&error)),
    };
    cli.command.run(&cli.common, console)
}

#[cfg(test)]
mod talk;
#[cfg(test)]
mod tests;
