//! One scan from beginning to end, on a thread of its own at low priority: look, compare, try what would be written.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use vigia_checks::Shared;
use vigia_core::engine::world::World;
use vigia_core::model::scan::ScanJob;

use super::templates;
use crate::config::files::Request;
use crate::config::secret;
use crate::discovery::diff::{Background, Diff, Line, Verdict, compare};
use crate::discovery::finding::Sweep;
use crate::discovery::identity::Known;
use crate::discovery::nmap;
use crate::discovery::page::Page;
use crate::discovery::plan::{Engine, Plan};
use crate::discovery::propose::{Proposal, Wish};
use crate::discovery::scan::{Progress, Scanner};
use crate::discovery::settle::resolve_all;
use crate::discovery::shelf::{self, Shelf};
use crate::discovery::summary::Summary;
use crate::discovery::targets::Targets;
use crate::discovery::trial::{self, FirstBad};
use crate::os::limits;
use crate::telemetry::Chain;

/// What a scan works on.
pub(super) struct Run {
    pub(super) targets: Targets,
    pub(super) plan: Plan,
    pub(super) job: Option<ScanJob>,
    pub(super) worlds: watch::Receiver<Arc<World>>,
    pub(super) request: Request,
    pub(super) state_dir: PathBuf,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) stop: CancellationToken,
}

/// What it brought.
pub(super) struct Found {
    pub(super) targets: Targets,
    pub(super) sweep: Sweep,
    pub(super) summary: Summary,
}

/// Runs it on a thread that gives way to everything else.
pub(super) async fn on_its_own(run: Run) -> Result<Found, String> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        limits::give_way();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let found = match runtime {
            Ok(runtime) => runtime.block_on(look(run)),
            Err(error) => Err(format!("no runtime can be had: {error}")),
        };
        // Who asked has gone when the daemon ends.
        drop(tell.send(found));
    };
    let thread = std::thread::Builder::new().name("scan".to_owned()).spawn(work);
    thread.map_err(|error| format!("no thread can be had: {error}"))?;
    told.await.unwrap_or_else(|_panic| {
        Err("the scan ended by a mistake in vigia; its log says more, please report it".to_owned())
    })
}

async fn look(run: Run) -> Result<Found, String> {
    // Of its own: what a scan does to name servers and sockets is no matter of the checks.
    let scanner = Scanner::new(Shared::new(secret::source()));
    let mut sweep = match run.plan.engine {
        Engine::Nmap => {
            let folder = run.state_dir.join("discovery");
            let found = nmap::run(&run.targets, &run.plan, &folder, &run.stop).await;
            found.map_err(|error| Chain(&error).to_string())?
        }
        Engine::BuiltIn | Engine::Import => {
            scanner.run(&run.targets, &run.plan, &run.progress, &run.stop).await
        }
    };
    if run.plan.engine == Engine::Nmap {
        scanner.enrich(&mut sweep, &run.progress, &run.stop).await;
    }
    let world = run.worlds.borrow().clone();
    let shelf = Shelf::at(&run.state_dir);
    let known = known(&world, &run.request, &shelf, &scanner).await;
    let ignored = shelf.ignored().map_err(|error| Chain(&error).to_string())?;
    let mut diff = compare(&sweep, &Background { known: &known, ignored: &ignored, wish: Wish::default() });
    if run.stop.is_cancelled() {
        let text = "checks were not tried, since the scan was cancelled: some may not be OK at first";
        sweep.unknown.push(text.to_owned());
    } else {
        try_offered(&mut diff, &scanner).await;
    }
    let is_target = |ip| run.targets.addresses.binary_search(&ip).is_ok();
    diff.look_at_page(&all_of(&shelf), &sweep, &is_target);
    let job = run.job.as_ref();
    let summary = Summary::of(&sweep, &diff, &|line| templates::block(job, line));
    Ok(Found { targets: run.targets, sweep, summary })
}

/// All hosts of all pages as one.
fn all_of(shelf: &Shelf) -> Page {
    let mut all = Page::default();
    for (_, page) in shelf.pages() {
        all.hosts.extend(page.hosts);
    }
    all
}

async fn known(world: &World, request: &Request, shelf: &Shelf, scanner: &Scanner) -> Vec<Known> {
    let by_hand = shelf::written_by_hand(request);
    let (mut known, to_resolve) = shelf::known_hosts(&world.inventory, &by_hand, shelf);
    let names: Vec<String> = to_resolve.iter().map(|(_, name)| name.clone()).collect();
    let found = resolve_all(scanner.resolver(), names).await;
    for (at, name) in to_resolve {
        if let (Some(host), Some(Ok(addresses))) = (known.get_mut(at), found.get(&name)) {
            host.addresses.extend(addresses);
        }
    }
    known
}

/// Tries the checks of what would be written; known services keep theirs.
async fn try_offered(diff: &mut Diff, scanner: &Scanner) {
    let is_tried = |line: &&mut Line| {
        matches!(line.verdict, Verdict::New | Verdict::Changed(_) | Verdict::Same)
            && !line.proposal.services.is_empty()
    };
    let mut lines: Vec<&mut Line> = diff.lines.iter_mut().filter(is_tried).collect();
    let mut proposals: Vec<Proposal> = lines.iter().map(|line| line.proposal.clone()).collect();
    trial::try_all(&mut proposals, FirstBad::Adjust, scanner.shared()).await;
    for (line, proposal) in lines.iter_mut().zip(proposals) {
        line.proposal = proposal;
    }
}
