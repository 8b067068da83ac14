//! One problem, one ticket: whatever comes in which order, and however often vigia is ended in between. Problems, soft and
//! hard, recoveries, flapping, people who close and reopen, false positives, revocations, and days that pass; every
//! restart goes through the file.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use vigia_core::engine::Input;
use vigia_core::model::check::{CheckResult, Source, Verdict};
use vigia_core::model::id::{SuppressionId, TicketId};
use vigia_core::model::operation::TicketNote;
use vigia_core::model::policy::{FlapPolicy, StateSet};
use vigia_core::model::rule::{Rule, RuleStates, TicketAction, Tri, When};
use vigia_core::model::ticket::{TicketHead, TicketStatus};

use super::timeline::{Life, page};
use super::*;

const OBJECTS: [&str; 3] = ["web01", "web01/HTTP", "web01/SSH"];
const WINDOW: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug)]
enum Act {
    Result { object: usize, code: i32 },
    Close { ticket: u64, is_false: bool },
    Reopen { ticket: u64 },
    Revoke { suppression: u64 },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (0..OBJECTS.len(), prop_oneof![2 => Just(0), 2 => Just(2), 1 => Just(1)])
            .prop_map(|(object, code)| Act::Result { object, code }),
        1 => (1..8_u64, any::<bool>()).prop_map(|(ticket, is_false)| Act::Close { ticket, is_false }),
        1 => (1..8_u64).prop_map(|ticket| Act::Reopen { ticket }),
        1 => (1..5_u64).prop_map(|suppression| Act::Revoke { suppression }),
        2 => Just(Act::Restart),
    ]
}

/// Minutes mostly, hours at times, and now and then more than the window.
fn wait() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..900_i64, 2 => 900..20_000_i64, 1 => 80_000..200_000_i64]
}

fn rule() -> Rule {
    let states = RuleStates { hosts: StateSet::NONE.with(1), services: StateSet::NONE.with(2) };
    let when =
        When { states, hard: true, lasting: Duration::from_secs(300), flapping: Tri::Any, ..page().when };
    let ticket = TicketAction {
        r#type: "Availability".into(),
        priority: None,
        in_charge: None,
        tags: Vec::new(),
        documents: Vec::new(),
        close_on_recovery: Some(Duration::from_secs(900)),
        reopen_within: WINDOW,
        note_every: WINDOW,
    };
    Rule {
        name: "tickets".into(),
        when,
        ticket: Some(ticket),
        notify: Vec::new(),
        repeat: None,
        label: None,
        ..page()
    }
}

fn inventory() -> Arc<Inventory> {
    let mut made = Arc::into_inner(world(&[("web01", &["HTTP", "SSH"])]).inventory).unwrap();
    let policy = Policy {
        max_check_attempts: 2,
        flapping: FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL },
        ..Policy::clone(&policy())
    };
    let policy = Arc::new(policy);
    let method = CheckMethod::Passive { stale: State::Critical };
    let check = Arc::new(Check { kind: "passive", method, timeout: Duration::ZERO });
    for host in &mut made.hosts {
        (host.policy, host.check) = (Arc::clone(&policy), Arc::clone(&check));
    }
    for service in &mut made.services {
        (service.policy, service.check) = (Arc::clone(&policy), Arc::clone(&check));
    }
    made.rules = vec![rule()];
    Arc::new(made)
}

fn input(act: &Act, now: Timestamp) -> Option<Input> {
    let note = |id: u64, note: TicketNote| Operation::NoteTicket {
        id: TicketId(id),
        version: None,
        note: Box::new(note),
    };
    let operation = match *act {
        Act::Result { object, code } => {
            return Some(Input::Result(CheckResult {
                key: ObjectKey::parse(OBJECTS[object]),
                place: None,
                verdict: Verdict::Exit(if object == 0 { code.min(1) } else { code }),
                output: Output::line("as it is"),
                started: now,
                finished: now,
                latency: Duration::ZERO,
                source: Source::Passive,
            }));
        }
        Act::Restart => return None,
        Act::Close { ticket, is_false } => {
            let resolution = Some(if is_false { "False positive" } else { "Fixed" }.into());
            let status = Some(TicketStatus::Closed);
            note(ticket, TicketNote { text: "done".into(), status, resolution, ..TicketNote::default() })
        }
        Act::Reopen { ticket } => {
            let status = Some(TicketStatus::Open);
            note(ticket, TicketNote { text: "not done".into(), status, ..TicketNote::default() })
        }
        Act::Revoke { suppression } => Operation::RevokeSuppression { id: SuppressionId(suppression) },
    };
    Some(Input::Order(Order { author: "ana".into(), operation }))
}

/// What may be seen of tickets from outside, after every step.
#[derive(Default)]
struct Seen {
    /// The latest of each object, as it stood last.
    latest: BTreeMap<ObjectKey, TicketHead>,
    problems: std::collections::BTreeSet<(ObjectKey, u64)>,
}

impl Seen {
    fn look(&mut self, events: &[Event], life: &Life) -> Result<(), TestCaseError> {
        for event in events {
            let head = match &event.what {
                What::TicketOpened { head, .. } => {
                    let subject = head.subject.clone().unwrap();
                    let problem = head.problem.unwrap().0;
                    prop_assert!(
                        self.problems.insert((subject.clone(), problem)),
                        "twice for {subject}, {problem}"
                    );
                    if let Some(before) = self.latest.get(&subject) {
                        prop_assert!(!before.is_open(), "{subject} has {} still", before.reference());
                        let gone = before.closed.max(before.recovered).unwrap();
                        prop_assert!(
                            event.at.since(gone) > WINDOW,
                            "{subject}: {} was to be reopened",
                            before.reference()
                        );
                    }
                    head
                }
                What::TicketReopened { head, .. } | What::TicketNoted { head, .. } => head,
                _ => continue,
            };
            let subject = head.subject.clone().unwrap();
            let is_latest = self.latest.get(&subject).is_none_or(|latest| latest.id <= head.id);
            if is_latest {
                self.latest.insert(subject, head.clone());
            }
        }
        life.asks("SELECT count(*) FROM (SELECT object, problem FROM ticket GROUP BY object, problem HAVING count(*) > 1)", 0)?;
        // A program or webhook of a rule is due once for a problem, however often the rule was asked.
        life.asks("SELECT count(*) FROM (SELECT object FROM message WHERE kind = 'PROBLEM' GROUP BY object, problem, contact HAVING count(*) > 1)", 0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn one_problem_has_one_ticket_whatever_happens(acts in vec((wait(), act()), 1..60)) {
        let inventory = inventory();
        let mut life = Life::begin(&inventory, true);
        let (mut seen, mut second) = (Seen::default(), 0);
        for (wait, act) in acts {
            second += wait;
            life.wait_until(second);
            match input(&act, life.now) {
                Some(input) => life.step(input),
                None => life.restart(&inventory),
            }
            let events = std::mem::take(&mut life.events);
            seen.look(&events, &life)?;
        }
    }
}
