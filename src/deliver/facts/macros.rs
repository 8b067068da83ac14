//! `$NAME$` and `${name}` of a message. What Nagios knows and vigia does not is empty, as an unset macro is there.

use jiff::tz::TimeZone;
use vigia_core::model::contact::Contact;
use vigia_core::model::id::{Checkable, ObjectKey, ProblemId};
use vigia_core::model::message::{Addressee, MessageKind, Notice};
use vigia_core::model::state::{AnyState, Condition};
use vigia_core::model::status::Status;
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::macros::{FAMILIES, Known, Of, Reference, classify};
use vigia_core::nagios::output;

use super::Facts;

/// A value in the environment is cut here, so that a program can be started at all.
const LONGEST: usize = 16 * 1024;

impl Facts {
    /// The value of a macro, if this message has one.
    pub(in crate::deliver) fn macro_value(&self, reference: Reference<'_>) -> Option<String> {
        if let Some(subject) = reference.subject {
            return self.of_another(reference.name, subject);
        }
        let name = reference.name;
        if name.starts_with("USER") {
            return self.world.inventory.user_macros.get(name).map(str::to_owned);
        }
        match classify(name)?.0 {
            Of::Host => self.of_host(name),
            Of::Service => self.of_service(name),
            Of::Contact => self.of_contact(name),
            Of::ContactGroup => self.of_contact_group(name),
            Of::Notification => self.of_notification(name),
            Of::Time => self.of_time(name),
            Of::Totals => self.of_totals(name),
            Of::HostGroup | Of::ServiceGroup | Of::Files | Of::Command => None,
        }
    }

    /// `NAGIOS_…` for a program: everything that has a value.
    pub(in crate::deliver) fn environment(&self) -> Vec<(String, String)> {
        let fixed = FAMILIES.iter().flat_map(|family| family.names.iter().map(|name| (*name).to_owned()));
        let own = |own: Option<&vigia_core::model::policy::Own>, prefix: &str| -> Vec<String> {
            let variables = own.into_iter().flat_map(|own| own.custom_variables.iter());
            variables.map(|(key, _)| custom_name(prefix, key)).collect()
        };
        let host = own(self.host().and_then(|host| host.own.as_deref()), "_HOST");
        let service = own(self.service().and_then(|service| service.own.as_deref()), "_SERVICE");
        let contact = self.contact().into_iter().flat_map(|contact| contact.custom_variables.iter());
        let contact = contact.map(|(key, _)| custom_name("_CONTACT", key));
        fixed
            .chain(host)
            .chain(service)
            .chain(contact)
            .filter_map(|name| {
                let value = self.macro_value(Reference { name: &name, subject: None })?;
                Some((format!("NAGIOS_{name}"), clean(&value)))
            })
            .collect()
    }

    /// What stands for `${name}` in a list that runs.
    pub(in crate::deliver) fn insertion(&self, name: &str) -> Option<String> {
        let notice = self.notice();
        let subject = notice.map(|notice| &notice.subject);
        let service = subject.and_then(|subject| subject.service.as_deref());
        let value = match name {
            "host.name" => subject.map(|subject| subject.host.to_string()),
            "host.address" => self.host().map(|host| host.address.to_string()),
            "host.alias" => self.host().map(|host| host.alias.to_string()),
            "host.state" => Some(self.host_standing().0.to_owned()),
            "service.name" => service.map(str::to_owned),
            "service.state" => {
                notice.filter(|_| service.is_some()).map(|notice| notice.state.word().to_owned())
            }
            // Of a host's message: what the host's check said, or the argument would be empty.
            "service.output" => notice.map(|notice| notice.output.text.to_string()),
            "alarm.id" | "ticket.id" => notice.and_then(|notice| self.record(name, notice)),
            _ => {
                let key = name.strip_prefix("tags.")?;
                let tags = self.host().into_iter().flat_map(|host| host.tags.iter());
                tags.into_iter().find(|(known, _)| **known == *key).map(|(_, text)| text.to_string())
            }
        };
        // One that has no value here is an empty argument, and no reason to tell nobody.
        Some(clean(&value.unwrap_or_default()))
    }

    fn record(&self, name: &str, notice: &Notice) -> Option<String> {
        let mut alarms = self.world.records.alarms.values();
        let alarm =
            alarms.find(|alarm| alarm.subject == notice.subject && Some(alarm.problem) == notice.problem)?;
        match name {
            "alarm.id" => Some(alarm.id.to_string()),
            _ => alarm.ticket.map(|ticket| ticket.to_string()),
        }
    }

    fn of_host(&self, name: &str) -> Option<String> {
        let notice = self.notice()?;
        if let Some(key) = name.strip_prefix("_HOST") {
            return variable(self.host()?.own.as_deref()?, key);
        }
        if let AnyState::Host(_) = notice.state
            && let Some(value) = of_standing(name, "HOST", notice, self.message.at)
        {
            return Some(value);
        }
        let host = self.host();
        let own = host.and_then(|host| host.own.as_deref());
        let (state, output) = self.host_standing();
        let text = match name {
            "HOSTNAME" => notice.subject.host.to_string(),
            "HOSTALIAS" => host.map_or(&notice.subject.host, |host| &host.alias).to_string(),
            "HOSTDISPLAYNAME" => host.map_or(&notice.subject.host, |host| &host.display_name).to_string(),
            "HOSTADDRESS" => host?.address.to_string(),
            "MAXHOSTATTEMPTS" => host?.policy.max_check_attempts.to_string(),
            "HOSTGROUPNAME" => host?.hostgroups.first()?.to_string(),
            "HOSTGROUPNAMES" => host?.hostgroups.join(","),
            "HOSTNOTES" => own?.notes.as_deref()?.to_owned(),
            "HOSTNOTESURL" => own?.notes_url.as_deref()?.to_owned(),
            "HOSTACTIONURL" => own?.action_url.as_deref()?.to_owned(),
            "HOSTCHECKCOMMAND" => host?.check.kind.to_owned(),
            "HOSTSTATE" => state.to_owned(),
            "HOSTSTATEID" => host_number(state)?.to_string(),
            "HOSTOUTPUT" => output.to_owned(),
            "LONGHOSTOUTPUT" => output::stored(&notice.host.as_ref()?.1.long).into_owned(),
            "HOSTPERFDATA" => notice.host.as_ref()?.1.perfdata.to_string(),
            "HOSTINFOURL" => self.page(),
            "TOTALHOSTSERVICES" => host?.services.len().to_string(),
            _ => return None,
        };
        Some(text)
    }

    fn of_service(&self, name: &str) -> Option<String> {
        // In a host's message the service macros stay empty.
        let notice = self.notice().filter(|notice| notice.subject.service.is_some())?;
        if let Some(key) = name.strip_prefix("_SERVICE") {
            return variable(self.service()?.own.as_deref()?, key);
        }
        if let Some(value) = of_standing(name, "SERVICE", notice, self.message.at) {
            return Some(value);
        }
        let service = self.service();
        let own = service.and_then(|service| service.own.as_deref());
        let text = match name {
            "SERVICEDESC" => notice.subject.service.as_deref()?.to_owned(),
            "SERVICEDISPLAYNAME" => service?.display_name.to_string(),
            "MAXSERVICEATTEMPTS" => service?.policy.max_check_attempts.to_string(),
            "SERVICEISVOLATILE" => u8::from(service?.policy.volatile).to_string(),
            "SERVICEGROUPNAME" => service?.servicegroups.first()?.to_string(),
            "SERVICEGROUPNAMES" => service?.servicegroups.join(","),
            "SERVICENOTES" => own?.notes.as_deref()?.to_owned(),
            "SERVICENOTESURL" => own?.notes_url.as_deref()?.to_owned(),
            "SERVICEACTIONURL" => own?.action_url.as_deref()?.to_owned(),
            "SERVICECHECKCOMMAND" => service?.check.kind.to_owned(),
            "SERVICEINFOURL" => self.page(),
            _ => return None,
        };
        Some(text)
    }

    fn of_contact(&self, name: &str) -> Option<String> {
        let contact = self.contact();
        if !matches!(self.message.addressee(), Addressee::Contact(_)) {
            return None;
        }
        if let Some(key) = name.strip_prefix("_CONTACT") {
            return contact_variable(contact?, key);
        }
        match name {
            "CONTACTNAME" => Some(self.message.contact.to_string()),
            "CONTACTALIAS" => {
                Some(contact_variable(contact?, "ALIAS").unwrap_or_else(|| self.message.contact.to_string()))
            }
            "CONTACTEMAIL" => Some(contact?.email.join(",")),
            "CONTACTPAGER" => contact_variable(contact?, "PAGER"),
            // CONTACTADDRESS1 to 6 are custom variables of that name.
            _ => contact_variable(contact?, name.strip_prefix("CONTACT")?),
        }
    }

    fn of_contact_group(&self, name: &str) -> Option<String> {
        let groups = self.world.inventory.contactgroups.iter();
        let mut groups = groups.filter(|group| group.members.contains(&self.message.contact));
        match name {
            "CONTACTGROUPNAME" => Some(groups.next()?.name.to_string()),
            "CONTACTGROUPALIAS" => Some(groups.next()?.alias.to_string()),
            "CONTACTGROUPMEMBERS" => Some(groups.next()?.members.join(",")),
            "CONTACTGROUPNAMES" => {
                Some(groups.map(|group| group.name.to_string()).collect::<Vec<_>>().join(","))
            }
            _ => None,
        }
    }

    fn of_notification(&self, name: &str) -> Option<String> {
        let notice = self.notice()?;
        let text = match name {
            // An event handler runs without a notification.
            _ if notice.kind == MessageKind::Handler => return None,
            "NOTIFICATIONTYPE" => notice.kind.word().to_owned(),
            "NOTIFICATIONNUMBER" => notice.number.to_string(),
            "NOTIFICATIONISESCALATED" => u8::from(notice.is_escalated).to_string(),
            "NOTIFICATIONRECIPIENTS" => notice.recipients.join(","),
            "NOTIFICATIONAUTHOR" | "NOTIFICATIONAUTHORNAME" | "NOTIFICATIONAUTHORALIAS" => {
                notice.author.as_deref()?.to_owned()
            }
            "NOTIFICATIONCOMMENT" => notice.comment.as_deref()?.to_owned(),
            "NOTIFICATIONID" => self.message.id.to_string(),
            _ => return None,
        };
        Some(text)
    }

    fn of_time(&self, name: &str) -> Option<String> {
        let format = match name {
            "LONGDATETIME" => "%a %b %e %H:%M:%S %Z %Y",
            "SHORTDATETIME" => "%Y-%m-%d %H:%M:%S",
            "DATE" => "%Y-%m-%d",
            "TIME" => "%H:%M:%S",
            "TIMET" => return Some(self.message.at.as_second().to_string()),
            _ => return None,
        };
        let zone: TimeZone = self.zone();
        Some(self.message.at.to_jiff().to_zoned_datetime(zone).strftime(format).to_string())
    }

    fn of_totals(&self, name: &str) -> Option<String> {
        let totals = &self.world.totals;
        let [up, down, unreachable] = totals.hosts;
        let [ok, warning, critical, unknown] = totals.services;
        let number = match name {
            "TOTALHOSTSUP" => up,
            "TOTALHOSTSDOWN" => down,
            "TOTALHOSTSUNREACHABLE" => unreachable,
            "TOTALHOSTPROBLEMS" => down + unreachable,
            "TOTALHOSTPROBLEMSUNHANDLED" => totals.host_problems_unhandled,
            "TOTALSERVICESOK" => ok,
            "TOTALSERVICESWARNING" => warning,
            "TOTALSERVICESCRITICAL" => critical,
            "TOTALSERVICESUNKNOWN" => unknown,
            "TOTALSERVICEPROBLEMS" => warning + critical + unknown,
            "TOTALSERVICEPROBLEMSUNHANDLED" => totals.service_problems_unhandled,
            _ => return None,
        };
        Some(number.to_string())
    }

    /// `$HOSTSTATE:web1$`, `$SERVICEOUTPUT:web1:HTTP$`: of now.
    fn of_another(&self, name: &str, subject: &str) -> Option<String> {
        let inventory = &self.world.inventory;
        let key = match subject.split_once(':') {
            Some((host, service)) => ObjectKey::service(host, service),
            None => ObjectKey::host(subject),
        };
        match inventory.find(&key)? {
            Checkable::Host(id) => {
                let host = inventory.host(id);
                match name {
                    "HOSTADDRESS" => Some(host.address.to_string()),
                    "HOSTALIAS" => Some(host.alias.to_string()),
                    _ => of_now(name.strip_prefix("HOST")?, self.world.host(id)),
                }
            }
            Checkable::Service(id) => of_now(name.strip_prefix("SERVICE")?, self.world.service(id)),
        }
    }
}

/// What the message tells of its own object's state; `prefix` is `HOST` or `SERVICE`.
fn of_standing(name: &str, prefix: &str, notice: &Notice, at: Timestamp) -> Option<String> {
    if let Some(rest) = name.strip_prefix("LONG") {
        let is_output = rest.strip_prefix(prefix) == Some("OUTPUT");
        return is_output.then(|| output::stored(&notice.output.long).into_owned());
    }
    if let Some(rest) = name.strip_prefix("LAST") {
        return match rest.strip_prefix(prefix)? {
            "STATE" => Some(notice.last_state.word().to_owned()),
            "STATEID" => Some(notice.last_state.number().to_string()),
            "CHECK" => notice.last_check.map(|at| at.as_second().to_string()),
            "STATECHANGE" => notice.since.map(|at| at.as_second().to_string()),
            _ => None,
        };
    }
    let is_acknowledgement = notice.kind == MessageKind::Acknowledgement;
    let lasted = notice.since.map(|since| at.since(since).as_secs());
    match name.strip_prefix(prefix)? {
        "STATE" => Some(notice.state.word().to_owned()),
        "STATEID" => Some(notice.state.number().to_string()),
        "STATETYPE" => Some(notice.state_type.word().to_owned()),
        "ATTEMPT" => Some(notice.attempt.to_string()),
        "OUTPUT" => Some(notice.output.text.to_string()),
        "PERFDATA" => Some(notice.output.perfdata.to_string()),
        "PROBLEMID" => Some(notice.problem.map_or(0, |ProblemId(id)| id).to_string()),
        "NOTIFICATIONNUMBER" => Some(notice.number.to_string()),
        "DURATIONSEC" => Some(lasted?.to_string()),
        "DURATION" => {
            let seconds = lasted?;
            let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
            Some(format!("{days}d {hours}h {}m {}s", seconds / 60 % 60, seconds % 60))
        }
        "ACKAUTHOR" | "ACKAUTHORNAME" | "ACKAUTHORALIAS" if is_acknowledgement => {
            Some(notice.author.as_deref()?.to_owned())
        }
        "ACKCOMMENT" if is_acknowledgement => Some(notice.comment.as_deref()?.to_owned()),
        _ => None,
    }
}

fn of_now<S: Condition>(name: &str, status: &Status<S>) -> Option<String> {
    match name {
        "STATE" => Some(status.state().word().to_owned()),
        "STATEID" => Some(status.state().number().to_string()),
        "STATETYPE" => Some(status.standing.state_type.word().to_owned()),
        "ATTEMPT" => Some(status.standing.attempt.to_string()),
        "OUTPUT" => Some(status.output.text.to_string()),
        "PERFDATA" => Some(status.output.perfdata.to_string()),
        "DOWNTIME" => Some(status.downtime_depth.to_string()),
        _ => None,
    }
}

fn host_number(word: &str) -> Option<u8> {
    AnyState::from_word(word).map(AnyState::number)
}

fn variable(own: &vigia_core::model::policy::Own, key: &str) -> Option<String> {
    find(&own.custom_variables, key)
}

fn contact_variable(contact: &Contact, key: &str) -> Option<String> {
    find(&contact.custom_variables, key)
}

fn find(variables: &[(std::sync::Arc<str>, std::sync::Arc<str>)], key: &str) -> Option<String> {
    let is_it = |known: &str| known.trim_start_matches('_').eq_ignore_ascii_case(key);
    variables.iter().find(|(known, _)| is_it(known)).map(|(_, text)| text.to_string())
}

fn custom_name(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.trim_start_matches('_').to_ascii_uppercase())
}

/// What a program can be given: no zero byte, and not without bound.
fn clean(text: &str) -> String {
    let end = text.floor_char_boundary(text.len().min(LONGEST));
    text.get(..end).unwrap_or_default().replace('\0', "")
}

/// Whether a macro's value may be put into a command line before it is split into words.
pub(in crate::deliver) fn is_of_configuration(reference: Reference<'_>) -> bool {
    reference.subject.is_none() && matches!(classify(reference.name), Some((_, Known::AtLoad)))
}
