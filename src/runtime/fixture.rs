//! A small inventory for the tests of the loops: one host that nobody looks at, with services that are looked at.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::model::check::{BuiltInCheck, Check, CheckMethod};
use vigia_core::model::host::Host;
use vigia_core::model::id::{HostId, Name, ServiceId};
use vigia_core::model::inventory::{Inventory, SharedInventory};
use vigia_core::model::period::TimePeriod;
use vigia_core::model::policy::Policy;
use vigia_core::model::service::Service;
use vigia_core::model::time::Timestamp;

use super::reload::{ConfigHealth, Findings};

#[derive(Debug)]
struct Nothing;

impl BuiltInCheck for Nothing {}

/// Checked every five minutes, retried after thirty seconds, three attempts.
pub(super) fn policy() -> Policy {
    Policy { retry_interval: Duration::from_secs(30), max_check_attempts: 3, ..crate::fixture::policy() }
}

fn period(name: &str) -> TimePeriod {
    TimePeriod {
        name: name.into(),
        alias: name.into(),
        timezone: None,
        days: vec![],
        exclude: vec![],
        r#use: vec![],
    }
}

fn host(services: u32) -> Host {
    let method = CheckMethod::AssumedUp;
    let check = Arc::new(Check { kind: "none", method, timeout: Duration::from_secs(10) });
    let policy = Arc::new(Policy { active_checks: false, ..policy() });
    let services = (0..services).map(ServiceId).collect();
    Host { address: "192.0.2.1".into(), services, fingerprint: 1, ..Host::new("web1".into(), check, policy) }
}

fn service(number: u32) -> Service {
    let method = CheckMethod::BuiltIn(Arc::new(Nothing));
    let name: Name = format!("s{number:05}").into();
    let check = Arc::new(Check { kind: "tcp", method, timeout: Duration::from_secs(10) });
    Service { fingerprint: u64::from(number), ..Service::new(HostId(0), name, check, Arc::new(policy())) }
}

/// `web1` with services `s00000`, `s00001`, …
pub(super) fn inventory(services: u32) -> SharedInventory {
    let mut inventory = Inventory::default();
    inventory.hosts = vec![host(services)];
    inventory.services = (0..services).map(service).collect();
    inventory.periods = vec![period("always"), period("never")];
    inventory.index();
    Arc::new(inventory)
}

/// All in effect, since second 1000.
pub(super) fn config_health() -> Arc<ConfigHealth> {
    let now = Timestamp::from_second(1000);
    Arc::new(ConfigHealth {
        generation: 7,
        loaded_at: now,
        clean_at: Some(now),
        refused: None,
        findings: Findings::default(),
    })
}
