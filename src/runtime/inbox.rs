//! What reaches the conductor, and what comes back to whoever sent it.

use tokio::sync::oneshot;
use vigia_core::model::check::CheckResult;
use vigia_core::model::event::Event;
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::operation::{Order, Refusal};
use vigia_core::model::ticket::TicketHead;

/// One entry of the inbox.
#[derive(Debug)]
pub enum Message {
    /// Of a check of ours.
    Result(CheckResult),
    /// Somebody else's results, many at a time; answered when the world that shows them is published.
    Submitted(Vec<CheckResult>, oneshot::Sender<Result<Refusals, NotDone>>),
    /// What a person does; answered when it is on the disk.
    Order(Order, oneshot::Sender<Result<Done, NotDone>>),
    /// How a ticket stands that the next order is about: the world may hold it no more. Not answered.
    Recall(Box<TicketHead>),
    /// A configuration, complete and checked; answered when the world that shows it is published.
    Reload(SharedInventory, oneshot::Sender<Vec<Event>>),
}

/// Of results handed in together: for each a refusal, or none.
pub type Refusals = Vec<Option<Refusal>>;

/// An order is in effect and on the disk.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What followed from it.
    pub events: Vec<Event>,
}

/// Why an order is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// In effect, and lost with the next restart.
    #[error("{0}")]
    NotKept(String),
    /// Not in effect, and worth another try later.
    #[error("{0}")]
    Unavailable(String),
    #[error("vigia is stopping")]
    Stopping,
}
