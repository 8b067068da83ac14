//! Tickets through the running daemon: what people say of them is kept, found, and never overwritten unseen.

use serde_json::{Value, json};

use crate::support::daemon::TestDaemon;
use crate::support::site::acts;

const SITE: &str = "hosts:
  web1: {address: 127.0.0.1, check: {passive: {}}}
contacts: {ana: {}, ben: {}}
contactgroups: {ops: {members: [ana]}}
";

async fn total(daemon: &TestDaemon, query: &str) -> Value {
    daemon.get(&format!("/api/v1/tickets?{query}")).await["total"].clone()
}

#[tokio::test]
async fn a_ticket_that_only_the_store_knows_is_edited_by_two_people_and_over_a_kill() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let new = json!({
        "title": "Host web1 changed its OS", "class": "Anomaly", "priority": 5, "in_charge": "OPS",
        "tags": ["rack7"], "fields": {"kind": "os", "host": "192.0.2.77", "previous": "Linux", "new": "Windows"},
    });
    let opened = acts(&daemon, "/api/v1/tickets", new).await;
    assert_eq!(opened["reference"], "ANO01");
    acts(&daemon, "/api/v1/tickets/ANO01/close", json!({"resolution": "Fixed", "text": "was a proxy"})).await;
    let closed = daemon.get("/api/v1/tickets/ANO01").await;
    let life = closed["life_time"].clone();

    let daemon = daemon.crash_and_restart().await;
    let version = daemon.get("/api/v1/tickets/ANO01").await["version"].clone();
    let edit = |title: &str| json!({"title": title, "in_charge": null, "version": version});
    acts(&daemon, "/api/v1/tickets/ANO01/edit", edit("the first")).await;
    let (status, answer) = daemon.post("/api/v1/tickets/ANO01/edit", &edit("the second")).await;
    assert_eq!(status, 409, "{answer}");
    acts(&daemon, "/api/v1/tickets/ANO01/note", json!({"text": "no text is a conflict", "version": version}))
        .await;
    let (status, _) = daemon.post("/api/v1/tickets/ANO99/note", &json!({"text": "x"})).await;
    assert_eq!(status, 404);

    let daemon = daemon.crash_and_restart().await;
    let ticket = daemon.get("/api/v1/tickets/ANO01").await;
    assert_eq!((&ticket["title"], &ticket["in_charge"]), (&json!("the first"), &Value::Null), "{ticket}");
    assert_eq!(ticket["life_time"], life, "a note after the end makes nothing longer");
    assert_eq!(ticket["subscribers"][0], "ops", "{ticket}");
    let change = json!({"field": "title", "before": "Host web1 changed its OS", "after": "the first"});
    assert_eq!(ticket["notes"][1]["changes"][0], change, "{ticket}");
    assert_eq!(total(&daemon, "").await, 0);
    for query in ["q=192.0.2.77", "q=was%20a%20PROXY", "q=ano01", "tag=rack7", "priority=medium", "with=root"]
    {
        assert_eq!(total(&daemon, &format!("status=all&{query}")).await, 1, "{query}");
    }
    for query in ["q=Host%20web1", "priority=high", "class=Alarm", "in_charge=ops"] {
        assert_eq!(total(&daemon, &format!("status=all&{query}")).await, 0, "{query}");
    }
    daemon.stop().await;
}

const PASSIVE: &str = "hosts:
  web1:
    address: 127.0.0.1
    check: {passive: {}}
    max_check_attempts: 1
    services: {queue: {passive: {}}}
rules:
  tickets: {when: {states: [down, critical]}, ticket: {}}
";

/// A ticket's whole way to the one that follows when it was no false positive after all.
#[tokio::test]
async fn a_false_positive_comes_no_more_over_a_kill_until_it_is_revoked() {
    let daemon = TestDaemon::start(&[("vigia.yaml", PASSIVE)]).await;
    let result =
        |state: u8| json!({"host": "web1", "service": "queue", "state": state, "output": "QUEUE is full"});
    acts(&daemon, "/api/v1/result", json!({"host": "web1", "state": 0, "output": "up"})).await;
    acts(&daemon, "/api/v1/result", result(2)).await;
    daemon.wait_for("/api/v1/tickets", |tickets| tickets["total"] == 1).await;
    let says = async |daemon: &TestDaemon, arguments: &[&str], words: &str| {
        let output = daemon.cli(arguments).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(text.contains(words), "{arguments:?}: {text}");
    };
    let close =
        ["ticket", "close", "AVA01", "blind here", "--resolution", "false positive", "--until", "30d"];
    says(&daemon, &close, "closed").await;
    acts(&daemon, "/api/v1/result", result(0)).await;
    // A result is answered before it is on the disk, an order after.
    daemon.wait_for_total("/api/v1/alarms", 0).await;

    let daemon = daemon.crash_and_restart().await;
    acts(&daemon, "/api/v1/result", json!({"host": "web1", "state": 0, "output": "up"})).await;
    acts(&daemon, "/api/v1/result", result(2)).await;
    daemon.wait_for("/api/v1/suppressions", |found| found["items"][0]["held"] == 1).await;
    assert_eq!(total(&daemon, "status=all").await, 1);
    assert_eq!(
        daemon.get("/api/v1/alarms?status=open").await["items"][0]["labels"],
        json!(["False positive"])
    );
    says(&daemon, &["why", "web1/queue"], "called a false positive, by suppression 1").await;
    says(&daemon, &["suppression", "list"], "problems up to CRITICAL").await;
    says(&daemon, &["suppression", "revoke", "1"], "suppression 1 revoked").await;
    says(&daemon, &["suppression", "revoke", "1"], "no suppression in force 1").await;
    daemon
        .wait_for("/api/v1/tickets?status=all", |tickets| {
            tickets["total"] == 1 && tickets["items"][0]["status"] == "Open"
        })
        .await;
    says(&daemon, &["suppression", "list", "--ended"], "revoked").await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_command_line_does_with_tickets_what_the_pages_do() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let says = async |arguments: &[&str]| {
        let output = daemon.cli(arguments).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    for (arguments, words) in [
        (&["ticket", "type", "add", "Night shift", "--description", "what wakes people"][..], "added"),
        (&["ticket", "new", "Door left open", "--type", "night SHIFT", "--in-charge", "ana"], "CUS01 opened"),
        (&["ticket", "edit", "CUS01", "--priority", "8", "--tag", "door", "--tag", "night"], "changed"),
        (&["ticket", "subscribe", "CUS01", "ben"], "ben hears of"),
        (&["ticket", "list", "--priority", "high", "--in-charge", "ana", "--tag", "door"], "8 High"),
        (&["ticket", "list", "--status", "open", "--type", "Night shift"], "Door left open"),
        (&["ticket", "show", "CUS01"], "priority: 1 → 8"),
        (&["ticket", "show", "CUS01"], "ana, ben"),
        (&["ticket", "type", "delete", "Night shift"], "1 tickets are Generic now"),
        (&["ticket", "show", "CUS01"], "Generic"),
        (&["ticket", "delete", "CUS01"], "deleted"),
        (&["ticket", "new", "Another"], "CUS02 opened"),
    ] {
        let (code, text) = says(arguments).await;
        assert!(code == Some(0) && text.contains(words), "{arguments:?}: {code:?} {text}");
    }
    for (arguments, words) in [
        (&["ticket", "show", "CUS01"][..], "no ticket"),
        (&["ticket", "edit", "CUS02"], "nothing is said"),
        (&["ticket", "edit", "CUS02", "--type", "Nonsense"], "one of Generic"),
        (&["ticket", "edit", "CUS02", "--in-charge", "anna"], "no user, contact or contact group `anna`"),
        (&["ticket", "edit", "CUS02", "--field", "port=22"], "no field of Custom"),
        (&["ticket", "type", "delete", "Generic"], "cannot be renamed or deleted"),
        (&["ticket", "new", "two\nlines"], "one line"),
    ] {
        let (code, text) = says(arguments).await;
        assert!(code == Some(1) && text.contains(words), "{arguments:?}: {code:?} {text}");
    }
    daemon.stop().await;
}
