//! Every page in a real browser: a picture of it to look at, and what is wrong with it for people who see badly,
//! use no mouse, or hold it in one hand.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::browser::{Browser, Window};
use crate::support::daemon::TestDaemon;
use crate::support::pictures::picture;
use crate::support::site::{HEAD, OPERATOR, acts, add_operator, report, report_hard};

const CHECKS: &str = include_str!("support/page_checks.js");

/// Bytes of a page with its style, script and icon, before compression.
const HEAVIEST: u64 = 150_000;

/// Looks at pages one after the other and collects what is wrong with any of them.
pub struct Inspection<'a> {
    browser: &'a Browser,
    daemon: &'a TestDaemon,
    window: Window,
    wrong: String,
}

impl<'a> Inspection<'a> {
    pub async fn begin(browser: &'a Browser, daemon: &'a TestDaemon) -> Self {
        browser.goto(&daemon.url("/login")).await;
        browser.be_calm().await;
        browser.console().await;
        browser.requests().await;
        Self { browser, daemon, window: Window::DESK, wrong: String::new() }
    }

    pub async fn through(&mut self, window: Window) {
        self.browser.become_window(window).await;
        self.window = window;
    }

    pub async fn theme(&self, theme: &str) {
        self.browser.script(&format!("document.cookie = 'vigia_theme={theme}; path=/'")).await;
    }

    /// In light and dark, at the desk and on the phone.
    pub async fn look_all_ways(&mut self, path: &str, name: &str) {
        for (window, size) in [(Window::DESK, ""), (Window::PHONE, "-phone")] {
            self.through(window).await;
            for (theme, end) in [("light", ""), ("dark", "-dark")] {
                self.theme(theme).await;
                self.look(path, &format!("{name}{size}{end}")).await;
            }
        }
        self.theme("light").await;
        self.through(Window::DESK).await;
    }

    pub async fn look(&mut self, path: &str, name: &str) {
        self.browser.goto(&self.daemon.url(path)).await;
        self.browser.whole_picture(&picture(&format!("{name}.png")), self.window).await;
        let found = self.browser.script(CHECKS).await;
        for sentence in found.as_array().expect("a list") {
            writeln!(self.wrong, "{name} ({path}): {}", sentence.as_str().unwrap_or_default())
                .expect("memory");
        }
        // A page that is not there is what was asked for.
        let lines = self.browser.console().await;
        for line in lines.iter().filter(|line| !line.contains("status of 404")) {
            writeln!(self.wrong, "{name} ({path}) says in the console: {line}").expect("memory");
        }
        let own = self.daemon.url("/");
        for url in self.browser.requests().await.iter().filter(|url| !url.starts_with(&own)) {
            // The browser's own new-tab page and pictures made by it.
            if !url.starts_with("data:") && !url.starts_with("chrome:") {
                writeln!(self.wrong, "{name} ({path}) asks {url}").expect("memory");
            }
        }
    }

    pub fn end(self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong);
    }
}

const LONG_NAME: &str =
    "A service whose name somebody wrote as a whole sentence because there was room for it";

/// One of everything that a page can show.
async fn lively() -> TestDaemon {
    let site = format!(
        "{HEAD}web: {{public_status: on}}
hostgroups: {{linux: {{}}, web: {{}}}}
hosts:
  router: {{address: 192.0.2.1, check: {{passive: {{}}}}, tags: {{site: lisboa}}}}
  web1:
    address: 192.0.2.10
    alias: The first of the web servers
    notes: Rebooted each Sunday at 04:00.
    parents: [router]
    hostgroups: [linux, web]
    tags: {{env: prod}}
    check: {{passive: {{}}}}
    services: {{HTTP: {{passive: {{}}}}, HTTPS: {{passive: {{}}}}, SSH: {{passive: {{}}}}, Disk /var: {{passive: {{}}}}, Load: {{passive: {{}}}}, '{LONG_NAME}': {{passive: {{}}}}}}
  web2: {{address: 192.0.2.11, parents: [router], hostgroups: [linux, web], check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}}}, HTTPS: {{passive: {{}}}}}}}}
  database-primary-with-a-long-name.lisboa.example.test: {{address: '2001:db8::1234:5678:9abc', check: {{passive: {{}}}}, services: {{MYSQL: {{passive: {{}}}}, Replication: {{passive: {{}}}}, Dump: {{passive: {{}}}}}}}}
  new: {{address: 192.0.2.99, check: {{passive: {{}}}}, services: {{Never checked: {{passive: {{}}}}}}}}
"
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    add_operator(&daemon).await;
    checks_report(&daemon).await;
    people_act(&daemon).await;
    called_false(&daemon).await;
    daemon
}

const DATABASE: &str = "database-primary-with-a-long-name.lisboa.example.test";

/// Results of every kind: good and bad, soft and hard, short and endless.
async fn checks_report(daemon: &TestDaemon) {
    for host in ["router", "web1", "web2", DATABASE] {
        report(
            daemon,
            host,
            "",
            0,
            "PING OK - Packet loss = 0%, RTA = 0.42 ms|rta=0.42ms;100;500;0 pl=0%;20;60",
        )
        .await;
    }
    report(daemon, "web1", "HTTP", 0, "HTTP OK: HTTP/1.1 200 OK - 5120 bytes in 0.004 second response time |time=0.004s;1;2;0 size=5120B;;;0").await;
    report_hard(
        daemon,
        "web1",
        "HTTPS",
        1,
        "HTTP WARNING: HTTP/1.1 403 Forbidden - 512 bytes in 0.004 second response time |time=0.004s;1;2;0",
    )
    .await;
    report(daemon, "web1", "SSH", 0, "SSH OK - OpenSSH_9.2p1 Debian-2+deb12u10 (protocol 2.0)").await;
    let mounts: String =
        (0..60).map(|n| format!("/srv/volume-{n:02} 93% used, {} MB free of 20480 MB\n", 1000 + n)).collect();
    report_hard(daemon, "web1", "Disk /var", 2, &format!("DISK CRITICAL - free space: /var 512 MB (2% inode=91%): it grew by 3.2 GB in the last hour and will be full at about 18:40 if that goes on|/var=19968MB;16384;18432;0;20480\n{mounts}")).await;
    report(
        daemon,
        "web1",
        "Load",
        2,
        "CRITICAL - load average: 12.41, 9.02, 4.44|load1=12.41;5;10;0 load5=9.02;4;8;0 load15=4.44;3;6;0",
    )
    .await;
    report_hard(daemon, "web1", LONG_NAME, 3, "UNKNOWN: (No output returned from plugin)").await;
    report_hard(daemon, "web2", "HTTP", 2, "connect to address 192.0.2.11 and port 80: Connection refused")
        .await;
    report(
        daemon,
        "web2",
        "HTTPS",
        0,
        "HTTP OK: HTTP/2 200 - 5120 bytes in 0.014 second response time |time=0.014s;1;2;0",
    )
    .await;
    report_hard(
        daemon,
        DATABASE,
        "MYSQL",
        2,
        "Access denied for user 'nagios'@'192.0.2.5' (using password: NO)",
    )
    .await;
    report_hard(daemon, DATABASE, "Replication", 1, "Slave lag 74 seconds|lag=74s;60;300;0").await;
    acts(daemon, "/api/v1/acknowledge", json!({"host": DATABASE, "service": "MYSQL", "comment": "The password was changed; the grant is being made.", "expires": "2h"})).await;
}

/// A problem that somebody called a false positive, and that came back.
async fn called_false(daemon: &TestDaemon) {
    report_hard(daemon, DATABASE, "Dump", 1, "DUMP WARNING - the last one is 25 hours old|age=90000s").await;
    // The list is read from the store, which hears of it a moment after the world.
    let alarms = daemon.wait_for("/api/v1/alarms?q=Dump", |alarms| alarms["total"] == 1).await;
    let id = &alarms["items"][0]["id"];
    let said =
        json!({"comment": "The dump runs at noon; the plugin counts from midnight.", "false_positive": true});
    acts(daemon, &format!("/api/v1/alarms/{id}/close"), said).await;
    report(daemon, DATABASE, "Dump", 0, "DUMP OK").await;
    report_hard(daemon, DATABASE, "Dump", 1, "DUMP WARNING - the last one is 25 hours old|age=90000s").await;
}

/// What makes the pages of work full: an acknowledgement, a downtime, a comment, tickets.
async fn people_act(daemon: &TestDaemon) {
    acts(
        daemon,
        "/api/v1/downtime",
        json!({"host": "web2", "service": "HTTP", "comment": "New kernel", "for": "3h"}),
    )
    .await;
    acts(daemon, "/api/v1/alarms/3/own", json!({"owner": "ana"})).await;
    acts(daemon, "/api/v1/alarms/3/label", json!({"label": "Analysis in progress"})).await;
    acts(daemon, "/api/v1/alarms/3/comment", json!({"comment": "The plugin was replaced this morning."}))
        .await;
    acts(daemon, "/api/v1/comment", json!({"host": "web1", "service": "Disk /var", "comment": "The log of the shop is at fault.\nRotating it by hand."})).await;
    acts(daemon, "/api/v1/tickets", json!({"title": "Buy more disks for all of the web servers before the winter sale begins", "text": "Three of them are above 90 %.", "class": "Custom", "priority": 8, "in_charge": "ana", "tags": ["hardware", "budget"]})).await;
    acts(daemon, "/api/v1/tickets/AVA01/note", json!({"text": "Called the provider. They look at it until noon.", "action": "phone call", "status": "Assigned", "in_charge": "ana"})).await;
}

/// The address of each page of the lively site, and what its pictures are called.
const PAGES: &[(&str, &str)] = &[
    ("/", "overview"),
    ("/problems", "problems"),
    ("/services", "services"),
    ("/services?state=problem&q=web&sort=-duration", "services-filtered"),
    ("/hosts", "hosts"),
    ("/search?q=web1", "search"),
    ("/hosts/web1", "host"),
    ("/hosts/web1/services/Disk%20%2Fvar", "service"),
    ("/hosts/database-primary-with-a-long-name.lisboa.example.test/services/MYSQL", "service-acknowledged"),
    ("/hosts/new/services/Never%20checked", "service-pending"),
    ("/hosts/web1/services/HTTP?defined=yes", "service-defined"),
    ("/alarms", "alarms"),
    ("/alarms?group=root", "alarms-by-cause"),
    ("/alarms/3", "alarm"),
    ("/alarms/report?since=7d", "alarm-report"),
    ("/suppressions", "suppressions"),
    ("/hosts/database-primary-with-a-long-name.lisboa.example.test/services/Dump", "service-suppressed"),
    ("/act/close-alarm?id=1&back=/alarms", "act-close-alarm"),
    ("/tickets", "tickets"),
    ("/tickets?status=all&class=custom&tag=hardware&sort=-priority", "tickets-filtered"),
    ("/tickets/AVA01", "ticket"),
    ("/ticket-types", "ticket-types"),
    ("/ticket-template?ticket=AVA01", "ticket-template"),
    ("/act/ticket?class=Anomaly&back=/tickets", "act-ticket-anomaly"),
    ("/notifications", "notifications"),
    ("/act/acknowledge?object=web1/HTTPS&object=web1/Disk%20/var&back=/services", "act-acknowledge"),
    ("/act/downtime?object=web1&end=2h&back=/hosts/web1", "act-downtime"),
    ("/act/ticket?object=web1/HTTPS&back=/services", "act-ticket"),
    ("/downtimes", "downtimes"),
    ("/comments", "comments"),
    ("/act/downtime?match=web1&end=2h&back=/downtimes", "act-downtime-match"),
    ("/config", "config"),
    ("/process", "process"),
    ("/login", "login"),
    ("/hosts/nowhere", "missing"),
];

async fn every_page(inspection: &mut Inspection<'_>, suffix: &str) {
    for (path, name) in PAGES {
        inspection.look(path, &format!("{name}{suffix}")).await;
    }
}

/// Every page of the lively site without login, in one window and one set of colours.
async fn read_every_page(window: Window, theme: &str, suffix: &str) {
    let daemon = lively().await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    inspection.through(window).await;
    inspection.theme(theme).await;
    every_page(&mut inspection, suffix).await;
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn every_page_can_be_read_in_light() {
    read_every_page(Window::DESK, "light", "").await;
}

#[tokio::test]
async fn every_page_can_be_read_in_the_dark() {
    read_every_page(Window::DESK, "dark", "-dark").await;
}

#[tokio::test]
async fn every_page_can_be_read_on_a_telephone() {
    read_every_page(Window::PHONE, "light", "-phone").await;
}

#[tokio::test]
async fn every_page_can_be_read_in_a_narrow_window() {
    read_every_page(Window { width: 1000, ..Window::DESK }, "light", "-narrow").await;
}

#[tokio::test]
async fn states_are_told_apart_by_whoever_sees_colours_otherwise() {
    let daemon = lively().await;
    let browser = Browser::open(1280, 800).await;
    for seen in ["protanopia", "deuteranopia", "tritanopia", "achromatopsia"] {
        browser.devtools("Emulation.setEmulatedVisionDeficiency", json!({"type": seen})).await;
        for (path, name) in [("/services", "services"), ("/", "overview")] {
            browser.goto(&daemon.url(path)).await;
            browser.picture(&picture(&format!("{name}-{seen}.png"))).await;
        }
    }
    // What each state looks like without any colour: no two are drawn alike.
    browser.goto(&daemon.url("/services")).await;
    let drawn = "const of = (mark) => [mark.querySelector('use').getAttribute('href'), getComputedStyle(mark).fill !== 'none'].join(' ');
        return Object.fromEntries([...document.querySelectorAll('tr.row')].map(row => [row.querySelector('.word').textContent + row.dataset.stateType, of(row.querySelector('svg.mark'))]))";
    let drawn = browser.script(drawn).await;
    let drawn = drawn.as_object().expect("states");
    let mut looks: Vec<&str> = drawn.values().filter_map(Value::as_str).collect();
    let states = looks.len();
    looks.sort_unstable();
    looks.dedup();
    assert!(states >= 5 && looks.len() == states, "{drawn:?}");
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_page_for_everybody_reads_well_too() {
    let daemon = lively().await;
    let browser = Browser::open(1280, 800).await;
    for (window, suffix) in [(Window::DESK, ""), (Window::PHONE, "-phone")] {
        browser.become_window(window).await;
        browser.goto(&daemon.url("/status")).await;
        browser.whole_picture(&picture(&format!("public{suffix}.png")), window).await;
        let wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(browser.script(wide).await, true, "{window:?}");
    }
    assert_eq!(browser.texts("h1").await, ["8 problems"]);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn who_is_logged_in_can_read_every_page_too() {
    let daemon = lively().await;
    let browser = Browser::open(1280, 800).await;
    log_in(&browser, &daemon).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    every_page(&mut inspection, "-operator").await;
    inspection.through(Window::PHONE).await;
    inspection.theme("dark").await;
    every_page(&mut inspection, "-phone-dark").await;
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}

pub async fn log_in(browser: &Browser, daemon: &TestDaemon) {
    browser.goto(&daemon.url("/login")).await;
    browser.fill("[name=name]", OPERATOR.0).await;
    browser.fill("[name=password]", OPERATOR.1).await;
    browser.press_enter().await;
    browser
        .wait_until("the name of who is logged in", "return Boolean(document.querySelector('.user-name'))")
        .await;
}

#[tokio::test]
async fn a_site_with_nothing_in_it_is_told_kindly() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    for page in ["", "problems", "services", "hosts", "alarms", "tickets", "config"] {
        let name = if page.is_empty() { "overview" } else { page };
        inspection.look(&format!("/{page}"), &format!("empty-{name}")).await;
    }
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_site_where_everything_is_broken_is_told_plainly() {
    let hosts: String = (1..=12)
        .map(|n| format!("  srv{n:02}: {{address: 192.0.2.{n}, check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}}}, SSH: {{passive: {{}}}}, DNS: {{passive: {{}}}}}}}}\n"))
        .collect();
    let good = format!("{HEAD}hosts:\n{hosts}");
    let daemon = TestDaemon::start(&[("vigia.yaml", &good)]).await;
    for n in 1..=12 {
        let host = format!("srv{n:02}");
        report_hard(&daemon, &host, "", 1, "CRITICAL - Host Unreachable (192.0.2.1)").await;
        for (service, state) in [("HTTP", 2), ("SSH", 3), ("DNS", 1)] {
            report_hard(&daemon, &host, service, state, "CRITICAL - Socket timeout after 10 seconds").await;
        }
    }
    daemon.write("conf.d/bad.yaml", "hosts:\n  srv13: {address: 192.0.2.13, services: {HTTP: {htpt: {}}}}\n  srv14: {adress: 192.0.2.14}\n");
    daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    for (window, suffix) in [(Window::DESK, ""), (Window::PHONE, "-phone")] {
        inspection.through(window).await;
        for page in
            ["", "problems", "services", "hosts", "alarms", "tickets", "config", "hosts/srv01/services/HTTP"]
        {
            let name = page.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("overview");
            inspection.look(&format!("/{page}"), &format!("broken-{name}{suffix}")).await;
        }
    }
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_stays_light() {
    let mut site = format!("{HEAD}hosts:\n");
    for n in 0..200 {
        let services: Vec<String> = (0..25).map(|s| format!("check-{s:02}: {{passive: {{}}}}")).collect();
        writeln!(
            site,
            "  host-{n:03}: {{address: 192.0.2.1, check: {{passive: {{}}}}, services: {{{}}}}}",
            services.join(", ")
        )
        .expect("memory");
    }
    let daemon = TestDaemon::start(&[("vigia.yaml", &site)]).await;
    let results: Vec<Value> = (0..200)
        .flat_map(|n| (0..25).map(move |s| json!({"host": format!("host-{n:03}"), "service": format!("check-{s:02}"), "state": (n * s) % 4, "output": "What a plugin says, in as many words as plugins usually use for it"})))
        .collect();
    acts(&daemon, "/api/v1/results", json!({"results": results})).await;
    let browser = Browser::open(1280, 800).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    for path in ["/services", "/services?page=7", "/problems", "/hosts", "/"] {
        let name = path.trim_start_matches('/').replace(['?', '='], "-");
        inspection.look(path, &format!("big-{}", if name.is_empty() { "overview" } else { &name })).await;
        let weight = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .filter(e => !e.name.includes('/events')).reduce((sum, e) => sum + e.encodedBodySize, 0)";
        let weight = browser.script(weight).await.as_u64().expect("a number");
        assert!(weight > 1000 && weight < HEAVIEST, "{path} weighs {weight} bytes");
    }
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}
