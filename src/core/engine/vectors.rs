//! The vectors of `tests/vectors/`: what Nagios does step by step, with our deviations laid over it.

mod build;
mod people;
mod periods;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::tests::fixture::Story;
use super::{Input, Timer};
use crate::model::check::{CheckResult, Output, Source, Verdict};
use crate::model::event::What;
use crate::model::id::{Checkable, ObjectKey};
use crate::model::message::{About, Message};
use crate::model::state::Condition;
use crate::model::status::Status;
use crate::nagios::command;
use crate::nagios::output;

const VECTORS: &str = include_str!("../../../tests/vectors/nagios-state-vectors.yaml");

type Map = BTreeMap<String, Value>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Value {
    Flag(bool),
    Whole(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Self>),
    Map(Map),
    Nothing,
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Map(_) => panic!("{self:?} is no text"),
            Self::Nothing => String::new(),
        }
    }
}

#[derive(Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    id: String,
    subject: Target,
    #[serde(default)]
    config: BTreeMap<String, Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize, Clone)]
struct Target {
    host: String,
    service: Option<String>,
    #[serde(default)]
    forced: bool,
}

impl Target {
    fn key(&self) -> ObjectKey {
        let service = self.service.as_deref().map(Into::into);
        ObjectKey { host: self.host.as_str().into(), service }
    }
}

#[derive(Deserialize)]
struct Step {
    at: i64,
    result: Option<Given>,
    command: Option<String>,
    check_due: Option<Target>,
    #[serde(default)]
    expect: Map,
    #[serde(default)]
    recommended: Map,
}

#[derive(Deserialize)]
struct Given {
    host: String,
    service: Option<String>,
    code: Option<i32>,
    #[serde(default)]
    passive: bool,
    failure: Option<String>,
    output: Option<String>,
}

#[test]
fn every_scenario_goes_as_nagios_does_or_as_we_recommend() {
    let file: File = serde_saphyr::from_str(VECTORS).unwrap();
    let mut failed = Vec::new();
    let (mut steps, mut looked_at) = (0, 0);
    for scenario in &file.scenarios {
        steps += scenario.steps.len();
        let (problems, count) = run(scenario);
        looked_at += count;
        if !problems.is_empty() {
            failed.push(format!("{}: {problems:#?}", scenario.id));
        }
    }
    assert_eq!((file.scenarios.len(), steps, looked_at), (146, 818, 5818));
    assert!(failed.is_empty(), "{} scenarios fail:\n{}", failed.len(), failed.join("\n"));
}

/// What differs, and how many expectations were looked at.
fn run(scenario: &Scenario) -> (Vec<String>, usize) {
    let mut story = Story::new(build::inventory(&scenario.config));
    let mut problems = Vec::new();
    let mut looked_at = 0;
    for step in &scenario.steps {
        story.wait_until(step.at);
        let executed = act(&mut story, step);
        let mut expect = step.expect.clone();
        expect.extend(step.recommended.clone());
        let seen = observe(&mut story, &scenario.subject.key(), executed);
        for (key, wanted) in &expect {
            if key == "rule" || *wanted == Value::Text("any".to_owned()) {
                continue;
            }
            looked_at += 1;
            let got = seen.get(key).unwrap_or(&Value::Nothing);
            let is_met = match (wanted, got) {
                (Value::List(wanted), Value::List(got)) if key == "notify" => is_told(wanted, got),
                (Value::Decimal(wanted), Value::Decimal(got)) => (wanted - got).abs() < 0.01,
                #[expect(clippy::cast_precision_loss, reason = "percentages")]
                (Value::Whole(wanted), Value::Decimal(got)) => (*wanted as f64 - got).abs() < 0.01,
                (wanted, got) => wanted == got,
            };
            if !is_met {
                problems.push(format!("at {}: {key} is {got:?}, wanted {wanted:?}", step.at));
            }
        }
    }
    (problems, looked_at)
}

/// The same messages, in any order.
fn is_told(wanted: &[Value], got: &[Value]) -> bool {
    wanted.len() == got.len()
        && wanted.iter().all(|message| {
            let count = |list: &[Value]| list.iter().filter(|other| *other == message).count();
            count(wanted) == count(got)
        })
}

/// Gives the step's input; for a check that fell due, whether it ran.
fn act(story: &mut Story, step: &Step) -> Option<bool> {
    if let Some(given) = &step.result {
        let result = result(story, given);
        // A refusal is for the expectations to notice.
        let _taken = story.step(Input::Result(result));
    }
    if let Some(line) = &step.command {
        obey(story, line, step.at);
    }
    let due = step.check_due.as_ref()?;
    let object = story.object(&due.key().to_string());
    story.engine.demand(object, story.now, due.forced);
    let mut has_run = false;
    while let Some(job) = story.engine.take_due(story.now) {
        has_run |= job.object == object;
        if job.object == object {
            story.engine.agenda.slot_mut(object).running = None;
        }
    }
    Some(has_run)
}

fn result(story: &Story, given: &Given) -> CheckResult {
    let verdict = match given.failure.as_deref() {
        Some("timeout") => Verdict::TimedOut,
        Some(_) => Verdict::Abnormal,
        None => Verdict::Exit(given.code.unwrap()),
    };
    let text = given.output.as_deref().unwrap_or("x");
    CheckResult {
        key: Target { host: given.host.clone(), service: given.service.clone(), forced: false }.key(),
        place: None,
        verdict,
        output: std::sync::Arc::<Output>::new(output::parse(text.as_bytes())),
        started: story.now,
        finished: story.now,
        latency: Duration::ZERO,
        source: if given.passive { Source::Passive } else { Source::Active },
    }
}

fn obey(story: &mut Story, line: &str, at: i64) {
    let mut line = line.to_owned();
    while let Some((head, rest)) = line.split_once("{now+") {
        let (wait, tail) = rest.split_once('}').unwrap();
        let second = super::tests::fixture::START + at + wait.parse::<i64>().unwrap();
        line = format!("{head}{second}{tail}");
    }
    match command::parse(&line, &story.engine.world().inventory.clone(), story.now) {
        Ok(orders) => {
            for order in orders {
                // As above: what was refused shows in what is expected next.
                let _done = story.step(Input::Order(order));
            }
        }
        Err(error) => panic!("{error}"),
    }
}

fn observe(story: &mut Story, subject: &ObjectKey, executed: Option<bool>) -> Map {
    let mut seen = match story.engine.world().inventory.find(subject).unwrap() {
        Checkable::Host(id) => look(story.engine.world().host(id), story.now),
        Checkable::Service(id) => look(story.engine.world().service(id), story.now),
    };
    let mut alert = Value::Nothing;
    let mut handlers = Vec::new();
    let mut told = Vec::new();
    for event in story.events.drain(..) {
        match event.what {
            What::StateChanged(change) if change.subject == *subject => {
                alert = Value::Text(format!("{};{};{}", change.state, change.state_type, change.attempt));
            }
            What::ActionDue(Message { about: About::Object(notice), .. }) if notice.subject == *subject => {
                let run = format!("{};{};{}", notice.state, notice.state_type, notice.attempt);
                handlers.push(Value::Text(run));
            }
            What::Notified(message) => told.extend(look_at_message(&message, subject)),
            _ => {}
        }
    }
    seen.insert("alert".to_owned(), alert);
    seen.insert("notify".to_owned(), Value::List(told));
    seen.insert("handler".to_owned(), Value::List(handlers));
    seen.extend(executed.map(|ran| ("executed".to_owned(), Value::Flag(ran))));
    seen
}

fn look_at_message(message: &Message, subject: &ObjectKey) -> Option<Value> {
    let About::Object(notice) = &message.about else { return None };
    let pairs = [
        ("type", Value::Text(notice.kind.word().to_owned())),
        ("contact", Value::Text(message.contact.to_string())),
        ("number", Value::Whole(notice.number.into())),
        ("escalated", Value::Flag(notice.is_escalated)),
    ];
    let is_about = notice.subject == *subject;
    is_about.then(|| Value::Map(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

fn look<S: Condition>(status: &Status<S>, now: crate::model::time::Timestamp) -> Map {
    let next = status.next_check.map(|next| next.as_second() - now.as_second());
    let text = |text: &str| Value::Text(text.to_owned());
    let pairs = [
        ("pending", Value::Flag(!status.has_been_checked)),
        ("state", text(status.standing.state.word())),
        ("type", text(status.standing.state_type.word())),
        ("attempt", Value::Whole(status.standing.attempt.into())),
        ("last_hard_state", text(status.last_hard_state.word())),
        ("next_check_in", next.map_or(Value::Nothing, Value::Whole)),
        ("acknowledged", Value::Flag(status.acknowledgement.is_some())),
        ("downtime_depth", Value::Whole(status.downtime_depth.into())),
        ("flapping", Value::Flag(status.is_flapping)),
        ("percent_state_change", Value::Decimal(status.percent_state_change.into())),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn timers_of_one_instant_begin_before_they_end() {
    use crate::model::id::DowntimeId;
    assert!(Timer::DowntimeStart(DowntimeId(9)) < Timer::DowntimeEnd(DowntimeId(1)));
}
