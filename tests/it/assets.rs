//! What scans leave behind: assets, anomalies, tickets, and the switch of a whole network. On a network of the test's own, in
//! a running daemon, and in a real browser.

use std::process::Command;

use serde_json::{Value, json};

use crate::discovery::{ask, card, items, wait_for};
use crate::pages::{Inspection, log_in};
use crate::support::browser::Browser;
use crate::support::daemon::TestDaemon;
use crate::support::lan::{Lan, python};
use crate::support::site::{OPERATOR, acts, report};

fn ssh(version: &str) -> Command {
    python(22, &format!("c.sendall(b'SSH-2.0-OpenSSH_{version}\\r\\n'); time.sleep(2)"))
}

const RULES: &str = "networks: {office: {cidr: 192.0.2.0/24}}
rules:
  software: {when: {source: anomaly, anomaly: [version_changed]}, ticket: {tags: [inventory]}}
";

fn scan(lan: &Lan) {
    lan.done(&["discover", "192.0.2.8/29", "--scan", "22,80", "-T", "T4"]);
}

fn kinds(answer: &Value) -> Vec<&str> {
    items(answer).iter().map(|one| one["kind"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_version_is_an_anomaly_and_by_rule_a_ticket() {
    let mut lan = Lan::start();
    lan.write("etc/vigia.yaml", RULES);
    let web = lan.machine("192.0.2.10", &card(0x10));
    lan.serve(web, 22, |_| ssh("9.2p1"));
    let daemon = lan.daemon();
    wait_for(&lan, "/api/v1/status", |answer| answer["version"].is_string()).await;
    lan.done(&["discover", "192.0.2.8/29", "--scan", "22,80", "-T", "T4", "--write"]);
    let known = wait_for(&lan, "/api/v1/assets?q=state:monitored", |answer| answer["total"] == 1).await;
    let asset = &items(&known)[0];
    assert_eq!(asset["addresses"][0]["mac"], card(0x10).to_uppercase());
    assert_eq!(asset["services"][0]["version"], "9.2p1");
    scan(&lan);
    assert_eq!(ask(&lan, "/api/v1/anomalies?status=all").await.unwrap()["total"], 0, "nothing has changed");

    lan.silence(web);
    lan.serve(web, 22, |_| ssh("9.6p1"));
    scan(&lan);
    let told = ask(&lan, "/api/v1/anomalies").await.unwrap();
    assert_eq!(kinds(&told), ["version_changed"], "{told:#}");
    let anomaly = &items(&told)[0];
    assert_eq!((&anomaly["old"], &anomaly["new"]), (&json!("OpenSSH 9.2p1"), &json!("OpenSSH 9.6p1")));
    let reference = anomaly["ticket"].as_str().expect("a ticket by rule");
    assert!(reference.starts_with("ANO"), "{reference}");
    let ticket = ask(&lan, &format!("/api/v1/tickets/{reference}")).await.unwrap();
    assert_eq!((&ticket["class"], &ticket["tags"][0]), (&json!("Anomaly"), &json!("inventory")));
    assert!(
        ticket["title"].as_str().unwrap().ends_with("22/tcp OpenSSH 9.2p1 → OpenSSH 9.6p1"),
        "{ticket:#}"
    );
    assert_eq!(ask(&lan, "/api/v1/assets?q=ticket:open").await.unwrap()["total"], 1);

    let id = anomaly["id"].to_string();
    assert!(lan.done(&["anomaly", "accept", &id]).contains("the new value is right from now on"));
    scan(&lan);
    assert_eq!(ask(&lan, "/api/v1/anomalies").await.unwrap()["total"], 0, "it is the baseline now");

    // Without a daemon the scan goes to the same memory, and the ticket opens when the daemon is back.
    drop(daemon);
    lan.silence(web);
    lan.serve(web, 22, |_| ssh("9.7p1"));
    scan(&lan);
    let _daemon = lan.daemon();
    let has_note = |answer: &Value| items(answer).iter().any(|one| one["ticket"] == reference);
    let told = wait_for(&lan, "/api/v1/anomalies", has_note).await;
    assert_eq!(items(&told)[0]["old"], "OpenSSH 9.6p1", "{told:#}");
    let ticket = ask(&lan, &format!("/api/v1/tickets/{reference}")).await.unwrap();
    assert!(ticket["notes"].to_string().contains("Again: "), "one matter, one ticket: {ticket:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_new_and_one_that_went_are_told_once() {
    let mut lan = Lan::start();
    let web = lan.machine("192.0.2.10", &card(0x10));
    lan.serve(web, 22, |_| ssh("9.2p1"));
    let _daemon = lan.daemon();
    wait_for(&lan, "/api/v1/status", |answer| answer["version"].is_string()).await;
    scan(&lan);
    let new = lan.machine("192.0.2.11", &card(0x11));
    lan.serve(new, 80, |_| python(80, "c.recv(500); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')"));
    scan(&lan);
    let told = ask(&lan, "/api/v1/anomalies").await.unwrap();
    assert_eq!(kinds(&told), ["host_new"], "{told:#}");
    assert!(items(&told)[0]["new"].as_str().unwrap().starts_with("192.0.2.11, 80/tcp http"), "{told:#}");
    lan.silence(web);
    scan(&lan);
    scan(&lan);
    let told = ask(&lan, "/api/v1/anomalies?kind=service_gone").await.unwrap();
    assert_eq!(told["total"], 1, "{told:#}");
    assert_eq!(items(&told)[0]["old"], "ssh OpenSSH 9.2p1");
    let gone = lan.done(&["anomaly", "list", "--kind", "service_gone"]);
    assert!(gone.contains("22/tcp"), "{gone}");
}

const SITE: &str = "defaults: {check_interval: 1h}
networks: {office: {cidr: 192.0.2.0/24}, lab: {cidr: 192.0.2.64/28, monitor: on}}
hosts:
  a: {address: 192.0.2.1, check: {passive: {}}, services: {HTTP: {passive: {}}}}
  b: {address: 192.0.2.2, check: {passive: {}}}
  c: {address: 192.0.2.70, check: {passive: {}}}
";

/// Names of the hosts that are checked.
async fn checked(daemon: &TestDaemon) -> Vec<String> {
    let hosts = daemon.get("/api/v1/hosts").await;
    items(&hosts).iter().map(|host| host["host_name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_switch_of_a_network_covers_its_hosts_and_those_to_come_and_keeps_their_history() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    report(&daemon, "a", "", 1, "DOWN: remembered").await;
    let answer = acts(&daemon, "/api/v1/networks/office", json!({"monitor": "off"})).await;
    assert!(
        answer["message"].as_str().unwrap().starts_with("Monitoring of network office is off: "),
        "{answer}"
    );
    assert_eq!(checked(&daemon).await, ["c"], "a narrower network says on");
    let history = daemon.get("/api/v1/history?host=a").await;
    assert!(history.to_string().contains("DOWN: remembered"), "{history:#}");

    let later = "hosts: {d: {address: 192.0.2.9, check: {passive: {}}}}\n";
    std::fs::create_dir_all(daemon.state().join("discovered")).expect("a folder");
    std::fs::write(daemon.state().join("discovered/manual.yaml"), later).expect("written");
    acts(&daemon, "/api/v1/reload", json!({})).await;
    assert_eq!(checked(&daemon).await, ["c"], "a host that comes later is covered");
    let folder = daemon.kill().await;
    let daemon = TestDaemon::start_in(folder, &[]).await;
    assert_eq!(checked(&daemon).await, ["c"], "and a restart forgets nothing");

    let said = daemon.cli(&["network", "monitor", "office", "on"]).await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(checked(&daemon).await, ["a", "b", "c", "d"]);
    let networks = daemon.wait_for("/api/v1/networks", |answer| answer["items"][1]["monitored"] == 4).await;
    assert_eq!(networks["items"][1]["assets"], 4, "{networks:#}");
    let (status, answer) = daemon.post("/api/v1/networks/lab", &json!({"monitor": "off"})).await;
    assert_eq!((status, answer["error"].as_str().unwrap().contains("the configuration says")), (409, true));
}

fn found(address: &str, version: &str, name: &str) -> Value {
    json!({
        "address": address, "sign": "echo", "mac": "00:1e:c9:78:c4:fc", "vendor": "Dell Inc.", "complete": true,
        "names": [name], "os": {"name": "Debian GNU/Linux 12", "evidence": "SSH banner"},
        "ssh_key": format!("SHA256:{version}key"),
        "services": [
            {"port": 22, "name": "ssh", "sure": true, "product": "OpenSSH", "version": version},
            {"port": 80, "name": "http", "sure": true, "product": "nginx", "version": "1.22.1"},
            {"port": 443, "name": "https", "sure": true, "tls": true, "tls_key": "SHA256:tls", "tls_until": 1_900_000_000},
            {"port": 3306, "name": "mysql", "sure": true, "product": "MariaDB", "version": "10.11.6"},
        ],
    })
}

async fn observe(daemon: &TestDaemon, findings: Vec<Value>) {
    let targets: Vec<String> = (0..=255).map(|last| format!("192.0.2.{last}")).collect();
    let scan = json!({
        "targets": targets, "scan": "normal", "engine": "builtin", "complete": true, "looked_at": 256,
        "findings": findings,
    });
    acts(daemon, "/api/v1/assets/observe", scan).await;
}

/// A house with an editor, and two scans between which something happened.
async fn house() -> TestDaemon {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let (name, password) = OPERATOR;
    acts(&daemon, "/api/v1/users", json!({"name": name, "role": "editor", "password": password})).await;
    report(&daemon, "a", "", 0, "up").await;
    report(&daemon, "a", "HTTP", 2, "CRITICAL: no answer").await;
    let printer = json!({"address": "192.0.2.40", "sign": "echo", "complete": true, "names": ["printer-3.example.test"]});
    observe(&daemon, vec![found("192.0.2.1", "9.2p1", "a.example.test"), printer]).await;
    let stranger = json!({
        "address": "192.0.2.77", "sign": "echo", "complete": true, "names": ["<script>alert(1)</script>"],
        "mac": "52:54:00:12:34:56",
    });
    for _ in 0..4 {
        observe(&daemon, vec![found("192.0.2.1", "9.6p1", "a.example.test"), stranger.clone()]).await;
    }
    daemon
}

#[tokio::test]
async fn assets_networks_and_anomalies_in_a_browser() {
    let daemon = house().await;
    let browser = Browser::open(1280, 800).await;
    log_in(&browser, &daemon).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    let of_a = daemon.get("/api/v1/assets/a").await;
    let page = format!("/assets/{}", of_a["id"]);
    for (path, name) in [
        ("/assets", "assets"),
        (page.as_str(), "asset"),
        ("/networks", "networks"),
        ("/anomalies", "anomalies"),
        ("/assets?q=sate:down", "assets-misread"),
        ("/assets?q=os:plan9", "assets-none"),
    ] {
        inspection.look_all_ways(path, name).await;
    }
    inspection.end();

    browser.goto(&daemon.url("/assets?q=port:3306")).await;
    assert_eq!(browser.texts("table.assets tbody td.title b").await, ["a"]);
    browser.goto(&daemon.url(&page)).await;
    browser.fill("input[name=latitude]", "40.4168").await;
    browser.fill("input[name=longitude]", "-3.7038").await;
    browser.fill("input[name=owner]", "ana").await;
    browser.click("#edit button.main").await;
    browser.wait_until("it is saved", "return document.querySelector('.said') !== null").await;
    let said = &daemon.get("/api/v1/assets/a").await["said"];
    assert_eq!((&said["latitude"], &said["longitude"]), (&json!("40.4168"), &json!("-3.7038")));

    browser.goto(&daemon.url("/anomalies?kind=version_changed")).await;
    assert_eq!(browser.texts("td.new").await, ["OpenSSH 9.6p1"]);
    browser.click("table.anomalies input[name=id]").await;
    browser.click("button[value=ticket]").await;
    browser.wait_until("the ticket's page", "return location.pathname.startsWith('/tickets/ANO')").await;
    browser.goto(&daemon.url("/anomalies?kind=version_changed")).await;
    browser.click("table.anomalies input[name=id]").await;
    browser.click("button[value=accept]").await;
    browser.wait_until("nothing is open", "return document.querySelector('.empty') !== null").await;

    browser.goto(&daemon.url("/networks")).await;
    browser.click("tr[data-network=office] button[value=off]").await;
    browser.wait_until("it is switched", "return document.querySelector('.said') !== null").await;
    assert_eq!(checked(&daemon).await, ["c"]);
    browser.close().await;
}

#[tokio::test]
async fn assets_go_out_as_csv_and_come_in_with_every_mistake_named_by_its_line() {
    let daemon = house().await;
    let out = daemon.cli(&["asset", "export"]).await;
    let text = String::from_utf8(out.stdout).expect("text");
    assert!(text.starts_with("IPs;Hostname;FQDNs;Description;Asset Value"), "{text}");
    let path = daemon.etc().join("../assets.csv");
    std::fs::write(&path, &text).expect("written");
    let file = path.to_str().expect("a path");
    let again = daemon.cli(&["asset", "import", file]).await;
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && said.contains("0 assets were added, 0 changed"), "{again:?}");
    std::fs::write(&path, "IPs;Hostname;Latitude\n192.0.2.200;mill;40.4\n192.0.2.300;x;95\n")
        .expect("written");
    let refused = daemon.cli(&["asset", "import", file]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("line 3: `192.0.2.300` is not an address"), "{said}");
    assert!(said.contains("line 3: latitude: `95` is not a number of degrees"), "{said}");
    assert_eq!(daemon.get("/api/v1/assets?q=name:mill").await["total"], 0, "all of it or nothing");
    let edited = daemon.cli(&["asset", "edit", "192.0.2.40", "value=9"]).await;
    assert_eq!(edited.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&edited.stderr).contains("value: `9` is not a number from 0 to 5"));
}

#[tokio::test]
async fn who_is_not_logged_in_looks_and_changes_nothing() {
    let daemon = house().await;
    let (status, _) = daemon.text("/api/v1/assets").await;
    assert_eq!(status, 200);
    let host = daemon.address().to_string();
    for path in ["/api/v1/assets/a", "/api/v1/networks/office", "/api/v1/anomalies/1/accept"] {
        let stream = tokio::net::TcpStream::connect(daemon.address()).await.expect("it listens");
        let (status, _) = crate::support::http::exchange(stream, "POST", path, &host, "{}").await;
        assert_eq!(status, 401, "{path}");
    }
}
