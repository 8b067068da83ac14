//! `vigia diff`: what a change of the configuration will do, in effective values.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::validate::unloadable;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::effective::{Difference, EffectiveObject};
use crate::config::explain;
use crate::config::files::Request;
use crate::config::last_good::LastGood;

/// Show what a change does: objects added, removed and changed, each value before and after
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia diff
  vigia diff /srv/checkout/etc/vigia.yaml
  vigia diff old/ new/ -o json

Without a path: from what the daemon runs (kept in the state folder) to the files as they are now.
With one path, the configuration of `--config` is what was before.")]
pub(crate) struct Diff {
    /// The configuration after the change; with two: before, after
    #[arg(value_name = "PATH", num_args = 0..=2)]
    paths: Vec<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let (before, after) = match self.paths.as_slice() {
            [before, after, ..] => (effective(before, None)?, effective(after, None)?),
            [after] => {
                let state_dir = Some(common.state_dir.clone());
                (effective(&common.config, state_dir.clone())?, effective(after, state_dir)?)
            }
            [] => (what_runs(common)?, effective(&common.config, Some(common.state_dir.clone()))?),
        };
        let difference = Difference::between(&before, &after);
        match common.output {
            Format::Text => write!(console.out, "{}", difference.text())?,
            Format::Json => writeln!(console.out, "{:#}", difference.to_json())?,
        }
        Ok(Exit::DONE)
    }
}

fn what_runs(common: &Common) -> Result<Vec<EffectiveObject>, Failure> {
    explain::explain_last(&LastGood::at(&common.state_dir), None).ok_or_else(|| {
        let folder = common.state_dir.display();
        Failure::new(Exit::REFUSED, format!("no daemon has run with the state folder {folder}"))
            .hint("name it with --state-dir or VIGIA_STATE_DIR, or compare two configurations: `vigia diff BEFORE AFTER`")
    })
}

fn effective(config: &Path, state_dir: Option<PathBuf>) -> Result<Vec<EffectiveObject>, Failure> {
    let request = Request { config: config.to_path_buf(), state_dir };
    explain::explain(&request, None).map_err(|error| unloadable(&error))
}
