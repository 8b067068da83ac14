//! The store as its users see it: batches in, rows out, also over restarts, crashes and full disks.

mod crash;
mod full;
mod names;
mod notifications;
mod one_ticket;
mod records;
mod statuses;
mod timeline;
mod trouble;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use vigia_core::engine::world::{Records, Restored, World};
use vigia_core::model::check::{Check, CheckMethod, Output};
use vigia_core::model::event::{Event, StateChange, What};
use vigia_core::model::host::Host;
use vigia_core::model::id::{HostId, Name, ObjectKey, ServiceId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::operation::{Operation, Order};
use vigia_core::model::policy::Policy;
use vigia_core::model::service::Service;
use vigia_core::model::state::{AnyState, HostState, Standing, State, StateType};
use vigia_core::model::status::{HostStatus, ServiceStatus, Status};
use vigia_core::model::time::Timestamp;

use super::{Accepted, Batch, NotKept, RunningWriter, Store};
use crate::os::clock::Clock;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second)
}

pub(super) struct Running {
    pub(super) store: Store,
    pub(super) writer: RunningWriter,
}

/// Opens the file in `folder`; the file holds `base` already.
pub(super) fn start(folder: &Path, base: World) -> Running {
    let opened = Store::open(&folder.join("vigia.db"), Clock::starting_at(at(0))).unwrap();
    let writer = opened.writer.start(Arc::new(base), tokio::sync::mpsc::channel(64).0);
    Running { store: opened.store, writer }
}

pub(super) fn restore(folder: &Path) -> Restored {
    Store::open(&folder.join("vigia.db"), Clock::starting_at(at(0))).unwrap().restored
}

impl Running {
    /// Sends a batch with one order and waits for the answer: all batches before it are done then as well.
    pub(super) async fn publish(&self, events: Vec<Event>, world: &World) -> Result<(), NotKept> {
        let (told, answer) = oneshot::channel();
        let order = Order { author: "ana".into(), operation: comment_on("web01") };
        let answer_to = Box::new(move |result| told.send(result).unwrap());
        let orders = vec![Accepted { at: at(0), order, answer: answer_to }];
        let batch = Batch { events: events.into(), world: Arc::new(world.clone()), orders };
        self.writer.batches.send(batch).await.ok().unwrap();
        answer.await.unwrap()
    }
}

fn comment_on(host: &str) -> Operation {
    Operation::AddComment { subject: ObjectKey::host(host), text: "seen".into() }
}

pub(super) fn policy() -> Arc<Policy> {
    let (check_interval, retry_interval) = (Duration::from_secs(60), Duration::from_secs(20));
    Arc::new(Policy { check_interval, retry_interval, ..crate::fixture::policy() })
}

/// Hosts with their services, all pending. Names must be in byte order.
pub(super) fn world(hosts: &[(&str, &[&str])]) -> World {
    let policy = policy();
    let method = CheckMethod::AssumedUp;
    let check = Arc::new(Check { kind: "tcp", method, timeout: Duration::from_secs(10) });
    let mut inventory = Inventory::default();
    for (name, services) in hosts {
        let host = HostId(u32::try_from(inventory.hosts.len()).unwrap());
        let mut ids = Vec::new();
        for service in *services {
            ids.push(ServiceId(u32::try_from(inventory.services.len()).unwrap()));
            inventory.services.push(Service::new(host, Name::from(*service), check.clone(), policy.clone()));
        }
        let host = Host::new(Name::from(*name), check.clone(), policy.clone());
        inventory.hosts.push(Host { address: "192.0.2.1".into(), services: ids, ..host });
    }
    inventory.index();
    World {
        hosts: inventory.hosts.iter().map(|_| HostStatus::pending(HostState::Up, 4)).collect(),
        services: inventory.services.iter().map(|_| ServiceStatus::pending(State::Ok, 4)).collect(),
        inventory: Arc::new(inventory),
        records: Records::default(),
        ..World::default()
    }
}

/// A checked service in `state`.
pub(super) fn checked(state: State, text: &str, second: i64) -> ServiceStatus {
    Status {
        standing: Standing { state, state_type: StateType::Hard, attempt: 1 },
        has_been_checked: true,
        last_check: Some(at(second)),
        output: Output::line(text),
        ..Status::pending(State::Ok, 4)
    }
}

pub(super) fn event(second: i64, what: What) -> Event {
    Event { at: at(second), what }
}

/// A SERVICE ALERT of `web01/HTTP`.
pub(super) fn alert(second: i64, before: State, state: State, text: &str) -> Event {
    event(
        second,
        What::StateChanged(StateChange {
            subject: ObjectKey::service("web01", "HTTP"),
            before: AnyState::Service(before),
            state: AnyState::Service(state),
            state_type: StateType::Hard,
            attempt: 4,
            output: Output::line(text),
        }),
    )
}
