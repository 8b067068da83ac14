//! The asset that a machine is. Evidence that is strong enough decides before an address: a machine that moved to the
//! address of another is itself. Looked up by evidence, so that it costs the same among ten assets and among a /16.

use rusqlite::Connection;
use vigia_core::model::asset::Asset;
use vigia_core::model::id::AssetId;
use vigia_core::model::time::Timestamp;

use crate::discovery::identity::{self, Confidence, Known, Machine};
use crate::store::assets::{self, Evidence};

/// What more assets than this share is no evidence.
const SHARED_BY: usize = 8;

/// `at` is the scan's time: an asset that was seen in it already is not seen twice.
pub(super) fn recognise(
    connection: &Connection,
    machine: &Machine,
    at: Timestamp,
) -> rusqlite::Result<Option<Asset>> {
    let owner = owner(connection, machine)?.filter(|owner| owner.last_seen != Some(at));
    let itself =
        by_evidence(connection, machine, owner.as_ref())?.filter(|found| found.last_seen != Some(at));
    Ok(itself.or(owner))
}

/// Whether the machine is an asset that had other addresses until now. Those are learnt first, so that whoever stands at
/// an address that they left is not taken for them.
pub(super) fn has_moved(connection: &Connection, machine: &Machine) -> rusqlite::Result<bool> {
    let owner = owner(connection, machine)?;
    Ok(by_evidence(connection, machine, owner.as_ref())?.is_some())
}

fn owner(connection: &Connection, machine: &Machine) -> rusqlite::Result<Option<Asset>> {
    for address in machine.addresses() {
        if let Some(id) = assets::find(connection, Evidence::Address(address))?.first() {
            return assets::asset(connection, *id);
        }
    }
    Ok(None)
}

/// An asset that the evidence names, other than the owner of the address; where there is an owner, it must be strong.
fn by_evidence(
    connection: &Connection,
    machine: &Machine,
    owner: Option<&Asset>,
) -> rusqlite::Result<Option<Asset>> {
    let candidates = candidates(connection, machine, owner.map(|owner| owner.id))?;
    let known: Vec<Known> = candidates.iter().map(known_of).collect();
    let found = identity::recognise(machine, &known);
    let found = found.filter(|found| owner.is_none() || found.confidence == Confidence::High);
    Ok(found.and_then(|found| candidates.into_iter().nth(found.at)))
}

/// Assets with a key, a card or a name of the machine, but for the owner of its address.
fn candidates(
    connection: &Connection,
    machine: &Machine,
    owner: Option<AssetId>,
) -> rusqlite::Result<Vec<Asset>> {
    let mut ids: Vec<AssetId> = Vec::new();
    for finding in &machine.findings {
        if let Some(key) = &finding.ssh_key {
            add(connection, &mut ids, Evidence::SshKey(key))?;
        }
        if let Some(mac) = finding.mac.filter(|mac| mac.is_identity()) {
            add(connection, &mut ids, Evidence::Mac(&mac.to_string()))?;
        }
        if let Some(key) = finding.tls_key() {
            add(connection, &mut ids, Evidence::TlsKey(key))?;
        }
        for name in &finding.names {
            add(connection, &mut ids, Evidence::Name(name))?;
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let others = ids.into_iter().filter(|id| Some(*id) != owner);
    others.filter_map(|id| assets::asset(connection, id).transpose()).collect()
}

fn add(connection: &Connection, ids: &mut Vec<AssetId>, evidence: Evidence<'_>) -> rusqlite::Result<()> {
    let found = assets::find(connection, evidence)?;
    if found.len() <= SHARED_BY {
        ids.extend(found);
    }
    Ok(())
}

/// Without its addresses: those were asked before.
fn known_of(asset: &Asset) -> Known {
    Known {
        name: asset.name().to_owned(),
        is_ours: true,
        addresses: Vec::new(),
        names: asset.names.iter().map(ToString::to_string).collect(),
        ssh_key: asset.ssh_key.as_deref().map(str::to_owned),
        tls_key: asset.services.iter().find_map(|service| service.tls_key.as_deref()).map(str::to_owned),
        mac: asset.addresses.iter().find_map(|one| one.mac.as_deref()?.parse().ok()),
    }
}
