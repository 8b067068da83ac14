//! `vigia show`: what an object comes to after inheritance, and where each value was said.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};

use super::validate::unloadable;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::effective::{self, EffectiveObject};
use crate::config::explain;
use crate::config::files::Request;
use crate::config::problem::did_you_mean;
use crate::config::{Quarantined, load};

/// Show a host or a service in the long form: every value that takes effect
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia show host web1
  vigia show service web1/HTTP --origin
  vigia show host web1 -o json")]
pub(crate) struct Show {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A host with its services
    #[command(before_help = "Example:\n  vigia show host web1 --origin")]
    Host(Named),
    /// One service
    #[command(before_help = "Example:\n  vigia show service web1/HTTP --origin")]
    Service(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// `HOST`, or `HOST/SERVICE`
    name: String,
    /// Say of each value in which file and line it stands, and how it reached the object
    #[arg(long)]
    origin: bool,
}

impl Show {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let request = Request::new(&common.config, Some(&common.state_dir));
        let (section, named) = match &self.what {
            What::Host(named) => ("hosts", named),
            What::Service(named) => ("services", named),
        };
        let host = named.name.split_once('/').map_or(named.name.as_str(), |(host, _)| host);
        let all = explain::explain(&request, Some(host)).map_err(|error| unloadable(&error))?;
        let put_away = put_away(&request, section, &named.name)?;
        let wanted: Vec<EffectiveObject> = match section {
            "hosts" => {
                all.into_iter().filter(|one| one.section == "hosts" || one.section == "services").collect()
            }
            _ => {
                let (found, others): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|one| one.section == "services" && one.name == named.name);
                if found.is_empty() && !others.is_empty() && put_away.is_empty() {
                    return Err(missing("service", &named.name, &others, &common.config));
                }
                found
            }
        };
        for one in &put_away {
            let what = if one.is_last_good { "it goes on as it was last good" } else { "it is not loaded" };
            let Quarantined { kind, name, path, line, message, .. } = one;
            writeln!(console.err, "{kind} {name} has a mistake, so {what}: {path}:{line}: {message}")?;
        }
        if wanted.is_empty() && !put_away.is_empty() {
            return Ok(Exit::REFUSED);
        }
        if wanted.is_empty() || (section == "hosts" && named.name != host) {
            let others = explain::explain(&request, None).map_err(|error| unloadable(&error))?;
            let what = if section == "hosts" { "host" } else { "service" };
            return Err(missing(what, &named.name, &others, &common.config));
        }
        match common.output {
            Format::Text => write!(console.out, "{}", effective::yaml(&wanted, named.origin))?,
            Format::Json => writeln!(console.out, "{:#}", effective::to_json(&wanted))?,
        }
        Ok(Exit::DONE)
    }
}

/// What of the wanted is not what the files say.
fn put_away(request: &Request, section: &str, name: &str) -> Result<Vec<Quarantined>, Failure> {
    let loaded = load(request).map_err(|error| unloadable(&error))?;
    let is_wanted = |one: &Quarantined| match (one.kind, section) {
        ("host", "hosts") => one.name == name,
        ("host", _) => name.split_once('/').is_some_and(|(host, _)| one.name == host),
        ("service", "hosts") => one.name.split_once('/').is_some_and(|(host, _)| host == name),
        ("service", _) => one.name == name,
        _ => false,
    };
    Ok(loaded.quarantine.into_iter().filter(is_wanted).collect())
}

fn missing(what: &str, name: &str, known: &[EffectiveObject], config: &Path) -> Failure {
    let section = if what == "host" { "hosts" } else { "services" };
    let names = known.iter().filter(|one| one.section == section).map(|one| one.name.as_str());
    let message = format!("there is no {what} `{name}` in {}", config.display());
    let failure = Failure::new(Exit::REFUSED, message);
    match did_you_mean(name, names) {
        Some(hint) => failure.hint(hint),
        None => failure.hint("an object with a mistake in it is not shown; `vigia validate` names it"),
    }
}
