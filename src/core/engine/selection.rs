//! Does a selection match this host or service of an inventory? (`config.md` 9)
//!
//! How selectors are written and put together is `model::selector`.

use std::net::IpAddr;

use crate::model::host::Host;
use crate::model::id::Checkable;
use crate::model::inventory::Inventory;
use crate::model::selector::{Net, Selection, Target};

/// Where objects are meant a host stands for itself and its services, `HOST/SERVICE` for services alone.
pub fn selects(inventory: &Inventory, selection: &Selection, object: Checkable) -> bool {
    selection.holds(|target| is_hit(inventory, target, object))
}

fn is_hit(inventory: &Inventory, target: &Target, object: Checkable) -> bool {
    let host = inventory.host(inventory.host_of(object));
    let service = match object {
        Checkable::Host(_) => None,
        Checkable::Service(id) => Some(inventory.service(id)),
    };
    match target {
        Target::Hosts(glob) => glob.matches(&host.name),
        Target::Services { host: on, service: name } => {
            service.is_some_and(|service| name.matches(&service.name)) && on.matches(&host.name)
        }
        Target::Group(group) => host.hostgroups.contains(group),
        Target::ServiceGroup(group) => service.is_some_and(|service| service.servicegroups.contains(group)),
        Target::Tag { key, value } => host
            .tags
            .iter()
            .any(|(own, text)| own == key && value.as_ref().is_none_or(|value| value.matches(text))),
        Target::Net(Net::Cidr(net)) => is_in(host, |address| net.contains(&address)),
        Target::Net(Net::Named(name)) => {
            let network = inventory.networks.iter().find(|network| network.name == *name);
            network.is_some_and(|network| {
                is_in(host, |address| network.cidr.iter().any(|net| net.contains(&address)))
            })
        }
    }
}

/// By the address as written; a name is in no network until it is looked up, which is not done here.
fn is_in(host: &Host, holds: impl Fn(IpAddr) -> bool) -> bool {
    let aliases = host.aliases.iter();
    std::iter::once(&host.address).chain(aliases).filter_map(|text| text.parse().ok()).any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::fixture::{host, inventory, service};
    use crate::model::asset::Network;
    use crate::model::id::ObjectKey;
    use crate::model::service::Service;

    #[test]
    fn a_selection_finds_hosts_services_groups_tags_and_networks() {
        let web = Host {
            address: "192.0.2.7".into(),
            hostgroups: vec!["linux".into()],
            tags: vec![("env".into(), "prod".into())],
            ..host("web1")
        };
        let sql = Service { servicegroups: vec!["databases".into()], ..service("MYSQL") };
        let mut made = inventory(
            vec![(web, vec![service("HTTP")], vec![]), (host("db1"), vec![sql], vec![])],
            Vec::new(),
        );
        made.networks.push(Network {
            name: "office".into(),
            alias: "".into(),
            cidr: vec!["192.0.2.0/24".parse().unwrap()],
            monitor: None,
            is_switched: false,
            asset_value: 2,
        });
        let hits = |texts: &[&str]| {
            let selection = Selection::parse(texts.iter().copied(), false).unwrap();
            let all = ["db1", "db1/MYSQL", "web1", "web1/HTTP"];
            let is_hit = |key: &&str| selects(&made, &selection, made.find(&ObjectKey::parse(key)).unwrap());
            all.into_iter().filter(is_hit).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(hits(&[]), "db1 db1/MYSQL web1 web1/HTTP");
        assert_eq!(hits(&["web*"]), "web1 web1/HTTP");
        assert_eq!(hits(&["web*/*"]), "web1/HTTP");
        assert_eq!(hits(&["*/MYSQL"]), "db1/MYSQL");
        assert_eq!(hits(&["!db1"]), "web1 web1/HTTP");
        for text in ["group:linux", "tag:env=pr*", "tag:env", "net:office", "net:192.0.2.0/28"] {
            assert_eq!(hits(&[text]), "web1 web1/HTTP", "{text}");
        }
        assert_eq!(hits(&["servicegroup:databases"]), "db1/MYSQL");
        assert_eq!(hits(&["net:nowhere", "group:none", "tag:env=test"]), "");
    }
}
