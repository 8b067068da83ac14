//! What `/metrics` says of vigia itself beyond the daemon's own counters: one table, and a few families by state.

use vigia_core::engine::world::World;
use vigia_core::model::time::Timestamp;

use super::{head, line, switch};
use crate::web::backend::{Delivery, Health, Process};

/// Where the numbers come from.
pub(super) struct Own<'a> {
    pub(super) world: &'a World,
    pub(super) process: &'a Process,
    pub(super) health: &'a Health,
    pub(super) door_panics: u64,
    pub(super) delivery: &'a Delivery,
    pub(super) now: Timestamp,
}

struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Own<'_>) -> f64,
}

const METRICS: &[Metric] = &[
    Metric {
        name: "vigia_config_generation",
        kind: "gauge",
        help: "Counts the configurations taken over since the start.",
        value: |own| own.health.generation.into(),
    },
    Metric {
        name: "vigia_process_start_time_seconds",
        kind: "gauge",
        help: "When the daemon started.",
        value: |own| own.process.started.as_seconds_f64(),
    },
    Metric {
        name: "vigia_web_panics_total",
        kind: "counter",
        help: "Requests that failed because of a mistake in vigia.",
        value: |own| float(own.door_panics),
    },
    Metric {
        name: "vigia_checks_limit",
        kind: "gauge",
        help: "Checks that may be in flight at once.",
        value: |own| float(own.process.checks.limit as u64),
    },
    Metric {
        name: "vigia_store_writable",
        kind: "gauge",
        help: "1: the store writes; 0: it cannot at the moment.",
        value: |own| switch(own.process.store.trouble.is_none()),
    },
    Metric {
        name: "vigia_host_problems_unhandled",
        kind: "gauge",
        help: "Hosts with a problem, neither acknowledged nor in downtime.",
        value: |own| own.world.totals.host_problems_unhandled.into(),
    },
    Metric {
        name: "vigia_service_problems_unhandled",
        kind: "gauge",
        help: "Services with a problem, neither acknowledged nor in downtime.",
        value: |own| own.world.totals.service_problems_unhandled.into(),
    },
    Metric {
        name: "vigia_alarms_open",
        kind: "gauge",
        help: "Open alarms.",
        value: |own| {
            float(own.world.records.alarms.values().filter(|alarm| alarm.closed.is_none()).count() as u64)
        },
    },
    Metric {
        name: "vigia_tickets_open",
        kind: "gauge",
        help: "Open tickets.",
        value: |own| float(own.world.records.open_tickets),
    },
];

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

pub(super) fn write(text: &mut String, own: &Own<'_>) {
    for metric in METRICS {
        head(text, metric.name, metric.kind, metric.help);
        line(text, metric.name, &[], (metric.value)(own));
    }
    by_state(text, own.world);
    if !own.process.queues.is_empty() {
        head(text, "vigia_queue_length", "gauge", "Entries waiting in a queue.");
        for queue in &own.process.queues {
            line(text, "vigia_queue_length", &[("queue", queue.name)], float(queue.length as u64));
        }
    }
    deliveries(text, own);
    if let Some(bytes) = own.process.store.bytes {
        head(text, "vigia_store_bytes", "gauge", "Size of the database file.");
        line(text, "vigia_store_bytes", &[], float(bytes));
    }
    backups(text, own);
}

/// Only where the daemon makes them: an alert on what nobody wants would be noise.
fn backups(text: &mut String, own: &Own<'_>) {
    let Some(backup) = &own.process.backup else { return };
    head(text, "vigia_backup_failing", "gauge", "1: the last backup failed.");
    line(text, "vigia_backup_failing", &[], switch(backup.failing.is_some()));
    if let Some(last) = backup.last {
        head(text, "vigia_backup_last_time_seconds", "gauge", "When the newest backup was made.");
        line(text, "vigia_backup_last_time_seconds", &[], last.as_seconds_f64());
        head(text, "vigia_backup_bytes", "gauge", "Size of the newest backup.");
        line(text, "vigia_backup_bytes", &[], float(backup.bytes));
    }
}

fn deliveries(text: &mut String, own: &Own<'_>) {
    let delivery = own.delivery;
    let families = [
        ("vigia_notifications_sent_total", "Messages that a channel took.", &delivery.sent),
        ("vigia_notifications_failed_total", "Messages that were given up.", &delivery.failed),
    ];
    for (name, help, counts) in families {
        head(text, name, "counter", help);
        for (channel, count) in counts {
            line(text, name, &[("channel", channel)], float(*count));
        }
    }
    head(text, "vigia_notifications_waiting", "gauge", "Deliveries that are not done yet.");
    line(text, "vigia_notifications_waiting", &[], float(delivery.waiting));
    let age = delivery.oldest.map_or(0.0, |oldest| own.now.since(oldest).as_secs_f64());
    head(text, "vigia_notifications_oldest_seconds", "gauge", "Age of the oldest message that waits.");
    line(text, "vigia_notifications_oldest_seconds", &[], age);
    head(text, "vigia_notification_channels_dead", "gauge", "Channels that do not work at the moment.");
    line(text, "vigia_notification_channels_dead", &[], float(delivery.dead.len() as u64));
}

fn by_state(text: &mut String, world: &World) {
    let totals = &world.totals;
    head(text, "vigia_hosts", "gauge", "Hosts by state.");
    let words = ["up", "down", "unreachable"];
    for (word, number) in words.iter().zip(totals.hosts).chain([(&"pending", totals.hosts_pending)]) {
        line(text, "vigia_hosts", &[("state", word)], f64::from(number));
    }
    head(text, "vigia_services", "gauge", "Services by state.");
    let words = ["ok", "warning", "critical", "unknown"];
    for (word, number) in words.iter().zip(totals.services).chain([(&"pending", totals.services_pending)]) {
        line(text, "vigia_services", &[("state", word)], f64::from(number));
    }
}
