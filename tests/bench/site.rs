//! A site for benches in this process: hosts that nobody looks at, with services that are looked at every five minutes.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::engine::Engine;
use vigia_core::engine::world::Restored;
use vigia_core::model::check::{BuiltInCheck, Check, CheckMethod, CheckResult, Job, Output, Source, Verdict};
use vigia_core::model::contact::Audience;
use vigia_core::model::host::Host;
use vigia_core::model::id::{HostId, ServiceId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::period::{PeriodId, TimePeriod};
use vigia_core::model::policy::{FlapPolicy, Freshness, NotificationOptions, Policy, StateSet};
use vigia_core::model::service::Service;
use vigia_core::model::state::State;
use vigia_core::model::time::Timestamp;

#[derive(Debug)]
struct Nothing;

impl BuiltInCheck for Nothing {}

/// With the defaults of the configuration.
fn policy(active_checks: bool) -> Arc<Policy> {
    Arc::new(Policy {
        check_interval: Duration::from_secs(300),
        retry_interval: Duration::from_secs(60),
        max_check_attempts: 3,
        check_period: PeriodId::ALWAYS,
        notification_period: PeriodId::ALWAYS,
        active_checks,
        passive_checks: true,
        process_perfdata: true,
        flapping: FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL },
        audience: Audience::Everyone,
        notification_interval: Duration::from_secs(1800),
        first_notification_delay: Duration::ZERO,
        notification_options: NotificationOptions::ALL,
        freshness: Freshness::Off,
        volatile: false,
    })
}

fn check(kind: &'static str, method: CheckMethod) -> Arc<Check> {
    Arc::new(Check { kind, method, timeout: Duration::from_secs(10) })
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

/// Names are made so that their order is that of the numbers.
fn inventory(hosts: u32, services_each: u32) -> Inventory {
    let (unlooked, looked) = (policy(false), policy(true));
    let assumed = check("none", CheckMethod::AssumedUp);
    let tcp = check("tcp", CheckMethod::BuiltIn(Arc::new(Nothing)));
    let mut inventory = Inventory::default();
    for number in 0..hosts {
        let name = format!("host-{number:06}");
        let first = number * services_each;
        inventory.hosts.push(Host {
            address: "127.1.0.1".into(),
            services: (first..first + services_each).map(ServiceId).collect(),
            fingerprint: u64::from(number),
            ..Host::new(name.into(), assumed.clone(), unlooked.clone())
        });
        inventory.services.extend((first..first + services_each).map(|service| Service {
            fingerprint: u64::from(service),
            ..Service::new(HostId(number), format!("port-{service:07}").into(), tcp.clone(), looked.clone())
        }));
    }
    inventory.periods = vec![period("always"), period("never")];
    inventory.index();
    inventory
}

pub(crate) fn begin() -> Timestamp {
    Timestamp::from_second(1_700_000_000)
}

pub(crate) fn engine(hosts: u32, services_each: u32) -> Engine {
    Engine::new(Arc::new(inventory(hosts, services_each)), Restored::default(), begin())
}

/// What the check of a job might bring back.
pub(crate) fn result_of(job: &Job, state: State, now: Timestamp) -> CheckResult {
    CheckResult {
        key: job.key(),
        place: Some((job.object, job.generation)),
        verdict: Verdict::State(state),
        output: Output::line("TCP OK - connected to 127.1.0.1:8000 in 0.2 ms"),
        started: now,
        finished: now,
        latency: Duration::ZERO,
        source: Source::Active,
    }
}
