//! Addresses that complete scans have looked at, as ranges: a host that appears there later is news.

use std::net::IpAddr;

use rusqlite::Connection;

use super::sort_key;

pub fn is_watched(connection: &Connection, address: IpAddr) -> rusqlite::Result<bool> {
    let key = sort_key(address);
    connection
        .prepare_cached(
            "SELECT coalesce((SELECT last >= ?1 FROM watched WHERE first <= ?1 ORDER BY first DESC LIMIT 1), 0)",
        )?
        .query_row([key], |row| row.get(0))
}

/// Adds addresses, which lie in order. Ranges that touch become one.
pub fn watch(connection: &Connection, addresses: &[IpAddr]) -> rusqlite::Result<()> {
    let numbers = addresses.iter().map(|address| u128::from_be_bytes(sort_key(*address)));
    let mut run: Option<(u128, u128)> = None;
    for number in numbers {
        match &mut run {
            Some((_, last)) if number <= last.saturating_add(1) => *last = number.max(*last),
            Some(done) => {
                add(connection, *done)?;
                run = Some((number, number));
            }
            None => run = Some((number, number)),
        }
    }
    run.map_or(Ok(()), |done| add(connection, done))
}

fn add(connection: &Connection, (mut first, mut last): (u128, u128)) -> rusqlite::Result<()> {
    let key = u128::to_be_bytes;
    let number = |bytes: Vec<u8>| bytes.try_into().map(u128::from_be_bytes).unwrap_or_default();
    let touching: Vec<(Vec<u8>, Vec<u8>)> = connection
        .prepare_cached("SELECT first, last FROM watched WHERE first <= ?2 AND last >= ?1")?
        .query_map([key(first.saturating_sub(1)), key(last.saturating_add(1))], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (from, to) in touching {
        connection.prepare_cached("DELETE FROM watched WHERE first = ?1")?.execute([&from])?;
        (first, last) = (first.min(number(from)), last.max(number(to)));
    }
    connection.prepare_cached("INSERT INTO watched VALUES (?1, ?2)")?.execute([key(first), key(last)])?;
    Ok(())
}
