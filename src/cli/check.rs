//! `vigia check KIND …`: a built-in check as a Nagios plugin. Also behind links named `check_KIND`.
//!
//! The flags of each kind come from its declaration in the crate of checks, not from here.

use std::ffi::OsString;
use std::path::Path;

use vigia_checks::{KINDS, Kind, LEFT_OUT, Shared, cli as plugins};

use super::{Answer, Console, Exit, Failure};
use crate::config::secret;

/// Run a built-in check once, as a plugin would
///
/// Prints one line with performance data and exits with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN; wrong usage is 3 as well.
/// A link named `check_http` to this program is `vigia check http`.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    before_help = "Examples:
  vigia check http -H www.example.test -u /health -w 0.5 -c 2
  vigia check tcp --help
  ln -s /usr/bin/vigia /usr/lib/nagios/plugins/check_http"
)]
pub(crate) struct Check {
    /// The kind of check, then its own flags; `vigia check KIND --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0.., value_name = "KIND")]
    words: Vec<OsString>,
}

impl Check {
    pub(super) fn run(&self, console: &mut Console) -> Answer {
        let words = text(&self.words)?;
        let Some((name, arguments)) = words.split_first() else { return kinds(console) };
        if matches!(name.as_str(), "-h" | "--help" | "help") {
            return kinds(console);
        }
        let kind = vigia_checks::kind(name).ok_or_else(|| unknown_kind(name))?;
        look(kind, arguments, console)
    }
}

/// The kind of check that the name of this program, or of a link to it, asks for.
pub(super) fn of_link(program: &OsString) -> Option<&'static Kind> {
    plugins::kind_of_link(Path::new(program).to_str()?)
}

/// What a link named as a plugin is told that no kind of check stands behind: UNKNOWN, whatever its arguments.
pub(super) fn unknown_link(program: &OsString) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?.strip_prefix("check_")?;
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let left_out = LEFT_OUT.iter().find(|(kind, _)| *kind == name);
    let why = left_out.map(|(_, feature)| format!(" in this build (Cargo feature `{feature}`)"));
    Some(format!(
        "{} UNKNOWN - vigia has no check `{name}`{}; it has {}",
        name.to_uppercase(),
        why.unwrap_or_default(),
        names.join(", ")
    ))
}

/// Runs a check of `kind`; `arguments` are those after its name.
pub(super) fn as_link(kind: &'static Kind, arguments: &[OsString], console: &mut Console) -> Answer {
    look(kind, &text(arguments)?, console)
}

fn look(kind: &'static Kind, arguments: &[String], console: &mut Console) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Shared::new(secret::source());
    let (code, said) = runtime.block_on(plugins::plugin_main(kind, arguments, &shared));
    writeln!(console.out, "{said}")?;
    Ok(Exit::plugin(code))
}

fn kinds(console: &mut Console) -> Answer {
    writeln!(console.out, "Usage: vigia check KIND [FLAGS]\n\nKinds:")?;
    for kind in KINDS {
        writeln!(console.out, "  {:<8} {}", kind.name, kind.summary)?;
    }
    writeln!(console.out, "\n`vigia check KIND --help` lists the flags of a kind.")?;
    Ok(Exit::DONE)
}

fn unknown_kind(name: &str) -> Failure {
    let wrong = |message: String| Failure::new(Exit::plugin(3), message);
    if let Some((kind, feature)) = LEFT_OUT.iter().find(|(kind, _)| *kind == name) {
        return wrong(format!("this vigia was built without the check `{kind}` (Cargo feature `{feature}`)"));
    }
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    wrong(format!("there is no check `{name}`")).hint(format!("one of {}", names.join(", ")))
}

fn text(words: &[OsString]) -> Result<Vec<String>, Failure> {
    let read = |word: &OsString| word.clone().into_string();
    words.iter().map(read).collect::<Result<_, _>>().map_err(|word| {
        Failure::new(Exit::plugin(3), format!("an argument is not text: {}", word.to_string_lossy()))
    })
}
