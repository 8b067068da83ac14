//! Scans of net discovery among the parts of the daemon.

use std::sync::Arc;

use super::configuration::LiveConfiguration;
use super::parts::Parts;
use crate::assets::{Assets, Looked};
use crate::discovery::jobs::{self, Jobs};
use crate::runtime::Handle;
use crate::store::Store;
use crate::telemetry::Chain;

/// Starts their owner, and what remembers what they find; what doors have of both.
pub(super) fn start(
    parts: &mut Parts,
    handle: &Handle,
    configuration: &LiveConfiguration,
    store: &Store,
) -> (Jobs, Assets) {
    let state_dir = configuration.request.state_dir.clone().unwrap_or_default();
    let assets = super::assets::beside(handle, store, &state_dir, parts);
    let (owner, scans) = jobs::new(jobs::Wiring {
        worlds: handle.worlds(),
        store: store.clone(),
        clock: store.clock().clone(),
        request: configuration.request.clone(),
        state_dir,
        limit: configuration.scan_limit.clone(),
        hand: hand(assets.clone()),
        give: give(handle),
    });
    parts.spawn("scans", |stop| owner.run(stop));
    (scans, assets)
}

/// Assets learn of a scan before anything of it is written.
fn hand(assets: Assets) -> jobs::Hand {
    Arc::new(move |report| {
        let assets = assets.clone();
        Box::pin(async move {
            let looked = Looked {
                targets: report.targets.addresses,
                sweep: report.sweep,
                stale_after: report.stale_after,
            };
            if let Err(error) = assets.observe(looked, report.ended).await {
                tracing::warn!(event = "assets.not_learnt", error = %Chain(&error), "what a scan found is not all remembered; the next one finds it again");
            }
        })
    })
}

/// What scans order of the engine.
fn give(handle: &Handle) -> jobs::Give {
    let handle = handle.clone();
    Arc::new(move |order| {
        let handle = handle.clone();
        Box::pin(async move { handle.order(order).await.map(drop).map_err(|error| error.to_string()) })
    })
}
