//! What leaves vigia because of an event: takes from the outbox, sends, and writes down what became of it.
//!
//! The outbox on disk is the queue; in memory there is only what is under way. A delivery is marked before its
//! channel hears of it, so a crash sends nothing twice. Nothing is decided here: who is told of what, and when,
//! came with the message.

mod facts;
mod lanes;
mod limit;
mod mail;
mod outcome;
mod post;
mod program;
mod returned;
mod settings;
mod ticket;
mod ways;
mod webhook;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use vigia_core::engine::world::World;
use vigia_core::model::id::Name;
use vigia_core::model::message::Message;
use vigia_core::model::time::Timestamp;

use crate::os::clock::Clock;
use crate::store::outbox::{self, Waiting};
use crate::store::{Store, StoreError};
use crate::telemetry::Chain;

pub use crate::wording::ticket::{
    LABELS as TICKET_LABELS, Letter, Template, letter, mistake as template_mistake,
};
pub use lanes::Dead;
pub use settings::{Mail, Security, Settings, Tools, usual_from};
pub use ticket::preview as preview_ticket;

use lanes::{LaneKey, Lanes};
use limit::Verdict;
use outcome::Outcome;
use post::{Carrier, Origin, Parcel, ParcelKey, Reported};

/// Read from the outbox at once, of one lane.
const AT_ONCE: usize = 16;

/// What may wait in one lane of one contact. Beyond it the oldest have failed: nobody reads so many.
const MOST: usize = 10_000;

/// Messages that the disk did not take and that wait in memory.
const UNKEPT: usize = 10_000;

/// Between two tries to write down what the disk did not take.
const AGAIN: Duration = Duration::from_secs(5);

/// Between two looks when nothing happens; a wake that got lost costs so much.
const IDLE: Duration = Duration::from_secs(30);

/// What ties a deliverer to the rest of the daemon.
pub struct Ends {
    pub worlds: watch::Receiver<Arc<World>>,
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What the disk did not take. Emptied by us; full: the writer keeps the message for later.
    pub unkept: mpsc::Receiver<Message>,
    pub health: watch::Sender<Health>,
}

/// How delivery stands, for pages and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// By the word of the channel, since the start.
    pub sent: HashMap<&'static str, u64>,
    pub failed: HashMap<&'static str, u64>,
    /// Deliveries that are not done yet.
    pub waiting: u64,
    pub oldest: Option<Timestamp>,
    /// Channels that do not work.
    pub dead: Vec<Dead>,
}

/// The task. [`run`](Self::run) is all of it.
pub struct Deliverer {
    store: Store,
    clock: Clock,
    tools: Tools,
    ends: Ends,
    lanes: Lanes,
    tasks: JoinSet<(LaneKey, Reported)>,
    /// Rows under way.
    busy: HashSet<i64>,
    /// What the disk did not take, in the order in which it came.
    memory: VecDeque<Parcel>,
    /// Of those, what is under way.
    in_flight: HashSet<ParcelKey>,
    /// Of those, what is done: when the disk takes them at last, they are not sent again.
    done: HashMap<ParcelKey, Outcome>,
    /// Rows whose outcome the disk did not take; they stay under way until it does.
    unwritten: Vec<Unwritten>,
    next_look: Timestamp,
}

struct Unwritten {
    again: Timestamp,
    parcel: Parcel,
    outcome: Outcome,
}

impl Deliverer {
    pub fn new(store: Store, clock: Clock, tools: Tools, ends: Ends) -> Self {
        let next_look = clock.now();
        Self {
            store,
            clock,
            tools,
            ends,
            lanes: Lanes::default(),
            tasks: JoinSet::new(),
            busy: HashSet::new(),
            memory: VecDeque::new(),
            in_flight: HashSet::new(),
            done: HashMap::new(),
            unwritten: Vec::new(),
            next_look,
        }
    }

    /// Until it is told to stop; what is being sent then is finished, the rest stays in the outbox.
    pub async fn run(mut self, stop: CancellationToken) {
        let post = self.store.post();
        self.settle_interrupted().await;
        self.look().await;
        loop {
            let wake = self.clock.instant(self.next_look);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next() => self.take_back(ended).await,
                Some(message) = self.ends.unkept.recv() => self.keep_in_memory(message),
                Ok(()) = self.ends.settings.changed() => self.begin_afresh().await,
                () = post.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
            self.look().await;
        }
        while let Some(ended) = self.tasks.join_next().await {
            self.take_back(ended).await;
        }
        // The last word on what waits is said of what is left.
        if let Ok(waiting) = self.store.read(outbox::waiting).await {
            self.note(&waiting);
        }
        let lost = self.memory.len();
        if lost > 0 {
            error!(
                event = "notify.lost",
                count = lost,
                "messages that the disk did not take were not sent in time"
            );
        }
    }

    /// What was being sent when vigia was ended: once more where the channel notices a second one, else nobody
    /// knows, and that is shown.
    async fn settle_interrupted(&mut self) {
        let world = self.ends.worlds.borrow().clone();
        let now = self.clock.now();
        let settled = self.store.write(move |connection| {
            let interrupted = outbox::interrupted(connection)?;
            for open in &interrupted {
                if post::is_idempotent(open, &world) {
                    outbox::postpone(connection, open.id, None, "vigia was ended while it was being sent")?;
                } else {
                    let why = "vigia was ended while it was being sent: it may have arrived or not";
                    outbox::end(connection, open.id, outbox::DeliveryStatus::Unknown, now, why)?;
                }
            }
            Ok(interrupted.len())
        });
        match settled.await {
            Ok(0) => {}
            Ok(count) => {
                warn!(event = "notify.interrupted", count, "deliveries were cut off by the last end");
            }
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&self, error: &StoreError) {
        warn!(event = "notify.store", error = %Chain(error), "the outbox does not answer");
    }

    fn keep_in_memory(&mut self, message: Message) {
        for channel in message.channels.clone() {
            if self.memory.len() >= UNKEPT {
                // It is in the writer's backlog all the same, and goes out when the disk is well.
                return;
            }
            let parcel = Parcel {
                origin: Origin::Memory,
                message: message.clone(),
                channel,
                attempts: 0,
                not_before: None,
            };
            let key = parcel.key();
            let is_waiting = self.memory.iter().any(|other| other.is(&key.0, &key.1));
            if !is_waiting && !self.in_flight.contains(&key) && !self.done.contains_key(&key) {
                self.memory.push_back(parcel);
            }
        }
    }

    /// Begins what may begin.
    async fn look(&mut self) {
        let now = self.clock.now();
        self.write_again(now).await;
        self.begin_from_memory(now);
        self.tell_of_tickets().await;
        let waiting = match self.store.read(outbox::waiting).await {
            Ok(waiting) => waiting,
            Err(error) => {
                self.complain(&error);
                self.next_look = now.after(IDLE);
                return;
            }
        };
        self.note(&waiting);
        let contacts: HashSet<&Name> = waiting.iter().map(|lane| &lane.contact).collect();
        let mut held = Vec::new();
        for contact in contacts {
            held.extend(self.hold_back(contact, now).await);
        }
        let mut seen = HashSet::new();
        for lane in &waiting {
            let Some(key) = LaneKey::named(&lane.channel, &lane.contact) else { continue };
            self.shed(lane, now).await;
            if seen.insert(key.clone()) && self.lanes.room(&key, now) > 0 {
                self.begin_from_outbox(&key, now).await;
            }
        }
        let of_rows = waiting.iter().filter_map(|lane| lane.next).filter(|next| *next > now);
        let in_memory = self.memory.iter().filter_map(|parcel| parcel.not_before);
        let unwritten = self.unwritten.iter().map(|one| one.again);
        let ours = in_memory.chain(unwritten).filter(|next| *next > now);
        let next = of_rows.chain(held).chain(ours).chain(self.lanes.next_try(now)).min();
        self.next_look = next.map_or(now.after(IDLE), |next| next.min(now.after(IDLE)));
    }

    /// What happened to tickets becomes messages. What the disk does not take now is told with the next look.
    async fn tell_of_tickets(&self) {
        let (world, settings) = (self.ends.worlds.borrow().clone(), self.ends.settings.borrow().clone());
        loop {
            match ticket::make_messages(&self.store, &world, &settings).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return self.complain(&error),
            }
        }
    }

    fn note(&self, waiting: &[Waiting]) {
        let count = waiting.iter().map(|lane| lane.count).sum::<u64>() + self.memory.len() as u64;
        let in_memory = self.memory.front().map(|parcel| parcel.message.at);
        let oldest = waiting.iter().map(|lane| lane.oldest).chain(in_memory).min();
        let dead = self.lanes.dead();
        self.ends.health.send_if_modified(|health| {
            let is_news = (health.waiting, health.oldest, &health.dead) != (count, oldest, &dead);
            if is_news {
                (health.waiting, health.oldest, health.dead) = (count, oldest, dead);
            }
            is_news
        });
    }

    async fn shed(&mut self, lane: &Waiting, now: Timestamp) {
        if lane.count <= MOST as u64 {
            return;
        }
        let (channel, contact) = (lane.channel.clone(), lane.contact.clone());
        let why = format!("more than {MOST} waited for a channel that does not work");
        let shed = self
            .store
            .write_lightly(move |connection| outbox::shed(connection, &channel, &contact, MOST, now, &why));
        match shed.await {
            Ok(count) => {
                warn!(event = "notify.failed", contact = %lane.contact, channel = lane.channel, count, "too many waited");
            }
            Err(error) => self.complain(&error),
        }
    }

    /// A contact that has had enough for now gets the rest in one summary; until when it waits.
    async fn hold_back(&mut self, contact: &Name, now: Timestamp) -> Option<Timestamp> {
        let world = self.ends.worlds.borrow().clone();
        let limit = world.inventory.contact(contact)?.rate_limit?;
        let (store, name) = (&self.store, contact.clone());
        let judged = store.read(move |connection| limit::judge(connection, &name, limit, &world, now)).await;
        // Too many messages are better than none.
        let verdict = judged.map_err(|error| self.complain(&error)).unwrap_or(Verdict::Free);
        let name = contact.clone();
        let written = match verdict {
            Verdict::Free => return None,
            Verdict::Wait(until) => {
                let why = "the contact's rate limit: told in a summary unless it fits";
                store.write_lightly(move |connection| outbox::hold(connection, &name, until, why)).await
            }
            Verdict::Summarise(single) => {
                store.write(move |connection| limit::summarise(connection, &name, single, now)).await
            }
        };
        if let Err(error) = written {
            self.complain(&error);
        }
        match verdict {
            Verdict::Wait(until) => Some(until),
            Verdict::Free | Verdict::Summarise(_) => None,
        }
    }

    fn begin_from_memory(&mut self, now: Timestamp) {
        let mut kept = VecDeque::new();
        while let Some(parcel) = self.memory.pop_front() {
            let key = LaneKey::of(&parcel.channel, &parcel.message.contact);
            let is_due = parcel.not_before.is_none_or(|next| next <= now);
            if is_due && self.lanes.room(&key, now) > 0 {
                self.in_flight.insert(parcel.key());
                self.begin(key, parcel);
            } else {
                kept.push_back(parcel);
            }
        }
        self.memory = kept;
    }

    async fn begin_from_outbox(&mut self, key: &LaneKey, now: Timestamp) {
        let (channel, contact) = (key.channel, key.contact.clone());
        let limit = AT_ONCE + self.busy.len();
        let due = self
            .store
            .read(move |connection| outbox::due(connection, channel, contact.as_deref(), now, limit));
        let due = match due.await {
            Ok(due) => due,
            Err(error) => return self.complain(&error),
        };
        for open in due {
            if self.lanes.room(key, now) == 0 {
                return;
            }
            let parcel = Parcel {
                origin: Origin::Row(open.id),
                message: open.message,
                channel: open.channel,
                attempts: open.attempts,
                not_before: None,
            };
            if self.in_flight.contains(&parcel.key()) || !self.busy.insert(open.id) {
                continue;
            }
            // The disk took it after all.
            self.memory.retain(|other| !other.is(&parcel.message.id, &parcel.channel));
            self.begin(key.clone(), parcel);
        }
    }

    fn begin(&mut self, key: LaneKey, parcel: Parcel) {
        self.lanes.enter(&key);
        let known = self.done.get(&parcel.key()).cloned();
        let carrier = self.carrier();
        self.tasks.spawn(async move { (key, carrier.carry(parcel, known).await) });
    }

    fn carrier(&self) -> Carrier {
        Carrier {
            store: self.store.clone(),
            world: self.ends.worlds.borrow().clone(),
            settings: self.ends.settings.borrow().clone(),
            tools: self.tools.clone(),
            clock: self.clock.clone(),
        }
    }

    /// What the disk did not take before.
    async fn write_again(&mut self, now: Timestamp) {
        for one in std::mem::take(&mut self.unwritten) {
            let is_due = one.again <= now;
            if is_due && self.carrier().write_down(&one.parcel, &one.outcome).await {
                self.release(&one.parcel);
            } else if is_due {
                self.unwritten.push(Unwritten { again: now.after(AGAIN), ..one });
            } else {
                self.unwritten.push(one);
            }
        }
    }

    fn release(&mut self, parcel: &Parcel) {
        if let Origin::Row(id) = parcel.origin {
            self.busy.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
