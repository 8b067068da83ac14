//! Event handlers, what rules do beside their tickets, and acknowledgements that last until it is worse.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::fixture::{START, Story, contact, host, inventory, own, period, policy, rule, service};
use crate::engine::Input;
use crate::model::acknowledgement::Until;
use crate::model::contact::{ContactGroup, Webhook, WebhookFormat};
use crate::model::event::What;
use crate::model::id::ObjectKey;
use crate::model::inventory::Inventory;
use crate::model::message::{About, MessageId};
use crate::model::operation::{Operation, Switch};
use crate::model::period::{DayRule, DaySpec, PeriodId, TimeRange};
use crate::model::policy::{Handler, NotificationOptions, Own, Policy};
use crate::model::rule::{Rule, RuleStates, When};
use crate::model::secret::Secret;
use crate::model::service::Service;
use crate::model::time::Timestamp;

/// It is 22:13:20 on a Tuesday; the evening begins 1000 s into the story.
const EVENINGS: PeriodId = PeriodId(2);

fn web(own_of_http: Own, rules: Vec<Rule>) -> Inventory {
    let http = Service { own: own(own_of_http), ..service("http") };
    let mut made = inventory(vec![(host("web"), vec![http], vec![])], rules);
    let ranges = vec![TimeRange { start: 22 * 60 + 30, end: 24 * 60 }];
    made.periods.push(period("evenings", vec![DayRule { days: DaySpec::Weekdays(0x7f), ranges }]));
    made
}

fn story(made: Inventory) -> Story {
    let mut story = Story::new(made);
    story.sees(0, "web", 0).sees(0, "web/http", 0);
    story.events.clear();
    story
}

/// What was to be done since the last call, in words.
fn done(story: &mut Story) -> String {
    let line = |event: crate::model::event::Event| {
        let (What::ActionDue(message) | What::Notified(message)) = &event.what else { return None };
        let About::Object(notice) = &message.about else { panic!("a digest is the outbox's") };
        let ways: Vec<&str> = message.channels.iter().map(|channel| channel.word()).collect();
        Some(format!(
            "{}: {} {} {} {} {} to {} by {}{}",
            event.at.as_second() - START,
            notice.kind.word(),
            notice.state,
            notice.state_type,
            notice.attempt,
            notice.number,
            message.addressee(),
            ways.join(" "),
            notice.comment.as_deref().map(|comment| format!(", {comment}")).unwrap_or_default(),
        ))
    };
    story.events.drain(..).filter_map(line).collect::<Vec<_>>().join("\n")
}

fn restart(story: &mut Story) {
    let restored = story.engine.to_restored();
    let inventory = Arc::clone(&story.engine.world().inventory);
    story.engine = crate::engine::Engine::new(inventory, restored, story.now);
    story.step(Input::Tick).unwrap();
}

fn handles(call: &str) -> Own {
    Own { event_handler: Some(Handler::Command(call.into())), ..Own::default() }
}

#[test]
fn handlers_run_on_every_change_and_not_on_what_stays() {
    let mut made = web(handles("restart!httpd"), vec![]);
    made.handlers.service = Some(Handler::Run(vec!["/bin/note".to_owned()]));
    let mut story = story(made);
    for (second, code) in [(60, 2), (120, 1), (180, 2), (240, 2), (300, 1), (360, 0), (420, 2), (480, 0)] {
        story.sees(second, "web/http", code);
    }
    // A host has no handler here, and those of services do not run for it.
    story.sees(500, "web", 2);
    assert_snapshot!(done(&mut story), @r"
    60: HANDLER CRITICAL SOFT 1 0 to event handler of all by run
    60: HANDLER CRITICAL SOFT 1 0 to event handler by command
    120: HANDLER WARNING SOFT 2 0 to event handler of all by run
    120: HANDLER WARNING SOFT 2 0 to event handler by command
    180: HANDLER CRITICAL HARD 3 0 to event handler of all by run
    180: HANDLER CRITICAL HARD 3 0 to event handler by command
    300: HANDLER WARNING HARD 3 0 to event handler of all by run
    300: HANDLER WARNING HARD 3 0 to event handler by command
    360: HANDLER OK HARD 1 0 to event handler of all by run
    360: HANDLER OK HARD 1 0 to event handler by command
    420: HANDLER CRITICAL SOFT 1 0 to event handler of all by run
    420: HANDLER CRITICAL SOFT 1 0 to event handler by command
    480: HANDLER OK SOFT 2 0 to event handler of all by run
    480: HANDLER OK SOFT 2 0 to event handler by command
    ");
}

#[test]
fn a_handler_that_is_off_or_outside_its_period_does_not_run_and_that_of_all_does() {
    let mut made = web(Own { event_handler_period: Some(EVENINGS), ..handles("restart") }, vec![]);
    made.handlers.service = Some(Handler::Run(vec!["/bin/note".to_owned()]));
    let mut story = story(made);
    story.sees(60, "web/http", 2);
    assert_snapshot!(done(&mut story), @"60: HANDLER CRITICAL SOFT 1 0 to event handler of all by run");
    story.sees(1000, "web/http", 2);
    assert_snapshot!(done(&mut story), @r"
    1000: HANDLER CRITICAL SOFT 2 0 to event handler of all by run
    1000: HANDLER CRITICAL SOFT 2 0 to event handler by command
    ");
    let off =
        Operation::Switch { subject: ObjectKey::parse("web/http"), switch: Switch::EventHandler(false) };
    story.orders(1010, off).unwrap();
    story.sees(1060, "web/http", 2);
    assert_snapshot!(done(&mut story), @"1060: HANDLER CRITICAL HARD 3 0 to event handler of all by run");
}

/// Soft problems too, so that stories are short.
fn page(change: impl FnOnce(&mut Rule)) -> Rule {
    let RuleStates { hosts, services } = rule().when.states;
    let states = RuleStates { hosts, services: services.with(1) };
    let when = When { hard: false, lasting: Duration::ZERO, states, ..rule().when };
    let mut made = Rule { name: "page".into(), when, ticket: None, ..rule() };
    change(&mut made);
    made
}

fn webhook() -> Option<Webhook> {
    Some(Webhook {
        url: Secret::Literal("http://hook.example.test".to_owned()),
        format: WebhookFormat::Pagerduty,
        headers: Vec::new(),
        timeout: Duration::from_secs(10),
    })
}

#[test]
fn a_rule_tells_and_runs_once_per_problem_and_its_webhook_hears_of_the_end() {
    let mut made = web(
        Own::default(),
        vec![page(|rule| {
            rule.notify = vec!["night".into()];
            (rule.webhook, rule.run) = (webhook(), Some(vec!["/bin/page".to_owned()]));
        })],
    );
    made.contacts = vec![contact("boss"), contact("eve")];
    made.contactgroups =
        vec![ContactGroup { name: "night".into(), alias: "".into(), members: vec!["boss".into()] }];
    made.services[0].policy = Arc::new(Policy {
        audience: crate::model::contact::Audience::Named { contacts: vec!["eve".into()], groups: Vec::new() },
        ..policy()
    });
    let mut story = story(made);
    story.sees(60, "web/http", 2).sees(120, "web/http", 2);
    restart(&mut story);
    assert_snapshot!(done(&mut story), @r"
    60: PROBLEM CRITICAL SOFT 1 1 to boss by , by the rule `page`
    60: PROBLEM CRITICAL SOFT 1 1 to rule page by webhook, by the rule `page`
    60: PROBLEM CRITICAL SOFT 1 1 to rule page by run, by the rule `page`
    ");
    // The usual message goes its usual way; the end is told to both.
    story.sees(180, "web/http", 2).sees(240, "web/http", 0);
    assert_snapshot!(done(&mut story), @r"
    190: PROBLEM CRITICAL HARD 3 1 to eve by 
    240: RECOVERY OK HARD 1 1 to boss by 
    240: RECOVERY OK HARD 1 1 to eve by 
    240: RECOVERY OK HARD 1 1 to rule page by webhook, by the rule `page`
    ");
    // Another problem, another page.
    story.sees(300, "web/http", 1).sees(360, "web/http", 0);
    assert_snapshot!(done(&mut story), @r"
    300: PROBLEM WARNING SOFT 1 1 to boss by , by the rule `page`
    300: PROBLEM WARNING SOFT 1 1 to rule page by webhook, by the rule `page`
    300: PROBLEM WARNING SOFT 1 1 to rule page by run, by the rule `page`
    360: RECOVERY OK HARD 1 0 to boss by 
    360: RECOVERY OK HARD 1 1 to rule page by webhook, by the rule `page`
    ");
}

#[test]
fn a_rule_repeats_after_its_time_also_over_a_restart_and_never_under_one_id() {
    let mut story = story(web(
        Own::default(),
        vec![page(|rule| {
            rule.run = Some(vec!["/bin/page".to_owned()]);
            rule.repeat = Some(Duration::from_secs(600));
        })],
    ));
    story.sees(60, "web/http", 2);
    story.wait_until(700);
    restart(&mut story);
    story.wait_until(2000);
    let ids: Vec<MessageId> = story
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::ActionDue(message) => Some(message.id.clone()),
            _ => None,
        })
        .collect();
    assert_snapshot!(done(&mut story), @r"
    60: PROBLEM CRITICAL SOFT 1 1 to rule page by run, by the rule `page`
    660: PROBLEM CRITICAL SOFT 1 2 to rule page by run, by the rule `page`
    1260: PROBLEM CRITICAL SOFT 1 3 to rule page by run, by the rule `page`
    1860: PROBLEM CRITICAL SOFT 1 4 to rule page by run, by the rule `page`
    ");
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "{ids:?}");
}

#[test]
fn a_contact_of_a_rule_hears_when_its_period_opens_and_not_what_it_does_not_want() {
    let mut made = web(Own::default(), vec![page(|rule| rule.notify = vec!["late".into(), "picky".into()])]);
    let none = NotificationOptions::NONE;
    made.contacts = vec![
        crate::model::contact::Contact { notification_period: EVENINGS, ..contact("late") },
        crate::model::contact::Contact { options: none, ..contact("picky") },
    ];
    made.services[0].policy = Arc::new(Policy { notification_options: none, ..policy() });
    let mut story = story(made);
    story.sees(60, "web/http", 2).sees(120, "web/http", 2);
    story.wait_until(1100);
    assert_snapshot!(story.messages(), @r"
    60: web/http PROBLEM 1 not to late picky
    1000: web/http PROBLEM 1 to late
    ");
}

#[test]
fn a_rule_that_suppresses_holds_what_other_rules_would_say() {
    let quiet = page(|rule| (rule.name, rule.suppress) = ("quiet".into(), true));
    let mut story =
        story(web(Own::default(), vec![page(|rule| rule.run = Some(vec!["/bin/page".to_owned()])), quiet]));
    story.sees(60, "web/http", 2);
    assert_snapshot!(done(&mut story), @"");
}

fn acknowledge(until: Until, keeps_comment: bool) -> Operation {
    Operation::Acknowledge {
        subject: ObjectKey::parse("web/http"),
        comment: "on it".into(),
        until,
        notify: false,
        keeps_comment,
        expires: None,
    }
}

#[test]
fn until_worse_outlasts_what_is_better_and_its_comment_goes_with_it() {
    let mut story = story(web(Own::default(), vec![]));
    story.sees(60, "web/http", 1);
    story.orders(61, acknowledge(Until::Worse, false)).unwrap();
    let comments = |story: &Story| story.engine.world().records.comments.len();
    assert_eq!(comments(&story), 1);
    // UNKNOWN is less severe than WARNING, and WARNING again is what was acknowledged.
    story.sees(120, "web/http", 3).sees(180, "web/http", 1);
    restart(&mut story);
    assert_eq!(comments(&story), 1);
    story.told();
    story.sees(240, "web/http", 2);
    assert_snapshot!(story.told(), @r"
    240: web/http acknowledgement ended: Worse
    240: comment 1 deleted
    240: web/http WARNING -> CRITICAL HARD 3
    240: alarm 1 changed: CRITICAL x2, root none, ticket none
    ");
    assert_eq!(comments(&story), 0);
}

#[test]
fn a_comment_that_is_kept_stays_when_the_acknowledgement_ends() {
    let mut story = story(web(Own::default(), vec![]));
    story.sees(60, "web/http", 2);
    story.orders(61, acknowledge(Until::Recovery, true)).unwrap();
    story.sees(120, "web/http", 0);
    let comments = &story.engine.world().records.comments;
    let texts: Vec<&str> = comments.values().map(|comment| &*comment.text).collect();
    assert_eq!(texts, ["on it"]);
    assert_eq!(story.now, Timestamp::from_second(START + 120));
}

/// The checks that are handed out now.
fn due(story: &mut Story) -> Vec<String> {
    let now = story.now;
    std::iter::from_fn(|| story.engine.take_due(now)).map(|job| job.key().to_string()).collect()
}

#[test]
fn a_check_outside_its_period_waits_for_the_next_instant_inside_and_that_is_said_once() {
    let mut made = web(Own::default(), vec![]);
    made.services[0].policy = Arc::new(Policy { check_period: EVENINGS, ..policy() });
    let mut story = story(made);
    let planned = |story: &Story| match story.object("web/http") {
        crate::model::id::Checkable::Service(id) => story.engine.world().service(id).next_check.unwrap(),
        crate::model::id::Checkable::Host(_) => panic!("a service"),
    };
    // The period opens at 1000; a part of the interval is added, so that it does not open with a burst.
    let first = planned(&story).as_second() - START;
    assert!((1000..1300).contains(&first), "{first}");
    for second in [100, 999] {
        story.wait_until(second);
        assert!(!due(&mut story).contains(&"web/http".to_owned()), "at {second}");
    }
    story.wait_until(first + 1);
    assert!(due(&mut story).contains(&"web/http".to_owned()));
    // A result in the last minutes: the next check is tomorrow, and why is said.
    story.sees(6390, "web/http", 0).sees(6395, "web/http", 0);
    let next = planned(&story).as_second() - START;
    assert!((87_400..87_700).contains(&next), "{next}");
    assert_snapshot!(story.told(), @r#"6390: CheckHeld { subject: ObjectKey { host: "web", service: Some("http") }, why: OutsidePeriod { opens: Some(2023-11-15T22:30:00Z) } }"#);
}

#[test]
fn a_check_that_depends_on_what_failed_is_not_run_and_that_is_said_once() {
    use crate::model::dependency::{Dependency, FailureStates};
    let mut made = web(Own::default(), vec![]);
    let on = crate::model::id::Checkable::Host(crate::model::id::HostId(0));
    made.services[0].depends_on = vec![Dependency {
        on,
        execution_failure: FailureStates {
            states: crate::model::policy::StateSet::NONE.with(1),
            pending: false,
        },
        notification_failure: FailureStates::default(),
        period: None,
        inherits_parent: false,
    }];
    made.hosts[0].policy = Arc::new(Policy { max_check_attempts: 1, ..policy() });
    let mut story = story(made);
    story.sees(10, "web", 2);
    story.events.clear();
    for second in (60..1500).step_by(60) {
        story.wait_until(second);
        assert!(!due(&mut story).contains(&"web/http".to_owned()), "at {second}");
    }
    story.step(Input::Tick).unwrap();
    assert_snapshot!(story.told(), @r#"300: CheckHeld { subject: ObjectKey { host: "web", service: Some("http") }, why: Dependency { on: ObjectKey { host: "web", service: None } } }"#);
}
