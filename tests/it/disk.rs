//! A disk that hangs under the running daemon: no error, no answer, for as long as it likes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::daemon::TestDaemon;
use crate::support::disk::Disk;
use crate::support::servers::free_port;

#[tokio::test]
async fn a_disk_that_hangs_stops_no_check_is_said_everywhere_and_heals_by_itself() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    // Outlives the disk: a folder on a disk that hangs cannot be removed.
    let _folder = folder.clone();
    let Some(disk) = Disk::mount(&folder.path().join("state")) else {
        // The same without a real disk is in `runtime/conductor/tests.rs`.
        println!("not tried: this needs root, a loop device and fsfreeze");
        return;
    };
    std::fs::create_dir(folder.path().join("etc")).expect("a folder");
    let site = format!(
        "defaults: {{check_interval: 100ms, retry_interval: 100ms, max_check_attempts: 2}}
hosts: {{web1: {{address: 127.0.0.1, check: {{passive: {{}}}}, services: {{one: {{tcp: {}}}}}}}}}
",
        free_port()
    );
    std::fs::write(folder.path().join("etc/vigia.yaml"), site).expect("a file");
    let daemon = TestDaemon::start_in(folder, &[]).await;
    daemon.wait_for_total("/api/v1/services?state=critical", 1).await;

    disk.hang();
    let is_silent = |process: &Value| {
        process["store"]["trouble"].as_str().is_some_and(|text| text.contains("has not answered"))
    };
    let process = daemon.wait_for("/api/v1/process", is_silent).await;
    daemon.logged("store.silent").await;
    // More than every queue on the way to the disk could hold.
    let checks = |process: &Value| process["checks"]["total"].as_u64().expect("a number");
    let before = checks(&process);
    daemon.wait_for("/api/v1/process", |process| checks(process) > before + 100).await;
    for page in ["/services", "/problems", "/hosts/web1"] {
        let (status, text) = daemon.text(page).await;
        assert!(status == 200 && text.contains("has not answered"), "{page}: {status} {text}");
    }
    let acknowledge = json!({"host": "web1", "service": "one", "comment": "on it"});
    let (status, answer) = daemon.post("/api/v1/acknowledge", &acknowledge).await;
    assert!(status == 503 && answer.to_string().contains("not done"), "{status} {answer}");

    disk.recover();
    daemon.wait_for("/api/v1/process", |process| process["store"]["trouble"].is_null()).await;
    daemon.logged("store.answers").await;
    let (status, answer) = daemon.post("/api/v1/acknowledge", &acknowledge).await;
    assert_eq!(status, 200, "{answer}");
    let log = daemon.log();
    assert!(daemon.stop().await.success(), "{log}");
}
