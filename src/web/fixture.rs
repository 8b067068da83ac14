//! A daemon that is not there: a world made by hand behind the seam, so that every page can be rendered,
//! asserted on and looked at. It takes orders and remembers them; it decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use vigia_core::engine::world::{Records, Totals, World};
use vigia_core::model::acknowledgement::Acknowledgement;
use vigia_core::model::alarm::{Alarm, AlarmStatus};
use vigia_core::model::check::{Check, CheckMethod, Output};
use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::contact::Audience;
use vigia_core::model::downtime::{Downtime, DowntimeKind};
use vigia_core::model::group::HostGroup;
use vigia_core::model::host::Host;
use vigia_core::model::id::{
    AlarmId, CommentId, DowntimeId, HostId, ObjectKey, ProblemId, ServiceId, TicketId,
};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Operation, Order, Refusal};
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::{FlapPolicy, Freshness, NotificationOptions, Policy, StateSet};
use vigia_core::model::service::Service;
use vigia_core::model::state::{AnyState, Condition, HostState, Standing, State, StateType};
use vigia_core::model::status::{HostStatus, ServiceStatus, Status};
use vigia_core::model::ticket::{Reference, TicketClass, TicketHead, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::backend::{
    Account, Answer, Backend, ChecksGauge, ConfigProblem, Done, Health, HistoryQuery, HistoryRow, Note,
    Notice, Origin, Process, Quarantined, QueueGauge, RecordQuery, ReloadGauge, ReloadReport, Role, Spread,
    StoreGauge, Ticket, TicketRow, Trouble, Urgency, UserChange, Wanted,
};

pub(crate) fn now() -> Timestamp {
    "2026-11-25T02:53:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

fn ago(seconds: u64) -> Timestamp {
    now().before(Duration::from_secs(seconds))
}

/// One service as a fixture says it: what matters here; the rest is ordinary.
pub(crate) struct Said {
    pub name: &'static str,
    pub state: State,
    pub state_type: StateType,
    pub attempt: u16,
    pub since: u64,
    pub output: Output,
}

pub(crate) fn said(name: &'static str, state: State, attempt: u16, since: u64, output: &str) -> Said {
    let state_type = if state.is_problem() && attempt < 4 { StateType::Soft } else { StateType::Hard };
    let output = if output.is_empty() {
        Output::default()
    } else {
        vigia_core::nagios::output::parse(output.as_bytes())
    };
    Said { name, state, state_type, attempt, since, output }
}

pub(crate) fn policy() -> Arc<Policy> {
    Arc::new(Policy {
        check_interval: Duration::from_secs(300),
        retry_interval: Duration::from_secs(60),
        max_check_attempts: 4,
        check_period: PeriodId(0),
        notification_period: PeriodId(0),
        active_checks: true,
        passive_checks: true,
        process_perfdata: true,
        flapping: FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL },
        audience: Audience::Everyone,
        notification_interval: Duration::from_secs(3600),
        first_notification_delay: Duration::ZERO,
        notification_options: NotificationOptions::ALL,
        freshness: Freshness::Off,
        volatile: false,
    })
}

/// Builds a world host by host; names must come in byte order.
pub(crate) struct Builder {
    inventory: Inventory,
    hosts: Vec<HostStatus>,
    services: Vec<ServiceStatus>,
    records: Records,
    policy: Arc<Policy>,
    check: Arc<Check>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let check = Check {
            kind: "tcp",
            method: CheckMethod::Passive { stale: State::Unknown },
            timeout: Duration::from_secs(10),
        };
        Self {
            inventory: Inventory::default(),
            hosts: Vec::new(),
            services: Vec::new(),
            records: Records::default(),
            policy: policy(),
            check: Arc::new(check),
        }
    }

    pub(crate) fn host(
        &mut self,
        name: &str,
        address: &str,
        state: Option<HostState>,
        services: Vec<Said>,
    ) -> &mut Host {
        let id = HostId(u32::try_from(self.inventory.hosts.len()).unwrap());
        let mut ids = Vec::new();
        for said in services {
            ids.push(ServiceId(u32::try_from(self.inventory.services.len()).unwrap()));
            self.services.push(service_status(&said));
            self.inventory.services.push(Service {
                host: id,
                name: said.name.into(),
                display_name: said.name.into(),
                check: self.check.clone(),
                policy: self.policy.clone(),
                own: None,
                servicegroups: Vec::new(),
                depends_on: Vec::new(),
                was: Vec::new(),
                fingerprint: 0,
                is_last_good: false,
            });
        }
        let mut status = Status::pending(HostState::Up, 4);
        if let Some(state) = state {
            checked(&mut status, state, 7200);
            status.output = Output::line(if state.is_problem() {
                "PING CRITICAL - Packet loss = 100%"
            } else {
                "PING OK - Packet loss = 0%, RTA = 0.41 ms"
            });
        }
        self.hosts.push(status);
        self.inventory.hosts.push(Host {
            name: name.into(),
            alias: name.into(),
            display_name: name.into(),
            address: address.into(),
            aliases: Vec::new(),
            parents: Vec::new(),
            check: self.check.clone(),
            policy: self.policy.clone(),
            own: None,
            tags: Vec::new(),
            hostgroups: Vec::new(),
            asset_value: 2,
            is_monitored: true,
            depends_on: Vec::new(),
            was: Vec::new(),
            location: None,
            identity: None,
            poller: None,
            services: ids,
            fingerprint: 0,
            is_last_good: false,
        });
        self.inventory.hosts.last_mut().unwrap()
    }

    pub(crate) fn world(mut self) -> World {
        self.inventory.generation = 3;
        self.inventory.index();
        let mut totals = Totals::default();
        for status in &self.hosts {
            count(&mut totals.hosts, &mut totals.hosts_pending, &mut totals.host_problems_unhandled, status);
        }
        for status in &self.services {
            count(
                &mut totals.services,
                &mut totals.services_pending,
                &mut totals.service_problems_unhandled,
                status,
            );
        }
        World {
            inventory: Arc::new(self.inventory),
            hosts: self.hosts.into_iter().collect(),
            services: self.services.into_iter().collect(),
            records: self.records,
            totals,
        }
    }
}

fn count<S: Condition>(by: &mut [u32], pending: &mut u32, unhandled: &mut u32, status: &Status<S>) {
    if !status.has_been_checked {
        *pending += 1;
        return;
    }
    by[usize::from(status.state().number())] += 1;
    if status.is_problem() && !status.is_handled() {
        *unhandled += 1;
    }
}

fn checked<S: Condition>(status: &mut Status<S>, state: S, since: u64) {
    status.has_been_checked = true;
    status.standing =
        Standing { state, state_type: StateType::Hard, attempt: if state.is_problem() { 4 } else { 1 } };
    status.last_check = Some(ago(35));
    status.next_check = Some(now().after(Duration::from_secs(265)));
    status.last_state_change = Some(ago(since));
}

fn service_status(said: &Said) -> ServiceStatus {
    let mut status = Status::pending(State::Ok, 4);
    if !said.output.text.is_empty() {
        checked(&mut status, said.state, said.since);
        status.standing.state_type = said.state_type;
        status.standing.attempt = said.attempt;
        status.execution_time = Duration::from_millis(9).into();
        status.output = Arc::new(said.output.clone());
    }
    status
}

/// The seed's host alone: five OK, one WARNING, one CRITICAL.
pub(crate) fn seed() -> Vec<Said> {
    vec![
        said(
            "GENERIC TCP 10000",
            State::Ok,
            1,
            530_397,
            "TCP OK - 0.067 second response time on port 10000|time=0.067s;;;0;10",
        ),
        said(
            "GENERIC TCP 111",
            State::Ok,
            1,
            530_354,
            "TCP OK - 0.009 second response time on port 111|time=0.009s;;;0;10",
        ),
        said(
            "GENERIC TCP 443",
            State::Ok,
            1,
            530_370,
            "TCP OK - 0.046 second response time on port 443|time=0.046s;;;0;10",
        ),
        said(
            "GENERIC TCP 871",
            State::Ok,
            1,
            530_267,
            "TCP OK - 0.008 second response time on port 871|time=0.008s;;;0;10",
        ),
        said(
            "HTTP",
            State::Warning,
            4,
            530_223,
            "HTTP WARNING: HTTP/1.1 403 Forbidden - 512 bytes in 0.004 second response time |time=0.004s;1;2;0;10 size=512B;;;0\nServer: Apache\nThe document root is not readable",
        ),
        said(
            "MYSQL",
            State::Critical,
            4,
            530_483,
            "Access denied for user 'nagios'@'192.0.2.178' (using password: NO)",
        ),
        said("SSH", State::Ok, 1, 530_439, "SSH OK - OpenSSH_4.3 (protocol 2.0)"),
    ]
}

/// A small site on a bad night, with one of each state and names that mean harm.
pub(crate) fn site() -> World {
    let mut site = Builder::new();
    site.host("192.0.2.194", "192.0.2.194", Some(HostState::Up), seed()).tags =
        vec![("env".into(), "prod".into())];
    site.host(
        "<script>alert(1)</script>",
        "192.0.2.66",
        Some(HostState::Up),
        vec![
            said(
                "\"><img src=x onerror=alert(2)>",
                State::Unknown,
                2,
                90,
                "UNKNOWN: </td><script>alert(3)</script> \"quoted\" 'too' & more",
            ),
            said("a/b?c#d%2F", State::Ok, 1, 4000, "line one"),
        ],
    );
    site.host(
        "db01",
        "192.0.2.31",
        Some(HostState::Down),
        vec![
            said("MYSQL", State::Critical, 4, 7000, "Can't connect to MySQL server on '192.0.2.31' (110)"),
            said(
                "disk /var",
                State::Critical,
                4,
                7100,
                "DISK CRITICAL - /var 97 % used |/var=97%;80;90;0;100",
            ),
            said("load", State::Unknown, 4, 7100, "UNKNOWN: no answer within 10 s"),
        ],
    )
    .hostgroups = vec!["databases".into()];
    site.host(
        "edge-gw",
        "192.0.2.1",
        Some(HostState::Up),
        vec![said("BGP", State::Ok, 1, 864_000, "BGP OK - 4 sessions established")],
    );
    site.host(
        "mail",
        "192.0.2.25",
        Some(HostState::Unreachable),
        vec![said("SMTP", State::Critical, 4, 3000, "SMTP CRITICAL - no answer")],
    );
    site.host(
        "new-host",
        "192.0.2.99",
        None,
        vec![said("HTTP", State::Ok, 1, 0, ""), said("SSH", State::Ok, 1, 0, "")],
    );
    let web = site.host("web01", "192.0.2.11", Some(HostState::Up), web01());
    web.hostgroups = vec!["web".into()];
    web.alias = "Front door".into();
    web.display_name = "Front door".into();
    web.parents = vec![HostId(3)];
    site.inventory.hostgroups = vec![group("databases"), group("web")];
    people(&mut site);
    site.world()
}

fn web01() -> Vec<Said> {
    vec![
        said(
            "HTTP",
            State::Ok,
            1,
            90_000,
            "HTTP OK: HTTP/1.1 200 OK - 18423 bytes in 0.021 second response time |time=0.021s;1;2;0;10 size=18423B;;;0",
        ),
        said(
            "HTTPS certificate",
            State::Warning,
            4,
            40_000,
            "SSL WARNING - certificate web01.example.test expires in 12 days |days=12;21;7;0",
        ),
        said("SSH", State::Ok, 1, 900_000, "SSH OK - OpenSSH_9.2p1 Debian-2+deb12u10 (protocol 2.0)"),
        said(
            "load",
            State::Warning,
            2,
            130,
            "WARNING - load average: 7.12, 5.80, 4.11 |load1=7.120;6;10;0 load5=5.800;6;10;0 load15=4.110;6;10;0",
        ),
    ]
}

fn group(name: &str) -> HostGroup {
    HostGroup { name: name.into(), alias: name.into(), notes: None, members: Vec::new() }
}

fn place(site: &Builder, host: &str, service: &str) -> usize {
    let is = |s: &Service| *s.name == *service && *site.inventory.host(s.host).name == *host;
    site.inventory.services.iter().position(is).unwrap()
}

fn people(site: &mut Builder) {
    let acknowledged = Acknowledgement {
        author: "marta".into(),
        comment: "Renewal is ordered, arrives tomorrow.\n<b>not bold</b>".into(),
        at: ago(3600),
        sticky: true,
        expires: None,
    };
    let certificate = place(site, "web01", "HTTPS certificate");
    site.services[certificate].acknowledgement = Some(Arc::new(acknowledged));
    let disk = place(site, "db01", "disk /var");
    site.services[disk].downtime_depth = 1;
    let load = place(site, "web01", "load");
    site.services[load].is_flapping = true;
    let bgp = place(site, "edge-gw", "BGP");
    site.services[bgp].next_check = Some(ago(900));
    let downtime = Downtime {
        id: DowntimeId(4),
        subject: ObjectKey::service("db01", "disk /var"),
        author: "marta".into(),
        comment: "Growing the volume".into(),
        entered: ago(4000),
        start: ago(3600),
        end: now().after(Duration::from_secs(7200)),
        kind: DowntimeKind::Fixed,
        triggered_by: None,
        started: Some(ago(3600)),
    };
    site.records.downtimes = Arc::new(BTreeMap::from([(downtime.id, Arc::new(downtime))]));
    let comment = Comment {
        id: CommentId(9),
        subject: ObjectKey::service("192.0.2.194", "MYSQL"),
        author: "ivo".into(),
        text: "The grant for nagios is missing since the move. <i>x</i>".into(),
        at: ago(5000),
        kind: CommentKind::User,
    };
    site.records.comments = Arc::new(BTreeMap::from([(comment.id, Arc::new(comment))]));
    let alarms = [
        (1, ObjectKey::host("db01"), AnyState::Host(HostState::Down), Some(TicketId(1))),
        (
            2,
            ObjectKey::service("192.0.2.194", "MYSQL"),
            AnyState::Service(State::Critical),
            Some(TicketId(2)),
        ),
    ];
    site.records.alarms = Arc::new(
        alarms
            .into_iter()
            .map(|(id, subject, state, ticket)| {
                let alarm = Alarm {
                    id: AlarmId(id),
                    subject,
                    problem: ProblemId(id),
                    status: AlarmStatus::Open,
                    state,
                    severity: 8,
                    asset_value: 2,
                    first: ago(7000),
                    last: ago(35),
                    count: 24,
                    output: "no answer <u>".into(),
                    closed: None,
                    ticket,
                    root: None,
                    owner: None,
                    labels: vec!["night".into()],
                };
                (alarm.id, Arc::new(alarm))
            })
            .collect(),
    );
    site.records.tickets = Arc::new(
        [head(1, ObjectKey::host("db01")), head(2, ObjectKey::service("192.0.2.194", "MYSQL"))]
            .into_iter()
            .map(|head| (head.id, Arc::new(head)))
            .collect(),
    );
}

fn head(id: u64, subject: ObjectKey) -> TicketHead {
    TicketHead {
        id: TicketId(id),
        class: TicketClass::Availability,
        subject: Some(subject),
        problem: Some(ProblemId(id)),
        rule: Some("default".into()),
        status: TicketStatus::Open,
        opened: ago(7000),
        updated: ago(600),
        closed: None,
        recovered: None,
        last_note: None,
    }
}

/// Many hosts of ten services, one in fifty a problem.
pub(crate) fn large(hosts: u32) -> World {
    const NAMES: [&str; 10] =
        ["svc0", "svc1", "svc2", "svc3", "svc4", "svc5", "svc6", "svc7", "svc8", "svc9"];
    let mut site = Builder::new();
    for at in 0..hosts {
        let services = NAMES.iter().zip(0u32..).map(|(name, n)| {
            let is_bad = (at * 10 + n).is_multiple_of(50);
            said(
                name,
                if is_bad { State::Critical } else { State::Ok },
                if is_bad { 4 } else { 1 },
                u64::from(at),
                "TCP OK - 0.009 second response time on port 111|time=0.009s;;;0;10",
            )
        });
        site.host(&format!("host{at:06}"), "192.0.2.1", Some(HostState::Up), services.collect());
    }
    site.world()
}

pub(crate) struct Fixture {
    pub(crate) world: watch::Sender<Arc<World>>,
    pub(crate) orders: Mutex<Vec<Order>>,
    pub(crate) health: Mutex<Health>,
    pub(crate) store_trouble: Mutex<Option<String>>,
}

impl Fixture {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self {
            world: watch::Sender::new(Arc::new(world)),
            orders: Mutex::default(),
            health: Mutex::new(Health {
                generation: 3,
                loaded: Some(ago(120)),
                files: vec!["/etc/vigia/vigia.yaml".into(), "/etc/vigia/conf.d/web.yaml".into()],
                notices: vec![Notice {
                    urgency: Urgency::Note,
                    text: "3 contacts are configured; nobody is told yet.".into(),
                }],
                ..Health::default()
            }),
            store_trouble: Mutex::default(),
        })
    }

    /// Everything that can be wrong with the configuration, at once.
    pub(crate) fn break_configuration(&self) {
        let rendered = "conf.d/web.yaml:12:25: max_check_attempts must be at least 1\n   12 |     max_check_attempts: 0   # <script>\n      |                         ^ of web1/HTTP, through template web-server\n   hint: 1 confirms a problem on its first bad result";
        let mut health = self.health.lock().unwrap();
        health.problems = vec![ConfigProblem {
            is_error: true,
            file: "conf.d/web.yaml".into(),
            line: 12,
            column: 25,
            message: "max_check_attempts must be at least 1".into(),
            hint: Some("1 confirms a problem on its first bad result".into()),
            rendered: rendered.into(),
        }];
        health.quarantine = vec![Quarantined {
            object: "service web01/HTTP".into(),
            key: Some(ObjectKey::service("web01", "HTTP")),
            file: "conf.d/web.yaml".into(),
            line: 12,
            message: "max_check_attempts must be at least 1".into(),
            is_last_good: true,
        }];
        health.restart_needed = vec!["web.listen".into()];
    }

    pub(crate) fn publish(&self, world: World) {
        self.world.send_replace(Arc::new(world));
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.orders.lock().unwrap().iter().map(|order| order.operation.clone()).collect()
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(value))
}

fn account(name: &str, role: Role) -> Account {
    Account { name: name.into(), role, contact: None, is_disabled: false }
}

impl Backend for Fixture {
    fn now(&self) -> Timestamp {
        now()
    }

    fn world(&self) -> Arc<World> {
        self.world.borrow().clone()
    }

    fn worlds(&self) -> watch::Receiver<Arc<World>> {
        self.world.subscribe()
    }

    fn order(&self, order: Order) -> Answer<'_, Result<Done, Trouble>> {
        let subject = match &order.operation {
            Operation::Acknowledge { subject, .. }
            | Operation::AddComment { subject, .. }
            | Operation::SubmitResult { subject, .. } => Some(subject.clone()),
            _ => None,
        };
        if let Some(subject) = subject.filter(|subject| self.world().inventory.find(subject).is_none()) {
            return ready(Err(Refusal::UnknownObject(subject).into()));
        }
        let mut done = Done::default();
        if let Operation::OpenTicket { ticket } = &order.operation {
            done.ticket = Some(Reference { class: ticket.class, id: TicketId(3) });
        }
        if let Operation::ScheduleDowntime { .. } = &order.operation {
            done.record = Some(12);
        }
        self.orders.lock().unwrap().push(order);
        ready(Ok(done))
    }

    fn reload(&self, _author: Arc<str>) -> Answer<'_, Result<ReloadReport, Trouble>> {
        ready(Ok(ReloadReport { is_ok: true, generation: 4, added: 1, ..ReloadReport::default() }))
    }

    fn health(&self) -> Arc<Health> {
        Arc::new(self.health.lock().unwrap().clone())
    }

    fn process(&self) -> Process {
        Process {
            version: env!("CARGO_PKG_VERSION"),
            pid: 4242,
            started: ago(90_000),
            listen: vec!["http://127.0.0.1:8642/".into()],
            config: "/etc/vigia/vigia.yaml".into(),
            state_dir: "/var/lib/vigia".into(),
            checks: ChecksGauge {
                running: 3,
                limit: 10_000,
                total: 48_213,
                kinds: vec![("http".into(), 12_004), ("tcp".into(), 30_111)],
                latency: Spread { p50: 0.005, p95: 0.025, p99: 0.05 },
                run_time: Spread { p50: 0.01, p95: 0.25, p99: 2.5 },
                overloaded: Vec::new(),
                behind: Duration::ZERO,
            },
            queues: vec![QueueGauge { name: "inbox", length: 0 }, QueueGauge { name: "store", length: 1 }],
            store: StoreGauge {
                path: "/var/lib/vigia/vigia.db".into(),
                bytes: Some(1_204_224),
                trouble: self.store_trouble.lock().unwrap().clone(),
                last_commit: Some(ago(1)),
                batches: 9000,
                events: 1200,
            },
            reload: ReloadGauge {
                last: Some(ago(120)),
                was_successful: true,
                took: Duration::from_millis(41),
                successes: 3,
                failures: 1,
            },
            panics: 0,
        }
    }

    fn metrics(&self) -> String {
        crate::runtime::Meters::new().text()
    }

    fn origins(&self, _key: &ObjectKey) -> Vec<Origin> {
        let origin = |key: &str, value: &str, place: &str, via: &str| Origin {
            key: key.into(),
            value: value.into(),
            place: place.into(),
            via: via.into(),
        };
        vec![
            origin("check_interval", "5m", "default", ""),
            origin("max_check_attempts", "4", "conf.d/web.yaml:12", "template web-server"),
            origin("http.port", "8080", "conf.d/web.yaml:31", ""),
        ]
    }

    fn history(&self, wanted: HistoryQuery) -> Answer<'_, Result<Vec<HistoryRow>, Trouble>> {
        let subject = ObjectKey::service("192.0.2.194", "MYSQL");
        let state = |state, kind, attempt| Some((AnyState::Service(state), kind, attempt));
        let row = |seconds, what: &str, state, author: Option<&str>, text: &str| HistoryRow {
            at: ago(seconds),
            subject: Some(wanted.subject.clone().unwrap_or_else(|| subject.clone())),
            what: what.into(),
            state,
            author: author.map(Into::into),
            text: text.into(),
        };
        let mut rows = vec![
            row(600, "comment added", None, Some("ivo"), "The grant is missing <b>"),
            row(
                5000,
                "state",
                state(State::Critical, StateType::Hard, 4),
                None,
                "Access denied for user 'nagios'",
            ),
            row(
                5060,
                "state",
                state(State::Critical, StateType::Soft, 3),
                None,
                "Access denied for user 'nagios'",
            ),
            row(
                5180,
                "state",
                state(State::Critical, StateType::Soft, 1),
                None,
                "Access denied for user 'nagios'",
            ),
            row(40_000, "state", state(State::Ok, StateType::Hard, 1), None, "Uptime: 40012"),
            row(
                41_000,
                "state",
                state(State::Warning, StateType::Hard, 4),
                None,
                "replication is 40 s behind",
            ),
            row(100_000, "state", state(State::Ok, StateType::Hard, 1), None, "Uptime: 12"),
        ];
        rows.truncate(wanted.limit);
        ready(Ok(rows))
    }

    fn alarms(&self, wanted: RecordQuery) -> Answer<'_, Result<(usize, Vec<Arc<Alarm>>), Trouble>> {
        let alarms: Vec<Arc<Alarm>> = if wanted.status == Wanted::Closed {
            Vec::new()
        } else {
            self.world().records.alarms.values().cloned().collect()
        };
        ready(Ok((alarms.len(), alarms)))
    }

    fn alarm(&self, id: AlarmId) -> Answer<'_, Result<Arc<Alarm>, Trouble>> {
        let alarm = self.world().records.alarms.get(&id).cloned();
        ready(alarm.ok_or_else(|| Trouble::Missing(format!("there is no alarm {id}"))))
    }

    fn tickets(&self, wanted: RecordQuery) -> Answer<'_, Result<(usize, Vec<TicketRow>), Trouble>> {
        let rows: Vec<TicketRow> = if wanted.status == Wanted::Closed {
            Vec::new()
        } else {
            self.world().records.tickets.values().map(|head| ticket_row(head)).collect()
        };
        ready(Ok((rows.len(), rows)))
    }

    fn ticket(&self, id: TicketId) -> Answer<'_, Result<Ticket, Trouble>> {
        let head = self.world().records.tickets.get(&id).cloned();
        let ticket = head.map(|head| Ticket {
            row: ticket_row(&head),
            notes: vec![
                Note {
                    at: ago(7000),
                    author: "vigia".into(),
                    text: "db01 is DOWN: no answer for 5 m".into(),
                    action: None,
                    status: None,
                    priority: None,
                    in_charge: None,
                    resolution: None,
                },
                Note {
                    at: ago(600),
                    author: "ivo".into(),
                    text: "Power supply.\n<script>alert(4)</script>".into(),
                    action: Some("called the data centre".into()),
                    status: Some(TicketStatus::Studying),
                    priority: Some(8),
                    in_charge: Some("ops".into()),
                    resolution: None,
                },
            ],
        });
        ready(ticket.ok_or_else(|| Trouble::Missing(format!("there is no ticket {id}"))))
    }

    fn login(&self, name: String, password: String, _from: String) -> Answer<'_, Result<String, Trouble>> {
        let is_right = password == "correct horse" && ["ivo", "vera", "ada"].contains(&name.as_str());
        ready(if is_right {
            Ok(format!("token-of-{name}"))
        } else {
            Err(Trouble::Refused("Name or password is wrong.".into()))
        })
    }

    fn session(&self, token: String) -> Answer<'_, Option<Account>> {
        ready(match token.as_str() {
            "token-of-ivo" => Some(account("ivo", Role::Operator)),
            "token-of-vera" => Some(account("vera", Role::Viewer)),
            "token-of-ada" => Some(account("ada", Role::Admin)),
            _ => None,
        })
    }

    fn logout(&self, _token: String) -> Answer<'_, ()> {
        ready(())
    }

    fn users(&self) -> Answer<'_, Result<Vec<Account>, Trouble>> {
        ready(Ok(vec![account("ada", Role::Admin), account("ivo", Role::Operator)]))
    }

    fn change_user(&self, _change: UserChange, _author: Arc<str>) -> Answer<'_, Result<(), Trouble>> {
        ready(Ok(()))
    }
}

fn ticket_row(head: &TicketHead) -> TicketRow {
    let subject = head.subject.as_ref().map(ToString::to_string).unwrap_or_default();
    TicketRow {
        head: head.clone(),
        title: format!("{subject} is DOWN </title>"),
        r#type: "Availability".into(),
        priority: 8,
        in_charge: Some("ops".into()),
        submitter: "vigia".into(),
        tags: vec!["power".into()],
        resolution: None,
        alarm: Some(AlarmId(head.id.0)),
    }
}

/// A name that means harm.
pub(crate) const HOSTILE_HOST: &str = "<script>alert(1)</script>";
