//! What is done beside telling the usual people: event handlers, and the `notify`, `webhook` and `run` of rules.
//! Nothing runs here; what is to be done leaves as a message for the outbox, once.
//! (`nagios-notifications.md` 6, `config.md` 5 "Rules")

use std::collections::BTreeSet;
use std::sync::Arc;

use super::member::{Definition, Member};
use super::notify::{Offer, skip, told_with};
use super::period::Periods;
use super::result::Change;
use super::timers::Timer;
use super::{Engine, tell};
use crate::model::contact::Contact;
use crate::model::event::{Event, What};
use crate::model::id::{Checkable, Name};
use crate::model::inventory::Inventory;
use crate::model::message::{About, Addressee, Channel, Message, MessageId, MessageKind, Notice};
use crate::model::notification::{Act, Acts, Skip};
use crate::model::policy::Handler;
use crate::model::rule::{Rule, Tri};
use crate::model::state::Condition;
use crate::model::time::Timestamp;

/// Whether it is a rule's turn to act for one addressee.
enum Turn {
    /// For the how-manieth time.
    Now(u32),
    At(Timestamp),
    /// It has done so.
    Done,
}

impl Engine {
    /// The event handlers come last: whoever is told has been told before they repair anything.
    pub(super) fn run_handlers<M: Member>(
        &self,
        id: M,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let inventory = &self.world.inventory;
        let of_all = match id.object() {
            Checkable::Host(_) => &inventory.handlers.host,
            Checkable::Service(_) => &inventory.handlers.service,
        };
        if let Some(handler) = of_all {
            self.run_handler(id, handler, &Addressee::HandlerOfAll, change, now, events);
        }
        let Some(own) = Definition::of(inventory, id.object()).own else { return };
        let Some(handler) = &own.event_handler else { return };
        let is_on = id.status(&self.world).switches.event_handler.unwrap_or(true);
        let periods = Periods(&inventory.periods);
        if is_on && own.event_handler_period.is_none_or(|period| periods.is_inside(period, now)) {
            self.run_handler(id, handler, &Addressee::Handler, change, now, events);
        }
    }

    fn run_handler<M: Member>(
        &self,
        id: M,
        handler: &Handler,
        whose: &Addressee,
        change: Change,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let mut notice = self.notice(id, &Offer::new(MessageKind::Handler), 0, false, &[]);
        // As the alert says it, which is what scripts compare with.
        (notice.state, notice.state_type, notice.attempt) = (change.state, change.state_type, change.attempt);
        (notice.last_state, notice.number) = (change.before, id.status(&self.world).notification.number);
        let whose = whose.name();
        let turn = format!("{whose}/{};{};{}", change.state, change.state_type, change.attempt);
        let sequence = now.as_micros().unsigned_abs();
        let Notice { subject, problem, kind, .. } = &notice;
        let message = Message {
            id: MessageId::new(subject, *problem, *kind, sequence, &turn),
            at: now,
            contact: whose,
            channels: vec![handler.channel()],
            about: About::Object(Arc::new(notice)),
        };
        tell(events, now, What::ActionDue(message));
    }

    /// A rule that holds: whom it tells and what it runs, each once per problem and again after its `repeat`.
    pub(super) fn act_by_rule(
        &mut self,
        object: Checkable,
        rule: &Rule,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        match object {
            Checkable::Host(id) => self.act_about(id, rule, now, events),
            Checkable::Service(id) => self.act_about(id, rule, now, events),
        }
    }

    fn act_about<M: Member>(&mut self, id: M, rule: &Rule, now: Timestamp, events: &mut Vec<Event>) {
        let status = id.status(&self.world);
        let Some(problem) = status.problem else { return };
        let mut acts = match status.notification.acts.as_deref() {
            Some(acts) if acts.problem == problem => acts.acts.clone(),
            Some(_) | None => Vec::new(),
        };
        let before = acts.clone();
        // A program is no message: the switches of messages say nothing of it.
        let is_silent = self.world.records.notifications_off
            || !status.switches.notifications.unwrap_or(true)
            || (rule.when.in_downtime == Tri::Off && self.is_host_in_downtime(id.object()));
        let mut next = None;
        if !is_silent {
            self.tell_by_rule(id, rule, &mut acts, &mut next, now, events);
        }
        let ways = [
            rule.webhook.as_ref().filter(|_| !is_silent).map(|_| Channel::Webhook),
            rule.run.as_ref().map(|_| Channel::Run),
        ];
        for channel in ways.into_iter().flatten() {
            let to = way(&channel);
            match turn(&acts, rule, &to, now) {
                Turn::Now(times) => {
                    note(&mut acts, rule, &to, times, now);
                    let offer = Offer::of_rule(MessageKind::Problem, &rule.name);
                    self.do_by_rule(id, &rule.name, channel, &offer, times, now, events);
                    sooner(&mut next, rule.repeat.map(|repeat| now.after(repeat)));
                }
                Turn::At(at) => sooner(&mut next, Some(at)),
                Turn::Done => {}
            }
        }
        if acts != before {
            id.status_mut(&mut self.world).notification.acts = Some(Arc::new(Acts { problem, acts }));
        }
        if let Some(next) = next.filter(|next| *next > now) {
            self.timers.set(next, Timer::Rules(id.object()));
        }
    }

    /// Of a service: its host's downtime holds its messages, as it does the usual ones.
    fn is_host_in_downtime(&self, object: Checkable) -> bool {
        let host = Checkable::Host(self.world.inventory.host_of(object));
        host != object && self.world.glance(host).in_downtime
    }

    #[expect(clippy::too_many_arguments, reason = "one act, taken apart")]
    fn do_by_rule<M: Member>(
        &self,
        id: M,
        rule: &Name,
        channel: Channel,
        offer: &Offer,
        times: u32,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let notice = Arc::new(self.notice(id, offer, times, false, &[]));
        let whose = Addressee::Rule(rule.clone()).name();
        tell(events, now, What::ActionDue(by_rule(rule, notice, whose, vec![channel], times, now)));
    }

    /// The problem is over: a webhook that heard of it from a rule hears so too, or what it opened stays open.
    pub(super) fn end_acts(&mut self, object: Checkable, now: Timestamp, events: &mut Vec<Event>) {
        match object {
            Checkable::Host(id) => self.end_acts_of(id, now, events),
            Checkable::Service(id) => self.end_acts_of(id, now, events),
        }
    }

    fn end_acts_of<M: Member>(&mut self, id: M, now: Timestamp, events: &mut Vec<Event>) {
        if id.status(&self.world).notification.acts.is_none() {
            return;
        }
        let Some(acts) = id.status_mut(&mut self.world).notification.acts.take() else { return };
        let webhook = way(&Channel::Webhook);
        for act in acts.acts.iter().filter(|act| act.to == webhook && act.times > 0) {
            let offer = Offer::of_rule(MessageKind::Recovery, &act.rule);
            self.do_by_rule(id, &act.rule, Channel::Webhook, &offer, act.times, now, events);
        }
    }

    fn tell_by_rule<M: Member>(
        &mut self,
        id: M,
        rule: &Rule,
        acts: &mut Vec<Act>,
        next: &mut Option<Timestamp>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let inventory = Arc::clone(&self.world.inventory);
        let state = M::any(id.status(&self.world).state());
        let mut due: Vec<(&Contact, u32)> = Vec::new();
        let mut skipped: Vec<(Name, Skip)> = Vec::new();
        for name in &named(&inventory, rule) {
            let Some(contact) = inventory.contact(name) else { continue };
            let times = match turn(acts, rule, name, now) {
                Turn::Now(times) => times,
                Turn::At(at) => {
                    sooner(next, Some(at));
                    continue;
                }
                Turn::Done => continue,
            };
            match skip(&inventory, contact, id.object(), MessageKind::Problem, state, now) {
                None => {
                    note(acts, rule, name, times, now);
                    sooner(next, rule.repeat.map(|repeat| now.after(repeat)));
                    due.push((contact, times));
                }
                Some(why) => {
                    sooner(next, why.opens());
                    let is_said = acts.iter().any(|act| act.rule == rule.name && act.to == *name);
                    if !is_said {
                        note(acts, rule, name, 0, now);
                        skipped.push((name.clone(), why));
                    }
                }
            }
        }
        let number = due.iter().map(|(_, times)| *times).max().unwrap_or(1);
        let to: Vec<Name> = due.iter().map(|(contact, _)| contact.name.clone()).collect();
        let notice =
            Arc::new(self.notice(id, &Offer::of_rule(MessageKind::Problem, &rule.name), number, false, &to));
        let (subject, is_host) = (notice.subject.clone(), notice.subject.service.is_none());
        for (contact, times) in due {
            let channels = contact.channels(is_host);
            let message =
                by_rule(&rule.name, Arc::clone(&notice), contact.name.clone(), channels, times, now);
            tell(events, now, What::Notified(message));
        }
        if !to.is_empty() {
            self.note_told_by_rule(id, &to);
        }
        if !skipped.is_empty() {
            let kind = MessageKind::Problem;
            tell(events, now, What::ContactsSkipped { subject, kind, number, skipped });
        }
    }

    /// Who hears of a problem hears of its end.
    fn note_told_by_rule<M: Member>(&mut self, id: M, to: &[Name]) {
        let bit = 1 << id.status(&self.world).state().number();
        let told = &mut id.status_mut(&mut self.world).notification;
        let heard: BTreeSet<Name> =
            told.told().iter().filter(|told| told.hears_of_end).map(|told| told.contact.clone()).collect();
        let number = told.number;
        told.told = told_with(told.told(), to, number, |name| heard.contains(name) || to.contains(name));
        told.notified_on |= bit;
    }
}

/// The contacts that a rule names, those of its groups too.
fn named(inventory: &Inventory, rule: &Rule) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for name in &rule.notify {
        match inventory.contactgroup(name) {
            Some(group) => names.extend(group.members.iter().cloned()),
            None => {
                names.insert(name.clone());
            }
        }
    }
    names
}

/// In the place of a contact's name, none of which has a `/`.
fn way(channel: &Channel) -> Name {
    format!("/{}", channel.word()).into()
}

fn turn(acts: &[Act], rule: &Rule, to: &str, now: Timestamp) -> Turn {
    let act = acts.iter().find(|act| act.rule == rule.name && *act.to == *to);
    match (act, rule.repeat) {
        (None, _) => Turn::Now(1),
        (Some(act), _) if act.times == 0 => Turn::Now(1),
        (Some(act), Some(repeat)) if act.at.after(repeat) <= now => Turn::Now(act.times.saturating_add(1)),
        (Some(act), Some(repeat)) => Turn::At(act.at.after(repeat)),
        (Some(_), None) => Turn::Done,
    }
}

fn note(acts: &mut Vec<Act>, rule: &Rule, to: &str, times: u32, at: Timestamp) {
    acts.retain(|act| act.rule != rule.name || *act.to != *to);
    acts.push(Act { rule: rule.name.clone(), to: to.into(), at, times });
}

fn by_rule(
    rule: &Name,
    notice: Arc<Notice>,
    contact: Name,
    channels: Vec<Channel>,
    times: u32,
    now: Timestamp,
) -> Message {
    let ways: Vec<&str> = channels.iter().map(Channel::word).collect();
    // Told apart from the usual message to the same contact, and one way of a rule from the other.
    let turn = match Addressee::named(&contact) {
        Addressee::Rule(_) => format!("{contact}/{}", ways.join("/")),
        Addressee::Contact(_) | Addressee::Handler | Addressee::HandlerOfAll => {
            format!("{}/{contact}", Addressee::Rule(rule.clone()).name())
        }
    };
    let Notice { subject, problem, kind, .. } = &*notice;
    let id = MessageId::new(subject, *problem, *kind, times.into(), &turn);
    Message { id, at: now, contact, channels, about: About::Object(notice) }
}

fn sooner(next: &mut Option<Timestamp>, at: Option<Timestamp>) {
    *next = [*next, at].into_iter().flatten().min();
}
