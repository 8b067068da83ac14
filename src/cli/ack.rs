//! `vigia ack`, `vigia comment`, `vigia downtime`: what people say of an object.

use serde_json::json;

use super::acts::{Objects, done, named, tell_more};
use super::client::{Client, Target};
use super::table::{Style, Table, flag, items, moment, number, object, span, text};
use super::{Answer, Common, Console, Exit, Format};

/// Acknowledge a problem: someone is on it
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia ack web01/HTTP -m 'certificate ordered'
  vigia ack db01 db01/MYSQL -m 'moving the rack' --expires 4h
  vigia ack db01/disk -m 'disk ordered' --until worse
  vigia ack --remove web01/HTTP")]
pub(crate) struct Ack {
    #[command(flatten)]
    objects: Objects,
    /// What is being done about it
    #[arg(short = 'm', long = "message", value_name = "TEXT", required_unless_present = "remove")]
    comment: Option<String>,
    /// What ends it: recovery, a worse state than now, or any change of state
    #[arg(long, value_name = "WHAT", default_value = "recovery", value_parser = ["recovery", "worse", "change"])]
    until: String,
    /// The same as `--until change`
    #[arg(long, conflicts_with = "until")]
    normal: bool,
    /// Keep the comment when the acknowledgement ends
    #[arg(long)]
    keep_comment: bool,
    /// Tell nobody
    #[arg(long)]
    quiet: bool,
    /// Ends by itself: `2h`, `until 18:00`
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Take the acknowledgement back
    #[arg(long, conflicts_with_all = ["comment", "until", "normal", "quiet", "expires", "keep_comment"])]
    remove: bool,
}

impl Ack {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        let answer = if self.remove {
            client.post(&Target::of(&["remove-acknowledgement"]), &self.objects.body(json!({})))
        } else {
            let fields = json!({
                "comment": self.comment, "until": if self.normal { "change" } else { &self.until },
                "notify": !self.quiet, "expires": self.expires, "keep_comment": self.keep_comment,
            });
            client.post(&Target::of(&["acknowledge"]), &self.objects.body(fields))
        };
        done(common, console, &answer.map_err(|failure| self.objects.explain(failure))?)
    }
}

/// Write, list and delete comments of hosts and services
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia comment add web01/HTTP 'slow since the update'
  vigia comment list web01
  vigia comment delete 12")]
pub(crate) struct Comment {
    #[command(subcommand)]
    act: CommentAct,
}

#[derive(Debug, clap::Subcommand)]
enum CommentAct {
    /// Write a comment
    #[command(before_help = "Example:\n  vigia comment add web01/HTTP 'slow since the update'")]
    Add {
        /// `HOST` or `HOST/SERVICE`
        object: String,
        text: String,
    },
    /// List comments, of one object or all
    #[command(before_help = "Example:\n  vigia comment list web01/HTTP")]
    List {
        /// `HOST` or `HOST/SERVICE`
        object: Option<String>,
    },
    /// Delete a comment by its number
    #[command(before_help = "Example:\n  vigia comment delete 12")]
    Delete { id: u64 },
}

impl Comment {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            CommentAct::Add { object, text } => {
                let mut body = named(object);
                body["comment"] = json!(text);
                done(common, console, &client.post(&Target::of(&["comment"]), &body)?)
            }
            CommentAct::Delete { id } => {
                let target = Target::of(&["comments", &id.to_string(), "delete"]);
                done(common, console, &client.post(&target, &json!({}))?)
            }
            CommentAct::List { object } => {
                let answer = client.get(&of_object("comments", object.as_deref()))?;
                list_comments(common, console, &answer)
            }
        }
    }
}

/// A list of the API, of one object where one is named.
fn of_object(list: &str, object: Option<&str>) -> Target {
    let target = Target::of(&[list]);
    let Some(object) = object.map(named) else { return target };
    let field = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
    target.with_some("host", field("host")).with_some("service", field("service"))
}

fn list_comments(common: &Common, console: &mut Console, answer: &serde_json::Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(&["ID", "OBJECT", "AUTHOR", "WRITTEN", "COMMENT"]);
    for item in items(answer) {
        table.row(vec![
            number(item, "id").to_string().into(),
            object(item).into(),
            text(item, "author").into(),
            moment(number(item, "entry_time")).into(),
            text(item, "comment").into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    tell_more(console, answer, items(answer).len())?;
    Ok(Exit::DONE)
}

/// Schedule, list and cancel downtimes
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia downtime add web01 -m 'new disks' --for 2h
  vigia downtime add db01/MYSQL -m upgrade --start 'tomorrow 22:00' --end 'tomorrow 23:00'
  vigia downtime list
  vigia downtime cancel 7")]
pub(crate) struct Downtime {
    #[command(subcommand)]
    act: DowntimeAct,
}

#[derive(Debug, clap::Subcommand)]
enum DowntimeAct {
    /// Schedule a downtime
    #[command(before_help = "Examples:
  vigia downtime add web01 -m 'new disks' --for 2h
  vigia downtime add web01 -m 'reboot some time tonight' --start 22:00 --end 06:00 --flexible 30m
  vigia downtime add --match group:linux -m patching --for 1h --preview")]
    Add(NewDowntime),
    /// List downtimes, of one object or all
    #[command(before_help = "Example:\n  vigia downtime list web01")]
    List {
        /// `HOST` or `HOST/SERVICE`
        object: Option<String>,
    },
    /// Cancel downtimes by their numbers
    #[command(before_help = "Example:\n  vigia downtime cancel 7 8")]
    Cancel {
        #[arg(required = true)]
        ids: Vec<u64>,
    },
}

#[derive(Debug, clap::Args)]
struct NewDowntime {
    /// `HOST` or `HOST/SERVICE`; several with spaces between
    #[arg(value_name = "OBJECT", required_unless_present = "matching")]
    objects: Vec<String>,
    /// What a selector finds: `web*`, `group:linux`, `tag:env=prod`, `'*/HTTP'`; several times for more
    #[arg(long = "match", value_name = "SELECTOR", conflicts_with = "objects")]
    matching: Vec<String>,
    /// Of what `--match` finds, the hosts or the services alone
    #[arg(long, value_name = "WHICH", requires = "matching", value_parser = ["hosts", "services"])]
    only: Option<String>,
    /// Starts when the downtime of this number starts, and ends with it
    #[arg(long, value_name = "ID")]
    triggered_by: Option<u64>,
    /// Show what it would act on, and do nothing
    #[arg(long)]
    preview: bool,
    /// Why
    #[arg(short = 'm', long = "message", value_name = "TEXT")]
    comment: String,
    /// When it begins; now, unless said
    #[arg(long, value_name = "WHEN", default_value = "now")]
    start: String,
    /// When it ends
    #[arg(long, value_name = "WHEN")]
    end: Option<String>,
    /// How long it lasts: `2h`, `1d 12h`; a bare number is minutes
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "end", required_unless_present = "end")]
    lasting: Option<String>,
    /// Begins with the first problem in that time, and then lasts this long
    #[arg(long, value_name = "DURATION")]
    flexible: Option<String>,
    /// Of hosts: their services too
    #[arg(long)]
    services: bool,
}

impl NewDowntime {
    fn body(&self) -> serde_json::Value {
        let mut fields = json!({"comment": self.comment, "start": self.start, "flexible": self.flexible, "services": self.services});
        if let Some(end) = &self.end {
            fields["end"] = json!(end);
        }
        if let Some(lasting) = &self.lasting {
            fields["for"] = json!(lasting);
        }
        if let Some(id) = self.triggered_by {
            fields["triggered_by"] = json!(id);
        }
        fields["preview"] = json!(self.preview);
        if self.matching.is_empty() {
            return self.objects().body(fields);
        }
        fields["match"] = json!(self.matching);
        fields["only"] = json!(self.only.as_deref().unwrap_or_default());
        fields
    }

    fn objects(&self) -> Objects {
        Objects::of(self.objects.clone())
    }

    fn add(&self, common: &Common, console: &mut Console) -> Answer {
        let answer = Client::of(common).post(&Target::of(&["downtime"]), &self.body());
        let answer = answer.map_err(|failure| self.objects().explain(failure))?;
        if !self.preview || common.output == Format::Json {
            return done(common, console, &answer);
        }
        for item in items(&answer) {
            writeln!(console.out, "{}", object(item))?;
        }
        done(common, console, &answer)
    }
}

impl Downtime {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.act {
            DowntimeAct::Add(new) => new.add(common, console),
            DowntimeAct::Cancel { ids } => {
                for id in ids {
                    let target = Target::of(&["downtimes", &id.to_string(), "cancel"]);
                    done(common, console, &client.post(&target, &json!({}))?)?;
                }
                Ok(Exit::DONE)
            }
            DowntimeAct::List { object } => {
                let answer = client.get(&of_object("downtimes", object.as_deref()))?;
                list_downtimes(common, console, &answer)
            }
        }
    }
}

fn list_downtimes(common: &Common, console: &mut Console, answer: &serde_json::Value) -> Answer {
    if common.output == Format::Json {
        writeln!(console.out, "{answer:#}")?;
        return Ok(Exit::DONE);
    }
    let mut table = Table::new(&["ID", "OBJECT", "START", "END", "KIND", "AUTHOR", "COMMENT"]);
    for item in items(answer) {
        let kind = if flag(item, "fixed") {
            "fixed".to_owned()
        } else {
            format!("flexible {}", span(number(item, "duration")))
        };
        table.row(vec![
            number(item, "id").to_string().into(),
            object(item).into(),
            moment(number(item, "start_time")).into(),
            moment(number(item, "end_time")).into(),
            kind.into(),
            text(item, "author").into(),
            text(item, "comment").into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)?;
    tell_more(console, answer, items(answer).len())?;
    Ok(Exit::DONE)
}
