//! A small inventory to tell stories about. What matters to a story is said by it, the rest is here.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::world::Restored;
use crate::engine::{Engine, Input};
use crate::model::check::{BuiltInCheck, Check, CheckMethod, CheckResult, Output, Source, Verdict};
use crate::model::contact::{Audience, Contact};
use crate::model::event::{Event, What};
use crate::model::host::Host;
use crate::model::id::{Checkable, HostId, Name, ObjectKey, ServiceId};
use crate::model::inventory::Inventory;
use crate::model::message::About;
use crate::model::operation::{Operation, Order, Refusal};
use crate::model::period::{DayRule, DaySpec, PeriodId, TimePeriod, TimeRange};
use crate::model::policy::{FlapPolicy, Freshness, NotificationOptions, Own, Policy, StateSet};
use crate::model::rule::{Rule, RuleSource, RuleStates, TicketAction, Tri, When};
use crate::model::selector::Selection;
use crate::model::service::Service;
use crate::model::state::State;
use crate::model::time::Timestamp;

pub(in crate::engine) const START: i64 = 1_700_000_000;

#[derive(Debug)]
struct Nothing;

impl BuiltInCheck for Nothing {}

pub(in crate::engine) fn method() -> CheckMethod {
    CheckMethod::BuiltIn(Arc::new(Nothing))
}

pub(in crate::engine) fn check(method: CheckMethod) -> Arc<Check> {
    Arc::new(Check { kind: "tcp", method, timeout: Duration::from_secs(10) })
}

pub(in crate::engine) fn policy() -> Policy {
    Policy {
        check_interval: Duration::from_secs(300),
        retry_interval: Duration::from_secs(60),
        max_check_attempts: 3,
        check_period: PeriodId::ALWAYS,
        notification_period: PeriodId::ALWAYS,
        active_checks: true,
        passive_checks: true,
        process_perfdata: true,
        flapping: FlapPolicy { enabled: false, low: 20.0, high: 30.0, states: StateSet::ALL },
        audience: Audience::Everyone,
        notification_interval: Duration::from_secs(1800),
        first_notification_delay: Duration::ZERO,
        notification_options: NotificationOptions::ALL,
        freshness: Freshness::Off,
        volatile: false,
    }
}

pub(in crate::engine) fn host(name: &str) -> Host {
    Host { fingerprint: 1, ..Host::new(name.into(), check(method()), Arc::new(policy())) }
}

pub(in crate::engine) fn service(name: &str) -> Service {
    Service { fingerprint: 1, ..Service::new(HostId(0), name.into(), check(method()), Arc::new(policy())) }
}

/// OSSIM's shipped rule: a ticket for what is DOWN or CRITICAL for five minutes.
pub(in crate::engine) fn rule() -> Rule {
    Rule {
        name: "tickets".into(),
        when: When {
            sources: vec![RuleSource::Availability],
            only: Selection::everything(),
            states: RuleStates {
                hosts: StateSet::NONE.with(1),
                services: StateSet::NONE.with(State::Critical as u8),
            },
            hard: true,
            lasting: Duration::from_secs(300),
            period: PeriodId::ALWAYS,
            severity: 0,
            in_downtime: Tri::Off,
            acknowledged: Tri::Off,
            flapping: Tri::Off,
            anomaly: Vec::new(),
            text: None,
        },
        ticket: Some(TicketAction {
            r#type: "Availability".into(),
            priority: None,
            in_charge: None,
            tags: Vec::new(),
            documents: Vec::new(),
            close_on_recovery: Some(Duration::from_secs(900)),
            reopen_within: Duration::from_secs(24 * 3600),
            note_every: Duration::from_secs(24 * 3600),
        }),
        notify: Vec::new(),
        webhook: None,
        run: None,
        repeat: None,
        label: None,
        suppress: false,
        priority: 0,
    }
}

/// Wants to hear of everything, always.
pub(in crate::engine) fn contact(name: &str) -> Contact {
    Contact {
        name: name.into(),
        email: Vec::new(),
        webhook: None,
        host_command: None,
        service_command: None,
        run: None,
        options: NotificationOptions::ALL,
        notification_period: PeriodId::ALWAYS,
        timezone: None,
        only: None,
        rate_limit: None,
        custom_variables: Vec::new(),
    }
}

pub(in crate::engine) fn period(name: &str, days: Vec<DayRule>) -> TimePeriod {
    TimePeriod {
        name: name.into(),
        alias: name.into(),
        timezone: None,
        days,
        exclude: Vec::new(),
        r#use: Vec::new(),
    }
}

/// Hosts with their services, put in order. Parents are named.
pub(in crate::engine) fn inventory(
    mut parts: Vec<(Host, Vec<Service>, Vec<&str>)>,
    rules: Vec<Rule>,
) -> Inventory {
    parts.sort_by(|one, other| one.0.name.cmp(&other.0.name));
    let names: Vec<Name> = parts.iter().map(|(host, _, _)| host.name.clone()).collect();
    let mut made = Inventory::default();
    made.rules = rules;
    let always = DayRule { days: DaySpec::Weekdays(0x7f), ranges: vec![TimeRange { start: 0, end: 1440 }] };
    made.periods = vec![period("always", vec![always]), period("never", Vec::new())];
    for (at, (mut host, mut services, parents)) in parts.into_iter().enumerate() {
        let id = |at: usize| u32::try_from(at).unwrap();
        let find = |name: &&str| names.iter().position(|other| **other == **name).unwrap();
        host.parents = parents.iter().map(|name| HostId(id(find(name)))).collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        for mut service in services {
            service.host = HostId(id(at));
            host.services.push(ServiceId(id(made.services.len())));
            made.services.push(service);
        }
        made.hosts.push(host);
    }
    made.index();
    made
}

/// An engine with a clock that only the story moves, and the lines it has told so far.
pub(in crate::engine) struct Story {
    pub(in crate::engine) engine: Engine,
    pub(in crate::engine) now: Timestamp,
    pub(in crate::engine) events: Vec<Event>,
}

impl Story {
    pub(in crate::engine) fn new(inventory: Inventory) -> Self {
        let now = Timestamp::from_second(START);
        Self { engine: Engine::new(Arc::new(inventory), Restored::default(), now), now, events: Vec::new() }
    }

    /// Lets timers fire at their own times until `second` of the story.
    pub(in crate::engine) fn wait_until(&mut self, second: i64) {
        let until = Timestamp::from_second(START + second);
        while let Some(due) = self.engine.next_timer().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.engine.step(Input::Tick, self.now, &mut self.events).unwrap();
        }
        self.now = until;
    }

    pub(in crate::engine) fn step(&mut self, input: Input) -> Result<(), Refusal> {
        self.engine.step(input, self.now, &mut self.events)
    }

    pub(in crate::engine) fn result(&self, key: &str, code: i32, source: Source) -> CheckResult {
        CheckResult {
            key: ObjectKey::parse(key),
            place: None,
            verdict: Verdict::Exit(code),
            output: Output::line("x"),
            started: self.now,
            finished: self.now,
            latency: Duration::ZERO,
            source,
        }
    }

    /// An active result at a second of the story.
    pub(in crate::engine) fn sees(&mut self, second: i64, key: &str, code: i32) -> &mut Self {
        self.wait_until(second);
        let result = self.result(key, code, Source::Active);
        self.step(Input::Result(result)).unwrap();
        self
    }

    pub(in crate::engine) fn orders(&mut self, second: i64, operation: Operation) -> Result<(), Refusal> {
        self.wait_until(second);
        self.step(Input::Order(Order { author: "ana".into(), operation }))
    }

    pub(in crate::engine) fn object(&self, key: &str) -> Checkable {
        self.engine.world().inventory.find(&ObjectKey::parse(key)).unwrap()
    }

    /// What happened since the last call, one line each, without who was told of it.
    pub(in crate::engine) fn told(&mut self) -> String {
        self.lines(|event| !is_message(event))
    }

    /// Who was told since the last call, and if nobody, why not.
    pub(in crate::engine) fn messages(&mut self) -> String {
        self.lines(is_message)
    }

    pub(in crate::engine) fn all(&mut self) -> String {
        self.lines(|_| true)
    }

    fn lines(&mut self, is_wanted: impl Fn(&Event) -> bool) -> String {
        let wanted = self.events.drain(..).filter(is_wanted);
        wanted.map(|event| line(&event)).collect::<Vec<_>>().join("\n")
    }
}

fn is_message(event: &Event) -> bool {
    let What::Notified(_) = event.what else {
        return matches!(event.what, What::NotificationHeld { .. } | What::ContactsSkipped { .. });
    };
    true
}

pub(in crate::engine) fn second(at: Timestamp) -> i64 {
    at.as_second() - START
}

fn line(event: &Event) -> String {
    let at = second(event.at);
    let what = match &event.what {
        What::StateChanged(change) => format!(
            "{} {} -> {} {} {}",
            change.subject, change.before, change.state, change.state_type, change.attempt
        ),
        What::AlarmOpened(alarm) => format!("alarm {} opened for {}", alarm.id, alarm.subject),
        What::AlarmChanged(alarm) => format!(
            "alarm {} changed: {} x{}, root {}, ticket {}",
            alarm.id,
            alarm.state,
            alarm.count,
            alarm.root.as_ref().map_or("none".to_owned(), ToString::to_string),
            alarm.ticket.map_or("none".to_owned(), |ticket| ticket.id.to_string()),
        ),
        What::AlarmClosed(alarm) => format!("alarm {} closed after {}", alarm.id, alarm.count),
        What::AlarmNoted { alarm, author, what, text, .. } => {
            format!("alarm {alarm} {what} by {author}: {text}")
        }
        What::TicketOpened { head, draft } => {
            format!("{} opened, priority {}: {}", head.reference(), draft.priority, draft.title)
        }
        What::TicketReopened { head, note, .. } => format!("{} reopened: {}", head.reference(), note.text),
        What::TicketNoted { head, note, .. } => {
            format!("{} is {}: {}", head.reference(), head.status.word(), note.text)
        }
        What::Acknowledged { subject, .. } => format!("{subject} acknowledged"),
        What::AcknowledgementEnded { subject, why } => format!("{subject} acknowledgement ended: {why:?}"),
        What::CommentAdded(comment) => format!("comment {} of {} added", comment.id, comment.subject),
        What::CommentDeleted { id, .. } => format!("comment {id} deleted"),
        What::DowntimeScheduled(downtime) => {
            format!("downtime {} of {} scheduled", downtime.id, downtime.subject)
        }
        What::DowntimeStarted { id, .. } => format!("downtime {id} started"),
        What::DowntimeEnded { id, how, .. } => format!("downtime {id} ended: {how:?}"),
        What::Notified(message) => {
            let About::Object(notice) = &message.about else { panic!("a digest is the outbox's") };
            let escalated = if notice.is_escalated { " escalated" } else { "" };
            let (subject, kind, number) = (&notice.subject, notice.kind.word(), notice.number);
            format!("{subject} {kind} {number}{escalated} to {}", message.contact)
        }
        What::ContactsSkipped { subject, kind, number, skipped } => {
            let names: Vec<&str> = skipped.iter().map(|(name, _)| &**name).collect();
            format!("{subject} {} {number} not to {}", kind.word(), names.join(" "))
        }
        What::NotificationHeld { subject, kind, hold, .. } => {
            let until = hold.until().map(|until| format!(" until {}", second(until))).unwrap_or_default();
            format!("{subject} {} held: {}{until}", kind.word(), hold.word())
        }
        other => format!("{other:?}"),
    };
    format!("{at}: {what}")
}

pub(in crate::engine) fn own(own: Own) -> Option<Arc<Own>> {
    Some(Arc::new(own))
}
