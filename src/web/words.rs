//! Times and spans as people read and write them: `3 h 12 m`, `until 18:00`, `fri 08:00`.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use vigia_core::model::time::Timestamp;

/// Two units at most, the larger first: `6 d 3 h`, `3 h 12 m`, `4 m 10 s`, `12 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} m {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} m"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// `2026-06-22 11:53:35` in the zone.
pub(crate) fn stamp(at: Timestamp, zone: &TimeZone) -> String {
    at.to_jiff().to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same with the zone's name, for titles and echoes.
pub(crate) fn full_stamp(at: Timestamp, zone: &TimeZone) -> String {
    at.to_jiff().to_zoned_datetime(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

/// As `datetime` attributes want it.
pub(crate) fn machine_stamp(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `18:00` today, else with its day; for *until …*.
pub(crate) fn short_stamp(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let then = at.to_jiff().to_zoned_datetime(zone.clone());
    let today = now.to_jiff().to_zoned_datetime(zone.clone()).date();
    let format = if then.date() == today { "%H:%M" } else { "%a %d %b %H:%M" };
    then.strftime(format).to_string()
}

/// `11:53:35` today, else `22 Jun 11:53`; for lists, where the rest stands in the title.
pub(crate) fn brief_stamp(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let then = at.to_jiff().to_zoned_datetime(zone.clone());
    let today = now.to_jiff().to_zoned_datetime(zone.clone()).date();
    let format = if then.date() == today { "%H:%M:%S" } else { "%d %b %H:%M" };
    then.strftime(format).to_string()
}

/// A size in bytes as people say it.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    for unit in UNITS {
        if tenths < 10_000 || unit == "TB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths /= 1000;
    }
    unreachable!("the last unit takes whatever is left")
}

/// Thousands set apart: `1,204`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `90s`, `30m`, `2h`, `1h30m`, `3 days`; a bare number is minutes, as in Nagios forms.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    if let Ok(minutes) = text.parse::<u64>() {
        return Some(Duration::from_secs(minutes.checked_mul(60)?));
    }
    let mut seconds = 0u64;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at_checked(letters)?;
        let unit = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = after.trim_start();
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Without the small words in front.
fn bare(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let small = ["until ", "at ", "in ", "for "].iter().find_map(|word| text.strip_prefix(word));
    small.unwrap_or(&text).trim().to_owned()
}

/// A day that has its name from the day on which it is said.
pub(crate) fn is_said_of_now(text: &str) -> bool {
    let text = bare(text);
    text.starts_with("today") || text.starts_with("tomorrow")
}

/// An instant as people say it: `now`, `2h`, `in 2h`, `until 18:00`, `tomorrow 10:00`, `fri 08:00`,
/// `2026-12-24 22:00`, or seconds since the epoch with an `@`. A time of day that has passed means tomorrow's.
pub(crate) fn parse_instant(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let text = bare(text);
    let text = text.as_str();
    if text == "now" {
        return Some(now);
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok().map(Timestamp::from_second);
    }
    if let Some(span) = parse_span(text) {
        return Some(now.after(span));
    }
    let here = now.to_jiff().to_zoned_datetime(zone.clone());
    let (day, time) = match text.split_once([' ', 't']) {
        // `tomorrow` and `tuesday` hold the separator of ISO dates themselves.
        _ if text.starts_with("to") || text.starts_with("tu") || text.starts_with("th") => {
            text.split_once(' ').map_or((text, ""), |(day, time)| (day, time))
        }
        Some((day, time)) if !day.is_empty() => (day, time),
        Some(_) | None => (text, ""),
    };
    let instant = |date: Date, time: Time| {
        let zoned = date.to_datetime(time).to_zoned_datetime(zone.clone()).ok()?;
        Some(Timestamp::from(zoned.timestamp()))
    };
    if let Some(time) = time_of_day(text) {
        let today = instant(here.date(), time)?;
        return if today > now { Some(today) } else { instant(here.date().checked_add(1.day()).ok()?, time) };
    }
    let time = if time.trim().is_empty() { Time::midnight() } else { time_of_day(time.trim())? };
    let date = match day {
        "today" => here.date(),
        "tomorrow" => here.date().checked_add(1.day()).ok()?,
        day => match weekday(day) {
            Some(weekday) => {
                let ahead = i64::from(here.date().weekday().until(weekday));
                let date = here.date().checked_add(ahead.days()).ok()?;
                if instant(date, time)? > now { date } else { date.checked_add(7.days()).ok()? }
            }
            None => day.parse::<Date>().ok()?,
        },
    };
    instant(date, time)
}

fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = parts.next()?.parse::<i8>().ok()?;
    let minute = parts.next()?.parse::<i8>().ok()?;
    let second = parts.next().map_or(Ok(0), str::parse::<i8>).ok()?;
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    DAYS.iter().find(|(name, _)| text.len() >= 3 && name.starts_with(text)).map(|(_, day)| *day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday, 16:00 in Madrid.
    fn now() -> Timestamp {
        "2026-11-25T15:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
    }

    fn read(text: &str) -> Option<String> {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        parse_instant(text, &zone, now()).map(|at| stamp(at, &zone))
    }

    #[test]
    fn spans_read_in_two_units() {
        let said = [0, 12, 250, 11_520, 529_200].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "12 s", "4 m 10 s", "3 h 12 m", "6 d 3 h"]);
    }

    #[test]
    fn times_are_read_as_people_say_them() {
        for (said, meant) in [
            ("2h", "2026-11-25 18:00:00"),
            ("in 1h30m", "2026-11-25 17:30:00"),
            ("until 18:00", "2026-11-25 18:00:00"),
            ("15:00", "2026-11-26 15:00:00"),
            ("tomorrow 10:00", "2026-11-26 10:00:00"),
            ("tomorrow", "2026-11-26 00:00:00"),
            ("fri 08:00", "2026-11-27 08:00:00"),
            ("wed 08:00", "2026-12-02 08:00:00"),
            ("thursday 09:15", "2026-11-26 09:15:00"),
            ("2026-12-24 22:00", "2026-12-24 22:00:00"),
            ("2026-12-24T22:00", "2026-12-24 22:00:00"),
            ("now", "2026-11-25 16:00:00"),
        ] {
            assert_eq!(read(said).as_deref(), Some(meant), "{said}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_guessed() {
        for text in
            ["", "soon", "25:00", "2026-13-01", "1x", "until", "99999999999999999999h", "é", "12:00:00:00"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_set_apart_for_the_eye() {
        assert_eq!([count(7), count(1204), count(1_000_000)], ["7", "1,204", "1,000,000"]);
        assert_eq!([bytes(512), bytes(4096), bytes(1_500_000_000)], ["512 B", "4.0 kB", "1.5 GB"]);
    }
}
