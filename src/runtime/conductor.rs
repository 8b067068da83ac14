//! The task that owns the engine: inputs in, events out, jobs handed out, worlds published.
//!
//! It decides nothing and waits for nobody: handing out a job, and a batch to the store, are branches of its
//! `select!`, never an `await` inside one. While the store does not take anything, what is to be saved is merged
//! ([`Unsaved`]); when too much of it waits, checks pause rather than that something is lost.

mod unsaved;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigia_core::engine::world::World;
use vigia_core::engine::{Engine, Input};
use vigia_core::model::check::{CheckResult, Job};
use vigia_core::model::event::Event;
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::operation::{Order, Refusal};
use vigia_core::model::time::Timestamp;

use self::unsaved::Unsaved;
use super::inbox::{Done, Message, NotDone, Refusals};
use super::log;
use super::meters::Meters;
use crate::os::clock::Clock;
use crate::os::systemd;

/// Inputs folded in, and jobs handed out, before anything else gets its turn.
const BATCH: usize = 256;
/// The shortest time between two worlds, unless a person acted.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// The same while somebody waits to hear that handed-in results are shown: a script that hands in one after the
/// other waits this long for each.
const PUBLISH_SOON: Duration = Duration::from_millis(10);
/// Events that may wait for the store before checks pause; a busy site makes as many in hours.
pub const MOST_UNSAVED: usize = if cfg!(test) { 100 } else { 100_000 };
/// How often the clock is compared with the system's, where no watchdog asks for less.
const PULSE: Duration = Duration::from_secs(1);

/// What the store is given: everything since the last time, and the world after it.
pub struct Batch {
    pub events: Arc<[Event]>,
    pub world: Arc<World>,
    pub orders: Vec<Kept>,
}

/// An order in effect, to be answered when it is on the disk.
pub struct Kept {
    pub at: Timestamp,
    pub order: Order,
    /// Called once; an error says, for people, that it is not on the disk.
    pub answer: Box<dyn FnOnce(Result<(), String>) + Send>,
}

/// What the conductor needs from others.
pub struct Wiring {
    /// Filled by the executor and by every door. Full: the sender waits.
    pub inbox: mpsc::Receiver<Message>,
    /// Emptied by the executor. Full: checks start late, and latency shows it.
    pub jobs: mpsc::Sender<Job>,
    /// Emptied by the store's writer. Full: batches are merged until there is room, so nothing is lost.
    pub batches: mpsc::Sender<Batch>,
    pub worlds: watch::Sender<Arc<World>>,
    /// A reader that is too slow loses events and is told so.
    pub events: broadcast::Sender<Arc<[Event]>>,
    pub clock: Clock,
    pub meters: Arc<Meters>,
}

pub struct Conductor {
    engine: Engine,
    wiring: Wiring,
    /// Since the last publication.
    events: Vec<Event>,
    orders: Vec<Kept>,
    /// Told once the world that shows what they wait for is published.
    answers: Vec<Box<dyn FnOnce() + Send>>,
    unsaved: Unsaved,
    is_changed: bool,
    /// A person acted, or a configuration came: the next world is not put off.
    is_urgent: bool,
    published_at: Instant,
    publish_at: Instant,
    /// Until the executor is gone.
    hands_out: bool,
    /// Until the store is gone.
    saves: bool,
    /// Too much is unsaved; said once.
    is_paused: bool,
}

impl Conductor {
    pub fn new(engine: Engine, wiring: Wiring) -> Self {
        Self {
            engine,
            wiring,
            events: Vec::new(),
            orders: Vec::new(),
            answers: Vec::new(),
            unsaved: Unsaved::default(),
            is_changed: true,
            is_urgent: false,
            published_at: Instant::now(),
            publish_at: Instant::now(),
            hands_out: true,
            saves: true,
            is_paused: false,
        }
    }

    /// Runs until told to stop, then empties its inbox and gives the world as it then is. Once the executor
    /// is gone it hands out nothing more, and still takes what comes in.
    pub async fn run(mut self, stop: CancellationToken) -> Arc<World> {
        let (jobs, batches) = (self.wiring.jobs.clone(), self.wiring.batches.clone());
        let mut pulse = interval(systemd::alive_every().map_or(PULSE, |every| every.min(PULSE)));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.engine.next_due().map(|at| self.wiring.clock.instant(at));
            tokio::select! {
                () = stop.cancelled() => break,
                Some(first) = self.wiring.inbox.recv() => self.take(first),
                room = room_for_due(&jobs, due), if self.hands_out && !self.is_paused => match room {
                    Some(room) => self.hand_out(room, &jobs),
                    None => self.hands_out = false,
                },
                room = batches.reserve(), if !self.unsaved.is_empty() => self.hand_to_store(room),
                () = sleep_until(self.publish_at), if self.is_changed || !self.events.is_empty() => self.publish(),
                _ = pulse.tick() => self.pulse(),
            }
            if self.is_urgent {
                self.publish();
            }
        }
        self.drain().await
    }

    /// Folds in `first` and whatever else has already arrived.
    fn take(&mut self, first: Message) {
        let now = self.wiring.clock.now();
        self.fold(first, now);
        for _ in 1..BATCH {
            let Ok(next) = self.wiring.inbox.try_recv() else { break };
            self.fold(next, now);
        }
    }

    fn fold(&mut self, message: Message, now: Timestamp) {
        self.is_changed = true;
        match message {
            Message::Result(result) => drop(self.fold_result(result, now)),
            Message::Submitted(results, answer) => self.fold_submitted(results, answer, now),
            Message::Order(order, answer) => self.fold_order(order, answer, now),
            Message::Recall(head) => {
                // The engine refuses no head.
                self.engine.step(Input::Recall(*head), now, &mut self.events).ok();
            }
            Message::Reload(inventory, answer) => self.fold_reload(inventory, answer, now),
        }
    }

    fn fold_result(&mut self, result: CheckResult, now: Timestamp) -> Result<(), Refusal> {
        let folded = self.engine.step(Input::Result(result), now, &mut self.events);
        if folded.is_err() {
            self.wiring.meters.results_refused.inc();
        }
        folded
    }

    fn fold_submitted(
        &mut self,
        results: Vec<CheckResult>,
        answer: oneshot::Sender<Result<Refusals, NotDone>>,
        now: Timestamp,
    ) {
        // Whoever asked may have gone, here and below.
        if self.is_paused {
            answer.send(Err(self.too_much_unsaved())).ok();
            return;
        }
        let refusals = results.into_iter().map(|result| self.fold_result(result, now).err()).collect();
        self.answers.push(Box::new(move || drop(answer.send(Ok(refusals)))));
        self.publish_at = self.publish_at.min(self.published_at + PUBLISH_SOON);
    }

    fn fold_order(&mut self, order: Order, answer: oneshot::Sender<Result<Done, NotDone>>, now: Timestamp) {
        if self.is_paused {
            answer.send(Err(self.too_much_unsaved())).ok();
            return;
        }
        let before = self.events.len();
        let folded = self.engine.step(Input::Order(order.clone()), now, &mut self.events);
        if let Err(refusal) = folded {
            answer.send(Err(refusal.into())).ok();
            return;
        }
        let events = self.events.get(before..).unwrap_or_default().to_vec();
        let answer = Box::new(move |kept: Result<(), String>| {
            // Whoever asked may have gone; the order is in effect all the same.
            answer.send(kept.map(|()| Done { events }).map_err(NotDone::NotKept)).ok();
        });
        self.orders.push(Kept { at: now, order, answer });
        self.is_urgent = true;
    }

    fn fold_reload(
        &mut self,
        inventory: SharedInventory,
        answer: oneshot::Sender<Vec<Event>>,
        now: Timestamp,
    ) {
        let before = self.events.len();
        // The engine refuses no inventory.
        self.engine.step(Input::Reload(inventory), now, &mut self.events).ok();
        let events = self.events.get(before..).unwrap_or_default().to_vec();
        // Nobody may be waiting for it any more.
        self.answers.push(Box::new(move || drop(answer.send(events))));
        self.is_urgent = true;
    }

    fn too_much_unsaved(&self) -> NotDone {
        let count = self.unsaved.events();
        NotDone::Unavailable(format!(
            "not done: the store takes nothing and {count} events wait for it; see to the disk of the state folder and try again"
        ))
    }

    /// Hands out what is due: the first into `room`, more while there is room without waiting.
    fn hand_out(&mut self, room: mpsc::Permit<'_, Job>, jobs: &mpsc::Sender<Job>) {
        let now = self.wiring.clock.now();
        if self.engine.next_timer().is_some_and(|at| at <= now) {
            // A tick is never refused.
            self.engine.step(Input::Tick, now, &mut self.events).ok();
            self.is_changed = true;
        }
        if let Some(first) = self.engine.take_due(now) {
            room.send(first);
            for _ in 1..BATCH {
                let Ok(room) = jobs.try_reserve() else { break };
                let Some(job) = self.engine.take_due(now) else { break };
                room.send(job);
            }
        }
        if self.engine.was_touched() {
            // What followed from it is told with a step; a tick is never refused.
            self.engine.step(Input::Tick, now, &mut self.events).ok();
            self.is_changed = true;
        }
    }

    /// Once a second, or as often as the watchdog wants: we are alive, and the clock is right.
    fn pulse(&mut self) {
        if let Some(jump) = self.wiring.clock.follow() {
            let now = self.wiring.clock.now();
            self.wiring.meters.clock_jumps.inc();
            warn!(
                event = "clock.jumped",
                duration = ?Duration::from_micros(jump.micros.unsigned_abs()),
                "the system's clock was set {}; planned checks move along",
                if jump.micros > 0 { "forward" } else { "back" }
            );
            self.engine.shift(jump.micros, now);
            self.is_changed = true;
        }
        let meters = &self.wiring.meters;
        meters.conductor_alive.set(self.wiring.clock.now().as_seconds_f64());
        meters.inbox_length.set(i64::try_from(self.wiring.inbox.len()).unwrap_or(i64::MAX));
        systemd::alive();
    }

    /// Shows readers the world as it is, and puts it down for the store.
    fn publish(&mut self) {
        let world = Arc::new(self.engine.world().clone());
        let events: Arc<[Event]> = std::mem::take(&mut self.events).into();
        (self.is_changed, self.is_urgent) = (false, false);
        self.published_at = Instant::now();
        self.publish_at = self.published_at + PUBLISH_EVERY;
        self.wiring.meters.publications.inc();
        self.wiring.worlds.send_replace(world.clone());
        if !events.is_empty() {
            events.iter().for_each(log::event);
            // Nobody may be listening.
            self.wiring.events.send(events.clone()).ok();
        }
        self.answers.drain(..).for_each(|told| told());
        self.unsaved.add(events, world, std::mem::take(&mut self.orders));
        let batches = self.wiring.batches.clone();
        match batches.try_reserve() {
            Err(mpsc::error::TrySendError::Full(())) => self.note_unsaved(),
            Ok(room) => self.hand_to_store(Ok(room)),
            Err(mpsc::error::TrySendError::Closed(())) => self.hand_to_store(Err(mpsc::error::SendError(()))),
        }
    }

    fn hand_to_store(&mut self, room: Result<mpsc::Permit<'_, Batch>, mpsc::error::SendError<()>>) {
        let Some(batch) = self.unsaved.take() else { return };
        match room {
            Ok(room) => room.send(batch),
            Err(mpsc::error::SendError(())) => {
                if std::mem::replace(&mut self.saves, false) {
                    error!(event = "store.ended", "nothing is saved any more");
                }
                for kept in batch.orders {
                    let text = "the store has ended: this is in effect, but will be lost at the next start";
                    (kept.answer)(Err(text.to_owned()));
                }
            }
        }
        self.note_unsaved();
    }

    /// Says when checks pause, and when they go on.
    fn note_unsaved(&mut self) {
        let count = self.unsaved.events();
        self.wiring.meters.unsaved_events.set(i64::try_from(count).unwrap_or(i64::MAX));
        let is_paused = count >= MOST_UNSAVED;
        if is_paused == std::mem::replace(&mut self.is_paused, is_paused) {
            return;
        }
        self.wiring.meters.checks_paused.set(i64::from(is_paused));
        if is_paused {
            error!(
                event = "checks.paused",
                count, "checks pause: the store takes nothing, and more events than these would be lost"
            );
        } else {
            warn!(event = "checks.resumed", "the store takes events again; checks go on");
        }
    }

    async fn drain(mut self) -> Arc<World> {
        // Whoever sends from now on is told that we are stopping.
        self.wiring.inbox.close();
        while let Some(message) = self.wiring.inbox.recv().await {
            self.take(message);
            if self.is_urgent {
                self.publish();
            }
        }
        self.publish();
        if !self.unsaved.is_empty() {
            // As long as we are let: whoever stops us has a limit, and says what is lost.
            let batches = self.wiring.batches.clone();
            self.hand_to_store(batches.reserve().await);
        }
        info!(event = "conductor.ended", "every result is folded in");
        self.wiring.worlds.borrow().clone()
    }
}

/// Waits until something is due and there is room for it.
async fn room_for_due(jobs: &mpsc::Sender<Job>, due: Option<Instant>) -> Option<mpsc::Permit<'_, Job>> {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
    // An error says that the executor is gone.
    jobs.reserve().await.ok()
}

impl std::fmt::Debug for Conductor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conductor").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
