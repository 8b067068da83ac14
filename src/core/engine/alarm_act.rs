//! What people do with alarms: own, label, comment, close, open again, link to a ticket. Each leaves a line of its history.

use std::sync::Arc;

use super::alarm::check_expiry;
use super::suppression::Said;
use super::{Engine, tell};
use crate::model::alarm::{Alarm, AlarmStatus, LONGEST_LABEL, MOST_LABELS};
use crate::model::event::{Event, What};
use crate::model::id::AlarmId;
use crate::model::operation::{FalsePositive, Refusal};
use crate::model::suppression::FALSE_POSITIVE;
use crate::model::ticket::Reference;
use crate::model::time::Timestamp;

impl Engine {
    /// A person says that it needs no more attention; the problem may still stand, and raises no second one.
    pub(super) fn close_alarm(
        &mut self,
        id: AlarmId,
        comment: &Arc<str>,
        false_positive: Option<&FalsePositive>,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if let Some(how) = false_positive {
            check_expiry(how.expires, now)?;
            let alarm = self.open_alarm_mut(id)?.clone();
            let said = Said { author, reason: comment, how };
            self.suppress_by_alarm(&alarm, &said, now, events);
        }
        let alarm = self.open_alarm_mut(id)?;
        (alarm.status, alarm.closed) = (AlarmStatus::Closed, Some(now));
        let told = alarm.clone();
        let what = if false_positive.is_some() { "closed as a false positive" } else { "closed" };
        self.note_alarm(&told, author, what, comment, now, events);
        tell(events, now, What::AlarmClosed(told));
        Ok(())
    }

    /// One that a person closed, as long as its problem stands. Who opens one again that was called false says that it
    /// was not.
    pub(super) fn reopen_alarm(
        &mut self,
        id: AlarmId,
        comment: &Arc<str>,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let over =
            "an alarm can be opened again while its problem stands; the next problem raises one of its own";
        let known = self.alarm_mut(id).ok_or_else(|| Refusal::Invalid(over.to_owned()))?;
        if known.status == AlarmStatus::Open {
            return Err(Refusal::Invalid(format!("alarm {id} is open")));
        }
        (known.status, known.closed) = (AlarmStatus::Open, None);
        let told = known.clone();
        self.note_alarm(&told, author, "opened again", comment, now, events);
        tell(events, now, What::AlarmOpened(told));
        let of_it = self.world.records.suppressions.values().filter(|one| one.alarm == Some(id));
        for suppression in of_it.map(|one| one.id).collect::<Vec<_>>() {
            self.revoke_suppression(suppression, author, now, events)?;
        }
        Ok(())
    }

    pub(super) fn own_alarm(
        &mut self,
        id: AlarmId,
        owner: Option<Arc<str>>,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let alarm = self.open_alarm_mut(id)?;
        if alarm.owner == owner {
            return Ok(());
        }
        let what = owner.as_ref().map_or_else(|| "released".to_owned(), |name| format!("owner: {name}"));
        alarm.owner = owner;
        let told = alarm.clone();
        self.tell_alarm(id, now, events);
        self.note_alarm(&told, author, &what, "", now, events);
        Ok(())
    }

    /// A person's label. *False positive* is more than a word: it suppresses, and without it nothing is suppressed.
    pub(super) fn label_alarm(
        &mut self,
        id: AlarmId,
        label: &Arc<str>,
        set: bool,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let alarm = self.open_alarm_mut(id)?.clone();
        let is_known = alarm.labels.contains(label);
        if set && !is_known {
            check_label(label, &alarm)?;
        }
        if is_known == set {
            return Ok(());
        }
        self.put_label(id, label, set, now, events)?;
        let what = if set { format!("label: {label}") } else { format!("without label: {label}") };
        self.note_alarm(&alarm, author, &what, "", now, events);
        if **label != *FALSE_POSITIVE {
            return Ok(());
        }
        if set {
            let (reason, how) = ("".into(), FalsePositive::default());
            self.suppress_by_alarm(&alarm, &Said { author, reason: &reason, how: &how }, now, events);
        } else {
            let of_it = self.world.suppression_of(&alarm.subject, alarm.state).map(|one| one.id);
            if let Some(suppression) = of_it {
                self.revoke_suppression(suppression, author, now, events)?;
            }
        }
        Ok(())
    }

    pub(super) fn put_label(
        &mut self,
        id: AlarmId,
        label: &Arc<str>,
        set: bool,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let alarm = self.open_alarm_mut(id)?;
        if alarm.labels.contains(label) == set {
            return Ok(());
        }
        if set {
            alarm.labels.push(Arc::clone(label));
        } else {
            alarm.labels.retain(|other| other != label);
        }
        self.tell_alarm(id, now, events);
        Ok(())
    }

    pub(super) fn comment_alarm(
        &mut self,
        id: AlarmId,
        text: &Arc<str>,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::Invalid("a comment needs a text".to_owned()));
        }
        let unknown = Refusal::UnknownRecord { what: "alarm of a problem that stands", id: id.0 };
        let alarm = self.alarm_mut(id).ok_or(unknown)?.clone();
        self.note_alarm(&alarm, author, "", text, now, events);
        Ok(())
    }

    pub(super) fn link_alarm(
        &mut self,
        id: AlarmId,
        ticket: Reference,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let alarm = self.open_alarm_mut(id)?;
        if alarm.ticket != Some(ticket) {
            alarm.ticket = Some(ticket);
            self.tell_alarm(id, now, events);
        }
        Ok(())
    }

    /// Its ticket is no more.
    pub(super) fn unlink_alarm(&mut self, id: AlarmId, now: Timestamp, events: &mut Vec<Event>) {
        if let Some(alarm) = self.alarm_mut(id) {
            alarm.ticket = None;
            self.tell_alarm(id, now, events);
        }
    }

    fn note_alarm(
        &self,
        alarm: &Alarm,
        author: &Arc<str>,
        what: &str,
        text: &str,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let (subject, author) = (alarm.subject.clone(), Arc::clone(author));
        let (what, text) = (what.into(), text.into());
        tell(events, now, What::AlarmNoted { alarm: alarm.id, subject, author, what, text });
    }
}

fn check_label(label: &str, alarm: &Alarm) -> Result<(), Refusal> {
    let is_plain = !label.trim().is_empty() && !label.chars().any(char::is_control);
    if !is_plain || label.chars().count() > LONGEST_LABEL {
        return Err(Refusal::Invalid(format!("a label is one line of at most {LONGEST_LABEL} letters")));
    }
    if alarm.labels.len() >= MOST_LABELS {
        return Err(Refusal::Invalid(format!("an alarm has at most {MOST_LABELS} labels")));
    }
    Ok(())
}
