//! What a scan on the command line found goes where scans of the daemon go: to the daemon that runs, else into its database.
//!
//! Where there is no database yet, nothing is made: asking the network a question leaves no files behind.

use std::sync::Arc;

use vigia_core::engine::world::World;

use super::super::client::{Client, Target};
use super::super::{Common, Console, Exit, Failure};
use super::{Site, refused};
use crate::assets::{Assets, Looked, report};
use crate::config;
use crate::discovery::finding::Sweep;
use crate::discovery::targets::Targets;
use crate::os::clock::Clock;
use crate::os::files;
use crate::os::lock::StateLock;
use crate::store::Store;

/// Targets in one report, so that each fits into a request.
const AT_ONCE: usize = 4_096;

/// Hands a scan over. What fails is said and is no failure of the scan.
pub(super) async fn hand_over(
    site: &Site,
    common: &Common,
    targets: &Targets,
    sweep: &Sweep,
    console: &mut Console,
) -> Result<(), Failure> {
    let looked = Looked { targets: targets.addresses.clone(), sweep: sweep.clone(), stale_after: 3 };
    let told = match to_daemon(common, looked.clone()) {
        Err(failure) if failure.exit == Exit::NO_DAEMON => to_store(site, common, looked).await,
        told => told,
    };
    if let Err(failure) = told {
        writeln!(console.err, "vigia: this scan is not remembered: {failure}")?;
    }
    Ok(())
}

/// On a thread of its own: the client waits in a runtime of its own.
fn to_daemon(common: &Common, looked: Looked) -> Result<(), Failure> {
    let client = Client::of(common).patient();
    let send = || {
        let target = Target::of(&["assets", "observe"]);
        report::parts(looked, AT_ONCE)
            .iter()
            .try_for_each(|part| client.post(&target, &report::to_json(part)).map(drop))
    };
    std::thread::scope(|scope| scope.spawn(send).join())
        .unwrap_or_else(|_panic| Err(Failure::new(Exit::REFUSED, "the daemon could not be asked".to_owned())))
}

/// Tickets by rule wait for the daemon's next start.
async fn to_store(site: &Site, common: &Common, looked: Looked) -> Result<(), Failure> {
    let of_settings = site.loaded.settings.as_ref().map(|settings| settings.store.path.clone());
    let path = of_settings.unwrap_or_else(|| common.state_dir.join("vigia.db"));
    if !files::kind(&path).is_ok_and(|kind| kind.is_some()) {
        return Ok(());
    }
    let clock = Clock::system();
    let _lock = StateLock::take(&common.state_dir, clock.now()).map_err(|error| refused(&error))?;
    let loaded = config::load(&site.request).map_err(|error| refused(&error))?;
    let world = Arc::new(World { inventory: Arc::new(loaded.inventory), ..World::default() });
    let opened = Store::open(&path, clock.clone()).map_err(|error| refused(&error))?;
    let writer = opened.writer.start(Arc::default(), tokio::sync::mpsc::channel(1).0);
    let assets = Assets::new(
        opened.store,
        common.state_dir.clone(),
        Arc::new(move || Arc::clone(&world)),
        Arc::new(|_order| Box::pin(std::future::ready(Err("no daemon runs".to_owned())))),
    );
    let learnt = assets.observe(looked, clock.now()).await;
    writer.stop().await;
    learnt.map(drop).map_err(|error| refused(&error))
}
