//! How the daemon itself is, looked at once a second: does the store answer, do checks run, are files watched?
//!
//! What is wrong goes to the banner, the log and systemd; the way to say it is pure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use vigia_core::model::time::Timestamp;

use super::itself::Pulse;
use crate::backup::schedule;
use crate::os::clock::Clock;
use crate::os::systemd;
use crate::os::watch::Watcher;
use crate::runtime::reload::{self, ConfigHealth};
use crate::runtime::{MOST_UNSAVED, Meters};
use crate::store::StoreHealth;
use crate::web::backend::{Notice, Urgency};
use crate::web::tls;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is looked at.
pub(super) struct Organs {
    pub(super) store: watch::Receiver<StoreHealth>,
    pub(super) config: watch::Receiver<Arc<ConfigHealth>>,
    pub(super) files: WatchedFiles,
    pub(super) meters: Arc<Meters>,
    pub(super) backups: watch::Receiver<schedule::Health>,
    pub(super) pulse: watch::Receiver<Pulse>,
    pub(super) certificate: watch::Receiver<tls::Health>,
    pub(super) clock: Clock,
}

/// What is to be heard of it.
pub(super) struct Told {
    /// Since when the store has been silent, for whoever wants to order something.
    pub(super) store_silent: watch::Receiver<Option<Timestamp>>,
    pub(super) notices: watch::Receiver<Vec<Notice>>,
}

pub(super) struct Vitals {
    organs: Organs,
    silent: watch::Sender<Option<Timestamp>>,
    notices: watch::Sender<Vec<Notice>>,
}

impl Vitals {
    pub(super) fn new(organs: Organs) -> (Self, Told) {
        let (silent, store_silent) = watch::channel(None);
        let (sender, notices) = watch::channel(Vec::new());
        (Self { organs, silent, notices: sender }, Told { store_silent, notices })
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let mut second = interval(LOOK_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(second.tick()).await.is_some() {
            self.look();
        }
    }

    fn look(&self) {
        let silent_for = self.organs.store.borrow().silent_for();
        self.note_silence(silent_for);
        let is_paused = self.organs.meters.checks_paused.get() != 0;
        let now = self.organs.clock.now();
        let backups = self.organs.backups.borrow().trouble(now);
        let certificate = self.organs.certificate.borrow().trouble(now);
        let pulse = self.organs.pulse.borrow().failing.as_ref().map(|(_, why)| why.clone());
        let others = [backups.map(of_backups), pulse.map(of_pulse), certificate.map(of_certificate)];
        let notices = notices(is_paused, self.organs.files.trouble(), others);
        self.notices.send_if_modified(|before| {
            let is_other = *before != notices;
            *before = notices;
            is_other
        });
    }

    /// Said once when it begins and once when it ends.
    fn note_silence(&self, silent_for: Option<Duration>) {
        let was_silent = *self.silent.borrow();
        match (was_silent, silent_for) {
            (None, Some(busy)) => {
                self.silent.send_replace(Some(self.organs.clock.now().before(busy)));
                error!(
                    event = "store.silent",
                    duration = ?busy,
                    "the store does not answer; checks go on, what people do is refused. hint: does the disk of the state folder hang?"
                );
                systemd::status("running; the store does not answer");
            }
            (Some(since), None) => {
                self.silent.send_replace(None);
                info!(event = "store.answers", duration = ?self.organs.clock.now().since(since), "the store answers again");
                systemd::status(&reload::status(&self.organs.config.borrow()));
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}

/// Who tells of changed files; none: watching was not possible at all.
#[derive(Clone)]
pub(super) struct WatchedFiles(Option<watch::Receiver<Option<&'static str>>>);

impl WatchedFiles {
    pub(super) fn of(watcher: Option<&Watcher>) -> Self {
        Self(watcher.map(Watcher::trouble))
    }

    pub(super) fn trouble(&self) -> Option<&'static str> {
        match &self.0 {
            None => Some("changed files are not noticed: `vigia reload` after each change"),
            Some(trouble) => *trouble.borrow(),
        }
    }
}

fn of_backups(text: String) -> String {
    format!("Backups: {text}.")
}

fn of_pulse(text: String) -> String {
    format!("The ping of `self_monitoring` is not taken: {text}.")
}

fn of_certificate(text: String) -> String {
    format!("HTTPS: {text}.")
}

fn notices(is_paused: bool, files: Option<&str>, others: [Option<String>; 3]) -> Vec<Notice> {
    let paused = is_paused.then(|| {
        format!("Checks pause: {MOST_UNSAVED} events wait for the store, and more would be lost. They go on when it answers.")
    });
    let files = files.map(|text| format!("The configuration is not watched as it should be: {text}."));
    let banner = |text| Notice { urgency: Urgency::Banner, text };
    paused.into_iter().chain(files).chain(others.into_iter().flatten()).map(banner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_is_not_mentioned() {
        assert_eq!(notices(false, None, [None, None, None]), []);
    }

    #[test]
    fn paused_checks_and_unwatched_files_are_on_every_page() {
        let backups = Some(of_backups("the newest is 3 days old".to_owned()));
        let said = notices(true, WatchedFiles(None).trouble(), [backups, None, None]);
        assert!(said.iter().all(|notice| notice.urgency == Urgency::Banner));
        let said: Vec<&str> = said.iter().map(|notice| notice.text.as_str()).collect();
        assert!(said[0].starts_with("Checks pause") && said[1].contains("vigia reload"), "{said:?}");
        assert_eq!(said[2], "Backups: the newest is 3 days old.");
    }
}
