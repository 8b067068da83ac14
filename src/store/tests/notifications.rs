//! Why nobody was told: as a line for people, as data, and over a restart.

use vigia_core::model::event::What;
use vigia_core::model::message::MessageKind;
use vigia_core::model::notification::{Hold, Skip};

use super::*;
use crate::store::log::{self, LogFilter};

fn http() -> ObjectKey {
    ObjectKey::service("web01", "HTTP")
}

fn held(hold: Hold, skipped: Vec<(Name, Skip)>) -> What {
    What::NotificationHeld { subject: http(), kind: MessageKind::Problem, number: 2, hold, skipped }
}

#[tokio::test]
async fn who_was_not_told_and_why_is_a_line_of_the_log_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let opens = Some(at(600));
    let skipped = vec![("ana".into(), Skip::NotWanted), ("ben".into(), Skip::OutsidePeriod { opens })];
    let some = What::ContactsSkipped {
        subject: http(),
        kind: MessageKind::Problem,
        number: 2,
        skipped: vec![("ana".into(), Skip::OtherObjects)],
    };
    let events = vec![
        event(1, held(Hold::Dependency { on: ObjectKey::service("db", "SQL") }, Vec::new())),
        event(2, held(Hold::Nobody { opens }, skipped)),
        event(3, some),
    ];
    running.publish(events, &world).await.unwrap();
    let filter = LogFilter { subject: Some(http()), limit: 9, ..LogFilter::default() };
    let lines = running.store.read(move |db| log::list(db, &filter)).await.unwrap();
    let texts: Vec<(&str, &str)> = lines.iter().map(|line| (&*line.kind, &*line.text)).collect();
    assert_eq!(
        texts,
        [
            ("contacts-skipped", "PROBLEM not to ana (the contact's `match` names other objects)"),
            (
                "notification-held",
                "PROBLEM: no contact was to be told: ana (the contact's `options` leave this out), ben (outside \
                 the contact's notification_period, which opens 2023-11-14T22:23:20Z)"
            ),
            ("notification-held", "PROBLEM: it depends on `db/SQL`, which has failed"),
        ]
    );
    let data = |line: usize| serde_json::from_str::<serde_json::Value>(&lines[line].long_text).unwrap();
    assert_eq!(data(1)["hold"], "nobody");
    assert_eq!(data(1)["skipped"][1]["opens"], 1_700_000_600_000_000_i64);
    assert_eq!((&data(2)["about"], &data(2)["number"]), (&"db/SQL".into(), &2.into()));
}

#[tokio::test]
async fn messages_that_are_off_and_downtimes_that_began_are_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let switched = |on| event(1, What::NotificationsSwitched { on, author: "ana".into() });
    world.records.notifications_off = true;
    world.records.planned = Arc::new([("web 'patching'".into(), at(5))].into());
    running.publish(vec![switched(false)], &world).await.unwrap();
    running.writer.stop().await;
    assert!(restore(folder.path()).notifications_off);
    assert_eq!(restore(folder.path()).planned, *world.records.planned);
    let running = start(folder.path(), world.clone());
    world.records.notifications_off = false;
    running.publish(vec![switched(true)], &world).await.unwrap();
    running.writer.stop().await;
    assert!(!restore(folder.path()).notifications_off);
}
