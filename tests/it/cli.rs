//! Commands about the configuration: what they print, and the codes by which scripts know how it went.

use std::fs;

use serde_json::Value;

use crate::support::daemon::{TestDaemon, vigia};

const SITE: &str = "defaults: {check_interval: 5m}
templates:
  web: {max_check_attempts: 4, services: {HTTP: {http: {path: /health}}}}
hosts:
  web1: {address: 127.0.0.1, use: [web], check: {passive: {}}}
";

/// Exit code and everything that was printed.
async fn run(folder: &tempfile::TempDir, arguments: &[&str]) -> (i32, String) {
    let output = vigia(folder.path(), arguments).output().await.expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it exits"), String::from_utf8(text).expect("text"))
}

fn site(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("etc")).expect("a folder");
    fs::write(folder.path().join("etc/vigia.yaml"), text).expect("a file");
    folder
}

#[tokio::test]
async fn validate_answers_in_codes_and_in_three_formats() {
    let good = site(SITE);
    assert_eq!(run(&good, &["validate"]).await.0, 0);
    let bad = site(&SITE.replace("use: [web]", "use: [wbe]"));
    let (code, text) = run(&bad, &["validate"]).await;
    assert_eq!(code, 1);
    assert!(text.contains("vigia.yaml:5:36: there is no template `wbe`"), "{text}");
    assert!(text.contains("did you mean `web`?"), "{text}");
    let (code, text) = run(&bad, &["validate", "--format", "github"]).await;
    assert!(code == 1 && text.contains("::error file=") && text.contains(",line=5,col=36"), "{text}");
    let output = vigia(bad.path(), &["validate", "--format", "json"]).output().await.expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report.to_string().contains("\"line\":5"), "{report}");
    assert_eq!(run(&good, &["validate", "--nonsense"]).await.0, 2);
    let doubtful = site(&SITE.replace("address: 127.0.0.1,", "address: 127.0.0.1, notes: ,"));
    assert_eq!(run(&doubtful, &["validate"]).await.0, 0, "a warning is valid");
    assert_eq!(run(&doubtful, &["validate", "--strict"]).await.0, 1, "unless it is looked at strictly");
}

#[tokio::test]
async fn show_names_the_line_that_set_each_value() {
    let folder = site(SITE);
    let (code, text) = run(&folder, &["show", "service", "web1/HTTP", "--origin"]).await;
    assert_eq!(code, 0, "{text}");
    for (value, line) in
        [("max_check_attempts: 4", 3), ("check_interval: 5m", 1), ("http: {path: /health}", 3)]
    {
        let found = text
            .lines()
            .find(|shown| shown.trim_start().starts_with(value.split(':').next().unwrap_or(value)));
        assert!(found.is_some_and(|shown| shown.contains(&format!("vigia.yaml:{line}:"))), "{value}: {text}");
    }
    assert_eq!(run(&folder, &["show", "host", "web9"]).await.0, 1);
}

#[tokio::test]
async fn show_says_of_a_mistaken_object_that_it_is_not_what_runs() {
    let folder = site(&SITE.replace("use: [web]", "use: [web], parents: [nobody]"));
    let (code, text) = run(&folder, &["show", "host", "web1"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("host web1 has a mistake, so it is not loaded: "), "{text}");
    assert!(text.contains("vigia.yaml:5: there is no host `nobody`"), "{text}");
    let folder = site(&SITE.replace("use: [web]", "use: [wbe]"));
    let (code, text) = run(&folder, &["show", "service", "web1/HTTP"]).await;
    assert!(code == 1 && text.contains("there is no template `wbe`"), "{code}: {text}");
}

#[tokio::test]
async fn diff_says_what_a_change_will_do_before_it_is_done() {
    let daemon = TestDaemon::start(&[("vigia.yaml", SITE)]).await;
    let unchanged = daemon.cli(&["diff"]).await;
    assert!(
        String::from_utf8_lossy(&unchanged.stdout).contains("0 added, 0 removed, 0 changed"),
        "{unchanged:?}"
    );
    let folder = daemon.folder();
    daemon.stop().await;
    let path = folder.path().join("etc/vigia.yaml");
    fs::write(path, SITE.replace("max_check_attempts: 4", "max_check_attempts: 6") + "  web2: 127.0.0.2\n")
        .expect("a file");
    let (code, text) = run(&folder, &["diff"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("+ host web2") && text.contains("max_check_attempts: 4 → 6"), "{text}");
    // What is broken is told, and removes nothing, as with a reload.
    let path = folder.path().join("etc/vigia.yaml");
    fs::write(&path, SITE.replace("  web1", "\tweb1")).expect("a file");
    let (code, text) = run(&folder, &["diff"]).await;
    assert!(code == 1 && text.contains("a tab where YAML wants blanks"), "{code} {text}");
    assert!(text.contains("0 added, 0 removed, 0 changed"), "{text}");
    fs::write(&path, SITE.replace("path: /health", "pth: /")).expect("a file");
    let (code, text) = run(&folder, &["diff"]).await;
    assert!(code == 1 && text.contains("did you mean `path`?"), "{code} {text}");
    assert!(text.contains("0 added, 0 removed, 0 changed"), "{text}");
}

#[tokio::test]
async fn the_schema_is_json_and_knows_every_kind() {
    let folder = site("");
    let output = vigia(folder.path(), &["schema"]).output().await.expect("it runs");
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = schema.to_string();
    for word in ["hosts", "contacts", "timeperiods", "\"http\"", "\"mysql\"", "\"passive\"", "retention"] {
        assert!(text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn commands_that_need_the_daemon_say_how_to_start_it() {
    let folder = site("");
    for command in
        [&["status"][..], &["alarm", "list"], &["ticket", "list"], &["reload"], &["recheck", "web1"]]
    {
        let (code, text) = run(&folder, command).await;
        assert!(code == 3 && text.contains("vigia serve"), "{command:?}: {code} {text}");
    }
    let (code, text) = run(&folder, &["serve", "-c", "/nowhere/vigia.yaml"]).await;
    assert!(
        code == 78 && text.contains("/nowhere/vigia.yaml") && text.contains("VIGIA_CONFIG"),
        "{code} {text}"
    );
    assert!(!folder.path().join("state").exists(), "nothing was made for a start that was none");
    // What the environment says need not be written.
    let (code, text) = run(&folder, &["ticket", "close", "AVA01"]).await;
    assert!(code == 2 && text.contains("close [OPTIONS] <REFERENCE> <TEXT>"), "{code} {text}");
    let wrong = site("web: {listen: nonsense:port}\n");
    assert_eq!(run(&wrong, &["serve"]).await.0, 78);
}
