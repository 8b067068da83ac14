//! The screen that the customer began with: one host with four TCP ports, HTTP answering 403, MySQL refusing a
//! user, and SSH; then the real sshd goes away and comes back.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::daemon::TestDaemon;
use crate::support::pictures::picture;
use crate::support::servers::{mariadb::Mariadb, nginx::Nginx, sshd::Sshd};

struct Site {
    tcp: Vec<TcpListener>,
    nginx: Nginx,
    mariadb: Mariadb,
    sshd: Sshd,
}

impl Site {
    fn start() -> Self {
        let tcp = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        Self { tcp, nginx: Nginx::start(), mariadb: Mariadb::start(), sshd: Sshd::start() }
    }

    fn tcp_ports(&self) -> Vec<u16> {
        self.tcp.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
    }

    fn configuration(&self) -> String {
        let tcp: String = self
            .tcp_ports()
            .iter()
            .map(|port| format!("      GENERIC TCP {port}: {{tcp: {port}}}\n"))
            .collect();
        format!(
            "defaults: {{check_interval: 2s, retry_interval: 1s, max_check_attempts: 4}}
rules:
  tickets:
    when: {{match: \"*/SSH\", states: [critical], hard: true, lasting: 1s}}
    ticket: {{type: Availability, reopen_within: 24h}}
hosts:
  seed:
    address: 127.0.0.1
    check: {{tcp: {}}}
    services:
{tcp}      HTTP: {{http: {{port: {}, path: /}}}}
      MYSQL: {{mysql: {{port: {}, user: nagios}}}}
      SSH: {{ssh: {}}}
",
            self.tcp_ports()[0],
            self.nginx.port(),
            self.mariadb.port(),
            self.sshd.port()
        )
    }
}

/// A page's rows by service: status, attempt, information.
async fn rows(browser: &Browser) -> Vec<(String, String, String, String)> {
    let script = "return [...document.querySelectorAll('tbody tr[data-service]')].map(row => [
        row.dataset.service, ...['status', 'attempt', 'output'].map(c => row.querySelector('.' + c).innerText.trim())])";
    let found: Value = browser.client.execute(script, vec![]).await.expect("the rows");
    serde_json::from_value(found).expect("four texts a row")
}

#[tokio::test]
async fn the_seeds_screen_shows_its_seven_services() {
    let site = Site::start();
    let daemon = TestDaemon::start(&[("vigia.yaml", &site.configuration())]).await;
    let browser = Browser::open(1360, 640).await;
    browser.be_calm().await;
    browser.goto(&daemon.url("/services")).await;
    browser
        .wait_until(
            "both problems confirmed",
            "return ['HTTP', 'MYSQL'].every(name => {
                const row = document.querySelector(`tr[data-service='${name}']`);
                return row && row.querySelector('.attempt').innerText.trim() === '4/4'; })
              && [...document.querySelectorAll('tr[data-service] .status')].every(s => !s.innerText.includes('PENDING'))",
        )
        .await;

    let rows = rows(&browser).await;
    assert_eq!(rows.len(), 7, "{rows:?}");
    for (service, status, attempt, output) in &rows {
        let is_expected = match service.as_str() {
            "HTTP" => {
                status.contains("WARNING")
                    && attempt == "4/4"
                    && output.starts_with("HTTP WARNING: HTTP/1.1 403 Forbidden - ")
                    && output.contains(" bytes in ")
                    && output.ends_with(" second response time")
            }
            "MYSQL" => {
                status.contains("CRITICAL")
                    && attempt == "4/4"
                    && output.starts_with("Access denied for user 'nagios'@'")
                    && output.ends_with("' (using password: NO)")
            }
            "SSH" => {
                status.contains("OK")
                    && attempt == "1/4"
                    && output.starts_with("SSH OK - OpenSSH_")
                    && output.ends_with(" (protocol 2.0)")
            }
            tcp => {
                let port = tcp.strip_prefix("GENERIC TCP ").expect("one of the four ports");
                status.contains("OK")
                    && attempt == "1/4"
                    && output.starts_with("TCP OK - ")
                    && output.ends_with(&format!(" second response time on port {port}"))
            }
        };
        assert!(is_expected, "{service}: {status} {attempt} {output}");
    }
    let page = browser.texts("main").await.join(" ");
    assert!(page.contains("7 Matching Service Entries Displayed"), "{page}");
    for (state, count) in
        [("ok", "5"), ("warning", "1"), ("critical", "1"), ("unknown", "0"), ("pending", "0")]
    {
        let shown = browser.texts(&format!("[data-total='services-{state}'] b")).await;
        assert!(shown.iter().all(|text| text == count) && !shown.is_empty(), "{state}: {shown:?}");
    }
    browser.picture(&picture("service-detail.png")).await;
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_stopped_sshd_goes_soft_then_hard_raises_one_alarm_and_one_ticket_and_recovers() {
    let mut site = Site::start();
    let daemon = TestDaemon::start(&[("vigia.yaml", &site.configuration())]).await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/services")).await;
    let ssh = |what: &str, condition: &str| {
        (what.to_owned(), format!(
            "const row = document.querySelector(\"tr[data-service='SSH']\"); if (!row) return false;
             const status = row.querySelector('.status').innerText, attempt = row.querySelector('.attempt').innerText.trim(),
                   soft = row.dataset.stateType === '0';
             return {condition};"
        ))
    };
    let (what, script) = ssh("SSH OK", "status.includes('OK') && attempt === '1/4'");
    browser.wait_until(&what, &script).await;
    browser.client.execute("window.notReloaded = true", vec![]).await.expect("marked");

    site.sshd.stop();
    let (what, script) = ssh("SSH softly CRITICAL", "status.includes('CRITICAL') && soft");
    browser.wait_until(&what, &script).await;
    let (what, script) =
        ssh("SSH hard CRITICAL", "status.includes('CRITICAL') && !soft && attempt === '4/4'");
    browser.wait_until(&what, &script).await;
    let alarms = daemon.wait_for_total("/api/v1/alarms?host=seed&service=SSH&status=open", 1).await;
    assert_eq!(alarms["items"][0]["description"], "SSH", "{alarms}");
    assert_eq!(
        daemon.get("/api/v1/alarms?service=SSH&host=seed&state=CRITICAL&sort=severity").await["total"],
        1
    );
    assert_eq!(daemon.get("/api/v1/alarms?service=SSH&host=seed&state=down").await["total"], 0);
    let tickets = daemon.wait_for_total("/api/v1/tickets?status=open", 1).await;
    let reference = tickets["items"][0]["reference"].as_str().expect("a reference").to_owned();
    assert_eq!(reference, "AVA01");

    site.sshd.start_again();
    let (what, script) = ssh("SSH OK again", "status.includes('OK') && attempt === '1/4'");
    browser.wait_until(&what, &script).await;
    let is_same_page =
        browser.client.execute("return window.notReloaded === true", vec![]).await.expect("asked");
    assert_eq!(is_same_page, true, "the page was loaded again");
    daemon.wait_for_total("/api/v1/alarms?host=seed&service=SSH&status=open", 0).await;
    let all = daemon.wait_for_total("/api/v1/alarms?host=seed&service=SSH&status=all", 1).await;
    assert_eq!(all["total"], 1, "one problem, one alarm: {all}");
    let ticket = daemon.get("/api/v1/tickets/AVA01").await;
    let notes = ticket["notes"].as_array().expect("notes");
    assert!(notes.iter().any(|note| note["text"].as_str().unwrap_or("").contains("OK")), "{ticket}");
    assert_eq!(daemon.get("/api/v1/tickets?status=all").await["total"], 1);
    browser.close().await;
    daemon.stop().await;
}
