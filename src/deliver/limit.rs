//! A contact's rate limit: beyond it one summary instead of each. Nothing is dropped; what is told in a summary
//! says so in the outbox.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use vigia_core::engine::world::World;
use vigia_core::model::contact::{RateLimit, WebhookFormat};
use vigia_core::model::id::Name;
use vigia_core::model::message::{About, Channel, Digest, DigestEntry, Message, MessageId};
use vigia_core::model::time::Timestamp;

use crate::store::outbox::{self, Open};

/// Lines of a summary; the rest is counted.
const LINES: usize = 100;

/// So many may wait before they become a summary.
const AT_ONCE: usize = 10_000;

/// What the limit says of what waits for a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Free,
    /// All of it waits until then.
    Wait(Timestamp),
    /// So many go as they are, the rest in a summary.
    Summarise(usize),
}

pub(super) fn judge(
    connection: &Connection,
    contact: &Name,
    limit: RateLimit,
    world: &World,
    now: Timestamp,
) -> rusqlite::Result<Verdict> {
    if !counts(contact, world) {
        return Ok(Verdict::Free);
    }
    let (sent, oldest) = outbox::sent_since(connection, contact, now.before(limit.per))?;
    let waiting = outbox::count_waiting(connection, contact)?;
    let room = u64::from(limit.messages).saturating_sub(sent);
    if waiting <= room {
        return Ok(Verdict::Free);
    }
    // The last place is the summary's: it tells of all that does not fit.
    if room == 0 {
        let free_at = oldest.unwrap_or(now).after(limit.per);
        return Ok(Verdict::Wait(free_at.max(now.after(Duration::from_secs(1)))));
    }
    let single = usize::try_from(room - 1).unwrap_or(usize::MAX);
    Ok(Verdict::Summarise(single))
}

/// Programs that keep count themselves get everything: a resolution in a summary would resolve nothing.
fn counts(contact: &Name, world: &World) -> bool {
    let webhook = world.inventory.contact(contact).and_then(|contact| contact.webhook.as_ref());
    !webhook.is_some_and(|webhook| {
        matches!(webhook.format, WebhookFormat::Pagerduty | WebhookFormat::Alertmanager)
    })
}

/// Leaves the first `single` messages as they are and puts the others into one.
pub(super) fn summarise(
    connection: &Connection,
    contact: &Name,
    single: usize,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut waiting = outbox::waiting_for(connection, contact, AT_ONCE)?;
    // What is said of a ticket would be lost in a summary: it waits its turn.
    waiting.retain(|open| !matches!(open.message.about, About::Ticket(_)));
    let mut ids: Vec<&MessageId> = Vec::new();
    for open in &waiting {
        if !ids.contains(&&open.message.id) {
            ids.push(&open.message.id);
        }
    }
    let summed: HashSet<&MessageId> = ids.into_iter().skip(single).collect();
    let rest: Vec<&Open> = waiting.iter().filter(|open| summed.contains(&open.message.id)).collect();
    // A summary of one would say less than the one.
    if summed.len() < 2 {
        return Ok(());
    }
    let mut channels: Vec<Channel> = Vec::new();
    for open in &rest {
        // A host's command tells of the summary, not both.
        let is_new = match &open.channel {
            Channel::Command(_) => !channels.iter().any(|known| matches!(known, Channel::Command(_))),
            Channel::Email(_) | Channel::Webhook | Channel::Run => !channels.contains(&open.channel),
        };
        if is_new {
            channels.push(open.channel.clone());
        }
    }
    let message = Message {
        id: MessageId::of_digest(now, contact),
        at: now,
        contact: contact.clone(),
        channels,
        about: About::Digest(Arc::new(digest(&rest))),
    };
    outbox::insert(connection, &message)?;
    let ids: Vec<i64> = rest.iter().map(|open| open.id).collect();
    outbox::sum_up(connection, &ids, &message.id, now)
}

fn digest(rest: &[&Open]) -> Digest {
    let mut seen = HashSet::new();
    let mut digest = Digest::default();
    let (mut hosts, mut services) = (HashSet::new(), HashSet::new());
    for open in rest {
        if !seen.insert(&open.message.id) {
            continue;
        }
        match &open.message.about {
            About::Object(notice) => {
                digest.messages += 1;
                hosts.insert(notice.subject.host.clone());
                if notice.subject.service.is_some() {
                    services.insert(notice.subject.clone());
                }
                digest.entries.push(DigestEntry {
                    at: open.message.at,
                    kind: notice.kind,
                    subject: notice.subject.clone(),
                    state: notice.state,
                    output: (&*notice.output.text).into(),
                });
            }
            About::Ticket(_) => {}
            // A summary that still waits is told in the new one.
            About::Digest(older) => {
                digest.messages += older.messages;
                hosts.extend(older.entries.iter().map(|entry| entry.subject.host.clone()));
                let of_services = older.entries.iter().filter(|entry| entry.subject.service.is_some());
                services.extend(of_services.map(|entry| entry.subject.clone()));
                digest.entries.extend(older.entries.iter().cloned());
            }
        }
    }
    digest.entries.truncate(LINES);
    digest.hosts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    digest.services = u32::try_from(services.len()).unwrap_or(u32::MAX);
    digest
}
