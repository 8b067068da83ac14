//! Who is told, and if nobody, why not. Every offer of a message ends as an event: [`What::Notified`] or
//! [`What::NotificationHeld`]. (`nagios-notifications.md` 1 to 5)
//!
//! Nothing is sent here. What is decided goes into the status in the same step, so that whoever keeps both keeps
//! them together and no restart tells anybody twice.

mod audience;
mod decide;
mod facts;
mod moments;

use std::sync::Arc;

use self::audience::{Circle, Question, Split, circle};
pub(super) use self::audience::{skip, told_with};
use self::decide::decide;
use super::member::{Definition, Member};
use super::timers::Timer;
use super::world::World;
use super::{Engine, tell};
use crate::model::event::{Event, What};
use crate::model::id::{Checkable, Name};
use crate::model::inventory::Inventory;
use crate::model::message::{About, Message, MessageId, MessageKind, Notice};
use crate::model::notification::{Held, Hold, Skip, Told};
use crate::model::operation::HowToNotify;
use crate::model::state::{AnyState, Condition};
use crate::model::status::{NotificationStatus, Status};
use crate::model::time::Timestamp;

/// A message that may be due.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    kind: MessageKind,
    author: Option<Arc<str>>,
    comment: Option<Arc<str>>,
    cause: u64,
    how: HowToNotify,
}

impl Offer {
    pub(super) fn new(kind: MessageKind) -> Self {
        Self { kind, author: None, comment: None, cause: 0, how: HowToNotify::default() }
    }

    /// What a person did or wrote, told apart from the next such thing by `cause`.
    pub(super) fn by(kind: MessageKind, author: &Arc<str>, comment: &Arc<str>, cause: u64) -> Self {
        let (author, comment) = (Some(Arc::clone(author)), Some(Arc::clone(comment)));
        Self { author, comment, cause, ..Self::new(kind) }
    }

    pub(super) fn custom(author: &Arc<str>, text: &Arc<str>, how: HowToNotify, now: Timestamp) -> Self {
        Self { how, ..Self::by(MessageKind::Custom, author, text, instant(now)) }
    }

    /// What a rule of the configuration does about a problem or its end.
    pub(super) fn of_rule(kind: MessageKind, rule: &Name) -> Self {
        Self { comment: Some(format!("by the rule `{rule}`").into()), ..Self::new(kind) }
    }

    pub(super) fn at(kind: MessageKind, now: Timestamp) -> Self {
        Self { cause: instant(now), ..Self::new(kind) }
    }
}

fn instant(now: Timestamp) -> u64 {
    now.as_micros().unsigned_abs()
}

/// Whom a message would reach if it were due, and who is left out of it.
#[derive(Clone, Debug)]
pub struct Preview {
    pub to: Vec<Name>,
    pub skipped: Vec<(Name, Skip)>,
    pub is_escalated: bool,
}

/// Who would hear now of a problem of `object` in `state`, as the message of this number. What may hold the whole
/// message back is not asked.
pub fn preview(
    inventory: &Inventory,
    object: Checkable,
    state: AnyState,
    number: u32,
    now: Timestamp,
) -> Preview {
    let circle = circle(inventory, Question { object, state, number, is_broadcast: false }, now);
    let why_not = |contact: &_| skip(inventory, contact, object, MessageKind::Problem, state, now);
    let Split { to, skipped } = Split::of(inventory, circle.names.iter(), why_not);
    Preview { to, skipped, is_escalated: circle.is_escalated }
}

/// How an offer ended.
enum Outcome {
    Held { hold: Hold, skipped: Vec<(Name, Skip)> },
    Told { circle: Circle, split: Split },
}

impl Engine {
    pub(super) fn offer(
        &mut self,
        object: Checkable,
        offer: &Offer,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        match object {
            Checkable::Host(id) => self.offer_of(id, offer, now, events),
            Checkable::Service(id) => self.offer_of(id, offer, now, events),
        }
    }

    pub(super) fn offer_of<M: Member>(
        &mut self,
        id: M,
        offer: &Offer,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let number = number_of(&id.status(&self.world).notification, offer);
        match self.outcome(id, offer, number, now) {
            Outcome::Held { hold, skipped } => self.hold(id, offer.kind, number, hold, skipped, now, events),
            Outcome::Told { circle, split } => {
                self.tell_people(id, offer, number, &circle, split, now, events);
            }
        }
    }

    fn outcome<M: Member>(&self, id: M, offer: &Offer, number: u32, now: Timestamp) -> Outcome {
        let facts = self.notification_facts(id, offer.kind, offer.how.forced, now);
        let verdict = match decide(&facts, now) {
            // Nobody waits for a message that nobody would get.
            Some(hold @ Hold::HostVerdict { .. }) => Some(hold),
            Some(hold) => return Outcome::Held { hold, skipped: Vec::new() },
            None => None,
        };
        let inventory = &self.world.inventory;
        let status = id.status(&self.world);
        let (object, state) = (id.object(), M::any(status.state()));
        let question = Question { object, state, number, is_broadcast: offer.how.broadcast };
        let circle = circle(inventory, question, now);
        let why_not = |contact: &_| {
            let why = skip(inventory, contact, object, offer.kind, state, now);
            why.filter(|_| !offer.how.forced)
        };
        let split = if offer.kind == MessageKind::Recovery {
            Split::of(inventory, heirs(status.notification.told()), why_not)
        } else {
            Split::of(inventory, circle.names.iter(), why_not)
        };
        if split.to.is_empty() {
            let hold = Hold::Nobody { opens: split.opens() };
            return Outcome::Held { hold, skipped: split.skipped };
        }
        if let Some(hold) = verdict {
            return Outcome::Held { hold, skipped: Vec::new() };
        }
        Outcome::Told { circle, split }
    }

    #[expect(clippy::too_many_arguments, reason = "one decision, taken apart")]
    fn tell_people<M: Member>(
        &mut self,
        id: M,
        offer: &Offer,
        number: u32,
        circle: &Circle,
        split: Split,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let notice = self.notice(id, offer, number, circle.is_escalated, &split.to);
        match offer.kind {
            MessageKind::Problem => self.note_problem_told(id, number, &split.to, circle, now),
            MessageKind::Recovery => self.note_end_told(id, &split.skipped, now),
            MessageKind::Custom if offer.how.counted => {
                id.status_mut(&mut self.world).notification.number = number;
            }
            MessageKind::Acknowledgement
            | MessageKind::FlappingStart
            | MessageKind::FlappingStop
            | MessageKind::FlappingDisabled
            | MessageKind::DowntimeStart
            | MessageKind::DowntimeEnd
            | MessageKind::DowntimeCancelled
            | MessageKind::Custom
            | MessageKind::Handler
            | MessageKind::Test => {}
        }
        let notice = Arc::new(notice);
        let is_host = notice.subject.service.is_none();
        let sequence = if offer.kind.is_of_problem() { number.into() } else { offer.cause };
        let inventory = Arc::clone(&self.world.inventory);
        for contact in split.to.iter().filter_map(|name| inventory.contact(name)) {
            let Notice { subject, problem, kind, .. } = &*notice;
            let message = Message {
                id: MessageId::new(subject, *problem, *kind, sequence, &contact.name),
                at: now,
                contact: contact.name.clone(),
                channels: contact.channels(is_host),
                about: About::Object(Arc::clone(&notice)),
            };
            tell(events, now, What::Notified(message));
        }
        if !split.skipped.is_empty() {
            let (subject, kind) = (notice.subject.clone(), offer.kind);
            let skipped = split.skipped;
            tell(events, now, What::ContactsSkipped { subject, kind, number, skipped });
        }
    }

    /// How things stand now, for whoever words it later.
    pub(super) fn notice<M: Member>(
        &self,
        id: M,
        offer: &Offer,
        number: u32,
        is_escalated: bool,
        to: &[Name],
    ) -> Notice {
        let inventory = &self.world.inventory;
        let (object, status) = (id.object(), id.status(&self.world));
        let host = match object {
            Checkable::Host(_) => None,
            Checkable::Service(service) => {
                let host = self.world.host(inventory.service(service).host);
                Some((AnyState::Host(host.state()), Arc::clone(&host.output)))
            }
        };
        Notice {
            kind: offer.kind,
            subject: inventory.key(object),
            problem: status.problem.or_else(|| status.last_problem.filter(|_| offer.kind.is_of_problem())),
            number,
            state: M::any(status.state()),
            state_type: status.standing.state_type,
            last_state: M::any(status.last_state),
            attempt: status.standing.attempt,
            output: Arc::clone(&status.output),
            since: status.last_hard_state_change,
            last_check: status.last_check,
            host,
            author: offer.author.clone(),
            comment: offer.comment.clone(),
            is_escalated,
            recipients: to.into(),
        }
    }

    fn note_problem_told<M: Member>(
        &mut self,
        id: M,
        number: u32,
        to: &[Name],
        circle: &Circle,
        now: Timestamp,
    ) {
        let inventory = Arc::clone(&self.world.inventory);
        let object = id.object();
        // R3: the end goes where a message of this number about it would go, decided now and for good.
        let end = Question { object, state: M::any(M::State::default()), number, is_broadcast: false };
        let end = self::circle(&inventory, end, now).names;
        let is_volatile = Definition::of(&inventory, object).policy.volatile;
        let status = id.status_mut(&mut self.world);
        let bit = 1 << status.state().number();
        let by_rule = told_by_rules(status);
        let told = &mut status.notification;
        let hears = |name: &Name| end.contains(name) || by_rule.contains(name);
        told.told = told_with(told.told(), to, number, hears);
        told.number = number;
        told.last = Some(now);
        told.notified_on |= bit;
        told.no_more = circle.interval.is_zero() && !is_volatile;
        told.next = (!circle.interval.is_zero()).then(|| now.after(circle.interval));
        told.held = None;
        let next = told.next;
        self.look_at(id, next);
    }

    /// Those whose period is closed hear of it when it opens; for all others it is over.
    fn note_end_told<M: Member>(&mut self, id: M, skipped: &[(Name, Skip)], now: Timestamp) {
        let opens = |name: &Name| {
            let mut skipped = skipped.iter().filter(|(skipped, _)| skipped == name);
            skipped.find_map(|(_, why)| why.opens())
        };
        let status = &mut id.status_mut(&mut self.world).notification;
        let heirs: Vec<Name> = heirs(status.told()).cloned().collect();
        let left: Vec<Told> = status
            .told()
            .iter()
            .filter(|told| heirs.contains(&told.contact) && opens(&told.contact).is_some())
            .map(|told| Told { hears_of_end: true, ..told.clone() })
            .collect();
        let again = left.iter().filter_map(|told| opens(&told.contact)).min();
        *status = NotificationStatus {
            last: Some(now),
            told: (!left.is_empty()).then(|| Arc::new(left)),
            again: status.again,
            acts: status.acts.take(),
            ..NotificationStatus::default()
        };
        self.look_at(id, again);
    }

    /// Says what holds a message back, once, and when to look again.
    #[expect(clippy::too_many_arguments, reason = "one decision, taken apart")]
    fn hold<M: Member>(
        &mut self,
        id: M,
        kind: MessageKind,
        number: u32,
        hold: Hold,
        skipped: Vec<(Name, Skip)>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        if kind.is_of_problem() {
            if let Hold::HostVerdict { .. } = hold {
                self.await_verdict(id.object(), now);
            }
            self.look_at(id, own_end(&hold).filter(|at| *at > now));
            let is_final = kind == MessageKind::Recovery
                && matches!(hold, Hold::NotWanted | Hold::Nobody { opens: None } | Hold::NobodyWasTold);
            let held = (!hold.is_usual()).then(|| Held { kind, hold: hold.clone() });
            let status = &mut id.status_mut(&mut self.world).notification;
            let is_new = status.held.as_deref() != held.as_ref();
            if is_new {
                status.held = held.clone().map(Arc::new);
            }
            if is_final {
                // Nobody wants to hear of the end, so the next problem begins anew.
                let (last, acts) = (status.last, status.acts.take());
                *status = NotificationStatus { last, acts, ..NotificationStatus::default() };
            }
            if !is_new || held.is_none() {
                return;
            }
        }
        let subject = self.world.inventory.key(id.object());
        tell(events, now, What::NotificationHeld { subject, kind, number, hold, skipped });
    }

    /// The object's own timer; none: only a result or a person makes it look again.
    fn look_at<M: Member>(&mut self, id: M, again: Option<Timestamp>) {
        if id.status(&self.world).notification.again == again {
            return;
        }
        id.status_mut(&mut self.world).notification.again = again;
        if let Some(at) = again {
            self.timers.set(at, Timer::Notification(id.object()));
        }
    }
}

impl World {
    pub(super) fn notification(&self, object: Checkable) -> &NotificationStatus {
        match object {
            Checkable::Host(id) => &self.host(id).notification,
            Checkable::Service(id) => &self.service(id).notification,
        }
    }

    /// A message may be due: it is confirmed bad, or good and somebody waits to hear so.
    fn may_have_news(&self, object: Checkable) -> bool {
        fn of<S: Condition>(status: &Status<S>) -> bool {
            status.is_hard_problem() || (!status.is_problem() && status.notification.told.is_some())
        }
        match object {
            Checkable::Host(id) => of(self.host(id)),
            Checkable::Service(id) => of(self.service(id)),
        }
    }
}

/// `$NOTIFICATIONNUMBER$` of what is offered.
fn number_of(status: &NotificationStatus, offer: &Offer) -> u32 {
    match offer.kind {
        MessageKind::Problem => status.number.saturating_add(1),
        MessageKind::Custom if offer.how.counted => status.number.saturating_add(1),
        // Who hears late of an end hears the number of the problem that ended.
        MessageKind::Recovery if status.number == 0 => {
            status.told().iter().map(|told| told.number).max().unwrap_or(0)
        }
        MessageKind::Recovery
        | MessageKind::Acknowledgement
        | MessageKind::FlappingStart
        | MessageKind::FlappingStop
        | MessageKind::FlappingDisabled
        | MessageKind::DowntimeStart
        | MessageKind::DowntimeEnd
        | MessageKind::DowntimeCancelled
        | MessageKind::Custom
        | MessageKind::Handler
        | MessageKind::Test => status.number,
    }
}

/// Those whom rules have told of the running problem: they hear of its end, whatever the escalations say.
fn told_by_rules<S: Condition>(status: &Status<S>) -> Vec<Name> {
    let acts = status.notification.acts.as_deref().filter(|acts| Some(acts.problem) == status.problem);
    let acts = acts.into_iter().flat_map(|acts| &acts.acts);
    acts.filter(|act| act.times > 0).map(|act| act.to.clone()).collect()
}

/// Those who hear of the end. Where the escalations leave nobody of those who were told, all of them do.
fn heirs(told: &[Told]) -> impl Iterator<Item = &Name> {
    let is_any = told.iter().any(|told| told.hears_of_end);
    told.iter().filter(move |told| told.hears_of_end || !is_any).map(|told| &told.contact)
}

/// When a hold ends without anybody's doing. The end of a downtime looks by itself at what it held.
fn own_end(hold: &Hold) -> Option<Timestamp> {
    match hold {
        Hold::InDowntime { .. } | Hold::HostInDowntime { .. } => None,
        Hold::AllOff
        | Hold::OutsidePeriod { .. }
        | Hold::Off
        | Hold::NoProblem
        | Hold::Soft
        | Hold::Acknowledged
        | Hold::Suppressed { .. }
        | Hold::FalsePositive { .. }
        | Hold::Dependency { .. }
        | Hold::NotWanted
        | Hold::NobodyWasTold
        | Hold::FirstDelay { .. }
        | Hold::Flapping
        | Hold::Once
        | Hold::HostDown
        | Hold::HostVerdict { .. }
        | Hold::ParentsDown
        | Hold::NotDue { .. }
        | Hold::Nobody { .. } => hold.until(),
    }
}
