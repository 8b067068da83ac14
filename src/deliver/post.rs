//! One delivery from the outbox to its channel and back: marked, sent, written down.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::engine::world::World;
use vigia_core::model::message::{Channel, Message, MessageId};
use vigia_core::model::time::Timestamp;

use super::facts::Facts;
use super::outcome::{Outcome, PATIENCE, wait_after};
use super::settings::{Settings, Tools};
use super::{mail, program, webhook};
use crate::os::clock::Clock;
use crate::store::outbox::{self, DeliveryStatus, Open};
use crate::store::{Store, StoreError};

/// Where a delivery is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A row of the outbox.
    Row(i64),
    /// Nowhere else: the disk did not take it.
    Memory,
}

#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) origin: Origin,
    pub(super) message: Message,
    pub(super) channel: Channel,
    pub(super) attempts: u32,
}

impl Parcel {
    pub(super) fn is(&self, id: &MessageId, channel: &Channel) -> bool {
        self.message.id == *id && self.channel == *channel
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) parcel: Parcel,
    /// None: it was no longer waiting, and nothing was sent.
    pub(super) outcome: Option<Outcome>,
    pub(super) is_written: bool,
}

/// Whether a second one would be noticed by the channel, and do no harm.
pub(super) fn is_idempotent(open: &Open, world: &World) -> bool {
    match open.channel {
        // By its Message-ID.
        Channel::Email(_) => true,
        Channel::Webhook => {
            let webhook =
                world.inventory.contact(&open.message.contact).and_then(|contact| contact.webhook.as_ref());
            webhook.is_some_and(|webhook| webhook::is_idempotent(webhook.format))
        }
        Channel::Command(_) | Channel::Run => false,
    }
}

/// Everything one delivery needs.
pub(super) struct Carrier {
    pub(super) store: Store,
    pub(super) world: Arc<World>,
    pub(super) settings: Arc<Settings>,
    pub(super) tools: Tools,
    pub(super) clock: Clock,
}

impl Carrier {
    /// `known`: what became of it before, where that could not be written down.
    pub(super) async fn carry(self, parcel: Parcel, known: Option<Outcome>) -> Reported {
        let is_known = known.is_some();
        let outcome = match (known, parcel.origin) {
            (Some(outcome), _) => outcome,
            (None, Origin::Memory) => self.send(&parcel).await,
            (None, Origin::Row(id)) => {
                match self.store.write(move |connection| outbox::begin(connection, id)).await {
                    Ok(true) => self.send(&parcel).await,
                    Ok(false) => return Reported { parcel, outcome: None, is_written: true },
                    // The disk is full: a message that may come twice after a crash is better than none.
                    Err(StoreError::NotKept(_)) => self.send(&parcel).await,
                    Err(_error) => return Reported { parcel, outcome: None, is_written: true },
                }
            }
        };
        let is_written = match parcel.origin {
            Origin::Row(id) => self.write_down(id, &parcel, &outcome).await,
            Origin::Memory => false,
        };
        // What was known is not told again.
        Reported { parcel, outcome: (!is_known || !is_written).then_some(outcome), is_written }
    }

    async fn send(&self, parcel: &Parcel) -> Outcome {
        let now = self.clock.now();
        if now.since(parcel.message.at) > PATIENCE {
            return Outcome::Never(format!("nobody took it within {} hours", PATIENCE.as_secs() / 3600));
        }
        let facts = Facts {
            message: parcel.message.clone(),
            world: self.world.clone(),
            url: self.settings.url.clone(),
        };
        let Some(contact) = facts.contact() else {
            return Outcome::Never("the contact is no longer in the configuration".to_owned());
        };
        let (settings, tools) = (&*self.settings, &self.tools);
        match &parcel.channel {
            Channel::Email(address) => Box::pin(mail::send(address, &facts, settings, tools)).await,
            Channel::Webhook => match &contact.webhook {
                Some(hook) => Box::pin(webhook::send(hook, &facts, settings, tools, now)).await,
                None => gone("webhook"),
            },
            Channel::Command(call) => Box::pin(program::command(call, &facts, &tools.processes)).await,
            Channel::Run => match &contact.run {
                Some(words) => Box::pin(program::list(words, &facts, &tools.processes)).await,
                None => gone("run"),
            },
        }
    }

    async fn write_down(&self, id: i64, parcel: &Parcel, outcome: &Outcome) -> bool {
        let now = self.clock.now();
        let (outcome, attempts) = (outcome.clone(), parcel.attempts + 1);
        let written = self.store.write_lightly(move |connection| match &outcome {
            Outcome::Sent(said) => outbox::end(connection, id, DeliveryStatus::Sent, now, said),
            Outcome::Never(why) => outbox::end(connection, id, DeliveryStatus::Failed, now, why),
            Outcome::Later(why) => outbox::postpone(connection, id, Some(next(now, attempts, None)), why),
            Outcome::Down { why, wait } => {
                outbox::postpone(connection, id, Some(next(now, attempts, *wait)), why)
            }
        });
        written.await.is_ok()
    }
}

/// A little later than the lane is tried again, so that it is not always the same message that finds out.
fn next(now: Timestamp, attempts: u32, asked: Option<Duration>) -> Timestamp {
    now.after(wait_after(attempts, asked).mul_f64(1.25))
}

fn gone(what: &str) -> Outcome {
    Outcome::Never(format!("the contact has no `{what}` any more"))
}
