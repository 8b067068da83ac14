//! Everything that is neither host nor service: from fields to definitions.

mod handlers;
mod people;
mod planned;
mod rules;
mod scans;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use jiff::tz::TimeZone;
use vigia_core::model::asset::Network;
use vigia_core::model::command::{Command, CommandText};
use vigia_core::model::period::{DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use vigia_core::model::selector::Selection;
use vigia_core::nagios::macros;

use super::names::{Known, Names};
use crate::config::decode::Decoder;
use crate::config::insertion::{self, Piece};
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::Node;
use crate::config::written::WrittenObject;
use crate::config::written::fields::{Fields, Item};
use crate::config::written::read::malformed;
use crate::config::written::tables::TIMEPERIOD;

pub(super) use self::handlers::{checked_handler, handlers_of_all};
pub(super) use self::people::{People, audience, check_run, contact, escalation, notification_options};
pub(super) use self::planned::downtime;
pub(super) use self::rules::{rule, states};
pub(super) use self::scans::scan_job;

type Written<'a, 't> = &'a WrittenObject<'t>;

/// `alias`, else the name.
pub(super) fn alias(object: Written<'_, '_>) -> Arc<str> {
    object.fields.text("alias").unwrap_or(object.name.text).into()
}

pub(super) fn arc(text: Option<&str>) -> Option<Arc<str>> {
    text.map(Into::into)
}

pub(super) fn timezone(fields: &Fields<'_>, decoder: &mut Decoder) -> Option<TimeZone> {
    let written = fields.item("timezone")?;
    match TimeZone::get(written.text) {
        Ok(zone) => Some(zone),
        Err(_) => decoder.refuse(
            Problem::error(written.at, format!("there is no timezone `{}` on this machine", written.text))
                .hint("zones are named as in `Europe/Madrid`; they come with the package `tzdata`"),
        ),
    }
}

/// A timeperiod without the others it names, which are linked when all are known.
pub(super) fn period(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<TimePeriod> {
    let before = decoder.errors();
    let mut days = Vec::with_capacity(object.days.len());
    for (key, node) in &object.days {
        let spec = match DaySpec::parse(key.text) {
            Ok(spec) => Some(spec),
            Err(error) => {
                let hint = did_you_mean(key.text, TIMEPERIOD.iter().map(|key| key.name));
                decoder.push(malformed(key.at, &error).maybe_hint(hint));
                None
            }
        };
        let ranges = ranges(key, node, decoder);
        days.extend(spec.zip(ranges).map(|(days, ranges)| DayRule { days, ranges }));
    }
    let uses_others = !object.fields.list("use").is_empty();
    if decoder.errors() == before && !uses_others && days.iter().all(|day| day.ranges.is_empty()) {
        let problem = format!("timeperiod `{}` has no times, so nothing is ever inside it", object.name.text);
        decoder.push(Problem::warning(object.name.at, problem));
    }
    let zone = timezone(&object.fields, decoder);
    (decoder.errors() == before).then(|| TimePeriod {
        name: object.name.text.into(),
        alias: alias(object),
        timezone: Some(zone.unwrap_or_else(TimeZone::system)),
        days,
        exclude: Vec::new(),
        r#use: Vec::new(),
    })
}

fn ranges(key: &Item<'_>, node: &Node<'_>, decoder: &mut Decoder) -> Option<Vec<TimeRange>> {
    if node.is_nothing() {
        decoder.warn_of_nothing(key.at, key.text);
        return None;
    }
    if node.is_cancelled() {
        return Some(Vec::new());
    }
    let mut all = Vec::new();
    for (text, at) in decoder.texts(node, key.text)? {
        match TimeRange::parse_list(text) {
            Ok(ranges) => all.extend(ranges),
            Err(error) => return decoder.refuse(malformed(at, &error)),
        }
    }
    Some(all)
}

/// The period that a key names; what is in quarantine counts as always.
pub(super) fn period_named(
    item: Option<Item<'_>>,
    periods: &Names<'_, PeriodId>,
    decoder: &mut Decoder,
) -> Option<PeriodId> {
    let item = item?;
    match periods.find(item, "timeperiod", decoder)? {
        Known::Good(id) => Some(*id),
        Known::Quarantined => {
            let message =
                format!("timeperiod `{}` is in quarantine: until it is right, always counts", item.text);
            decoder.push(Problem::warning(item.at, message));
            None
        }
    }
}

/// A command is used where it is called; here it must be one.
pub(super) fn command(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<()> {
    let fields = &object.fields;
    let (line, run) = (fields.item("command_line"), fields.words("run"));
    match (&line, &run) {
        (Some(line), Some(_)) => decoder.push(
            Problem::error(line.at, "`command_line` stands beside `run`")
                .also(fields.place("run"), "the other one")
                .hint("a command is one or the other"),
        ),
        (None, None) if !object.has_error => decoder.push(
            Problem::error(
                object.name.at,
                format!("command `{}` says no `command_line` and no `run`", object.name.text),
            )
            .hint("`command_line` is a line with Nagios macros, `run` a list with `${…}`"),
        ),
        (None, None) | (Some(_), None) | (None, Some(_)) => {}
    }
    if let Some(line) = line {
        let is_shell = fields.switch("shell");
        if is_shell {
            decoder.push(
                Problem::warning(fields.place("shell"), "this command runs through a shell")
                    .hint("without `shell: on` every value stays one argument"),
            );
        } else if let Some(sign) = needs_shell(line.text) {
            decoder.push(
                Problem::warning(
                    line.at,
                    format!("`{sign}` in `command_line` means nothing without a shell"),
                )
                .hint("it reaches the program as it stands; `shell: on` runs the line through /bin/sh"),
            );
        }
    }
    for word in run.unwrap_or_default() {
        for piece in insertion::pieces(&word) {
            if let Piece::Name(name, _) = piece
                && !insertion::is_known_at_run(name)
                && !name.starts_with("args.")
            {
                let known =
                    insertion::OF_OBJECTS.iter().chain(insertion::AT_RUN).copied().chain(["args.NAME"]);
                decoder.push(
                    Problem::error(fields.place("run"), format!("there is no value `${{{name}}}`"))
                        .maybe_hint(did_you_mean(name, known)),
                );
            }
        }
    }
    (!object.has_error).then_some(())
}

/// A command that has no mistake, for whoever calls it later.
pub(super) fn callable(object: Written<'_, '_>) -> Command {
    let fields = &object.fields;
    let line = || CommandText::Line(fields.text("command_line").unwrap_or_default().to_owned());
    let env = fields.pairs("env");
    Command {
        name: object.name.text.into(),
        says: fields.words("run").map_or_else(line, CommandText::Words),
        timeout: fields.duration("timeout").unwrap_or(Duration::from_secs(30)),
        is_shell: fields.switch("shell"),
        env: env.iter().map(|(key, text)| (key.text.to_owned(), text.text.to_owned())).collect(),
    }
}

/// A sign that only a shell understands; macros are none.
fn needs_shell(line: &str) -> Option<char> {
    let expanded = macros::expand(line, &mut |_| Some("x".to_owned()));
    vigia_core::nagios::words::needs_shell(&expanded.template.fill(|_| "x".to_owned()))
}

fn wanted_match(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<Selection> {
    let selected = object.fields.selected("match");
    if selected.is_none() && !object.has_error {
        let problem = format!("`{}` says no `match`", object.name.text);
        return decoder.refuse(Problem::error(object.name.at, problem).hint("`match: \"*\"` is everything"));
    }
    selected.map(|selected| selected.selection())
}

pub(super) fn network(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<Network> {
    let before = decoder.errors();
    let fields = &object.fields;
    let mut cidr = Vec::new();
    for item in fields.list("cidr") {
        let net = item.text.parse::<ipnet::IpNet>().ok();
        let net = net.or_else(|| item.text.parse::<std::net::IpAddr>().ok().map(Into::into));
        match net {
            Some(net) => cidr.push(net.trunc()),
            None => decoder.push(
                Problem::error(item.at, format!("`{}` is not a network", item.text))
                    .hint("write it as `192.0.2.0/24`"),
            ),
        }
    }
    if fields.entry("cidr").is_none() && !object.has_error {
        let problem =
            Problem::error(object.name.at, format!("network `{}` says no `cidr`", object.name.text));
        decoder.push(problem.hint("`cidr: 192.0.2.0/24`, or a list"));
    }
    (decoder.errors() == before).then(|| Network {
        name: object.name.text.into(),
        alias: alias(object),
        cidr,
        monitor: match fields.text("monitor") {
            Some("on") => Some(true),
            Some("off") => Some(false),
            Some(_) | None => None,
        },
        is_switched: false,
        asset_value: u8::try_from(fields.whole("asset_value").unwrap_or(2)).unwrap_or(2),
    })
}

/// Follows names from object to object; every circle once, member by member.
pub(super) fn circles<'a>(edges: &HashMap<&'a str, Vec<Item<'a>>>) -> Vec<Vec<Item<'a>>> {
    let mut done: HashMap<&str, bool> = HashMap::new();
    let mut found = Vec::new();
    let mut starts: Vec<&str> = edges.keys().copied().collect();
    starts.sort_unstable();
    for start in starts {
        walk(start, edges, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn walk<'a>(
    start: &'a str,
    edges: &HashMap<&'a str, Vec<Item<'a>>>,
    path: &mut Vec<Item<'a>>,
    done: &mut HashMap<&'a str, bool>,
    found: &mut Vec<Vec<Item<'a>>>,
) {
    // Depth first without recursion: a chain of parents may be as long as the inventory.
    if done.contains_key(start) {
        return;
    }
    let mut stack: Vec<(&'a str, usize)> = vec![(start, 0)];
    done.insert(start, false);
    while let Some((name, next)) = stack.last_mut() {
        let Some(item) = edges.get(name).and_then(|items| items.get(*next)).copied() else {
            done.insert(name, true);
            stack.pop();
            path.pop();
            continue;
        };
        *next += 1;
        match done.get(item.text) {
            Some(true) => {}
            Some(false) => {
                let from = path.iter().position(|one| one.text == item.text).map_or(0, |at| at + 1);
                let circle = path.iter().skip(from).copied().chain([item]);
                found.push(circle.collect());
            }
            None => {
                done.insert(item.text, false);
                path.push(item);
                stack.push((item.text, 0));
            }
        }
    }
}
