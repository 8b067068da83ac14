//! Alarms through the running daemon: what people do with them, and what failed first.

use serde_json::{Value, json};

use crate::support::daemon::TestDaemon;
use crate::support::site::acts;

const SITE: &str = "defaults: {max_check_attempts: 1}
hosts:
  gate: {address: 127.0.0.1, check: {passive: {}}}
  web: {address: 127.0.0.1, check: {passive: {}}, services: {http: {passive: {}}, queue: {passive: {}}}}
contacts: {ana: {}}
";

async fn result(daemon: &TestDaemon, host: &str, service: Option<&str>, state: u8) {
    let result = json!({"host": host, "service": service, "state": state, "output": "as it is"});
    acts(daemon, "/api/v1/result", result).await;
}

#[tokio::test]
async fn alarms_are_worked_on_found_again_after_a_kill_and_reported() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    result(&daemon, "web", None, 0).await;
    result(&daemon, "web", Some("http"), 2).await;
    result(&daemon, "web", Some("queue"), 1).await;
    daemon.wait_for_total("/api/v1/alarms", 2).await;
    let says = async |daemon: &TestDaemon, arguments: &[&str], words: &str| {
        let output = daemon.cli(arguments).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(text.contains(words), "{arguments:?}: {text}");
    };
    says(&daemon, &["alarm", "own", "1", "ana"], "owner").await;
    says(&daemon, &["alarm", "label", "1", "Analysis in progress"], "has the label").await;
    says(&daemon, &["alarm", "comment", "1", "the cable"], "commented").await;
    says(&daemon, &["alarm", "close", "1", "-m", "known"], "closed").await;

    let daemon = daemon.crash_and_restart().await;
    says(&daemon, &["alarm", "reopen", "1", "-m", "not so known"], "open again").await;
    says(&daemon, &["alarm", "reopen", "1", "-m", "again"], "alarm 1 is open").await;
    let alarm = daemon.get("/api/v1/alarms/1").await;
    let what = |note: &Value| format!("{}{}", note["what"].as_str().unwrap(), note["text"].as_str().unwrap());
    let notes: Vec<String> = alarm["notes"].as_array().unwrap().iter().map(what).collect();
    let wanted =
        ["owner: ana", "label: Analysis in progress", "the cable", "closedknown", "opened againnot so known"];
    assert_eq!(notes, wanted);
    says(&daemon, &["alarm", "show", "1"], "the cable").await;
    for (query, total) in [
        ("owner=ana", 1),
        ("owner=nobody", 1),
        ("label=analysis%20IN%20progress", 1),
        ("label=in", 0),
        ("severity=7", 1),
        ("severity=4", 2),
        ("root=web/http", 1),
        ("root=nowhere", 0),
    ] {
        assert_eq!(daemon.get(&format!("/api/v1/alarms?{query}")).await["total"], total, "{query}");
    }

    let report = daemon.get("/api/v1/alarms/report?since=1h").await;
    assert_eq!((&report["total"], &report["items"][0]["alarms"]), (&json!(2), &json!(1)), "{report}");
    says(&daemon, &["alarm", "report", "--since", "1h"], "web/http").await;
    says(&daemon, &["alarm", "report", "--since", "1h", "--csv"], "\"web\";\"http\";1;0;0;7;0;1").await;
    let (status, _) = daemon.text("/api/v1/alarms/report?since=soon").await;
    assert_eq!(status, 400);
    daemon.stop().await;
}

#[tokio::test]
async fn what_a_dead_host_takes_along_is_one_cause() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    result(&daemon, "web", None, 0).await;
    result(&daemon, "web", Some("http"), 2).await;
    result(&daemon, "web", Some("queue"), 2).await;
    result(&daemon, "gate", None, 1).await;
    result(&daemon, "web", None, 1).await;
    let groups = daemon.wait_for("/api/v1/alarm-groups?by=root", |groups| groups["total"] == 2).await;
    let first = &groups["items"][0];
    assert_eq!((&first["name"], &first["alarms"]), (&json!("web"), &json!(3)), "{groups}");
    assert_eq!(first["worst"]["state_word"], "DOWN");
    // The list is read from the store, which hears of it a moment after the world.
    daemon.wait_for("/api/v1/alarms?root=web", |alarms| alarms["total"] == 3).await;
    daemon.stop().await;
}
