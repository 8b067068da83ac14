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
    format!("{shown}\n{}", text(&report(problems, &sources))).trim().to_owned()
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
    assert_snapshot!(read("a: no\nb: 1.10\nc: 007\nd: 22:30\ne: \"x\\ty\"\nf: ~\ng: null\nh:\ni: NO # c\nj: ''\n"), @r#"{a@1:1=no b@2:1=1.10 c@3:1=007 d@4:1=22:30 e@5:1="x\ty" f@6:1=null g@7:1=null h@8:1=nothing i@9:1=NO j@10:1="" }"#);
}

#[test]
fn anchors_and_merge_keys_work_inside_one_file() {
    assert_snapshot!(read("base: &b {x: 1, y: [2]}\nc: {<<: *b, y: 3}\nd: *b\ne: {<<: [*b, {z: 4}]}\n"), @r"{base@1:1={x@1:11=1 y@1:17=[2 ] } c@2:1={y@2:13=3 x@1:11=1 } d@3:1={x@1:11=1 y@1:17=[2 ] } e@4:1={x@1:11=1 y@1:17=[2 ] z@4:15=4 } }");
}

#[test]
fn a_merge_key_wants_a_map() {
    assert_snapshot!(read("a: {<<: 3, b: 1}\n"), @r"
    {a@1:1={b@1:12=1 } }
    t.yaml:1:9: `<<` wants a map, or a list of maps
        1 | a: {<<: 3, b: 1}
          |         ^
       hint: such as `<<: *base`
    ");
}

#[test]
fn a_key_written_twice_names_both_places() {
    assert_snapshot!(read("hosts:\n  web1: 1\n  db1: 2\n  web1: 3\n"), @r"
    {hosts@1:1={web1@2:3=1 db1@3:3=2 } }
    t.yaml:4:3: `web1` stands here a second time
        4 |   web1: 3
          |   ^^^^
       t.yaml:2:3: the first one
       hint: keep one of them, or give the second another name
    ");
}

#[test]
fn a_tag_is_a_text_that_wanted_quotes() {
    assert_snapshot!(read("hostgroups:\n  shop: {members: [web*, !db9, !web* ]}\n"), @r#"
    {hostgroups@1:1={shop@2:3={members@2:10=[web* broken broken ] } } }
    t.yaml:2:26: text that begins with `!` needs quotes
        2 |   shop: {members: [web*, !db9, !web* ]}
          |                          ^^^^
       hint: write
               shop: {members: [web*, "!db9", !web* ]}
    t.yaml:2:32: text that begins with `!` needs quotes
        2 |   shop: {members: [web*, !db9, !web* ]}
          |                                ^^^^^
       hint: write
               shop: {members: [web*, !db9, "!web*" ]}
    "#);
    assert_snapshot!(read("a: !db9\nb: !!int 3\nc: !x {d: 1}\n"), @r#"
    {a@1:1=broken b@2:1=broken c@3:1=broken }
    t.yaml:1:4: text that begins with `!` needs quotes
        1 | a: !db9
          |    ^^^^
       hint: write
             a: "!db9"
    t.yaml:2:4: tags such as `!!int` are not used: a value is read as what its key wants
        2 | b: !!int 3
          |    ^^^^^
       hint: leave the tag away
    t.yaml:3:4: tags such as `!x` are not used: a value is read as what its key wants
        3 | c: !x {d: 1}
          |    ^^
       hint: leave the tag away
    "#);
}

#[test]
fn text_with_a_special_beginning_is_shown_in_quotes() {
    assert_snapshot!(read("a: *web\n"), @r#"
    {a@1:1=broken }
    t.yaml:1:4: `*web` stands for an anchor, and there is no `&web` above
        1 | a: *web
          |    ^^^^
       hint: text that begins with `*` needs quotes; write
             a: "*web"
    "#);
    assert_snapshot!(read("a: [*web*, b]\n"), @r#"
    {a@1:1=[broken b ] }
    t.yaml:1:5: `*web*` stands for an anchor, and there is no `&web*` above
        1 | a: [*web*, b]
          |     ^^^^^
       hint: text that begins with `*` needs quotes; write
             a: ["*web*", b]
    "#);
    assert_snapshot!(read("a: &web\nb: 1\n"), @r#"
    {a@1:1=broken b@2:1=1 }
    t.yaml:1:4: text that begins with `&` needs quotes
        1 | a: &web
          |    ^^^^
       hint: write
             a: "&web"
    "#);
    assert_snapshot!(read("a: @daily # x\n"), @r#"
    t.yaml:1:4: text that begins with `@` needs quotes
        1 | a: @daily # x
          |    ^^^^^^
       hint: write
             a: "@daily" # x
    "#);
    assert_snapshot!(read("a: [`date`, b]\n"), @r#"
    t.yaml:1:5: text that begins with a backtick needs quotes
        1 | a: [`date`, b]
          |     ^^^^^^
       hint: write
             a: ["`date`", b]
    "#);
    assert_snapshot!(read("a: %x\n"), @r#"
    t.yaml:1:4: text that begins with `%` needs quotes
        1 | a: %x
          |    ^^
       hint: write
             a: "%x"
    "#);
}

#[test]
fn brackets_inside_a_list_are_shown_in_quotes() {
    assert_snapshot!(read("a: [web[1-4], b]\n"), @r#"
    t.yaml:1:8: a `,` is missing, or text with brackets in it needs quotes
        1 | a: [web[1-4], b]
          |        ^
       hint: write
             a: ["web[1-4]", b]
    "#);
    assert_snapshot!(read("a: {b: web[1-4]}\n"), @r#"
    t.yaml:1:11: a `,` is missing, or text with brackets in it needs quotes
        1 | a: {b: web[1-4]}
          |           ^
       hint: write
             a: {b: "web[1-4]"}
    "#);
}

#[test]
fn a_second_colon_on_a_line_is_shown_in_quotes() {
    assert_snapshot!(read("a:\n  alias: Shop: front end\n"), @r#"
    t.yaml:2:14: a second `: ` on this line; text that holds one needs quotes
        2 |   alias: Shop: front end
          |              ^
       hint: write
               alias: "Shop: front end"
    "#);
}

#[test]
fn a_tab_has_its_own_message() {
    assert_snapshot!(read("hosts:\n\tweb1: 1\n"), @r"
    t.yaml:2:1: a tab where YAML wants blanks
        2 |  web1: 1
          | ^
       hint: indent with blanks; `expand -t 2 FILE` turns tabs into blanks
    ");
    assert_snapshot!(read("hosts:\n  web1:\n  \tx: 1\n"), @r"
    t.yaml:3:3: a tab where YAML wants blanks
        3 |    x: 1
          |   ^
       hint: indent with blanks; `expand -t 2 FILE` turns tabs into blanks
    ");
}

#[test]
fn what_is_not_closed_is_named() {
    assert_snapshot!(read("a: [1, 2\nb: 3\n"), @r"
    t.yaml:2:2: a `:` inside `[…]`
        2 | b: 3
          |  ^
       hint: is the `[` above never closed? text with a `:` in it may need quotes
    ");
    assert_snapshot!(read("a: {b: 1\n"), @r"
    t.yaml:1:4: a `{` is never closed
        1 | a: {b: 1
          |    ^
       hint: add the `}`
    ");
    assert_snapshot!(read("a: \"x\nb: 3\n"), @r#"
    t.yaml:1:4: a quote is never closed
        1 | a: "x
          |    ^
    "#);
    assert_snapshot!(read("a: 1]\nb: ]\n"), @r"
    t.yaml:2:4: a closing bracket that closes nothing
        2 | b: ]
          |    ^
    ");
}

#[test]
fn indentation_that_fits_nothing_is_named() {
    assert_snapshot!(read("a:\n    b: 1\n  c: 2\n"), @r"
    t.yaml:3:3: this line is no `key: value`
        3 |   c: 2
          |   ^
       hint: is a `:` missing, or does the line begin further left or right than its neighbours?
    ");
    assert_snapshot!(read("a:\n  b: 1\n  just words\n  c: 2\n"), @r"
    t.yaml:3:3: this line is no `key: value`
        3 |   just words
          |   ^
       hint: is a `:` missing, or does the line begin further left or right than its neighbours?
    ");
    assert_snapshot!(read("a: 1\n  b: 2\n"), @r"
    t.yaml:2:4: this line does not fit the indentation of those above
        2 |   b: 2
          |    ^
       hint: is a `:` missing, or does the line begin further left or right than its neighbours?
    ");
}

#[test]
fn a_second_document_is_an_error() {
    assert_snapshot!(read("a: 1\n---\nb: 2\n"), @r"
    t.yaml:2:1: a second document begins here; a file holds one
        2 | ---
          | ^^^
       hint: take the `---` away, or put what follows it into a file of its own
    ");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_snapshot!(read("\u{feff}a: 1\n"), @r"{a@1:1=1 }");
}

#[test]
fn an_empty_file_is_an_empty_map() {
    assert_eq!(read(""), "{}");
    assert_eq!(read("# nothing yet\n"), "{}");
    assert_eq!(read("---\n"), "{}");
}

#[test]
fn a_file_without_keys_is_an_error() {
    assert_snapshot!(read("web1\n"), @r"
    t.yaml:1:1: a file holds keys such as `hosts:`, not a text or a list
        1 | web1
          | ^^^^
       hint: for example
             hosts:
               web1: 192.0.2.1
    ");
    assert_snapshot!(read("- web1\n"), @r"
    t.yaml:1:1: a file holds keys such as `hosts:`, not a text or a list
        1 | - web1
          | ^
       hint: for example
             hosts:
               web1: 192.0.2.1
    ");
}

#[test]
fn a_binary_file_is_named_as_such() {
    assert_snapshot!(read("a: 1\nb: \u{0}\n"), @r"
    t.yaml:2:4: a NUL byte: this is not a text file
        2 | b:  
          |    ^
       hint: delete it, or write it as an escape inside double quotes
    ");
    assert_snapshot!(read("a: \u{1b}[31m\n"), @r"
    t.yaml:1:4: a control character (byte 0x1b) that has no place in a configuration
        1 | a:  [31m
          |    ^
       hint: delete it, or write it as an escape inside double quotes
    ");
}

#[test]
fn a_value_may_not_contain_itself() {
    assert_snapshot!(read("a: &x [*x]\n"), @r"
    t.yaml:1:8: an alias inside of what it stands for
        1 | a: &x [*x]
          |        ^^
       hint: a value cannot contain itself
    ");
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
        assert!(shown.contains("lists and maps inside each other"), "{shown}");
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
