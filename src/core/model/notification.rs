//! What holds a message back, who is left out of one, and who was told. Values only; who decides is
//! [`crate::engine`], the message itself is [`super::message`]. (`nagios-notifications.md` 2 to 5)

use std::fmt;

use super::id::{Name, ObjectKey, ProblemId, SuppressionId};
use super::message::MessageKind;
use super::time::Timestamp;

impl MessageKind {
    /// The problem itself or its end: what has a number, is repeated, and is looked at again when it was held.
    pub fn is_of_problem(self) -> bool {
        matches!(self, Self::Problem | Self::Recovery)
    }
}

/// The rule that kept a message back: the first that applies, in the order of `nagios-notifications.md` 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Messages are switched off for everything.
    AllOff,
    /// Outside the object's `notification_period`; none: it never opens.
    OutsidePeriod {
        opens: Option<Timestamp>,
    },
    /// Messages are switched off for this object.
    Off,
    /// There is no problem to speak of.
    NoProblem,
    /// Not confirmed yet.
    Soft,
    Acknowledged,
    /// A rule of the configuration says `suppress`.
    Suppressed {
        rule: Name,
    },
    /// Somebody called such a problem a false positive.
    FalsePositive {
        suppression: SuppressionId,
    },
    /// A master that this depends on has failed.
    Dependency {
        on: ObjectKey,
    },
    /// The object's `notification_options` leave this out.
    NotWanted,
    /// Nobody was told of the problem, so nobody is told of its end.
    NobodyWasTold,
    /// `first_notification_delay`.
    FirstDelay {
        until: Timestamp,
    },
    Flapping,
    InDowntime {
        until: Option<Timestamp>,
    },
    HostInDowntime {
        until: Option<Timestamp>,
    },
    /// `notification_interval: 0`: told once.
    Once,
    HostDown,
    /// Whether the host is there, or a parent, is being looked at.
    HostVerdict {
        until: Timestamp,
    },
    /// No parent of the host is up, so it is cut off.
    ParentsDown,
    /// The repeat comes later.
    NotDue {
        until: Timestamp,
    },
    /// No contact was to be told; why not is said for each.
    Nobody {
        opens: Option<Timestamp>,
    },
}

impl Hold {
    /// One word for each, as kept on disk and shown in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AllOff => "all-off",
            Self::OutsidePeriod { .. } => "outside-period",
            Self::Off => "off",
            Self::NoProblem => "no-problem",
            Self::Soft => "soft",
            Self::Acknowledged => "acknowledged",
            Self::Suppressed { .. } => "suppressed",
            Self::FalsePositive { .. } => "false-positive",
            Self::Dependency { .. } => "dependency",
            Self::NotWanted => "not-wanted",
            Self::NobodyWasTold => "nobody-was-told",
            Self::FirstDelay { .. } => "first-delay",
            Self::Flapping => "flapping",
            Self::InDowntime { .. } => "in-downtime",
            Self::HostInDowntime { .. } => "host-in-downtime",
            Self::Once => "once",
            Self::HostDown => "host-down",
            Self::HostVerdict { .. } => "host-verdict",
            Self::ParentsDown => "parents-down",
            Self::NotDue { .. } => "not-due",
            Self::Nobody { .. } => "nobody",
        }
    }

    /// When it may be over by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match *self {
            Self::OutsidePeriod { opens } | Self::Nobody { opens } => opens,
            Self::FirstDelay { until } | Self::HostVerdict { until } | Self::NotDue { until } => Some(until),
            Self::InDowntime { until } | Self::HostInDowntime { until } => until,
            Self::AllOff
            | Self::Off
            | Self::NoProblem
            | Self::Soft
            | Self::Acknowledged
            | Self::Suppressed { .. }
            | Self::FalsePositive { .. }
            | Self::Dependency { .. }
            | Self::NotWanted
            | Self::NobodyWasTold
            | Self::Flapping
            | Self::Once
            | Self::HostDown
            | Self::ParentsDown => None,
        }
    }

    /// The rule, the suppression or the master it speaks of.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::Suppressed { rule } => Some(rule.to_string()),
            Self::FalsePositive { suppression } => Some(suppression.to_string()),
            Self::Dependency { on } => Some(on.to_string()),
            Self::AllOff
            | Self::OutsidePeriod { .. }
            | Self::Off
            | Self::NoProblem
            | Self::Soft
            | Self::Acknowledged
            | Self::NotWanted
            | Self::NobodyWasTold
            | Self::FirstDelay { .. }
            | Self::Flapping
            | Self::InDowntime { .. }
            | Self::HostInDowntime { .. }
            | Self::Once
            | Self::HostDown
            | Self::HostVerdict { .. }
            | Self::ParentsDown
            | Self::NotDue { .. }
            | Self::Nobody { .. } => None,
        }
    }

    /// From what [`Self::word`], [`Self::until`] and [`Self::about`] gave.
    pub fn from_parts(word: &str, until: Option<Timestamp>, about: Option<&str>) -> Option<Self> {
        let about = || about.unwrap_or_default();
        Some(match word {
            "all-off" => Self::AllOff,
            "outside-period" => Self::OutsidePeriod { opens: until },
            "off" => Self::Off,
            "no-problem" => Self::NoProblem,
            "soft" => Self::Soft,
            "acknowledged" => Self::Acknowledged,
            "suppressed" => Self::Suppressed { rule: about().into() },
            "false-positive" => Self::FalsePositive { suppression: SuppressionId(about().parse().ok()?) },
            "dependency" => Self::Dependency { on: ObjectKey::parse(about()) },
            "not-wanted" => Self::NotWanted,
            "nobody-was-told" => Self::NobodyWasTold,
            "first-delay" => Self::FirstDelay { until: until? },
            "flapping" => Self::Flapping,
            "in-downtime" => Self::InDowntime { until },
            "host-in-downtime" => Self::HostInDowntime { until },
            "once" => Self::Once,
            "host-down" => Self::HostDown,
            "host-verdict" => Self::HostVerdict { until: until? },
            "parents-down" => Self::ParentsDown,
            "not-due" => Self::NotDue { until: until? },
            "nobody" => Self::Nobody { opens: until },
            _ => return None,
        })
    }

    /// The usual course of a problem that somebody was told of, and nothing that anybody would ask about.
    pub fn is_usual(&self) -> bool {
        matches!(self, Self::NotDue { .. } | Self::Once | Self::Soft | Self::NobodyWasTold | Self::NoProblem)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllOff => f.write_str("messages are switched off for everything"),
            Self::OutsidePeriod { opens: Some(opens) } => {
                write!(f, "outside its notification_period, which opens {opens}")
            }
            Self::OutsidePeriod { opens: None } => {
                f.write_str("outside its notification_period, which never opens again")
            }
            Self::Off => f.write_str("messages are switched off for it"),
            Self::NoProblem => f.write_str("it has no problem"),
            Self::Soft => f.write_str("not confirmed yet"),
            Self::Acknowledged => f.write_str("acknowledged"),
            Self::Suppressed { rule } => write!(f, "suppressed by the rule `{rule}`"),
            Self::FalsePositive { suppression } => {
                write!(f, "called a false positive, by suppression {suppression}")
            }
            Self::Dependency { on } => write!(f, "it depends on `{on}`, which has failed"),
            Self::NotWanted => f.write_str("its notification_options leave this out"),
            Self::NobodyWasTold => f.write_str("nobody was told of the problem"),
            Self::FirstDelay { until } => write!(f, "first_notification_delay lasts until {until}"),
            Self::Flapping => f.write_str("flapping"),
            Self::InDowntime { until: Some(until) } => write!(f, "in downtime until {until}"),
            Self::InDowntime { until: None } => f.write_str("in downtime"),
            Self::HostInDowntime { until: Some(until) } => write!(f, "its host is in downtime until {until}"),
            Self::HostInDowntime { until: None } => f.write_str("its host is in downtime"),
            Self::Once => f.write_str("told once, and notification_interval is 0"),
            Self::HostDown => f.write_str("its host is not up"),
            Self::HostVerdict { until } => {
                write!(f, "waits for the check of its host or parent, until {until} at the latest")
            }
            Self::ParentsDown => f.write_str("no parent of the host is up"),
            Self::NotDue { until } => write!(f, "the next repeat is due {until}"),
            Self::Nobody { .. } => f.write_str("no contact was to be told"),
        }
    }
}

/// Why one contact is left out of a message that others may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The contact's `match` names other objects.
    OtherObjects,
    /// Outside the contact's own `notification_period`; none: it never opens.
    OutsidePeriod { opens: Option<Timestamp> },
    /// The contact's `options` leave this out.
    NotWanted,
}

impl Skip {
    /// One word for each, as kept on disk and shown in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::OtherObjects => "other-objects",
            Self::OutsidePeriod { .. } => "outside-period",
            Self::NotWanted => "not-wanted",
        }
    }

    pub fn opens(self) -> Option<Timestamp> {
        match self {
            Self::OutsidePeriod { opens } => opens,
            Self::OtherObjects | Self::NotWanted => None,
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherObjects => f.write_str("the contact's `match` names other objects"),
            Self::OutsidePeriod { opens: Some(opens) } => {
                write!(f, "outside the contact's notification_period, which opens {opens}")
            }
            Self::OutsidePeriod { opens: None } => {
                f.write_str("outside the contact's notification_period, which never opens again")
            }
            Self::NotWanted => f.write_str("the contact's `options` leave this out"),
        }
    }
}

/// Somebody who was told of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub contact: Name,
    /// Of the last message of the problem to anybody.
    pub number: u32,
    /// Hears of the end: those to whom the last message of the problem went, so to say, are (R3).
    pub hears_of_end: bool,
}

/// What rules have done about a problem beside opening its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acts {
    pub problem: ProblemId,
    pub acts: Vec<Act>,
}

/// What one rule has done for one addressee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub rule: Name,
    /// A contact, `/webhook` or `/run`.
    pub to: Name,
    /// The last time.
    pub at: Timestamp,
    /// 0: the contact was left out, and that was said.
    pub times: u32,
}

/// What was last said to hold a message back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: MessageKind,
    pub hold: Hold,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hold_comes_back_from_its_parts() {
        let at = Timestamp::from_second(1_700_000_000);
        let all = [
            Hold::AllOff,
            Hold::OutsidePeriod { opens: Some(at) },
            Hold::OutsidePeriod { opens: None },
            Hold::Off,
            Hold::NoProblem,
            Hold::Soft,
            Hold::Acknowledged,
            Hold::Suppressed { rule: "quiet".into() },
            Hold::FalsePositive { suppression: SuppressionId(3) },
            Hold::Dependency { on: ObjectKey::parse("db/sql") },
            Hold::NotWanted,
            Hold::NobodyWasTold,
            Hold::FirstDelay { until: at },
            Hold::Flapping,
            Hold::InDowntime { until: Some(at) },
            Hold::HostInDowntime { until: None },
            Hold::Once,
            Hold::HostDown,
            Hold::HostVerdict { until: at },
            Hold::ParentsDown,
            Hold::NotDue { until: at },
            Hold::Nobody { opens: Some(at) },
        ];
        for hold in all {
            let back = Hold::from_parts(hold.word(), hold.until(), hold.about().as_deref());
            assert_eq!(back, Some(hold));
        }
        assert_eq!(Hold::from_parts("whim", None, None), None);
    }
}
