//! The daemon as a process: it starts or says why not, reloads, stops, and comes back with what it knew.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::support::daemon::{TestDaemon, vigia};

/// One host that is taken as UP, with a plugin that says what `text` is.
fn site(text: &str, code: u8) -> String {
    format!(
        "hosts:\n  web1:\n    address: 192.0.2.1\n    check: off\n    services:\n      ECHO:\n        \
         plugin: [/bin/sh, -c, 'echo {text}; exit {code}']\n        \
         check_interval: 1s\n        retry_interval: 1s\n        max_check_attempts: 2\n"
    )
}

/// Asks until the service says `text`.
async fn says(daemon: &TestDaemon, text: &str) -> Value {
    let is_it =
        |answer: &Value| answer.pointer("/items/0/plugin_output").and_then(Value::as_str) == Some(text);
    daemon.wait_for("/api/v1/services", is_it).await
}

#[tokio::test]
async fn a_changed_file_is_live_without_a_word_to_anybody() {
    let daemon = TestDaemon::start(&[("vigia.yaml", ""), ("conf.d/web.yaml", &site("one", 0))]).await;
    says(&daemon, "one").await;
    daemon.write("conf.d/web.yaml", &site("two", 0));
    says(&daemon, "two").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn editors_and_config_maps_are_followed() {
    let daemon = TestDaemon::start(&[("vigia.yaml", ""), ("conf.d/web.yaml", &site("one", 0))]).await;
    let file = daemon.etc().join("conf.d/web.yaml");
    // vim: the old one aside, the new one in its place.
    std::fs::rename(&file, file.with_extension("yaml~")).unwrap();
    daemon.write("conf.d/web.yaml", &site("vim", 0));
    says(&daemon, "vim").await;
    // The kubelet: a link through a link that is swapped.
    for text in ["first", "second"] {
        daemon.write(&format!("conf.d/..{text}/web.yaml"), &site(text, 0));
        symlink(format!("..{text}"), daemon.etc().join("conf.d/..next")).unwrap();
        std::fs::rename(daemon.etc().join("conf.d/..next"), daemon.etc().join("conf.d/..data")).unwrap();
        if text == "first" {
            symlink("..data/web.yaml", daemon.etc().join("conf.d/.link")).unwrap();
            std::fs::rename(daemon.etc().join("conf.d/.link"), &file).unwrap();
        }
        says(&daemon, text).await;
    }
}

#[tokio::test]
async fn a_reload_that_is_refused_fails_and_all_goes_on() {
    let daemon = TestDaemon::start(&[("vigia.yaml", ""), ("conf.d/web.yaml", &site("one", 0))]).await;
    says(&daemon, "one").await;
    daemon.write("conf.d/web.yaml", "hosts:\n  web1: [this, is, no, host\n");
    let refused = daemon.cli(&["reload", "--wait"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    daemon.wait_for_total("/api/v1/services", 1).await;
    says(&daemon, "one").await;
    daemon.write("conf.d/web.yaml", &site("two", 0));
    let taken = daemon.cli(&["reload", "--wait"]).await;
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
    says(&daemon, "two").await;
}

#[tokio::test]
async fn a_signal_reloads_too_and_the_log_says_who_sent_it() {
    let daemon = TestDaemon::start(&[("vigia.yaml", ""), ("conf.d/web.yaml", &site("one", 0))]).await;
    daemon.signal(Signal::SIGHUP);
    let line = daemon.logged("config.reloading").await;
    assert!(line.contains(&format!("SIGHUP from process {}", std::process::id())), "{line}");
    daemon.logged("config.reloaded").await;
}

#[tokio::test]
async fn a_mistake_in_the_settings_ends_the_start_with_78() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    std::fs::write(folder.path().join("etc/vigia.yaml"), "web: {listen: nowhere}\n").unwrap();
    let output = vigia(folder.path(), &["serve"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(report.contains("vigia.yaml:1:"), "{report}");

    std::fs::remove_file(folder.path().join("etc/vigia.yaml")).unwrap();
    let output = vigia(folder.path(), &["serve"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[tokio::test]
async fn strict_refuses_what_is_otherwise_only_told() {
    let mistaken = "hosts:\n  web1: {address: 192.0.2.1, check: off, no_such_key: 1}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", mistaken)]).await;
    let folder = daemon.folder();
    assert!(daemon.stop().await.success());
    let output = vigia(folder.path(), &["serve", "--strict"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[tokio::test]
async fn a_start_with_a_mistake_and_a_state_folder_that_is_new_are_in_the_log() {
    let mistaken = "hosts: {a: {adress: 127.0.0.1, check: {passive: {}}}, b: {check: {passive: {}}}}";
    let daemon = TestDaemon::start(&[("vigia.yaml", mistaken)]).await;
    let line = daemon.logged("config.rejected").await;
    assert!(line.contains("1 object with a mistake not loaded"), "{line}");
    assert!(daemon.log().contains("did you mean `address`?"), "{}", daemon.log());
    assert!(daemon.log().contains("store.new"), "{}", daemon.log());
    let daemon = daemon.crash_and_restart().await;
    assert!(!daemon.log().contains("store.new"), "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test]
async fn the_second_daemon_on_a_state_folder_is_told_who_has_it() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let output = daemon.cli(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("process {}", daemon.pid())), "{said}");
}

#[tokio::test]
async fn state_and_socket_are_for_the_daemon_and_its_group() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let mode =
        |path: &str| std::fs::metadata(daemon.state().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("control.sock"), mode("vigia.db")), (0o750, 0o660, 0o600));
}

#[tokio::test]
async fn after_a_crash_it_goes_on_with_what_it_knew() {
    let daemon = TestDaemon::start(&[("vigia.yaml", ""), ("conf.d/web.yaml", &site("broken", 2))]).await;
    let hard = |answer: &Value| answer.pointer("/items/0/state_type").and_then(Value::as_u64) == Some(1);
    daemon.wait_for("/api/v1/services?state=critical", hard).await;
    let body = json!({"host": "web1", "service": "ECHO", "comment": "on it"});
    let (status, answer) = daemon.post("/api/v1/acknowledge", &body).await;
    assert_eq!(status, 200, "{answer}");
    // No farewell: what was answered is on the disk.
    let daemon = daemon.crash_and_restart().await;
    let answer = daemon.get("/api/v1/services?acknowledged=yes").await;
    assert_eq!(answer.get("total"), Some(&json!(1)), "{answer}");
    let alarms = daemon.get("/api/v1/alarms?status=open").await;
    assert_eq!(alarms.get("total"), Some(&json!(1)), "{alarms}");
}

#[tokio::test]
async fn it_stops_in_time_with_plugins_that_do_not_want_to() {
    let stubborn = "hosts:\n  web1:\n    address: 192.0.2.1\n    check: off\n    services:\n      HANG:\n        \
                    plugin: [/bin/sh, -c, 'trap \"\" TERM; echo here >&2; while :; do sleep 1; done']\n        \
                    check_interval: 1s\n        timeout: 1s\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", stubborn)]).await;
    daemon.wait_for("/api/v1/services?state=critical", |answer| answer.get("total") == Some(&json!(1))).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn plugins_get_neither_our_number_of_open_files_nor_our_raw_sockets() {
    // Waits for the first; what it is when the deadline comes is the answer otherwise.
    let script = "while [ $(ulimit -Sn) != 1024 ]; do sleep 0.01; done; \
                  echo $(ulimit -Sn) $(ulimit -Hn) $(grep CapAmb /proc/self/status)";
    let site = format!(
        "hosts:\n  web1:\n    address: 192.0.2.1\n    check: off\n    services:\n      OWN:\n        \
         plugin: [/bin/sh, -c, '{script}']\n        check_interval: 1s\n        timeout: 20s\n"
    );
    let folder = Arc::new(tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    std::fs::write(folder.path().join("etc/vigia.yaml"), site).unwrap();
    // As the unit does it. Raw sockets can only be given by root; without them that half proves nothing.
    let limits = ["prlimit", "--nofile=1024:4096"];
    let rights = ["setpriv", "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"];
    let is_root = nix::unistd::geteuid().is_root();
    let program = if is_root { [&limits[..], &rights[..]].concat() } else { limits.to_vec() };
    let daemon = TestDaemon::start_under(folder, &program).await;
    let ours = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let ours = ours.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(ours.split_whitespace().nth(3), Some("4096"), "{ours}");
    says(&daemon, "1024 4096 CapAmb: 0000000000000000").await;
}

/// What systemd would hear, read from a socket of the test's own.
struct Systemd(UnixDatagram);

impl Systemd {
    /// Reads on until something with this word in it is said.
    fn hears(&self, word: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            let length = self.0.recv(&mut bytes).expect("it says something in time");
            let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if said.contains(word) {
                return said;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_ready_alive_reloading_and_stopping() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    std::fs::write(folder.path().join("etc/vigia.yaml"), "").unwrap();
    let socket = folder.path().join("notify");
    let systemd = Systemd(UnixDatagram::bind(&socket).unwrap());
    systemd.0.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let env = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")];
    let daemon = TestDaemon::start_with(folder.clone(), &[], &env).await;
    let ready = systemd.hears("READY=1");
    assert!(ready.contains("STATUS="), "{ready}");
    systemd.hears("WATCHDOG=1");
    daemon.signal(Signal::SIGHUP);
    let reloading = systemd.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    systemd.hears("READY=1");
    let stopped = tokio::spawn(daemon.stop());
    systemd.hears("STOPPING=1");
    assert!(stopped.await.unwrap().success());
}
