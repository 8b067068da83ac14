//! The knowledge base through the running daemon: a problem is solved, what solved it is written down, and is there when
//! it returns.

use serde_json::json;

use crate::pages::Inspection;
use crate::support::browser::Browser;
use crate::support::daemon::TestDaemon;
use crate::support::site::{HEAD, acts, report_hard};

async fn site() -> TestDaemon {
    let site = format!(
        "{HEAD}hosts:\n  web1: {{address: 127.0.0.1, check: off, services: {{HTTP: {{passive: {{}}}}}}}}\n"
    );
    TestDaemon::start(&[("vigia.yaml", &site)]).await
}

#[tokio::test]
async fn what_solved_a_problem_is_offered_when_it_returns() {
    let daemon = site().await;
    acts(
        &daemon,
        "/api/v1/users",
        json!({"name": "eva", "role": "editor", "password": "correct horse battery"}),
    )
    .await;
    report_hard(&daemon, "web1", "HTTP", 2, "503 Service Unavailable").await;
    daemon.wait_for_total("/api/v1/tickets", 1).await;
    let browser = Browser::open(1280, 800).await;
    browser.goto(&daemon.url("/login")).await;
    browser.fill("[name=name]", "eva").await;
    browser.fill("[name=password]", "correct horse battery").await;
    browser.press_enter().await;
    browser.wait_until("her name", "return Boolean(document.querySelector('.user-name'))").await;
    browser.goto(&daemon.url("/tickets/AVA01")).await;
    assert_eq!(browser.texts(".known .lead").await, ["No linked documents."]);
    browser.fill("form[action='/act/note-ticket'] [name=text]", "The pool was full.").await;
    browser.fill("form[action='/act/note-ticket'] [name=action]", "restarted php-fpm").await;
    browser.click("form[action='/act/note-ticket'] button.main").await;
    browser.wait_until("the note", "return Boolean(document.querySelector('.did'))").await;
    browser.fill("form[action='/act/close-ticket'] [name=text]", "A larger pool.").await;
    browser.click("form[action='/act/close-ticket'] button").await;
    browser
        .wait_until("the way on", "return Boolean(document.querySelector('.known-acts a:last-child'))")
        .await;
    browser.click(".known-acts a:last-child").await;
    browser
        .wait_until(
            "the form",
            "return document.querySelector('[name=text]')?.value.includes('restarted php-fpm') ?? false",
        )
        .await;
    browser.fill("[name=title]", "The pool of php-fpm is full").await;
    browser.click("button.main").await;
    browser.wait_until("the document", "return location.pathname === '/documents/1'").await;
    assert_eq!(browser.texts(".prose h3").await.len(), 3, "what happened, what was found, what to do");

    // It comes back: the page of the problem tells both.
    browser.goto(&daemon.url("/hosts/web1/services/HTTP")).await;
    assert_eq!(browser.texts(".known li a").await, ["The pool of php-fpm is full"]);
    let last = browser.texts(".known .comment").await.join("");
    assert!(
        last.contains("Last time: AVA01 Fixed, ")
            && last.contains("A larger pool.")
            && last.contains("restarted php-fpm"),
        "{last}"
    );

    let edit = json!({"text": "# The pool\n\nRestart **php-fpm**, then see `pm.max_children`.\n\n| step | who |\n|---|---|\n| restart | ana |\n", "review": "2020-01-01"});
    acts(&daemon, "/api/v1/documents/1", edit).await;
    let mut inspection = Inspection::begin(&browser, &daemon).await;
    for (path, name) in [
        ("/documents", "documents"),
        ("/documents/1", "document"),
        ("/documents/1/edit", "document-form"),
        ("/documents/1/versions", "document-versions"),
        ("/tickets/AVA01", "ticket-known"),
        ("/hosts/web1/services/HTTP", "service-known"),
    ] {
        inspection.look_all_ways(path, name).await;
    }
    inspection.end();
    browser.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_command_line_writes_finds_and_links_documents_that_outlive_a_kill_and_a_new_name() {
    let daemon = site().await;
    let folder = daemon.folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("ups.md"), "# UPS\n\nThe battery lasts *ten* minutes.\n").expect("a file");
    std::fs::write(path("plan.txt"), "rack 7").expect("a file");
    let daemon = {
        let says = async |arguments: &[&str], words: &str| {
            let output = daemon.cli(arguments).await;
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success() && text.contains(words), "{arguments:?}: {text}");
        };
        let ups = path("ups.md");
        says(
            &["document", "new", "UPS", &ups, "--link", "host:web1", "--review", "2020-01-01"],
            "document 1 written",
        )
        .await;
        says(&["document", "list", "-q", "batter"], "host:web1").await;
        says(&["document", "list", "--overdue"], "UPS").await;
        says(&["document", "edit", "1", "--title", "The UPS", "--keywords", "power"], "changed").await;
        says(&["document", "versions", "1"], "2 ").await;
        says(&["document", "link", "1", "service:web1/HTTP"], "is about service:web1/HTTP").await;
        says(&["document", "attach", "1", &path("plan.txt")], "1 file attached to document 1").await;
        says(&["document", "show", "1"], "plan.txt").await;
        says(&["document", "restore", "1", "1"], "says what version 1 said").await;
        daemon.crash_and_restart().await
    };
    daemon.write("vigia.yaml", &format!("{HEAD}hosts:\n  www: {{was: [web1], address: 127.0.0.1, check: off, services: {{HTTP: {{passive: {{}}}}}}}}\n"));
    daemon.wait_for_total("/api/v1/services?host=www", 1).await;
    let one =
        daemon.wait_for("/api/v1/documents/1", |one| one["links"].to_string().contains("host:www")).await;
    assert_eq!(one["links"], json!(["service:www/HTTP", "host:www"]), "{one}");
    assert_eq!((&one["title"], &one["version"]), (&json!("UPS"), &json!(3)));
    let (status, answer) = daemon.post("/api/v1/documents/1", &json!({"title": "x", "version": 1})).await;
    assert!(status == 409 && answer["error"].as_str().expect("why").contains("changed since"), "{answer}");
    acts(&daemon, "/api/v1/documents/1/delete", json!({})).await;
    assert_eq!(daemon.text("/api/v1/documents/1").await.0, 404);
    assert_eq!(daemon.text("/api/v1/attachments/1").await.0, 404);
    daemon.stop().await;
}
