//! `vigia completions` and `vigia man`: shell completions and manual pages, from the same declarations as the help.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, ValueEnum};
use clap_mangen::roff::{Roff, roman};

use super::manual::Page;
use super::{Answer, Cli, Console, Exit, Failure, manual};
use crate::config::schema;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia completions bash > /etc/bash_completion.d/vigia
  vigia completions fish > ~/.config/fish/completions/vigia.fish")]
pub(crate) struct Completions {
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(&self, console: &mut Console) -> Answer {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vigia", &mut script);
        console.out.write_all(&script)?;
        Ok(Exit::DONE)
    }
}

/// Print a manual page, or write them all into a folder
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia man | man -l -
  vigia man config | man -l -
  vigia man --dir /usr/local/share/man")]
pub(crate) struct Man {
    /// Which page
    #[arg(value_enum, default_value_t = Which::Commands)]
    page: Which,
    /// The folder to write `man8/vigia.8`, `man5/vigia.yaml.5`, … into
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// vigia(8): the daemon and its commands
    Commands,
    /// vigia.yaml(5): the configuration
    Config,
    /// vigia-checks(7): the kinds of check
    Checks,
}

impl Man {
    pub(super) fn run(&self, console: &mut Console) -> Answer {
        let Some(dir) = &self.dir else {
            match self.page {
                Which::Commands => render(commands().remove(0), &mut console.out)?,
                Which::Config => console.out.write_all(configuration().as_bytes())?,
                Which::Checks => console.out.write_all(checks().as_bytes())?,
            }
            return Ok(Exit::DONE);
        };
        write_all(dir).map_err(|error| {
            let why = format!("cannot write manual pages into {}: {error}", dir.display());
            Failure::new(Exit::REFUSED, why)
        })?;
        Ok(Exit::DONE)
    }
}

fn write_all(dir: &Path) -> io::Result<()> {
    let folder = |section: &str| {
        let folder = dir.join(format!("man{section}"));
        std::fs::create_dir_all(&folder).map(|()| folder)
    };
    let of_commands = folder("8")?;
    for command in commands() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        render(command, &mut std::fs::File::create(of_commands.join(format!("{name}.8")))?)?;
    }
    std::fs::write(folder("5")?.join("vigia.yaml.5"), configuration())?;
    std::fs::write(folder("7")?.join("vigia-checks.7"), checks())
}

/// The program, then each of its commands.
fn commands() -> Vec<clap::Command> {
    fn add(command: &clap::Command, all: &mut Vec<clap::Command>) {
        all.push(command.clone());
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            add(inner, all);
        }
    }
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut all = Vec::new();
    add(&program, &mut all);
    all
}

/// A command's page, its examples as the first section after what it is.
fn render(command: clap::Command, to: &mut dyn Write) -> io::Result<()> {
    let examples = command.get_before_help().map(ToString::to_string);
    let has_inner = command.get_subcommands().any(|inner| !inner.is_hide_set());
    let ends_with_more = command.get_after_help().is_some();
    let man = clap_mangen::Man::new(command).section("8").source(SOURCE).manual("vigia");
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    if let Some(examples) = examples {
        let lines: Vec<&str> = examples.lines().skip(1).map(str::trim).collect();
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []).to_writer(to)?;
    }
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if has_inner {
        man.render_subcommands_section(to)?;
    }
    if ends_with_more {
        man.render_extra_section(to)?;
    }
    to.write_all(SEE_ALSO.as_bytes())
}

const SOURCE: &str = concat!("vigia ", env!("CARGO_PKG_VERSION"));
const SEE_ALSO: &str =
    ".SH \"SEE ALSO\"\n\\fBvigia\\fR(8), \\fBvigia.yaml\\fR(5), \\fBvigia\\-checks\\fR(7)\n";

fn configuration() -> String {
    let page = Page { name: "vigia.yaml", section: "5", about: "the configuration of vigia", source: SOURCE };
    manual::of_markdown(&page, &schema::reference()) + SEE_ALSO
}

fn checks() -> String {
    let page =
        Page { name: "vigia-checks", section: "7", about: "the kinds of check of vigia", source: SOURCE };
    manual::of_markdown(&page, &schema::checks_reference()) + SEE_ALSO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_examples() {
        for command in commands() {
            let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
            let has_examples = command.get_before_help().is_some();
            let mut page = Vec::new();
            render(command, &mut page).expect("memory takes it");
            let page = String::from_utf8(page).expect("text");
            assert!(page.contains(&format!(".TH {name} 8")), "{page}");
            assert_eq!(page.contains(".SH EXAMPLES"), has_examples, "{name}");
        }
    }

    #[test]
    fn the_references_are_pages_too() {
        let page = configuration();
        assert!(page.contains(".TH vigia.yaml 5") && page.contains("max_check_attempts"), "{page}");
        let page = checks();
        assert!(page.contains(".TH vigia\\-checks 7") && page.contains(".SH TCP"), "{page}");
    }
}
