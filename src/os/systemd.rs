//! What systemd wants to hear: ready, reloading, stopping, status, and that we are alive.
//!
//! Without `NOTIFY_SOCKET` all of it is silence. A datagram that cannot be sent is no reason to stop
//! monitoring, so it is told in the log and nowhere else.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The first half of a reload; [`ready`] is the second.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration")]),
        Err(error) => debug!(event = "systemd.silent", %error, "cannot tell systemd of the reload"),
    }
}

pub fn stopping(status: &str) {
    say(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

pub fn status(status: &str) {
    say(&[NotifyState::Status(status)]);
}

/// Told by the loop that must not hang, not by a timer of its own.
pub fn alive() {
    say(&[NotifyState::Watchdog]);
}

/// How often [`alive`] must be said; none when nobody watches.
pub fn alive_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!(event = "systemd.silent", %error, "cannot tell systemd");
    }
}
