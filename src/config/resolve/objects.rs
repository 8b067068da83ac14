//! Everything that is neither host nor service: from fields to definitions.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use jiff::tz::TimeZone;
use vigia_core::model::asset::Network;
use vigia_core::model::contact::{Audience, Contact, Escalation, RateLimit, Webhook, WebhookFormat};
use vigia_core::model::downtime::{Plan, PlannedDowntime, Recurrence};
use vigia_core::model::id::Name;
use vigia_core::model::period::{DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use vigia_core::model::policy::{NotificationOptions, StateSet};
use vigia_core::model::rule::{Rule, RuleSource, RuleStates, TicketAction, Tri, When};
use vigia_core::model::selector::Selection;
use vigia_core::nagios::macros;

use super::names::{Known, Names};
use crate::config::decode::Decoder;
use crate::config::insertion::{self, Piece};
use crate::config::place::Place;
use crate::config::problem::{Problem, did_you_mean};
use crate::config::tree::Node;
use crate::config::written::WrittenObject;
use crate::config::written::fields::{Fields, Item};
use crate::config::written::read::{CANCELLED, malformed};
use crate::config::written::tables::TIMEPERIOD;

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

/// A timeperiod without the others it names, which are [`period_references`]'s.
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

/// A sign that only a shell understands; macros are none.
fn needs_shell(line: &str) -> Option<char> {
    let expanded = macros::expand(line, &mut |_| Some("x".to_owned()));
    vigia_core::nagios::words::needs_shell(&expanded.template.fill(|_| "x".to_owned()))
}

/// A discovery job is acted on later; what it says must be right today.
pub(super) fn discovery(object: Written<'_, '_>, periods: &Names<'_, PeriodId>, decoder: &mut Decoder) {
    let fields = &object.fields;
    if fields.entry("targets").is_none() && !object.has_error {
        let problem =
            Problem::error(object.name.at, format!("discovery job `{}` says no `targets`", object.name.text));
        decoder.push(problem.hint("addresses, ranges, or `net:NAME`"));
    }
    period_named(fields.item("window"), periods, decoder);
    if let Some(every) = fields.item("every")
        && vigia_checks::options::duration(every.text).is_err()
        && let Err(error) = Recurrence::parse(every.text)
    {
        decoder.push(malformed(every.at, &error).hint("a duration (`6h`), or day and time (`sun 03:00`)"));
    }
    if let Some(node) = fields.node("stale_after") {
        let text = decoder.text(node, "stale_after").unwrap_or("1 scans");
        let number = text.strip_suffix(" scans").or_else(|| text.strip_suffix(" scan"));
        if !number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0)) {
            decoder.push(
                Problem::error(node.at, format!("`stale_after` cannot be `{text}`")).hint("write `3 scans`"),
            );
        }
    }
    if let Some(node) = fields.node("scan") {
        check_scan(node, decoder);
    }
}

fn check_scan(node: &Node<'_>, decoder: &mut Decoder) {
    let is_ports = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        port(from).zip(port(to)).is_some_and(|(from, to)| from <= to)
    };
    for (text, at) in decoder.texts(node, "scan").unwrap_or_default() {
        let is_word = node.list().is_none() && matches!(text, "ping" | "fast" | "normal" | "full");
        if !is_word && !is_ports(text) {
            decoder.push(
                Problem::error(at, format!("`scan` cannot be `{text}`"))
                    .hint("`ping`, `fast`, `normal`, `full`, or ports: `[22, 80, 8000-8100]`"),
            );
        }
    }
}

pub(super) fn contact(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> Option<Contact> {
    let before = decoder.errors();
    let fields = &object.fields;
    let email = fields.list("email");
    for address in &email {
        check_address(*address, decoder);
    }
    let (host_command, service_command) = notification_commands(fields, commands, decoder);
    let run = fields.words("run");
    check_run(run.as_deref(), fields.place("run"), decoder);
    let webhook = fields.fields("webhook").and_then(|fields| webhook(fields, decoder));
    let rate_limit = rate_limit(fields, decoder);
    let _zone = timezone(fields, decoder);
    let period = period_named(fields.item("notification_period"), periods, decoder);
    if email.is_empty()
        && webhook.is_none()
        && run.is_none()
        && host_command.is_none()
        && service_command.is_none()
    {
        let message = format!("contact `{}` has no way to be told anything", object.name.text);
        decoder.push(
            Problem::warning(object.name.at, message).hint("`email`, `webhook`, `command` or `run` says how"),
        );
    }
    (decoder.errors() == before).then(|| Contact {
        name: object.name.text.into(),
        email: email.iter().map(|item| item.text.to_owned()).collect(),
        webhook,
        host_command,
        service_command,
        run,
        options: notification_options(&fields.list("options")),
        notification_period: period.unwrap_or(PeriodId::ALWAYS),
        timezone: fields.text("timezone").map(str::to_owned),
        only: fields.selected("match").map(|selected| selected.selection()),
        rate_limit,
        custom_variables: texts(fields.pairs("custom_variables")),
    })
}

fn check_address(address: Item<'_>, decoder: &mut Decoder) {
    let is_address =
        address.text.split_once('@').is_some_and(|(user, domain)| !user.is_empty() && !domain.is_empty());
    if !is_address
        || address.text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ','))
    {
        decoder.push(
            Problem::error(address.at, format!("`{}` is not a mail address", address.text))
                .hint("write it alone, as in `ana@example.test`"),
        );
    }
}

fn notification_commands(
    fields: &Fields<'_>,
    commands: &Names<'_, ()>,
    decoder: &mut Decoder,
) -> (Option<Name>, Option<Name>) {
    let Some(node) = fields.node("command") else { return (None, None) };
    let mut named = |node: &Node<'_>, key: &str| -> Option<Name> {
        let text = decoder.text(node, key)?;
        let name = macros::call(text).0.into_owned();
        match commands.find(Item { text: &name, at: node.at }, "command", decoder)? {
            Known::Good(()) => Some(text.into()),
            Known::Quarantined => {
                decoder.refuse(Problem::error(node.at, format!("command `{name}` is in quarantine")))
            }
        }
    };
    let Some(map) = node.map() else {
        let both = named(node, "command");
        return (both.clone(), both);
    };
    let host = map.get("host").and_then(|node| named(node, "host"));
    let service = map.get("service").and_then(|node| named(node, "service"));
    for entry in map.iter().filter(|entry| !matches!(&*entry.key.text, "host" | "service")) {
        let message = format!("there is no key `{}` here", entry.key.text);
        decoder.push(Problem::error(entry.key.at, message).hint("the keys here are: host service"));
    }
    (host, service)
}

/// Every `${…}` of a list that runs later must be a name that is known then.
pub(super) fn check_run(words: Option<&[String]>, at: Place, decoder: &mut Decoder) {
    for word in words.unwrap_or_default() {
        for piece in insertion::pieces(word) {
            if let Piece::Name(name, _) = piece
                && !insertion::is_known_at_run(name)
            {
                let known = insertion::OF_OBJECTS.iter().chain(insertion::AT_RUN).copied();
                decoder.push(Problem::error(at, format!("there is no value `${{{name}}}`")).maybe_hint(
                    did_you_mean(name, known).or_else(|| Some("`$${` stands for a literal `${`".to_owned())),
                ));
            }
        }
    }
}

pub(super) fn webhook(fields: &Fields<'_>, decoder: &mut Decoder) -> Option<Webhook> {
    let Some(url) = fields.item("url") else {
        return decoder.refuse(Problem::error(fields.at, "`webhook` wants `url`"));
    };
    let is_url = url
        .text
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")));
    if !is_url {
        let problem = Problem::error(url.at, format!("`{}` is not a URL", url.text));
        return decoder.refuse(problem.hint("it begins with `https://` or `http://` and a host name"));
    }
    let format = match fields.text("format") {
        Some("slack") => WebhookFormat::Slack,
        Some("mattermost") => WebhookFormat::Mattermost,
        Some("teams") => WebhookFormat::Teams,
        Some("telegram") => WebhookFormat::Telegram,
        Some("ntfy") => WebhookFormat::Ntfy,
        Some("pagerduty") => WebhookFormat::Pagerduty,
        Some("alertmanager") => WebhookFormat::Alertmanager,
        Some(_) | None => WebhookFormat::Json,
    };
    let headers = fields.pairs("headers").iter().filter(|(_, text)| text.text != CANCELLED);
    Some(Webhook {
        url: url.text.to_owned(),
        format,
        headers: headers.map(|(key, text)| (key.text.to_owned(), text.text.to_owned())).collect(),
        timeout: fields.duration("timeout").unwrap_or(Duration::from_secs(10)),
    })
}

/// `20 per 10m`, `off`.
fn rate_limit(fields: &Fields<'_>, decoder: &mut Decoder) -> Option<RateLimit> {
    const USUAL: RateLimit = RateLimit { messages: 20, per: Duration::from_secs(600) };
    let Some(node) = fields.node("rate_limit") else { return Some(USUAL) };
    let text = decoder.text(node, "rate_limit")?;
    if crate::config::decode::switch(text) == Some(false) {
        return None;
    }
    let parsed = text.split_once(" per ").and_then(|(messages, per)| {
        let messages = messages.trim().parse().ok().filter(|messages| *messages > 0)?;
        let per = vigia_checks::options::duration(per.trim()).ok().filter(|per| !per.is_zero())?;
        Some(RateLimit { messages, per })
    });
    parsed.or_else(|| {
        let problem = Problem::error(node.at, format!("`rate_limit` cannot be `{text}`"));
        decoder.refuse(problem.hint("write `20 per 10m`, or `off`"))
    })
}

pub(super) fn notification_options(words: &[Item<'_>]) -> NotificationOptions {
    let has = |word: &str| words.iter().any(|item| item.text == word);
    NotificationOptions {
        down: has("down"),
        unreachable: has("unreachable"),
        warning: has("warning"),
        unknown: has("unknown"),
        critical: has("critical"),
        recovery: has("recovery"),
        flapping: has("flapping"),
        downtime: has("downtime"),
    }
}

pub(super) fn texts(pairs: &[(Item<'_>, Item<'_>)]) -> Vec<(Arc<str>, Arc<str>)> {
    let kept = pairs.iter().filter(|(_, text)| text.text != CANCELLED);
    kept.map(|(key, text)| (key.text.into(), text.text.into())).collect()
}

/// Names of states as numbers, for hosts and for services.
pub(super) fn states(words: &[Item<'_>]) -> RuleStates {
    let mut states = RuleStates { hosts: StateSet::NONE, services: StateSet::NONE };
    for word in words {
        match word.text {
            "up" => states.hosts = states.hosts.with(0),
            "down" => states.hosts = states.hosts.with(1),
            "unreachable" => states.hosts = states.hosts.with(2),
            "ok" => states.services = states.services.with(0),
            "warning" => states.services = states.services.with(1),
            "critical" => states.services = states.services.with(2),
            "unknown" => states.services = states.services.with(3),
            _ => {}
        }
    }
    states
}

/// Contacts and groups by name, as written.
pub(super) fn audience(
    items: &[Item<'_>],
    people: &People<'_>,
    decoder: &mut Decoder,
) -> (Vec<Name>, Vec<Name>) {
    let (mut contacts, mut groups) = (Vec::new(), Vec::new());
    for item in items {
        match people.find(*item, decoder) {
            Some(Person::Contact(name)) => contacts.push(name),
            Some(Person::Group(name)) => groups.push(name),
            None => {}
        }
    }
    (contacts, groups)
}

/// Contacts and contact groups: one namespace.
#[derive(Debug, Default)]
pub(super) struct People<'t> {
    pub contacts: Names<'t, Name>,
    pub groups: Names<'t, Name>,
}

#[derive(Clone, Debug)]
pub(super) enum Person {
    Contact(Name),
    Group(Name),
}

impl People<'_> {
    pub(super) fn find(&self, item: Item<'_>, decoder: &mut Decoder) -> Option<Person> {
        let known = match (self.contacts.get(item.text), self.groups.get(item.text)) {
            (Some(Known::Good(name)), _) => return Some(Person::Contact(Name::clone(name))),
            (_, Some(Known::Good(name))) => return Some(Person::Group(Name::clone(name))),
            (known, None) | (None, known) => known.is_some(),
            (Some(Known::Quarantined), Some(Known::Quarantined)) => true,
        };
        if known {
            let message = format!("`{}` is in quarantine, so it is not told of this", item.text);
            decoder.push(Problem::warning(item.at, message));
            return None;
        }
        let hint = did_you_mean(item.text, self.contacts.names().chain(self.groups.names()));
        decoder.refuse(
            Problem::error(item.at, format!("there is no contact or contact group `{}`", item.text))
                .maybe_hint(hint),
        )
    }

    /// Contact groups alone.
    pub(super) fn group(&self, item: Item<'_>, decoder: &mut Decoder) -> Option<Name> {
        match self.groups.find(item, "contactgroup", decoder)? {
            Known::Good(name) => Some(Name::clone(name)),
            Known::Quarantined => {
                decoder.push(Problem::warning(
                    item.at,
                    format!("contactgroup `{}` is in quarantine", item.text),
                ));
                None
            }
        }
    }
}

pub(super) fn escalation(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    people: &People<'_>,
    decoder: &mut Decoder,
) -> Option<Escalation> {
    let before = decoder.errors();
    let fields = &object.fields;
    let only = wanted_match(object, decoder);
    let added = fields.added("contacts");
    let items = match added {
        Some(entry) => entry.value.as_list().unwrap_or_default().to_vec(),
        None => fields.list("contacts"),
    };
    if added.is_none() && fields.entry("contacts").is_none() {
        let problem = format!("escalation `{}` names no `contacts`", object.name.text);
        decoder.push(
            Problem::error(object.name.at, problem)
                .hint("`contacts` stand instead of the usual ones, `contacts+` beside them"),
        );
    }
    let (contacts, groups) = audience(&items, people, decoder);
    let narrow = |number: Option<u64>| u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX);
    let (first, last) =
        (narrow(fields.whole("first_notification")), narrow(fields.whole("last_notification")));
    if last != 0 && last < first {
        let problem = format!("`last_notification` {last} comes before `first_notification` {first}");
        decoder.push(Problem::error(fields.place("last_notification"), problem).hint("`0`: no end"));
    }
    let period = period_named(fields.item("period"), periods, decoder);
    (decoder.errors() == before).then(|| Escalation {
        name: object.name.text.into(),
        only: only.unwrap_or_else(Selection::everything),
        first_notification: first,
        last_notification: last,
        notification_interval: fields.duration("notification_interval"),
        period: period.filter(|id| *id != PeriodId::ALWAYS),
        options: notification_options(&fields.list("options")),
        audience: Audience::Named { contacts, groups },
        adds: added.is_some(),
    })
}

fn wanted_match(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<Selection> {
    let selected = object.fields.selected("match");
    if selected.is_none() && !object.has_error {
        let problem = format!("`{}` says no `match`", object.name.text);
        return decoder.refuse(Problem::error(object.name.at, problem).hint("`match: \"*\"` is everything"));
    }
    selected.map(|selected| selected.selection())
}

pub(super) fn downtime(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<PlannedDowntime> {
    let before = decoder.errors();
    let fields = &object.fields;
    let only = wanted_match(object, decoder);
    let when = plan(object, decoder);
    let duration = fields.duration("duration");
    if matches!(when, Some(Plan::Every(_))) && duration.is_none() && !object.has_error {
        decoder.push(
            Problem::error(object.name.at, format!("downtime `{}` says no `duration`", object.name.text))
                .hint("one that comes again needs to say how long it lasts: `duration: 2h`"),
        );
    }
    if duration.is_some_and(|span| span.is_zero()) {
        decoder.push(Problem::error(fields.place("duration"), "`duration` must be longer than 0"));
    }
    let zone = timezone(fields, decoder);
    (decoder.errors() == before).then_some(())?;
    Some(PlannedDowntime {
        name: object.name.text.into(),
        only: only?,
        hosts: fields.text("only") != Some("services"),
        services: fields.text("only") != Some("hosts"),
        when: when?,
        duration,
        flexible: fields.switch("flexible"),
        window: fields.duration("window").unwrap_or(Duration::from_secs(3600)),
        timezone: Some(zone.unwrap_or_else(TimeZone::system)),
        comment: fields.text("comment").unwrap_or("").into(),
        author: fields.text("author").unwrap_or("configuration").into(),
    })
}

fn plan(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<Plan> {
    let fields = &object.fields;
    let (every, start, end) = (fields.item("every"), fields.item("start"), fields.item("end"));
    match (every, start, end) {
        (Some(every), None, None) => match Recurrence::parse(every.text) {
            Ok(recurrence) => Some(Plan::Every(recurrence)),
            Err(error) => decoder.refuse(malformed(every.at, &error)),
        },
        (None, Some(start), Some(end)) => {
            let (start, end_at) = (moment(start, decoder)?, moment(end, decoder)?);
            if start < end_at {
                return Some(Plan::Once { start, end: end_at });
            }
            decoder.refuse(Problem::error(end.at, "`end` does not lie after `start`"))
        }
        (None, Some(start), None) => {
            let begin = moment(start, decoder)?;
            let span = fields.duration("duration").and_then(|span| jiff::SignedDuration::try_from(span).ok());
            match span.and_then(|span| begin.checked_add(span).ok()) {
                Some(end) => Some(Plan::Once { start: begin, end }),
                None => decoder.refuse(Problem::error(start.at, "`start` wants `end` or `duration`")),
            }
        }
        (Some(every), _, _) => decoder.refuse(
            Problem::error(every.at, "`every` stands beside `start` or `end`")
                .hint("a downtime comes again (`every`, `duration`) or once (`start`, `end`)"),
        ),
        (None, None, _) if object.has_error => None,
        (None, None, _) => decoder.refuse(
            Problem::error(object.name.at, format!("downtime `{}` says no time", object.name.text))
                .hint("`every: sun 03:00` with `duration: 2h`, or `start` and `end`"),
        ),
    }
}

/// `2026-12-24 22:00`.
fn moment(item: Item<'_>, decoder: &mut Decoder) -> Option<jiff::civil::DateTime> {
    let text = item.text.trim();
    let is_whole = text.len() >= "2026-12-24 22:00".len();
    match text.parse() {
        Ok(moment) if is_whole => Some(moment),
        Ok(_) | Err(_) => decoder.refuse(
            Problem::error(item.at, format!("`{text}` is not a date and a time"))
                .hint("write `2026-12-24 22:00`"),
        ),
    }
}

pub(super) fn rule(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    people: &People<'_>,
    decoder: &mut Decoder,
) -> Option<Rule> {
    let before = decoder.errors();
    let fields = &object.fields;
    let nothing = Fields::empty(crate::config::written::tables::WHEN, fields.at);
    let when = when(fields.fields("when").unwrap_or(&nothing), periods, decoder);
    let ticket = fields.fields("ticket").map(ticket);
    let (contacts, groups) = audience(&fields.list("notify"), people, decoder);
    let webhook = fields.fields("webhook").and_then(|fields| webhook(fields, decoder));
    let run = fields.words("run");
    check_run(run.as_deref(), fields.place("run"), decoder);
    let is_idle = ticket.is_none() && fields.entry("notify").is_none() && webhook.is_none() && run.is_none();
    if is_idle && fields.text("label").is_none() && !fields.switch("suppress") && !object.has_error {
        decoder.push(
            Problem::warning(object.name.at, format!("rule `{}` does nothing", object.name.text))
                .hint("it acts by `ticket`, `notify`, `webhook`, `run`, `label` or `suppress`"),
        );
    }
    (decoder.errors() == before).then_some(())?;
    Some(Rule {
        name: object.name.text.into(),
        when: when?,
        ticket,
        notify: contacts.into_iter().chain(groups).collect(),
        webhook,
        run,
        repeat: fields.duration("repeat"),
        label: arc(fields.text("label")),
        suppress: fields.switch("suppress"),
        priority: i32::try_from(fields.whole("priority").unwrap_or(0)).unwrap_or(i32::MAX),
    })
}

fn when(fields: &Fields<'_>, periods: &Names<'_, PeriodId>, decoder: &mut Decoder) -> Option<When> {
    let text = match fields.item("text") {
        None => None,
        Some(pattern) => match regex::RegexBuilder::new(pattern.text).size_limit(1 << 20).build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                let why = error.to_string();
                let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                return decoder.refuse(Problem::error(
                    pattern.at,
                    format!("`text` is not a regular expression: {last}"),
                ));
            }
        },
    };
    let sources = fields.list("source").into_iter().map(|item| match item.text {
        "anomaly" => RuleSource::Anomaly,
        "alarm" => RuleSource::Alarm,
        "event" => RuleSource::Event,
        "vulnerability" => RuleSource::Vulnerability,
        _ => RuleSource::Availability,
    });
    let tri = |name| match fields.text(name) {
        Some("on") => Tri::On,
        Some("any") => Tri::Any,
        Some(_) | None => Tri::Off,
    };
    Some(When {
        sources: sources.collect(),
        only: fields.selected("match").map_or_else(Selection::everything, |selected| selected.selection()),
        states: states(&fields.list("states")),
        hard: fields.switch("hard"),
        lasting: fields.duration("lasting").unwrap_or_default(),
        period: period_named(fields.item("period"), periods, decoder).unwrap_or(PeriodId::ALWAYS),
        severity: u8::try_from(fields.whole("severity").unwrap_or(0)).unwrap_or(10),
        in_downtime: tri("in_downtime"),
        acknowledged: tri("acknowledged"),
        flapping: tri("flapping"),
        anomaly: fields.list("anomaly").iter().map(|item| item.text.to_owned()).collect(),
        text,
    })
}

fn ticket(fields: &Fields<'_>) -> TicketAction {
    let list = |name| fields.list(name).iter().map(|item| item.text.into()).collect();
    TicketAction {
        r#type: fields.text("type").unwrap_or("Availability").into(),
        priority: fields.whole("priority").and_then(|priority| u8::try_from(priority).ok()),
        in_charge: fields.text("in_charge").map(Into::into),
        tags: list("tags"),
        documents: list("documents"),
        close_on_recovery: fields.duration("close_on_recovery"),
        reopen_within: fields.duration("reopen_within").unwrap_or(Duration::from_secs(86_400)),
        note_every: fields.duration("note_every").unwrap_or(Duration::from_secs(86_400)),
    }
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
