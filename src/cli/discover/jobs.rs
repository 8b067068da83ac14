//! Scans of the running daemon: `jobs`, `start`, `follow`, `cancel`, `insert`.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::{Switch, timing};
use crate::cli::acts::{done, tell_more};
use crate::cli::client::{Client, Target};
use crate::cli::table::{Style, Table, clean, items, moment, number, span, text};
use crate::cli::{Answer, Common, Console, Exit, Failure, Format};
use crate::discovery::plan::Depth;
use crate::discovery::timing::Timing;

/// List the daemon's scans: those under way, the jobs of the configuration, the last that ended
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  vigia discover jobs\n  vigia discover jobs --all")]
pub(super) struct Jobs {
    /// All scans that are kept, not the last twenty
    #[arg(long)]
    all: bool,
}

/// Have the daemon scan: a job of its configuration, or targets
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia discover start --job office-lan
  vigia discover start 192.0.2.0/24 --scan normal --follow
  vigia discover start net:office '!192.0.2.200'

It goes on when this command ends; `vigia discover follow` and the page Net Discovery show how far it is.")]
pub(super) struct Start {
    #[arg(value_name = "TARGET", required_unless_present = "job")]
    targets: Vec<String>,
    /// A job by its name in the configuration
    #[arg(long, value_name = "JOB", conflicts_with_all = ["targets", "scan", "timing", "engine"])]
    job: Option<String>,
    /// How deep to look: ping, fast, normal, full, or ports
    #[arg(long, default_value = "fast", value_name = "SCAN", value_parser = Depth::parse)]
    scan: Depth,
    /// How fast: paranoid, sneaky, polite, normal, aggressive, insane, or T0 to T5
    #[arg(short = 'T', long, default_value = "normal", value_name = "TEMPLATE", value_parser = timing)]
    timing: Timing,
    /// Who looks: builtin or nmap
    #[arg(long, default_value = "builtin", value_name = "ENGINE")]
    engine: String,
    /// Scan more than 256 addresses without asking
    #[arg(short = 'y', long)]
    yes: bool,
    /// Show how far it is until it ends, then what it found
    #[arg(short = 'f', long)]
    follow: bool,
}

/// Show how far a scan of the daemon is until it ends, then what it found
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  vigia discover follow 12")]
pub(super) struct Follow {
    #[arg(value_name = "SCAN")]
    id: u32,
}

/// Cancel a scan of the daemon; what it found until then is kept
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  vigia discover cancel 12")]
pub(super) struct Cancel {
    #[arg(value_name = "SCAN")]
    id: u32,
}

/// Write hosts that a scan of the daemon found: those named, or all that are new or changed
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  vigia discover insert 12
  vigia discover insert 12 web7 192.0.2.66 --group web
  vigia discover insert 12 --monitor off --asset-value 4")]
pub(super) struct Insert {
    #[arg(value_name = "SCAN")]
    id: u32,
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// Whether the hosts are checked; without it new ones are, and known ones stay as they are
    #[arg(long, value_enum, value_name = "ON|OFF")]
    monitor: Option<Switch>,
    /// A host group, known or new
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// 0 to 5
    #[arg(long, value_name = "N")]
    asset_value: Option<String>,
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Looks at a scan as often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn scans() -> Target {
    Target::of(&["discovery", "scans"])
}

fn scan(id: &str, act: &[&str]) -> Target {
    let mut names = vec!["discovery", "scans", id];
    names.extend(act);
    Target::of(&names)
}

impl Jobs {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let board = client.get(&Target::of(&["discovery"]))?;
        let limit = if self.all { "10000" } else { "20" };
        let past = client.get(&scans().with("limit", limit))?;
        if common.output == Format::Json {
            let all = json!({ "under_way": board["scans"], "jobs": board["jobs"], "scans": past["items"] });
            writeln!(console.out, "{all:#}")?;
            return Ok(Exit::DONE);
        }
        let style = Style::of(console);
        for live in board["scans"].as_array().map_or(&[][..], Vec::as_slice) {
            writeln!(console.out, "{}", stage(live))?;
        }
        let jobs = board["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        if !jobs.is_empty() {
            let mut table = Table::new(&["JOB", "MODE", "LAST", "", "NEXT", "TARGETS"]);
            for job in jobs {
                let last = &job["last"];
                table.row(vec![
                    text(job, "name").into(),
                    text(job, "mode").into(),
                    moment(number(last, "asked")).into(),
                    text(last, "state").into(),
                    moment(number(job, "next")).into(),
                    text(job, "targets").into(),
                ]);
            }
            table.print(&mut console.out, style)?;
        }
        if items(&past).is_empty() && jobs.is_empty() {
            writeln!(console.out, "no scans yet; `vigia discover start TARGET` begins one")?;
            return Ok(Exit::DONE);
        }
        let mut table = Table::new(&["SCAN", "STATE", "BEGUN", "TOOK", "HOSTS", "NEW", "BY", "TARGETS", ""]);
        for item in items(&past) {
            let took = number(item, "ended") - number(item, "begun");
            let has_both = number(item, "ended") > 0 && number(item, "begun") > 0;
            table.row(vec![
                number(item, "id").to_string().into(),
                text(item, "state").into(),
                moment(number(item, "begun")).into(),
                if has_both { span(took) } else { String::new() }.into(),
                number(item, "answered").to_string().into(),
                number(item, "new").to_string().into(),
                text(item, "by").into(),
                text(item, "targets").into(),
                text(item, "said").into(),
            ]);
        }
        table.print(&mut console.out, style)?;
        tell_more(console, &past, items(&past).len())?;
        Ok(Exit::DONE)
    }
}

impl Start {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let body = match &self.job {
            Some(job) => json!({ "job": job }),
            None => json!({
                "targets": self.targets.join(" "),
                "scan": self.scan.to_string(),
                "timing": self.timing.name(),
                "engine": self.engine,
                "confirmed": self.yes,
            }),
        };
        let answer = client.post(&scans(), &body).map_err(|failure| {
            let is_asked = failure.message.contains("confirm that so many are meant");
            if is_asked { failure.hint("--yes scans them") } else { failure }
        })?;
        if !self.follow {
            return done(common, console, &answer);
        }
        follow(&client, &number(&answer, "id").to_string(), common, console)
    }
}

impl Follow {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        follow(&Client::of(common), &self.id.to_string(), common, console)
    }
}

impl Cancel {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let target = scan(&self.id.to_string(), &["cancel"]);
        done(common, console, &Client::of(common).post(&target, &json!({}))?)
    }
}

impl Insert {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let mut body = json!({ "monitor_new": "on" });
        if !self.hosts.is_empty() {
            body["hosts"] = json!(self.hosts);
        }
        if let Some(monitor) = self.monitor {
            let word = if monitor == Switch::On { "on" } else { "off" };
            body["monitor_new"] = json!(word);
            body["monitor_known"] = json!(word);
        }
        let texts =
            [("group", &self.group), ("asset_value", &self.asset_value), ("description", &self.description)];
        for (name, value) in texts {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        let target = scan(&self.id.to_string(), &["insert"]);
        done(common, console, &Client::of(common).post(&target, &body)?)
    }
}

/// `scan 12: 34 %, 5 found, about 2 m left`.
fn stage(live: &Value) -> String {
    let (id, found) = (number(live, "id"), number(live, "found"));
    if text(live, "state") == "waiting" {
        return format!("scan {id} of {}: waits for its turn", text(live, "targets"));
    }
    let left = live["seconds_left"].as_i64().map(|left| format!(", about {} left", span(left)));
    let (percent, targets) = (number(live, "percent"), text(live, "targets"));
    let what = text(live, "stage");
    format!("scan {id} of {targets}: {what}, {percent} %, {found} found{}", left.unwrap_or_default())
}

/// Until it ends. What it was cancelled or interrupted with is shown as well, with another exit code.
fn follow(client: &Client, id: &str, common: &Common, console: &mut Console) -> Answer {
    let is_seen = std::io::stderr().is_terminal();
    loop {
        let answer = client.get(&scan(id, &[]))?;
        let state = text(&answer, "state").to_owned();
        if !matches!(state.as_str(), "waiting" | "running") {
            if is_seen {
                write!(console.err, "\r\x1b[K")?;
            }
            return result(&answer, &state, common, console);
        }
        if is_seen {
            write!(console.err, "\r\x1b[K{}", clean(&stage(&answer["progress"])))?;
            console.err.flush()?;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn result(answer: &Value, state: &str, common: &Common, console: &mut Console) -> Answer {
    let exit = if state == "finished" { Exit::DONE } else { Exit::REFUSED };
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(exit);
    }
    if state == "failed" {
        return Err(Failure::new(Exit::REFUSED, text(answer, "said").to_owned()));
    }
    let report = &answer["report"];
    let mut table = Table::new(&["", "HOST", "ADDRESS", "MAC", "OS", "SERVICES"]);
    for host in report["hosts"].as_array().map_or(&[][..], Vec::as_slice) {
        let names = host["checks"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let services: Vec<&str> = names.map(|check| text(check, "name")).collect();
        table.row(vec![
            text(host, "verdict").into(),
            text(host, "host_name").into(),
            text(host, "address").into(),
            text(host, "mac").into(),
            text(&host["os"], "name").into(),
            services.join(" ").into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    let (id, said) = (number(answer, "id"), clean(text(answer, "said")));
    writeln!(console.out, "scan {id} {state}: {said}")?;
    let offered = number(answer, "new") + number(answer, "changed");
    if offered > 0 && text(answer, "job").is_empty() {
        writeln!(console.out, "`vigia discover insert {id}` writes them")?;
    }
    Ok(exit)
}
