//! Which tickets the world holds: those on which something may still be decided. All others live in the store alone,
//! however many there are; who acts on one of them brings its head along ([`Input::Recall`](super::Input)).

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::timers::Timer;
use crate::model::id::TicketId;
use crate::model::ticket::TicketHead;
use crate::model::time::Timestamp;

/// Far longer than the way from the store to the engine: whoever reads a head there reads the last one.
const GUEST: Duration = Duration::from_secs(600);

impl Engine {
    /// Somebody is about to act on it. What the world holds is newer than what anybody read.
    pub(super) fn recall(&mut self, head: TicketHead, now: Timestamp) {
        let id = head.id;
        self.index.guests.insert(id, now.after(GUEST));
        if !self.world.records.tickets.contains_key(&id) {
            self.index_ticket(&head);
            Arc::make_mut(&mut self.world.records.tickets).insert(id, Arc::new(head));
        }
        self.timers.set(now.after(GUEST), Timer::TicketLeave(id));
    }

    /// Of the tickets of an object's problems the latest speaks for it.
    pub(super) fn index_ticket(&mut self, head: &TicketHead) {
        if let (Some(subject), Some(_)) = (&head.subject, head.problem) {
            let latest = self.index.tickets.entry(subject.clone()).or_insert(head.id);
            *latest = head.id.max(*latest);
        }
    }

    pub(super) fn plan_leaving(&mut self, head: &TicketHead, now: Timestamp) {
        if let Some(at) = self.leaves(head, now) {
            self.timers.set(at, Timer::TicketLeave(head.id));
        }
    }

    pub(super) fn ticket_may_leave(&mut self, id: TicketId, now: Timestamp) {
        let Some(head) = self.world.records.tickets.get(&id).map(Arc::clone) else { return };
        match self.leaves(&head, now) {
            Some(at) if at <= now => self.let_ticket_go(&head),
            Some(at) => self.timers.set(at, Timer::TicketLeave(id)),
            None => {}
        }
    }

    pub(super) fn let_ticket_go(&mut self, head: &TicketHead) {
        Arc::make_mut(&mut self.world.records.tickets).remove(&head.id);
        self.index.guests.remove(&head.id);
        if self.speaks_for_its_object(head)
            && let Some(subject) = &head.subject
        {
            self.index.tickets.remove(subject);
        }
    }

    /// When nothing more is to be decided on it; none: not before its problem ends, and then this is asked again.
    fn leaves(&self, head: &TicketHead, now: Timestamp) -> Option<Timestamp> {
        if head.is_open() && (head.rule.is_some() || head.problem.is_some()) {
            return None;
        }
        let guest = self.index.guests.get(&head.id).copied();
        let Some(subject) = head.subject.as_ref().filter(|_| self.speaks_for_its_object(head)) else {
            return Some(guest.unwrap_or(now));
        };
        // Its problem must not get a second one beside it.
        let stands = match self.world.inventory.find(subject) {
            Some(object) => self.problem_of(object) == head.problem,
            None => self.world.records.absent.contains_key(subject),
        };
        let gone = head.closed.max(head.recovered).map(|gone| gone.after(self.longest_window()));
        (!stands).then(|| guest.max(gone).unwrap_or(now))
    }

    /// Until when a problem that is back reopens a ticket, by the most patient rule.
    fn longest_window(&self) -> Duration {
        let actions = self.world.inventory.rules.iter().filter_map(|rule| rule.ticket.as_ref());
        actions.map(|action| action.reopen_within).max().unwrap_or_default()
    }

    fn speaks_for_its_object(&self, head: &TicketHead) -> bool {
        head.subject.as_ref().and_then(|subject| self.index.tickets.get(subject)) == Some(&head.id)
    }
}
