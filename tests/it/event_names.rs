//! The names of events in the log are stable and public: the list in the documentation is the one in the program.

use std::collections::BTreeSet;

use regex::Regex;

use crate::support::sources::{files, read, root};

fn matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).expect("a good pattern");
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_event_that_is_logged_is_in_the_documentation_and_none_else() {
    let mut logged = BTreeSet::new();
    for file in files(&["src", "checks/src"], "rs") {
        let source = read(&file);
        logged.extend(matches(r#"event = "([a-z]+\.[a-z_]+)""#, &source));
        // Functions that are given the name.
        logged.extend(matches(r#"\b(?:on|tell)\([^;]*?, "([a-z]+\.[a-z_]+)""#, &source));
    }
    let suppressions = matches(r#"\bsuppression\(one, "([a-z]+)""#, &read("src/runtime/log.rs".as_ref()));
    logged.extend(suppressions.iter().map(|what| format!("suppression.{what}")));
    let page = std::fs::read_to_string(root().join("docs/operations.md")).expect("a page");
    let section = page.split("\n## ").find(|section| section.starts_with("Logs\n")).expect("a section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let listed: BTreeSet<String> = rows.flat_map(|cell| matches(r"`([a-z]+\.[a-z_]+)`", cell)).collect();
    let silent: Vec<_> = logged.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&logged).collect();
    assert!(
        silent.is_empty() && stale.is_empty(),
        "not in docs/operations.md: {silent:?}; nowhere: {stale:?}"
    );
    assert!(logged.len() > 80, "{}", logged.len());
}
