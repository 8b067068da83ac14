//! Random timelines of the real engine, put away and taken up again through the file at any step: what goes on
//! afterwards is what would have gone on without it.

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use vigia_core::engine::{Engine, Input};
use vigia_core::model::acknowledgement::Until;
use vigia_core::model::check::{CheckResult, Source, Verdict};
use vigia_core::model::downtime::DowntimeKind;
use vigia_core::model::id::{CommentId, DowntimeId};
use vigia_core::model::operation::{HowToNotify, Switch};
use vigia_core::model::period::PeriodId;
use vigia_core::model::policy::{FlapPolicy, StateSet};
use vigia_core::model::rule::{Rule, RuleSource, RuleStates, Tri, When};
use vigia_core::model::selector::Selection;

use super::*;
use crate::fixture::contact;
use crate::store::status::Saved;

const OBJECTS: [&str; 4] = ["db01", "web01", "web01/HTTP", "web01/SSH"];

#[derive(Clone, Debug)]
enum Act {
    Result { object: usize, code: i32 },
    Order { object: usize, which: u8, number: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let object = || 0..OBJECTS.len();
    prop_oneof![
        3 => (object(), prop_oneof![1 => Just(0), 2 => 1..4]).prop_map(|(object, code)| Act::Result { object, code }),
        2 => (object(), 0..9_u8, 1..900_u64).prop_map(|(object, which, number)| Act::Order { object, which, number }),
    ]
}

/// Tells `boss` and runs something, again and again.
pub(super) fn page() -> Rule {
    let states = RuleStates { hosts: StateSet::NONE.with(1), services: StateSet::NONE.with(1).with(2) };
    Rule {
        name: "page".into(),
        when: When {
            sources: vec![RuleSource::Availability],
            only: Selection::everything(),
            states,
            hard: false,
            lasting: Duration::from_secs(30),
            period: PeriodId::ALWAYS,
            severity: 0,
            in_downtime: Tri::Off,
            acknowledged: Tri::Off,
            flapping: Tri::Any,
            anomaly: Vec::new(),
            text: None,
        },
        ticket: None,
        notify: vec!["boss".into()],
        webhook: None,
        run: Some(vec!["/bin/page".to_owned()]),
        repeat: Some(Duration::from_secs(400)),
        label: Some("paged".into()),
        suppress: false,
        priority: 0,
    }
}

fn inventory() -> Arc<Inventory> {
    let mut made = Arc::into_inner(world(&[("db01", &[]), ("web01", &["HTTP", "SSH"])]).inventory).unwrap();
    let policy = Policy {
        max_check_attempts: 2,
        notification_interval: Duration::from_secs(300),
        flapping: FlapPolicy { enabled: true, low: 20.0, high: 30.0, states: StateSet::ALL },
        ..Policy::clone(&policy())
    };
    let policy = Arc::new(policy);
    made.services.iter_mut().for_each(|service| service.policy = Arc::clone(&policy));
    let check = |stale| {
        Arc::new(Check { kind: "passive", method: CheckMethod::Passive { stale }, timeout: Duration::ZERO })
    };
    made.hosts
        .iter_mut()
        .for_each(|host| (host.policy, host.check) = (Arc::clone(&policy), check(State::Critical)));
    made.services.iter_mut().for_each(|service| service.check = check(State::Critical));
    made.contacts = vec![contact("ana"), contact("boss")];
    made.rules = vec![page()];
    Arc::new(made)
}

fn operation(object: usize, which: u8, number: u64, now: Timestamp) -> Operation {
    let subject = ObjectKey::parse(OBJECTS[object]);
    let later = now.after(Duration::from_secs(number));
    let until = Until::ALL[usize::try_from(number % 3).unwrap()];
    match which {
        0 | 1 => Operation::Acknowledge {
            subject,
            comment: "on it".into(),
            until,
            notify: true,
            keeps_comment: which == 1,
            expires: (number.is_multiple_of(2)).then_some(later),
        },
        2 => Operation::RemoveAcknowledgement { subject },
        3 => Operation::AddComment { subject, text: "seen\n\"so\"".into() },
        4 => Operation::DeleteComment { id: CommentId(number % 5) },
        5 => Operation::ScheduleDowntime {
            subject,
            start: now.after(Duration::from_secs(number / 4)),
            end: now.after(Duration::from_secs(number + 600)),
            kind: if number.is_multiple_of(2) {
                DowntimeKind::Fixed
            } else {
                DowntimeKind::Flexible(Duration::from_secs(200))
            },
            comment: "planned".into(),
            triggered_by: None,
        },
        6 => Operation::CancelDowntime { id: DowntimeId(number % 5) },
        7 => Operation::Notify { subject, text: "listen".into(), how: HowToNotify::default() },
        _ => Operation::Switch { subject, switch: Switch::Notifications(number.is_multiple_of(2)) },
    }
}

pub(super) struct Life {
    engine: Engine,
    pub(super) now: Timestamp,
    told: Vec<String>,
    pub(super) events: Vec<Event>,
    /// The file, for one that is put away.
    kept: Option<(Connection, Saved)>,
}

impl Life {
    pub(super) fn begin(inventory: &Arc<Inventory>, is_kept: bool) -> Self {
        let engine = Engine::new(Arc::clone(inventory), Restored::default(), at(0));
        let kept = is_kept.then(|| {
            let mut file = Connection::open_in_memory().unwrap();
            crate::store::schema::migrate(&mut file, Path::new("memory")).unwrap();
            (file, Saved::new(Arc::new(engine.world().clone())))
        });
        Self { engine, now: at(0), told: Vec::new(), events: Vec::new(), kept }
    }

    /// One input, and what follows from it into the file.
    pub(super) fn step(&mut self, input: Input) {
        let mut events = Vec::new();
        // A refusal is part of life.
        let _done = self.engine.step(input, self.now, &mut events);
        if let Some((file, saved)) = &mut self.kept {
            events.iter().for_each(|event| crate::store::events::write(file, event).unwrap());
            let fresh = saved.save(file, &Arc::new(self.engine.world().clone())).unwrap();
            saved.accept(fresh);
        }
        // How often a repetition is told is not kept.
        let is_said = |event: &&Event| !matches!(event.what, What::AlarmChanged(_));
        self.told.extend(events.iter().filter(is_said).map(|event| match &event.what {
            What::AlarmClosed(alarm) => format!("{}: alarm {} closed", event.at, alarm.id),
            _ => format!("{event:?}"),
        }));
        self.events.append(&mut events);
    }

    pub(super) fn wait_until(&mut self, second: i64) {
        while let Some(due) = self.engine.next_timer().filter(|due| *due <= at(second)) {
            self.now = due.max(self.now);
            self.step(Input::Tick);
        }
        self.now = at(second);
    }

    pub(super) fn restart(&mut self, inventory: &Arc<Inventory>) {
        let Some((file, _)) = &self.kept else { return };
        let restored = crate::store::restore::restore(file).unwrap();
        self.engine = Engine::new(Arc::clone(inventory), restored, self.now);
        let base = Arc::new(self.engine.world().clone());
        if let Some((_, saved)) = &mut self.kept {
            *saved = Saved::new(base);
        }
    }

    /// One number that the file answers with.
    pub(super) fn asks(&self, sql: &str, wanted: i64) -> Result<(), TestCaseError> {
        let Some((file, _)) = &self.kept else { return Ok(()) };
        let found: i64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
        prop_assert_eq!(found, wanted, "{}", sql);
        Ok(())
    }

    fn picture(&self) -> String {
        let world = self.engine.world();
        let mut records = world.records.clone();
        // Repetitions are counted in memory and put away once a minute at most.
        for alarm in Arc::make_mut(&mut records.alarms).values_mut() {
            let alarm = Arc::make_mut(alarm);
            (alarm.count, alarm.last) = (0, alarm.first);
        }
        format!("{:#?}\n{:#?}\n{records:#?}\n{:#?}", world.hosts, world.services, world.totals)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_life_through_the_file_is_the_life_without_it(
        acts in vec((1..400_i64, act(), any::<bool>()), 1..40),
    ) {
        let inventory = inventory();
        let (mut whole, mut kept) = (Life::begin(&inventory, false), Life::begin(&inventory, true));
        let mut second = 0;
        for (wait, act, restarts) in acts {
            second += wait;
            for life in [&mut whole, &mut kept] {
                life.wait_until(second);
                let now = life.now;
                life.step(match act {
                    Act::Result { object, code } => Input::Result(CheckResult {
                        key: ObjectKey::parse(OBJECTS[object]),
                        place: None,
                        verdict: Verdict::Exit(if OBJECTS[object].contains('/') { code } else { code.min(1) }),
                        output: Output::line("x | a=1"),
                        started: now,
                        finished: now,
                        latency: Duration::ZERO,
                        source: Source::Passive,
                    }),
                    Act::Order { object, which, number } => Input::Order(Order {
                        author: "ana".into(),
                        operation: operation(object, which, number, now),
                    }),
                });
            }
            if restarts {
                kept.restart(&inventory);
                for life in [&mut whole, &mut kept] {
                    life.step(Input::Tick);
                }
            }
            prop_assert_eq!(whole.picture(), kept.picture());
        }
        prop_assert_eq!(whole.told, kept.told);
    }
}
