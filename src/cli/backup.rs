//! `vigia backup` and `vigia restore`: the state in one file, also while the daemon runs; looked at, and put back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::table::{bytes, span};
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::backup::{self, BackupError, Kept, Made, Manifest, Place, Restored, Source};
use crate::config::files::{Request, find};
use crate::config::settings::Settings;
use crate::config::{self, templates};
use crate::os::clock::Clock;
use crate::os::files::{self, Kind};
use crate::store::backup::Census;
use crate::telemetry::Chain;

/// Back up the state and the configuration into one file, also while the daemon runs
///
/// The file is a `.tar.gz` with the database, what lies beside it, the files of the configuration and a manifest, and is read
/// back once it is made. Files that secrets are kept in are not in it. Runs as root or as the daemon's user. The daemon makes
/// them by itself with `backup: {dir: …}`.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia backup
  vigia backup /srv/backup/
  vigia backup /srv/backup/before-the-move.tar.gz
  vigia backup --list
  vigia backup --verify /srv/backup/before-the-move.tar.gz")]
pub(crate) struct Backup {
    /// A file that is not there yet, or a folder; without it, `backup: {dir: …}` of the configuration
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Look whether this backup is whole
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "list"])]
    verify: Option<PathBuf>,
    /// List those in the folder, oldest first
    #[arg(long)]
    list: bool,
}

/// Put the state of a backup in the place of what is there
///
/// No daemon may run on the state folder. What was there is moved to `STATE/before-restore-TIME` and kept. Messages that
/// waited when the backup was made are not sent, and every login ends. The configuration is left alone; `--config-to` unpacks
/// the one in the backup elsewhere.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia restore --dry-run /srv/backup/vigia-20261125T020000Z.tar.gz
  vigia restore /srv/backup/vigia-20261125T020000Z.tar.gz
  vigia restore --config-to /root/old /srv/backup/vigia-20261125T020000Z.tar.gz")]
pub(crate) struct Restore {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read and unpack all of it, say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Unpack the files of the configuration below this folder; what is there is never overwritten
    #[arg(long, value_name = "DIR")]
    config_to: Option<PathBuf>,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let failure = Self::new(Exit::REFUSED, Chain(&error).to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl Backup {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        if let Some(path) = &self.verify {
            let manifest = backup::verify(path)?;
            return said(
                common,
                console,
                &json!({"path": path, "manifest": shown(&manifest)}),
                &[format!("{} is whole: {}", path.display(), origin(&manifest)), counts(&manifest.census)],
            );
        }
        let settings = settings(common);
        let folder = self.path.clone().or_else(|| settings.as_ref()?.backup.dir.clone());
        let Some(target) = folder else {
            return Err(Failure::new(Exit::USAGE, "nobody said where backups go")
                .hint("name a file or a folder, or say `backup: {dir: …}` in the configuration"));
        };
        if self.list {
            return list(&target, common, console);
        }
        let now = Clock::system().now();
        let is_folder = self.path.is_none()
            || target.as_os_str().as_encoded_bytes().ends_with(b"/")
            || matches!(files::kind(&target), Ok(Some(Kind::Folder)));
        let path = if is_folder { backup::path_in(&target, now) } else { target };
        let made = backup::make(&source(common, settings.as_ref()), &path, now, &|| false)?;
        let answer = json!({"path": made.path, "bytes": made.bytes, "manifest": shown(&made.manifest)});
        said(common, console, &answer, &lines(&made))
    }
}

fn lines(made: &Made) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}, read back and whole", made.path.display(), bytes(made.bytes)),
        counts(&made.manifest.census),
    ];
    lines.extend(made.manifest.left_out.iter().map(|left| format!("left out: {left}")));
    lines
}

fn list(folder: &Path, common: &Common, console: &mut Console) -> Answer {
    let found = backup::list(folder).map_err(BackupError::from)?;
    let now = Clock::system().now();
    let line = |kept: &Kept| {
        let age = span(i64::try_from(now.since(kept.taken).as_secs()).unwrap_or(i64::MAX));
        format!("{}  {}  {age} old", kept.path.display(), bytes(kept.bytes))
    };
    let item = |kept: &Kept| json!({"path": kept.path, "taken": kept.taken.as_second(), "bytes": kept.bytes});
    let lines: Vec<String> = if found.is_empty() {
        vec![format!("no backups in {}", folder.display())]
    } else {
        found.iter().map(line).collect()
    };
    said(common, console, &json!({"items": found.iter().map(item).collect::<Vec<Value>>()}), &lines)
}

impl Restore {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let place = Place {
            state_dir: common.state_dir.clone(),
            database: database(common, settings(common).as_ref()),
            config_to: self.config_to.clone(),
        };
        let restored = backup::restore(&self.file, &place, self.dry_run, Clock::system().now())?;
        let before = match &restored.before {
            None => Value::Null,
            Some(Ok(census)) => numbers(census),
            Some(Err(why)) => json!(why),
        };
        let answer = json!({
            "dry_run": self.dry_run, "manifest": shown(&restored.manifest), "before": before,
            "aside": restored.aside, "messages": restored.settled.messages, "sessions": restored.settled.sessions,
            "config": restored.config,
        });
        said(common, console, &answer, &self.lines(&restored))
    }

    fn lines(&self, restored: &Restored) -> Vec<String> {
        let will = if self.dry_run { "would be" } else { "is" };
        let mut lines = vec![
            format!("{} is whole: {}", self.file.display(), origin(&restored.manifest)),
            format!("{will} restored: {}", counts(&restored.manifest.census)),
        ];
        lines.push(match &restored.before {
            None => "there was no store before".to_owned(),
            Some(Ok(census)) => format!("instead of: {}", counts(census)),
            Some(Err(why)) => format!("instead of a store that cannot be read: {why}"),
        });
        let settled = restored.settled;
        if settled.messages > 0 {
            lines.push(format!("{} messages that waited then are not sent", settled.messages));
        }
        if settled.sessions > 0 {
            lines.push(format!("{} logins end", settled.sessions));
        }
        match (&self.config_to, restored.config.len()) {
            (_, 0) => {}
            (Some(to), files) => {
                lines.push(format!("{files} files of the configuration: below {}", to.display()));
            }
            (None, files) => {
                lines
                    .push(format!("{files} files of the configuration stay in it; --config-to unpacks them"));
            }
        }
        if let Some(aside) = &restored.aside {
            lines.push(format!("what was there before is kept in {}", aside.display()));
        }
        let last = if self.dry_run {
            "a dry run: nothing was changed"
        } else {
            "`systemctl start vigia` goes on from there"
        };
        lines.push(last.to_owned());
        lines
    }
}

/// Of a configuration that can be read; else the state folder says enough.
fn settings(common: &Common) -> Option<Settings> {
    let request = Request::new(&common.config, Some(&common.state_dir));
    config::load(&request).ok()?.settings
}

fn database(common: &Common, settings: Option<&Settings>) -> PathBuf {
    settings.map_or_else(|| common.state_dir.join("vigia.db"), |settings| settings.store.path.clone())
}

fn source(common: &Common, settings: Option<&Settings>) -> Source {
    let request = Request::new(&common.config, Some(&common.state_dir));
    let mut config = find(&request).files;
    if let Some(settings) = settings {
        config.extend(templates::files(&settings.message_templates));
    }
    Source { database: database(common, settings), state_dir: common.state_dir.clone(), config }
}

fn origin(manifest: &Manifest) -> String {
    let Manifest { taken, machine, version, .. } = manifest;
    let taken = taken.to_jiff();
    format!("taken {taken:.0} on {machine} by vigia {version}")
}

fn counts(census: &Census) -> String {
    let counts = census.counts().map(|(name, count)| format!("{count} {name}"));
    counts.join(", ")
}

fn numbers(census: &Census) -> Value {
    Value::Object(census.counts().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect())
}

fn shown(manifest: &Manifest) -> Value {
    json!({
        "taken": manifest.taken.as_second(), "machine": manifest.machine, "version": manifest.version,
        "schema": manifest.census.schema, "counts": numbers(&manifest.census),
        "files": manifest.files.len(), "left_out": manifest.left_out,
    })
}

fn said(common: &Common, console: &mut Console, answer: &Value, lines: &[String]) -> Answer {
    match common.output {
        Format::Json => writeln!(console.out, "{answer:#}")?,
        Format::Text => {
            for line in lines {
                writeln!(console.out, "{line}")?;
            }
        }
    }
    Ok(Exit::DONE)
}
