//! A secret that somebody wrote into a file is nowhere to be seen: not in what commands print, not in the log, not on
//! a page, not in an answer of the API, not among the metrics.

use std::fs;

use crate::support::daemon::{TestDaemon, vigia};

/// Stands in every place of the configuration below that may hold one.
const SECRET: &str = "kq7ZpX9wT";

const SITE: &str = r#"smtp: {user: ana, password: SECRET}
user_macros: {USER3: {file: FOLDER/secret}}
contacts:
  chat: {webhook: {url: "https://ana:SECRET@chat.example.test/", headers: {Authorization: Bearer SECRET}}}
commands:
  check_it: {command_line: "/bin/echo $USER3$"}
hosts:
  web1:
    address: 127.0.0.1
    check: {passive: {}}
    active_checks: off
    services:
      page: {http: {path: /, headers: {Authorization: Bearer SECRET}, user: ana, password: SECRET}}
      base: {mysql: {user: ana, password: SECRET}}
      tool: {plugin: {argv: [/bin/true], env: {PGPASSWORD: SECRET}}}
      line: {command: check_it}
"#;

/// Mistakes beside secrets, and a line that is not even YAML.
const MISTAKES: &[&str] = &[
    "  web2: {address: 127.0.0.1, services: {base: {mysql: {password: SECRET, prot: 3306}}}}\n",
    "  web2: {address: 127.0.0.1, services: {base: {mysql: {pasword: x, password: [SECRET]}}}}\n",
    "  web2: {address: 127.0.0.1, services: {page: {http: {headers: {Authorization: SECRET}, pth: /}}}}\n",
    "  web2: {address: 127.0.0.1, services: {base: {mysql: {password: \"SECRET}}}}\n",
    "  web2: {address: 127.0.0.1, password: SECRET, services: []}\n",
    "  web2: {address: 127.0.0.1, services: {base: {mysql: {password: @SECRET}}}}\n",
    "  web2: {address: 127.0.0.1, services: {page: {http: {url: \"https://ana:SECRET@web.example.test/\", pth: /}}}}\n",
];

#[tokio::test]
async fn a_secret_is_shown_nowhere() {
    let daemon = TestDaemon::start(&[("vigia.yaml", "")]).await;
    let kept = daemon.folder().path().join("secret");
    fs::write(&kept, SECRET).expect("written");
    let folder = daemon.folder().path().display().to_string();
    let site = SITE.replace("SECRET", SECRET).replace("FOLDER", &folder);
    daemon.write("vigia.yaml", &site);
    daemon.wait_for_total("/api/v1/services", 4).await;

    let commands: &[&[&str]] = &[
        &["validate"],
        &["validate", "--format", "json"],
        &["validate", "--format", "github"],
        &["show", "host", "web1", "--origin"],
        &["show", "service", "web1/page", "-o", "json"],
        &["diff", &folder],
        &["run", "web1/line"],
        &["run", "web1/base"],
        &["status", "web1/*", "-o", "json"],
        &["reload"],
    ];
    for command in commands {
        let output = daemon.cli(command).await;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.is_empty(), "{command:?} says something");
        if *command == ["run", "web1/line"] {
            // The program may say what it was given; how it was called is ours to tell.
            let called = said.lines().find(|line| line.starts_with("argument")).unwrap_or_default();
            assert_eq!(called.split_whitespace().last(), Some("***"), "{said}");
            continue;
        }
        assert!(!said.contains(SECRET), "{command:?}: {said}");
    }
    let pages = [
        "/",
        "/services",
        "/hosts/web1",
        "/hosts/web1/services/page",
        "/hosts/web1/services/tool",
        "/config",
        "/metrics",
        "/api/v1/services",
        "/api/v1/hosts",
        "/api/v1/config",
    ];
    for path in pages {
        let (_, said) = daemon.text(path).await;
        assert!(!said.contains(SECRET), "{path}: {said}");
    }
    for mistake in MISTAKES {
        daemon.write("vigia.yaml", &format!("{site}{}", mistake.replace("SECRET", SECRET)));
        for format in ["text", "json", "github"] {
            let output = daemon.cli(&["validate", "--format", format]).await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.code() == Some(1) && !said.contains(SECRET), "{mistake}: {said}");
        }
    }
    daemon.wait_for("/api/v1/config", |health| health["valid"] == false).await;
    for path in ["/config", "/api/v1/config"] {
        let (_, said) = daemon.text(path).await;
        assert!(!said.contains(SECRET), "{path}: {said}");
    }
    let log = daemon.log();
    assert!(!log.contains(SECRET), "{log}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_difference_tells_that_a_secret_changed_and_not_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let site =
        |secret: &str| format!("hosts: {{db: {{services: {{db: {{mysql: {{password: {secret}}}}}}}}}}}\n");
    for (name, secret) in [("old.yaml", "SoLongAgo"), ("new.yaml", SECRET)] {
        fs::write(folder.path().join(name), site(secret)).expect("written");
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let output = vigia(folder.path(), &["diff", &path("old.yaml"), &path("new.yaml")]).output().await;
    let said = output.expect("it runs").stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("0 added, 0 removed, 1 changed"), "{said}");
    assert!(!said.contains(SECRET) && !said.contains("SoLongAgo"), "{said}");
}
