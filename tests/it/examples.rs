//! Every configuration in `docs/`, `README.md` and `etc/` loads: an example that does not is worse than none.

use std::fs;

use crate::support::daemon::{TestDaemon, vigia};
use crate::support::sources::{files, read, root};

/// The YAML blocks of a page: text, and the line on which each begins.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.trim()) {
            (None, "```yaml") => open = Some((number + 2, String::new())),
            (None, _) => {}
            (Some(_), "```") => found.extend(open.take()),
            (Some((_, text)), _) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

/// What `vigia validate` says of a file that it refuses.
async fn refusal(path: &std::path::Path) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = vigia(folder.path(), &["validate"]).arg(path).output().await.expect("vigia runs");
    let said = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn every_yaml_block_in_the_docs_loads() {
    let mut pages = files(&["docs"], "md");
    pages.push("README.md".into());
    let mut count = 0;
    for page in pages {
        for (line, text) in blocks(&read(&page)) {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("vigia.yaml");
            fs::write(&file, text).expect("written");
            if let Some(said) = refusal(&file).await {
                panic!("{}:{line}: {said}", page.display());
            }
            count += 1;
        }
    }
    assert!(count >= 3, "the docs have examples");
}

#[tokio::test]
async fn every_configuration_that_ships_loads() {
    for main in ["etc/vigia.yaml", "etc/demo/vigia.yaml"] {
        if let Some(said) = refusal(&root().join(main)).await {
            panic!("{main}: {said}");
        }
    }
}

/// Blocks of a page that show a command and what it printed: the command's words, and the output.
fn commands(page: &str) -> Vec<(Vec<String>, String)> {
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let shown = blocks.filter_map(|(block, _)| block.strip_prefix("$ vigia ")?.split_once('\n'));
    // Quotes stand around whole words here.
    let words = |line: &str| {
        let parts = line.split('\'').enumerate();
        let parts = parts.flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        });
        parts.collect()
    };
    shown
        .filter(|(_, output)| !output.trim().is_empty())
        .map(|(line, output)| (words(line), output.to_owned()))
        .collect()
}

/// Without the digits of times, which are others with each run.
fn masked(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[tokio::test]
async fn what_the_readme_says_of_why_and_simulate_is_what_they_print() {
    let page = read("README.md".as_ref());
    let section = page.split_once("## Why was I not told").expect("the section").1;
    let (_, yaml) = blocks(section).into_iter().next().expect("its configuration");
    let daemon = TestDaemon::start(&[("vigia.yaml", &yaml)]).await;
    for body in [
        serde_json::json!({"host": "nas", "state": 0, "output": "up"}),
        serde_json::json!({"host": "nas", "service": "backup", "state": 2, "output": "no backup since Friday"}),
    ] {
        assert_eq!(daemon.post("/api/v1/result", &body).await.0, 200);
    }
    daemon.wait_for_total("/api/v1/notifications", 1).await;
    let shown = commands(section);
    assert_eq!(shown.len(), 2);
    for (words, output) in shown {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let printed = daemon.cli(&words).await;
        let printed = String::from_utf8(printed.stdout).expect("text");
        let is_of_the_past = words.first() == Some(&"why");
        let (printed, output) =
            if is_of_the_past { (masked(&printed), masked(&output)) } else { (printed, output) };
        assert_eq!(printed, output, "{words:?}");
    }
    daemon.stop().await;
}
