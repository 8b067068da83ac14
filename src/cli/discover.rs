//! `vigia discover`: sweep the network, compare with what is known, write what a person wants to watch.
//!
//! Works with and without a running daemon, which learns of a page as of any other file: by its ordinary reload.

mod act;
mod jobs;
mod remember;
mod report;

use std::io::{IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vigia_checks::Shared;

use super::{Answer, Common, Console, Exit, Failure};
use crate::config::files::Request;
use crate::config::{self, secret};
use crate::discovery::diff::{Background, Diff, Line, Verdict, compare};
use crate::discovery::finding::Sweep;
use crate::discovery::identity::Known;
use crate::discovery::nmap;
use crate::discovery::plan::{Depth, Engine, Plan};
use crate::discovery::propose::{Proposal, Wish};
use crate::discovery::scan::{Progress, Scanner, Stage};
use crate::discovery::settle::{Unsettled, resolve_all, settle};
use crate::discovery::shelf::{self, Shelf};
use crate::discovery::targets::{ASK_BEYOND, Targets};
use crate::discovery::timing::Timing;
use crate::discovery::trial::{self, FirstBad};
use crate::os::stop::Signals;
use crate::telemetry::Chain;

/// Find hosts and services on the network, and write them as configuration
///
/// Nothing is written without --write. What is written goes to a page of discovery's own below the state folder, which a
/// running daemon loads by itself a moment later; files that people wrote are never touched, and a host of theirs is never
/// written a second time.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    before_help = "\
Examples:
  vigia discover 192.0.2.0/24
  vigia discover 192.0.2.64-68 '!192.0.2.66' --scan normal --timing T4
  vigia discover net:office --scan ping
  vigia discover 192.0.2.0/24 --write
  vigia discover 192.0.2.0/24 --engine nmap --scan normal
  vigia discover --import scan.xml --write
  vigia discover adopt web1
  vigia discover ignore 192.0.2.9
  vigia discover start 192.0.2.0/24 --follow

Targets: addresses, networks, ranges in any number (192.0.2-3.*, 192.0.[2,4].1), spans
(192.0.2.250-192.0.3.5), host names, net:NAME, group:NAME, host:NAME; `!` leaves out.
Scans: ping (who is there), fast (37 usual ports), normal (about 1,300), full (all), or
ports: 22,80,8000-8100."
)]
pub(crate) struct Discover {
    #[command(subcommand)]
    act: Option<Act>,
    /// What to look at
    #[arg(value_name = "TARGET", required_unless_present = "import")]
    targets: Vec<String>,
    /// How deep to look: ping, fast, normal, full, or ports
    #[arg(long, default_value = "fast", value_name = "SCAN", value_parser = Depth::parse)]
    scan: Depth,
    /// How fast: paranoid, sneaky, polite, normal, aggressive, insane, or T0 to T5
    #[arg(short = 'T', long, default_value = "normal", value_name = "TEMPLATE", value_parser = timing)]
    timing: Timing,
    /// Who looks
    #[arg(long, value_enum, default_value_t = Looker::Builtin, value_name = "ENGINE")]
    engine: Looker,
    /// Read a file that nmap or masscan wrote (-oX), instead of looking for hosts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["targets", "engine", "scan"])]
    import: Option<PathBuf>,
    /// Write what is new and what changed
    #[arg(long, conflicts_with = "dry_run")]
    write: bool,
    /// Write nothing (as without --write)
    #[arg(long)]
    dry_run: bool,
    /// The page's name below the state folder
    #[arg(long, default_value = "manual", value_name = "NAME", value_parser = page_name)]
    name: String,
    /// Write the page to this file instead
    #[arg(long, value_name = "FILE", requires = "write")]
    to: Option<PathBuf>,
    /// Whether written hosts are checked; without it new ones are, and known ones stay as they are
    #[arg(long, value_enum, value_name = "ON|OFF")]
    monitor: Option<Switch>,
    /// What becomes of a service whose check is not OK when it is tried
    #[arg(long, value_enum, default_value_t = Bad::Adjust, value_name = "WHAT")]
    first_bad: Bad,
    /// Also propose what is noise as a rule: port mappers, NetBIOS, ephemeral ports
    #[arg(long)]
    noise: bool,
    /// Do not ask the name server what addresses are called
    #[arg(short = 'n', long)]
    no_names: bool,
    /// Scan more than 256 addresses without asking
    #[arg(short = 'y', long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    Adopt(act::Adopt),
    Ignore(act::Ignore),
    Export(act::Export),
    Jobs(jobs::Jobs),
    Start(jobs::Start),
    Follow(jobs::Follow),
    Cancel(jobs::Cancel),
    Insert(jobs::Insert),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Looker {
    /// vigia itself
    Builtin,
    /// The program nmap, which knows more of operating systems and versions
    Nmap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bad {
    /// Its port alone is watched
    Adjust,
    /// It is written all the same, and will be a problem
    Keep,
    LeaveOut,
}

impl From<Bad> for FirstBad {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Adjust => Self::Adjust,
            Bad::Keep => Self::Keep,
            Bad::LeaveOut => Self::LeaveOut,
        }
    }
}

fn timing(text: &str) -> Result<Timing, String> {
    Timing::parse(text).ok_or_else(|| {
        format!("`{text}` is no template: paranoid, sneaky, polite, normal, aggressive, insane, or T0 to T5")
    })
}

/// A file's name, and nothing that leads out of its folder.
fn page_name(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_name { Ok(text.to_owned()) } else { Err("letters, digits, `-`, `_` and `.`".to_owned()) }
}

/// What everything is compared with.
struct Site {
    request: Request,
    shelf: Shelf,
    loaded: config::Loaded,
}

impl Site {
    fn open(common: &Common) -> Result<Self, Failure> {
        let request = Request::new(&common.config, Some(&common.state_dir));
        let loaded = config::load(&request).or_else(|error| {
            // Discovery is how a first configuration comes to be.
            let is_first =
                matches!(error, config::LoadError::Missing { .. } | config::LoadError::Empty { .. });
            if is_first { Ok(nothing()) } else { Err(unreadable(&error)) }
        })?;
        Ok(Self { request, shelf: Shelf::at(&common.state_dir), loaded })
    }

    fn limit(&self) -> usize {
        let limit = self.loaded.settings.as_ref().map_or(65_536, |settings| settings.limits.discovery);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Everything that is known, names resolved where the name server answers.
    async fn known(&self, scanner: &Scanner) -> Vec<Known> {
        let by_hand = shelf::written_by_hand(&self.request);
        let (mut known, to_resolve) = shelf::known_hosts(&self.loaded.inventory, &by_hand, &self.shelf);
        let names: Vec<String> = to_resolve.iter().map(|(_, name)| name.clone()).collect();
        let found = resolve_all(scanner.resolver(), names).await;
        for (at, name) in to_resolve {
            if let (Some(host), Some(Ok(addresses))) = (known.get_mut(at), found.get(&name)) {
                host.addresses.extend(addresses);
            }
        }
        known
    }
}

fn nothing() -> config::Loaded {
    config::Loaded {
        inventory: vigia_core::model::inventory::Inventory::default(),
        has_main: false,
        settings: None,
        problems: Vec::new(),
        quarantine: Vec::new(),
        watches_itself: false,
        notices: Vec::new(),
        files: Vec::new(),
        memory: config::last_good::Memory::default(),
    }
}

fn unreadable(error: &config::LoadError) -> Failure {
    Failure::new(Exit::CONFIG, Chain(error).to_string()).hint("-c names another configuration")
}

impl Discover {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        match &self.act {
            Some(Act::Adopt(act)) => return act.run(common, console),
            Some(Act::Ignore(act)) => return act.run(common, console),
            Some(Act::Export(act)) => return act.run(common, console),
            Some(Act::Jobs(act)) => return act.run(common, console),
            Some(Act::Start(act)) => return act.run(common, console),
            Some(Act::Follow(act)) => return act.run(common, console),
            Some(Act::Cancel(act)) => return act.run(common, console),
            Some(Act::Insert(act)) => return act.run(common, console),
            None => {}
        }
        crate::os::limits::raise_open_files();
        let site = Site::open(common)?;
        // One thread: nothing a scan does waits for a processor.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.discover(&site, common, console))
    }

    async fn discover(&self, site: &Site, common: &Common, console: &mut Console) -> Answer {
        let scanner = Scanner::new(Shared::new(secret::source()));
        let (targets, sweep) = self.look(site, &scanner, common, console).await?;
        let known = site.known(&scanner).await;
        let ignored = site.shelf.ignored().map_err(|error| refused(&error))?;
        let wish = Wish { noise: self.noise };
        let mut diff = compare(&sweep, &Background { known: &known, ignored: &ignored, wish });
        try_new(&mut diff, self.first_bad.into(), &scanner).await;
        let path = self.to.clone().unwrap_or_else(|| site.shelf.path(&self.name));
        let mut page = shelf::read(&path).map_err(|error| refused(&error))?;
        // A file does not tell what it was asked for, so nothing is concluded from what it lacks.
        let is_target = |ip: IpAddr| targets.addresses.binary_search(&ip).is_ok();
        diff.look_at_page(&page, &sweep, &is_target);
        report::print(common.output, console, &sweep, &diff)?;
        remember::hand_over(site, common, &targets, &sweep, console).await?;
        if !self.write {
            report::invite(common.output, console, &diff)?;
            return Ok(Exit::DONE);
        }
        let _lock = lock(common)?;
        // Another scan may have written meanwhile.
        page = shelf::read(&path).map_err(|error| refused(&error))?;
        let monitor = self.monitor.map(|switch| switch == Switch::On);
        let left_alone = shelf::accept(&mut page, &diff, monitor);
        shelf::write(&path, &page).map_err(|error| refused(&error))?;
        report::written(common.output, console, &path, &diff, &left_alone)?;
        Ok(Exit::DONE)
    }

    /// The addresses that were asked for, and what was found. An import asks for what the file holds.
    async fn look(
        &self,
        site: &Site,
        scanner: &Scanner,
        common: &Common,
        console: &mut Console,
    ) -> Result<(Targets, Sweep), Failure> {
        let targets =
            if self.import.is_some() { Targets::default() } else { self.settled(site, scanner).await? };
        self.confirm(&targets, console)?;
        let engine = match self.engine {
            Looker::Builtin => Engine::BuiltIn,
            Looker::Nmap => Engine::Nmap,
        };
        let plan = Plan { depth: self.scan.clone(), timing: self.timing, engine, is_nameless: self.no_names };
        warn_of_time(&plan, &targets, console)?;
        let stop = CancellationToken::new();
        let (tell, watched) = watch::channel(Progress::default());
        let interrupted = stop.clone();
        let mut signals = Signals::take()?;
        let interrupt = tokio::spawn(async move {
            if signals.next().await.is_some() {
                interrupted.cancel();
            }
        });
        let show = tokio::spawn(show_progress(watched));
        let found = match (&self.import, engine) {
            (Some(file), _) => imported(file, self.timing),
            (None, Engine::Nmap) => {
                let folder = common.state_dir.join("discovery");
                nmap::run(&targets, &plan, &folder, &stop).await.map_err(|error| refused(&error))
            }
            (None, Engine::BuiltIn | Engine::Import) => Ok(scanner.run(&targets, &plan, &tell, &stop).await),
        };
        let found = match found {
            Ok(mut sweep) if sweep.plan.engine != Engine::BuiltIn => {
                scanner.enrich(&mut sweep, &tell, &stop).await;
                Ok(sweep)
            }
            found => found,
        };
        drop(tell);
        // It ends by itself once nobody tells any more.
        show.await.unwrap_or_default();
        interrupt.abort();
        Ok((targets, found?))
    }

    async fn settled(&self, site: &Site, scanner: &Scanner) -> Result<Targets, Failure> {
        let (text, limit) = (self.targets.join(" "), site.limit());
        let settled = settle(&text, &site.loaded.inventory, limit, scanner.resolver()).await;
        settled.map_err(|unsettled| {
            let told = unsettled.to_string();
            match unsettled {
                Unsettled::Wrong(_) => Failure::new(Exit::USAGE, told),
                Unsettled::Unresolved(_) => Failure::new(Exit::REFUSED, told),
                Unsettled::TooMany(_) => Failure::new(Exit::USAGE, told)
                    .hint("scan the parts that are in use, or raise `limits: {discovery: …}` in vigia.yaml"),
            }
        })
    }

    fn confirm(&self, targets: &Targets, console: &mut Console) -> Result<(), Failure> {
        let count = targets.addresses.len();
        if count <= ASK_BEYOND || self.yes {
            return Ok(());
        }
        let refuse = || {
            Failure::new(Exit::REFUSED, format!("nothing was scanned: {count} addresses were not confirmed"))
                .hint("--yes scans them")
        };
        if !std::io::stdin().is_terminal() {
            return Err(refuse());
        }
        write!(console.err, "Scan {count} addresses? [y/N] ")?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { Err(refuse()) }
    }
}

fn warn_of_time(plan: &Plan, targets: &Targets, console: &mut Console) -> Result<(), Failure> {
    let least = plan.timing.limits().least_time(targets.addresses.len(), plan.depth.ports().len().max(1));
    if least.as_secs() > 600 {
        let span = super::table::span(i64::try_from(least.as_secs()).unwrap_or(i64::MAX));
        writeln!(console.err, "vigia: with this template the pauses alone take up to {span}")?;
    }
    Ok(())
}

fn imported(file: &std::path::Path, timing: Timing) -> Result<Sweep, Failure> {
    let report = nmap::read_file(file).map_err(|error| refused(&error))?;
    let is_nothing = report.findings.is_empty() && report.broken.is_some();
    if let Some(why) = report.broken.as_ref().filter(|_| is_nothing) {
        let path = file.display();
        return Err(Failure::new(Exit::REFUSED, format!("{path} is no result of nmap or masscan: {why}"))
            .hint("both write one with -oX FILE"));
    }
    let mut sweep = nmap::sweep(report, Engine::Import);
    sweep.plan.timing = timing;
    Ok(sweep)
}

/// Tries the checks of what would be written; known services keep theirs.
async fn try_new(diff: &mut Diff, first_bad: FirstBad, scanner: &Scanner) {
    let is_tried =
        |line: &&mut Line| matches!(line.verdict, Verdict::New | Verdict::Changed(_) | Verdict::Same);
    let mut lines: Vec<&mut Line> = diff.lines.iter_mut().filter(is_tried).collect();
    let mut proposals: Vec<Proposal> = lines.iter().map(|line| line.proposal.clone()).collect();
    trial::try_all(&mut proposals, first_bad, scanner.shared()).await;
    for (line, proposal) in lines.iter_mut().zip(proposals) {
        line.proposal = proposal;
    }
}

/// One line that is written over and over on a terminal; nothing elsewhere.
async fn show_progress(mut watched: watch::Receiver<Progress>) {
    let mut err = std::io::stderr();
    if !err.is_terminal() {
        return;
    }
    while watched.changed().await.is_ok() {
        let now = *watched.borrow_and_update();
        let what = match now.stage {
            Stage::Searching => "who is there",
            Stage::Scanning => "what is there",
            Stage::Finished => break,
        };
        // A terminal that is gone needs no progress.
        let percent = now.percent();
        if write!(err, "\r{what}: {percent} %, {} found   ", now.found).is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    drop(write!(err, "\r\x1b[K"));
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Exit::REFUSED, Chain(error).to_string())
}

/// One writer of pages at a time.
fn lock(common: &Common) -> Result<crate::os::lock::StateLock, Failure> {
    let folder = common.state_dir.join("discovery");
    crate::os::files::make_folder(&folder, 0o755).map_err(|error| refused(&error))?;
    let now = crate::os::clock::Clock::system().now();
    crate::os::lock::StateLock::take(&folder, now).map_err(|error| {
        refused(&error).hint("another scan is writing; the same command again takes its turn")
    })
}
