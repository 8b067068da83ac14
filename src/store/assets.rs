//! Assets whole: rows in, rows out. What a scan makes of them is decided elsewhere; lists are in [`list`].

pub mod list;
pub mod watched;

use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use vigia_core::model::asset::{
    Asset, AssetAddress, AssetOrigin, AssetService, AssetWords, ServiceOrigins, Transport,
};
use vigia_core::model::id::AssetId;

use super::rows::{maybe_time, micros, signed, unsigned};

/// Sixteen bytes in which addresses sort, IPv4 within IPv6.
pub(super) fn sort_key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

const COLUMNS: &str = "asset.id, asset.name, host, origin, names, os, os_evidence, ssh_key, \
     (SELECT ports FROM port_set WHERE port_set.id = asset.asked), first_seen, last_seen, missed, stale, set_name, \
     set_os, kind, description, owner, place, latitude, longitude, value, notes";

pub fn asset(connection: &Connection, id: AssetId) -> rusqlite::Result<Option<Asset>> {
    let sql = format!("SELECT {COLUMNS} FROM asset WHERE id = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([signed(id.0)], read).optional()?;
    found.map(|found| whole(connection, found)).transpose()
}

fn whole(connection: &Connection, mut asset: Asset) -> rusqlite::Result<Asset> {
    asset.addresses = connection
        .prepare_cached(
            "SELECT address, mac, vendor, mac_before, mac_changed, last_seen FROM asset_address WHERE asset = ?1 \
             ORDER BY sort",
        )?
        .query_map([signed(asset.id.0)], read_address)?
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<_>>()?;
    asset.services = connection
        .prepare_cached(
            "SELECT port, transport, name, is_sure, product, version, note, tls_key, tls_until, origins, address, \
             first_seen, last_seen, missed, gone FROM asset_service WHERE asset = ?1 ORDER BY port, transport",
        )?
        .query_map([signed(asset.id.0)], read_service)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(asset)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Asset> {
    let names: Vec<String> = serde_json::from_str(row.get_ref(4)?.as_str()?).unwrap_or_default();
    Ok(Asset {
        id: AssetId(row.get(0).map(unsigned)?),
        found_name: row.get(1)?,
        host: row.get(2)?,
        origin: AssetOrigin::from_word(row.get_ref(3)?.as_str()?),
        names: names.into_iter().map(Arc::from).collect(),
        addresses: Vec::new(),
        found_os: row.get(5)?,
        os_evidence: row.get(6)?,
        ssh_key: row.get(7)?,
        services: Vec::new(),
        asked: row.get(8)?,
        first_seen: row.get(9).map(maybe_time)?,
        last_seen: row.get(10).map(maybe_time)?,
        missed: row.get(11)?,
        stale: row.get(12).map(maybe_time)?,
        set: AssetWords {
            name: row.get(13)?,
            os: row.get(14)?,
            kind: row.get(15)?,
            description: row.get(16)?,
            owner: row.get(17)?,
            place: row.get(18)?,
            latitude: row.get(19)?,
            longitude: row.get(20)?,
            value: row.get(21)?,
            notes: row.get(22)?,
        },
    })
}

/// None where the text is no address, which only a damaged row holds.
fn read_address(row: &Row<'_>) -> rusqlite::Result<Option<AssetAddress>> {
    let Ok(address) = row.get_ref(0)?.as_str()?.parse() else { return Ok(None) };
    Ok(Some(AssetAddress {
        address,
        mac: row.get(1)?,
        vendor: row.get(2)?,
        mac_before: row.get(3)?,
        mac_changed: row.get(4).map(maybe_time)?,
        last_seen: row.get(5).map(maybe_time)?,
    }))
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<AssetService> {
    let origins: u8 = row.get(9)?;
    Ok(AssetService {
        port: row.get(0)?,
        transport: Transport::from_name(row.get_ref(1)?.as_str()?).unwrap_or_default(),
        name: row.get(2)?,
        is_sure: row.get(3)?,
        product: row.get(4)?,
        version: row.get(5)?,
        note: row.get(6)?,
        tls_key: row.get(7)?,
        tls_until: row.get(8).map(maybe_time)?,
        origins: ServiceOrigins {
            active: origins & 1 != 0,
            passive: origins & 2 != 0,
            by_hand: origins & 4 != 0,
        },
        address: row.get::<_, Option<String>>(10)?.and_then(|address| address.parse().ok()),
        first_seen: row.get(11).map(maybe_time)?,
        last_seen: row.get(12).map(maybe_time)?,
        missed: row.get(13)?,
        gone: row.get(14).map(maybe_time)?,
    })
}

fn port_set(connection: &Connection, ports: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT OR IGNORE INTO port_set (ports) VALUES (?1)")?.execute([ports])?;
    connection
        .prepare_cached("SELECT id FROM port_set WHERE ports = ?1")?
        .query_row([ports], |row| row.get(0))
}

/// Writes what scans know of an asset, and leaves what people said. A new one gets its number here.
pub fn save(connection: &Connection, asset: &Asset) -> rusqlite::Result<AssetId> {
    let names: Vec<&str> = asset.names.iter().map(|name| &**name).collect();
    let asked = asset.asked.as_deref().map(|ports| port_set(connection, ports)).transpose()?;
    let id = (asset.id.0 != 0).then(|| signed(asset.id.0));
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO asset (id, name, host, origin, names, os, os_evidence, ssh_key, asked, first_seen, last_seen, \
             missed, stale) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO \
             UPDATE SET name = ?2, host = ?3, origin = ?4, names = ?5, os = ?6, os_evidence = ?7, ssh_key = ?8, \
             asked = ?9, first_seen = ?10, last_seen = ?11, missed = ?12, stale = ?13 RETURNING id",
        )?
        .query_row(
            params![
                id,
                &*asset.found_name,
                asset.host.as_deref(),
                asset.origin.word(),
                serde_json::json!(names).to_string(),
                asset.found_os.as_deref(),
                &*asset.os_evidence,
                asset.ssh_key.as_deref(),
                asked,
                micros(asset.first_seen),
                micros(asset.last_seen),
                asset.missed,
                micros(asset.stale),
            ],
            |row| row.get(0),
        )?;
    save_addresses(connection, id, &asset.addresses)?;
    save_services(connection, id, &asset.services)?;
    Ok(AssetId(unsigned(id)))
}

/// An address that another asset had goes over to this one.
fn save_addresses(connection: &Connection, id: i64, addresses: &[AssetAddress]) -> rusqlite::Result<()> {
    let mut gone = connection.prepare_cached("SELECT address FROM asset_address WHERE asset = ?1")?;
    let held: Vec<String> = gone.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for address in held.iter().filter(|held| !addresses.iter().any(|one| one.address.to_string() == **held)) {
        connection.prepare_cached("DELETE FROM asset_address WHERE address = ?1")?.execute([address])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO asset_address (address, asset, sort, mac, vendor, mac_before, mac_changed, last_seen) VALUES \
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (address) DO UPDATE SET asset = ?2, mac = ?4, vendor = ?5, \
         mac_before = ?6, mac_changed = ?7, last_seen = ?8",
    )?;
    for one in addresses {
        insert.execute(params![
            one.address.to_string(),
            id,
            sort_key(one.address),
            one.mac.as_deref(),
            one.vendor.as_deref(),
            one.mac_before.as_deref(),
            micros(one.mac_changed),
            micros(one.last_seen),
        ])?;
    }
    Ok(())
}

fn save_services(connection: &Connection, id: i64, services: &[AssetService]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO asset_service (asset, port, transport, name, is_sure, product, version, note, tls_key, \
         tls_until, origins, address, first_seen, last_seen, missed, gone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
         ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    for one in services {
        let origins = u8::from(one.origins.active)
            | u8::from(one.origins.passive) << 1
            | u8::from(one.origins.by_hand) << 2;
        insert.execute(params![
            id,
            one.port,
            one.transport.name(),
            &*one.name,
            one.is_sure,
            one.product.as_deref(),
            one.version.as_deref(),
            one.note.as_deref(),
            one.tls_key.as_deref(),
            micros(one.tls_until),
            origins,
            one.address.map(|address| address.to_string()),
            micros(one.first_seen),
            micros(one.last_seen),
            one.missed,
            micros(one.gone),
        ])?;
    }
    Ok(())
}

/// What people say of an asset, whole.
pub fn save_words(connection: &Connection, id: AssetId, set: &AssetWords) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE asset SET set_name = ?2, set_os = ?3, kind = ?4, description = ?5, owner = ?6, place = ?7, \
             latitude = ?8, longitude = ?9, value = ?10, notes = ?11 WHERE id = ?1",
        )?
        .execute(params![
            signed(id.0),
            set.name.as_deref(),
            set.os.as_deref(),
            set.kind.as_deref(),
            set.description.as_deref(),
            set.owner.as_deref(),
            set.place.as_deref(),
            set.latitude,
            set.longitude,
            set.value,
            set.notes.as_deref(),
        ])?;
    Ok(())
}

/// Forgets one, with its anomalies. Only a person does that.
pub fn forget(connection: &Connection, id: AssetId) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached("DELETE FROM asset WHERE id = ?1")?.execute([signed(id.0)])? > 0)
}

pub fn forget_service(
    connection: &Connection,
    id: AssetId,
    port: u16,
    transport: Transport,
) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached("DELETE FROM asset_service WHERE asset = ?1 AND port = ?2 AND transport = ?3")?
        .execute(params![signed(id.0), port, transport.name()])?;
    Ok(deleted > 0)
}

/// By what an asset is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    Address(IpAddr),
    Host(&'a str),
    SshKey(&'a str),
    Mac(&'a str),
    TlsKey(&'a str),
    /// One of its own names, whatever its case.
    Name(&'a str),
}

/// Assets that have this, at most a few: what many share is no evidence.
pub fn find(connection: &Connection, evidence: Evidence<'_>) -> rusqlite::Result<Vec<AssetId>> {
    let (sql, value) = match evidence {
        Evidence::Address(address) => {
            ("SELECT asset FROM asset_address WHERE address = ?1 LIMIT 9", address.to_string())
        }
        Evidence::Host(name) => ("SELECT id FROM asset WHERE host = ?1 LIMIT 9", name.to_owned()),
        Evidence::SshKey(key) => ("SELECT id FROM asset WHERE ssh_key = ?1 LIMIT 9", key.to_owned()),
        Evidence::Mac(mac) => {
            ("SELECT DISTINCT asset FROM asset_address WHERE mac = ?1 LIMIT 9", mac.to_owned())
        }
        Evidence::TlsKey(key) => {
            ("SELECT DISTINCT asset FROM asset_service WHERE tls_key = ?1 LIMIT 9", key.to_owned())
        }
        Evidence::Name(name) => (
            "SELECT id FROM asset WHERE name = ?1 COLLATE NOCASE OR set_name = ?1 COLLATE NOCASE LIMIT 9",
            name.to_owned(),
        ),
    };
    connection.prepare_cached(sql)?.query_map([value], |row| row.get(0).map(unsigned).map(AssetId))?.collect()
}

/// All links to hosts of the configuration.
pub fn linked(connection: &Connection) -> rusqlite::Result<Vec<(AssetId, String)>> {
    connection
        .prepare("SELECT id, host FROM asset WHERE host IS NOT NULL")?
        .query_map([], |row| Ok((AssetId(row.get(0).map(unsigned)?), row.get(1)?)))?
        .collect()
}

/// The host is no longer that asset; one that was nothing but a host of the configuration goes with it.
pub fn unlink(connection: &Connection, id: AssetId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE asset SET host = NULL WHERE id = ?1")?.execute([signed(id.0)])?;
    connection
        .prepare_cached(
            "DELETE FROM asset WHERE id = ?1 AND origin = 'configuration' AND last_seen IS NULL AND set_name IS NULL \
             AND set_os IS NULL AND kind IS NULL AND description IS NULL AND owner IS NULL AND place IS NULL AND \
             latitude IS NULL AND longitude IS NULL AND value IS NULL AND notes IS NULL",
        )?
        .execute([signed(id.0)])?;
    Ok(())
}

pub fn link(connection: &Connection, id: AssetId, host: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE asset SET host = ?2 WHERE id = ?1")?.execute((signed(id.0), host))?;
    Ok(())
}

/// Assets that a scan which ended at `now` might have missed, in order of number from `after` on: with the address where
/// each was last seen.
pub fn unseen(
    connection: &Connection,
    now: vigia_core::model::time::Timestamp,
    after: AssetId,
    limit: usize,
) -> rusqlite::Result<Vec<(AssetId, Option<IpAddr>)>> {
    connection
        .prepare_cached(
            "SELECT id, (SELECT address FROM asset_address WHERE asset = asset.id ORDER BY asset_address.last_seen DESC, \
             sort LIMIT 1) FROM asset WHERE id > ?1 AND last_seen < ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(
            params![signed(after.0), now.as_micros(), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| {
                let address: Option<String> = row.get(1)?;
                Ok((AssetId(row.get(0).map(unsigned)?), address.and_then(|address| address.parse().ok())))
            },
        )?
        .collect()
}
