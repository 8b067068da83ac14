//! Timeperiods against `nagios-timeperiod-vectors.yaml`.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::Value;
use crate::engine::period::Periods;
use crate::engine::tests::fixture::period;
use crate::model::period::{DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use crate::model::time::Timestamp;

const VECTORS: &str = include_str!("../../../../tests/vectors/nagios-timeperiod-vectors.yaml");

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    title: String,
    period: BTreeMap<String, Value>,
    #[serde(default)]
    other: BTreeMap<String, Value>,
    timezone: Option<String>,
    from: String,
    to: String,
    inside: Vec<(String, String)>,
    /// Where ours is meant to differ.
    recommended: Option<Vec<(String, String)>>,
}

/// The file's own order of keys decides which rule comes first, so it is read from the text.
fn keys_in_order<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let line = text
        .split_once(&format!("title: \"{title}\""))
        .unwrap()
        .1
        .lines()
        .find(|line| line.trim().starts_with("period:"));
    line.unwrap().split('"').skip(1).step_by(2).collect()
}

fn read(rules: &BTreeMap<String, Value>, order: &[&str], zone: &TimeZone) -> TimePeriod {
    let place = |key: &str| order.iter().position(|other| *other == key);
    let mut keys: Vec<_> = rules.iter().filter(|(key, _)| *key != "exclude").collect();
    keys.sort_by_key(|(key, _)| place(key));
    let rule = |(key, hours): (&String, &Value)| DayRule {
        days: DaySpec::parse(key).unwrap(),
        ranges: match hours.text().as_str() {
            "00:00-00:00" => Vec::new(),
            hours => TimeRange::parse_list(hours).unwrap(),
        },
    };
    let mut made = period("x1", keys.into_iter().map(rule).collect());
    made.timezone = Some(zone.clone());
    if rules.contains_key("exclude") {
        made.exclude = vec![PeriodId(3)];
    }
    made
}

#[expect(clippy::disallowed_methods, reason = "the vectors name their zones; periods carry theirs")]
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

#[test]
fn every_case_has_the_instants_it_says() {
    let file: File = serde_saphyr::from_str(VECTORS).unwrap();
    assert_eq!(file.cases.len(), 36);
    for case in &file.cases {
        let zone = zone(case.timezone.as_deref().unwrap_or("UTC"));
        let order = keys_in_order(VECTORS, &case.title);
        let other = read(&case.other, &[], &zone);
        let periods = vec![
            period("always", Vec::new()),
            period("never", Vec::new()),
            read(&case.period, &order, &zone),
            other,
        ];
        let at = |text: &str| instant(text, &zone);
        let said = case.recommended.as_ref().unwrap_or(&case.inside);
        let wanted: Vec<_> = said.iter().map(|(from, to)| (at(from), at(to))).collect();
        let got = inside(Periods(&periods), at(&case.from), at(&case.to));
        assert_eq!(got, wanted, "{}", case.title);
    }
}

fn inside(periods: Periods<'_>, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let id = PeriodId(2);
    let mut found = Vec::new();
    let mut at = from;
    while let Some(opens) = periods.opens(id, at).filter(|opens| *opens < to) {
        let closes = periods.closes(id, opens).map_or(to, |closes| closes.min(to));
        found.push((opens, closes));
        at = closes;
    }
    found
}

fn instant(text: &str, zone: &TimeZone) -> Timestamp {
    let text = if text.contains(' ') { text.replace(' ', "T") } else { format!("{text}T00:00") };
    let local: DateTime = text.parse().unwrap();
    zone.to_ambiguous_zoned_datetime(local).compatible().unwrap().timestamp().into()
}

/// The four changes of a clock in which a range lies inside, across, or around the hour that is missing or twice
/// there. Lord Howe moves by half an hour.
#[test]
fn a_change_of_the_clock_keeps_to_the_wall_clock() {
    let hours = |text: &str| {
        let every_day =
            DayRule { days: DaySpec::Weekdays(0x7f), ranges: TimeRange::parse_list(text).unwrap() };
        vec![every_day]
    };
    for (name, hours_of, from, to, wanted) in [
        // 02:00 becomes 03:00: half past two does not exist, the rest of the range does.
        ("Europe/Madrid", "02:30-04:00", "2026-03-29", "2026-03-30", vec![("01:00", "02:00")]),
        ("Europe/Madrid", "02:00-03:00", "2026-03-29", "2026-03-30", vec![]),
        // 03:00 becomes 02:00: both hours count.
        (
            "Europe/Madrid",
            "02:30-04:00",
            "2026-10-25",
            "2026-10-26",
            vec![("00:30", "01:00"), ("01:30", "03:00")],
        ),
        (
            "America/New_York",
            "01:30-02:30",
            "2026-11-01",
            "2026-11-02",
            vec![("05:30", "06:00"), ("06:30", "07:30")],
        ),
        ("America/New_York", "02:30-04:00", "2026-03-08", "2026-03-09", vec![("07:00", "08:00")]),
        ("Australia/Lord_Howe", "02:15-03:00", "2026-10-04", "2026-10-05", vec![("15:30", "16:00")]),
        (
            "Australia/Lord_Howe",
            "01:45-02:30",
            "2026-04-05",
            "2026-04-06",
            vec![("14:45", "15:00"), ("15:15", "16:00")],
        ),
    ] {
        let zone = zone(name);
        let mut made = period("x1", hours(hours_of));
        made.timezone = Some(zone.clone());
        let periods = [period("always", Vec::new()), period("never", Vec::new()), made];
        let got = inside(Periods(&periods), instant(from, &zone), instant(to, &zone));
        let short = |at: Timestamp| at.to_string().get(11..16).unwrap_or_default().to_owned();
        let got: Vec<_> = got.iter().map(|(from, to)| (short(*from), short(*to))).collect();
        let wanted: Vec<_> = wanted.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        assert_eq!(got, wanted, "{name} {hours_of} on {from}");
    }
}
