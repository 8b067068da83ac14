//! Builds, starts, runs and drains the daemon: the only file that knows every part.
//!
//! Read it from top to bottom. Nothing is spawned while it is built, so every failure up to there is a plain
//! return; after that, whatever fails is a part that ended.

mod assets;
mod configuration;
mod doors;
mod housekeeping;
mod itself;
mod origins;
mod parts;
mod refusal;
mod scans;
mod tickets;
mod vitals;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigia_core::engine::Engine;
use vigia_core::engine::world::World;
use vigia_core::model::time::Timestamp;

use self::configuration::Configuration;
use self::doors::Doors;
use self::housekeeping::Housekeeping;
use self::parts::Parts;
pub use self::refusal::StartError;
use crate::config::files::look_for_main;
use crate::config::secret;
use crate::deliver::{self, Deliverer};
use crate::desk::Desk;
use crate::os::clock::Clock;
use crate::os::files;
use crate::os::lock::StateLock;
use crate::os::stop::{Request as Signal, Signals};
use crate::os::watch::{Patience, Sources, Watcher};
use crate::os::{limits, systemd};
use crate::runtime::conductor::{self, Conductor};
use crate::runtime::executor::{self, Executor};
use crate::runtime::reload::{self, Reloader};
use crate::runtime::snapshot::Ends;
use crate::runtime::{Batch, Handle, Load, Meters, Tools, look};
use crate::store::{self, IdleWriter, Store};
use crate::telemetry::{self, Chain};
use crate::web::house::House;

/// Inputs that wait for the conductor.
const INBOX: usize = 4096;
/// Jobs handed out that the executor has not taken.
const JOBS: usize = 1024;
/// Batches of events that a slow page may be behind before it is told to look again.
const EVENTS: usize = 256;
/// Reloads asked for at once.
const RELOADS: usize = 16;
/// Messages that the disk did not take, on their way to whoever delivers.
const UNKEPT: usize = 1024;

/// How long each part may take once it is told to stop, in this order. Together they stay below the unit's
/// `TimeoutStopSec`: who is killed by systemd cannot say what was lost.
const WEB_GRACE: Duration = Duration::from_secs(4);
const RELOAD_GRACE: Duration = Duration::from_secs(2);
/// For what scans have found until then.
const SCANS_GRACE: Duration = Duration::from_secs(1);
/// For a backup that is being made to notice, which is begun again with the next start, and the watch over vigia itself.
const HOUSEKEEPING_GRACE: Duration = Duration::from_secs(1);
/// For checks that run.
const CHECKS_GRACE: Duration = Duration::from_secs(10);
/// Beyond that, until the executor has ended the rest.
const EXECUTOR_GRACE: Duration = Duration::from_secs(2);
const CONDUCTOR_GRACE: Duration = Duration::from_secs(4);
const STORE_GRACE: Duration = Duration::from_secs(2);
/// For messages that are being sent; the others wait in the outbox for the next start.
const MAIL_GRACE: Duration = Duration::from_secs(4);
const PLUGINS_GRACE: Duration = Duration::from_secs(4);
/// For the last transaction.
const WRITER_GRACE: Duration = Duration::from_secs(10);

/// What `vigia serve` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub config: PathBuf,
    pub state_dir: PathBuf,
    /// In place of `web: {listen: …}`, unless empty.
    pub listen: Vec<SocketAddr>,
    /// Refuse to start with any error in the configuration.
    pub strict: bool,
    /// A configuration without hosts is meant, although there were some.
    pub accept_empty: bool,
    pub clock: Clock,
}

/// `1 host`, `2 hosts`.
fn count_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Asked,
    /// A part that should run for ever ended on its own.
    PartFailed,
    /// Somebody asked for it, and the disk did not take the last of it.
    NotSaved,
}

/// Runs the daemon until it is asked to stop. What is wrong with the configuration goes to `report`.
pub async fn serve(options: &Options, report: &mut dyn Write) -> Result<Ended, StartError> {
    let built = build(options, report)?;
    tell_start(built.engine.world());
    let mut running = start(built);
    let ended = run(&mut running).await;
    let is_saved = drain(running).await;
    Ok(if ended == Ended::Asked && !is_saved { Ended::NotSaved } else { ended })
}

/// Everything that can fail, before anything runs.
struct Built {
    clock: Clock,
    started: Timestamp,
    state_dir: PathBuf,
    _lock: StateLock,
    configuration: Configuration,
    store: Store,
    writer: IdleWriter,
    desk: Desk,
    engine: Engine,
    doors: Doors,
    signals: Signals,
    meters: Arc<Meters>,
    tools: Arc<Tools>,
}

fn build(options: &Options, report: &mut dyn Write) -> Result<Built, StartError> {
    let clock = options.clock.clone();
    let now = clock.now();
    // Before anything is made: who only forgot `-c` finds no folder that was not there.
    look_for_main(&options.config).map_err(StartError::NoConfiguration)?;
    files::make_folder(&options.state_dir, 0o750)?;
    let lock = StateLock::take(&options.state_dir, now)?;
    let mut configuration = Configuration::load(options, now)?;
    let settings = configuration.settings();
    configuration
        .log_to(telemetry::start(configuration::level(&settings), configuration::format(&settings))?);
    limits::raise_open_files();
    configuration.tell(report);
    if files::kind(&settings.store.path).is_ok_and(|kind| kind.is_none()) {
        let folder = options.state_dir.display();
        info!(
            event = "store.new",
            "{folder} holds no history yet: it begins now, without states, users and tickets"
        );
    }
    let opened = Store::open(&settings.store.path, clock.clone())?;
    opened.store.set_retention(configuration::retention(&settings));
    let desk = Desk::new(opened.store.clone(), configuration::policy(&settings), &options.state_dir);
    desk.files().set_limits(configuration::file_limits(&settings));
    let engine = Engine::new(configuration.inventory(), opened.restored, clock.now());
    let listen = if options.listen.is_empty() { &settings.web.listen } else { &options.listen };
    let control = options.state_dir.join("control.sock");
    let doors = Doors::bind(listen, settings.metrics.listen, &control)?;
    let signals = Signals::take().map_err(StartError::Signals)?;
    let checks = vigia_checks::Shared::new(secret::source());
    Ok(Built {
        clock,
        started: now,
        state_dir: options.state_dir.clone(),
        _lock: lock,
        configuration,
        store: opened.store,
        writer: opened.writer,
        desk,
        engine,
        doors,
        signals,
        meters: Arc::default(),
        tools: Arc::new(Tools::new(checks)),
    })
}

struct Running {
    parts: Parts,
    store: Store,
    writer: store::RunningWriter,
    signals: Signals,
    reloads: mpsc::Sender<reload::Request>,
    tools: Arc<Tools>,
    _lock: StateLock,
}

fn start(built: Built) -> Running {
    let mut parts = Parts::default();
    let world = Arc::new(built.engine.world().clone());
    let (unkept_sender, unkept) = mpsc::channel(UNKEPT);
    let writer = built.writer.start(world.clone(), unkept_sender);
    let (inbox, inbox_receiver) = mpsc::channel(INBOX);
    let (job_sender, jobs) = mpsc::channel(JOBS);
    let (batches, batch_receiver) = mpsc::channel(1);
    let (world_sender, worlds) = watch::channel(world);
    let (events, _) = broadcast::channel(EVENTS);
    let (reloads, requests) = mpsc::channel(RELOADS);
    let (load_sender, load) = watch::channel(Load::default());
    let settings = built.configuration.settings();
    let (configuration, sources) = built.configuration.run(&built.tools, &built.store, &built.desk);
    let watcher = watch_files(sources);
    let house = Housekeeping::new(watcher.as_ref());
    let told = house.look(&mut parts, &built.store, &configuration, built.meters.clone());
    let (backups, asker) = (house.backups.clone(), house.asker.clone());
    parts.spawn("store", |_| to_store(batch_receiver, writer.batches.clone()));
    let conductor = conductor::Wiring {
        inbox: inbox_receiver,
        jobs: job_sender,
        batches,
        worlds: world_sender,
        events: events.clone(),
        clock: built.clock.clone(),
        meters: built.meters.clone(),
    };
    let conductor = Conductor::new(built.engine, conductor);
    parts.spawn("conductor", |stop| conduct(conductor, stop));
    let executor = executor::Wiring {
        jobs,
        results: inbox.clone(),
        limits: configuration.limits.clone(),
        load: load_sender,
        look: look::with(built.tools.clone()),
        processes: built.tools.processes.clone(),
        clock: built.clock.clone(),
        meters: built.meters.clone(),
    };
    parts.spawn("executor", |stop| run_checks(Executor::new(executor), stop));
    let (health_sender, delivery) = watch::channel(deliver::Health::default());
    let settings_of_mail = configuration.delivery.clone();
    let ends =
        deliver::Ends { worlds: worlds.clone(), settings: settings_of_mail, unkept, health: health_sender };
    let deliverer = Deliverer::new(built.store.clone(), built.clock.clone(), means(&built.tools), ends);
    parts.spawn("deliver", |stop| deliverer.run(stop));
    let handle = Handle::new(Ends {
        inbox: inbox.clone(),
        worlds,
        events,
        load,
        reloads: reloads.clone(),
        config: configuration.health.subscribe(),
        store_silent: told.store_silent,
        heads: tickets::heads(&built.store),
        meters: built.meters.clone(),
        clock: built.clock.clone(),
        started: built.started,
    });
    let learning = scans::start(&mut parts, &handle, &configuration, &built.store);
    let about = (&handle, &built.store, built.state_dir.as_path());
    let secure = house.secure(&mut parts, &configuration);
    house.start(&mut parts, &configuration, about, delivery.clone());
    let files = built.desk.files();
    parts.spawn(housekeeping::PART, |stop| files.run(stop));
    let (health, load) = (configuration.health.clone(), configuration.load.clone());
    let (clock, meters) = (built.clock, built.meters);
    let reloader = reload::Wiring { requests, inbox, health, load, watcher, clock, meters };
    parts.spawn("reload", |stop| Reloader::new(reloader).run(stop));
    let facts = configuration.facts(&built.doors, &built.state_dir, told.notices, backups);
    let origins = origins::definitions(configuration.request.clone());
    let house =
        House::new(handle, built.store.clone(), built.desk, facts, origins, (delivery, asker), learning);
    built.doors.open(&mut parts, Arc::new(house), &settings, secure.as_ref());
    systemd::ready(&reload::status(&configuration.health.borrow()));
    let Built { store, signals, tools, _lock, .. } = built;
    Running { parts, store, writer, signals, reloads, tools, _lock }
}

/// Messages have name servers and TLS of their own: whatever checks do to theirs, people are told.
fn means(tools: &Tools) -> deliver::Tools {
    deliver::Tools {
        shared: vigia_checks::Shared::new(secret::source()),
        secrets: secret::source(),
        processes: tools.processes.clone(),
    }
}

async fn conduct(conductor: Conductor, stop: CancellationToken) {
    drop(conductor.run(stop).await);
}

fn tell_start(world: &World) {
    let (hosts, services) = (world.hosts.len(), world.services.len());
    info!(
        event = "vigia.started",
        count = hosts + services,
        "vigia {} watches {} and {}",
        env!("CARGO_PKG_VERSION"),
        count_of(hosts, "host"),
        count_of(services, "service")
    );
}

async fn run(running: &mut Running) -> Ended {
    loop {
        tokio::select! {
            Some(asked) = running.signals.next() => match asked.request {
                Signal::Stop => {
                    info!(event = "vigia.stopping", by = asked.by, "asked to stop");
                    return Ended::Asked;
                }
                Signal::Reload => {
                    let request = reload::Request { by: asked.by, accept_empty: false, answer: None };
                    // Full: so many reloads are waiting that one more makes no difference.
                    running.reloads.try_send(request).ok();
                }
            },
            name = running.parts.any_ended() => {
                error!(event = "vigia.failed", part = name, "ended on its own; the daemon stops with it");
                return Ended::PartFailed;
            }
            () = running.writer.ended.cancelled() => {
                error!(event = "vigia.failed", part = "store writer", "ended on its own; the daemon stops with it");
                return Ended::PartFailed;
            }
        }
    }
}

/// In the reverse order of the start: nobody is told to stop before whoever feeds it has stopped. True: all is
/// on the disk.
async fn drain(mut running: Running) -> bool {
    systemd::stopping("finishing the checks that run");
    let parts = &mut running.parts;
    parts.stop("web", WEB_GRACE).await;
    parts.stop("scans", SCANS_GRACE).await;
    parts.stop("reload", RELOAD_GRACE).await;
    parts.stop(housekeeping::PART, HOUSEKEEPING_GRACE).await;
    parts.stop("executor", CHECKS_GRACE + EXECUTOR_GRACE).await;
    let is_handed_over =
        parts.stop("conductor", CONDUCTOR_GRACE).await & parts.stop("store", STORE_GRACE).await;
    parts.stop("deliver", MAIL_GRACE).await;
    if tokio::time::timeout(PLUGINS_GRACE, running.tools.processes.close()).await.is_err() {
        warn!(
            event = "vigia.unfinished",
            count = running.tools.processes.killing(),
            "plugins that cannot be killed are left behind"
        );
    }
    let is_saved = save_the_last(&running.store, running.writer, is_handed_over).await;
    running.parts.stop("vitals", Duration::ZERO).await;
    is_saved
}

/// Waits for the last transaction, and says what is lost where there was none.
async fn save_the_last(store: &Store, writer: store::RunningWriter, is_handed_over: bool) -> bool {
    let was_running = !writer.ended.is_cancelled();
    let is_closed = tokio::time::timeout(WRITER_GRACE, writer.stop()).await.is_ok();
    let health = store.health().borrow().clone();
    if was_running && is_handed_over && is_closed && health.failing.is_none() {
        info!(event = "vigia.stopped", "everything is saved");
        return true;
    }
    let why = health.trouble().unwrap_or_else(|| "the store did not take the last of it in time".to_owned());
    let last = health.last_commit.map_or_else(|| "the start".to_owned(), |at| at.to_string());
    error!(
        event = "vigia.unsaved",
        error = why,
        count = health.waiting,
        "stopped, and not everything is saved: states and events since {last} are lost; the next start goes on from there"
    );
    false
}

async fn run_checks(executor: Executor, stop: CancellationToken) {
    let unfinished = executor.run(stop, CHECKS_GRACE).await;
    if unfinished > 0 {
        warn!(
            event = "executor.unfinished",
            count = unfinished,
            "checks were ended before they had finished"
        );
    }
}

/// The conductor's batches as the store knows them; so neither knows the other.
async fn to_store(mut batches: mpsc::Receiver<Batch>, store: mpsc::Sender<store::Batch>) {
    while let Some(batch) = batches.recv().await {
        let orders = batch.orders.into_iter().map(|kept| {
            let answer = kept.answer;
            let told = Box::new(move |saved: Result<(), store::NotKept>| {
                answer(saved.map_err(|not| not.to_string()));
            });
            store::Accepted { at: kept.at, order: kept.order, answer: told }
        });
        let batch = store::Batch { events: batch.events, world: batch.world, orders: orders.collect() };
        if store.send(batch).await.is_err() {
            return;
        }
    }
}

/// None where watching is not possible at all; the log says so, and `vigia reload` works all the same.
fn watch_files(sources: Sources) -> Option<Watcher> {
    match Watcher::start(sources, Patience::default()) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            error!(event = "watch.failed", error = %Chain(&error), "changed files will not be noticed; use `vigia reload`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_wait_for_at_the_end_is_over_before_systemd_loses_its_patience() {
        let unit = include_str!("../systemd/vigia.service");
        let limit = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s'));
        let limit = Duration::from_secs(limit.unwrap().parse().unwrap());
        let ours = [
            WEB_GRACE,
            RELOAD_GRACE,
            SCANS_GRACE,
            HOUSEKEEPING_GRACE,
            CHECKS_GRACE,
            EXECUTOR_GRACE,
            CONDUCTOR_GRACE,
            STORE_GRACE,
            MAIL_GRACE,
            PLUGINS_GRACE,
            WRITER_GRACE,
        ];
        let ours: Duration = ours.iter().sum();
        assert!(ours + Duration::from_secs(5) <= limit, "{ours:?} of {limit:?}");
    }
}
