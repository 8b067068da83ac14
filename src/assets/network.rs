//! Networks with what is in them, and the switch for the whole of one: present hosts and those to come.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use vigia_core::engine::world::World;
use vigia_core::model::asset::Network;
use vigia_core::model::time::Timestamp;

use super::edit::{EditError, Who, record};
use super::{Assets, search};
use crate::config::switches;
use crate::store::StoreError;
use crate::store::assets::list::{self, Term, Test};

/// One network as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLine {
    pub name: Arc<str>,
    pub alias: Arc<str>,
    pub cidr: Vec<String>,
    pub asset_value: u8,
    /// As said of it; none: inherited.
    pub monitor: Option<bool>,
    /// What follows for its hosts that say nothing themselves.
    pub is_on: bool,
    /// A file says it, so it is changed there.
    pub is_of_file: bool,
    pub assets: u64,
    pub monitored: u64,
    pub anomalies: u64,
    /// Of its monitored hosts, those that are down.
    pub down: usize,
}

impl Assets {
    /// All networks of the configuration, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn networks(&self) -> Result<Vec<NetworkLine>, StoreError> {
        let world = self.world();
        let monitored = search::monitored(&world);
        let ranges: Vec<Vec<(IpAddr, IpAddr)>> = world.inventory.networks.iter().map(ranges).collect();
        let counts = self
            .store()
            .read(move |connection| {
                let term = |test| Term { is_negated: false, test };
                let each = |ranges: Vec<(IpAddr, IpAddr)>| {
                    let within = term(Test::Within(ranges));
                    let count = |terms: &[Term]| list::count(connection, terms);
                    Ok((
                        count(std::slice::from_ref(&within))?,
                        count(&[within.clone(), term(Test::Hosts(monitored.clone()))])?,
                        count(&[within.clone(), term(Test::Anomaly(None))])?,
                    ))
                };
                ranges.into_iter().map(each).collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        let lines =
            world.inventory.networks.iter().zip(counts).map(|(network, (assets, monitored, anomalies))| {
                NetworkLine {
                    name: Arc::clone(&network.name),
                    alias: Arc::clone(&network.alias),
                    cidr: network.cidr.iter().map(ToString::to_string).collect(),
                    asset_value: network.asset_value,
                    monitor: network.monitor,
                    is_on: is_on(&world, network),
                    is_of_file: network.monitor.is_some() && !network.is_switched,
                    assets,
                    monitored,
                    anomalies,
                    down: down(&world, network),
                }
            });
        Ok(lines.collect())
    }

    /// Turns the monitoring of a whole network; none: inherit. It is in effect with the next load of the configuration.
    ///
    /// # Errors
    /// When there is no such network, a file says it, or the switch cannot be written.
    pub async fn switch(
        &self,
        name: &str,
        monitor: Option<bool>,
        who: Who,
        now: Timestamp,
    ) -> Result<(), EditError> {
        let _turn = self.turn.lock().await;
        let world = self.world();
        let found = world.inventory.networks.iter().find(|network| *network.name == *name);
        let network = found.ok_or_else(|| EditError::Missing(format!("there is no network `{name}`")))?;
        if network.monitor.is_some() && !network.is_switched {
            let text = format!("the configuration says `monitor` of network `{name}`: change it there");
            return Err(EditError::Refused(text));
        }
        let (state_dir, key) = (self.state_dir.clone(), name.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let mut all = switches::read(Some(&state_dir))?;
            match monitor {
                Some(is_on) => all.insert(key, is_on),
                None => all.remove(&key),
            };
            switches::write(&state_dir, &all)
        });
        let written = written.await.map_err(|error| EditError::Refused(error.to_string()))?;
        written.map_err(|error| {
            EditError::Refused(format!("the switch is not kept: {}", crate::telemetry::Chain(&error)))
        })?;
        let (old, new) = (word(network.monitor), word(monitor));
        let subject = name.to_owned();
        let detail = json!({ "monitor": { "old": old, "new": new } });
        self.store()
            .write(move |connection| record(connection, &who, now, "switch-network", &subject, detail))
            .await?;
        Ok(())
    }
}

pub fn word(monitor: Option<bool>) -> &'static str {
    match monitor {
        Some(true) => "on",
        Some(false) => "off",
        None => "inherit",
    }
}

fn ranges(network: &Network) -> Vec<(IpAddr, IpAddr)> {
    network.cidr.iter().map(|net| (net.network(), net.broadcast())).collect()
}

/// The closest wider network that says it, else on.
fn is_on(world: &World, network: &Network) -> bool {
    let first = network.cidr.first().map(ipnet::IpNet::network);
    let own = network.monitor;
    let wider = || {
        let prefix = network.cidr.first().map(ipnet::IpNet::prefix_len)?;
        let around = super::value::around(&world.inventory, first?);
        let is_wider = |one: &&&Network| {
            one.cidr.iter().any(|net| net.prefix_len() < prefix && first.is_some_and(|at| net.contains(&at)))
        };
        around.iter().filter(is_wider).find_map(|one| one.monitor)
    };
    own.or_else(wider).unwrap_or(true)
}

fn down(world: &World, network: &Network) -> usize {
    let inventory = &world.inventory;
    let is_in = |address: &str| {
        address.parse::<IpAddr>().is_ok_and(|address| network.cidr.iter().any(|net| net.contains(&address)))
    };
    let hosts = inventory.host_ids().filter(|id| {
        let host = inventory.host(*id);
        host.is_monitored && world.host(*id).is_problem() && is_in(&host.address)
    });
    hosts.count()
}
