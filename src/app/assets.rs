//! Assets beside the running daemon: tickets go in by the conductor's door, hosts of each new configuration become assets.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vigia_core::model::event::{Event, What};
use vigia_core::model::id::TicketId;

use super::parts::Parts;
use crate::assets::Assets;
use crate::runtime::{Handle, NotDone};
use crate::store::{Store, StoreError};
use crate::telemetry::Chain;

pub(super) fn beside(handle: &Handle, store: &Store, state_dir: &Path, parts: &mut Parts) -> Assets {
    let (worlds, orders) = (handle.clone(), handle.clone());
    let assets = Assets::new(
        store.clone(),
        state_dir.to_owned(),
        Arc::new(move || worlds.world()),
        Arc::new(move |order| {
            let handle = orders.clone();
            Box::pin(async move {
                match handle.order(order).await {
                    Ok(done) => Ok(ticket_of(&done.events)),
                    // In effect: asking again would open a second one.
                    Err(NotDone::NotKept(_)) => Ok(None),
                    Err(error) => Err(error.to_string()),
                }
            })
        }),
    );
    // Under one name with the scans it learns from: they are stopped together.
    parts.spawn("scans", |stop| follow(assets.clone(), handle.clone(), stop));
    assets
}

fn ticket_of(events: &[Event]) -> Option<TicketId> {
    events.iter().find_map(|event| match &event.what {
        What::TicketOpened { head, .. }
        | What::TicketNoted { head, .. }
        | What::TicketReopened { head, .. } => Some(head.id),
        // Whatever else followed is of no ticket.
        _ => None,
    })
}

/// After each load of the configuration, until it is told to stop. What the store does not take now is tried with the next.
async fn follow(assets: Assets, handle: Handle, stop: CancellationToken) {
    let mut worlds = handle.worlds();
    let mut done = None;
    loop {
        let generation = worlds.borrow_and_update().inventory.generation;
        if done != Some(generation) {
            done = Some(generation);
            tokio::select! {
                () = stop.cancelled() => return,
                told = catch_up(&assets, &handle) => {
                    if let Err(error) = told {
                        tracing::warn!(event = "assets.behind", error = %Chain(&error), "hosts of the configuration are not all assets yet; the next reload tries again");
                    }
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = worlds.changed() => {
                if changed.is_err() {
                    return stop.cancelled().await;
                }
            }
        }
    }
}

async fn catch_up(assets: &Assets, handle: &Handle) -> Result<(), StoreError> {
    assets.sync().await?;
    assets.consider_rules(handle.now()).await
}
