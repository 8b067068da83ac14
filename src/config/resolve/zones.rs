//! Timeperiods that name no timezone, read on the clock of a contact that has its own.

use hashbrown::HashSet;
use jiff::tz::TimeZone;
use vigia_core::model::period::{PeriodId, TimePeriod};

/// Periods that leave others out that leave others out; circles were reported.
const DEPTH: u8 = 8;

/// The same period in `zone`: itself where it says its own zone, else a copy, made once for each zone.
pub(super) fn read_in(
    periods: &mut Vec<TimePeriod>,
    floating: &HashSet<PeriodId>,
    id: PeriodId,
    zone: &str,
) -> PeriodId {
    // One that is not there was reported with its contact.
    let Ok(found) = TimeZone::get(zone) else { return id };
    copy(periods, floating, id, (zone, &found), DEPTH)
}

fn copy(
    periods: &mut Vec<TimePeriod>,
    floating: &HashSet<PeriodId>,
    id: PeriodId,
    zone: (&str, &TimeZone),
    depth: u8,
) -> PeriodId {
    let Some(period) = periods.get(usize::from(id.0)).filter(|_| floating.contains(&id) && depth > 0) else {
        return id;
    };
    let name = format!("{} in {}", period.name, zone.0);
    if let Some(known) = periods.iter().position(|other| *other.name == *name) {
        return u16::try_from(known).map_or(id, PeriodId);
    }
    let (mut made, excluded) = (period.clone(), period.exclude.clone());
    (made.name, made.timezone) = (name.into(), Some(zone.1.clone()));
    made.exclude =
        excluded.into_iter().map(|other| copy(periods, floating, other, zone, depth - 1)).collect();
    let Ok(place) = u16::try_from(periods.len()) else { return id };
    periods.push(made);
    PeriodId(place)
}
