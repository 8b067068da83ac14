//! The one writer: a thread that turns batches and acts into transactions.
//!
//! It waits for nobody but the disk. When the disk fails it goes on taking what comes, tells persons that
//! nothing was saved, keeps a bounded number of events for later and counts the rest; statuses need no such
//! care, since they are compared with what was last saved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, ffi};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use vigia_core::engine::world::World;
use vigia_core::model::event::{Event, What};
use vigia_core::model::message::Message;
use vigia_core::model::operation::Order;
use vigia_core::model::time::Timestamp;

use crate::os::clock::Clock;

use super::error::{NotKept, is_of_the_disk};
use super::health::{Failing, StoreHealth};
use super::prune::Pruner;
use super::status::{Fresh, Saved};
use super::{audit, events, reconcile};

/// All that happened since the last publication, and the world after it: one transaction, so that after a
/// crash events and statuses never contradict each other.
pub struct Batch {
    pub events: Arc<[Event]>,
    pub world: Arc<World>,
    /// Orders the engine took; answered after the commit.
    pub orders: Vec<Accepted>,
}

/// An order that took effect, and who waits to hear that it is on the disk.
pub struct Accepted {
    pub at: Timestamp,
    pub order: Order,
    pub answer: Answer,
}

/// Called once, after the commit or after it failed. Must not block.
pub type Answer = Box<dyn FnOnce(Result<(), NotKept>) + Send>;

/// Something other than the engine's events to write: users, sessions, audit. Its own savepoint: what it
/// refuses does not harm the others of the transaction.
pub(super) struct Act {
    pub(super) work: ActWork,
    /// What a person did is on the platter before it is answered; a session's last sight may wait.
    pub(super) is_weighty: bool,
}

/// Says whether it worked; its answer is called with what became of the transaction. None: no transaction could
/// begin, and the answer is all that is left to do.
pub(super) type ActWork = Box<dyn FnOnce(Option<&Connection>) -> (bool, Answer) + Send>;

/// Where a transaction stops taking more.
const STATEMENTS: usize = 2_000;

/// Events kept for a disk that will be well again; a busy site makes as many in hours.
const BACKLOG: usize = if cfg!(test) { 1_000 } else { 100_000 };

/// How long a failing disk is left alone when nothing new comes in.
const RETRY: Duration = Duration::from_secs(1);

/// Where nothing happened but checks going on as before, statuses are written this long after the last commit at
/// the soonest. With the wait for the publication of the world, a crash loses less than a second of them.
const STEADY: Duration = Duration::from_millis(800);

/// How often an idle writer looks for something to prune.
const IDLE: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Emptied by us. Full: the conductor merges what is to come, so nothing is lost.
    pub(super) batches: mpsc::Receiver<Batch>,
    /// Emptied by us. Full: the door's request waits.
    pub(super) acts: mpsc::Receiver<Act>,
    pub(super) saved: Saved,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) pruner: Pruner,
    pub(super) stop: CancellationToken,
    pub(super) clock: Clock,
    outlet: Outlet,
    backlog: Backlog,
    /// Events were lost: the records of the file may contradict the world.
    is_torn: bool,
    is_full_sync: bool,
    last_attempt: Option<Instant>,
}

/// What a failed transaction left to do.
#[derive(Default)]
struct Backlog {
    events: VecDeque<Event>,
    audit: VecDeque<audit::Act>,
    world: Option<Arc<World>>,
}

/// What goes into one transaction.
#[derive(Default)]
struct Group {
    events: Vec<Arc<[Event]>>,
    world: Option<Arc<World>>,
    orders: Vec<Accepted>,
    acts: Vec<Act>,
    statements: usize,
}

impl Group {
    fn add_batch(&mut self, batch: Batch) {
        self.statements += batch.events.len() + batch.orders.len();
        if !batch.events.is_empty() {
            self.events.push(batch.events);
        }
        self.world = Some(batch.world);
        self.orders.extend(batch.orders);
    }

    fn add_act(&mut self, act: Act) {
        self.statements += 1;
        self.acts.push(act);
    }

    /// How much longer it may gather. Whatever happened or was done by somebody is written at once, and every
    /// status with it; statuses alone wait for company.
    fn may_wait(&self, since_last: Option<Duration>) -> Option<Duration> {
        let is_steady = self.statements == 0 && self.world.is_some();
        let rest = STEADY.checked_sub(since_last?).filter(|rest| !rest.is_zero());
        rest.filter(|_| is_steady)
    }

    fn is_weighty(&self) -> bool {
        !self.orders.is_empty() || self.acts.iter().any(|act| act.is_weighty)
    }
}

/// Everything a writer is made of that its maker has to hand.
pub(super) struct Parts {
    pub(super) connection: Connection,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) acts: mpsc::Receiver<Act>,
    pub(super) base: Arc<World>,
    pub(super) health: watch::Sender<StoreHealth>,
    pub(super) pruner: Pruner,
    pub(super) stop: CancellationToken,
    pub(super) clock: Clock,
    pub(super) outlet: Outlet,
}

/// The way to whoever delivers messages.
pub(super) struct Outlet {
    pub(super) post: Arc<Notify>,
    /// Emptied by the deliverer. Full: the message stays in the backlog and goes out when the disk is well.
    pub(super) unkept: mpsc::Sender<Message>,
}

impl Outlet {
    fn tell_of(&self, events: &[Arc<[Event]>]) {
        if messages(events).next().is_some() || is_of_tickets(events) {
            self.post.notify_one();
        }
    }

    /// What the disk did not take is told all the same.
    fn hand_over(&self, events: &[Arc<[Event]>]) {
        for message in messages(events) {
            if self.unkept.try_send(message.clone()).is_err() {
                warn!(event = "notify.held", contact = %message.contact, "waits until the disk takes it");
            }
        }
    }
}

/// The deliverer makes the mail of it.
fn is_of_tickets(events: &[Arc<[Event]>]) -> bool {
    events.iter().flat_map(|events| events.iter()).any(|event| {
        matches!(
            event.what,
            What::TicketOpened { .. }
                | What::TicketReopened { .. }
                | What::TicketNoted { .. }
                | What::TicketEdited { .. }
        )
    })
}

fn messages(events: &[Arc<[Event]>]) -> impl Iterator<Item = &Message> {
    events.iter().flat_map(|events| events.iter()).filter_map(|event| match &event.what {
        What::Notified(message) | What::ActionDue(message) => Some(message),
        _ => None,
    })
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { connection, batches, acts, base, health, pruner, stop, clock, outlet } = parts;
        let saved = Saved::new(base);
        Self {
            connection,
            batches,
            acts,
            saved,
            health,
            pruner,
            stop,
            clock,
            outlet,
            backlog: Backlog::default(),
            is_torn: false,
            is_full_sync: false,
            last_attempt: None,
        }
    }

    /// Until it is told to stop; then what is still queued is written and the file is closed tidily.
    pub(super) fn run(mut self) {
        let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let waiting = waiting.expect("a runtime without I/O needs no system resource");
        loop {
            let (group, is_last) = waiting.block_on(self.next());
            self.is_busy(true);
            self.commit(group);
            if is_last {
                break;
            }
            self.prune();
            self.is_busy(false);
        }
        self.close();
    }

    /// Says that we are with the disk, which may keep us for ever; whoever wonders looks by the clock.
    fn is_busy(&self, is_busy: bool) {
        self.health.send_if_modified(|health| {
            health.busy_since = is_busy.then(Instant::now);
            false
        });
    }

    /// Waits for something to do and takes along what else has already arrived.
    async fn next(&mut self) -> (Group, bool) {
        let mut group = Group::default();
        let mut patience = if self.backlog.is_empty() { self.pruner.patience().min(IDLE) } else { RETRY };
        loop {
            let is_last = tokio::select! {
                biased;
                Some(batch) = self.batches.recv() => { group.add_batch(batch); false }
                Some(act) = self.acts.recv() => { group.add_act(act); false }
                () = self.stop.cancelled() => true,
                () = tokio::time::sleep(patience) => false,
            };
            self.take_along(&mut group, is_last);
            let rest = group.may_wait(self.last_attempt.map(|last| last.elapsed()));
            // Who is behind with pruning goes on with it between commits.
            match rest.filter(|rest| !is_last && *rest < self.pruner.patience()) {
                Some(rest) => patience = rest,
                None => return (group, is_last),
            }
        }
    }

    fn take_along(&mut self, group: &mut Group, is_last: bool) {
        while is_last || group.statements < STATEMENTS {
            match (self.batches.try_recv(), self.acts.try_recv()) {
                (Ok(batch), Ok(act)) => {
                    group.add_batch(batch);
                    group.add_act(act);
                }
                (Ok(batch), Err(_)) => group.add_batch(batch),
                (Err(_), Ok(act)) => group.add_act(act),
                (Err(_), Err(_)) => break,
            }
        }
    }

    fn commit(&mut self, group: Group) {
        let world = group.world.clone().or_else(|| self.backlog.world.clone());
        if group.statements == 0 && world.is_none() && self.backlog.is_empty() {
            return;
        }
        let started = Instant::now();
        self.last_attempt = Some(started);
        let now = self.clock.now();
        self.sync(group.is_weighty());
        let audited: Vec<audit::Act> =
            group.orders.iter().map(|accepted| audit::of_order(&accepted.order, accepted.at)).collect();
        let (outcome, answers) = self.transact(&group.events, &audited, world.as_ref(), group.acts);
        let answers = group.orders.into_iter().map(|accepted| accepted.answer).chain(answers);
        match outcome {
            Ok(Written { fresh, lost, events }) => {
                let rows = fresh.as_ref().map_or(0, |fresh| fresh.rows);
                // After trouble the backlog may have brought some along.
                if !self.backlog.is_empty() {
                    self.outlet.post.notify_one();
                }
                self.outlet.tell_of(&group.events);
                if let Some(fresh) = fresh {
                    self.saved.accept(fresh);
                }
                self.backlog = Backlog::default();
                // Whoever lost an event just now, or before a world was there to mend with, is torn still.
                self.is_torn = lost > 0 || (self.is_torn && world.is_none());
                self.note_success(now, started.elapsed(), rows, events, lost);
                answers.for_each(|answer| answer(Ok(())));
            }
            Err(error) => {
                let reason = NotKept::because(&error, &self.connection);
                self.outlet.hand_over(&group.events);
                let lost = self.backlog.keep(&group.events, audited, world);
                self.is_torn |= lost > 0;
                self.note_failure(now, &reason, lost);
                answers.for_each(|answer| answer(Err(reason.clone())));
            }
        }
    }

    /// One transaction. A row that will never fit must not hold up the others for ever: after trouble that is
    /// not the disk's, a second try puts each event into a savepoint and leaves out what fails.
    fn transact(
        &mut self,
        fresh_events: &[Arc<[Event]>],
        audited: &[audit::Act],
        world: Option<&Arc<World>>,
        acts: Vec<Act>,
    ) -> (rusqlite::Result<Written>, Vec<Answer>) {
        let Self { connection, backlog, saved, is_torn, clock, .. } = self;
        let work = Work {
            mend: is_torn.then(|| clock.now()),
            events: backlog
                .events
                .iter()
                .chain(fresh_events.iter().flat_map(|events| events.iter()))
                .collect(),
            audited: backlog.audit.iter().chain(audited).collect(),
            world,
            saved,
        };
        let mut answers = Vec::new();
        let first = work.attempt(connection, Care::Quick, acts, &mut answers);
        match first {
            Err(error) if !is_of_the_disk(&error) && !work.is_empty() => {
                warn!(event = "store.retry", error = %error, "a transaction failed and is tried row by row");
                // The acts ran and were rolled back; who waits for them is told by the caller.
                let unlucky = std::mem::take(&mut answers);
                let second = work.attempt(connection, Care::RowByRow, Vec::new(), &mut answers);
                let reason = NotKept::because(&error, connection);
                unlucky.into_iter().for_each(|answer| answer(Err(reason.clone())));
                (second, answers)
            }
            other => (other, answers),
        }
    }

    /// FULL waits for the platter at the commit, NORMAL survives all but a power cut.
    fn sync(&mut self, full: bool) {
        if self.is_full_sync == full {
            return;
        }
        let mode = if full { "FULL" } else { "NORMAL" };
        match self.connection.pragma_update(None, "synchronous", mode) {
            Ok(()) => self.is_full_sync = full,
            Err(error) => warn!(event = "store.sync", error = %error, "cannot choose how commits are synced"),
        }
    }

    fn note_success(&self, now: Timestamp, took: Duration, rows: usize, events: usize, lost: u64) {
        self.health.send_modify(|health| {
            if let Some(failing) = health.failing.take() {
                info!(event = "store.recovered", duration = ?now.since(failing.since), "saving again");
            }
            health.waiting = 0;
            health.lost += lost;
            health.commits += 1;
            health.statuses += rows as u64;
            health.events += events as u64;
            health.busy_seconds += took.as_secs_f64();
            health.last_commit = Some(now);
        });
    }

    fn note_failure(&self, now: Timestamp, reason: &NotKept, lost: u64) {
        let waiting = self.backlog.events.len();
        self.health.send_modify(|health| {
            let since = health.failing.as_ref().map_or(now, |failing| failing.since);
            if health.failing.is_none() {
                error!(event = "store.failed", error = %reason.why, "nothing can be saved; checks go on");
            }
            health.failing = Some(Failing { since, why: reason.why.clone() });
            health.waiting = waiting;
            health.lost += lost;
        });
    }

    fn prune(&mut self) {
        if !self.backlog.is_empty() {
            return;
        }
        if let Err(error) = self.pruner.run(&self.connection, self.clock.now()) {
            warn!(event = "store.prune", error = %error, "old records could not be deleted");
        }
    }

    fn close(self) {
        if !self.backlog.is_empty() {
            let count = self.backlog.events.len();
            error!(
                event = "store.lost",
                count, "the disk took no more; these events and the last statuses are lost"
            );
        }
        // What the log file holds moves into the database: one file to copy while we are down.
        let checkpoint = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = checkpoint {
            warn!(event = "store.checkpoint", error = %error, "the log stays beside the database");
        }
    }
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.audit.is_empty() && self.world.is_none()
    }

    /// Keeps what it can for later and says how many events it had to drop, the oldest first.
    fn keep(&mut self, events: &[Arc<[Event]>], audited: Vec<audit::Act>, world: Option<Arc<World>>) -> u64 {
        self.events.extend(events.iter().flat_map(|events| events.iter().cloned()));
        self.audit.extend(audited);
        self.world = world;
        let excess = self.events.len().saturating_sub(BACKLOG);
        self.events.drain(..excess);
        let excess_acts = self.audit.len().saturating_sub(BACKLOG);
        self.audit.drain(..excess_acts);
        (excess + excess_acts) as u64
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    Quick,
    RowByRow,
}

struct Written {
    fresh: Option<Fresh>,
    events: usize,
    lost: u64,
}

struct Work<'a> {
    /// Set where the records must be written over from the world.
    mend: Option<Timestamp>,
    events: Vec<&'a Event>,
    audited: Vec<&'a audit::Act>,
    world: Option<&'a Arc<World>>,
    saved: &'a Saved,
}

impl Work<'_> {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.audited.is_empty() && self.world.is_none()
    }

    fn attempt(
        &self,
        connection: &mut Connection,
        care: Care,
        acts: Vec<Act>,
        answers: &mut Vec<Answer>,
    ) -> rusqlite::Result<Written> {
        let mut lost = 0;
        let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => {
                answers.extend(acts.into_iter().map(|act| (act.work)(None).1));
                return Err(error);
            }
        };
        for act in acts {
            let savepoint = transaction.savepoint()?;
            let (worked, answer) = (act.work)(Some(&savepoint));
            answers.push(answer);
            if worked {
                savepoint.commit()?;
            }
        }
        // A full disk ends the whole transaction by itself; what followed would be committed row by row.
        if transaction.is_autocommit() {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
        }
        for event in &self.events {
            match care {
                Care::Quick => events::write(&transaction, event)?,
                Care::RowByRow => {
                    let savepoint = transaction.savepoint()?;
                    match events::write(&savepoint, event) {
                        Ok(()) => savepoint.commit()?,
                        Err(error) if is_of_the_disk(&error) => return Err(error),
                        Err(error) => {
                            lost += 1;
                            error!(event = "store.lost", error = %error, what = ?event.what, "an event was not kept");
                        }
                    }
                }
            }
        }
        for act in &self.audited {
            audit::insert(&transaction, act)?;
        }
        if let (Some(now), Some(world)) = (self.mend, self.world) {
            reconcile::reconcile(&transaction, world, now)?;
        }
        let fresh = self.world.map(|world| self.saved.save(&transaction, world)).transpose()?;
        transaction.commit()?;
        Ok(Written { fresh, events: self.events.len(), lost })
    }
}

#[cfg(test)]
mod tests {
    use vigia_core::model::id::ObjectKey;
    use vigia_core::model::operation::Operation;

    use super::*;

    fn steady() -> Group {
        let mut group = Group::default();
        group.add_batch(Batch { events: Arc::new([]), world: Arc::default(), orders: Vec::new() });
        group
    }

    #[test]
    fn steady_statuses_wait_for_the_rest_of_the_time_and_no_longer() {
        let soon = Some(Duration::from_millis(300));
        assert_eq!(steady().may_wait(soon), Some(Duration::from_millis(500)));
        assert_eq!(steady().may_wait(Some(STEADY)), None);
        assert_eq!(steady().may_wait(None), None, "nothing was written yet");
        assert_eq!(Group::default().may_wait(soon), None, "there is nothing to wait with");
    }

    #[test]
    fn what_a_person_did_takes_the_statuses_along_at_once() {
        let subject = ObjectKey::host("web01");
        let operation = Operation::AddComment { subject, text: "seen".into() };
        let order = Order { author: "ana".into(), operation };
        let at = Timestamp::from_second(1_700_000_000);
        let mut group = steady();
        let orders = vec![Accepted { at, order, answer: Box::new(drop) }];
        group.add_batch(Batch { events: Arc::new([]), world: Arc::default(), orders });
        assert_eq!(group.may_wait(Some(Duration::ZERO)), None);
        let mut group = steady();
        let work: ActWork = Box::new(|_| (true, Box::new(drop)));
        group.add_act(Act { work, is_weighty: false });
        assert_eq!(group.may_wait(Some(Duration::ZERO)), None);
    }
}
