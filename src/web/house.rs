//! The running daemon behind the seam: the handle of the runtime, the store's readers, the desk.

mod alarms;
mod backup;
mod gauges;
mod health;
mod messages;
mod rows;
mod scans;
mod tickets;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use vigia_core::engine::world::World;
use vigia_core::model::alarm::Alarm;
use vigia_core::model::check::CheckResult;
use vigia_core::model::event::{What, opened_ticket};
use vigia_core::model::id::{AlarmId, ObjectKey, TicketId};
use vigia_core::model::operation::Order;
use vigia_core::model::time::Timestamp;

use self::health::translate;
use self::rows::{ABOUT_MESSAGES, history_row};
use super::backend::{
    Account, AlarmNote, AlarmsOf, Alerts, Answer, Backend, Backup, BackupGauge, Board, By, Chosen, Cut,
    Defined, Delivery, Done, Health, HistoryQuery, HistoryRow, Inserted, KeptSuppression, Listed, NewToken,
    Notice, OutboxFilter, Process, Properties, QueueGauge, RecordQuery, ReloadGauge, ReloadReport, Scan,
    ScanOrder, ScanRow, Segment, StoreGauge, SuppressionFilter, Ticket, TicketFilter, TicketType,
    TicketWithNotes, Trouble, TypeChange, UserChange,
};
use crate::assets::{Assets, EditError};
use crate::backup::schedule::Asker;
use crate::deliver;
use crate::deliver::{Letter, Template};
use crate::desk::{self, Desk, DeskError, LoginRefused, Password, ProgramToken, Token, Who};
use crate::discovery::jobs::Jobs;
use crate::runtime::{ConfigHealth, Handle, NotDone};
use crate::store::log::LogFilter;
use crate::store::tickets::types;
use crate::store::{MOST, Store, StoreError, alarms as store_alarms, log, tickets as store_tickets};

/// What only `app` knows, asked for when a page needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Addresses that listen, as a person opens them.
    pub listen: Vec<String>,
    pub config: String,
    pub state_dir: String,
    /// Checks that may be in flight at once.
    pub limit: usize,
    pub files: Vec<String>,
    /// What is configured and not acted on, what is degraded.
    pub notices: Vec<Notice>,
    pub backup: Option<BackupGauge>,
}

/// Reads where the values of an object were written. Blocks.
pub type Definitions = Arc<dyn Fn(&ObjectKey) -> Result<Defined, String> + Send + Sync>;

/// Changes of state that a ribbon of a month is drawn from; an object that changes more often is known for less.
const RIBBON_CHANGES: usize = 5000;

pub struct House {
    handle: Handle,
    store: Store,
    desk: Desk,
    facts: watch::Receiver<Facts>,
    definitions: Definitions,
    delivery: watch::Receiver<deliver::Health>,
    backups: Asker,
    scans: Jobs,
    assets: Assets,
    /// The last translation of the configuration's health; pages ask for it far more often than it changes.
    health: Mutex<Option<Translated>>,
    /// Bytes; 0 while not known.
    size: Arc<AtomicU64>,
}

/// What was translated, and into what.
type Translated = (Arc<ConfigHealth>, Facts, Arc<Health>);

impl House {
    pub fn new(
        handle: Handle,
        store: Store,
        desk: Desk,
        facts: watch::Receiver<Facts>,
        definitions: Definitions,
        (delivery, backups): (watch::Receiver<deliver::Health>, Asker),
        (scans, assets): (Jobs, Assets),
    ) -> Self {
        let size = Arc::new(AtomicU64::new(size_of(store.path())));
        let health = Mutex::new(None);
        Self { handle, store, desk, facts, definitions, delivery, backups, scans, assets, health, size }
    }

    /// The size of the database when somebody last wanted to know. Looking at a file may block, so whoever asks
    /// gets the last answer and has the next one fetched elsewhere.
    fn size(&self) -> Option<u64> {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (path, size) = (self.store.path().to_owned(), self.size.clone());
            runtime.spawn_blocking(move || size.store(size_of(&path), Ordering::Relaxed));
        }
        Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(format!("the store does not answer: {}", crate::telemetry::Chain(&error)))
    }
}

impl From<NotDone> for Trouble {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Refused(refusal) => refusal.into(),
            NotDone::NotKept(text) => Self::Unsaved(format!("done, but not yet on the disk: {text}")),
            NotDone::Unavailable(text) => Self::Unavailable(text),
            NotDone::Stopping => Self::Unavailable("vigia is stopping".to_owned()),
        }
    }
}

impl From<DeskError> for Trouble {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Unknown(_) => Self::Missing(error.to_string()),
            DeskError::Exists(_) | DeskError::Invalid(_) => Self::Refused(error.to_string()),
            DeskError::Store(error) => error.into(),
            DeskError::Hash(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<desk::FileTrouble> for Trouble {
    fn from(error: desk::FileTrouble) -> Self {
        match error {
            desk::FileTrouble::Missing(_)
            | desk::FileTrouble::NoTicket(_)
            | desk::FileTrouble::NoDocument(_) => Self::Missing(error.to_string()),
            desk::FileTrouble::Refused(text) => Self::Refused(text),
            desk::FileTrouble::Store(error) => error.into(),
            desk::FileTrouble::Damaged(_) | desk::FileTrouble::File(_) | desk::FileTrouble::Stopping => {
                Self::Unavailable(crate::telemetry::Chain(&error).to_string())
            }
        }
    }
}

impl From<EditError> for Trouble {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Missing(text) => Self::Missing(text),
            EditError::Invalid { .. } => Self::Wrong(error.to_string()),
            EditError::Refused(text) => Self::Refused(text),
            EditError::Store(error) => error.into(),
        }
    }
}

impl Backend for House {
    fn now(&self) -> Timestamp {
        self.handle.now()
    }

    fn world(&self) -> Arc<World> {
        self.handle.world()
    }

    fn worlds(&self) -> watch::Receiver<Arc<World>> {
        self.handle.worlds()
    }

    fn order(&self, order: Order) -> Answer<'_, Result<Done, Trouble>> {
        Box::pin(async move {
            let done = self.handle.order(self.with_anomaly(order).await?).await?;
            if done.events.iter().any(|event| matches!(event.what, What::TicketDeleted { .. })) {
                self.desk.files().look_soon();
            }
            let ticket = opened_ticket(&done.events);
            let mut answer = Done::default();
            for event in &done.events {
                match &event.what {
                    What::TicketOpened { head, .. } if Some(head.id) == ticket => {
                        answer.ticket = Some(head.reference());
                    }
                    What::TicketNoted { head, .. }
                    | What::TicketReopened { head, .. }
                    | What::TicketEdited { head, .. }
                    | What::TicketDeleted { head, .. } => {
                        answer.ticket = answer.ticket.or(Some(head.reference()));
                    }
                    What::CommentAdded(comment) => answer.record = Some(comment.id.0),
                    What::DowntimeScheduled(downtime) => answer.record = Some(downtime.id.0),
                    // Whatever else followed names nothing that the answer shows.
                    _ => {}
                }
            }
            Ok(answer)
        })
    }

    fn alerts(&self) -> Alerts {
        let load = self.handle.load().borrow().clone();
        Alerts {
            store: self.store.health().borrow().trouble(),
            dead_channels: self.delivery_now().dead,
            overloaded: load.overloads.iter().map(|overload| overload.kind.to_owned()).collect(),
            behind: load.overloads.iter().map(|overload| overload.behind).max().unwrap_or_default(),
        }
    }

    fn submit(&self, results: Vec<CheckResult>) -> Answer<'_, Result<Vec<Option<Trouble>>, Trouble>> {
        Box::pin(async move {
            let refusals = self.handle.submit(results).await?;
            Ok(refusals.into_iter().map(|refusal| refusal.map(Trouble::from)).collect())
        })
    }

    fn ribbon(&self, key: ObjectKey, from: Timestamp) -> Answer<'_, Result<Vec<Segment>, Trouble>> {
        Box::pin(async move {
            let now = self.handle.now();
            let read = move |connection: &_| log::ribbon(connection, &key, from, now, RIBBON_CHANGES);
            let segments = self.store.read(read).await?;
            let segment = |one: log::Segment| Segment { from: one.from, to: one.to, state: one.state };
            Ok(segments.into_iter().map(segment).collect())
        })
    }

    fn reload(&self, by: By, accept_empty: bool) -> Answer<'_, Result<ReloadReport, Trouble>> {
        Box::pin(async move {
            let report = self.handle.reload(&by.name, accept_empty).await?;
            let detail = json!({ "added": report.added, "removed": report.removed });
            self.record(by, "reload", "", detail).await;
            let health = translate(&report.health);
            Ok(ReloadReport {
                is_ok: report.is_complete(),
                generation: report.health.generation,
                added: report.added,
                changed: report.changed,
                removed: report.removed,
                problems: health.problems,
                quarantine: health.quarantine,
                restart_needed: health.restart_needed,
            })
        })
    }

    fn back_up(&self, by: By) -> Answer<'_, Result<Backup, Trouble>> {
        Box::pin(self.made_backup(by))
    }

    fn health(&self) -> Arc<Health> {
        let current = self.handle.config().borrow().clone();
        let facts = self.facts.borrow();
        // Only the cache is behind the lock; a panic leaves at worst an older translation, compared below.
        let mut kept = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, seen, health)) = &*kept
            && Arc::ptr_eq(of, &current)
            && *seen == *facts
        {
            return health.clone();
        }
        let mut health = translate(&current);
        health.notices.extend(facts.notices.iter().cloned());
        health.files.clone_from(&facts.files);
        let health = Arc::new(health);
        *kept = Some((current, facts.clone(), health.clone()));
        health
    }

    fn process(&self) -> Process {
        let facts = self.facts.borrow().clone();
        let store = self.store.health().borrow().clone();
        let load = self.handle.load().borrow().clone();
        let config = self.handle.config().borrow().clone();
        let meters = self.handle.meters();
        let checks = gauges::checks(&meters.registry.gather(), load.running, facts.limit, &load.overloads);
        let count = |outcome: &str| meters.reloads.with_label_values(&[outcome]).get();
        let took = meters.reload_duration.get_sample_sum()
            / gauges::seldom(meters.reload_duration.get_sample_count());
        Process {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            started: self.handle.started(),
            listen: facts.listen,
            config: facts.config,
            state_dir: facts.state_dir,
            checks,
            queues: vec![
                queue("inbox", usize::try_from(meters.inbox_length.get()).unwrap_or(0)),
                queue("executor", load.waiting),
                queue("store", store.waiting + usize::try_from(meters.unsaved_events.get()).unwrap_or(0)),
            ],
            store: StoreGauge {
                path: self.store.path().display().to_string(),
                bytes: self.size(),
                trouble: store.trouble(),
                last_commit: store.last_commit,
                batches: store.commits,
                events: store.events,
            },
            reload: ReloadGauge {
                last: Some(config.loaded_at),
                outcome: config.outcome(),
                took: Duration::try_from_secs_f64(took).unwrap_or_default(),
                complete: count("complete"),
                partial: count("partial"),
                refused: count("refused"),
            },
            backup: facts.backup,
            panics: meters.check_panics.get(),
        }
    }

    fn metrics(&self) -> String {
        self.handle.meters().text()
    }

    fn defined(&self, key: ObjectKey) -> Answer<'_, Result<Defined, Trouble>> {
        let definitions = self.definitions.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || definitions(&key)).await;
            let read =
                read.unwrap_or_else(|_panic| Err("it cannot be read where this is defined".to_owned()));
            read.map_err(Trouble::Unavailable)
        })
    }

    fn history(&self, wanted: HistoryQuery) -> Answer<'_, Result<Vec<HistoryRow>, Trouble>> {
        Box::pin(async move {
            let filter = LogFilter {
                subject: wanted.subject,
                to: wanted.before,
                limit: wanted.limit,
                kinds: if wanted.is_about_messages { ABOUT_MESSAGES.to_vec() } else { Vec::new() },
                ..LogFilter::default()
            };
            let lines = self.store.read(move |connection| log::list(connection, &filter)).await?;
            Ok(lines.into_iter().map(history_row).collect())
        })
    }

    fn alarms(&self, wanted: RecordQuery) -> Answer<'_, Result<(usize, Vec<Arc<Alarm>>), Trouble>> {
        Box::pin(self.alarms_of(wanted))
    }

    fn alarm(&self, id: AlarmId) -> Answer<'_, Result<Arc<Alarm>, Trouble>> {
        Box::pin(async move {
            let alarm = self.store.read(move |connection| store_alarms::alarm(connection, id)).await?;
            alarm.map(Arc::new).ok_or_else(|| Trouble::Missing(format!("there is no alarm {id}")))
        })
    }

    fn alarm_notes(&self, id: AlarmId) -> Answer<'_, Result<Vec<AlarmNote>, Trouble>> {
        Box::pin(
            async move { Ok(self.store.read(move |connection| store_alarms::notes(connection, id)).await?) },
        )
    }

    fn alarm_labels(&self) -> Answer<'_, Result<Vec<String>, Trouble>> {
        Box::pin(async move { Ok(self.store.read(store_alarms::labels).await?) })
    }

    fn alarm_report(&self, from: Timestamp, to: Timestamp) -> Answer<'_, Result<Vec<AlarmsOf>, Trouble>> {
        Box::pin(async move {
            let read = move |connection: &_| store_alarms::report::report(connection, from, to, MOST);
            Ok(self.store.read(read).await?)
        })
    }

    fn suppressions(&self, wanted: SuppressionFilter) -> Answer<'_, Result<Cut<KeptSuppression>, Trouble>> {
        Box::pin(self.suppressions_of(wanted))
    }

    fn tickets(&self, wanted: TicketFilter) -> Answer<'_, Result<Cut<Ticket>, Trouble>> {
        Box::pin(self.tickets_of(wanted))
    }

    fn ticket(&self, id: TicketId) -> Answer<'_, Result<TicketWithNotes, Trouble>> {
        Box::pin(self.one_ticket(id))
    }

    fn ticket_types(&self) -> Answer<'_, Result<Vec<TicketType>, Trouble>> {
        Box::pin(async move { Ok(self.store.read(types::all).await?) })
    }

    fn change_ticket_type(&self, change: TypeChange, by: By) -> Answer<'_, Result<u64, Trouble>> {
        Box::pin(self.change_type(change, by))
    }

    fn ticket_tags(&self) -> Answer<'_, Result<Vec<(String, u64)>, Trouble>> {
        Box::pin(async move { Ok(self.store.read(store_tickets::tags).await?) })
    }

    fn ticket_template(&self) -> Answer<'_, Result<Option<Template>, Trouble>> {
        Box::pin(self.template_of_tickets())
    }

    fn set_ticket_template(&self, template: Option<Template>, by: By) -> Answer<'_, Result<(), Trouble>> {
        Box::pin(self.change_template(template, by))
    }

    fn preview_ticket(&self, id: TicketId, template: Template) -> Answer<'_, Result<Letter, Trouble>> {
        Box::pin(self.previewed(id, template))
    }

    fn subscribe(&self, id: TicketId, name: String, is_to: bool, by: By) -> Answer<'_, Result<(), Trouble>> {
        Box::pin(self.subscribe_to(id, name, is_to, by))
    }

    fn documents(&self) -> desk::Documents {
        self.desk.documents()
    }

    fn files(&self) -> desk::Files {
        self.desk.files()
    }

    fn login(&self, name: String, password: String, from: String) -> Answer<'_, Result<String, Trouble>> {
        Box::pin(async move {
            let origin = desk::Origin { peer: Some(from), agent: None };
            match self.desk.login(&name, Password::new(password), origin).await {
                Ok((token, _who)) => Ok(token.reveal().to_owned()),
                Err(LoginRefused::Desk(error)) => Err(error.into()),
                Err(refused) => Err(Trouble::Refused(refused.to_string())),
            }
        })
    }

    fn session(&self, token: String) -> Answer<'_, Option<Account>> {
        Box::pin(async move {
            let token = Token::parse(&token)?;
            let who = match self.desk.session(&token, &desk::Origin::default()).await {
                Ok(who) => who?,
                Err(error) => {
                    tracing::warn!(event = "desk.session", error = %crate::telemetry::Chain(&error), "cannot look up a session");
                    return None;
                }
            };
            Some(Account {
                name: who.name.into(),
                role: who.role,
                contact: who.contact.map(Into::into),
                is_disabled: false,
            })
        })
    }

    fn logout(&self, token: String) -> Answer<'_, ()> {
        Box::pin(async move {
            let Some(token) = Token::parse(&token) else { return };
            if let Err(error) = self.desk.logout(&token).await {
                tracing::warn!(event = "desk.session", error = %crate::telemetry::Chain(&error), "cannot end a session");
            }
        })
    }

    fn users(&self) -> Answer<'_, Result<Vec<Account>, Trouble>> {
        Box::pin(async move {
            let account = |user: desk::User| Account {
                name: user.name.into(),
                role: user.role,
                contact: user.contact.map(Into::into),
                is_disabled: user.disabled.is_some(),
            };
            Ok(self.desk.users().await?.into_iter().map(account).collect())
        })
    }

    fn add_token(&self, new: NewToken, by: By) -> Answer<'_, Result<String, Trouble>> {
        Box::pin(async move {
            let token = self.desk.add_token(&who(by), &new.name, &new.label, new.expires).await?;
            Ok(token.reveal().to_owned())
        })
    }

    fn tokens(&self, name: String) -> Answer<'_, Result<Vec<ProgramToken>, Trouble>> {
        Box::pin(async move { Ok(self.desk.tokens(&name).await?) })
    }

    fn is_session(&self, token: String) -> Answer<'_, bool> {
        Box::pin(async move {
            let Some(token) = Token::parse(&token) else { return false };
            // Not known is not over: a page does not go blind because the disk does.
            self.desk.is_known(&token).await.unwrap_or(true)
        })
    }

    fn change_user(&self, change: UserChange, by: By) -> Answer<'_, Result<(), Trouble>> {
        Box::pin(async move {
            let by = who(by);
            match change {
                UserChange::Add { name, role, password, contact } => {
                    let new = desk::NewUser {
                        name,
                        role,
                        password: password.map(Password::new),
                        contact,
                        sight: None,
                    };
                    self.desk.add_user(&by, new).await?;
                }
                UserChange::SetPassword { name, password } => {
                    self.desk.set_password(&by, &name, Password::new(password)).await?;
                }
                UserChange::Disable { name } => self.desk.set_disabled(&by, &name, true).await?,
                UserChange::Enable { name } => self.desk.set_disabled(&by, &name, false).await?,
                UserChange::SetRole { name, role } => self.desk.set_role(&by, &name, role).await?,
                UserChange::RevokeToken { name, label } => {
                    self.desk.revoke_token(&by, &name, &label).await?;
                }
            }
            Ok(())
        })
    }

    fn messages(&self, wanted: OutboxFilter) -> Answer<'_, Result<Cut<Listed>, Trouble>> {
        Box::pin(self.messages_of(wanted))
    }

    fn test_contact(
        &self,
        contact: String,
        channel: Option<String>,
        by: By,
    ) -> Answer<'_, Result<String, Trouble>> {
        Box::pin(self.test(contact, channel, by))
    }

    fn assets(&self) -> Assets {
        self.assets.clone()
    }

    fn delivery(&self) -> Delivery {
        self.delivery_now()
    }

    fn scans(&self) -> watch::Receiver<Arc<Board>> {
        self.scans.board()
    }

    fn past_scans(&self, limit: usize, offset: usize) -> Answer<'_, Result<Cut<ScanRow>, Trouble>> {
        Box::pin(async move {
            let (total, rows) = self.scans.past(limit, offset).await?;
            Ok((count(total), rows))
        })
    }

    fn scan(&self, id: i64) -> Answer<'_, Result<Scan, Trouble>> {
        Box::pin(async move { Ok(self.scans.one(id).await?) })
    }

    fn start_scan(&self, order: ScanOrder, by: By) -> Answer<'_, Result<i64, Trouble>> {
        Box::pin(self.start(order, by))
    }

    fn cancel_scan(&self, id: i64, by: By) -> Answer<'_, Result<(), Trouble>> {
        Box::pin(self.cancel(id, by))
    }

    fn insert_hosts(
        &self,
        scan: i64,
        hosts: Chosen,
        properties: Properties,
        by: By,
    ) -> Answer<'_, Result<Inserted, Trouble>> {
        Box::pin(self.insert(scan, hosts, properties, by))
    }
}

/// The person of a door, for the desk's audit.
pub(super) fn who(by: By) -> Who {
    Who { name: by.name.to_string(), role: by.role, contact: None, sight: None, peer: Some(by.from) }
}

/// Bytes of a file; 0 where it cannot be looked at.
fn size_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn queue(name: &'static str, length: usize) -> QueueGauge {
    QueueGauge { name, length }
}
