//! Whom an object tells: its contacts or those of the escalations that match, and which of them want to hear.
//! (`nagios-notifications.md` 3 and 4, with R3 of `nagios-states.md` 12)

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::member::Definition;
use crate::engine::period::Periods;
use crate::engine::selection::selects;
use crate::model::contact::{Audience, Contact, Escalation};
use crate::model::id::{Checkable, Name};
use crate::model::inventory::Inventory;
use crate::model::message::MessageKind;
use crate::model::notification::{Skip, Told};
use crate::model::policy::NotificationOptions;
use crate::model::state::{AnyState, HostState, State};
use crate::model::time::Timestamp;

/// Those who are asked whether they want to hear of a message.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) names: BTreeSet<Name>,
    pub(super) is_escalated: bool,
    /// Until the next repeat: the shortest of the escalations that match, else the object's. Zero: no repeat.
    pub(super) interval: Duration,
}

/// What the choice of a circle depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) object: Checkable,
    pub(super) state: AnyState,
    /// Of the message; of a recovery that of the last message of the problem.
    pub(super) number: u32,
    /// Everybody: the usual contacts and those of every escalation.
    pub(super) is_broadcast: bool,
}

pub(super) fn circle(inventory: &Inventory, question: Question, now: Timestamp) -> Circle {
    let policy = Definition::of(inventory, question.object).policy;
    let own = || inventory.escalations.iter().filter(|one| selects(inventory, &one.only, question.object));
    let matching: Vec<&Escalation> = own().filter(|one| matches(inventory, one, question, now)).collect();
    let mut names = BTreeSet::new();
    let is_replaced = matching.iter().any(|escalation| !escalation.adds);
    if !is_replaced || question.is_broadcast {
        gather(inventory, &policy.audience, &mut names);
    }
    if question.is_broadcast {
        own().for_each(|escalation| gather(inventory, &escalation.audience, &mut names));
    } else {
        matching.iter().for_each(|escalation| gather(inventory, &escalation.audience, &mut names));
    }
    let usual = policy.notification_interval;
    let shortest = matching.iter().map(|one| one.notification_interval.unwrap_or(usual)).min();
    Circle { names, is_escalated: !matching.is_empty(), interval: shortest.unwrap_or(usual) }
}

fn matches(inventory: &Inventory, escalation: &Escalation, question: Question, now: Timestamp) -> bool {
    let Question { number, state, .. } = question;
    let last = escalation.last_notification;
    escalation.first_notification <= number
        && (last == 0 || number <= last)
        && wants(escalation.options, state)
        && escalation.period.is_none_or(|period| Periods(&inventory.periods).is_inside(period, now))
}

fn gather(inventory: &Inventory, audience: &Audience, names: &mut BTreeSet<Name>) {
    match audience {
        Audience::Everyone => names.extend(inventory.contacts.iter().map(|contact| contact.name.clone())),
        Audience::Named { contacts, groups } => {
            names.extend(contacts.iter().cloned());
            let groups = groups.iter().filter_map(|name| inventory.contactgroup(name));
            names.extend(groups.flat_map(|group| group.members.iter().cloned()));
        }
    }
}

/// Whether options have what a message about this state needs; about a good one that is `recovery`.
pub(super) fn wants(options: NotificationOptions, state: AnyState) -> bool {
    match state {
        AnyState::Host(HostState::Up) | AnyState::Service(State::Ok) => options.recovery,
        AnyState::Host(HostState::Down) => options.down,
        AnyState::Host(HostState::Unreachable) => options.unreachable,
        AnyState::Service(State::Warning) => options.warning,
        AnyState::Service(State::Critical) => options.critical,
        AnyState::Service(State::Unknown) => options.unknown,
    }
}

/// Why a contact does not hear of a message that is not forced.
pub(in crate::engine) fn skip(
    inventory: &Inventory,
    contact: &Contact,
    object: Checkable,
    kind: MessageKind,
    state: AnyState,
    now: Timestamp,
) -> Option<Skip> {
    // Who was told of a problem hears of its end, whatever was edited since.
    let is_others = |only| kind != MessageKind::Recovery && !selects(inventory, only, object);
    if contact.only.as_ref().is_some_and(is_others) {
        return Some(Skip::OtherObjects);
    }
    let periods = Periods(&inventory.periods);
    let period = contact.notification_period;
    let options = contact.options;
    let is_wanted = match kind {
        MessageKind::Custom | MessageKind::Handler | MessageKind::Test => true,
        MessageKind::FlappingStart | MessageKind::FlappingStop | MessageKind::FlappingDisabled => {
            options.flapping
        }
        MessageKind::DowntimeStart | MessageKind::DowntimeEnd | MessageKind::DowntimeCancelled => {
            options.downtime
        }
        MessageKind::Problem | MessageKind::Recovery | MessageKind::Acknowledgement => wants(options, state),
    };
    if !is_wanted {
        return Some(Skip::NotWanted);
    }
    (!periods.is_inside(period, now)).then(|| Skip::OutsidePeriod { opens: periods.opens(period, now) })
}

/// Those who hear of a message and those who do not.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) to: Vec<Name>,
    pub(super) skipped: Vec<(Name, Skip)>,
}

impl Split {
    /// Asks every name of `asked` that is a contact.
    pub(super) fn of<'a>(
        inventory: &Inventory,
        asked: impl Iterator<Item = &'a Name>,
        why_not: impl Fn(&Contact) -> Option<Skip>,
    ) -> Self {
        let mut split = Self::default();
        for contact in asked.filter_map(|name| inventory.contact(name)) {
            match why_not(contact) {
                None => split.to.push(contact.name.clone()),
                Some(skip) => split.skipped.push((contact.name.clone(), skip)),
            }
        }
        split
    }

    /// When the first closed period of those who were skipped opens.
    pub(super) fn opens(&self) -> Option<Timestamp> {
        self.skipped.iter().filter_map(|(_, skip)| skip.opens()).min()
    }
}

/// Those told so far and now, and which of them hear of the end.
pub(in crate::engine) fn told_with(
    told: &[Told],
    to: &[Name],
    number: u32,
    hears: impl Fn(&Name) -> bool,
) -> Option<Arc<Vec<Told>>> {
    let names: BTreeSet<&Name> = told.iter().map(|told| &told.contact).chain(to).collect();
    let one = |name: &Name| Told { contact: name.clone(), number, hears_of_end: hears(name) };
    Some(Arc::new(names.into_iter().map(one).collect()))
}
