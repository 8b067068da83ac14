//! Which part of `src/` may use which: the table of `docs/architecture.md` as data. A part may use what lies below
//! it, never what stands beside it.

use std::collections::BTreeMap;

use crate::support::sources::{files, read};

/// A part and the parts it may use. `telemetry` may be used by all; a new part needs a row.
const MAY_USE: &[(&str, &[&str])] = &[
    ("telemetry", &[]),
    ("wording", &[]),
    ("os", &[]),
    ("config", &["os", "wording"]),
    ("store", &["os"]),
    ("deliver", &["os", "store", "wording"]),
    ("backup", &["os", "store"]),
    ("desk", &["os", "store"]),
    ("discovery", &["os", "config", "store"]),
    ("assets", &["os", "config", "store", "discovery"]),
    ("runtime", &["os", "config"]),
    ("web", &["os", "config", "store", "backup", "deliver", "desk", "discovery", "assets", "runtime"]),
    (
        "app",
        &[
            "os",
            "wording",
            "config",
            "store",
            "backup",
            "deliver",
            "desk",
            "discovery",
            "assets",
            "runtime",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "os",
            "wording",
            "config",
            "store",
            "backup",
            "deliver",
            "desk",
            "discovery",
            "assets",
            "runtime",
            "web",
            "app",
        ],
    ),
];

/// The part a file of `src/` belongs to; none for what wires everything (`lib.rs`, `main.rs`), for the core, and for
/// what tests of all parts begin with.
fn part_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let part = inside.split(['/', '.']).next()?;
    (!["lib", "main", "core", "fixture"].contains(&part)).then_some(part)
}

/// The parts that a source names as `crate::PART`, also inside `use crate::{…}`.
fn parts_used(source: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        if source[..at].ends_with('$') {
            continue;
        }
        let rest = &source[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => used.extend(top_level_names(list)),
            None => used.extend(leading_name(rest)),
        }
    }
    used
}

fn leading_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn top_level_names(list: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut item = String::new();
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            names.extend(leading_name(item.trim()));
            item.clear();
        } else {
            item.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn without_comments(source: &str) -> String {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn parts_only_reach_down() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut complaints = Vec::new();
    for path in files(&["src"], "rs") {
        let path = path.to_str().expect("our names are UTF-8");
        let Some(part) = part_of(path) else { continue };
        let Some(allowed) = table.get(part) else {
            complaints.push(format!("{path}: the part `{part}` has no row in the table of this test"));
            continue;
        };
        for used in parts_used(&without_comments(&read(path.as_ref()))) {
            let is_known = table.contains_key(used.as_str());
            if is_known && used != part && used != "telemetry" && !allowed.contains(&used.as_str()) {
                complaints.push(format!("{path}: `{part}` may not use `{used}`"));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn checks_and_core_know_nothing_of_the_daemon() {
    for path in files(&["checks/src", "src/core"], "rs") {
        let source = without_comments(&read(&path));
        assert!(!source.contains("use vigia::"), "{}", path.display());
    }
    for path in files(&["src/core"], "rs") {
        let source = without_comments(&read(&path));
        for outside in ["tokio", "tracing", "vigia_checks"] {
            assert!(!source.contains(outside), "{} names {outside}", path.display());
        }
    }
}

#[test]
fn inside_the_core_model_knows_neither_nagios_nor_engine_and_nagios_not_the_engine() {
    for path in files(&["src/core/model"], "rs") {
        let source = without_comments(&read(&path));
        assert!(!source.contains("crate::engine") && !source.contains("crate::nagios"), "{}", path.display());
    }
    for path in files(&["src/core/nagios"], "rs") {
        assert!(!without_comments(&read(&path)).contains("crate::engine"), "{}", path.display());
    }
}

#[test]
fn the_reader_of_sources_sees_every_way_to_name_a_part() {
    let source =
        "use crate::os::files;\nuse crate::{config::{load, Problem}, web};\nlet x = crate::store::open();";
    assert_eq!(parts_used(source), ["os", "config", "web", "store"]);
}
