//! A whole scan into the store, some machines at a time, so that nobody waits long for the writer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Connection;
use vigia_core::model::anomaly::{Anomaly, AnomalyStatus, weighed};
use vigia_core::model::asset::Asset;
use vigia_core::model::id::{AnomalyId, AssetId, Name};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::time::Timestamp;

use super::asked::Asked;
use super::observe::{Difference, Finds, Look, Observed, missed, observe};
use super::{Learnt, Looked, recognise, value};
use crate::discovery::finding::Finding;
use crate::discovery::identity::{self, Machine};
use crate::discovery::mirage;
use crate::store::assets::{self, watched};
use crate::store::{Store, StoreError, anomalies};

/// Machines in one transaction.
const AT_ONCE: usize = 200;
/// Who settles what nobody settled.
const NOBODY: &str = "vigia";

/// What all machines of a scan are looked at with.
struct Ground {
    inventory: Arc<Inventory>,
    hosts: HashMap<IpAddr, Name>,
    targets: Vec<IpAddr>,
    asked: Asked,
    is_complete: bool,
    stale_after: u32,
    at: Timestamp,
}

impl Ground {
    fn looked_at(&self, address: IpAddr) -> bool {
        self.targets.binary_search(&address).is_ok()
    }
}

pub(super) async fn from(
    store: &Store,
    inventory: &Arc<Inventory>,
    looked: Looked,
    at: Timestamp,
) -> Result<Learnt, StoreError> {
    let sweep = looked.sweep;
    let ground = Arc::new(Ground {
        inventory: Arc::clone(inventory),
        hosts: by_address(inventory),
        asked: Asked::by(&sweep),
        is_complete: sweep.is_complete,
        targets: looked.targets,
        stale_after: looked.stale_after,
        at,
    });
    let hollow = mirage::of_network(&sweep.findings, sweep.looked_at);
    let is_real = |one: &Finding| !hollow.contains(&one.address) && !mirage::is_broadcast(one);
    let machines = identity::machines(sweep.findings.into_iter().filter(is_real).collect());
    let machines = moved_first(store, machines).await?;
    let mut learnt = Learnt { hosts: machines.len(), ..Learnt::default() };
    let mut rest = machines.into_iter().peekable();
    while rest.peek().is_some() {
        let some: Vec<Machine> = rest.by_ref().take(AT_ONCE).collect();
        let ground = Arc::clone(&ground);
        let count = store.write_lightly(move |connection| learn(connection, &some, &ground)).await?;
        learnt.new += count.new;
        learnt.anomalies += count.anomalies;
    }
    if ground.is_complete && !ground.targets.is_empty() {
        let count = miss(store, &ground).await?;
        learnt.stale += count.stale;
        learnt.anomalies += count.anomalies;
        store.write_lightly(move |connection| watched::watch(connection, &ground.targets)).await?;
    }
    Ok(learnt)
}

async fn moved_first(store: &Store, mut machines: Vec<Machine>) -> Result<Vec<Machine>, StoreError> {
    let (mut moved, mut others) = (Vec::new(), Vec::new());
    while !machines.is_empty() {
        let some = machines.split_off(machines.len().saturating_sub(5 * AT_ONCE));
        let looked = move |connection: &Connection| {
            let look = |machine: Machine| Ok((recognise::has_moved(connection, &machine)?, machine));
            some.into_iter().map(look).collect::<rusqlite::Result<Vec<_>>>()
        };
        for (has_moved, machine) in store.read(looked).await? {
            if has_moved { moved.push(machine) } else { others.push(machine) }
        }
    }
    moved.extend(others);
    Ok(moved)
}

/// Hosts of the configuration by the addresses that stand there.
pub(super) fn by_address(inventory: &Inventory) -> HashMap<IpAddr, Name> {
    let each = |host: &vigia_core::model::host::Host| {
        let name = host.name.clone();
        let all: Vec<(IpAddr, Name)> = std::iter::once(&host.address)
            .chain(&host.aliases)
            .filter_map(|text| Some((text.parse().ok()?, name.clone())))
            .collect();
        all
    };
    inventory.hosts.iter().rev().flat_map(each).collect()
}

fn learn(connection: &Connection, machines: &[Machine], ground: &Ground) -> rusqlite::Result<Learnt> {
    let mut learnt = Learnt::default();
    for machine in machines {
        let known = recognise::recognise(connection, machine, ground.at)?;
        learnt.new += usize::from(known.is_none());
        let before = known.map(|asset| linked(connection, asset, machine, ground)).transpose()?;
        let before = match before {
            Some(before) => Some(before),
            None => of_configuration(connection, machine, ground)?,
        };
        let standing = match &before {
            Some(asset) => anomalies::standing(connection, asset.id)?,
            None => Vec::new(),
        };
        let mut is_watched = HashMap::new();
        for address in machine.addresses() {
            is_watched.insert(address, watched::is_watched(connection, address)?);
        }
        let look = Look {
            is_complete: ground.is_complete,
            asked: &ground.asked,
            looked_at: &|address| ground.looked_at(address),
            watched: &|address| is_watched.get(&address).copied().unwrap_or(false),
        };
        let observed = observe(before.as_ref(), &standing, machine, &look, ground.at);
        learnt.anomalies += keep(connection, observed, ground)?;
    }
    Ok(learnt)
}

/// The host of the configuration that a known asset turns out to be.
fn linked(
    connection: &Connection,
    mut asset: Asset,
    machine: &Machine,
    ground: &Ground,
) -> rusqlite::Result<Asset> {
    if asset.host.is_none()
        && let Some(host) = machine.addresses().find_map(|address| ground.hosts.get(&address))
        && assets::find(connection, assets::Evidence::Host(host))?.is_empty()
    {
        asset.host = Some(host.clone());
    }
    Ok(asset)
}

/// An asset to be, where a host of the configuration has the address and no asset has the host yet.
fn of_configuration(
    connection: &Connection,
    machine: &Machine,
    ground: &Ground,
) -> rusqlite::Result<Option<Asset>> {
    let Some(host) = machine.addresses().find_map(|address| ground.hosts.get(&address)) else {
        return Ok(None);
    };
    match assets::find(connection, assets::Evidence::Host(host))?.first() {
        Some(id) => assets::asset(connection, *id),
        None => Ok(Some(super::sync::bare(host))),
    }
}

async fn miss(store: &Store, ground: &Arc<Ground>) -> Result<Learnt, StoreError> {
    let mut learnt = Learnt::default();
    let mut after = AssetId(0);
    loop {
        let at = ground.at;
        let unseen =
            store.read(move |connection| assets::unseen(connection, at, after, 20 * AT_ONCE)).await?;
        let Some((last, _)) = unseen.last() else { return Ok(learnt) };
        after = *last;
        let looked_for: Vec<AssetId> = unseen
            .into_iter()
            .filter(|(_, address)| address.is_some_and(|address| ground.looked_at(address)))
            .map(|(id, _)| id)
            .collect();
        for some in looked_for.chunks(AT_ONCE) {
            let (some, ground) = (some.to_vec(), Arc::clone(ground));
            let count = store.write_lightly(move |connection| miss_some(connection, &some, &ground)).await?;
            learnt.stale += count.stale;
            learnt.anomalies += count.anomalies;
        }
    }
}

fn miss_some(connection: &Connection, ids: &[AssetId], ground: &Ground) -> rusqlite::Result<Learnt> {
    let mut learnt = Learnt::default();
    for id in ids {
        let Some(asset) = assets::asset(connection, *id)? else { continue };
        let standing = anomalies::standing(connection, *id)?;
        let observed = missed(&asset, &standing, ground.stale_after, ground.at);
        learnt.stale += usize::from(asset.stale.is_none() && observed.asset.stale.is_some());
        learnt.anomalies += keep(connection, observed, ground)?;
    }
    Ok(learnt)
}

/// Writes the asset and what is to be said of it; how many anomalies were raised.
fn keep(connection: &Connection, observed: Observed, ground: &Ground) -> rusqlite::Result<usize> {
    let Observed { asset, finds } = observed;
    let id = assets::save(connection, &asset)?;
    let value = value::of(&asset, &ground.inventory);
    let mut raised = 0;
    for find in finds {
        match find {
            Finds::Raised(difference) => {
                anomalies::raise(connection, &fresh(id, difference, value, ground.at))?;
                raised += 1;
            }
            Finds::Changed(anomaly, new) => anomalies::change(connection, anomaly, &new, ground.at)?,
            Finds::Over(anomaly) => {
                anomalies::settle(connection, anomaly, AnomalyStatus::Over, NOBODY, ground.at)?;
            }
        }
    }
    Ok(raised)
}

fn fresh(asset: AssetId, difference: Difference, value: u8, at: Timestamp) -> Anomaly {
    let Difference { kind, subject, old, new } = difference;
    Anomaly {
        id: AnomalyId(0),
        asset,
        kind,
        subject,
        old,
        new,
        severity: weighed(kind.severity(), value),
        status: AnomalyStatus::Open,
        first: at,
        last: at,
        decided_by: None,
        decided: None,
        ticket: None,
    }
}
