//! Reloads as they run; the test is the conductor, and what loads is a closure.

use std::sync::Mutex;

use tokio::task::JoinHandle;

use super::super::fixture;
use super::*;

struct Bench {
    requests: mpsc::Sender<Request>,
    inbox: mpsc::Receiver<Message>,
    health: watch::Receiver<Arc<ConfigHealth>>,
    meters: Arc<Meters>,
    running: JoinHandle<()>,
    stop: CancellationToken,
}

impl Bench {
    fn new(outcomes: Vec<Result<Fresh, String>>) -> Self {
        let (requests, request_receiver) = mpsc::channel(4);
        let (inbox_sender, inbox) = mpsc::channel(4);
        let (health_sender, health) = watch::channel(fixture::config_health());
        let meters = Arc::new(Meters::new());
        let outcomes = Mutex::new(outcomes.into_iter());
        let reloader = Reloader::new(Wiring {
            requests: request_receiver,
            inbox: inbox_sender,
            health: health_sender,
            load: Arc::new(move |_| outcomes.lock().unwrap().next().unwrap()),
            watcher: None,
            clock: Clock::starting_at(Timestamp::from_second(2000)),
            meters: meters.clone(),
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(reloader.run(stop.clone()));
        Self { requests, inbox, health, meters, running, stop }
    }

    async fn ask(&self) -> oneshot::Receiver<ReloadReport> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { by: "test".into(), answer: Some(answer) }).await.unwrap();
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

fn good() -> Result<Fresh, String> {
    Ok(Fresh { inventory: fixture::inventory(2), findings: Findings::default() })
}

fn with_a_mistake() -> Result<Fresh, String> {
    let quarantined = Quarantined {
        kind: "service",
        name: "web1/HTTP".into(),
        is_last_good: true,
        path: "conf.d/web.yaml".into(),
        line: 3,
        message: "no such template".into(),
    };
    let findings = Findings { quarantine: vec![quarantined], ..Findings::default() };
    Ok(Fresh { inventory: fixture::inventory(2), findings })
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
