//! Scenarios that anybody in operations can read.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::fixture::{self, START, Story, host, inventory, policy, rule, second, service};
use crate::engine::world::Restored;
use crate::engine::{Engine, Input};
use crate::model::acknowledgement::Until;
use crate::model::check::{CheckMethod, Source};
use crate::model::downtime::DowntimeKind;
use crate::model::host::Host;
use crate::model::id::{AlarmId, ObjectKey, TicketId};
use crate::model::inventory::Inventory;
use crate::model::operation::{Fields, NewTicket, Operation, Refusal, Switch, TicketNote};
use crate::model::period::{DayRule, DaySpec, PeriodId, TimeRange};
use crate::model::policy::{Freshness, Policy};
use crate::model::service::Service;
use crate::model::state::State;
use crate::model::ticket::{TicketClass, TicketStatus};
use crate::model::time::Timestamp;

fn with(change: impl FnOnce(&mut Policy)) -> Arc<Policy> {
    let mut policy = Policy { max_check_attempts: 1, ..policy() };
    change(&mut policy);
    Arc::new(policy)
}

/// `web` with service `http`, confirmed at once; the shipped rule.
pub(super) fn web() -> Inventory {
    let http = Service { policy: with(|_| {}), ..service("http") };
    let web = Host { policy: with(|_| {}), asset_value: 4, ..host("web") };
    inventory(vec![(web, vec![http], vec![])], vec![rule()])
}

fn downtime(subject: &str, from: i64, to: i64, kind: DowntimeKind) -> Operation {
    Operation::ScheduleDowntime {
        subject: ObjectKey::parse(subject),
        start: Timestamp::from_second(START + from),
        end: Timestamp::from_second(START + to),
        kind,
        comment: "patching".into(),
        triggered_by: None,
    }
}

fn acknowledge(subject: &str, until: Until, expires: Option<i64>) -> Operation {
    Operation::Acknowledge {
        subject: ObjectKey::parse(subject),
        comment: "on it".into(),
        until,
        keeps_comment: false,
        notify: false,
        expires: expires.map(|at| Timestamp::from_second(START + at)),
    }
}

#[test]
fn one_problem_is_one_alarm_and_one_ticket_that_comes_back_with_it() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 0).sees(10, "web/http", 2).sees(310, "web/http", 2);
    assert_snapshot!(story.told(), @r"
    10: web/http OK -> CRITICAL HARD 1
    10: alarm 1 opened for web/http
    310: AVA01 opened, priority 9: web/http is CRITICAL
    310: alarm 1 changed: CRITICAL x1, root none, ticket 1
    ");
    // Good for less than a quarter of an hour: still the same ticket.
    story.sees(400, "web/http", 0).sees(700, "web/http", 2).sees(1100, "web/http", 0);
    assert_snapshot!(story.told(), @r"
    400: web/http CRITICAL -> OK HARD 1
    400: alarm 1 closed after 2
    400: AVA01 is Open: Recovered. The service is OK: x
    700: web/http OK -> CRITICAL HARD 1
    700: alarm 2 opened for web/http
    700: alarm 2 changed: CRITICAL x1, root none, ticket 1
    700: AVA01 is Open: The problem is back. The service is CRITICAL: x
    1100: web/http CRITICAL -> OK HARD 1
    1100: alarm 2 closed after 1
    1100: AVA01 is Open: Recovered. The service is OK: x
    ");
    // Good for long enough, then bad again within a day, then after a week.
    story.sees(2500, "web/http", 2).wait_until(3000);
    story.sees(3001, "web/http", 0).sees(4000, "web/http", 0);
    story.sees(604_800, "web/http", 2).wait_until(605_100);
    assert_snapshot!(story.told(), @r"
    2000: AVA01 is Closed: Closed: no problem for 900 s.
    2500: web/http OK -> CRITICAL HARD 1
    2500: alarm 3 opened for web/http
    2800: alarm 3 changed: CRITICAL x1, root none, ticket 1
    2800: AVA01 reopened: The problem is back. The service is CRITICAL: x
    3001: web/http CRITICAL -> OK HARD 1
    3001: alarm 3 closed after 1
    3001: AVA01 is Open: Recovered. The service is OK: x
    3901: AVA01 is Closed: Closed: no problem for 900 s.
    604800: web/http OK -> CRITICAL HARD 1
    604800: alarm 4 opened for web/http
    605100: AVA02 opened, priority 9: web/http is CRITICAL
    605100: alarm 4 changed: CRITICAL x1, root none, ticket 2
    ");
}

#[test]
fn a_host_that_is_down_speaks_for_its_services() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 0).sees(10, "web/http", 2).sees(20, "web", 2);
    story.sees(310, "web/http", 2).wait_until(400);
    assert_snapshot!(story.told(), @r"
    10: web/http OK -> CRITICAL HARD 1
    10: alarm 1 opened for web/http
    20: web UP -> DOWN HARD 1
    20: alarm 2 opened for web
    20: alarm 1 changed: CRITICAL x1, root web, ticket none
    310: alarm 1 changed: CRITICAL x2, root web, ticket none
    320: AVA01 opened, priority 10: web is DOWN
    320: alarm 2 changed: DOWN x1, root none, ticket 1
    ");
    // The host is back; what the service says counts again when it was looked at again.
    story.sees(500, "web", 0).sees(510, "web/http", 2).wait_until(900);
    assert_snapshot!(story.told(), @r"
    500: web DOWN -> UP HARD 1
    500: alarm 2 closed after 1
    500: AVA01 is Open: Recovered. The host is UP: x
    500: alarm 1 changed: CRITICAL x2, root none, ticket none
    800: AVA02 opened, priority 9: web/http is CRITICAL
    800: alarm 1 changed: CRITICAL x3, root none, ticket 2
    ");
}

#[test]
fn a_host_behind_a_dead_parent_raises_no_alarm() {
    let single = || Host { policy: with(|_| {}), ..host("x") };
    let router = Host { name: "router".into(), ..single() };
    let web = Host { name: "web".into(), ..single() };
    let mut story =
        Story::new(inventory(vec![(router, vec![], vec![]), (web, vec![], vec!["router"])], vec![rule()]));
    story.sees(0, "router", 0).sees(0, "web", 0).sees(10, "router", 2).sees(11, "web", 2);
    assert_snapshot!(story.told(), @r"
    10: router UP -> DOWN HARD 1
    10: alarm 1 opened for router
    11: web UP -> UNREACHABLE HARD 1
    ");
}

#[test]
fn a_downtime_keeps_the_ticket_closed_and_its_end_opens_it() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    story.orders(5, downtime("web/http", 0, 1000, DowntimeKind::Fixed)).unwrap();
    story.sees(10, "web/http", 2).sees(500, "web/http", 2).wait_until(1000);
    story.wait_until(1000);
    assert_snapshot!(story.told(), @r"
    5: downtime 1 of web/http scheduled
    5: downtime 1 started
    10: web/http OK -> CRITICAL HARD 1
    10: alarm 1 opened for web/http
    500: alarm 1 changed: CRITICAL x2, root none, ticket none
    1000: downtime 1 ended: Over
    1000: AVA01 opened, priority 9: web/http is CRITICAL
    1000: alarm 1 changed: CRITICAL x2, root none, ticket 1
    ");
}

#[test]
fn a_flexible_downtime_is_used_unused_or_cancelled() {
    let flexible = DowntimeKind::Flexible(Duration::from_secs(60));
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    story.orders(0, downtime("web/http", 0, 100, flexible)).unwrap();
    story.sees(90, "web/http", 2).sees(200, "web/http", 0);
    story.orders(200, downtime("web/http", 200, 300, flexible)).unwrap();
    story.wait_until(400);
    story.orders(400, downtime("web/http", 400, 500, DowntimeKind::Fixed)).unwrap();
    let id = crate::model::id::DowntimeId(3);
    story.orders(401, Operation::CancelDowntime { id }).unwrap();
    let again = story.orders(402, Operation::CancelDowntime { id });
    assert_eq!(again, Err(Refusal::UnknownRecord { what: "downtime", id: 3 }));
    assert_snapshot!(story.told(), @r"
    0: downtime 1 of web/http scheduled
    90: downtime 1 started
    90: web/http OK -> CRITICAL HARD 1
    90: alarm 1 opened for web/http
    150: downtime 1 ended: Over
    200: web/http CRITICAL -> OK HARD 1
    200: alarm 1 closed after 1
    200: downtime 2 of web/http scheduled
    300: downtime 2 ended: Unused
    400: downtime 3 of web/http scheduled
    400: downtime 3 started
    401: downtime 3 ended: Cancelled
    ");
}

#[test]
fn an_acknowledgement_ends_when_it_expires_and_when_the_state_changes() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 1);
    assert_eq!(
        story.orders(1, acknowledge("web", Until::Change, None)),
        Err(Refusal::NoProblem(ObjectKey::host("web")))
    );
    story.orders(1, acknowledge("web/http", Until::Change, Some(60))).unwrap();
    assert!(matches!(
        story.orders(2, acknowledge("web/http", Until::Change, None)),
        Err(Refusal::AlreadyAcknowledged(_))
    ));
    story.wait_until(60);
    story.orders(61, acknowledge("web/http", Until::Change, None)).unwrap();
    story.sees(70, "web/http", 2);
    story.orders(71, acknowledge("web/http", Until::Recovery, None)).unwrap();
    story.sees(80, "web/http", 1).sees(90, "web/http", 0);
    let told = story.told();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("cknowledge")).collect();
    assert_snapshot!(lines.join("\n"), @r"
    1: web/http acknowledged
    60: web/http acknowledgement ended: Expired
    61: web/http acknowledged
    70: web/http acknowledgement ended: StateChanged
    71: web/http acknowledged
    90: web/http acknowledgement ended: Recovered
    ");
}

#[test]
fn an_alarm_that_a_person_closed_is_not_raised_again_for_the_same_problem() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    let alarm = AlarmId(1);
    story.orders(1, Operation::CloseAlarm { alarm, comment: "known".into(), false_positive: None }).unwrap();
    assert!(
        story
            .orders(1, Operation::CloseAlarm { alarm, comment: "again".into(), false_positive: None })
            .is_err()
    );
    story.sees(100, "web/http", 2).sees(200, "web/http", 1).sees(300, "web/http", 2);
    let restored = story.engine.to_restored();
    let inventory = Arc::clone(&story.engine.world().inventory);
    story.engine = Engine::new(inventory, restored, story.now);
    story.sees(400, "web/http", 1).sees(500, "web/http", 0).sees(600, "web/http", 2);
    let told = story.told();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("alarm")).collect();
    assert_snapshot!(lines.join("\n"), @r"
    0: alarm 1 opened for web/http
    1: alarm 1 closed by ana: known
    1: alarm 1 closed after 1
    600: alarm 2 opened for web/http
    ");
}

#[test]
fn people_open_note_close_and_reopen_tickets() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    let ticket = NewTicket {
        class: TicketClass::Alarm,
        r#type: "Generic".into(),
        title: "look at this".into(),
        text: "".into(),
        priority: 5,
        in_charge: None,
        subject: Some(ObjectKey::service("web", "http")),
        alarm: Some(AlarmId(1)),
        tags: Vec::new(),
        fields: Fields::new(),
    };
    story.orders(1, Operation::OpenTicket { ticket: Box::new(ticket) }).unwrap();
    let note =
        |note: TicketNote| Operation::NoteTicket { id: TicketId(1), version: None, note: Box::new(note) };
    let closing = TicketNote { status: Some(TicketStatus::Closed), ..TicketNote::default() };
    let refused = story.orders(2, note(closing.clone())).unwrap_err();
    assert!(refused.to_string().starts_with("closing a ticket needs a resolution"), "{refused}");
    assert!(story.orders(2, note(TicketNote::default())).is_err());
    story.orders(3, note(TicketNote { resolution: Some("fixed".into()), ..closing })).unwrap();
    let open = TicketNote { status: Some(TicketStatus::Open), text: "no".into(), ..TicketNote::default() };
    story.orders(4, note(open)).unwrap();
    // The rule finds the problem in good hands.
    story.wait_until(900);
    assert_snapshot!(story.told(), @r"
    0: web/http OK -> CRITICAL HARD 1
    0: alarm 1 opened for web/http
    1: ALA01 opened, priority 5: look at this
    1: alarm 1 changed: CRITICAL x1, root none, ticket 1
    3: ALA01 is Closed: 
    4: ALA01 reopened: no
    ");
}

#[test]
fn a_reload_keeps_what_did_not_go_away() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.orders(1, acknowledge("web/http", Until::Recovery, None)).unwrap();
    story.orders(1, downtime("web", 100, 900, DowntimeKind::Fixed)).unwrap();
    let job = loop {
        let due = story.engine.next_check().unwrap();
        let job = story.engine.take_due(due).unwrap();
        if job.service.is_some() {
            break job;
        }
    };
    story.told();
    // `web` becomes `www`, and a host that sorts before it moves every place.
    let http = Service { policy: with(|p| p.max_check_attempts = 1), fingerprint: 2, ..service("http") };
    let www = Host { name: "www".into(), was: vec!["web".into()], policy: with(|_| {}), ..host("www") };
    let parts = vec![(host("aaa"), vec![service("ssh")], vec![]), (www, vec![http], vec![])];
    story.now = Timestamp::from_second(START + 350);
    story.step(Input::Reload(Arc::new(inventory(parts, vec![rule()])))).unwrap();
    let told = story.told();
    assert_snapshot!(told, @r#"
    350: downtime 1 started
    350: ObjectsRenamed { names: {ObjectKey { host: "web", service: None }: ObjectKey { host: "www", service: None }, ObjectKey { host: "web", service: Some("http") }: ObjectKey { host: "www", service: Some("http") }} }
    350: ObjectAdded { subject: ObjectKey { host: "aaa", service: None } }
    350: ObjectAdded { subject: ObjectKey { host: "aaa", service: Some("ssh") } }
    350: Reloaded { hosts: 2, services: 2, added: 2, changed: 1, removed: 0 }
    "#);
    // The check that was running is found by its old name and planned as if nothing had been.
    let mut result = story.result(&job.key().to_string(), 2, Source::Active);
    result.place = Some((job.object, job.generation));
    result.started = job.due;
    story.step(Input::Result(result)).unwrap();
    let world = story.engine.world();
    let id = world.inventory.service_id(world.inventory.host_id("www").unwrap(), "http").unwrap();
    let status = world.service(id);
    assert!(status.acknowledgement.is_some());
    assert_eq!(status.next_check, Some(job.due.after(Duration::from_secs(300))));
    assert_eq!(world.host(world.inventory.host_id("www").unwrap()).downtime_depth, 1);
    assert_eq!(world.records.alarms[&AlarmId(1)].subject.to_string(), "www/http");
    story.told();
    // Everything goes away.
    story.step(Input::Reload(Arc::new(inventory(vec![(host("aaa"), vec![], vec![])], vec![])))).unwrap();
    assert_snapshot!(story.told(), @r#"
    350: ObjectRemoved { subject: ObjectKey { host: "aaa", service: Some("ssh") } }
    350: ObjectRemoved { subject: ObjectKey { host: "www", service: None } }
    350: ObjectRemoved { subject: ObjectKey { host: "www", service: Some("http") } }
    350: alarm 1 closed after 2
    350: Reloaded { hosts: 1, services: 0, added: 0, changed: 0, removed: 3 }
    "#);
    let gone = story.result("www/http", 0, Source::Active);
    assert!(matches!(story.step(Input::Result(gone)), Err(Refusal::UnknownObject(_))));
}

#[test]
fn a_shorter_interval_moves_a_next_check_that_would_come_too_late() {
    let every = |seconds| {
        let slow =
            Service { policy: with(|p| p.check_interval = Duration::from_secs(seconds)), ..service("s") };
        inventory(vec![(host("h"), vec![slow], vec![])], vec![])
    };
    let mut story = Story::new(every(3600));
    story.sees(0, "h", 0).sees(0, "h/s", 0);
    let next = |story: &Story| second(story.engine.world().services.get(0).next_check.unwrap());
    assert_eq!(next(&story), 3600);
    story.step(Input::Reload(Arc::new(every(7200)))).unwrap();
    assert_eq!(next(&story), 3600);
    story.step(Input::Reload(Arc::new(every(60)))).unwrap();
    assert!((0..=60).contains(&next(&story)), "{}", next(&story));
}

fn many(count: usize, interval: u64) -> Inventory {
    let one = |at: usize| {
        let policy = with(|p| p.check_interval = Duration::from_secs(interval));
        (Host { policy, ..host(&format!("host-{at:05}")) }, vec![], vec![])
    };
    inventory((0..count).map(one).collect(), vec![])
}

#[test]
fn first_checks_are_spread_without_a_burst_and_the_same_after_each_start() {
    let now = Timestamp::from_second(START);
    let mut firsts = Vec::new();
    for _ in 0..2 {
        let mut engine = Engine::new(Arc::new(many(30_000, 300)), Restored::default(), now);
        let mut seconds = vec![0u32; 300];
        let mut order = Vec::new();
        while let Some(due) = engine.next_check() {
            let job = engine.take_due(due).unwrap();
            seconds[usize::try_from(second(due)).unwrap()] += 1;
            order.push(job.host);
        }
        assert!(seconds.iter().all(|count| (50..200).contains(count)), "{seconds:?}");
        let first_minute: u32 = seconds.iter().take(60).sum();
        assert!((5_400..6_600).contains(&first_minute), "{first_minute}");
        firsts.push(order);
    }
    assert_eq!(firsts[0], firsts[1]);
}

#[test]
fn a_few_new_services_are_checked_within_seconds_and_then_find_their_own_time() {
    let mut story = Story::new(many(7, 300));
    let mut last = 0;
    while let Some(due) = story.engine.next_check().filter(|due| second(*due) < 250) {
        let job = story.engine.take_due(due).unwrap();
        last = last.max(second(due));
        story.now = due;
        let result = story.result(&job.key().to_string(), 0, Source::Active);
        story.step(Input::Result(result)).unwrap();
        let next = story.engine.world().host(job_host(&job)).next_check.unwrap();
        assert!((149..=451).contains(&(second(next) - second(due))), "{next}");
        if last > 2 {
            break;
        }
    }
    assert!(last < 250);
}

fn job_host(job: &crate::model::check::Job) -> crate::model::id::HostId {
    match job.object {
        crate::model::id::Checkable::Host(id) => id,
        crate::model::id::Checkable::Service(_) => panic!("only hosts here"),
    }
}

#[test]
fn a_clock_that_jumps_neither_fires_all_checks_nor_stalls_them() {
    let start = Timestamp::from_second(START);
    // Told, noticed by the engine itself, or both in either order.
    let ways: [&[bool]; 4] = [&[true], &[true, false], &[false], &[false, true]];
    let jumps = [6 * 3600, -6 * 3600, 30 * 24 * 3600, 500, -100];
    for (jump, way) in jumps.into_iter().flat_map(|jump| ways.map(|way| (jump, way))) {
        let mut engine = Engine::new(Arc::new(many(3_000, 300)), Restored::default(), start);
        let now = Timestamp::from_second(START + jump);
        for is_told in way {
            match is_told {
                true => engine.shift(jump * 1_000_000, now),
                false => engine.step(Input::Tick, now, &mut Vec::new()).unwrap(),
            }
        }
        let mut seconds = vec![0u32; 300];
        while let Some(due) = engine.next_check() {
            engine.take_due(due).unwrap();
            seconds[usize::try_from(due.since(now).as_secs()).unwrap()] += 1;
        }
        assert!(seconds.iter().all(|count| *count < 150), "after {jump} {way:?}: {seconds:?}");
    }
}

#[test]
fn a_sleep_that_nobody_told_of_is_noticed() {
    let mut engine =
        Engine::new(Arc::new(many(3_000, 300)), Restored::default(), Timestamp::from_second(START));
    let now = Timestamp::from_second(START + 3600);
    let mut at_once = 0;
    while engine.take_due(now).is_some() {
        at_once += 1;
    }
    assert!(at_once < 100, "{at_once} checks at once");
    let mut all = at_once;
    while let Some(due) = engine.next_check() {
        assert!(due <= now.after(Duration::from_secs(301)));
        engine.take_due(due).unwrap();
        all += 1;
    }
    assert_eq!(all, 3_000);
}

#[test]
fn a_check_outside_its_period_waits_for_the_opening() {
    let mut made = {
        let policy = with(|p| p.check_period = PeriodId(2));
        inventory(vec![(Host { policy, ..host("h") }, vec![], vec![])], vec![])
    };
    // 2023-11-14 22:13:20 is a Tuesday evening.
    let hours = TimeRange::parse_list("08:00-18:00").unwrap();
    made.periods
        .push(fixture::period("office", vec![DayRule { days: DaySpec::Weekdays(0x7f), ranges: hours }]));
    let mut engine = Engine::new(Arc::new(made), Restored::default(), Timestamp::from_second(START));
    let due = engine.next_check().unwrap().to_string();
    assert!(due.starts_with("2023-11-15T08:0"), "{due}");
}

#[test]
fn silence_of_a_passive_check_is_confirmed_like_a_result() {
    let passive = CheckMethod::Passive { stale: State::Critical };
    let backup = Service {
        check: fixture::check(passive),
        policy: with(|p| {
            p.freshness = Freshness::Threshold(Duration::from_secs(3600));
            p.max_check_attempts = 2;
        }),
        ..service("backup")
    };
    let mut story = Story::new(inventory(vec![(host("h"), vec![backup], vec![])], vec![]));
    story.sees(0, "h", 0);
    story.wait_until(100);
    let heard = story.result("h/backup", 0, Source::Passive);
    story.step(Input::Result(heard)).unwrap();
    story.wait_until(4000);
    let heard = story.result("h/backup", 0, Source::Passive);
    story.step(Input::Result(heard)).unwrap();
    assert_snapshot!(story.told(), @r#"
    3700: WentStale { subject: ObjectKey { host: "h", service: Some("backup") }, last_check: Some(2023-11-14T22:15:00Z) }
    3700: h/backup OK -> CRITICAL SOFT 1
    3760: h/backup CRITICAL -> CRITICAL HARD 2
    3760: alarm 1 opened for h/backup
    4000: h/backup CRITICAL -> OK HARD 1
    4000: alarm 1 closed after 1
    "#);
    let recheck = Operation::Recheck { subject: ObjectKey::parse("h/backup"), at: story.now, forced: true };
    assert!(matches!(story.orders(4001, recheck), Err(Refusal::NotChecked(_))));
}

#[test]
fn an_older_result_never_overwrites_a_newer_one() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(100, "web/http", 0);
    let mut old = story.result("web/http", 2, Source::Passive);
    old.started = Timestamp::from_second(START + 50);
    assert!(matches!(story.step(Input::Result(old)), Err(Refusal::Outdated(_))));
    // After the clock went back by an hour everything stored seems to come from the future.
    story.now = Timestamp::from_second(START - 3600);
    let new = story.result("web/http", 2, Source::Active);
    story.step(Input::Result(new)).unwrap();
}

#[test]
fn a_check_overtaken_by_a_passive_result_is_planned_again() {
    let mut story = Story::new(many(1, 300));
    let job = story.engine.take_due(story.now.after(Duration::from_secs(5))).unwrap();
    story.now = job.due.after(Duration::from_secs(9));
    let heard = story.result("host-00000", 0, Source::Passive);
    story.step(Input::Result(heard)).unwrap();
    let mut overtaken = story.result("host-00000", 2, Source::Active);
    overtaken.started = job.due;
    assert!(matches!(story.step(Input::Result(overtaken)), Err(Refusal::Outdated(_))));
    assert!(story.engine.next_check().is_some());
}

#[test]
fn switching_checks_off_and_on_again_plans_them_anew() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    let switch =
        |on| Operation::Switch { subject: ObjectKey::parse("web/http"), switch: Switch::ActiveChecks(on) };
    let next = |story: &Story| story.engine.world().services.get(0).next_check;
    story.orders(1, switch(false)).unwrap();
    assert_eq!(next(&story), None);
    let recheck = |forced| Operation::Recheck {
        subject: ObjectKey::parse("web/http"),
        at: Timestamp::from_second(START),
        forced,
    };
    assert!(matches!(story.orders(2, recheck(false)), Err(Refusal::NotChecked(_))));
    story.orders(2, recheck(true)).unwrap();
    assert_eq!(next(&story).map(second), Some(2));
    story.orders(3, switch(true)).unwrap();
    assert!(next(&story).is_some());
}

#[test]
fn a_host_that_is_no_longer_monitored_is_forgotten_and_its_alarm_closes() {
    let mut story = Story::new(web());
    story.sees(0, "web", 2).told();
    let mut quiet = web();
    quiet.hosts[0].is_monitored = false;
    story.step(Input::Reload(Arc::new(quiet))).unwrap();
    assert_snapshot!(story.told(), @r"
    0: alarm 1 closed after 1
    0: Reloaded { hosts: 1, services: 1, added: 0, changed: 0, removed: 0 }
    ");
    assert_eq!(story.engine.next_check(), None);
    assert_eq!(story.engine.world().totals, crate::engine::world::Totals::default());
    let heard = story.result("web/http", 0, Source::Passive);
    assert!(matches!(story.step(Input::Result(heard)), Err(Refusal::NotMonitored(_))));
}

#[test]
fn a_reload_postpones_no_check_that_is_a_little_late() {
    let mut story = Story::new(many(100, 300));
    let due = story.engine.next_check().unwrap();
    story.now = due.after(Duration::from_secs(1));
    story.step(Input::Reload(Arc::new(many(100, 300)))).unwrap();
    assert_eq!(story.engine.next_check(), Some(due));
}

#[test]
fn hosts_that_nobody_checks_count_as_up_from_the_start_and_stay_spread() {
    let assumed = |at: usize| {
        let host = Host { check: fixture::check(CheckMethod::AssumedUp), ..host(&format!("h{at:03}")) };
        (host, vec![], vec![])
    };
    let mut story = Story::new(inventory((0..200).map(assumed).collect(), vec![]));
    assert_eq!(story.engine.world().totals.hosts, [200, 0, 0]);
    let next: std::collections::BTreeSet<_> =
        story.engine.world().hosts.iter().map(|status| status.next_check.map(second)).collect();
    assert!(next.len() > 100, "{next:?}");
    story.now = Timestamp::from_second(START + 600);
    assert!(story.engine.take_due(story.now).is_none());
    story.step(Input::Tick).unwrap();
    assert_snapshot!(story.told(), @"");
}
