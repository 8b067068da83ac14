//! Networks whose monitoring a person switched at run time: one line each in `STATE/discovery/networks`. What a file of the
//! configuration says of a network is stronger.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use vigia_core::model::asset::Network;

use crate::os::files::{self, FileError};

/// By name: on or off. What is not here is inherited.
pub type Switches = BTreeMap<String, bool>;

/// Thousands of networks stay below this.
const MOST: u64 = 16 << 20;

const HEADING: &str = "# Networks switched on the page or with `vigia network`: name, on or off.\n";

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("discovery").join("networks")
}

/// Reads them; where nobody switched anything, or for somebody who may not enter the state folder, there are none.
///
/// # Errors
/// When they are there and cannot be read: nothing must be checked, or not checked, for want of them.
pub fn read(state_dir: Option<&Path>) -> Result<Switches, FileError> {
    let Some(state_dir) = state_dir else { return Ok(Switches::new()) };
    let path = path(state_dir);
    match files::kind(&path) {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(Switches::new()),
        // The daemon cannot even start in a folder that it may not enter: whoever may not is a person who looks, and
        // is told so where the pages of discovery are sought.
        Err(error) if error.source.kind() == ErrorKind::PermissionDenied => return Ok(Switches::new()),
        Err(error) => return Err(error),
    }
    let text = files::read(&path, MOST)?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(line).collect())
}

fn line(line: &str) -> Option<(String, bool)> {
    let (name, switch) = line.trim_end().rsplit_once('\t')?;
    match switch {
        "on" => Some((name.to_owned(), true)),
        "off" => Some((name.to_owned(), false)),
        _ => None,
    }
}

/// A switch gives way to what a file says.
pub(super) fn turned(networks: impl Iterator<Item = Network>, switches: &Switches) -> Vec<Network> {
    let turn = |mut network: Network| {
        if network.monitor.is_none() {
            network.monitor = switches.get(&*network.name).copied();
            network.is_switched = network.monitor.is_some();
        }
        network
    };
    networks.map(turn).collect()
}

/// Replaces them.
///
/// # Errors
/// When they cannot be written; they are then as they were.
pub fn write(state_dir: &Path, switches: &Switches) -> Result<(), FileError> {
    let mut text = HEADING.to_owned();
    for (name, is_on) in switches {
        text.push_str(&format!("{name}\t{}\n", if *is_on { "on" } else { "off" }));
    }
    files::make_folder(&state_dir.join("discovery"), 0o755)?;
    files::write(&path(state_dir), text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Request, load};

    #[test]
    fn switches_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(Some(folder.path())).unwrap(), Switches::new());
        let switches = Switches::from([("office lan".to_owned(), false), ("dmz".to_owned(), true)]);
        write(folder.path(), &switches).unwrap();
        assert_eq!(read(Some(folder.path())).unwrap(), switches);
        files::remove(&path(folder.path())).unwrap();
        files::make_folder(&path(folder.path()), 0o755).unwrap();
        assert!(read(Some(folder.path())).is_err(), "what cannot be read is not nothing");
    }

    #[test]
    fn a_switch_covers_a_network_and_gives_way_to_narrower_ones_to_files_and_to_hosts() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("vigia.yaml");
        let yaml = "networks:\n  all: {cidr: 192.0.2.0/24}\n  half: {cidr: 192.0.2.0/25, monitor: inherit}\n\
             \x20 said: {cidr: 192.0.2.128/28, monitor: on}\n\
             hosts: {a: 192.0.2.1, b: 192.0.2.130, c: 192.0.2.200, d: {address: 192.0.2.2, monitor: on}}\n";
        files::write(&config, yaml.as_bytes(), 0o644).unwrap();
        let monitored = |switches: &[(&str, bool)]| {
            let switches = switches.iter().map(|(name, is_on)| ((*name).to_owned(), *is_on)).collect();
            write(folder.path(), &switches).unwrap();
            let loaded = load(&Request::new(&config, Some(folder.path()))).unwrap();
            let hosts = loaded.inventory.hosts.iter().filter(|host| host.is_monitored);
            hosts.map(|host| host.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(monitored(&[]), "a b c d");
        assert_eq!(
            monitored(&[("all", false)]),
            "b d",
            "inherited by the half, not by what a file says, nor by hosts"
        );
        assert_eq!(monitored(&[("all", false), ("half", true)]), "a b d");
        assert_eq!(monitored(&[("said", false), ("nowhere", false)]), "a b c d");
    }
}
