//! Bad input from every side, through the whole program: each gets a clear message and costs nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::daemon::TestDaemon;

const GOOD: &str =
    "hosts: {good: {address: 127.0.0.1, check: {passive: {}}, services: {one: {passive: {}}}}}\n";

/// The messages of `vigia validate` for a file beside a good one.
async fn complaints(daemon: &TestDaemon, text: &[u8]) -> String {
    let path = daemon.etc().join("conf.d/bad.yaml");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("written");
    let output = daemon.cli(&["validate"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn files_that_are_no_configuration_get_a_message_and_the_rest_goes_on() {
    let daemon = TestDaemon::start(&[("vigia.yaml", GOOD)]).await;
    let bomb = (0..9).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let items = format!("*a{level}, ").repeat(12);
        format!("{text}a{}: &a{} [{items}]\n", level + 1, level + 1)
    });
    let deep = "[".repeat(5000);
    let cases: &[(&str, &[u8])] = &[
        ("an ELF program", b"\x7fELF\x02\x01\x01\0\0\0\0\0"),
        ("no UTF-8", b"hosts: {a: \xff\xfe}\n"),
        ("a tab", b"hosts:\n\tweb: 127.0.0.1\n"),
        ("an unclosed quote", b"hosts: {a: \"127.0.0.1}\n"),
        ("a list of hosts", b"hosts: [a, b]\n"),
        ("two documents", b"hosts: {a: 127.0.0.1}\n---\nhosts: {b: 127.0.0.1}\n"),
        ("an alias bomb", bomb.as_bytes()),
        ("deep nesting", deep.as_bytes()),
        ("an unknown key", b"hsots: {a: 127.0.0.1}\n"),
        ("a duplicate", b"hosts: {good: 127.0.0.1}\n"),
        ("a name with markup", b"hosts: {\"<script>\": 127.0.0.1}\n"),
    ];
    for (what, text) in cases {
        let said = complaints(&daemon, text).await;
        assert!(said.contains("bad.yaml:"), "{what} has a place: {said}");
        assert!(!said.contains("panicked"), "{what}: {said}");
        assert!(said.len() < 20_000, "{what}: {} bytes of complaints", said.len());
    }
    // Left as it is, the daemon says so and watches on.
    daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    assert_eq!(daemon.get("/api/v1/services").await["total"], 1);
    daemon.remove("conf.d/bad.yaml");
    daemon.wait_for("/api/v1/config", |health| health["valid"] == true).await;
    daemon.stop().await;
}

#[tokio::test]
async fn an_empty_file_is_valid_and_watches_nothing() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    assert_eq!(daemon.get("/api/v1/hosts").await["total"], 0);
    let (status, page) = daemon.text("/services").await;
    assert_eq!(status, 200, "{page}");
    daemon.stop().await;
}

/// A plugin as a shell script, in the configuration's folder.
fn script(daemon: &TestDaemon, name: &str, body: &str) -> String {
    let path = daemon.folder().path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    path.display().to_string()
}

#[tokio::test]
async fn plugins_that_misbehave_each_get_a_state_and_a_reason() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let leaves = daemon.folder().path().join("grandchild");
    let leaves = leaves.display();
    let cases = [
        ("silent", "exit 0", 0, "output"),
        ("code-4", "echo hello; exit 4", 2, "4"),
        ("killed", "kill -9 $$", 3, "signal"),
        ("endless", "exec yes no end", 3, "signal"),
        ("deaf", "trap '' TERM; echo started; while :; do sleep 1; done", 2, "timed out"),
        (
            "forks",
            &format!("(echo $$ > {leaves}; exec sleep 300) & echo parent is fine; exit 0"),
            0,
            "parent is fine",
        ),
        ("megabytes", "head -c 5000000 /dev/zero | tr '\\0' x; exit 1", 1, "xxxx"),
        ("binary", "printf 'a\\377\\000\\033[31mb'; exit 1", 1, "a"),
        ("multi-line", "printf 'one|a=1\\ntwo\\nthree|b=2\\n'; exit 0", 0, "one"),
    ];
    let services: String = cases
        .iter()
        .map(|(name, body, ..)| {
            format!("      {name}: {{plugin: [{}], timeout: 2s}}\n", script(&daemon, name, body))
        })
        .collect();
    daemon.write(
        "vigia.yaml",
        &format!(
            "defaults: {{check_interval: 1h, max_check_attempts: 1}}
hosts:
  web1:
    address: 127.0.0.1
    check: {{passive: {{}}}}
    services:
{services}      missing: {{plugin: [/nowhere/check_it]}}
"
        ),
    );
    let cases = cases.into_iter().map(|(name, _, state, text)| (name, state, text));
    for (name, state, text) in cases.chain([("missing", 2, "/nowhere/check_it")]) {
        let path = format!("/api/v1/hosts/web1/services/{name}");
        daemon.wait_for("/api/v1/services", |list| list["total"] == 10).await;
        daemon.post("/api/v1/recheck", &json!({"host": "web1", "service": name})).await;
        let service = daemon.wait_for(&path, |service| service["has_been_checked"] == 1).await;
        assert_eq!(service["state"], state, "{name}: {:.200}", service["plugin_output"]);
        let output = service["plugin_output"].as_str().unwrap_or_default();
        assert!(output.to_lowercase().contains(text), "{name}: {output:.200}");
        assert!(
            output.len() <= 64 * 1024 && !output.contains(['\0', '\u{1b}']),
            "{name}: {} bytes",
            output.len()
        );
    }
    let zombies = std::process::Command::new("ps")
        .args(["--ppid", &daemon.pid().to_string(), "-o", "stat="])
        .output()
        .expect("ps runs");
    assert!(!String::from_utf8_lossy(&zombies.stdout).contains('Z'), "no zombies");
    daemon.stop().await;
    // What a plugin left in its process group is no business of ours once it answered; this test cleans up.
    if let Ok(pid) = fs::read_to_string(leaves.to_string())
        && let Ok(pid) = pid.trim().parse()
    {
        // Already gone is fine.
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .unwrap_or_default();
    }
}

#[tokio::test]
async fn markup_from_outside_stays_text_in_a_real_browser() {
    let site = "hosts: {web1: {address: 127.0.0.1, alias: \"<img src=x onerror=alert(1)>\", check: {passive: {}}, services: {one: {passive: {}}}}}\n";
    let daemon = TestDaemon::start(&[("vigia.yaml", site)]).await;
    let hostile = "<script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">";
    let result = json!({"host": "web1", "service": "one", "state": 2, "output": hostile,
        "long_output": format!("{hostile}\n{hostile}"), "perfdata": "'<b>'=1"});
    assert_eq!(daemon.post("/api/v1/result", &result).await.0, 200);
    let shown = |list: &Value| list["items"][0]["plugin_output"] == hostile;
    daemon.wait_for("/api/v1/services?state=CRITICAL", shown).await;
    let comment = json!({"host": "web1", "service": "one", "comment": hostile});
    assert_eq!(daemon.post("/api/v1/comment", &comment).await.0, 200);

    let browser = Browser::open(1280, 800).await;
    for page in ["/", "/services", "/problems", "/hosts/web1", "/hosts/web1/services/one", "/alarms"] {
        browser.goto(&daemon.url(page)).await;
        let title = browser.client.title().await.expect("a title");
        assert_ne!(title, "owned", "{page}");
        assert!(browser.texts("main script, main img[src='x']").await.is_empty(), "{page}");
    }
    browser.goto(&daemon.url("/hosts/web1/services/one")).await;
    let shown = browser.texts("main").await.join("\n");
    assert!(shown.contains(hostile), "every character of it is shown as text: {shown}");
    browser.close().await;
    daemon.stop().await;
}
