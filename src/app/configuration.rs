//! The configuration as the daemon lives with it: loaded at the start, loaded again, its settings handed to
//! whoever they concern.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use vigia_core::model::inventory::SharedInventory;
use vigia_core::model::time::Timestamp;

use super::doors::Doors;
use super::{Options, StartError};
use crate::backup::{self, schedule};
use crate::config::files::{Request, find};
use crate::config::last_good::Memory;
use crate::config::problem;
use crate::config::settings::{SelfMonitoring, Settings, SmtpTls};
use crate::config::{self, Loaded, templates};
use crate::deliver;
use crate::desk::{Desk, FileLimits, Policy};
use crate::os::watch::{Files, Sources};
use crate::runtime::reload::{self, ConfigHealth, Findings, Fresh, Load, Quarantined};
use crate::runtime::{Limits, Tools};
use crate::store::{Retention, Store};
use crate::telemetry::{Chain, Level, LogFormat, Logs};
use crate::web::backend::{BackupGauge, Notice};
use crate::web::house::Facts;
use crate::web::tls::Paths;
use crate::wording::Wording;

/// Loaded, and nothing runs yet.
pub(super) struct Configuration {
    request: Request,
    inventory: SharedInventory,
    settings: Arc<Settings>,
    health: ConfigHealth,
    logs: Option<Logs>,
    /// What is wrong, for people.
    text: String,
    /// What the next start falls back to.
    memory: Memory,
    /// Where it was read from, as it was before.
    sources: Sources,
    /// Where the templates of messages are.
    templates: watch::Sender<PathBuf>,
}

/// Of the running daemon.
pub(super) struct LiveConfiguration {
    pub(super) request: Request,
    pub(super) load: Load,
    pub(super) health: watch::Sender<Arc<ConfigHealth>>,
    pub(super) limits: watch::Receiver<Limits>,
    /// For whoever delivers messages.
    pub(super) delivery: watch::Receiver<Arc<deliver::Settings>>,
    /// Where the certificate of the page is.
    pub(super) certificate: watch::Receiver<Option<Paths>>,
    /// For who watches vigia itself.
    pub(super) own: watch::Receiver<SelfMonitoring>,
    /// For whoever makes backups.
    pub(super) backups: watch::Receiver<Option<schedule::Plan>>,
    /// What belongs into one.
    pub(super) backup_sources: schedule::Sources,
    /// Addresses that one scan may look at.
    pub(super) scan_limit: watch::Receiver<usize>,
}

impl Configuration {
    /// Loads it, or says what is wrong. What is wrong with single objects is told and does not stop the start,
    /// unless that was asked for.
    pub(super) fn load(options: &Options, now: Timestamp) -> Result<Self, StartError> {
        let request = Request::new(&options.config, Some(&options.state_dir));
        // What is saved meanwhile is seen when the watcher starts.
        let (template_folder, folder) = watch::channel(usual_templates(&request));
        let sources = sources(&request, folder);
        let loaded = sources
            .reading(|| config::load(&Request { accept_empty: options.accept_empty, ..request.clone() }))
            .map_err(|error| StartError::Configuration(Chain(&error).to_string()))?;
        let text = problem::text(&loaded.problems);
        let findings = findings(&loaded, Vec::new());
        let Some(settings) = loaded.settings.filter(|_| !options.strict || findings.errors() == 0) else {
            return Err(StartError::Configuration(text));
        };
        let clean_at = findings.is_clean().then_some(now);
        template_folder.send_replace(settings.message_templates.clone());
        Ok(Self {
            memory: loaded.memory,
            request,
            inventory: Arc::new(loaded.inventory),
            settings: Arc::new(settings),
            health: ConfigHealth { generation: 0, loaded_at: now, clean_at, refused: None, findings },
            logs: None,
            text,
            sources,
            templates: template_folder,
        })
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    pub(super) fn inventory(&self) -> SharedInventory {
        self.inventory.clone()
    }

    /// What is wrong with it: whole for people, as lines of the log for programs.
    pub(super) fn tell(&self, report: &mut dyn Write) {
        let findings = &self.health.findings;
        match format(&self.settings) {
            LogFormat::Json => reload::tell_findings(findings),
            // Nobody may be reading it; the page says it again.
            LogFormat::Auto | LogFormat::Text => drop(write!(report, "{}", self.text)),
        }
        if !findings.is_clean() {
            tracing::warn!(
                event = "config.rejected",
                count = findings.errors(),
                "starting with what is good of the configuration{}; `vigia validate` shows what is not",
                reload::put_away(findings)
            );
        }
    }

    pub(super) fn log_to(&mut self, logs: Logs) {
        self.logs = Some(logs);
    }

    /// Makes what loads it again, and applies its settings to these; and what is to be watched.
    pub(super) fn run(self, tools: &Arc<Tools>, store: &Store, desk: &Desk) -> (LiveConfiguration, Sources) {
        let (sources, read) = (self.sources.clone(), self.sources);
        let (limits_sender, limits) = watch::channel(limits(&self.settings));
        let (delivery_sender, delivery) = watch::channel(Arc::new(delivery(&self.settings)));
        let (backup_sender, backups) = watch::channel(plan(&self.settings));
        let backup_sources = backup_sources(&self.request, store, self.templates.subscribe());
        let (scan_limit_sender, scan_limit) = watch::channel(addresses(&self.settings));
        let (certificate_sender, certificate) = watch::channel(certificate(&self.settings));
        let (own_sender, own) = watch::channel(self.settings.self_monitoring.clone());
        let (health, _) = watch::channel(Arc::new(self.health));
        let concerned = Arc::new(Concerned {
            tools: tools.clone(),
            store: store.clone(),
            desk: desk.clone(),
            logs: self.logs,
            limits: limits_sender,
            delivery: delivery_sender,
            backups: backup_sender,
            scan_limit: scan_limit_sender,
            own: own_sender,
            certificate: certificate_sender,
            templates: self.templates,
            request: self.request.clone(),
            kept: Mutex::new(0),
        });
        concerned.keep(&self.memory, 0);
        let request = self.request.clone();
        let started_with = self.settings;
        let load = Arc::new(move |generation, accept_empty| {
            // The watcher compares with what is read here, whoever asked for it.
            let request = Request { accept_empty, ..self.request.clone() };
            let mut loaded =
                read.reading(|| config::load(&request)).map_err(|error| Chain(&error).to_string())?;
            if !loaded.has_main {
                return Err(problem::text(&loaded.problems));
            }
            let settings = loaded.settings.take();
            let restart_needed =
                settings.as_ref().map(|new| new.needing_restart(&started_with)).unwrap_or_default();
            let findings = findings(&loaded, restart_needed.into_iter().map(str::to_owned).collect());
            loaded.inventory.generation = generation;
            let (concerned, memory) = (concerned.clone(), loaded.memory);
            let in_effect = Box::new(move || {
                // With a mistake in them, settings stay whole as they were.
                if let Some(settings) = settings {
                    concerned.take(&settings);
                }
                concerned.keep(&memory, generation);
            });
            Ok(Fresh { inventory: Arc::new(loaded.inventory), findings, in_effect })
        });
        let live = LiveConfiguration {
            request,
            load,
            health,
            limits,
            delivery,
            certificate,
            own,
            backups,
            backup_sources,
            scan_limit,
        };
        (live, sources)
    }
}

/// Where templates of messages are unless the settings, which are not read yet, say otherwise.
fn usual_templates(request: &Request) -> PathBuf {
    let config = &request.config;
    let base = if config.is_dir() { config.as_path() } else { config.parent().unwrap_or(Path::new(".")) };
    base.join("templates")
}

/// What to watch, asked anew with each look.
fn sources(request: &Request, templates: watch::Receiver<PathBuf>) -> Sources {
    let request = request.clone();
    Sources::new(move || {
        let mut found = find(&request);
        let folder = templates.borrow().clone();
        found.files.extend(templates::files(&folder));
        found.folders.push(folder);
        Files { files: found.files, folders: found.folders }
    })
}

impl LiveConfiguration {
    /// What the pages say of the daemon itself; told again with every reload and with each new notice.
    pub(super) fn facts(
        &self,
        doors: &Doors,
        state_dir: &Path,
        mut notices: watch::Receiver<Vec<Notice>>,
        mut backups: watch::Receiver<schedule::Health>,
    ) -> watch::Receiver<Facts> {
        let scheme = if self.certificate.borrow().is_some() { "https" } else { "http" };
        let base = Facts {
            listen: doors.addresses().iter().map(|at| format!("{scheme}://{at}/")).collect(),
            config: self.request.config.display().to_string(),
            state_dir: state_dir.display().to_string(),
            ..Facts::default()
        };
        let (mut health, limits) = (self.health.subscribe(), self.limits.clone());
        let now = {
            let (health, notices) = (health.borrow_and_update(), notices.borrow_and_update());
            facts(&base, &health, &limits.borrow(), &notices, &backups.borrow_and_update())
        };
        let (sender, receiver) = watch::channel(now);
        tokio::spawn(async move {
            // Ends with whoever reloads, or when no page is left to read it.
            while !sender.is_closed() {
                tokio::select! {
                    changed = health.changed() => if changed.is_err() { return },
                    Ok(()) = notices.changed() => {}
                    Ok(()) = backups.changed() => {}
                }
                let (health, notices) = (health.borrow_and_update(), notices.borrow_and_update());
                let backups = backups.borrow_and_update();
                sender.send_replace(facts(&base, &health, &limits.borrow(), &notices, &backups));
            }
        });
        receiver
    }
}

fn facts(
    base: &Facts,
    health: &ConfigHealth,
    limits: &Limits,
    notices: &[Notice],
    backups: &schedule::Health,
) -> Facts {
    let files = health.findings.files.clone();
    let backup = backups.plan.as_ref().map(|plan| BackupGauge {
        dir: plan.dir.display().to_string(),
        count: backups.count,
        last: backups.last.as_ref().map(|last| last.taken),
        bytes: backups.last.as_ref().map_or(0, |last| last.bytes),
        failing: backups.failing.as_ref().map(|(_, why)| why.clone()),
    });
    Facts { limit: limits.total, files, notices: notices.to_vec(), backup, ..base.clone() }
}

/// Who must hear of new settings.
struct Concerned {
    tools: Arc<Tools>,
    store: Store,
    desk: Desk,
    logs: Option<Logs>,
    limits: watch::Sender<Limits>,
    delivery: watch::Sender<Arc<deliver::Settings>>,
    backups: watch::Sender<Option<schedule::Plan>>,
    scan_limit: watch::Sender<usize>,
    own: watch::Sender<SelfMonitoring>,
    certificate: watch::Sender<Option<Paths>>,
    templates: watch::Sender<PathBuf>,
    request: Request,
    /// Of the generation that was kept last; where the disk hangs, an older one may come after it.
    kept: Mutex<u32>,
}

impl Concerned {
    /// Keeps what is good for the time when it is not. Without it a mistake would cost an object its checks.
    fn keep(&self, memory: &Memory, generation: u32) {
        let Some(state_dir) = &self.request.state_dir else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if generation < *kept {
            return;
        }
        *kept = generation;
        if let Err(error) = memory.write(state_dir) {
            tracing::warn!(event = "config.kept", error = %Chain(&error), "cannot keep the last good configuration");
        }
    }

    fn take(&self, settings: &Settings) {
        // Name servers and certificates of the system may have changed with it.
        self.tools.refresh();
        self.store.set_retention(retention(settings));
        self.desk.set_policy(policy(settings));
        self.desk.files().set_limits(file_limits(settings));
        if let Some(logs) = &self.logs {
            logs.set_level(level(settings));
        }
        self.limits.send_replace(limits(settings));
        self.delivery.send_replace(Arc::new(delivery(settings)));
        self.backups.send_if_modified(|before| {
            let plan = plan(settings);
            let is_other = *before != plan;
            *before = plan;
            is_other
        });
        self.scan_limit.send_replace(addresses(settings));
        self.templates.send_replace(settings.message_templates.clone());
        self.certificate.send_replace(certificate(settings));
        self.own.send_if_modified(|before| {
            let is_other = *before != settings.self_monitoring;
            before.clone_from(&settings.self_monitoring);
            is_other
        });
    }
}

fn findings(loaded: &Loaded, restart_needed: Vec<String>) -> Findings {
    let quarantine = loaded.quarantine.iter().map(|one| Quarantined {
        kind: one.kind,
        name: one.name.clone(),
        is_last_good: one.is_last_good,
        path: one.path.clone(),
        line: one.line,
        message: one.message.clone(),
    });
    Findings {
        problems: loaded.problems.clone(),
        quarantine: quarantine.collect(),
        notices: loaded.notices.iter().map(ToString::to_string).collect(),
        files: loaded.files.iter().map(|file| file.path.display().to_string()).collect(),
        restart_needed,
        watches_itself: loaded.watches_itself,
    }
}

fn limits(settings: &Settings) -> Limits {
    let concurrency = &settings.concurrency;
    let kinds = concurrency.kinds.iter().cloned().collect();
    Limits { total: concurrency.total, per_host: concurrency.per_host, kinds }
}

/// Addresses that one scan may look at.
fn addresses(settings: &Settings) -> usize {
    usize::try_from(settings.limits.discovery).unwrap_or(usize::MAX)
}

/// How messages leave.
fn delivery(settings: &Settings) -> deliver::Settings {
    let smtp = &settings.smtp;
    let mail = deliver::Mail {
        host: smtp.host.clone(),
        port: smtp.port,
        security: match smtp.tls {
            SmtpTls::Off => deliver::Security::Off,
            SmtpTls::StartTls => deliver::Security::StartTls,
            SmtpTls::Tls => deliver::Security::Tls,
        },
        user: smtp.user.clone(),
        password: smtp.password.clone(),
        from: smtp.from.clone().unwrap_or_else(deliver::usual_from),
        timeout: smtp.timeout,
        sendmail: smtp.sendmail.clone(),
    };
    deliver::Settings { mail, wording: Wording::new(&settings.templates), url: settings.web.url.clone() }
}

fn certificate(settings: &Settings) -> Option<Paths> {
    let tls = settings.web.tls.as_ref()?;
    Some(Paths { cert: tls.cert.clone(), key: tls.key.clone() })
}

/// When backups are made, where somebody wants them.
fn plan(settings: &Settings) -> Option<schedule::Plan> {
    let wanted = &settings.backup;
    Some(schedule::Plan {
        dir: wanted.dir.clone()?,
        every: wanted.every,
        keep: usize::try_from(wanted.keep).unwrap_or(usize::MAX),
        max_age: wanted.max_age,
    })
}

/// What belongs into a backup, looked for anew with each.
fn backup_sources(request: &Request, store: &Store, folder: watch::Receiver<PathBuf>) -> schedule::Sources {
    let (request, database) = (request.clone(), store.path().to_owned());
    Arc::new(move || {
        let mut config = find(&request).files;
        config.extend(templates::files(&folder.borrow()));
        let state_dir = request.state_dir.clone().unwrap_or_default();
        backup::Source { database: database.clone(), state_dir, config }
    })
}

pub(super) fn level(settings: &Settings) -> Level {
    Level::from_word(settings.log.level).unwrap_or_default()
}

pub(super) fn format(settings: &Settings) -> LogFormat {
    match settings.log.format {
        config::settings::LogFormat::Auto => LogFormat::Auto,
        config::settings::LogFormat::Text => LogFormat::Text,
        config::settings::LogFormat::Json => LogFormat::Json,
    }
}

pub(super) fn retention(settings: &Settings) -> Retention {
    let kept = &settings.store.retention;
    Retention {
        states: kept.states,
        events: kept.events,
        alarms: kept.alarms,
        audit: kept.audit,
        scans: kept.scans,
    }
}

pub(super) fn file_limits(settings: &Settings) -> FileLimits {
    FileLimits { one: settings.tickets.attachment_max, all: settings.tickets.attachments_max }
}

pub(super) fn policy(settings: &Settings) -> Policy {
    let (password, session) = (&settings.web.password, &settings.web.session);
    Policy {
        min_length: usize::try_from(password.min).unwrap_or(usize::MAX),
        tries: password.tries,
        lock: password.lock,
        session_idle: session.idle,
        session_absolute: session.absolute,
    }
}
