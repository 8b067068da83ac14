//! Scans of net discovery among the parts of the daemon.

use std::sync::Arc;

use super::configuration::LiveConfiguration;
use super::parts::Parts;
use crate::discovery::jobs::{self, Jobs};
use crate::runtime::Handle;
use crate::store::Store;

/// Starts their owner; what doors have of it.
pub(super) fn start(
    parts: &mut Parts,
    handle: &Handle,
    configuration: &LiveConfiguration,
    store: &Store,
) -> Jobs {
    let (owner, scans) = jobs::new(jobs::Wiring {
        worlds: handle.worlds(),
        store: store.clone(),
        clock: store.clock().clone(),
        request: configuration.request.clone(),
        state_dir: configuration.request.state_dir.clone().unwrap_or_default(),
        limit: configuration.scan_limit.clone(),
        hand: hand(),
        give: give(handle),
    });
    parts.spawn("scans", |stop| owner.run(stop));
    scans
}

/// Who learns of a scan before anything of it is written.
fn hand() -> jobs::Hand {
    Arc::new(|_report| Box::pin(std::future::ready(())))
}

/// What scans order of the engine.
fn give(handle: &Handle) -> jobs::Give {
    let handle = handle.clone();
    Arc::new(move |order| {
        let handle = handle.clone();
        Box::pin(async move { handle.order(order).await.map(drop).map_err(|error| error.to_string()) })
    })
}
