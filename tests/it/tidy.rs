//! What a test can watch of the house: file headers, sizes, words that smell of a stub, one top level.

use std::fs;

use crate::support::sources::{files, read, root};

const SOURCES: &[&str] = &["src", "checks/src", "tests"];

/// Lines of code, tests not counted, past which a file has a second idea in it.
const LONGEST: usize = 600;

/// Files that may be longer, and why.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[];

/// What the customer named, what the issue adds, and dot files.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "etc",
    "checks",
    "systemd",
    "tests",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "Makefile",
    "deny.toml",
];

/// Made by building and running, ignored by git.
const MADE: &[&str] = &["target", "var"];

#[test]
fn every_file_says_in_its_first_line_what_it_is() {
    let silent: Vec<_> =
        files(SOURCES, "rs").into_iter().filter(|path| !read(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "no `//!` on the first line: {silent:?}");
}

#[test]
fn no_file_holds_two_ideas() {
    let mut long = Vec::new();
    for path in files(SOURCES, "rs") {
        let source = read(&path);
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().count();
        let name = path.to_str().expect("our names are UTF-8");
        let is_excused = LONG_FOR_A_REASON.iter().any(|(excused, _)| *excused == name);
        if lines > LONGEST && !is_excused && !name.ends_with("tests.rs") {
            long.push(format!("{name}: {lines}"));
        }
    }
    assert!(long.is_empty(), "over {LONGEST} lines: {long:?}");
}

#[test]
fn nothing_is_left_to_do_without_an_issue() {
    let mark = ["TO", "DO"].concat();
    let fix = ["FIX", "ME"].concat();
    for path in files(SOURCES, "rs") {
        for (number, line) in read(&path).lines().enumerate() {
            let is_open = line.contains(&fix) || (line.contains(&mark) && !line.contains("issue"));
            assert!(!is_open, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn tests_are_neither_ignored_nor_told_to_panic() {
    let banned = [["#[ign", "ore"].concat(), ["#[should", "_panic"].concat()];
    for path in files(SOURCES, "rs") {
        let source = read(&path);
        assert!(!banned.iter().any(|word| source.contains(word)), "{}", path.display());
    }
}

#[test]
fn the_top_level_shows_the_product() {
    for entry in fs::read_dir(root()).expect("the project's folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("our names are UTF-8");
        let belongs = name.starts_with('.') || TOP_LEVEL.contains(&&*name) || MADE.contains(&&*name);
        assert!(belongs, "`{name}` does not belong on the top level");
    }
}
