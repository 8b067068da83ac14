//! From what a form or the API says to orders, and their answers: one way for both.

use std::sync::Arc;

use vigia_core::engine::selection::selects;
use vigia_core::engine::world::World;
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::downtime::DowntimeKind;
use vigia_core::model::id::{AlarmId, Checkable, DowntimeId, ObjectKey};
use vigia_core::model::operation::{FalsePositive, LONGEST, NewTicket, Operation, Order, TicketNote};
use vigia_core::model::selector::Selection;
use vigia_core::model::suppression::FALSE_POSITIVE;
use vigia_core::model::ticket::{RESOLUTIONS, TicketClass, TicketStatus};
use vigia_core::model::time::Timestamp;

use super::backend::{Done, Trouble};
use super::frame::Seen;
use super::tickets;
use super::view::Eyes;
use super::words;

/// The longest text a person may leave: a comment, a note, a title.
pub(crate) const TEXT_LIMIT: usize = 64 * 1024;

/// So many numbers are named in one answer; the API's `ids` has them all.
const NUMBERS: usize = 8;

/// An answer to several orders of one kind.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) done: Vec<(ObjectKey, Done)>,
    pub(crate) refused: Vec<(ObjectKey, String)>,
}

impl Answers {
    /// Whom it was done for: by name, or how many.
    pub(crate) fn whom(&self) -> String {
        match self.done.as_slice() {
            [(key, _)] => key.to_string(),
            done => told(done.len()),
        }
    }

    /// The numbers of what was made, after the word for it; nothing where nothing has a number.
    pub(crate) fn numbers(&self, word: &str) -> String {
        let ids: Vec<String> =
            self.done.iter().filter_map(|(_, done)| done.record).map(|id| id.to_string()).collect();
        match ids.len() {
            0 => String::new(),
            1..=NUMBERS => format!(", {word} {}", ids.join(", ")),
            many => {
                let first = ids.get(..NUMBERS).unwrap_or_default().join(", ");
                format!(", {word} {first} and {} more", many - NUMBERS)
            }
        }
    }
}

impl Seen {
    pub(crate) async fn give(&self, operation: Operation) -> Result<Done, Trouble> {
        self.web.backend.order(Order { author: self.author(), operation }).await
    }

    /// The same order for each object. What is refused for one is done for the others.
    pub(crate) async fn give_each(
        &self,
        objects: &[ObjectKey],
        order: impl Fn(ObjectKey) -> Operation,
    ) -> Result<Answers, Trouble> {
        let mut answers = Answers::default();
        for key in objects {
            match self.give(order(key.clone())).await {
                Ok(done) => answers.done.push((key.clone(), done)),
                Err(Trouble::Unavailable(text)) => return Err(Trouble::Unavailable(text)),
                Err(Trouble::Unsaved(text)) if objects.len() == 1 => return Err(Trouble::Unsaved(text)),
                Err(trouble) => answers.refused.push((key.clone(), trouble.to_string())),
            }
        }
        Ok(answers)
    }
}

/// What is wrong with one field, for the place beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {text}")]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) text: String,
}

pub(crate) fn wrong<T>(field: &'static str, text: impl Into<String>) -> Result<T, FieldError> {
    Err(FieldError { field, text: text.into() })
}

const SAY_WHEN: &str =
    "say when, such as `2h`, `until 18:00`, `tomorrow 10:00`, `fri 08:00` or `2026-12-24 22:00`";

/// A text that must say something.
pub(crate) fn text(field: &'static str, text: &str) -> Result<Arc<str>, FieldError> {
    let text = text.trim();
    match text.len() {
        0 => wrong(field, "say something here"),
        1..=TEXT_LIMIT => Ok(clean(text).into()),
        _ => wrong(field, "too long: at most 64 KiB"),
    }
}

/// Without control characters but newline and tab, so that no log line and no terminal is fooled.
pub(crate) fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// A text that may be empty.
pub(crate) fn maybe_text(field: &'static str, said: &str) -> Result<Arc<str>, FieldError> {
    if said.trim().is_empty() { Ok("".into()) } else { text(field, said) }
}

pub(crate) fn expires(said: &str, eyes: &Eyes) -> Result<Option<Timestamp>, FieldError> {
    if said.trim().is_empty() {
        return Ok(None);
    }
    match words::parse_instant(said, &eyes.zone, eyes.now) {
        Some(at) if at > eyes.now => Ok(Some(at)),
        Some(_) => wrong("expires", "this lies in the past"),
        None => wrong("expires", SAY_WHEN),
    }
}

/// What ends an acknowledgement.
pub(crate) fn until(said: &str, usual: Until) -> Result<Until, FieldError> {
    match said.trim() {
        "" => Ok(usual),
        word => match Until::from_word(word) {
            Some(until) => Ok(until),
            None => wrong("until", "one of `recovery`, `worse`, `change`"),
        },
    }
}

/// For the answer: what ends the acknowledgement, where it is not recovery alone.
pub(crate) fn lasts(until: Until, expires: Option<Timestamp>, eyes: &Eyes) -> String {
    let state = match until {
        Until::Recovery => "",
        Until::Worse => ", until it is worse",
        Until::Change => ", until the state changes",
    };
    let expires = expires.map(|at| format!(", until {}", words::full_stamp(at, &eyes.zone)));
    format!("{state}{}", expires.unwrap_or_default())
}

/// A downtime as read, to echo and to order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) kind: DowntimeKind,
}

/// The end as people mean it: a length, a time of day and a day of the week count from the start; `today` and
/// `tomorrow` are what they are to whoever says them.
fn end_of(end: &str, start: Timestamp, eyes: &Eyes) -> Option<Timestamp> {
    let from = if words::is_said_of_now(end) { eyes.now } else { start };
    words::parse_instant(end, &eyes.zone, from)
}

/// A length counts from the start; a flexible downtime lasts `flexible` from its first problem.
pub(crate) fn downtime_span(start: &str, end: &str, flexible: &str, eyes: &Eyes) -> Result<Span, FieldError> {
    let said = if start.trim().is_empty() { "now" } else { start };
    let Some(start) = words::parse_instant(said, &eyes.zone, eyes.now) else {
        return wrong("start", SAY_WHEN);
    };
    let Some(end) = end_of(end, start, eyes) else {
        return wrong("end", SAY_WHEN);
    };
    if end <= start {
        return wrong("end", "the downtime ends before it begins");
    }
    if end <= eyes.now {
        return wrong("end", "the downtime lies in the past");
    }
    if end.since(start) > LONGEST {
        return wrong(
            "end",
            "longer than a year: silence that long is better configured, or the check taken away",
        );
    }
    let kind = match flexible.trim() {
        "" => DowntimeKind::Fixed,
        flexible => match words::parse_span(flexible) {
            Some(span) => DowntimeKind::Flexible(span),
            None => return wrong("flexible", "say how long, such as `30m` or `2h`"),
        },
    };
    Ok(Span { start, end, kind })
}

impl Span {
    /// For the answer: when, until when, how long.
    pub(crate) fn told(&self, eyes: &Eyes) -> String {
        let (start, end) =
            (words::full_stamp(self.start, &eyes.zone), words::full_stamp(self.end, &eyes.zone));
        let length = words::span(self.end.since(self.start));
        match self.kind {
            DowntimeKind::Fixed => format!("from {start} until {end} ({length})"),
            DowntimeKind::Flexible(lasting) => {
                format!("of {} from the first problem between {start} and {end}", words::span(lasting))
            }
        }
    }
}

/// A host's downtime may take its services along.
pub(crate) fn with_services(world: &World, objects: &[ObjectKey]) -> Vec<ObjectKey> {
    let inventory = &world.inventory;
    let mut all = Vec::new();
    for key in objects {
        all.push(key.clone());
        let host = inventory.host_id(&key.host).filter(|_| key.service.is_none());
        for id in host.map(|id| inventory.host(id).services.as_slice()).unwrap_or_default() {
            all.push(ObjectKey {
                host: key.host.clone(),
                service: Some(inventory.service(*id).name.clone()),
            });
        }
    }
    all.sort();
    all.dedup();
    all
}

/// What a person may silence at once.
const MOST_SELECTED: usize = 20_000;

/// Objects by selectors, as in the `downtimes` of the files: a host stands for itself and its services, `only` narrows
/// it to `hosts` or `services`.
pub(crate) fn selected<'a>(
    world: &World,
    selectors: impl IntoIterator<Item = &'a str>,
    only: &str,
) -> Result<Vec<ObjectKey>, FieldError> {
    let selection = match Selection::parse(selectors, false) {
        Ok(selection) => selection,
        Err(error) => return wrong("match", error.message),
    };
    let (hosts, services) = match only.trim() {
        "" => (true, true),
        "hosts" => (true, false),
        "services" => (false, true),
        _ => return wrong("only", "`hosts` or `services`"),
    };
    let inventory = &world.inventory;
    let hosts = inventory.host_ids().filter(|_| hosts).map(Checkable::Host);
    let services = inventory.service_ids().filter(|_| services).map(Checkable::Service);
    let found = hosts.chain(services).filter(|object| selects(inventory, &selection, *object));
    let keys: Vec<ObjectKey> = found.map(|object| inventory.key(object)).collect();
    match keys.len() {
        0 => wrong("match", "nothing matches this"),
        1..=MOST_SELECTED => Ok(keys),
        many => wrong("match", format!("{} objects match: at most 20,000 at once", words::count(many))),
    }
}

pub(crate) fn schedule(
    subject: ObjectKey,
    span: &Span,
    comment: Arc<str>,
    triggered_by: Option<DowntimeId>,
) -> Operation {
    let Span { start, end, kind } = *span;
    Operation::ScheduleDowntime { subject, start, end, kind, comment, triggered_by }
}

/// The fields of a new ticket as they come in, most of them text.
#[derive(Debug, Default)]
pub(crate) struct TicketFields<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    pub(crate) class: &'a str,
    /// Known already.
    pub(crate) r#type: Option<Arc<str>>,
    pub(crate) priority: &'a str,
    /// Known already.
    pub(crate) in_charge: Option<Arc<str>>,
    pub(crate) tags: &'a str,
    pub(crate) fields: Vec<(&'a str, &'a str)>,
    pub(crate) subject: Option<ObjectKey>,
    pub(crate) alarm: Option<AlarmId>,
}

pub(crate) fn new_ticket(fields: TicketFields<'_>) -> Result<NewTicket, FieldError> {
    let otherwise = if fields.alarm.is_some() { TicketClass::Alarm } else { TicketClass::Availability };
    let class = tickets::class(fields.class)?.unwrap_or(otherwise);
    Ok(NewTicket {
        class,
        r#type: fields.r#type.unwrap_or_else(|| usual_type(class).into()),
        title: title(fields.title)?,
        text: maybe_text("text", fields.text)?,
        priority: priority(fields.priority)?.unwrap_or(5),
        in_charge: fields.in_charge,
        subject: fields.subject,
        alarm: fields.alarm,
        tags: tickets::tags(fields.tags),
        fields: tickets::fields(class, fields.fields.into_iter())?,
    })
}

/// The type of those who say none.
fn usual_type(class: TicketClass) -> &'static str {
    match class {
        TicketClass::Availability => "Availability",
        TicketClass::Anomaly => "Anomalies",
        TicketClass::Vulnerability => "Vulnerability",
        TicketClass::Alarm | TicketClass::Event | TicketClass::Metric | TicketClass::Custom => "Generic",
    }
}

pub(crate) fn title(said: &str) -> Result<Arc<str>, FieldError> {
    let title = text("title", said)?;
    if title.len() > 512 || title.contains('\n') {
        return wrong("title", "one line of at most 512 bytes; the rest goes into the text");
    }
    Ok(title)
}

pub(crate) fn priority(said: &str) -> Result<Option<u8>, FieldError> {
    match said.trim() {
        "" => Ok(None),
        said => match said.parse() {
            Ok(priority @ 1..=10) => Ok(Some(priority)),
            Ok(_) | Err(_) => wrong("priority", "a number from 1 to 10"),
        },
    }
}

pub(crate) fn closing(
    resolution: &str,
    said: &str,
    until: &str,
    eyes: &Eyes,
) -> Result<TicketNote, FieldError> {
    let known = RESOLUTIONS.iter().find(|known| known.eq_ignore_ascii_case(resolution.trim()));
    let Some(resolution) = known else {
        return wrong("resolution", format!("one of {}", RESOLUTIONS.join(", ")));
    };
    Ok(TicketNote {
        text: maybe_text("text", said)?,
        status: Some(TicketStatus::Closed),
        resolution: Some((*resolution).into()),
        false_positive: false_positive(*resolution == FALSE_POSITIVE, until, eyes)?.unwrap_or_default(),
        ..TicketNote::default()
    })
}

/// For how long something is a false positive; a time says nothing of anything else.
pub(crate) fn false_positive(
    is_one: bool,
    until: &str,
    eyes: &Eyes,
) -> Result<Option<FalsePositive>, FieldError> {
    match expires(until, eyes)? {
        Some(_) if !is_one => {
            wrong("expires", "a time is for false positives alone: until when they are none")
        }
        expires => Ok(is_one.then_some(FalsePositive { expires, anomaly: None })),
    }
}

pub(crate) fn some(said: &str) -> Option<Arc<str>> {
    let said = said.trim();
    (!said.is_empty()).then(|| clean(said).into())
}

/// What the person is told: how many, of what, until when.
pub(crate) fn told(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{} objects", words::count(count)) }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// A Wednesday, 08:00 UTC.
    fn eyes() -> Eyes {
        let now = "2026-11-25T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        Eyes { now, zone: TimeZone::UTC }
    }

    fn hours(start: &str, end: &str) -> Option<u64> {
        let span = downtime_span(start, end, "", &eyes()).ok()?;
        Some(span.end.since(span.start).as_secs() / 3600)
    }

    #[test]
    fn tomorrow_is_the_same_day_for_start_and_end() {
        assert_eq!(hours("tomorrow 22:00", "tomorrow 23:00"), Some(1));
        assert_eq!(hours("today 22:00", "tomorrow 02:00"), Some(4));
        assert_eq!(hours("tomorrow 22:00", "until tomorrow 23:00"), Some(1));
        assert_eq!(hours("2026-12-24 22:00", "tomorrow 23:00"), None, "it would end before it begins");
    }

    #[test]
    fn an_answer_names_the_object_the_numbers_and_the_time() {
        let made = |numbers: std::ops::Range<u64>| Answers {
            done: numbers
                .map(|id| ("web01".into(), id))
                .map(|(host, id)| {
                    let done = Done { record: Some(id), ..Done::default() };
                    (ObjectKey { host, service: None }, done)
                })
                .collect(),
            refused: Vec::new(),
        };
        let said = |answers: &Answers| format!("{}{}", answers.whom(), answers.numbers("number"));
        assert_eq!(said(&made(7..8)), "web01, number 7");
        assert_eq!(said(&made(7..9)), "2 objects, number 7, 8");
        assert_eq!(said(&made(1..20)), "19 objects, number 1, 2, 3, 4, 5, 6, 7, 8 and 11 more");

        let span = |flexible| downtime_span("tomorrow 22:00", "tomorrow 23:00", flexible, &eyes()).unwrap();
        assert_eq!(
            span("").told(&eyes()),
            "from Thu 2026-11-26 22:00:00 UTC until Thu 2026-11-26 23:00:00 UTC (1 h 0 m)"
        );
        assert!(span("30m").told(&eyes()).starts_with("of 30 m 0 s from the first problem between "));
    }

    #[test]
    fn a_length_a_time_of_day_and_a_weekday_count_from_the_start() {
        assert_eq!(hours("tomorrow 22:00", "2h"), Some(2));
        assert_eq!(hours("tomorrow 22:00", "06:00"), Some(8));
        assert_eq!(hours("fri 22:00", "fri 23:00"), Some(1));
        assert_eq!(hours("2026-12-24 22:00", "fri 22:00"), Some(24));
    }
}
