//! Is an instant inside a timeperiod, and when does the period open or close next?
//! (`nagios-notifications.md` 8.2, `config.md` 9)
//!
//! A period is a predicate on the wall clock of its zone, so both hours of an autumn night count and a range
//! inside the hour that spring skips never comes. How days are written is `model::day`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};

use crate::model::period::{Civil, DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use crate::model::time::Timestamp;

/// How far ahead an opening is looked for: beyond it lies no 29 February that was not seen before.
const HORIZON_DAYS: u32 = 366 * 9;
/// Periods inside periods; configuration refuses circles, this keeps a mistake there from ending us.
const DEPTH: u8 = 8;
const DAY: u16 = 24 * 60;

/// All timeperiods of one inventory, by [`PeriodId`].
#[derive(Clone, Copy, Debug)]
pub struct Periods<'a>(pub &'a [TimePeriod]);

impl Periods<'_> {
    pub fn is_inside(self, id: PeriodId, at: Timestamp) -> bool {
        match id {
            PeriodId::ALWAYS => true,
            PeriodId::NEVER => false,
            _ => self.holds(id, at.to_jiff(), DEPTH),
        }
    }

    /// `at` itself when it lies inside, else the first instant after it that does; none: never.
    pub fn opens(self, id: PeriodId, at: Timestamp) -> Option<Timestamp> {
        if self.is_inside(id, at) { Some(at) } else { self.next(id, at, true) }
    }

    /// The first instant after `at` that lies outside; none: never again.
    pub fn closes(self, id: PeriodId, at: Timestamp) -> Option<Timestamp> {
        if self.is_inside(id, at) { self.next(id, at, false) } else { Some(at) }
    }

    fn next(self, id: PeriodId, at: Timestamp, inside: bool) -> Option<Timestamp> {
        if id == PeriodId::ALWAYS || id == PeriodId::NEVER {
            return None;
        }
        let from = at.to_jiff();
        let zone = self.zone(id);
        let start_of = |day: Date| Some(day.to_zoned_datetime(zone.clone()).ok()?.timestamp());
        let mut day = zone.to_datetime(from).date();
        let mut begins = start_of(day)?;
        let mut marks = Vec::new();
        for _ in 0..HORIZON_DAYS {
            let tomorrow = day.tomorrow().ok()?;
            let ends = start_of(tomorrow)?;
            marks.clear();
            self.marks(id, day, DEPTH, &mut marks);
            marks.retain(|mark| (begins..ends).contains(mark) && *mark > from);
            marks.sort_unstable();
            if let Some(hit) = marks.iter().find(|mark| self.holds(id, **mark, DEPTH) == inside) {
                return Some((*hit).into());
            }
            (day, begins) = (tomorrow, ends);
        }
        None
    }

    fn holds(self, id: PeriodId, at: jiff::Timestamp, depth: u8) -> bool {
        match (id, self.0.get(usize::from(id.0)), depth) {
            (PeriodId::ALWAYS, _, _) => return true,
            (PeriodId::NEVER, _, _) | (_, None, _) | (_, _, 0) => return false,
            (_, Some(period), _) if period.exclude.iter().any(|x| self.holds(*x, at, depth - 1)) => {
                return false;
            }
            (_, Some(_), _) => {}
        }
        let local = self.zone(id).to_datetime(at);
        let minute = minute_of(local.time());
        let is_in = |date: Date, minute: u16| {
            let ranges = self.ranges(id, date, DEPTH).unwrap_or(&[]);
            ranges.iter().any(|range| range.start <= minute && minute < range.end)
        };
        // A range that crosses midnight belongs to the day on which it begins.
        is_in(local.date(), minute)
            || local.date().checked_sub(1.day()).is_ok_and(|yesterday| is_in(yesterday, minute + DAY))
    }

    /// The hours of a day: those of the first rule that matches, class by class, what the period says itself
    /// before what it takes over from others.
    fn ranges(&self, id: PeriodId, date: Date, depth: u8) -> Option<&[TimeRange]> {
        (0..CLASSES).find_map(|class| self.ranges_of(id, class, date, depth))
    }

    fn ranges_of(&self, id: PeriodId, class: u8, date: Date, depth: u8) -> Option<&[TimeRange]> {
        if id == PeriodId::ALWAYS {
            return (class == CLASSES - 1).then_some(const { &[TimeRange { start: 0, end: DAY }] });
        }
        let period = self.0.get(usize::from(id.0)).filter(|_| depth > 0)?;
        let own = period.days.iter().find(|rule| class_of(&rule.days) == class && matches(&rule.days, date));
        match own {
            Some(DayRule { ranges, .. }) => Some(ranges),
            None => period.r#use.iter().find_map(|used| self.ranges_of(*used, class, date, depth - 1)),
        }
    }

    fn zone(self, id: PeriodId) -> TimeZone {
        self.0.get(usize::from(id.0)).and_then(|period| period.timezone.clone()).unwrap_or(TimeZone::UTC)
    }

    /// Instants around `date` at which the answer may change: ends of ranges, midnight, where today's rule takes
    /// over from yesterday's, and the clock's own jumps.
    fn marks(self, id: PeriodId, date: Date, depth: u8, marks: &mut Vec<jiff::Timestamp>) {
        let Some(period) = self.0.get(usize::from(id.0)).filter(|_| depth > 0) else { return };
        let zone = self.zone(id);
        let around = [date.yesterday(), Ok(date), date.tomorrow()];
        for day in around.into_iter().flatten() {
            let hours = self.ranges(id, day, DEPTH).unwrap_or(&[]);
            let ends = hours.iter().flat_map(|range| [range.start, range.end]);
            for minute in ends.chain([0]) {
                let Ok(local) = at_minute(day, minute) else { continue };
                let place = zone.to_ambiguous_zoned_datetime(local);
                marks.extend(place.clone().earlier().ok().map(|at| at.timestamp()));
                marks.extend(place.later().ok().map(|at| at.timestamp()));
            }
            let start = day.to_zoned_datetime(zone.clone()).ok().map(|at| at.timestamp());
            let jump = start.and_then(|start| zone.following(start).next());
            marks.extend(jump.map(|jump| jump.timestamp()));
        }
        for other in &period.exclude {
            self.marks(*other, date, depth - 1, marks);
        }
    }
}

const CLASSES: u8 = 6;

/// Nagios' order of precedence.
fn class_of(days: &DaySpec) -> u8 {
    match days {
        DaySpec::Date { .. } => 0,
        DaySpec::MonthDay { .. } => 1,
        DaySpec::Day { .. } => 2,
        DaySpec::NthWeekdayOfMonth { .. } => 3,
        DaySpec::NthWeekday { .. } => 4,
        DaySpec::Weekdays(_) => 5,
    }
}

/// Whether a rule speaks of this day. A day that a month does not have matches never alone; as the end of a
/// range it is the month's last.
pub fn matches(days: &DaySpec, date: Date) -> bool {
    match *days {
        DaySpec::Weekdays(set) => set & (1 << weekday_of(date)) != 0,
        DaySpec::Date { from, to, every } => {
            let Some(from) = date_of(from) else { return false };
            let to = match to {
                Some(to) => date_of(to),
                None => Some(Date::MAX),
            };
            to.is_some_and(|to| spans(from, to, every, date))
        }
        DaySpec::MonthDay { from, to, every } => yearly(
            date,
            every,
            from == to,
            |year| day_in(year, from.0, from.1),
            |year| day_in(year, to.0, to.1),
        ),
        DaySpec::Day { from, to, every } => {
            let (year, month) = (date.year(), unsigned(date.month()));
            within(date, every, from == to, day_in(year, month, from), day_in(year, month, to))
        }
        DaySpec::NthWeekdayOfMonth { from, to, every } => yearly(
            date,
            every,
            from == to,
            |year| nth_in(year, from.2, from.0, from.1),
            |year| nth_in(year, to.2, to.0, to.1),
        ),
        DaySpec::NthWeekday { from, to, every } => {
            let (year, month) = (date.year(), unsigned(date.month()));
            let (from_day, to_day) = (nth_in(year, month, from.0, from.1), nth_in(year, month, to.0, to.1));
            within(date, every, from == to, from_day, to_day)
        }
    }
}

/// A day as asked for, and the nearest one there is when the month is too short.
#[derive(Clone, Copy)]
struct Resolved {
    exact: Option<Date>,
    nearest: Date,
}

fn within(date: Date, every: u16, is_single: bool, from: Option<Resolved>, to: Option<Resolved>) -> bool {
    let (Some(from), Some(to)) = (from, to) else { return false };
    if is_single { from.exact == Some(date) } else { spans(from.nearest, to.nearest, every, date) }
}

/// A range of every year; one that ends before it begins goes on into the next.
fn yearly(
    date: Date,
    every: u16,
    is_single: bool,
    from: impl Fn(i16) -> Option<Resolved>,
    to: impl Fn(i16) -> Option<Resolved>,
) -> bool {
    [date.year() - 1, date.year()].into_iter().any(|year| {
        let (Some(start), Some(end)) = (from(year), to(year)) else { return false };
        let end = if end.nearest < start.nearest { to(year + 1) } else { Some(end) };
        within(date, every, is_single, Some(start), end)
    })
}

fn spans(from: Date, to: Date, every: u16, date: Date) -> bool {
    if date < from || date > to {
        return false;
    }
    let days = (date - from).get_days();
    every <= 1 || days % i32::from(every) == 0
}

/// The `day`th of a month, counted from its end when below zero.
fn day_in(year: i16, month: u8, day: i8) -> Option<Resolved> {
    let first = Date::new(year, i8::try_from(month).ok()?, 1).ok()?;
    let length = first.days_in_month();
    let wanted = if day < 0 { length + 1 + day } else { day };
    let at = |day: i8| Date::new(first.year(), first.month(), day).ok();
    Some(Resolved { exact: at(wanted), nearest: at(wanted.clamp(1, length))? })
}

/// The nth such weekday of a month, counted from its end when below zero.
fn nth_in(year: i16, month: u8, weekday: u8, nth: i8) -> Option<Resolved> {
    let first = Date::new(year, i8::try_from(month).ok()?, 1).ok()?;
    let day = jiff::civil::Weekday::from_sunday_zero_offset(i8::try_from(weekday).ok()?).ok()?;
    let exact = first.nth_weekday_of_month(nth, day).ok();
    let edge = if nth < 0 { first } else { first.last_of_month() };
    Some(Resolved { exact, nearest: exact.unwrap_or(edge) })
}

fn date_of(civil: Civil) -> Option<Date> {
    Date::new(civil.year, i8::try_from(civil.month).ok()?, i8::try_from(civil.day).ok()?).ok()
}

fn weekday_of(date: Date) -> u8 {
    unsigned(date.weekday().to_sunday_zero_offset())
}

fn unsigned(number: i8) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

fn minute_of(time: Time) -> u16 {
    u16::from(unsigned(time.hour())) * 60 + u16::from(unsigned(time.minute()))
}

/// Minutes after local midnight as a local time; 24:00 and later lie on the next day.
pub(super) fn at_minute(date: Date, minute: u16) -> Result<DateTime, jiff::Error> {
    date.at(0, 0, 0, 0).checked_add(Span::new().minutes(i64::from(minute)))
}
