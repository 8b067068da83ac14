//! `vigia simulate`: who would be told what and when, if this failed. The real engine and configuration, in a time
//! that is only a number; nothing is checked and nobody is told.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use vigia_core::engine::selection::selects;
use vigia_core::engine::simulate::{Failure as Fails, Simulation};
use vigia_core::model::event::{Event, What};
use vigia_core::model::id::Checkable;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::message::About;
use vigia_core::model::selector::Selection;
use vigia_core::model::time::Timestamp;

use super::table::{Style, Table, moment};
use super::validate::unloadable;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config::files::Request;
use crate::config::{self, problem};
use crate::os::clock::Clock;
use crate::web::words;

/// Say who would be told what and when, if something failed
///
/// Runs the real engine with the configuration as it is written, in simulated time: everything is fine until `--from`, then
/// what `--fail` selects fails, with all that lies behind it. Nothing is checked and nobody is told.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia simulate --fail router --for 2h
  vigia simulate --fail 'web*/HTTP' --from '2026-12-24 22:00' --for 12h --recover-after 3h
  vigia simulate -c ./etc/demo --fail group:linux --for 1h --held")]
pub(crate) struct Simulate {
    /// What fails: `router`, `web*/HTTP`, `group:linux`; several times for more
    #[arg(long, required = true, value_name = "SELECTOR")]
    fail: Vec<String>,
    /// When it begins: `2026-12-24 22:00`, `tomorrow 03:00`; now
    #[arg(long, value_name = "TIME", default_value = "now")]
    from: String,
    /// How long to look on
    #[arg(long = "for", value_name = "DURATION", default_value = "24h")]
    lasts: String,
    /// When it works again; never
    #[arg(long, value_name = "DURATION")]
    recover_after: Option<String>,
    /// Also who is not told, and why
    #[arg(long)]
    held: bool,
}

impl Simulate {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let usage = |message: String| Failure::new(Exit::USAGE, message);
        let texts = self.fail.iter().map(String::as_str);
        let what = Selection::parse(texts, false).map_err(|wrong| {
            let failure = usage(wrong.message);
            wrong.hint.into_iter().fold(failure, Failure::hint)
        })?;
        let start = words::parse_instant(&self.from, &TimeZone::system(), Clock::system().now())
            .ok_or_else(|| usage(format!("`{}` is no time", self.from)).hint("`2026-12-24 22:00`"))?;
        let span = |text: &str| {
            words::parse_span(text)
                .ok_or_else(|| usage(format!("`{text}` is no duration")).hint("`2h`, `1d`"))
        };
        let until = start.after(span(&self.lasts)?);
        let recovers = self.recover_after.as_deref().map(span).transpose()?.map(|after| start.after(after));
        let request = Request::new(&common.config, Some(&common.state_dir));
        let loaded = config::load(&request).map_err(|error| unloadable(&error))?;
        write!(console.err, "{}", problem::text(&loaded.problems))?;
        if !is_anything(&loaded.inventory, &what) {
            let message = format!("nothing matches `{}`", self.fail.join(" "));
            return Err(Failure::new(Exit::REFUSED, message).hint("`vigia status '*'` lists everything"));
        }
        let failures = [Fails { what, from: start, until: recovers }];
        let lines = self.lines(Simulation::new(Arc::new(loaded.inventory), start), &failures, until);
        match common.output {
            Format::Json => {
                let items: Vec<Value> = lines.iter().map(Line::json).collect();
                writeln!(console.out, "{:#}", json!({"total": items.len(), "items": items}))?;
            }
            Format::Text => print(&lines, until, console)?,
        }
        Ok(Exit::DONE)
    }

    fn lines(&self, mut simulation: Simulation, failures: &[Fails], until: Timestamp) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        simulation.run(failures, until, |event| {
            let Some(line) = line(&event).filter(|line| self.held || !line.who.is_empty()) else { return };
            // Contacts who hear the same share a line.
            match lines.last_mut() {
                Some(last) if last.is_same(&line) => last.who.extend(line.who),
                Some(_) | None => lines.push(line),
            }
        });
        lines
    }
}

fn is_anything(inventory: &Inventory, what: &Selection) -> bool {
    let hosts = inventory.host_ids().map(Checkable::Host);
    hosts
        .chain(inventory.service_ids().map(Checkable::Service))
        .any(|object| selects(inventory, what, object))
}

struct Line {
    at: Timestamp,
    object: String,
    what: String,
    /// Empty: nobody, and then why.
    who: Vec<String>,
    why: String,
}

impl Line {
    fn is_same(&self, other: &Self) -> bool {
        (self.at, &self.object, &self.what, &self.why) == (other.at, &other.object, &other.what, &other.why)
            && self.who.is_empty() == other.who.is_empty()
    }

    fn json(&self) -> Value {
        json!({
            "time": self.at.as_second(),
            "object": self.object,
            "what": self.what,
            "contacts": self.who,
            "why": self.why,
        })
    }
}

fn line(event: &Event) -> Option<Line> {
    let at = event.at;
    if let What::Notified(message) = &event.what {
        let About::Object(notice) = &message.about else { return None };
        let escalated = if notice.is_escalated { "escalated" } else { "" };
        return Some(Line {
            at,
            object: notice.subject.to_string(),
            what: format!("{} {}, {}", notice.kind.word(), notice.number, notice.state),
            who: vec![message.contact.to_string()],
            why: escalated.to_owned(),
        });
    }
    if let What::ActionDue(message) = &event.what {
        let About::Object(notice) = &message.about else { return None };
        return Some(Line {
            at,
            object: notice.subject.to_string(),
            what: format!("{} {} {}", notice.state, notice.state_type, notice.attempt),
            who: vec![message.addressee().to_string()],
            why: "runs".to_owned(),
        });
    }
    if let What::NotificationHeld { subject, kind, hold, .. } = &event.what {
        let (object, what) = (subject.to_string(), kind.word().to_owned());
        return Some(Line { at, object, what, who: Vec::new(), why: hold.to_string() });
    }
    None
}

fn print(lines: &[Line], until: Timestamp, console: &mut Console) -> std::io::Result<()> {
    if lines.is_empty() {
        return writeln!(
            console.out,
            "Nobody would be told of anything until {}.",
            moment(until.as_second())
        );
    }
    let mut table = Table::new(&["TIME", "OBJECT", "MESSAGE", "TO", "WHY"]);
    for line in lines {
        let to = if line.who.is_empty() { "nobody".to_owned() } else { line.who.join(", ") };
        table.row(vec![
            moment(line.at.as_second()).into(),
            line.object.clone().into(),
            line.what.clone().into(),
            to.into(),
            line.why.clone().into(),
        ]);
    }
    let style = Style::of(console);
    table.print(&mut console.out, style)
}

#[cfg(test)]
mod tests {
    use super::super::tests::vigia;
    use super::*;

    const SITE: &str = "\
contacts:
  ana: {email: ana@example.test}
hosts:
  router: {address: 192.0.2.1, check: {tcp: {port: 22}}}
  web: {address: 192.0.2.2, parents: [router], services: {http: {tcp: {port: 80}}}}
";

    fn simulate(args: &[&str]) -> (Exit, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.yaml");
        crate::os::files::write(&path, SITE.as_bytes(), 0o600).unwrap();
        let path = path.to_str().unwrap();
        let all: Vec<&str> = ["-c", path, "simulate"].into_iter().chain(args.iter().copied()).collect();
        vigia(&all)
    }

    #[test]
    fn what_would_run_is_told_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vigia.yaml");
        let yaml = "hosts: {web: {address: 192.0.2.2, services: {http: {tcp: {port: 80}, event_handler: [/bin/true]}}}}\n";
        crate::os::files::write(&path, yaml.as_bytes(), 0o600).unwrap();
        let args = ["-c", path.to_str().unwrap(), "simulate", "--fail", "web/http", "--for", "1h"];
        let (exit, out, err) = vigia(&args);
        assert_eq!(exit, Exit::DONE, "{err}");
        assert!(out.contains("CRITICAL SOFT 1") && out.contains("event handler"), "{out}");
    }

    #[test]
    fn an_outage_of_a_router_is_one_message_and_its_end_another() {
        let from = ["--from", "@1700000000", "--for", "3h", "--fail", "router", "--recover-after", "25m"];
        let (exit, out, err) = simulate(&from);
        assert_eq!(exit, Exit::DONE, "{err}");
        let lines: Vec<&str> = out.lines().skip(1).collect();
        assert_eq!(lines.len(), 2, "{out}");
        assert!(lines[0].contains("router  PROBLEM 1, DOWN  ana"), "{out}");
        assert!(lines[1].contains("router  RECOVERY 1, UP   ana"), "{out}");
        let held: Vec<&str> = from.into_iter().chain(["--held"]).collect();
        let out = simulate(&held).1;
        assert!(out.contains("web/http") && out.contains("its host is not up"), "{out}");
    }

    #[test]
    fn what_is_no_time_or_selector_is_said() {
        for (args, says) in [
            (&["--fail", "web[9-1]"][..], "runs backwards"),
            (&["--fail", "web", "--for", "soon"], "`soon` is no duration"),
            (&["--fail", "web", "--from", "some day"], "`some day` is no time"),
        ] {
            let (exit, _, err) = simulate(args);
            assert_eq!(exit, Exit::USAGE);
            assert!(err.contains(says), "{err}");
        }
        let (exit, _, err) = simulate(&["--fail", "no-such-*"]);
        assert_eq!(exit, Exit::REFUSED);
        assert!(err.contains("nothing matches `no-such-*`"), "{err}");
    }
}
