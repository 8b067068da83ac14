//! A new inventory with the statuses we already have: at the start from the store, at a reload from the world.
//! Unchanged and edited objects keep everything, renamed ones too (`was`); what is gone is absent ([`super::absent`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::absent::Absence;
use super::agenda::{Agenda, Slot};
use super::member::{Definition, Member};
use super::rename::{Names, rename_records, renamed};
use super::table::Table;
use super::timers::{Timer, Timers};
use super::world::{Absent, AbsentStatus, NextIds, Records, Restored, World};
use super::{Engine, Index, tell};
use crate::model::comment::CommentKind;
use crate::model::event::{Event, What};
use crate::model::host::Host;
use crate::model::id::{Checkable, Name, ObjectKey};
use crate::model::inventory::{Inventory, SharedInventory};
use crate::model::policy::{Freshness, Own};
use crate::model::service::Service;
use crate::model::state::{Condition, HostState, State, StateType};
use crate::model::status::{HostStatus, ServiceStatus, Status};
use crate::model::time::Timestamp;

/// Where statuses come from. Each is given out once; what is left over is gone.
trait Past {
    fn host(&mut self, name: &Name) -> Option<Kept<HostStatus>>;
    fn service(&mut self, host: &Name, name: &Name) -> Option<Kept<ServiceStatus>>;
    fn rest(self) -> Vec<(ObjectKey, AbsentStatus)>;
}

struct Kept<T> {
    status: T,
    slot: Slot,
    /// `max_check_attempts` and fingerprint of the old definition, where it is known.
    before: Option<(u16, u64)>,
}

/// Statuses in the order of the new inventory.
#[derive(Default)]
struct Carried {
    hosts: Vec<HostStatus>,
    host_slots: Vec<Slot>,
    services: Vec<ServiceStatus>,
    service_slots: Vec<Slot>,
    renamed: Names,
    added: Vec<ObjectKey>,
    absence: Absence,
    changed: usize,
}

impl Engine {
    pub(super) fn restore(inventory: SharedInventory, restored: Restored, now: Timestamp) -> Self {
        let records = Records {
            comments: Arc::new(restored.comments.into_iter().map(|c| (c.id, Arc::new(c))).collect()),
            downtimes: Arc::new(restored.downtimes.into_iter().map(|d| (d.id, Arc::new(d))).collect()),
            alarms: Arc::new(restored.alarms.into_iter().map(|a| (a.id, Arc::new(a))).collect()),
            tickets: Arc::new(restored.tickets.into_iter().map(|t| (t.id, Arc::new(t))).collect()),
            open_tickets: restored.open_tickets,
            suppressions: Arc::new(restored.suppressions.into_iter().map(|s| (s.id, Arc::new(s))).collect()),
            notifications_off: restored.notifications_off,
            planned: Arc::new(restored.planned),
            absent: Arc::default(),
            next: restored.next,
        };
        let mut engine = Self {
            world: World { records, ..World::default() },
            agenda: Agenda::default(),
            timers: Timers::default(),
            index: Index::default(),
            generation: 0,
            started: now,
            seen: now,
            silent: HashMap::default(),
            unchecked: HashMap::default(),
            waiting: Vec::new(),
            is_touched: false,
        };
        let mut past = Memory {
            hosts: restored.hosts.into_iter().map(|(key, status)| (key.host, status)).collect(),
            services: restored.services.into_iter().collect(),
            now,
        };
        let absent = past.take_absent(restored.absent);
        let carried = carry(past, absent, &inventory, now);
        let mut events = Vec::new();
        engine.settle(inventory, carried, now, &mut events);
        // Objects without a past are simply new when everything is.
        events.retain(|event| !matches!(event.what, What::ObjectAdded { .. }));
        engine.waiting = events;
        engine
    }

    pub(super) fn reload(&mut self, inventory: SharedInventory, now: Timestamp, events: &mut Vec<Event>) {
        let old = Arc::clone(&self.world.inventory);
        let past = Running {
            hosts_left: vec![true; old.hosts.len()],
            services_left: vec![true; old.services.len()],
            old: &old,
            world: &self.world,
            agenda: &self.agenda,
        };
        let absent = BTreeMap::clone(&self.world.records.absent);
        let carried = carry(past, absent, &inventory, now);
        self.generation = self.generation.wrapping_add(1);
        let told = What::Reloaded {
            hosts: inventory.hosts.len(),
            services: inventory.services.len(),
            added: carried.added.len(),
            changed: carried.changed,
            removed: carried.absence.gone.len(),
        };
        let silent = std::mem::take(&mut self.silent);
        let unchecked = std::mem::take(&mut self.unchecked);
        let unchecked = unchecked.into_iter().map(|(object, why)| (old.key(object), why)).collect::<Vec<_>>();
        let begun = Arc::clone(&self.world.records.planned);
        let silent = silent.into_iter().map(|(object, since)| (old.key(object), since)).collect::<Vec<_>>();
        self.settle(inventory, carried, now, events);
        self.silent = silent
            .into_iter()
            .filter_map(|(key, since)| Some((self.world.inventory.find_also_renamed(&key)?, since)))
            .collect();
        self.unchecked = unchecked
            .into_iter()
            .filter_map(|(key, why)| Some((self.world.inventory.find_also_renamed(&key)?, why)))
            .collect();
        self.cover_more(&old, &begun, now, events);
        tell(events, now, told);
    }

    /// Puts the carried statuses in place, then derives from them all that can be derived.
    fn settle(
        &mut self,
        inventory: SharedInventory,
        carried: Carried,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        self.world.hosts = carried.hosts.into_iter().collect::<Table<_>>();
        self.world.services = carried.services.into_iter().collect::<Table<_>>();
        self.world.inventory = inventory;
        self.agenda = Agenda::new(carried.host_slots, carried.service_slots);
        self.timers = Timers::default();
        if !carried.renamed.is_empty() {
            rename_records(&mut self.world, &carried.renamed);
            tell(events, now, What::ObjectsRenamed { names: Arc::new(carried.renamed) });
        }
        self.forget_unmonitored();
        self.take_absence(carried.absence, now, events);
        self.fix_alarms(now, events);
        self.reindex();
        self.fix_comments(now, events);
        for subject in carried.added {
            tell(events, now, What::ObjectAdded { subject });
        }
        self.settle_objects(now, events);
        self.plan_downtimes(now, events);
        self.plan_all(now);
        self.world.totals = self.world.recount();
        let unknown = self.every_object().filter(|object| {
            Definition::of(&self.world.inventory, *object).is_assumed_up()
                && self.may_be_checked(*object)
                && !self.world.glance(*object).has_been_checked
        });
        for object in unknown.collect::<Vec<_>>() {
            let slot = Slot { due: Some(now), is_off_phase: true, ..Slot::default() };
            self.assume_up(object, slot, now);
        }
    }

    fn settle_objects(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let inventory = Arc::clone(&self.world.inventory);
        let hosts = inventory.host_ids().map(Checkable::Host);
        for object in hosts.chain(inventory.service_ids().map(Checkable::Service)) {
            let definition = Definition::of(&inventory, object);
            self.keep_plan_in_bounds(object, &definition, now);
            self.plan_anew_if_off(object);
            let seen = self.world.glance(object);
            if definition.policy.freshness != Freshness::Off {
                self.set_freshness_timer(object);
            }
            if seen.is_flapping {
                self.flap_detection_may_be_off(object, now, events);
            }
            if seen.is_acknowledged {
                self.set_acknowledgement_timer(object);
            }
            self.restore_notification(object);
            if seen.is_problem {
                self.wake_rules(object, now);
            }
        }
        let downtimes: Vec<_> = self.world.records.downtimes.values().cloned().collect();
        for downtime in downtimes {
            self.set_downtime_timers(&downtime, now);
        }
        let tickets: Vec<_> = self.world.records.tickets.values().cloned().collect();
        for head in tickets {
            self.set_ticket_timers(&head, now);
        }
    }

    /// A next check stays where it is, unless the interval became so short that it would come too late.
    fn keep_plan_in_bounds(&mut self, object: Checkable, definition: &Definition<'_>, now: Timestamp) {
        let slot = *self.agenda.slot(object);
        let policy = definition.policy;
        let interval = policy.check_interval.max(policy.retry_interval);
        if let Some(due) = slot.due
            // After a check out of turn it may be half an interval more until the object's own time.
            && due > now.after(interval + interval / 2)
        {
            let own = self.own_time(object, policy.check_interval.max(Duration::from_secs(1)), now);
            let own = self.fit_in_period(object, definition, own);
            if own < due {
                self.agenda.plan(object, Some(own));
            }
        }
    }

    fn plan_anew_if_off(&mut self, object: Checkable) {
        if !self.may_be_checked(object) && !self.agenda.slot(object).is_forced {
            self.agenda.plan(object, None);
        }
        self.show_plan(object);
    }

    fn set_acknowledgement_timer(&mut self, object: Checkable) {
        let acknowledgement = match object {
            Checkable::Host(id) => &self.world.host(id).acknowledgement,
            Checkable::Service(id) => &self.world.service(id).acknowledgement,
        };
        if let Some(at) = acknowledgement.as_ref().and_then(|ack| ack.expires) {
            self.timers.set(at, Timer::AcknowledgementExpiry(object));
        }
    }

    /// `monitor: off`: nobody looks any more, so nothing is known any more. Switches stay.
    fn forget_unmonitored(&mut self) {
        fn forget<M: Member>(world: &mut World, id: M) {
            let inventory = Arc::clone(&world.inventory);
            let definition = Definition::of(&inventory, id.object());
            if !definition.is_monitored && id.status(world).has_been_checked {
                let status = id.status_mut(world);
                let fresh = take_up::<M::State>(None, &definition).0;
                *status = Status { switches: status.switches, last_problem: status.problem, ..fresh };
            }
        }
        for object in self.every_object() {
            match object {
                Checkable::Host(id) => forget(&mut self.world, id),
                Checkable::Service(id) => forget(&mut self.world, id),
            }
        }
    }

    /// Alarms whose problem ended while nobody looked close.
    fn fix_alarms(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let over = |alarm: &crate::model::alarm::Alarm| match self.world.inventory.find(&alarm.subject) {
            Some(object) => self.problem_of(object) != Some(alarm.problem),
            None => !self.world.records.absent.contains_key(&alarm.subject),
        };
        let alarms = self.world.records.alarms.values();
        let over: Vec<_> = alarms.filter(|alarm| over(alarm)).map(|alarm| alarm.id).collect();
        for id in over {
            self.drop_alarm(id, now, events);
        }
    }

    /// The comment of an acknowledgement that is no more, as of an object that is not watched any longer.
    fn fix_comments(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let is_over = |object: &Checkable| !self.world.glance(*object).is_acknowledged;
        let over: Vec<Checkable> = self.index.comments.keys().copied().filter(is_over).collect();
        for object in over {
            for id in self.index.comments.remove(&object).unwrap_or_default() {
                // The index was just made of what is there.
                let _deleted = self.delete_comment(id, now, events);
            }
        }
    }

    fn reindex(&mut self) {
        let Index { told, guests, .. } = std::mem::take(&mut self.index);
        self.index = Index { told, guests, ..Index::default() };
        let World { inventory, records, .. } = &self.world;
        for alarm in records.alarms.values() {
            if let Some(object) = inventory.find(&alarm.subject) {
                self.index.alarms.insert(object, alarm.id);
            }
        }
        for comment in records.comments.values().filter(|one| one.kind == CommentKind::Acknowledgement) {
            if let Some(object) = inventory.find(&comment.subject) {
                self.index.comments.entry(object).or_default().push(comment.id);
            }
        }
        let suppressions: Vec<_> = records.suppressions.values().map(Arc::clone).collect();
        for suppression in suppressions {
            self.index_suppression(&suppression);
        }
        let World { inventory, records, .. } = &self.world;
        // In the order of their numbers: the latest stays.
        for head in records.tickets.values().filter(|head| head.problem.is_some()) {
            if let Some(subject) = &head.subject {
                self.index.tickets.insert(subject.clone(), head.id);
            }
        }
        let mut depths: HashMap<Checkable, u16, RandomState> = HashMap::default();
        for downtime in records.downtimes.values() {
            if let Some(object) = inventory.find(&downtime.subject) {
                self.index.downtimes.entry(object).or_default().push(downtime.id);
                *depths.entry(object).or_default() += u16::from(downtime.is_in_effect());
            }
        }
        for object in self.every_object() {
            let depth = depths.get(&object).copied().unwrap_or(0);
            match object {
                Checkable::Host(id) if self.world.host(id).downtime_depth != depth => {
                    id.status_mut(&mut self.world).downtime_depth = depth;
                }
                Checkable::Service(id) if self.world.service(id).downtime_depth != depth => {
                    id.status_mut(&mut self.world).downtime_depth = depth;
                }
                Checkable::Host(_) | Checkable::Service(_) => {}
            }
        }
    }

    fn every_object(&self) -> impl Iterator<Item = Checkable> + use<> {
        let inventory = &self.world.inventory;
        inventory.host_ids().map(Checkable::Host).chain(inventory.service_ids().map(Checkable::Service))
    }

    /// What a store would give back: for tests of restarts, and for `vigia simulate`.
    pub fn to_restored(&self) -> Restored {
        let World { inventory, hosts, services, records, .. } = &self.world;
        let key = |object| inventory.key(object);
        let host_keys = inventory.host_ids().map(|id| key(Checkable::Host(id)));
        let service_keys = inventory.service_ids().map(|id| key(Checkable::Service(id)));
        let mut restored = Restored {
            hosts: host_keys.zip(hosts.iter().cloned()).collect(),
            services: service_keys.zip(services.iter().cloned()).collect(),
            comments: records.comments.values().map(|comment| (**comment).clone()).collect(),
            downtimes: records.downtimes.values().map(|downtime| (**downtime).clone()).collect(),
            alarms: records.alarms.values().map(|alarm| (**alarm).clone()).collect(),
            tickets: records.tickets.values().map(|head| (**head).clone()).collect(),
            open_tickets: records.open_tickets,
            suppressions: records.suppressions.values().map(|one| (**one).clone()).collect(),
            absent: records.absent.iter().map(|(key, away)| (key.clone(), away.since)).collect(),
            notifications_off: records.notifications_off,
            planned: (*records.planned).clone(),
            next: NextIds { ..records.next },
        };
        for (key, away) in records.absent.iter() {
            match &away.status {
                AbsentStatus::Host(status) => restored.hosts.push((key.clone(), (**status).clone())),
                AbsentStatus::Service(status) => restored.services.push((key.clone(), (**status).clone())),
            }
        }
        restored
    }
}

fn carry(
    mut past: impl Past,
    mut absent: BTreeMap<ObjectKey, Absent>,
    inventory: &Inventory,
    now: Timestamp,
) -> Carried {
    let mut carried = Carried::default();
    for id in inventory.host_ids() {
        let host = inventory.host(id);
        let definition = Definition::of(inventory, Checkable::Host(id));
        let found = find_host(&mut past, &mut absent, host, now);
        let old_name = found.as_ref().map_or_else(|| host.name.clone(), |found| found.old.host.clone());
        carried.note(ObjectKey::host(host.name.clone()), found.as_ref(), host.fingerprint);
        let (status, slot) = take_up(found.map(|found| found.kept), &definition);
        carried.hosts.push(status);
        carried.host_slots.push(slot);
        for id in &host.services {
            let service = inventory.service(*id);
            debug_assert_eq!(id.index(), carried.services.len(), "services lie in the order of their hosts");
            let definition = Definition::of(inventory, Checkable::Service(*id));
            let found = find_service(&mut past, &mut absent, &old_name, service, now);
            let key = ObjectKey::service(host.name.clone(), service.name.clone());
            carried.note(key, found.as_ref(), service.fingerprint);
            let (status, slot) = take_up(found.map(|found| found.kept), &definition);
            carried.services.push(status);
            carried.service_slots.push(slot);
        }
    }
    let gone = past.rest().into_iter().map(|(key, status)| (key, Absent { since: now, status }));
    carried.absence.gone = gone.collect();
    for (key, away) in absent {
        let key = renamed(&carried.renamed, &key).unwrap_or(key);
        // Another object has taken its name: what was kept of it is of no more use.
        let is_taken = inventory.find(&key).is_some() || carried.absence.gone.contains_key(&key);
        if !is_taken {
            carried.absence.still.insert(key, away);
        }
    }
    carried
}

/// The past of an object of the new inventory.
struct Found<T> {
    /// The name it had.
    old: ObjectKey,
    /// Since when the configuration had not known it.
    away: Option<Timestamp>,
    kept: Kept<T>,
}

/// Whoever was there a moment ago goes before whoever is absent, and the present name before former ones.
fn find_host(
    past: &mut impl Past,
    absent: &mut BTreeMap<ObjectKey, Absent>,
    host: &Host,
    now: Timestamp,
) -> Option<Found<HostStatus>> {
    let names = || std::iter::once(&host.name).chain(&host.was);
    let present = names().find_map(|name| {
        let kept = past.host(name)?;
        Some(Found { old: ObjectKey::host(name.clone()), away: None, kept })
    });
    present.or_else(|| {
        names().find_map(|name| {
            let old = ObjectKey::host(name.clone());
            let Absent { since, status: AbsentStatus::Host(status) } = absent.remove(&old)? else {
                return None;
            };
            Some(Found { old, away: Some(since), kept: kept_on_disk(Arc::unwrap_or_clone(status), now) })
        })
    })
}

fn find_service(
    past: &mut impl Past,
    absent: &mut BTreeMap<ObjectKey, Absent>,
    host: &Name,
    service: &Service,
    now: Timestamp,
) -> Option<Found<ServiceStatus>> {
    let names = || std::iter::once(&service.name).chain(&service.was);
    let present = names().find_map(|name| {
        let kept = past.service(host, name)?;
        Some(Found { old: ObjectKey::service(host.clone(), name.clone()), away: None, kept })
    });
    present.or_else(|| {
        names().find_map(|name| {
            let old = ObjectKey::service(host.clone(), name.clone());
            let Absent { since, status: AbsentStatus::Service(status) } = absent.remove(&old)? else {
                return None;
            };
            Some(Found { old, away: Some(since), kept: kept_on_disk(Arc::unwrap_or_clone(status), now) })
        })
    })
}

impl Carried {
    fn note<T>(&mut self, key: ObjectKey, found: Option<&Found<T>>, fingerprint: u64) {
        let Some(Found { old, away, kept }) = found else {
            self.added.push(key);
            return;
        };
        self.changed += usize::from(kept.before.is_some_and(|(_, before)| before != fingerprint));
        if let Some(since) = away {
            self.absence.back.insert(key.clone(), *since);
        }
        if *old != key {
            self.renamed.insert(old.clone(), key);
        }
    }
}

fn take_up<S: Condition>(kept: Option<Kept<Status<S>>>, definition: &Definition<'_>) -> (Status<S>, Slot) {
    let max_defined = definition.policy.max_check_attempts.max(1);
    let Some(Kept { mut status, slot, before }) = kept else {
        let initial = definition.own.and_then(|own: &Own| S::from_number(own.initial_state?));
        return (Status::pending(initial.unwrap_or_default(), max_defined), Slot::default());
    };
    let max = definition.max_check_attempts(&status);
    let standing = &mut status.standing;
    if standing.state.is_problem() && standing.state_type == StateType::Hard {
        let was_full = before.is_some_and(|(old, _)| {
            status.switches.max_check_attempts.is_none() && standing.attempt >= old && old != max
        });
        standing.attempt = if was_full { max } else { standing.attempt.min(max) };
    }
    (status, slot)
}

/// What the store gave back.
struct Memory {
    hosts: HashMap<Name, HostStatus, RandomState>,
    services: HashMap<ObjectKey, ServiceStatus, RandomState>,
    now: Timestamp,
}

impl Past for Memory {
    fn host(&mut self, name: &Name) -> Option<Kept<HostStatus>> {
        self.hosts.remove(name).map(|status| kept_on_disk(status, self.now))
    }

    fn service(&mut self, host: &Name, name: &Name) -> Option<Kept<ServiceStatus>> {
        let key = ObjectKey { host: host.clone(), service: Some(name.clone()) };
        self.services.remove(&key).map(|status| kept_on_disk(status, self.now))
    }

    fn rest(self) -> Vec<(ObjectKey, AbsentStatus)> {
        let host = |(host, status): (Name, HostStatus)| {
            (ObjectKey { host, service: None }, AbsentStatus::Host(Arc::new(status)))
        };
        let service =
            |(key, status): (ObjectKey, ServiceStatus)| (key, AbsentStatus::Service(Arc::new(status)));
        self.hosts.into_iter().map(host).chain(self.services.into_iter().map(service)).collect()
    }
}

impl Memory {
    /// Takes out those that were absent already when it was kept.
    fn take_absent(&mut self, absent: Vec<(ObjectKey, Timestamp)>) -> BTreeMap<ObjectKey, Absent> {
        let mut taken = BTreeMap::new();
        for (key, since) in absent {
            let status = match &key.service {
                None => AbsentStatus::Host(Arc::new(
                    self.hosts.remove(&key.host).unwrap_or_else(|| Status::pending(HostState::Up, 1)),
                )),
                Some(_) => AbsentStatus::Service(Arc::new(
                    self.services.remove(&key).unwrap_or_else(|| Status::pending(State::Ok, 1)),
                )),
            };
            taken.insert(key, Absent { since, status });
        }
        taken
    }
}

/// What was missed meanwhile is planned anew.
fn kept_on_disk<S>(status: Status<S>, now: Timestamp) -> Kept<Status<S>> {
    let slot = Slot { due: status.next_check.filter(|due| *due > now), ..Slot::default() };
    Kept { status, slot, before: None }
}

/// The world that runs while a new configuration comes in.
struct Running<'a> {
    old: &'a Inventory,
    world: &'a World,
    agenda: &'a Agenda,
    hosts_left: Vec<bool>,
    services_left: Vec<bool>,
}

impl Past for Running<'_> {
    fn host(&mut self, name: &Name) -> Option<Kept<HostStatus>> {
        let id = self.old.host_id(name)?;
        if !std::mem::take(&mut self.hosts_left[id.index()]) {
            return None;
        }
        let old = self.old.host(id);
        Some(Kept {
            status: self.world.host(id).clone(),
            slot: *self.agenda.slot(Checkable::Host(id)),
            before: Some((old.policy.max_check_attempts, old.fingerprint)),
        })
    }

    fn service(&mut self, host: &Name, name: &Name) -> Option<Kept<ServiceStatus>> {
        let id = self.old.service_id(self.old.host_id(host)?, name)?;
        if !std::mem::take(&mut self.services_left[id.index()]) {
            return None;
        }
        let old = self.old.service(id);
        Some(Kept {
            status: self.world.service(id).clone(),
            slot: *self.agenda.slot(Checkable::Service(id)),
            before: Some((old.policy.max_check_attempts, old.fingerprint)),
        })
    }

    fn rest(self) -> Vec<(ObjectKey, AbsentStatus)> {
        let key = |object| self.old.key(object);
        let hosts = self.old.host_ids().filter(|id| self.hosts_left[id.index()]);
        let hosts = hosts
            .map(|id| (key(Checkable::Host(id)), AbsentStatus::Host(Arc::new(self.world.host(id).clone()))));
        let services = self.old.service_ids().filter(|id| self.services_left[id.index()]);
        let services = services.map(|id| {
            (key(Checkable::Service(id)), AbsentStatus::Service(Arc::new(self.world.service(id).clone())))
        });
        hosts.chain(services).collect()
    }
}
