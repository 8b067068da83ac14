//! Statuses: all of each comes back, and only what differs is written.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use vigia_core::model::acknowledgement::{Acknowledgement, Lasts};
use vigia_core::model::check::Source;
use vigia_core::model::id::{ProblemId, SuppressionId};
use vigia_core::model::message::MessageKind;
use vigia_core::model::notification::{Act, Acts, Held, Hold, Told};
use vigia_core::model::state::Condition;
use vigia_core::model::status::{Millis, NotificationStatus, Switches};

use super::*;

fn a_time() -> impl Strategy<Value = Option<Timestamp>> {
    option::of(any::<i64>().prop_map(Timestamp::from_micros))
}

fn a_state<S: Condition>() -> impl Strategy<Value = S> {
    (0..S::ALL.len()).prop_map(|at| S::ALL[at])
}

fn lasts() -> impl Strategy<Value = Lasts> {
    prop_oneof![
        Just(Lasts::UntilChange),
        Just(Lasts::UntilRecovery),
        any::<u8>().prop_map(|than| Lasts::UntilWorse { than }),
    ]
}

fn an_acknowledgement() -> impl Strategy<Value = Acknowledgement> {
    (".*", ".*", any::<i64>(), lasts(), a_time()).prop_map(|(author, comment, at, lasts, expires)| {
        Acknowledgement {
            author: author.into(),
            comment: comment.into(),
            at: Timestamp::from_micros(at),
            lasts,
            expires,
        }
    })
}

fn switches() -> impl Strategy<Value = Switches> {
    let switch = || option::of(any::<bool>());
    (switch(), switch(), switch(), switch(), switch(), option::of(any::<u16>())).prop_map(
        |(
            active_checks,
            passive_checks,
            notifications,
            flap_detection,
            event_handler,
            max_check_attempts,
        )| {
            Switches {
                active_checks,
                passive_checks,
                notifications,
                flap_detection,
                event_handler,
                max_check_attempts,
            }
        },
    )
}

type Numbers = ((u32, u32), (u64, f32), (u32, u8, bool), u16);

/// Numbers of all sizes that a status holds.
fn numbers() -> impl Strategy<Value = Numbers> {
    (any::<(u32, u32)>(), (any::<u64>(), 0.0_f32..100.0), any::<(u32, u8, bool)>(), any::<u16>())
}

fn a_hold() -> impl Strategy<Value = Hold> {
    let about = "[a-z| \"]{1,9}";
    prop_oneof![
        Just(Hold::Acknowledged),
        a_time().prop_map(|opens| Hold::OutsidePeriod { opens }),
        any::<i64>().prop_map(|at| Hold::HostVerdict { until: Timestamp::from_micros(at) }),
        about.prop_map(|rule| Hold::Suppressed { rule: rule.into() }),
        (0..u64::MAX / 2).prop_map(|id| Hold::FalsePositive { suppression: SuppressionId(id) }),
        (about, about).prop_map(|(host, service)| {
            Hold::Dependency { on: ObjectKey::service(host.as_str(), service.as_str()) }
        }),
    ]
}

fn told_people() -> Vec<Told> {
    let one = |contact: &str, number, hears_of_end| Told { contact: contact.into(), number, hears_of_end };
    vec![one("ana \"the\" first", 1, true), one("ben", 7, false)]
}

fn done_by_rules() -> Acts {
    let one = |rule: &str, to: &str, at, times| Act { rule: rule.into(), to: to.into(), at, times };
    let at = Timestamp::from_micros(1_700_000_000_000_001);
    Acts { problem: ProblemId(7), acts: vec![one("dba \"hook\"", "/run", at, 2), one("tell", "ana", at, 0)] }
}

fn a_status<S: Condition>() -> impl Strategy<Value = Status<S>> {
    let states = (a_state::<S>(), a_state::<S>(), a_state::<S>(), any::<bool>(), 1..9_u16);
    let problems = (option::of(0..u64::MAX / 2), option::of(0..u64::MAX / 2));
    let texts = (".*", "(?s).*", ".*");
    (
        states,
        vec(any::<bool>(), 3),
        vec(a_time(), 11),
        texts,
        problems,
        option::of(an_acknowledgement()),
        switches(),
        (numbers(), any::<bool>(), option::of(a_hold())),
    )
        .prop_map(|(states, flags, times, texts, problems, acknowledgement, switches, telling)| {
            let (numbers, people, held) = telling;
            let (spans, flap, told, depth) = numbers;
            Status {
                standing: Standing {
                    state: states.0,
                    state_type: if states.3 { StateType::Hard } else { StateType::Soft },
                    attempt: states.4,
                },
                last_state: states.1,
                last_hard_state: states.2,
                has_been_checked: true,
                host_problem_at_last_check: flags[0],
                is_flapping: flags[1],
                source: if flags[2] { Source::Passive } else { Source::Active },
                switches,
                last_check: times[0],
                next_check: times[1],
                last_state_change: times[2],
                last_hard_state_change: times[3],
                last_time_in: [times[4], times[5], times[6], times[7]],
                latency: Millis::from_tenths(spans.0),
                execution_time: Millis::from_tenths(spans.1),
                output: Arc::new(Output {
                    text: texts.0.into(),
                    long: texts.1.into(),
                    perfdata: texts.2.into(),
                }),
                flap_history: flap.0,
                percent_state_change: flap.1,
                problem: problems.0.map(ProblemId),
                last_problem: problems.1.map(ProblemId),
                acknowledgement: acknowledgement.map(Arc::new),
                downtime_depth: depth,
                notification: NotificationStatus {
                    number: told.0,
                    last: times[8],
                    notified_on: told.1,
                    no_more: told.2,
                    next: times[9],
                    again: times[10],
                    told: people.then(|| Arc::new(told_people())),
                    acts: people.then(|| Arc::new(done_by_rules())),
                    held: held.map(|hold| Arc::new(Held { kind: MessageKind::Problem, hold })),
                },
            }
        })
}

/// Saves `after` over `before` in memory and reads all back.
fn saved(before: &Arc<World>, after: &Arc<World>) -> Restored {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::store::schema::migrate(&mut connection, Path::new("memory")).unwrap();
    crate::store::status::Saved::new(Arc::clone(before)).save(&connection, after).unwrap();
    crate::store::restore::restore(&connection).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_field_of_every_status_comes_back(
        host in a_status::<HostState>(),
        services in vec(a_status::<State>(), 2),
    ) {
        let before = world(&[("web01", &["HTTP", "SSH"])]);
        let mut after = before.clone();
        *after.hosts.get_mut(0) = host.clone();
        *after.services.get_mut(0) = services[0].clone();
        *after.services.get_mut(1) = services[1].clone();
        let restored = saved(&Arc::new(before), &Arc::new(after));
        let web = ObjectKey::host("web01");
        let key = |service: &str| ObjectKey::service("web01", service);
        prop_assert_eq!(restored.hosts, [(web, host)]);
        let services = [(key("HTTP"), services[0].clone()), (key("SSH"), services[1].clone())];
        prop_assert_eq!(restored.services, services);
    }
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP", "SSH"]), ("web02", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let rows = |running: &Running| running.store.health().borrow().statuses;
    *world.services.get_mut(1) = checked(State::Ok, "SSH OK", 1);
    running.publish(vec![], &world).await.unwrap();
    assert_eq!(rows(&running), 1);
    running.publish(vec![], &world).await.unwrap();
    assert_eq!(rows(&running), 1);
    // Touched and left as it was: the chunk is another one, the status is the same.
    *world.services.get_mut(2) = world.services.get(2).clone();
    running.publish(vec![], &world).await.unwrap();
    assert_eq!(rows(&running), 1);
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.services.len(), 1);
    assert_eq!(restored.services[0].0, ObjectKey::service("web01", "SSH"));
}

#[tokio::test]
async fn a_pending_object_with_a_switch_turned_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    world.services.get_mut(0).switches.notifications = Some(false);
    running.publish(vec![], &world).await.unwrap();
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.services[0].1.switches.notifications, Some(false));
    assert!(!restored.services[0].1.has_been_checked);
}

#[tokio::test]
async fn after_a_reload_objects_are_paired_by_name_and_the_unchanged_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = world(&[("web01", &["HTTP"]), ("web02", &["HTTP"])]);
    let running = start(folder.path(), before.clone());
    *before.services.get_mut(0) = checked(State::Ok, "one", 1);
    *before.services.get_mut(1) = checked(State::Critical, "two", 1);
    running.publish(vec![], &before).await.unwrap();
    // Now every place means something else, and one service has news.
    let mut after = world(&[("aaa", &["PING"]), ("web01", &["FTP", "HTTP"]), ("web02", &["HTTP"])]);
    *after.services.get_mut(2) = before.services.get(0).clone();
    *after.services.get_mut(3) = checked(State::Warning, "three", 2);
    running.publish(vec![], &after).await.unwrap();
    assert_eq!(running.store.health().borrow().statuses, 3);
    *after.services.get_mut(2) = checked(State::Ok, "four", 3);
    running.publish(vec![], &after).await.unwrap();
    running.writer.stop().await;
    let services = restore(folder.path()).services;
    let texts: Vec<(String, &str)> =
        services.iter().map(|(key, status)| (key.to_string(), &*status.output.text)).collect();
    assert_eq!(texts, [("web01/HTTP".to_owned(), "four"), ("web02/HTTP".to_owned(), "three")]);
}

#[tokio::test]
async fn counters_never_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &[])]);
    let running = start(folder.path(), world.clone());
    world.records.next.comment = 7;
    world.records.next.problem = 40;
    running.publish(vec![], &world).await.unwrap();
    running.writer.stop().await;
    let next = restore(folder.path()).next;
    assert_eq!((next.comment, next.problem, next.ticket), (7, 40, 1));
}
