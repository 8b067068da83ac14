//! The reference page of the configuration, in Markdown.

use std::fmt::Write as _;

use super::super::keys::{Key, Scope, Type};
use super::super::settings::SECTIONS;
use super::{INCLUDE, OBJECTS, OWN_KINDS, keys};

/// `docs/configuration.md`.
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    objects(&mut out);
    settings(&mut out);
    out
}

/// `docs/checks.md`: every kind of check with its options.
pub fn checks_reference() -> String {
    let mut out = vigia_checks::options::reference(vigia_checks::KINDS);
    for (kind, options) in OWN_KINDS {
        let table = vigia_checks::options::options_table(options);
        line(&mut out, &format!("\n## {kind}\n\n{}\n\n{table}", own_kind(kind)));
    }
    out
}

fn own_kind(kind: &str) -> &'static str {
    match kind {
        "plugin" => {
            "Runs a program that follows the Nagios plugin contract, without a shell. A list is short for its `argv`.\n\n```yaml\n\
             hosts:\n  web1:\n    services:\n      disk: {plugin: [check_disk, -w, 15%, -c, 8%, -p, /]}\n```"
        }
        "command" => {
            "Runs one of `commands`. A text is short for it: a Nagios command line, `NAME!ARG!ARG`.\n\n```yaml\ncommands:\n  \
             check_foo: {command_line: \"$USER1$/check_foo -H $HOSTADDRESS$ -w $ARG1$\"}\nhosts:\n  web1:\n    services:\n      \
             foo: {command: \"check_foo!20%\"}\n```"
        }
        _ => {
            "Does not look: somebody tells us. A duration is short for `freshness`.\n\n```yaml\nhosts:\n  web1:\n    services:\n      \
             backup-age: {passive: {freshness: 26h}, max_check_attempts: 1}\n```\n\nThree bad results in a row confirm a \
             problem here too, unless `max_check_attempts` says otherwise: of one result a night that would be the third night."
        }
    }
}

const INTRODUCTION: &str = "\
# Configuration reference

Made from the declarations in the program; `vigia schema` prints the same for editors. How the language works (files, short
forms, inheritance, merging) is told in [the guide](getting-started.md); the options of each kind of check are in
[checks.md](checks.md). `vigia validate` says what is wrong with a file, `vigia show host NAME --origin` where each value
comes from.

Durations and sizes need their unit: `30s`, `1h30m`, `10MiB`; only `0` needs none. A switch is one of `on off yes no true
false`. Lists take `key+:` to add to what is inherited and `key-:` to take away from it; `key: null` cancels it. A secret is
`{file: PATH}`, `{env: NAME}` or `{credential: NAME}`.

";

fn objects(out: &mut String) {
    out.push_str("## Objects\n\nEach is a map keyed by name, in any file of the configuration.\n");
    for (section, note) in OBJECTS {
        let table = keys(section);
        line(out, &format!("\n### `{section}`\n\n{note}.\n"));
        if *section == "hosts" {
            out.push_str(HOSTS);
            tables(out, table, |key| !key.scope.has(Scope::SERVICE));
            out.push_str(SHARED);
            tables(out, table, |key| key.scope.has(Scope::SERVICE));
        } else {
            out.push_str(more(section));
            tables(out, table, |_| true);
        }
    }
}

const HOSTS: &str = "\
A text instead of the map is the address. Beside the keys below a host has `services`, a map by name or a list, and
`check`, its own check, written as a service is, or `off` (assumed UP). `templates` hold the same keys but `was`, `aliases`
and `identity`.

";

const SHARED: &str = "
Keys of hosts and services; `defaults` and `hostgroups` may hold them too. Those marked *own* are never taken by a service
from its host.

";

/// What a table cannot say.
fn more(section: &str) -> &'static str {
    match section {
        "hostgroups" => "Beside these, every key of hosts and services, `check` and `services`.\n\n",
        "contacts" => "A text instead of the map is the e-mail address.\n\n",
        "networks" => "A text or a list instead of the map is the range.\n\n",
        "rules" => {
            "`off` instead of the map switches off a rule that is built in. A rule holds `when` and at least one action.\n\n"
        }
        "timeperiods" => {
            "Every other key is a day with its times: `mon-fri: 08:00-18:00`, `\"2026-12-25\": 00:00-24:00`, `last monday may: \
             …`.\n\n"
        }
        _ => "",
    }
}

fn settings(out: &mut String) {
    out.push_str("\n## Settings of the daemon\n\nEverything has a default that works: an empty `vigia.yaml` is valid. A section may stand in\nany file, once in all. Those marked *restart* take effect with the next start.\n\n");
    line(out, &format!("### `include`\n\n{INCLUDE}.\n"));
    for section in SECTIONS {
        line(out, &format!("\n### `{}`\n\n{}.\n", section.name, section.meaning));
        if let Type::Map(keys) = section.holds {
            tables(out, keys, |_| true);
        } else {
            line(out, &format!("Holds: {}.", words(section.holds)));
        }
    }
}

fn tables(out: &mut String, keys: &'static [Key], is_wanted: impl Fn(&Key) -> bool) {
    out.push_str("| key | default | holds | meaning |\n|---|---|---|---|\n");
    for key in keys.iter().filter(|key| is_wanted(key)) {
        row(out, key, "");
    }
}

fn row(out: &mut String, key: &Key, parent: &str) {
    let name = format!("{parent}{}", key.name);
    let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
    let mut meaning = key.meaning.to_owned();
    if key.is_own {
        meaning.push_str(" (*own*)");
    }
    if key.needs_restart {
        meaning.push_str(" (*restart*)");
    }
    let inner: Option<(&[Key], &str)> = match key.holds {
        Type::Map(keys) | Type::OffOr(keys) => Some((keys, ".")),
        Type::MapOf(keys) => Some((keys, ".NAME.")),
        _ => None,
    };
    let cells = [default, words(key.holds), meaning].map(|cell| cell.replace('|', "\\|"));
    line(out, &format!("| `{name}` | {} |", cells.join(" | ")));
    if let Some((keys, dot)) = inner {
        for key in keys {
            row(out, key, &format!("{name}{dot}"));
        }
    }
}

/// What a type is called.
pub(crate) fn words(holds: Type) -> String {
    let listed = |known: &[&str]| known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match holds {
        Type::Switch => "on, off".to_owned(),
        Type::Whole(least, u64::MAX) => format!("number from {least}"),
        Type::Whole(least, most) => format!("number, {least} to {most}"),
        Type::Decimal(least, most) => format!("number, {least} to {most}"),
        Type::Percent => "percent".to_owned(),
        Type::Duration | Type::Retention => "duration".to_owned(),
        Type::DurationOr(others) => format!("duration, or {}", listed(others)),
        Type::Size => "size".to_owned(),
        Type::Text => "text".to_owned(),
        Type::Word(known) => listed(known),
        Type::Words(known) => format!("one or a list of {}; or `none`", listed(known)),
        Type::Name => "name".to_owned(),
        Type::Texts => "one or a list".to_owned(),
        Type::Names => "name, or list of names".to_owned(),
        Type::TextMap => "map of texts".to_owned(),
        Type::Secret => "secret".to_owned(),
        Type::Run => "list of arguments, or a command line".to_owned(),
        Type::Handler => "name of a command, or list of arguments".to_owned(),
        Type::Selection => "selectors: one, a list (any), or `all: […]` (every)".to_owned(),
        Type::Map(_) => "map".to_owned(),
        Type::MapOf(_) => "map: name → map".to_owned(),
        Type::OffOr(_) => "`off`, or a map".to_owned(),
        Type::Special(words) => words.to_owned(),
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes all");
}
