//! A kind of check: a row of the table, and what its probe gets to work with.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use vigia_core::model::check::BuiltInCheck;

use crate::icmp::Icmp;
use crate::options::{Given, Node, Opt, OptionProblem, Reader, SecretSource, Shape, Threshold, Value};
use crate::outcome::Outcome;
use crate::resolve::Resolver;
use crate::secure::Connectors;

/// One kind of check, declared.
pub struct Kind {
    /// The key in YAML, the word after `vigia check`, and, after `check_`, the name of the link.
    pub name: &'static str,
    /// What its output begins with: `TCP`, `HTTP`.
    pub label: &'static str,
    /// One line, lower case, without a full stop.
    pub summary: &'static str,
    /// Its options, in groups, since some are shared.
    pub options: &'static [&'static [Opt]],
    pub short: Short,
    /// Arguments of `vigia check KIND`, as shown by `--help`.
    pub examples: &'static [&'static str],
    /// Services as they stand under `services:`, for the reference page.
    pub yaml: &'static str,
    /// What the check leaves in the log of the target.
    pub trace: Option<&'static str>,
    /// Flags of monitoring-plugins that are not one option each.
    pub extras: &'static [Extra],
    pub decode: fn(&Given, &mut Reader) -> Option<Box<dyn Probe>>,
}

/// What a single value in place of the map of options means.
#[derive(Clone, Copy)]
pub enum Short {
    None,
    /// It is the value of this option.
    Option(&'static str),
    /// The text decides which option it is of.
    Text(fn(&str) -> &'static str),
}

/// A flag that sets several options, or parts of one.
pub struct Extra {
    /// `"-m --pagesize"`.
    pub flags: &'static str,
    /// The name of its value in `--help`; empty: it takes none.
    pub value: &'static str,
    pub help: &'static str,
    /// Options that it says all of: `--help` does not list them again.
    pub covers: &'static [&'static str],
    /// Option paths (`tls.warn`) and what they are set to; the error is shown as it stands.
    pub apply: fn(&str) -> Result<Settings, String>,
}

/// Option paths and the texts they are set to.
pub type Settings = Vec<(&'static str, String)>;

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

/// The decoded options of one check, ready to run any number of times.
pub trait Probe: fmt::Debug + Send + Sync {
    /// Looks once. Never fails: what the network does wrongly is the outcome.
    fn run<'a>(&'a self, call: &'a Call<'a>) -> BoxFuture<'a, Outcome>;
}

/// What the core keeps of a check without looking inside.
#[derive(Debug)]
pub struct BuiltIn {
    pub kind: &'static Kind,
    pub probe: Box<dyn Probe>,
}

impl BuiltInCheck for BuiltIn {}

/// A check as written, decoded: the check, unless there was an error, and everything that was wrong.
#[derive(Debug)]
pub struct Decoded {
    pub check: Option<Arc<dyn BuiltInCheck>>,
    pub problems: Vec<OptionProblem>,
}

impl Kind {
    pub fn options(&self) -> impl Iterator<Item = &'static Opt> + use<> {
        self.options.iter().copied().flatten()
    }

    /// The long form of what stands under the kind's key: a scalar becomes the option it is short for.
    pub fn long_form(&self, value: Value) -> Value {
        let option = match (&value.node, self.short) {
            (Node::Text(_), Short::Option(option)) => option,
            (Node::Text(text), Short::Text(which)) => which(text),
            (Node::Text(_), Short::None) | (Node::Null | Node::List(_) | Node::Map(_), _) => return value,
        };
        Value::single(option, value)
    }

    /// Decodes what stands under the kind's key in a file.
    pub fn decode(&'static self, value: &Value) -> Decoded {
        self.decode_with(value, Reader::written())
    }

    pub(crate) fn decode_with(&'static self, value: &Value, mut reader: Reader) -> Decoded {
        let value = self.long_form(value.clone());
        if let (Node::Text(text), Short::None) = (&value.node, self.short) {
            reader.wrong_with_hint(
                value.mark,
                format!("`{}` has no short form; `{text}` belongs under one of its options", self.name),
                format!(
                    "options: {}",
                    self.options().map(|option| option.name).collect::<Vec<_>>().join(", ")
                ),
            );
            return Decoded { check: None, problems: reader.into_problems() };
        }
        let given = Given::read(&value, self.options, &mut reader);
        if !reader.has_errors() {
            self.warn_of_hidden_limit(&given, &mut reader);
        }
        let mut check: Option<Arc<dyn BuiltInCheck>> = None;
        if !reader.has_errors()
            && let Some(probe) = (self.decode)(&given, &mut reader)
            && !reader.has_errors()
        {
            check = Some(Arc::new(BuiltIn { kind: self, probe }));
        }
        Decoded { check, problems: reader.into_problems() }
    }
}

impl Kind {
    /// Of times: a `warn` that comes no earlier than `crit` is never seen.
    fn warn_of_hidden_limit(&self, given: &Given, reader: &mut Reader) {
        let limit = |name: &str| {
            let is_time = |option: &&Opt| option.name == name && matches!(option.shape, Shape::Threshold);
            self.options().find(is_time).and_then(|_| given.find::<Threshold>(name))
        };
        if let (Some(warn), Some(crit)) = (limit("warn"), limit("crit"))
            && warn.0.is_hidden_by(crit.0)
        {
            reader.warn(
                given.mark("warn"),
                "`warn` comes no earlier than `crit`: it is CRITICAL at once",
                "a shorter `warn`, or a longer `crit`",
            );
        }
    }
}

/// Whom one run looks at.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The host's address or name; an option `address` beats it.
    pub address: &'a str,
    /// One deadline for the whole check.
    pub timeout: Duration,
    /// The check of the host itself: for a ping fewer packets, UP at the first answer.
    pub is_host_check: bool,
    /// Somebody watches: collect every step in [`Outcome::detail`].
    pub verbose: bool,
}

/// What all checks of a process share; built once, cheap to clone.
#[derive(Clone)]
pub struct Shared {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) connectors: Arc<Connectors>,
    pub(crate) secrets: SecretSource,
    pub(crate) icmp: Arc<Icmp>,
}

impl Shared {
    pub fn new(secrets: SecretSource) -> Self {
        Self {
            resolver: Arc::new(Resolver::new()),
            connectors: Arc::default(),
            secrets,
            icmp: Arc::default(),
        }
    }

    /// Reads the system's resolver settings again, as after a reload.
    pub fn refresh(&mut self) {
        self.resolver = Arc::new(Resolver::new());
        self.connectors = Arc::default();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// What was being waited for when the deadline came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Start,
    Resolve,
    Connect,
    Handshake,
    Answer,
    /// The answer has begun.
    Rest,
}

impl Phase {
    fn text(number: u8) -> &'static str {
        match number {
            1 => "the name server did not answer",
            2 => "no answer to the connection",
            3 => "the TLS handshake did not end",
            4 => "connected, but no answer came",
            5 => "the answer began but did not end",
            _ => "no answer",
        }
    }
}

/// One run of one check: whom it looks at, with what, until when.
#[derive(Debug)]
pub struct Call<'a> {
    pub kind: &'static Kind,
    pub target: &'a Target<'a>,
    pub shared: &'a Shared,
    pub started: Instant,
    /// The run is ended here whatever it does; who wants to say more must come earlier.
    pub deadline: Instant,
    phase: AtomicU8,
    detail: Mutex<Vec<String>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(kind: &'static Kind, target: &'a Target<'a>, shared: &'a Shared) -> Self {
        let started = Instant::now();
        Self {
            kind,
            target,
            shared,
            started,
            deadline: started + target.timeout,
            phase: AtomicU8::new(Phase::Start as u8),
            detail: Mutex::new(Vec::new()),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says what is waited for from now on.
    pub fn enters(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// One step, for whoever watches; not even formatted when nobody does.
    pub fn note(&self, step: impl FnOnce() -> String) {
        if self.target.verbose {
            let at = self.elapsed().as_secs_f64() * 1e3;
            let line = format!("{at:9.3} ms  {}", step());
            self.detail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    /// Fetches a secret. The error is an outcome already: without its secret a check knows nothing.
    pub fn reveal(&self, secret: &crate::options::Secret) -> Result<String, Box<Outcome>> {
        (self.shared.secrets)(secret)
            .map_err(|why| Box::new(Outcome::unknown(format!("{} UNKNOWN - {why}", self.kind.label))))
    }

    pub(crate) fn timed_out(&self) -> Outcome {
        Outcome::critical(format!("{} CRITICAL - {}", self.kind.label, self.waited_for()))
    }

    /// What had not come when the deadline did.
    pub(crate) fn waited_for(&self) -> String {
        let waited = Phase::text(self.phase.load(Ordering::Relaxed));
        format!("{waited} within {} s", self.target.timeout.as_secs_f64())
    }

    pub(crate) fn into_detail(self) -> Vec<String> {
        self.detail.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the decoded check behind the core's pointer.
pub(crate) fn built_in(check: &dyn BuiltInCheck) -> Option<&BuiltIn> {
    let any: &dyn Any = check;
    any.downcast_ref::<BuiltIn>()
}
