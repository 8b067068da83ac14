//! Many at once: a thousand downtimes on one object, and how long large outages and long times take.
//! `VIGIA_FULL=1 cargo test --release -p vigia-core -- --nocapture crowds` prints the figures at full size; without it
//! the same runs small.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{START, Story, contact, host, inventory, policy, service};
use crate::engine::Input;
use crate::engine::simulate::{Failure, Simulation};
use crate::model::check::Source;
use crate::model::downtime::DowntimeKind;
use crate::model::event::What;
use crate::model::host::Host;
use crate::model::id::{Checkable, DowntimeId, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::operation::{Operation, Refusal};
use crate::model::policy::Policy;
use crate::model::selector::Selection;
use crate::model::service::Service;
use crate::model::time::Timestamp;

const IS_FULL: bool = option_env!("VIGIA_FULL").is_some();

fn downtime(from: i64, to: i64) -> Operation {
    Operation::ScheduleDowntime {
        subject: ObjectKey::parse("web/http"),
        start: Timestamp::from_second(START + from),
        end: Timestamp::from_second(START + to),
        kind: DowntimeKind::Fixed,
        comment: "patching".into(),
        triggered_by: None,
    }
}

#[test]
fn a_thousand_downtimes_that_overlap_are_one_silence_and_each_is_cancelled_once() {
    let mut made = inventory(vec![(host("web"), vec![service("http")], vec![])], vec![]);
    made.contacts = vec![contact("ana")];
    let mut story = Story::new(made);
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    assert_eq!(story.orders(1, downtime(100, 50)), Err(Refusal::Reversed));
    assert_eq!(story.orders(1, downtime(-100, -50)), Err(Refusal::Past));
    for number in 0..1000 {
        story.orders(1, downtime(10 + number % 7, 1000 + number)).unwrap();
    }
    story.wait_until(20);
    story.sees(30, "web/http", 2).sees(40, "web/http", 2).sees(50, "web/http", 2);
    let cancel = Operation::CancelDowntime { id: DowntimeId(5) };
    story.orders(60, cancel.clone()).unwrap();
    assert_eq!(story.orders(60, cancel), Err(Refusal::UnknownRecord { what: "downtime", id: 5 }));
    story.wait_until(3000);
    let messages = story.messages();
    let lines: Vec<&str> = messages.lines().collect();
    let starts = lines.iter().filter(|line| line.contains("DOWNTIMESTART")).count();
    let ends = lines.iter().filter(|line| line.contains("DOWNTIMEEND")).count();
    assert_eq!((starts, ends), (1, 1), "{messages}");
    let problems: Vec<&&str> = lines.iter().filter(|line| line.contains("PROBLEM 1 to")).collect();
    let after_the_last = |line: &str| line.split(':').next().unwrap().parse::<i64>().unwrap() >= 1999;
    assert!(problems.len() == 1 && after_the_last(problems[0]), "{messages}");
    assert!(story.engine.world().records.downtimes.is_empty());
}

#[expect(clippy::disallowed_methods, reason = "this is about how long it takes")]
fn clock<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let begin = std::time::Instant::now();
    let made = act();
    println!("{what}: {:?}", begin.elapsed());
    made
}

#[expect(clippy::disallowed_methods, reason = "this is about how long it takes")]
fn time(act: impl FnOnce()) -> Duration {
    let begin = std::time::Instant::now();
    act();
    begin.elapsed()
}

fn behind_a_router(hosts: usize, services: usize) -> Inventory {
    let quick = Arc::new(Policy { max_check_attempts: 1, ..policy() });
    let one = |at: usize| {
        let services =
            (0..services).map(|s| Service { policy: Arc::clone(&quick), ..service(&format!("s{s}")) });
        let made = Host { policy: Arc::clone(&quick), ..host(&format!("h{at:05}")) };
        (made, services.collect(), vec!["router"])
    };
    let router = (Host { policy: Arc::clone(&quick), ..host("router") }, vec![], vec![]);
    let mut made = inventory((0..hosts).map(one).chain([router]).collect(), vec![]);
    made.contacts = (0..5).map(|number| contact(&format!("c{number}"))).collect();
    made
}

#[test]
fn ten_thousand_hosts_behind_a_router_go_unreachable() {
    let mut story = Story::new(behind_a_router(if IS_FULL { 10_000 } else { 50 }, 10));
    let inventory = Arc::clone(&story.engine.world().inventory);
    let see = |story: &mut Story, second: i64, code: i32| {
        story.wait_until(second);
        let hosts = inventory.host_ids().map(Checkable::Host);
        let mut keys: Vec<ObjectKey> = hosts.map(|id| inventory.key(id)).collect();
        keys.sort_by_key(|key| &*key.host != "router");
        keys.extend(inventory.service_ids().map(|id| inventory.key(Checkable::Service(id))));
        let results: Vec<_> =
            keys.iter().map(|key| story.result(&key.to_string(), code, Source::Active)).collect();
        // The longest is what an outage can delay a check by: between two results the conductor hands out what is due.
        results.into_iter().map(|result| time(|| story.step(Input::Result(result)).unwrap())).max()
    };
    see(&mut story, 0, 0);
    story.events.clear();
    let longest = clock("an outage of 10 services on each of many hosts (10,000 at full size)", || {
        see(&mut story, 60, 2)
    });
    println!("the longest of its steps: {:?}", longest.unwrap());
    let told = story.events.iter().filter(|event| matches!(event.what, What::Notified(_))).count();
    println!("messages: {told}");
    assert!(told <= 5 * 10_001);
}

#[test]
fn a_month_of_a_thousand_services() {
    let mut made = behind_a_router(100, 10);
    let slow = Arc::new(policy());
    made.services.iter_mut().for_each(|service| service.policy = Arc::clone(&slow));
    let (start, days) = (Timestamp::from_second(START), if IS_FULL { 30 } else { 1 });
    let length = Duration::from_secs(days * 86_400);
    let mut seed = 1_u64;
    let mut random = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    let failures: Vec<Failure> = (0..20 * days)
        .map(|_| {
            let from = start.after(Duration::from_secs(random(length.as_secs())));
            let what = format!("h{:05}/s{}", random(100), random(10));
            let until = Some(from.after(Duration::from_secs(60 + random(7200))));
            Failure { what: Selection::parse([&*what], false).unwrap(), from, until }
        })
        .collect();
    let mut told = 0;
    clock("1,000 services with 20 failures a day (30 days at full size)", || {
        let mut simulation = Simulation::new(Arc::new(made), start);
        simulation.run(&failures, start.after(length), |event| {
            told += u32::from(matches!(event.what, What::Notified(_)));
        });
    });
    println!("messages: {told}");
    assert!(told > 0);
}
