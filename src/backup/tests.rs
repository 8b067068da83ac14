//! A whole life of a backup, with a real store: made beside a writer, verified, damaged, put back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vigia_core::model::time::Timestamp;

use super::schedule::{Health, Keeper, Plan};
use super::*;
use crate::os::clock::Clock;
use crate::store::Store;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second)
}

/// A state folder with a store, a page of discovery and a configuration.
fn state(folder: &Path) -> Source {
    let state_dir = folder.join("state");
    std::fs::create_dir_all(state_dir.join("discovered")).unwrap();
    std::fs::write(state_dir.join("discovered/lan.yaml"), "hosts: {}\n").unwrap();
    std::fs::write(state_dir.join("lock"), "").unwrap();
    let config = folder.join("vigia.yaml");
    std::fs::write(&config, "include: []\n").unwrap();
    let database = state_dir.join("vigia.db");
    drop(Store::open(&database, Clock::starting_at(at(0))).unwrap());
    Source { database, state_dir, config: vec![config] }
}

fn add_user(database: &Path, name: &str) {
    let connection = Connection::open(database).unwrap();
    let sql = "INSERT INTO user (name, role, created, changed) VALUES (?1, 'admin', 1, 1)";
    connection.execute(sql, [name]).unwrap();
    let sql = "INSERT INTO session (hash, user, created, seen) VALUES (CAST(?1 AS BLOB), ?1, 1, 1)";
    connection.execute(sql, [name]).unwrap();
}

fn users(database: &Path) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let mut statement = connection.prepare("SELECT name FROM user ORDER BY name").unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn place(source: &Source) -> Place {
    Place { state_dir: source.state_dir.clone(), database: source.database.clone(), config_to: None }
}

fn made(source: &Source, path: &Path) -> Made {
    make(source, path, at(0), &|| false).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_lost_since_comes_back_and_what_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    add_user(&source.database, "ana");
    let path = folder.path().join("out/copy.tar.gz");
    let made = made(&source, &path);
    let inside: Vec<&str> = made.manifest.files.iter().map(|file| file.name.as_str()).collect();
    let config = format!("config{}", source.config[0].display());
    assert_eq!(inside, ["vigia.db", "discovered/lan.yaml", config.as_str()], "neither lock nor socket");
    assert_eq!(verify(&path).unwrap(), made.manifest);
    assert_eq!(names(&folder.path().join("out")), ["copy.tar.gz"], "nothing is left beside it");

    add_user(&source.database, "eva");
    std::fs::remove_file(source.state_dir.join("discovered/lan.yaml")).unwrap();
    let before = names(&source.state_dir);
    let dry = restore(&path, &place(&source), true, at(60)).unwrap();
    assert_eq!((dry.manifest.census.users, dry.before.unwrap().unwrap().users), (1, 2));
    let mut after = names(&source.state_dir);
    // SQLite's own, of whoever has looked.
    after.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    assert_eq!(after, before, "a dry run changes nothing");

    let done = restore(&path, &place(&source), false, at(60)).unwrap();
    assert_eq!(users(&source.database), ["ana"]);
    assert_eq!(done.settled.sessions, 1, "nobody is logged in");
    assert_eq!(std::fs::read_to_string(source.state_dir.join("discovered/lan.yaml")).unwrap(), "hosts: {}\n");
    let aside = done.aside.unwrap();
    assert_eq!(users(&aside.join("vigia.db")), ["ana", "eva"], "what was there is kept");
    assert!(!names(&source.state_dir).iter().any(|name| name.starts_with(".vigia-restore")));
    Store::open(&source.database, Clock::starting_at(at(120))).unwrap();
}

#[test]
fn a_message_that_waited_then_is_not_sent_twice() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let connection = Connection::open(&source.database).unwrap();
    connection
        .execute_batch(
            "INSERT INTO message (id, key, at, contact, kind, detail) VALUES (1, 'k', 1, 'ana', 'PROBLEM', '{}');
             INSERT INTO delivery (message, contact, channel, target, status) VALUES (1, 'ana', 'email', 'a@b', 'waiting')",
        )
        .unwrap();
    drop(connection);
    let path = folder.path().join("copy.tar.gz");
    made(&source, &path);
    let done = restore(&path, &place(&source), false, at(60)).unwrap();
    assert_eq!(done.settled.messages, 1);
    let connection = Connection::open(&source.database).unwrap();
    let status: String = connection.query_row("SELECT status FROM delivery", [], |row| row.get(0)).unwrap();
    assert_eq!(status, "failed");
}

#[test]
fn the_configuration_comes_out_elsewhere_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let path = folder.path().join("copy.tar.gz");
    made(&source, &path);
    let to = folder.path().join("old");
    let place = Place { config_to: Some(to.clone()), ..place(&source) };
    restore(&path, &place, false, at(60)).unwrap();
    let inside = to.join(source.config[0].strip_prefix("/").unwrap());
    assert_eq!(std::fs::read_to_string(&inside).unwrap(), "include: []\n");
    let again = restore(&path, &place, false, at(61)).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");
}

#[test]
fn a_configuration_that_lies_beside_its_folder_or_deep_comes_out_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = state(folder.path());
    let deep = format!("{}/{}", "d".repeat(150), "n".repeat(150));
    std::fs::create_dir_all(folder.path().join("etc")).unwrap();
    std::fs::create_dir_all(folder.path().join(&deep)).unwrap();
    source.config = vec![folder.path().join("etc/../vigia.yaml"), folder.path().join(&deep).join("a.yaml")];
    std::fs::write(&source.config[1], "hosts: {}\n").unwrap();
    let archive = folder.path().join("x.tar.gz");
    let made = made(&source, &archive);
    assert_eq!(made.manifest.left_out, [""; 0]);
    let to = folder.path().join("elsewhere");
    let other = Place { config_to: Some(to.clone()), ..place(&state(&folder.path().join("other"))) };
    restore(&archive, &other, false, at(60)).unwrap();
    for path in [folder.path().join("vigia.yaml"), source.config[1].clone()] {
        let put = to.join(path.strip_prefix("/").unwrap());
        assert_eq!(std::fs::read(put).unwrap(), std::fs::read(path).unwrap());
    }
}

#[test]
fn a_damaged_one_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let path = folder.path().join("copy.tar.gz");
    made(&source, &path);
    let whole = std::fs::read(&path).unwrap();
    let before = names(&source.state_dir);
    for damage in [whole.len() / 2, whole.len() - 3] {
        std::fs::write(&path, &whole[..damage]).unwrap();
        let error = restore(&path, &place(&source), false, at(60)).unwrap_err();
        assert!(matches!(error, BackupError::Broken { .. }), "{error}");
        let mut flipped = whole.clone();
        flipped[damage] ^= 0x55;
        std::fs::write(&path, flipped).unwrap();
        assert!(restore(&path, &place(&source), false, at(60)).is_err());
    }
    std::fs::write(&path, "no archive at all").unwrap();
    assert!(verify(&path).unwrap_err().to_string().contains("is not a whole backup of vigia"));
    assert_eq!(names(&source.state_dir), before);
}

#[test]
fn nothing_is_put_under_a_daemon_that_runs_nor_over_a_file_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let path = folder.path().join("copy.tar.gz");
    made(&source, &path);
    let exists = make(&source, &path, at(1), &|| false).unwrap_err();
    assert!(matches!(exists, BackupError::Exists { .. }), "{exists}");
    let _lock = crate::os::lock::StateLock::take(&source.state_dir, at(0)).unwrap();
    let refused = restore(&path, &place(&source), false, at(60)).unwrap_err();
    assert!(refused.hint().is_some_and(|hint| hint.contains("systemctl stop")), "{refused}");
    restore(&path, &place(&source), true, at(60)).expect("a dry run may");
}

#[test]
fn one_that_is_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let path = folder.path().join("out/copy.tar.gz");
    let error = make(&source, &path, at(0), &|| true).unwrap_err();
    assert!(matches!(error, BackupError::Stopped), "{error}");
    assert_eq!(names(&folder.path().join("out")), [""; 0]);
}

#[test]
fn the_trouble_with_backups_is_said_by_age_and_by_failure() {
    let plan = Plan {
        dir: PathBuf::from("/b"),
        every: Duration::from_secs(86_400),
        keep: 7,
        max_age: Duration::from_secs(172_800),
    };
    let last = Kept { path: PathBuf::from("/b/x"), taken: at(0), bytes: 1 };
    let health = Health { plan: Some(plan), last: Some(last), count: 1, failing: None };
    assert_eq!(health.trouble(at(172_800)), None);
    assert_eq!(health.trouble(at(3 * 86_400)).as_deref(), Some("the newest backup in /b is 3 days old"));
    let failing = Health { failing: Some((at(0), "no".to_owned())), ..health };
    assert_eq!(failing.trouble(at(0)).as_deref(), Some("the last backup failed: no"));
    assert_eq!(Health::default().trouble(at(0)), None, "nobody wants any");
}

/// A keeper at work.
struct Working {
    told: watch::Receiver<Health>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _plans: watch::Sender<Option<Plan>>,
}

fn keep(plan: Plan, source: Source) -> Working {
    let (plans, plan) = watch::channel(Some(plan));
    let (health, told) = watch::channel(Health::default());
    let sources = std::sync::Arc::new(move || source.clone());
    let keeper =
        Keeper { plan, orders: schedule::Asker::new().1, sources, clock: Clock::starting_at(at(0)), health };
    let stop = CancellationToken::new();
    let running = tokio::spawn(keeper.run(stop.clone()));
    Working { told, stop, running, _plans: plans }
}

impl Working {
    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// In real time: what it does lies on a disk.
#[tokio::test]
async fn it_is_made_when_it_is_due_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    let dir = folder.path().join("backups");
    std::fs::create_dir(&dir).unwrap();
    for day in 1..4 {
        std::fs::write(path_in(&dir, at(-86_400 * day)), "old").unwrap();
    }
    // Made while the clock was wrong.
    std::fs::write(path_in(&dir, at(1_000_000_000)), "ahead").unwrap();
    let plan = Plan {
        dir: dir.clone(),
        every: Duration::from_secs(86_400),
        keep: 2,
        max_age: Duration::from_secs(172_800),
    };
    let mut working = keep(plan, source);
    let is_made = |health: &Health| health.last.as_ref().is_some_and(|last| last.bytes > 5);
    let health = working.told.wait_for(is_made).await.unwrap().clone();
    assert_eq!(health.trouble(at(0)), None);
    verify(&health.last.unwrap().path).unwrap();
    assert_eq!(list(&dir).unwrap().len(), 2);
    working.end().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let source = state(folder.path());
    // A file where the folder should be fails for root too.
    let dir = folder.path().join("vigia.yaml/backups");
    let day = Duration::from_secs(86_400);
    let mut working = keep(Plan { dir, every: day, keep: 2, max_age: day }, source);
    let health = working.told.wait_for(|health| health.failing.is_some()).await.unwrap().clone();
    let trouble = health.trouble(at(0)).unwrap();
    assert!(trouble.contains("vigia.yaml/backups"), "{trouble}");
    working.end().await;
}
