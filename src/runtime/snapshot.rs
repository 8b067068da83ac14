//! What doors see of the running daemon: published worlds to read, and the way in for orders.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;
use vigia_core::engine::world::World;
use vigia_core::model::check::CheckResult;
use vigia_core::model::event::Event;
use vigia_core::model::id::TicketId;
use vigia_core::model::operation::{Operation, Order, Refusal};
use vigia_core::model::ticket::TicketHead;
use vigia_core::model::time::Timestamp;

use super::executor::Load;
use super::inbox::{Done, Message, NotDone, Refusals};
use super::meters::Meters;
use super::reload::{self, ConfigHealth, ReloadReport};
use crate::os::clock::Clock;

/// So long somebody who ordered something waits to hear that it is on the disk.
const SAVED_WITHIN: Duration = Duration::from_secs(10);

/// Cheap to clone; everybody has one.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Ends>);

/// The doors' ends of the channels.
#[derive(Debug)]
pub struct Ends {
    pub inbox: mpsc::Sender<Message>,
    pub worlds: watch::Receiver<Arc<World>>,
    pub events: broadcast::Sender<Arc<[Event]>>,
    pub load: watch::Receiver<Load>,
    pub reloads: mpsc::Sender<reload::Request>,
    pub config: watch::Receiver<Arc<ConfigHealth>>,
    /// Since when the store has not answered; none: it does.
    pub store_silent: watch::Receiver<Option<Timestamp>>,
    pub meters: Arc<Meters>,
    pub heads: Heads,
    pub clock: Clock,
    pub started: Timestamp,
}

/// How a ticket stands by whoever keeps them all; an error says why that cannot be known.
pub struct Heads(pub Box<dyn Fn(TicketId) -> Asked + Send + Sync>);

pub type Asked = Pin<Box<dyn Future<Output = Result<Option<TicketHead>, String>> + Send>>;

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heads")
    }
}

impl Handle {
    pub fn new(ends: Ends) -> Self {
        Self(Arc::new(ends))
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// When the daemon started.
    pub fn started(&self) -> Timestamp {
        self.0.started
    }

    /// The world as last published: at most a tenth of a second old.
    pub fn world(&self) -> Arc<World> {
        self.0.worlds.borrow().clone()
    }

    /// To wait for the next world.
    pub fn worlds(&self) -> watch::Receiver<Arc<World>> {
        self.0.worlds.clone()
    }

    /// What happens from now on. Whoever reads too slowly is told how much was missed.
    pub fn events(&self) -> broadcast::Receiver<Arc<[Event]>> {
        self.0.events.subscribe()
    }

    /// How busy the executor is.
    pub fn load(&self) -> watch::Receiver<Load> {
        self.0.load.clone()
    }

    /// How the configuration stands.
    pub fn config(&self) -> watch::Receiver<Arc<ConfigHealth>> {
        self.0.config.clone()
    }

    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// Gives an order. Comes back when it is in effect and on the disk, or refused. While the store does not
    /// answer it is refused too: what a person does must not depend on whether a disk comes back.
    pub async fn order(&self, order: Order) -> Result<Done, NotDone> {
        let silent_since = *self.0.store_silent.borrow();
        if let Some(since) = silent_since {
            let seconds = self.now().since(since).as_secs();
            return Err(NotDone::Unavailable(format!(
                "not done: the store has not answered for {seconds} s; see to the disk of the state folder and try again"
            )));
        }
        self.recall(&order.operation).await?;
        let (answer, answered) = oneshot::channel();
        self.0.inbox.send(Message::Order(order, answer)).await.map_err(|_closed| NotDone::Stopping)?;
        match timeout(SAVED_WITHIN, answered).await {
            Ok(told) => told.map_err(|_closed| NotDone::Stopping)?,
            Err(_elapsed) => Err(NotDone::NotKept(format!(
                "the store has not answered for {} s; this is in effect, saved when it answers, and lost if vigia ends before",
                SAVED_WITHIN.as_secs()
            ))),
        }
    }

    /// The world may hold the ticket of an order no more: its head goes ahead of the order.
    async fn recall(&self, operation: &Operation) -> Result<(), NotDone> {
        let Some(id) = operation.ticket() else { return Ok(()) };
        let head = (self.0.heads.0)(id).await.map_err(NotDone::Unavailable)?;
        let head = head.ok_or(Refusal::UnknownRecord { what: "ticket", id: id.0 })?;
        self.0.inbox.send(Message::Recall(Box::new(head))).await.map_err(|_closed| NotDone::Stopping)
    }

    /// Has the configuration read again. Comes back when what is good of it is in effect.
    pub async fn reload(&self, by: &str, accept_empty: bool) -> Result<ReloadReport, NotDone> {
        let (answer, answered) = oneshot::channel();
        let request = reload::Request { by: by.to_owned(), accept_empty, answer: Some(answer) };
        self.0.reloads.send(request).await.map_err(|_closed| NotDone::Stopping)?;
        answered.await.map_err(|_closed| NotDone::Stopping)
    }

    /// Hands in results of others. Comes back when the world shows them.
    pub async fn submit(&self, results: Vec<CheckResult>) -> Result<Refusals, NotDone> {
        let (answer, answered) = oneshot::channel();
        self.0.inbox.send(Message::Submitted(results, answer)).await.map_err(|_closed| NotDone::Stopping)?;
        answered.await.map_err(|_closed| NotDone::Stopping)?
    }
}
