//! Jobs in, results out: runs checks side by side within the limits, and tells when it cannot keep up.
//!
//! How a check is made is a closure that the caller gives ([`Look`]); so the limits, the lateness and the
//! panics can be tested without a network.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hashbrown::HashMap;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use vigia_core::model::check::{CheckResult, Job, Output, Source, Verdict};
use vigia_core::model::id::{Name, ObjectKey};
use vigia_core::model::state::{Condition, State};

use super::inbox::Message;
use super::meters::{KindMeters, Meters};
use super::places::{Limits, Overload, Places};
use super::plugin::Answer;
use crate::os::clock::Clock;
use crate::os::process::{Leftover, Processes};

/// Ended checks that wait for the executor to notice. Full: they wait, and keep their places.
const ENDED: usize = 4096;
/// Taken from a channel at once.
const BATCH: usize = 256;
/// So late may the head of a line be before it is called an overload.
const PATIENCE: Duration = Duration::from_secs(5);
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Beyond a check's own deadline, for one that does not keep it.
const OVERTIME: Duration = Duration::from_secs(5);

/// Makes one check.
pub type Look = Arc<dyn for<'a> Fn(&'a Job) -> BoxFuture<'a, Answer> + Send + Sync>;

/// What the executor is doing; told once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub running: usize,
    pub waiting: usize,
    /// Kinds that cannot keep up, and so are checked less often than they should.
    pub overloads: Vec<Overload>,
    /// Objects whose last plugin cannot be ended; they are not checked until it is.
    pub parked: usize,
}

/// What the executor needs from others.
pub struct Wiring {
    /// Filled by the conductor. Full: checks start late, and their latency shows it.
    pub jobs: mpsc::Receiver<Job>,
    /// The conductor's inbox. Full: the check waits in its place.
    pub results: mpsc::Sender<Message>,
    pub limits: watch::Receiver<Limits>,
    pub load: watch::Sender<Load>,
    pub look: Look,
    /// Whose plugins are counted.
    pub processes: Processes,
    pub clock: Clock,
    pub meters: Arc<Meters>,
}

pub struct Executor {
    wiring: Wiring,
    places: Places,
    /// Filled by the checks' own tasks, emptied here, which waits for nobody.
    ended: mpsc::Receiver<Ended>,
    endings: mpsc::Sender<Ended>,
    parked: HashMap<ObjectKey, Parked>,
    kinds: HashMap<&'static str, KindMeters>,
    overloaded: Vec<&'static str>,
    tracker: TaskTracker,
    /// Ends the checks that run, at once.
    halt: CancellationToken,
}

/// An object whose plugin is being ended.
struct Parked {
    since: Instant,
    /// Due meanwhile: it runs when the plugin is gone.
    waiting: Option<Job>,
}

/// So long it takes at most to end what can be ended; then a check that waits for it is answered.
const ENDING: Duration = Duration::from_secs(8);

enum Ended {
    Check {
        kind: &'static str,
        host: Name,
        leftover: Option<(ObjectKey, Leftover)>,
    },
    /// The processes of a plugin past its deadline are gone.
    Gone(ObjectKey),
}

impl Executor {
    pub fn new(wiring: Wiring) -> Self {
        let (endings, ended) = mpsc::channel(ENDED);
        let places = Places::new(wiring.limits.borrow().clone());
        Self {
            wiring,
            places,
            ended,
            endings,
            parked: HashMap::new(),
            kinds: HashMap::new(),
            overloaded: Vec::new(),
            tracker: TaskTracker::new(),
            halt: CancellationToken::new(),
        }
    }

    /// Runs until told to stop; then waits up to `grace` for the checks that run, and ends those that still do.
    /// Gives how many these were.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) -> usize {
        let mut second = interval(REPORT_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut jobs, mut ended) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                count = self.wiring.jobs.recv_many(&mut jobs, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    jobs.drain(..).for_each(|job| self.take(job));
                }
                _ = self.ended.recv_many(&mut ended, BATCH) => {
                    ended.drain(..).for_each(|ended| self.note_end(ended));
                }
                Ok(()) = self.wiring.limits.changed() => {
                    let limits = self.wiring.limits.borrow_and_update().clone();
                    self.places.set_limits(limits);
                }
                _ = second.tick() => self.report(),
            }
            while let Some(job) = self.places.next() {
                self.start(job);
            }
        }
        self.drain(grace).await
    }

    fn take(&mut self, job: Job) {
        match self.parked.get_mut(&job.key()) {
            None => self.places.line_up(job),
            Some(parked) => parked.waiting = Some(job),
        }
        self.refuse_unkillable();
    }

    /// Checks that wait for a plugin that does not go away say so.
    fn refuse_unkillable(&mut self) {
        let is_late = |parked: &Parked| parked.since.elapsed() >= ENDING;
        let late = self.parked.values_mut().filter(|parked| is_late(parked));
        let jobs: Vec<Job> = late.filter_map(|parked| parked.waiting.take()).collect();
        for job in jobs {
            self.refuse(&job);
        }
    }

    fn refuse(&self, job: &Job) {
        let results = self.wiring.results.clone();
        let now = self.wiring.clock.now();
        let text = "(the plugin of the last check was killed and is still there, as in a system call that does not \
                    return; it is not started again)";
        let result = CheckResult {
            key: job.key(),
            place: Some((job.object, job.generation)),
            verdict: Verdict::TimedOut,
            output: Output::line(text),
            started: now,
            finished: now,
            latency: now.since(job.due),
            source: Source::Active,
        };
        self.tracker.spawn(async move {
            // An error says that nobody takes results any more.
            results.send(Message::Result(result)).await.ok();
        });
    }

    fn start(&mut self, job: Job) {
        let meters = self.kind(job.check.kind);
        let run = Run {
            look: self.wiring.look.clone(),
            clock: self.wiring.clock.clone(),
            results: self.wiring.results.clone(),
            endings: self.endings.clone(),
            all: self.wiring.meters.clone(),
            meters,
            halt: self.halt.clone(),
        };
        self.tracker.spawn(run.check(job));
    }

    fn note_end(&mut self, ended: Ended) {
        match ended {
            Ended::Check { kind, host, leftover } => {
                self.places.leave(kind, &host);
                if let Some((key, leftover)) = leftover {
                    self.park(key, leftover);
                }
            }
            Ended::Gone(key) => {
                if let Some(job) = self.parked.remove(&key).and_then(|parked| parked.waiting) {
                    self.places.line_up(job);
                }
            }
        }
    }

    /// Until its processes are gone, an object is not checked again: they would pile up.
    fn park(&mut self, key: ObjectKey, leftover: Leftover) {
        self.parked.insert(key.clone(), Parked { since: Instant::now(), waiting: None });
        let endings = self.endings.clone();
        self.tracker.spawn(async move {
            leftover.gone().await;
            // An error says that the executor is gone.
            endings.send(Ended::Gone(key)).await.ok();
        });
    }

    fn kind(&mut self, kind: &'static str) -> KindMeters {
        let meters = &self.wiring.meters;
        self.kinds.entry(kind).or_insert_with(|| meters.of_kind(kind)).clone()
    }

    /// Tells how busy we are; an overload when it begins and when it ends.
    fn report(&mut self) {
        self.refuse_unkillable();
        let overloads = self.places.overloads(PATIENCE, self.wiring.clock.now());
        for new in overloads.iter().filter(|new| !self.overloaded.contains(&new.kind)) {
            warn!(
                event = "executor.overloaded",
                check = new.kind,
                count = new.waiting,
                latency = ?new.behind,
                "more checks of this kind are due than {} at a time can run: all of them are checked less often. hint: concurrency in vigia.yaml, or longer intervals",
                new.limit
            );
        }
        for kind in self.overloaded.iter().filter(|old| !overloads.iter().any(|now| now.kind == **old)) {
            info!(event = "executor.relieved", check = kind, "checks of this kind start on time again");
        }
        self.overloaded = overloads.iter().map(|overload| overload.kind).collect();
        let load = Load {
            running: self.places.running(),
            waiting: self.places.waiting(),
            overloads,
            parked: self.parked.len(),
        };
        self.wiring.meters.checks_running.set(gauge(load.running));
        self.wiring.meters.checks_waiting.set(gauge(load.waiting));
        let processes = |state| self.wiring.meters.processes.with_label_values(&[state]);
        processes("running").set(gauge(self.wiring.processes.running()));
        processes("killing").set(gauge(self.wiring.processes.killing()));
        self.wiring.load.send_replace(load);
    }

    async fn drain(mut self, grace: Duration) -> usize {
        // Never started: they are due again after the next start.
        drop(self.places.take_waiting());
        self.tracker.close();
        let in_time = timeout(grace, self.all_ended()).await.is_ok();
        let unfinished = self.places.running();
        self.halt.cancel();
        if !in_time {
            self.all_ended().await;
        }
        unfinished
    }

    async fn all_ended(&mut self) {
        while self.places.running() > 0 {
            let Some(ended) = self.ended.recv().await else { return };
            self.note_end(ended);
        }
    }
}

/// What one check's own task needs.
struct Run {
    look: Look,
    clock: Clock,
    results: mpsc::Sender<Message>,
    endings: mpsc::Sender<Ended>,
    all: Arc<Meters>,
    meters: KindMeters,
    halt: CancellationToken,
}

impl Run {
    async fn check(self, job: Job) {
        let started = self.clock.now();
        let Some(answer) = self.halt.run_until_cancelled(self.look(&job)).await else {
            self.endings
                .send(Ended::Check { kind: job.check.kind, host: job.host, leftover: None })
                .await
                .ok();
            return;
        };
        let finished = self.clock.now();
        let latency = started.since(job.due);
        self.meters.count(rough_state(answer.verdict), finished.since(started), latency);
        let key = job.key();
        let result = CheckResult {
            key: key.clone(),
            place: Some((job.object, job.generation)),
            verdict: answer.verdict,
            output: answer.output,
            started,
            finished,
            latency,
            source: Source::Active,
        };
        // Errors say that nobody listens any more: the daemon ends.
        self.results.send(Message::Result(result)).await.ok();
        let leftover = answer.leftover.map(|leftover| (key, leftover));
        self.endings.send(Ended::Check { kind: job.check.kind, host: job.host, leftover }).await.ok();
    }

    /// A mistake of ours in one check is a result that says so, and ends nothing else.
    async fn look(&self, job: &Job) -> Answer {
        let looked = AssertUnwindSafe((self.look)(job)).catch_unwind();
        match timeout(job.check.timeout + OVERTIME, looked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => {
                self.all.check_panics.inc();
                let why = panic_text(&*panic);
                error!(event = "check.failed", host = %job.host, service = ?job.service, check = job.check.kind, error = why, "a check failed by a mistake in vigia; please report it");
                let text = format!("({} check failed by a mistake in vigia: {why})", job.check.kind);
                Answer::new(Verdict::State(State::Unknown), Output::line(text))
            }
            Err(_elapsed) => {
                let text = format!("(no answer within {:.2} seconds)", job.check.timeout.as_secs_f64());
                Answer::new(Verdict::TimedOut, Output::line(text))
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

/// For counting; what it means for the object is the engine's to say.
fn rough_state(verdict: Verdict) -> State {
    match verdict {
        Verdict::State(state) => state,
        Verdict::Exit(code) => {
            u8::try_from(code).ok().and_then(State::from_number).unwrap_or(State::Critical)
        }
        Verdict::TimedOut | Verdict::Abnormal => State::Critical,
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("places", &self.places).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
