//! A timeperiod as written: which day, which hours. Whether an instant is inside is
//! [`crate::engine::period`]'s to say. (`config.md` 9, `nagios-notifications.md` 8)

use std::sync::Arc;

use super::id::Name;

/// A timeperiod's place in one inventory; the first two are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeriodId(pub u16);

impl PeriodId {
    pub const ALWAYS: Self = Self(0);
    pub const NEVER: Self = Self(1);
}

#[derive(Clone, Debug)]
pub struct TimePeriod {
    pub name: Name,
    pub alias: Arc<str>,
    /// Wall clock of this zone; none: the system's.
    pub timezone: Option<jiff::tz::TimeZone>,
    pub days: Vec<DayRule>,
    pub exclude: Vec<PeriodId>,
    pub r#use: Vec<PeriodId>,
}

/// One key of a timeperiod with its ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct DayRule {
    pub days: DaySpec,
    /// Empty after `00:00-00:00`, which closes the day.
    pub ranges: Vec<TimeRange>,
}

/// Minutes after local midnight, half open. `end` may be up to 2880: past midnight it belongs to the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub start: u16,
    pub end: u16,
}

/// Which days, in Nagios' order of precedence from the top. Weekdays count from Sunday = 0, months from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaySpec {
    /// `2026-12-25` (to itself), `2026-12-24 - 2027-01-06`, `/ 3` as `every`; without `to` it has no end.
    Date { from: Civil, to: Option<Civil>, every: u16 },
    /// `january 6`, `december 20 - january 5`; a day below zero counts from the month's end.
    MonthDay { from: (u8, i8), to: (u8, i8), every: u16 },
    /// `day 1`, `day -1`, `day 1 - 15`.
    Day { from: i8, to: i8, every: u16 },
    /// `last monday may`, `monday -1 may`, `tuesday 2 june - friday 2 june`.
    NthWeekdayOfMonth { from: (u8, i8, u8), to: (u8, i8, u8), every: u16 },
    /// `first monday`, `tuesday 2`, `thursday -1`.
    NthWeekday { from: (u8, i8), to: (u8, i8), every: u16 },
    /// `mon`, `fri-mon`; a set, bit = weekday.
    Weekdays(u8),
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    pub year: i16,
    pub month: u8,
    pub day: u8,
}
