//! "Someone is on it": set, removed, expired, ended by what happens. (`nagios-notifications.md` 7.2)

use std::sync::Arc;

use super::member::Member;
use super::notify::Offer;
use super::result::Change;
use super::timers::Timer;
use super::{Engine, tell};
use crate::model::acknowledgement::Acknowledgement;
use crate::model::event::{AcknowledgementEnd, Event, What};
use crate::model::id::Checkable;
use crate::model::message::MessageKind;
use crate::model::operation::Refusal;
use crate::model::time::Timestamp;

impl Engine {
    pub(super) fn acknowledge(
        &mut self,
        object: Checkable,
        acknowledgement: Acknowledgement,
        notify: bool,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let subject = self.world.inventory.key(object);
        let seen = self.world.glance(object);
        if !seen.is_problem {
            return Err(Refusal::NoProblem(subject));
        }
        if seen.is_acknowledged {
            return Err(Refusal::AlreadyAcknowledged(subject));
        }
        if acknowledgement.expires.is_some_and(|at| at <= now) {
            return Err(Refusal::Past);
        }
        if let Some(at) = acknowledgement.expires {
            self.timers.set(at, Timer::AcknowledgementExpiry(object));
        }
        let acknowledgement = Arc::new(acknowledgement);
        self.put_acknowledgement(object, Some(Arc::clone(&acknowledgement)));
        let Acknowledgement { author, comment, .. } = &*acknowledgement;
        let cause = now.as_micros().unsigned_abs();
        let offer = Offer::by(MessageKind::Acknowledgement, author, comment, cause);
        tell(events, now, What::Acknowledged { subject, acknowledgement });
        if notify {
            self.offer(object, &offer, now, events);
        }
        Ok(())
    }

    pub(super) fn remove_acknowledgement(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if !self.world.glance(object).is_acknowledged {
            let subject = self.world.inventory.key(object);
            return Err(Refusal::Invalid(format!("`{subject}` is not acknowledged")));
        }
        self.end_acknowledgement(object, AcknowledgementEnd::Removed, now, events);
        Ok(())
    }

    /// A normal one ends with the state, but not when soft turns hard; a sticky one ends with recovery.
    pub(super) fn end_acknowledgement_with<M: Member>(
        &mut self,
        id: M,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(acknowledgement) = &id.status(&self.world).acknowledgement else { return };
        let is_recovery = !change.state.is_problem();
        if !is_recovery && (acknowledgement.sticky || !change.is_other_state) {
            return;
        }
        self.put_acknowledgement(id.object(), None);
        let why = if is_recovery { AcknowledgementEnd::Recovered } else { AcknowledgementEnd::StateChanged };
        let subject = self.world.inventory.key(id.object());
        tell(events, now, What::AcknowledgementEnded { subject, why });
    }

    pub(super) fn acknowledgement_expires(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let acknowledgement = match object {
            Checkable::Host(id) => &self.world.host(id).acknowledgement,
            Checkable::Service(id) => &self.world.service(id).acknowledgement,
        };
        let is_over = acknowledgement.as_ref().and_then(|ack| ack.expires).is_some_and(|at| at <= now);
        if is_over {
            self.end_acknowledgement(object, AcknowledgementEnd::Expired, now, events);
        }
    }

    fn end_acknowledgement(
        &mut self,
        object: Checkable,
        why: AcknowledgementEnd,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        self.put_acknowledgement(object, None);
        let subject = self.world.inventory.key(object);
        tell(events, now, What::AcknowledgementEnded { subject, why });
        self.look_soon_if_unchecked(object, now);
        self.wake_rules(object, now);
    }

    fn put_acknowledgement(&mut self, object: Checkable, acknowledgement: Option<Arc<Acknowledgement>>) {
        self.counted(object, |world| match object {
            Checkable::Host(id) => id.status_mut(world).acknowledgement = acknowledgement,
            Checkable::Service(id) => id.status_mut(world).acknowledgement = acknowledgement,
        });
    }
}
