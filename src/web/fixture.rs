//! A daemon that is not there: a world made by hand behind the seam, so that every page can be rendered,
//! asserted on and looked at. It takes orders and remembers them; it decides nothing.

mod assets;
mod backend;
mod messages;
mod records;
mod scans;
mod site;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use vigia_core::engine::world::{Records, Totals, World};
use vigia_core::model::acknowledgement::Acknowledgement;
use vigia_core::model::alarm::{Alarm, AlarmStatus};
use vigia_core::model::asset::Network;
use vigia_core::model::check::{Check, CheckMethod, CheckResult, Output};
use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::downtime::{Downtime, DowntimeKind};
use vigia_core::model::group::HostGroup;
use vigia_core::model::host::Host;
use vigia_core::model::id::{
    AlarmId, CommentId, DowntimeId, HostId, ObjectKey, ProblemId, ServiceId, SuppressionId, TicketId,
};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Fields, Operation, Order, Refusal, TicketNote};
use vigia_core::model::policy::{FlapPolicy, NotificationOptions, Policy, StateSet};
use vigia_core::model::service::Service;
use vigia_core::model::state::{AnyState, Condition, HostState, Standing, State, StateType};
use vigia_core::model::status::{HostStatus, ServiceStatus, Status};
use vigia_core::model::suppression::{Matched, Suppression};
use vigia_core::model::ticket::{Reference, TicketClass, TicketHead, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::backend::{
    Account, AlarmNote, AlarmsOf, Alerts, Answer, Backend, Backup, Board, By, ChecksGauge, Chosen,
    ConfigProblem, Cut, Defined, Delivery, Done, Health, HistoryQuery, HistoryRow, Inserted, KeptSuppression,
    Listed, NewToken, Note, Notice, Origin, OutboxFilter, Process, Properties, Quarantined, QueueGauge,
    RecordQuery, ReloadGauge, ReloadReport, Scan, ScanOrder, ScanRow, Segment, Spread, StatusFilter,
    StoreGauge, Summary, SuppressionFilter, Ticket, TicketFilter, TicketType, TicketWithNotes, Trouble,
    TypeChange, Urgency, UserChange, Wanted, Way,
};

use crate::deliver::{Letter, Template};
use crate::desk::{Documents, Files, ProgramToken, Role};
use crate::store::tickets::Change;

pub(crate) use self::backend::Fixture;
pub(crate) use self::site::{large, site};

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
    let flapping = FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL };
    let notification_interval = Duration::from_secs(3600);
    Arc::new(Policy { flapping, notification_interval, ..crate::fixture::policy() })
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
            let name = said.name.into();
            self.inventory.services.push(Service::new(id, name, self.check.clone(), self.policy.clone()));
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
        let host = Host::new(name.into(), self.check.clone(), self.policy.clone());
        self.inventory.hosts.push(Host { address: address.into(), services: ids, ..host });
        self.inventory.hosts.last_mut().unwrap()
    }

    pub(crate) fn world(mut self) -> World {
        self.inventory.generation = 3;
        self.inventory.networks = networks();
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

/// A name that means harm.
pub(crate) const HOSTILE_HOST: &str = "<script>alert(1)</script>";

/// One that nobody switched, one that a file says is off.
fn networks() -> Vec<Network> {
    let network = |name: &str, cidr: &str, monitor| Network {
        name: name.into(),
        alias: name.into(),
        cidr: vec![cidr.parse().unwrap()],
        monitor,
        is_switched: false,
        asset_value: 2,
    };
    vec![network("dmz", "198.51.100.0/24", Some(false)), network("office", "192.0.2.0/24", None)]
}
