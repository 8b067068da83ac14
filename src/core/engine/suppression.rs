//! What people called a false positive opens no ticket and sends no message, until it expires or is revoked. Checks,
//! states and alarms go on as ever, so it stays on every page; the alarm is labelled. (`ossim-tickets.md` T-61)
//!
//! It covers what was seen: problems no worse than the one that was called false. A worse one is told.

use std::sync::Arc;

use super::alarm::severity;
use super::timers::Timer;
use super::world::World;
use super::{Engine, tell};
use crate::model::alarm::Alarm;
use crate::model::anomaly::AnomalyKind;
use crate::model::event::{Event, What};
use crate::model::id::{AlarmId, Checkable, Name, ObjectKey, SuppressionId};
use crate::model::operation::{FalsePositive, Refusal};
use crate::model::state::AnyState;
use crate::model::suppression::{FALSE_POSITIVE, Matched, Suppression, SuppressionEnd};
use crate::model::ticket::{Reference, TicketClass, TicketHead};
use crate::model::time::Timestamp;

/// Who says it, of what, and why.
pub(super) struct Said<'a> {
    pub(super) author: &'a Arc<str>,
    pub(super) reason: &'a Arc<str>,
    pub(super) how: &'a FalsePositive,
}

/// Where it was said.
#[derive(Default)]
struct Source {
    ticket: Option<Reference>,
    alarm: Option<AlarmId>,
    rule: Option<Name>,
}

impl Engine {
    /// A ticket was closed as a false positive. One that is about nothing that comes back suppresses nothing.
    pub(super) fn suppress_by_ticket(
        &mut self,
        head: &TicketHead,
        said: &Said<'_>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let source = Source { ticket: Some(head.reference()), rule: head.rule.clone(), ..Source::default() };
        if let Some(anomaly) = &said.how.anomaly {
            let matched = Matched::Anomaly { kind: anomaly.kind, about: Arc::clone(&anomaly.about) };
            return self.suppress(anomaly.asset.clone(), matched, source, said, now, events);
        }
        let is_of_problem =
            head.class != TicketClass::Anomaly && (head.problem.is_some() || head.rule.is_some());
        let Some(subject) = head.subject.clone().filter(|_| is_of_problem) else { return };
        let object = self.world.inventory.find(&subject);
        let stands = object.filter(|object| self.problem_of(*object) == head.problem);
        let up_to = stands.map(|object| self.world.glance(object).state).filter(|state| state.is_problem());
        let source = Source { alarm: object.and_then(|object| self.alarm_of(object)), ..source };
        self.suppress(subject, Matched::Problem { up_to }, source, said, now, events);
    }

    pub(super) fn suppress_by_alarm(
        &mut self,
        alarm: &Alarm,
        said: &Said<'_>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let matched = Matched::Problem { up_to: Some(alarm.state) };
        let source = Source { alarm: Some(alarm.id), ticket: alarm.ticket, ..Source::default() };
        self.suppress(alarm.subject.clone(), matched, source, said, now, events);
    }

    fn suppress(
        &mut self,
        subject: ObjectKey,
        mut matched: Matched,
        source: Source,
        said: &Said<'_>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Source { ticket, alarm, rule } = source;
        let known = self.world.records.suppressions.values();
        let same = known.filter(|one| one.subject == subject && one.matched.is_about_same(&matched));
        let (mut held, mut last) = (0, None);
        for old in same.map(Arc::clone).collect::<Vec<_>>() {
            // What was called false before stays so.
            matched = wider(matched, &old.matched);
            (held, last) = (old.held, old.last);
            self.drop_suppression(old.id, SuppressionEnd::Replaced, Some(said.author), now, events);
        }
        let next = &mut self.world.records.next.suppression;
        let id = SuppressionId(*next);
        *next += 1;
        let (reason, author) = (Arc::clone(said.reason), Arc::clone(said.author));
        let expires = said.how.expires;
        let made = Suppression {
            id,
            subject,
            matched,
            reason,
            author,
            since: now,
            expires,
            ticket,
            alarm,
            rule,
            held,
            last,
        };
        self.index_suppression(&made);
        Arc::make_mut(&mut self.world.records.suppressions).insert(id, Arc::new(made.clone()));
        let object = self.world.inventory.find(&made.subject);
        tell(events, now, What::SuppressionMade(made));
        if let Some(alarm) = object.and_then(|object| self.alarm_of(object)) {
            self.show_suppression(alarm, now, events);
        }
    }

    pub(super) fn revoke_suppression(
        &mut self,
        id: SuppressionId,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        if !self.world.records.suppressions.contains_key(&id) {
            return Err(Refusal::UnknownRecord { what: "suppression in force", id: id.0 });
        }
        self.end_suppression(id, SuppressionEnd::Revoked, Some(author), now, events);
        Ok(())
    }

    /// Who opens the ticket again says that it was none.
    pub(super) fn end_suppression_of_ticket(
        &mut self,
        ticket: Reference,
        author: &Arc<str>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let of_it = self.world.records.suppressions.values().filter(|one| one.ticket == Some(ticket));
        for id in of_it.map(|one| one.id).collect::<Vec<_>>() {
            self.end_suppression(id, SuppressionEnd::Revoked, Some(author), now, events);
        }
    }

    pub(super) fn suppression_expires(&mut self, id: SuppressionId, now: Timestamp, events: &mut Vec<Event>) {
        let known = self.world.records.suppressions.get(&id);
        if known.and_then(|one| one.expires).is_some_and(|at| at <= now) {
            self.end_suppression(id, SuppressionEnd::Expired, None, now, events);
        }
    }

    /// What it held back is looked at again: the problem may still stand.
    fn end_suppression(
        &mut self,
        id: SuppressionId,
        how: SuppressionEnd,
        author: Option<&Arc<str>>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(subject) = self.drop_suppression(id, how, author, now, events) else { return };
        let Some(object) = self.world.inventory.find(&subject) else { return };
        if let Some(alarm) = self.alarm_of(object) {
            self.show_suppression(alarm, now, events);
        }
        self.look_soon(object, now);
        self.wake_rules(object, now);
    }

    fn drop_suppression(
        &mut self,
        id: SuppressionId,
        how: SuppressionEnd,
        author: Option<&Arc<str>>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Option<ObjectKey> {
        let dropped = Arc::make_mut(&mut self.world.records.suppressions).remove(&id)?;
        if self.index.suppressions.get(&dropped.subject) == Some(&id) {
            self.index.suppressions.remove(&dropped.subject);
        }
        let (subject, author) = (dropped.subject.clone(), author.map(Arc::clone));
        tell(events, now, What::SuppressionEnded { suppression: Arc::unwrap_or_clone(dropped), how, author });
        Some(subject)
    }

    pub(super) fn index_suppression(&mut self, suppression: &Suppression) {
        if matches!(suppression.matched, Matched::Problem { .. }) {
            self.index.suppressions.insert(suppression.subject.clone(), suppression.id);
        }
        if let Some(at) = suppression.expires {
            self.timers.set(at, Timer::SuppressionExpiry(suppression.id));
        }
    }

    /// What says that the problem of an object is none, in the state it has now.
    pub(super) fn suppressed_by(&self, object: Checkable) -> Option<SuppressionId> {
        if self.index.suppressions.is_empty() {
            return None;
        }
        let id = self.index.suppressions.get(&self.world.inventory.key(object))?;
        let suppression = self.world.records.suppressions.get(id)?;
        covers(suppression, self.world.glance(object).state).then_some(suppression.id)
    }

    /// One more problem of which nobody hears. Said once for each.
    pub(super) fn count_suppressed(&mut self, id: SuppressionId, now: Timestamp, events: &mut Vec<Event>) {
        let known = Arc::make_mut(&mut self.world.records.suppressions).get_mut(&id);
        if let Some(suppression) = known.map(Arc::make_mut) {
            suppression.held = suppression.held.saturating_add(1);
            suppression.last = Some(now);
            let told = suppression.clone();
            tell(events, now, What::SuppressionHeld(told));
        }
    }

    /// The label of an open alarm says whether it is suppressed, as far as suppressions are concerned.
    pub(super) fn show_suppression(&mut self, alarm: AlarmId, now: Timestamp, events: &mut Vec<Event>) {
        let Some(known) = self.world.records.alarms.get(&alarm) else { return };
        let object = self.world.inventory.find(&known.subject);
        let is_so = object.is_some_and(|object| self.suppressed_by(object).is_some());
        // It is open: that was just asked.
        let _labelled = self.put_label(alarm, &FALSE_POSITIVE.into(), is_so, now, events);
    }
}

/// As bad as the worse of two.
fn wider(matched: Matched, other: &Matched) -> Matched {
    match (&matched, other) {
        (Matched::Problem { up_to: Some(one) }, Matched::Problem { up_to: Some(two) }) => {
            let up_to = if severity(*two) > severity(*one) { *two } else { *one };
            Matched::Problem { up_to: Some(up_to) }
        }
        (Matched::Problem { .. }, Matched::Problem { up_to: None }) => other.clone(),
        (Matched::Problem { .. } | Matched::Anomaly { .. }, _) => matched,
    }
}

fn covers(suppression: &Suppression, state: AnyState) -> bool {
    match &suppression.matched {
        Matched::Problem { up_to } => up_to.is_none_or(|worst| severity(state) <= severity(worst)),
        Matched::Anomaly { .. } => false,
    }
}

impl World {
    /// Those in force that are about an object, whatever its state.
    pub fn suppressions_of(&self, key: &ObjectKey) -> impl Iterator<Item = &Suppression> {
        self.records.suppressions.values().map(|one| &**one).filter(move |one| one.subject == *key)
    }

    /// What says that a problem of an object in this state is none.
    pub fn suppression_of(&self, key: &ObjectKey, state: AnyState) -> Option<&Suppression> {
        self.suppressions_of(key).find(|one| covers(one, state))
    }

    /// What says that such an anomaly of an asset is none.
    pub fn suppression_of_anomaly(
        &self,
        asset: &str,
        kind: AnomalyKind,
        about: &str,
    ) -> Option<&Suppression> {
        self.records.suppressions.values().map(|one| &**one).find(|one| {
            let is_it = matches!(&one.matched, Matched::Anomaly { kind: of, about: what } if *of == kind && **what == *about);
            is_it && *one.subject.host == *asset && one.subject.service.is_none()
        })
    }
}
