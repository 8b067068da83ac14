//! Stories of objects that the configuration loses and finds again.

use std::sync::Arc;

use super::fixture::{START, Story, host, inventory, rule, service};
use crate::engine::world::{REMEMBERED, World};
use crate::engine::{Engine, Input};
use crate::model::acknowledgement::Until;
use crate::model::downtime::DowntimeKind;
use crate::model::host::Host;
use crate::model::id::{AlarmId, Checkable, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::operation::Operation;
use crate::model::service::Service;
use crate::model::status::ServiceStatus;
use crate::model::time::Timestamp;

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

fn acknowledge(subject: &str) -> Operation {
    Operation::Acknowledge {
        subject: ObjectKey::parse(subject),
        comment: "on it".into(),
        until: Until::Recovery,
        keeps_comment: false,
        notify: false,
        expires: None,
    }
}

fn comment(subject: &str, text: &str) -> Operation {
    Operation::AddComment { subject: ObjectKey::parse(subject), text: text.into() }
}

fn both() -> Inventory {
    inventory(
        vec![(host("db"), vec![service("sql")], vec![]), (host("web"), vec![service("http")], vec![])],
        vec![rule()],
    )
}

fn only_db() -> Inventory {
    inventory(vec![(host("db"), vec![service("sql")], vec![])], vec![rule()])
}

/// `web/http` is CRITICAL, acknowledged, in downtime, has a comment, an alarm and a ticket.
fn troubled() -> Story {
    let mut story = Story::new(both());
    story.sees(0, "web", 0);
    for at in [0, 60, 120, 420] {
        story.sees(at, "web/http", 2);
    }
    story.orders(430, acknowledge("web/http")).unwrap();
    story.orders(431, downtime("web/http", 440, 9000)).unwrap();
    story.wait_until(450);
    story.told();
    story
}

fn http(world: &World) -> &ServiceStatus {
    match world.inventory.find(&ObjectKey::service("web", "http")) {
        Some(Checkable::Service(id)) => world.service(id),
        other => panic!("{other:?}"),
    }
}

impl Story {
    fn reloads(&mut self, at: i64, inventory: Inventory) {
        self.now = Timestamp::from_second(START + at);
        self.step(Input::Reload(Arc::new(inventory))).unwrap();
    }

    /// Ends the daemon and starts it with another configuration.
    fn restarts(&mut self, at: i64, inventory: Inventory) {
        self.now = Timestamp::from_second(START + at);
        let restored = self.engine.to_restored();
        self.engine = Engine::new(Arc::new(inventory), restored, self.now);
        self.step(Input::Tick).unwrap();
    }
}

/// As it was, but for what time itself moves on.
fn assert_nothing_is_lost(before: &ServiceStatus, story: &Story) {
    let world = story.engine.world();
    let after = http(world);
    assert_eq!(after.standing, before.standing);
    assert_eq!(after.acknowledgement, before.acknowledgement);
    assert_eq!(after.problem, before.problem);
    assert_eq!(after.downtime_depth, 1);
    assert_eq!(after.output, before.output);
    assert_eq!(after.notification, before.notification);
    assert!(world.records.alarms[&AlarmId(1)].closed.is_none(), "the alarm is open again");
    assert_eq!(world.records.alarms.len(), 1);
    assert_eq!(world.records.tickets.len(), 1);
    assert_eq!(world.records.comments.len(), 2, "a person's and that of the acknowledgement");
    assert!(world.records.absent.is_empty());
}

#[test]
fn what_is_away_for_a_moment_comes_back_as_it_was() {
    let mut story = troubled();
    let before = http(story.engine.world()).clone();
    story.orders(460, comment("web/http", "the cable")).unwrap();
    story.told();
    story.reloads(500, only_db());
    insta::assert_snapshot!(story.told(), @r#"
    500: ObjectRemoved { subject: ObjectKey { host: "web", service: None } }
    500: ObjectRemoved { subject: ObjectKey { host: "web", service: Some("http") } }
    500: alarm 1 closed after 2
    500: Reloaded { hosts: 1, services: 1, added: 0, changed: 0, removed: 2 }
    "#);
    let world = story.engine.world();
    assert_eq!(world.records.absent.len(), 2);
    assert!(world.inventory.find(&ObjectKey::host("web")).is_none());
    assert!(world.records.alarms[&AlarmId(1)].closed.is_some(), "what nobody watches raises no alarm");
    story.reloads(700, both());
    insta::assert_snapshot!(story.told(), @r#"
    700: ObjectReturned { subject: ObjectKey { host: "web", service: None } }
    700: ObjectReturned { subject: ObjectKey { host: "web", service: Some("http") } }
    700: alarm 1 opened for web/http
    700: Reloaded { hosts: 2, services: 2, added: 0, changed: 0, removed: 0 }
    "#);
    assert_nothing_is_lost(&before, &story);
}

#[test]
fn a_restart_in_between_changes_nothing() {
    let mut story = troubled();
    let before = http(story.engine.world()).clone();
    story.orders(460, comment("web/http", "the cable")).unwrap();
    story.restarts(500, only_db());
    assert_eq!(story.engine.world().records.absent.len(), 2, "absent at the start is not forgotten either");
    story.restarts(600, only_db());
    story.restarts(700, both());
    assert_nothing_is_lost(&before, &story);
}

#[test]
fn who_stays_away_for_too_long_is_forgotten() {
    let mut story = troubled();
    story.orders(460, comment("web/http", "the cable")).unwrap();
    story.reloads(500, only_db());
    story.told();
    let end = 500 + i64::try_from(REMEMBERED.as_secs()).unwrap();
    story.wait_until(end - 1);
    assert_eq!(story.engine.world().records.absent.len(), 2);
    story.told();
    story.wait_until(end);
    insta::assert_snapshot!(story.told(), @r#"
    259700: comment 1 deleted
    259700: comment 2 deleted
    259700: ObjectForgotten { subject: ObjectKey { host: "web", service: None } }
    259700: AVA01 is Open: `web/http` is no longer in the configuration.
    259700: ObjectForgotten { subject: ObjectKey { host: "web", service: Some("http") } }
    "#);
    let records = &story.engine.world().records;
    assert!(records.absent.is_empty() && records.comments.is_empty() && records.alarms.is_empty());
    story.reloads(end + 10, both());
    assert!(!http(story.engine.world()).has_been_checked, "it begins anew");
}

#[test]
fn another_object_may_take_the_name_of_an_absent_one() {
    let mut story = troubled();
    story.reloads(500, only_db());
    let heir = Host { was: vec!["db".into()], ..host("web") };
    story.reloads(600, inventory(vec![(heir, vec![service("sql")], vec![])], vec![rule()]));
    let world = story.engine.world();
    assert!(!world.records.absent.contains_key(&ObjectKey::host("web")));
    assert!(world.records.absent.contains_key(&ObjectKey::service("web", "http")), "nobody took this one");
}

#[test]
fn host_and_service_renamed_in_one_edit_keep_all_they_had() {
    let mut story = troubled();
    let before = http(story.engine.world()).clone();
    story.orders(460, comment("web/http", "the cable")).unwrap();
    let www = Service { was: vec!["http".into()], ..service("www") };
    let shop = Host { was: vec!["web".into()], ..host("shop") };
    story.reloads(500, inventory(vec![(shop, vec![www], vec![])], vec![rule()]));
    let world = story.engine.world();
    let Some(Checkable::Service(id)) = world.inventory.find(&ObjectKey::service("shop", "www")) else {
        panic!()
    };
    assert_eq!(world.service(id).acknowledgement, before.acknowledgement);
    assert_eq!(world.service(id).downtime_depth, 1);
    let records = &world.records;
    let subjects = [
        &records.comments.values().next().unwrap().subject,
        &records.downtimes.values().next().unwrap().subject,
        &records.alarms.values().next().unwrap().subject,
        records.tickets.values().next().unwrap().subject.as_ref().unwrap(),
    ];
    assert_eq!(subjects.map(ToString::to_string), ["shop/www"; 4]);
}
