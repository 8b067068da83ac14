//! "Someone is on it": set, removed, expired, ended by what happens. (`nagios-notifications.md` 7.2)

use std::sync::Arc;

use super::alarm::severity;
use super::member::Member;
use super::notify::Offer;
use super::result::Change;
use super::timers::Timer;
use super::{Engine, tell};
use crate::model::acknowledgement::{Acknowledgement, Lasts, Until};
use crate::model::comment::CommentKind;
use crate::model::event::{AcknowledgementEnd, Event, What};
use crate::model::id::Checkable;
use crate::model::message::MessageKind;
use crate::model::operation::Refusal;
use crate::model::time::Timestamp;

/// What else comes of an acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct HowToAcknowledge {
    pub(super) notify: bool,
    pub(super) keeps_comment: bool,
}

impl Engine {
    /// What was asked for, measured at the state of now.
    pub(super) fn lasts(&self, object: Checkable, until: Until) -> Lasts {
        match until {
            Until::Change => Lasts::UntilChange,
            Until::Worse => Lasts::UntilWorse { than: severity(self.world.glance(object).state) },
            Until::Recovery => Lasts::UntilRecovery,
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        object: Checkable,
        acknowledgement: Acknowledgement,
        how: HowToAcknowledge,
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
        let (author, comment) = (Arc::clone(author), Arc::clone(comment));
        tell(events, now, What::Acknowledged { subject: subject.clone(), acknowledgement });
        if !comment.trim().is_empty() {
            let kind = if how.keeps_comment { CommentKind::User } else { CommentKind::Acknowledgement };
            let id = self.put_comment(subject, author, comment, kind, now, events);
            if kind == CommentKind::Acknowledgement {
                self.index.comments.entry(object).or_default().push(id);
            }
        }
        if how.notify {
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

    /// A normal one ends with the state, but not when soft turns hard; a sticky one ends with recovery. What is no
    /// more severe than what was acknowledged is not worse.
    pub(super) fn end_acknowledgement_with<M: Member>(
        &mut self,
        id: M,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(acknowledgement) = &id.status(&self.world).acknowledgement else { return };
        let why = match acknowledgement.lasts {
            _ if !change.state.is_problem() => AcknowledgementEnd::Recovered,
            Lasts::UntilChange if change.is_other_state => AcknowledgementEnd::StateChanged,
            Lasts::UntilWorse { than } if severity(change.state) > than => AcknowledgementEnd::Worse,
            Lasts::UntilChange | Lasts::UntilWorse { .. } | Lasts::UntilRecovery => return,
        };
        self.drop_acknowledgement(id.object(), why, now, events);
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
        self.drop_acknowledgement(object, why, now, events);
        self.look_soon_if_unchecked(object, now);
        self.wake_rules(object, now);
    }

    /// Its comment goes with it.
    fn drop_acknowledgement(
        &mut self,
        object: Checkable,
        why: AcknowledgementEnd,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        self.put_acknowledgement(object, None);
        let subject = self.world.inventory.key(object);
        tell(events, now, What::AcknowledgementEnded { subject, why });
        for id in self.index.comments.remove(&object).unwrap_or_default() {
            // A person may have deleted it before.
            let _deleted = self.delete_comment(id, now, events);
        }
    }

    fn put_acknowledgement(&mut self, object: Checkable, acknowledgement: Option<Arc<Acknowledgement>>) {
        self.counted(object, |world| match object {
            Checkable::Host(id) => id.status_mut(world).acknowledgement = acknowledgement,
            Checkable::Service(id) => id.status_mut(world).acknowledgement = acknowledgement,
        });
    }
}
