//! `vigia diff`: what a change of the configuration will do, in effective values.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use serde_json::Value;

use super::validate::unloadable;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::effective::{Difference, EffectiveObject};
use crate::config::explain;
use crate::config::files::Request;
use crate::config::last_good::LastGood;
use crate::config::load::{Quarantined, load};
use crate::config::problem;

/// Show what a change does: objects added, removed and changed, each value before and after
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia diff
  vigia diff /srv/checkout/etc/vigia.yaml
  vigia diff old/ new/ -o json

Without a path: from what the daemon runs (kept in the state folder) to the files as they are now.
With one path, the configuration of `--config` is what was before.
What has a mistake is shown as a reload takes it: it goes on as it was, or is not loaded.
Exit codes: 0 all of it takes effect, 1 there are mistakes (printed as by `vigia validate`), 2 wrong usage.")]
pub(crate) struct Diff {
    /// The configuration after the change; with two: before, after
    #[arg(value_name = "PATH", num_args = 0..=2)]
    paths: Vec<PathBuf>,
}

impl Diff {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let state_dir = Some(common.state_dir.clone());
        let (before, after, state_dir) = match self.paths.as_slice() {
            [before, after, ..] => (effective(before, None)?, after, None),
            [after] => (effective(&common.config, state_dir.clone())?, after, state_dir),
            [] => (what_runs(common)?, &common.config, state_dir),
        };
        let request = Request::new(after, state_dir.as_deref());
        let loaded = load(&request).map_err(|error| unloadable(&error))?;
        let after = as_loaded(effective(after, request.state_dir.clone())?, &before, &loaded.quarantine);
        let difference = Difference::between(&before, &after);
        match common.output {
            Format::Text => {
                write!(console.err, "{}", problem::text(&loaded.problems))?;
                write!(console.out, "{}", difference.text())?;
                if let Some(kept) = kept(&loaded.quarantine) {
                    writeln!(console.out, "{kept}")?;
                }
            }
            Format::Json => {
                let mut answer = difference.to_json();
                if let (Some(answer), Value::Object(found)) =
                    (answer.as_object_mut(), problem::json(&loaded.problems))
                {
                    answer.extend(found);
                }
                writeln!(console.out, "{answer:#}")?;
            }
        }
        Ok(if loaded.errors() == 0 { Exit::DONE } else { Exit::REFUSED })
    }
}

/// What takes effect: a mistaken object goes on as it was, or is not there.
fn as_loaded(
    mut after: Vec<EffectiveObject>,
    before: &[EffectiveObject],
    quarantine: &[Quarantined],
) -> Vec<EffectiveObject> {
    for one in quarantine {
        let is_it = |object: &EffectiveObject| match (one.kind, object.section) {
            ("host", "hosts") | ("service", "services") => object.name == one.name,
            ("host", "services") => object.name.split_once('/').is_some_and(|(host, _)| host == one.name),
            (kind, section) => section.strip_suffix('s') == Some(kind) && object.name == one.name,
        };
        after.retain(|object| !is_it(object));
        if one.is_last_good {
            after.extend(before.iter().filter(|object| is_it(object)).cloned());
        }
    }
    after
}

/// How many objects are not what the files say.
fn kept(quarantine: &[Quarantined]) -> Option<String> {
    let count = |is_last_good| quarantine.iter().filter(|one| one.is_last_good == is_last_good).count();
    let said = |count: usize, what: &str| {
        (count > 0)
            .then(|| format!("{count} object{} with a mistake {what}", if count == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> =
        [said(count(true), "as last good"), said(count(false), "not loaded")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn what_runs(common: &Common) -> Result<Vec<EffectiveObject>, Failure> {
    explain::explain_last(&LastGood::at(&common.state_dir), None).ok_or_else(|| {
        let folder = common.state_dir.display();
        Failure::new(Exit::REFUSED, format!("no daemon has run with the state folder {folder}"))
            .hint("name it with --state-dir or VIGIA_STATE_DIR, or compare two configurations: `vigia diff BEFORE AFTER`")
    })
}

fn effective(config: &Path, state_dir: Option<PathBuf>) -> Result<Vec<EffectiveObject>, Failure> {
    let request = Request::new(config, state_dir.as_deref());
    explain::explain(&request, None).map_err(|error| unloadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(section: &'static str, name: &str) -> EffectiveObject {
        EffectiveObject { section, name: name.to_owned(), values: Vec::new() }
    }

    fn mistaken(kind: &'static str, name: &str, is_last_good: bool) -> Quarantined {
        let (name, path, message) = (name.to_owned(), String::new(), String::new());
        Quarantined { kind, name, path, line: 1, is_last_good, message }
    }

    #[test]
    fn what_is_mistaken_goes_on_or_is_not_there() {
        let before = [
            object("hosts", "a"),
            object("services", "a/ssh"),
            object("contacts", "ana"),
            object("hosts", "b"),
        ];
        let after = vec![object("services", "b/new"), object("hosts", "b"), object("hosts", "c")];
        let quarantine = [
            mistaken("host", "a", true),
            mistaken("service", "b/new", false),
            mistaken("contact", "ana", true),
        ];
        let taken = as_loaded(after, &before, &quarantine);
        let difference = Difference::between(&before, &taken);
        assert_eq!(difference.added, [("hosts", "c".to_owned())]);
        assert!(difference.removed.is_empty(), "{difference:?}");
        let said = kept(&quarantine).unwrap();
        assert_eq!(said, "2 objects with a mistake as last good, 1 object with a mistake not loaded");
    }
}
