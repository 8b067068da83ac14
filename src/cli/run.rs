//! `vigia run HOST/SERVICE`: one check of the configuration, once, now, with everything it did.
//!
//! No daemon is needed and none is told: it answers "what would it say?" while somebody edits.

use std::io;
use std::time::Duration;

use vigia_checks::Shared;
use vigia_core::model::check::{CheckMethod, Job, PluginCommand, Verdict};
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::inventory::Inventory;
use vigia_core::model::state::{Condition, HostState, State};
use vigia_core::model::time::Timestamp;

use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::files::Request;
use crate::config::settings::MacroValue;
use crate::config::{self, problem, secret, veil};
use crate::os::clock::Clock;
use crate::runtime::Tools;
use crate::runtime::plugin::Answer as Looked;
use crate::telemetry::Chain;

/// Run the check of a host or service once, now, and show everything it does
///
/// Uses the configuration as it is written, with or without a running daemon, which is told nothing. Exits as a plugin: 0 OK
/// or UP, 1 WARNING, 2 CRITICAL or DOWN, 3 UNKNOWN or wrong usage.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia run web01/HTTP
  vigia run web01
  vigia run -c ./etc/demo db01/MYSQL -o json")]
pub(crate) struct Run {
    /// A host, or HOST/SERVICE
    #[arg(value_name = "HOST[/SERVICE]")]
    object: String,
}

impl Run {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let key = ObjectKey::parse(&self.object);
        let (inventory, secrets) = load(common, console)?;
        let object = inventory.find(&key).ok_or_else(|| unknown(&key, &inventory))?;
        let clock = Clock::system();
        let job = job(&inventory, object, clock.now());
        let begun = clock.now();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let looked = runtime.block_on(async {
            let tools = Tools::new(Shared::new(secret::source()));
            let looked = tools.look(&job, true).await;
            tools.processes.close().await;
            looked
        });
        let seen = Seen { job: &job, looked: &looked, took: clock.now().since(begun), secrets: &secrets };
        match common.output {
            Format::Text => seen.print(console)?,
            Format::Json => writeln!(console.out, "{:#}", seen.json())?,
        }
        Ok(Exit::plugin(seen.state()))
    }
}

/// The inventory, and the secrets that command lines may hold through `$USERn$`. What is wrong in the files goes to
/// standard error, since it may be the answer.
fn load(common: &Common, console: &mut Console) -> Result<(Inventory, Vec<String>), Failure> {
    let request = Request::new(&common.config, Some(&common.state_dir));
    let loaded = config::load(&request).map_err(|error| {
        Failure::new(Exit::plugin(3), Chain(&error).to_string()).hint("-c names another one")
    })?;
    write!(console.err, "{}", problem::text(&loaded.problems))?;
    let macros = loaded.settings.map(|settings| settings.user_macros).unwrap_or_default();
    let secrets = macros.into_iter().filter_map(|(_, value)| match value {
        MacroValue::Secret(secret, _at) => secret::reveal(&secret).ok().filter(|text| !text.is_empty()),
        MacroValue::Text(_) => None,
    });
    Ok((loaded.inventory, secrets.collect()))
}

fn unknown(key: &ObjectKey, inventory: &Inventory) -> Failure {
    let failure = Failure::new(Exit::plugin(3), format!("there is no host or service `{key}`"));
    let names: Vec<String> = match (inventory.host_id(&key.host), &key.service) {
        (Some(host), Some(_)) => {
            inventory.host(host).services.iter().map(|id| inventory.service(*id).name.to_string()).collect()
        }
        (_, _) => inventory.hosts.iter().map(|host| host.name.to_string()).collect(),
    };
    let wanted =
        key.service.as_deref().filter(|_| inventory.host_id(&key.host).is_some()).unwrap_or(&key.host);
    match problem::did_you_mean(wanted, names.iter().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => {
            failure.hint("a mistake in its definition keeps it from being loaded; `vigia validate` tells")
        }
    }
}

fn job(inventory: &Inventory, object: Checkable, now: Timestamp) -> Job {
    let key = inventory.key(object);
    let host = inventory.host(inventory.host_of(object));
    let (check, is_host_check) = match object {
        Checkable::Host(_) => (host.check.clone(), true),
        Checkable::Service(id) => (inventory.service(id).check.clone(), false),
    };
    Job {
        object,
        generation: inventory.generation,
        host: key.host,
        service: key.service,
        address: host.address.clone(),
        check,
        due: now,
        is_host_check,
    }
}

struct Seen<'a> {
    job: &'a Job,
    looked: &'a Looked,
    took: Duration,
    secrets: &'a [String],
}

impl Seen<'_> {
    /// As a plugin would exit. A host's WARNING counts as UP.
    fn state(&self) -> u8 {
        let state = match self.looked.verdict {
            Verdict::State(state) => state,
            Verdict::Exit(code) => {
                u8::try_from(code).ok().and_then(State::from_number).unwrap_or(State::Critical)
            }
            Verdict::TimedOut | Verdict::Abnormal => State::Critical,
        };
        state.number()
    }

    fn word(&self) -> &'static str {
        if !self.job.is_host_check {
            return State::from_number(self.state()).unwrap_or(State::Unknown).word();
        }
        if self.state() < State::Critical.number() { HostState::Up.word() } else { HostState::Down.word() }
    }

    fn print(&self, console: &mut Console) -> io::Result<()> {
        let check = &self.job.check;
        let line =
            |console: &mut Console, name: &str, value: &str| writeln!(console.out, "{name:<9} {value}");
        line(console, "object", &self.job.key().to_string())?;
        line(console, "check", &format!("{}, at most {} s", check.kind, check.timeout.as_secs_f64()))?;
        line(console, "address", &self.job.address)?;
        for (name, value) in self.command() {
            line(console, name, &value)?;
        }
        for step in &self.looked.detail {
            line(console, "step", step)?;
        }
        line(console, "ended", &ended(self.looked.verdict))?;
        line(console, "took", &format!("{:.3} s", self.took.as_secs_f64()))?;
        line(console, "state", self.word())?;
        let output = &self.looked.output;
        line(console, "output", &output.text)?;
        for more in output.long.lines() {
            line(console, "", more)?;
        }
        if !output.perfdata.is_empty() {
            line(console, "perfdata", &output.perfdata)?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let output = &self.looked.output;
        serde_json::json!({
            "host_name": &*self.job.host,
            "description": self.job.service.as_deref(),
            "check": self.job.check.kind,
            "address": &*self.job.address,
            "command": self.command().into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            "steps": self.looked.detail,
            "ended": ended(self.looked.verdict),
            "execution_time": self.took.as_secs_f64(),
            "state": self.state(),
            "state_word": self.word(),
            "plugin_output": &*output.text,
            "long_plugin_output": &*output.long,
            "perf_data": &*output.perfdata,
        })
    }

    /// A plugin's argument vector, a word a line: nothing is joined, so nothing can be misread. Secrets are stars.
    fn command(&self) -> Vec<(&'static str, String)> {
        let CheckMethod::Plugin(PluginCommand { argv, shell, .. }) = &self.job.check.method else {
            return Vec::new();
        };
        let name = |at: usize| {
            if at > 0 {
                "argument"
            } else if *shell {
                "shell"
            } else {
                "program"
            }
        };
        let shown = |word: &String| {
            let plain = veil::without_passwords(word).into_owned();
            self.secrets.iter().fold(plain, |word, secret| word.replace(secret, "***"))
        };
        argv.iter().enumerate().map(|(at, word)| (name(at), shown(word))).collect()
    }
}

fn ended(verdict: Verdict) -> String {
    match verdict {
        Verdict::Exit(code) => format!("with exit code {code}"),
        Verdict::State(state) => format!("with {state}"),
        Verdict::TimedOut => "by its deadline".to_owned(),
        Verdict::Abnormal => "in a way the system did not tell".to_owned(),
    }
}
