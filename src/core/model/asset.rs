//! What we know of hosts and networks beyond checking them.

use std::sync::Arc;

use super::id::Name;

#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub place: Option<Arc<str>>,
}

/// What discovery knows a host by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub ssh_host_key: Option<Arc<str>>,
    pub tls_key: Option<Arc<str>>,
    pub mac: Option<Arc<str>>,
}

/// OSSIM's network: name, ranges, switch, value. The longest prefix decides.
#[derive(Clone, Debug)]
pub struct Network {
    pub name: Name,
    pub alias: Arc<str>,
    pub cidr: Vec<ipnet::IpNet>,
    /// None: inherited.
    pub monitor: Option<bool>,
    pub asset_value: u8,
}

impl Network {
    /// The network with the longest prefix around an address; a name lies in none.
    pub fn closest<'a>(address: &str, networks: &'a [Self]) -> Option<&'a Self> {
        let address: std::net::IpAddr = address.parse().ok()?;
        let prefix = |network: &Self| {
            network.cidr.iter().filter(|net| net.contains(&address)).map(ipnet::IpNet::prefix_len).max()
        };
        networks
            .iter()
            .filter_map(|network| Some((prefix(network)?, network)))
            .max_by_key(|(len, _)| *len)
            .map(|(_, network)| network)
    }
}
