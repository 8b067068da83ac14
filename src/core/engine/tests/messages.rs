//! Who is told what and when, as stories.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::fixture::{START, Story, check, contact, host, inventory, method, period, policy, rule, service};
use crate::engine::Input;
use crate::engine::simulate::{Failure, Simulation};
use crate::model::acknowledgement::Until;
use crate::model::check::{Check, CheckMethod, Source};
use crate::model::contact::{Audience, Contact, Escalation};
use crate::model::downtime::DowntimeKind;
use crate::model::event::What;
use crate::model::host::Host;
use crate::model::id::{Checkable, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::message::About;
use crate::model::operation::{Operation, Switch};
use crate::model::period::{DayRule, DaySpec, PeriodId, TimeRange};
use crate::model::policy::{NotificationOptions, Policy};
use crate::model::rule::Rule;
use crate::model::selector::Selection;
use crate::model::service::Service;
use crate::model::state::State;
use crate::model::time::Timestamp;

/// As a contact is where nothing is said of its options.
const USUAL: NotificationOptions =
    NotificationOptions { unreachable: false, downtime: false, ..NotificationOptions::ALL };
/// The third period of [`with_evenings`].
const EVENINGS: PeriodId = PeriodId(2);

fn with(change: impl FnOnce(&mut Policy)) -> Arc<Policy> {
    let mut policy = Policy { max_check_attempts: 1, ..policy() };
    change(&mut policy);
    Arc::new(policy)
}

fn people(names: &[&str]) -> Vec<Contact> {
    names.iter().map(|name| Contact { options: USUAL, ..contact(name) }).collect()
}

fn only(names: &[&str]) -> Audience {
    Audience::Named { contacts: names.iter().map(|name| (*name).into()).collect(), groups: Vec::new() }
}

/// `web` with `http`, both confirmed at once.
fn web(change: impl FnOnce(&mut Policy)) -> Inventory {
    let http = Service { policy: with(change), ..service("http") };
    let mut made =
        inventory(vec![(Host { policy: with(|_| {}), ..host("web") }, vec![http], vec![])], vec![]);
    made.contacts = people(&["ana", "ben"]);
    made
}

/// It is 22:13:20 on a Tuesday; the evening begins 1000 s into the story.
fn with_evenings(mut made: Inventory) -> Inventory {
    let ranges = vec![TimeRange { start: 22 * 60 + 30, end: 24 * 60 }];
    made.periods.push(period("evenings", vec![DayRule { days: DaySpec::Weekdays(0x7f), ranges }]));
    made
}

fn story(made: Inventory) -> Story {
    let mut story = Story::new(made);
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    story
}

fn downtime(subject: &str, from: i64, to: i64) -> Operation {
    Operation::ScheduleDowntime {
        subject: ObjectKey::parse(subject),
        start: Timestamp::from_second(START + from),
        end: Timestamp::from_second(START + to),
        kind: DowntimeKind::Fixed,
        comment: "patching".into(),
        triggered_by: None,
    }
}

fn acknowledge(subject: &str, expires: Option<i64>) -> Operation {
    Operation::Acknowledge {
        subject: ObjectKey::parse(subject),
        comment: "on it".into(),
        until: Until::Recovery,
        keeps_comment: false,
        notify: true,
        expires: expires.map(|at| Timestamp::from_second(START + at)),
    }
}

/// The checks that are due now, as they are handed out.
fn due(story: &mut Story) -> String {
    let now = story.now;
    let mut names = Vec::new();
    while let Some(job) = story.engine.take_due(now) {
        names.push(job.key().to_string());
    }
    names.join(" ")
}

/// A router, two hosts behind it that are retried, two services on each.
fn branch() -> Inventory {
    let slow = || Arc::new(Policy { retry_interval: Duration::from_secs(60), ..policy() });
    let web = |name: &str| Host { policy: slow(), ..host(name) };
    let services = || {
        let one = |name: &str| Service { policy: with(|_| {}), ..service(name) };
        vec![one("http"), one("ssh")]
    };
    let router = Host { policy: with(|policy| policy.max_check_attempts = 2), ..host("router") };
    let parts = vec![
        (router, vec![], vec![]),
        (web("a"), services(), vec!["router"]),
        (web("b"), services(), vec!["router"]),
    ];
    let mut made = inventory(parts, vec![]);
    made.contacts = people(&["ana"]);
    made
}

#[test]
fn one_outage_of_a_router_is_one_message() {
    let mut story = Story::new(branch());
    for key in ["router", "a", "b", "a/http", "a/ssh", "b/http", "b/ssh"] {
        story.sees(0, key, 0);
    }
    // The services notice first, then the hosts, then the router.
    story.sees(100, "a/http", 2).sees(101, "b/ssh", 2).sees(102, "a", 2).sees(103, "b", 2);
    story.sees(104, "router", 2).sees(105, "a/ssh", 2).sees(110, "b/http", 2);
    story.sees(162, "a", 2).sees(163, "b", 2).sees(164, "router", 2).sees(222, "a", 2).sees(223, "b", 2);
    story.sees(400, "a/http", 2).sees(405, "b/http", 2);
    assert_snapshot!(story.messages(), @r"
    100: a/http PROBLEM held: host-verdict until 110
    101: b/ssh PROBLEM held: host-verdict until 111
    102: a/http PROBLEM held: host-down
    103: b/ssh PROBLEM held: host-down
    105: a/ssh PROBLEM held: host-down
    110: b/http PROBLEM held: host-down
    164: router PROBLEM 1 to ana
    222: a PROBLEM held: nobody
    223: b PROBLEM held: nobody
    ");
    // It is back: those who were told hear so, and what was never told has nothing to take back.
    for key in ["router", "a", "b", "a/http", "a/ssh", "b/http", "b/ssh"] {
        story.sees(600, key, 0);
    }
    assert_snapshot!(story.messages(), @r"
    600: router RECOVERY 1 to ana
    ");
}

#[test]
fn a_message_about_a_service_waits_for_the_check_of_its_host() {
    let mut story = story(web(|_| {}));
    story.sees(300, "web/http", 2);
    assert_eq!(due(&mut story), "web");
    story.sees(302, "web", 0);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: host-verdict until 310
    302: web/http PROBLEM 1 to ana
    302: web/http PROBLEM 1 to ben
    ");
    // This time it is the host.
    story.sees(600, "web/http", 0).sees(900, "web/http", 2).sees(903, "web", 2).sees(1200, "web/http", 2);
    assert_snapshot!(story.messages(), @r"
    600: web/http RECOVERY 1 to ana
    600: web/http RECOVERY 1 to ben
    900: web/http PROBLEM held: host-verdict until 910
    903: web PROBLEM 1 to ana
    903: web PROBLEM 1 to ben
    903: web/http PROBLEM held: host-down
    ");
}

#[test]
fn the_wait_for_a_host_ends_with_the_time_its_check_may_take() {
    let mut story = story(web(|_| {}));
    story.sees(300, "web/http", 2).sees(305, "web/http", 1).wait_until(400);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: host-verdict until 310
    310: web/http PROBLEM 1 to ana
    310: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn a_host_that_nobody_checks_is_not_waited_for() {
    let mut made = web(|_| {});
    made.hosts[0].check = check(CheckMethod::Passive { stale: State::Critical });
    let mut story = story(made);
    story.sees(300, "web/http", 2);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM 1 to ana
    300: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn a_host_waits_for_its_parents_and_keeps_silent_behind_them() {
    let mut made = branch();
    for host in &mut made.hosts {
        host.policy = with(|_| {});
    }
    let mut story = Story::new(made);
    story.sees(0, "router", 0).sees(0, "a", 0).sees(0, "b", 0);
    story.sees(100, "a", 2).sees(101, "router", 2).sees(160, "a", 2);
    assert_snapshot!(story.messages(), @r"
    100: a PROBLEM held: host-verdict until 110
    101: router PROBLEM 1 to ana
    101: a PROBLEM held: parents-down
    160: a PROBLEM held: nobody
    ");
    // Now the router is fine and it is the host itself.
    story.sees(200, "router", 0).sees(210, "b", 2).sees(212, "router", 0);
    assert_snapshot!(story.messages(), @r"
    200: router RECOVERY 1 to ana
    210: b PROBLEM held: host-verdict until 220
    212: b PROBLEM 1 to ana
    ");
}

#[test]
fn repeats_come_at_their_own_time_and_end_with_the_problem() {
    let mut story = story(web(|policy| policy.notification_interval = Duration::from_secs(600)));
    story.sees(300, "web", 0).sees(300, "web/http", 2).wait_until(1600);
    story.sees(1700, "web/http", 1).sees(1800, "web/http", 0).wait_until(9000);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM 1 to ana
    300: web/http PROBLEM 1 to ben
    900: web/http PROBLEM 2 to ana
    900: web/http PROBLEM 2 to ben
    1500: web/http PROBLEM 3 to ana
    1500: web/http PROBLEM 3 to ben
    1700: web/http PROBLEM 4 to ana
    1700: web/http PROBLEM 4 to ben
    1800: web/http RECOVERY 4 to ana
    1800: web/http RECOVERY 4 to ben
    ");
}

#[test]
fn the_first_message_comes_when_its_delay_is_over_and_none_if_it_was_short() {
    let mut story = story(web(|policy| policy.first_notification_delay = Duration::from_secs(600)));
    story.sees(300, "web/http", 2).sees(400, "web/http", 2).sees(600, "web/http", 0).wait_until(1200);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: first-delay until 900
    ");
    story.sees(1300, "web", 0).sees(1300, "web/http", 2).wait_until(2500);
    assert_snapshot!(story.messages(), @r"
    1300: web/http PROBLEM held: first-delay until 1900
    1900: web/http PROBLEM 1 to ana
    1900: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn what_a_closed_period_held_is_told_when_it_opens() {
    let mut story = story(with_evenings(web(|policy| policy.notification_period = EVENINGS)));
    story.sees(300, "web/http", 2).sees(310, "web", 0).sees(600, "web/http", 2).wait_until(1100);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: outside-period until 1000
    1000: web/http PROBLEM 1 to ana
    1000: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn whoever_was_told_hears_of_the_end_even_when_their_day_is_over() {
    let mut made = with_evenings(web(|_| {}));
    made.contacts[1].notification_period = EVENINGS;
    let mut story = story(made);
    // Both are told in the evening; it is good again after midnight, when ben sleeps.
    story.sees(1200, "web", 0).sees(1200, "web/http", 2).sees(7000, "web/http", 0);
    let evening = 24 * 3600 + 1000;
    story.wait_until(evening + 10);
    assert_snapshot!(story.messages(), @r"
    1200: web/http PROBLEM 1 to ana
    1200: web/http PROBLEM 1 to ben
    3000: web/http PROBLEM 2 to ana
    3000: web/http PROBLEM 2 to ben
    4800: web/http PROBLEM 3 to ana
    4800: web/http PROBLEM 3 to ben
    6600: web/http PROBLEM 4 to ana
    6600: web/http PROBLEM 4 not to ben
    7000: web/http RECOVERY 4 to ana
    7000: web/http RECOVERY 4 not to ben
    87400: web/http RECOVERY 4 to ben
    ");
}

#[test]
fn a_reload_changes_nothing_of_who_hears_of_the_end() {
    let mut story = story(web(|policy| policy.audience = only(&["ana"])));
    story.sees(300, "web", 0).sees(300, "web/http", 2);
    let edited = web(|policy| policy.audience = only(&["ben"]));
    story.step(Input::Reload(Arc::new(edited))).unwrap();
    story.sees(600, "web/http", 0);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM 1 to ana
    600: web/http RECOVERY 1 to ana
    ");
}

#[test]
fn a_downtime_tells_its_ends_to_whoever_wants_that_and_holds_what_lies_in_it() {
    let mut made = web(|_| {});
    made.contacts[0].options.downtime = true;
    let mut story = story(made);
    story.orders(100, downtime("web/http", 100, 1000)).unwrap();
    story.sees(200, "web/http", 2).sees(250, "web", 0).wait_until(1000);
    // Whether it is still so is looked at before anybody is woken.
    assert_eq!(due(&mut story), "web/http");
    story.sees(1002, "web/http", 2);
    assert_snapshot!(story.messages(), @r"
    100: web/http DOWNTIMESTART 0 to ana
    100: web/http DOWNTIMESTART 0 not to ben
    200: web/http PROBLEM held: in-downtime until 1000
    1000: web/http DOWNTIMEEND 0 to ana
    1000: web/http DOWNTIMEEND 0 not to ben
    1002: web/http PROBLEM 1 to ana
    1002: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn the_end_of_a_problem_inside_a_downtime_is_told_when_the_downtime_is_over() {
    let mut story = story(web(|_| {}));
    story.sees(100, "web", 0).sees(100, "web/http", 2);
    story.orders(200, downtime("web", 200, 1000)).unwrap();
    story.sees(300, "web/http", 0).wait_until(1100);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM 1 to ana
    100: web/http PROBLEM 1 to ben
    200: web DOWNTIMESTART held: nobody
    300: web/http RECOVERY held: host-in-downtime until 1000
    1000: web DOWNTIMEEND held: nobody
    1000: web/http RECOVERY 1 to ana
    1000: web/http RECOVERY 1 to ben
    ");
}

#[test]
fn whoever_cancels_a_downtime_has_a_minute_to_think_twice() {
    let mut story = story(web(|_| {}));
    story.orders(100, downtime("web/http", 100, 5000)).unwrap();
    story.sees(200, "web/http", 2).sees(210, "web", 0);
    let id = *story.engine.world().records.downtimes.keys().next().unwrap();
    story.orders(400, Operation::CancelDowntime { id }).unwrap();
    story.wait_until(500);
    assert_snapshot!(story.messages(), @r"
    100: web/http DOWNTIMESTART held: nobody
    200: web/http PROBLEM held: in-downtime until 5000
    400: web/http DOWNTIMECANCELLED held: nobody
    460: web/http PROBLEM 1 to ana
    460: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn an_acknowledgement_is_told_and_holds_repeats_until_a_result_after_it_ends() {
    let mut story = story(web(|policy| policy.notification_interval = Duration::from_secs(600)));
    story.sees(100, "web", 0).sees(100, "web/http", 2);
    story.orders(200, acknowledge("web/http", Some(1000))).unwrap();
    story.sees(400, "web/http", 2).sees(800, "web/http", 2).wait_until(1100);
    story.sees(1200, "web/http", 2);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM 1 to ana
    100: web/http PROBLEM 1 to ben
    200: web/http ACKNOWLEDGEMENT 1 to ana
    200: web/http ACKNOWLEDGEMENT 1 to ben
    400: web/http PROBLEM held: acknowledged
    1200: web/http PROBLEM 2 to ana
    1200: web/http PROBLEM 2 to ben
    ");
}

#[test]
fn what_nobody_checks_speaks_for_itself_once_its_host_is_back() {
    let mut made = web(|_| {});
    made.services[0].check = check(CheckMethod::Passive { stale: State::Unknown });
    let mut story = Story::new(made);
    story.sees(0, "web", 0).sees(100, "web", 2);
    let result = story.result("web/http", 2, Source::Passive);
    story.step(Input::Result(result)).unwrap();
    story.sees(400, "web", 0).wait_until(500);
    assert_snapshot!(story.messages(), @r"
    100: web PROBLEM 1 to ana
    100: web PROBLEM 1 to ben
    100: web/http PROBLEM held: host-down
    400: web RECOVERY 1 to ana
    400: web RECOVERY 1 to ben
    460: web/http PROBLEM 1 to ana
    460: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn an_escalation_stands_in_the_place_of_the_usual_ones_or_beside_them() {
    let mut made = web(|policy| {
        policy.notification_interval = Duration::from_secs(600);
        policy.audience = only(&["ana"]);
    });
    made.contacts = people(&["ana", "ben", "chief"]);
    let beside = Escalation {
        name: "beside".into(),
        only: Selection::parse(["web"], false).unwrap(),
        first_notification: 2,
        last_notification: 2,
        notification_interval: Some(Duration::from_secs(60)),
        period: None,
        options: NotificationOptions::ALL,
        audience: only(&["ben"]),
        adds: true,
    };
    let instead = Escalation {
        name: "instead".into(),
        first_notification: 3,
        last_notification: 0,
        notification_interval: None,
        audience: only(&["chief"]),
        adds: false,
        ..beside.clone()
    };
    made.escalations = vec![beside, instead];
    let mut story = story(made);
    story.sees(100, "web", 0).sees(100, "web/http", 2).wait_until(1400);
    story.sees(1500, "web/http", 0);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM 1 to ana
    700: web/http PROBLEM 2 escalated to ana
    700: web/http PROBLEM 2 escalated to ben
    760: web/http PROBLEM 3 escalated to chief
    1360: web/http PROBLEM 4 escalated to chief
    1500: web/http RECOVERY 4 escalated to chief
    ");
}

#[test]
fn where_escalations_leave_nobody_of_those_told_all_of_them_hear_of_the_end() {
    let mut made = web(|policy| policy.audience = only(&["ana"]));
    made.escalations = vec![Escalation {
        name: "chief".into(),
        only: Selection::everything(),
        first_notification: 1,
        last_notification: 0,
        notification_interval: None,
        period: None,
        options: NotificationOptions { recovery: false, ..NotificationOptions::ALL },
        audience: only(&["ben"]),
        adds: false,
    }];
    let mut story = story(made);
    story.sees(100, "web", 0).sees(100, "web/http", 2).sees(200, "web/http", 0);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM 1 escalated to ben
    200: web/http RECOVERY 1 to ben
    ");
}

#[test]
fn a_rule_that_suppresses_is_named_as_the_reason() {
    let mut made = web(|_| {});
    let quiet = Rule { name: "quiet".into(), suppress: true, ticket: None, ..rule() };
    made.rules = vec![quiet];
    made.rules[0].when.lasting = Duration::ZERO;
    let mut story = story(made);
    story.sees(100, "web/http", 2).sees(400, "web/http", 2).sees(700, "web/http", 1);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM held: suppressed
    700: web/http PROBLEM held: host-verdict until 710
    ");
}

#[test]
fn a_reason_is_said_once_and_again_only_when_it_becomes_another() {
    let mut story = story(web(|_| {}));
    let off =
        |on| Operation::Switch { subject: ObjectKey::parse("web/http"), switch: Switch::Notifications(on) };
    story.orders(50, off(false)).unwrap();
    story.sees(100, "web/http", 2).sees(400, "web/http", 2).sees(410, "web", 2).sees(700, "web/http", 2);
    story.orders(750, off(true)).unwrap();
    story.wait_until(900);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM held: off
    410: web PROBLEM 1 to ana
    410: web PROBLEM 1 to ben
    810: web/http PROBLEM held: host-down
    ");
}

#[test]
fn nobody_to_tell_is_said_and_waits_for_no_check() {
    let mut story = story(web(|policy| policy.audience = only(&[])));
    story.sees(300, "web/http", 2);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: nobody
    ");
    assert_eq!(due(&mut story), "web");
    let Checkable::Service(id) = story.object("web/http") else { panic!("a service") };
    assert_eq!(story.engine.world().service(id).notification.number, 0);
}

#[test]
fn all_messages_off_holds_everything_and_on_lets_it_come() {
    let mut story = story(web(|_| {}));
    story.orders(50, Operation::SwitchNotifications { on: false }).unwrap();
    story.sees(100, "web/http", 2).sees(110, "web", 0);
    story.orders(200, Operation::SwitchNotifications { on: true }).unwrap();
    story.wait_until(300);
    assert_snapshot!(story.messages(), @r"
    100: web/http PROBLEM held: all-off
    260: web/http PROBLEM 1 to ana
    260: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn a_check_without_an_answer_in_time_does_not_hold_the_message() {
    let mut made = web(|_| {});
    made.hosts[0].check = Arc::new(Check { kind: "tcp", method: method(), timeout: Duration::from_secs(25) });
    let mut story = story(made);
    story.sees(300, "web/http", 2).wait_until(324);
    assert_snapshot!(story.messages(), @r"
    300: web/http PROBLEM held: host-verdict until 325
    ");
    story.wait_until(325);
    assert_snapshot!(story.messages(), @r"
    325: web/http PROBLEM 1 to ana
    325: web/http PROBLEM 1 to ben
    ");
}

#[test]
fn a_simulation_tells_what_an_outage_would_lead_to() {
    let start = Timestamp::from_second(START);
    let at = |second: u64| start.after(Duration::from_secs(second));
    let failures =
        [Failure { what: Selection::parse(["router"], false).unwrap(), from: start, until: Some(at(1500)) }];
    let mut told = Vec::new();
    let mut simulation = Simulation::new(Arc::new(branch()), start);
    simulation.run(&failures, at(7200), |event| {
        if let What::Notified(message) = event.what {
            let About::Object(notice) = message.about else { panic!("a digest is the outbox's") };
            told.push(format!("{} {}", notice.subject, notice.kind.word()));
        }
    });
    assert_eq!(told, ["router PROBLEM", "router RECOVERY"]);
    assert_eq!(simulation.world().totals.host_problems_unhandled, 0);
}
