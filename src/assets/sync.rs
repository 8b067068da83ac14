//! Hosts of the configuration and assets: every host is one, and a host that was found before is what was found.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Connection;
use vigia_core::model::asset::{Asset, AssetAddress, AssetOrigin};
use vigia_core::model::host::Host;
use vigia_core::model::id::AssetId;
use vigia_core::model::inventory::Inventory;

use crate::store::assets::{self, Evidence};
use crate::store::{Store, StoreError};

/// Hosts in one transaction.
const AT_ONCE: usize = 500;

fn addresses_of(host: &Host) -> impl Iterator<Item = IpAddr> + '_ {
    std::iter::once(&host.address).chain(&host.aliases).filter_map(|text| text.parse().ok())
}

/// A host that no scan has seen yet, without its addresses.
pub(super) fn bare(name: &str) -> Asset {
    Asset {
        found_name: name.into(),
        host: Some(name.into()),
        origin: AssetOrigin::Configuration,
        ..Asset::default()
    }
}

fn of_host(inventory: &Inventory, name: &str) -> Asset {
    let host = inventory.host_id(name).map(|id| inventory.host(id));
    let addresses = host.into_iter().flat_map(addresses_of).map(AssetAddress::new).collect();
    Asset { addresses, ..bare(name) }
}

/// Does nothing where nothing changed: two lists are read and compared.
pub(super) async fn with(store: &Store, inventory: &Arc<Inventory>) -> Result<(), StoreError> {
    let (linked, held) = store
        .read(|connection| Ok((assets::linked(connection)?, assets::list::addresses(connection)?)))
        .await?;
    let links: HashMap<String, AssetId> = linked.iter().map(|(id, host)| (host.clone(), *id)).collect();
    let gone: Vec<(AssetId, Option<String>)> = linked
        .into_iter()
        .filter(|(_, host)| inventory.host_id(host).is_none())
        .map(|(id, host)| {
            let renamed = inventory.renamed_host_id(&host).map(|id| inventory.host(id).name.to_string());
            (id, renamed.filter(|name| !links.contains_key(name)))
        })
        .collect();
    let renamed: HashSet<String> = gone.iter().filter_map(|(_, name)| name.clone()).collect();
    for some in gone.chunks(AT_ONCE) {
        let some = some.to_vec();
        store
            .write_lightly(move |connection| {
                some.iter().try_for_each(|(id, renamed)| match renamed {
                    Some(name) => assets::link(connection, *id, name),
                    None => assets::unlink(connection, *id),
                })
            })
            .await?;
    }
    let lacks_address = |host: &Host| {
        // Several hosts may say one address; it is the first one's, or whose a scan found it to be.
        addresses_of(host).any(|address| !held.contains_key(&address))
    };
    let is_new = |host: &&Host| match links.get(&*host.name) {
        Some(_) => lacks_address(host),
        None => !renamed.contains(&*host.name),
    };
    let names: Vec<String> =
        inventory.hosts.iter().filter(is_new).map(|host| host.name.to_string()).collect();
    for some in names.chunks(AT_ONCE) {
        let (some, inventory) = (some.to_vec(), Arc::clone(inventory));
        store.write_lightly(move |connection| add(connection, &some, &inventory)).await?;
    }
    Ok(())
}

fn add(connection: &Connection, names: &[String], inventory: &Inventory) -> rusqlite::Result<()> {
    for name in names {
        let fresh = of_host(inventory, name);
        let before = known(connection, &fresh)?.unwrap_or_else(|| bare(name));
        let mut asset = Asset { host: fresh.host.clone(), ..before };
        for one in fresh.addresses {
            // An address that another asset was seen at stays there: scans know better than names.
            let is_free = assets::find(connection, Evidence::Address(one.address))?.is_empty();
            if is_free {
                asset.addresses.push(one);
            }
        }
        assets::save(connection, &asset)?;
    }
    Ok(())
}

/// The asset that has the host already, else one without a host that has an address of it, or its name.
fn known(connection: &Connection, fresh: &Asset) -> rusqlite::Result<Option<Asset>> {
    if let Some(id) = assets::find(connection, Evidence::Host(&fresh.found_name))?.first() {
        return assets::asset(connection, *id);
    }
    let mut ids = Vec::new();
    for one in &fresh.addresses {
        ids.extend(assets::find(connection, Evidence::Address(one.address))?);
    }
    ids.extend(assets::find(connection, Evidence::Name(&fresh.found_name))?);
    for id in ids {
        if let Some(asset) = assets::asset(connection, id)?.filter(|asset| asset.host.is_none()) {
            return Ok(Some(asset));
        }
    }
    Ok(None)
}
