//! What a person typed as targets → the addresses to look at. The grammar is `config::target`; here names of networks,
//! groups and hosts become ranges, exclusions apply last, and what is too big is refused before anything is sent.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vigia_core::model::inventory::Inventory;

use crate::config::problem::did_you_mean;
use crate::config::target::{self, SHORTEST_V6, Spec};

/// More addresses than this are confirmed first. (D-24)
pub const ASK_BEYOND: usize = 256;

/// One item that cannot be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// As written.
    pub item: String,
    /// Character of the text at which it begins, from 1.
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "targets:{}: `{}`: {}", self.column, self.item, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// All items understood; host names are not resolved yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    parts: Vec<Part>,
    left_out: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    V4(Ipv4Addr, Ipv4Addr),
    Octets([Vec<(u8, u8)>; 4]),
    V6(Ipv6Addr, Ipv6Addr),
    Name(String),
}

/// The addresses to look at, each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    pub addresses: Vec<IpAddr>,
    /// First and last addresses of networks that were written as such: not offered when they answer for all.
    pub edges: BTreeSet<IpAddr>,
}

/// Reads the text; an address counts as at most `limit` addresses.
///
/// # Errors
/// Everything that is wrong with it: nothing is scanned when one item is.
pub fn read(text: &str, inventory: &Inventory, limit: usize) -> Result<Wanted, Vec<Wrong>> {
    let mut wanted = Wanted::default();
    let mut wrong = Vec::new();
    let items = target::read(text);
    for item in &items {
        let complain = |message: String, hint: Option<String>| Wrong {
            item: item.text.to_owned(),
            column: item.skip + 1,
            message,
            hint,
        };
        let parts = match &item.spec {
            Ok(spec) => parts(spec, inventory),
            Err(malformed) => Err((malformed.message.clone(), malformed.hint.clone())),
        };
        match parts {
            Ok(parts) if item.is_excluded => wanted.left_out.extend(parts),
            Ok(parts) => match parts.iter().map(Part::count).fold(0, u128::saturating_add) {
                count if count > limit as u128 => {
                    wrong.push(complain(too_many(count, limit), Some(REMEDY.into())));
                }
                _ => wanted.parts.extend(parts),
            },
            Err((message, hint)) => wrong.push(complain(message, hint)),
        }
    }
    if wrong.is_empty() && items.iter().all(|item| item.is_excluded) {
        let hint = "an address, a network such as 192.0.2.0/24, a range such as 192.0.2.64-68, or `net:NAME`";
        wrong.push(Wrong {
            item: text.trim().to_owned(),
            column: 1,
            message: "names nothing to scan".to_owned(),
            hint: Some(hint.to_owned()),
        });
    }
    if wrong.is_empty() { Ok(wanted) } else { Err(wrong) }
}

const REMEDY: &str = "scan the parts that are in use, or raise `limits: {discovery: …}` in vigia.yaml";

fn too_many(count: u128, limit: usize) -> String {
    format!("{count} addresses, and a scan looks at {limit} at most")
}

type Refused = (String, Option<String>);

fn parts(spec: &Spec, inventory: &Inventory) -> Result<Vec<Part>, Refused> {
    let unknown = |what: &str, name: &str, known: Vec<&str>| {
        Err((format!("there is no {what} `{name}`"), did_you_mean(name, known)))
    };
    match spec {
        Spec::V4(from, to) => Ok(vec![Part::V4(*from, *to)]),
        Spec::Octets(octets) => Ok(vec![Part::Octets(octets.clone())]),
        Spec::V6(net) => Ok(vec![Part::V6(net.network(), net.broadcast())]),
        Spec::HostName(name) => Ok(vec![Part::Name(name.clone())]),
        Spec::Network(name) => match inventory.networks.iter().find(|network| &*network.name == name) {
            Some(network) => network.cidr.iter().map(|cidr| of_net(name, *cidr)).collect(),
            None => unknown("network", name, inventory.networks.iter().map(|one| &*one.name).collect()),
        },
        Spec::Group(name) => {
            let is_in =
                |host: &&vigia_core::model::host::Host| host.hostgroups.iter().any(|one| **one == **name);
            if !inventory.hostgroups.iter().any(|group| &*group.name == name) {
                let known = inventory.hostgroups.iter().map(|one| &*one.name).collect();
                return unknown("hostgroup", name, known);
            }
            Ok(inventory.hosts.iter().filter(is_in).map(|host| of_address(&host.address)).collect())
        }
        Spec::Host(name) => match inventory.host_id(name) {
            Some(id) => Ok(vec![of_address(&inventory.host(id).address)]),
            None => unknown("host", name, inventory.hosts.iter().map(|one| &*one.name).collect()),
        },
    }
}

fn of_address(address: &str) -> Part {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => Part::V4(ip, ip),
        Ok(IpAddr::V6(ip)) => Part::V6(ip, ip),
        Err(_) => Part::Name(address.to_owned()),
    }
}

fn of_net(name: &str, net: ipnet::IpNet) -> Result<Part, Refused> {
    match net {
        ipnet::IpNet::V4(net) => Ok(Part::V4(net.network(), net.broadcast())),
        ipnet::IpNet::V6(net) if net.prefix_len() >= SHORTEST_V6 => {
            Ok(Part::V6(net.network(), net.broadcast()))
        }
        ipnet::IpNet::V6(net) => Err((
            format!("{net} of network `{name}` has too many addresses to scan"),
            Some("networks of IPv6 are /112 to /128: name the addresses".to_owned()),
        )),
    }
}

impl Part {
    /// How many addresses, without listing them. A name counts as one.
    fn count(&self) -> u128 {
        match self {
            Self::V4(from, to) => u128::from(u32::from(*to) - u32::from(*from)) + 1,
            Self::Octets(octets) => octets.iter().map(|ranges| numbers(ranges).count() as u128).product(),
            Self::V6(from, to) => (u128::from(*to) - u128::from(*from)).saturating_add(1),
            Self::Name(_) => 1,
        }
    }

    fn holds(&self, ip: IpAddr, names: &Names) -> bool {
        match (self, ip) {
            (Self::V4(from, to), IpAddr::V4(ip)) => (*from..=*to).contains(&ip),
            (Self::V6(from, to), IpAddr::V6(ip)) => (*from..=*to).contains(&ip),
            (Self::Octets(octets), IpAddr::V4(ip)) => {
                let fits = |(ranges, octet): (&Vec<(u8, u8)>, u8)| {
                    ranges.iter().any(|(from, to)| (*from..=*to).contains(&octet))
                };
                octets.iter().zip(ip.octets()).all(fits)
            }
            (Self::Name(name), ip) => names.get(name).is_some_and(|found| found.contains(&ip)),
            (Self::V4(..) | Self::Octets(_), IpAddr::V6(_)) | (Self::V6(..), IpAddr::V4(_)) => false,
        }
    }

    fn list(&self, names: &Names, into: &mut BTreeSet<IpAddr>) {
        match self {
            Self::V4(from, to) => {
                into.extend((u32::from(*from)..=u32::from(*to)).map(|ip| IpAddr::V4(ip.into())));
            }
            Self::V6(from, to) => {
                into.extend((u128::from(*from)..=u128::from(*to)).map(|ip| IpAddr::V6(ip.into())));
            }
            Self::Octets([a, b, c, d]) => {
                for (a, b) in numbers(a).flat_map(|a| numbers(b).map(move |b| (a, b))) {
                    for (c, d) in numbers(c).flat_map(|c| numbers(d).map(move |d| (c, d))) {
                        into.insert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
                    }
                }
            }
            Self::Name(name) => into.extend(names.get(name).into_iter().flatten().copied()),
        }
    }
}

/// Whether an address is among those that a text of ranges names. Names of hosts, networks and groups name none.
pub fn covers(text: &str, ip: IpAddr) -> bool {
    let nothing = Inventory::default();
    let parts = target::read(text).into_iter().filter_map(|item| parts(&item.spec.ok()?, &nothing).ok());
    parts.flatten().any(|part| part.holds(ip, &Names::new()))
}

/// The numbers of one octet, each once.
fn numbers(ranges: &[(u8, u8)]) -> impl Iterator<Item = u8> + Clone {
    let set: BTreeSet<u8> = ranges.iter().flat_map(|(from, to)| *from..=*to).collect();
    set.into_iter().collect::<Vec<_>>().into_iter()
}

/// What the resolver made of host names.
pub type Names = HashMap<String, Vec<IpAddr>>;

impl Wanted {
    /// Host names that are to be resolved first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().chain(&self.left_out).filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::V4(..) | Part::Octets(_) | Part::V6(..) => None,
        })
    }

    /// The addresses, once names are resolved.
    ///
    /// # Errors
    /// When they are more than `limit` together, or none.
    pub fn settle(&self, names: &Names, limit: usize) -> Result<Targets, String> {
        let count = self.parts.iter().map(Part::count).fold(0, u128::saturating_add);
        // Parts that overlap may count double: only far too many are refused before they are listed.
        if count > (limit as u128).saturating_mul(16) {
            return Err(too_many(count, limit));
        }
        let mut all = BTreeSet::new();
        let mut edges = BTreeSet::new();
        for part in &self.parts {
            part.list(names, &mut all);
            if let Part::V4(from, to) = part
                && u32::from(*to) - u32::from(*from) > 2
            {
                edges.extend([IpAddr::V4(*from), IpAddr::V4(*to)]);
            }
        }
        all.retain(|ip| !self.left_out.iter().any(|part| part.holds(*ip, names)));
        match all.len() {
            0 => Err("nothing is left to scan once the exclusions are taken off".to_owned()),
            count if count > limit => Err(too_many(count as u128, limit)),
            _ => Ok(Targets { addresses: all.into_iter().collect(), edges }),
        }
    }
}

#[cfg(test)]
mod tests {
    use vigia_core::model::asset::Network;

    use super::*;

    const LIMIT: usize = 65_536;

    fn inventory() -> Inventory {
        let network = |name: &str, cidr: &str| Network {
            name: name.into(),
            alias: name.into(),
            cidr: vec![cidr.parse().unwrap()],
            monitor: None,
            is_switched: false,
            asset_value: 2,
        };
        let networks = vec![network("office", "192.0.2.0/28"), network("six", "2001:db8::/64")];
        let mut inventory = Inventory::default();
        inventory.networks = networks;
        inventory
    }

    fn addresses(text: &str) -> Vec<String> {
        let wanted = read(text, &inventory(), LIMIT).unwrap();
        let names = Names::from([("gw.example.test".to_owned(), vec!["192.0.2.1".parse().unwrap()])]);
        wanted.settle(&names, LIMIT).unwrap().addresses.iter().map(ToString::to_string).collect()
    }

    fn wrong(text: &str) -> Vec<String> {
        let problems = read(text, &inventory(), LIMIT).unwrap_err();
        problems.iter().map(|wrong| format!("{}: {}", wrong.column, wrong.message)).collect()
    }

    #[test]
    fn a_range_holds_both_ends_and_exclusions_come_last() {
        assert_eq!(addresses("192.168.1.64-68").len(), 5);
        assert_eq!(addresses("192.168.1.0/29 !192.168.1.3").len(), 7);
        assert_eq!(
            addresses("!192.168.1.3, 192.168.1.0/29; 192.168.1.0-9"),
            addresses("192.168.1.[0-2,4-9]")
        );
        assert_eq!(addresses("192.168.1.7/30"), addresses("192.168.1.4-192.168.1.7"));
        assert_eq!(addresses("10.0-1.0.[1,1-2]"), ["10.0.0.1", "10.0.0.2", "10.1.0.1", "10.1.0.2"]);
        assert_eq!(addresses("2001:db8::1 2001:db8::/126").len(), 4);
        assert_eq!(addresses("10.0.0.0/30 !*.*.*.2"), ["10.0.0.0", "10.0.0.1", "10.0.0.3"]);
    }

    #[test]
    fn networks_and_names_are_looked_up() {
        assert_eq!(addresses("net:office").len(), 16);
        assert_eq!(addresses("net:office !gw.example.test").len(), 15);
        assert_eq!(addresses("gw.example.test"), ["192.0.2.1"]);
        assert_eq!(wrong("net:ofice"), ["1: there is no network `ofice`"]);
        assert_eq!(wrong("host:web"), ["1: there is no host `web`"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        assert_eq!(
            wrong("192.0.2.1, 192.0.2.9-3, 300.1.1.1"),
            ["12: 9 comes after 3", "25: 300 is more than 255"]
        );
        assert_eq!(wrong(""), ["1: names nothing to scan"]);
        assert_eq!(wrong("!192.0.2.1"), ["1: names nothing to scan"]);
    }

    #[test]
    fn what_is_too_big_is_refused_before_anything_is_listed() {
        for big in ["10.0.0.0/8", "10.*.*.*", "0.0.0.0-255.255.255.255"] {
            let said = wrong(big);
            assert!(said[0].contains(" addresses, and a scan looks at 65536 at most"), "{said:?}");
        }
        assert_eq!(wrong("2001:db8::/64"), ["1: too many addresses to scan"]);
        assert_eq!(wrong("net:six"), ["1: 2001:db8::/64 of network `six` has too many addresses to scan"]);
        let together = read("10.0.0.0/16 10.1.0.0/16", &inventory(), LIMIT).unwrap();
        let refused = together.settle(&Names::new(), LIMIT).unwrap_err();
        assert_eq!(refused, "131072 addresses, and a scan looks at 65536 at most");
        let none = read("10.0.0.1 !10.0.0.0/30", &inventory(), LIMIT).unwrap();
        assert!(none.settle(&Names::new(), LIMIT).unwrap_err().starts_with("nothing is left to scan"));
    }
}
