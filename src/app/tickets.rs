//! Tickets beside the running daemon: the world holds few of them, the store has them all.

use crate::runtime::Heads;
use crate::store::{Store, tickets};
use crate::telemetry::Chain;

/// How a ticket stands, for whoever is about to act on it.
pub(super) fn heads(store: &Store) -> Heads {
    let store = store.clone();
    Heads(Box::new(move |id| {
        let store = store.clone();
        Box::pin(async move {
            let head = store.read(move |connection| tickets::head(connection, id)).await;
            head.map_err(|error| format!("not done: the store does not answer: {}", Chain(&error)))
        })
    }))
}
