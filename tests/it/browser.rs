//! The pages as a person uses them: they keep themselves up to date, are worked with the keyboard, act, and read
//! well without their script.

use serde_json::json;

use crate::pages::log_in;
use crate::support::browser::{Browser, Window};
use crate::support::daemon::TestDaemon;
use crate::support::pictures::picture;
use crate::support::site::{HEAD, acts, add_operator, report, report_hard};

/// Three hosts with three services, all well.
async fn calm() -> TestDaemon {
    let hosts: String = (1..=3)
        .map(|n| format!("  web{n}: {{address: 192.0.2.{n}, check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}}}, SSH: {{passive: {{}}}}, DNS: {{passive: {{}}}}}}}}\n"))
        .collect();
    let daemon = TestDaemon::start(&[("vigia.yaml", &format!("{HEAD}hosts:\n{hosts}"))]).await;
    for n in 1..=3 {
        let host = format!("web{n}");
        report(&daemon, &host, "", 0, "PING OK").await;
        for service in ["HTTP", "SSH", "DNS"] {
            report(&daemon, &host, service, 0, "fine").await;
        }
    }
    daemon
}

/// The row of a service, in a script.
fn row(host: &str, service: &str) -> String {
    format!("document.querySelector(\"tr[data-host='{host}'][data-service='{service}']\")")
}

const LIVE: &str = "return document.querySelector('#live').className === 'live on'";

#[tokio::test]
async fn rows_totals_title_and_icon_follow_what_happens() {
    let daemon = calm().await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/services")).await;
    browser.wait_until("the line to the daemon", LIVE).await;
    browser.script("window.isSamePage = true").await;
    let icon = "return document.querySelector('link[rel=icon]').href.includes('icon-critical')";
    assert_eq!(browser.script(icon).await, false);
    let web2 = row("web2", "HTTP");

    report(&daemon, "web2", "HTTP", 2, "Connection refused").await;
    let soft = format!(
        "const row = {web2}; return row.classList.contains('changed') && row.dataset.stateType === '0'
            && row.querySelector('.status').innerText.includes('CRITICAL')
            && row.querySelector('.output').innerText === 'Connection refused'"
    );
    browser.wait_until("the row softly critical, glowing", &soft).await;
    assert_eq!(browser.script(&format!("return {web2}.rowIndex")).await, 5, "nothing moved");
    let glow = format!("return getComputedStyle({web2}.cells[1]).animationName");
    assert_eq!(browser.script(&glow).await, "glow");

    report(&daemon, "web2", "HTTP", 2, "Connection refused").await;
    browser.wait_until("the title's count", "return document.title.startsWith('(1) Service Detail')").await;
    browser.wait_until("the worst colour", icon).await;
    assert_eq!(browser.texts("[data-total='services-critical'] b").await, ["1"]);
    assert_eq!(browser.texts("[data-total='services-ok'] b").await, ["8"]);
    assert_eq!(browser.texts("[data-unhandled]").await, ["1"]);
    assert_eq!(
        browser.script("return document.querySelector('#spoken').textContent").await,
        "1 problem is not handled"
    );

    report(&daemon, "web2", "HTTP", 0, "fine again").await;
    browser.wait_until("a title without count", "return document.title.startsWith('Service Detail')").await;
    assert_eq!(browser.script("return window.isSamePage").await, true);
    assert_eq!(browser.console().await, [""; 0]);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_lost_connection_is_said_and_its_return_too() {
    let daemon = calm().await;
    let address = daemon.address().to_string();
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/services")).await;
    browser.wait_until("the line to the daemon", LIVE).await;
    let folder = daemon.kill().await;
    browser
        .wait_until(
            "that the figures are old",
            "return document.querySelector('#live').innerText.startsWith('stale since')",
        )
        .await;
    assert_eq!(
        browser.script("return getComputedStyle(document.querySelector('.table')).opacity").await,
        "0.5"
    );
    browser.picture(&picture("connection-lost.png")).await;
    let daemon = TestDaemon::start_in(folder, &["--listen", &address]).await;
    browser.wait_until("the line again", LIVE).await;
    assert_eq!(browser.script("return document.body.classList.contains('is-lost')").await, false);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn nothing_moves_under_the_hand_until_it_is_asked_for() {
    let daemon = calm().await;
    report_hard(&daemon, "web1", "HTTP", 2, "Connection refused").await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/problems")).await;
    browser.wait_until("the line to the daemon", LIVE).await;
    browser.click(".pick input[name=object]").await;
    report_hard(&daemon, "web3", "SSH", 2, "Connection refused").await;
    browser.wait_until("the pill", "const pill = document.querySelector('#pill'); return !pill.hidden && /^[0-9]+ changes? — show$/.test(pill.innerText.trim())").await;
    assert_eq!(browser.texts("tr.row .service").await, ["HTTP"], "a row is selected: the list waits");
    browser.picture(&picture("changes-pill.png")).await;
    browser.click("#pill button").await;
    browser.wait_until("both problems", "return document.querySelectorAll('tr.row').length === 2").await;
    assert_eq!(browser.script("return document.querySelector('#pill').hidden").await, true);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_list_is_worked_with_the_keyboard() {
    let daemon = calm().await;
    report_hard(&daemon, "web1", "SSH", 2, "Connection refused").await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/services")).await;
    let at = "return document.querySelector('.row.at')?.dataset.key ?? null";
    browser.press("j").await;
    assert_eq!(browser.script(at).await, "web1/DNS");
    browser.press("j").await;
    browser.press("j").await;
    browser.press("k").await;
    assert_eq!(browser.script(at).await, "web1/HTTP");
    browser.press("x").await;
    browser.press("j").await;
    browser.press("x").await;
    assert_eq!(browser.texts("#picked").await, ["2"]);
    browser.picture(&picture("selection.png")).await;
    browser.press("a").await;
    browser.wait_until("the form", "return location.pathname === '/act/acknowledge'").await;
    let acted_on = browser.texts("section li a").await;
    assert_eq!(acted_on, ["web1/HTTP", "web1/SSH"]);

    browser.goto(&daemon.url("/services")).await;
    browser.press("?").await;
    assert_eq!(browser.script("return document.querySelector('#keys').open").await, true);
    browser.picture(&picture("keys.png")).await;
    browser.press("\u{e00c}").await;
    assert_eq!(browser.script("return document.querySelector('#keys').open").await, false);
    browser.press("/").await;
    assert_eq!(browser.script("return document.activeElement.id").await, "q");
    browser.press("web2").await;
    browser.press_enter().await;
    browser
        .wait_until(
            "what was found",
            "return location.pathname === '/search' || location.pathname.includes('web2')",
        )
        .await;

    browser.goto(&daemon.url("/services")).await;
    browser.press("j").await;
    browser.press_enter().await;
    browser.wait_until("the object", "return location.pathname === '/hosts/web1/services/DNS'").await;
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn colours_go_round_from_the_systems_to_light_to_dark() {
    let daemon = calm().await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/services?state=ok")).await;
    let theme = "return (document.documentElement.dataset.theme ?? 'auto')";
    let ground = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.script(theme).await, "auto");
    let mut seen = Vec::new();
    for expected in ["light", "dark", "auto"] {
        browser.click("[name=theme]").await;
        browser.wait_until(expected, &format!("{theme} === '{expected}'")).await;
        assert_eq!(browser.script("return location.search").await, "?state=ok", "one stays where one was");
        seen.push(browser.script(ground).await);
    }
    assert_ne!(seen[0], seen[1], "dark is not light");
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn who_is_not_logged_in_comes_back_to_the_form_as_it_was_filled_in() {
    let daemon = calm().await;
    add_operator(&daemon).await;
    report_hard(&daemon, "web1", "HTTP", 2, "Connection refused").await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/problems")).await;
    browser.click(".pick input[name=object]").await;
    browser.click("#selection button[formaction='/act/acknowledge']").await;
    browser.wait_until("the form", "return location.pathname === '/act/acknowledge'").await;
    browser.fill("[name=comment]", "the switch & its \"uplink\" <b>").await;
    browser.fill("[name=expires]", "2h").await;
    browser.click("button.main").await;
    browser.wait_until("the login", "return location.pathname === '/login'").await;
    browser.picture(&picture("login-to-act.png")).await;
    browser.fill("[name=name]", "ana").await;
    browser.fill("[name=password]", "wrong").await;
    browser.press_enter().await;
    browser.wait_until("why not", "return Boolean(document.querySelector('[role=alert]'))").await;
    assert_eq!(browser.script("return document.querySelector('[name=name]').value").await, "ana");
    browser.picture(&picture("login-refused.png")).await;
    browser.fill("[name=password]", crate::support::site::OPERATOR.1).await;
    browser.press_enter().await;
    browser.wait_until("the form again", "return location.pathname === '/act/acknowledge'").await;
    let kept = "return [document.querySelector('[name=comment]').value, document.querySelector('[name=expires]').value]";
    assert_eq!(browser.script(kept).await, json!(["the switch & its \"uplink\" <b>", "2h"]));
    browser.click("button.main").await;
    browser.wait_until("the list", "return location.pathname === '/problems'").await;
    let said = browser.texts(".said span").await.join("");
    assert!(said.starts_with("Acknowledged 1 object, until ") && said.ends_with("UTC"), "{said}");
    browser.picture(&picture("acknowledged.png")).await;

    browser.goto(&daemon.url("/services?host=web1")).await;
    let mark = format!("return {}.querySelector('.status').title", row("web1", "HTTP"));
    assert_eq!(browser.script(&mark).await, "CRITICAL, acknowledged by ana");
    assert_eq!(browser.texts(".bubble:not([hidden])").await, [""; 0], "what is handled is not counted");
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn an_operator_comments_silences_checks_and_keeps_tickets() {
    let daemon = calm().await;
    add_operator(&daemon).await;
    report_hard(&daemon, "web1", "HTTP", 1, "slow").await;
    let browser = Browser::open(1280, 800).await;
    log_in(&browser, &daemon).await;
    let page = daemon.url("/hosts/web1/services/HTTP");
    let said =
        |text: &str| format!("return document.querySelector('.said')?.innerText.includes('{text}') ?? false");

    browser.goto(&page).await;
    browser.click("a.button[href*='act/comment']").await;
    browser.fill("[name=comment]", "first line\nsecond line").await;
    browser.click("button.main").await;
    browser.wait_until("the comment", &said("Comment added")).await;
    assert_eq!(browser.texts(".comment .body").await, ["first line\nsecond line"]);

    for (typed, end) in [("until 18:00", " 18:00:00 UTC"), ("2h", " UTC")] {
        browser.goto(&page).await;
        browser.click("summary[data-act=downtime]").await;
        if typed == "2h" {
            browser.picture(&picture("downtime-form.png")).await;
        }
        browser.fill(".acts [name=end]", typed).await;
        browser.fill(".acts form[action='/act/downtime'] [name=comment]", "new kernel").await;
        browser.click(".acts form[action='/act/downtime'] button.main").await;
        browser.wait_until("the downtime", &said("Downtime for 1 object from ")).await;
        let text = browser.texts(".said > span").await.join("");
        assert!(text.ends_with(end), "{typed} is echoed as read: {text}");
    }
    browser.click(".said button.link").await;
    browser.wait_until("the undoing", &said("Downtime cancelled")).await;
    assert_eq!(daemon.get("/api/v1/downtimes?host=web1&service=HTTP").await["total"], 1);

    browser.goto(&page).await;
    browser.click("summary[data-act=downtime]").await;
    browser.fill(".acts [name=end]", "whenever").await;
    browser.fill(".acts form[action='/act/downtime'] [name=comment]", "kept").await;
    browser.click(".acts form[action='/act/downtime'] button.main").await;
    browser.wait_until("what is wrong", "return Boolean(document.querySelector('[role=alert]'))").await;
    assert_eq!(browser.script("return document.querySelector('[name=comment]').value").await, "kept");
    browser.picture(&picture("form-with-mistake.png")).await;

    browser.goto(&page).await;
    browser.click("a.button[href*='act/ticket']").await;
    browser.fill("[name=title]", "The site is slow").await;
    browser.click("button.main").await;
    browser.wait_until("the ticket", "return location.pathname.startsWith('/tickets/')").await;
    browser.fill("form[action='/act/note-ticket'] [name=text]", "asked the provider").await;
    browser.click("form[action='/act/note-ticket'] button.main").await;
    browser.wait_until("the note", &said("noted")).await;
    browser.fill("form[action='/act/close-ticket'] [name=text]", "they did it").await;
    browser.click("form[action='/act/close-ticket'] button").await;
    browser.wait_until("the end", &said("closed")).await;
    browser.picture(&picture("ticket-closed.png")).await;
    browser.fill("form[action='/act/reopen-ticket'] [name=text]", "not at all").await;
    browser.click("form[action='/act/reopen-ticket'] button.main").await;
    browser.wait_until("the return", &said("reopened")).await;
    let bodies = browser.texts(".comment .body").await.join("|");
    assert!(bodies.contains("asked the provider|they did it|not at all"), "{bodies}");
    assert_eq!(browser.console().await.iter().filter(|line| !line.contains("422")).count(), 0);
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn without_its_script_every_page_reads_and_every_form_works() {
    let daemon = calm().await;
    add_operator(&daemon).await;
    report_hard(&daemon, "web1", "HTTP", 2, "Connection refused").await;
    let browser = Browser::open(1280, 800).await;
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.setBlockedURLs", json!({"urls": ["*/vigia.js*"]})).await;
    log_in(&browser, &daemon).await;
    for page in [
        "/",
        "/problems",
        "/services",
        "/hosts",
        "/alarms",
        "/tickets",
        "/notifications",
        "/process",
        "/assets",
        "/networks",
        "/anomalies",
    ] {
        browser.goto(&daemon.url(page)).await;
        assert!(!browser.texts("main h1").await.is_empty(), "{page}");
    }
    browser.goto(&daemon.url("/services")).await;
    assert_eq!(browser.texts("#live").await.len(), 1);
    assert_ne!(
        browser.script("return document.querySelector('#live').className").await,
        "live on",
        "no script ran"
    );
    browser.click("tr[data-host=web1][data-service=HTTP] .pick input").await;
    browser.click("tr[data-host=web2][data-service=HTTP] .pick input").await;
    let has_come =
        |path: &str| format!("return location.pathname === '{path}' && document.readyState === 'complete'");
    browser.click("#selection button[formaction='/act/downtime']").await;
    browser.wait_until("the form", &has_come("/act/downtime")).await;
    browser.fill("[name=end]", "2h").await;
    browser.fill("[name=comment]", "new kernel").await;
    browser.click("button.main").await;
    let said = |text: &str| {
        format!("return document.querySelector('.said')?.innerText.startsWith('{text}') ?? false")
    };
    browser.wait_until("the downtimes", &said("Downtime for 2 objects")).await;
    browser.goto(&daemon.url("/hosts/web1/services/HTTP")).await;
    browser.click("a.button[href*='act/comment']").await;
    // The page before has a field of that name too.
    browser.wait_until("the form", &has_come("/act/comment")).await;
    browser.fill("[name=comment]", "no script here").await;
    browser.click("button.main").await;
    browser.wait_until("the comment", &said("Comment added to 1 object")).await;

    // The drawer of a telephone opens without it too.
    browser.become_window(Window::PHONE).await;
    browser.be_calm().await;
    browser.goto(&daemon.url("/")).await;
    let is_open = "return getComputedStyle(document.querySelector('.rail')).visibility";
    assert_eq!(browser.script(is_open).await, "hidden");
    browser.click(".burger").await;
    assert_eq!(browser.script(is_open).await, "visible");
    browser.picture(&picture("phone-drawer.png")).await;
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn who_may_only_look_is_told_which_role_acting_needs() {
    let daemon = calm().await;
    let viewer = json!({"name": "vera", "role": "viewer", "password": "correct horse battery"});
    acts(&daemon, "/api/v1/users", viewer).await;
    report_hard(&daemon, "web1", "HTTP", 2, "Connection refused").await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/login")).await;
    browser.fill("[name=name]", "vera").await;
    browser.fill("[name=password]", "correct horse battery").await;
    browser.press_enter().await;
    browser.wait_until("her name", "return Boolean(document.querySelector('.user-name'))").await;
    browser.goto(&daemon.url("/hosts/web1/services/HTTP")).await;
    assert_eq!(browser.texts(".acts").await, ["Acting needs the role operator"]);
    browser.picture(&picture("service-viewer.png")).await;
    browser.close().await;
    daemon.stop().await;
}
