//! Everything the engine is given at start.

use rusqlite::Connection;
use tracing::warn;
use vigia_core::engine::world::{NextIds, Restored};
use vigia_core::model::alarm::Alarm;
use vigia_core::model::ticket::TicketHead;

use super::rows::unsigned;
use super::{absent, alarms, comments, downtimes, notifications, status, suppressions, tickets};

pub(super) fn restore(connection: &Connection) -> rusqlite::Result<Restored> {
    let mut restored = Restored {
        comments: comments::all(connection)?,
        downtimes: downtimes::not_ended(connection)?,
        alarms: alarms::standing(connection)?,
        tickets: tickets::heads(connection)?,
        open_tickets: tickets::how_many_open(connection)?,
        suppressions: suppressions::in_force(connection)?,
        absent: absent::all(connection)?,
        ..Restored::default()
    };
    let mut unreadable =
        status::restore(connection, false, |key, status| restored.hosts.push((key, status)))?;
    unreadable += status::restore(connection, true, |key, status| restored.services.push((key, status)))?;
    if unreadable > 0 {
        warn!(
            event = "store.unreadable",
            count = unreadable,
            "statuses could not be read and start as pending"
        );
    }
    restored.next = next_ids(connection, &restored)?;
    restored.notifications_off = notifications::are_off(connection)?;
    restored.planned = notifications::planned(connection)?;
    Ok(restored)
}

/// The kept counters, and never below what the records themselves show: a crash may have come in between.
fn next_ids(connection: &Connection, restored: &Restored) -> rusqlite::Result<NextIds> {
    let kept = |name: &str| {
        connection.query_row("SELECT coalesce(max(next), 1) FROM counter WHERE name = ?1", [name], |row| {
            row.get(0).map(unsigned)
        })
    };
    let after = |sql: &str| connection.query_row(sql, [], |row| row.get(0).map(unsigned));
    Ok(NextIds {
        problem: kept("problem")?.max(next_problem(restored)),
        alarm: kept("alarm")?.max(after("SELECT coalesce(max(id), 0) + 1 FROM alarm")?),
        ticket: kept("ticket")?.max(after("SELECT coalesce(max(id), 0) + 1 FROM ticket")?),
        comment: kept("comment")?.max(after("SELECT coalesce(max(id), 0) + 1 FROM comment")?),
        suppression: kept("suppression")?.max(after("SELECT coalesce(max(id), 0) + 1 FROM suppression")?),
        downtime: kept("downtime")?.max(after("SELECT coalesce(max(id), 0) + 1 FROM downtime")?),
    })
}

fn next_problem(restored: &Restored) -> u64 {
    let of_hosts = restored.hosts.iter().map(|(_, status)| (status.problem, status.last_problem));
    let of_services = restored.services.iter().map(|(_, status)| (status.problem, status.last_problem));
    let of_alarms = restored.alarms.iter().map(|alarm: &Alarm| (Some(alarm.problem), None));
    let of_tickets = restored.tickets.iter().map(|head: &TicketHead| (head.problem, None));
    of_hosts
        .chain(of_services)
        .chain(of_alarms)
        .chain(of_tickets)
        .flat_map(|(a, b)| [a, b])
        .flatten()
        .map(|problem| problem.0 + 1)
        .max()
        .unwrap_or(1)
}
