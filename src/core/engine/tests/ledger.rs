//! What must hold of messages in every history (the issue on notifications, "Done when" 2), kept by somebody who
//! sees nothing but the events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{contact, period};
use crate::engine::period::Periods;
use crate::model::contact::{Audience, Contact, Escalation};
use crate::model::event::{Event, What};
use crate::model::id::{DowntimeId, Name, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::message::{About, Message, MessageId, MessageKind, Notice};
use crate::model::period::{DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use crate::model::policy::NotificationOptions;
use crate::model::selector::Selection;

pub(super) fn even_hours(name: &str) -> TimePeriod {
    let ranges = (0..12).map(|hour| TimeRange { start: hour * 120, end: hour * 120 + 60 });
    period(name, vec![DayRule { days: DaySpec::Weekdays(0x7f), ranges: ranges.collect() }])
}

pub(super) fn people(some_hours: PeriodId) -> Vec<Contact> {
    vec![
        contact("ana"),
        Contact { notification_period: some_hours, ..contact("ben") },
        contact("boss"),
        Contact {
            options: NotificationOptions { recovery: false, ..NotificationOptions::ALL },
            ..contact("cy")
        },
        Contact { only: Some(Selection::parse(["web*"], false).unwrap()), ..contact("dan") },
    ]
}

pub(super) fn escalations() -> Vec<Escalation> {
    let named = |name: &str| Audience::Named { contacts: vec![name.into()], groups: Vec::new() };
    let usual = Escalation {
        name: "up".into(),
        only: Selection::parse(["web*"], false).unwrap(),
        first_notification: 2,
        last_notification: 3,
        notification_interval: Some(Duration::from_secs(300)),
        period: None,
        options: NotificationOptions::ALL,
        audience: named("boss"),
        adds: false,
    };
    let beside = Escalation {
        name: "beside".into(),
        only: Selection::parse(["db"], false).unwrap(),
        last_notification: 0,
        notification_interval: None,
        options: NotificationOptions { recovery: false, ..NotificationOptions::ALL },
        audience: named("ben"),
        ..usual.clone()
    };
    vec![usual, beside]
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    ids: BTreeSet<MessageId>,
    /// Who was told of a problem and not of its end.
    told: BTreeMap<ObjectKey, BTreeSet<Name>>,
    running: BTreeMap<DowntimeId, ObjectKey>,
    all_off: bool,
}

impl Ledger {
    pub(super) fn enter(&mut self, event: &Event, inventory: &Inventory) -> Result<(), TestCaseError> {
        match &event.what {
            What::Notified(message) => self.told(message, inventory)?,
            What::DowntimeStarted { id, subject } => {
                self.running.insert(*id, subject.clone());
            }
            What::DowntimeEnded { id, .. } => {
                self.running.remove(id);
            }
            What::NotificationsSwitched { on, .. } => self.all_off = !on,
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, message: &Message, inventory: &Inventory) -> Result<(), TestCaseError> {
        let Message { id, at, contact, about, .. } = message;
        let About::Object(notice) = about else { panic!("a digest is the outbox's") };
        prop_assert!(self.ids.insert(id.clone()), "twice: {id}");
        prop_assert!(notice.recipients.contains(contact));
        let Notice { kind, subject, .. } = &**notice;
        // Only a person's own words may be forced.
        if *kind == MessageKind::Custom {
            return Ok(());
        }
        prop_assert!(!self.all_off, "all messages are off: {id}");
        let period = inventory.contact(contact).unwrap().notification_period;
        prop_assert!(Periods(&inventory.periods).is_inside(period, *at), "told outside their period: {id}");
        if !kind.is_of_problem() {
            return Ok(());
        }
        let host = ObjectKey::host(subject.host.clone());
        let is_planned = self.running.values().any(|one| one == subject || *one == host);
        prop_assert!(!is_planned, "told inside a downtime: {id}");
        let knows = self.told.entry(subject.clone()).or_default();
        if *kind == MessageKind::Problem {
            knows.insert(contact.clone());
        } else {
            prop_assert!(knows.remove(contact), "not told of what ended: {id}");
        }
        Ok(())
    }
}
