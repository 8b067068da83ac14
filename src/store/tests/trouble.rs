//! Disks that are full, files that are damaged, rows that do not fit, and a second program on the same file.

use super::*;
use crate::store::StoreError;
use crate::store::log::{self, LogFilter};

async fn count_lines(store: &Store) -> usize {
    let filter = LogFilter { limit: 10_000, ..LogFilter::default() };
    store.read(move |db| log::list(db, &filter)).await.unwrap().len()
}

/// SQLite's own limit stands in for the disk: writing past it fails as a full disk does.
async fn limit_pages(store: &Store, pages: i64) {
    let set = move |db: &rusqlite::Connection| {
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))
    };
    store.write_lightly(set).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_persons_keeps_events_and_recovers_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    running.publish(vec![], &world).await.unwrap();
    let before = count_lines(&running.store).await;
    limit_pages(&running.store, 1).await;
    let long = "x".repeat(1_000);
    let mut sent = 0;
    let refusal = loop {
        *world.services.get_mut(0) = checked(State::Critical, &long, sent);
        let events = vec![alert(sent, State::Ok, State::Critical, &long); 20];
        sent += 20;
        if let Err(refusal) = running.publish(events, &world).await {
            break refusal;
        }
        assert!(sent < 10_000, "the limit does nothing");
    };
    assert!(refusal.why.contains("full"), "{refusal}");
    let health = running.store.health().borrow().clone();
    assert!(health.failing.is_some_and(|failing| failing.why.contains("full")));
    assert_eq!((health.waiting, health.lost), (20, 0));
    // What is not the engine's is refused as well, and nothing of it stays behind.
    let text = long.repeat(50);
    let act = running.store.write(move |db| {
        db.execute("INSERT INTO audit (at, author, action, subject) VALUES (1, 'ana', 'x', ?1)", [&text])
    });
    assert!(matches!(act.await, Err(StoreError::NotKept(_))));
    assert!(running.publish(vec![], &world).await.is_err());
    // Somebody makes room.
    let mut health = running.store.health();
    make_room(&running).await;
    health.wait_for(|health| health.failing.is_none()).await.unwrap();
    let kept = count_lines(&running.store).await - before;
    assert_eq!(kept, usize::try_from(sent).unwrap());
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.services[0].1.last_check, Some(at(sent - 20)));
}

#[tokio::test]
async fn records_whose_events_were_lost_are_mended_from_the_world() {
    use vigia_core::model::comment::{Comment, CommentKind};
    use vigia_core::model::id::CommentId;

    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let comment = |id: u64| Comment {
        id: CommentId(id),
        subject: ObjectKey::host("web01"),
        author: "ana".into(),
        text: "x".repeat(10_000).into(),
        at: at(1),
        kind: CommentKind::User,
    };
    running.publish(vec![event(1, What::CommentAdded(comment(1)))], &world).await.unwrap();
    limit_pages(&running.store, 1).await;
    // Comment 1 is deleted, comment 2 written; then so much happens that this is forgotten.
    let deleted = What::CommentDeleted { id: CommentId(1), subject: ObjectKey::host("web01") };
    let lost = vec![event(2, What::CommentAdded(comment(2))), event(2, deleted)];
    world.records.comments = Arc::new([(CommentId(2), Arc::new(comment(2)))].into());
    running.publish(lost, &world).await.unwrap_err();
    let flood = vec![alert(3, State::Ok, State::Critical, "bad"); 1_000];
    running.publish(flood, &world).await.unwrap_err();
    assert!(running.store.health().borrow().lost >= 2);
    make_room(&running).await;
    let mut health = running.store.health();
    health.wait_for(|health| health.failing.is_none()).await.unwrap();
    running.writer.stop().await;
    assert_eq!(restore(folder.path()).comments, [comment(2)]);
}

/// The limit is lifted from inside, by an act: it runs in a transaction of its own before what waits.
async fn make_room(running: &Running) {
    let lift = |db: &rusqlite::Connection| {
        db.query_row("PRAGMA max_page_count = 1000000", [], |row| row.get::<_, i64>(0))
    };
    running.store.write_lightly(lift).await.unwrap();
}

#[tokio::test]
async fn a_row_that_never_fits_is_counted_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    // A table that refuses one text and takes all others.
    let refuse = |db: &rusqlite::Connection| {
        db.execute_batch(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON event WHEN new.text = 'poison' \
             BEGIN SELECT raise(ABORT, 'poison'); END",
        )
    };
    running.store.write(refuse).await.unwrap();
    let events = vec![
        alert(1, State::Ok, State::Critical, "before"),
        alert(2, State::Ok, State::Critical, "poison"),
        alert(3, State::Ok, State::Critical, "after"),
    ];
    running.publish(events, &world).await.unwrap();
    assert_eq!(count_lines(&running.store).await, 2);
    let health = running.store.health().borrow().clone();
    assert_eq!((health.lost, health.failing), (1, None));
}

#[tokio::test]
async fn an_act_that_fails_leaves_the_others_of_its_transaction_alone() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), world(&[("web01", &[])]));
    let wrong = running.store.write(|db| {
        db.execute("INSERT INTO object (host) VALUES ('half')", [])?;
        db.execute("INSERT INTO nowhere VALUES (1)", [])
    });
    let right = running.store.write(|db| db.execute("INSERT INTO object (host) VALUES ('whole')", []));
    let (wrong, right) = tokio::join!(wrong, right);
    assert!(matches!(wrong, Err(StoreError::Read { .. })));
    assert_eq!(right.unwrap(), 1);
    let hosts = running
        .store
        .read(|db| db.query_row("SELECT group_concat(host) FROM object", [], |row| row.get::<_, String>(0)));
    assert_eq!(hosts.await.unwrap(), "whole");
}

#[test]
fn a_damaged_file_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vigia.db");
    std::fs::write(&path, "this is no database, whatever its name says. ".repeat(100)).unwrap();
    let error = Store::open(&path, Clock::starting_at(at(0))).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Damaged { .. }), "{text}");
    assert!(text.contains("vigia.db") && text.contains(".recover"), "{text}");
}

#[tokio::test]
async fn a_file_cut_short_is_named_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vigia.db");
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    *world.services.get_mut(0) = checked(State::Ok, &"x".repeat(100_000), 1);
    running.publish(vec![], &world).await.unwrap();
    running.writer.stop().await;
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let error = Store::open(&path, Clock::starting_at(at(0))).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let path = Path::new("/nowhere/at/all/vigia.db");
    let error = Store::open(path, Clock::starting_at(at(0))).err().unwrap();
    assert!(error.to_string().contains("/nowhere/at/all/vigia.db"), "{error}");
}

#[tokio::test]
async fn a_second_program_reads_along_while_the_writer_writes() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    running.publish(vec![alert(1, State::Ok, State::Critical, "seen")], &world).await.unwrap();
    let second = Store::open(&folder.path().join("vigia.db"), Clock::starting_at(at(0))).unwrap();
    running.publish(vec![alert(2, State::Critical, State::Ok, "too")], &world).await.unwrap();
    assert_eq!(count_lines(&second.store).await, 2);
}

#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &[])]);
    let running = start(folder.path(), world.clone());
    running.publish(vec![], &world).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn after_a_stop_one_file_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let batch = Batch {
        events: vec![alert(1, State::Ok, State::Critical, "queued")].into(),
        world: Arc::new(world.clone()),
        orders: Vec::new(),
    };
    running.writer.batches.send(batch).await.ok().unwrap();
    running.writer.stop().await;
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("vigia.db"), copy.path().join("vigia.db")).unwrap();
    let copied = start(copy.path(), world);
    assert_eq!(count_lines(&copied.store).await, 1);
}

#[tokio::test]
async fn a_program_that_holds_the_file_is_named_and_outlived_without_anything_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    running.publish(vec![], &world).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("vigia.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    *world.services.get_mut(0) = checked(State::Critical, "bad", 1);
    let events = vec![alert(1, State::Ok, State::Critical, "bad")];
    let refusal = running.publish(events, &world).await.unwrap_err();
    assert!(refusal.why.contains("another program"), "{refusal}");
    assert!(running.store.health().borrow().failing.is_some());
    other.execute_batch("ROLLBACK").unwrap();
    let mut health = running.store.health();
    health.wait_for(|health| health.failing.is_none()).await.unwrap();
    assert_eq!(count_lines(&running.store).await, 1);
    running.writer.stop().await;
    assert_eq!(restore(folder.path()).services.len(), 1);
}

#[tokio::test]
async fn results_that_change_nothing_are_written_about_once_a_second_and_none_is_lost_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let began = std::time::Instant::now();
    for second in 1..=40 {
        *world.services.get_mut(0) = checked(State::Ok, "fine", second);
        let batch = Batch { events: Arc::new([]), world: Arc::new(world.clone()), orders: Vec::new() };
        running.writer.batches.send(batch).await.ok().unwrap();
        while running.writer.batches.capacity() < running.writer.batches.max_capacity() {
            tokio::task::yield_now().await;
        }
    }
    let commits = u128::from(running.store.health().borrow().commits);
    let most = 1 + began.elapsed().as_millis() / 800;
    assert!(commits <= most, "{commits} commits where {most} would do");
    running.writer.stop().await;
    assert_eq!(restore(folder.path()).services[0].1.last_check, Some(at(40)));
}
