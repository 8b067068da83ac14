//! Downtimes from the files: once, or again and again.

use std::time::Duration;

use jiff::tz::TimeZone;
use vigia_core::model::downtime::{Plan, PlannedDowntime, Recurrence};

use super::{Written, timezone, wanted_match};
use crate::config::decode::Decoder;
use crate::config::problem::Problem;
use crate::config::written::fields::Item;
use crate::config::written::read::malformed;

pub(in super::super) fn downtime(object: Written<'_, '_>, decoder: &mut Decoder) -> Option<PlannedDowntime> {
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
