//! Where discovery's pages lie: `STATE/discovered/NAME.yaml`, loaded weakest by the ordinary load; and beside it, in
//! `STATE/discovery`, what a person said to ignore. Everything is written whole or not at all.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use vigia_core::model::inventory::Inventory;

use super::diff::{Diff, Verdict};
use super::identity::Known;
use super::page::{Block, Page};
use crate::config::files::Request;
use crate::config::{self};
use crate::os::files::{self, FileError};

/// Pages of a whole /16 stay below this.
const PAGE_MAX: u64 = 64 << 20;

/// Why a page was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}:{line}: this line is not in the form that discovery writes, so the page is not touched", path.display())]
    NotOurs { path: PathBuf, line: usize },
    #[error("the page for {} would not be valid YAML: {problem}; nothing was written", path.display())]
    Invalid { path: PathBuf, problem: String },
}

/// The folder of the daemon's state, as far as discovery uses it.
#[derive(Clone, Debug)]
pub struct Shelf {
    state: PathBuf,
}

impl Shelf {
    pub fn at(state: &Path) -> Self {
        Self { state: state.to_path_buf() }
    }

    pub fn folder(&self) -> PathBuf {
        self.state.join("discovered")
    }

    pub fn path(&self, page: &str) -> PathBuf {
        self.folder().join(format!("{page}.yaml"))
    }

    /// All pages, by path; those that are not ours to understand are left out.
    pub fn pages(&self) -> Vec<(PathBuf, Page)> {
        let paths = files::list(&self.folder()).unwrap_or_default();
        let is_page = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml");
        let pages = paths.into_iter().map(|(path, _)| path).filter(is_page);
        pages.filter_map(|path| read(&path).ok().map(|page| (path, page))).collect()
    }

    pub fn ignored_path(&self) -> PathBuf {
        self.state.join("discovery").join("ignored")
    }

    /// What a person said to ignore.
    ///
    /// # Errors
    /// When the list is there and cannot be read.
    pub fn ignored(&self) -> Result<Vec<Known>, FileError> {
        let path = self.ignored_path();
        if files::kind(&path)?.is_none() {
            return Ok(Vec::new());
        }
        let text = files::read(&path, PAGE_MAX)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter(|line| !line.starts_with('#')).filter_map(ignored_of).collect())
    }

    /// Adds a host to what is ignored.
    ///
    /// # Errors
    /// When the list cannot be written; it is then as it was.
    pub fn ignore(&self, host: &Known) -> Result<(), FileError> {
        let mut all = self.ignored()?;
        all.retain(|known| known.name != host.name);
        all.push(host.clone());
        let mut text = "# Hosts that discovery no longer proposes: name, addresses, keys. A line less, and it does again.\n".to_owned();
        text.extend(all.iter().map(|host| format!("{}\n", ignored_line(host))));
        files::make_folder(&self.state.join("discovery"), 0o755)?;
        files::write(&self.ignored_path(), text.as_bytes(), 0o644)
    }
}

fn ignored_line(host: &Known) -> String {
    let mut words = vec![host.name.clone()];
    words.extend(host.addresses.iter().map(|address| format!("address={address}")));
    words.extend(host.ssh_key.iter().map(|key| format!("ssh={key}")));
    words.extend(host.tls_key.iter().map(|key| format!("tls={key}")));
    words.extend(host.mac.iter().map(|mac| format!("mac={mac}")));
    words.join("\t")
}

fn ignored_of(line: &str) -> Option<Known> {
    let mut words = line.split('\t');
    let name = words.next().filter(|name| !name.is_empty())?.to_owned();
    let mut host = Known { names: vec![name.clone()], name, is_ours: true, ..Known::default() };
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        match key {
            "address" => host.addresses.extend(value.parse::<IpAddr>()),
            "ssh" => host.ssh_key = Some(value.to_owned()),
            "tls" => host.tls_key = Some(value.to_owned()),
            "mac" => host.mac = value.parse().ok(),
            _ => {}
        }
    }
    Some(host)
}

/// Reads a page; one that is not there is empty.
///
/// # Errors
/// When it cannot be read, or holds what discovery does not write.
pub fn read(path: &Path) -> Result<Page, ShelfError> {
    if files::kind(path)?.is_none() {
        return Ok(Page::default());
    }
    let text = files::read(path, PAGE_MAX)?;
    let text = String::from_utf8_lossy(&text);
    Page::read(&text).map_err(|line| ShelfError::NotOurs { path: path.to_path_buf(), line })
}

/// Replaces a page, once it is known to be valid.
///
/// # Errors
/// When it would not be, or the folder cannot be written: the page is then as it was.
pub fn write(path: &Path, page: &Page) -> Result<(), ShelfError> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = page.yaml(&name);
    check(path, &text)?;
    if let Some(folder) = path.parent() {
        files::make_folder(folder, 0o755)?;
    }
    Ok(files::write(path, text.as_bytes(), 0o644)?)
}

/// The first thing wrong with a text as YAML.
pub(super) fn check(path: &Path, text: &str) -> Result<(), ShelfError> {
    let source = config::place::Source::new(path.display().to_string(), text);
    let mut problems = Vec::new();
    config::tree::parse(&source, config::place::FileId(0), &config::tree::Limits::default(), &mut problems);
    match problems.first() {
        None => Ok(()),
        Some(problem) => {
            Err(ShelfError::Invalid { path: path.to_path_buf(), problem: problem.message.clone() })
        }
    }
}

/// What is written of a comparison into a page: new hosts, and what changed of those it holds. The names of hosts whose
/// block somebody reshaped, which are left alone.
pub fn accept(page: &mut Page, diff: &Diff, monitor: Option<bool>) -> Vec<String> {
    let mut left_alone = Vec::new();
    for line in &diff.lines {
        let name = &line.proposal.name;
        match &line.verdict {
            Verdict::New => {
                let mut block = Block::of(&line.proposal);
                if let Some(monitor) = monitor {
                    block.set("monitor", if monitor { "on" } else { "off" });
                }
                page.hosts.insert(name.clone(), block);
            }
            Verdict::Changed(_) | Verdict::Same => {
                let Some(block) = page.hosts.get_mut(name) else { continue };
                if block.is_foreign() {
                    left_alone.push(name.clone());
                }
                block.update(&Block::of(&line.proposal));
                if let Some(monitor) = monitor {
                    block.set("monitor", if monitor { "on" } else { "off" });
                }
            }
            Verdict::ByHand(_) | Verdict::Ignored => {}
        }
    }
    left_alone
}

/// All hosts of a configuration as discovery recognises them, and the names among their addresses that are still to be
/// resolved: place in the list and name.
pub fn known_hosts(
    inventory: &Inventory,
    by_hand: &[String],
    shelf: &Shelf,
) -> (Vec<Known>, Vec<(usize, String)>) {
    let ours: std::collections::BTreeSet<String> =
        shelf.pages().into_iter().flat_map(|(_, page)| page.hosts.into_keys()).collect();
    let mut to_resolve = Vec::new();
    let mut all: Vec<Known> = Vec::with_capacity(inventory.hosts.len());
    for host in &inventory.hosts {
        let mut known = Known {
            name: host.name.to_string(),
            is_ours: ours.contains(&*host.name) && !by_hand.iter().any(|name| **name == *host.name),
            names: vec![host.name.to_string()],
            ..Known::default()
        };
        for address in std::iter::once(&host.address).chain(&host.aliases) {
            match address.parse() {
                Ok(ip) => known.addresses.push(ip),
                Err(_) => {
                    known.names.push(address.to_string());
                    to_resolve.push((all.len(), address.to_string()));
                }
            }
        }
        if let Some(identity) = &host.identity {
            known.ssh_key = identity.ssh_host_key.as_deref().map(str::to_owned);
            known.tls_key = identity.tls_key.as_deref().map(str::to_owned);
            known.mac = identity.mac.as_deref().and_then(|mac| mac.parse().ok());
        }
        let tagged = host.tags.iter().find(|(key, _)| &**key == "mac");
        known.mac = known.mac.or_else(|| tagged.and_then(|(_, mac)| mac.parse().ok()));
        all.push(known);
    }
    // A host with a mistake in it is somebody's too.
    let missing = by_hand.iter().filter(|name| inventory.host_id(name).is_none());
    all.extend(missing.map(|name| Known {
        name: name.clone(),
        names: vec![name.clone()],
        ..Known::default()
    }));
    (all, to_resolve)
}

/// Names of hosts that people wrote, also of those that are in quarantine.
pub fn written_by_hand(request: &Request) -> Vec<String> {
    let alone = Request { state_dir: None, ..request.clone() };
    let Ok(loaded) = config::load(&alone) else { return Vec::new() };
    let hosts = loaded.inventory.hosts.iter().map(|host| host.name.to_string());
    let quarantined = loaded.quarantine.into_iter().filter(|one| one.kind == "host").map(|one| one.name);
    hosts.chain(quarantined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_kept_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path());
        assert_eq!(shelf.ignored().unwrap(), []);
        let mut host = Known {
            name: "printer".into(),
            is_ours: true,
            names: vec!["printer".into()],
            addresses: vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()],
            ssh_key: Some("SHA256:k".into()),
            tls_key: None,
            mac: "00:1e:c9:00:00:01".parse().ok(),
        };
        shelf.ignore(&host).unwrap();
        host.tls_key = Some("SHA256:t".into());
        shelf.ignore(&host).unwrap();
        assert_eq!(shelf.ignored().unwrap(), [host]);
    }

    #[test]
    fn a_page_that_is_not_ours_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lan.yaml");
        assert_eq!(read(&path).unwrap(), Page::default());
        files::write(&path, b"hosts:\n  a: 192.0.2.1\n", 0o644).unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.ends_with(
            "lan.yaml:2: this line is not in the form that discovery writes, so the page is not touched"
        ));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let said = write(Path::new("/proc/nowhere/lan.yaml"), &Page::default()).unwrap_err();
        assert!(said.to_string().contains("/proc/nowhere"), "{said}");
    }
}
