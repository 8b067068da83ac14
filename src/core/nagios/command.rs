//! External commands of Nagios: one line of text to the orders it stands for. (`nagios-interfaces.md` 4)
//!
//! Here are those whose meaning the engine knows; names it does not know yet are refused as such. What a line
//! may not do is decided by whoever reads it.

use std::sync::Arc;
use std::time::Duration;

use super::output::{parse as parse_output, unstored};
use crate::model::acknowledgement::Until;
use crate::model::check::Verdict;
use crate::model::downtime::DowntimeKind;
use crate::model::id::{Checkable, CommentId, DowntimeId, HostId, ObjectKey};
use crate::model::inventory::Inventory;
use crate::model::operation::{HowToNotify, Operation, Order, Switch};
use crate::model::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("`{0}` is not a command vigia knows")]
    Unknown(String),
    #[error("{command}: {what} is missing")]
    Missing { command: &'static str, what: &'static str },
    #[error("{command}: `{given}` is not {wanted}")]
    Wrong { command: &'static str, given: String, wanted: &'static str },
    #[error("{command}: there is no host `{host}`")]
    NoHost { command: &'static str, host: String },
}

/// One command: its name, and how its fields become orders.
pub struct Command {
    pub name: &'static str,
    /// As in the documentation of Nagios.
    pub fields: &'static str,
    read: fn(&mut Fields<'_>) -> Result<Vec<Operation>, CommandError>,
}

/// Who gives an order that names nobody.
const NOBODY: &str = "external command";

/// Reads `NAME;field;…` or `[EPOCH] NAME;field;…`.
///
/// # Errors
/// Says what is wrong with the line.
pub fn parse(line: &str, inventory: &Inventory, now: Timestamp) -> Result<Vec<Order>, CommandError> {
    let (at, line) = stamp(line.trim_end_matches(['\n', '\r']));
    let (name, rest) = line.split_once(';').unwrap_or((line, ""));
    let command = COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name.trim()));
    let command = command.ok_or_else(|| CommandError::Unknown(name.trim().to_owned()))?;
    let mut fields =
        Fields { command: command.name, rest: Some(rest), inventory, at: at.unwrap_or(now), author: None };
    let operations = (command.read)(&mut fields)?;
    let author: Arc<str> = fields.author.as_deref().unwrap_or(NOBODY).into();
    Ok(operations.into_iter().map(|operation| Order { author: Arc::clone(&author), operation }).collect())
}

fn stamp(line: &str) -> (Option<Timestamp>, &str) {
    let stamped = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match stamped.and_then(|(at, rest)| Some((at.trim().parse().ok()?, rest))) {
        Some((second, rest)) => (Some(Timestamp::from_second(second)), rest.trim_start()),
        None => (None, line),
    }
}

pub const COMMANDS: &[Command] = &[
    Command {
        name: "PROCESS_HOST_CHECK_RESULT",
        fields: "host;code;output",
        read: |f| {
            let subject = f.reported_host()?;
            f.result(subject)
        },
    },
    Command {
        name: "PROCESS_SERVICE_CHECK_RESULT",
        fields: "host;service;code;output",
        read: |f| {
            let host = f.reported_host()?;
            let subject = f.service_of(&host)?;
            f.result(subject)
        },
    },
    Command {
        name: "ACKNOWLEDGE_HOST_PROBLEM",
        fields: "host;sticky;notify;persistent;author;comment",
        read: |f| f.host().and_then(|subject| f.acknowledge(subject, false)),
    },
    Command {
        name: "ACKNOWLEDGE_SVC_PROBLEM",
        fields: "host;service;sticky;notify;persistent;author;comment",
        read: |f| f.service().and_then(|subject| f.acknowledge(subject, false)),
    },
    Command {
        name: "ACKNOWLEDGE_HOST_PROBLEM_EXPIRE",
        fields: "host;sticky;notify;persistent;end;author;comment",
        read: |f| f.host().and_then(|subject| f.acknowledge(subject, true)),
    },
    Command {
        name: "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE",
        fields: "host;service;sticky;notify;persistent;end;author;comment",
        read: |f| f.service().and_then(|subject| f.acknowledge(subject, true)),
    },
    Command {
        name: "REMOVE_HOST_ACKNOWLEDGEMENT",
        fields: "host",
        read: |f| Ok(vec![Operation::RemoveAcknowledgement { subject: f.host()? }]),
    },
    Command {
        name: "REMOVE_SVC_ACKNOWLEDGEMENT",
        fields: "host;service",
        read: |f| Ok(vec![Operation::RemoveAcknowledgement { subject: f.service()? }]),
    },
    Command {
        name: "SCHEDULE_HOST_DOWNTIME",
        fields: "host;start;end;fixed;trigger;duration;author;comment",
        read: |f| f.host().and_then(|subject| f.downtime(vec![subject])),
    },
    Command {
        name: "SCHEDULE_SVC_DOWNTIME",
        fields: "host;service;start;end;fixed;trigger;duration;author;comment",
        read: |f| f.service().and_then(|subject| f.downtime(vec![subject])),
    },
    Command {
        name: "SCHEDULE_HOST_SVC_DOWNTIME",
        fields: "host;start;end;fixed;trigger;duration;author;comment",
        read: |f| f.services_of_host().and_then(|subjects| f.downtime(subjects)),
    },
    Command {
        name: "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME",
        fields: "host;start;end;fixed;trigger;duration;author;comment",
        read: |f| f.host_and_descendants().and_then(|subjects| f.downtime(subjects)),
    },
    Command { name: "DEL_HOST_DOWNTIME", fields: "downtime_id", read: |f| f.cancel_downtime() },
    Command { name: "DEL_SVC_DOWNTIME", fields: "downtime_id", read: |f| f.cancel_downtime() },
    Command {
        name: "ADD_HOST_COMMENT",
        fields: "host;persistent;author;comment",
        read: |f| f.host().and_then(|subject| f.comment(subject)),
    },
    Command {
        name: "ADD_SVC_COMMENT",
        fields: "host;service;persistent;author;comment",
        read: |f| f.service().and_then(|subject| f.comment(subject)),
    },
    Command { name: "DEL_HOST_COMMENT", fields: "comment_id", read: |f| f.delete_comment() },
    Command { name: "DEL_SVC_COMMENT", fields: "comment_id", read: |f| f.delete_comment() },
    Command {
        name: "SCHEDULE_HOST_CHECK",
        fields: "host;time",
        read: |f| f.host().and_then(|subject| f.recheck(vec![subject], false)),
    },
    Command {
        name: "SCHEDULE_SVC_CHECK",
        fields: "host;service;time",
        read: |f| f.service().and_then(|subject| f.recheck(vec![subject], false)),
    },
    Command {
        name: "SCHEDULE_HOST_SVC_CHECKS",
        fields: "host;time",
        read: |f| f.services_of_host().and_then(|subjects| f.recheck(subjects, false)),
    },
    Command {
        name: "SCHEDULE_FORCED_HOST_CHECK",
        fields: "host;time",
        read: |f| f.host().and_then(|subject| f.recheck(vec![subject], true)),
    },
    Command {
        name: "SCHEDULE_FORCED_SVC_CHECK",
        fields: "host;service;time",
        read: |f| f.service().and_then(|subject| f.recheck(vec![subject], true)),
    },
    Command {
        name: "SCHEDULE_FORCED_HOST_SVC_CHECKS",
        fields: "host;time",
        read: |f| f.services_of_host().and_then(|subjects| f.recheck(subjects, true)),
    },
    Command {
        name: "ENABLE_HOST_CHECK",
        fields: "host",
        read: |f| f.switch_host(Switch::ActiveChecks(true)),
    },
    Command {
        name: "DISABLE_HOST_CHECK",
        fields: "host",
        read: |f| f.switch_host(Switch::ActiveChecks(false)),
    },
    Command {
        name: "ENABLE_SVC_CHECK",
        fields: "host;service",
        read: |f| f.switch_service(Switch::ActiveChecks(true)),
    },
    Command {
        name: "DISABLE_SVC_CHECK",
        fields: "host;service",
        read: |f| f.switch_service(Switch::ActiveChecks(false)),
    },
    Command {
        name: "ENABLE_PASSIVE_HOST_CHECKS",
        fields: "host",
        read: |f| f.switch_host(Switch::PassiveChecks(true)),
    },
    Command {
        name: "DISABLE_PASSIVE_HOST_CHECKS",
        fields: "host",
        read: |f| f.switch_host(Switch::PassiveChecks(false)),
    },
    Command {
        name: "ENABLE_PASSIVE_SVC_CHECKS",
        fields: "host;service",
        read: |f| f.switch_service(Switch::PassiveChecks(true)),
    },
    Command {
        name: "DISABLE_PASSIVE_SVC_CHECKS",
        fields: "host;service",
        read: |f| f.switch_service(Switch::PassiveChecks(false)),
    },
    Command {
        name: "ENABLE_HOST_NOTIFICATIONS",
        fields: "host",
        read: |f| f.switch_host(Switch::Notifications(true)),
    },
    Command {
        name: "DISABLE_HOST_NOTIFICATIONS",
        fields: "host",
        read: |f| f.switch_host(Switch::Notifications(false)),
    },
    Command {
        name: "ENABLE_SVC_NOTIFICATIONS",
        fields: "host;service",
        read: |f| f.switch_service(Switch::Notifications(true)),
    },
    Command {
        name: "DISABLE_SVC_NOTIFICATIONS",
        fields: "host;service",
        read: |f| f.switch_service(Switch::Notifications(false)),
    },
    Command {
        name: "ENABLE_HOST_FLAP_DETECTION",
        fields: "host",
        read: |f| f.switch_host(Switch::FlapDetection(true)),
    },
    Command {
        name: "DISABLE_HOST_FLAP_DETECTION",
        fields: "host",
        read: |f| f.switch_host(Switch::FlapDetection(false)),
    },
    Command {
        name: "ENABLE_SVC_FLAP_DETECTION",
        fields: "host;service",
        read: |f| f.switch_service(Switch::FlapDetection(true)),
    },
    Command {
        name: "DISABLE_SVC_FLAP_DETECTION",
        fields: "host;service",
        read: |f| f.switch_service(Switch::FlapDetection(false)),
    },
    Command {
        name: "ENABLE_HOST_EVENT_HANDLER",
        fields: "host",
        read: |f| f.switch_host(Switch::EventHandler(true)),
    },
    Command {
        name: "DISABLE_HOST_EVENT_HANDLER",
        fields: "host",
        read: |f| f.switch_host(Switch::EventHandler(false)),
    },
    Command {
        name: "ENABLE_SVC_EVENT_HANDLER",
        fields: "host;service",
        read: |f| f.switch_service(Switch::EventHandler(true)),
    },
    Command {
        name: "DISABLE_SVC_EVENT_HANDLER",
        fields: "host;service",
        read: |f| f.switch_service(Switch::EventHandler(false)),
    },
    Command {
        name: "ENABLE_NOTIFICATIONS",
        fields: "",
        read: |_f| Ok(vec![Operation::SwitchNotifications { on: true }]),
    },
    Command {
        name: "DISABLE_NOTIFICATIONS",
        fields: "",
        read: |_f| Ok(vec![Operation::SwitchNotifications { on: false }]),
    },
    Command {
        name: "SEND_CUSTOM_HOST_NOTIFICATION",
        fields: "host;options;author;comment",
        read: |f| f.host().and_then(|subject| f.custom_notification(subject)),
    },
    Command {
        name: "SEND_CUSTOM_SVC_NOTIFICATION",
        fields: "host;service;options;author;comment",
        read: |f| f.service().and_then(|subject| f.custom_notification(subject)),
    },
    Command {
        name: "DELAY_HOST_NOTIFICATION",
        fields: "host;time",
        read: |f| f.host().and_then(|subject| f.delay_notification(subject)),
    },
    Command {
        name: "DELAY_SVC_NOTIFICATION",
        fields: "host;service;time",
        read: |f| f.service().and_then(|subject| f.delay_notification(subject)),
    },
    Command {
        name: "CHANGE_MAX_HOST_CHECK_ATTEMPTS",
        fields: "host;attempts",
        read: |f| {
            let subject = f.host()?;
            f.max_check_attempts(subject)
        },
    },
    Command {
        name: "CHANGE_MAX_SVC_CHECK_ATTEMPTS",
        fields: "host;service;attempts",
        read: |f| {
            let subject = f.service()?;
            f.max_check_attempts(subject)
        },
    },
];

/// The fields of one line, taken from the left.
struct Fields<'a> {
    command: &'static str,
    rest: Option<&'a str>,
    inventory: &'a Inventory,
    at: Timestamp,
    author: Option<String>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, what: &'static str) -> Result<&'a str, CommandError> {
        let missing = CommandError::Missing { command: self.command, what };
        let rest = self.rest.take().ok_or(missing.clone())?;
        let (field, rest) = match rest.split_once(';') {
            Some((field, rest)) => (field, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        if field.is_empty() { Err(missing) } else { Ok(field) }
    }

    /// The rest of the line, semicolons and all.
    fn text(&mut self) -> &'a str {
        self.rest.take().unwrap_or("")
    }

    fn number<T: std::str::FromStr>(
        &mut self,
        what: &'static str,
        wanted: &'static str,
    ) -> Result<T, CommandError> {
        let given = self.take(what)?;
        let wrong = || CommandError::Wrong { command: self.command, given: given.to_owned(), wanted };
        given.trim().parse().map_err(|_given: T::Err| wrong())
    }

    fn time(&mut self, what: &'static str) -> Result<Timestamp, CommandError> {
        self.number(what, "a Unix time in seconds").map(Timestamp::from_second)
    }

    fn host(&mut self) -> Result<ObjectKey, CommandError> {
        Ok(ObjectKey::host(self.take("the host")?))
    }

    fn service(&mut self) -> Result<ObjectKey, CommandError> {
        let host = self.host()?;
        self.service_of(&host)
    }

    fn service_of(&mut self, host: &ObjectKey) -> Result<ObjectKey, CommandError> {
        Ok(ObjectKey { host: host.host.clone(), service: Some(self.take("the service")?.into()) })
    }

    /// Results may name a host by its address.
    fn reported_host(&mut self) -> Result<ObjectKey, CommandError> {
        let host = self.host()?;
        if self.inventory.host_id(&host.host).is_some() {
            return Ok(host);
        }
        let by_address = self.inventory.hosts.iter().find(|other| *other.address == *host.host);
        Ok(by_address.map_or(host, |other| ObjectKey { host: other.name.clone(), service: None }))
    }

    fn known_host(&mut self) -> Result<HostId, CommandError> {
        let host = self.take("the host")?;
        let unknown = || CommandError::NoHost { command: self.command, host: host.to_owned() };
        self.inventory.host_id(host).ok_or_else(unknown)
    }

    fn services_of_host(&mut self) -> Result<Vec<ObjectKey>, CommandError> {
        let host = self.known_host()?;
        let services = self.inventory.host(host).services.iter();
        Ok(services.map(|id| self.inventory.key(Checkable::Service(*id))).collect())
    }

    fn host_and_descendants(&mut self) -> Result<Vec<ObjectKey>, CommandError> {
        let mut found = vec![self.known_host()?];
        let mut at = 0;
        while let Some(host) = found.get(at).copied() {
            for child in self.inventory.children(host) {
                if !found.contains(child) {
                    found.push(*child);
                }
            }
            at += 1;
        }
        Ok(found.into_iter().map(|id| self.inventory.key(Checkable::Host(id))).collect())
    }

    fn result(&mut self, subject: ObjectKey) -> Result<Vec<Operation>, CommandError> {
        let code = self.number("the code", "a number")?;
        let output = parse_output(unstored(self.text()).as_bytes());
        let verdict = Verdict::Exit(code);
        Ok(vec![Operation::SubmitResult { subject, verdict, output: Arc::new(output), at: self.at }])
    }

    fn acknowledge(&mut self, subject: ObjectKey, expires: bool) -> Result<Vec<Operation>, CommandError> {
        let is_sticky = self.number::<i64>("sticky", "a number")? == 2;
        let until = if is_sticky { Until::Recovery } else { Until::Change };
        let notify = self.number::<i64>("notify", "a number")? != 0;
        let keeps_comment = self.number::<i64>("persistent", "a number")? != 0;
        let expires = if expires { Some(self.time("the end")?) } else { None };
        self.author = Some(self.take("the author")?.to_owned());
        let comment = self.text().into();
        Ok(vec![Operation::Acknowledge { subject, comment, until, notify, keeps_comment, expires }])
    }

    fn downtime(&mut self, subjects: Vec<ObjectKey>) -> Result<Vec<Operation>, CommandError> {
        let (start, end) = (self.time("the start")?, self.time("the end")?);
        let is_fixed = self.number::<i64>("fixed", "a number")? != 0;
        let trigger = self.number::<u64>("the trigger", "a number")?;
        let seconds = self.number::<u64>("the duration", "a number of seconds")?;
        self.author = Some(self.take("the author")?.to_owned());
        let text = self.text();
        let comment: Arc<str> = text.split_once(';').map_or(text, |(comment, _)| comment).into();
        let kind =
            if is_fixed { DowntimeKind::Fixed } else { DowntimeKind::Flexible(Duration::from_secs(seconds)) };
        let triggered_by = (trigger != 0).then_some(DowntimeId(trigger));
        let one = |subject| {
            let comment = Arc::clone(&comment);
            Operation::ScheduleDowntime { subject, start, end, kind, comment, triggered_by }
        };
        Ok(subjects.into_iter().map(one).collect())
    }

    fn cancel_downtime(&mut self) -> Result<Vec<Operation>, CommandError> {
        let id = self.number("the number of the downtime", "a number")?;
        Ok(vec![Operation::CancelDowntime { id: DowntimeId(id) }])
    }

    fn comment(&mut self, subject: ObjectKey) -> Result<Vec<Operation>, CommandError> {
        let _persistent = self.take("persistent")?;
        self.author = Some(self.take("the author")?.to_owned());
        Ok(vec![Operation::AddComment { subject, text: self.text().into() }])
    }

    fn delete_comment(&mut self) -> Result<Vec<Operation>, CommandError> {
        let id = self.number("the number of the comment", "a number")?;
        Ok(vec![Operation::DeleteComment { id: CommentId(id) }])
    }

    fn recheck(&mut self, subjects: Vec<ObjectKey>, forced: bool) -> Result<Vec<Operation>, CommandError> {
        let at = self.time("the time")?;
        Ok(subjects.into_iter().map(|subject| Operation::Recheck { subject, at, forced }).collect())
    }

    fn custom_notification(&mut self, subject: ObjectKey) -> Result<Vec<Operation>, CommandError> {
        let options = self.number::<u8>("the options", "a number from 0 to 7")?;
        let how =
            HowToNotify { broadcast: options & 1 != 0, forced: options & 2 != 0, counted: options & 4 != 0 };
        self.author = Some(self.take("the author")?.to_owned());
        Ok(vec![Operation::Notify { subject, text: self.text().into(), how }])
    }

    fn delay_notification(&mut self, subject: ObjectKey) -> Result<Vec<Operation>, CommandError> {
        Ok(vec![Operation::DelayNotification { subject, until: self.time("the time")? }])
    }

    fn switch_host(&mut self, switch: Switch) -> Result<Vec<Operation>, CommandError> {
        Ok(vec![Operation::Switch { subject: self.host()?, switch }])
    }

    fn switch_service(&mut self, switch: Switch) -> Result<Vec<Operation>, CommandError> {
        Ok(vec![Operation::Switch { subject: self.service()?, switch }])
    }

    fn max_check_attempts(&mut self, subject: ObjectKey) -> Result<Vec<Operation>, CommandError> {
        let max = self.number("the attempts", "a number from 1")?;
        Ok(vec![Operation::Switch { subject, switch: Switch::MaxCheckAttempts(max) }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<Order>, CommandError> {
        parse(line, &Inventory::default(), Timestamp::from_second(1_700_000_000))
    }

    #[test]
    fn the_comment_of_an_acknowledgement_keeps_its_semicolons() {
        let orders = read("ACKNOWLEDGE_SVC_PROBLEM;web1;HTTP;2;1;0;ana;on it; back at 3").unwrap();
        let [Order { author, operation: Operation::Acknowledge { subject, comment, until, notify, .. } }] =
            &*orders
        else {
            panic!("{orders:?}")
        };
        assert_eq!((&**author, &**comment), ("ana", "on it; back at 3"));
        assert_eq!((subject.to_string().as_str(), *until, *notify), ("web1/HTTP", Until::Recovery, true));
    }

    #[test]
    fn a_result_carries_its_own_time_and_unescaped_lines() {
        let orders =
            read("[1600000000] process_service_check_result;web1;disk;1;WARN c:\\\\ | x=1\n").unwrap();
        let [Order { operation: Operation::SubmitResult { verdict, output, at, .. }, .. }] = &*orders else {
            panic!("{orders:?}")
        };
        assert_eq!((*verdict, at.as_second()), (Verdict::Exit(1), 1_600_000_000));
        assert_eq!((&*output.text, &*output.perfdata), ("WARN c:\\", "x=1"));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (line, why) in [
            ("SING;web1", "`SING` is not a command vigia knows"),
            ("SCHEDULE_HOST_CHECK;web1", "SCHEDULE_HOST_CHECK: the time is missing"),
            ("SCHEDULE_HOST_CHECK;web1;soon", "SCHEDULE_HOST_CHECK: `soon` is not a Unix time in seconds"),
            ("SCHEDULE_HOST_SVC_CHECKS;web1;1", "SCHEDULE_HOST_SVC_CHECKS: there is no host `web1`"),
        ] {
            assert_eq!(read(line).unwrap_err().to_string(), why);
        }
    }
}
