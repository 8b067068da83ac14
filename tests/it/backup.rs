//! Backups of the real program: by the daemon when they are due, by hand beside it, and put back on another machine's folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::daemon::{TestDaemon, vigia};

const SITE: &str = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}\n";

fn backups(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()));
    entries.map(Iterator::collect).unwrap_or_default()
}

fn text(output: std::process::Output) -> (i32, String) {
    let all = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it exits"), String::from_utf8_lossy(&all).into_owned())
}

#[tokio::test]
async fn the_daemon_makes_backups_and_says_when_it_cannot() {
    let site = format!("{SITE}backup: {{dir: backups, keep: 3}}\n");
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    daemon.logged("backup.made").await;
    daemon.wait_for("/api/v1/process", |process| process["backup"]["count"] == 1).await;
    let (_, metrics) = daemon.text("/metrics").await;
    assert!(
        metrics.contains("vigia_backup_last_time_seconds ") && metrics.contains("vigia_backup_failing 0")
    );
    let made = backups(&daemon.etc().join("backups"));
    let path = made.first().expect("a backup").to_str().expect("UTF-8").to_owned();
    let (code, said) = text(daemon.cli(&["backup", "--verify", &path]).await);
    assert!(code == 0 && said.contains("is whole: taken "), "{said}");

    // Another, because somebody wants it now; it is known who.
    let (status, answer) = daemon.post("/api/v1/backup", &Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["bytes"].as_u64() > Some(1000), "{answer}");
    let (code, said) =
        text(daemon.cli(&["backup", "--verify", answer["path"].as_str().expect("a path")]).await);
    assert!(code == 0 && said.contains("is whole"), "{said}");
    let process = daemon.get("/api/v1/process").await;
    assert_eq!(process["backup"]["count"], 2, "{process:#}");
    let database = rusqlite::Connection::open(daemon.state().join("vigia.db")).expect("the store");
    let who = "SELECT author FROM audit WHERE action = 'backup'";
    let who: String = database.query_row(who, [], |row| row.get(0)).expect("it is in the audit");
    assert!(!who.is_empty());

    // The folder is somewhere else now, and cannot be made there.
    daemon.write("file", "");
    daemon.write("vigia.yaml", &site.replace("dir: backups", "dir: file/backups"));
    daemon.logged("backup.failed").await;
    let status = daemon
        .wait_for("/api/v1/status", |status| status["notices"].to_string().contains("the last backup failed"))
        .await;
    assert!(status["notices"].to_string().contains("file/backups"), "{status:#}");
    let (status, answer) = daemon.post("/api/v1/backup", &Value::Null).await;
    assert!(status == 503 && answer["error"].to_string().contains("no backup could be made"), "{answer}");

    daemon.write("vigia.yaml", SITE);
    daemon.wait_for("/api/v1/process", |process| process["backup"].is_null()).await;
    let (status, answer) = daemon.post("/api/v1/backup", &Value::Null).await;
    assert!(status == 409 && answer["error"].to_string().contains("backup: {dir:"), "{status} {answer}");
}

#[tokio::test]
async fn one_made_beside_the_running_daemon_brings_back_what_people_did() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let result = json!({"host": "web1", "service": "page", "state": 2, "output": "cut"});
    assert_eq!(daemon.post("/api/v1/result", &result).await.0, 200);
    let note = json!({"host": "web1", "service": "page", "comment": "a cable was cut"});
    assert_eq!(daemon.post("/api/v1/comment", &note).await.0, 200);
    let folder = daemon.folder();
    let path = folder.path().join("copy.tar.gz");
    let path = path.to_str().expect("UTF-8");
    let (code, said) = text(daemon.cli(&["backup", path]).await);
    assert!(code == 0 && said.contains("read back and whole"), "{said}");
    let (code, said) = text(daemon.cli(&["restore", path]).await);
    assert!(code == 1 && said.contains("systemctl stop vigia"), "not under a running daemon: {said}");
    daemon.stop().await;

    // Another machine: the configuration is there, the state is not.
    let other = Arc::new(tempfile::tempdir().expect("a folder"));
    std::fs::create_dir(other.path().join("etc")).expect("a folder");
    std::fs::write(other.path().join("etc/vigia.yaml"), SITE).expect("a file");
    let run = async |args: &[&str]| text(vigia(other.path(), args).output().await.expect("it runs"));
    let (code, said) = run(&["restore", "--dry-run", path]).await;
    assert!(code == 0 && said.contains("nothing was changed"), "{said}");
    assert!(!other.path().join("state").exists(), "nothing was changed");
    let (code, said) = run(&["restore", path]).await;
    assert!(code == 0 && said.contains("there was no store before"), "{said}");
    let daemon = TestDaemon::start_in(other.clone(), &[]).await;
    let comments = daemon.wait_for_total("/api/v1/comments", 1).await;
    assert!(comments.to_string().contains("a cable was cut"), "{comments}");
    let service = daemon.get("/api/v1/hosts/web1/services/page").await;
    assert_eq!(service["state"], 2, "{service:#}");
}

#[tokio::test]
async fn what_is_no_backup_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = async |args: &[&str]| text(vigia(folder.path(), args).output().await.expect("it runs"));
    let (code, said) = run(&["backup"]).await;
    assert!(code == 2 && said.contains("backup: {dir:"), "{said}");
    let (code, said) = run(&["backup", "x.tar.gz"]).await;
    assert!(code == 1 && said.contains("vigia.db"), "there is no store: {said}");
    let junk = folder.path().join("junk");
    std::fs::write(&junk, "junk").expect("a file");
    let (code, said) = run(&["restore", junk.to_str().expect("UTF-8")]).await;
    assert!(code == 1 && said.contains("is not a whole backup of vigia"), "{said}");
    let (code, said) = run(&["--output", "json", "backup", "--list", "."]).await;
    let list: Value = serde_json::from_str(&said).expect("JSON");
    assert!(code == 0 && list["items"] == json!([]), "{said}");
}
