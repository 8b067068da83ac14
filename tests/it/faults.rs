//! Real faults of the machine below the real program: a full disk, a read-only one, a store that another process holds, no
//! descriptors, no watches, no name servers, a thousand plugins that hang. Each time the same is asked: do checks go on, is it
//! said, and does it heal by itself?

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::daemon::{TestDaemon, vigia};
use crate::support::disk::Disk;
use crate::support::guests::Guests;

/// A folder with a configuration.
fn site(text: &str) -> Arc<TempDir> {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    std::fs::create_dir(folder.path().join("etc")).expect("a folder");
    std::fs::write(folder.path().join("etc/vigia.yaml"), text).expect("a file");
    folder
}

/// One service that is looked at ten times a second.
fn busy(port: u16) -> String {
    format!(
        "defaults: {{check_interval: 100ms, retry_interval: 100ms, max_check_attempts: 2}}
hosts: {{web1: {{address: 127.0.0.1, check: {{passive: {{}}}}, services: {{one: {{tcp: {port}}}, two: {{passive: {{}}}}}}}}}}
"
    )
}

fn checks(process: &Value) -> u64 {
    process["checks"]["total"].as_u64().expect("a number")
}

/// Checks have gone on by so many.
async fn checks_go_on(daemon: &TestDaemon) {
    let before = checks(&daemon.get("/api/v1/process").await);
    daemon.wait_for("/api/v1/process", |process| checks(process) > before + 10).await;
}

async fn trouble_is(daemon: &TestDaemon, text: &str) {
    let says = |process: &Value| process["store"]["trouble"].as_str().is_some_and(|said| said.contains(text));
    daemon.wait_for("/api/v1/process", says).await;
}

async fn is_well(daemon: &TestDaemon) {
    daemon.wait_for("/api/v1/process", |process| process["store"]["trouble"].is_null()).await;
}

fn remark(text: &str) -> Value {
    json!({"host": "web1", "service": "one", "comment": text})
}

#[tokio::test]
async fn a_full_disk_stops_no_check_and_what_people_did_gets_there_later() {
    let guests = Guests::default();
    let folder = site(&busy(guests.invite('a')));
    let _folder = folder.clone();
    let Some(_disk) = Disk::mount(&folder.path().join("state")) else {
        println!("not tried: this needs root and a loop device");
        return;
    };
    let daemon = TestDaemon::start_in(folder, &[]).await;
    daemon.wait_for("/api/v1/process", |process| checks(process) > 3).await;
    let filler = daemon.state().join("filler");
    fill(&filler);
    // A change of state is written at once, and finds no room.
    let result = json!({"host": "web1", "service": "two", "state": 2, "output": "x".repeat(60_000)});
    let mut turn = 0;
    loop {
        let process = daemon.get("/api/v1/process").await;
        if process["store"]["trouble"].as_str().is_some_and(|said| said.contains("is full")) {
            break;
        }
        turn += 1;
        let mut result = result.clone();
        result["state"] = json!(turn % 2 * 2);
        assert_eq!(daemon.post("/api/v1/result", &result).await.0, 200);
    }
    checks_go_on(&daemon).await;
    let (status, answer) = daemon.post("/api/v1/comment", &remark("while it was full")).await;
    assert!(answer.to_string().contains("not yet on the disk"), "{status} {answer}");
    assert_eq!(daemon.text("/readyz").await.0, 503);
    std::fs::remove_file(&filler).expect("it is there");
    is_well(&daemon).await;
    let folder = daemon.kill().await;
    let daemon = TestDaemon::start_in(folder, &[]).await;
    let comments = daemon.get("/api/v1/comments").await.to_string();
    assert!(comments.contains("while it was full"), "{comments}");
    daemon.stop().await;
}

/// Writes until there is no room.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).expect("a file");
    for size in [1 << 16, 512, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
    drop(file.sync_all());
}

#[tokio::test]
async fn a_state_folder_that_is_read_only_is_said_and_tried_no_further() {
    let folder = site(&busy(1));
    let state = folder.path().join("state");
    let Some(disk) = Disk::mount(&state) else {
        println!("not tried: this needs root and a loop device");
        return;
    };
    disk.make_read_only();
    let output = vigia(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Read-only file system") && said.contains("mounted read-only"), "{said}");
}

#[tokio::test]
async fn a_store_that_another_process_holds_stops_no_check() {
    let guests = Guests::default();
    let daemon = TestDaemon::start(&[("vigia.yaml", &busy(guests.invite('a')))]).await;
    daemon.wait_for("/api/v1/process", |process| checks(process) > 3).await;
    let holder = Connection::open(daemon.state().join("vigia.db")).expect("the store");
    holder.execute_batch("BEGIN IMMEDIATE").expect("held");
    trouble_is(&daemon, "another program holds").await;
    checks_go_on(&daemon).await;
    holder.execute_batch("COMMIT").expect("let go");
    is_well(&daemon).await;
    let (status, answer) = daemon.post("/api/v1/comment", &remark("afterwards")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn without_descriptors_it_lives_and_goes_on_when_there_are_some() {
    let guests = Guests::default();
    let folder = site(&busy(guests.invite('a')));
    let daemon = TestDaemon::start_under(folder, &["prlimit", "--nofile=96:96"]).await;
    daemon.wait_for("/api/v1/process", |process| checks(process) > 3).await;
    // Each connection costs the daemon one; those that find none wait in the kernel's queue.
    let mut held = Vec::new();
    for _ in 0..120 {
        held.push(TcpStream::connect(daemon.address()).await.expect("the kernel takes it"));
    }
    daemon.logged("web.accept").await;
    drop(held);
    checks_go_on(&daemon).await;
    daemon.wait_for("/api/v1/hosts/web1/services/one", |one| one["state"] == 0).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn without_watches_changed_files_are_found_by_looking() {
    let folder = site(&busy(1));
    let none = "echo 0 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"";
    let program = ["unshare", "--user", "--map-root-user", "sh", "-c", none];
    let is_possible =
        std::process::Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !is_possible.is_ok_and(|status| status.success()) {
        println!("not tried: this needs a user namespace");
        return;
    }
    let daemon = TestDaemon::start_under(folder, &program).await;
    let line = daemon.logged("watch.").await;
    assert!(line.contains("fs.inotify.max_user_watches") || line.contains("watch.failed"), "{line}");
    daemon.write("conf.d/more.yaml", "hosts: {web2: {address: 127.0.0.1, check: off}}\n");
    daemon.wait_for_total("/api/v1/hosts", 2).await;
    daemon.stop().await;
}

#[tokio::test]
async fn name_servers_that_do_not_answer_stop_no_other_check() {
    let guests = Guests::default();
    let names: String = (0..100)
        .map(|n| {
            format!("  n{n}: {{address: h{n}.example.test, check: off, services: {{s: {{tcp: 80}}}}}}\n")
        })
        .collect();
    let text = format!(
        "defaults: {{check_interval: 200ms, timeout: 2s, max_check_attempts: 1}}\nhosts:\n  web1: {{address: 127.0.0.1, check: off, services: {{one: {{tcp: {}}}}}}}\n{names}",
        guests.invite('a')
    );
    let folder = site(&text);
    // A server that takes questions and never answers: an address of its own on loopback, as its port cannot be chosen.
    let [high, low] = std::process::id().to_le_bytes()[..2] else { unreachable!("two bytes") };
    let address = format!("127.53.{high}.{}", low.max(1));
    let Ok(deaf) = std::net::UdpSocket::bind(format!("{address}:53")) else {
        println!("not tried: this needs the right to a low port");
        return;
    };
    let resolver = folder.path().join("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {address}\noptions timeout:1\n")).expect("a file");
    let hide = format!("mount --bind {} /etc/resolv.conf && exec \"$0\" \"$@\"", resolver.display());
    let is_possible = std::process::Command::new("unshare").args(["--mount", "true"]).status();
    if !is_possible.is_ok_and(|status| status.success()) {
        println!("not tried: this needs a mount namespace");
        return;
    }
    let daemon = TestDaemon::start_under(folder, &["unshare", "--mount", "sh", "-c", &hide]).await;
    daemon.wait_for("/api/v1/services?state=critical", |list| list["total"].as_u64() > Some(90)).await;
    for _ in 0..3 {
        checks_go_on(&daemon).await;
        let one = daemon.get("/api/v1/hosts/web1/services/one").await;
        assert_eq!(one["state"], 0, "{one:#}");
    }
    // It was really asked.
    assert!(deaf.recv(&mut [0; 512]).is_ok_and(|length| length > 12));
    daemon.stop().await;
}

/// A part of the kernel's memory that is bounded, for a process and what it starts; none: not ours to make.
struct Fence(std::path::PathBuf);

impl Fence {
    fn of(bytes: &str) -> Option<Self> {
        let name = format!("vigia-test-{}", std::process::id());
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let (folder, limit) = if v1.is_dir() {
            (v1.join(name), "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup").join(name), "memory.max")
        };
        std::fs::create_dir(&folder).ok()?;
        let fence = Self(folder);
        std::fs::write(fence.0.join(limit), bytes).ok()?;
        Some(fence)
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // The kernel holds it for a moment after the last process has gone; what is left of it costs nothing.
        std::fs::remove_dir(&self.0).ok();
    }
}

#[tokio::test]
async fn a_plugin_that_eats_all_memory_is_ended_by_the_kernel_and_vigia_is_not() {
    let guests = Guests::default();
    let Some(fence) = Fence::of("400M") else {
        println!("not tried: this needs a memory cgroup of its own");
        return;
    };
    let text = format!(
        "hosts:
  web1:
    address: 127.0.0.1
    check: off
    max_check_attempts: 1
    services:
      one: {{tcp: {}, check_interval: 100ms}}
      greedy: {{plugin: [/usr/bin/tail, /dev/zero], check_interval: 1s, timeout: 50s}}
",
        guests.invite('a')
    );
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", fence.0.display());
    let daemon = TestDaemon::start_under(site(&text), &["sh", "-c", &enter]).await;
    let pid = daemon.pid();
    for _ in 0..2 {
        let greedy = daemon
            .wait_for("/api/v1/hosts/web1/services/greedy", |one| {
                one["plugin_output"].as_str().is_some_and(|said| said.contains("SIGKILL"))
            })
            .await;
        assert_ne!(greedy["state"], 0, "{greedy:#}");
        checks_go_on(&daemon).await;
    }
    assert_eq!(daemon.pid(), pid);
    assert!(daemon.stop().await.success());
}

/// Children of a process, however it came by them.
fn children(pid: i32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.flatten().map(|task| of(task).split_whitespace().count()).sum()
}

#[tokio::test]
async fn a_thousand_plugins_that_hang_are_ended_and_leave_nothing() {
    let guests = Guests::default();
    let hanging: String =
        (0..1000).map(|n| format!("      h{n}: {{plugin: [/bin/sleep, \"1000\"]}}\n")).collect();
    let text = format!(
        "concurrency: {{total: 3000, per_host: 3000, kinds: {{plugin: 1000}}}}
hosts:
  web1: {{address: 127.0.0.1, check: off, services: {{one: {{tcp: {}, check_interval: 100ms}}}}}}
  hung:
    address: 127.0.0.1
    check: off
    check_interval: 1h
    max_check_attempts: 1
    timeout: 10s
    services:
{hanging}",
        guests.invite('a')
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &text)]).await;
    let all = json!({"objects": (0..1000).map(|n| json!({"host": "hung", "service": format!("h{n}")})).collect::<Vec<_>>()});
    // Side by side: on a busy machine the first are over before all thousand orders are on the disk.
    let many = |process: &Value| process["checks"]["running"].as_u64() > Some(300);
    let ((status, answer), _) =
        tokio::join!(daemon.post("/api/v1/recheck", &all), daemon.wait_for("/api/v1/process", many));
    assert_eq!(status, 200, "{answer}");
    checks_go_on(&daemon).await;
    daemon.wait_for("/api/v1/services?state=critical", |list| list["total"] == 1000).await;
    let pid = daemon.pid().as_raw();
    while children(pid) > 0 {
        tokio::time::sleep(crate::support::http::LOOK_EVERY).await;
    }
    assert!(daemon.stop().await.success());
}
