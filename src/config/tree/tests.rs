//! One golden test for each class of mistake, and what no input may do.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::config::place::Sources;
use crate::config::problem::{report, text};

/// The tree as one line, or every problem.
fn read(yaml: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(Source::new("t.yaml", yaml));
    let mut problems = Vec::new();
    let map = sources.of(file).and_then(|source| parse(source, file, &Limits::default(), &mut problems));
    let shown = map.map_or_else(String::new, |map| {
        let mut out = String::new();
        show_map(&map, &mut out);
        out
    });
    format!("{shown}\n{}", text(&report(problems, &sources)))
}

fn show(node: &Node<'_>, out: &mut String) {
    match &node.value {
        Value::Null(Null::Nothing) => out.push_str("nothing"),
        Value::Null(Null::Word) => out.push_str("null"),
        Value::Text(text) if text.is_quoted => out.push_str(&format!("{:?}", text.text)),
        Value::Text(text) => out.push_str(&text.text),
        Value::List(items) => {
            out.push('[');
            for item in items {
                show(item, out);
                out.push(' ');
            }
            out.push(']');
        }
        Value::Map(map) => show_map(map, out),
        Value::Broken => out.push_str("broken"),
    }
}

fn show_map(map: &Map<'_>, out: &mut String) {
    out.push('{');
    for entry in map {
        out.push_str(&format!("{}@{}:{}=", entry.key.text, entry.key.at.line, entry.key.at.column));
        show(&entry.value, out);
        out.push(' ');
    }
    out.push('}');
}

#[test]
fn scalars_keep_their_spelling() {
    assert_snapshot!(read("a: no\nb: 1.10\nc: 007\nd: 22:30\ne: \"x\\ty\"\nf: ~\ng: null\nh:\ni: NO # c\nj: ''\n"), @"");
}

#[test]
fn anchors_and_merge_keys_work_inside_one_file() {
    assert_snapshot!(read("base: &b {x: 1, y: [2]}\nc: {<<: *b, y: 3}\nd: *b\ne: {<<: [*b, {z: 4}]}\n"), @"");
}

#[test]
fn a_merge_key_wants_a_map() {
    assert_snapshot!(read("a: {<<: 3, b: 1}\n"), @"");
}

#[test]
fn a_key_written_twice_names_both_places() {
    assert_snapshot!(read("hosts:\n  web1: 1\n  db1: 2\n  web1: 3\n"), @"");
}

#[test]
fn a_tag_is_a_text_that_wanted_quotes() {
    assert_snapshot!(read("hostgroups:\n  shop: {members: [web*, !db9, !web* ]}\n"), @"");
    assert_snapshot!(read("a: !db9\nb: !!int 3\nc: !x {d: 1}\n"), @"");
}

#[test]
fn text_with_a_special_beginning_is_shown_in_quotes() {
    assert_snapshot!(read("a: *web\n"), @"");
    assert_snapshot!(read("a: [*web*, b]\n"), @"");
    assert_snapshot!(read("a: &web\nb: 1\n"), @"");
    assert_snapshot!(read("a: @daily # x\n"), @"");
    assert_snapshot!(read("a: [`date`, b]\n"), @"");
    assert_snapshot!(read("a: %x\n"), @"");
}

#[test]
fn brackets_inside_a_list_are_shown_in_quotes() {
    assert_snapshot!(read("a: [web[1-4], b]\n"), @"");
    assert_snapshot!(read("a: {b: web[1-4]}\n"), @"");
}

#[test]
fn a_second_colon_on_a_line_is_shown_in_quotes() {
    assert_snapshot!(read("a:\n  alias: Shop: front end\n"), @"");
}

#[test]
fn a_tab_has_its_own_message() {
    assert_snapshot!(read("hosts:\n\tweb1: 1\n"), @"");
    assert_snapshot!(read("hosts:\n  web1:\n  \tx: 1\n"), @"");
}

#[test]
fn what_is_not_closed_is_named() {
    assert_snapshot!(read("a: [1, 2\nb: 3\n"), @"");
    assert_snapshot!(read("a: {b: 1\n"), @"");
    assert_snapshot!(read("a: \"x\nb: 3\n"), @"");
    assert_snapshot!(read("a: 1]\nb: ]\n"), @"");
}

#[test]
fn indentation_that_fits_nothing_is_named() {
    assert_snapshot!(read("a:\n    b: 1\n  c: 2\n"), @"");
    assert_snapshot!(read("a:\n  b: 1\n  just words\n  c: 2\n"), @"");
    assert_snapshot!(read("a: 1\n  b: 2\n"), @"");
}

#[test]
fn a_second_document_is_an_error() {
    assert_snapshot!(read("a: 1\n---\nb: 2\n"), @"");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_snapshot!(read("\u{feff}a: 1\n"), @"");
}

#[test]
fn an_empty_file_is_an_empty_map() {
    assert_eq!(read(""), "{}\n");
    assert_eq!(read("# nothing yet\n"), "{}\n");
    assert_eq!(read("---\n"), "{}\n");
}

#[test]
fn a_file_without_keys_is_an_error() {
    assert_snapshot!(read("web1\n"), @"");
    assert_snapshot!(read("- web1\n"), @"");
}

#[test]
fn a_binary_file_is_named_as_such() {
    assert_snapshot!(read("a: 1\nb: \u{0}\n"), @"");
    assert_snapshot!(read("a: \u{1b}[31m\n"), @"");
}

#[test]
fn a_value_may_not_contain_itself() {
    assert_snapshot!(read("a: &x [*x]\n"), @"");
}

#[test]
fn an_alias_bomb_is_refused_before_it_grows() {
    let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        yaml.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    let shown = read(&yaml);
    assert!(shown.contains("the aliases of this file stand for more than 100000 values"), "{shown}");
}

#[test]
fn aliases_cannot_build_a_tree_deeper_than_allowed() {
    let mut yaml = String::from("a0: &a0 [[[[[[[[x]]]]]]]]\n");
    for level in 1..40 {
        yaml.push_str(&format!("a{level}: &a{level} [[[[[[[[*a{}]]]]]]]]\n", level - 1));
    }
    let shown = read(&yaml);
    assert!(shown.contains("more than 64 lists and maps inside each other"), "{shown}");
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let yaml = format!("a: {}x{}\n", open.repeat(5000), close.repeat(5000));
        let shown = read(&yaml);
        assert!(shown.contains("lists and maps inside each other"), "{}", &shown[shown.len() - 300..]);
    }
    let block: String = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(read(&block).contains("lists and maps inside each other"));
}

#[test]
fn ten_thousand_hosts_may_share_one_map() {
    let mut yaml = String::from("base: &b {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8}\nhosts:\n");
    for host in 0..10_000 {
        yaml.push_str(&format!("  h{host}: {{<<: *b, address: x}}\n"));
    }
    assert!(!read(&yaml).contains("aliases"));
}

#[test]
fn ten_megabytes_of_text_are_read() {
    let mut yaml = String::from("hosts:\n");
    while yaml.len() < 10 << 20 {
        yaml.push_str(&format!("  h{}: {{address: 192.0.2.1, services: [ssh]}}\n", yaml.len()));
    }
    let source = Source::new("t.yaml", yaml);
    let mut problems = Vec::new();
    let map = parse(&source, FileId(0), &Limits::default(), &mut problems).unwrap();
    assert_eq!(problems, []);
    assert!(map.get("hosts").and_then(Node::map).is_some_and(|hosts| hosts.len() > 200_000));
}

#[test]
fn a_node_is_small() {
    assert!(size_of::<Node<'_>>() <= 56, "{}", size_of::<Node<'_>>());
}

fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just(": "),
        Just("\n"),
        Just("  "),
        Just("- "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(", "),
        Just("&a "),
        Just("*a"),
        Just("<<"),
        Just("!x "),
        Just("\""),
        Just("'"),
        Just("|\n"),
        Just(">\n"),
        Just("\t"),
        Just("#"),
        Just("---\n"),
        Just("..."),
        Just("%"),
        Just("@"),
        Just("? "),
        Just("é"),
        Just("\r\n"),
        Just("\r"),
        Just("\\"),
        Just("~"),
        Just("\u{feff}"),
        Just("世"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn nothing_like_yaml_makes_it_panic(text in yaml_like()) {
        read(&text);
    }

    #[test]
    fn what_cannot_be_parsed_always_has_a_problem(text in yaml_like()) {
        let source = Source::new("t.yaml", text);
        let mut problems = Vec::new();
        let map = parse(&source, FileId(0), &Limits::default(), &mut problems);
        prop_assert!(map.is_some() || problems.iter().any(Problem::is_error));
    }
}
