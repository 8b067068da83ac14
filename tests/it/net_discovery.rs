//! The seed's chapter in a real browser: discover, see what was found, insert, see it in Service Detail.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::pages::{Inspection, log_in};
use crate::support::browser::{Browser, Window};
use crate::support::daemon::TestDaemon;
use crate::support::pictures::picture;
use crate::support::site::{OPERATOR, acts};

/// A machine of loopback with a server that greets as SSH does, and one that refuses to say anything but 403.
async fn servers(address: &str) -> [u16; 2] {
    let mut ports = [0; 2];
    for (port, says) in ports.iter_mut().zip([
        &b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"[..],
        b"HTTP/1.1 403 Forbidden\r\nServer: Apache/2.2.3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ]) {
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        *port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if says.starts_with(b"HTTP") {
                        let mut asked = [0; 2_048];
                        drop(tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await);
                    }
                    stream.write_all(says).await.unwrap_or_default();
                });
            }
        });
    }
    ports
}

/// As the machine of an address is called, which depends on what this system's resolver says.
fn name_of(scan: &serde_json::Value, address: &str) -> String {
    let hosts = scan["report"]["hosts"].as_array().expect("hosts");
    let host = hosts.iter().find(|host| host["address"] == address).expect("it was found");
    host["host_name"].as_str().expect("a name").to_owned()
}

async fn house() -> TestDaemon {
    let site = "defaults: {check_interval: 1s, retry_interval: 1s}
networks: {office: {cidr: 127.0.1.0/30}}
hostgroups: {linux: {}}
discovery: {office-lan: {targets: [net:office], scan: ping, timing: insane}}
";
    let daemon = TestDaemon::start(&[("vigia.yaml", site)]).await;
    let (name, password) = OPERATOR;
    acts(&daemon, "/api/v1/users", json!({"name": name, "role": "editor", "password": password})).await;
    daemon
}

const FOUND: &str = "return document.querySelectorAll('table.found tr.row').length === 2";

/// Without touching the form: nothing is switched off, and the known host is recognised.
async fn insert_again(browser: &Browser, daemon: &TestDaemon, host: &str) {
    browser.goto(&daemon.url("/discovery")).await;
    browser.click("tr[data-job='office-lan'] button").await;
    let row = format!("return document.querySelector('table.found tr[data-host=\"{host}\"]') !== null");
    browser.wait_until("the second result", &row).await;
    browser
        .script("document.querySelectorAll('.pick input[name=host]').forEach((box) => (box.checked = false))")
        .await;
    browser.click(&format!("tr[data-host='{host}'] .pick input")).await;
    browser.click("#insert button.main").await;
    browser
        .wait_until(
            "that it is told",
            "return document.querySelector('.said')?.innerText.includes('updated')",
        )
        .await;
    let again = std::fs::read_to_string(daemon.state().join("discovered/manual.yaml")).expect("a page");
    assert!(!again.contains("monitor: off") && again.contains("asset_value: 4"), "{again}");
}

#[tokio::test]
async fn the_seeds_chapter_discover_insert_and_see_it_in_service_detail() {
    let (first, second) = (servers("127.0.1.1").await, servers("127.0.1.2").await);
    let daemon = house().await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    log_in(&browser, &daemon).await;
    browser.goto(&daemon.url("/")).await;
    browser.click(".rail a[href='/discovery']").await;
    let ports: Vec<String> = first.iter().chain(&second).map(u16::to_string).collect();
    browser.fill("[name=targets]", "127.0.1.1-2").await;
    browser.script("document.querySelector('[name=scan]').value = 'custom'").await;
    browser.script("document.querySelector('[name=timing]').value = 'insane'").await;
    browser.fill("[name=ports]", &ports.join(",")).await;
    browser.picture(&picture("discovery-form.png")).await;
    browser.click("#ask button.main").await;
    browser.wait_until("what was found", FOUND).await;
    assert_eq!(browser.script("return location.pathname").await, "/discovery/1");
    let shown = browser.texts("table.found tr.row .offers").await;
    assert!(shown.iter().all(|text| text.contains("ssh") && text.contains("http")), "{shown:?}");
    assert_eq!(
        browser.script("return document.querySelectorAll('.pick input[name=host]:checked').length").await,
        2
    );

    inspection.look_all_ways("/discovery/1", "discovery-results").await;

    // One of the two, with properties.
    let scan = daemon.get("/api/v1/discovery/scans/1").await;
    let (host, other) = (name_of(&scan, "127.0.1.1"), name_of(&scan, "127.0.1.2"));
    browser.click(&format!("tr[data-host='{other}'] .pick input")).await;
    assert_eq!(browser.script("return document.querySelector('[name=monitor_new]').checked").await, true);
    browser.script("document.querySelector('[name=asset_value]').value = '4'").await;
    browser.fill("[name=group]", "edge").await;
    browser.fill("[name=description]", "The one under the stairs").await;
    browser.fill("[name=latitude]", "40.4168").await;
    browser.fill("[name=longitude]", "-3.7038").await;
    browser.whole_picture(&picture("discovery-insert.png"), Window::DESK).await;
    browser.click("#insert button.main").await;
    browser
        .wait_until(
            "that it is told",
            "return document.querySelector('.said')?.innerText.includes('1 host written; they are live in a moment')",
        )
        .await;

    // It appears in Service Detail, with what was typed, and is green.
    browser.goto(&daemon.url(&format!("/services?host={host}"))).await;
    let names = format!("return [...document.querySelectorAll('tr.row')].map((row) => row.dataset.service + ' ' + row.querySelector('.word').innerText).join()
        === 'HTTP_{} OK,SSH_{} OK'", first[1], first[0]);
    browser.wait_until("both services, checked and well", &names).await;
    browser.picture(&picture("discovery-live.png")).await;
    let page = std::fs::read_to_string(daemon.state().join("discovered/manual.yaml")).expect("a page");
    for line in [
        "hostgroups:\n  edge: {}\n",
        "    location: {latitude: 40.4168, longitude: -3.7038}\n",
        "    notes: \"The one under the stairs\"\n",
        "{port: ",
        "expect: [200, 403]",
    ] {
        assert!(page.contains(line), "{line} is missing in {page}");
    }
    assert!(
        !page.contains(&format!("  {other}:")) && !page.contains("127.0.1.2"),
        "what was not ticked is not written: {page}"
    );
    let known = daemon.get(&format!("/api/v1/hosts/{host}")).await;
    assert_eq!(known["groups"], json!(["edge"]), "{known:#}");

    insert_again(&browser, &daemon, &host).await;
    inspection.end();
    assert_eq!(browser.console().await, [""; 0]);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_scan_under_way_is_followed_and_cancelled_on_the_page() {
    let daemon = house().await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    log_in(&browser, &daemon).await;
    // One probe at a time, minutes between two.
    let ask = json!({"targets": "127.0.1.1-2", "scan": "1,2,3", "timing": "paranoid"});
    acts(&daemon, "/api/v1/discovery/scans", ask).await;
    browser.goto(&daemon.url("/discovery")).await;
    let stage = "return document.querySelector('[data-stage]')?.innerText.includes('what is there')";
    browser.wait_until("how far it is", stage).await;
    inspection.look_all_ways("/discovery", "discovery").await;
    // What somebody types stays, whatever begins or ends meanwhile.
    browser.fill("[name=targets]", "192.0.2.0/24").await;
    browser.script("document.activeElement.blur()").await;
    acts(&daemon, "/api/v1/discovery/scans", json!({"targets": "127.0.1.3", "scan": "ping", "timing": "T5"}))
        .await;
    let ended = "return document.querySelector('a.open[href=\"/discovery/2\"]') !== null";
    browser.wait_until("the other scan among those that ended", ended).await;
    assert_eq!(browser.script("return document.querySelector('[name=targets]').value").await, "192.0.2.0/24");
    browser.click(".scan button[name=cancel]").await;
    let over = "return document.querySelector('.lead')?.innerText.includes('Cancelled; what was found')";
    browser.wait_until("that it was cancelled, with what there is", over).await;
    inspection.look("/discovery/1", "discovery-scan").await;
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}
