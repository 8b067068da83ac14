//! `kill -9` and its like: what a person was told is saved is there afterwards, the rest is at most a second old.

use serde_json::{Value, json};

use crate::support::daemon::{TestDaemon, vigia};
use crate::support::servers::free_port;

fn site(port: u16) -> String {
    format!(
        "defaults: {{check_interval: 1s, retry_interval: 200ms, max_check_attempts: 2}}
rules: {{tickets: {{when: {{states: [critical], hard: true, lasting: 0}}, ticket: {{type: Availability}}}}}}
hosts:
  web1: {{address: 127.0.0.1, check: {{passive: {{}}}}, services: {{one: {{tcp: {port}}}}}}}
"
    )
}

async fn acts(daemon: &TestDaemon, path: &str, body: Value) -> Value {
    let (status, answer) = daemon.post(path, &body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn what_a_person_did_survives_a_kill_that_comes_at_once() {
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(free_port()))]).await;
    daemon.wait_for_total("/api/v1/tickets?status=open", 1).await;
    let one = json!({"host": "web1", "service": "one"});
    let with = |field: &str, value: Value| {
        let mut body = one.clone();
        body[field] = value;
        body
    };

    acts(&daemon, "/api/v1/acknowledge", with("comment", json!("ana looks"))).await;
    let daemon = daemon.crash_and_restart().await;
    let service = daemon.get("/api/v1/hosts/web1/services/one").await;
    assert_eq!(service["acknowledged"], 1, "{service}");
    assert_eq!(service["state_type"], 1, "{service}");

    acts(&daemon, "/api/v1/comment", with("comment", json!("the switch was moved"))).await;
    let mut downtime = with("comment", json!("works"));
    downtime["for"] = json!("2h");
    acts(&daemon, "/api/v1/downtime", downtime).await;
    acts(&daemon, "/api/v1/tickets/AVA01/note", json!({"text": "called the provider"})).await;
    let daemon = daemon.crash_and_restart().await;
    let comments = daemon.get("/api/v1/comments").await.to_string();
    assert!(comments.contains("the switch was moved"), "{comments}");
    let downtimes = daemon.get("/api/v1/downtimes").await;
    assert_eq!(downtimes["total"], 1, "{downtimes}");
    let ticket = daemon.get("/api/v1/tickets/AVA01").await.to_string();
    assert!(ticket.contains("called the provider"), "{ticket}");

    // The problem stood all the time: still one alarm and one ticket.
    assert_eq!(daemon.get("/api/v1/alarms?status=all").await["total"], 1);
    assert_eq!(daemon.get("/api/v1/tickets?status=all").await["total"], 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_second_daemon_on_the_same_state_says_who_was_first() {
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(free_port()))]).await;
    let second = daemon.cli(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&daemon.pid().to_string()), "it names the process: {said}");
    assert!(daemon.get("/api/v1/hosts").await["total"] == 1, "the first one does not mind");
    daemon.stop().await;
}

#[tokio::test]
async fn a_state_from_a_newer_version_is_left_alone() {
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(free_port()))]).await;
    let (folder, database) = (daemon.folder(), daemon.state().join("vigia.db"));
    daemon.stop().await;
    let connection = rusqlite::Connection::open(&database).expect("it opens");
    connection.pragma_update(None, "user_version", 9999).expect("it is written");
    drop(connection);
    let output = vigia(folder.path(), &["serve", "--listen", "127.0.0.1:0"]).output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("newer") && said.contains("vigia.db"), "{said}");
}

#[tokio::test]
async fn a_stop_and_a_start_lose_nothing() {
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(free_port()))]).await;
    let hard = |service: &Value| service["state_type"] == 1 && service["state"] == 2;
    let before = daemon.wait_for("/api/v1/hosts/web1/services/one", hard).await;
    let folder = daemon.folder();
    assert!(daemon.stop().await.success());
    let daemon = TestDaemon::start_in(folder, &[]).await;
    let after = daemon.get("/api/v1/hosts/web1/services/one").await;
    for field in ["state", "state_type", "current_attempt", "last_state_change", "last_hard_state_change"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn an_object_that_is_away_for_a_moment_keeps_what_people_did() {
    let port = free_port();
    let daemon = TestDaemon::start(&[("vigia.yaml", &site(port))]).await;
    daemon.wait_for_total("/api/v1/tickets?status=open", 1).await;
    let one = |comment: &str| json!({"host": "web1", "service": "one", "comment": comment});
    acts(&daemon, "/api/v1/acknowledge", one("ana looks")).await;
    acts(&daemon, "/api/v1/comment", one("the switch was moved")).await;
    let mut downtime = one("works");
    downtime["for"] = json!("2h");
    acts(&daemon, "/api/v1/downtime", downtime).await;

    // A file that is half there: its host is gone, and with it the alarm.
    daemon.write("vigia.yaml", "hosts: {other: {address: 127.0.0.1, check: {passive: {}}}}\n");
    daemon.wait_for_total("/api/v1/services", 0).await;
    daemon.wait_for_total("/api/v1/alarms?status=open", 0).await;
    // Not even an end in this moment loses anything.
    let daemon = daemon.crash_and_restart().await;
    daemon.wait_for_total("/api/v1/services", 0).await;

    daemon.write("vigia.yaml", &site(port));
    daemon.wait_for_total("/api/v1/services", 1).await;
    let service =
        daemon.wait_for("/api/v1/hosts/web1/services/one", |service| service["acknowledged"] == 1).await;
    assert_eq!(service["state_type"], 1, "{service}");
    assert_eq!(service["scheduled_downtime_depth"], 1, "{service}");
    let comments = daemon.get("/api/v1/comments").await.to_string();
    assert!(comments.contains("the switch was moved"), "{comments}");
    assert_eq!(daemon.get("/api/v1/downtimes").await["total"], 1);
    let alarms = daemon.wait_for_total("/api/v1/alarms?status=open", 1).await;
    assert_eq!(alarms["items"][0]["id"], 1, "the very same alarm");
    assert_eq!(daemon.get("/api/v1/tickets?status=all").await["total"], 1, "and no second ticket");
    daemon.stop().await;
}

#[tokio::test]
async fn at_most_a_second_of_steady_results_is_lost() {
    let open = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = open.local_addr().expect("bound").port();
    let site = site(port).replace("check_interval: 1s", "check_interval: 100ms");
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    let checked = |service: &Value| service["last_check"].as_i64().unwrap_or_default();
    let one = "/api/v1/hosts/web1/services/one";
    let first = checked(&daemon.wait_for(one, |service| checked(service) > 0).await);
    // Nothing but OK for some seconds: nobody acts and no event happens.
    let shown = checked(&daemon.wait_for(one, |service| checked(service) > first + 3).await);
    let database = daemon.state().join("vigia.db");
    let folder = daemon.kill().await;
    let connection = rusqlite::Connection::open(&database).expect("it opens");
    let saved: i64 = connection
        .query_row("SELECT MAX(last_check) FROM status", [], |row| row.get(0))
        .expect("it was saved");
    // A second, and what it takes to write: both are the daemon's own times, not those of this test.
    let lost = shown - saved / 1_000_000;
    assert!(lost <= 2, "{lost} s of results are lost");
    drop(folder);
}
