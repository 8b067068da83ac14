//! What an asset is worth, 0 to 5: what the configuration says of its host, else a person's word, else its closest network's.

use std::net::IpAddr;

use vigia_core::model::asset::{Asset, Network};
use vigia_core::model::inventory::Inventory;

/// Of what nobody said anything about.
pub const USUAL: u8 = 2;

pub fn of(asset: &Asset, inventory: &Inventory) -> u8 {
    let host = asset.host.as_deref().and_then(|host| inventory.host_id(host));
    if let Some(host) = host {
        return inventory.host(host).asset_value;
    }
    let network = || asset.addresses.iter().find_map(|one| closest(inventory, one.address));
    asset.set.value.or_else(|| network().map(|network| network.asset_value)).unwrap_or(USUAL)
}

/// Networks around an address, the narrowest first.
pub fn around(inventory: &Inventory, address: IpAddr) -> Vec<&Network> {
    let prefix = |network: &Network| {
        network.cidr.iter().filter(|net| net.contains(&address)).map(ipnet::IpNet::prefix_len).max()
    };
    let mut all: Vec<(u8, &Network)> =
        inventory.networks.iter().filter_map(|network| Some((prefix(network)?, network))).collect();
    all.sort_by_key(|(prefix, _)| std::cmp::Reverse(*prefix));
    all.into_iter().map(|(_, network)| network).collect()
}

fn closest(inventory: &Inventory, address: IpAddr) -> Option<&Network> {
    around(inventory, address).into_iter().next()
}
