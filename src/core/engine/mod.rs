//! What happens: from an input and a time to events. Knows no clock and waits for nothing.
//!
//! [`Engine::step`] is the one entrance for whatever may change the world, [`Engine::take_due`] the one exit for
//! checks to run. Both take the time as an argument and give the same answer to the same question.

mod absent;
mod acknowledgement;
mod act;
mod agenda;
mod alarm;
mod alarm_act;
mod carry;
mod downtime;
mod flapping;
mod freshness;
mod member;
pub mod notify;
mod operate;
pub mod period;
mod planned;
mod reachability;
mod rename;
mod result;
mod rule;
mod schedule;
pub mod selection;
pub mod simulate;
mod submission;
mod suppression;
pub mod table;
mod ticket;
mod ticket_stay;
mod timers;
mod totals;
pub mod transition;
mod verdict;
pub mod world;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use self::agenda::Agenda;
use self::timers::{Timer, Timers};
use self::world::{Restored, World};
use crate::model::check::{CheckResult, Unchecked};
use crate::model::event::{Event, What};
use crate::model::id::{
    AlarmId, Checkable, CommentId, DowntimeId, HostId, ObjectKey, SuppressionId, TicketId,
};
use crate::model::inventory::SharedInventory;
use crate::model::operation::{Order, Refusal};
use crate::model::ticket::TicketHead;
use crate::model::time::Timestamp;

/// Whatever may change the world.
#[derive(Clone, Debug)]
pub enum Input {
    /// What came back of a check, active or passive.
    Result(CheckResult),
    /// What a person orders.
    Order(Order),
    /// A new configuration.
    Reload(SharedInventory),
    /// How a ticket stands that somebody is about to act on: the world may hold it no more.
    Recall(TicketHead),
    /// Time alone: something is due ([`Engine::next_timer`]).
    Tick,
}

/// The world, what is due, and the indexes to find things in it quickly.
#[derive(Debug)]
pub struct Engine {
    world: World,
    agenda: Agenda,
    timers: Timers,
    index: Index,
    /// Counts reloads, so that a result of a job handed out before one is found by its name.
    generation: u32,
    started: Timestamp,
    /// The latest `now` we were told, to notice a clock that jumped.
    seen: Timestamp,
    /// Passive checks for which silence stands in the place of a result, and since when.
    silent: HashMap<Checkable, Timestamp, RandomState>,
    /// Checks that do not run, so that it is said once.
    unchecked: HashMap<Checkable, Unchecked, RandomState>,
    /// What taking up the old statuses led to; leaves with the first step.
    waiting: Vec<Event>,
    /// Handing out checks changed what the world shows.
    is_touched: bool,
}

#[derive(Debug, Default)]
struct Index {
    /// The alarm of the problem that stands, open or closed by a person.
    alarms: HashMap<Checkable, AlarmId, RandomState>,
    /// The latest ticket of a problem of the object.
    tickets: HashMap<ObjectKey, TicketId, RandomState>,
    /// Tickets that somebody acts on, and until when they are held for that.
    guests: HashMap<TicketId, Timestamp, RandomState>,
    downtimes: HashMap<Checkable, Vec<DowntimeId>, RandomState>,
    /// Of problems, in force.
    suppressions: HashMap<ObjectKey, SuppressionId, RandomState>,
    /// Comments that go with the acknowledgement they came with.
    comments: HashMap<Checkable, Vec<CommentId>, RandomState>,
    /// Whose message waits for the verdict on this host.
    waiting: HashMap<HostId, BTreeSet<Checkable>, RandomState>,
    /// When a repetition was last told, so that it is told once a minute.
    told: HashMap<AlarmId, Timestamp, RandomState>,
}

impl Engine {
    /// Takes up what an earlier life left, as far as the inventory still has it.
    pub fn new(inventory: SharedInventory, restored: Restored, now: Timestamp) -> Self {
        Self::restore(inventory, restored, now)
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// Folds one input in. What was due before it happens first; what follows is appended to `events`.
    ///
    /// # Errors
    /// The order or result was not taken, and why; nothing changed but by what was due.
    pub fn step(&mut self, input: Input, now: Timestamp, events: &mut Vec<Event>) -> Result<(), Refusal> {
        self.observe(now);
        events.append(&mut self.waiting);
        self.fire_due(now, events);
        match input {
            Input::Result(result) => {
                let taken = self.take_result(&result, now, events);
                if let Err(refusal) = &taken {
                    events.push(Event { at: now, what: What::ResultRefused { refusal: refusal.clone() } });
                }
                taken
            }
            Input::Order(order) => self.operate(order, now, events),
            Input::Reload(inventory) => {
                self.reload(inventory, now, events);
                Ok(())
            }
            Input::Recall(head) => {
                self.recall(head, now);
                Ok(())
            }
            Input::Tick => Ok(()),
        }
    }

    /// Whether [`Self::take_due`] changed what the world shows since this was last asked: plans that moved, hosts
    /// taken as UP.
    pub fn was_touched(&mut self) -> bool {
        std::mem::take(&mut self.is_touched)
    }

    /// When something is due: a check to take, or a timer that a tick lets run.
    pub fn next_due(&mut self) -> Option<Timestamp> {
        [self.next_check(), self.next_timer()].into_iter().flatten().min()
    }

    pub fn next_check(&mut self) -> Option<Timestamp> {
        self.agenda.next_due()
    }

    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    fn fire_due(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Planned(at) => self.planned_is_to_begin(at, now, events),
                Timer::DowntimeStart(id) => self.downtime_is_to_start(id, now, events),
                Timer::DowntimeEnd(id) => self.downtime_is_to_end(id, now, events),
                Timer::AcknowledgementExpiry(object) => self.acknowledgement_expires(object, now, events),
                Timer::Freshness(object) => self.look_at_freshness(object, now, events),
                Timer::Rules(object) => self.consider_rules(object, now, events),
                Timer::Notification(object) => self.notification_is_due(object, now, events),
                Timer::TicketClose(id) => self.ticket_is_to_close(id, now, events),
                Timer::TicketNote(id) => self.ticket_is_to_be_noted(id, now, events),
                Timer::TicketLeave(id) => self.ticket_may_leave(id, now),
                Timer::SuppressionExpiry(id) => self.suppression_expires(id, now, events),
                Timer::Absence => self.forget_absent(now, events),
            }
        }
    }
}

fn tell(events: &mut Vec<Event>, now: Timestamp, what: What) {
    events.push(Event { at: now, what });
}
