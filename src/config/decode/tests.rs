//! One golden test for each class of mistake in a value or a key.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::config::keys::{Key, Type};
use crate::config::place::{Source, Sources};
use crate::config::problem::{report, text};
use crate::config::tree::{self, Map};

const KEYS: &[Key] = &[
    Key::new("check_interval", Type::Duration, "1m", ""),
    Key::new("timeout", Type::Duration, "10s", ""),
    Key::new("active_checks", Type::Switch, "on", ""),
    Key::new("volatile", Type::Switch, "off", ""),
    Key::new("low_flap_threshold", Type::Percent, "20%", ""),
    Key::new("max_check_attempts", Type::Whole(1, 100), "3", ""),
    Key::new("contacts", Type::Names, "", ""),
    Key::new("contactgroups", Type::Names, "", ""),
    Key::new("process_perfdata", Type::Switch, "on", ""),
    Key::new("password", Type::Secret, "", ""),
    Key::new("attachment_max", Type::Size, "10MiB", ""),
    Key::new("tags", Type::TextMap, "", ""),
    Key::new("custom_variables", Type::TextMap, "", ""),
    Key::new("format", Type::Word(&["json", "slack"]), "json", ""),
];

/// Reads every key as its type; what came of it, and every problem.
fn read(yaml: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(Source::new("t.yaml", yaml));
    let mut problems = Vec::new();
    let source = sources.of(file).unwrap();
    let map = tree::parse(source, file, &tree::Limits::default(), &mut problems).unwrap_or_default();
    let mut decoder = Decoder::with(problems);
    decoder.reading("web1/HTTP");
    let shown = values(&map, &mut decoder);
    (shown + &text(&report(decoder.into_problems(), &sources))).trim().to_owned()
}

fn values(map: &Map<'_>, decoder: &mut Decoder) -> String {
    let fields = decoder.fields(map, KEYS, |_| false);
    let mut shown = String::new();
    for said in fields.iter() {
        let (name, node) = (said.key.name, said.value);
        let value = match said.key.holds {
            _ if said.how == How::Cancel => Some("cancelled".to_owned()),
            Type::Duration => decoder.duration(node, name).map(|value| format!("{value:?}")),
            Type::Switch => decoder.switch(node, name).map(|value| value.to_string()),
            Type::Percent => decoder.percent(node, name).map(|value| value.to_string()),
            Type::Whole(..) => decoder.integer(node, name, 1, 100).map(|value| value.to_string()),
            Type::Names => decoder
                .texts(node, name)
                .map(|value| value.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("+")),
            Type::Secret => decoder.secret(node, name).map(|value| format!("{value:?}")),
            Type::Size => decoder.size(node, name).map(|value| value.to_string()),
            Type::TextMap => decoder.map_of_texts(node, name).map(|value| {
                value.into_iter().map(|(key, text, _)| format!("{key}={text}")).collect::<Vec<_>>().join("+")
            }),
            Type::Word(words) => decoder.choice(node, name, words).map(str::to_owned),
            _ => None,
        };
        shown.push_str(&format!("{name} {:?} {value:?}\n", said.how));
    }
    shown
}

#[test]
fn values_are_read_as_their_keys_want_them() {
    assert_snapshot!(read("
check_interval: 1h30m
timeout: '250ms'
active_checks: no
low_flap_threshold: 12.5%
max_check_attempts: 007
contacts: [no, 1.10]
contactgroups+: ops
password: {file: /etc/vigia/secrets/x}
attachment_max: 1KiB
tags: {env: prod, version: 1.10, on: 22:30}
custom_variables: null
format: slack
"), @r#"
    check_interval Replace Some("5400s")
    timeout Replace Some("250ms")
    active_checks Replace Some("false")
    low_flap_threshold Replace Some("12.5")
    max_check_attempts Replace Some("7")
    contacts Replace Some("no+1.10")
    contactgroups Add Some("ops")
    password Replace Some("{file: /etc/vigia/secrets/x}")
    attachment_max Replace Some("1024")
    tags Replace Some("env=prod+version=1.10+on=22:30")
    custom_variables Cancel Some("cancelled")
    format Replace Some("slack")
    "#);
}

#[test]
fn a_bare_number_where_a_duration_belongs_suggests_one() {
    assert_snapshot!(read("{check_interval: 5, timeout: 10}"), @r"
    check_interval Replace None
    timeout Replace None
    t.yaml:1:18: `check_interval` wants a duration, and `5` has no unit
        1 | {check_interval: 5, timeout: 10}
          |                  ^ of web1/HTTP
       hint: did you mean `5m`, as Nagios counts it, or `5s`?
    t.yaml:1:30: `timeout` wants a duration, and `10` has no unit
        1 | {check_interval: 5, timeout: 10}
          |                              ^^ of web1/HTTP
       hint: did you mean `10s`?
    ");
}

#[test]
fn a_duration_in_other_words_is_suggested_in_ours() {
    assert_snapshot!(read("{check_interval: 5 min, timeout: 30M}"), @r"
    check_interval Replace None
    timeout Replace None
    t.yaml:1:18: `check_interval` wants a duration such as `30s`, not `5 min`
        1 | {check_interval: 5 min, timeout: 30M}
          |                  ^^^^^ of web1/HTTP
       hint: did you mean `5m`?
    t.yaml:1:34: `timeout` wants a duration such as `30s`, not `30M`
        1 | {check_interval: 5 min, timeout: 30M}
          |                                  ^^^ of web1/HTTP
       hint: did you mean `30m`?
    ");
    assert_snapshot!(read("{check_interval: 30s5m, timeout: 1.5h30m}"), @r"
    check_interval Replace None
    timeout Replace None
    t.yaml:1:18: `30s5m` has its units in the wrong order: the largest comes first, each once
        1 | {check_interval: 30s5m, timeout: 1.5h30m}
          |                  ^^^^^ of web1/HTTP
    t.yaml:1:34: `1.5h30m` has decimals before its last unit
        1 | {check_interval: 30s5m, timeout: 1.5h30m}
          |                                  ^^^^^^^ of web1/HTTP
    ");
    assert_snapshot!(read("{check_interval: -5s, timeout: soon}"), @r"
    check_interval Replace None
    timeout Replace None
    t.yaml:1:18: `check_interval` wants a duration such as `30s`, not `-5s`
        1 | {check_interval: -5s, timeout: soon}
          |                  ^^^ of web1/HTTP
       hint: units are w d h m s ms us, the largest first, without blanks: `1h30m`
    t.yaml:1:32: `timeout` wants a duration such as `30s`, not `soon`
        1 | {check_interval: -5s, timeout: soon}
          |                                ^^^^ of web1/HTTP
       hint: units are w d h m s ms us, the largest first, without blanks: `1h30m`
    ");
}

#[test]
fn a_switch_has_words() {
    assert_snapshot!(read("{active_checks: 1, volatile: OFF, process_perfdata: maybe}"), @r"
    active_checks Replace None
    volatile Replace None
    process_perfdata Replace None
    t.yaml:1:17: `active_checks` wants `on` or `off`, not `1`
        1 | {active_checks: 1, volatile: OFF, process_perfdata: maybe}
          |                 ^ of web1/HTTP
       hint: did you mean `on`?
    t.yaml:1:30: `volatile` wants `on` or `off`, not `OFF`
        1 | {active_checks: 1, volatile: OFF, process_perfdata: maybe}
          |                              ^^^ of web1/HTTP
       hint: did you mean `off`?
    t.yaml:1:53: `process_perfdata` wants `on` or `off`, not `maybe`
        1 | {active_checks: 1, volatile: OFF, process_perfdata: maybe}
          |                                                     ^^^^^ of web1/HTTP
       hint: a switch is one of: on off yes no true false
    ");
}

#[test]
fn numbers_percentages_and_sizes_are_checked() {
    assert_snapshot!(read("{max_check_attempts: 0, low_flap_threshold: 80, attachment_max: 10}"), @r"
    max_check_attempts Replace None
    low_flap_threshold Replace None
    attachment_max Replace None
    t.yaml:1:22: `max_check_attempts` must be at least 1
        1 | {max_check_attempts: 0, low_flap_threshold: 80, attachment_max: 10}
          |                      ^ of web1/HTTP
    t.yaml:1:45: `low_flap_threshold` wants a percentage such as `80%`, not `80`
        1 | {max_check_attempts: 0, low_flap_threshold: 80, attachment_max: 10}
          |                                             ^^ of web1/HTTP
       hint: did you mean `80%`?
    t.yaml:1:65: `attachment_max` wants a size, and `10` has no unit
        1 | {max_check_attempts: 0, low_flap_threshold: 80, attachment_max: 10}
          |                                                                 ^^ of web1/HTTP
       hint: did you mean `10B` or `10MiB`?
    ");
    assert_snapshot!(read("{max_check_attempts: three, low_flap_threshold: 120%, attachment_max: 10 MB}"), @r"
    max_check_attempts Replace None
    low_flap_threshold Replace None
    attachment_max Replace None
    t.yaml:1:22: `max_check_attempts` wants a whole number, not `three`
        1 | {max_check_attempts: three, low_flap_threshold: 120%, attachment_max: 10 MB}
          |                      ^^^^^ of web1/HTTP
    t.yaml:1:49: `low_flap_threshold` wants a percentage such as `80%`, not `120%`
        1 | {max_check_attempts: three, low_flap_threshold: 120%, attachment_max: 10 MB}
          |                                                 ^^^^ of web1/HTTP
    t.yaml:1:71: `attachment_max` wants a size such as `10MiB`, not `10 MB`
        1 | {max_check_attempts: three, low_flap_threshold: 120%, attachment_max: 10 MB}
          |                                                                       ^^^^^ of web1/HTTP
       hint: units are B kB MB GB KiB MiB GiB
    ");
    assert_snapshot!(read("{max_check_attempts: 1e1, low_flap_threshold: inf%, attachment_max: -1B}"), @r"
    max_check_attempts Replace None
    low_flap_threshold Replace None
    attachment_max Replace None
    t.yaml:1:22: `max_check_attempts` wants a whole number, not `1e1`
        1 | {max_check_attempts: 1e1, low_flap_threshold: inf%, attachment_max: -1B}
          |                      ^^^ of web1/HTTP
    t.yaml:1:47: `low_flap_threshold` wants a percentage such as `80%`, not `inf%`
        1 | {max_check_attempts: 1e1, low_flap_threshold: inf%, attachment_max: -1B}
          |                                               ^^^^ of web1/HTTP
    t.yaml:1:69: `attachment_max` wants a size such as `10MiB`, not `-1B`
        1 | {max_check_attempts: 1e1, low_flap_threshold: inf%, attachment_max: -1B}
          |                                                                     ^^^ of web1/HTTP
       hint: units are B kB MB GB KiB MiB GiB
    ");
}

#[test]
fn the_wrong_shape_is_named() {
    assert_snapshot!(read("{timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}"), @r"
    timeout Replace None
    contacts Replace None
    tags Replace None
    active_checks Replace None
    password Replace None
    t.yaml:1:11: `timeout` wants a duration such as `30s`, not a list
        1 | {timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}
          |           ^ of web1/HTTP
    t.yaml:1:28: `contacts` wants a text, not a list
        1 | {timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}
          |                            ^ of web1/HTTP
    t.yaml:1:40: `tags` wants a map of texts, not a list
        1 | {timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}
          |                                        ^ of web1/HTTP
    t.yaml:1:60: `active_checks` wants `on` or `off`, not a map
        1 | {timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}
          |                                                            ^ of web1/HTTP
    t.yaml:1:75: `a` is no place of a secret; it is one of `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`
        1 | {timeout: [1s], contacts: [[a]], tags: [a], active_checks: {}, password: {a: b}}
          |                                                                           ^ of web1/HTTP
    ");
}

#[test]
fn an_unknown_key_has_the_nearest_known_one() {
    assert_snapshot!(read("{check_intervall: 1m, contakts: [a], zzz: 1}"), @r"
    t.yaml:1:2: there is no key `check_intervall` here
        1 | {check_intervall: 1m, contakts: [a], zzz: 1}
          |  ^^^^^^^^^^^^^^^ of web1/HTTP
       hint: did you mean `check_interval`?
    t.yaml:1:23: there is no key `contakts` here
        1 | {check_intervall: 1m, contakts: [a], zzz: 1}
          |                       ^^^^^^^^ of web1/HTTP
       hint: did you mean `contacts`?
    t.yaml:1:38: there is no key `zzz` here
        1 | {check_intervall: 1m, contakts: [a], zzz: 1}
          |                                      ^^^ of web1/HTTP
    ");
}

#[test]
fn keys_of_nagios_lead_to_ours() {
    assert_snapshot!(read("
active_checks_enabled: 1
is_volatile: 0
contact_groups: ops
process_perf_data: 1
check_command: check_http
normal_check_interval: 5
notifications_enabled: 1
_SNMP: public
register: 0
"), @r#"
    t.yaml:2:1: there is no key `active_checks_enabled` here
        2 | active_checks_enabled: 1
          | ^^^^^^^^^^^^^^^^^^^^^ of web1/HTTP
       hint: it is called `active_checks` here
    t.yaml:3:1: there is no key `is_volatile` here
        3 | is_volatile: 0
          | ^^^^^^^^^^^ of web1/HTTP
       hint: it is called `volatile` here
    t.yaml:4:1: there is no key `contact_groups` here
        4 | contact_groups: ops
          | ^^^^^^^^^^^^^^ of web1/HTTP
       hint: it is called `contactgroups` here
    t.yaml:5:1: there is no key `process_perf_data` here
        5 | process_perf_data: 1
          | ^^^^^^^^^^^^^^^^^ of web1/HTTP
       hint: it is called `process_perfdata` here
    t.yaml:6:1: there is no key `check_command` here
        6 | check_command: check_http
          | ^^^^^^^^^^^^^ of web1/HTTP
       hint: the kind of check is a key itself: `http: {path: /}`, `plugin: [check_disk, -w, 15%]`, or `command: "check_foo!20%"` for a Nagios command line
    t.yaml:7:1: there is no key `normal_check_interval` here
        7 | normal_check_interval: 5
          | ^^^^^^^^^^^^^^^^^^^^^ of web1/HTTP
       hint: it is called `check_interval`
    t.yaml:8:1: there is no key `notifications_enabled` here
        8 | notifications_enabled: 1
          | ^^^^^^^^^^^^^^^^^^^^^ of web1/HTTP
       hint: `notification_options: none` sends nothing; `contacts: []` tells nobody
    t.yaml:9:1: there is no key `_SNMP` here
        9 | _SNMP: public
          | ^^^^^ of web1/HTTP
       hint: custom variables: `custom_variables: {SNMP: …}`
    t.yaml:10:1: there is no key `register` here
       10 | register: 0
          | ^^^^^^^^ of web1/HTTP
       hint: what other objects use stands under `templates:` and is no object itself
    "#);
}

#[test]
fn a_comma_that_divides_a_value_is_shown() {
    assert_snapshot!(read("{timeout: 100ms,20%}"), @r#"
    timeout Replace Some("100ms")
    t.yaml:1:17: there is no key `20%` here
        1 | {timeout: 100ms,20%}
          |                 ^^^ of web1/HTTP
       hint: a `,` divides here; write
             timeout: "100ms,20%"
    "#);
}

#[test]
fn adding_and_replacing_contradict_each_other() {
    assert_snapshot!(read("contacts: [a]\ncontacts+: [b]\ntimeout+: 1s\n"), @r#"
    contacts Replace Some("a")
    contacts Add Some("b")
    t.yaml:2:1: `contacts` and `contacts+` or `contacts-` contradict each other
        2 | contacts+: [b]
          | ^^^^^^^^^ of web1/HTTP
       t.yaml:1:1: the first one
       hint: `contacts` alone replaces what is inherited; `contacts+` adds to it
    t.yaml:3:1: `timeout+` makes no sense: `timeout` is no list
        3 | timeout+: 1s
          | ^^^^^^^^ of web1/HTTP
       hint: write `timeout`; it replaces what is inherited
    "#);
}

#[test]
fn a_key_with_nothing_after_it_is_a_warning() {
    assert_snapshot!(read("timeout:\nvolatile: ~\n"), @r#"
    volatile Cancel Some("cancelled")
    t.yaml:1:1: warning: nothing stands after `timeout:`, so it counts as not written
        1 | timeout:
          | ^^^^^^^ of web1/HTTP
       hint: `null` cancels an inherited value; or take the key away
    "#);
}

#[test]
fn what_was_reported_already_is_not_reported_again() {
    assert_snapshot!(read("contacts: !db9\ntimeout: 1s\ntimeout: 2s\ntags: {a: *b}\n"), @r#"
    timeout Replace Some("1s")
    tags Replace None
    t.yaml:1:11: text that begins with `!` needs quotes
        1 | contacts: !db9
          |           ^^^^
       hint: write
             contacts: "!db9"
    t.yaml:3:1: `timeout` stands here a second time
        3 | timeout: 2s
          | ^^^^^^^
       t.yaml:2:1: the first one
       hint: keep one of them, or give the second another name
    t.yaml:4:11: `*b` stands for an anchor, and there is no `&b` above
        4 | tags: {a: *b}
          |           ^^
       hint: text that begins with `*` needs quotes; write
             tags: {a: "*b"}
    "#);
}

#[test]
fn a_literal_secret_is_a_warning_and_hidden_in_every_excerpt() {
    assert_snapshot!(read("{password: hunter2, timeout: 5}"), @r#"
    password Replace Some("***")
    timeout Replace None
    t.yaml:1:12: warning: `password` is a secret, and stands here for all to read
        1 | {password: *******, timeout: 5}
          |            ^^^^^^^ of web1/HTTP
       hint: write it into a file and say `{file: PATH}`, `{env: NAME}` or `{credential: NAME}`
    t.yaml:1:30: `timeout` wants a duration, and `5` has no unit
        1 | {password: *******, timeout: 5}
          |                              ^ of web1/HTTP
       hint: did you mean `5s`?
    "#);
}

#[test]
fn errors_are_counted_and_warnings_are_not() {
    let mut decoder = Decoder::default();
    let at = Place { file: crate::config::place::FileId(0), line: 1, column: 1, len: 1 };
    decoder.push(Problem::warning(at, "w"));
    assert_eq!(decoder.errors(), 0);
    decoder.push(Problem::error(at, "e"));
    decoder.count_reported();
    assert_eq!(decoder.errors(), 2);
}

proptest! {
    #[test]
    fn no_value_makes_it_panic(key in 0..KEYS.len(), value in any::<String>(), suffix in "[+-]?") {
        let mut sources = Sources::default();
        let file = sources.add(Source::new("t.yaml", String::new()));
        let quoted: String = value.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
        let yaml = format!("{}{suffix}: \"{quoted}\"\n", KEYS[key].name);
        prop_assert!(sources.of(file).is_some());
        read(&yaml);
    }
}
