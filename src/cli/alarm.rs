//! `vigia alarm`: problems that were confirmed.

use serde_json::{Value, json};

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{
    Cell, HOST_LOOKS, Look, PENDING, SERVICE_LOOKS, Style, Table, clean, items, moment, number, object, text,
};
use super::{Answer, Common, Console, Exit, Format};

/// List, show, own and close alarms
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia alarm list
  vigia alarm list --all --host db01
  vigia alarm show 12
  vigia alarm close 12 -m 'the vendor is on it'")]
pub(crate) struct Alarm {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// List alarms, the latest first
    #[command(before_help = "Examples:\n  vigia alarm list\n  vigia alarm list --closed --limit 20")]
    List(List),
    /// Show one alarm
    #[command(before_help = "Example:\n  vigia alarm show 12")]
    Show { id: u64 },
    /// Take an alarm, or give it to somebody
    #[command(before_help = "Examples:\n  vigia alarm own 12 ana\n  vigia alarm own 12 --release")]
    Own {
        id: u64,
        /// Whose it is from now on
        #[arg(required_unless_present = "release")]
        owner: Option<String>,
        /// Nobody's
        #[arg(long, conflicts_with = "owner")]
        release: bool,
    },
    /// Open a ticket for an alarm, or link it to one that exists
    #[command(before_help = "Examples:\n  vigia alarm ticket 12\n  vigia alarm ticket 12 AVA03")]
    Ticket {
        id: u64,
        /// The ticket to link it to
        ticket: Option<String>,
    },
    /// Say something of an alarm
    #[command(before_help = "Example:\n  vigia alarm comment 12 'the provider looks at it'")]
    Comment { id: u64, text: String },
    /// Give an alarm a label, or take it away
    #[command(
        before_help = "Examples:\n  vigia alarm label 12 'Analysis in progress'\n  vigia alarm label 12 'Analysis in progress' --remove"
    )]
    Label {
        id: u64,
        /// `Analysis in progress`, `False positive` (which suppresses it), or any word
        label: String,
        #[arg(long)]
        remove: bool,
    },
    /// Open an alarm again that was closed although its problem stands
    #[command(before_help = "Example:\n  vigia alarm reopen 12 -m 'it does matter'")]
    Reopen {
        id: u64,
        /// Why
        #[arg(short = 'm', long = "message", value_name = "TEXT")]
        comment: String,
    },
    /// Say which objects had alarms in a time, for how long and how bad
    #[command(
        before_help = "Examples:\n  vigia alarm report\n  vigia alarm report --since 7d --csv > alarms.csv"
    )]
    Report(Report),
    /// Close an alarm
    #[command(
        before_help = "Examples:\n  vigia alarm close 12 -m 'the vendor is on it'\n  vigia alarm close 12 -m 'the probe is blind here' --false-positive --until 30d"
    )]
    Close {
        id: u64,
        /// Why
        #[arg(short = 'm', long = "message", value_name = "TEXT")]
        comment: String,
        /// No ticket and no message of it from now on
        #[arg(long)]
        false_positive: bool,
        /// Until when (30d, 2026-12-24 22:00); else for good
        #[arg(long, value_name = "TIME", requires = "false_positive")]
        until: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Report {
    /// From when: how long ago, or a date
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Until when; else until now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For a spreadsheet
    #[arg(long)]
    csv: bool,
    /// Objects to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl Report {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let target = Target::of(&["alarms", "report"])
            .with("since", &*self.since)
            .with_some("until", self.until.as_ref());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        if self.csv {
            let file = client.get(&target.with("format", "csv"))?;
            write!(console.out, "{}", file.as_str().unwrap_or_default())?;
            return Ok(Exit::DONE);
        }
        let headings = ["OBJECT", "ALARMS", "MINUTES", "LONGEST", "SEVERITY", "TICKETS", "OPEN"];
        let mut table = Table::new(&headings);
        for item in items(&answer).iter().take(self.limit) {
            let count = |name: &str| number(item, name).to_string();
            table.row(vec![
                object(item).into(),
                count("alarms").into(),
                (number(item, "seconds") / 60).to_string().into(),
                (number(item, "longest") / 60).to_string().into(),
                count("severity").into(),
                count("tickets").into(),
                count("open").into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len().min(self.limit))?;
        Ok(Exit::DONE)
    }
}

#[derive(Debug, clap::Args)]
struct List {
    /// Closed ones too
    #[arg(long)]
    all: bool,
    /// Only closed ones
    #[arg(long, conflicts_with = "all")]
    closed: bool,
    /// Of this host and its services
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Whose: a name, `me`, `nobody`
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Those that this object is the cause of, and its own
    #[arg(long, value_name = "OBJECT")]
    root: Option<String>,
    /// At least so severe (0 to 10)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10))]
    severity: Option<u8>,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Alarm {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let act = |id: &u64, name: &str, body: Value| {
            client.post(&Target::of(&["alarms", &id.to_string(), name]), &body)
        };
        match &self.act {
            Act::List(list) => list.run(&client, common, console),
            Act::Show { id } => {
                show(common, console, &client.get(&Target::of(&["alarms", &id.to_string()]))?)
            }
            Act::Own { id, owner, release: _ } => {
                done(common, console, &act(id, "own", json!({"owner": owner}))?)
            }
            Act::Ticket { id, ticket } => {
                let body = ticket.as_ref().map_or(json!({}), |ticket| json!({"ticket": ticket}));
                done(common, console, &act(id, "ticket", body)?)
            }
            Act::Comment { id, text } => {
                done(common, console, &act(id, "comment", json!({"comment": text}))?)
            }
            Act::Label { id, label, remove } => {
                done(common, console, &act(id, "label", json!({"label": label, "remove": remove}))?)
            }
            Act::Reopen { id, comment } => {
                done(common, console, &act(id, "reopen", json!({"comment": comment}))?)
            }
            Act::Report(report) => report.run(&client, common, console),
            Act::Close { id, comment, false_positive, until } => {
                let body = json!({"comment": comment, "false_positive": false_positive, "expires": until});
                done(common, console, &act(id, "close", body)?)
            }
        }
    }
}

impl List {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let status = match (self.all, self.closed) {
            (true, _) => "all",
            (_, true) => "closed",
            (false, false) => "open",
        };
        let target = Target::of(&["alarms"])
            .with("status", status)
            .with_some("host", self.host.as_ref())
            .with_some("owner", self.owner.as_ref())
            .with_some("label", self.label.as_ref())
            .with_some("root", self.root.as_ref())
            .with_some("severity", self.severity.map(|number| number.to_string()))
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let mut table = Table::new(&HEADINGS);
        for item in items(&answer) {
            table.row(row(item));
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

const HEADINGS: [&str; 10] =
    ["ID", "STATE", "OBJECT", "FIRST", "LAST", "COUNT", "STATUS", "OWNER", "TICKET", "INFORMATION"];

fn row(item: &Value) -> Vec<Cell> {
    vec![
        number(item, "id").to_string().into(),
        look(item).into(),
        object(item).into(),
        moment(number(item, "first")).into(),
        moment(number(item, "last")).into(),
        number(item, "count").to_string().into(),
        text(item, "status").into(),
        text(item, "owner").into(),
        text(item, "ticket").into(),
        text(item, "output").into(),
    ]
}

/// An alarm's subject was checked, whatever its item says of that.
fn look(item: &Value) -> Look {
    let looks: &[Look] = if text(item, "description").is_empty() { &HOST_LOOKS } else { &SERVICE_LOOKS };
    usize::try_from(number(item, "state")).ok().and_then(|state| looks.get(state)).copied().unwrap_or(PENDING)
}

fn show(common: &Common, console: &mut Console, item: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{item:#}")?;
        return Ok(Exit::DONE);
    }
    let style = Style::of(console);
    let out = &mut console.out;
    writeln!(out, "Alarm {}: {}, {}", number(item, "id"), clean(&object(item)), style.look(look(item)))?;
    let notes = item.get("notes").and_then(Value::as_array).cloned().unwrap_or_default();
    let labels: Vec<&str> = item
        .get("labels")
        .and_then(Value::as_array)
        .map(|labels| labels.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let closed = number(item, "closed");
    let closed = if closed > 0 { moment(closed) } else { String::new() };
    let lines = [
        ("status", text(item, "status").to_owned()),
        ("severity", number(item, "severity").to_string()),
        ("first", moment(number(item, "first"))),
        ("last", moment(number(item, "last"))),
        ("closed", closed),
        ("count", number(item, "count").to_string()),
        ("owner", text(item, "owner").to_owned()),
        ("ticket", text(item, "ticket").to_owned()),
        ("labels", labels.join(", ")),
        ("output", text(item, "output").to_owned()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:<9} {}", clean(value))?;
    }
    for note in &notes {
        let (what, said) = (text(note, "what"), text(note, "text"));
        let what = [what, said].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        writeln!(out, "{} {}: {}", moment(number(note, "at")), clean(text(note, "author")), clean(&what))?;
    }
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// As the API gives it.
    fn item() -> Value {
        json!({
            "id": 5, "host_name": "db1", "description": "tcp:5432", "status": "open", "state": 2, "first": 1_764_057_600,
            "last": 1_764_057_660, "count": 3, "owner": "ana", "ticket": "AVA03", "output": "TCP CRITICAL - refused",
        })
    }

    #[test]
    fn an_alarm_is_shown_with_its_ticket_and_its_output() {
        let said = Said::default();
        let mut table = Table::new(&HEADINGS);
        table.row(row(&item()));
        let mut console = Console::of(Box::new(said.clone()), Box::new(std::io::sink()));
        let style = Style::of(&console);
        table.print(&mut console.out, style).unwrap();
        let common = Common { config: "x".into(), state_dir: "y".into(), output: Format::Text };
        show(&common, &mut console, &item()).unwrap();
        let text = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        let (list, one) = text.split_once("Alarm 5").unwrap();
        for wanted in ["ana", "AVA03", "TCP CRITICAL - refused"] {
            assert!(list.contains(wanted) && one.contains(wanted), "{wanted}: {text}");
        }
    }
}
