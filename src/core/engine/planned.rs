//! Downtimes of the files: once, or again and again on the wall clock of their zone. Each occurrence becomes
//! downtimes like any other when it begins.
//!
//! A start that the clock skips in spring happens at the next instant there is; one that comes twice in autumn
//! happens the first time. How long it lasts is counted in hours that pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::Engine;
use super::member::Definition;
use super::period::{at_minute, matches};
use super::selection::selects;
use super::timers::Timer;
use crate::model::downtime::{Downtime, DowntimeKind, Plan, PlannedDowntime, Recurrence};
use crate::model::event::Event;
use crate::model::id::{Checkable, DowntimeId, Name};
use crate::model::inventory::Inventory;
use crate::model::time::Timestamp;

/// How far ahead an occurrence is looked for: beyond it lies no 29 February that was not seen before.
const HORIZON_DAYS: usize = 366 * 9;

impl Recurrence {
    /// The next time after an instant, on the wall clock of a zone.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.starts_from(day_before(after, zone)?, zone.clone()).find(|start| *start > after)
    }

    fn starts_from(&self, day: Date, zone: TimeZone) -> impl Iterator<Item = Timestamp> + '_ {
        let days = std::iter::successors(Some(day), |day| day.tomorrow().ok()).take(HORIZON_DAYS);
        days.filter(|day| matches(&self.days, *day))
            .filter_map(move |day| instant(at_minute(day, self.minute).ok()?, &zone))
    }
}

/// The day before that of an instant: its starts may lie after midnight where a clock was put back.
fn day_before(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    zone.to_datetime(at.to_jiff()).date().checked_sub(1.day()).ok()
}

fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let place = zone.to_ambiguous_zoned_datetime(local);
    let is_skipped = matches!(place.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
    let earlier = place.earlier().ok()?.timestamp();
    if !is_skipped {
        return Some(earlier.into());
    }
    zone.following(earlier).next().map(|jump| jump.timestamp().into())
}

impl PlannedDowntime {
    /// The next start after an instant; none: it does not begin again.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.when {
            Plan::Once { start, .. } => Some(self.instant(*start)?).filter(|start| *start > after),
            Plan::Every(_) => self.starts_from(self.day_of(after)?).find(|start| *start > after),
        }
    }

    /// The start of the occurrence in whose time an instant lies, the latest of several.
    pub fn running_start(&self, now: Timestamp) -> Option<Timestamp> {
        let is_running =
            |start: &Timestamp| *start <= now && self.end_of(*start).is_some_and(|end| end > now);
        match &self.when {
            Plan::Once { start, .. } => self.instant(*start).filter(is_running),
            Plan::Every(_) => {
                let earliest = self.day_of(now.before(self.span()))?;
                self.starts_from(earliest).take_while(|start| *start <= now).filter(is_running).last()
            }
        }
    }

    /// How long after its start it may still begin or lasts.
    fn span(&self) -> Duration {
        let lasts = self.duration.unwrap_or_default();
        if self.flexible { self.window } else { lasts }
    }

    fn end_of(&self, start: Timestamp) -> Option<Timestamp> {
        match &self.when {
            Plan::Once { end, .. } => self.instant(*end),
            Plan::Every(_) => Some(start.after(self.span())),
        }
    }

    /// Starts from a day on, in order.
    fn starts_from(&self, day: Date) -> impl Iterator<Item = Timestamp> + '_ {
        let every = match &self.when {
            Plan::Every(every) => Some(every),
            Plan::Once { .. } => None,
        };
        let zone = self.zone();
        every.into_iter().flat_map(move |every| every.starts_from(day, zone.clone()))
    }

    fn day_of(&self, at: Timestamp) -> Option<Date> {
        day_before(at, &self.zone())
    }

    fn zone(&self) -> TimeZone {
        self.timezone.clone().unwrap_or(TimeZone::UTC)
    }

    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        instant(local, &self.zone())
    }

    fn covers(&self, inventory: &Inventory, object: Checkable) -> bool {
        let is_meant = match object {
            Checkable::Host(_) => self.hosts,
            Checkable::Service(_) => self.services,
        };
        is_meant && Definition::of(inventory, object).is_monitored && selects(inventory, &self.only, object)
    }
}

fn every_object(inventory: &Inventory) -> impl Iterator<Item = Checkable> + use<> {
    inventory.host_ids().map(Checkable::Host).chain(inventory.service_ids().map(Checkable::Service))
}

impl Engine {
    /// After a restart or a reload: what begins next, and what should be running and was not begun yet.
    pub(super) fn plan_downtimes(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let inventory = Arc::clone(&self.world.inventory);
        for (at, plan) in inventory.downtimes.iter().enumerate() {
            let Ok(at) = u16::try_from(at) else { continue };
            if let Some(start) = plan.running_start(now) {
                self.begin_planned(plan, start, now, events);
            }
            if let Some(next) = plan.next_start(now) {
                self.timers.set(next, Timer::Planned(at));
            }
        }
    }

    pub(super) fn planned_is_to_begin(&mut self, at: u16, now: Timestamp, events: &mut Vec<Event>) {
        let inventory = Arc::clone(&self.world.inventory);
        let Some(plan) = inventory.downtimes.get(usize::from(at)) else { return };
        if let Some(start) = plan.running_start(now) {
            self.begin_planned(plan, start, now, events);
        }
        if let Some(next) = plan.next_start(now) {
            self.timers.set(next, Timer::Planned(at));
        }
    }

    /// Each occurrence once: one that a person cancelled does not come back with the next restart.
    fn begin_planned(
        &mut self,
        plan: &PlannedDowntime,
        start: Timestamp,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let begun = Arc::make_mut(&mut self.world.records.planned);
        if begun.get(&plan.name).is_some_and(|begun| *begun >= start) {
            return;
        }
        begun.insert(plan.name.clone(), start);
        let inventory = Arc::clone(&self.world.inventory);
        let covered = every_object(&inventory).filter(|object| plan.covers(&inventory, *object));
        for object in covered {
            self.plan_one(plan, object, start, now, events);
        }
    }

    fn plan_one(
        &mut self,
        plan: &PlannedDowntime,
        object: Checkable,
        start: Timestamp,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let Some(end) = plan.end_of(start) else { return };
        let lasts = plan.duration.unwrap_or_else(|| end.since(start));
        let kind = if plan.flexible { DowntimeKind::Flexible(lasts) } else { DowntimeKind::Fixed };
        let downtime = Downtime {
            id: DowntimeId(0),
            subject: self.world.inventory.key(object),
            author: Arc::clone(&plan.author),
            comment: Arc::clone(&plan.comment),
            entered: now,
            start,
            end,
            kind,
            triggered_by: None,
            started: None,
        };
        // It lies in its time, so there is nothing to refuse.
        let _scheduled = self.schedule_downtime(object, downtime, now, events);
    }

    /// After a reload: an occurrence that had begun covers what it did not cover before, a host that was added or
    /// came into a group.
    pub(super) fn cover_more(
        &mut self,
        old: &Inventory,
        begun: &BTreeMap<Name, Timestamp>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let inventory = Arc::clone(&self.world.inventory);
        for plan in &inventory.downtimes {
            let Some(start) = plan.running_start(now).filter(|start| begun.get(&plan.name) >= Some(start))
            else {
                continue;
            };
            let before = old.downtimes.iter().find(|before| before.name == plan.name);
            for object in every_object(&inventory).filter(|object| plan.covers(&inventory, *object)) {
                let known = old.find(&inventory.key(object));
                let was = before.zip(known).is_some_and(|(before, known)| before.covers(old, known));
                if !was && !self.has_planned(object, plan, start) {
                    self.plan_one(plan, object, start, now, events);
                }
            }
        }
    }

    /// It has the downtime of this occurrence, as under the name it had before.
    fn has_planned(&self, object: Checkable, plan: &PlannedDowntime, start: Timestamp) -> bool {
        let ids = self.index.downtimes.get(&object).into_iter().flatten();
        let mut own = ids.filter_map(|id| self.world.records.downtimes.get(id));
        own.any(|one| one.start == start && one.author == plan.author && one.comment == plan.comment)
    }
}
