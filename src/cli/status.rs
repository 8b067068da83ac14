//! `vigia status`: one screen of how things stand.

use serde_json::{Value, json};
use vigia_core::model::selector::{Net, Selector, Target as Named, hint_of_prefix};
use vigia_core::model::time::Timestamp;

use super::client::{Client, Target};
use super::table::{
    Color, HOST_LOOKS, PENDING, SERVICE_LOOKS, Style, Table, clean, flag, items, look_of, number, since,
    span, text,
};
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::os::clock::Clock;

/// Show how things stand: totals and problems, or the objects a selector names
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia status
  vigia status 'web*'
  vigia status web01/HTTP
  vigia status group:linux --problems
  vigia status -o json | jq .problems.total")]
pub(crate) struct Status {
    /// `web*`, `web*/HTTP`, `group:linux`, `servicegroup:shop`, `tag:env=prod`; none: totals and problems
    selector: Option<String>,
    /// Only what is not OK or UP
    #[arg(long)]
    problems: bool,
    /// Most lines to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Status {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let client = Client::of(common);
        match &self.selector {
            None => self.overview(&client, common.output, console),
            Some(selector) => self.selected(&client, selector, common.output, console),
        }
    }

    fn overview(&self, client: &Client, format: Format, console: &mut Console) -> Answer {
        let status = client.get(&Target::of(&["status"]))?;
        let limit = self.limit.to_string();
        let problems =
            |kind: &str| client.get(&Target::of(&[kind]).with("state", "problem").with("limit", &limit));
        let (hosts, services) = (problems("hosts")?, problems("services")?);
        if format == Format::Json {
            let total = number(&hosts, "total") + number(&services, "total");
            let listed: Vec<&Value> = items(&hosts).iter().chain(items(&services)).collect();
            let all = json!({"status": status, "problems": {"total": total, "items": listed}});
            writeln!(console.out, "{all:#}")?;
            return Ok(Exit::DONE);
        }
        let style = Style::of(console);
        print_head(console, style, &status, client)?;
        print_objects(console, style, &[&hosts, &services], "Problems", "no problems")?;
        Ok(Exit::DONE)
    }

    fn selected(&self, client: &Client, selector: &str, format: Format, console: &mut Console) -> Answer {
        let mut answers = Vec::new();
        for target in targets(selector)? {
            let target = target.with("limit", self.limit.to_string());
            let target = if self.problems { target.with("state", "problem") } else { target };
            answers.push(client.get(&target)?);
        }
        let total: i64 = answers.iter().map(|answer| number(answer, "total")).sum();
        if format == Format::Json {
            let listed: Vec<&Value> = answers.iter().flat_map(items).collect();
            writeln!(console.out, "{:#}", json!({"total": total, "items": listed}))?;
        } else {
            let style = Style::of(console);
            let answers: Vec<&Value> = answers.iter().collect();
            print_objects(console, style, &answers, "", "")?;
        }
        if total == 0 && !self.problems {
            let message = format!("nothing matches `{selector}`");
            let hint =
                hint_of_prefix(selector).unwrap_or_else(|| "`vigia status '*'` lists everything".to_owned());
            return Err(Failure::new(Exit::REFUSED, message).hint(hint));
        }
        Ok(Exit::DONE)
    }
}

/// The lists of the API that a selector stands for.
fn targets(selector: &str) -> Result<Vec<Target>, Failure> {
    let usage =
        |message: String, hint: Option<String>| Failure { hint, ..Failure::new(Exit::USAGE, message) };
    let parsed = Selector::parse(selector).map_err(|wrong| usage(wrong.message, wrong.hint))?;
    if parsed.negated {
        return Err(usage(format!("`{selector}` says only what is not wanted"), None));
    }
    let both = |name: &str, value: &str| {
        vec![Target::of(&["hosts"]).with(name, value), Target::of(&["services"]).with(name, value)]
    };
    Ok(match parsed.target {
        Named::Group(group) => both("hostgroup", &group),
        Named::ServiceGroup(group) => vec![Target::of(&["services"]).with("servicegroup", &*group)],
        Named::Tag { key, value: None } => both("tag", &key),
        Named::Tag { key, value: Some(value) } => both("tag", &format!("{key}={}", value.text)),
        Named::Hosts(glob) => both("host", &glob.text),
        Named::Services { host, service } => {
            vec![Target::of(&["services"]).with("host", &*host.text).with("service", &*service.text)]
        }
        Named::Net(Net::Named(_) | Net::Cidr(_)) => {
            return Err(usage("`net:` selects in the configuration only".to_owned(), None));
        }
    })
}

fn print_head(console: &mut Console, style: Style, status: &Value, client: &Client) -> Result<(), Failure> {
    let out = &mut console.out;
    let listening: Vec<String> = status
        .get("listen")
        .and_then(Value::as_array)
        .map(|listen| listen.iter().filter_map(Value::as_str).map(clean).collect())
        .unwrap_or_default();
    let listening =
        if listening.is_empty() { client.socket().display().to_string() } else { listening.join(", ") };
    writeln!(
        out,
        "vigia {}, up {}, process {}, listening on {listening}",
        clean(text(status, "version")),
        span(number(status, "uptime")),
        number(status, "pid"),
    )?;
    let count = |kind: &str, name: &str| status.get(kind).map_or(0, |counts| number(counts, name));
    let mut hosts: Vec<String> = Vec::new();
    for look in HOST_LOOKS.into_iter().chain([PENDING]) {
        hosts.push(style.count(look, count("hosts", &look.word.to_lowercase())));
    }
    let mut services: Vec<String> = Vec::new();
    for look in SERVICE_LOOKS.into_iter().chain([PENDING]) {
        services.push(style.count(look, count("services", &look.word.to_lowercase())));
    }
    writeln!(out, "Hosts     {}", hosts.join("  "))?;
    writeln!(out, "Services  {}", services.join("  "))?;
    for said in troubles(status) {
        writeln!(out, "{}", style.paint(&format!("! {}", clean(&said)), Color::Red))?;
    }
    for notice in status.get("notices").and_then(Value::as_array).into_iter().flatten() {
        let said = notice.as_str().unwrap_or_else(|| text(notice, "text"));
        writeln!(out, "{}", style.paint(&format!("! {}", clean(said)), Color::Yellow))?;
    }
    writeln!(out)?;
    Ok(())
}

/// What is wrong with vigia itself, the worst first.
fn troubles(status: &Value) -> Vec<String> {
    let mut said = Vec::new();
    if !text(status, "store_trouble").is_empty() {
        said.push(format!("nothing can be saved: {}", text(status, "store_trouble")));
    }
    let (errors, out) = (number(status, "config_errors"), number(status, "quarantined"));
    let count = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    if !text(status, "config_refused").is_empty() {
        let why = text(status, "config_refused");
        said.push(format!("the configuration was refused, an earlier one goes on: {why}"));
    } else if errors > 0 || out > 0 {
        let objects = if out > 0 {
            format!("; {} as last good, or not loaded", count(out, "object"))
        } else {
            String::new()
        };
        let errors = count(errors, "error");
        said.push(format!("the configuration has {errors}{objects}: see `vigia validate`"));
    }
    said
}

pub(super) const HEADINGS: &[&str] = &["STATE", "HOST", "SERVICE", "SINCE", "ATTEMPT", "", "INFORMATION"];

fn print_objects(
    console: &mut Console,
    style: Style,
    answers: &[&Value],
    title: &str,
    nothing: &str,
) -> Result<(), Failure> {
    let now = Clock::system().now();
    let out = &mut *console.out;
    let total: i64 = answers.iter().map(|answer| number(answer, "total")).sum();
    let shown: Vec<&Value> = answers.iter().flat_map(|answer| items(answer)).collect();
    if shown.is_empty() {
        if !nothing.is_empty() {
            writeln!(out, "{nothing}")?;
        }
        return Ok(());
    }
    if !title.is_empty() {
        writeln!(out, "{title}: {total}")?;
    }
    let mut table = Table::new(HEADINGS);
    for item in &shown {
        table.row(row(item, now));
    }
    table.print(out, style)?;
    let more = total - i64::try_from(shown.len()).unwrap_or(total);
    if more > 0 {
        writeln!(out, "… and {more} more (--limit)")?;
    }
    Ok(())
}

pub(super) fn row(item: &Value, now: Timestamp) -> Vec<super::table::Cell> {
    let is_soft = number(item, "state_type") == 0 && flag(item, "has_been_checked");
    let (attempt, most) = (number(item, "current_attempt"), number(item, "max_check_attempts"));
    let soft = if is_soft { " soft" } else { "" };
    vec![
        look_of(item).into(),
        text(item, "host_name").into(),
        text(item, "description").into(),
        since(number(item, "last_state_change"), now).into(),
        format!("{attempt}/{most}{soft}").into(),
        handled(item).into(),
        text(item, "plugin_output").into(),
    ]
}

/// What makes a problem less urgent.
fn handled(item: &Value) -> String {
    let marks = [
        (flag(item, "acknowledged"), "ack"),
        (flag(item, "scheduled_downtime_depth"), "downtime"),
        (flag(item, "is_flapping"), "flapping"),
    ];
    marks.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_configuration_and_a_store_that_cannot_write_are_said() {
        assert!(troubles(&json!({"config_errors": 0, "quarantined": 0, "store_trouble": null})).is_empty());
        let said = troubles(&json!({"config_errors": 1, "quarantined": 2, "store_trouble": "disk full"}));
        assert_eq!(
            said,
            [
                "nothing can be saved: disk full",
                "the configuration has 1 error; 2 objects as last good, or not loaded: see `vigia validate`"
            ]
        );
        let said = troubles(&json!({"config_refused": "there is no file", "config_errors": 3}));
        assert_eq!(said, ["the configuration was refused, an earlier one goes on: there is no file"]);
    }
}
