//! Reloads as they run; the test is the conductor, and what loads is a closure.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::super::fixture;
use super::*;

/// Of a load.
type Outcome = Result<(SharedInventory, Findings), String>;

struct Bench {
    requests: mpsc::Sender<Request>,
    inbox: mpsc::Receiver<Message>,
    health: watch::Receiver<Arc<ConfigHealth>>,
    meters: Arc<Meters>,
    /// Reloads that were told they are in effect.
    kept: Arc<AtomicUsize>,
    running: JoinHandle<()>,
    stop: CancellationToken,
}

impl Bench {
    fn new(outcomes: Vec<Outcome>) -> Self {
        let (requests, request_receiver) = mpsc::channel(4);
        let (inbox_sender, inbox) = mpsc::channel(4);
        let (health_sender, health) = watch::channel(fixture::config_health());
        let meters = Arc::new(Meters::new());
        let outcomes = Mutex::new(outcomes.into_iter());
        let kept = Arc::new(AtomicUsize::new(0));
        let keep = kept.clone();
        let reloader = Reloader::new(Wiring {
            requests: request_receiver,
            inbox: inbox_sender,
            health: health_sender,
            load: Arc::new(move |_, _| {
                let keep = keep.clone();
                let in_effect = Box::new(move || {
                    keep.fetch_add(1, Ordering::Relaxed);
                });
                let next = outcomes.lock().unwrap().next().unwrap();
                next.map(|(inventory, findings)| Fresh { inventory, findings, in_effect })
            }),
            watcher: None,
            clock: Clock::starting_at(Timestamp::from_second(2000)),
            meters: meters.clone(),
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(reloader.run(stop.clone()));
        Self { requests, inbox, health, meters, kept, running, stop }
    }

    async fn ask(&self) -> oneshot::Receiver<ReloadReport> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .send(Request { by: "test".into(), accept_empty: false, answer: Some(answer) })
            .await
            .unwrap();
        answered
    }

    /// The conductor's part.
    async fn take_over(&mut self, added: usize) {
        match self.inbox.recv().await.unwrap() {
            Message::Reload(inventory, answer) => {
                let (hosts, services) = (inventory.hosts.len(), inventory.services.len());
                let what = What::Reloaded { hosts, services, added, changed: 0, removed: 0 };
                answer.send(vec![Event { at: Timestamp::from_second(2000), what }]).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

fn good() -> Outcome {
    Ok((fixture::inventory(2), Findings::default()))
}

fn with_a_mistake() -> Outcome {
    let quarantined = Quarantined {
        kind: "service",
        name: "web1/HTTP".into(),
        is_last_good: true,
        path: "conf.d/web.yaml".into(),
        line: 3,
        message: "no such template".into(),
    };
    let findings = Findings { quarantine: vec![quarantined], ..Findings::default() };
    Ok((fixture::inventory(2), findings))
}

#[tokio::test]
async fn a_good_configuration_is_in_effect_when_it_is_reported() {
    let mut bench = Bench::new(vec![good()]);
    let report = bench.ask().await;
    bench.take_over(1).await;
    let report = report.await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.added, report.services, report.health.generation), (1, 2, 8));
    assert_eq!(bench.health.borrow().generation, 8);
    assert_eq!(bench.meters.reload_ok.get(), 1);
    bench.stop.cancel();
    bench.running.await.unwrap();
}

#[tokio::test]
async fn a_mistake_in_one_object_does_not_stop_the_rest_and_is_no_success() {
    let mut bench = Bench::new(vec![with_a_mistake()]);
    let report = bench.ask().await;
    bench.take_over(0).await;
    let report = report.await.unwrap();
    assert!(!report.is_complete());
    assert_eq!(report.health.clean_at, Some(Timestamp::from_second(1000)));
    assert_eq!((bench.meters.reload_ok.get(), bench.meters.quarantined.get()), (0, 1));
}

#[tokio::test]
async fn where_nothing_can_be_read_all_goes_on_as_it_was() {
    let mut bench = Bench::new(vec![Err("cannot read vigia.yaml".into()), good()]);
    let report = bench.ask().await.await.unwrap();
    assert_eq!(report.health.refused.as_deref(), Some("cannot read vigia.yaml"));
    // Nothing was handed over, and the generation in effect is still the old one.
    assert!(bench.inbox.try_recv().is_err());
    assert_eq!(report.health.generation, 7);
    // The next one heals it.
    let report = bench.ask().await;
    bench.take_over(0).await;
    assert!(report.await.unwrap().is_complete());
}

#[tokio::test]
async fn a_mistake_of_ours_in_reading_is_a_refusal_and_no_end() {
    let mut bench = Bench::new(vec![]);
    // The closure has nothing to give, and panics.
    let report = bench.ask().await.await.unwrap();
    assert!(report.health.refused.as_deref().is_some_and(|why| why.contains("mistake in vigia")));
    assert!(bench.inbox.try_recv().is_err());
}

#[tokio::test]
async fn what_is_kept_for_the_next_start_is_written_after_it_took_effect() {
    let mut bench = Bench::new(vec![good()]);
    let report = bench.ask().await;
    let Some(Message::Reload(_, answer)) = bench.inbox.recv().await else { panic!("it is handed over") };
    assert_eq!(bench.kept.load(Ordering::Relaxed), 0, "it was read, and nothing runs on it yet");
    answer.send(Vec::new()).unwrap();
    report.await.unwrap();
    assert_eq!(bench.kept.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn outcomes_are_counted_apart_and_a_refusal_takes_no_part_in_the_mean_time() {
    let mut bench = Bench::new(vec![Err("no".into()), with_a_mistake(), good()]);
    bench.ask().await.await.unwrap();
    for _ in 0..2 {
        let report = bench.ask().await;
        bench.take_over(0).await;
        report.await.unwrap();
    }
    for outcome in ["refused", "partial", "complete"] {
        assert_eq!(bench.meters.reloads.with_label_values(&[outcome]).get(), 1, "{outcome}");
    }
    assert_eq!(bench.meters.reload_duration.get_sample_count(), 2);
}
