//! Configuration that changes under a running daemon: however it is saved, it is live, and nothing known is lost.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::{fs, process};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::daemon::TestDaemon;
use crate::support::guests::Guests;
use crate::support::servers::free_port;
use crate::support::site::{acts, report};

const SERVICES: &str = "/api/v1/services";

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// A host whose check is the first port, with one service a port, named `one`, `two`, …
fn site(ports: &[u16]) -> String {
    let names = ["one", "two", "three", "four"];
    let services: String =
        names.iter().zip(ports).map(|(name, port)| format!("      {name}: {{tcp: {port}}}\n")).collect();
    format!(
        "hosts:\n  web1:\n    address: 127.0.0.1\n    check: {{tcp: {}}}\n    services:\n{services}",
        ports[0]
    )
}

const QUICK: &str = "defaults: {check_interval: 1s, retry_interval: 200ms, max_check_attempts: 3}\n";

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_saved_file_is_live_whatever_the_editor_does() {
    let (_open, port) = listener();
    let daemon = TestDaemon::start(&[("vigia.yaml", QUICK), ("conf.d/site.yaml", &site(&[port]))]).await;
    daemon.wait_for_total(SERVICES, 1).await;
    let file = daemon.etc().join("conf.d/site.yaml");

    // vim: the old file moves away, a new one takes its name, the old one goes.
    fs::rename(&file, daemon.etc().join("conf.d/site.yaml~")).expect("moved");
    fs::write(&file, site(&[port, port])).expect("written");
    fs::remove_file(daemon.etc().join("conf.d/site.yaml~")).expect("gone");
    daemon.wait_for_total(SERVICES, 2).await;
    // A second time: a watch on the file itself would be dead by now.
    let swap = daemon.etc().join("conf.d/.site.yaml.swp");
    fs::write(&swap, "hosts: {ghost: 127.0.0.1}").expect("written");
    fs::rename(&file, daemon.etc().join("conf.d/site.yaml~")).expect("moved");
    fs::write(&file, site(&[port, port, port])).expect("written");
    daemon.wait_for_total(SERVICES, 3).await;
    // emacs and most programs: a temporary file is renamed over it.
    let temporary = daemon.etc().join("conf.d/#site.yaml#");
    fs::write(&temporary, site(&[port])).expect("written");
    fs::rename(&temporary, &file).expect("moved");
    daemon.wait_for_total(SERVICES, 1).await;
    // In place.
    fs::write(&file, site(&[port, port])).expect("written");
    daemon.wait_for_total(SERVICES, 2).await;
    assert_eq!(daemon.get("/api/v1/hosts").await["total"], 1, "left-overs are no configuration");
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_put_back_right_after_a_reload_is_live_too() {
    let (_open, port) = listener();
    let daemon = TestDaemon::start(&[("vigia.yaml", QUICK), ("conf.d/site.yaml", &site(&[port]))]).await;
    daemon.wait_for_total(SERVICES, 1).await;
    for _ in 0..2 {
        daemon.write("conf.d/site.yaml", &site(&[port, port]));
        let (status, answer) = daemon.post("/api/v1/reload", &Value::Null).await;
        assert_eq!((status, &answer["ok"]), (200, &Value::Bool(true)), "{answer}");
        daemon.write("conf.d/site.yaml", &site(&[port]));
        daemon.wait_for_total(SERVICES, 1).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn symlink_swaps_and_folders_made_anew_are_seen() {
    let (_open, port) = listener();
    let daemon = TestDaemon::start(&[("vigia.yaml", "include: [mounted]\n")]).await;
    let mounted = daemon.etc().join("mounted");
    // As a ConfigMap is mounted: file → ..data/file, ..data → a folder with a date in its name.
    let version = |name: &str, text: &str| {
        let folder = mounted.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("site.yaml"), text).expect("written");
    };
    version("..2026_01", &site(&[port]));
    symlink("..2026_01", mounted.join("..data")).expect("linked");
    symlink("..data/site.yaml", mounted.join("site.yaml")).expect("linked");
    daemon.wait_for_total(SERVICES, 1).await;
    version("..2026_02", &site(&[port, port]));
    symlink("..2026_02", mounted.join("..data_tmp")).expect("linked");
    fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).expect("swapped");
    fs::remove_dir_all(mounted.join("..2026_01")).expect("gone");
    daemon.wait_for_total(SERVICES, 2).await;

    // Gone as a whole, as when nothing is mounted there any more: nobody said that its objects are to go.
    fs::remove_dir_all(&mounted).expect("gone");
    daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    assert_eq!(daemon.get(SERVICES).await["total"], 2);
    fs::create_dir(&mounted).expect("a folder");
    fs::write(mounted.join("site.yaml"), site(&[port])).expect("written");
    daemon.wait_for_total(SERVICES, 1).await;
    // Taken out of the list: now somebody did.
    daemon.write("vigia.yaml", "include: []\nhosts: {other: {address: 127.0.0.1, check: {passive: {}}}}\n");
    daemon.wait_for_total(SERVICES, 0).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_cannot_be_seen_keeps_its_history() {
    let main = "include: [site]\n";
    let text = "hosts: {web1: {address: 127.0.0.1, check: {passive: {}}, services: {one: {passive: {}}}}}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", main), ("site/web.yaml", text)]).await;
    let one = "/api/v1/hosts/web1/services/one";
    for _ in 0..3 {
        report(&daemon, "web1", "one", 2, "broken").await;
    }
    let body = serde_json::json!({"host": "web1", "service": "one", "comment": "on it", "for": "2h"});
    for act in ["downtime", "acknowledge"] {
        acts(&daemon, &format!("/api/v1/{act}"), body.clone()).await;
    }
    acts(
        &daemon,
        "/api/v1/comment",
        serde_json::json!({"host": "web1", "service": "one", "comment": "moved"}),
    )
    .await;
    let before = daemon.wait_for(one, |one| one["scheduled_downtime_depth"] == 1).await;
    let comments = daemon.get("/api/v1/comments").await;

    let site = daemon.etc().join("site");
    let away = daemon.etc().join("away");
    let broken: [(&str, &dyn Fn()); 4] = [
        ("a main file that cannot be parsed", &|| daemon.write("vigia.yaml", "include: [site\n")),
        ("a typo in include", &|| daemon.write("vigia.yaml", "include: [stie]\n")),
        ("nothing mounted", &|| fs::rename(&site, &away).expect("moved")),
        ("a folder that cannot be looked into", &|| {
            fs::rename(&site, &away).expect("moved");
            symlink("site", &site).expect("linked");
        }),
    ];
    for (what, wreck) in broken {
        wreck();
        daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
        let now = daemon.get(one).await;
        for field in [
            "state",
            "state_type",
            "current_attempt",
            "last_check",
            "acknowledged",
            "scheduled_downtime_depth",
        ] {
            assert_eq!(before[field], now[field], "{what}: {field}");
        }
        assert_eq!(comments, daemon.get("/api/v1/comments").await, "{what}");
        daemon.write("vigia.yaml", main);
        if away.exists() {
            fs::remove_file(&site).ok();
            fs::rename(&away, &site).expect("moved back");
        }
        daemon.wait_for("/api/v1/config", |health| health["valid"] == true).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_known_survives_an_edit() {
    let closed = free_port();
    let slow = "defaults: {check_interval: 1h, retry_interval: 1h, max_check_attempts: 5}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", slow), ("conf.d/site.yaml", &site(&[closed]))]).await;
    for attempt in 1..=2 {
        let order = serde_json::json!({"host": "web1", "service": "one"});
        assert_eq!(daemon.post("/api/v1/recheck", &order).await.0, 200);
        daemon.wait_for("/api/v1/hosts/web1/services/one", |it| it["current_attempt"] == attempt).await;
    }
    let acknowledge = serde_json::json!({"host": "web1", "service": "one", "comment": "on it"});
    let (status, answer) = daemon.post("/api/v1/acknowledge", &acknowledge).await;
    assert_eq!(status, 200, "{answer}");
    let before = daemon.get("/api/v1/hosts/web1/services/one").await;

    let edited = site(&[closed, closed]).replace("address: 127.0.0.1", "address: 127.0.0.1\n    alias: Shop");
    daemon.write("conf.d/site.yaml", &edited);
    daemon.wait_for_total(SERVICES, 2).await;
    let after = daemon.get("/api/v1/hosts/web1/services/one").await;
    for field in ["state", "state_type", "current_attempt", "last_check", "next_check", "acknowledged"] {
        assert_eq!(before[field], after[field], "{field} changed with an edit elsewhere");
    }

    // A new name with `was`: the same service.
    daemon.write("conf.d/site.yaml", &edited.replace("      one: {tcp", "      first: {was: one, tcp"));
    let renamed = daemon.wait_for("/api/v1/services?q=first", |list| list["total"] == 1).await;
    assert_eq!(renamed["items"][0]["current_attempt"], before["current_attempt"]);
    assert_eq!(renamed["items"][0]["acknowledged"], before["acknowledged"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_broken_file_removes_nothing_and_is_said_everywhere() {
    let (_open, port) = listener();
    let daemon = TestDaemon::start(&[("vigia.yaml", QUICK), ("conf.d/site.yaml", &site(&[port]))]).await;
    daemon.wait_for_total(SERVICES, 1).await;
    daemon.write("conf.d/site.yaml", "hosts:\n  web1: {address: 127.0.0.1\n");
    let health = daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    let problem = &health["problems"][0];
    assert!(text(problem, "file").ends_with("site.yaml"), "{health}");
    assert!(problem["line"].as_u64().is_some_and(|line| line >= 2), "{health}");
    assert_eq!(daemon.get(SERVICES).await["total"], 1);

    // The same by order: told, and a code that a script understands.
    let reload = daemon.cli(&["reload", "--wait"]).await;
    assert_eq!(reload.status.code(), Some(1));
    let told = [reload.stdout, reload.stderr].concat();
    assert!(String::from_utf8_lossy(&told).contains("site.yaml"), "{}", String::from_utf8_lossy(&told));
    let page = daemon.text("/").await.1;
    assert!(page.contains("site.yaml"), "the banner names the file");

    // One object's mistake costs that object alone, and the last good definition goes on over a restart.
    let mixed = site(&[port]).replace("services:", "max_check_attempts: 0\n    services:")
        + "  web2: {address: 127.0.0.2, check: {tcp: 1}, services: {other: {tcp: 1}}}\n";
    daemon.write("conf.d/site.yaml", &mixed);
    daemon.wait_for_total("/api/v1/hosts", 2).await;
    let daemon = daemon.crash_and_restart().await;
    let hosts = daemon.wait_for_total("/api/v1/hosts", 2).await;
    assert_eq!(hosts["items"][0]["host_name"], "web1");
    let health = daemon.get("/api/v1/config").await;
    assert_eq!(health["quarantine"].as_array().map(Vec::len), Some(1), "{health}");

    daemon.write("conf.d/site.yaml", &site(&[port]));
    daemon.wait_for("/api/v1/config", |health| health["valid"] == true).await;
    let reload = daemon.cli(&["reload", "--wait"]).await;
    assert_eq!(reload.status.code(), Some(0), "{}", String::from_utf8_lossy(&reload.stderr));
    daemon.stop().await;
}

#[tokio::test]
async fn the_last_host_goes_only_when_somebody_means_it() {
    let daemon = TestDaemon::start(&[("vigia.yaml", QUICK), ("conf.d/site.yaml", &site(&[1]))]).await;
    let one = serde_json::json!({"host": "web1", "service": "one", "comment": "on it"});
    acts(&daemon, "/api/v1/comment", one).await;
    fs::remove_file(daemon.etc().join("conf.d/site.yaml")).expect("gone");
    let health = daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    assert!(health["problems"].to_string().contains("--accept-empty"), "{health}");
    // Neither another reload nor a restart is enough.
    assert_eq!(daemon.cli(&["reload"]).await.status.code(), Some(1));
    let daemon = daemon.crash_and_restart().await;
    assert_eq!(daemon.get(SERVICES).await["total"], 1);
    assert_eq!(daemon.get("/api/v1/comments").await["total"], 1);
    assert_eq!(daemon.cli(&["validate"]).await.status.code(), Some(1));

    let reload = daemon.cli(&["reload", "--accept-empty"]).await;
    assert_eq!(reload.status.code(), Some(0), "{}", String::from_utf8_lossy(&reload.stderr));
    assert_eq!(daemon.get(SERVICES).await["total"], 0);
    assert_eq!(daemon.cli(&["validate"]).await.status.code(), Some(0));
    daemon.stop().await;
}

#[tokio::test]
async fn sighup_reloads() {
    let (_open, port) = listener();
    let daemon = TestDaemon::start(&[("vigia.yaml", QUICK), ("conf.d/site.yaml", &site(&[port]))]).await;
    daemon.wait_for_total(SERVICES, 1).await;
    daemon.write("conf.d/site.yaml", &site(&[port, port]));
    daemon.signal(Signal::SIGHUP);
    let line = daemon.logged("SIGHUP").await;
    assert!(line.contains(&process::id().to_string()), "the log says who sent it: {line}");
    daemon.wait_for_total(SERVICES, 2).await;
    daemon.stop().await;
}

#[tokio::test]
async fn no_check_pauses_over_a_reload() {
    // Two daemons are checking; one of them reloads again and again, the other says how quickly time passes here.
    let guests = Guests::default();
    let site = |port: u16, more: usize| {
        let others: String = (0..more).map(|n| format!("      other{n}: {{passive: {{}}}}\n")).collect();
        format!(
            "defaults: {{check_interval: 100ms}}\nhosts:\n  web1:\n    address: 127.0.0.1\n    check: {{passive: {{}}}}\n    \
             services:\n      one: {{tcp: {port}}}\n{others}"
        )
    };
    let (a, b) = (guests.invite('a'), guests.invite('b'));
    let steady = TestDaemon::start(&[("vigia.yaml", &site(b, 0))]).await;
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(a, 100))]).await;
    guests.wait_for("ab", 20).await;
    let begun = guests.seen().len();
    for round in 1..=10 {
        daemon.write("vigia.yaml", &site(a, 100 + 20 * round));
        let (status, answer) = daemon.post("/api/v1/reload", &serde_json::json!({})).await;
        assert!(status == 200 && answer["ok"] == true, "{answer}");
    }
    guests.wait_for("ab", 20).await;
    let seen = guests.seen().split_off(begun);
    let longest = seen.split('a').map(str::len).max().unwrap_or_default();
    assert!(longest <= 10, "{longest} intervals without a check: {seen}");
    let count = |guest: char| seen.chars().filter(|seen| *seen == guest).count();
    assert!(2 * count('a') >= count('b'), "{seen}");
    daemon.stop().await;
    steady.stop().await;
}
