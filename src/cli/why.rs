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
        for sentence in part("says").as_array().into_iter().flatten().filter_map(Value::as_str) {
            writeln!(out, "{}", clean(sentence))?;
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
