//! The process group of one program: ending it and everything it started.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// From the polite request to the kill.
const GRACE: Duration = Duration::from_secs(2);
/// How often we look whether a request to end was followed.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// So much longer than their leader may what it started take to follow the same request.
const STRAGGLERS: Duration = Duration::from_millis(100);
/// From the kill to saying that it does not work.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(5);
/// How often the kill is repeated: a fork in flight escapes the first, and nothing escapes three.
const ROUNDS: usize = 3;

/// Kills the group when dropped, unless it was [released](Self::release).
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

impl Group {
    pub(super) fn led_by(pid: Option<u32>) -> Self {
        // Zero and one would mean our own group and everybody.
        Self(pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1).map(Pid::from_raw))
    }

    /// The program ended by itself. What it left running on purpose is its own business.
    pub(super) fn release(mut self) {
        self.0 = None;
    }

    /// Asks the group to end, then kills it. Comes back when the program is gone, however long that takes.
    pub(super) async fn end(self, mut child: Child, hurry: CancellationToken) {
        let Some(pid) = self.0 else { return };
        killpg(pid, Signal::SIGTERM).ok();
        // Nobody waits for the child yet: as long as it is a zombie, its number cannot become another group's.
        tokio::select! {
            () = sleep(GRACE) => {}
            () = has_ended(pid) => {}
            () = hurry.cancelled() => {}
        }
        kill(pid);
        if timeout(UNKILLABLE_AFTER, child.wait()).await.is_err() {
            warn!(
                event = "plugin.unkillable",
                pid = pid.as_raw(),
                "cannot be killed; its check is parked until it ends"
            );
            // Whatever it ends with, its result was given long ago.
            drop(child.wait().await);
        }
        for _ in 0..ROUNDS {
            if kill(pid) {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.release();
    }
}

/// Waits until the leader has ended, and leaves it a zombie; then a little longer for what it started, which was
/// asked to end as well.
async fn has_ended(leader: Pid) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(leader), flags) == Ok(WaitStatus::StillAlive) {
        sleep(LOOK_EVERY).await;
    }
    sleep(STRAGGLERS).await;
}

/// Stops the group, so that it cannot fork any more, and kills it. True: there was nobody left.
fn kill(group: Pid) -> bool {
    killpg(group, Signal::SIGSTOP).ok();
    killpg(group, Signal::SIGKILL) == Err(Errno::ESRCH)
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            kill(pid);
        }
    }
}
