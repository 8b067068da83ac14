//! vigia watches itself: host `vigia` is made where it is asked for, its services have states, and who would miss vigia is
//! called.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::daemon::TestDaemon;

const SITE: &str = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}\n";

fn number(object: &Value, field: &str) -> Option<i64> {
    object.get(field).and_then(Value::as_i64)
}

/// Answers every request with this status line, and counts them.
async fn server(status: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            kept.lock().expect("no panic").push(text);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (port, asked)
}

#[tokio::test]
async fn its_services_have_states_and_follow_what_happens() {
    let site = format!("{SITE}self_monitoring: {{host: on}}\nbackup: {{dir: backups}}\n");
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    for service in ["lateness", "never-run", "store", "messages", "configuration", "disk", "backup"] {
        let path = format!("/api/v1/hosts/vigia/services/{service}");
        let found = daemon.wait_for(&path, |found| number(found, "has_been_checked") == Some(1)).await;
        // The machine that runs the tests may have a full disk.
        assert!(service == "disk" || number(&found, "state") == Some(0), "{service}: {found:#}");
    }
    let disk = daemon.get("/api/v1/hosts/vigia/services/disk").await;
    assert!(disk["perf_data"].to_string().contains('%'), "{disk:#}");

    // A mistake is noticed with the reload that brings it, and its end too.
    daemon.write("conf.d/bad.yaml", "hosts: {web2: {adress: 127.0.0.1}}\n");
    let path = "/api/v1/hosts/vigia/services/configuration";
    let bad = daemon.wait_for(path, |found| number(found, "state") == Some(1)).await;
    assert!(bad["plugin_output"].to_string().contains("vigia validate"), "{bad:#}");
    daemon.remove("conf.d/bad.yaml");
    daemon.wait_for(path, |found| number(found, "state") == Some(0)).await;

    // Host groups reach its services as any other's.
    let (_, metrics) = daemon.text("/metrics").await;
    assert!(metrics.contains("vigia_service_state{host=\"vigia\",service=\"store\"} 0"), "{metrics}");
}

#[tokio::test]
async fn nobody_who_did_not_ask_gets_it_and_ones_own_host_of_that_name_wins() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    assert_eq!(daemon.text("/api/v1/hosts/vigia").await.0, 404);
    let own = "self_monitoring: {host: on}\nhosts: {vigia: {address: 127.0.0.1, check: off, services: {store: {passive: {}}}}}\n";
    daemon.write("vigia.yaml", own);
    let host = daemon.wait_for("/api/v1/hosts", |hosts| hosts.to_string().contains("\"vigia\"")).await;
    assert_eq!(host["total"], 1, "{host:#}");
    daemon
        .wait_for("/api/v1/config", |config| {
            config["notices"].to_string().contains("one named `vigia` is defined")
        })
        .await;
    let (code, said) = {
        let output = daemon.cli(&["validate"]).await;
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert!(code == Some(0) && said.contains("one named `vigia`"), "{said}");
    let service = daemon.get("/api/v1/hosts/vigia/services/store").await;
    assert_eq!(number(&service, "has_been_checked"), Some(0), "nothing is put into somebody's own service");
}

#[tokio::test]
async fn it_says_where_its_values_come_from_and_takes_what_groups_say() {
    let site = format!(
        "{SITE}self_monitoring: {{host: on}}\nhostgroups: {{own: {{members: [vigia], max_check_attempts: 7}}}}\n"
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    let output = daemon.cli(&["show", "host", "vigia", "--origin"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("vigia itself (built in)"), "{said}");
}

#[tokio::test]
async fn who_would_miss_it_is_called_and_a_failure_is_seen() {
    let (good, asked) = server("200 OK").await;
    let url = |port: u16| format!("http://127.0.0.1:{port}/ping/secret-token\n");
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let file = daemon.etc().join("url").display().to_string();
    let ping = |port: u16| {
        format!("{SITE}self_monitoring: {{host: on, ping: {{url: {{file: {file}}}, every: 1s}}}}\n# {port}\n")
    };
    daemon.write("url", &url(good));
    daemon.write("vigia.yaml", &ping(good));
    let path = "/api/v1/hosts/vigia/services/ping";
    daemon.wait_for("/api/v1/services", |all| all.to_string().contains("\"ping\"")).await;
    while asked.lock().expect("no panic").len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let first = asked.lock().expect("no panic").first().cloned().unwrap_or_default();
    assert!(first.starts_with("POST /ping/secret-token "), "{first}");

    let (bad, _) = server("503 Service Unavailable").await;
    daemon.write("url", &url(bad));
    daemon.write("vigia.yaml", &ping(bad));
    daemon.logged("ping.failed").await;
    let notices = |status: &Value| status["notices"].to_string().contains("is not taken: the answer was");
    daemon.wait_for("/api/v1/status", notices).await;
    let service = daemon.wait_for(path, |found| number(found, "state") == Some(2)).await;
    let log = daemon.log();
    assert!(!log.contains("secret-token") && !service.to_string().contains("secret-token"), "{log}");
}
