//! `vigia why`: who was told of an object's problems and who was not, and the rule that decided.

use serde_json::Value;
use vigia_core::model::id::ObjectKey;

use super::client::{Client, Target};
use super::table::{Style, Table, clean, items, moment, number, text};
use super::{Answer, Common, Console, Exit, Format};

/// Say who was told of an object's problems and who was not, and which rule decided
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia why web01/HTTP
  vigia why web01/HTTP --contact ana
  vigia why db01 --at '2026-11-24 03:00'
  vigia why db01 --contact ana --at 03:00 -o json")]
pub(crate) struct Why {
    /// `HOST` or `HOST/SERVICE`
    object: String,
    /// Only what concerns this contact
    #[arg(long, value_name = "NAME")]
    contact: Option<String>,
    /// What was decided around that time, and before: `2026-11-24 03:00`, `03:00`, `2h ago`
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Most lines to show
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
}

impl Why {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let key = ObjectKey::parse(&self.object);
        let target = Target::of(&["why"])
            .with("host", &*key.host)
            .with_some("service", key.service.as_deref())
            .with_some("contact", self.contact.as_deref())
            .with_some("at", self.at.as_deref())
            .with("limit", self.limit.to_string());
        let answer = Client::of(common).get(&target)?;
        match common.output {
            Format::Json => writeln!(console.out, "{answer:#}")?,
            Format::Text => self.print(console, &answer)?,
        }
        Ok(Exit::DONE)
    }

    fn print(&self, console: &mut Console, answer: &Value) -> std::io::Result<()> {
        let style = Style::of(console);
        let out = &mut console.out;
        let part = |name: &str| answer.get(name).unwrap_or(&Value::Null);
        let standing = part("standing");
        let object = clean(&self.object);
        writeln!(out, "{object} is {} {}.", text(standing, "state"), text(standing, "state_type"))?;
        for sentence in told(standing) {
            writeln!(out, "{sentence}")?;
        }
        for sentence in would(part("now")) {
            writeln!(out, "{sentence}")?;
        }
        writeln!(out)?;
        if items(answer).is_empty() {
            return writeln!(out, "Nothing was decided in that time.");
        }
        let mut table = Table::new(&["TIME", "WHAT", "WHO", "WHICH AND WHY"]);
        for item in items(answer) {
            table.row(vec![
                moment(number(item, "time")).into(),
                text(item, "event").into(),
                text(item, "author").into(),
                said(item).into(),
            ]);
        }
        table.print(out, style)
    }
}

/// How the telling of the problem stands.
fn told(standing: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if standing.get("all_off").and_then(Value::as_bool) == Some(true) {
        lines.push("Messages are switched off for everything.".to_owned());
    }
    let told = standing.get("told").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = told.iter().map(|told| clean(text(told, "contact"))).collect();
    let of = number(standing, "number");
    if !names.is_empty() {
        let last = moment(number(standing, "last_notification"));
        lines.push(format!("Told of the problem: {}; message {of} at {last}.", names.join(", ")));
    }
    match standing.get("held").filter(|held| held.is_object()) {
        Some(held) => {
            lines.push(format!("The next message is held: {}.", clean(text(held, "text"))));
        }
        None if number(standing, "next_notification") > 0 => {
            lines.push(format!("Told again at {}.", moment(number(standing, "next_notification"))));
        }
        None => {}
    }
    lines
}

/// Who would hear of a problem now, and who would not.
fn would(now: &Value) -> Vec<String> {
    let list = |name: &str| now.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = list("to").iter().filter_map(Value::as_str).map(clean).collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let state = text(now, "state");
    let mut lines = vec![format!("A message that it is {state} would now reach: {names}.")];
    for one in list("skipped") {
        lines.push(format!("Not {}: {}.", clean(text(one, "contact")), clean(text(one, "text"))));
    }
    lines
}

fn said(item: &Value) -> String {
    let text = text(item, "text");
    match item.get("state_type") {
        Some(_) => {
            let word = super::table::look_of(&with_check(item)).word;
            let kind = if number(item, "state_type") == 0 { "SOFT" } else { "HARD" };
            format!("{word} {kind} {}: {text}", number(item, "current_attempt"))
        }
        None => text.to_owned(),
    }
}

/// A line of the history tells of a result, so the object was checked then.
fn with_check(item: &Value) -> Value {
    let mut item = item.clone();
    if let Some(fields) = item.as_object_mut() {
        fields.insert("has_been_checked".to_owned(), true.into());
    }
    item
}
