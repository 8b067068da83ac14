//! `vigia period show`: when a timeperiod is open, as the engine reads it.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use vigia_core::engine::period::Periods;
use vigia_core::model::inventory::Inventory;
use vigia_core::model::period::{PeriodId, TimePeriod};
use vigia_core::model::time::Timestamp;

use super::table::{Style, Table};
use super::validate::unloadable;
use super::{Answer, Common, Console, Exit, Failure, Format};
use crate::config;
use crate::config::files::Request;
use crate::config::problem::{self, did_you_mean};
use crate::os::clock::Clock;
use crate::web::words;

/// Say when a timeperiod of the configuration is open
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:
  vigia period show office --next 14d
  vigia period show nights --from '2026-10-24 12:00' --next 2d")]
pub(crate) struct Period {
    #[command(subcommand)]
    act: PeriodAct,
}

#[derive(Debug, clap::Subcommand)]
enum PeriodAct {
    /// Its openings, on the wall clock of its timezone
    #[command(before_help = "Examples:
  vigia period show office --next 14d
  vigia period show nights --from '2026-10-24 12:00' --next 2d")]
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Its name in `timeperiods`
    name: String,
    /// From when: `2026-12-24 22:00`, `tomorrow 03:00`; now
    #[arg(long, value_name = "TIME", default_value = "now")]
    from: String,
    /// How far to look
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    next: String,
}

/// Openings in a year and more; nobody reads further.
const MOST: usize = 1_000;

impl Period {
    pub(super) fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let PeriodAct::Show(show) = &self.act;
        show.run(common, console)
    }
}

impl Show {
    fn run(&self, common: &Common, console: &mut Console) -> Answer {
        let usage = |message: String| Failure::new(Exit::USAGE, message);
        let from = words::parse_instant(&self.from, &TimeZone::system(), Clock::system().now())
            .ok_or_else(|| usage(format!("`{}` is no time", self.from)).hint("`2026-12-24 22:00`"))?;
        let span = words::parse_span(&self.next)
            .ok_or_else(|| usage(format!("`{}` is no duration", self.next)).hint("`14d`, `12h`"))?;
        let request = Request::new(&common.config, Some(&common.state_dir));
        let loaded = config::load(&request).map_err(|error| unloadable(&error))?;
        write!(console.err, "{}", problem::text(&loaded.problems))?;
        let (id, period) = self.find(&loaded.inventory)?;
        let zone = period.timezone.clone().unwrap_or(TimeZone::UTC);
        let openings = openings(&loaded.inventory, id, from, from.after(span));
        match common.output {
            Format::Json => {
                let item = |(opens, closes): &(Timestamp, Timestamp)| json!({"opens": opens.as_second(), "closes": closes.as_second()});
                let items: Vec<Value> = openings.iter().map(item).collect();
                let zone = zone.iana_name();
                writeln!(
                    console.out,
                    "{:#}",
                    json!({"total": items.len(), "timezone": zone, "items": items})
                )?;
            }
            Format::Text => self.print(&openings, &zone, console)?,
        }
        Ok(Exit::DONE)
    }

    fn find<'i>(&self, inventory: &'i Inventory) -> Result<(PeriodId, &'i TimePeriod), Failure> {
        let found = inventory.periods.iter().enumerate().find(|(_, period)| *period.name == *self.name);
        if let Some((at, period)) = found
            && let Ok(id) = u16::try_from(at)
        {
            return Ok((PeriodId(id), period));
        }
        let known = inventory.periods.iter().map(|period| &*period.name);
        let failure = Failure::new(Exit::REFUSED, format!("there is no timeperiod `{}`", self.name));
        Err(did_you_mean(&self.name, known).into_iter().fold(failure, Failure::hint))
    }

    fn print(
        &self,
        openings: &[(Timestamp, Timestamp)],
        zone: &TimeZone,
        console: &mut Console,
    ) -> std::io::Result<()> {
        let style = Style::of(console);
        if openings.is_empty() {
            return writeln!(console.out, "`{}` does not open in that time.", self.name);
        }
        let mut table = Table::new(&["OPENS", "CLOSES", "FOR"]);
        for (opens, closes) in openings {
            table.row(vec![
                words::full_stamp(*opens, zone).into(),
                words::full_stamp(*closes, zone).into(),
                words::span(closes.since(*opens)).into(),
            ]);
        }
        table.print(&mut console.out, style)
    }
}

/// Each opening between two instants with its end, which may lie beyond.
fn openings(
    inventory: &Inventory,
    id: PeriodId,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let periods = Periods(&inventory.periods);
    let mut found = Vec::new();
    let mut at = from;
    while let Some(opens) = periods.opens(id, at).filter(|opens| *opens < until) {
        let closes = periods.closes(id, opens).unwrap_or(until);
        found.push((opens, closes));
        if found.len() >= MOST {
            break;
        }
        at = closes.max(opens.after(Duration::from_secs(1)));
    }
    found
}
