//! What the store has not taken yet, merged: of worlds the last one counts, events and orders are all kept.

use std::sync::Arc;

use vigia_core::engine::world::World;
use vigia_core::model::event::Event;

use super::{Batch, Kept};

#[derive(Default)]
pub(super) struct Unsaved {
    events: Vec<Arc<[Event]>>,
    count: usize,
    world: Option<Arc<World>>,
    orders: Vec<Kept>,
}

impl Unsaved {
    pub(super) fn add(&mut self, events: Arc<[Event]>, world: Arc<World>, orders: Vec<Kept>) {
        self.count += events.len();
        if !events.is_empty() {
            self.events.push(events);
        }
        self.world = Some(world);
        self.orders.extend(orders);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.world.is_none()
    }

    /// How many events wait.
    pub(super) fn events(&self) -> usize {
        self.count
    }

    /// All of it as one batch: after a crash events and statuses never contradict each other.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let Self { events, world, orders, .. } = std::mem::take(self);
        let world = world?;
        let events = match events.as_slice() {
            [one] => one.clone(),
            many => many.iter().flat_map(|events| events.iter().cloned()).collect(),
        };
        Some(Batch { events, world, orders })
    }
}
