//! `vigia completions` and `vigia man`: shell completions and man pages, from the same declarations as the help.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::{Answer, Cli, Console, Exit, Failure};

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

/// Print the man page, or write one for each command into a folder
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia man | man -l -
  vigia man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder to write `vigia.1`, `vigia-serve.1`, … into
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, console: &mut Console) -> Answer {
        match &self.dir {
            Some(dir) => write_all(dir)?,
            None => clap_mangen::Man::new(Cli::command()).render(&mut console.out)?,
        }
        Ok(Exit::DONE)
    }
}

fn write_all(dir: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), dir).map_err(|error| {
        Failure::new(Exit::REFUSED, format!("cannot write man pages into {}: {error}", dir.display()))
    })
}
