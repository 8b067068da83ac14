//! Declarations and decoding, over the whole table of kinds.

use crate::options::{Entry, Mark, Node, Value, reference, schema};
use crate::{KINDS, kind};

/// `{key: text, …}` with the marks 1, 2, … at the values.
fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(key, value)| Entry {
        key: (*key).to_owned(),
        mark: value.mark,
        value: value.clone(),
    });
    Value::map(entries.collect(), Mark(0))
}

fn text(text: &str, mark: u32) -> Value {
    Value::text(text, Mark(mark))
}

#[test]
fn every_default_is_readable_and_every_kind_decodes_with_what_it_needs() {
    for kind in KINDS {
        let sample = |name: &str| match name {
            "port" => "80",
            "oid" => "1.3",
            _ => "x",
        };
        let needed: Vec<(&str, Value)> = kind
            .options()
            .filter(|option| option.required)
            .map(|option| (option.name, text(sample(option.name), 1)))
            .collect();
        let decoded = kind.decode(&map(&needed));
        assert!(decoded.check.is_some(), "{}: {:?}", kind.name, decoded.problems);
    }
}

#[test]
fn all_mistakes_are_found_in_one_run_each_at_its_place() {
    let written = map(&[
        ("prot", text("80", 1)),
        ("send", Value::list(Vec::new(), Mark(2))),
        ("warn", text("5", 3)),
        ("ip", text("5", 4)),
        ("tls", map(&[("verify", text("maybe", 5)), ("mni", text("1.2", 6))])),
    ]);
    let problems = kind("tcp").unwrap().decode(&written).problems;
    let found: Vec<(u32, &str)> =
        problems.iter().map(|problem| (problem.mark.0, problem.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "unknown option `prot`"),
            (2, "`send` wants a text, not a list"),
            (3, "`warn`: `5` has no unit"),
            (4, "unknown word `5`"),
            (5, "`tls.verify` is `on` or `off`, not `maybe`"),
            (6, "unknown option `mni`"),
            (0, "`port` is missing"),
        ]
    );
    let hint = |n: usize| problems.get(n).unwrap().hint.as_deref().unwrap_or_default();
    assert_eq!(hint(0), "did you mean `port`?");
    assert!(hint(2).starts_with("`5s` for seconds"));
    assert_eq!(hint(5), "did you mean `min`?");
}

#[test]
fn a_key_with_nothing_after_it_counts_as_not_written() {
    let written = map(&[("port", text("80", 1)), ("expect", Value::null(Mark(2)))]);
    assert!(kind("tcp").unwrap().decode(&written).check.is_some());
    assert!(kind("http").unwrap().decode(&Value::null(Mark(0))).check.is_some());
}

#[test]
fn short_forms_have_long_ones() {
    let long = |name: &str, short: &str| match kind(name).unwrap().long_form(text(short, 7)).node {
        Node::Map(entries) => entries
            .first()
            .map(|entry| (entry.key.clone(), entry.value.as_text().unwrap().to_owned()))
            .unwrap(),
        Node::Null | Node::Text(_) | Node::List(_) => panic!("no map"),
    };
    assert_eq!(long("tcp", "5432"), ("port".into(), "5432".into()));
    assert_eq!(long("http", "/health"), ("path".into(), "/health".into()));
    assert_eq!(long("http", "https://web1/x"), ("url".into(), "https://web1/x".into()));
    let refused = kind("udp").unwrap().decode(&text("53", 1));
    assert!(refused.check.is_none());
    assert!(refused.problems.first().unwrap().message.contains("has no short form"));
}

#[test]
fn a_secret_in_the_file_is_a_warning_and_never_printed() {
    let written = map(&[("user", text("ana", 1)), ("password", text("hunter2", 2))]);
    let decoded = kind("http").unwrap().decode(&written);
    let warning = decoded.problems.first().unwrap();
    assert!(warning.is_warning && warning.mark == Mark(2) && !warning.message.contains("hunter2"));
    assert!(!format!("{:?}", decoded.check.unwrap()).contains("hunter2"));
    let elsewhere =
        map(&[("user", text("ana", 1)), ("password", map(&[("file", text("/etc/vigia/secrets/web", 2))]))]);
    assert!(kind("http").unwrap().decode(&elsewhere).problems.is_empty());
}

#[test]
fn the_reference_page_names_every_option() {
    let page = reference(KINDS);
    for kind in KINDS {
        assert!(page.contains(&format!("\n## {}\n", kind.name)));
        for option in kind.options() {
            assert!(page.contains(&format!("`{}`", option.name)), "{} of {}", option.name, kind.name);
            let is_line =
                !option.help.is_empty() && !option.help.contains('\n') && !option.help.ends_with('.');
            assert!(is_line, "the help of {} of {}", option.name, kind.name);
        }
    }
}

#[test]
fn schemas_are_balanced() {
    for kind in KINDS {
        let schema = schema(kind);
        let count = |c: char| schema.matches(c).count();
        assert_eq!((count('{'), count('[')), (count('}'), count(']')), "{schema}");
        assert!(!schema.contains(",}") && !schema.contains(",,") && !schema.contains("{,"), "{schema}");
    }
}

#[test]
fn the_names_of_monitoring_plugins_lead_to_our_kinds() {
    for (link, kind) in [
        ("/usr/lib/x/check_pgsql", "postgres"),
        ("check_pop", "pop3"),
        ("check_ntp_time", "ntp"),
        ("check_snmp", "snmp"),
    ] {
        assert_eq!(crate::cli::kind_of_link(link).map(|kind| kind.name), Some(kind));
    }
    assert!(crate::cli::kind_of_link("check_nothing").is_none());
}
