//! Downtimes of the files: when they begin where clocks change, and each occurrence once.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::tz::TimeZone;

use super::fixture::{START, Story, contact, host, inventory, service};
use crate::engine::world::Restored;
use crate::engine::{Engine, Input};
use crate::model::downtime::{Plan, PlannedDowntime, Recurrence};
use crate::model::id::DowntimeId;
use crate::model::inventory::Inventory;
use crate::model::operation::Operation;
use crate::model::selector::Selection;
use crate::model::time::Timestamp;

pub(super) fn plan(every: &str, minutes: u64, zone: TimeZone) -> PlannedDowntime {
    PlannedDowntime {
        name: "patching".into(),
        only: Selection::everything(),
        hosts: true,
        services: true,
        when: Plan::Every(Recurrence::parse(every).unwrap()),
        duration: Some(Duration::from_secs(minutes * 60)),
        flexible: false,
        window: Duration::from_secs(3600),
        timezone: Some(zone),
        comment: "patching".into(),
        author: "configuration".into(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// Two starts in a row, in UTC.
fn starts(zone: &str, every: &str, after: &str) -> [String; 2] {
    #[expect(clippy::disallowed_methods, reason = "a test of zones needs zones")]
    let zone = TimeZone::get(zone).unwrap();
    let plan = plan(every, 60, zone);
    let first = plan.next_start(at(after)).unwrap();
    [first.to_string(), plan.next_start(first).unwrap().to_string()]
}

#[test]
fn a_start_that_the_clock_skips_is_the_next_instant_there_is_and_one_that_comes_twice_the_first() {
    for (zone, every, after, wanted) in [
        // Spring: 02:00 becomes 03:00, on Lord Howe Island 02:30.
        (
            "Europe/Madrid",
            "mon-sun 02:30",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "America/New_York",
            "mon-sun 02:30",
            "2026-03-07T12:00:00Z",
            ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            "mon-sun 02:15",
            "2026-10-03T12:00:00Z",
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        ),
        // Autumn: an hour, on Lord Howe Island half an hour, comes twice.
        (
            "Europe/Madrid",
            "mon-sun 02:30",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "America/New_York",
            "mon-sun 01:30",
            "2026-10-31T12:00:00Z",
            ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            "mon-sun 01:45",
            "2026-04-04T12:00:00Z",
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
        ),
    ] {
        assert_eq!(starts(zone, every, after), wanted, "{zone} {every}");
    }
}

#[test]
fn a_rare_day_is_found_and_an_occurrence_runs_its_whole_time() {
    let leap = plan("february 29 00:00", 90, TimeZone::UTC);
    assert_eq!(leap.next_start(at("2026-01-01T00:00:00Z")), Some(at("2028-02-29T00:00:00Z")));
    let start = at("2028-02-29T00:00:00Z");
    assert_eq!(leap.running_start(at("2028-02-29T01:29:59Z")), Some(start));
    assert_eq!(leap.running_start(at("2028-02-29T01:30:00Z")), None);
    // Longer than the time between two: the latest one counts.
    let daily = plan("mon-sun 12:00", 30 * 60, TimeZone::UTC);
    assert_eq!(daily.running_start(at("2026-05-02T13:00:00Z")), Some(at("2026-05-02T12:00:00Z")));
    let once = PlannedDowntime {
        when: Plan::Once {
            start: "2026-12-24T22:00".parse().unwrap(),
            end: "2026-12-26T08:00".parse().unwrap(),
        },
        duration: None,
        ..daily
    };
    assert_eq!(once.next_start(at("2026-12-01T00:00:00Z")), Some(at("2026-12-24T22:00:00Z")));
    assert_eq!(once.next_start(at("2026-12-24T22:00:00Z")), None);
    assert_eq!(once.running_start(at("2026-12-26T07:59:59Z")), Some(at("2026-12-24T22:00:00Z")));
    assert_eq!(once.running_start(at("2026-12-26T08:00:00Z")), None);
}

/// It is 22:13:20 UTC; `web` and its service are patched from 22:30 to 22:40, `db` is not.
fn site() -> Inventory {
    let mut made =
        inventory(vec![(host("web"), vec![service("http")], vec![]), (host("db"), vec![], vec![])], vec![]);
    made.contacts = vec![contact("ana")];
    let only = Selection::parse(["web"], false).unwrap();
    made.downtimes = vec![PlannedDowntime { only, ..plan("mon-sun 22:30", 10, TimeZone::UTC) }];
    made
}

#[test]
fn an_occurrence_begins_by_itself_for_what_it_selects_and_ends() {
    let mut story = Story::new(site());
    story.wait_until(90_000);
    assert_snapshot!(story.all(), @r"
    1000: downtime 1 of web scheduled
    1000: downtime 2 of web/http scheduled
    1000: web DOWNTIMESTART 0 to ana
    1000: downtime 1 started
    1000: web/http DOWNTIMESTART 0 to ana
    1000: downtime 2 started
    1600: downtime 1 ended: Over
    1600: web DOWNTIMEEND 0 to ana
    1600: downtime 2 ended: Over
    1600: web/http DOWNTIMEEND 0 to ana
    87400: downtime 3 of web scheduled
    87400: downtime 4 of web/http scheduled
    87400: web DOWNTIMESTART 0 to ana
    87400: downtime 3 started
    87400: web/http DOWNTIMESTART 0 to ana
    87400: downtime 4 started
    88000: downtime 3 ended: Over
    88000: web DOWNTIMEEND 0 to ana
    88000: downtime 4 ended: Over
    88000: web/http DOWNTIMEEND 0 to ana
    ");
}

#[test]
fn what_began_while_nobody_was_there_begins_at_the_start_and_what_was_cancelled_stays_so() {
    let inventory = Arc::new(site());
    let later = |seconds: i64| Timestamp::from_second(START + seconds);
    let engine = Engine::new(Arc::clone(&inventory), Restored::default(), later(1200));
    let mut story = Story { engine, now: later(1200), events: Vec::new() };
    story.step(Input::Tick).unwrap();
    story.wait_until(1200);
    assert_eq!(story.engine.world().records.downtimes.len(), 2);
    story.orders(1210, Operation::CancelDowntime { id: DowntimeId(1) }).unwrap();
    let restored = story.engine.to_restored();
    story.engine = Engine::new(Arc::clone(&inventory), restored, later(1220));
    story.wait_until(1230);
    assert_eq!(story.engine.world().records.downtimes.len(), 1);
    story.step(Input::Reload(inventory)).unwrap();
    story.wait_until(1240);
    assert_eq!(story.engine.world().records.downtimes.len(), 1);
    story.wait_until(1600);
    assert_eq!(story.engine.world().records.downtimes.len(), 0);
}

#[test]
fn what_is_added_while_an_occurrence_runs_is_covered_by_it_and_nothing_twice() {
    let mut story = Story::new(site());
    story.wait_until(1100);
    let mut more = inventory(
        vec![
            (host("web"), vec![service("http"), service("ssh")], vec![]),
            (host("db"), vec![], vec![]),
            (host("web2"), vec![], vec![]),
        ],
        vec![],
    );
    more.contacts = vec![contact("ana")];
    let only = Selection::parse(["web*"], false).unwrap();
    more.downtimes = vec![PlannedDowntime { only, ..plan("mon-sun 22:30", 10, TimeZone::UTC) }];
    let more = Arc::new(more);
    story.all();
    story.orders(1105, Operation::CancelDowntime { id: DowntimeId(2) }).unwrap();
    story.step(Input::Reload(Arc::clone(&more))).unwrap();
    story.step(Input::Reload(more)).unwrap();
    story.wait_until(1120);
    let told = story.told();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("downtime")).collect();
    assert_snapshot!(lines.join("\n"), @r"
    1105: downtime 2 ended: Cancelled
    1105: downtime 3 of web2 scheduled
    1105: downtime 4 of web/ssh scheduled
    1105: downtime 3 started
    1105: downtime 4 started
    ");
}
