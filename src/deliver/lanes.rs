//! Lanes: what shares one channel shares its fate and its places. A lane that does not work is tried again by one
//! message at a time, after growing waits; the others never notice. Pure.

use std::collections::HashMap;
use std::time::Duration;

use vigia_core::model::id::Name;
use vigia_core::model::message::{Addressee, Channel};
use vigia_core::model::time::Timestamp;

use super::outcome::wait_after;

/// Deliveries of one lane at a time.
const PLACES: usize = 2;

/// Event handlers at a time: those of all objects share a lane, and one that never ends shall not stop the others.
const HANDLERS: usize = 16;

/// From so many failures in a row on a channel is called dead, and people are told.
const DEAD: u32 = 3;

/// One mail server serves all; every other channel is its contact's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneKey {
    pub(super) channel: &'static str,
    pub(super) contact: Option<Name>,
}

impl LaneKey {
    fn places(&self) -> usize {
        match self.contact.as_deref().map(Addressee::named) {
            Some(Addressee::Handler | Addressee::HandlerOfAll) => HANDLERS,
            Some(Addressee::Contact(_) | Addressee::Rule(_)) | None => PLACES,
        }
    }

    pub(super) fn of(channel: &Channel, contact: &Name) -> Self {
        let contact = match channel {
            Channel::Email(_) => None,
            Channel::Webhook | Channel::Command(_) | Channel::Run => Some(contact.clone()),
        };
        Self { channel: channel.word(), contact }
    }

    /// By the words of the outbox.
    pub(super) fn named(channel: &str, contact: &Name) -> Option<Self> {
        Channel::from_words(channel, "").map(|channel| Self::of(&channel, contact))
    }
}

#[derive(Clone, Debug, Default)]
struct Lane {
    busy: usize,
    failing: Option<Failing>,
}

#[derive(Clone, Debug)]
struct Failing {
    since: Timestamp,
    times: u32,
    why: String,
    until: Timestamp,
}

/// A channel that does not work, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    pub channel: &'static str,
    /// None: mail, for everybody.
    pub contact: Option<Name>,
    pub since: Timestamp,
    pub why: String,
}

#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<LaneKey, Lane>);

/// What a success after trouble means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    No,
    /// What waits on the lane need not wait any longer; so long it did not work.
    After(Duration),
}

impl Lanes {
    /// How many more deliveries may begin now.
    pub(super) fn room(&self, key: &LaneKey, now: Timestamp) -> usize {
        let Some(lane) = self.0.get(key) else { return key.places() };
        match &lane.failing {
            Some(failing) if failing.until > now => 0,
            Some(_) => 1usize.saturating_sub(lane.busy),
            None => key.places().saturating_sub(lane.busy),
        }
    }

    pub(super) fn enter(&mut self, key: &LaneKey) {
        self.0.entry(key.clone()).or_default().busy += 1;
    }

    pub(super) fn leave(&mut self, key: &LaneKey) {
        if let Some(lane) = self.0.get_mut(key) {
            lane.busy = lane.busy.saturating_sub(1);
        }
    }

    /// The channel answered, whatever it said of this message.
    pub(super) fn works(&mut self, key: &LaneKey, now: Timestamp) -> Mended {
        let failing = self.0.get_mut(key).and_then(|lane| lane.failing.take());
        match failing {
            Some(failing) if failing.times >= DEAD => Mended::After(now.since(failing.since)),
            Some(_) | None => Mended::No,
        }
    }

    /// The channel does not work. True when it has just been found dead.
    pub(super) fn fails(
        &mut self,
        key: &LaneKey,
        why: &str,
        asked: Option<Duration>,
        now: Timestamp,
    ) -> bool {
        let lane = self.0.entry(key.clone()).or_default();
        // Two that were under way when it broke are one failure.
        let is_same = lane.failing.as_ref().is_some_and(|failing| failing.until > now);
        let times = lane.failing.as_ref().map_or(0, |failing| failing.times) + u32::from(!is_same);
        let since = lane.failing.as_ref().map_or(now, |failing| failing.since);
        let until = now.after(wait_after(times, asked));
        lane.failing = Some(Failing { since, times, why: why.to_owned(), until });
        times == DEAD && !is_same
    }

    /// When the next one that does not work may be tried.
    pub(super) fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.0.values().filter(|lane| lane.busy == 0).filter_map(|lane| lane.failing.as_ref());
        waiting.map(|failing| failing.until).filter(|until| *until > now).min()
    }

    pub(super) fn dead(&self) -> Vec<Dead> {
        let mut dead: Vec<_> = self
            .0
            .iter()
            .filter_map(|(key, lane)| lane.failing.as_ref().map(|failing| (key, failing)))
            .filter(|(_, failing)| failing.times >= DEAD)
            .map(|(key, failing)| Dead {
                channel: key.channel,
                contact: key.contact.clone(),
                since: failing.since,
                why: failing.why.clone(),
            })
            .collect();
        dead.sort_by(|one, two| (one.channel, &one.contact).cmp(&(two.channel, &two.contact)));
        dead
    }

    /// Nothing is known against any of them: the configuration is another.
    pub(super) fn forget(&mut self) {
        self.0.values_mut().for_each(|lane| lane.failing = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second)
    }

    fn webhook(contact: &str) -> LaneKey {
        LaneKey::of(&Channel::Webhook, &contact.into())
    }

    #[test]
    fn a_lane_that_fails_waits_and_its_neighbour_does_not() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.room(&webhook("a"), at(0)), 2);
        lanes.enter(&webhook("a"));
        lanes.leave(&webhook("a"));
        assert!(!lanes.fails(&webhook("a"), "refused", None, at(0)));
        assert_eq!(lanes.room(&webhook("a"), at(1)), 0);
        assert_eq!(lanes.room(&webhook("b"), at(1)), 2);
        assert_eq!(lanes.room(&webhook("a"), at(10)), 1);
        assert!(lanes.next_try(at(1)).is_some_and(|next| next > at(3)));
    }

    #[test]
    fn a_channel_is_dead_after_three_failures_and_told_of_once() {
        let mut lanes = Lanes::default();
        let key = webhook("a");
        let told: Vec<bool> = (0..5).map(|hour| lanes.fails(&key, "down", None, at(hour * 3600))).collect();
        assert_eq!(told, [false, false, true, false, false]);
        assert_eq!(lanes.dead().len(), 1);
        assert_eq!(lanes.works(&key, at(5 * 3600)), Mended::After(Duration::from_secs(5 * 3600)));
        assert_eq!(lanes.works(&key, at(5 * 3600)), Mended::No);
        assert!(lanes.dead().is_empty());
    }

    #[test]
    fn two_that_fail_together_are_one_failure() {
        let mut lanes = Lanes::default();
        let key = webhook("a");
        lanes.fails(&key, "down", None, at(0));
        lanes.fails(&key, "down", None, at(0));
        assert_eq!(lanes.room(&key, at(6)), 1, "the wait of the first failure, not of the second");
    }

    #[test]
    fn mail_is_one_lane_for_everybody() {
        let of = |address: &str, contact: &str| LaneKey::of(&Channel::Email(address.into()), &contact.into());
        assert_eq!(of("a@example.test", "a"), of("b@example.test", "b"));
        assert_ne!(webhook("a"), webhook("b"));
        assert_eq!(LaneKey::named("email", &"a".into()), Some(of("x@example.test", "b")));
    }
}
