//! Nagios directives of a scenario to an inventory.

use std::sync::Arc;
use std::time::Duration;

use super::{Map, Value, people};
use crate::engine::tests::fixture;
use crate::model::check::{Check, CheckMethod};
use crate::model::dependency::{Dependency, FailureStates};
use crate::model::id::{Checkable, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::period::PeriodId;
use crate::model::policy::{Handler, Own, Policy, StateSet};
use crate::model::state::State;
use std::collections::BTreeMap;

pub(super) fn inventory(config: &BTreeMap<String, Value>) -> Inventory {
    let globals = match config.get("globals") {
        Some(Value::Map(globals)) => globals.clone(),
        _ => Map::new(),
    };
    let hosts = objects(config, "hosts").unwrap_or_else(|| vec![named(&[("host_name", "h")])]);
    let services = objects(config, "services")
        .unwrap_or_else(|| vec![named(&[("host_name", "h"), ("service_description", "s")])]);
    let mut parts = Vec::new();
    for host in &hosts {
        let name = text(host, "host_name").unwrap();
        let mut made = fixture::host(&name);
        let is_assumed = host.get("check_command") == Some(&Value::Nothing);
        let method = if is_assumed { CheckMethod::AssumedUp } else { fixture::method() };
        // Nagios waits for no verdict: nobody's check takes any time.
        made.check = Arc::new(Check { kind: "tcp", method, timeout: Duration::ZERO });
        made.policy = Arc::new(policy(host, &globals, true));
        made.own = fixture::own(own(host, true));
        let mine = services.iter().filter(|service| text(service, "host_name").as_ref() == Some(&name));
        let mine = mine.map(|service| {
            let mut made = fixture::service(&text(service, "service_description").unwrap());
            made.policy = Arc::new(policy(service, &globals, false));
            made.own = fixture::own(own(service, false));
            made
        });
        parts.push((made, mine.collect(), host));
    }
    let parents: Vec<Vec<String>> = parts
        .iter()
        .map(|(_, _, host)| {
            text(host, "parents").map_or(Vec::new(), |list| list.split(',').map(str::to_owned).collect())
        })
        .collect();
    let parts = parts
        .into_iter()
        .zip(&parents)
        .map(|((host, services, _), parents)| (host, services, parents.iter().map(String::as_str).collect()));
    let mut inventory = fixture::inventory(parts.collect(), Vec::new());
    for dependency in objects(config, "hostdependency").unwrap_or_default() {
        depend(&mut inventory, &dependency, true);
    }
    for dependency in objects(config, "servicedependency").unwrap_or_default() {
        depend(&mut inventory, &dependency, false);
    }
    people::add(&mut inventory, config);
    semantics(&mut inventory, &globals);
    inventory
}

fn semantics(inventory: &mut Inventory, globals: &Map) {
    let semantics = &mut inventory.semantics;
    if text(globals, "service_check_timeout_state").as_deref() == Some("u") {
        semantics.timeout_state = State::Unknown;
    }
    semantics.warning_is_down = is_on(globals, "use_aggressive_host_checking", false);
    semantics.passive_hosts_are_soft = is_on(globals, "passive_host_checks_are_soft", false);
    semantics.passive_hosts_are_translated = is_on(globals, "translate_passive_host_checks", false);
    semantics.soft_masters_count = is_on(globals, "soft_state_dependencies", false);
}

fn policy(object: &Map, globals: &Map, is_host: bool) -> Policy {
    let mut policy = fixture::policy();
    people::instruct(&mut policy, object, is_host);
    let minutes = |key: &str| number(object, key).map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    policy.check_interval = minutes("check_interval").unwrap_or(policy.check_interval);
    policy.retry_interval = minutes("retry_interval").unwrap_or(policy.retry_interval);
    if let Some(Value::Whole(max)) = object.get("max_check_attempts") {
        policy.max_check_attempts = u16::try_from(*max).unwrap();
    }
    if text(object, "check_period").as_deref() == Some("never") {
        policy.check_period = PeriodId::NEVER;
    }
    policy.active_checks = is_on(object, "active_checks_enabled", true);
    policy.passive_checks = is_on(object, "passive_checks_enabled", true);
    policy.volatile = is_on(object, "is_volatile", false);
    policy.flapping.enabled =
        is_on(globals, "enable_flap_detection", false) && is_on(object, "flap_detection_enabled", false);
    #[expect(clippy::cast_possible_truncation, reason = "percentages")]
    let percent = |key: &str| number(object, key).map(|percent| percent as f32);
    policy.flapping.low = percent("low_flap_threshold").unwrap_or(policy.flapping.low);
    policy.flapping.high = percent("high_flap_threshold").unwrap_or(policy.flapping.high);
    if let Some(states) = text(object, "flap_detection_options") {
        policy.flapping.states = states_of(&states, false).states;
    }
    policy
}

fn own(object: &Map, is_host: bool) -> Own {
    let handler = is_on(object, "event_handler_enabled", true).then(|| Handler::Command("eh".into()));
    let initial = text(object, "initial_state").map(|letter| letter_of(&letter, is_host).unwrap());
    let stalking = text(object, "stalking_options").map(|letters| states_of(&letters, is_host).states);
    Own {
        event_handler: handler,
        initial_state: initial,
        stalking: stalking.unwrap_or_default(),
        ..Own::default()
    }
}

fn depend(inventory: &mut Inventory, dependency: &Map, is_host: bool) {
    let key = |host: &str, service: &str| ObjectKey {
        host: text(dependency, host).unwrap().as_str().into(),
        service: text(dependency, service).map(|name| name.as_str().into()),
    };
    let master = inventory.find(&key("host_name", "service_description")).unwrap();
    let dependent = inventory.find(&key("dependent_host_name", "dependent_service_description")).unwrap();
    let criteria =
        |key: &str| text(dependency, key).map_or(FailureStates::default(), |l| states_of(&l, is_host));
    let made = Dependency {
        on: master,
        notification_failure: criteria("notification_failure_criteria"),
        execution_failure: criteria("execution_failure_criteria"),
        period: (text(dependency, "dependency_period").as_deref() == Some("never"))
            .then_some(PeriodId::NEVER),
        inherits_parent: is_on(dependency, "inherits_parent", false),
    };
    match dependent {
        Checkable::Host(id) => inventory.hosts[id.index()].depends_on.push(made),
        Checkable::Service(id) => inventory.services[id.index()].depends_on.push(made),
    }
}

fn states_of(letters: &str, is_host: bool) -> FailureStates {
    letters.split(',').fold(FailureStates::default(), |mut states, letter| {
        match letter_of(letter, is_host) {
            Some(number) => states.states = states.states.with(number),
            None if letter == "p" => states.pending = true,
            None => assert_eq!(letter, "n"),
        }
        states
    })
}

fn letter_of(letter: &str, is_host: bool) -> Option<u8> {
    let letters: &[&str] = if is_host { &["o", "d", "u"] } else { &["o", "w", "c", "u"] };
    letters.iter().position(|other| *other == letter).map(|at| u8::try_from(at).unwrap())
}

pub(super) fn objects(config: &BTreeMap<String, Value>, kind: &str) -> Option<Vec<Map>> {
    let Value::List(list) = config.get(kind)? else { panic!("{kind} is a list") };
    let maps = list.iter().map(|object| match object {
        Value::Map(map) => map.clone(),
        other => panic!("{other:?} is no object"),
    });
    Some(maps.collect())
}

fn named(pairs: &[(&str, &str)]) -> Map {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::Text((*value).to_owned()))).collect()
}

pub(super) fn text(object: &Map, key: &str) -> Option<String> {
    object.get(key).map(Value::text)
}

pub(super) fn number(object: &Map, key: &str) -> Option<f64> {
    text(object, key).map(|text| text.parse().unwrap())
}

fn is_on(object: &Map, key: &str, default: bool) -> bool {
    text(object, key).map_or(default, |text| text != "0")
}

#[test]
fn letters_become_sets_of_states() {
    assert_eq!(states_of("o,c", false).states, StateSet::NONE.with(0).with(2));
    assert!(states_of("p", true).pending);
    assert_eq!(states_of("n", true), FailureStates::default());
}
