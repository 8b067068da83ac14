//! What we know of hosts and networks beyond checking them. None of it lives in the world: assets are rows of the store.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::id::{AssetId, Name};
use super::time::Timestamp;

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
    /// None: inherited from the closest wider network that says it.
    pub monitor: Option<bool>,
    /// A person turned it at run time, because no file says it.
    pub is_switched: bool,
    pub asset_value: u8,
}

impl Network {
    /// The network with the longest prefix around an address; a name lies in none.
    pub fn closest<'a>(address: &str, networks: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        let address: IpAddr = address.parse().ok()?;
        let prefix = |network: &Self| {
            network.cidr.iter().filter(|net| net.contains(&address)).map(ipnet::IpNet::prefix_len).max()
        };
        networks
            .into_iter()
            .filter_map(|network| Some((prefix(network)?, network)))
            .max_by_key(|(len, _)| *len)
            .map(|(_, network)| network)
    }

    /// What the closest network that says it says of the monitoring of an address.
    pub fn monitoring(address: &str, networks: &[Self]) -> Option<bool> {
        let saying = networks.iter().filter(|network| network.monitor.is_some());
        Self::closest(address, saying).and_then(|network| network.monitor)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            _ => None,
        }
    }
}

/// What somebody found, or wrote, of one machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asset {
    /// Zero while it has no row.
    pub id: AssetId,
    /// As it was found: its name, or its address where nothing names it.
    pub found_name: Arc<str>,
    /// The host of the configuration that it is.
    pub host: Option<Name>,
    pub origin: AssetOrigin,
    /// Names that point back to its addresses.
    pub names: Vec<Arc<str>>,
    pub addresses: Vec<AssetAddress>,
    /// As it was found, and what that rests on.
    pub found_os: Option<Arc<str>>,
    pub os_evidence: Arc<str>,
    /// Fingerprint of its SSH host key.
    pub ssh_key: Option<Arc<str>>,
    /// In order of port.
    pub services: Vec<AssetService>,
    /// The ports that complete scans have asked, as text; none: there was no complete scan yet, so there is nothing to
    /// compare with.
    pub asked: Option<Arc<str>>,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    /// Complete scans in a row that looked for it and did not see it.
    pub missed: u32,
    /// Missed so often that somebody was told. Missing is not gone.
    pub stale: Option<Timestamp>,
    pub set: AssetWords,
}

impl Asset {
    /// What people call it.
    pub fn name(&self) -> &str {
        let said = self.set.name.as_deref().or(self.host.as_deref());
        said.unwrap_or(&self.found_name)
    }

    /// A person's word, or what was found.
    pub fn os(&self) -> Option<&str> {
        self.set.os.as_deref().or(self.found_os.as_deref())
    }

    /// The one that was seen last.
    pub fn address(&self) -> Option<IpAddr> {
        let newest = self.addresses.iter().max_by_key(|one| (one.last_seen, std::cmp::Reverse(one.address)));
        newest.map(|one| one.address)
    }
}

/// How an asset came to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssetOrigin {
    #[default]
    Scan,
    Configuration,
    Hand,
}

impl AssetOrigin {
    pub fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Configuration => "configuration",
            Self::Hand => "hand",
        }
    }

    pub fn from_word(word: &str) -> Self {
        match word {
            "configuration" => Self::Configuration,
            "hand" => Self::Hand,
            _ => Self::Scan,
        }
    }
}

/// What people said of an asset. No scan touches it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetWords {
    pub name: Option<Arc<str>>,
    pub os: Option<Arc<str>>,
    /// Server, printer, phone…
    pub kind: Option<Arc<str>>,
    pub description: Option<Arc<str>>,
    pub owner: Option<Arc<str>>,
    pub place: Option<Arc<str>>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// 0 to 5.
    pub value: Option<u8>,
    pub notes: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetAddress {
    pub address: IpAddr,
    pub mac: Option<Arc<str>>,
    pub vendor: Option<Arc<str>>,
    /// The card that answered before, and when that changed: two in turn are a conflict.
    pub mac_before: Option<Arc<str>>,
    pub mac_changed: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
}

impl AssetAddress {
    pub fn new(address: IpAddr) -> Self {
        Self { address, mac: None, vendor: None, mac_before: None, mac_changed: None, last_seen: None }
    }
}

/// Something that listens there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetService {
    pub port: u16,
    pub transport: Transport,
    /// `ssh`, `http`; empty: nobody knows.
    pub name: Arc<str>,
    /// Its own words say so; else the port alone suggests the name.
    pub is_sure: bool,
    pub product: Option<Arc<str>>,
    pub version: Option<Arc<str>>,
    pub note: Option<Arc<str>>,
    /// Of the certificate's key, and until when the certificate is good.
    pub tls_key: Option<Arc<str>>,
    pub tls_until: Option<Timestamp>,
    pub origins: ServiceOrigins,
    /// Where it was seen last.
    pub address: Option<IpAddr>,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub missed: u32,
    pub gone: Option<Timestamp>,
}

impl AssetService {
    /// `22/tcp`: what an anomaly of it is about.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.port, self.transport.name())
    }

    /// `OpenSSH 9.2p1`, as far as it is known.
    pub fn software(&self) -> String {
        let parts = [self.product.as_deref(), self.version.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// `ssh OpenSSH 9.2p1`.
    pub fn told(&self) -> String {
        let parts = [&*self.name, &*self.software()].map(str::to_owned);
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "unknown".to_owned() } else { parts.join(" ") }
    }
}

/// How a service is known; several ways are no contradiction, and one port is listed once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceOrigins {
    /// A scan asked.
    pub active: bool,
    /// Somebody heard it.
    pub passive: bool,
    pub by_hand: bool,
}

impl fmt::Display for ServiceOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.active, "Active"), (self.passive, "Passive"), (self.by_hand, "By hand")];
        let words: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        f.write_str(&words.join(", "))
    }
}
