//! How problems look.

use insta::assert_snapshot;

use super::*;
use crate::config::place::Source;

fn at(line: u32, column: u32, len: u32) -> Place {
    Place { file: FileId(0), line, column, len }
}

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add(Source::new("conf.d/web.yaml", text));
    sources
}

const HOSTS: &str = "hosts:\n  web1:\n    max_check_attempts: 0\n";

#[test]
fn a_problem_shows_the_line_the_caret_the_way_and_the_hint() {
    let problem = Problem::error(at(3, 25, 1), "max_check_attempts must be at least 1")
        .of("web1/HTTP")
        .through("template web-server")
        .hint("1 confirms a problem on its first bad result");
    assert_snapshot!(text(&report(vec![problem], &sources(HOSTS))), @r"
    conf.d/web.yaml:3:25: max_check_attempts must be at least 1
        3 |     max_check_attempts: 0
          |                         ^ of web1/HTTP, through template web-server
       hint: 1 confirms a problem on its first bad result
    ");
}

#[test]
fn a_second_place_is_named() {
    let problem = Problem::warning(at(2, 3, 4), "`web1` is here").also(at(1, 1, 5), "the first one");
    assert_snapshot!(text(&report(vec![problem], &sources(HOSTS))), @r"
    conf.d/web.yaml:2:3: warning: `web1` is here
        2 |   web1:
          |   ^^^^
       conf.d/web.yaml:1:1: the first one
    ");
}

#[test]
fn a_problem_of_a_whole_file_has_no_line() {
    let problem = Problem::error(Place::whole(FileId(0)), "cannot be read: permission denied").of("web1");
    assert_snapshot!(text(&report(vec![problem], &sources(HOSTS))), @r"
    conf.d/web.yaml: cannot be read: permission denied
       of web1
    ");
}

#[test]
fn problems_are_sorted_and_told_once() {
    let twice = Problem::error(at(3, 1, 1), "b");
    let problems = vec![
        twice.clone().of("web2"),
        Problem::warning(at(3, 1, 1), "a"),
        Problem::error(at(1, 1, 1), "c"),
        twice.of("web1"),
    ];
    let told: Vec<_> = report(problems, &sources(HOSTS)).into_iter().map(|one| one.message).collect();
    assert_eq!(told, ["c", "b", "a"]);
}

#[test]
fn control_characters_cannot_move_the_cursor() {
    let problem = Problem::error(at(1, 10, 2), "what is `\u{1b}[2J`\u{202e}?").hint("a\u{7}b\nc");
    let shown = text(&report(vec![problem], &sources("a:\t\u{9b}31m  xy\u{1b}[2J\n")));
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert_snapshot!(shown, @r"
    conf.d/web.yaml:1:10: what is `�[2J`�?
        1 | a:  31m  xy [2J
          |          ^^
       hint: a�b
             c
    ");
}

#[test]
fn the_caret_stands_under_wide_characters_too() {
    let problem = Problem::error(at(1, 6, 2), "wide");
    assert_snapshot!(text(&report(vec![problem], &sources("a: 世界時計 b\n"))), @r"
    conf.d/web.yaml:1:6: wide
        1 | a: 世界時計 b
          |        ^^^^
    ");
}

#[test]
fn a_long_line_is_shown_around_the_caret() {
    let line = format!("{}HERE{}\n", "x".repeat(500), "y".repeat(500));
    let shown = text(&report(vec![Problem::error(at(1, 501, 4), "long")], &sources(&line)));
    assert_snapshot!(shown, @r"
    conf.d/web.yaml:1:501: long
        1 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxHEREyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
          |                                                              ^^^^
    ");
}

#[test]
fn a_place_past_the_end_of_the_file_shows_no_line() {
    let shown = text(&report(vec![Problem::error(at(99, 7, 4), "gone")], &sources(HOSTS)));
    assert_eq!(shown, "conf.d/web.yaml:99:7: gone\n");
}

#[test]
fn json_holds_everything() {
    let problem =
        Problem::error(at(3, 25, 1), "too small").of("web1").hint("write 1").also(at(1, 1, 1), "see");
    let shown = json(&report(vec![problem], &sources(HOSTS)));
    assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap(), @r#"
    {
      "valid": false,
      "errors": 1,
      "warnings": 0,
      "problems": [
        {
          "severity": "error",
          "file": "conf.d/web.yaml",
          "line": 3,
          "column": 25,
          "length": 1,
          "message": "too small",
          "object": "web1",
          "through": [],
          "also": [
            {
              "at": "conf.d/web.yaml:1:1",
              "message": "see"
            }
          ],
          "hint": "write 1"
        }
      ]
    }
    "#);
}

#[test]
fn annotations_escape_what_would_end_them() {
    let problem = Problem::error(at(3, 25, 3), "100%\nno").hint("a: b").of("web1");
    let mut sources = Sources::default();
    sources.add(Source::new("a,b:c.yaml", HOSTS));
    assert_snapshot!(github(&report(vec![problem], &sources)), @r"::error file=a%2Cb%3Ac.yaml,line=3,col=25,endColumn=27::100%25�no (of web1)%0Ahint: a: b");
}
