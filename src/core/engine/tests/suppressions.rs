//! Stories of false positives: what comes of them no more, and what does all the same.

use std::sync::Arc;

use super::fixture::{START, Story};
use super::stories::web;
use crate::engine::Engine;
use crate::model::event::What;
use crate::model::id::{AlarmId, ObjectKey, SuppressionId, TicketId};
use crate::model::operation::{FalsePositive, Operation, Refusal, TicketNote};
use crate::model::suppression::FALSE_POSITIVE;
use crate::model::ticket::TicketStatus;
use crate::model::time::Timestamp;

fn false_positive(expires: Option<i64>) -> Operation {
    let expires = expires.map(|second| Timestamp::from_second(START + second));
    let note = TicketNote {
        text: "the probe is blind here".into(),
        status: Some(TicketStatus::Closed),
        resolution: Some("false positive".into()),
        false_positive: FalsePositive { expires, anomaly: None },
        ..TicketNote::default()
    };
    Operation::NoteTicket { id: TicketId(1), version: None, note: Box::new(note) }
}

fn reopen() -> Operation {
    let (text, status) = ("it was real".into(), Some(TicketStatus::Open));
    Operation::NoteTicket {
        id: TicketId(1),
        version: None,
        note: Box::new(TicketNote { text, status, ..TicketNote::default() }),
    }
}

/// Its ticket is open since second 300.
fn with_ticket() -> Story {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.wait_until(400);
    assert!(story.told().contains("AVA01 opened"));
    story
}

fn tickets(story: &mut Story) -> String {
    let told = story.all();
    let about =
        |line: &&str| line.contains("AVA") || line.contains("held: false") || line.contains("PROBLEM 1");
    told.lines().filter(about).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_ticket_closed_as_a_false_positive_is_the_last_of_its_problem_until_that_is_revoked() {
    let mut story = with_ticket();
    story.orders(500, false_positive(None)).unwrap();
    story.sees(600, "web/http", 0);
    story.told();
    // A day and more later: nothing would reopen the old one.
    story.sees(100_000, "web/http", 2);
    story.wait_until(101_000);
    assert_eq!(tickets(&mut story), "100000: web/http PROBLEM held: false-positive");
    let world = story.engine.world();
    let [suppression] = &world.records.suppressions.values().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((suppression.held, &*suppression.reason), (1, "the probe is blind here"));
    let alarm = world.records.alarms.values().next().unwrap();
    assert!(
        alarm.labels.contains(&FALSE_POSITIVE.into()),
        "the alarm is there, and says why nothing comes of it"
    );
    story.orders(101_000, Operation::RevokeSuppression { id: SuppressionId(1) }).unwrap();
    story.sees(101_060, "web/http", 2);
    let said = story.all();
    assert!(said.contains("AVA02 opened") && said.contains("PROBLEM held: nobody"), "{said}");
    assert!(story.engine.world().records.alarms.values().all(|alarm| alarm.labels.is_empty()));
}

#[test]
fn a_worse_problem_than_the_one_called_false_is_told() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 1);
    let how = Some(FalsePositive::default());
    let close = Operation::CloseAlarm { alarm: AlarmId(1), comment: "always so".into(), false_positive: how };
    story.orders(10, close).unwrap();
    story.sees(60, "web/http", 0).sees(120, "web/http", 1);
    story.told();
    story.sees(180, "web/http", 2);
    story.wait_until(600);
    let said = tickets(&mut story);
    assert!(said.contains("AVA01 opened"), "{said}");
    let labels = |story: &Story| story.engine.world().records.alarms.values().next().unwrap().labels.len();
    assert_eq!(labels(&story), 0);
    story.sees(700, "web/http", 1);
    assert!(!tickets(&mut story).contains("PROBLEM 1 to"));
}

#[test]
fn it_expires_by_itself_over_a_restart_too_and_what_stands_then_gets_its_ticket() {
    let mut story = with_ticket();
    story.orders(500, false_positive(Some(200_000))).unwrap();
    assert_eq!(story.orders(500, false_positive(Some(400))), Ok(()), "it is closed: the time says nothing");
    story.sees(600, "web/http", 0).sees(150_000, "web/http", 2);
    let inventory = Arc::clone(&story.engine.world().inventory);
    story.engine = Engine::new(inventory, story.engine.to_restored(), story.now);
    story.told();
    story.wait_until(199_999);
    assert_eq!(tickets(&mut story), "");
    story.wait_until(200_010);
    assert!(tickets(&mut story).contains("200000: AVA02 opened"));
    assert!(story.engine.world().records.suppressions.is_empty());
}

#[test]
fn a_time_that_is_over_is_refused_and_closes_nothing() {
    let mut story = with_ticket();
    assert_eq!(story.orders(500, false_positive(Some(499))), Err(Refusal::Past));
    assert_eq!(story.engine.world().records.open_tickets, 1);
}

#[test]
fn who_opens_the_ticket_again_takes_the_suppression_back() {
    let mut story = with_ticket();
    story.orders(500, false_positive(None)).unwrap();
    assert!(story.engine.world().suppressions_of(&ObjectKey::parse("web/http")).next().is_some());
    story.orders(600, reopen()).unwrap();
    assert!(story.engine.world().records.suppressions.is_empty());
    let gone = Operation::RevokeSuppression { id: SuppressionId(1) };
    assert!(matches!(story.orders(601, gone), Err(Refusal::UnknownRecord { .. })));
}

#[test]
fn said_twice_it_is_one_suppression_that_covers_the_worse() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    let close = |alarm| {
        let false_positive = Some(FalsePositive::default());
        Operation::CloseAlarm { alarm: AlarmId(alarm), comment: "so".into(), false_positive }
    };
    story.orders(10, close(1)).unwrap();
    story.sees(60, "web/http", 0).sees(120, "web/http", 1);
    story.orders(130, close(2)).unwrap();
    let known = &story.engine.world().records.suppressions;
    assert_eq!(known.keys().copied().collect::<Vec<_>>(), [SuppressionId(2)]);
    assert_eq!(known[&SuppressionId(2)].matched.to_string(), "problems up to CRITICAL");
}

#[test]
fn an_alarm_is_owned_labelled_commented_closed_and_opened_again_with_a_line_for_each() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.told();
    let (alarm, text) = (AlarmId(1), || "seen".into());
    let label = |label: &str, set| Operation::LabelAlarm { alarm, label: label.into(), set };
    let acts = [
        Operation::OwnAlarm { alarm, owner: Some("ana".into()) },
        label("Analysis in progress", true),
        label("Analysis in progress", true),
        Operation::CommentAlarm { alarm, text: text() },
        Operation::CloseAlarm { alarm, comment: text(), false_positive: None },
        Operation::CommentAlarm { alarm, text: text() },
        Operation::ReopenAlarm { alarm, comment: text() },
        label("Analysis in progress", false),
        Operation::OwnAlarm { alarm, owner: None },
    ];
    for act in acts {
        story.orders(1, act).unwrap();
    }
    let lines = |story: &mut Story| {
        let noted = story.events.drain(..).filter_map(|event| match event.what {
            What::AlarmNoted { what, text, .. } => Some(format!("{what}|{text}")),
            _ => None,
        });
        noted.collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&mut story),
        [
            "owner: ana|",
            "label: Analysis in progress|",
            "|seen",
            "closed|seen",
            "|seen",
            "opened again|seen",
            "without label: Analysis in progress|",
            "released|"
        ]
    );
    for (act, why) in [
        (Operation::ReopenAlarm { alarm, comment: text() }, "is open"),
        (label("two\nlines", true), "one line"),
        (label(&"x".repeat(65), true), "at most 64"),
        (Operation::CommentAlarm { alarm, text: " ".into() }, "needs a text"),
        (Operation::CommentAlarm { alarm: AlarmId(9), text: text() }, "problem that stands"),
    ] {
        let refused = story.orders(2, act).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    // Its problem is over: what comes next is another alarm.
    story.orders(3, Operation::CloseAlarm { alarm, comment: text(), false_positive: None }).unwrap();
    story.sees(60, "web/http", 0);
    assert!(story.orders(61, Operation::ReopenAlarm { alarm, comment: text() }).is_err());
}

#[test]
fn the_label_of_a_false_positive_suppresses_and_without_it_nothing_is_suppressed() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    let label = |set| Operation::LabelAlarm { alarm: AlarmId(1), label: FALSE_POSITIVE.into(), set };
    story.orders(10, label(true)).unwrap();
    story.wait_until(1000);
    assert!(!story.all().contains("opened, priority"));
    story.orders(1001, label(false)).unwrap();
    story.wait_until(1002);
    assert!(story.all().contains("AVA01 opened"));
    assert!(story.engine.world().records.suppressions.is_empty());
}
