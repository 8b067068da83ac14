//! What vigia does for itself beside its work: it looks at its own organs, makes backups, tells host `vigia` how it is, and
//! calls who would miss it. All of it may stop at once, and none of it is waited for by a check.

use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, watch};

use super::configuration::LiveConfiguration;
use super::itself::{self, Itself, Pulse};
use super::parts::Parts;
use super::vitals::{self, Told, Vitals, WatchedFiles};
use crate::backup::schedule::{Asked, Asker, Health, Keeper};
use crate::deliver;
use crate::os::clock::Clock;
use crate::os::watch::Watcher;
use crate::runtime::{Handle, Meters};
use crate::store::Store;
use crate::web::tls::{self, Secure};

/// The part's name: one grace at the end for all of it.
pub(super) const PART: &str = "housekeeping";

pub(super) struct Housekeeping {
    pub(super) backups: watch::Receiver<Health>,
    backup_health: watch::Sender<Health>,
    pub(super) asker: Asker,
    asked: mpsc::Receiver<Asked>,
    pulse: watch::Receiver<Pulse>,
    pulse_sender: watch::Sender<Pulse>,
    files: WatchedFiles,
    certificate: watch::Receiver<tls::Health>,
    certificate_health: watch::Sender<tls::Health>,
}

impl Housekeeping {
    pub(super) fn new(watcher: Option<&Watcher>) -> Self {
        let (backup_health, backups) = watch::channel(Health::default());
        let (pulse_sender, pulse) = watch::channel(Pulse::default());
        let (certificate_health, certificate) = watch::channel(tls::Health::default());
        let files = WatchedFiles::of(watcher);
        let (asker, asked) = Asker::new();
        Self {
            backups,
            backup_health,
            asker,
            asked,
            pulse,
            pulse_sender,
            files,
            certificate,
            certificate_health,
        }
    }

    /// Begins to look at the organs, before anything can be wrong with them.
    pub(super) fn look(
        &self,
        parts: &mut Parts,
        store: &Store,
        configuration: &LiveConfiguration,
        meters: std::sync::Arc<Meters>,
    ) -> Told {
        let (vitals, told) = Vitals::new(vitals::Organs {
            store: store.health(),
            config: configuration.health.subscribe(),
            files: self.files.clone(),
            meters,
            backups: self.backups.clone(),
            pulse: self.pulse.clone(),
            certificate: self.certificate.clone(),
            clock: store.clock().clone(),
        });
        parts.spawn("vitals", |stop| vitals.run(stop));
        told
    }

    /// The certificate of the page, where it is served over TLS, and who keeps it as the files are.
    pub(super) fn secure(&self, parts: &mut Parts, configuration: &LiveConfiguration) -> Option<Secure> {
        let paths = configuration.certificate.borrow().clone()?;
        let health = self.certificate_health.clone();
        let (secure, keeper) = tls::open(configuration.certificate.clone(), &paths, health);
        parts.spawn(PART, |stop| keeper.run(stop));
        Some(secure)
    }

    /// Begins everything that needs the running daemon.
    pub(super) fn start(
        self,
        parts: &mut Parts,
        configuration: &LiveConfiguration,
        (handle, store, state_dir): (&Handle, &Store, &Path),
        delivery: watch::Receiver<deliver::Health>,
    ) {
        let (plan, sources) = (configuration.backups.clone(), configuration.backup_sources.clone());
        let clock: Clock = store.clock().clone();
        let keeper = Keeper { plan, orders: self.asked, sources, clock, health: self.backup_health };
        parts.spawn(PART, |stop| keeper.run(stop));
        let organs = itself::Organs {
            handle: handle.clone(),
            store: store.health(),
            delivery,
            backups: self.backups,
            files: self.files,
            settings: configuration.own.clone(),
            pulse: self.pulse,
            folders: folders(state_dir, store.path()),
        };
        let (caller, settings, pulse) = (handle.clone(), configuration.own.clone(), self.pulse_sender);
        parts.spawn(PART, |stop| itself::call(caller, settings, pulse, stop));
        parts.spawn(PART, |stop| Itself::new(organs).run(stop));
    }
}

/// Where a full disk would hurt: the state folder, and that of the store where it is another.
fn folders(state_dir: &Path, store: &Path) -> Vec<PathBuf> {
    let of_store = store.parent().filter(|folder| *folder != state_dir);
    [Some(state_dir), of_store].into_iter().flatten().map(Path::to_path_buf).collect()
}
