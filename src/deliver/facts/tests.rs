//! Messages to test with, and whether every label and macro has its value.

use std::sync::Arc;

use vigia_core::engine::world::World;
use vigia_core::model::check::Output;
use vigia_core::model::contact::Contact;
use vigia_core::model::id::ProblemId;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::message::{Channel, MessageId};
use vigia_core::model::state::{HostState, State, StateType};
use vigia_core::nagios::macros::Reference;

use super::*;

/// 2026-11-25 07:30 UTC.
pub(in crate::deliver) const NOW: i64 = 1_795_591_800;

pub(in crate::deliver) fn contact(name: &str) -> Contact {
    Contact {
        timezone: Some("Europe/Madrid".into()),
        custom_variables: vec![("PAGER".into(), "0049-30-1234".into())],
        ..crate::fixture::contact(name)
    }
}

pub(in crate::deliver) fn world(contacts: Vec<Contact>) -> Arc<World> {
    let mut inventory = Inventory::default();
    inventory.contacts = contacts;
    Arc::new(World { inventory: Arc::new(inventory), ..World::default() })
}

pub(in crate::deliver) fn notice(kind: MessageKind, number: u32, state: State) -> Notice {
    Notice {
        kind,
        subject: ObjectKey::service("web1", "HTTP"),
        problem: Some(ProblemId(7)),
        number,
        state: AnyState::Service(state),
        state_type: StateType::Hard,
        last_state: AnyState::Service(State::Ok),
        attempt: 3,
        output: Arc::new(Output {
            text: "503 <b>'; rm -rf /".into(),
            long: "first\nsecond".into(),
            perfdata: "time=0.01s".into(),
        }),
        since: Some(Timestamp::from_second(NOW - 120)),
        last_check: Some(Timestamp::from_second(NOW)),
        host: Some((AnyState::Host(HostState::Up), Output::line("PING OK"))),
        author: None,
        comment: None,
        is_escalated: false,
        recipients: ["ana".into(), "ben".into()].into(),
    }
}

pub(in crate::deliver) fn message(notice: Notice, contact: &str, channels: Vec<Channel>) -> Message {
    Message {
        id: MessageId::new(&notice.subject, notice.problem, notice.kind, notice.number.into(), contact),
        at: Timestamp::from_second(NOW),
        contact: contact.into(),
        channels,
        about: About::Object(Arc::new(notice)),
    }
}

fn facts(notice: Notice) -> Facts {
    Facts {
        message: message(notice, "ana", Vec::new()),
        world: world(vec![contact("ana")]),
        url: Some("https://vigia.example.test/".into()),
    }
}

pub(in crate::deliver) fn problem(number: u32) -> Facts {
    facts(notice(MessageKind::Problem, number, State::Critical))
}

pub(in crate::deliver) fn recovery() -> Facts {
    facts(notice(MessageKind::Recovery, 2, State::Ok))
}

pub(in crate::deliver) fn digest() -> Facts {
    let entry = DigestEntry {
        at: Timestamp::from_second(NOW),
        kind: MessageKind::Problem,
        subject: ObjectKey::service("web1", "HTTP"),
        state: AnyState::Service(State::Critical),
        output: "503".into(),
    };
    let digest = Digest { entries: vec![entry], messages: 12, hosts: 3, services: 12 };
    let mut facts = problem(1);
    facts.message.about = About::Digest(Arc::new(digest));
    facts
}

/// Every label by its path; what is inside of lists counts, what people name themselves does not.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !at.ends_with("variables") && !at.ends_with("tags") => {
            map.iter().for_each(|(key, value)| paths(value, &format!("{at}.{key}"), found));
        }
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            items.iter().take(1).for_each(|item| paths(item, at, found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn all_paths(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    paths(value, "", &mut found);
    found.sort();
    found
}

#[test]
fn a_message_gives_exactly_the_labels_that_templates_are_checked_against() {
    let mut of_host = notice(MessageKind::Acknowledgement, 1, State::Critical);
    of_host.subject = ObjectKey::host("web1");
    of_host.state = AnyState::Host(HostState::Down);
    for facts in [problem(1), facts(of_host), digest()] {
        let known = crate::wording::labels(facts.kind());
        assert_eq!(all_paths(&facts.labels()), all_paths(&known), "{:?}", facts.kind());
    }
}

#[test]
fn times_are_those_of_the_contacts_zone() {
    let labels = problem(1).labels();
    assert_eq!(labels["at"], "Wed 2026-11-25 08:30:00 CET");
    assert_eq!(labels["duration"], "2m");
    assert_eq!(labels["url"], "https://vigia.example.test/hosts/web1/services/HTTP");
}

#[test]
fn macros_have_the_values_of_the_decision() {
    let facts = problem(4);
    let value = |name: &str| facts.macro_value(Reference { name, subject: None }).unwrap_or_default();
    for (name, expected) in [
        ("NOTIFICATIONTYPE", "PROBLEM"),
        ("NOTIFICATIONNUMBER", "4"),
        ("SERVICENOTIFICATIONNUMBER", "4"),
        ("NOTIFICATIONRECIPIENTS", "ana,ben"),
        ("HOSTNAME", "web1"),
        ("HOSTSTATE", "UP"),
        ("HOSTOUTPUT", "PING OK"),
        ("SERVICEDESC", "HTTP"),
        ("SERVICESTATE", "CRITICAL"),
        ("SERVICESTATEID", "2"),
        ("LASTSERVICESTATE", "OK"),
        ("SERVICEATTEMPT", "3"),
        ("SERVICEOUTPUT", "503 <b>'; rm -rf /"),
        ("LONGSERVICEOUTPUT", "first\\nsecond"),
        ("SERVICEPERFDATA", "time=0.01s"),
        ("SERVICEDURATIONSEC", "120"),
        ("SERVICEPROBLEMID", "7"),
        ("CONTACTNAME", "ana"),
        ("CONTACTEMAIL", "ana@example.test"),
        ("CONTACTPAGER", "0049-30-1234"),
        ("SHORTDATETIME", "2026-11-25 08:30:00"),
        ("TIMET", "1795591800"),
        // Only while somebody acknowledges.
        ("SERVICEACKAUTHOR", ""),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let environment = facts.environment();
    assert!(environment.contains(&("NAGIOS_SERVICESTATE".to_owned(), "CRITICAL".to_owned())));
    assert!(environment.contains(&("NAGIOS__CONTACTPAGER".to_owned(), "0049-30-1234".to_owned())));
}

#[test]
fn in_a_hosts_message_the_service_macros_stay_empty() {
    let mut of_host = notice(MessageKind::Problem, 1, State::Critical);
    of_host.subject = ObjectKey::host("web1");
    of_host.state = AnyState::Host(HostState::Down);
    let facts = facts(of_host);
    let value = |name: &str| facts.macro_value(Reference { name, subject: None });
    assert_eq!(value("SERVICEDESC"), None);
    assert_eq!(value("HOSTSTATE").as_deref(), Some("DOWN"));
    assert_eq!(facts.insertion("service.name").as_deref(), Some(""));
}
