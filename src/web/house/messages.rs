//! The outbox behind the seam: what was told to whom, and a test by the way that every message takes.

use std::sync::Arc;

use serde_json::json;
use vigia_core::model::check::Output;
use vigia_core::model::contact::Contact;
use vigia_core::model::id::ObjectKey;
use vigia_core::model::message::{About, Channel, Message, MessageId, MessageKind, Notice};
use vigia_core::model::state::{AnyState, HostState, StateType};
use vigia_core::model::time::Timestamp;

use super::{House, count, who};
use crate::store::outbox;
use crate::web::backend::{By, Cut, Delivery, Listed, OutboxFilter, Trouble};

impl House {
    pub(super) async fn messages_of(&self, filter: OutboxFilter) -> Result<Cut<Listed>, Trouble> {
        let page = self.store.read(move |connection| outbox::list(connection, &filter)).await?;
        Ok((count(page.total), page.items))
    }

    /// Puts a message into the outbox that tells of nothing.
    pub(super) async fn test(
        &self,
        contact: String,
        channel: Option<String>,
        by: By,
    ) -> Result<String, Trouble> {
        let world = self.handle.world();
        let Some(contact) = world.inventory.contact(&contact) else {
            return Err(Trouble::Missing(format!("there is no contact `{contact}`")));
        };
        let channels = wanted(contact, channel.as_deref())?;
        let now = self.handle.now();
        let message = message(contact, channels, &by, now);
        let id = message.id.to_string();
        let detail = json!({ "message": id, "channels": message.channels.iter().map(Channel::word).collect::<Vec<_>>() });
        let act = who(by).act(now, "notify-test", &contact.name, detail);
        self.store.write(move |connection| outbox::insert(connection, &message)).await?;
        self.store.post().notify_one();
        if let Err(error) = self.desk.record(act).await {
            tracing::warn!(event = "desk.audit", error = %crate::telemetry::Chain(&error), "a test is not in the audit");
        }
        Ok(id)
    }

    pub(super) fn delivery_now(&self) -> Delivery {
        let health = self.delivery.borrow();
        let counted = |of: &std::collections::HashMap<&'static str, u64>| {
            let mut counted: Vec<_> = of.iter().map(|(word, count)| (*word, *count)).collect();
            counted.sort_unstable();
            counted
        };
        let dead = health.dead.iter().map(|dead| {
            let whose = dead.contact.as_ref().map(|contact| format!(" of {contact}")).unwrap_or_default();
            format!("{}{whose}: {}", dead.channel, dead.why)
        });
        Delivery {
            sent: counted(&health.sent),
            failed: counted(&health.failed),
            waiting: health.waiting,
            oldest: health.oldest,
            dead: dead.collect(),
        }
    }
}

/// The contact's channels for hosts and for services, or those of one kind.
fn wanted(contact: &Contact, word: Option<&str>) -> Result<Vec<Channel>, Trouble> {
    let mut channels = contact.channels(true);
    for channel in contact.channels(false) {
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    let all: Vec<&str> = channels.iter().map(Channel::word).collect();
    let has = if all.is_empty() { "no channel at all".to_owned() } else { all.join(", ") };
    if let Some(word) = word {
        channels.retain(|channel| channel.word() == word);
    }
    if channels.is_empty() {
        let name = &contact.name;
        return Err(Trouble::Refused(match word {
            Some(word) => format!("contact `{name}` has no channel `{word}`; it has {has}"),
            None => format!("contact `{name}` has no channel; `email`, `webhook`, `command` or `run` is one"),
        }));
    }
    Ok(channels)
}

fn message(contact: &Contact, channels: Vec<Channel>, by: &By, now: Timestamp) -> Message {
    let subject = ObjectKey::host("vigia");
    let sequence = u64::try_from(now.as_micros()).unwrap_or(0);
    Message {
        id: MessageId::new(&subject, None, MessageKind::Test, sequence, &contact.name),
        at: now,
        contact: contact.name.clone(),
        channels,
        about: About::Object(Arc::new(Notice {
            kind: MessageKind::Test,
            subject,
            problem: None,
            number: 0,
            state: AnyState::Host(HostState::Up),
            state_type: StateType::Hard,
            last_state: AnyState::Host(HostState::Up),
            attempt: 1,
            output: Output::line("This is a test: nothing has happened"),
            since: None,
            last_check: None,
            host: None,
            author: Some(by.name.clone()),
            comment: Some("vigia notify test".into()),
            is_escalated: false,
            recipients: [contact.name.clone()].into(),
        })),
    }
}
