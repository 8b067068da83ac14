//! A small inventory for the tests of the loops: one host that nobody looks at, with services that are looked at.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::model::check::{BuiltInCheck, Check, CheckMethod};
use vigia_core::model::contact::Audience;
use vigia_core::model::host::Host;
use vigia_core::model::id::{HostId, Name, ServiceId};
use vigia_core::model::inventory::{Inventory, SharedInventory};
use vigia_core::model::period::{PeriodId, TimePeriod};
use vigia_core::model::policy::{FlapPolicy, Freshness, NotificationOptions, Policy, StateSet};
use vigia_core::model::service::Service;
use vigia_core::model::time::Timestamp;

use super::reload::{ConfigHealth, Findings};

#[derive(Debug)]
struct Nothing;

impl BuiltInCheck for Nothing {}

/// Checked every five minutes, retried after thirty seconds, three attempts.
pub(super) fn policy() -> Policy {
    Policy {
        check_interval: Duration::from_secs(300),
        retry_interval: Duration::from_secs(30),
        max_check_attempts: 3,
        check_period: PeriodId::ALWAYS,
        notification_period: PeriodId::ALWAYS,
        active_checks: true,
        passive_checks: true,
        process_perfdata: true,
        flapping: FlapPolicy { enabled: false, low: 20.0, high: 30.0, states: StateSet::ALL },
        audience: Audience::Everyone,
        notification_interval: Duration::ZERO,
        first_notification_delay: Duration::ZERO,
        notification_options: NotificationOptions::ALL,
        freshness: Freshness::Off,
        volatile: false,
    }
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
    Host {
        name: "web1".into(),
        alias: "web1".into(),
        display_name: "web1".into(),
        address: "192.0.2.1".into(),
        aliases: vec![],
        parents: vec![],
        check: Arc::new(Check {
            kind: "none",
            method: CheckMethod::AssumedUp,
            timeout: Duration::from_secs(10),
        }),
        policy: Arc::new(Policy { active_checks: false, ..policy() }),
        own: None,
        tags: vec![],
        hostgroups: vec![],
        asset_value: 2,
        is_monitored: true,
        depends_on: vec![],
        was: vec![],
        location: None,
        identity: None,
        poller: None,
        services: (0..services).map(ServiceId).collect(),
        fingerprint: 1,
        is_last_good: false,
    }
}

fn service(number: u32) -> Service {
    let method = CheckMethod::BuiltIn(Arc::new(Nothing));
    let name: Name = format!("s{number:05}").into();
    Service {
        host: HostId(0),
        display_name: name.clone(),
        name,
        check: Arc::new(Check { kind: "tcp", method, timeout: Duration::from_secs(10) }),
        policy: Arc::new(policy()),
        own: None,
        servicegroups: vec![],
        depends_on: vec![],
        was: vec![],
        fingerprint: u64::from(number),
        is_last_good: false,
    }
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
