//! What stands after everything that may speak of an object has spoken: strength, `key+`, `key-`, `null`, and where
//! each value comes from. (`config.md` 2)
//!
//! A chain is `defaults`, host groups, templates, host; from weak to strong. Of a service only what is said *of that
//! service* is merged here; what its host says stands beside it until it is asked for ([`View`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::decode::{Decoder, How};
use super::keys::{Scope, place_of};
use super::place::Place;
use super::problem::Problem;
use super::written::checkable::{Body, Options, WrittenCheck, WrittenService};
use super::written::fields::{Entry, Item, Value};
use super::written::json;
use super::written::read::CANCELLED;
use super::written::tables::CHECKABLE;

/// Places in the table of keys, for asking by number.
pub mod key {
    use super::{CHECKABLE, place_of};

    macro_rules! keys {
        ($($constant:ident = $name:literal),* $(,)?) => {
            $(pub const $constant: usize = place_of(CHECKABLE, $name);)*
        };
    }

    keys! {
        ADDRESS = "address", ALIASES = "aliases", ALIAS = "alias", DISPLAY_NAME = "display_name", USE = "use",
        HOSTGROUPS = "hostgroups", PARENTS = "parents", TAGS = "tags", ASSET_VALUE = "asset_value",
        MONITOR = "monitor", WAS = "was", LOCATION = "location", IDENTITY = "identity", POLLER = "poller",
        CHECK_INTERVAL = "check_interval", RETRY_INTERVAL = "retry_interval",
        MAX_CHECK_ATTEMPTS = "max_check_attempts", CHECK_PERIOD = "check_period",
        NOTIFICATION_PERIOD = "notification_period", TIMEOUT = "timeout", ACTIVE_CHECKS = "active_checks",
        PASSIVE_CHECKS = "passive_checks", PROCESS_PERFDATA = "process_perfdata",
        FLAP_DETECTION = "flap_detection", LOW_FLAP_THRESHOLD = "low_flap_threshold",
        HIGH_FLAP_THRESHOLD = "high_flap_threshold", CONTACTS = "contacts", CONTACTGROUPS = "contactgroups",
        NOTIFICATION_INTERVAL = "notification_interval", FIRST_NOTIFICATION_DELAY = "first_notification_delay",
        NOTIFICATION_OPTIONS = "notification_options", EVENT_HANDLER = "event_handler",
        EVENT_HANDLER_PERIOD = "event_handler_period", CHECK_FRESHNESS = "check_freshness",
        FRESHNESS_THRESHOLD = "freshness_threshold", VOLATILE = "volatile", SERVICEGROUPS = "servicegroups",
        DEPENDS_ON = "depends_on", NOTES = "notes", NOTES_URL = "notes_url", ACTION_URL = "action_url",
        ICON_IMAGE = "icon_image", CUSTOM_VARIABLES = "custom_variables", INITIAL_STATE = "initial_state",
        STALKING_OPTIONS = "stalking_options", FLAP_DETECTION_OPTIONS = "flap_detection_options",
    }
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via<'w> {
    Defaults,
    Group(&'w str),
    Template(&'w str),
    Host,
}

impl Via<'_> {
    /// As problems and `--origin` call it; nothing for the object itself.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Defaults => Some("defaults".to_owned()),
            Self::Group(name) => Some(format!("hostgroup {name}")),
            Self::Template(name) => Some(format!("template {name}")),
            Self::Host => None,
        }
    }

    /// The problem, with the way by which its value came.
    pub fn mark(self, problem: Problem) -> Problem {
        match self.words() {
            Some(step) => problem.through(step),
            None => problem,
        }
    }
}

/// What is known of one key.
#[derive(Clone, Debug)]
enum Slot<'w, 't> {
    Said {
        entry: &'w Entry<'t>,
        via: Via<'w>,
    },
    /// Put together from several.
    Made {
        value: Rc<Value<'t>>,
        at: Place,
        via: Via<'w>,
    },
    /// `null`: as if nobody had said anything, not even of the host.
    Cancelled,
    /// `key+` and `key-` alone: they change what will be inherited.
    Changes(Vec<(&'w Entry<'t>, Via<'w>)>),
}

/// What is said, by place in the table of keys; sparse.
#[derive(Clone, Debug, Default)]
pub struct Slots<'w, 't>(Vec<(u8, Slot<'w, 't>)>);

/// A value with where it comes from.
#[derive(Clone, Debug)]
pub struct Found<'a, 't> {
    pub value: Cow<'a, Value<'t>>,
    pub at: Place,
    pub via: Via<'a>,
}

impl<'w, 't> Slots<'w, 't> {
    fn slot(&self, key: usize) -> Option<&Slot<'w, 't>> {
        self.0.iter().find(|(known, _)| usize::from(*known) == key).map(|(_, slot)| slot)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets one map speak.
    pub fn apply(
        &mut self,
        entries: impl Iterator<Item = &'w Entry<'t>>,
        via: Via<'w>,
        decoder: &mut Decoder,
    ) {
        for entry in entries {
            match self.0.iter_mut().find(|(key, _)| *key == entry.key) {
                Some((_, slot)) => slot.apply(entry, via, decoder),
                None => self.0.push((entry.key, Slot::first(entry, via))),
            }
        }
    }

    /// The value of a key, if anybody said one.
    pub fn get(&self, key: usize, decoder: &mut Decoder) -> Option<Found<'_, 't>> {
        self.slot(key)?.found(None, decoder)
    }

    /// Does any text hold a `${…}`?
    pub fn asks_for_values(&self) -> bool {
        self.0.iter().any(|(_, slot)| slot.asks_for_values())
    }

    fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|(key, _)| usize::from(*key))
    }
}

impl<'w, 't> Slot<'w, 't> {
    fn first(entry: &'w Entry<'t>, via: Via<'w>) -> Self {
        match entry.how {
            How::Replace => Self::Said { entry, via },
            How::Cancel => Self::Cancelled,
            How::Add | How::Remove => Self::Changes(vec![(entry, via)]),
        }
    }

    fn asks_for_values(&self) -> bool {
        let asks = |value: &Value<'_>| match value {
            Value::Text(text) => crate::config::insertion::is_in(text),
            Value::Pairs(pairs) => pairs.iter().any(|(_, text)| crate::config::insertion::is_in(text.text)),
            _ => false,
        };
        match self {
            Self::Said { entry, .. } => asks(&entry.value),
            Self::Made { value, .. } => asks(value),
            Self::Cancelled | Self::Changes(_) => false,
        }
    }

    fn apply(&mut self, entry: &'w Entry<'t>, via: Via<'w>, decoder: &mut Decoder) {
        let current = match self {
            Self::Said { entry, .. } => Some(&entry.value),
            Self::Made { value, .. } => Some(&**value),
            Self::Cancelled | Self::Changes(_) => None,
        };
        *self = match (entry.how, current) {
            (How::Cancel, _) => Self::Cancelled,
            (How::Replace, Some(current)) => match merged(current, &entry.value) {
                Some(value) => Self::Made { value: Rc::new(value), at: entry.at, via },
                None => Self::Said { entry, via },
            },
            (How::Replace, None) => Self::Said { entry, via },
            (How::Add | How::Remove, Some(current)) => {
                let value = changed(current, entry, via, decoder);
                Self::Made { value: Rc::new(value), at: entry.at, via }
            }
            (How::Add | How::Remove, None) => match self {
                Self::Changes(changes) => {
                    changes.push((entry, via));
                    return;
                }
                Self::Cancelled | Self::Said { .. } | Self::Made { .. } => {
                    let value = changed(&Value::List(Vec::new()), entry, via, decoder);
                    Self::Made { value: Rc::new(value), at: entry.at, via }
                }
            },
        };
    }

    /// The value, where `inherited` is what changes begin from.
    fn found<'a>(&'a self, inherited: Option<Found<'a, 't>>, decoder: &mut Decoder) -> Option<Found<'a, 't>> {
        match self {
            Self::Said { entry, via } => {
                Some(Found { value: Cow::Borrowed(&entry.value), at: entry.at, via: *via })
            }
            Self::Made { value, at, via } => Some(Found { value: Cow::Borrowed(value), at: *at, via: *via }),
            Self::Cancelled => None,
            Self::Changes(changes) => {
                let mut value = inherited.map_or(Value::List(Vec::new()), |found| found.value.into_owned());
                let mut last = None;
                for (entry, via) in changes {
                    value = changed(&value, entry, *via, decoder);
                    last = Some((entry.at, *via));
                }
                let (at, via) = last?;
                Some(Found { value: Cow::Owned(value), at, via })
            }
        }
    }
}

/// Maps merge by key; none for what replaces.
fn merged<'t>(weak: &Value<'t>, strong: &Value<'t>) -> Option<Value<'t>> {
    match (weak, strong) {
        (Value::Pairs(weak), Value::Pairs(strong)) => {
            let mut pairs = weak.clone();
            for (key, text) in strong {
                pairs.retain(|(known, _)| known.text != key.text);
                if text.text != CANCELLED {
                    pairs.push((*key, *text));
                }
            }
            Some(Value::Pairs(pairs))
        }
        (Value::Fields(weak), Value::Fields(strong)) => {
            let mut fields = weak.clone();
            for entry in &strong.entries {
                fields.entries.retain(|known| known.key != entry.key);
                if entry.how != How::Cancel {
                    fields.entries.push(entry.clone());
                }
            }
            Some(Value::Fields(fields))
        }
        _ => None,
    }
}

/// A list after `key+` or `key-`.
fn changed<'t>(list: &Value<'t>, entry: &Entry<'t>, via: Via<'_>, decoder: &mut Decoder) -> Value<'t> {
    match (list, &entry.value) {
        (Value::Dependencies(list), Value::Dependencies(more)) if entry.how == How::Add => {
            Value::Dependencies(list.iter().chain(more).cloned().collect())
        }
        (Value::List(list), Value::Dependencies(more)) if entry.how == How::Add && list.is_empty() => {
            Value::Dependencies(more.clone())
        }
        (Value::Dependencies(list), Value::Dependencies(less)) => {
            let known: Vec<Item<'_>> = list.iter().map(|one| one.on).collect();
            check_removed(&known, less.iter().map(|one| one.on), via, decoder);
            let is_kept =
                |one: &&super::written::fields::Dependency<'_>| !less.iter().any(|gone| gone.on == one.on);
            Value::Dependencies(list.iter().filter(is_kept).cloned().collect())
        }
        (Value::List(list), Value::List(items)) if entry.how == How::Add => {
            let mut all = list.clone();
            all.extend(items.iter().filter(|item| !list.contains(item)));
            Value::List(all)
        }
        (Value::List(list), Value::List(items)) => {
            check_removed(list, items.iter().copied(), via, decoder);
            Value::List(list.iter().filter(|item| !items.contains(item)).copied().collect())
        }
        (list, _) => list.clone(),
    }
}

fn check_removed<'t>(
    known: &[Item<'t>],
    removed: impl Iterator<Item = Item<'t>>,
    via: Via<'_>,
    decoder: &mut Decoder,
) {
    for item in removed.filter(|item| !known.contains(item)) {
        let problem =
            Problem::error(item.at, format!("`{}` is not inherited, so it cannot be removed", item.text));
        let names: Vec<&str> = known.iter().map(|item| item.text).collect();
        let hint = if names.is_empty() {
            "nothing is inherited here".to_owned()
        } else {
            format!("inherited: {}", names.join(", "))
        };
        decoder.push(via.mark(problem).hint(hint));
    }
}

/// What is said of one service, or of a host's check.
#[derive(Clone, Debug)]
pub struct MergedService<'w, 't> {
    /// Of its strongest mention.
    pub at: Place,
    pub via: Via<'w>,
    pub slots: Slots<'w, 't>,
    /// Options of the same kind, from weak to strong.
    pub check: Vec<(WrittenCheck<'t>, Via<'w>)>,
    /// `off` was the last word.
    pub is_off: bool,
    pub has_error: bool,
}

impl<'w, 't> MergedService<'w, 't> {
    pub fn new(at: Place, via: Via<'w>) -> Self {
        Self { at, via, slots: Slots::default(), check: Vec::new(), is_off: false, has_error: false }
    }

    pub fn apply(&mut self, written: &'w WrittenService<'t>, via: Via<'w>, decoder: &mut Decoder) {
        (self.at, self.via) = (written.at, via);
        if written.is_off {
            *self = Self { is_off: true, ..Self::new(written.at, via) };
            return;
        }
        self.is_off = false;
        let before = decoder.errors();
        self.slots.apply(written.fields.entries.iter(), via, decoder);
        self.has_error = self.has_error || written.has_error || decoder.errors() > before;
        if let Some(check) = written.check {
            if self.check.first().is_some_and(|(first, _)| first.kind != check.kind) {
                self.check.clear();
            }
            self.check.push((check, via));
        }
    }
}

/// Does a key said of a host hold for its services?
fn is_shared(key: usize) -> bool {
    CHECKABLE.get(key).is_some_and(|key| !key.is_own && key.scope.has(Scope::SERVICE))
}

/// What is said of a host, its check and its services.
#[derive(Clone, Debug)]
pub struct Merged<'w, 't> {
    /// Keys of the host alone.
    pub alone: Rc<Slots<'w, 't>>,
    /// Keys that hold for its services as well; most hosts share them with others.
    pub shared: Rc<Slots<'w, 't>>,
    pub check: Rc<MergedService<'w, 't>>,
    pub services: Rc<Services<'w, 't>>,
    /// A layer that it cannot do without has a mistake.
    pub has_error: bool,
    /// `defaults` or a group has one: it goes on as it was, if it was.
    pub is_doubtful: bool,
}

pub type Services<'w, 't> = BTreeMap<&'t str, (Item<'t>, Rc<MergedService<'w, 't>>)>;

impl<'w, 't> Merged<'w, 't> {
    pub fn nothing() -> Self {
        Self {
            alone: Rc::default(),
            shared: Rc::default(),
            check: Rc::new(MergedService::new(Place::nowhere(), Via::Defaults)),
            services: Rc::default(),
            has_error: false,
            is_doubtful: false,
        }
    }

    /// Lets one body speak, the strongest so far.
    pub fn apply(&mut self, body: &'w Body<'t>, via: Via<'w>, decoder: &mut Decoder) {
        let before = decoder.errors();
        for (slots, wanted) in [(&mut self.alone, false), (&mut self.shared, true)] {
            let mut entries = body
                .fields
                .entries
                .iter()
                .filter(|entry| is_shared(usize::from(entry.key)) == wanted)
                .peekable();
            if entries.peek().is_some() {
                Rc::make_mut(slots).apply(entries, via, decoder);
            }
        }
        if let Some(check) = &body.check {
            Rc::make_mut(&mut self.check).apply(check, via, decoder);
        }
        self.has_error = self.has_error || decoder.errors() > before;
        if body.services.is_empty() {
            return;
        }
        let services = Rc::make_mut(&mut self.services);
        for (name, written) in &body.services {
            let is_new = !services.contains_key(name.text);
            let (_, service) = services
                .entry(name.text)
                .or_insert_with(|| (*name, Rc::new(MergedService::new(written.at, via))));
            if written.is_off && via == Via::Host && is_new {
                let problem =
                    format!("service `{}` is not inherited, so there is nothing to drop", name.text);
                decoder.push(Problem::warning(name.at, problem));
            }
            Rc::make_mut(service).apply(written, via, decoder);
        }
    }
}

/// Two host groups of equal priority that say different things.
#[derive(Debug, Default)]
pub struct Disagreement<'w, 't> {
    said: Vec<Said<'w, 't>>,
}

#[derive(Debug)]
struct Said<'w, 't> {
    service: Option<&'t str>,
    what: What<'w, 't>,
    at: Place,
    group: &'w str,
    priority: u64,
}

#[derive(Debug)]
enum What<'w, 't> {
    Value(&'w Entry<'t>),
    Check(WrittenCheck<'t>),
    Off,
}

impl<'w, 't> Disagreement<'w, 't> {
    /// Looks at one more group of a host; reports what contradicts those before.
    pub fn look(&mut self, group: &'w str, priority: u64, body: &'w Body<'t>, decoder: &mut Decoder) {
        let mut all = Vec::new();
        let say = |service, what, at| Said { service, what, at, group, priority };
        for entry in body.fields.entries.iter().filter(|entry| replaces(entry)) {
            all.push(say(None, What::Value(entry), entry.at));
        }
        let check = body.check.iter().map(|check| ("", check));
        let services = body.services.iter().map(|(name, service)| (name.text, service));
        for (name, service) in check.chain(services) {
            if service.is_off {
                all.push(say(Some(name), What::Off, service.at));
            }
            if let Some(check) = service.check {
                all.push(say(Some(name), What::Check(check), check.at));
            }
            for entry in service.fields.entries.iter().filter(|entry| replaces(entry)) {
                all.push(say(Some(name), What::Value(entry), entry.at));
            }
        }
        for one in &all {
            if let Some((other, what)) =
                self.said.iter().find_map(|other| Some((other, one.contradicts(other)?)))
            {
                let message =
                    format!("host groups `{}` and `{}` disagree about {what}", other.group, one.group);
                decoder.push(
                    Problem::error(one.at, message)
                        .also(other.at, format!("what `{}` says", other.group))
                        .hint("give one of them a higher `priority`"),
                );
            }
        }
        self.said.extend(all);
    }
}

fn replaces(entry: &Entry<'_>) -> bool {
    matches!(entry.how, How::Replace | How::Cancel)
}

impl Said<'_, '_> {
    /// What they disagree about, if they do.
    fn contradicts(&self, other: &Self) -> Option<String> {
        if self.priority != other.priority || self.service != other.service {
            return None;
        }
        let of = match self.service {
            None => String::new(),
            Some("") => " of the check".to_owned(),
            Some(service) => format!(" of service `{service}`"),
        };
        match (&self.what, &other.what) {
            (What::Value(one), What::Value(two)) if one.key == two.key => {
                let is_map = matches!(one.value, Value::Pairs(_) | Value::Fields(_));
                let name = CHECKABLE.get(usize::from(one.key)).map_or("", |key| key.name);
                (!is_map && (one.value != two.value || one.how != two.how)).then(|| format!("`{name}`{of}"))
            }
            (What::Check(one), What::Check(two)) => {
                let is_same = one.kind == two.kind && options_json(one.options) == options_json(two.options);
                (!is_same).then(|| format!("the kind of check or its options{of}"))
            }
            (What::Off, What::Check(_) | What::Value(_)) | (What::Check(_) | What::Value(_), What::Off) => {
                self.service.map(|service| format!("service `{service}`, which one drops"))
            }
            (What::Value(_), What::Value(_) | What::Check(_))
            | (What::Check(_), What::Value(_))
            | (What::Off, What::Off) => None,
        }
    }
}

pub fn options_json(options: Options<'_>) -> serde_json::Value {
    match options {
        Options::None => serde_json::Value::Object(serde_json::Map::new()),
        Options::Text(item) => serde_json::Value::from(item.text),
        Options::Node(node) => json::of_node(node),
    }
}

/// One object's keys: what is said of it, and behind that what is said of its host.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, 'w, 't> {
    /// Said of the service, or inside a host's `check`.
    pub near: &'a Slots<'w, 't>,
    /// Said of the host for itself and its services.
    pub far: &'a Slots<'w, 't>,
    /// Said of the host for itself alone; the object is a host.
    pub alone: Option<&'a Slots<'w, 't>>,
}

impl<'a, 'w, 't> View<'a, 'w, 't> {
    pub fn of_host(merged: &'a Merged<'w, 't>) -> Self {
        Self { near: &merged.check.slots, far: &merged.shared, alone: Some(&merged.alone) }
    }

    pub fn is_host(&self) -> bool {
        self.alone.is_some()
    }

    fn inherited(&self, key: usize, decoder: &mut Decoder) -> Option<Found<'a, 't>> {
        if is_shared(key) { self.far.get(key, decoder) } else { self.alone?.get(key, decoder) }
    }

    /// The value of a key, if anybody said one.
    pub fn get(&self, key: usize, decoder: &mut Decoder) -> Option<Found<'a, 't>> {
        match self.near.slot(key) {
            Some(slot @ Slot::Changes(_)) => slot.found(self.inherited(key, decoder), decoder),
            Some(slot) => slot.found(None, decoder),
            None => self.inherited(key, decoder),
        }
    }

    /// Keys that somebody said something of, in the order of the table.
    pub fn keys(&self) -> Vec<usize> {
        let alone = self.alone.into_iter().flat_map(Slots::keys);
        let mut keys: Vec<usize> = self.near.keys().chain(self.far.keys()).chain(alone).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
