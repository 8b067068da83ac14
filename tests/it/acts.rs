//! What vigia does beside mails: event handlers, webhooks in every format, and the webhooks and programs of rules.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::daemon::TestDaemon;
use crate::support::hook::Hook;
use crate::support::http::{LOOK_EVERY, PATIENCE};

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its rights");
    path
}

async fn submit(daemon: &TestDaemon, service: &str, state: u8, output: &str) {
    let body = json!({"host": "web1", "service": service, "state": state, "output": output});
    let (status, answer) = daemon.post("/api/v1/result", &body).await;
    assert_eq!(status, 200, "{answer}");
}

/// What a program wrote, once it has so many lines.
async fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || -> Vec<String> {
        std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    };
    let end = std::time::Instant::now() + PATIENCE;
    while read().len() < count {
        assert!(std::time::Instant::now() < end, "{}: {:?}", path.display(), read());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    read()
}

#[tokio::test]
async fn a_handler_gets_the_macros_as_arguments_and_what_comes_from_outside_is_no_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("told");
    let handle = script(
        folder.path(),
        "handle",
        "printf '%s|' \"$@\" >> \"$1\"; echo \"$NAGIOS_SERVICEATTEMPT\" >> \"$1\"",
    );
    let yaml = format!(
        "event_handlers: {{service: [{handle}, {all}, '${{host.name}}', '${{service.output}}']}}
commands:
  restart: {{command_line: '{handle} $ARG1$ $SERVICESTATE$ $SERVICESTATETYPE$ $SERVICEATTEMPT$ $SERVICEOUTPUT$'}}
defaults: {{max_check_attempts: 2}}
contacts: {{ana: {{run: [/bin/true]}}}}
hosts: {{web1: {{check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}, event_handler: 'restart!{told}'}}}}}}}}\n",
        handle = handle.display(),
        all = folder.path().join("all").display(),
        told = told.display(),
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &yaml)]).await;
    let nasty = "down && touch x $(id) `id`";
    for (state, output) in [(0, "fine"), (2, nasty), (2, "still"), (2, "still"), (0, "fine")] {
        submit(&daemon, "HTTP", state, output).await;
    }
    let path = told.display();
    assert_eq!(
        lines(&told, 3).await,
        [
            format!("{path}|CRITICAL|SOFT|1|{nasty}|1"),
            format!("{path}|CRITICAL|HARD|2|still|2"),
            format!("{path}|OK|HARD|1|fine|1"),
        ]
    );
    assert_eq!(lines(&folder.path().join("all"), 3).await.len(), 3);
    // It is data: what ran, why, and how it ended.
    let output = daemon.cli(&["why", "web1/HTTP"]).await;
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.contains("handler run") && said.contains("CRITICAL SOFT 1 by command"), "{said}");
    let kind = "/api/v1/notifications?kind=HANDLER&status=sent";
    let listed = daemon.wait_for_total(kind, 6).await;
    assert_eq!(listed["items"][0]["channels"][0]["status"], "sent", "{listed}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_handler_that_never_ends_is_ended_and_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("told");
    let hang = script(folder.path(), "hang", "sleep 600");
    let note = script(folder.path(), "note", "echo ran >> \"$1\"");
    let yaml = format!(
        "commands:
  hang: {{command_line: {hang}, timeout: 1s}}
contacts: {{ana: {{run: [/bin/true]}}}}
hosts:
  web1:
    check: {{passive: {{}}}}
    services:
      A: {{passive: {{}}, event_handler: hang}}
      B: {{passive: {{}}, event_handler: [{note}, {told}]}}
      C: {{passive: {{}}, event_handler: [/no/such/program]}}\n",
        hang = hang.display(),
        note = note.display(),
        told = told.display(),
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &yaml)]).await;
    for service in ["A", "B", "C"] {
        submit(&daemon, service, 2, "down").await;
    }
    assert_eq!(lines(&told, 1).await, ["ran"]);
    let failed =
        daemon.wait_for_total("/api/v1/notifications?kind=HANDLER&status=failed", 2).await.to_string();
    assert!(failed.contains("did not end within 1 s"), "{failed}");
    assert!(failed.contains("cannot run /no/such/program"), "{failed}");
    // Programs that fail are no dead channel.
    assert_eq!(daemon.get("/api/v1/status").await["notifications"]["dead"], json!([]), "{failed}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_rule_calls_its_webhook_and_its_program_once_and_the_webhook_hears_of_the_end() {
    let hook = Hook::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let note = script(folder.path(), "note", "echo \"$@\" >> \"$0.out\"");
    let yaml = format!(
        "defaults: {{max_check_attempts: 1}}
contacts: {{ana: {{webhook: {{url: \"{ana}\"}}, options: [down]}}, dba: {{webhook: {{url: \"{dba}\"}}}}}}
rules:
  dba-hook:
    when: {{match: \"*/MYSQL\", states: [critical]}}
    notify: dba
    webhook: {{url: \"{rule}\"}}
    run: [{note}, '${{host.name}}', '${{service.output}}']
hosts: {{web1: {{check: {{passive: {{}}}}, contacts: [ana], services: {{MYSQL: {{passive: {{}}}}, HTTP: {{passive: {{}}}}}}}}}}\n",
        ana = hook.url("/ana"),
        dba = hook.url("/dba"),
        rule = hook.url("/rule"),
        note = note.display(),
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &yaml)]).await;
    submit(&daemon, "HTTP", 2, "down").await;
    submit(&daemon, "MYSQL", 2, "gone away").await;
    submit(&daemon, "MYSQL", 2, "gone away").await;
    daemon.wait_for_total("/api/v1/notifications?contact=rule/dba-hook&status=sent", 2).await;
    hook.hits_on("/dba", 1).await;
    let daemon = daemon.crash_and_restart().await;
    submit(&daemon, "MYSQL", 2, "gone away").await;
    submit(&daemon, "MYSQL", 0, "back").await;
    for path in ["/rule", "/dba"] {
        let kinds: Vec<String> =
            hook.hits_on(path, 2).await.iter().map(|hit| hit.body["kind"].to_string()).collect();
        assert_eq!(kinds, ["\"PROBLEM\"", "\"RECOVERY\""], "{path}");
    }
    assert_eq!(lines(&folder.path().join("note.out"), 1).await, ["web1 gone away"]);
    let listed = daemon.get("/api/v1/notifications?contact=rule/dba-hook").await;
    assert_eq!(listed["total"], 3, "{listed}");
    let page = daemon.text("/notifications").await.1;
    assert!(page.contains("rule dba-hook"), "{page}");
    assert!(hook.hits_on("/ana", 0).await.iter().all(|hit| hit.path != "/ana"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_problem_and_its_end_have_the_body_that_each_receiver_wants() {
    let hook = Hook::start().await;
    let formats = [
        ("json", "/json"),
        ("slack", "/slack"),
        ("mattermost", "/mattermost"),
        ("teams", "/teams"),
        ("telegram", "/bot1:x/sendMessage?chat_id=-5"),
        ("ntfy", "/alerts"),
        ("pagerduty", "/v2/enqueue?routing_key=R"),
        ("alertmanager", "/am"),
    ];
    let contact = |(format, path): &(&str, &str)| {
        format!("  {format}: {{webhook: {{url: \"{}\", format: {format}}}}}\n", hook.url(path))
    };
    let contacts: String = formats.iter().map(contact).collect();
    let yaml = format!(
        "defaults: {{max_check_attempts: 1}}
contacts:
{contacts}hosts: {{web1: {{check: {{passive: {{}}}}, services: {{HTTP: {{passive: {{}}}}}}}}}}\n"
    );
    let daemon = TestDaemon::start(&[("vigia.yaml", &yaml)]).await;
    submit(&daemon, "HTTP", 2, "HTTP CRITICAL: <503>").await;
    submit(&daemon, "HTTP", 0, "HTTP OK").await;
    let both = async |path: &str| {
        let hits = hook.hits_on(path, 2).await;
        (hits[0].body.clone(), hits[1].body.clone())
    };
    let (bad, good) = both("/json").await;
    assert_eq!((&bad["kind"], &good["kind"]), (&json!("PROBLEM"), &json!("RECOVERY")));
    assert_eq!((&bad["output"], &bad["problem"]), (&json!("HTTP CRITICAL: <503>"), &good["problem"]));
    for (path, output) in [("/slack", "HTTP CRITICAL: &lt;503&gt;"), ("/mattermost", "HTTP CRITICAL: <503>")]
    {
        let (bad, good) = both(path).await;
        let attachment = &bad["attachments"][0];
        assert!(attachment["text"].to_string().contains(output), "{path}: {bad}");
        assert_ne!(attachment["color"], good["attachments"][0]["color"], "{path}");
    }
    let (bad, good) = both("/teams").await;
    let colour = |body: &serde_json::Value| body["attachments"][0]["content"]["body"][0]["color"].clone();
    assert_eq!((colour(&bad), colour(&good)), (json!("Attention"), json!("Good")));
    let (bad, good) = both("/bot1:x/sendMessage").await;
    assert!(bad["text"].to_string().contains("PROBLEM: HTTP on web1 is CRITICAL"), "{bad}");
    assert!(good["text"].to_string().contains("RECOVERY") && good["chat_id"] == "-5", "{good}");
    let (bad, good) = both("/").await;
    assert_eq!(
        (&bad["priority"], &good["priority"], &bad["topic"]),
        (&json!(5), &json!(3), &json!("alerts"))
    );
    let (bad, good) = both("/v2/enqueue").await;
    assert_eq!((&bad["event_action"], &good["event_action"]), (&json!("trigger"), &json!("resolve")));
    assert_eq!(bad["dedup_key"], good["dedup_key"]);
    assert_eq!(bad["payload"]["severity"], "critical");
    let (bad, good) = both("/am").await;
    assert_eq!((&bad["status"], &good["status"]), (&json!("firing"), &json!("resolved")));
    assert_eq!(bad["alerts"][0]["fingerprint"], good["alerts"][0]["fingerprint"]);
    assert_eq!(bad["alerts"][0]["labels"], good["alerts"][0]["labels"]);
    daemon.stop().await;
}
