//! Objects that go, come back and get new names: what refers to them comes along.

use std::collections::BTreeMap;

use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::id::CommentId;

use super::*;
use crate::store::log::{self, LogFilter};

#[tokio::test]
async fn a_removed_object_is_absent_until_it_is_back_or_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), before.clone());
    *before.services.get_mut(0) = checked(State::Critical, "gone", 1);
    running.publish(vec![], &before).await.unwrap();
    let removed = event(2, What::ObjectRemoved { subject: ObjectKey::service("web01", "HTTP") });
    running.publish(vec![removed], &world(&[("web01", &[])])).await.unwrap();
    running.writer.stop().await;
    let restored = restore(folder.path());
    let key = ObjectKey::service("web01", "HTTP");
    assert_eq!(restored.absent, [(key.clone(), at(2))]);
    assert_eq!(&*restored.services[0].1.output.text, "gone", "all that was known is kept");

    let running = start(folder.path(), world(&[("web01", &[])]));
    let back = event(3, What::ObjectReturned { subject: key.clone() });
    running.publish(vec![back], &before).await.unwrap();
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert!(restored.absent.is_empty() && restored.services.len() == 1);

    let running = start(folder.path(), before.clone());
    let removed = event(4, What::ObjectRemoved { subject: key.clone() });
    let forgotten = event(5, What::ObjectForgotten { subject: key });
    running.publish(vec![removed, forgotten], &world(&[("web01", &[])])).await.unwrap();
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert!(
        restored.absent.is_empty() && restored.services.is_empty(),
        "it does not wake up in an old state"
    );
}

#[tokio::test]
async fn a_renamed_host_keeps_status_and_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), before.clone());
    *before.services.get_mut(0) = checked(State::Critical, "bad", 1);
    running.publish(vec![alert(1, State::Ok, State::Critical, "bad")], &before).await.unwrap();
    let mut after = world(&[("shop", &["HTTP"])]);
    *after.services.get_mut(0) = before.services.get(0).clone();
    let (from, to) = (ObjectKey::host("web01"), ObjectKey::host("shop"));
    let renamed = event(2, What::ObjectsRenamed { names: Arc::new([(from, to)].into()) });
    running.publish(vec![renamed], &after).await.unwrap();
    let filter =
        LogFilter { subject: Some(ObjectKey::service("shop", "HTTP")), limit: 10, ..Default::default() };
    let history = running.store.read(move |db| log::list(db, &filter)).await.unwrap();
    assert_eq!(history.len(), 1);
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.services.len(), 1);
    assert_eq!(restored.services[0].0, ObjectKey::service("shop", "HTTP"));
}

fn a_comment(id: u64, on: &ObjectKey) -> Event {
    event(
        1,
        What::CommentAdded(Comment {
            id: CommentId(id),
            subject: on.clone(),
            author: "ana".into(),
            text: format!("of {on}").into(),
            at: at(1),
            kind: CommentKind::User,
        }),
    )
}

/// Renames in the file, starts anew, and says on what each comment and each status is then.
async fn renamed(
    names: BTreeMap<ObjectKey, ObjectKey>,
    after: World,
) -> (Vec<String>, Vec<String>, Vec<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let (db, web) = (ObjectKey::service("db01", "SQL"), ObjectKey::service("web01", "HTTP"));
    let mut before = world(&[("db01", &["SQL"]), ("web01", &["HTTP"])]);
    let running = start(folder.path(), before.clone());
    *before.services.get_mut(0) = checked(State::Critical, "db01", 1);
    *before.services.get_mut(1) = checked(State::Critical, "web01", 1);
    let events = vec![a_comment(1, &db), a_comment(2, &web), alert(1, State::Ok, State::Critical, "bad")];
    running.publish(events, &before).await.unwrap();
    let new_names: Vec<ObjectKey> = names.values().cloned().collect();
    running.publish(vec![event(2, What::ObjectsRenamed { names: Arc::new(names) })], &after).await.unwrap();
    running.writer.stop().await;

    let opened = Store::open(&folder.path().join("vigia.db"), Clock::starting_at(at(0))).unwrap();
    let comments =
        opened.restored.comments.iter().map(|one| format!("{} {}", one.subject, one.text)).collect();
    let statuses =
        opened.restored.services.iter().map(|(key, one)| format!("{key} {}", one.output.text)).collect();
    let mut alerts = Vec::new();
    for subject in new_names {
        let filter = LogFilter { subject: Some(subject), limit: 10, ..Default::default() };
        let lines = opened.store.read(move |db| log::list(db, &filter)).await.unwrap();
        alerts.push(lines.iter().filter(|line| line.kind == "state").count());
    }
    (comments, statuses, alerts)
}

#[tokio::test]
async fn host_and_service_renamed_in_one_edit_keep_all_they_had() {
    let mut after = world(&[("db01", &["SQL"]), ("shop", &["WWW"])]);
    *after.services.get_mut(0) = checked(State::Critical, "db01", 1);
    *after.services.get_mut(1) = checked(State::Critical, "web01", 1);
    let names = [
        (ObjectKey::host("web01"), ObjectKey::host("shop")),
        (ObjectKey::service("web01", "HTTP"), ObjectKey::service("shop", "WWW")),
    ];
    let (comments, statuses, alerts) = renamed(names.into(), after).await;
    assert_eq!(comments, ["db01/SQL of db01/SQL", "shop/WWW of web01/HTTP"]);
    assert_eq!(statuses, ["db01/SQL db01", "shop/WWW web01"]);
    assert_eq!(alerts, [0, 1], "the history of the service came along");
}

#[tokio::test]
async fn names_that_are_swapped_do_not_become_one() {
    let mut after = world(&[("db01", &["HTTP"]), ("web01", &["SQL"])]);
    *after.services.get_mut(0) = checked(State::Critical, "web01", 1);
    *after.services.get_mut(1) = checked(State::Critical, "db01", 1);
    let names = [
        (ObjectKey::host("web01"), ObjectKey::host("db01")),
        (ObjectKey::host("db01"), ObjectKey::host("web01")),
        (ObjectKey::service("web01", "HTTP"), ObjectKey::service("db01", "HTTP")),
        (ObjectKey::service("db01", "SQL"), ObjectKey::service("web01", "SQL")),
    ];
    let (comments, statuses, alerts) = renamed(names.into(), after).await;
    assert_eq!(comments, ["web01/SQL of db01/SQL", "db01/HTTP of web01/HTTP"]);
    assert_eq!(statuses, ["db01/HTTP web01", "web01/SQL db01"]);
    // In the order of the old names: db01, db01/SQL, web01, web01/HTTP.
    assert_eq!(alerts, [0, 0, 0, 1]);
}
