//! `vigia ticket`: work for people.

pub(super) mod files;
mod types;

use serde_json::{Value, json};
use vigia_core::model::time::Timestamp;

use super::acts::{done, named, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, clean, clean_lines, items, moment, number, object, span, text};
use super::{Answer, Common, Console, Exit, Format};
use crate::os::clock::Clock;

/// List, read, open, note, edit, close and reopen tickets, and attach files to them
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
    /// Change what a ticket says; its history keeps the old values
    #[command(before_help = "Examples:
  vigia ticket edit AVA01 --priority 8 --type 'Net Performance'
  vigia ticket edit AVA01 --tag power --tag rack7 --in-charge ''")]
    Edit(Edit),
    /// Who hears of each change of a ticket from now on
    #[command(before_help = "Example:\n  vigia ticket subscribe AVA01 ops")]
    Subscribe {
        reference: String,
        /// A user, contact or contact group
        name: String,
    },
    /// Who hears of a ticket no more
    #[command(before_help = "Example:\n  vigia ticket unsubscribe AVA01 ops")]
    Unsubscribe { reference: String, name: String },
    /// Delete a ticket with its notes; its number is never used again
    #[command(before_help = "Example:\n  vigia ticket delete CUS17")]
    Delete { reference: String },
    /// Attach files to a ticket
    #[command(
        before_help = "Example:\n  vigia ticket attach AVA01 screenshot.png dmesg.txt -m 'as it looked at 3:10'"
    )]
    Attach(files::Attach),
    /// Save an attachment as a file
    #[command(before_help = "Example:\n  vigia ticket save 7 screenshot.png")]
    Save(files::Save),
    /// List, add, change and delete types of tickets
    #[command(subcommand, before_help = "Example:\n  vigia ticket type list")]
    Type(types::Types),
    /// Close a ticket
    #[command(
        before_help = "Examples:\n  vigia ticket close AVA01 'cable replaced' --resolution Fixed\n  vigia ticket close AVA01 'the probe is blind here' --resolution 'False positive' --until 30d"
    )]
    Close {
        reference: String,
        /// What was done
        text: String,
        /// Fixed, False positive, Duplicate, Won't fix, Expected/maintenance, No longer present
        #[arg(long, default_value = "Fixed")]
        resolution: String,
        /// Of a false positive: until when it is not told (30d, 2026-12-24 22:00); else for good
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
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
    /// In charge: a user, contact or contact group; `nobody`
    #[arg(long, value_name = "NAME")]
    in_charge: Option<String>,
    #[arg(long = "type", value_name = "TYPE")]
    r#type: Option<String>,
    /// High (7 to 10), Medium (4 to 6) or Low (1 to 3)
    #[arg(long, value_name = "WORD")]
    priority: Option<String>,
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// In charge of it, opened it, or wrote a note
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
    /// updated, opened, priority, title, life_time, in_charge, submitter, type or status; `-` in front: the greatest first
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,
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
    /// A field of its class, such as `port=22`
    #[arg(long = "field", value_name = "KEY=TEXT")]
    fields: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Edit {
    reference: String,
    #[arg(long)]
    title: Option<String>,
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    text: Option<String>,
    #[arg(long = "type", value_name = "TYPE")]
    r#type: Option<String>,
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=10))]
    priority: Option<u8>,
    /// A user, contact or contact group; empty: nobody
    #[arg(long, value_name = "NAME")]
    in_charge: Option<String>,
    /// All tags that it is to have
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A field of its class, such as `port=22`
    #[arg(long = "field", value_name = "KEY=TEXT")]
    fields: Vec<String>,
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
            Act::Edit(edit) => done(common, console, &act(&edit.reference, "edit", edit.body())?),
            Act::Subscribe { reference, name } => {
                done(common, console, &act(reference, "subscribe", json!({"name": name}))?)
            }
            Act::Unsubscribe { reference, name } => {
                done(common, console, &act(reference, "unsubscribe", json!({"name": name}))?)
            }
            Act::Delete { reference } => done(common, console, &act(reference, "delete", json!({}))?),
            Act::Attach(attach) => attach.run(&client, common, console),
            Act::Save(save) => save.run(&client, common, console),
            Act::Type(types) => types.run(&client, common, console),
            Act::Note(note) => done(common, console, &act(&note.reference, "note", note.body())?),
            Act::Close { reference, text, resolution, until } => {
                let mut body = json!({"text": text, "resolution": resolution});
                if let Some(until) = until {
                    body["expires"] = json!(until);
                }
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
        body["fields"] = pairs(&self.fields);
        if let Some(in_charge) = &self.in_charge {
            body["in_charge"] = json!(in_charge);
        }
        body
    }
}

/// `KEY=TEXT` as an object; the daemon says what is wrong with a key.
fn pairs(said: &[String]) -> Value {
    let pair = |said: &String| {
        let (key, text) = said.split_once('=').unwrap_or((said, ""));
        (key.trim().to_owned(), json!(text))
    };
    Value::Object(said.iter().map(pair).collect())
}

impl Edit {
    /// Only what was said: what is absent stays as it is.
    fn body(&self) -> Value {
        let mut body = json!({});
        let texts = [
            ("title", &self.title),
            ("text", &self.text),
            ("type", &self.r#type),
            ("in_charge", &self.in_charge),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if let Some(priority) = self.priority {
            body["priority"] = json!(priority);
        }
        if !self.tags.is_empty() {
            body["tags"] = json!(self.tags);
        }
        if !self.fields.is_empty() {
            body["fields"] = pairs(&self.fields);
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
            // The daemon takes a bare `open` for whatever is not closed.
            (false, Some(status)) if status.eq_ignore_ascii_case("open") => "=open",
            (false, Some(status)) => status,
            (false, None) => "open",
        };
        let target = Target::of(&["tickets"])
            .with("status", status)
            .with_some("host", self.host.as_ref())
            .with_some("class", self.class.as_ref())
            .with_some("in_charge", self.in_charge.as_ref())
            .with_some("type", self.r#type.as_ref())
            .with_some("priority", self.priority.as_ref())
            .with_some("tag", self.tag.as_ref())
            .with_some("with", self.with.as_ref())
            .with_some("sort", self.sort.as_ref())
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
                format!("{priority} {}", text(item, "priority_word")).into(),
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

/// A list of texts as one.
fn joined(item: &Value, name: &str) -> String {
    let texts = item.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join(", ")
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
        ("priority", format!("{priority} {}", text(item, "priority_word"))),
        ("class", text(item, "class").to_owned()),
        ("type", text(item, "type").to_owned()),
        ("about", object(item)),
        ("in charge", text(item, "in_charge").to_owned()),
        ("submitter", text(item, "submitter").to_owned()),
        ("tags", joined(item, "tags")),
        ("hear of it", joined(item, "subscribers")),
        ("created", moment(number(item, "opened"))),
        ("closed", if closed > 0 { moment(closed) } else { String::new() }),
        ("life time", life_time(item, Clock::system().now())),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:<11} {}", clean(value))?;
    }
    for (key, value) in item.get("fields").and_then(Value::as_object).into_iter().flatten() {
        let name = key.replace('_', " ");
        writeln!(out, "  {:<11} {}", clean(&name), clean(value.as_str().unwrap_or_default()))?;
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
    let files: Vec<&Value> =
        item.get("attachments").and_then(Value::as_array).into_iter().flatten().collect();
    if !files.is_empty() {
        writeln!(out, "\nattachments")?;
    }
    for file in files {
        let size = crate::desk::files::size(u64::try_from(number(file, "size")).unwrap_or(0));
        writeln!(out, "  {:<5} {}  {size}", number(file, "id"), clean(text(file, "name")))?;
    }
    Ok(Exit::DONE)
}

/// When a note was written, by whom, and what it changed.
fn head_of(note: &Value) -> String {
    format!("{}  {}{}", moment(number(note, "at")), clean(text(note, "author")), changes(note))
}

/// What a note changed, in brackets, with what was before.
fn changes(note: &Value) -> String {
    let change = |change: &Value| {
        let (field, before, after) = (text(change, "field"), text(change, "before"), text(change, "after"));
        let before = if before.is_empty() { String::new() } else { format!("{} → ", clean(before)) };
        let after = if after.is_empty() { "nothing".to_owned() } else { clean(after) };
        format!("{}: {before}{after}", clean(field))
    };
    let mut changes: Vec<String> =
        note.get("changes").and_then(Value::as_array).into_iter().flatten().map(change).collect();
    if !text(note, "action").is_empty() {
        changes.push(format!("done: {}", clean(text(note, "action"))));
    }
    if changes.is_empty() { String::new() } else { format!("  ({})", changes.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_when_it_was_written_and_what_it_changed() {
        let change = json!({"field": "status", "before": "Open", "after": "Waiting"});
        let note = json!({"at": 1_764_057_600, "author": "ana", "text": "on it", "changes": [change]});
        let head = head_of(&note);
        assert!(head.starts_with("2025-11-") && head.ends_with("  ana  (status: Open → Waiting)"), "{head}");
    }
}
