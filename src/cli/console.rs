//! Where a command prints, and how it ends: exit codes as types, failures with a hint.

use std::io::{self, IsTerminal, Write};

/// What a command's `run` returns.
pub type Answer = Result<Exit, Failure>;

/// An exit code. The meanings are the same for all commands but those that answer as plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    pub const DONE: Self = Self(0);
    /// Refused, invalid, or anything else that went wrong.
    pub const REFUSED: Self = Self(1);
    pub const USAGE: Self = Self(2);
    pub const NO_DAEMON: Self = Self(3);
    /// `EX_CONFIG`: systemd does not restart us for it (`RestartPreventExitStatus=78`).
    pub const CONFIG: Self = Self(78);

    /// The code of a command that answers as a plugin: a state's number, 3 also for wrong usage.
    pub fn plugin(state: u8) -> Self {
        Self(state.min(3))
    }

    pub fn code(self) -> u8 {
        self.0
    }
}

/// Why a command could not do what it was asked: what, and what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<crate::os::files::FileError> for Failure {
    fn from(error: crate::os::files::FileError) -> Self {
        Self::new(Exit::REFUSED, crate::telemetry::Chain(&error).to_string())
    }
}

/// Writing to the console failed. The reader went away (`| head`), or the disk behind it is full.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Nobody reads any more: that is no reason to complain.
            io::ErrorKind::BrokenPipe => Self::new(Exit::DONE, String::new()),
            _ => Self::new(Exit::REFUSED, format!("cannot print: {error}")),
        }
    }
}

/// Standard output and standard error, or what a test puts in their place.
pub struct Console {
    pub out: Box<dyn Write + Send>,
    pub err: Box<dyn Write + Send>,
    /// Whether colour and redrawing make sense on `out`.
    pub is_terminal: bool,
}

impl Console {
    pub fn of_process() -> Self {
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            is_terminal: io::stdout().is_terminal(),
        }
    }

    /// A console that prints to `out` and `err`; for tests and for commands that run others.
    pub fn of(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out, err, is_terminal: false }
    }

    /// Tells why a command failed, and gives its exit code.
    pub(super) fn fail(&mut self, failure: &Failure) -> Exit {
        if failure.message.is_empty() {
            return failure.exit;
        }
        let hint = failure.hint.iter().map(|hint| format!("hint: {hint}\n")).collect::<String>();
        // Where standard error is gone too, the exit code is all that is left to say.
        drop(write!(self.err, "vigia: {}\n{hint}", failure.message));
        failure.exit
    }

    /// Prints clap's help, version or complaint.
    pub(super) fn usage(&mut self, error: &clap::Error) -> Exit {
        let is_answer = !error.use_stderr();
        let target = if is_answer { &mut self.out } else { &mut self.err };
        // What the environment sets is optional all the same; clap shows it as if it had to be written.
        let text = error.render().to_string();
        let text = text
            .replace("--config <PATH> --state-dir <DIR> ", "[OPTIONS] ")
            .replace("[OPTIONS] [OPTIONS]", "[OPTIONS]");
        drop(write!(target, "{text}"));
        if is_answer { Exit::DONE } else { Exit::USAGE }
    }

    /// Hands on what is still buffered; output that could not be printed turns success into failure.
    pub(super) fn finish(mut self, exit: Exit) -> Exit {
        match self.out.flush() {
            Ok(()) => exit,
            Err(error) if exit == Exit::DONE => self.fail(&error.into()),
            Err(_) => exit,
        }
    }
}
