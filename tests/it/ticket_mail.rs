//! The mail of tickets to a real SMTP server: who hears of what, once, in one thread, whatever a title says.

use serde_json::json;

use crate::support::daemon::TestDaemon;
use crate::support::servers::smtp::{Mail, Smtp};
use crate::support::site::acts;

async fn with_mail(smtp: &Smtp) -> TestDaemon {
    let yaml = format!(
        "smtp: {{host: 127.0.0.1, port: {}, from: vigia@monitor.example.test}}
hosts: {{web1: {{address: 127.0.0.1, check: {{passive: {{}}}}}}}}
contacts:
  ana: {{email: ana@example.test}}
  ben: {{email: ben@example.test}}
  loop: {{email: vigia@monitor.example.test}}
  mute: {{}}
contactgroups: {{ops: {{members: [ana, loop]}}}}\n",
        smtp.port()
    );
    TestDaemon::start(&[("vigia.yaml", &yaml)]).await
}

fn to<'m>(mails: &'m [Mail], address: &str) -> Vec<&'m Mail> {
    mails.iter().filter(|mail| mail.header("X-Rcpt") == Some(address)).collect()
}

#[tokio::test]
async fn a_ticket_is_told_to_its_team_and_subscribers_once_and_in_one_thread() {
    let smtp = Smtp::start();
    let daemon = with_mail(&smtp).await;
    let title = "STATUS TYPE ID $1 {{URL}} <b>";
    let new = json!({"title": title, "text": "look", "class": "Custom", "in_charge": "ops", "host": "web1"});
    acts(&daemon, "/api/v1/tickets", new).await;
    let mails = smtp.mails(1).await;
    let opened = to(&mails, "ana@example.test")[0];
    assert_eq!(opened.header("Subject"), Some("[vigia CUS01] Medium: STATUS TYPE ID $1 {{URL}} <b>"));
    assert_eq!(opened.header("Auto-Submitted"), Some("auto-generated"));
    assert!(opened.0.contains("text/plain") && opened.0.contains("text/html"), "{opened:?}");
    let root = opened.header("Message-ID").expect("an id").to_owned();

    acts(&daemon, "/api/v1/tickets/CUS01/subscribe", json!({"name": "ben"})).await;
    acts(&daemon, "/api/v1/tickets/CUS01/subscribe", json!({"name": "mute"})).await;
    let daemon = daemon.crash_and_restart().await;
    let note = json!({"text": "called\nBcc: all@example.test", "action": "phone", "in_charge": "ben"});
    acts(&daemon, "/api/v1/tickets/CUS01/note", note).await;
    acts(&daemon, "/api/v1/tickets/CUS01/close", json!({"resolution": "Fixed", "text": "done"})).await;
    let mails = smtp.mails(5).await;
    let (ana, ben) = (to(&mails, "ana@example.test"), to(&mails, "ben@example.test"));
    assert_eq!((ana.len(), ben.len(), mails.len()), (3, 2, 5), "{mails:?}");
    for mail in &ana[1..] {
        assert_eq!(mail.header("In-Reply-To"), Some(&*root));
        assert_eq!(mail.header("References"), Some(&*root));
    }
    assert!(mails.iter().all(|mail| mail.header("Bcc").is_none()));
    assert!(ana[1].0.contains("phone") && ana[2].0.contains("closed by"), "{ana:?}");
    let listed = daemon.get("/api/v1/notifications").await;
    assert_eq!((&listed["total"], &listed["items"][0]["ticket"]), (&json!(5), &json!("CUS01")), "{listed}");
    daemon.stop().await;
}

#[tokio::test]
async fn an_editor_words_it_looks_at_it_and_takes_it_back() {
    let smtp = Smtp::start();
    let daemon = with_mail(&smtp).await;
    acts(&daemon, "/api/v1/tickets", json!({"title": "Door <b>", "class": "Custom"})).await;
    let wrong = json!({"subject": "{{TITEL}}", "body": "x"});
    let (status, answer) = daemon.post("/api/v1/ticket-template", &wrong).await;
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("no label `TITEL`"), "{answer}");
    let own = json!({"subject": "INCIDENT_NO: {{TITLE}}", "body": "<p>TITLE</p><p>{{WHAT}} by TICKET_AUTHOR_NAME</p>"});
    acts(&daemon, "/api/v1/ticket-template", own).await;
    let shown = daemon.get("/api/v1/ticket-template?ticket=CUS01").await;
    assert_eq!(shown["preview"]["subject"], "CUS01: Door <b>");
    assert_eq!(shown["preview"]["html"], "<p>Door &lt;b&gt;</p><p>opened by root</p>");
    assert_eq!(shown["preview"]["text"], "Door <b>\nopened by root\n");
    acts(&daemon, "/api/v1/tickets/CUS01/subscribe", json!({"name": "ana"})).await;
    acts(&daemon, "/api/v1/tickets/CUS01/note", json!({"text": "shut"})).await;
    assert_eq!(smtp.mails(1).await[0].header("Subject"), Some("CUS01: Door <b>"));
    acts(&daemon, "/api/v1/ticket-template", json!({"reset": true})).await;
    let shown = daemon.get("/api/v1/ticket-template").await;
    assert!(shown["is_own"] == false && shown["subject"].as_str().unwrap().starts_with("[vigia"), "{shown}");
    daemon.stop().await;
}
