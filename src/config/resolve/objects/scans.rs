//! Jobs of net discovery: what they say must be right before anything is sent.

use std::time::Duration;

use vigia_core::model::downtime::Recurrence;
use vigia_core::model::period::PeriodId;
use vigia_core::model::scan::{Every, ScanJob, ScanMode, ScanRule};

use super::super::names::Names;
use super::{Written, arc, period_named, targets};
use crate::config::decode::Decoder;
use crate::config::problem::Problem;
use crate::config::target;
use crate::config::tree::Node;
use crate::config::written::fields::{Fields, Item};
use crate::config::written::read::malformed;

/// What `stale_after` is where nothing is said.
const STALE_AFTER: u32 = 3;

pub(in crate::config::resolve) fn scan_job(
    object: Written<'_, '_>,
    all: &crate::config::written::Written<'_>,
    periods: &Names<'_, PeriodId>,
    decoder: &mut Decoder,
) -> Option<ScanJob> {
    let before = decoder.errors();
    let fields = &object.fields;
    if fields.entry("targets").is_none() && !object.has_error {
        let problem =
            Problem::error(object.name.at, format!("discovery job `{}` says no `targets`", object.name.text));
        decoder.push(problem.hint("addresses, ranges, or `net:NAME`"));
    }
    let items = fields.list("targets");
    targets::check(&items, all, decoder);
    let mut rules: Vec<ScanRule> =
        fields.named("rules").iter().map(|(name, rule)| scan_rule(*name, rule, decoder)).collect();
    rules.sort_by(|one, two| one.name.cmp(&two.name));
    let job = ScanJob {
        name: object.name.text.into(),
        targets: items.iter().map(|item| item.text).collect::<Vec<_>>().join(" ").into(),
        scan: scan(fields.node("scan"), decoder).into(),
        timing: fields.text("timing").unwrap_or("normal").into(),
        is_nmap: fields.text("engine") == Some("nmap"),
        every: every(fields.item("every"), decoder),
        window: period_named(fields.item("window"), periods, decoder).unwrap_or(PeriodId::ALWAYS),
        mode: fields.text("mode").and_then(ScanMode::from_word).unwrap_or(ScanMode::Propose),
        max_new: number(fields, "max_new").unwrap_or(50),
        stale_after: stale_after(fields.node("stale_after"), decoder),
        quiet: fields.duration("quiet").unwrap_or(Duration::from_secs(900)),
        templates: names(fields),
        rules,
    };
    (decoder.errors() == before && !object.has_error).then_some(job)
}

fn number(fields: &Fields<'_>, key: &str) -> Option<u32> {
    fields.whole(key).and_then(|number| u32::try_from(number).ok())
}

fn names(fields: &Fields<'_>) -> Vec<vigia_core::model::id::Name> {
    fields.list("use").iter().map(|item| item.text.into()).collect()
}

/// No job may be busier than this: a scan wants to end before the next one begins.
const LEAST: Duration = Duration::from_secs(60);

fn every(item: Option<Item<'_>>, decoder: &mut Decoder) -> Option<Every> {
    let item = item?;
    if let Ok(span) = vigia_checks::options::duration(item.text) {
        if span < LEAST {
            let problem = Problem::error(item.at, format!("`every` is `{}`, which is too often", item.text));
            return decoder.refuse(problem.hint("at least `1m`; once an hour is often"));
        }
        return Some(Every::Span(span));
    }
    match Recurrence::parse(item.text) {
        Ok(recurrence) => Some(Every::At(recurrence)),
        Err(error) => decoder
            .refuse(malformed(item.at, &error).hint("a duration (`6h`), or day and time (`sun 03:00`)")),
    }
}

fn stale_after(node: Option<&Node<'_>>, decoder: &mut Decoder) -> u32 {
    let Some(node) = node else { return STALE_AFTER };
    // What is no text was told where it was read.
    let Some(text) = decoder.text(node, "stale_after") else { return STALE_AFTER };
    let number = text.strip_suffix(" scans").or_else(|| text.strip_suffix(" scan"));
    match number.and_then(|number| number.parse().ok()).filter(|number| *number > 0) {
        Some(number) => number,
        None => {
            decoder.push(
                Problem::error(node.at, format!("`stale_after` cannot be `{text}`")).hint("write `3 scans`"),
            );
            STALE_AFTER
        }
    }
}

/// The words of `scan`, ports separated by commas.
fn scan(node: Option<&Node<'_>>, decoder: &mut Decoder) -> String {
    let Some(node) = node else { return "fast".to_owned() };
    let is_ports = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        port(from).zip(port(to)).is_some_and(|(from, to)| from <= to)
    };
    let mut words = Vec::new();
    for (text, at) in decoder.texts(node, "scan").unwrap_or_default() {
        let is_word = node.list().is_none() && matches!(text, "ping" | "fast" | "normal" | "full");
        if is_word || is_ports(text) {
            words.push(text.to_owned());
        } else {
            decoder.push(
                Problem::error(at, format!("`scan` cannot be `{text}`"))
                    .hint("`ping`, `fast`, `normal`, `full`, or ports: `[22, 80, 8000-8100]`"),
            );
        }
    }
    words.join(",")
}

fn scan_rule(name: Item<'_>, rule: &Fields<'_>, decoder: &mut Decoder) -> ScanRule {
    let none = Fields::empty(crate::config::written::tables::DISCOVERY_WHEN, name.at);
    let when = rule.fields("when").unwrap_or(&none);
    let address = when.item("address").and_then(|item| {
        let specs = target::read(item.text);
        let is_range = |spec: &target::Item<'_>| {
            !spec.is_excluded
                && matches!(
                    &spec.spec,
                    Ok(target::Spec::V4(..) | target::Spec::Octets(_) | target::Spec::V6(_))
                )
        };
        if !specs.is_empty() && specs.iter().all(is_range) {
            return Some(item.text.into());
        }
        let problem = Problem::error(item.at, format!("`address` cannot be `{}`", item.text));
        decoder.refuse(problem.hint("an address, a network (`192.0.2.0/24`), or a range (`192.0.2.64-68`)"))
    });
    let rule = ScanRule {
        name: name.text.into(),
        port: when.whole("port").and_then(|port| u16::try_from(port).ok()),
        service: arc(when.text("service")),
        product: arc(when.text("product")),
        os: arc(when.text("os")),
        vendor: arc(when.text("vendor")),
        address,
        templates: names(rule),
    };
    if rule.templates.is_empty() {
        let problem =
            Problem::warning(name.at, format!("rule `{}` says no `use`: it does nothing", name.text));
        decoder.push(problem);
    }
    rule
}
