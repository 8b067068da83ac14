//! What a message can tell: the message itself, and what the configuration of now says of its object and contact.
//!
//! Everything that was true at the decision comes from the message. What has left the configuration since then is
//! empty.

mod macros;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use vigia_core::engine::world::World;
use vigia_core::model::contact::Contact;
use vigia_core::model::host::Host;
use vigia_core::model::id::{Checkable, ObjectKey};
use vigia_core::model::message::{About, Digest, DigestEntry, Message, MessageKind, Notice};
use vigia_core::model::policy::Own;
use vigia_core::model::service::Service;
use vigia_core::model::state::AnyState;
use vigia_core::model::time::Timestamp;

use crate::wording::Kind;

pub(super) use macros::is_of_configuration;

/// A message with what surrounds it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) message: Message,
    pub(super) world: Arc<World>,
    pub(super) url: Option<String>,
}

impl Facts {
    pub(super) fn kind(&self) -> Kind {
        match &self.message.about {
            About::Object(notice) if notice.subject.service.is_some() => Kind::Service,
            About::Object(_) => Kind::Host,
            // That of a ticket is worded already.
            About::Digest(_) | About::Ticket(_) => Kind::Digest,
        }
    }

    pub(super) fn contact(&self) -> Option<&Contact> {
        self.world.inventory.contact(&self.message.contact)
    }

    pub(super) fn notice(&self) -> Option<&Notice> {
        match &self.message.about {
            About::Object(notice) => Some(notice),
            About::Digest(_) | About::Ticket(_) => None,
        }
    }

    /// What it tells of.
    pub(super) fn subject(&self) -> Option<&ObjectKey> {
        self.notice().map(|notice| &notice.subject)
    }

    fn host(&self) -> Option<&Host> {
        let id = self.world.inventory.host_id(&self.notice()?.subject.host)?;
        Some(self.world.inventory.host(id))
    }

    fn service(&self) -> Option<&Service> {
        let inventory = &self.world.inventory;
        match inventory.find(&self.notice()?.subject)? {
            Checkable::Service(id) => Some(inventory.service(id)),
            Checkable::Host(_) => None,
        }
    }

    /// The host's state and output at the decision.
    fn host_standing(&self) -> (&'static str, &str) {
        let Some(notice) = self.notice() else { return ("", "") };
        match (&notice.host, notice.state) {
            (_, AnyState::Host(_)) => (notice.state.word(), &notice.output.text),
            (Some((state, output)), AnyState::Service(_)) => (state.word(), &output.text),
            (None, AnyState::Service(_)) => ("", ""),
        }
    }

    fn zone(&self) -> TimeZone {
        let named = self.contact().and_then(|contact| contact.timezone.as_deref());
        named.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(TimeZone::system)
    }

    fn time(&self, at: Option<Timestamp>) -> String {
        let Some(at) = at else { return String::new() };
        at.to_jiff().to_zoned_datetime(self.zone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// The page of what it tells of; empty where nobody said how people reach us.
    pub(super) fn page(&self) -> String {
        let Some(base) = &self.url else { return String::new() };
        let base = base.trim_end_matches('/');
        match self.notice() {
            Some(notice) if notice.kind != MessageKind::Test => format!("{base}{}", path(&notice.subject)),
            Some(_) | None => format!("{base}/"),
        }
    }

    /// A value for every label of [`crate::wording::labels`].
    pub(super) fn labels(&self) -> Value {
        match &self.message.about {
            About::Object(notice) => self.notice_labels(notice),
            About::Digest(digest) => self.digest_labels(digest),
            About::Ticket(_) => json!({}),
        }
    }

    fn notice_labels(&self, notice: &Notice) -> Value {
        let mut values = json!({
            "kind": notice.kind.word(),
            "contact": &*self.message.contact,
            "recipients": notice.recipients.iter().map(|name| &**name).collect::<Vec<_>>(),
            "number": notice.number,
            "is_escalated": notice.is_escalated,
            "host": self.host_labels(notice),
            "state": notice.state.word(),
            "last_state": notice.last_state.word(),
            "state_type": notice.state_type.word(),
            "attempt": notice.attempt,
            "output": &*notice.output.text,
            "long_output": &*notice.output.long,
            "perfdata": &*notice.output.perfdata,
            "author": notice.author.as_deref().unwrap_or_default(),
            "comment": notice.comment.as_deref().unwrap_or_default(),
            "at": self.time(Some(self.message.at)),
            "since": self.time(notice.since),
            "duration": notice.since.map(|since| span(self.message.at.since(since))).unwrap_or_default(),
            "last_check": self.time(notice.last_check),
            "url": self.page(),
        });
        if let (Some(name), Some(values)) = (&notice.subject.service, values.as_object_mut()) {
            values.insert("service".to_owned(), self.service_labels(name));
        }
        values
    }

    fn host_labels(&self, notice: &Notice) -> Value {
        let host = self.host();
        let own = host.and_then(|host| host.own.as_deref());
        let (state, output) = self.host_standing();
        let name = &*notice.subject.host;
        json!({
            "name": name,
            "alias": host.map_or(name, |host| &*host.alias),
            "address": host.map_or("", |host| &*host.address),
            "state": state,
            "output": output,
            "notes": own.and_then(|own| own.notes.as_deref()).unwrap_or_default(),
            "notes_url": own.and_then(|own| own.notes_url.as_deref()).unwrap_or_default(),
            "groups": host.map(|host| texts(&host.hostgroups)).unwrap_or_default(),
            "tags": host.map(|host| pairs(&host.tags)).unwrap_or_default(),
            "variables": own.map(variables).unwrap_or_default(),
        })
    }

    fn service_labels(&self, name: &str) -> Value {
        let service = self.service();
        let own = service.and_then(|service| service.own.as_deref());
        json!({
            "name": name,
            "display_name": service.map_or(name, |service| &*service.display_name),
            "notes": own.and_then(|own| own.notes.as_deref()).unwrap_or_default(),
            "notes_url": own.and_then(|own| own.notes_url.as_deref()).unwrap_or_default(),
            "groups": service.map(|service| texts(&service.servicegroups)).unwrap_or_default(),
            "variables": own.map(variables).unwrap_or_default(),
        })
    }

    fn digest_labels(&self, digest: &Digest) -> Value {
        let entry = |entry: &DigestEntry| {
            json!({
                "at": self.time(Some(entry.at)),
                "kind": entry.kind.word(),
                "name": entry.subject.to_string(),
                "host": &*entry.subject.host,
                "service": entry.subject.service.as_deref().unwrap_or_default(),
                "state": entry.state.word(),
                "output": &*entry.output,
            })
        };
        json!({
            "contact": &*self.message.contact,
            "messages": digest.messages,
            "hosts": digest.hosts,
            "services": digest.services,
            "at": self.time(Some(self.message.at)),
            "url": self.page(),
            "entries": digest.entries.iter().map(entry).collect::<Vec<_>>(),
        })
    }
}

fn texts(names: &[Arc<str>]) -> Value {
    names.iter().map(|name| Value::from(&**name)).collect()
}

fn pairs(pairs: &[(Arc<str>, Arc<str>)]) -> Value {
    let map: Map<String, Value> =
        pairs.iter().map(|(key, text)| (key.to_string(), Value::from(&**text))).collect();
    Value::Object(map)
}

fn variables(own: &Own) -> Value {
    pairs(&own.custom_variables)
}

/// `/hosts/web1/services/HTTP`, with everything odd encoded.
fn path(key: &ObjectKey) -> String {
    let host = encoded(&key.host);
    match &key.service {
        Some(service) => format!("/hosts/{host}/services/{}", encoded(service)),
        None => format!("/hosts/{host}"),
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Two units at most: `2h 5m`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        (_, _, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
pub(super) mod tests;
