//! One message to one contact: what is said, of what, and by which channels. Decided once; how it is worded and
//! sent is not known here.

use std::fmt;
use std::sync::Arc;

use super::check::Output;
use super::contact::Contact;
use super::id::{Name, ObjectKey, ProblemId, TicketId};
use super::state::{AnyState, StateType};
use super::ticket::Reference;
use super::time::Timestamp;

/// Never changed after it was decided: a message that waits for its channel tells what was true then.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: MessageId,
    pub at: Timestamp,
    /// A contact, or what acts instead, as [`Addressee::name`] says.
    pub contact: Name,
    /// Empty: the contact has no way to be told of this. Kept all the same, so that it can be seen.
    pub channels: Vec<Channel>,
    pub about: About,
}

/// Whom a message is for: a person, or what does something about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    Contact(Name),
    /// The webhook or the program of a rule.
    Rule(Name),
    /// The event handler of the object.
    Handler,
    /// The event handler of all hosts or all services.
    HandlerOfAll,
}

impl Addressee {
    const RULE: &str = "rule/";
    const HANDLER: &str = "handler/own";
    const HANDLER_OF_ALL: &str = "handler/all";

    /// What stands in the place of a contact's name. No contact has a `/` in its own.
    pub fn name(&self) -> Name {
        match self {
            Self::Contact(name) => name.clone(),
            Self::Rule(name) => format!("{}{name}", Self::RULE).into(),
            Self::Handler => Self::HANDLER.into(),
            Self::HandlerOfAll => Self::HANDLER_OF_ALL.into(),
        }
    }

    /// The reverse of [`name`](Self::name).
    pub fn named(name: &str) -> Self {
        match (name, name.strip_prefix(Self::RULE)) {
            (Self::HANDLER, _) => Self::Handler,
            (Self::HANDLER_OF_ALL, _) => Self::HandlerOfAll,
            (_, Some(rule)) => Self::Rule(rule.into()),
            (_, None) => Self::Contact(name.into()),
        }
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contact(name) => f.write_str(name),
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Handler => f.write_str("event handler"),
            Self::HandlerOfAll => f.write_str("event handler of all"),
        }
    }
}

impl Message {
    pub fn addressee(&self) -> Addressee {
        Addressee::named(&self.contact)
    }
}

/// The same for the same decision, whenever and however often it is made: the outbox takes no second one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Arc<str>);

impl MessageId {
    /// `sequence` tells apart the messages of one kind about one problem: the notification's number, a downtime's
    /// id, a microsecond where nothing else is there.
    pub fn new(
        subject: &ObjectKey,
        problem: Option<ProblemId>,
        kind: MessageKind,
        sequence: u64,
        contact: &str,
    ) -> Self {
        let problem = problem.map_or(0, |id| id.0);
        Self(format!("{problem}:{}:{sequence}:{contact}:{subject}", kind.word()).into())
    }

    /// Of a ticket: one for each contact and each line of its history; 0 is its opening, which the others answer to.
    pub fn of_ticket(ticket: TicketId, sequence: u64, contact: &str) -> Self {
        Self(format!("ticket:{ticket}:{sequence}:{contact}").into())
    }

    /// Of a summary: one for each contact and instant.
    pub fn of_digest(at: Timestamp, contact: &str) -> Self {
        Self(format!("digest:{}:{contact}", at.as_micros()).into())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a message tells of. Shared by the messages to several contacts.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    Object(Arc<Notice>),
    /// Many at once, where a contact's rate limit holds single ones back.
    Digest(Arc<Digest>),
    /// What happened to a ticket, to those who hear of it.
    Ticket(Arc<TicketMail>),
}

/// Worded when it was made: it tells what was true then.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketMail {
    pub reference: Reference,
    /// In a word: `opened`, `noted`.
    pub what: Arc<str>,
    pub subject: Arc<str>,
    pub text: Arc<str>,
    pub html: Arc<str>,
}

/// A host or a service at the moment of the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub kind: MessageKind,
    pub subject: ObjectKey,
    /// The problem it belongs to: one thread of mail, one incident. None where there is none, as for a downtime.
    pub problem: Option<ProblemId>,
    /// `$NOTIFICATIONNUMBER$`.
    pub number: u32,
    pub state: AnyState,
    pub state_type: StateType,
    pub last_state: AnyState,
    pub attempt: u16,
    pub output: Arc<Output>,
    /// Since when it is in its hard state.
    pub since: Option<Timestamp>,
    pub last_check: Option<Timestamp>,
    /// Of a service: how its host stands.
    pub host: Option<(AnyState, Arc<Output>)>,
    /// Who acknowledged, scheduled the downtime, wrote the custom message; and what they wrote.
    pub author: Option<Arc<str>>,
    pub comment: Option<Arc<str>>,
    pub is_escalated: bool,
    /// Every contact that is told of this, in byte order.
    pub recipients: Arc<[Name]>,
}

/// `$NOTIFICATIONTYPE$`. (`nagios-notifications.md` 1)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    Problem,
    Recovery,
    Acknowledgement,
    FlappingStart,
    FlappingStop,
    FlappingDisabled,
    DowntimeStart,
    DowntimeEnd,
    DowntimeCancelled,
    Custom,
    /// An event handler runs: nobody is told.
    Handler,
    /// `vigia notify test`: nothing has happened.
    Test,
}

impl MessageKind {
    pub const ALL: &'static [Self] = &[
        Self::Problem,
        Self::Recovery,
        Self::Acknowledgement,
        Self::FlappingStart,
        Self::FlappingStop,
        Self::FlappingDisabled,
        Self::DowntimeStart,
        Self::DowntimeEnd,
        Self::DowntimeCancelled,
        Self::Custom,
        Self::Handler,
        Self::Test,
    ];

    /// As Nagios writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Problem => "PROBLEM",
            Self::Recovery => "RECOVERY",
            Self::Acknowledgement => "ACKNOWLEDGEMENT",
            Self::FlappingStart => "FLAPPINGSTART",
            Self::FlappingStop => "FLAPPINGSTOP",
            Self::FlappingDisabled => "FLAPPINGDISABLED",
            Self::DowntimeStart => "DOWNTIMESTART",
            Self::DowntimeEnd => "DOWNTIMEEND",
            Self::DowntimeCancelled => "DOWNTIMECANCELLED",
            Self::Custom => "CUSTOM",
            Self::Handler => "HANDLER",
            Self::Test => "TEST",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// What a contact was not told of one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digest {
    /// In the order in which it happened; bounded, the rest is only counted.
    pub entries: Vec<DigestEntry>,
    /// All messages that it stands for.
    pub messages: u32,
    pub hosts: u32,
    pub services: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DigestEntry {
    pub at: Timestamp,
    pub kind: MessageKind,
    pub subject: ObjectKey,
    pub state: AnyState,
    pub output: Arc<str>,
}

/// One way in which a contact is told, or in which something is done. Several addresses are several channels: one that is refused stops no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// To this address.
    Email(Arc<str>),
    /// To the webhook of the contact or rule. Its URL may hold a secret, so it is looked up when it is needed.
    Webhook,
    /// A Nagios notification command or event handler, called as here: `NAME!ARG!ARG`.
    Command(Arc<str>),
    /// The `run` of the contact or rule, or the list that handles events.
    Run,
}

impl Channel {
    /// As in the configuration and in `vigia notify test --channel`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook => "webhook",
            Self::Command(_) => "command",
            Self::Run => "run",
        }
    }

    /// The address of a mail, the call of a command; empty for the others.
    pub fn target(&self) -> &str {
        match self {
            Self::Email(target) | Self::Command(target) => target,
            Self::Webhook | Self::Run => "",
        }
    }

    /// The reverse of [`word`](Self::word) and [`target`](Self::target).
    pub fn from_words(word: &str, target: &str) -> Option<Self> {
        match word {
            "email" => Some(Self::Email(target.into())),
            "webhook" => Some(Self::Webhook),
            "command" => Some(Self::Command(target.into())),
            "run" => Some(Self::Run),
            _ => None,
        }
    }
}

impl Contact {
    /// Every way in which this contact is told of a host or, otherwise, of a service.
    pub fn channels(&self, is_host: bool) -> Vec<Channel> {
        let command = if is_host { &self.host_command } else { &self.service_command };
        let mail = self.email.iter().map(|address| Channel::Email(address.as_str().into()));
        mail.chain(self.webhook.as_ref().map(|_| Channel::Webhook))
            .chain(command.clone().map(Channel::Command))
            .chain(self.run.as_ref().map(|_| Channel::Run))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_word(kind.word()), Some(*kind));
        }
        for channel in [
            Channel::Email("a@example.test".into()),
            Channel::Webhook,
            Channel::Command("n!1".into()),
            Channel::Run,
        ] {
            assert_eq!(Channel::from_words(channel.word(), channel.target()), Some(channel));
        }
    }

    #[test]
    fn every_addressee_is_read_back() {
        for addressee in [
            Addressee::Contact("ana".into()),
            Addressee::Rule("dba-hook".into()),
            Addressee::Handler,
            Addressee::HandlerOfAll,
        ] {
            assert_eq!(Addressee::named(&addressee.name()), addressee);
        }
        assert!(crate::model::grammar::check_name(&Addressee::Handler.name()).is_err());
    }

    #[test]
    fn one_decision_has_one_id_and_another_has_another() {
        let id = |service: &str, problem, kind, sequence, contact| {
            MessageId::new(
                &ObjectKey::service("web", service),
                Some(ProblemId(problem)),
                kind,
                sequence,
                contact,
            )
        };
        let one = id("http", 7, MessageKind::Problem, 1, "ana");
        assert_eq!(one, id("http", 7, MessageKind::Problem, 1, "ana"));
        assert_eq!(one.to_string(), "7:PROBLEM:1:ana:web/http");
        for other in [
            id("ssh", 7, MessageKind::Problem, 1, "ana"),
            id("http", 8, MessageKind::Problem, 1, "ana"),
            id("http", 7, MessageKind::Recovery, 1, "ana"),
            id("http", 7, MessageKind::Problem, 2, "ana"),
            id("http", 7, MessageKind::Problem, 1, "ben"),
        ] {
            assert_ne!(one, other);
        }
    }
}
