//! What a person orders, applied to the world or refused with the reason.

use std::sync::Arc;

use super::acknowledgement::HowToAcknowledge;
use super::member::{Definition, Member};
use super::notify::Offer;
use super::world::World;
use super::{Engine, tell};
use crate::model::acknowledgement::Acknowledgement;
use crate::model::check::{CheckResult, Output, Source, Verdict};
use crate::model::comment::{Comment, CommentKind};
use crate::model::downtime::Downtime;
use crate::model::event::{Event, What};
use crate::model::id::{Checkable, CommentId, DowntimeId, ObjectKey};
use crate::model::message::MessageKind;
use crate::model::operation::{Operation, Order, Refusal, Switch};
use crate::model::state::{Condition, StateType};
use crate::model::status::Status;
use crate::model::time::Timestamp;

impl Engine {
    pub(super) fn operate(
        &mut self,
        order: Order,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let author = order.author;
        match order.operation {
            Operation::Acknowledge { subject, comment, until, notify, keeps_comment, expires } => {
                let object = self.find(&subject)?;
                let lasts = self.lasts(object, until);
                let acknowledgement = Acknowledgement { author, comment, at: now, lasts, expires };
                let how = HowToAcknowledge { notify, keeps_comment };
                self.acknowledge(object, acknowledgement, how, now, events)
            }
            Operation::RemoveAcknowledgement { subject } => {
                let object = self.find(&subject)?;
                self.remove_acknowledgement(object, now, events)
            }
            Operation::AddComment { subject, text } => self.add_comment(subject, author, text, now, events),
            Operation::DeleteComment { id } => self.delete_comment(id, now, events),
            Operation::ScheduleDowntime { subject, start, end, kind, comment, triggered_by } => {
                let object = self.find(&subject)?;
                let downtime = Downtime {
                    id: DowntimeId(0),
                    subject,
                    author,
                    comment,
                    entered: now,
                    start,
                    end,
                    kind,
                    triggered_by,
                    started: None,
                };
                self.schedule_downtime(object, downtime, now, events)
            }
            Operation::CancelDowntime { id } => self.cancel_downtime(id, now, events),
            Operation::Recheck { subject, at, forced } => {
                self.recheck(subject, at, forced, author, now, events)
            }
            Operation::SubmitResult { subject, verdict, output, at } => {
                self.submit_result(subject, verdict, output, at, now, events)
            }
            Operation::Switch { subject, switch } => self.switch(subject, switch, author, now, events),
            Operation::SwitchNotifications { on } => {
                self.switch_notifications(on, author, now, events);
                Ok(())
            }
            Operation::Notify { subject, text, how } => {
                let object = self.find(&subject)?;
                let offer = Offer::custom(&author, &text, how, now);
                self.offer(object, &offer, now, events);
                Ok(())
            }
            Operation::DelayNotification { subject, until } => {
                let object = self.find(&subject)?;
                self.delay_notification(object, until, author, now, events)
            }
            Operation::OpenTicket { ticket } => self.open_ticket_by_hand(*ticket, &author, now, events),
            Operation::NoteTicket { id, version, note } => {
                self.note_ticket(id, version, *note, &author, now, events)
            }
            Operation::EditTicket { id, version, edit } => {
                self.edit_ticket(id, version, *edit, author, now, events)
            }
            Operation::DeleteTicket { id } => self.delete_ticket(id, author, now, events),
            Operation::LinkAlarm { alarm, ticket } => self.link_alarm_to_ticket(alarm, ticket, now, events),
            Operation::OwnAlarm { alarm, owner } => self.own_alarm(alarm, owner, &author, now, events),
            Operation::LabelAlarm { alarm, label, set } => {
                self.label_alarm(alarm, &label, set, &author, now, events)
            }
            Operation::CommentAlarm { alarm, text } => self.comment_alarm(alarm, &text, &author, now, events),
            Operation::ReopenAlarm { alarm, comment } => {
                self.reopen_alarm(alarm, &comment, &author, now, events)
            }
            Operation::CloseAlarm { alarm, comment, false_positive } => {
                self.close_alarm(alarm, &comment, false_positive.as_ref(), &author, now, events)
            }
            Operation::RevokeSuppression { id } => self.revoke_suppression(id, &author, now, events),
        }
    }

    fn submit_result(
        &mut self,
        key: ObjectKey,
        verdict: Verdict,
        output: Arc<Output>,
        at: Timestamp,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let result = CheckResult {
            key,
            place: None,
            verdict,
            output,
            started: at,
            finished: at,
            latency: now.since(at),
            source: Source::Passive,
        };
        self.take_result(&result, now, events)
    }

    fn find(&self, subject: &ObjectKey) -> Result<Checkable, Refusal> {
        self.world.inventory.find(subject).ok_or_else(|| Refusal::UnknownObject(subject.clone()))
    }

    fn add_comment(
        &mut self,
        subject: ObjectKey,
        author: Arc<str>,
        text: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        self.find(&subject)?;
        if text.trim().is_empty() {
            return Err(Refusal::Invalid("a comment needs a text".to_owned()));
        }
        self.put_comment(subject, author, text, CommentKind::User, now, events);
        Ok(())
    }

    pub(super) fn put_comment(
        &mut self,
        subject: ObjectKey,
        author: Arc<str>,
        text: Arc<str>,
        kind: CommentKind,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> CommentId {
        let records = &mut self.world.records;
        let id = CommentId(records.next.comment);
        records.next.comment += 1;
        let comment = Comment { id, subject, author, text, at: now, kind };
        Arc::make_mut(&mut records.comments).insert(id, Arc::new(comment.clone()));
        tell(events, now, What::CommentAdded(comment));
        id
    }

    pub(super) fn delete_comment(
        &mut self,
        id: CommentId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let comment = Arc::make_mut(&mut self.world.records.comments).remove(&id);
        let comment = comment.ok_or(Refusal::UnknownRecord { what: "comment", id: id.0 })?;
        tell(events, now, What::CommentDeleted { id, subject: comment.subject.clone() });
        Ok(())
    }

    fn recheck(
        &mut self,
        subject: ObjectKey,
        at: Timestamp,
        forced: bool,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let object = self.find(&subject)?;
        if !self.demand(object, at.max(now), forced) {
            return Err(Refusal::NotChecked(subject));
        }
        tell(events, now, What::Rechecked { subject, author });
        Ok(())
    }

    fn switch(
        &mut self,
        subject: ObjectKey,
        switch: Switch,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let object = self.find(&subject)?;
        if switch == Switch::MaxCheckAttempts(0) {
            return Err(Refusal::Invalid("max_check_attempts is at least 1".to_owned()));
        }
        match object {
            Checkable::Host(id) => turn(id.status_mut(&mut self.world), switch),
            Checkable::Service(id) => turn(id.status_mut(&mut self.world), switch),
        }
        tell(events, now, What::Switched { subject, switch, author });
        match switch {
            Switch::ActiveChecks(_) => self.plan_anew(object, now),
            Switch::Notifications(true) => {
                self.look_soon(object, now);
                self.wake_rules(object, now);
            }
            Switch::FlapDetection(_) => self.flap_detection_may_be_off(object, now, events),
            Switch::PassiveChecks(_)
            | Switch::Notifications(false)
            | Switch::EventHandler(_)
            | Switch::MaxCheckAttempts(_) => {}
        }
        Ok(())
    }

    /// Switching it off clears the flag at once.
    pub(super) fn flap_detection_may_be_off(
        &mut self,
        object: Checkable,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        fn clear<M: Member>(world: &mut World, id: M) -> bool {
            let status = id.status(world);
            let definition = Definition::of(&world.inventory, id.object());
            let is_over = status.is_flapping && !definition.detects_flapping(status);
            if is_over {
                id.status_mut(world).is_flapping = false;
            }
            is_over
        }
        let is_over = match object {
            Checkable::Host(id) => clear(&mut self.world, id),
            Checkable::Service(id) => clear(&mut self.world, id),
        };
        if is_over {
            tell(events, now, What::FlappingDisabled { subject: self.world.inventory.key(object) });
            self.offer(object, &Offer::at(MessageKind::FlappingDisabled, now), now, events);
            if !self.world.glance(object).is_problem {
                self.offer_again(object, now, events);
            }
            self.wake_rules(object, now);
        }
    }

    /// Changes a status in a way that may move it between the totals.
    pub(super) fn counted(&mut self, object: Checkable, change: impl FnOnce(&mut World)) {
        let before = self.world.place(object);
        change(&mut self.world);
        let after = self.world.place(object);
        self.world.totals.shift(before, after);
    }
}

fn turn<S: Condition>(status: &mut Status<S>, switch: Switch) {
    let switches = &mut status.switches;
    match switch {
        Switch::ActiveChecks(on) => switches.active_checks = Some(on),
        Switch::PassiveChecks(on) => switches.passive_checks = Some(on),
        Switch::Notifications(on) => switches.notifications = Some(on),
        Switch::FlapDetection(on) => switches.flap_detection = Some(on),
        Switch::EventHandler(on) => switches.event_handler = Some(on),
        Switch::MaxCheckAttempts(max) => {
            switches.max_check_attempts = Some(max);
            // A confirmed problem stays confirmed, at the new number.
            if status.standing.state.is_problem() && status.standing.state_type == StateType::Hard {
                status.standing.attempt = max;
            }
        }
    }
}
