//! What the handbook tells administrators to write into other programs, in these programs.

use crate::support::daemon::TestDaemon;
use crate::support::http::exchange;
use crate::support::servers::nginx::Front;
use crate::support::servers::prometheus::Prometheus;
use crate::support::sources::read;

/// The first block of this kind below a heading of the page on operations.
fn block(heading: &str, begins: &str) -> String {
    let page = read("docs/operations.md".as_ref());
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    let (_, rest) = section.split_once(begins).expect("the block");
    rest.split("```").next().expect("its end").to_owned()
}

/// The YAML of a section that has this in it.
fn settings(heading: &str, has: &str) -> String {
    let page = read("docs/operations.md".as_ref());
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    let mut blocks = section.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(has)).expect("the block").to_owned()
}

#[tokio::test]
async fn nginx_as_described_stands_before_the_page() {
    let hosts = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}\n";
    let site = format!("{hosts}{}  auth: {{anonymous: all}}\n", settings("Behind a web server\n", "url:"));
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    let location = block("Behind a web server\n", "```nginx\n");
    let nginx = Front::start(&location.replace("127.0.0.1:8642", &daemon.address().to_string()));
    let ask = async |path: &str| {
        let stream = tokio::net::TcpStream::connect(nginx.address()).await.expect("it listens");
        exchange(stream, "GET", path, "vigia.example.test", "").await
    };
    let (status, page) = ask("/hosts").await;
    assert!(status == 200 && page.contains("web1"), "{status} {page}");
    // Whoever comes through it is nobody on this machine: without `anonymous` a login is asked for.
    daemon.write("vigia.yaml", &site.replace("anonymous: all", "anonymous: loopback"));
    let daemon = daemon.crash_and_restart().await;
    let nginx = Front::start(&location.replace("127.0.0.1:8642", &daemon.address().to_string()));
    let stream = tokio::net::TcpStream::connect(nginx.address()).await.expect("it listens");
    let (status, _) = exchange(stream, "GET", "/hosts", "vigia.example.test", "").await;
    assert_eq!(status, 303, "to the login");
    assert_eq!(daemon.text("/hosts").await.0, 200, "who is here needs none");
}

#[tokio::test]
async fn prometheus_as_described_scrapes_the_page() {
    let hosts = "hosts: {web1: {address: 127.0.0.1, check: off, services: {page: {passive: {}}}}}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", hosts)]).await;
    let scrape = block("Prometheus\n", "```\n");
    assert!(scrape.contains("job_name: vigia"), "{scrape}");
    let scrape = scrape.replace("127.0.0.1:8642", &daemon.address().to_string());
    let prometheus =
        Prometheus::with(&format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n{scrape}"));
    let query = "/api/v1/query?query=up%7Bjob%3D%22vigia%22%7D";
    let is_up = |answer: &serde_json::Value| answer["data"]["result"][0]["value"][1] == "1";
    prometheus.wait_for(query, is_up).await;
    assert!(daemon.stop().await.success());
}
