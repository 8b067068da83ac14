//! What tests of several parts begin with: how an ordinary object is looked at, and who is told.

#[path = "../tests/it/support/damage.rs"]
pub(crate) mod damage;

use std::time::Duration;

use vigia_core::model::contact::{Audience, Contact};
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::{FlapPolicy, Freshness, NotificationOptions, Policy, StateSet};

/// Looked at every five minutes, retried after one, four attempts; told of once.
pub(crate) fn policy() -> Policy {
    Policy {
        check_interval: Duration::from_secs(300),
        retry_interval: Duration::from_secs(60),
        max_check_attempts: 4,
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

/// Hears everything by mail.
pub(crate) fn contact(name: &str) -> Contact {
    Contact {
        name: name.into(),
        email: vec![format!("{name}@example.test")],
        webhook: None,
        host_command: None,
        service_command: None,
        run: None,
        options: NotificationOptions::ALL,
        notification_period: PeriodId::ALWAYS,
        timezone: None,
        only: None,
        rate_limit: None,
        custom_variables: Vec::new(),
    }
}
