//! What a person makes of a discovered host: `adopt`, `ignore`, `export`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Site, lock, refused};
use crate::cli::{Answer, Common, Console, Exit, Failure};
use crate::discovery::adopt;
use crate::discovery::page::Page;
use crate::discovery::shelf::{self, Shelf};

/// Make discovered hosts yours: their definitions move to a file of your own, where discovery never changes them
///
/// State, history and tickets stay, since the name does. The new file is written before the old entry goes.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia discover adopt web1
  vigia discover adopt web1 web2 --to /etc/vigia/conf.d/web.yaml")]
pub(super) struct Adopt {
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    /// To the end of this file; without it to conf.d/HOST.yaml beside the main file
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Take hosts off discovery's pages and propose them no more
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia discover ignore 192.0.2.9
  vigia discover ignore printer1 printer2")]
pub(super) struct Ignore {
    /// Hosts of a page, or addresses
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
}

/// Print discovered hosts as configuration, to keep elsewhere; without names all of them
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia discover export
  vigia discover export web1 > web1.yaml")]
pub(super) struct Export {
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
}

fn unknown(name: &str, pages: &[(PathBuf, Page)]) -> Failure {
    let known = pages.iter().flat_map(|(_, page)| page.hosts.keys().map(String::as_str));
    let failure = Failure::new(Exit::REFUSED, format!("no page of discovery holds a host `{name}`"));
    match crate::config::problem::did_you_mean(name, known) {
        Some(hint) => failure.hint(hint),
        None => failure.hint("`vigia discover export` prints those that are there"),
    }
}

impl Adopt {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let _lock = lock(common)?;
        let shelf = Shelf::at(&common.state_dir);
        for name in &self.hosts {
            let pages = shelf.pages();
            let found = pages.iter().find_map(|(path, page)| Some((path, page, page.hosts.get(name)?)));
            let Some((path, page, block)) = found else { return Err(unknown(name, &pages)) };
            let to = match &self.to {
                Some(to) => to.clone(),
                None => own_file(common, name)?,
            };
            adopt::add(&to, name, block, self.to.is_some()).map_err(|error| refused(&error))?;
            let mut rest = page.clone();
            rest.hosts.remove(name);
            shelf::write(path, &rest)
                .map_err(|error| refused(&error).hint("it stands in both now, and yours counts"))?;
            writeln!(console.out, "{name} is yours now: {}", to.display())?;
        }
        Ok(Exit::DONE)
    }
}

/// `conf.d/HOST.yaml` beside the main file.
fn own_file(common: &Common, name: &str) -> Result<PathBuf, Failure> {
    let is_file = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(is_file) || name.starts_with('.') {
        return Err(
            Failure::new(Exit::REFUSED, format!("`{name}` makes no name of a file")).hint("say --to FILE")
        );
    }
    let beside = if common.config.is_dir() {
        common.config.clone()
    } else {
        common.config.parent().map(PathBuf::from).unwrap_or_default()
    };
    Ok(beside.join("conf.d").join(format!("{name}.yaml")))
}

impl Ignore {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let _lock = lock(common)?;
        let site = Site::open(common)?;
        let (known, _) = shelf::known_hosts(&site.loaded.inventory, &[], &site.shelf);
        for name in &self.hosts {
            let pages = site.shelf.pages();
            let of_page = known.iter().find(|host| host.name == *name && host.is_ours);
            let host = match (of_page, name.parse::<std::net::IpAddr>()) {
                (Some(host), _) => host.clone(),
                (None, Ok(address)) => crate::discovery::identity::Known {
                    name: name.clone(),
                    is_ours: true,
                    addresses: vec![address],
                    names: vec![name.clone()],
                    ..Default::default()
                },
                (None, Err(_)) => return Err(unknown(name, &pages)),
            };
            site.shelf.ignore(&host).map_err(|error| refused(&error))?;
            for (path, mut page) in pages {
                if page.hosts.remove(name).is_some() {
                    shelf::write(&path, &page).map_err(|error| refused(&error))?;
                }
            }
            let list = site.shelf.ignored_path();
            writeln!(console.out, "{name} is proposed no more; {} holds the list", list.display())?;
        }
        Ok(Exit::DONE)
    }
}

impl Export {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let pages = Shelf::at(&common.state_dir).pages();
        let mut chosen = Page::default();
        for (_, page) in &pages {
            let is_wanted = |name: &&String| self.hosts.is_empty() || self.hosts.contains(name);
            chosen.hosts.extend(
                page.hosts.iter().filter(|(name, _)| is_wanted(name)).map(|(a, b)| (a.clone(), b.clone())),
            );
        }
        if let Some(missing) = self.hosts.iter().find(|name| !chosen.hosts.contains_key(*name)) {
            return Err(unknown(missing, &pages));
        }
        if !chosen.hosts.is_empty() {
            writeln!(console.out, "hosts:")?;
        }
        for (name, block) in &chosen.hosts {
            write!(console.out, "{}", block.yaml(name))?;
        }
        Ok(Exit::DONE)
    }
}
