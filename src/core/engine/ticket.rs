//! One problem, one ticket: opened by a rule or a person, noted at recovery and return, closed when stable,
//! reopened inside its window. (`ossim-tickets.md` 5.4, 8.4)
//!
//! Only the head is decided on here; title, notes and files are the store's, which gets them with the event.

use std::sync::Arc;

use super::alarm::{check_expiry, severity};
use super::suppression::Said;
use super::timers::Timer;
use super::{Engine, tell};
use crate::model::event::{Event, TicketDraft, What};
use crate::model::id::{AlarmId, Checkable, ObjectKey, TicketId};
use crate::model::operation::{Fields, NewTicket, Refusal, TicketEdit, TicketNote};
use crate::model::rule::TicketAction;
use crate::model::state::AnyState;
use crate::model::suppression::FALSE_POSITIVE;
use crate::model::ticket::{RESOLUTIONS, TicketClass, TicketHead, TicketStatus};
use crate::model::time::Timestamp;

/// Who writes what no person wrote.
const AUTHOR: &str = "vigia";

impl Engine {
    /// The rule's conditions hold: this problem has, or gets, its ticket.
    pub(super) fn open_ticket_by_rule(
        &mut self,
        object: Checkable,
        rule: &Arc<str>,
        action: &TicketAction,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let subject = self.world.inventory.key(object);
        let problem = self.problem_of(object);
        if let Some(head) = self.ticket_of(&subject) {
            if head.problem == problem {
                return;
            }
            if head.status != TicketStatus::Closed {
                return self.note_return(object, now, events);
            }
            let gone = head.closed.max(head.recovered);
            if gone.is_some_and(|gone| now.since(gone) <= action.reopen_within) {
                return self.reopen_by_rule(object, head.id, now, events);
            }
        }
        let head = TicketHead {
            id: self.next_ticket(),
            class: TicketClass::Availability,
            subject: Some(subject.clone()),
            problem,
            rule: Some(Arc::clone(rule)),
            status: TicketStatus::Open,
            opened: now,
            updated: now,
            closed: None,
            recovered: None,
            last_note: None,
            version: 1,
        };
        let inventory = &self.world.inventory;
        let alarm = self.alarm_of(object);
        let draft = TicketDraft {
            r#type: Arc::clone(&action.r#type),
            title: format!("{subject} is {}", self.world.glance(object).state).into(),
            text: self.tell_state(object).into(),
            priority: action.priority.unwrap_or_else(|| self.priority(object)),
            in_charge: action.in_charge.clone().or_else(|| inventory.in_charge.clone()),
            submitter: AUTHOR.into(),
            tags: action.tags.clone(),
            fields: Fields::new(),
            alarm,
        };
        self.open_ticket(head, draft, now, events);
    }

    fn reopen_by_rule(&mut self, object: Checkable, id: TicketId, now: Timestamp, events: &mut Vec<Event>) {
        let problem = self.problem_of(object);
        let text = format!("The problem is back. {}", self.tell_state(object));
        let note =
            TicketNote { text: text.into(), status: Some(TicketStatus::Open), ..TicketNote::default() };
        if let Some(head) = self.ticket_mut(id) {
            (head.problem, head.recovered) = (problem, None);
        }
        let Some(head) = self.apply(id, &note, now) else { return };
        self.link_if_open(self.alarm_of(object), id, now, events);
        tell(events, now, What::TicketReopened { head, note, author: AUTHOR.into() });
    }

    /// A confirmed problem while its ticket is still open from the last time.
    pub(super) fn note_return(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        if self.index.tickets.is_empty() || self.is_explained_by_host(object) {
            return;
        }
        let subject = self.world.inventory.key(object);
        let problem = self.problem_of(object);
        let Some(head) = self.ticket_of(&subject) else { return };
        if head.status == TicketStatus::Closed || head.problem == problem {
            return;
        }
        let id = head.id;
        let text = format!("The problem is back. {}", self.tell_state(object));
        if let Some(head) = self.ticket_mut(id) {
            (head.problem, head.recovered) = (problem, None);
        }
        self.link_if_open(self.alarm_of(object), id, now, events);
        self.note_ourselves(id, text, None, now, events);
    }

    pub(super) fn has_open_ticket(&self, object: Checkable) -> bool {
        if self.index.tickets.is_empty() {
            return false;
        }
        let head = self.ticket_of(&self.world.inventory.key(object));
        head.is_some_and(|head| head.status != TicketStatus::Closed && head.recovered.is_none())
    }

    /// Good again after being softly bad: the wait for closing begins anew.
    pub(super) fn wait_for_closing(&mut self, object: Checkable, now: Timestamp) {
        if self.index.tickets.is_empty() {
            return;
        }
        if let Some(head) = self.ticket_of(&self.world.inventory.key(object)).cloned() {
            self.set_ticket_timers(&head, now);
        }
    }

    fn last_change(&self, object: Checkable) -> Option<Timestamp> {
        match object {
            Checkable::Host(id) => self.world.host(id).last_state_change,
            Checkable::Service(id) => self.world.service(id).last_state_change,
        }
    }

    pub(super) fn note_recovery(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        if self.index.tickets.is_empty() {
            return;
        }
        let Some(head) = self.ticket_of(&self.world.inventory.key(object)).map(Arc::clone) else { return };
        if !head.is_open() {
            return self.plan_leaving(&head, now);
        }
        let id = head.id;
        let text = format!("Recovered. {}", self.tell_state(object));
        if let Some(head) = self.ticket_mut(id) {
            head.recovered = Some(now);
        }
        self.note_ourselves(id, text, None, now, events);
    }

    /// Stable long enough, unless it is bad again or was for a while, be it softly.
    pub(super) fn ticket_is_to_close(&mut self, id: TicketId, now: Timestamp, events: &mut Vec<Event>) {
        let Some(head) = self.world.records.tickets.get(&id).cloned() else { return };
        let Some(wait) = self.action_of(&head).and_then(|action| action.close_on_recovery) else { return };
        let Some(recovered) = head.recovered.filter(|_| head.status != TicketStatus::Closed) else { return };
        let object = head.subject.as_ref().and_then(|subject| self.world.inventory.find(subject));
        if object.is_some_and(|object| self.world.glance(object).is_problem) {
            return;
        }
        let changed = object.and_then(|object| self.last_change(object));
        let stable = changed.map_or(recovered, |changed| changed.max(recovered));
        if stable.after(wait) > now {
            self.timers.set(stable.after(wait), Timer::TicketClose(id));
            return;
        }
        let text = format!("Closed: no problem for {} s.", now.since(stable).as_secs());
        self.note_ourselves(id, text, Some(("Fixed", TicketStatus::Closed)), now, events);
    }

    pub(super) fn ticket_is_to_be_noted(&mut self, id: TicketId, now: Timestamp, events: &mut Vec<Event>) {
        let Some(head) = self.world.records.tickets.get(&id).cloned() else { return };
        let Some(every) = self.action_of(&head).map(|action| action.note_every) else { return };
        let object = head.subject.as_ref().and_then(|subject| self.world.inventory.find(subject));
        let Some(object) = object.filter(|object| self.world.glance(*object).is_problem) else { return };
        if head.status == TicketStatus::Closed || head.recovered.is_some() || every.is_zero() {
            return;
        }
        if head.last_note.unwrap_or(head.opened).after(every) > now {
            return self.set_ticket_timers(&head, now);
        }
        let count = self.alarm_of(object).and_then(|alarm| self.world.records.alarms.get(&alarm));
        let count = count.map_or(0, |alarm| alarm.count);
        let text = format!("Still so after {count} bad results. {}", self.tell_state(object));
        self.note_ourselves(id, text, None, now, events);
    }

    /// What is to come of a ticket follows from its head and its rule.
    pub(super) fn set_ticket_timers(&mut self, head: &TicketHead, now: Timestamp) {
        self.plan_leaving(head, now);
        let Some(action) = self.action_of(head) else { return };
        let (close, every) = (action.close_on_recovery, action.note_every);
        if head.status == TicketStatus::Closed {
            return;
        }
        match (head.recovered, close) {
            (Some(recovered), Some(wait)) => {
                self.timers.set(recovered.after(wait), Timer::TicketClose(head.id));
            }
            (None, _) if !every.is_zero() => {
                let last = head.last_note.unwrap_or(head.opened);
                self.timers.set(last.after(every), Timer::TicketNote(head.id));
            }
            (Some(_), None) | (None, _) => {}
        }
    }

    /// A person opens one.
    pub(super) fn open_ticket_by_hand(
        &mut self,
        ticket: NewTicket,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        check_priority(Some(ticket.priority))?;
        if ticket.title.trim().is_empty() {
            return Err(Refusal::Invalid("a ticket needs a title".to_owned()));
        }
        let found = |subject: &ObjectKey| self.world.inventory.find(subject);
        let object = match &ticket.subject {
            Some(subject) => Some(found(subject).ok_or_else(|| Refusal::UnknownObject(subject.clone()))?),
            None => None,
        };
        if let Some(alarm) = ticket.alarm.filter(|id| !self.world.records.alarms.contains_key(id)) {
            return Err(Refusal::UnknownRecord { what: "alarm", id: alarm.0 });
        }
        let head = TicketHead {
            id: self.next_ticket(),
            class: ticket.class,
            subject: ticket.subject,
            // What a scan found is another matter than the problem its host may have at the moment.
            problem: object
                .filter(|_| ticket.class != TicketClass::Anomaly)
                .and_then(|object| self.problem_of(object)),
            rule: None,
            status: TicketStatus::Open,
            opened: now,
            updated: now,
            closed: None,
            recovered: None,
            last_note: None,
            version: 1,
        };
        let draft = TicketDraft {
            r#type: ticket.r#type,
            title: ticket.title,
            text: ticket.text,
            priority: ticket.priority,
            in_charge: ticket.in_charge,
            submitter: Arc::clone(author),
            tags: ticket.tags,
            fields: ticket.fields,
            alarm: ticket.alarm,
        };
        self.open_ticket(head, draft, now, events);
        Ok(())
    }

    /// A person notes something, and may change status, priority or who is in charge with it.
    pub(super) fn note_ticket(
        &mut self,
        id: TicketId,
        version: Option<u32>,
        mut note: TicketNote,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        check_priority(note.priority)?;
        let before = self.seen_ticket(id, version.filter(|_| !note.is_mere_text()))?.status;
        let closes = note.status == Some(TicketStatus::Closed) && before != TicketStatus::Closed;
        if closes {
            note.resolution = Some(resolution(note.resolution.as_deref())?);
        } else if note.text.trim().is_empty() && note.is_mere_text() {
            return Err(Refusal::Invalid("a note needs a text".to_owned()));
        }
        let is_false = closes && note.resolution.as_deref() == Some(FALSE_POSITIVE);
        if is_false {
            check_expiry(note.false_positive.expires, now)?;
        }
        let reopens = before == TicketStatus::Closed && note.status.is_some_and(|to| to != before);
        let Some(head) = self.apply(id, &note, now) else { return Ok(()) };
        let said = (is_false || reopens)
            .then(|| (head.clone(), Arc::clone(&note.text), note.false_positive.clone()));
        let by = Arc::clone(author);
        let what = match reopens {
            true => What::TicketReopened { head, note, author: by },
            false => What::TicketNoted { head, note, author: by },
        };
        tell(events, now, what);
        match said {
            Some((head, reason, how)) if is_false => {
                self.suppress_by_ticket(&head, &Said { author, reason: &reason, how: &how }, now, events);
            }
            Some((head, ..)) => self.end_suppression_of_ticket(head.reference(), author, now, events),
            None => {}
        }
        Ok(())
    }

    /// A person changes what it says.
    pub(super) fn edit_ticket(
        &mut self,
        id: TicketId,
        version: Option<u32>,
        edit: TicketEdit,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        check_priority(edit.priority)?;
        if edit.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            return Err(Refusal::Invalid("a ticket needs a title".to_owned()));
        }
        self.seen_ticket(id, version)?;
        let Some(head) = self.ticket_mut(id) else { return Ok(()) };
        (head.updated, head.version) = (now, head.version.saturating_add(1));
        let head = head.clone();
        tell(events, now, What::TicketEdited { head, edit, author });
        Ok(())
    }

    pub(super) fn delete_ticket(
        &mut self,
        id: TicketId,
        author: Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let head = self.seen_ticket(id, None)?.clone();
        let object = head.subject.as_ref().and_then(|subject| self.world.inventory.find(subject));
        if object.is_some_and(|object| head.problem.is_some() && self.problem_of(object) == head.problem) {
            let reference = head.reference();
            return Err(Refusal::Invalid(format!(
                "the problem of {reference} stands and would open another: close {reference} instead"
            )));
        }
        let records = &mut self.world.records;
        records.open_tickets = records.open_tickets.saturating_sub(u64::from(head.is_open()));
        let linked = records.alarms.values().filter(|alarm| alarm.ticket == Some(head.reference()));
        for alarm in linked.map(|alarm| alarm.id).collect::<Vec<_>>() {
            self.unlink_alarm(alarm, now, events);
        }
        self.let_ticket_go(&head);
        tell(events, now, What::TicketDeleted { head, author });
        Ok(())
    }

    /// The ticket, as long as it is the one that the author saw.
    fn seen_ticket(&self, id: TicketId, version: Option<u32>) -> Result<&TicketHead, Refusal> {
        let unknown = Refusal::UnknownRecord { what: "ticket", id: id.0 };
        let head = self.world.records.tickets.get(&id).ok_or(unknown)?;
        match version {
            Some(seen) if seen != head.version => {
                Err(Refusal::Changed { reference: head.reference(), seen, now: head.version })
            }
            Some(_) | None => Ok(head),
        }
    }

    pub(super) fn link_alarm_to_ticket(
        &mut self,
        alarm: AlarmId,
        ticket: TicketId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let reference = self.seen_ticket(ticket, None)?.reference();
        self.link_alarm(alarm, reference, now, events)
    }

    /// Its object is gone from the configuration; the ticket stays for people to close.
    pub(super) fn note_removal(&mut self, subject: &ObjectKey, now: Timestamp, events: &mut Vec<Event>) {
        let Some(head) = self.ticket_of(subject).map(Arc::clone) else { return };
        self.plan_leaving(&head, now);
        if head.is_open() {
            let text = format!("`{subject}` is no longer in the configuration.");
            self.note_ourselves(head.id, text, None, now, events);
        }
    }

    fn open_ticket(&mut self, head: TicketHead, draft: TicketDraft, now: Timestamp, events: &mut Vec<Event>) {
        let (id, alarm) = (head.id, draft.alarm);
        self.index_ticket(&head);
        Arc::make_mut(&mut self.world.records.tickets).insert(id, Arc::new(head.clone()));
        self.world.records.open_tickets += 1;
        self.set_ticket_timers(&head, now);
        tell(events, now, What::TicketOpened { head, draft });
        self.link_if_open(alarm, id, now, events);
    }

    fn link_if_open(
        &mut self,
        alarm: Option<AlarmId>,
        id: TicketId,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let reference = self.world.records.tickets.get(&id).map(|head| head.reference());
        if let (Some(alarm), Some(reference)) = (alarm, reference) {
            // A closed alarm keeps the ticket it had.
            let _linked = self.link_alarm(alarm, reference, now, events);
        }
    }

    fn note_ourselves(
        &mut self,
        id: TicketId,
        text: String,
        closes: Option<(&str, TicketStatus)>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let note = TicketNote {
            text: text.into(),
            status: closes.map(|(_, status)| status),
            resolution: closes.map(|(resolution, _)| resolution.into()),
            ..TicketNote::default()
        };
        let Some(head) = self.apply(id, &note, now) else { return };
        tell(events, now, What::TicketNoted { head, note, author: AUTHOR.into() });
    }

    /// What a note changes of the head, and what is to come of it then.
    fn apply(&mut self, id: TicketId, note: &TicketNote, now: Timestamp) -> Option<TicketHead> {
        let head = self.ticket_mut(id)?;
        let was_open = head.is_open();
        head.status = note.status.unwrap_or(head.status);
        let is_open = head.is_open();
        match (was_open, is_open) {
            (true, false) => head.closed = Some(now),
            (false, true) => head.closed = None,
            (true, true) | (false, false) => {}
        }
        (head.updated, head.last_note) = (now, Some(now));
        if !note.is_mere_text() {
            head.version = head.version.saturating_add(1);
        }
        let head = head.clone();
        let open = &mut self.world.records.open_tickets;
        *open = (*open + u64::from(is_open)).saturating_sub(u64::from(was_open));
        self.set_ticket_timers(&head, now);
        Some(head)
    }

    fn next_ticket(&mut self) -> TicketId {
        let next = &mut self.world.records.next.ticket;
        let id = TicketId(*next);
        *next += 1;
        id
    }

    pub(super) fn ticket_of(&self, subject: &ObjectKey) -> Option<&Arc<TicketHead>> {
        self.world.records.tickets.get(self.index.tickets.get(subject)?)
    }

    fn ticket_mut(&mut self, id: TicketId) -> Option<&mut TicketHead> {
        Arc::make_mut(&mut self.world.records.tickets).get_mut(&id).map(Arc::make_mut)
    }

    fn action_of(&self, head: &TicketHead) -> Option<&TicketAction> {
        let rule = head.rule.as_ref()?;
        self.world.inventory.rules.iter().find(|other| other.name == *rule)?.ticket.as_ref()
    }

    /// By state and asset value (`ossim-tickets.md` 8.4).
    fn priority(&self, object: Checkable) -> u8 {
        let inventory = &self.world.inventory;
        let asset_value = inventory.host(inventory.host_of(object)).asset_value;
        (severity(self.world.glance(object).state) + asset_value).saturating_sub(2).clamp(1, 10)
    }

    fn tell_state(&self, object: Checkable) -> String {
        let state = self.world.glance(object).state;
        let kind = match state {
            AnyState::Host(_) => "The host",
            AnyState::Service(_) => "The service",
        };
        format!("{kind} is {state}: {}", self.result_of(object).text)
    }
}

fn check_priority(priority: Option<u8>) -> Result<(), Refusal> {
    match priority {
        Some(priority) if !(1..=10).contains(&priority) => {
            Err(Refusal::Invalid("a priority is 1 to 10".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

fn resolution(given: Option<&str>) -> Result<Arc<str>, Refusal> {
    let known = RESOLUTIONS.iter().find(|known| given.is_some_and(|given| known.eq_ignore_ascii_case(given)));
    known.map(|known| Arc::from(*known)).ok_or_else(|| {
        Refusal::Invalid(format!("closing a ticket needs a resolution, one of: {}", RESOLUTIONS.join(", ")))
    })
}
