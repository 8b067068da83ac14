//! Whether an object tells anybody at all: the tests of `nagios-notifications.md` 2, hosts and services alike.
//! The first that applies decides, so their order is behaviour.
//!
//! Three deviations. An end of a problem is never held because something else has failed (a dependency, the host,
//! its parents): it is held by downtime, flapping, a closed period and switches alone. The first message of a
//! problem waits for the verdict on the host, or on a host's parents. Test 18 is not there: a flexible downtime
//! starts before this is asked.

use crate::model::id::{Name, ObjectKey, SuppressionId};
use crate::model::message::MessageKind;
use crate::model::notification::Hold;
use crate::model::time::Timestamp;

/// What the decision depends on.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kind: MessageKind,
    pub(super) is_forced: bool,
    pub(super) all_off: bool,
    pub(super) is_off: bool,
    /// Outside the notification period, and when it opens.
    pub(super) outside: Option<Option<Timestamp>>,
    pub(super) is_problem: bool,
    pub(super) is_hard: bool,
    /// The object's options have what this is about.
    pub(super) is_wanted: bool,
    pub(super) is_acknowledged: bool,
    pub(super) suppressed_by: Option<Name>,
    pub(super) false_positive: Option<SuppressionId>,
    pub(super) failed_master: Option<ObjectKey>,
    pub(super) was_told: bool,
    /// Of a problem that nobody was told of.
    pub(super) first_delay: Option<Timestamp>,
    pub(super) is_flapping: bool,
    /// In downtime, and until when.
    pub(super) downtime: Option<Option<Timestamp>>,
    pub(super) host_downtime: Option<Option<Timestamp>>,
    pub(super) no_more: bool,
    pub(super) next: Option<Timestamp>,
    pub(super) is_volatile: bool,
    pub(super) way: Way,
}

/// What lies between us and the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// The host of a service is not up, confirmed or not.
    HostDown,
    /// No parent of the host is up.
    CutOff,
    /// Being looked at.
    Unknown {
        until: Timestamp,
    },
}

/// None: it is told to whoever wants to hear it.
pub(super) fn decide(facts: &Facts, now: Timestamp) -> Option<Hold> {
    if facts.is_forced {
        return None;
    }
    if facts.all_off {
        return Some(Hold::AllOff);
    }
    if let Some(opens) = facts.outside {
        return Some(Hold::OutsidePeriod { opens });
    }
    if facts.is_off {
        return Some(Hold::Off);
    }
    match facts.kind {
        // Never asked of a handler: nothing holds it back.
        MessageKind::Custom | MessageKind::Handler | MessageKind::Test => planned(facts),
        MessageKind::Acknowledgement => (!facts.is_problem).then_some(Hold::NoProblem),
        MessageKind::FlappingStart | MessageKind::FlappingStop | MessageKind::FlappingDisabled => {
            unwanted(facts).or(planned(facts))
        }
        MessageKind::DowntimeStart | MessageKind::DowntimeEnd | MessageKind::DowntimeCancelled => {
            unwanted(facts).or(facts.downtime.map(|until| Hold::InDowntime { until }))
        }
        MessageKind::Recovery => recovery(facts),
        MessageKind::Problem => problem(facts, now),
    }
}

fn recovery(facts: &Facts) -> Option<Hold> {
    if facts.is_problem {
        return Some(Hold::NobodyWasTold);
    }
    unwanted(facts)
        .or((!facts.was_told).then_some(Hold::NobodyWasTold))
        .or(facts.is_flapping.then_some(Hold::Flapping))
        .or(planned(facts))
}

fn problem(facts: &Facts, now: Timestamp) -> Option<Hold> {
    if !facts.is_problem {
        return Some(Hold::NoProblem);
    }
    if !facts.is_hard {
        return Some(Hold::Soft);
    }
    if facts.is_acknowledged {
        return Some(Hold::Acknowledged);
    }
    if let Some(rule) = &facts.suppressed_by {
        return Some(Hold::Suppressed { rule: rule.clone() });
    }
    if let Some(suppression) = facts.false_positive {
        return Some(Hold::FalsePositive { suppression });
    }
    if let Some(on) = &facts.failed_master {
        return Some(Hold::Dependency { on: on.clone() });
    }
    if let Some(hold) = unwanted(facts) {
        return Some(hold);
    }
    if let Some(until) = facts.first_delay.filter(|until| now < *until) {
        return Some(Hold::FirstDelay { until });
    }
    if facts.is_flapping {
        return Some(Hold::Flapping);
    }
    if let Some(hold) = planned(facts) {
        return Some(hold);
    }
    if facts.no_more {
        return Some(Hold::Once);
    }
    match facts.way {
        Way::HostDown => return Some(Hold::HostDown),
        Way::CutOff => return Some(Hold::ParentsDown),
        Way::Open | Way::Unknown { .. } => {}
    }
    if let Some(until) = facts.next.filter(|next| now < *next && !facts.is_volatile) {
        return Some(Hold::NotDue { until });
    }
    match facts.way {
        Way::Unknown { until } if now < until => Some(Hold::HostVerdict { until }),
        Way::Open | Way::HostDown | Way::CutOff | Way::Unknown { .. } => None,
    }
}

fn unwanted(facts: &Facts) -> Option<Hold> {
    (!facts.is_wanted).then_some(Hold::NotWanted)
}

fn planned(facts: &Facts) -> Option<Hold> {
    let own = facts.downtime.map(|until| Hold::InDowntime { until });
    own.or(facts.host_downtime.map(|until| Hold::HostInDowntime { until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Facts {
        Facts {
            kind: MessageKind::Problem,
            is_forced: false,
            all_off: false,
            is_off: false,
            outside: None,
            is_problem: true,
            is_hard: true,
            is_wanted: true,
            is_acknowledged: false,
            suppressed_by: None,
            false_positive: None,
            failed_master: None,
            was_told: false,
            first_delay: None,
            is_flapping: false,
            downtime: None,
            host_downtime: None,
            no_more: false,
            next: None,
            is_volatile: false,
            way: Way::Open,
        }
    }

    type TakeAway = fn(&mut Facts);

    const NOW: i64 = 1_000;

    fn said(facts: &Facts) -> &'static str {
        decide(facts, Timestamp::from_second(NOW)).map_or("told", |hold| hold.word())
    }

    /// All reasons at once; each is taken away in turn, and the next one speaks.
    #[test]
    fn the_first_rule_that_applies_decides() {
        let later = Timestamp::from_second(NOW + 60);
        let mut facts = Facts {
            all_off: true,
            is_off: true,
            outside: Some(Some(later)),
            is_hard: false,
            is_wanted: false,
            is_acknowledged: true,
            suppressed_by: Some("quiet".into()),
            false_positive: Some(SuppressionId(3)),
            failed_master: Some(ObjectKey::parse("db")),
            first_delay: Some(later),
            is_flapping: true,
            downtime: Some(Some(later)),
            host_downtime: Some(None),
            no_more: true,
            next: Some(later),
            way: Way::HostDown,
            ..problem()
        };
        let steps: [(&str, TakeAway); 17] = [
            ("all-off", |f| f.all_off = false),
            ("outside-period", |f| f.outside = None),
            ("off", |f| f.is_off = false),
            ("soft", |f| f.is_hard = true),
            ("acknowledged", |f| f.is_acknowledged = false),
            ("suppressed", |f| f.suppressed_by = None),
            ("false-positive", |f| f.false_positive = None),
            ("dependency", |f| f.failed_master = None),
            ("not-wanted", |f| f.is_wanted = true),
            ("first-delay", |f| f.first_delay = None),
            ("flapping", |f| f.is_flapping = false),
            ("in-downtime", |f| f.downtime = None),
            ("host-in-downtime", |f| f.host_downtime = None),
            ("once", |f| f.no_more = false),
            ("host-down", |f| f.way = Way::CutOff),
            ("parents-down", |f| f.way = Way::Unknown { until: Timestamp::from_second(NOW + 10) }),
            ("not-due", |f| f.next = None),
        ];
        for (word, take_away) in steps {
            assert_eq!(said(&facts), word);
            take_away(&mut facts);
        }
        assert_eq!(said(&facts), "host-verdict");
        facts.way = Way::Unknown { until: Timestamp::from_second(NOW) };
        assert_eq!(said(&facts), "told");
    }

    #[test]
    fn forced_is_told_whatever_speaks_against_it() {
        let facts = Facts { is_forced: true, all_off: true, downtime: Some(None), ..problem() };
        assert_eq!(said(&Facts { kind: MessageKind::Custom, ..facts.clone() }), "told");
        assert_eq!(said(&Facts { is_forced: false, ..facts }), "all-off");
    }

    #[test]
    fn an_end_is_not_held_because_something_else_has_failed() {
        let end = Facts {
            kind: MessageKind::Recovery,
            is_problem: false,
            was_told: true,
            failed_master: Some(ObjectKey::parse("db")),
            way: Way::HostDown,
            ..problem()
        };
        assert_eq!(said(&end), "told");
        assert_eq!(said(&Facts { host_downtime: Some(None), ..end.clone() }), "host-in-downtime");
        assert_eq!(said(&Facts { is_flapping: true, ..end.clone() }), "flapping");
        assert_eq!(said(&Facts { was_told: false, ..end }), "nobody-was-told");
    }

    #[test]
    fn other_kinds_have_tests_of_their_own() {
        let of = |kind| Facts { kind, is_flapping: true, is_acknowledged: true, is_hard: false, ..problem() };
        for kind in MessageKind::ALL.iter().copied().filter(|kind| !kind.is_of_problem()) {
            let name = kind.word();
            assert_eq!(said(&of(kind)), "told", "{name}");
            let planned = said(&Facts { downtime: Some(None), ..of(kind) });
            let is_ack = kind == MessageKind::Acknowledgement;
            assert_eq!(planned, if is_ack { "told" } else { "in-downtime" }, "{name}");
            // A host in downtime says nothing of its services' own downtimes.
            let host = said(&Facts { host_downtime: Some(None), ..of(kind) });
            assert_eq!(host == "told", is_ack || name.starts_with("DOWNTIME"), "{name}");
        }
        let unwanted = |kind| said(&Facts { is_wanted: false, ..of(kind) });
        assert_eq!(unwanted(MessageKind::FlappingStop), "not-wanted");
        assert_eq!(unwanted(MessageKind::DowntimeEnd), "not-wanted");
        assert_eq!(unwanted(MessageKind::Acknowledgement), "told");
        assert_eq!(said(&Facts { is_problem: false, ..of(MessageKind::Acknowledgement) }), "no-problem");
    }
}
