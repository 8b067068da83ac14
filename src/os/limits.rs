//! What the daemon may do more than the programs it starts: have many files open, and use raw sockets.

use std::sync::OnceLock;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustix::thread::{CapabilitySet, configure_capability_in_ambient_set};
use tracing::debug;

/// Of programs we start: a third of all memory weighs as much. A daemon by hand has 0.
const OOM_SCORE: &str = "300";

/// Open files as they were before we raised them.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the number of open files to what the system allows at most: every check needs a connection.
pub fn raise_open_files() {
    let before = getrlimit(Resource::Nofile);
    let most = Rlimit { current: before.maximum, maximum: before.maximum };
    match setrlimit(Resource::Nofile, most) {
        // Raised before: what was first counts.
        Ok(()) => drop(BEFORE.set(before)),
        Err(error) => debug!(event = "limits.kept", %error, "the number of open files stays as it is"),
    }
}

/// Lets every other thread go first: for work that nobody waits for. Of this thread alone.
pub fn give_way() {
    // Without it the thread works all the same.
    if let Err(error) = rustix::process::nice(10) {
        debug!(event = "limits.kept", %error, "a thread keeps its priority");
    }
}

/// Gives a program that was just started the number of open files that we were given: some close every number
/// there is before they begin, and `select` fails above 1024. It has begun already, by some microseconds;
/// before its first instruction only code between fork and exec could do it, and that needs `unsafe`.
pub(super) fn give_open_files_of_before(pid: Option<u32>) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let (Some(pid), Some(before)) = (pid, BEFORE.get()) else { return };
    if let Err(error) = prlimit(Some(pid), Resource::Nofile, *before) {
        // It has already ended, or became another user's.
        debug!(event = "limits.kept", %error, "a program keeps our number of open files");
    }
}

/// Where memory runs out, a program goes before whoever started it: it is there again with its next check. Ours is below
/// zero (`OOMScoreAdjust=` of the unit), and would be its own as well; raising it needs no right. As above it comes some
/// microseconds late.
#[allow(
    clippy::disallowed_methods,
    reason = "a file of the kernel: there is nothing to rename into its place"
)]
pub(super) fn let_go_first(pid: Option<u32>) {
    let Some(pid) = pid else { return };
    if let Err(error) = std::fs::write(format!("/proc/{pid}/oom_score_adj"), OOM_SCORE) {
        // It has already ended, or became another user's.
        debug!(event = "limits.kept", %error, "a program keeps our place in line for want of memory");
    }
}

/// Raw sockets (the unit's `AmbientCapabilities=CAP_NET_RAW`) are for our pings and not for programs we start.
/// Only this thread and those it starts later change: call it before there are others.
pub fn keep_raw_sockets_from_programs() {
    // An error says that it was not given, or that the kernel knows no such thing.
    configure_capability_in_ambient_set(CapabilitySet::NET_RAW, false).ok();
}
