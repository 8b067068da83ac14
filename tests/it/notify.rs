//! Messages on their way out of the real program: mail, webhooks, programs; servers that are down, slow, refuse or
//! redirect; and `kill -9` in between.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::chain::Chain;
use crate::support::daemon::TestDaemon;
use crate::support::hook::Hook;
use crate::support::servers::free_port;
use crate::support::servers::smtp::Smtp;

async fn daemon(yaml: &str) -> TestDaemon {
    TestDaemon::start(&[("vigia.yaml", yaml)]).await
}

/// `vigia notify test …`: the exit code, and what was printed.
async fn test(daemon: &TestDaemon, arguments: &[&str]) -> (Option<i32>, String) {
    let output = daemon.cli(&[&["notify", "test"], arguments].concat()).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

/// The ways of the newest message.
async fn ways(daemon: &TestDaemon) -> Vec<Value> {
    let listed = daemon.get("/api/v1/notifications").await;
    listed["items"][0]["channels"].as_array().expect("a list").clone()
}

async fn wait_for_status(daemon: &TestDaemon, status: &str) -> Value {
    daemon
        .wait_for("/api/v1/notifications", |listed| {
            let ways = listed["items"][0]["channels"].as_array().cloned().unwrap_or_default();
            !ways.is_empty() && ways.iter().all(|way| way["status"] == status)
        })
        .await
}

#[tokio::test]
async fn a_test_mail_arrives_and_one_refused_address_stops_no_other() {
    let smtp = Smtp::start();
    let yaml = format!(
        "smtp: {{host: 127.0.0.1, port: {}, from: vigia@monitor.example.test}}
contacts: {{ops: {{email: [reject@example.test, ana@example.test]}}}}\n",
        smtp.port()
    );
    let daemon = daemon(&yaml).await;
    let (code, said) = test(&daemon, &["ops"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("550") && said.contains("1 of 2 channels took the test"), "{said}");
    let mails = smtp.mails(1).await;
    let mail = &mails[0];
    assert_eq!(mail.header("X-Rcpt"), Some("ana@example.test"));
    assert_eq!(mail.header("X-From"), Some("vigia@monitor.example.test"));
    assert_eq!(mail.header("Subject"), Some("TEST: vigia reaches ops"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert!(mail.header("Message-ID").is_some_and(|id| id.ends_with("@monitor.example.test>")), "{mail:?}");
    assert!(
        mail.0.contains("Content-Type: text/plain") && mail.0.contains("Content-Type: text/html"),
        "{mail:?}"
    );
    let listed = daemon.get("/api/v1/notifications?status=failed").await;
    assert_eq!(listed["total"], 1, "{listed}");
    let (status, page) = daemon.text("/notifications").await;
    assert!(status == 200 && page.contains("reject@example.test") && page.contains("550"), "{page}");
    let (_, metrics) = daemon.text("/metrics").await;
    assert!(metrics.contains("vigia_notifications_sent_total{channel=\"email\"} 1"), "{metrics}");
    daemon.stop().await;
}

#[tokio::test]
async fn mail_goes_through_starttls_and_login_and_never_without() {
    let chain = Chain::new("localhost");
    let smtp = Smtp::start_guarded(&chain, "vigia", "s3cret");
    let yaml = |password: &str| {
        format!(
            "smtp: {{host: localhost, port: {}, tls: starttls, user: vigia, password: {password}}}
contacts: {{ana: {{email: ana@example.test}}}}\n",
            smtp.port()
        )
    };
    let good = daemon(&yaml("s3cret")).await;
    // Nobody vouches for the server's certificate.
    let (code, said) = test(&good, &["ana"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("certificate verify failed"), "{said}");
    let folder = good.folder();
    good.stop().await;
    let root = chain.root_path().to_str().expect("UTF-8");
    let trusting = TestDaemon::start_with(folder, &[], &[("SSL_CERT_FILE", root)]).await;
    let (code, said) = test(&trusting, &["ana"]).await;
    assert_eq!(code, Some(0), "{said}");
    let mails = smtp.mails(1).await;
    assert_eq!(mails[0].header("X-TLS"), Some("True"));
    trusting.write("vigia.yaml", &yaml("wrong"));
    trusting.cli(&["reload", "--wait"]).await;
    let (code, said) = test(&trusting, &["ana"]).await;
    assert!(code == Some(1) && said.contains("535") && !said.contains("wrong"), "{said}");
    trusting.stop().await;
}

#[tokio::test]
async fn a_server_that_was_down_gets_everything_once_it_is_up() {
    let port = free_port();
    let smtp = Smtp::start();
    let yaml = |port: u16| {
        format!(
            "smtp: {{host: 127.0.0.1, port: {port}}}
contacts: {{ana: {{email: ana@example.test}}}}\n"
        )
    };
    let daemon = daemon(&yaml(port)).await;
    let (code, said) = test(&daemon, &["ana"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("waiting") && said.contains("Connection refused"), "{said}");
    // Kept over a crash, tried again at once when the settings are mended.
    let daemon = daemon.crash_and_restart().await;
    daemon.write("vigia.yaml", &yaml(smtp.port()));
    daemon.cli(&["reload", "--wait"]).await;
    wait_for_status(&daemon, "sent").await;
    assert_eq!(smtp.mails(1).await.len(), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_server_that_asks_for_patience_gets_the_mail_later() {
    let smtp = Smtp::start();
    let yaml = format!(
        "smtp: {{host: 127.0.0.1, port: {}}}\ncontacts: {{ana: {{email: later@example.test}}}}\n",
        smtp.port()
    );
    let daemon = daemon(&yaml).await;
    let (code, said) = test(&daemon, &["ana"]).await;
    assert!(code == Some(1) && said.contains("450"), "{said}");
    wait_for_status(&daemon, "sent").await;
    assert_eq!(smtp.mails_now().len(), 1);
    assert_eq!(ways(&daemon).await[0]["attempts"], 2);
    daemon.stop().await;
}

#[tokio::test]
async fn each_format_reaches_its_receiver_with_its_headers() {
    let hook = Hook::start().await;
    let format = |format: &str, path: &str| {
        format!(
            "  {format}: {{webhook: {{url: \"{}\", format: {format}, headers: {{X-Key: k1}}}}}}\n",
            hook.url(path)
        )
    };
    let paths = [
        ("json", "/json"),
        ("slack", "/slack"),
        ("mattermost", "/mattermost"),
        ("teams", "/teams"),
        ("telegram", "/bot1:x/sendMessage?chat_id=-5"),
        ("ntfy", "/alerts"),
        ("pagerduty", "/v2/enqueue?routing_key=R"),
        ("alertmanager", "/am"),
    ];
    let contacts: String = paths.iter().map(|(name, path)| format(name, path)).collect();
    let daemon = daemon(&format!("contacts:\n{contacts}")).await;
    for (name, _) in paths {
        let (code, said) = test(&daemon, &[name, "--channel", "webhook"]).await;
        assert_eq!(code, Some(0), "{name}: {said}");
    }
    let hits = hook.hits();
    assert_eq!(hits.len(), 8);
    for hit in &hits {
        assert!(
            hit.head.contains("x-key: k1") && hit.head.contains("content-type: application/json"),
            "{hit:?}"
        );
    }
    let body = |path: &str| {
        hits.iter().find(|hit| hit.path == path).unwrap_or_else(|| panic!("{path}")).body.clone()
    };
    assert_eq!(body("/json")["kind"], "TEST");
    assert!(body("/slack")["attachments"][0]["title"].is_string());
    assert_eq!(body("/teams")["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert_eq!(body("/bot1:x/sendMessage")["chat_id"], "-5");
    assert_eq!(body("/")["topic"], "alerts");
    assert_eq!(body("/v2/enqueue")["routing_key"], "R");
    assert_eq!(body("/am")["version"], "4");
    daemon.stop().await;
}

#[tokio::test]
async fn a_webhook_that_misbehaves_is_told_of_and_holds_up_nobody() {
    let hook = Hook::start().await;
    let contacts: String = ["hang", "redirect", "500", "400", "429", "good", "once-500"]
        .map(|name| {
            format!(
                "  c{name}: {{webhook: {{url: \"{}\", timeout: 300ms}}}}\n",
                hook.url(&format!("/{name}"))
            )
        })
        .concat();
    let daemon = daemon(&format!("contacts:\n{contacts}")).await;
    for (name, status, reason) in [
        ("chang", "waiting", "no answer came within 0.3 s"),
        ("credirect", "failed", "redirects are not followed"),
        ("c500", "waiting", "500 Internal Server Error"),
        ("c400", "failed", "400 Bad Request"),
        ("c429", "waiting", "429 Too Many Requests"),
    ] {
        let (code, said) = test(&daemon, &[name]).await;
        assert_eq!(code, Some(1), "{name}: {said}");
        let way = ways(&daemon).await[0].clone();
        assert_eq!(way["status"], status, "{name}: {way}");
        assert!(way["reason"].as_str().is_some_and(|text| text.contains(reason)), "{name}: {way}");
    }
    let (code, said) = test(&daemon, &["cgood"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(hook.hits().iter().all(|hit| hit.path != "/elsewhere"));
    // One that failed once is tried again by itself.
    test(&daemon, &["conce-500"]).await;
    hook.hits_on("/once-500", 2).await;
    wait_for_status(&daemon, "sent").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_notification_command_and_a_list_get_values_as_arguments_and_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = |name: &str| folder.path().join(name);
    let script = told("notify");
    write_script(
        &script,
        "printf '%s|' \"$@\" > \"$1\"; printf '%s' \"$NAGIOS_NOTIFICATIONTYPE $NAGIOS_CONTACTEMAIL\" >> \"$1\"",
    );
    let yaml = format!(
        "commands:
  page: {{command_line: '{script} $ARG1$ \"$NOTIFICATIONTYPE$: $HOSTNAME$\" $CONTACTNAME$ $HOSTOUTPUT$'}}
  shelled: {{command_line: 'echo $HOSTOUTPUT$', shell: on}}
contacts:
  ana: {{email: ana@example.test, command: 'page!{by_command}', run: [{script}, {by_list}, '${{host.name}}; id', '${{service.output}}']}}
  ben: {{command: shelled}}\n",
        script = script.display(),
        by_command = told("by-command").display(),
        by_list = told("by-list").display(),
    );
    let daemon = daemon(&yaml).await;
    let (code, said) = test(&daemon, &["ana", "--channel", "command"]).await;
    assert_eq!(code, Some(0), "{said}");
    let read = |name: &str| std::fs::read_to_string(told(name)).expect("it was told");
    let by_command = read("by-command");
    let after = by_command.split_once('|').map(|(_, rest)| rest);
    assert_eq!(
        after,
        Some("TEST: vigia|ana|This is a test: nothing has happened|TEST ana@example.test"),
        "{by_command}"
    );
    let (code, said) = test(&daemon, &["ana", "--channel", "run"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        read("by-list").contains("|vigia; id|This is a test: nothing has happened|"),
        "{}",
        read("by-list")
    );
    // A shell must not read what comes from outside.
    let (code, said) = test(&daemon, &["ben"]).await;
    assert!(code == Some(1) && said.contains("NAGIOS_HOSTOUTPUT"), "{said}");
    daemon.stop().await;
}

fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its rights");
}

#[tokio::test]
async fn killed_while_a_webhook_is_silent_it_sends_nothing_twice_and_says_so() {
    let hook = Hook::start().await;
    let yaml = format!(
        "contacts: {{chat: {{webhook: {{url: \"{}\", format: slack, timeout: 1m}}}}}}\n",
        hook.url("/hang")
    );
    let daemon = daemon(&yaml).await;
    let (code, said) = test(&daemon, &["chat", "--no-wait"]).await;
    assert_eq!(code, Some(0), "{said}");
    hook.hits_on("/hang", 1).await;
    let daemon = daemon.crash_and_restart().await;
    let listed = wait_for_status(&daemon, "unknown").await;
    assert!(listed.to_string().contains("may have arrived or not"), "{listed}");
    // Whatever else is sent by this channel comes after it would have been sent again.
    test(&daemon, &["chat", "--no-wait"]).await;
    assert_eq!(hook.hits_on("/hang", 2).await.len(), 2);
    daemon.kill().await;
}

#[tokio::test]
async fn killed_while_the_mail_server_thinks_it_sends_the_same_mail_again() {
    let smtp = Smtp::start();
    let yaml = format!(
        "smtp: {{host: 127.0.0.1, port: {}}}\ncontacts: {{ana: {{email: slow@example.test}}}}\n",
        smtp.port()
    );
    let daemon = daemon(&yaml).await;
    test(&daemon, &["ana", "--no-wait"]).await;
    smtp.mails(1).await;
    let daemon = daemon.crash_and_restart().await;
    let mails = smtp.mails(2).await;
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"), "so that it counts as one");
    daemon.kill().await;
}

#[tokio::test]
async fn an_unknown_contact_or_channel_is_refused_with_what_there_is() {
    let daemon = daemon("contacts: {ana: {email: ana@example.test}}\n").await;
    let (code, said) = test(&daemon, &["anna"]).await;
    assert!(code == Some(1) && said.contains("there is no contact `anna`"), "{said}");
    let (code, said) = test(&daemon, &["ana", "--channel", "webhook"]).await;
    assert!(code == Some(1) && said.contains("no channel `webhook`; it has email"), "{said}");
    let (status, answer) =
        daemon.post("/api/v1/notifications/test", &json!({"contact": "ana", "channel": "run"})).await;
    assert_eq!(status, 409, "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_contact_without_channels_is_warned_of_and_what_it_would_hear_is_kept() {
    let yaml = "defaults: {max_check_attempts: 1}
contacts: {ana: {options: [down, critical, recovery]}}
hosts: {web1: {check: {passive: {}}, services: {HTTP: {passive: {}}}}}\n";
    let daemon = daemon(yaml).await;
    let problems = daemon.get("/api/v1/config").await["problems"].to_string();
    assert!(problems.contains("no way to be told anything"), "{problems}");
    let (code, said) = test(&daemon, &["ana"]).await;
    assert!(code == Some(1) && said.contains("has no channel"), "{said}");
    submit(&daemon, 2, "HTTP CRITICAL: 503").await;
    let listed = daemon.wait_for_total("/api/v1/notifications", 1).await;
    assert_eq!(listed["items"][0]["channels"], json!([]), "{listed}");
    assert!(daemon.text("/notifications").await.1.contains("no channel"));
    daemon.stop().await;
}

#[tokio::test]
async fn an_administrators_template_is_used_and_one_with_a_mistake_is_not() {
    let smtp = Smtp::start();
    let yaml = format!(
        "smtp: {{host: 127.0.0.1, port: {}}}\ncontacts: {{ana: {{email: ana@example.test}}}}\n",
        smtp.port()
    );
    let daemon = TestDaemon::start(&[
        ("vigia.yaml", &yaml),
        ("templates/host.subject", "[ours] {{ kind }} {{ host.name }}\n"),
        ("templates/host.text", "{{ host.nmae }}\n"),
    ])
    .await;
    let problems = daemon.get("/api/v1/config").await["problems"].to_string();
    assert!(
        problems.contains("there is no label `host.nmae`") && problems.contains("host.text"),
        "{problems}"
    );
    let (code, said) = test(&daemon, &["ana"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(smtp.mails(1).await[0].header("Subject"), Some("[ours] TEST vigia"));
    // A template that is saved takes effect without anybody asking for it.
    daemon.write("templates/host.subject", "[new] {{ contact }}\n");
    daemon.logged("config.applied").await;
    daemon.wait_for("/api/v1/config", |config| config["generation"] != 0).await;
    test(&daemon, &["ana"]).await;
    assert_eq!(smtp.mails(2).await[1].header("Subject"), Some("[new] ana"));
    daemon.stop().await;
}

fn watched(port: u16) -> String {
    format!(
        "smtp: {{host: 127.0.0.1, port: {port}}}
defaults: {{max_check_attempts: 1}}
contacts: {{ana: {{email: ana@example.test}}}}
hosts: {{web1: {{check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}}}}}}}}}\n"
    )
}

async fn submit(daemon: &TestDaemon, state: u8, output: &str) {
    let body = json!({"host": "web1", "service": "HTTP", "state": state, "output": output});
    let (status, answer) = daemon.post("/api/v1/result", &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_problem_and_its_end_reach_the_contact_in_one_thread() {
    let smtp = Smtp::start();
    let daemon = daemon(&watched(smtp.port())).await;
    submit(&daemon, 0, "HTTP OK").await;
    submit(&daemon, 2, "HTTP CRITICAL: 503").await;
    let problem = &smtp.mails(1).await[0];
    assert_eq!(problem.header("Subject"), Some("PROBLEM: HTTP on web1 is CRITICAL"));
    assert!(problem.0.contains("HTTP CRITICAL: 503"), "{problem:?}");
    submit(&daemon, 0, "HTTP OK").await;
    let recovery = &smtp.mails(2).await[1];
    assert_eq!(recovery.header("Subject"), Some("RECOVERY: HTTP on web1 is OK"));
    assert!(problem.header("Message-ID").is_some());
    assert_eq!(recovery.header("In-Reply-To"), problem.header("Message-ID"));
    assert_eq!(recovery.header("References"), problem.header("Message-ID"));
    daemon.stop().await;
}

#[tokio::test]
async fn killed_between_decision_and_delivery_it_loses_nothing_and_doubles_nothing() {
    let smtp = Smtp::start();
    let daemon = daemon(&watched(free_port())).await;
    submit(&daemon, 0, "HTTP OK").await;
    submit(&daemon, 2, "HTTP CRITICAL: 503").await;
    daemon.wait_for_total("/api/v1/notifications", 1).await;
    let daemon = daemon.crash_and_restart().await;
    assert_eq!(daemon.get("/api/v1/notifications").await["total"], 1);
    daemon.write("vigia.yaml", &watched(smtp.port()));
    daemon.cli(&["reload", "--wait"]).await;
    smtp.mails(1).await;
    wait_for_status(&daemon, "sent").await;
    // Nothing is told again by another start; what comes next is the end of the problem.
    let daemon = daemon.crash_and_restart().await;
    submit(&daemon, 0, "HTTP OK").await;
    let mails = smtp.mails(2).await;
    let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("Subject")).collect();
    assert_eq!(subjects, ["PROBLEM: HTTP on web1 is CRITICAL", "RECOVERY: HTTP on web1 is OK"]);
    daemon.stop().await;
}

#[tokio::test]
async fn an_address_and_a_header_may_be_kept_elsewhere_and_are_told_nobody() {
    let hook = Hook::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let kept = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let yaml = format!(
        "contacts:
  chat: {{webhook: {{url: {{file: {}}}, headers: {{X-Token: {{file: {}}}}}}}}}
  none: {{webhook: {{url: {{file: {}/none}}}}}}\n",
        kept("url", &format!("{}\n", hook.url("/t0ken-in-path"))),
        kept("header", "t0ken-in-header\n"),
        folder.path().display(),
    );
    let daemon = daemon(&yaml).await;
    let (code, said) = test(&daemon, &["chat"]).await;
    assert_eq!(code, Some(0), "{said}");
    let hits = hook.hits_on("/t0ken-in-path", 1).await;
    assert!(hits[0].head.contains("x-token: t0ken-in-header"), "{hits:?}");
    let (code, said) = test(&daemon, &["none"]).await;
    assert!(code == Some(1) && said.contains("cannot be had"), "{said}");
    for path in ["/api/v1/notifications", "/api/v1/config", "/notifications", "/metrics"] {
        let (_, text) = daemon.text(path).await;
        assert!(!text.contains("t0ken"), "{path}: {text}");
    }
    assert!(!daemon.log().contains("t0ken"));
    daemon.stop().await;
}
