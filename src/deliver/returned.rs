//! What comes back from a channel: counted, told, and filed where it is known from now on; and what it says of the
//! channel.

use tokio::task::JoinError;
use tracing::{error, info, warn};
use vigia_core::model::message::Addressee;
use vigia_core::model::time::Timestamp;

use super::lanes::{LaneKey, Mended};
use super::outcome::Outcome;
use super::post::{self, Origin, Parcel, Reported};
use super::{AGAIN, Deliverer, Unwritten};
use crate::store::outbox;
use crate::telemetry::Chain;

/// In the place of a channel's word, where what ran is no message.
const HANDLER: &str = "handler";

impl Deliverer {
    pub(super) async fn take_back(&mut self, ended: Result<(LaneKey, Reported), JoinError>) {
        let (key, reported) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Its row stays `sending`, its lane loses a place: both are mended by a restart.
                error!(event = "notify.panic", error = %Chain(&error), "a delivery ended in a panic");
                return;
            }
        };
        self.lanes.leave(&key);
        let Reported { parcel, outcome, is_new, is_written } = reported;
        let Some(outcome) = outcome else { return self.release(&parcel) };
        let now = self.clock.now();
        let mut mended = Mended::No;
        if is_new {
            mended = self.judge_lane(&key, &outcome, now);
            self.count(&parcel, &outcome);
            self.tell(&parcel, &outcome, now);
        }
        self.file(parcel, outcome, is_written, now);
        if let Mended::After(silence) = mended {
            info!(event = "notify.recovered", channel = key.channel, duration = ?silence, "the channel works again");
            self.hurry(key).await;
        }
    }

    /// Where it is known from now on.
    fn file(&mut self, mut parcel: Parcel, outcome: Outcome, is_written: bool, now: Timestamp) {
        let key = parcel.key();
        match parcel.origin {
            Origin::Row(_) if is_written => {
                self.release(&parcel);
                self.done.remove(&key);
            }
            Origin::Row(_) => self.unwritten.push(Unwritten { again: now.after(AGAIN), parcel, outcome }),
            Origin::Memory => {
                self.in_flight.remove(&key);
                if outcome.is_final() {
                    self.done.insert(key, outcome);
                } else {
                    parcel.attempts += 1;
                    parcel.not_before = Some(post::next_try(now, parcel.attempts, &outcome));
                    self.memory.push_back(parcel);
                }
            }
        }
    }

    /// Somebody may just have mended what did not work.
    pub(super) async fn begin_afresh(&mut self) {
        // Name servers and certificates of the system may have changed, too.
        self.tools.shared.refresh();
        self.lanes.forget();
        if let Err(error) = self.store.write_lightly(outbox::hurry_all).await {
            self.complain(&error);
        }
    }

    fn judge_lane(&mut self, key: &LaneKey, outcome: &Outcome, now: Timestamp) -> Mended {
        match outcome {
            Outcome::Down { why, wait } => {
                if self.lanes.fails(key, why, *wait, now) {
                    let contact = key.contact.as_deref().unwrap_or_default();
                    warn!(event = "notify.dead", channel = key.channel, contact, error = %why, "a channel does not work");
                }
                Mended::No
            }
            Outcome::Sent(_) | Outcome::Later(_) | Outcome::Never(_) => self.lanes.works(key, now),
            Outcome::Void(_) => Mended::No,
        }
    }

    /// What waited for a channel that works again goes at once.
    async fn hurry(&mut self, key: LaneKey) {
        let hurried = self
            .store
            .write_lightly(move |connection| outbox::hurry(connection, key.channel, key.contact.as_deref()));
        if let Err(error) = hurried.await {
            self.complain(&error);
        }
    }

    fn count(&self, parcel: &Parcel, outcome: &Outcome) {
        let word = match parcel.message.addressee() {
            Addressee::Contact(_) | Addressee::Rule(_) => parcel.channel.word(),
            Addressee::Handler | Addressee::HandlerOfAll => HANDLER,
        };
        self.ends.health.send_modify(|health| match outcome {
            Outcome::Sent(_) => *health.sent.entry(word).or_default() += 1,
            Outcome::Never(_) | Outcome::Void(_) => *health.failed.entry(word).or_default() += 1,
            Outcome::Later(_) | Outcome::Down { .. } => {}
        });
    }

    fn tell(&self, parcel: &Parcel, outcome: &Outcome, now: Timestamp) {
        let (contact, channel) = (&*parcel.message.contact, parcel.channel.word());
        let id = &parcel.message.id;
        match outcome {
            Outcome::Sent(_) => {
                let latency = now.since(parcel.message.at);
                info!(event = "notify.sent", contact, channel, message = %id, ?latency, "told");
            }
            Outcome::Never(why) | Outcome::Void(why) => {
                warn!(event = "notify.failed", contact, channel, message = %id, error = %why, "could not be told");
            }
            Outcome::Later(why) | Outcome::Down { why, .. } => {
                let attempt = parcel.attempts + 1;
                info!(event = "notify.delayed", contact, channel, message = %id, attempt, error = %why, "tried again later");
            }
        }
    }
}
