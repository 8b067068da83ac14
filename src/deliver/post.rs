//! One delivery from the outbox to its channel and back: marked, sent, written down.

use std::sync::Arc;

use vigia_core::engine::world::World;
use vigia_core::model::message::{Addressee, Channel, Message, MessageId};
use vigia_core::model::time::Timestamp;

use super::facts::Facts;
use super::outcome::{HANDLER_PATIENCE, Outcome, PATIENCE, wait_after};
use super::settings::{Settings, Tools};
use super::{mail, program, ways, webhook};
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
    /// Of one that is known nowhere else.
    pub(super) not_before: Option<Timestamp>,
}

/// What tells one delivery from all others.
pub(super) type ParcelKey = (MessageId, Channel);

impl Parcel {
    pub(super) fn key(&self) -> ParcelKey {
        (self.message.id.clone(), self.channel.clone())
    }

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
    /// The channel was asked just now; else it is an older outcome that had to be written down.
    pub(super) is_new: bool,
    pub(super) is_written: bool,
}

/// Whether a second one would be noticed by the channel, and do no harm.
pub(super) fn is_idempotent(open: &Open, world: &World) -> bool {
    match open.channel {
        // By its Message-ID.
        Channel::Email(_) => true,
        Channel::Webhook => {
            let webhook = ways::webhook(&world.inventory, &open.message.addressee());
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
        if let Some(outcome) = known {
            let is_written = self.write_down(&parcel, &outcome).await;
            return Reported { parcel, outcome: Some(outcome), is_new: false, is_written };
        }
        if let Origin::Row(id) = parcel.origin {
            match self.store.write(move |connection| outbox::begin(connection, id)).await {
                // On a full disk: a message that may come twice after a crash is better than none.
                Ok(true) | Err(StoreError::NotKept(_)) => {}
                Ok(false) | Err(_) => {
                    return Reported { parcel, outcome: None, is_new: false, is_written: true };
                }
            }
        }
        let outcome = self.send(&parcel).await;
        let is_written = self.write_down(&parcel, &outcome).await;
        Reported { parcel, outcome: Some(outcome), is_new: true, is_written }
    }

    async fn send(&self, parcel: &Parcel) -> Outcome {
        let now = self.clock.now();
        let waited = now.since(parcel.message.at);
        let addressee = parcel.message.addressee();
        match &addressee {
            Addressee::Contact(_) | Addressee::Rule(_) if waited > PATIENCE => {
                return Outcome::Void(format!("nobody took it within {} hours", PATIENCE.as_secs() / 3600));
            }
            Addressee::Handler | Addressee::HandlerOfAll if waited > HANDLER_PATIENCE => {
                let minutes = HANDLER_PATIENCE.as_secs() / 60;
                return Outcome::Void(format!(
                    "it could not run within {minutes} minutes, and is too late now"
                ));
            }
            Addressee::Contact(_) | Addressee::Rule(_) | Addressee::Handler | Addressee::HandlerOfAll => {}
        }
        let facts = Facts {
            message: parcel.message.clone(),
            world: self.world.clone(),
            url: self.settings.url.clone(),
        };
        if matches!(addressee, Addressee::Contact(_)) && facts.contact().is_none() {
            return Outcome::Void("the contact is no longer in the configuration".to_owned());
        }
        let (settings, tools) = (&*self.settings, &self.tools);
        let inventory = &facts.world.inventory;
        match &parcel.channel {
            Channel::Email(address) => Box::pin(mail::send(address, &facts, settings, tools)).await,
            Channel::Webhook => match ways::webhook(inventory, &addressee) {
                Some(hook) => Box::pin(webhook::send(hook, &facts, settings, tools, now)).await,
                None => gone(&addressee, "webhook"),
            },
            Channel::Command(call) => Box::pin(program::command(call, &facts, &tools.processes)).await,
            Channel::Run => match ways::run(inventory, &addressee, facts.subject()) {
                Some(words) => Box::pin(program::list(words, &facts, &tools.processes)).await,
                None => gone(&addressee, "run"),
            },
        }
    }

    /// Whether it is on the disk now.
    pub(super) async fn write_down(&self, parcel: &Parcel, outcome: &Outcome) -> bool {
        let Origin::Row(id) = parcel.origin else { return false };
        let now = self.clock.now();
        let (outcome, attempts) = (outcome.clone(), parcel.attempts + 1);
        let written = self.store.write_lightly(move |connection| match &outcome {
            Outcome::Sent(said) => outbox::end(connection, id, DeliveryStatus::Sent, now, said),
            Outcome::Never(why) | Outcome::Void(why) => {
                outbox::end(connection, id, DeliveryStatus::Failed, now, why)
            }
            Outcome::Later(why) | Outcome::Down { why, .. } => {
                outbox::postpone(connection, id, Some(next_try(now, attempts, &outcome)), why)
            }
        });
        written.await.is_ok()
    }
}

/// A little later than the lane is tried again, so that it is not always the same message that finds out.
pub(super) fn next_try(now: Timestamp, attempts: u32, outcome: &Outcome) -> Timestamp {
    let asked = match outcome {
        Outcome::Down { wait, .. } => *wait,
        Outcome::Sent(_) | Outcome::Later(_) | Outcome::Never(_) | Outcome::Void(_) => None,
    };
    now.after(wait_after(attempts, asked).mul_f64(1.25))
}

fn gone(whose: &Addressee, what: &str) -> Outcome {
    Outcome::Void(match whose {
        Addressee::Contact(_) => format!("the contact has no `{what}` any more"),
        Addressee::Rule(_) => format!("the rule has no `{what}` any more"),
        Addressee::Handler | Addressee::HandlerOfAll => "there is no such event handler any more".to_owned(),
    })
}
