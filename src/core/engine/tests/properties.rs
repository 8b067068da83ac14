//! Invariants over any history.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;

use super::fixture::{START, Story, host, inventory, policy, rule, service};
use super::ledger::{self, Ledger};
use super::planned;
use crate::engine::Engine;
use crate::engine::Input;
use crate::model::acknowledgement::Until;
use crate::model::check::Source;
use crate::model::downtime::{DowntimeKind, PlannedDowntime};
use crate::model::event::What;
use crate::model::host::Host;
use crate::model::id::{AlarmId, DowntimeId, ObjectKey, ProblemId, TicketId};
use crate::model::inventory::Inventory;
use crate::model::operation::{HowToNotify, Operation, Order, Switch, TicketNote};
use crate::model::period::PeriodId;
use crate::model::policy::{FlapPolicy, Policy, StateSet};
use crate::model::rule::{Rule, RuleStates, When};
use crate::model::service::Service;
use crate::model::state::StateType;
use crate::model::status::Status;
use crate::model::ticket::TicketStatus;
use crate::model::time::Timestamp;

const OBJECTS: [&str; 6] = ["router", "web", "web/http", "web/ssh", "db", "db/sql"];

#[derive(Clone, Debug)]
enum Act {
    Result { object: usize, code: i32, passive: bool },
    Run,
    Acknowledge { object: usize, until: usize, notify: bool, expires: Option<u32> },
    RemoveAcknowledgement { object: usize },
    Downtime { object: usize, from: u32, lasts: u32, flexible: Option<u32> },
    Cancel { number: u64 },
    Flapping { object: usize, on: bool },
    Messages { object: usize, on: bool },
    AllMessages { on: bool },
    Notify { object: usize, options: u8 },
    Delay { object: usize, by: u32 },
    Attempts { object: usize, max: u16 },
    CloseTicket { number: u64 },
    CloseAlarm { number: u64 },
    Recheck { object: usize, forced: bool },
    Reload,
}

fn act() -> impl Strategy<Value = Act> {
    let object = || 0..OBJECTS.len();
    prop_oneof![
        12 => (object(), prop_oneof![2 => Just(0), 3 => 1..4], any::<bool>())
            .prop_map(|(object, code, passive)| Act::Result { object, code, passive: passive && code < 3 }),
        4 => Just(Act::Run),
        1 => (object(), 0..3usize, any::<bool>(), proptest::option::of(1..900u32)).prop_map(
            |(object, until, notify, expires)| Act::Acknowledge { object, until, notify, expires }
        ),
        1 => object().prop_map(|object| Act::RemoveAcknowledgement { object }),
        1 => (object(), 0..600u32, 1..2000u32, proptest::option::of(1..600u32))
            .prop_map(|(object, from, lasts, flexible)| Act::Downtime { object, from, lasts, flexible }),
        1 => (1..5u64).prop_map(|number| Act::Cancel { number }),
        1 => (object(), any::<bool>()).prop_map(|(object, on)| Act::Flapping { object, on }),
        1 => (object(), any::<bool>()).prop_map(|(object, on)| Act::Messages { object, on }),
        1 => any::<bool>().prop_map(|on| Act::AllMessages { on }),
        1 => (object(), 0..8u8).prop_map(|(object, options)| Act::Notify { object, options }),
        1 => (object(), 0..4000u32).prop_map(|(object, by)| Act::Delay { object, by }),
        1 => (object(), 1..5u16).prop_map(|(object, max)| Act::Attempts { object, max }),
        1 => (1..5u64).prop_map(|number| Act::CloseTicket { number }),
        1 => (1..8u64).prop_map(|number| Act::CloseAlarm { number }),
        1 => (object(), any::<bool>()).prop_map(|(object, forced)| Act::Recheck { object, forced }),
        1 => Just(Act::Reload),
    ]
}

fn site() -> Inventory {
    let flapping = FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL };
    let with = |change: fn(&mut Policy), max| {
        let mut policy = Policy { max_check_attempts: max, flapping, ..policy() };
        policy.notification_interval = Duration::from_secs(600);
        change(&mut policy);
        Arc::new(policy)
    };
    let host = |name: &str, max| Host { policy: with(|_| {}, max), ..host(name) };
    let service = |name: &str, max, change| Service { policy: with(change, max), ..service(name) };
    let mut made = inventory(
        vec![
            (host("router", 2), vec![], vec![]),
            (
                host("web", 3),
                vec![
                    service("http", 3, |policy| policy.first_notification_delay = Duration::from_secs(400)),
                    service("ssh", 1, |policy| policy.notification_period = EVEN_HOURS),
                ],
                vec!["router"],
            ),
            (host("db", 1), vec![service("sql", 2, |policy| policy.volatile = true)], vec!["router"]),
        ],
        vec![rule(), paging()],
    );
    made.periods.push(ledger::even_hours("even hours"));
    made.contacts = ledger::people(EVEN_HOURS);
    made.escalations = ledger::escalations();
    made.downtimes =
        vec![PlannedDowntime { name: "nightly".into(), ..planned::plan("day 23:20", 20, TimeZone::UTC) }];
    made
}

/// Tells and runs beside the ticket, soft problems too, again and again.
fn paging() -> Rule {
    let RuleStates { hosts, services } = rule().when.states;
    let states = RuleStates { hosts, services: services.with(1) };
    let when = When { hard: false, lasting: Duration::from_secs(90), states, ..rule().when };
    let repeat = Some(Duration::from_secs(700));
    let notify = vec!["boss".into(), "ben".into()];
    let run = Some(vec!["/bin/page".to_owned()]);
    Rule { name: "paging".into(), when, ticket: None, notify, run, repeat, ..rule() }
}

/// The third period: every other hour, so that it opens and closes within a history.
const EVEN_HOURS: PeriodId = PeriodId(2);

fn operation(act: &Act, now: Timestamp) -> Option<Operation> {
    let subject = |object: usize| ObjectKey::parse(OBJECTS[object]);
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Some(match *act {
        Act::Result { .. } | Act::Run | Act::Reload => return None,
        Act::Acknowledge { object, until, notify, expires } => Operation::Acknowledge {
            subject: subject(object),
            comment: "on it".into(),
            until: Until::ALL[until],
            keeps_comment: !notify,
            notify,
            expires: expires.map(|after| now.after(seconds(after))),
        },
        Act::RemoveAcknowledgement { object } => {
            Operation::RemoveAcknowledgement { subject: subject(object) }
        }
        Act::Downtime { object, from, lasts, flexible } => Operation::ScheduleDowntime {
            subject: subject(object),
            start: now.after(seconds(from)),
            end: now.after(seconds(from + lasts)),
            kind: flexible.map_or(DowntimeKind::Fixed, |span| DowntimeKind::Flexible(seconds(span))),
            comment: "planned".into(),
            triggered_by: None,
        },
        Act::Cancel { number } => Operation::CancelDowntime { id: DowntimeId(number) },
        Act::Flapping { object, on } => {
            Operation::Switch { subject: subject(object), switch: Switch::FlapDetection(on) }
        }
        Act::Messages { object, on } => {
            Operation::Switch { subject: subject(object), switch: Switch::Notifications(on) }
        }
        Act::AllMessages { on } => Operation::SwitchNotifications { on },
        Act::Notify { object, options } => Operation::Notify {
            subject: subject(object),
            text: "listen".into(),
            how: HowToNotify {
                broadcast: options & 1 != 0,
                forced: options & 2 != 0,
                counted: options & 4 != 0,
            },
        },
        Act::Delay { object, by } => {
            Operation::DelayNotification { subject: subject(object), until: now.after(seconds(by)) }
        }
        Act::Attempts { object, max } => {
            Operation::Switch { subject: subject(object), switch: Switch::MaxCheckAttempts(max) }
        }
        Act::CloseTicket { number } => Operation::NoteTicket {
            id: TicketId(number),
            version: None,
            note: Box::new(TicketNote {
                status: Some(TicketStatus::Closed),
                resolution: Some("Fixed".into()),
                ..TicketNote::default()
            }),
        },
        Act::CloseAlarm { number } => {
            Operation::CloseAlarm { alarm: AlarmId(number), comment: "".into(), false_positive: None }
        }
        Act::Recheck { object, forced } => Operation::Recheck { subject: subject(object), at: now, forced },
    })
}

fn perform(story: &mut Story, act: &Act) {
    match act {
        Act::Result { object, code, passive } => {
            let source = if *passive { Source::Passive } else { Source::Active };
            let result = story.result(OBJECTS[*object], *code, source);
            // Refusals are part of life.
            let _taken = story.step(Input::Result(result));
        }
        Act::Run => {
            if let Some(job) = story.engine.take_due(story.now) {
                let result = story.result(&job.key().to_string(), 0, Source::Active);
                story.step(Input::Result(result)).unwrap();
            }
        }
        Act::Reload => {
            let fresh = Arc::new(site());
            story.step(Input::Reload(fresh)).unwrap();
        }
        _ => {
            let operation = operation(act, story.now).unwrap();
            let _done = story.step(Input::Order(Order { author: "ana".into(), operation }));
        }
    }
}

/// Everything a reader can see, but for what is only planned.
fn picture(engine: &Engine) -> Vec<String> {
    let world = engine.world();
    let hosts = world.hosts.iter().cloned().map(|status| Status { next_check: None, ..status });
    let services = world.services.iter().cloned().map(|status| Status { next_check: None, ..status });
    let statuses = format!("{:#?}\n{:#?}", hosts.collect::<Vec<_>>(), services.collect::<Vec<_>>());
    let rest = format!("{:#?}\n{:#?}", world.records, world.totals);
    statuses.lines().chain(rest.lines()).map(str::to_owned).collect()
}

fn difference(one: &Engine, other: &Engine) -> Option<(String, String)> {
    let (one, other) = (picture(one), picture(other));
    let at = one.iter().zip(&other).position(|(one, other)| one != other);
    let around = |lines: &[String], at: usize| lines[at.saturating_sub(8)..=at].join(" ");
    match at {
        Some(at) => Some((around(&one, at), around(&other, at))),
        None if one.len() != other.len() => Some((one.len().to_string(), other.len().to_string())),
        None => None,
    }
}

fn restart(story: &mut Story) {
    let restored = story.engine.to_restored();
    let inventory = Arc::clone(&story.engine.world().inventory);
    story.engine = Engine::new(inventory, restored, story.now);
}

fn check(story: &Story) -> Result<(), TestCaseError> {
    let world = story.engine.world();
    prop_assert_eq!(world.totals, world.recount());
    for status in world.services.iter() {
        let attempt = status.standing.attempt;
        prop_assert!(attempt >= 1);
        prop_assert!(status.standing.state_type == StateType::Hard || status.is_problem());
        prop_assert_eq!(status.problem.is_some(), status.is_problem());
        prop_assert!(status.acknowledgement.is_none() || status.is_problem());
    }
    for status in world.hosts.iter() {
        prop_assert_eq!(status.problem.is_some(), status.is_problem());
    }
    for alarm in world.records.alarms.values() {
        let object = world.inventory.find(&alarm.subject).unwrap();
        prop_assert_eq!(story.engine.problem_of(object), Some(alarm.problem));
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    alarms: BTreeMap<(ObjectKey, ProblemId), AlarmId>,
    tickets: BTreeMap<(ObjectKey, ProblemId), TicketId>,
    messages: Ledger,
}

impl Seen {
    /// One problem, one alarm; one problem, one ticket.
    fn take(&mut self, story: &mut Story) -> Result<(), TestCaseError> {
        let inventory = Arc::clone(&story.engine.world().inventory);
        for event in story.events.drain(..) {
            self.messages.enter(&event, &inventory)?;
            match event.what {
                What::AlarmOpened(alarm) => {
                    let before = self.alarms.insert((alarm.subject.clone(), alarm.problem), alarm.id);
                    prop_assert_eq!(before, None, "a second alarm for one problem");
                }
                What::TicketOpened { head, .. } => {
                    if let (Some(subject), Some(problem)) = (head.subject, head.problem) {
                        let before = self.tickets.insert((subject, problem), head.id);
                        prop_assert_eq!(before, None, "a second ticket for one problem");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whatever_happens_the_world_stays_whole(acts in vec((1..400i64, act()), 1..80)) {
        let mut story = Story::new(site());
        let mut seen = Seen::default();
        let mut at = 0;
        for (wait, act) in acts {
            at += wait;
            story.wait_until(at);
            perform(&mut story, &act);
            check(&story)?;
            seen.take(&mut story)?;
        }
    }

    #[test]
    fn a_restart_at_any_step_changes_nothing(
        acts in vec((1..400i64, act()), 1..60),
        restarts in vec(any::<bool>(), 60),
    ) {
        let (mut whole, mut broken) = (Story::new(site()), Story::new(site()));
        let mut at = 0;
        for ((wait, act), restarts) in acts.into_iter().zip(restarts) {
            // What is running is not kept over a restart, so nothing is run here.
            if matches!(act, Act::Run) {
                continue;
            }
            at += wait;
            for story in [&mut whole, &mut broken] {
                story.wait_until(at);
                perform(story, &act);
            }
            if restarts {
                restart(&mut broken);
                let now = broken.now;
                broken.engine.step(Input::Tick, now, &mut broken.events).unwrap();
                whole.engine.step(Input::Tick, now, &mut whole.events).unwrap();
            }
            prop_assert_eq!(difference(&whole.engine, &broken.engine), None);
        }
        // How often a repetition is told is not kept.
        let is_kept = |line: &&str| !line.contains(" changed: ");
        let told = |story: &mut Story| story.all().lines().filter(is_kept).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(told(&mut whole), told(&mut broken));
    }
}

#[test]
fn the_site_has_the_objects_the_histories_speak_of() {
    let story = Story::new(site());
    for object in OBJECTS {
        story.object(object);
    }
    assert_eq!(story.now, Timestamp::from_second(START));
}
