//! What systemd wants to hear: ready, reloading, stopping, status, and that we are alive; and the sockets it keeps for us.
//!
//! Without `NOTIFY_SOCKET` all of it is silence. A datagram that cannot be sent is no reason to stop
//! monitoring, so it is told in the log and nowhere else.

use std::net::TcpListener;
use std::os::fd::{FromRawFd, RawFd};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::{debug, warn};

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

/// Listeners that were opened for us (`vigia.socket`), and stay open while we are started again. To be asked once.
pub fn listeners() -> Vec<TcpListener> {
    match sd_notify::listen_fds() {
        Ok(numbers) => numbers.map(taken).collect(),
        Err(error) => {
            warn!(event = "systemd.sockets", %error, "what systemd says of sockets cannot be understood");
            Vec::new()
        }
    }
}

#[expect(unsafe_code, reason = "a number in the environment is all that systemd hands over")]
fn taken(number: RawFd) -> TcpListener {
    // SAFETY: systemd has opened it for this process, and nobody else takes it: `listeners` is asked once, at the start.
    unsafe { TcpListener::from_raw_fd(number) }
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
