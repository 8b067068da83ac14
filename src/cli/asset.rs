//! `vigia asset`, `vigia network`, `vigia anomaly`: what the network is made of, and what of it changed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, clean, items, moment, number, text};
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::os::files;

/// List, read, edit, import and export assets
///
/// An asset is what is known of a machine beyond checking it: hosts of the configuration, what scans found, what people
/// said. No scan changes what a person said.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia asset list
  vigia asset list net:office os:linux port:443 -state:down
  vigia asset show web01
  vigia asset edit 192.0.2.9 owner=ana 'place=2nd floor' latitude=40.4168 longitude=-3.7038
  vigia asset import assets.csv --dry-run
  vigia asset export > assets.csv")]
pub(crate) struct Asset {
    #[command(subcommand)]
    act: AssetAct,
}

#[derive(Debug, clap::Subcommand)]
enum AssetAct {
    /// List assets, or those that match
    #[command(before_help = "Examples:
  vigia asset list
  vigia asset list net:192.0.2.0/24 'version:openssh 9' 'value>=4'
  vigia asset list anomaly:open --sort -last_seen

Terms: name net os port service version state group ticket anomaly value seen mac owner place kind, and free text;
they all hold, and `-` before one turns it round.")]
    List(List),
    /// Show one asset with its services and what changed
    #[command(before_help = "Examples:\n  vigia asset show web01\n  vigia asset show 192.0.2.9")]
    Show {
        /// A number, a name or an address
        asset: String,
    },
    /// Say something of an asset; an empty value takes it back
    #[command(before_help = "Examples:
  vigia asset edit web01 owner=ana 'notes=behind the left door'
  vigia asset edit web01 owner=

Fields: name os kind description owner place latitude longitude value notes")]
    Edit {
        asset: String,
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = pair)]
        say: Vec<(String, String)>,
    },
    /// Make one that no scan has seen
    #[command(before_help = "Example:\n  vigia asset add 'old mill' --address 192.0.2.99 owner=ana")]
    Add {
        name: String,
        #[arg(long = "address", value_name = "ADDRESS")]
        addresses: Vec<std::net::IpAddr>,
        #[arg(value_name = "FIELD=VALUE", value_parser = pair)]
        say: Vec<(String, String)>,
    },
    /// Forget an asset with its anomalies; a scan that sees it begins anew
    #[command(before_help = "Example:\n  vigia asset forget 192.0.2.99")]
    Forget { asset: String },
    /// Read assets from CSV: all of it or nothing
    ///
    /// The columns are those of OSSIM 5.x and some more; an empty cell means "as it is". Mistakes are named by their line.
    #[command(before_help = "Examples:
  vigia asset import assets.csv --dry-run
  vigia asset import - < assets.csv

Columns: IPs, Hostname, Description, Asset Value, Operating System, Latitude, Longitude, Device Type, Owner, Place, Notes;
others that an export holds are passed over.")]
    Import {
        /// A file, or `-`
        file: PathBuf,
        /// Only say what would become of it
        #[arg(long)]
        dry_run: bool,
    },
    /// Write assets, or those that match, as CSV
    #[command(
        before_help = "Examples:\n  vigia asset export > assets.csv\n  vigia asset export net:office > office.csv"
    )]
    Export {
        #[arg(value_name = "TERM", allow_hyphen_values = true)]
        terms: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    #[arg(value_name = "TERM", allow_hyphen_values = true)]
    terms: Vec<String>,
    /// name, address, os, first_seen, last_seen; `-` before it for the other way round
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    sort: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

fn pair(said: &str) -> Result<(String, String), String> {
    let (field, value) = said.split_once('=').ok_or("write FIELD=VALUE, such as owner=ana")?;
    Ok((field.trim().to_owned(), value.to_owned()))
}

fn said(pairs: &[(String, String)]) -> serde_json::Map<String, Value> {
    pairs.iter().map(|(field, value)| (field.clone(), value.as_str().into())).collect()
}

/// Terms as one line of search: what holds blanks was quoted for the shell, and is quoted again.
fn line(terms: &[String]) -> String {
    let quoted = |term: &String| match term.split_once(':') {
        Some((key, rest)) if rest.contains(' ') && !rest.contains('"') => format!("{key}:\"{rest}\""),
        Some(_) | None if !term.contains(' ') || term.contains('"') => term.clone(),
        Some(_) | None => format!("\"{term}\""),
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

impl Asset {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let at = |asset: &str| Target::of(&["assets", asset]);
        match &self.act {
            AssetAct::List(list) => list.run(&client, common, console),
            AssetAct::Show { asset } => show(common, console, &client.get(&at(asset))?),
            AssetAct::Edit { asset, say } => {
                show(common, console, &client.post(&at(asset), &Value::Object(said(say)))?)
            }
            AssetAct::Add { name, addresses, say } => {
                let mut body = said(say);
                body.insert("name".to_owned(), name.as_str().into());
                body.insert("addresses".to_owned(), json!(addresses));
                show(common, console, &client.post(&Target::of(&["assets"]), &Value::Object(body))?)
            }
            AssetAct::Forget { asset } => {
                done(common, console, &client.post(&Target::of(&["assets", asset, "forget"]), &json!({}))?)
            }
            AssetAct::Import { file, dry_run } => {
                let body = json!({ "csv": whole(file)?, "dry_run": dry_run });
                let target = Target::of(&["assets", "import"]);
                done(common, console, &client.patient().post(&target, &body)?)
            }
            AssetAct::Export { terms } => {
                let target = Target::of(&["assets"]).with("format", "csv").with("q", line(terms));
                let answer = client.patient().get(&target)?;
                write!(console.out, "{}", answer.as_str().unwrap_or_default())?;
                Ok(Exit::DONE)
            }
        }
    }
}

/// What a body of the API may hold.
const MOST: u64 = 7 << 20;

fn whole(file: &Path) -> Result<String, Failure> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().take(MOST).read_to_end(&mut bytes)?;
        bytes
    } else {
        files::read(file, MOST)
            .map_err(|error| Failure::new(Exit::REFUSED, crate::telemetry::Chain(&error).to_string()))?
    };
    String::from_utf8(bytes).map_err(|_error| {
        Failure::new(Exit::REFUSED, format!("{} is not UTF-8", file.display()))
            .hint("`iconv -f WINDOWS-1252 -t UTF-8` turns the text of an old spreadsheet into it")
    })
}

impl List {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let target = Target::of(&["assets"])
            .with("q", line(&self.terms))
            .with_some("sort", self.sort.as_ref())
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let mut table =
            Table::new(&["ASSET", "ADDRESS", "STATE", "OS", "SERVICES", "LAST SEEN", "ANOMALIES"]);
        for item in items(&answer) {
            let open = number(item, "open_anomalies");
            table.row(vec![
                text(item, "name").into(),
                list_of(item, "addresses", |one| text(one, "address").to_owned()).into(),
                state(item).into(),
                text(item, "os").into(),
                list_of(item, "services", |one| {
                    format!("{}/{}", number(one, "port"), text(one, "transport"))
                })
                .into(),
                moment(number(item, "last_seen")).into(),
                if open > 0 { open.to_string() } else { String::new() }.into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

fn state(item: &Value) -> String {
    let word = text(item, "state");
    let word = if word.is_empty() { "not monitored" } else { word };
    if number(item, "stale") > 0 { format!("{word}, not seen") } else { word.to_owned() }
}

fn each<'a>(item: &'a Value, name: &str) -> &'a [Value] {
    item.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn list_of(item: &Value, name: &str, told: impl Fn(&Value) -> String) -> String {
    let all: Vec<String> = each(item, name).iter().map(told).collect();
    match all.get(..6) {
        Some(first) if all.len() > 6 => format!("{} and {} more", first.join(" "), all.len() - 6),
        Some(_) | None => all.join(" "),
    }
}

fn show(common: &Common, console: &mut Console, item: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{item:#}")?;
        return Ok(Exit::DONE);
    }
    let out = &mut console.out;
    writeln!(out, "{}  ({}, asset {})", clean(text(item, "name")), state(item), number(item, "id"))?;
    let fact = |out: &mut dyn std::io::Write, name: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<12} {}", clean(value)) }
    };
    for one in each(item, "addresses") {
        let card = [text(one, "mac"), text(one, "vendor")].join(" ");
        fact(out, "address", &format!("{} {}", text(one, "address"), card.trim()))?;
    }
    for (name, field) in [("host", "host"), ("os", "os"), ("ssh key", "ssh_key")] {
        fact(out, name, text(item, field))?;
    }
    fact(out, "value", &number(item, "value").to_string())?;
    let words = item.get("said").unwrap_or(&Value::Null);
    for field in ["kind", "description", "owner", "place", "latitude", "longitude", "notes"] {
        fact(out, field, text(words, field))?;
    }
    fact(out, "first seen", &moment(number(item, "first_seen")))?;
    fact(out, "last seen", &moment(number(item, "last_seen")))?;
    for one in each(item, "services") {
        let gone = if number(one, "gone") > 0 { "  gone" } else { "" };
        let software = [text(one, "name"), text(one, "product"), text(one, "version")].join(" ");
        let (port, transport) = (number(one, "port"), text(one, "transport"));
        writeln!(
            out,
            "  {port:>5}/{transport} {}  [{}]{gone}",
            clean(software.trim()),
            clean(text(one, "origin"))
        )?;
    }
    for one in each(item, "anomalies") {
        writeln!(out, "  {}  {}", moment(number(one, "last")), change(one))?;
    }
    Ok(Exit::DONE)
}

/// `version_changed 22/tcp: OpenSSH 9.2 → OpenSSH 9.6 (open)`.
fn change(one: &Value) -> String {
    let what = [text(one, "kind"), text(one, "subject")].join(" ");
    let ticket = text(one, "ticket");
    let ticket = if ticket.is_empty() { String::new() } else { format!(", {ticket}") };
    let (old, new) = (text(one, "old"), text(one, "new"));
    clean(&format!("{}: {old} → {new} ({}{ticket})", what.trim(), text(one, "status")))
}

/// List networks, and switch the monitoring of a whole one
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia network list
  vigia network monitor office off")]
pub(crate) struct Network {
    #[command(subcommand)]
    act: NetworkAct,
}

#[derive(Debug, clap::Subcommand)]
enum NetworkAct {
    /// List networks with how many of their assets are monitored
    #[command(before_help = "Example:\n  vigia network list")]
    List,
    /// Switch monitoring on or off for all hosts of a network, present and to come
    ///
    /// What a file says of the network or of a host is stronger; of two networks the narrower one is.
    #[command(
        before_help = "Examples:\n  vigia network monitor office off\n  vigia network monitor office inherit"
    )]
    Monitor {
        network: String,
        #[arg(value_parser = ["on", "off", "inherit"])]
        monitor: String,
    },
}

impl Network {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            NetworkAct::Monitor { network, monitor } => {
                let target = Target::of(&["networks", network]);
                done(common, console, &client.patient().post(&target, &json!({ "monitor": monitor }))?)
            }
            NetworkAct::List => {
                let answer = client.get(&Target::of(&["networks"]))?;
                if common.output == Format::Json {
                    writeln!(console.out, "{answer:#}")?;
                    return Ok(Exit::DONE);
                }
                let mut table = Table::new(&[
                    "NETWORK",
                    "RANGES",
                    "MONITORING",
                    "MONITORED",
                    "DOWN",
                    "ANOMALIES",
                    "VALUE",
                ]);
                for item in items(&answer) {
                    let (word, now) = (text(item, "monitor"), text(item, "effective"));
                    let by = if text(item, "said_by") == "file" { " (in a file)" } else { "" };
                    let switch = if word == now { format!("{word}{by}") } else { format!("{word} ({now})") };
                    let ranges: Vec<&str> = each(item, "cidr").iter().filter_map(Value::as_str).collect();
                    table.row(vec![
                        text(item, "name").into(),
                        ranges.join(" ").into(),
                        switch.into(),
                        format!("{} of {}", number(item, "monitored"), number(item, "assets")).into(),
                        number(item, "down").to_string().into(),
                        number(item, "open_anomalies").to_string().into(),
                        number(item, "asset_value").to_string().into(),
                    ]);
                }
                let style = Style::of(console);
                table.print(&mut console.out, style)?;
                Ok(Exit::DONE)
            }
        }
    }
}

/// List anomalies, and say what is right
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia anomaly list
  vigia anomaly accept 7
  vigia anomaly ticket 7 --in-charge ana")]
pub(crate) struct Anomaly {
    #[command(subcommand)]
    act: AnomalyAct,
}

#[derive(Debug, clap::Subcommand)]
enum AnomalyAct {
    /// List open anomalies, or others
    #[command(before_help = "Examples:
  vigia anomaly list
  vigia anomaly list --status all --kind version_changed -q openssh")]
    List(Anomalies),
    /// The new value is right from now on
    #[command(before_help = "Example:\n  vigia anomaly accept 7 8")]
    Accept {
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// The old value stays right; told again when yet another one comes
    #[command(before_help = "Example:\n  vigia anomaly keep 7")]
    Keep {
        #[arg(required = true)]
        ids: Vec<u64>,
    },
    /// Open a ticket of class Anomaly with old and new value
    #[command(before_help = "Example:\n  vigia anomaly ticket 7 --in-charge ana")]
    Ticket {
        id: u64,
        /// A user, contact or contact group
        #[arg(long, value_name = "NAME", default_value = "")]
        in_charge: String,
    },
}

#[derive(Debug, clap::Args)]
struct Anomalies {
    /// open, accepted, kept, over, settled or all
    #[arg(long, value_name = "STATUS", default_value = "open")]
    status: String,
    /// host_new, service_new, version_changed and so on
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Of one asset: a number, a name or an address
    #[arg(long, value_name = "ASSET")]
    asset: Option<String>,
    /// In values, names and addresses
    #[arg(short = 'q', long, value_name = "TEXT")]
    search: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Anomaly {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            AnomalyAct::List(list) => list.run(&client, common, console),
            AnomalyAct::Accept { ids } => done(
                common,
                console,
                &client.post(&Target::of(&["anomalies", "accept"]), &json!({ "ids": ids }))?,
            ),
            AnomalyAct::Keep { ids } => done(
                common,
                console,
                &client.post(&Target::of(&["anomalies", "keep"]), &json!({ "ids": ids }))?,
            ),
            AnomalyAct::Ticket { id, in_charge } => {
                let target = Target::of(&["anomalies", &id.to_string(), "ticket"]);
                done(common, console, &client.post(&target, &json!({ "in_charge": in_charge }))?)
            }
        }
    }
}

impl Anomalies {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let target = Target::of(&["anomalies"])
            .with("status", &self.status)
            .with_some("kind", self.kind.as_ref())
            .with_some("asset", self.asset.as_ref())
            .with_some("q", self.search.as_ref())
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let mut table = Table::new(&[
            "ID", "ASSET", "KIND", "SUBJECT", "BEFORE", "NOW", "SEVERITY", "WHEN", "STATUS", "TICKET",
        ]);
        for item in items(&answer) {
            table.row(vec![
                number(item, "id").to_string().into(),
                text(item, "asset_name").into(),
                text(item, "kind").into(),
                text(item, "subject").into(),
                text(item, "old").into(),
                text(item, "new").into(),
                number(item, "severity").to_string().into(),
                moment(number(item, "last")).into(),
                text(item, "status").into(),
                text(item, "ticket").into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_were_quoted_for_the_shell_stay_together() {
        let terms = ["os:linux", "place:rack 7", "old mill", "-port:22"].map(str::to_owned);
        assert_eq!(line(&terms), r#"os:linux place:"rack 7" "old mill" -port:22"#);
    }
}
