//! What reaches the conductor, and what comes back to whoever sent it.

use tokio::sync::oneshot;
use vigia_core::model::check::CheckResult;
use vigia_core::model::event::Event;
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::operation::{Order, Refusal};

/// One entry of the inbox.
#[derive(Debug)]
pub enum Message {
    /// Of a check of ours.
    Result(CheckResult),
    /// Somebody else's results, many at a time; the answer has a refusal or none for each.
    Submitted(Vec<CheckResult>, oneshot::Sender<Vec<Option<Refusal>>>),
    /// What a person does; answered when it is on the disk.
    Order(Order, oneshot::Sender<Result<Done, NotDone>>),
    /// A configuration, complete and checked.
    Reload(SharedInventory, oneshot::Sender<Vec<Event>>),
}

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
    #[error("vigia is stopping")]
    Stopping,
}
