//! How many objects are in which state, kept with every result instead of counted.

use super::world::{Totals, World};
use crate::model::id::Checkable;
use crate::model::state::{AnyState, Condition, HostState, State};

/// Where one object is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    state: AnyState,
    is_pending: bool,
    is_unhandled: bool,
}

impl World {
    /// None: not monitored, so not counted.
    pub(super) fn place(&self, object: Checkable) -> Option<Place> {
        let host = self.inventory.host_of(object);
        if !self.inventory.host(host).is_monitored {
            return None;
        }
        let seen = self.glance(object);
        Some(Place {
            state: seen.state,
            is_pending: !seen.has_been_checked,
            is_unhandled: seen.is_problem && !seen.in_downtime && !seen.is_acknowledged,
        })
    }

    pub(super) fn recount(&self) -> Totals {
        let mut totals = Totals::default();
        for id in self.inventory.host_ids() {
            totals.shift(None, self.place(Checkable::Host(id)));
        }
        for id in self.inventory.service_ids() {
            totals.shift(None, self.place(Checkable::Service(id)));
        }
        totals
    }
}

impl Totals {
    pub(super) fn shift(&mut self, from: Option<Place>, to: Option<Place>) {
        if from == to {
            return;
        }
        if let Some(place) = from {
            self.count(place, u32::wrapping_sub);
        }
        if let Some(place) = to {
            self.count(place, u32::wrapping_add);
        }
    }

    fn count(&mut self, place: Place, change: fn(u32, u32) -> u32) {
        let (counter, unhandled) = match place.state {
            AnyState::Host(_) if place.is_pending => {
                (&mut self.hosts_pending, &mut self.host_problems_unhandled)
            }
            AnyState::Service(_) if place.is_pending => {
                (&mut self.services_pending, &mut self.service_problems_unhandled)
            }
            AnyState::Host(state) => {
                (&mut self.hosts[at::<HostState>(state)], &mut self.host_problems_unhandled)
            }
            AnyState::Service(state) => {
                (&mut self.services[at::<State>(state)], &mut self.service_problems_unhandled)
            }
        };
        *counter = change(*counter, 1);
        if place.is_unhandled {
            *unhandled = change(*unhandled, 1);
        }
    }
}

fn at<S: Condition>(state: S) -> usize {
    usize::from(state.number())
}
