//! Which kinds of check there are, and their short forms. What their options mean is the crate of checks' to say;
//! `plugin`, `command` and `passive` are [`crate::config::resolve`]'s.

use super::checkable::{Options, WrittenCheck, near_kind};
use super::fields::Item;
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};

/// Kinds that the daemon itself knows how to run.
pub const OWN: &[&str] = &["plugin", "command", "passive"];

/// Kinds of `config.md` 10 that no build has yet.
const PLANNED: &[&str] = &["ftp", "imap", "pop3", "ntp", "ldap", "postgres", "redis", "snmp", "nrpe"];

pub fn names() -> impl Iterator<Item = &'static str> {
    vigia_checks::KINDS.iter().map(|kind| kind.name).chain(OWN.iter().copied())
}

pub fn find(name: &str) -> Option<&'static str> {
    names().find(|known| *known == name)
}

/// Is a key of a service meant as a kind of check, even if there is none of that name?
pub fn may_be(name: &str) -> bool {
    find(name).is_some()
        || PLANNED.contains(&name)
        || vigia_checks::LEFT_OUT.iter().any(|(kind, _)| *kind == name)
        || near_kind(name).is_some()
}

/// How the message about an unknown kind begins.
pub const UNKNOWN: &str = "there is no kind of check";

pub fn unknown(name: &str, at: Place) -> Problem {
    if let Some((_, feature)) = vigia_checks::LEFT_OUT.iter().find(|(kind, _)| *kind == name) {
        return Problem::error(at, format!("this build of vigia has no check `{name}`"))
            .hint(format!("it comes with the Cargo feature `{feature}`"));
    }
    if PLANNED.contains(&name) {
        return Problem::error(at, format!("this version of vigia has no check `{name}` yet"))
            .hint(format!("a Nagios plugin does it: `plugin: [check_{name}, …]`"));
    }
    let lower = name.to_lowercase();
    let problem = Problem::error(at, format!("{UNKNOWN} `{name}`"));
    match find(&lower) {
        Some(kind) => problem.hint(format!("kinds are written in lower case: `{kind}`")),
        None => problem.maybe_hint(
            did_you_mean(name, names())
                .or_else(|| Some(format!("the kinds are: {}", names().collect::<Vec<_>>().join(" ")))),
        ),
    }
}

/// A URL, `tcp:5432`, `ssh`.
pub fn short_form(written: Item<'_>) -> Result<WrittenCheck<'_>, Box<Problem>> {
    let Item { text, at } = written;
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(WrittenCheck { kind: "http", at, options: Options::Text(written) });
    }
    let (name, options) = match text.split_once(':') {
        Some((name, argument)) => (
            name,
            Options::Text(Item { text: argument, at: at.inside(text, name.len() + 1, argument.len()) }),
        ),
        None => (text, Options::None),
    };
    match find(name) {
        Some(kind) => Ok(WrittenCheck { kind, at, options }),
        None => Err(Box::new(unknown(name, at))),
    }
}

/// The check of a service whose name says it: `ssh`, `tcp:5432`.
pub fn of_name(name: Item<'_>) -> Result<WrittenCheck<'_>, Box<Problem>> {
    short_form(name).map_err(|problem| {
        let lower = name.text.to_lowercase();
        let word = lower.split(['_', ' ', '-', ':']).next().unwrap_or("");
        let problem =
            Problem { message: format!("service `{}` says no kind of check", name.text), ..*problem };
        Box::new(match find(word) {
            Some(kind) => problem.hint(format!("write `{}: {{{kind}: {{}}}}`", name.text)),
            None => problem,
        })
    })
}
