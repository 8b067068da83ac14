//! Where an object is defined: on request alone, of what runs, and with a word where the disk says something else.

use crate::support::daemon::TestDaemon;
use crate::support::site::HEAD;

const SITE: &str = "templates: {web: {services: {HTTP: {passive: {}, retry_interval: 7s}}}}
hosts:
  web1: {address: 192.0.2.1, use: web, check: {passive: {}}}
";

const ORIGINS: &str = "/api/v1/hosts/web1/services/HTTP/origins";

/// Value and place of a key.
async fn said(daemon: &TestDaemon, key: &str) -> (String, String, String) {
    let origins = daemon.get(ORIGINS).await;
    let items = origins["items"].as_array().expect("a list");
    let item = items.iter().find(|item| item["key"] == key).unwrap_or_else(|| panic!("{origins}"));
    let text = |field: &str| item[field].as_str().expect("a text").to_owned();
    (text("value"), text("place"), text("via"))
}

#[tokio::test]
async fn it_tells_of_what_runs_and_that_the_disk_says_something_else() {
    let daemon = TestDaemon::start(&[("vigia.yaml", HEAD), ("conf.d/web.yaml", SITE)]).await;
    let file = daemon.etc().join("conf.d/web.yaml").display().to_string();
    let (value, place, via) = said(&daemon, "retry_interval").await;
    assert_eq!((&*value, &*via), ("7s", "template web"));
    assert!(place.starts_with(&format!("{file}:1:")), "{place}");
    assert_eq!(said(&daemon, "check_period").await.1, "built in");
    assert_eq!(daemon.get(ORIGINS).await["changed"], serde_json::json!([]));

    // A file that cannot be read takes nothing away, and what runs is what was read before.
    daemon.write("conf.d/web.yaml", &SITE.replace("7s}}", "9s}"));
    daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    assert_eq!(said(&daemon, "retry_interval").await.0, "7s");
    assert_eq!(daemon.get(ORIGINS).await["changed"], serde_json::json!([file]));

    daemon.write("conf.d/web.yaml", &SITE.replace("7s", "9s"));
    daemon.wait_for("/api/v1/config", |health| health["valid"] == true).await;
    daemon.wait_for(ORIGINS, |origins| origins["items"].to_string().contains("\"9s\"")).await;
    assert_eq!(daemon.get(ORIGINS).await["changed"], serde_json::json!([]));
    daemon.stop().await;
}

#[tokio::test]
async fn a_page_reads_it_for_whoever_asks_alone() {
    let daemon = TestDaemon::start(&[("vigia.yaml", HEAD), ("conf.d/web.yaml", SITE)]).await;
    let (_, page) = daemon.text("/hosts/web1/services/HTTP").await;
    assert!(page.contains("Show each value with its file and line") && !page.contains("template web"));
    let (_, page) = daemon.text("/hosts/web1/services/HTTP?defined=yes").await;
    assert!(page.contains("template web"), "{page}");
    daemon.stop().await;
}
