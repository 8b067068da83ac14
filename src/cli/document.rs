//! `vigia document`: what people know.

use std::io::Read;

use serde_json::{Value, json};

use super::acts::{done, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, clean, clean_lines, items, moment, number, text};
use super::ticket::files::Form;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::os::files;

/// The longest document the daemon takes is far shorter.
const MOST: u64 = 1 << 20;

/// List, read, write and link documents of the knowledge base
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia document list -q 'ups battery'
  vigia document new 'UPS battery' ups.md --link host:ups1 --review 180d
  vigia document link 3 service:HTTP")]
pub(crate) struct Document {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// List documents, or find those with some words
    #[command(before_help = "Examples:
  vigia document list -q battery
  vigia document list --about service:HTTP
  vigia document list --overdue")]
    List(List),
    /// Read a document
    #[command(before_help = "Example:\n  vigia document show 3")]
    Show { id: u64 },
    /// Write a document
    #[command(before_help = "Examples:
  vigia document new 'UPS battery' ups.md --link host:ups1
  vigia document new 'Who to call' - < people.md")]
    New {
        title: String,
        /// A file in Markdown, or `-` for what comes in
        file: String,
        #[command(flatten)]
        about: About,
    },
    /// Change a document; what it said before stays among its versions
    #[command(before_help = "Examples:
  vigia document edit 3 --text ups.md
  vigia document edit 3 --review 2027-06-30 --link host:ups1 --link host:ups2")]
    Edit {
        id: u64,
        #[arg(long)]
        title: Option<String>,
        /// A file in Markdown, or `-` for what comes in
        #[arg(long, value_name = "FILE")]
        text: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Say what a document is about
    #[command(before_help = "Example:\n  vigia document link 3 check:mysql")]
    Link {
        id: u64,
        /// `host:web01`, `service:HTTP`, `group:linux`, `network:office`, `check:mysql`, `type:Anomalies`, `ticket:AVA01`,
        /// `rule:NAME`
        link: String,
    },
    /// Say what a document is no longer about
    #[command(before_help = "Example:\n  vigia document unlink 3 check:mysql")]
    Unlink { id: u64, link: String },
    /// List the versions of a document
    #[command(before_help = "Example:\n  vigia document versions 3")]
    Versions { id: u64 },
    /// Have a document say again what it said in an earlier version
    #[command(before_help = "Example:\n  vigia document restore 3 2")]
    Restore { id: u64, version: u32 },
    /// Attach files to a document
    #[command(before_help = "Example:\n  vigia document attach 3 plan.pdf")]
    Attach {
        id: u64,
        #[arg(required = true, value_name = "FILE")]
        paths: Vec<std::path::PathBuf>,
    },
    /// Delete a document with its versions; its number is never used again
    #[command(before_help = "Example:\n  vigia document delete 3")]
    Delete { id: u64 },
}

#[derive(Debug, clap::Args)]
struct List {
    /// Words in title, keywords or text
    #[arg(short = 'q', long, value_name = "WORDS")]
    search: Option<String>,
    /// `host:web01`, `service:HTTP`, `ticket:AVA01` and the like
    #[arg(long, value_name = "LINK")]
    about: Option<String>,
    /// Whose review is due
    #[arg(long)]
    overdue: bool,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, clap::Args)]
struct About {
    /// Words that people look for, between commas
    #[arg(long)]
    keywords: Option<String>,
    /// What it is about, such as `host:web01`; all of it
    #[arg(long = "link", value_name = "LINK")]
    links: Vec<String>,
    /// When somebody is to see whether it still holds: a day, or `180d`; empty: never
    #[arg(long, value_name = "WHEN")]
    review: Option<String>,
}

impl About {
    /// Only what was said.
    fn into(&self, body: &mut Value) {
        for (name, value) in [("keywords", &self.keywords), ("review", &self.review)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if !self.links.is_empty() {
            body["links"] = json!(self.links);
        }
    }
}

fn content(file: &str) -> Result<String, Failure> {
    let bytes = if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().take(MOST).read_to_end(&mut bytes)?;
        bytes
    } else {
        files::read(std::path::Path::new(file), MOST)?
    };
    String::from_utf8(bytes).map_err(|_error| Failure::new(Exit::REFUSED, format!("{file} is no UTF-8 text")))
}

impl Document {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let at = |id: u64, rest: &[&str]| {
            let id = id.to_string();
            Target::of(&[&["documents", id.as_str()], rest].concat())
        };
        let answer = match &self.act {
            Act::List(list) => return list.run(&client, common, console),
            Act::Show { id } => return show(common, console, &client.get(&at(*id, &[]))?),
            Act::Versions { id } => return versions(common, console, &client.get(&at(*id, &["versions"]))?),
            Act::New { title, file, about } => {
                let mut body = json!({"title": title, "text": content(file)?});
                about.into(&mut body);
                client.post(&Target::of(&["documents"]), &body)?
            }
            Act::Edit { id, title, text, about } => {
                let mut body = json!({});
                if let Some(title) = title {
                    body["title"] = json!(title);
                }
                if let Some(file) = text {
                    body["text"] = json!(content(file)?);
                }
                about.into(&mut body);
                client.post(&at(*id, &[]), &body)?
            }
            Act::Link { id, link } => client.post(&at(*id, &["link"]), &json!({"link": link}))?,
            Act::Unlink { id, link } => client.post(&at(*id, &["unlink"]), &json!({"link": link}))?,
            Act::Restore { id, version } => {
                client.post(&at(*id, &["restore"]), &json!({"version": version}))?
            }
            Act::Attach { id, paths } => {
                let mut form = Form::new();
                for path in paths {
                    form.file(path, &files::read(path, 1 << 30)?);
                }
                form.send(&client, &at(*id, &["attachments"]))?
            }
            Act::Delete { id } => client.post(&at(*id, &["delete"]), &json!({}))?,
        };
        done(common, console, &answer)
    }
}

impl List {
    fn run(&self, client: &Client, common: &Common, console: &mut Console) -> Answer {
        let target = Target::of(&["documents"])
            .with_some("q", self.search.as_ref())
            .with_some("link", self.about.as_ref())
            .with_some("due", self.overdue.then_some("yes"))
            .with("limit", self.limit.to_string());
        let answer = client.get(&target)?;
        if common.output == Format::Json {
            writeln!(console.out, "{answer:#}")?;
            return Ok(Exit::DONE);
        }
        let mut table = Table::new(&["NUMBER", "TITLE", "ABOUT", "CHANGED", "BY", "REVIEW"]);
        for item in items(&answer) {
            let review = number(item, "review");
            table.row(vec![
                number(item, "id").to_string().into(),
                text(item, "title").into(),
                joined(item).into(),
                moment(number(item, "updated")).into(),
                text(item, "editor").into(),
                if review > 0 { moment(review) } else { String::new() }.into(),
            ]);
        }
        let style = Style::of(console);
        table.print(&mut console.out, style)?;
        tell_more(console, &answer, items(&answer).len())?;
        Ok(Exit::DONE)
    }
}

fn joined(item: &Value) -> String {
    let links = item.get("links").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    links.collect::<Vec<_>>().join(", ")
}

fn show(common: &Common, console: &mut Console, item: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{item:#}")?;
        return Ok(Exit::DONE);
    }
    let out = &mut console.out;
    writeln!(out, "{}  {}", number(item, "id"), clean(text(item, "title")))?;
    let review = number(item, "review");
    let lines = [
        ("about", joined(item)),
        ("keywords", text(item, "keywords").to_owned()),
        ("written", format!("{} by {}", moment(number(item, "created")), text(item, "author"))),
        ("changed", format!("{} by {}", moment(number(item, "updated")), text(item, "editor"))),
        ("version", number(item, "version").to_string()),
        ("review", if review > 0 { moment(review) } else { String::new() }),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:<9} {}", clean(value))?;
    }
    for file in item.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        writeln!(out, "  {:<9} {}  {}", "file", number(file, "id"), clean(text(file, "name")))?;
    }
    writeln!(out, "\n{}", clean_lines(text(item, "text")))?;
    Ok(Exit::DONE)
}

fn versions(common: &Common, console: &mut Console, answer: &Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(&["VERSION", "AT", "BY", "TITLE"]);
    for item in items(answer) {
        table.row(vec![
            number(item, "version").to_string().into(),
            moment(number(item, "at")).into(),
            text(item, "author").into(),
            text(item, "title").into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    Ok(Exit::DONE)
}
