//! Every configuration in `docs/`, `README.md` and `etc/` loads: an example that does not is worse than none.

use std::fs;

use crate::support::daemon::vigia;
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
