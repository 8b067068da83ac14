//! The metrics page as Prometheus reads it: its own linter, and a real scrape.

use std::net::TcpListener;

use serde_json::json;

use crate::support::daemon::TestDaemon;
use crate::support::servers::prometheus::{Prometheus, complaints_of_promtool};

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
