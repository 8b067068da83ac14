//! `vigia ticket`: work for people.

use serde_json::{Value, json};
use vigia_core::model::time::Timestamp;

use super::acts::{done, named, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, clean, clean_lines, items, moment, number, object, span, text};
use super::{Answer, Common, Console, Exit, Format};
use crate::os::clock::Clock;

/// List, read, open, note, close and reopen tickets
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia ticket list
  vigia ticket show AVA01
  vigia ticket new 'Replace the UPS battery' --priority 5
  vigia ticket note AVA01 'waiting for the provider' --status Waiting
  vigia ticket close AVA01 'cable replaced' --resolution Fixed")]
pub(crate) struct Ticket {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// List tickets that are not closed, or others
    #[command(before_help = "Examples:
  vigia ticket list
  vigia ticket list --all -q battery
  vigia ticket list --status Waiting --host db01")]
    List(List),
    /// Read a ticket with its notes
    #[command(before_help = "Example:\n  vigia ticket show AVA01")]
    Show {
        /// `AVA01`, or the number alone
        reference: String,
    },
    /// Open a ticket by hand
    #[command(before_help = "Examples:
  vigia ticket new 'Replace the UPS battery' --priority 5 --in-charge ana
  vigia ticket new 'Site is slow' --object web01/HTTP -m 'customers call since 9'")]
    New(New),
    /// Add a note to a ticket, and change what it says
    #[command(before_help = "Examples:
  vigia ticket note AVA01 'waiting for the provider' --status Waiting
  vigia ticket note AVA01 'please take over' --in-charge ana --priority 8")]
    Note(Note),
    /// Close a ticket
    #[command(before_help = "Example:\n  vigia ticket close AVA01 'cable replaced' --resolution Fixed")]
    Close {
        reference: String,
        /// What was done
        text: String,
        /// Fixed, False positive, Duplicate, Won't fix, Expected/maintenance, No longer present
        #[arg(long, default_value = "Fixed")]
        resolution: String,
    },
    /// Open a closed ticket again
    #[command(before_help = "Example:\n  vigia ticket reopen AVA01 'happened again'")]
    Reopen {
        reference: String,
        /// Why
        text: String,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Closed ones too
    #[arg(long)]
    all: bool,
    /// Open, Assigned, Studying, Waiting, Testing or Closed
    #[arg(long, value_name = "STATUS", conflicts_with = "all")]
    status: Option<String>,
    /// About this host or its services
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Availability, Alarm, Event, Metric, Anomaly, Vulnerability or Custom
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// In title, text or notes
    #[arg(short = 'q', long, value_name = "TEXT")]
    search: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, clap::Args)]
struct New {
    title: String,
    /// What it is about, in more words
    #[arg(short = 'm', long = "message", value_name = "TEXT", default_value = "")]
    text: String,
    /// `HOST` or `HOST/SERVICE`
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    #[arg(long, value_name = "CLASS", default_value = "Custom")]
    class: String,
    #[arg(long = "type", value_name = "TYPE", default_value = "Generic")]
    r#type: String,
    /// 1 to 10; 7 and more is high
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    priority: u8,
    /// A user, contact or contact group
    #[arg(long, value_name = "NAME")]
    in_charge: Option<String>,
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Note {
    reference: String,
    text: String,
    /// What was done
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=10))]
    priority: Option<u8>,
    /// Hands it over
    #[arg(long, value_name = "NAME")]
    in_charge: Option<String>,
    /// With `--status Closed`
    #[arg(long, value_name = "RESOLUTION")]
    resolution: Option<String>,
}

impl Ticket {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let act = |reference: &str, name: &str, body: Value| {
            client.post(&Target::of(&["tickets", reference, name]), &body)
        };
        match &self.act {
            Act::List(list) => list.run(&client, common, console),
            Act::Show { reference } => {
                show(common, console, &client.get(&Target::of(&["tickets", reference]))?)
            }
            Act::New(new) => done(common, console, &client.post(&Target::of(&["tickets"]), &new.body())?),
            Act::Note(note) => done(common, console, &act(&note.reference, "note", note.body())?),
            Act::Close { reference, text, resolution } => {
                let body = json!({"text": text, "resolution": resolution});
                done(common, console, &act(reference, "close", body)?)
            }
            Act::Reopen { reference, text } => {
                done(common, console, &act(reference, "reopen", json!({"text": text}))?)
            }
        }
    }
}

impl New {
    fn body(&self) -> Value {
        let mut body = self.object.as_deref().map_or_else(|| json!({}), named);
        body["title"] = json!(self.title);
        body["text"] = json!(self.text);
        body["class"] = json!(self.class);
        body["type"] = json!(self.r#type);
        body["priority"] = json!(self.priority);
        body["tags"] = json!(self.tags);
        if let Some(in_charge) = &self.in_charge {
            body["in_charge"] = json!(in_charge);
        }
        body
    }
}

impl Note {
    /// Only what was said: what is absent stays as it is.
    fn body(&self) -> Value {
        let mut body = json!({"text": self.text});
        let texts = [
            ("action", &self.action),
            ("status", &self.status),
            ("in_charge", &self.in_charge),
            ("resolution", &self.resolution),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if let Some(priority) = self.priority {
            body["priority"] = json!(priority);
        }
        body
    }
}

impl List {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let status = match (self.all, self.status.as_deref()) {
            (true, _) => "all",
            (false, Some(status)) => status,
            (false, None) => "open",
        };
        let target = Target::of(&["tickets"])
            .with("status", status)
            .with_some("host", self.host.as_ref())
            .with_some("class", self.class.as_ref())
            .with_some("q", self.search.as_ref())
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let headings = [
            "TICKET",
            "PRIORITY",
            "STATUS",
            "CREATED",
            "LIFE TIME",
            "IN CHARGE",
            "SUBMITTER",
            "TYPE",
            "TITLE",
        ];
        let now = Clock::system().now();
        let mut table = Table::new(&headings);
        for item in items(&answer) {
            let priority = number(item, "priority");
            table.row(vec![
                text(item, "reference").into(),
                format!("{priority} {}", priority_word(priority)).into(),
                text(item, "status").into(),
                moment(number(item, "opened")).into(),
                life_time(item, now).into(),
                text(item, "in_charge").into(),
                text(item, "submitter").into(),
                text(item, "type").into(),
                text(item, "title").into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

/// Open: until now; closed: until it was closed, whatever was noted later.
fn life_time(item: &Value, now: Timestamp) -> String {
    let closed = number(item, "closed");
    let end = if closed > 0 { closed } else { now.as_second() };
    span(end - number(item, "opened"))
}

/// One set of limits for words everywhere (`ossim-tickets.md` T-41).
fn priority_word(priority: i64) -> &'static str {
    match priority {
        7.. => "High",
        4..=6 => "Medium",
        _ => "Low",
    }
}

fn show(common: &Common, console: &mut Console, item: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{item:#}")?;
        return Ok(Exit::DONE);
    }
    let out = &mut console.out;
    writeln!(out, "{}  {}", clean(text(item, "reference")), clean(text(item, "title")))?;
    let priority = number(item, "priority");
    let closed = number(item, "closed");
    let lines = [
        ("status", text(item, "status").to_owned()),
        ("resolution", text(item, "resolution").to_owned()),
        ("priority", format!("{priority} {}", priority_word(priority))),
        ("class", text(item, "class").to_owned()),
        ("type", text(item, "type").to_owned()),
        ("about", object(item)),
        ("in charge", text(item, "in_charge").to_owned()),
        ("submitter", text(item, "submitter").to_owned()),
        ("created", moment(number(item, "opened"))),
        ("closed", if closed > 0 { moment(closed) } else { String::new() }),
        ("life time", life_time(item, Clock::system().now())),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:<11} {}", clean(value))?;
    }
    let body = clean_lines(text(item, "text"));
    if !body.is_empty() {
        writeln!(out, "\n{body}")?;
    }
    for note in item.get("notes").and_then(Value::as_array).into_iter().flatten() {
        writeln!(out, "\n{}", head_of(note))?;
        for line in clean_lines(text(note, "text")).lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(Exit::DONE)
}

/// When a note was written, by whom, and what it changed.
fn head_of(note: &Value) -> String {
    format!("{}  {}{}", moment(number(note, "at")), clean(text(note, "author")), changes(note))
}

/// What a note changed, in brackets.
fn changes(note: &Value) -> String {
    let mut changes: Vec<String> = ["status", "resolution", "action"]
        .into_iter()
        .map(|name| (name, text(note, name)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {}", clean(value)))
        .collect();
    if number(note, "priority") > 0 {
        changes.push(format!("priority: {}", number(note, "priority")));
    }
    if !text(note, "in_charge").is_empty() {
        changes.push(format!("in charge: {}", clean(text(note, "in_charge"))));
    }
    if changes.is_empty() { String::new() } else { format!("  ({})", changes.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_when_it_was_written() {
        let note = json!({"at": 1_764_057_600, "author": "ana", "text": "on it", "status": "Waiting"});
        let head = head_of(&note);
        assert!(head.starts_with("2025-11-") && head.ends_with("  ana  (status: Waiting)"), "{head}");
    }

    #[test]
    fn priority_words_have_the_limits_of_the_pages() {
        assert_eq!(
            [1, 3, 4, 6, 7, 10].map(priority_word),
            ["Low", "Low", "Medium", "Medium", "High", "High"]
        );
    }
}
