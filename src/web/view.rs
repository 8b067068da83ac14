//! From the world to what a page shows: small values that render themselves (mark, moment) and the rows that
//! are made of them. Every text in here is plain; escaping happens where it becomes HTML.

use std::collections::HashMap;
use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use vigia_core::engine::world::{Totals, World};
use vigia_core::model::id::{Checkable, HostId, ObjectKey, ServiceId};
use vigia_core::model::policy::Policy;
use vigia_core::model::state::{AnyState, Condition, StateType};
use vigia_core::model::status::Status;
use vigia_core::model::time::Timestamp;

use super::query::escape;
use super::words;

/// When and where the reader looks from.
#[derive(Clone)]
pub(crate) struct Eyes {
    pub(crate) zone: TimeZone,
    pub(crate) now: Timestamp,
}

impl Eyes {
    pub(crate) fn moment(&self, at: Timestamp) -> Moment {
        Moment {
            seconds: at.as_second(),
            machine: words::machine_stamp(at),
            text: words::stamp(at, &self.zone),
            brief: words::brief_stamp(at, &self.zone, self.now),
            full: words::full_stamp(at, &self.zone),
            span: words::span(self.now.since(at)),
            is_span: false,
        }
    }

    /// Shown as the time passed since; ticks in the browser.
    pub(crate) fn since(&self, at: Timestamp) -> Moment {
        Moment { is_span: true, ..self.moment(at) }
    }
}

/// An instant: `2026-06-22 11:53:35`, or the time since it.
#[derive(Clone, Debug, Template)]
#[template(path = "moment.html", config = ".askama.toml")]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) machine: String,
    pub(crate) text: String,
    /// For the narrow column of a list.
    pub(crate) brief: String,
    pub(crate) full: String,
    pub(crate) span: String,
    pub(crate) is_span: bool,
}

impl HtmlSafe for Moment {}

/// A state as a mark: shape, colour, and what qualifies it. With [`Face::word`] beside it, since colour and
/// shape never speak alone.
#[derive(Clone, Debug, Template)]
#[template(path = "mark.html", config = ".askama.toml")]
pub(crate) struct Face {
    /// `ok warning critical unknown unreachable pending`: names the symbol and the colour.
    pub(crate) symbol: &'static str,
    /// `OK`, `DOWN`, `PENDING`, …
    pub(crate) word: &'static str,
    pub(crate) is_problem: bool,
    pub(crate) is_soft: bool,
    pub(crate) is_flapping: bool,
    /// Who acknowledged it.
    pub(crate) owner: Option<String>,
    /// Until when it is in downtime, as people say it; empty where nobody knows.
    pub(crate) downtime: Option<String>,
    /// How long its result is overdue.
    pub(crate) late: Option<String>,
}

impl HtmlSafe for Face {}

impl Face {
    pub(crate) fn of_state(state: AnyState) -> Self {
        Self {
            symbol: symbol(state),
            word: state.word(),
            is_problem: state.is_problem(),
            is_soft: false,
            is_flapping: false,
            owner: None,
            downtime: None,
            late: None,
        }
    }

    pub(crate) fn pending() -> Self {
        let mut face = Self::of_state(AnyState::Service(vigia_core::model::state::State::Ok));
        face.symbol = "pending";
        face.word = "PENDING";
        face
    }

    pub(crate) fn is_handled(&self) -> bool {
        self.owner.is_some() || self.downtime.is_some()
    }

    /// For the mark's title: all that colour, shape and signs say, in words.
    pub(crate) fn title(&self) -> String {
        let mut title = self.word.to_owned();
        for (applies, text) in [
            (self.is_soft, ", soft: being retried".to_owned()),
            (
                self.owner.is_some(),
                match self.owner.as_deref() {
                    None | Some("") => ", acknowledged".to_owned(),
                    Some(owner) => format!(", acknowledged by {owner}"),
                },
            ),
            (
                self.downtime.is_some(),
                format!(", in downtime {}", self.downtime.as_deref().unwrap_or_default()),
            ),
            (self.is_flapping, ", flapping".to_owned()),
            (self.late.is_some(), format!(", no result for {}", self.late.as_deref().unwrap_or_default())),
        ] {
            if applies {
                title.push_str(&text);
            }
        }
        title
    }
}

pub(crate) fn symbol(state: AnyState) -> &'static str {
    use vigia_core::model::state::{HostState, State};
    match state {
        AnyState::Host(HostState::Up) | AnyState::Service(State::Ok) => "ok",
        AnyState::Service(State::Warning) => "warning",
        AnyState::Host(HostState::Down) | AnyState::Service(State::Critical) => "critical",
        AnyState::Service(State::Unknown) => "unknown",
        AnyState::Host(HostState::Unreachable) => "unreachable",
    }
}

/// A host or a service in a list.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: ObjectKey,
    /// Its own page.
    pub(crate) href: String,
    pub(crate) host_href: String,
    /// False where the row above is of the same host.
    pub(crate) shows_host: bool,
    pub(crate) face: Face,
    pub(crate) last_check: Option<Moment>,
    pub(crate) next_check: Option<Moment>,
    pub(crate) since: Option<Moment>,
    pub(crate) attempt: u16,
    pub(crate) max_attempts: u16,
    pub(crate) output: String,
}

impl Row {
    /// What the host cell says.
    pub(crate) fn host(&self) -> &str {
        &self.key.host
    }

    pub(crate) fn service(&self) -> Option<&str> {
        self.key.service.as_deref()
    }

    /// 0: soft, 1: hard.
    pub(crate) fn state_type(&self) -> u8 {
        u8::from(!self.face.is_soft)
    }
}

pub(crate) fn href(key: &ObjectKey) -> String {
    let host = escape(&key.host);
    match &key.service {
        None => format!("/hosts/{host}"),
        Some(service) => format!("/hosts/{host}/services/{}", escape(service)),
    }
}

/// Ends of the downtimes in effect, by object: made once for a list, and only where some row needs it.
pub(crate) struct Downtimes<'a> {
    ends: HashMap<&'a ObjectKey, Timestamp>,
}

impl<'a> Downtimes<'a> {
    pub(crate) fn of(world: &'a World) -> Self {
        let mut ends = HashMap::new();
        for downtime in world.records.downtimes.values().filter(|downtime| downtime.started.is_some()) {
            let end = ends.entry(&downtime.subject).or_insert(downtime.end);
            *end = downtime.end.max(*end);
        }
        Self { ends }
    }
}

/// Makes rows of one world for one reader.
pub(crate) struct Rows<'a> {
    world: &'a World,
    eyes: &'a Eyes,
    downtimes: Downtimes<'a>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(world: &'a World, eyes: &'a Eyes) -> Self {
        Self { world, eyes, downtimes: Downtimes::of(world) }
    }

    pub(crate) fn services(&self, ids: &[ServiceId]) -> Vec<Row> {
        self.mixed(ids.iter().map(|id| Checkable::Service(*id)))
    }

    pub(crate) fn hosts(&self, ids: &[HostId]) -> Vec<Row> {
        self.mixed(ids.iter().map(|id| Checkable::Host(*id)))
    }

    pub(crate) fn mixed(&self, objects: impl Iterator<Item = Checkable>) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for object in objects {
            let mut row = self.row(object);
            row.shows_host = rows.last().is_none_or(|above| above.key.host != row.key.host);
            rows.push(row);
        }
        rows
    }

    pub(crate) fn row(&self, object: Checkable) -> Row {
        let inventory = &self.world.inventory;
        let key = inventory.key(object);
        match object {
            Checkable::Host(id) => {
                let (host, status) = (inventory.host(id), self.world.host(id));
                self.any(key, AnyState::Host(status.state()), status, &host.policy)
            }
            Checkable::Service(id) => {
                let (service, status) = (inventory.service(id), self.world.service(id));
                self.any(key, AnyState::Service(status.state()), status, &service.policy)
            }
        }
    }

    fn any<S: Condition>(&self, key: ObjectKey, state: AnyState, status: &Status<S>, policy: &Policy) -> Row {
        Row {
            href: href(&key),
            host_href: format!("/hosts/{}", escape(&key.host)),
            shows_host: true,
            face: self.face(&key, state, status, policy),
            last_check: status.last_check.map(|at| self.eyes.moment(at)),
            next_check: status.next_check.map(|at| self.eyes.moment(at)),
            since: status.last_state_change.map(|at| self.eyes.since(at)),
            attempt: status.standing.attempt,
            max_attempts: status.switches.max_check_attempts.unwrap_or(policy.max_check_attempts),
            output: cut(&status.output.text),
            key,
        }
    }

    fn face<S: Condition>(
        &self,
        key: &ObjectKey,
        state: AnyState,
        status: &Status<S>,
        policy: &Policy,
    ) -> Face {
        let face = if status.has_been_checked { Face::of_state(state) } else { Face::pending() };
        let until =
            |end: &Timestamp| format!("until {}", words::short_stamp(*end, &self.eyes.zone, self.eyes.now));
        Face {
            is_problem: status.is_problem(),
            is_soft: status.is_problem() && status.standing.state_type == StateType::Soft,
            is_flapping: status.is_flapping,
            owner: status.acknowledgement.as_ref().map(|ack| ack.author.to_string()),
            downtime: (status.downtime_depth > 0)
                .then(|| self.downtimes.ends.get(key).map(until).unwrap_or_default()),
            late: late(status, policy, self.eyes.now).map(words::span),
            ..face
        }
    }
}

/// How long a planned check is overdue, where that is more than a busy moment.
fn late<S: Condition>(status: &Status<S>, policy: &Policy, now: Timestamp) -> Option<Duration> {
    let patience = policy.check_interval.max(Duration::from_secs(60));
    let overdue = now.since(status.next_check?);
    (overdue > patience).then(|| status.last_check.map_or(overdue, |last| now.since(last)))
}

/// One count in the boxes of totals, a link to the list of what was counted.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) symbol: &'static str,
    pub(crate) word: &'static str,
    pub(crate) number: u32,
    pub(crate) href: String,
}

/// The two boxes, in the order of the Nagios pages.
#[derive(Clone, Debug)]
pub(crate) struct Boxes {
    pub(crate) hosts: Vec<Count>,
    pub(crate) host_problems: u32,
    pub(crate) host_total: u32,
    pub(crate) services: Vec<Count>,
    pub(crate) service_problems: u32,
    pub(crate) service_total: u32,
    pub(crate) unhandled: u32,
    /// The worst state that nobody handles; `ok` when there is none.
    pub(crate) worst: &'static str,
}

impl Boxes {
    pub(crate) fn of(totals: &Totals) -> Self {
        let count = |list: &str, symbol, word: &'static str, number| Count {
            symbol,
            word,
            number,
            href: format!("/{list}?state={}", word.to_ascii_lowercase()),
        };
        let [up, down, unreachable] = totals.hosts;
        let [ok, warning, critical, unknown] = totals.services;
        let unhandled = totals.host_problems_unhandled + totals.service_problems_unhandled;
        let worst = match (totals.host_problems_unhandled, critical, unknown, warning) {
            _ if unhandled == 0 => "ok",
            (1.., ..) | (_, 1.., ..) => "critical",
            (0, 0, 1.., _) => "unknown",
            (0, 0, 0, _) => "warning",
        };
        Self {
            hosts: vec![
                count("hosts", "ok", "Up", up),
                count("hosts", "critical", "Down", down),
                count("hosts", "unreachable", "Unreachable", unreachable),
                count("hosts", "pending", "Pending", totals.hosts_pending),
            ],
            host_problems: down + unreachable,
            host_total: up + down + unreachable + totals.hosts_pending,
            services: vec![
                count("services", "ok", "Ok", ok),
                count("services", "warning", "Warning", warning),
                count("services", "unknown", "Unknown", unknown),
                count("services", "critical", "Critical", critical),
                count("services", "pending", "Pending", totals.services_pending),
            ],
            service_problems: warning + critical + unknown,
            service_total: ok + warning + critical + unknown + totals.services_pending,
            unhandled,
            worst,
        }
    }
}

/// Characters of an output that a row shows, and its tip; the object's page has the whole.
const ROW_OUTPUT: usize = 500;

/// A page of a hundred rows stays a page, whatever the plugins print.
fn cut(text: &str) -> String {
    match text.char_indices().nth(ROW_OUTPUT) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).map_or_else(String::new, |kept| format!("{kept}…")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_stand_in_the_order_of_the_seed() {
        let totals = Totals {
            hosts: [1, 0, 0],
            services: [5, 1, 1, 0],
            service_problems_unhandled: 2,
            ..Totals::default()
        };
        let boxes = Boxes::of(&totals);
        let said: Vec<String> =
            boxes.services.iter().map(|count| format!("{} {}", count.word, count.number)).collect();
        assert_eq!(said, ["Ok 5", "Warning 1", "Unknown 0", "Critical 1", "Pending 0"]);
        assert_eq!((boxes.service_problems, boxes.service_total, boxes.host_total), (2, 7, 1));
        assert_eq!((boxes.worst, boxes.unhandled), ("critical", 2));
    }

    #[test]
    fn an_address_survives_any_name() {
        let key = ObjectKey::service("web 01", "disk /var?#\"<");
        assert_eq!(href(&key), "/hosts/web%2001/services/disk%20%2Fvar%3F%23%22%3C");
    }
}
