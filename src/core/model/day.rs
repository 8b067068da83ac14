//! Days, hours and recurrences as text: the keys and values of a timeperiod, the `every` of a downtime.
//! (`config.md` 9, `nagios-notifications.md` 8.1)

use super::downtime::Recurrence;
use super::grammar::Malformed;
use super::period::{Civil, DaySpec, TimeRange};

const DAY: u16 = 24 * 60;
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const NTHS: [(&str, i8); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];

const FORMS: &str = "days are `mon`, `mon-fri`, `day`, `2026-12-25`, `january 6`, `december 20 - january 5`, `day -1`, \
                     `tuesday 2`, `last monday may`";

fn weekday(word: &str) -> Option<u8> {
    place(&WEEKDAYS, |name| name == word || (word.len() == 3 && name.starts_with(word)))
}

fn month(word: &str) -> Option<u8> {
    place(&MONTHS, |name| name == word || (word.len() == 3 && name.starts_with(word))).map(|at| at + 1)
}

fn nth(word: &str) -> Option<i8> {
    NTHS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
}

fn place(names: &[&str], is_it: impl Fn(&str) -> bool) -> Option<u8> {
    names.iter().position(|name| is_it(name)).and_then(|at| u8::try_from(at).ok())
}

/// One end of a day specification.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Date(Civil),
    MonthDay(u8, i8),
    Day(i8),
    Nth(u8, i8),
    NthOfMonth(u8, i8, u8),
    /// A number alone, as in `july 10 - 15`.
    Number(i8),
}

impl DaySpec {
    /// Reads the key of a timeperiod.
    ///
    /// # Errors
    /// Says why the text names no day.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if let Some(days) = weekdays(text) {
            return Ok(Self::Weekdays(days));
        }
        let (days, every) = match text.split_once('/') {
            Some((days, step)) => (days.trim(), step_of(step)?),
            None => (text, 1),
        };
        let unknown = || Malformed::new(format!("`{text}` is not a day")).hint(FORMS);
        let (from, to) = ends(days).ok_or_else(unknown)?;
        let from = end(from, text)?.ok_or_else(unknown)?;
        let to = to.map(|to| end(to, text)?.ok_or_else(unknown)).transpose()?;
        spec(from, to, every).ok_or_else(unknown)
    }
}

fn step_of(step: &str) -> Result<u16, Malformed> {
    match step.trim().parse() {
        Ok(every) if every > 0 => Ok(every),
        Ok(_) | Err(_) => Err(Malformed::new(format!("`/ {}` wants a number of days from 1", step.trim()))),
    }
}

/// A set of weekdays, bit = weekday: `mon`, `monday-friday`, `fri-mon`, `day`.
fn weekdays(text: &str) -> Option<u8> {
    if text == "day" {
        return Some(0b0111_1111);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (weekday(from)?, weekday(to)?);
    let mut set = 1 << from;
    let mut at = from;
    while at != to {
        at = (at + 1) % 7;
        set |= 1 << at;
    }
    Some(set)
}

/// Divides at the dash that has blanks around it, or behind a number (`day 1-15`), or stands between two dates.
fn ends(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some((from, to)) = text.split_once(" - ") {
        return Some((from.trim(), Some(to.trim())));
    }
    let is_date = text.starts_with(|c: char| c.is_ascii_digit());
    let dashes = text.match_indices('-').map(|(at, _)| at);
    let divider = dashes.skip(if is_date { 2 } else { 0 }).find(|&at| {
        text.get(..at).is_some_and(|head| head.trim_end().ends_with(|c: char| c.is_ascii_alphanumeric()))
            && !text.get(..at).is_some_and(|head| head.ends_with(' '))
    });
    match divider {
        Some(at) => Some((text.get(..at)?.trim(), Some(text.get(at + 1..)?.trim()))),
        None => Some((text, None)),
    }
}

fn end(text: &str, whole: &str) -> Result<Option<End>, Malformed> {
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
        return date(text).map(|date| Some(End::Date(date)));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| day_number(word, whole);
    Ok(match *words.as_slice() {
        ["day", day] => Some(End::Day(number(day)?)),
        [word, day] if weekday(word).is_some() && nth(day).is_none() => {
            weekday(word).map(|weekday| Ok(End::Nth(weekday, number(day)?))).transpose()?
        }
        [which, word] if nth(which).is_some() => {
            nth(which).zip(weekday(word)).map(|(nth, day)| End::Nth(day, nth))
        }
        [word, day] if month(word).is_some() => {
            month(word).map(|month| Ok(End::MonthDay(month, number(day)?))).transpose()?
        }
        [which, word, of] if nth(which).is_some() => match (nth(which), weekday(word), month(of)) {
            (Some(nth), Some(weekday), Some(month)) => Some(End::NthOfMonth(weekday, nth, month)),
            _ => None,
        },
        [word, day, of] => match (weekday(word), month(of)) {
            (Some(weekday), Some(month)) => Some(End::NthOfMonth(weekday, number(day)?, month)),
            _ => None,
        },
        [day] if day.parse::<i8>().is_ok() => Some(End::Number(number(day)?)),
        _ => None,
    })
}

/// A day of the month, or below zero counted from its end.
fn day_number(word: &str, whole: &str) -> Result<i8, Malformed> {
    match word.parse::<i8>() {
        Ok(day) if day != 0 && (-31..=31).contains(&day) => Ok(day),
        Ok(_) | Err(_) => Err(Malformed::new(format!("`{word}` in `{whole}` is no day of a month"))
            .hint("1 to 31, or -1 for the last")),
    }
}

fn date(text: &str) -> Result<Civil, Malformed> {
    let wrong =
        || Malformed::new(format!("`{text}` is not a date of the calendar")).hint("dates are `2026-12-25`");
    let date: jiff::civil::Date = text.parse().map_err(|_unreadable| wrong())?;
    Ok(Civil { year: date.year(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() })
}

/// Puts the ends together. A date with a step and no end goes on for ever.
fn spec(from: End, to: Option<End>, every: u16) -> Option<DaySpec> {
    Some(match (from, to) {
        (End::Date(from), None) if every > 1 => DaySpec::Date { from, to: None, every },
        (End::Date(from), None) => DaySpec::Date { from, to: Some(from), every },
        (End::Date(from), Some(End::Date(to))) if from <= to => DaySpec::Date { from, to: Some(to), every },
        (End::MonthDay(month, day), to) => {
            let to = match to {
                None => (month, day),
                Some(End::Number(last)) => (month, last),
                Some(End::MonthDay(month, day)) => (month, day),
                Some(End::Date(_) | End::Day(_) | End::Nth(..) | End::NthOfMonth(..)) => return None,
            };
            DaySpec::MonthDay { from: (month, day), to, every }
        }
        (End::Day(from), to) => {
            let to = match to {
                None => from,
                Some(End::Number(to) | End::Day(to)) => to,
                Some(End::Date(_) | End::MonthDay(..) | End::Nth(..) | End::NthOfMonth(..)) => return None,
            };
            DaySpec::Day { from, to, every }
        }
        (End::Nth(weekday, nth), to) => {
            let to = match to {
                None => (weekday, nth),
                Some(End::Number(last)) => (weekday, last),
                Some(End::Nth(weekday, nth)) => (weekday, nth),
                Some(End::Date(_) | End::MonthDay(..) | End::Day(_) | End::NthOfMonth(..)) => return None,
            };
            DaySpec::NthWeekday { from: (weekday, nth), to, every }
        }
        (End::NthOfMonth(weekday, nth, month), to) => {
            let to = match to {
                None => (weekday, nth, month),
                Some(End::NthOfMonth(weekday, nth, month)) => (weekday, nth, month),
                Some(End::Date(_) | End::MonthDay(..) | End::Day(_) | End::Nth(..) | End::Number(_)) => {
                    return None;
                }
            };
            DaySpec::NthWeekdayOfMonth { from: (weekday, nth, month), to, every }
        }
        (End::Date(_) | End::Number(_), _) => return None,
    })
}

impl TimeRange {
    /// Reads one range or Nagios' comma list. `00:00-00:00` closes the day: an empty list.
    ///
    /// # Errors
    /// Says which range is wrong, and how it would be right.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Malformed> {
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items == ["00:00-00:00"] {
            return Ok(Vec::new());
        }
        items.into_iter().map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong =
            || Malformed::new(format!("`{text}` is not a range of hours")).hint("write it as `08:00-15:00`");
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (start, end) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        if start == DAY {
            return Err(Malformed::new("a range cannot begin at 24:00")
                .hint("24:00 ends a day; the next begins at 00:00"));
        }
        match end {
            0 => Err(Malformed::new(format!("`{text}` holds nothing: 00:00 begins a day"))
                .hint(format!("write `{from}-24:00`", from = from.trim()))),
            end if end == start => {
                Err(Malformed::new(format!("`{text}` holds nothing")).hint("a whole day is `00:00-24:00`"))
            }
            end if end < start => Ok(Self { start, end: end + DAY }),
            end => Ok(Self { start, end }),
        }
    }
}

/// Minutes after midnight of `HH:MM`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let is_number =
        |text: &str, longest| (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hours, 2) || !is_number(minutes, 2) || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

impl Recurrence {
    /// Reads day and time: `sun 03:00`, `mon-fri 12:30`, `first sunday 04:00`, `day 1 02:00`, `day 03:00`.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = || {
            Malformed::new(format!("`{text}` is not a day and a time")).hint(
                "write `sun 03:00`, `mon-fri 12:30`, `first sunday 04:00`, `day 1 02:00` or `day 03:00`",
            )
        };
        let (day, time) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
        let minute = minute(time).filter(|minute| *minute < DAY).ok_or_else(wrong)?;
        Ok(Self { days: DaySpec::parse(day)?, minute })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> DaySpec {
        DaySpec::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
    }

    #[test]
    fn weekdays_wrap_and_may_be_short() {
        assert_eq!(day("mon"), DaySpec::Weekdays(0b10));
        assert_eq!(day("monday-thursday"), DaySpec::Weekdays(0b1_1110));
        assert_eq!(day("fri-mon"), DaySpec::Weekdays(0b110_0011));
        assert_eq!(day("mon-sun"), DaySpec::Weekdays(0b111_1111));
        assert_eq!(day("day"), DaySpec::Weekdays(0b111_1111));
    }

    #[test]
    fn every_form_of_nagios_is_a_day() {
        let civil = |year, month, day| Civil { year, month, day };
        let christmas = civil(2026, 12, 25);
        assert_eq!(day("2026-12-25"), DaySpec::Date { from: christmas, to: Some(christmas), every: 1 });
        assert_eq!(
            day("2024-03-01 - 2024-03-10 / 3"),
            DaySpec::Date { from: civil(2024, 3, 1), to: Some(civil(2024, 3, 10)), every: 3 }
        );
        assert_eq!(day("2024-03-01 / 4"), DaySpec::Date { from: civil(2024, 3, 1), to: None, every: 4 });
        assert_eq!(day("january 6"), DaySpec::MonthDay { from: (1, 6), to: (1, 6), every: 1 });
        assert_eq!(
            day("december 20 - january 5"),
            DaySpec::MonthDay { from: (12, 20), to: (1, 5), every: 1 }
        );
        assert_eq!(day("july 10 - 15 / 2"), DaySpec::MonthDay { from: (7, 10), to: (7, 15), every: 2 });
        assert_eq!(day("february -1"), DaySpec::MonthDay { from: (2, -1), to: (2, -1), every: 1 });
        assert_eq!(day("day -1"), DaySpec::Day { from: -1, to: -1, every: 1 });
        assert_eq!(day("day 1 - 15 / 5"), DaySpec::Day { from: 1, to: 15, every: 5 });
        assert_eq!(day("day 1 - day -2"), DaySpec::Day { from: 1, to: -2, every: 1 });
        assert_eq!(day("day 1-15"), DaySpec::Day { from: 1, to: 15, every: 1 });
        assert_eq!(day("tuesday 2"), DaySpec::NthWeekday { from: (2, 2), to: (2, 2), every: 1 });
        assert_eq!(day("tuesday 1 - friday 2"), DaySpec::NthWeekday { from: (2, 1), to: (5, 2), every: 1 });
        assert_eq!(day("monday 1 - 3"), DaySpec::NthWeekday { from: (1, 1), to: (1, 3), every: 1 });
        assert_eq!(
            day("thursday -1 november"),
            DaySpec::NthWeekdayOfMonth { from: (4, -1, 11), to: (4, -1, 11), every: 1 }
        );
        assert_eq!(
            day("last monday may"),
            DaySpec::NthWeekdayOfMonth { from: (1, -1, 5), to: (1, -1, 5), every: 1 }
        );
        assert_eq!(
            day("monday 3 january - thursday -1 november"),
            DaySpec::NthWeekdayOfMonth { from: (1, 3, 1), to: (4, -1, 11), every: 1 }
        );
        assert_eq!(day("first sunday"), DaySpec::NthWeekday { from: (0, 1), to: (0, 1), every: 1 });
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for bad in [
            "",
            "someday",
            "2026-02-30",
            "2026-13-01",
            "january",
            "january 0",
            "january 40",
            "day 0",
            "day x",
            "monday 2 foo",
            "mon - fri",
            "2026-12-31 - 2026-12-01",
            "2026-12-25 / 0",
            "day 1 - friday 2",
            "last may",
        ] {
            assert!(DaySpec::parse(bad).is_err(), "{bad}: {:?}", DaySpec::parse(bad));
        }
    }

    #[test]
    fn hours_are_half_open_and_may_cross_midnight() {
        let list = |text| TimeRange::parse_list(text).unwrap();
        assert_eq!(list("07:00-23:00"), [TimeRange { start: 420, end: 1380 }]);
        assert_eq!(
            list("00:00-08:00, 18:00-24:00"),
            [TimeRange { start: 0, end: 480 }, TimeRange { start: 1080, end: 1440 }]
        );
        assert_eq!(list("22:00-06:00"), [TimeRange { start: 1320, end: 1800 }]);
        assert_eq!(list("00:00-00:00"), []);
        assert_eq!(list("9:00-17:30"), [TimeRange { start: 540, end: 1050 }]);
        let wrong = TimeRange::parse_list("10:00-00:00").unwrap_err();
        assert_eq!(wrong.hint.as_deref(), Some("write `10:00-24:00`"));
        for bad in [
            "",
            "10:00",
            "10:00-25:00",
            "10:60-11:00",
            "24:00-24:00",
            "10:00-10:00",
            "a-b",
            "10:00-11:00,",
            "1000-1100",
        ] {
            assert!(TimeRange::parse_list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_recurrence_is_a_day_and_a_time() {
        let every = |text| Recurrence::parse(text).unwrap();
        assert_eq!(every("sun 03:00"), Recurrence { days: DaySpec::Weekdays(1), minute: 180 });
        assert_eq!(every("mon-fri 12:30").minute, 750);
        assert_eq!(every("day 03:00").days, DaySpec::Weekdays(0b111_1111));
        assert_eq!(every("day 1 02:00").days, DaySpec::Day { from: 1, to: 1, every: 1 });
        assert_eq!(
            every("first sunday 04:00").days,
            DaySpec::NthWeekday { from: (0, 1), to: (0, 1), every: 1 }
        );
        for bad in ["6h", "sun", "03:00", "sun 24:00", "sun 3", "blue 03:00"] {
            assert!(Recurrence::parse(bad).is_err(), "{bad}");
        }
    }
}
