//! Pages and API, on TCP and on the control socket.
//!
//! One router serves both; what differs is the [`Peer`](auth::Peer) of a connection. Pages read published
//! worlds and never wait for the conductor; acts go to it as orders and are answered after the store's commit.

mod alarms;
mod api;
mod assets;
pub mod auth;
pub mod backend;
mod compare;
mod crowd;
mod documents;
mod error;
mod frame;
pub mod house;
mod list;
mod live;
mod markdown;
mod metrics;
mod old;
mod orders;
mod pages;
mod patient;
mod query;
mod routes;
pub mod serve;
mod tickets;
pub mod tls;
mod upload;
mod view;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use auth::Rules;
use backend::Backend;
use list::ProblemIndex;
use live::Live;

/// What every request shares.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

pub struct Shared {
    backend: Arc<dyn Backend>,
    rules: Rules,
    problems: ProblemIndex,
    live: Live,
    /// Told whenever a login ended or an account was changed: who watches may not any more.
    accounts: watch::Sender<()>,
    zone: TimeZone,
    /// Requests that ended in a caught panic.
    panics: AtomicU64,
}

impl Deref for Web {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Web {
    /// `stop` ends the event streams, which would otherwise hold up the drain.
    pub fn new(backend: Arc<dyn Backend>, rules: Rules, stop: CancellationToken) -> Self {
        let live = Live::start(backend.worlds(), stop);
        let shared = Shared {
            backend,
            rules,
            problems: ProblemIndex::default(),
            live,
            accounts: watch::Sender::new(()),
            zone: TimeZone::system(),
            panics: AtomicU64::new(0),
        };
        Self(Arc::new(shared))
    }

    /// Follows what is published, for the event streams. Runs until the daemon stops; once.
    pub async fn follow(&self) {
        self.live.follow().await;
    }

    /// Pages, API, metrics: what a listener serves. Each request carries its [`Peer`](auth::Peer) as extension.
    pub fn router(&self) -> Router {
        routes::router(self)
    }

    /// Metrics and health alone, without login: for `metrics.listen`.
    pub fn metrics_router(&self) -> Router {
        routes::metrics_router(self)
    }
}
