//! Rules: which states and conditions set off what.

use std::time::Duration;

use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::StateSet;
use vigia_core::model::rule::{Rule, RuleSource, RuleStates, TicketAction, Tri, When};
use vigia_core::model::selector::Selection;

use super::super::names::Names;
use super::people::{People, audience, check_run, webhook};
use super::{Written, arc, period_named};
use crate::config::decode::Decoder;
use crate::config::problem::Problem;
use crate::config::written::fields::{Fields, Item};

/// Names of states as numbers, for hosts and for services.
pub(in super::super) fn states(words: &[Item<'_>]) -> RuleStates {
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

pub(in super::super) fn rule(
    object: Written<'_, '_>,
    periods: &Names<'_, PeriodId>,
    people: &People<'_>,
    decoder: &mut Decoder,
) -> Option<Rule> {
    let before = decoder.errors();
    let fields = &object.fields;
    let nothing = Fields::empty(crate::config::written::tables::WHEN, fields.at);
    let when = when(fields.fields("when").unwrap_or(&nothing), periods, decoder);
    let ticket = fields.fields("ticket").map(|fields| ticket(fields, people, decoder));
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

fn ticket(fields: &Fields<'_>, people: &People<'_>, decoder: &mut Decoder) -> TicketAction {
    if let Some(who) = fields.item("in_charge")
        && !people.has(who.text)
    {
        let message = format!("`{}` is no contact and no contact group", who.text);
        decoder.push(
            Problem::warning(who.at, message)
                .hint("users are in no file: if it is one, `vigia user list` shows it")
                .maybe_hint(people.near(who.text)),
        );
    }
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
