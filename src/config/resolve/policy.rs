//! What hosts and services have in common: policies, shared by all that have the same, and what few objects have.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use vigia_core::model::contact::Audience;
use vigia_core::model::id::Name;
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::{FlapPolicy, Freshness, Handler, Own, Policy, StateSet};

use super::check::filled;
use super::names::Names;
use super::objects::{People, audience, checked_handler, notification_options, period_named, states};
use super::subject::Subject;
use crate::config::decode::Decoder;
use crate::config::merge::{Found, View, key};
use crate::config::problem::Problem;
use crate::config::written::fields::{Item, Value, default};
use crate::config::written::read::CANCELLED;
use crate::config::written::tables::CHECKABLE;

/// Gives equal values one home.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    policies: HashMap<u64, Vec<(Arc<Policy>, u64)>>,
    texts: HashMap<Arc<str>, ()>,
}

impl Shelf {
    /// The shared policy, and a number that is equal for equal policies of another load as well.
    pub(super) fn policy(&mut self, policy: Policy, period_names: &[Name]) -> (Arc<Policy>, u64) {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        hash_policy(&policy, &mut hasher);
        let same = self.policies.entry(hasher.finish()).or_default();
        if let Some((known, print)) = same.iter().find(|(known, _)| **known == policy) {
            return (Arc::clone(known), *print);
        }
        let print = fingerprint(&policy, period_names);
        let shared = Arc::new(policy);
        same.push((Arc::clone(&shared), print));
        (shared, print)
    }

    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.texts.get_key_value(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&shared), ());
        shared
    }
}

fn hash_policy(policy: &Policy, hasher: &mut impl Hasher) {
    policy.check_interval.hash(hasher);
    policy.retry_interval.hash(hasher);
    policy.max_check_attempts.hash(hasher);
    policy.check_period.hash(hasher);
    policy.notification_period.hash(hasher);
    policy.notification_interval.hash(hasher);
    policy.first_notification_delay.hash(hasher);
    match &policy.audience {
        Audience::Everyone => hasher.write_u8(0),
        Audience::Named { contacts, groups } => (contacts, groups).hash(hasher),
    }
    if let Freshness::Threshold(span) = policy.freshness {
        span.hash(hasher);
    }
}

/// Periods by name: their places may change from load to load.
fn fingerprint(policy: &Policy, period_names: &[Name]) -> u64 {
    let name = |id: PeriodId| period_names.get(usize::from(id.0)).map_or("", |name| &**name);
    let by_name = (name(policy.check_period), name(policy.notification_period));
    let plain =
        Policy { check_period: PeriodId::ALWAYS, notification_period: PeriodId::ALWAYS, ..policy.clone() };
    FixedState::with_seed(1).hash_one((by_name, format!("{plain:?}")))
}

/// What values are looked up against.
#[derive(Clone, Copy, Debug)]
pub(super) struct World<'a, 't> {
    pub periods: &'a Names<'t, PeriodId>,
    pub people: &'a People<'t>,
    pub commands: &'a Names<'t, ()>,
}

struct Get<'v, 'w, 't, 'd> {
    view: View<'v, 'w, 't>,
    decoder: &'d mut Decoder,
}

impl<'v, 't> Get<'v, '_, 't, '_> {
    fn found(&mut self, key: usize) -> Option<Found<'v, 't>> {
        self.view.get(key, self.decoder)
    }

    fn duration(&mut self, key: usize) -> Option<Duration> {
        self.found(key).and_then(|found| found.value.as_duration())
    }

    fn duration_or_default(&mut self, key: usize) -> Duration {
        self.duration(key).or_else(|| built_in(key).and_then(|value| value.as_duration())).unwrap_or_default()
    }

    fn switch(&mut self, key: usize) -> bool {
        let found = self.found(key).map(|found| *found.value == Value::Switch(true));
        found.unwrap_or_else(|| built_in(key) == Some(Value::Switch(true)))
    }

    fn item(&mut self, key: usize) -> Option<Item<'t>> {
        let found = self.found(key)?;
        Some(Item { text: found.value.as_text()?, at: found.at })
    }

    fn list(&mut self, key: usize) -> Option<Vec<Item<'t>>> {
        self.found(key).map(|found| found.value.as_list().unwrap_or_default().to_vec())
    }

    fn percent(&mut self, key: usize) -> f64 {
        let of = |value: &Value<'_>| if let Value::Percent(percent) = value { Some(*percent) } else { None };
        let found = self.found(key).and_then(|found| of(&found.value));
        found.or_else(|| built_in(key).as_ref().and_then(of)).unwrap_or(0.0)
    }

    fn words(&mut self, key: usize) -> Vec<Item<'t>> {
        match self.list(key) {
            Some(items) => items,
            None => match built_in(key) {
                Some(Value::List(items)) => items,
                Some(_) | None => Vec::new(),
            },
        }
    }
}

fn built_in(key: usize) -> Option<Value<'static>> {
    CHECKABLE.get(key).and_then(|key| default(CHECKABLE, key.name))
}

/// `freshness` is what a passive check's options say of it.
pub(super) fn policy(
    view: View<'_, '_, '_>,
    world: World<'_, '_>,
    freshness: Option<Duration>,
    decoder: &mut Decoder,
) -> Policy {
    let is_host = view.is_host();
    let mut get = Get { view, decoder };
    let low = get.percent(key::LOW_FLAP_THRESHOLD);
    let high = get.percent(key::HIGH_FLAP_THRESHOLD);
    if low > high
        && let Some(found) = get
            .found(key::HIGH_FLAP_THRESHOLD)
            .or_else(|| view.get(key::LOW_FLAP_THRESHOLD, &mut Decoder::default()))
    {
        let problem = format!("`low_flap_threshold` {low}% is above `high_flap_threshold` {high}%");
        get.decoder.push(found.via.mark(Problem::error(found.at, problem)));
    }
    let period = |get: &mut Get<'_, '_, '_, '_>, key| {
        let item = get.item(key);
        period_named(item, world.periods, get.decoder).unwrap_or(PeriodId::ALWAYS)
    };
    let attempts = get.found(key::MAX_CHECK_ATTEMPTS).and_then(|found| found.value.as_whole());
    let flap_states = states(&get.words(key::FLAP_DETECTION_OPTIONS));
    Policy {
        check_interval: get.duration_or_default(key::CHECK_INTERVAL),
        retry_interval: get.duration_or_default(key::RETRY_INTERVAL),
        max_check_attempts: attempts.and_then(|number| u16::try_from(number).ok()).unwrap_or(3),
        check_period: period(&mut get, key::CHECK_PERIOD),
        notification_period: period(&mut get, key::NOTIFICATION_PERIOD),
        active_checks: get.switch(key::ACTIVE_CHECKS),
        passive_checks: get.switch(key::PASSIVE_CHECKS),
        process_perfdata: get.switch(key::PROCESS_PERFDATA),
        flapping: FlapPolicy {
            enabled: get.switch(key::FLAP_DETECTION),
            low: narrow(low),
            high: narrow(high),
            states: if is_host { flap_states.hosts } else { flap_states.services },
        },
        audience: audience_of(&mut get, world.people),
        notification_interval: get.duration_or_default(key::NOTIFICATION_INTERVAL),
        first_notification_delay: get.duration_or_default(key::FIRST_NOTIFICATION_DELAY),
        notification_options: notification_options(&get.words(key::NOTIFICATION_OPTIONS)),
        freshness: freshness_of(&mut get, freshness),
        volatile: !is_host && get.switch(key::VOLATILE),
    }
}

fn narrow(percent: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a percentage needs no 52 bits")]
    let narrow = percent as f32;
    narrow
}

fn audience_of(get: &mut Get<'_, '_, '_, '_>, people: &People<'_>) -> Audience {
    let (named, grouped) = (get.list(key::CONTACTS), get.list(key::CONTACTGROUPS));
    if named.is_none() && grouped.is_none() {
        return Audience::Everyone;
    }
    let (contacts, mut groups) = audience(&named.unwrap_or_default(), people, get.decoder);
    for item in grouped.unwrap_or_default() {
        groups.extend(people.group(item, get.decoder));
    }
    Audience::Named { contacts, groups }
}

fn freshness_of(get: &mut Get<'_, '_, '_, '_>, of_kind: Option<Duration>) -> Freshness {
    let threshold = get.duration(key::FRESHNESS_THRESHOLD);
    let is_said = get.found(key::CHECK_FRESHNESS).is_some();
    match (get.switch(key::CHECK_FRESHNESS), threshold, of_kind) {
        (true, Some(span), _) => Freshness::Threshold(span),
        (true, None, Some(span)) => Freshness::Threshold(span),
        (true, None, None) => Freshness::Automatic,
        // The kind sets both keys, but a word of a person is stronger.
        (false, _, Some(span)) if !is_said => Freshness::Threshold(threshold.unwrap_or(span)),
        (false, _, _) => Freshness::Off,
    }
}

/// Keys marked *own*; none where nothing was said.
pub(super) fn own(
    view: View<'_, '_, '_>,
    world: World<'_, '_>,
    subject: &Subject<'_>,
    decoder: &mut Decoder,
) -> Option<Arc<Own>> {
    let mut get = Get { view, decoder };
    let mut own = Own::default();
    if let Some(found) = get.found(key::EVENT_HANDLER) {
        own.event_handler = handler(&found, world, get.decoder);
    }
    let period = get.item(key::EVENT_HANDLER_PERIOD);
    own.event_handler_period =
        period_named(period, world.periods, get.decoder).filter(|id| *id != PeriodId::ALWAYS);
    let mut text = |key: usize| -> Option<Arc<str>> {
        let found = get.found(key)?;
        let text = found.value.as_text()?;
        Some(filled(text, found.at, found.via, subject, get.decoder).into())
    };
    own.notes = text(key::NOTES);
    own.notes_url = text(key::NOTES_URL);
    own.action_url = text(key::ACTION_URL);
    own.icon_image = text(key::ICON_IMAGE);
    own.custom_variables = variables(view, subject, get.decoder);
    own.initial_state = initial_state(&mut get);
    let stalking = states(&get.words(key::STALKING_OPTIONS));
    own.stalking = if view.is_host() { stalking.hosts } else { stalking.services };
    (own != Own::default()).then(|| Arc::new(own))
}

pub(super) fn variables(
    view: View<'_, '_, '_>,
    subject: &Subject<'_>,
    decoder: &mut Decoder,
) -> Vec<(Arc<str>, Arc<str>)> {
    let Some(found) = view.get(key::CUSTOM_VARIABLES, decoder) else { return Vec::new() };
    let Value::Pairs(pairs) = &*found.value else { return Vec::new() };
    let kept = pairs.iter().filter(|(_, text)| text.text != CANCELLED);
    kept.map(|(key, item)| (key.text.into(), filled(item.text, item.at, found.via, subject, decoder).into()))
        .collect()
}

fn handler(found: &Found<'_, '_>, world: World<'_, '_>, decoder: &mut Decoder) -> Option<Handler> {
    match &*found.value {
        Value::Words(words) => {
            checked_handler(Handler::Run(words.clone()), found.at, world.commands, decoder)
        }
        Value::Text(text) => {
            checked_handler(Handler::Command((*text).into()), found.at, world.commands, decoder)
        }
        _ => None,
    }
}

fn initial_state(get: &mut Get<'_, '_, '_, '_>) -> Option<u8> {
    let item = get.item(key::INITIAL_STATE)?;
    let set = states(&[item]);
    let set: StateSet = if get.view.is_host() { set.hosts } else { set.services };
    let number = (0..4).find(|number| set.has(*number));
    if number.is_none() {
        let what = if get.view.is_host() { "host" } else { "service" };
        get.decoder.push(Problem::error(item.at, format!("a {what} is never `{}`", item.text)));
    }
    number
}
