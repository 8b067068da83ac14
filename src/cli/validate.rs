//! `vigia validate`: the configuration part of a start, and nothing else.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::files::{LoadError, Request};
use crate::config::load::{self, Loaded};
use crate::config::problem;
use crate::telemetry::Chain;

/// Check a configuration: every mistake in one run, each with its place and a hint
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia validate
  vigia validate etc/vigia.yaml
  vigia validate --strict --format github conf/

Exit codes: 0 valid, 1 invalid (with --strict also by a warning), 2 wrong usage.")]
pub(crate) struct Validate {
    /// Files or folders, each a configuration of its own; without any, the one of `--config`
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How problems are printed
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Shape>,
    /// A warning is invalid too
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    Text,
    Json,
    /// Annotations for the actions of a code host
    Github,
}

impl Validate {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let shape = self.format.unwrap_or(match common.output {
            Format::Text => Shape::Text,
            Format::Json => Shape::Json,
        });
        let mut is_valid = true;
        if self.paths.is_empty() {
            is_valid = self.one(&common.config, Some(&common.state_dir), shape, console)?;
        }
        for path in &self.paths {
            is_valid &= self.one(path, None, shape, console)?;
        }
        Ok(if is_valid { Exit::DONE } else { Exit::REFUSED })
    }

    fn one(
        &self,
        config: &Path,
        state_dir: Option<&Path>,
        shape: Shape,
        console: &mut Console,
    ) -> Result<bool, Failure> {
        let request = Request::new(config, state_dir);
        let loaded = load::load(&request).map_err(|error| unloadable(&error))?;
        let is_valid = loaded.errors() == 0 && !(self.strict && loaded.warnings() > 0);
        match shape {
            Shape::Text => {
                write!(console.out, "{}", problem::text(&loaded.problems))?;
                for notice in &loaded.notices {
                    writeln!(console.out, "note: {notice}")?;
                }
                writeln!(console.out, "{}", summary(&loaded, is_valid))?;
            }
            Shape::Json => {
                let mut answer = problem::json(&loaded.problems);
                if let Some(answer) = answer.as_object_mut() {
                    answer.insert("valid".to_owned(), is_valid.into());
                    answer.insert("notices".to_owned(), loaded.notices.clone().into());
                    answer.insert("hosts".to_owned(), loaded.inventory.hosts.len().into());
                    answer.insert("services".to_owned(), loaded.inventory.services.len().into());
                }
                writeln!(console.out, "{answer:#}")?;
            }
            Shape::Github => write!(console.out, "{}", problem::github(&loaded.problems))?,
        }
        Ok(is_valid)
    }
}

/// Without a main file there is nothing to check: a wrong path is wrong usage.
pub(super) fn unloadable(error: &LoadError) -> Failure {
    match error {
        LoadError::Missing { .. } | LoadError::Empty { .. } => Failure::new(Exit::USAGE, error.to_string())
            .hint("`-c PATH`, or VIGIA_CONFIG, names the main file or its folder"),
        LoadError::Read(error) => Failure::new(Exit::REFUSED, Chain(error).to_string()),
    }
}

/// `valid: 3 hosts, 12 services in 2 files`, or what stands in the way.
fn summary(loaded: &Loaded, is_valid: bool) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let size = format!(
        "{}, {} in {}",
        count(loaded.inventory.hosts.len(), "host"),
        count(loaded.inventory.services.len(), "service"),
        count(loaded.files.len(), "file"),
    );
    let wrong = match (loaded.errors(), loaded.warnings()) {
        (0, 0) => String::new(),
        (0, warnings) => format!("; {}", count(warnings, "warning")),
        (errors, 0) => format!("; {}", count(errors, "error")),
        (errors, warnings) => format!("; {}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let kept = match loaded.quarantine.iter().filter(|one| !one.is_last_good).count() {
        0 => String::new(),
        n => format!("; {} not loaded", count(n, "object")),
    };
    format!("{}: {size}{wrong}{kept}", if is_valid { "valid" } else { "invalid" })
}
