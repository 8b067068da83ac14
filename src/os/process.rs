//! Runs a program so that nothing of it can hurt us: its own process group, an environment made from nothing,
//! bounded output, a deadline that holds whatever the program does, and nothing left behind.
//!
//! How a run ended is data; what it means for a check is decided elsewhere. Only what `posix_spawn` can do is
//! asked for (no change of user, no code between fork and exec): a daemon with a gigabyte of memory would pay
//! for its page tables with every check otherwise.

mod capture;
mod group;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits;
pub use capture::Captured;
use capture::Pipe;
use group::Group;

/// How long what a program started may go on writing after the program itself has ended.
const AFTERMATH: Duration = Duration::from_millis(100);

/// What every program finds in its environment; a command's own `env` beats it.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    // Plugins read the output of other programs, which must not be translated.
    ("LC_ALL", "C.UTF-8"),
    ("HOME", "/"),
];

/// What to run and within which bounds.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program, as an absolute path, and its arguments. Never a shell's line.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Bytes kept of each of its outputs; the rest is read and dropped.
    pub output_bytes: usize,
    /// What it reads; empty: there is nothing to read.
    pub stdin: Vec<u8>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub end: End,
    pub stdout: Captured,
    pub stderr: Captured,
    /// What is still to be killed, where the deadline ended it.
    pub leftover: Option<Leftover>,
}

#[derive(Debug)]
pub enum End {
    Exited(i32),
    /// Ended by this signal.
    Signalled(i32),
    /// Ended by its deadline.
    TimedOut,
    /// It could not be started: not there, not executable, no more processes allowed.
    NotStarted(io::Error),
    /// It ran, and the system did not tell how it ended.
    Lost(io::Error),
}

/// Processes that are still there after the result was given.
#[derive(Debug)]
pub struct Leftover {
    pub pid: Option<u32>,
    gone: oneshot::Receiver<()>,
}

impl Leftover {
    /// One that is gone when the sender is used or dropped.
    #[cfg(test)]
    pub fn pretend() -> (Self, oneshot::Sender<()>) {
        let (end, gone) = oneshot::channel();
        (Self { pid: None, gone }, end)
    }

    /// Waits until the program and its children are gone.
    pub async fn gone(self) {
        // An error says that the task that kills them is gone too, at the end of the daemon.
        drop(self.gone.await);
    }
}

/// Starts programs and sees to it that each of them ends.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    tracker: TaskTracker,
    hurry: CancellationToken,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    running: AtomicUsize,
    killing: AtomicUsize,
}

impl Processes {
    /// Programs that run within their time.
    pub fn running(&self) -> usize {
        self.counts.running.load(Ordering::Relaxed)
    }

    /// Programs past their deadline that are not gone yet.
    pub fn killing(&self) -> usize {
        self.counts.killing.load(Ordering::Relaxed)
    }

    /// Kills without patience what is past its deadline, and waits for it.
    pub async fn close(&self) {
        self.hurry.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Runs `program`. Comes back at `deadline` at the latest; dropped before, it kills the program.
    pub async fn run(&self, program: &Program, deadline: Instant) -> Ran {
        let _running = Counted::new(&self.counts, |counts| &counts.running);
        // The call returns when the program's file is loaded, and a dead network disk never loads: so it has
        // a thread of its own to hang in.
        let command = prepare(program);
        let mut starting = tokio::task::spawn_blocking(move || Started::new(command));
        let started = tokio::select! {
            started = &mut starting => started.unwrap_or_else(|error| Err(io::Error::other(error))),
            () = sleep_until(deadline) => return self.give_up_starting(starting),
        };
        match started {
            Ok(started) => self.follow(started, program, deadline).await,
            Err(error) => Ran::without_output(End::NotStarted(error)),
        }
    }

    async fn follow(&self, mut started: Started, program: &Program, deadline: Instant) -> Ran {
        let mut stdout = Pipe::new(started.child.stdout.take(), program.output_bytes);
        let mut stderr = Pipe::new(started.child.stderr.take(), program.output_bytes);
        if let Some(mut stdin) = started.child.stdin.take() {
            let bytes = program.stdin.clone();
            // Ends with the program at the latest. One that does not want to read it all says so by how it ends.
            self.tracker.spawn(async move { stdin.write_all(&bytes).await.ok() });
        }
        let ended = tokio::select! {
            ended = wait_and_read(&mut started.child, &mut stdout, &mut stderr) => Some(ended),
            () = sleep_until(deadline) => None,
        };
        let (end, leftover) = match ended {
            Some(ended) => {
                started.group.release();
                (ended.map_or_else(End::Lost, End::of), None)
            }
            None => (End::TimedOut, Some(self.bury(started))),
        };
        Ran { end, stdout: stdout.captured(), stderr: stderr.captured(), leftover }
    }

    /// Kills what is past its deadline, in a task of its own: the result does not wait for it.
    fn bury(&self, started: Started) -> Leftover {
        let (told, gone) = oneshot::channel();
        let pid = started.child.id();
        let counted = Counted::new(&self.counts, |counts| &counts.killing);
        let hurry = self.hurry.clone();
        self.tracker.spawn(async move {
            let _counted = counted;
            started.group.end(started.child, hurry).await;
            // Nobody may be waiting for it.
            told.send(()).ok();
        });
        Leftover { pid, gone }
    }

    fn give_up_starting(&self, starting: JoinHandle<io::Result<Started>>) -> Ran {
        let (told, gone) = oneshot::channel();
        let counted = Counted::new(&self.counts, |counts| &counts.killing);
        let processes = self.clone();
        self.tracker.spawn(async move {
            let _counted = counted;
            if let Ok(Ok(started)) = starting.await {
                processes.bury(started).gone().await;
            }
            told.send(()).ok();
        });
        let leftover = Some(Leftover { pid: None, gone });
        Ran { leftover, ..Ran::without_output(End::TimedOut) }
    }
}

/// A program that runs, and its process group.
struct Started {
    child: Child,
    group: Group,
}

impl Started {
    fn new(mut command: Command) -> io::Result<Self> {
        let child = command.spawn()?;
        limits::give_open_files_of_before(child.id());
        limits::let_go_first(child.id());
        let group = Group::led_by(child.id());
        Ok(Self { child, group })
    }
}

fn prepare(program: &Program) -> Command {
    let (path, arguments) =
        program.argv.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(path);
    command
        .args(arguments)
        .env_clear()
        .envs(program.env.iter().map(|(key, value)| (key, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(if program.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Reads until the program ends, and then what is left in the pipes. A grandchild that became a daemon keeps
/// them open for ever; it is not waited for.
async fn wait_and_read(child: &mut Child, stdout: &mut Pipe, stderr: &mut Pipe) -> io::Result<ExitStatus> {
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = stdout.read(), if stdout.is_open() => {}
            () = stderr.read(), if stderr.is_open() => {}
        }
    };
    let rest = async { tokio::join!(stdout.read_all(), stderr.read_all()) };
    // What was written before the end is read by then; more would be somebody else's.
    drop(timeout(AFTERMATH, rest).await);
    status
}

impl End {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signalled(signal),
            (None, None) => Self::Lost(io::Error::other(format!("it ended as {status}"))),
        }
    }
}

impl Ran {
    fn without_output(end: End) -> Self {
        Self { end, stdout: Captured::default(), stderr: Captured::default(), leftover: None }
    }
}

/// Counts one more as long as it lives.
struct Counted(Arc<Counts>, fn(&Counts) -> &AtomicUsize);

impl Counted {
    fn new(counts: &Arc<Counts>, which: fn(&Counts) -> &AtomicUsize) -> Self {
        which(counts).fetch_add(1, Ordering::Relaxed);
        Self(counts.clone(), which)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
