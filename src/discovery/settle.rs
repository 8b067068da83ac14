//! What somebody typed as targets → addresses, names resolved; and what is wrong with it, before anything is sent.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use vigia_checks::{IpFamily, Resolver};
use vigia_core::model::inventory::Inventory;

use super::targets::{self, Names, Targets};

/// Why nothing is scanned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// Each mistake on lines of its own, with its place.
    #[error("nothing was scanned:\n{0}")]
    Wrong(String),
    #[error("nothing was scanned: {0}")]
    Unresolved(String),
    #[error("nothing was scanned: {0}")]
    TooMany(String),
}

/// Patience with the name server, for each name.
const NAME_WAIT: Duration = Duration::from_secs(5);
const NAMES_AT_ONCE: usize = 32;

/// Reads targets and resolves their names.
///
/// # Errors
/// All that is wrong with them: nothing is scanned when one item is.
pub async fn settle(
    text: &str,
    inventory: &Inventory,
    limit: usize,
    resolver: &Resolver,
) -> Result<Targets, Unsettled> {
    let wanted = targets::read(text, inventory, limit).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        Unsettled::Wrong(lines.join("\n"))
    })?;
    let mut names = Names::new();
    let mut failures = Vec::new();
    for (name, found) in resolve_all(resolver, wanted.names().map(str::to_owned).collect()).await {
        match found {
            Ok(addresses) => drop(names.insert(name, addresses)),
            Err(why) => failures.push(why),
        }
    }
    if !failures.is_empty() {
        failures.sort();
        return Err(Unsettled::Unresolved(failures.join("; ")));
    }
    wanted.settle(&names, limit).map_err(|why| Unsettled::TooMany(why.to_string()))
}

/// Names side by side, each with its own patience.
pub async fn resolve_all(
    resolver: &Resolver,
    names: Vec<String>,
) -> HashMap<String, Result<Vec<IpAddr>, String>> {
    let unique: BTreeSet<String> = names.into_iter().collect();
    let looks = unique.into_iter().map(|name| async move {
        let found = tokio::time::timeout(NAME_WAIT, resolver.resolve(&name, 0, IpFamily::Any)).await;
        let found = match found {
            Ok(Ok(all)) => Ok(all.into_iter().map(|at| at.ip()).collect()),
            Ok(Err(failure)) => Err(failure.text),
            Err(_elapsed) => Err(format!("`{name}`: the name server does not answer")),
        };
        (name, found)
    });
    futures_util::stream::iter(looks).buffer_unordered(NAMES_AT_ONCE).collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_wrong_item_is_named_with_its_place_and_nothing_is_left() {
        let inventory = Inventory::default();
        let settled = settle("192.0.2.1 192.0.2.68-64", &inventory, 65_536, &Resolver::new()).await;
        let Err(Unsettled::Wrong(said)) = settled else { panic!("{settled:?}") };
        assert!(said.starts_with("targets:11: `192.0.2.68-64`"), "{said}");
        let settled = settle("192.0.2.64-68", &inventory, 65_536, &Resolver::new()).await.unwrap();
        assert_eq!(settled.addresses.len(), 5);
    }
}
