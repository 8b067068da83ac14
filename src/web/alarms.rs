//! Which alarms, and what is said of them, in the words of addresses and forms: one way for pages and the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vigia_core::engine::world::World;
use vigia_core::model::alarm::{Alarm, AlarmStatus};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::time::Timestamp;

use super::backend::{AlarmsOf, RecordQuery, Wanted};
use super::error::Failure;
use super::frame::Seen;
use super::query::{PAGE, Pairs};
use super::view::Eyes;
use super::words;

/// Nobody's.
const NOBODY: &str = "nobody";

/// What of an address is not said or empty is none.
pub(crate) fn value<'p>(pairs: &'p Pairs, name: &str) -> Option<&'p str> {
    let found = pairs.iter().rev().find(|(found, value)| found == name && !value.trim().is_empty());
    found.map(|(_, value)| value.trim())
}

/// Which alarms; the word for which; which page.
pub(crate) fn wanted(pairs: &Pairs, seen: &Seen) -> Result<(RecordQuery, &'static str, usize), Failure> {
    let (status, word) = match value(pairs, "status") {
        Some("closed") => (Wanted::Closed, "closed"),
        Some("all") => (Wanted::All, "all"),
        Some(_) | None => (Wanted::Open, "open"),
    };
    let page = value(pairs, "page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    let text = |name| value(pairs, name).map(str::to_owned);
    let severity = match value(pairs, "severity").map(str::parse) {
        None => None,
        Some(Ok(severity @ 0..=10)) => Some(severity),
        Some(Ok(_) | Err(_)) => return Err(Failure::Wrong("`severity` is a number from 0 to 10".to_owned())),
    };
    let owner = value(pairs, "owner");
    let query = RecordQuery {
        status,
        host: text("host"),
        service: text("service"),
        text: text("q"),
        state: text("state"),
        sort: text("sort"),
        owner: owner.filter(|owner| *owner != NOBODY).map(|owner| match owner {
            "me" => seen.author().to_string(),
            name => name.to_owned(),
        }),
        unowned: owner == Some(NOBODY),
        label: text("label"),
        root: value(pairs, "root").map(ObjectKey::parse),
        severity,
        limit: PAGE,
        offset: (page - 1).saturating_mul(PAGE),
    };
    Ok((query, word, page))
}

/// How alarms are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// What has failed first: the host that is down, the parent of the cut-off.
    Root,
    Host,
    Service,
}

impl Grouping {
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "root" => Some(Self::Root),
            "host" => Some(Self::Host),
            "service" => Some(Self::Service),
            _ => None,
        }
    }
}

/// Open alarms with one cause, one host, or one name of a service.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Of a cause or a host: the object.
    pub(crate) key: Option<ObjectKey>,
    pub(crate) worst: Arc<Alarm>,
    pub(crate) alarms: usize,
    pub(crate) unowned: usize,
    pub(crate) first: Timestamp,
}

/// Those open, the worst and largest first. What is cut off belongs to what cut it off, however long the way there.
pub(crate) fn groups(world: &World, grouping: Grouping) -> Vec<Group> {
    let alarms = &world.records.alarms;
    let open = || alarms.values().filter(|alarm| alarm.status == AlarmStatus::Open);
    let causes: BTreeMap<&ObjectKey, &ObjectKey> =
        open().filter_map(|alarm| Some((&alarm.subject, alarm.root.as_ref()?))).collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for alarm in open() {
        let (name, key) = match grouping {
            Grouping::Root => {
                let cause = cause_of(&causes, &alarm.subject);
                (cause.to_string(), Some(cause.clone()))
            }
            Grouping::Host => {
                (alarm.subject.host.to_string(), Some(ObjectKey::host(alarm.subject.host.clone())))
            }
            Grouping::Service => {
                (alarm.subject.service.as_deref().unwrap_or("the host itself").to_owned(), None)
            }
        };
        let fresh = || Group {
            name: name.clone(),
            key,
            worst: Arc::clone(alarm),
            alarms: 0,
            unowned: 0,
            first: alarm.first,
        };
        let group = groups.entry(name.clone()).or_insert_with(fresh);
        group.alarms += 1;
        group.unowned += usize::from(alarm.owner.is_none());
        group.first = group.first.min(alarm.first);
        if alarm.severity > group.worst.severity {
            group.worst = Arc::clone(alarm);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|one, other| {
        let weight = |group: &Group| (group.worst.severity, group.alarms);
        weight(other).cmp(&weight(one)).then_with(|| one.name.cmp(&other.name))
    });
    groups
}

/// The end of the chain of causes; one that bites its own tail ends where it began.
fn cause_of<'a>(causes: &BTreeMap<&'a ObjectKey, &'a ObjectKey>, subject: &'a ObjectKey) -> &'a ObjectKey {
    let mut at = subject;
    for _ in 0..causes.len() {
        match causes.get(at).copied() {
            Some(cause) if cause != subject => at = cause,
            Some(_) | None => break,
        }
    }
    at
}

/// The time of a report.
pub(crate) struct Period {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// From `since` (30 days, unless it is said) until `until` (now).
pub(crate) fn period(pairs: &Pairs, eyes: &Eyes) -> Result<Period, Failure> {
    let past = |name: &str, usual: Timestamp| match value(pairs, name) {
        None => Ok(usual),
        Some(said) => {
            let ago = words::parse_span(said.trim_end_matches(" ago")).map(|span| eyes.now.before(span));
            let at = ago.or_else(|| words::parse_instant(said, &eyes.zone, eyes.now));
            at.ok_or_else(|| {
                Failure::Wrong(format!("`{name}`: say how long ago, or a date: `7d`, `2026-11-01 00:00`"))
            })
        }
    };
    let from = past("since", eyes.now.before(Duration::from_secs(30 * 86_400)))?;
    let to = past("until", eyes.now)?.min(eyes.now);
    if from >= to {
        return Err(Failure::Wrong("the time ends before it begins".to_owned()));
    }
    Ok(Period { from, to })
}

const COLUMNS: &str = "Host;Service;Alarms;Minutes;Longest minutes;Severity;Tickets;Open at the end\r\n";

/// The report for a spreadsheet.
pub(crate) fn csv(rows: &[AlarmsOf]) -> String {
    let mut text = COLUMNS.to_owned();
    for row in rows {
        let cells = [
            cell(&row.subject.host),
            cell(row.subject.service.as_deref().unwrap_or_default()),
            row.alarms.to_string(),
            (row.seconds / 60).to_string(),
            (row.longest / 60).to_string(),
            row.severity.to_string(),
            row.tickets.to_string(),
            row.open.to_string(),
        ];
        text.push_str(&cells.join(";"));
        text.push_str("\r\n");
    }
    text
}

/// Quoted, and with a guard where a spreadsheet would take it for a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_causes_ends_at_what_failed_first_and_a_ring_ends_too() {
        let [edge, switch, web, http] = ["edge", "switch", "web", "web/http"].map(ObjectKey::parse);
        let causes: BTreeMap<_, _> = [(&http, &web), (&web, &switch), (&switch, &edge)].into();
        assert_eq!(cause_of(&causes, &http), &edge);
        assert_eq!(cause_of(&causes, &edge), &edge);
        let ring: BTreeMap<_, _> = [(&web, &switch), (&switch, &web)].into();
        assert_eq!(cause_of(&ring, &web), &switch);
    }

    #[test]
    fn a_spreadsheet_gets_no_formula_from_a_name() {
        let row = AlarmsOf {
            subject: ObjectKey::service("=cmd()", "a\"b;c"),
            alarms: 3,
            seconds: 7200,
            longest: 3661,
            severity: 7,
            tickets: 1,
            open: 0,
        };
        assert_eq!(csv(&[row]).lines().nth(1), Some("\"'=cmd()\";\"a\"\"b;c\";3;120;61;7;1;0"));
    }
}
