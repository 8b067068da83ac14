//! The engine nmap: the program with an argument vector, its XML in a file that is read whatever became of the program.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::finding::Sweep;
use super::nmap_xml::{self, Report};
use super::plan::{Depth, Engine, Plan};
use super::targets::Targets;
use crate::os::files::{self, FileError};
use crate::os::process::{End, Processes, Program};

/// Why nmap brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum NmapError {
    #[error("nmap is not installed (looked in {}); `--engine builtin` needs no other program", FOLDERS.join(", "))]
    Missing,
    #[error("cannot start nmap")]
    NotStarted(#[source] std::io::Error),
    #[error("nmap brought nothing ({ended}): {said}")]
    Failed { ended: String, said: String },
    #[error(transparent)]
    File(#[from] FileError),
}

const FOLDERS: &[&str] = &["/usr/bin", "/usr/local/bin", "/bin", "/opt/local/bin"];
/// What is kept of its complaints.
const OUTPUT_BYTES: usize = 8 * 1024;
/// A file of nmap or masscan may be this large.
pub const FILE_MAX: u64 = 1 << 30;
/// No scan is waited for longer; a person interrupts it long before.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

static RUNS: AtomicU32 = AtomicU32::new(0);

fn program() -> Option<PathBuf> {
    let paths = FOLDERS.iter().map(|folder| Path::new(folder).join("nmap"));
    paths.into_iter().find(|path| matches!(files::kind(path), Ok(Some(files::Kind::File))))
}

/// The whole command line. Targets stand in a file, so that none can be read as an option.
fn arguments(plan: &Plan, is_root: bool, list: &Path, xml: &Path) -> Vec<String> {
    let mut words: Vec<String> = vec![format!("-{}", plan.timing.level())];
    match &plan.depth {
        Depth::Ping => words.push("-sn".to_owned()),
        depth => {
            words.extend([if is_root { "-sS" } else { "-sT" }, "-sV"].map(str::to_owned));
            words.extend(["-p".to_owned(), depth.ports().to_string()]);
            if is_root {
                words.extend(["-O", "--osscan-guess", "--max-os-tries=1"].map(str::to_owned));
            }
        }
    }
    if plan.is_nameless {
        words.push("-n".to_owned());
    }
    words.push("--noninteractive".to_owned());
    words.extend(["-oX".to_owned(), xml.display().to_string(), "-iL".to_owned(), list.display().to_string()]);
    words
}

/// Runs nmap on the targets; its files lie in `folder` while it runs. Cancelled, it is ended and what it wrote is read.
///
/// # Errors
/// When it is missing, cannot be started, or ended without a result.
pub async fn run(
    targets: &Targets,
    plan: &Plan,
    folder: &Path,
    stop: &CancellationToken,
) -> Result<Sweep, NmapError> {
    let plan = Plan { engine: Engine::Nmap, ..plan.clone() };
    let mut whole = Sweep { plan: plan.clone(), is_complete: true, ..Sweep::default() };
    // One run of nmap knows one of the two internets.
    let (four, six): (Vec<IpAddr>, Vec<IpAddr>) =
        targets.addresses.iter().partition(|address| address.is_ipv4());
    for addresses in [four, six].into_iter().filter(|addresses| !addresses.is_empty()) {
        let part = run_one(&addresses, &plan, folder, stop).await?;
        whole.findings.extend(part.findings);
        whole.looked_at += addresses.len();
        whole.is_complete &= part.is_complete;
        whole.unknown.extend(part.unknown);
    }
    Ok(whole)
}

async fn run_one(
    addresses: &[IpAddr],
    plan: &Plan,
    folder: &Path,
    stop: &CancellationToken,
) -> Result<Sweep, NmapError> {
    let program = program().ok_or(NmapError::Missing)?;
    files::make_folder(folder, 0o755)?;
    // Several may run in one process.
    let number = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    let (list, xml) =
        (folder.join(format!("nmap.{number}.targets")), folder.join(format!("nmap.{number}.xml")));
    let text: String = addresses.iter().map(|address| format!("{address}\n")).collect();
    files::write(&list, text.as_bytes(), 0o600)?;
    let mut argv = vec![program.display().to_string()];
    argv.extend(arguments(plan, nix::unistd::geteuid().is_root(), &list, &xml));
    if addresses.iter().any(IpAddr::is_ipv6) {
        argv.push("-6".to_owned());
    }
    let ended = follow(argv, stop).await;
    let report = read_file(&xml);
    files::remove(&list)?;
    files::remove(&xml)?;
    let said = match ended {
        Ended::NotStarted(error) => return Err(NmapError::NotStarted(error)),
        Ended::Stopped => "it was interrupted".to_owned(),
        Ended::Ran { how, said } => match &report {
            Ok(report) if !report.findings.is_empty() || report.is_complete => how,
            Ok(_) | Err(_) => return Err(NmapError::Failed { ended: how, said }),
        },
    };
    let mut sweep = sweep(report.unwrap_or_default(), Engine::Nmap);
    if !sweep.is_complete {
        sweep.unknown.push(format!("all of it: {said} before it was done"));
    }
    Ok(sweep)
}

enum Ended {
    NotStarted(std::io::Error),
    Stopped,
    Ran { how: String, said: String },
}

async fn follow(argv: Vec<String>, stop: &CancellationToken) -> Ended {
    let processes = Processes::default();
    let env = vec![("PATH".to_owned(), FOLDERS.join(":")), ("LC_ALL".to_owned(), "C".to_owned())];
    let program = Program { argv, env, output_bytes: OUTPUT_BYTES, stdin: Vec::new() };
    let ran = tokio::select! {
        ran = processes.run(&program, Instant::now() + LONGEST) => Some(ran),
        () = stop.cancelled() => None,
    };
    processes.close().await;
    let Some(ran) = ran else { return Ended::Stopped };
    let how = match ran.end {
        End::NotStarted(error) => return Ended::NotStarted(error),
        End::Exited(code) => format!("it ended with code {code}"),
        End::Signalled(signal) => format!("it was ended by signal {signal}"),
        End::TimedOut => "it took too long".to_owned(),
        End::Lost(error) => format!("it was lost: {error}"),
    };
    Ended::Ran { how, said: super::identify::clean(&ran.stderr.bytes, 300) }
}

/// Reads a file that nmap or masscan wrote.
///
/// # Errors
/// When it cannot be read, or is larger than [`FILE_MAX`].
pub fn read_file(path: &Path) -> Result<Report, FileError> {
    files::open(path, FILE_MAX).map(nmap_xml::read)
}

/// A report as the result of a scan.
pub fn sweep(report: Report, engine: Engine) -> Sweep {
    let mut sweep = Sweep {
        plan: Plan { engine, ..Plan::default() },
        looked_at: report.looked_at.unwrap_or(report.findings.len()),
        is_complete: report.is_complete,
        ..Sweep::default()
    };
    sweep.unknown.extend(report.broken.map(|why| format!("what came after the file broke off: {why}")));
    sweep.findings = report.findings;
    sweep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::timing::Timing;

    #[test]
    fn the_command_line_is_a_vector_and_targets_are_never_words_of_it() {
        let plan =
            Plan { timing: Timing::Aggressive, engine: Engine::Nmap, depth: Depth::Ping, ..Plan::default() };
        let words =
            |plan: &Plan, is_root| arguments(plan, is_root, Path::new("/l"), Path::new("/x")).join(" ");
        assert_eq!(words(&plan, true), "-T4 -sn --noninteractive -oX /x -iL /l");
        let custom = Plan { depth: Depth::parse("22,80-81").unwrap(), ..plan };
        assert_eq!(words(&custom, false), "-T4 -sT -sV -p 22,80-81 --noninteractive -oX /x -iL /l");
        assert!(words(&custom, true).contains("-sS -sV -p 22,80-81 -O --osscan-guess --max-os-tries=1"));
    }
}
