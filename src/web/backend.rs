//! What the pages and the API need of the rest of the daemon, in one trait.
//!
//! Two implementations: the running daemon's (runtime, store and desk behind it) and the fixture of the tests,
//! which is how every page can be looked at without a daemon. Nothing here knows HTTP or HTML.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use vigia_core::engine::world::World;
use vigia_core::model::alarm::Alarm;
use vigia_core::model::check::CheckResult;
use vigia_core::model::id::{AlarmId, ObjectKey, TicketId};
use vigia_core::model::operation::{Order, Refusal};
use vigia_core::model::state::{AnyState, StateType};
use vigia_core::model::ticket::Reference;
use vigia_core::model::time::Timestamp;

use crate::assets::Assets;
use crate::deliver::{Letter, Template};
use crate::desk::{Documents, Files, ProgramToken, Role};

pub use crate::discovery::insert::{Inserted, Properties};
pub use crate::discovery::jobs::{Ask, Board, Chosen};
pub use crate::discovery::summary::Summary;
pub use crate::store::alarms::AlarmNote;
pub use crate::store::alarms::report::AlarmsOf;
pub use crate::store::attachments::{Attachment, Place};
pub use crate::store::outbox::{Listed, OutboxFilter, Way};
pub use crate::store::scans::ScanRow;
pub use crate::store::suppressions::{Kept as KeptSuppression, SuppressionFilter};
pub use crate::store::tickets::types::TicketType;
pub use crate::store::tickets::{Note, StatusFilter, Ticket, TicketFilter, TicketSort, TicketWithNotes};

/// An answer that may take a while: the store's reader or the conductor has to be asked.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why something could not be had. The text is for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The engine or the desk said no.
    #[error("{0}")]
    Refused(String),
    /// It was not asked for as it must be.
    #[error("{0}")]
    Wrong(String),
    /// So much must be said to be meant.
    #[error("{0}")]
    Unconfirmed(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// Somebody else changed it meanwhile.
    #[error("{0}")]
    Changed(String),
    /// The part that should answer cannot at the moment (stopping, disk trouble).
    #[error("{0}")]
    Unavailable(String),
    /// It is in effect, and the disk does not have it yet.
    #[error("{0}")]
    Unsaved(String),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::UnknownObject(_) | Refusal::UnknownRecord { .. } => Self::Missing(refusal.to_string()),
            Refusal::Changed { .. } => Self::Changed(refusal.to_string()),
            Refusal::NoProblem(_)
            | Refusal::AlreadyAcknowledged(_)
            | Refusal::PassiveOff(_)
            | Refusal::Outdated(_)
            | Refusal::TooOld { .. }
            | Refusal::InFuture { .. }
            | Refusal::Reversed
            | Refusal::NotMonitored(_)
            | Refusal::NotChecked(_)
            | Refusal::Past
            | Refusal::Invalid(_) => Self::Refused(refusal.to_string()),
        }
    }
}

pub trait Backend: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// The world as last published. Cheap.
    fn world(&self) -> Arc<World>;

    /// Wakes with every publication.
    fn worlds(&self) -> watch::Receiver<Arc<World>>;

    /// Resolves when the order is on disk.
    fn order(&self, order: Order) -> Answer<'_, Result<Done, Trouble>>;

    /// Reads the configuration again and waits for the outcome.
    fn reload(&self, by: By, accept_empty: bool) -> Answer<'_, Result<ReloadReport, Trouble>>;

    /// Makes a backup in the folder of the configuration, and waits for it.
    fn back_up(&self, by: By) -> Answer<'_, Result<Backup, Trouble>>;

    fn health(&self) -> Arc<Health>;

    fn process(&self) -> Process;

    /// What of it everybody must know; asked for with every page.
    fn alerts(&self) -> Alerts;

    /// Hands in passive results, all in one go; for each why it was refused, or none.
    fn submit(&self, results: Vec<CheckResult>) -> Answer<'_, Result<Vec<Option<Trouble>>, Trouble>>;

    /// The daemon's own meters as Prometheus text.
    fn metrics(&self) -> String;

    /// Where each effective value of an object was written; empty for an object that is not there.
    /// Reads the configuration: only for whoever asks.
    fn defined(&self, key: ObjectKey) -> Answer<'_, Result<Defined, Trouble>>;

    /// Newest first.
    fn history(&self, wanted: HistoryQuery) -> Answer<'_, Result<Vec<HistoryRow>, Trouble>>;

    /// How an object stood from then until now, without gaps, oldest first.
    fn ribbon(&self, key: ObjectKey, from: Timestamp) -> Answer<'_, Result<Vec<Segment>, Trouble>>;

    /// Newest first, and how many there are without the limit.
    fn alarms(&self, wanted: RecordQuery) -> Answer<'_, Result<Cut<Arc<Alarm>>, Trouble>>;

    fn alarm(&self, id: AlarmId) -> Answer<'_, Result<Arc<Alarm>, Trouble>>;

    /// What people did with an alarm, oldest first.
    fn alarm_notes(&self, id: AlarmId) -> Answer<'_, Result<Vec<AlarmNote>, Trouble>>;

    /// Labels of alarms in use.
    fn alarm_labels(&self) -> Answer<'_, Result<Vec<String>, Trouble>>;

    /// What was bad in that time, the longest first.
    fn alarm_report(&self, from: Timestamp, to: Timestamp) -> Answer<'_, Result<Vec<AlarmsOf>, Trouble>>;

    /// What was called a false positive, newest first, and how many there are without the limit.
    fn suppressions(&self, wanted: SuppressionFilter) -> Answer<'_, Result<Cut<KeptSuppression>, Trouble>>;

    /// Those that match, and how many there are without the limit.
    fn tickets(&self, wanted: TicketFilter) -> Answer<'_, Result<Cut<Ticket>, Trouble>>;

    fn ticket(&self, id: TicketId) -> Answer<'_, Result<TicketWithNotes, Trouble>>;

    fn ticket_types(&self) -> Answer<'_, Result<Vec<TicketType>, Trouble>>;

    /// Answers with how many tickets have another type now.
    fn change_ticket_type(&self, change: TypeChange, by: By) -> Answer<'_, Result<u64, Trouble>>;

    /// Tags in use, and how many tickets have each.
    fn ticket_tags(&self) -> Answer<'_, Result<Vec<(String, u64)>, Trouble>>;

    /// That of an editor; none: the one built in.
    fn ticket_template(&self) -> Answer<'_, Result<Option<Template>, Trouble>>;

    /// None: the one built in again.
    fn set_ticket_template(&self, template: Option<Template>, by: By) -> Answer<'_, Result<(), Trouble>>;

    /// What a template makes of a ticket.
    fn preview_ticket(&self, id: TicketId, template: Template) -> Answer<'_, Result<Letter, Trouble>>;

    /// Whether `name` hears of each change of the ticket.
    fn subscribe(&self, id: TicketId, name: String, is_to: bool, by: By) -> Answer<'_, Result<(), Trouble>>;

    /// What people know. Rows of the store, with their own acts.
    fn documents(&self) -> Documents;

    /// What people attach. Files and rows with their own acts; nothing of it is in the world.
    fn files(&self) -> Files;

    /// The token of a new session, or why not.
    fn login(&self, name: String, password: String, from: String) -> Answer<'_, Result<String, Trouble>>;

    /// Whose session (or API token) it is, if it is still good.
    fn session(&self, token: String) -> Answer<'_, Option<Account>>;

    fn logout(&self, token: String) -> Answer<'_, ()>;

    fn users(&self) -> Answer<'_, Result<Vec<Account>, Trouble>>;

    fn change_user(&self, change: UserChange, by: By) -> Answer<'_, Result<(), Trouble>>;

    /// Answers with the token itself: the only time that it is said.
    fn add_token(&self, new: NewToken, by: By) -> Answer<'_, Result<String, Trouble>>;

    fn tokens(&self, name: String) -> Answer<'_, Result<Vec<ProgramToken>, Trouble>>;

    /// Whether a session (or a program's token) that was good before is so still. Is no use of it.
    fn is_session(&self, token: String) -> Answer<'_, bool>;

    /// What was told to whom, newest first, and how many there are without the limit.
    fn messages(&self, wanted: OutboxFilter) -> Answer<'_, Result<Cut<Listed>, Trouble>>;

    /// Sends a contact a test; by all its channels, or by those of one kind. The answer is the message's id.
    fn test_contact(
        &self,
        contact: String,
        channel: Option<String>,
        by: By,
    ) -> Answer<'_, Result<String, Trouble>>;

    /// How delivery stands.
    fn delivery(&self) -> Delivery;

    /// What the network is made of. Rows of the store, with their own acts; nothing of it is in the world.
    fn assets(&self) -> Assets;

    /// What is scanned, and when jobs come round.
    fn scans(&self) -> watch::Receiver<Arc<Board>>;

    /// Newest first, and how many there are without the limit.
    fn past_scans(&self, limit: usize, offset: usize) -> Answer<'_, Result<Cut<ScanRow>, Trouble>>;

    /// One scan, with what it found once it has ended.
    fn scan(&self, id: i64) -> Answer<'_, Result<Scan, Trouble>>;

    /// The scan's number.
    fn start_scan(&self, order: ScanOrder, by: By) -> Answer<'_, Result<i64, Trouble>>;

    fn cancel_scan(&self, id: i64, by: By) -> Answer<'_, Result<(), Trouble>>;

    /// Writes hosts of a scan to discovery's page.
    fn insert_hosts(
        &self,
        scan: i64,
        hosts: Chosen,
        properties: Properties,
        by: By,
    ) -> Answer<'_, Result<Inserted, Trouble>>;
}

/// A scan, and what it found once it has ended.
pub type Scan = (ScanRow, Option<Arc<Summary>>);

/// What is to be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// A job of the files, by its name.
    Job(String),
    Ask(Ask),
}

/// Who does something that is not an order to the engine, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub name: Arc<str>,
    pub role: Role,
    /// An address, or `control socket`.
    pub from: String,
}

/// What an order came to, beyond having worked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The ticket it opened or changed.
    pub ticket: Option<Reference>,
    /// The number of the comment or downtime it made.
    pub record: Option<u64>,
}

/// An account, never with its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: Arc<str>,
    pub role: Role,
    pub contact: Option<Arc<str>>,
    pub is_disabled: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub enum UserChange {
    Add { name: String, role: Role, password: Option<String>, contact: Option<String> },
    SetPassword { name: String, password: String },
    Disable { name: String },
    Enable { name: String },
    SetRole { name: String, role: Role },
    RevokeToken { name: String, label: String },
}

/// A token for a program to be made: it may what its user may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    pub name: String,
    /// What it is for; one of a kind with its user.
    pub label: String,
    pub expires: Option<Timestamp>,
}

/// What an administrator must know of the configuration and of vigia itself.
#[derive(Clone, Debug, Default)]
pub struct Health {
    pub generation: u32,
    pub loaded: Option<Timestamp>,
    /// The last load that was refused as a whole; the previous configuration goes on.
    pub refused: Option<String>,
    /// Errors and warnings of the last load, in the order of files and lines.
    pub problems: Vec<ConfigProblem>,
    pub quarantine: Vec<Quarantined>,
    /// One line each: what is configured and not acted on, what is degraded.
    pub notices: Vec<Notice>,
    /// Settings that differ from the running ones and need a restart.
    pub restart_needed: Vec<String>,
    pub files: Vec<String>,
}

impl Health {
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error).count()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    pub is_error: bool,
    pub file: String,
    /// From 1.
    pub line: u32,
    pub column: u32,
    pub message: String,
    pub hint: Option<String>,
    /// The whole of it as a terminal shows it: place, line, caret, hint.
    pub rendered: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `host web01`, `service web01/HTTP`, …
    pub object: String,
    pub key: Option<ObjectKey>,
    pub file: String,
    pub line: u32,
    pub message: String,
    /// It goes on as it was last good; otherwise it is not loaded at all.
    pub is_last_good: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub urgency: Urgency,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Worth knowing; shown on the configuration and process pages.
    Note,
    /// Shown as a banner on every page.
    Banner,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    pub is_ok: bool,
    pub generation: u32,
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
    pub problems: Vec<ConfigProblem>,
    pub quarantine: Vec<Quarantined>,
    pub restart_needed: Vec<String>,
}

/// The daemon about itself, for the process page, `vigia status` and the metrics.
#[derive(Clone, Debug)]
pub struct Process {
    pub version: &'static str,
    pub pid: u32,
    pub started: Timestamp,
    pub listen: Vec<String>,
    pub config: String,
    pub state_dir: String,
    pub checks: ChecksGauge,
    pub queues: Vec<QueueGauge>,
    pub store: StoreGauge,
    pub reload: ReloadGauge,
    /// Where they are made by the daemon.
    pub backup: Option<BackupGauge>,
    /// Panics caught in checks since the start.
    pub panics: u64,
}

/// What an administrator must hear of the daemon itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Why the store cannot write.
    pub store: Option<String>,
    /// One line for each channel that does not work.
    pub dead_channels: Vec<String>,
    /// Kinds of check that cannot keep up.
    pub overloaded: Vec<String>,
    /// How late the worst of them is.
    pub behind: Duration,
}

/// How messages leave the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// By kind of channel, since the start.
    pub sent: Vec<(&'static str, u64)>,
    pub failed: Vec<(&'static str, u64)>,
    pub waiting: u64,
    pub oldest: Option<Timestamp>,
    /// One line for each channel that does not work.
    pub dead: Vec<String>,
}

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub from: Timestamp,
    pub to: Timestamp,
    /// None: nothing is known of that time.
    pub state: Option<AnyState>,
}

#[derive(Clone, Debug, Default)]
pub struct ChecksGauge {
    pub running: usize,
    pub limit: usize,
    pub total: u64,
    /// By kind: how many ended.
    pub kinds: Vec<(String, u64)>,
    /// How late checks start, since the start.
    pub latency: Spread,
    pub run_time: Spread,
    /// Kinds that cannot keep up, and so are checked less often than they should.
    pub overloaded: Vec<String>,
    /// How late the next check of the worst of them is.
    pub behind: Duration,
}

/// Percentiles of a duration, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

#[derive(Clone, Debug)]
pub struct QueueGauge {
    pub name: &'static str,
    pub length: usize,
}

#[derive(Clone, Debug, Default)]
pub struct StoreGauge {
    pub path: String,
    pub bytes: Option<u64>,
    /// Why it cannot write at the moment.
    pub trouble: Option<String>,
    pub last_commit: Option<Timestamp>,
    pub batches: u64,
    pub events: u64,
}

/// One that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub path: String,
    pub taken: Timestamp,
    pub bytes: u64,
}

/// The backups that the daemon makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupGauge {
    pub dir: String,
    pub count: usize,
    pub last: Option<Timestamp>,
    /// Of the last.
    pub bytes: u64,
    /// Why none can be made at the moment.
    pub failing: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct ReloadGauge {
    pub last: Option<Timestamp>,
    /// `complete`, `partial`, `refused`.
    pub outcome: &'static str,
    /// On average, of those that were not refused.
    pub took: Duration,
    pub complete: u64,
    /// Some objects had a mistake.
    pub partial: u64,
    pub refused: u64,
}

/// Where an object that runs was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defined {
    pub origins: Vec<Origin>,
    /// Files that are others on disk now than those it was read from.
    pub changed: Vec<String>,
    /// Nothing was kept of what runs: this is what the files say now.
    pub is_of_disk: bool,
}

/// One effective value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub key: String,
    pub value: String,
    /// `conf.d/web.yaml:12`; `built in` where nobody wrote it.
    pub place: String,
    /// `template web-server`, `group linux`; empty: the object itself.
    pub via: String,
}

impl Origin {
    /// What of it nobody wrote.
    pub const BUILT_IN: &str = "built in";

    pub fn is_built_in(&self) -> bool {
        self.place == Self::BUILT_IN
    }
}

#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// None: of everything. A host alone means the host object alone.
    pub subject: Option<ObjectKey>,
    pub before: Option<Timestamp>,
    pub limit: usize,
    /// Who was told and who was not, and what that depends on.
    pub is_about_messages: bool,
}

/// One line of the event log as people read it.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    pub at: Timestamp,
    pub subject: Option<ObjectKey>,
    /// `state`, `acknowledged`, `downtime started`, `alarm opened`, …
    pub what: String,
    /// Of a state change: to which state, soft or hard, attempt.
    pub state: Option<(AnyState, StateType, u16)>,
    pub author: Option<String>,
    pub text: String,
    /// Of a line about messages: the same as the text, as data.
    pub data: Option<serde_json::Value>,
}

/// How many there are in all, and those that were asked for.
pub type Cut<T> = (usize, Vec<T>);

#[derive(Clone, Debug, Default)]
pub struct RecordQuery {
    pub status: Wanted,
    pub host: Option<String>,
    /// With `host`: this service of it.
    pub service: Option<String>,
    pub text: Option<String>,
    /// A state in words.
    pub state: Option<String>,
    /// A field's name.
    pub sort: Option<String>,
    pub owner: Option<String>,
    /// Nobody's.
    pub unowned: bool,
    pub label: Option<String>,
    /// Those that this is the cause of, and its own.
    pub root: Option<ObjectKey>,
    /// At least so severe.
    pub severity: Option<u8>,
    pub limit: usize,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    #[default]
    Open,
    Closed,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeChange {
    Add {
        name: String,
        description: String,
    },
    /// Another name takes its tickets along.
    Change {
        name: String,
        to: String,
        description: String,
    },
    /// Its tickets become Generic.
    Delete {
        name: String,
    },
}
