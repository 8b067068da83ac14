//! Statuses of hosts and services: only what differs from the last saved world is written.
//!
//! A million services cost by change: tables whose chunks are the very same are skipped by pointer, and in the
//! others only the objects that differ make a row.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row, params};
use vigia_core::engine::table::Table;
use vigia_core::engine::world::World;
use vigia_core::model::acknowledgement::Acknowledgement;
use vigia_core::model::check::{Output, Source};
use vigia_core::model::id::{Checkable, HostId, Name, ObjectKey, ProblemId, ServiceId};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::state::{Condition, Standing};
use vigia_core::model::status::{Millis, NotificationStatus, Status, Switches};
use vigia_core::model::time::Timestamp;

use super::notifications;
use super::rows::{self, maybe_time, micros, signed, unsigned};

const SAVE: &str = "INSERT OR REPLACE INTO status VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, \
     ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, \
     ?45, ?46, ?47, ?48)";

/// The world as the file knows it, and the row numbers of its objects.
#[derive(Debug)]
pub(super) struct Saved {
    world: Arc<World>,
    hosts: Ids,
    services: Ids,
}

/// Row numbers by place in the inventory; 0: not looked up yet.
type Ids = Vec<i64>;

/// What a transaction that was committed adds to [`Saved`].
#[derive(Debug)]
pub(super) struct Fresh {
    world: Arc<World>,
    hosts: Option<Ids>,
    services: Option<Ids>,
    found: Vec<(Checkable, i64)>,
    pub(super) rows: usize,
}

impl Saved {
    /// `world` is what the file holds already: the one the engine made of the restored statuses.
    pub(super) fn new(world: Arc<World>) -> Self {
        let (hosts, services) = (vec![0; world.hosts.len()], vec![0; world.services.len()]);
        Self { world, hosts, services }
    }

    /// After the commit; a transaction that was rolled back leaves us as we were.
    pub(super) fn accept(&mut self, fresh: Fresh) {
        self.world = fresh.world;
        self.hosts = fresh.hosts.unwrap_or_else(|| std::mem::take(&mut self.hosts));
        self.services = fresh.services.unwrap_or_else(|| std::mem::take(&mut self.services));
        for (object, id) in fresh.found {
            let slot = match object {
                Checkable::Host(host) => self.hosts.get_mut(host.index()),
                Checkable::Service(service) => self.services.get_mut(service.index()),
            };
            if let Some(slot) = slot {
                *slot = id;
            }
        }
    }

    /// Writes every status of `world` that the file does not hold as it is.
    pub(super) fn save(&self, connection: &Connection, world: &Arc<World>) -> rusqlite::Result<Fresh> {
        let mut fresh =
            Fresh { world: world.clone(), hosts: None, services: None, found: Vec::new(), rows: 0 };
        if Arc::ptr_eq(&self.world, world) {
            return Ok(fresh);
        }
        if Arc::ptr_eq(&self.world.inventory, &world.inventory) {
            self.save_changed(connection, world, &mut fresh)?;
        } else {
            self.save_reloaded(connection, world, &mut fresh)?;
        }
        save_counters(connection, &self.world, world)?;
        Ok(fresh)
    }

    /// The usual case: same inventory, so places mean the same and unchanged chunks are skipped.
    fn save_changed(
        &self,
        connection: &Connection,
        world: &World,
        fresh: &mut Fresh,
    ) -> rusqlite::Result<()> {
        let mut writer = RowWriter {
            connection,
            save: connection.prepare_cached(SAVE)?,
            inventory: &world.inventory,
            fresh,
        };
        for (at, status, before) in differing(&world.hosts, &self.world.hosts) {
            let id = self.hosts.get(at).copied().unwrap_or(0);
            writer.write(Checkable::Host(HostId(place(at))), id, status, before)?;
        }
        for (at, status, before) in differing(&world.services, &self.world.services) {
            let id = self.services.get(at).copied().unwrap_or(0);
            writer.write(Checkable::Service(ServiceId(place(at))), id, status, before)?;
        }
        Ok(())
    }

    /// After a reload places mean something else: objects are paired by name.
    fn save_reloaded(
        &self,
        connection: &Connection,
        world: &World,
        fresh: &mut Fresh,
    ) -> rusqlite::Result<()> {
        let (old, new) = (&self.world, world);
        let mut hosts = vec![0; new.hosts.len()];
        let mut services = vec![0; new.services.len()];
        let mut writer = RowWriter {
            connection,
            save: connection.prepare_cached(SAVE)?,
            inventory: &new.inventory,
            fresh,
        };
        for host in new.inventory.host_ids() {
            let definition = new.inventory.host(host);
            let before = old.inventory.host_id(&definition.name);
            let id = before.and_then(|id| self.hosts.get(id.index())).copied().unwrap_or(0);
            let status = before.map(|id| old.host(id));
            hosts[host.index()] = writer.write(Checkable::Host(host), id, new.host(host), status)?;
            for service in &definition.services {
                let name = &new.inventory.service(*service).name;
                let before = before.and_then(|host| old.inventory.service_id(host, name));
                let id = before.and_then(|id| self.services.get(id.index())).copied().unwrap_or(0);
                let status = before.map(|id| old.service(id));
                services[service.index()] =
                    writer.write(Checkable::Service(*service), id, new.service(*service), status)?;
            }
        }
        drop(writer);
        fresh.found.clear();
        (fresh.hosts, fresh.services) = (Some(hosts), Some(services));
        Ok(())
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("the load limit is far below")
}

/// Statuses that are not what they were, each with what it was.
fn differing<'a, S: Condition>(
    now: &'a Table<Status<S>>,
    before: &'a Table<Status<S>>,
) -> impl Iterator<Item = (usize, &'a Status<S>, Option<&'a Status<S>>)> + 'a {
    now.changed_chunks(before).flat_map(move |(first, chunk)| {
        chunk.iter().enumerate().filter_map(move |(offset, status)| {
            let at = first + offset;
            let old = (at < before.len()).then(|| before.get(at));
            (old != Some(status)).then_some((at, status, old))
        })
    })
}

struct RowWriter<'a> {
    connection: &'a Connection,
    /// [`SAVE`]; looking it up again for each row would be a tenth of the work.
    save: CachedStatement<'a>,
    inventory: &'a Inventory,
    fresh: &'a mut Fresh,
}

impl RowWriter<'_> {
    /// Writes one status if it must be, and says which row the object has (0: not known).
    fn write<S: Condition>(
        &mut self,
        object: Checkable,
        id: i64,
        status: &Status<S>,
        before: Option<&Status<S>>,
    ) -> rusqlite::Result<i64> {
        let is_needed = match before {
            Some(before) => before != status,
            None => is_worth_keeping(status),
        };
        if !is_needed {
            return Ok(id);
        }
        let row = if id == 0 { rows::object_id(self.connection, &self.inventory.key(object))? } else { id };
        if id == 0 {
            self.fresh.found.push((object, row));
        }
        save(&mut self.save, row, status)?;
        self.fresh.rows += 1;
        Ok(row)
    }
}

/// A pending object that nobody touched is the same as none.
fn is_worth_keeping<S: Condition>(status: &Status<S>) -> bool {
    status.has_been_checked
        || status.acknowledgement.is_some()
        || status.downtime_depth > 0
        || status.switches != Switches::default()
        || status.notification != NotificationStatus::default()
}

fn save<S: Condition>(
    statement: &mut CachedStatement<'_>,
    object: i64,
    status: &Status<S>,
) -> rusqlite::Result<()> {
    let acknowledgement = status.acknowledgement.as_deref();
    let [ok, warning, critical, unknown] = status.last_time_in.map(micros);
    statement.execute(params![
        object,
        status.standing.state.number(),
        status.standing.state_type.number(),
        status.standing.attempt,
        status.last_state.number(),
        status.last_hard_state.number(),
        status.has_been_checked,
        status.host_problem_at_last_check,
        status.is_flapping,
        status.source == Source::Passive,
        status.switches.active_checks,
        status.switches.passive_checks,
        status.switches.notifications,
        status.switches.flap_detection,
        status.switches.event_handler,
        status.switches.max_check_attempts,
        micros(status.last_check),
        micros(status.next_check),
        micros(status.last_state_change),
        micros(status.last_hard_state_change),
        ok,
        warning,
        critical,
        unknown,
        status.latency.tenths(),
        status.execution_time.tenths(),
        &status.output.text,
        &status.output.long,
        &status.output.perfdata,
        status.flap_history.cast_signed(),
        if status.percent_state_change.is_nan() { 0.0 } else { status.percent_state_change },
        status.problem.map(|problem| signed(problem.0)),
        status.last_problem.map(|problem| signed(problem.0)),
        acknowledgement.map(|ack| &*ack.author),
        acknowledgement.map(|ack| &*ack.comment),
        acknowledgement.map(|ack| ack.at.as_micros()),
        acknowledgement.map(|ack| rows::lasts_number(ack.lasts)),
        acknowledgement.and_then(|ack| micros(ack.expires)),
        status.downtime_depth,
        status.notification.number,
        micros(status.notification.last),
        status.notification.notified_on,
        status.notification.no_more,
        micros(status.notification.next),
        micros(status.notification.again),
        notifications::told_text(&status.notification),
        notifications::held_text(&status.notification),
        notifications::acts_text(&status.notification),
    ])?;
    Ok(())
}

fn save_counters(connection: &Connection, before: &World, world: &World) -> rusqlite::Result<()> {
    let next = world.records.next;
    if before.records.notifications_off != world.records.notifications_off {
        notifications::save_switch(connection, world.records.notifications_off)?;
    }
    if !Arc::ptr_eq(&before.records.planned, &world.records.planned) {
        notifications::save_planned(connection, &before.records.planned, &world.records.planned)?;
    }
    if before.records.next == next {
        return Ok(());
    }
    let counters = [
        ("problem", next.problem),
        ("alarm", next.alarm),
        ("ticket", next.ticket),
        ("comment", next.comment),
        ("downtime", next.downtime),
        ("suppression", next.suppression),
    ];
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO counter VALUES (?1, ?2)")?;
    for (name, number) in counters {
        statement.execute((name, signed(number)))?;
    }
    Ok(())
}

/// Reads columns in the order of the table `status`, from its second one on.
struct Columns<'a, 'b> {
    row: &'a Row<'b>,
    at: usize,
}

impl Columns<'_, '_> {
    fn next<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.at);
        self.at += 1;
        value
    }

    fn time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        self.next().map(maybe_time)
    }

    fn state<S: Condition>(&mut self) -> rusqlite::Result<S> {
        self.next().map(rows::state)
    }

    fn problem(&mut self) -> rusqlite::Result<Option<ProblemId>> {
        self.next().map(|number: Option<i64>| number.map(|number| ProblemId(unsigned(number))))
    }

    fn millis(&mut self) -> rusqlite::Result<Millis> {
        self.next().map(Millis::from_tenths)
    }

    fn acknowledgement(&mut self) -> rusqlite::Result<Option<Arc<Acknowledgement>>> {
        let author: Option<Arc<str>> = self.next()?;
        let comment: Option<Arc<str>> = self.next()?;
        let at = self.time()?;
        let lasts: Option<i64> = self.next()?;
        let expires = self.time()?;
        Ok(author.zip(at).map(|(author, at)| {
            let comment = comment.unwrap_or_default();
            let lasts = rows::lasts(lasts.unwrap_or(0));
            Arc::new(Acknowledgement { author, comment, at, lasts, expires })
        }))
    }
}

/// Fields are read in the order in which the table has them; struct fields below are evaluated as written.
fn status<S: Condition>(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Status<S>> {
    let c = columns;
    Ok(Status {
        standing: Standing {
            state: c.state()?,
            state_type: c.next().map(rows::state_type)?,
            attempt: c.next()?,
        },
        last_state: c.state()?,
        last_hard_state: c.state()?,
        has_been_checked: c.next()?,
        host_problem_at_last_check: c.next()?,
        is_flapping: c.next()?,
        source: if c.next()? { Source::Passive } else { Source::Active },
        switches: Switches {
            active_checks: c.next()?,
            passive_checks: c.next()?,
            notifications: c.next()?,
            flap_detection: c.next()?,
            event_handler: c.next()?,
            max_check_attempts: c.next()?,
        },
        last_check: c.time()?,
        next_check: c.time()?,
        last_state_change: c.time()?,
        last_hard_state_change: c.time()?,
        last_time_in: [c.time()?, c.time()?, c.time()?, c.time()?],
        latency: c.millis()?,
        execution_time: c.millis()?,
        output: Arc::new(Output { text: c.next()?, long: c.next()?, perfdata: c.next()? }),
        flap_history: c.next::<i64>()?.cast_unsigned(),
        percent_state_change: c.next()?,
        problem: c.problem()?,
        last_problem: c.problem()?,
        acknowledgement: c.acknowledgement()?,
        downtime_depth: c.next()?,
        notification: NotificationStatus {
            number: c.next()?,
            last: c.time()?,
            notified_on: c.next()?,
            no_more: c.next()?,
            next: c.time()?,
            again: c.time()?,
            told: notifications::told(c.next::<Option<String>>()?.as_deref()),
            held: notifications::held(c.next::<Option<String>>()?.as_deref()),
            acts: notifications::acts(c.next::<Option<String>>()?.as_deref()),
        },
    })
}

/// All statuses of hosts (`services: false`) or services, hands each to `take`. A row that cannot be read is
/// left out and counted: one damaged row must not keep the daemon from starting.
pub(super) fn restore<S: Condition>(
    connection: &Connection,
    services: bool,
    mut take: impl FnMut(ObjectKey, Status<S>),
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare(if services {
        "SELECT host, service, status.* FROM status JOIN object ON object.id = status.object \
         WHERE service <> '' ORDER BY host, service"
    } else {
        "SELECT host, service, status.* FROM status JOIN object ON object.id = status.object \
         WHERE service = '' ORDER BY host"
    })?;
    let mut rows = statement.query([])?;
    let mut host = Name::from("");
    let mut unreadable = 0;
    while let Some(row) = rows.next()? {
        // Neighbours share one name, as they do in an inventory.
        if row.get_ref(0)?.as_str()? != &*host {
            host = row.get(0)?;
        }
        let key = rows::key(host.clone(), row.get_ref(1)?.as_str()?);
        match status(&mut Columns { row, at: 3 }) {
            Ok(status) => take(key, status),
            Err(_) => unreadable += 1,
        }
    }
    Ok(unreadable)
}
