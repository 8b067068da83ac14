//! What the network is made of, remembered: assets, their services, and what of them changed that should not.
//!
//! What a scan means is decided by pure functions ([`observe`]); rows are the store's. Nothing here scans, and nothing here
//! lives in the conductor's world: a /16 of assets costs the engine nothing. Tickets of anomalies go in as orders, by the
//! way that whoever wires this hands over.

mod asked;
mod compare;
pub mod csv;
pub mod edit;
mod import;
mod learn;
pub mod network;

pub mod observe;
mod recognise;
pub mod report;
pub mod search;
mod sync;
mod ticket;
pub mod value;

use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;
use vigia_core::engine::world::World;
use vigia_core::model::id::TicketId;
use vigia_core::model::operation::Order;
use vigia_core::model::time::Timestamp;

use crate::discovery::finding::Sweep;
use crate::store::{Store, StoreError};

pub use edit::{Change, EditError, Verdict, Who};
pub use import::Imported;

/// One scan, as it ended.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// All addresses that were to be looked at, in order. Empty where nobody knows, as with another program's file.
    pub targets: Vec<IpAddr>,
    pub sweep: Sweep,
    /// Complete scans in a row that may miss an asset before somebody is told.
    pub stale_after: u32,
}

/// What a scan taught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Machines that were seen.
    pub hosts: usize,
    /// Of them, those that nobody knew.
    pub new: usize,
    /// Known ones that are stale from now on.
    pub stale: usize,
    /// Anomalies that were raised.
    pub anomalies: usize,
}

/// The world as last published.
pub type Worlds = Arc<dyn Fn() -> Arc<World> + Send + Sync>;
/// Gives an order to the engine; the answer is the ticket that it opened or changed, or why not. None: it is done, and which
/// ticket it was is not known.
pub type Orders = Arc<
    dyn Fn(Order) -> Pin<Box<dyn Future<Output = Result<Option<TicketId>, String>> + Send>> + Send + Sync,
>;

/// All assets. Cheap to clone.
#[derive(Clone)]
pub struct Assets {
    store: Store,
    /// Where switches of networks are kept.
    state_dir: PathBuf,
    worlds: Worlds,
    orders: Orders,
    /// One scan is learnt from at a time, so that two over one network do not raise one anomaly twice.
    turn: Arc<Mutex<()>>,
}

impl Assets {
    pub fn new(store: Store, state_dir: PathBuf, worlds: Worlds, orders: Orders) -> Self {
        Self { store, state_dir, worlds, orders, turn: Arc::default() }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn world(&self) -> Arc<World> {
        (self.worlds)()
    }

    /// Learns from a scan that ended at `at`: assets, anomalies, and their tickets by rule. Answers after the commit.
    ///
    /// # Errors
    /// When the store does not take it. What was learnt up to there stays; the next scan finds the rest.
    pub async fn observe(&self, looked: Looked, at: Timestamp) -> Result<Learnt, StoreError> {
        let turn = self.turn.lock().await;
        let learnt = learn::from(&self.store, &self.world().inventory, looked, at).await?;
        drop(turn);
        self.consider_rules(at).await?;
        Ok(learnt)
    }

    /// Makes an asset of every host of the configuration, and one of the two where they are the same machine.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn sync(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        sync::with(&self.store, &self.world().inventory).await
    }
}

#[cfg(test)]
mod tests;
