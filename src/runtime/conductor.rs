//! The task that owns the engine: inputs in, events out, jobs handed out, worlds published.
//!
//! It decides nothing. It waits for nobody but the store's writer, and handing out a job is a branch of its
//! `select!`, never an `await` inside one: so it and the executor cannot wait for each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vigia_core::engine::world::World;
use vigia_core::engine::{Engine, Input};
use vigia_core::model::check::{CheckResult, Job};
use vigia_core::model::event::Event;
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::operation::{Order, Refusal};
use vigia_core::model::time::Timestamp;

use super::inbox::{Done, Message, NotDone};
use super::log;
use super::meters::Meters;
use crate::os::clock::Clock;
use crate::os::systemd;

/// Inputs folded in, and jobs handed out, before anything else gets its turn.
const BATCH: usize = 256;
/// The shortest time between two worlds, unless a person acted.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
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
    /// Emptied by the store's writer. Full: the conductor waits, so nothing is lost. Hence the writer never
    /// waits for the inbox.
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
    is_changed: bool,
    publish_at: Instant,
    /// Until the executor is gone.
    hands_out: bool,
}

impl Conductor {
    pub fn new(engine: Engine, wiring: Wiring) -> Self {
        Self {
            engine,
            wiring,
            events: Vec::new(),
            orders: Vec::new(),
            is_changed: true,
            publish_at: Instant::now(),
            hands_out: true,
        }
    }

    /// Runs until told to stop, then empties its inbox and gives the world as it then is. Once the executor
    /// is gone it hands out nothing more, and still takes what comes in.
    pub async fn run(mut self, stop: CancellationToken) -> Arc<World> {
        let jobs = self.wiring.jobs.clone();
        let mut pulse = interval(systemd::alive_every().map_or(PULSE, |every| every.min(PULSE)));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.engine.next_due().map(|at| self.wiring.clock.instant(at));
            tokio::select! {
                () = stop.cancelled() => break,
                Some(first) = self.wiring.inbox.recv() => self.take(first),
                room = room_for_due(&jobs, due), if self.hands_out => match room {
                    Some(room) => self.hand_out(room, &jobs),
                    None => self.hands_out = false,
                },
                () = sleep_until(self.publish_at), if self.is_changed || !self.events.is_empty() => self.publish().await,
                _ = pulse.tick() => self.pulse(),
            }
            if !self.orders.is_empty() {
                self.publish().await;
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
            Message::Submitted(results, answer) => {
                let refusals =
                    results.into_iter().map(|result| self.fold_result(result, now).err()).collect();
                // Nobody may be waiting for it any more.
                answer.send(refusals).ok();
            }
            Message::Order(order, answer) => self.fold_order(order, answer, now),
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

    fn fold_order(&mut self, order: Order, answer: oneshot::Sender<Result<Done, NotDone>>, now: Timestamp) {
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
        self.publish_at = Instant::now();
        answer.send(self.events.get(before..).unwrap_or_default().to_vec()).ok();
    }

    /// Hands out what is due: the first into `room`, more while there is room without waiting.
    fn hand_out(&mut self, room: mpsc::Permit<'_, Job>, jobs: &mpsc::Sender<Job>) {
        let now = self.wiring.clock.now();
        if self.engine.next_timer().is_some_and(|at| at <= now) {
            // A tick is never refused.
            self.engine.step(Input::Tick, now, &mut self.events).ok();
            self.is_changed = true;
        }
        let Some(first) = self.engine.take_due(now) else { return };
        room.send(first);
        for _ in 1..BATCH {
            let Ok(room) = jobs.try_reserve() else { return };
            let Some(job) = self.engine.take_due(now) else { return };
            room.send(job);
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

    /// Shows readers and the store the world as it is.
    async fn publish(&mut self) {
        let world = Arc::new(self.engine.world().clone());
        let events: Arc<[Event]> = std::mem::take(&mut self.events).into();
        self.is_changed = false;
        self.publish_at = Instant::now() + PUBLISH_EVERY;
        self.wiring.meters.publications.inc();
        self.wiring.worlds.send_replace(world.clone());
        if !events.is_empty() {
            events.iter().for_each(log::event);
            // Nobody may be listening.
            self.wiring.events.send(events.clone()).ok();
        }
        let batch = Batch { events, world, orders: std::mem::take(&mut self.orders) };
        if let Err(mpsc::error::SendError(batch)) = self.wiring.batches.send(batch).await {
            for kept in batch.orders {
                (kept.answer)(Err(
                    "the store has ended: this is in effect, but will be lost at the next start".into(),
                ));
            }
        }
    }

    async fn drain(mut self) -> Arc<World> {
        // Whoever sends from now on is told that we are stopping.
        self.wiring.inbox.close();
        while let Some(message) = self.wiring.inbox.recv().await {
            self.take(message);
            if !self.orders.is_empty() {
                self.publish().await;
            }
        }
        self.publish().await;
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
