//! The metrics page as Prometheus reads it: its own linter, and a real scrape.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::json;

use crate::support::daemon::TestDaemon;
use crate::support::servers::prometheus::{Prometheus, complaints_of_promtool};
use crate::support::sources::root;

const HOSTILE: &str = "defaults: {check_interval: 1h}
hosts:
  plain: {address: 127.0.0.1, check: {passive: {}}, services: {\"a b/c \\\\ d {e}\": {passive: {}}, gone: {passive: {}}}}
";

#[tokio::test]
async fn the_page_is_clean_whatever_the_names_and_numbers_are() {
    let daemon = TestDaemon::start(&[("vigia.yaml", HOSTILE)]).await;
    let result = json!({"host": "plain", "service": "a b/c \\ d {e}", "state": 1, "output": "x \"y\"\n",
        "perfdata": "'a\"b'=1s;2;3 'c\\d'=5% broken=;; 'e=f'=U g=1e999 h=3B;;;0;10"});
    let (status, answer) = daemon.post("/api/v1/result", &result).await;
    assert_eq!(status, 200, "{answer}");
    daemon.wait_for("/api/v1/services?state=WARNING", |list| list["total"] == 1).await;
    let (status, page) = daemon.text("/metrics").await;
    assert_eq!(status, 200);
    assert_eq!(complaints_of_promtool(&page), "");
    assert!(page.contains("vigia_service_state{host=\"plain\",service=\"a b/c \\\\ d {e}\"} 1"), "{page}");

    daemon.write("vigia.yaml", &HOSTILE.replace(", gone: {passive: {}}", ""));
    daemon.wait_for_total("/api/v1/services", 1).await;
    let page = daemon.text("/metrics").await.1;
    assert!(!page.contains("service=\"gone\""), "a series goes with its object");
    daemon.stop().await;
}

/// The families of a page, and what a histogram adds to its name.
fn families(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a kind");
        names.insert(name.to_owned());
        if kind == "histogram" {
            names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")));
        }
    }
    names
}

/// Every `vigia_…` that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.strip_prefix("vigia_").is_some_and(|rest| !rest.is_empty()))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn what_the_rules_and_the_dashboard_ask_for_is_there() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = open.local_addr().expect("bound").port();
    let site = format!(
        "hosts: {{web1: {{address: 127.0.0.1, check: {{tcp: {port}}}, services: {{one: {{passive: {{}}}}}}}}}}\nbackup: {{dir: backups}}\n"
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    daemon.logged("backup.made").await;
    let result = json!({"host": "web1", "service": "one", "state": 0, "output": "fine | a=1"});
    assert_eq!(daemon.post("/api/v1/result", &result).await.0, 200);
    daemon.wait_for("/api/v1/process", |process| process["backup"]["count"] == 1).await;
    daemon.wait_for("/api/v1/process", |process| process["checks"]["total"].as_u64() > Some(0)).await;
    let known = families(&daemon.text("/metrics").await.1);
    for path in ["docs/prometheus/vigia.rules.yml", "docs/prometheus/grafana.json", "docs/operations.md"] {
        let asked = named(&std::fs::read_to_string(root().join(path)).expect("it is there"));
        let missing: Vec<_> = asked.difference(&known).collect();
        assert!(missing.is_empty() && asked.len() > 9, "{path} asks for {missing:?}");
    }
    daemon.stop().await;
}

#[test]
fn the_rules_are_sound_and_say_what_they_should() {
    for (what, file) in
        [("check", "docs/prometheus/vigia.rules.yml"), ("test", "docs/prometheus/vigia.test.yml")]
    {
        let output = std::process::Command::new("/usr/bin/promtool")
            .args([what, "rules"])
            .arg(root().join(file))
            .output()
            .expect("promtool starts");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&said));
    }
    let dashboard = std::fs::read(root().join("docs/prometheus/grafana.json")).expect("it is there");
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() > 10 && panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()));
}

#[tokio::test]
async fn a_real_prometheus_scrapes_it() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = open.local_addr().expect("bound").port();
    let site = format!(
        "defaults: {{check_interval: 1s}}\nhosts: {{web1: {{address: 127.0.0.1, check: {{tcp: {port}}}, services: {{one: {{tcp: {port}}}}}}}}}\n"
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    daemon.wait_for("/api/v1/services?state=OK", |list| list["total"] == 1).await;
    let prometheus = Prometheus::scraping(&daemon.address().to_string());
    let query = "/api/v1/query?query=vigia_service_state%7Bservice%3D%22one%22%7D";
    let sample = prometheus
        .wait_for(query, |answer| answer["data"]["result"].as_array().is_some_and(|r| !r.is_empty()))
        .await;
    assert_eq!(sample["data"]["result"][0]["value"][1], "0", "{sample}");
    daemon.stop().await;
}
