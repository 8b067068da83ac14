//! Who is told in a scenario: its contacts, escalations and notification directives.

use std::time::Duration;

use super::build::{number, objects, text};
use super::{Map, Value};
use crate::engine::tests::fixture;
use crate::model::contact::{Audience, Contact, Escalation};
use crate::model::inventory::Inventory;
use crate::model::period::{DayRule, DaySpec, PeriodId, TimeRange};
use crate::model::policy::{NotificationOptions, Policy};
use crate::model::selector::Selection;
use std::collections::BTreeMap;

/// The place of the scenario's own timeperiod, behind the built-in ones.
const OWN_PERIOD: PeriodId = PeriodId(2);

pub(super) fn add(inventory: &mut Inventory, config: &BTreeMap<String, Value>) {
    let name = |name: &str| Map::from([("contact_name".to_owned(), Value::Text(name.to_owned()))]);
    let mut contacts = objects(config, "contacts").unwrap_or_else(|| vec![name("c1")]);
    contacts.sort_by_key(|contact| text(contact, "contact_name"));
    inventory.contacts = contacts.iter().map(|contact| self::contact(contact, config)).collect();
    for period in objects(config, "timeperiod").unwrap_or_default() {
        let hours = text(&period, "tuesday").unwrap();
        let (start, end) = hours.split_once('-').unwrap();
        let ranges = vec![TimeRange { start: minute(start), end: minute(end) }];
        let days = vec![DayRule { days: DaySpec::Weekdays(1 << 2), ranges }];
        inventory.periods.push(fixture::period("late", days));
    }
    for kind in ["hostescalation", "serviceescalation"] {
        for escalation in objects(config, kind).unwrap_or_default() {
            let made = self::escalation(&escalation, config);
            inventory.escalations.push(made);
        }
    }
}

fn minute(time: &str) -> u16 {
    let (hour, minute) = time.split_once(':').unwrap();
    hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
}

fn contact(contact: &Map, config: &BTreeMap<String, Value>) -> Contact {
    let options = text(contact, "service_notification_options");
    let is_never = text(contact, "service_notification_period").as_deref() == Some("never");
    // `minimum_importance` is said with `match` here: the services that are important enough.
    let only = number(contact, "minimum_value").map(|least| {
        let services = objects(config, "services").unwrap_or_default();
        let important = services.iter().filter(|service| number(service, "hourly_value") >= Some(least));
        let names: Vec<String> =
            important.map(|service| format!("h/{}", text(service, "service_description").unwrap())).collect();
        let none = ["!*".to_owned()];
        let names = if names.is_empty() { none.iter() } else { names.iter() };
        Selection::parse(names.map(String::as_str), false).unwrap()
    });
    Contact {
        options: options.map_or(NotificationOptions::ALL, |letters| options_of(&letters, false)),
        notification_period: if is_never { PeriodId::NEVER } else { PeriodId::ALWAYS },
        only,
        ..fixture::contact(&text(contact, "contact_name").unwrap())
    }
}

/// Of a host or a service; contacts have the letters of both in one.
fn options_of(letters: &str, is_host: bool) -> NotificationOptions {
    let has = |letter: &str| letters.split(',').any(|other| other == letter);
    NotificationOptions {
        down: !is_host || has("d"),
        unreachable: !is_host || has("u"),
        warning: is_host || has("w"),
        unknown: is_host || has("u"),
        critical: is_host || has("c"),
        recovery: has("r"),
        flapping: has("f"),
        downtime: has("s"),
    }
}

fn escalation(escalation: &Map, config: &BTreeMap<String, Value>) -> Escalation {
    let host = text(escalation, "host_name").unwrap();
    let service = text(escalation, "service_description");
    let only = service.as_ref().map_or_else(|| host.clone(), |service| format!("{host}/{service}"));
    // Nagios lets an escalation inherit an interval that its object says, and takes 0 for one that nobody says.
    let said = objects(config, "services").unwrap_or_default().iter().all(|service| {
        text(service, "service_description") != service_of(escalation)
            || service.get("notification_interval") != Some(&Value::Nothing)
    });
    let minutes = number(escalation, "notification_interval").or((!said).then_some(0.0));
    let whole = |key: &str| text(escalation, key).map_or(0, |number| number.parse().unwrap());
    let options = text(escalation, "escalation_options");
    Escalation {
        name: "e".into(),
        only: Selection::parse([only.as_str()], false).unwrap(),
        first_notification: whole("first_notification"),
        last_notification: whole("last_notification"),
        notification_interval: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        period: None,
        options: options.map_or(NotificationOptions::ALL, |letters| options_of(&letters, service.is_none())),
        audience: audience(&text(escalation, "contacts").unwrap()),
        adds: false,
    }
}

fn service_of(escalation: &Map) -> Option<String> {
    text(escalation, "service_description")
}

fn audience(names: &str) -> Audience {
    Audience::Named { contacts: names.split(',').map(Into::into).collect(), groups: Vec::new() }
}

/// Directives of a host or a service about messages.
pub(super) fn instruct(policy: &mut Policy, object: &Map, is_host: bool) {
    policy.audience = audience(&text(object, "contacts").unwrap_or("c1".to_owned()));
    let minutes = |key: &str| {
        let said = object.get(key).filter(|value| **value != Value::Nothing);
        said.map(|_| Duration::from_secs_f64(number(object, key).unwrap() * 60.0))
    };
    policy.notification_interval = minutes("notification_interval").unwrap_or(policy.notification_interval);
    policy.first_notification_delay = minutes("first_notification_delay").unwrap_or_default();
    if let Some(letters) = text(object, "notification_options") {
        policy.notification_options = options_of(&letters, is_host);
    }
    if text(object, "notification_period").is_some() {
        policy.notification_period = OWN_PERIOD;
    }
}
