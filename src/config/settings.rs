//! The daemon's own settings (`config.md` 6): everything has a default that works.
//!
//! A mistake anywhere in them leaves all of them as they were. Which of them need a restart is in the table.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use vigia_checks::options::Secret;
use vigia_core::model::policy::Handler;
use vigia_core::model::selector::Selection;

use super::decode::Decoder;
use super::files::Document;
use super::place::Place;
use super::problem::Problem;
use super::tree::Node;

mod keys;
mod read;
mod section;

pub use keys::SECTIONS;
pub use read::{decode, listen_address};
pub use section::Effective;

/// Whether a top-level key is a section of settings.
pub fn is_section(key: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == key)
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub web: Web,
    pub metrics: Metrics,
    pub store: Store,
    pub smtp: Smtp,
    /// Folder of templates for messages; may be missing.
    pub message_templates: PathBuf,
    /// Those of them that have no mistake, by their names.
    pub templates: Vec<(String, String)>,
    pub event_handlers: EventHandlers,
    pub concurrency: Concurrency,
    /// Where the first word of `plugin:` is looked for.
    pub plugin_path: Vec<PathBuf>,
    /// `USER1` and so on, without the dollars.
    pub user_macros: Vec<(String, MacroValue)>,
    pub tickets: Tickets,
    pub nagios: Nagios,
    pub pollers: Pollers,
    pub log: Log,
    pub backup: Backup,
    pub self_monitoring: SelfMonitoring,
    pub limits: Limits,
    /// Every setting as it takes effect, in the order of the reference.
    pub effective: Vec<Effective>,
}

impl Settings {
    /// The keys that changed and take effect with the next start only.
    pub fn needing_restart(&self, running: &Self) -> Vec<&str> {
        let of = |settings: &Self, key: &str| {
            settings.effective.iter().find(|one| one.key == key).map(|one| one.value.clone())
        };
        let keys = self.effective.iter().filter(|one| one.needs_restart).map(|one| one.key.as_str());
        keys.filter(|key| of(self, key) != of(running, key)).collect()
    }
}

#[derive(Clone, Debug)]
pub struct Web {
    /// Empty: `off`.
    pub listen: Vec<SocketAddr>,
    pub url: Option<String>,
    pub tls: Option<WebTls>,
    pub anonymous: Anonymous,
    pub password: PasswordPolicy,
    pub proxy: Option<Proxy>,
    pub oidc: Option<Oidc>,
    pub session: Session,
    pub public_status: PublicStatus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebTls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Who may look without login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// Whoever comes from this machine, unless a header says that the request was forwarded.
    Loopback,
    Nobody,
    Everybody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Characters.
    pub min: u32,
    pub tries: u32,
    pub lock: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub from: Vec<IpNet>,
    pub header: String,
    /// `viewer operator editor admin`
    pub role: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub role_claim: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub idle: Duration,
    pub absolute: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PublicStatus {
    Off,
    On,
    Only(Selection),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    pub path: String,
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub path: PathBuf,
    pub retention: Retention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub states: Duration,
    pub events: Duration,
    pub decisions: Duration,
    pub alarms: Duration,
    pub audit: Duration,
    pub scans: Duration,
    pub perfdata_raw: Duration,
    pub perfdata_5m: Duration,
    pub perfdata_1h: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// `None`: `vigia@` and the machine's full name.
    pub from: Option<String>,
    pub timeout: Duration,
    /// A program and its arguments instead of a server; empty: none.
    pub sendmail: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    Off,
    StartTls,
    Tls,
}

/// What runs for all hosts and all services, each with its place; whether the command is there is not known yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventHandlers {
    pub host: Option<(Handler, Place)>,
    pub service: Option<(Handler, Place)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    pub total: usize,
    pub per_host: usize,
    /// By kind of check; kinds that are not here have no limit but `total`.
    pub kinds: Vec<(String, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacroValue {
    Text(String),
    /// And where it is named.
    Secret(Secret, Place),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tickets {
    pub mail: bool,
    /// `None`: off.
    pub reminder: Option<Duration>,
    pub in_charge: Option<String>,
    /// Bytes.
    pub attachment_max: u64,
    pub attachments_max: u64,
    pub trackers: Vec<Tracker>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tracker {
    pub name: String,
    pub url: String,
    pub format: &'static str,
    pub token: Option<Secret>,
    pub matching: Selection,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nagios {
    pub command_file: Option<PathBuf>,
    pub status_file: Option<PathBuf>,
    pub objects_file: Option<PathBuf>,
    pub log_file: Option<PathBuf>,
    /// A path, or an address with its port.
    pub livestatus: Option<String>,
    pub check_result_path: Option<PathBuf>,
    pub perfdata: Option<NagiosPerfdata>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NagiosPerfdata {
    pub host: Option<PathBuf>,
    pub service: Option<PathBuf>,
    pub every: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pollers {
    pub listen: Option<SocketAddr>,
    pub nodes: Vec<PollerNode>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PollerNode {
    pub name: String,
    pub token: Secret,
    pub matching: Selection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error warn info debug trace`
    pub level: &'static str,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub dir: Option<PathBuf>,
    pub every: Duration,
    pub keep: u32,
    pub max_age: Duration,
}

/// What vigia watches of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfMonitoring {
    /// There is a host `vigia`.
    pub host: bool,
    pub lateness: Bounds<Duration>,
    pub never_run: Bounds<Duration>,
    /// Age of the oldest message that waits.
    pub messages: Bounds<Duration>,
    /// Per cent that are free.
    pub disk: Bounds<f64>,
    pub ping: Option<Ping>,
}

/// From here on it is WARNING, and CRITICAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<T> {
    pub warning: T,
    pub critical: T,
}

/// Somebody who misses us is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    pub url: Secret,
    pub every: Duration,
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub objects: usize,
    /// Bytes.
    pub file: u64,
    pub discovery: u32,
}

#[cfg(test)]
mod tests;
