//! The one task that owns all scans: the queue, what runs, when jobs come round, and what becomes of an end.
//!
//! It waits for the store and for nobody else. Whatever takes long (names, the network, whoever learns of a result)
//! happens in tasks that it joins.

mod acting;
mod record;
#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vigia_core::engine::period::Periods;
use vigia_core::engine::world::World;
use vigia_core::model::id::Name;
use vigia_core::model::scan::ScanJob;
use vigia_core::model::time::Timestamp;

use self::acting::Young;
use self::record::row_of;
use super::run::{self, Found, Run};
use super::{
    AT_ONCE, Ask, Asked, Board, JobState, LastScan, Live, MOST_WAITING, NotDone, Order, Wiring, due, overlap,
    prepare,
};
use crate::discovery::report::Report;
use crate::discovery::scan::{Progress, Stage};
use crate::discovery::summary::Summary;
use crate::discovery::targets::Targets;
use crate::store::scans::{self, ScanState};
use crate::telemetry::Chain;

/// How often the board follows a scan.
const FOLLOW: Duration = Duration::from_millis(400);
/// How long whoever learns of a result may take before it goes on without them.
const LEARN: Duration = Duration::from_secs(30);
/// For what was found until then, when the daemon ends.
const LAST_WORDS: Duration = Duration::from_millis(800);
/// A scan that waits or runs.
struct Current {
    live: Live,
    job: Option<ScanJob>,
    targets: Targets,
    progress: watch::Receiver<Progress>,
    stage_begun: (Stage, Instant),
    stop: CancellationToken,
    /// Until it begins.
    tell: Option<watch::Sender<Progress>>,
}

type Ended = (i64, Result<Summary, String>);
type Prepared = (ScanJob, Result<Asked, NotDone>);

pub struct Owner {
    wiring: Wiring,
    orders: mpsc::Receiver<Order>,
    board: watch::Sender<Arc<Board>>,
    current: Vec<Current>,
    running: JoinSet<Ended>,
    preparing: JoinSet<Prepared>,
    /// By name; none where its targets are being settled.
    last: HashMap<Name, LastScan>,
    /// When each job became known.
    since: HashMap<Name, Timestamp>,
    young: Vec<Young>,
    turn: u64,
}

impl Owner {
    pub(super) fn new(
        wiring: Wiring,
        orders: mpsc::Receiver<Order>,
        board: watch::Sender<Arc<Board>>,
    ) -> Self {
        Self {
            wiring,
            orders,
            board,
            current: Vec::new(),
            running: JoinSet::new(),
            preparing: JoinSet::new(),
            last: HashMap::new(),
            since: HashMap::new(),
            young: Vec::new(),
            turn: 0,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        self.recall().await;
        let mut worlds = self.wiring.worlds.clone();
        self.meet_jobs();
        self.publish();
        loop {
            let next = self.next_due().map(|(at, _)| self.wiring.clock.instant(at));
            let follow = (!self.current.is_empty()).then(|| Instant::now() + FOLLOW);
            tokio::select! {
                () = stop.cancelled() => break,
                Some(order) = self.orders.recv() => self.take(order).await,
                Some(Ok((id, found))) = self.running.join_next() => self.end(id, found).await,
                Some(Ok((job, asked))) = self.preparing.join_next() => self.take_prepared(job, asked).await,
                () = until(next) => self.prepare_due(),
                () = until(follow) => {}
                Ok(()) = worlds.changed() => {
                    let world = worlds.borrow_and_update().clone();
                    self.look_at_world(&world);
                }
            }
            self.miss_lost().await;
            self.publish();
        }
        self.finish().await;
    }

    /// A task that ended by a mistake of ours tells nothing: without any left, what is said to run does not.
    async fn miss_lost(&mut self) {
        let lost = self.current.iter().find(|one| one.live.begun.is_some()).map(|one| one.live.id);
        if let Some(id) = lost.filter(|_| self.running.is_empty()) {
            let said = "it ended by a mistake in vigia; its log says more, please report it";
            self.end(id, Err(said.to_owned())).await;
        }
    }

    fn now(&self) -> Timestamp {
        self.wiring.clock.now()
    }

    /// Jobs that a reload brought count from now on; those it took away are forgotten.
    fn meet_jobs(&mut self) {
        let (now, world) = (self.now(), self.wiring.worlds.borrow().clone());
        let names: Vec<&Name> = world.inventory.scans.iter().map(|job| &job.name).collect();
        self.since.retain(|name, _| names.contains(&name));
        for name in names {
            self.since.entry(name.clone()).or_insert(now);
        }
    }

    fn next_of(&self, world: &World, job: &ScanJob) -> Option<Timestamp> {
        if self.is_busy(&job.name) {
            return None;
        }
        let since = *self.since.get(&job.name)?;
        let last = self.last.get(&job.name).copied();
        due::next(job, last, since, Periods(&world.inventory.periods), &TimeZone::system())
    }

    /// Waiting, running, or on its way there.
    fn is_busy(&self, name: &Name) -> bool {
        self.current.iter().any(|one| one.live.job.as_ref() == Some(name))
    }

    fn next_due(&self) -> Option<(Timestamp, ScanJob)> {
        let world = self.wiring.worlds.borrow().clone();
        let jobs = world.inventory.scans.iter();
        let due = jobs.filter_map(|job| Some((self.next_of(&world, job)?, job)));
        due.min_by_key(|(at, _)| *at).map(|(at, job)| (at, job.clone()))
    }

    /// A job came round: its targets are settled first, elsewhere.
    fn prepare_due(&mut self) {
        let Some((at, job)) = self.next_due().filter(|(at, _)| *at <= self.now()) else { return };
        // Not again before this came to something.
        self.note(&job.name, 0, ScanState::Waiting, at.max(self.now()));
        let (world, limit) = (self.wiring.worlds.borrow().clone(), *self.wiring.limit.borrow());
        self.preparing.spawn(async move {
            let by = format!("job {}", job.name);
            let asked = match Ask::of_job(&job) {
                Ok(ask) => prepare(&world, limit, ask, Some(job.clone()), by).await,
                Err(why) => Err(NotDone::Refused(why)),
            };
            (job, asked)
        });
    }

    fn note(&mut self, job: &Name, id: i64, state: ScanState, asked: Timestamp) {
        self.last.insert(job.clone(), LastScan { id, state, asked });
    }

    async fn take_prepared(&mut self, job: ScanJob, asked: Result<Asked, NotDone>) {
        let taken = match asked {
            Ok(asked) => self.start(asked).await.map(drop),
            Err(why) => Err(why),
        };
        if let Err(why) = taken {
            warn!(event = "scan.refused", job = %job.name, error = %why, "a job of discovery did not begin");
            self.record_failure(&job, &why).await;
        }
    }

    async fn take(&mut self, order: Order) {
        // Whoever asked may have gone away meanwhile.
        match order {
            Order::Start { asked, answer } => drop(answer.send(self.start(*asked).await)),
            Order::Cancel { id, answer } => drop(answer.send(self.cancel(id).await)),
            Order::Insert { scan, hosts, properties, answer } => {
                drop(answer.send(self.insert(scan, &hosts, properties).await));
            }
        }
    }

    async fn start(&mut self, asked: Asked) -> Result<i64, NotDone> {
        let job = asked.job.as_ref().map(|job| job.name.clone());
        let twin = self.current.iter().find(|one| match &job {
            Some(job) => one.live.job.as_ref() == Some(job),
            None => one.live.job.is_none() && one.targets == asked.targets && one.live.plan == asked.ask.plan,
        });
        if let Some(twin) = twin {
            let what = job.map_or_else(|| "the same scan".to_owned(), |job| format!("job `{job}`"));
            return Err(NotDone::Refused(format!("{what} is under way already: scan {}", twin.live.id)));
        }
        if self.current.iter().filter(|one| one.live.begun.is_none()).count() >= MOST_WAITING {
            return Err(NotDone::Refused(format!(
                "{MOST_WAITING} scans wait already; cancel one of them, or ask again when some are done"
            )));
        }
        let now = self.now();
        let row = row_of(&asked, now);
        let id = self.wiring.store.write(move |db| scans::ask(db, &row)).await?;
        if let Some(job) = &job {
            self.note(job, id, ScanState::Waiting, now);
        }
        let (tell, progress) = watch::channel(Progress::default());
        let live = Live {
            id,
            job,
            by: asked.by,
            targets: asked.ask.targets,
            plan: asked.ask.plan,
            addresses: asked.targets.addresses.len(),
            asked: now,
            begun: None,
            waits_for: None,
            progress: Progress::default(),
            left: None,
            is_stopping: false,
        };
        info!(
            event = "scan.asked",
            count = live.addresses,
            job = live.job.as_deref(),
            by = live.by,
            "scan {id} was asked for"
        );
        self.current.push(Current {
            live,
            job: asked.job,
            targets: asked.targets,
            progress,
            stage_begun: (Stage::Searching, Instant::now()),
            stop: CancellationToken::new(),
            tell: Some(tell),
        });
        self.turn += 1;
        self.begin_what_may().await;
        Ok(id)
    }

    /// In the order in which they were asked for; none while one before it looks at the same addresses.
    async fn begin_what_may(&mut self) {
        let mut begun = Vec::new();
        let mut running = self.current.iter().filter(|one| one.live.begun.is_some()).count();
        for at in 0..self.current.len() {
            let (before, rest) = self.current.split_at_mut(at);
            let Some(one) = rest.first_mut().filter(|one| one.live.begun.is_none()) else { continue };
            let blocker =
                before.iter().find(|other| overlap(&other.targets.addresses, &one.targets.addresses));
            one.live.waits_for = blocker.map(|other| other.live.id);
            if blocker.is_some() || running >= AT_ONCE {
                continue;
            }
            let Some(progress) = one.tell.take() else { continue };
            one.live.begun = Some(self.wiring.clock.now());
            one.stage_begun = (Stage::Searching, Instant::now());
            running += 1;
            begun.push(one.live.id);
            let run = Run {
                targets: one.targets.clone(),
                plan: one.live.plan.clone(),
                job: one.job.clone(),
                worlds: self.wiring.worlds.clone(),
                request: self.wiring.request.clone(),
                state_dir: self.wiring.state_dir.clone(),
                progress,
                stop: one.stop.clone(),
            };
            let (id, hand) = (one.live.id, self.wiring.hand.clone());
            let (job, clock) = (one.job.clone(), self.wiring.clock.clone());
            self.running.spawn(async move {
                let found = run::on_its_own(run).await;
                let Ok(Found { targets, sweep, summary }) = found else {
                    return (id, found.map(|found| found.summary));
                };
                let stale_after = job.as_ref().map_or(3, |job| job.stale_after);
                let (job, ended) = (job.map(|job| job.name), clock.now());
                // Handed over, not shared: what a large network showed is held once.
                let report = Report { scan: id, stale_after, job, ended, targets, sweep };
                if timeout(LEARN, hand(report)).await.is_err() {
                    warn!(event = "scan.unheard", "nobody learnt of scan {id} in time; it is in the history");
                }
                (id, Ok(summary))
            });
        }
        for id in begun {
            self.turn += 1;
            let now = self.now();
            if let Err(error) = self.wiring.store.write(move |db| scans::begin(db, id, now)).await {
                warn!(event = "scan.history", error = %Chain(&error), "the begin of scan {id} is not in the history");
            }
        }
    }

    async fn cancel(&mut self, id: i64) -> Result<(), NotDone> {
        let Some(at) = self.current.iter().position(|one| one.live.id == id) else {
            return Err(NotDone::Missing(format!("scan {id} is not under way")));
        };
        let Some(one) = self.current.get_mut(at) else { return Ok(()) };
        one.live.is_stopping = true;
        one.stop.cancel();
        if one.live.begun.is_none() {
            let one = self.current.remove(at);
            self.close(&one, ScanState::Stopped, "cancelled before it began".to_owned(), None).await;
            self.begin_what_may().await;
        }
        Ok(())
    }

    /// A scan has ended, for whatever reason.
    async fn end(&mut self, id: i64, found: Result<Summary, String>) {
        let Some(at) = self.current.iter().position(|one| one.live.id == id) else { return };
        let one = self.current.remove(at);
        let is_stopped = one.stop.is_cancelled();
        match found {
            Err(why) => self.close(&one, ScanState::Failed, why, None).await,
            Ok(summary) => {
                let state = if is_stopped { ScanState::Stopped } else { ScanState::Finished };
                let said = match is_stopped {
                    true => "cancelled; what was found until then is kept".to_owned(),
                    false => self.act_on(&one, &summary).await,
                };
                self.close(&one, state, said, Some(summary)).await;
            }
        }
        self.begin_what_may().await;
    }

    /// When the daemon ends: what was found until now is kept, as interrupted.
    async fn finish(&mut self) {
        for one in &self.current {
            one.stop.cancel();
        }
        let until = Instant::now() + LAST_WORDS;
        while let Ok(Some(ended)) = tokio::time::timeout_at(until, self.running.join_next()).await {
            let Ok((id, found)) = ended else { continue };
            let Some(at) = self.current.iter().position(|one| one.live.id == id) else { continue };
            let one = self.current.remove(at);
            let said = "vigia ended before the scan did; what was found until then is kept".to_owned();
            self.close(&one, ScanState::Interrupted, said, found.ok()).await;
        }
        let now = self.now();
        if let Err(error) = self.wiring.store.write(move |db| scans::interrupt(db, now)).await {
            warn!(event = "scan.history", error = %Chain(&error), "scans that were interrupted are said to be so at the next start");
        }
    }

    fn publish(&mut self) {
        for one in &mut self.current {
            let progress = *one.progress.borrow();
            if one.stage_begun.0 != progress.stage {
                one.stage_begun = (progress.stage, Instant::now());
            }
            one.live.left = left(progress, one.stage_begun.1.elapsed()).filter(|_| one.live.begun.is_some());
            one.live.progress = progress;
        }
        let world = self.wiring.worlds.borrow().clone();
        let state = |job: &ScanJob| JobState {
            job: job.clone(),
            next: self.next_of(&world, job),
            last: self.last.get(&job.name).copied().filter(|last| last.id > 0),
        };
        let board = Board {
            live: self.current.iter().map(|one| one.live.clone()).collect(),
            jobs: world.inventory.scans.iter().map(state).collect(),
            turn: self.turn,
        };
        self.board.send_if_modified(|before| {
            let is_other =
                before.live != board.live || before.jobs != board.jobs || before.turn != board.turn;
            if is_other {
                *before = Arc::new(board);
            }
            is_other
        });
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// How long the stage still takes, by how long it took until now.
fn left(progress: Progress, taken: Duration) -> Option<Duration> {
    let (done, total) = (u32::try_from(progress.done).ok()?, u32::try_from(progress.total).ok()?);
    let is_telling = done > 0 && total > done && taken > Duration::from_secs(2);
    is_telling.then(|| taken.mul_f64(f64::from(total - done) / f64::from(done)))
}
