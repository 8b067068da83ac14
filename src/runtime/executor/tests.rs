//! The executor in paused time: the test is the conductor, and how a check is made is a closure.

use tokio::sync::Notify;
use vigia_core::model::check::{Check, CheckMethod};
use vigia_core::model::id::{Checkable, ServiceId};
use vigia_core::model::time::Timestamp;

use super::*;

struct Bench {
    jobs: mpsc::Sender<Job>,
    results: mpsc::Receiver<Message>,
    limits: watch::Sender<Limits>,
    load: watch::Receiver<Load>,
    meters: Arc<Meters>,
    clock: Clock,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<usize>,
}

const GRACE: Duration = Duration::from_secs(10);

impl Bench {
    fn new(limits: Limits, look: Look) -> Self {
        let (jobs, job_receiver) = mpsc::channel(16);
        let (result_sender, results) = mpsc::channel(16);
        let (limits, limit_receiver) = watch::channel(limits);
        let (load_sender, load) = watch::channel(Load::default());
        let meters = Arc::new(Meters::new());
        let clock = Clock::starting_at(Timestamp::from_second(1000));
        let executor = Executor::new(Wiring {
            jobs: job_receiver,
            results: result_sender,
            limits: limit_receiver,
            load: load_sender,
            look,
            processes: Processes::default(),
            clock: clock.clone(),
            meters: meters.clone(),
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(executor.run(stop.clone(), GRACE));
        Self { jobs, results, limits, load, meters, clock, stop, running }
    }

    async fn due(&self, number: u32) {
        let method = CheckMethod::Passive { stale: State::Critical };
        let job = Job {
            object: Checkable::Service(ServiceId(number)),
            generation: 3,
            host: "web1".into(),
            service: Some(number.to_string().into()),
            address: "192.0.2.1".into(),
            check: Arc::new(Check { kind: "tcp", method, timeout: Duration::from_secs(10) }),
            due: self.clock.now(),
            is_host_check: false,
        };
        self.jobs.send(job).await.unwrap();
    }

    async fn result(&mut self) -> CheckResult {
        match self.results.recv().await.unwrap() {
            Message::Result(result) => result,
            other => panic!("{other:?}"),
        }
    }
}

fn limits(total: usize, per_host: usize) -> Limits {
    Limits { total, per_host, kinds: [].into() }
}

fn fine() -> Answer {
    Answer::new(Verdict::State(State::Ok), Output::line("fine"))
}

/// Every check takes a second.
fn a_second() -> Look {
    Arc::new(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fine()
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_result_says_when_it_was_due_when_it_ran_and_for_which_inventory() {
    let mut bench = Bench::new(limits(1, 9), a_second());
    bench.due(1).await;
    bench.due(2).await;
    let (first, second) = (bench.result().await, bench.result().await);
    assert_eq!(first.key.to_string(), "web1/1");
    assert_eq!(first.place, Some((Checkable::Service(ServiceId(1)), 3)));
    assert_eq!(
        (first.latency, first.finished.since(first.started)),
        (Duration::ZERO, Duration::from_secs(1))
    );
    // The second had to wait for the first.
    assert_eq!(second.latency, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_is_an_unknown_result_and_is_counted() {
    let look: Look = Arc::new(|job| {
        let is_first = job.object == Checkable::Service(ServiceId(1));
        Box::pin(async move {
            assert!(!is_first, "a mistake of ours");
            fine()
        })
    });
    let mut bench = Bench::new(limits(1, 1), look);
    bench.due(1).await;
    let result = bench.result().await;
    assert_eq!(result.verdict, Verdict::State(State::Unknown));
    assert!(result.output.text.contains("a mistake of ours"), "{}", result.output.text);
    assert_eq!(bench.meters.check_panics.get(), 1);
    // Its place is free again.
    bench.due(2).await;
    assert_eq!(bench.result().await.verdict, Verdict::State(State::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_answers_is_ended_after_its_deadline() {
    let look: Look = Arc::new(|_| Box::pin(std::future::pending()));
    let mut bench = Bench::new(limits(1, 1), look);
    bench.due(1).await;
    let result = bench.result().await;
    assert_eq!(result.verdict, Verdict::TimedOut);
    assert!(result.finished.since(result.started) >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn limits_that_a_reload_changes_are_in_effect_at_once() {
    let mut bench = Bench::new(limits(1, 9), a_second());
    for number in 0..3 {
        bench.due(number).await;
    }
    bench.result().await;
    bench.limits.send(limits(9, 9)).unwrap();
    let (second, third) = (bench.result().await, bench.result().await);
    assert_eq!(second.finished.since(third.finished), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_overload_is_told_with_its_kind() {
    let gate = Arc::new(Notify::new());
    let look: Look = {
        let gate = gate.clone();
        Arc::new(move |_| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.notified().await;
                fine()
            })
        })
    };
    let mut bench = Bench::new(limits(1, 9), look);
    bench.due(1).await;
    bench.due(2).await;
    let load = bench.load.wait_for(|load| !load.overloads.is_empty()).await.unwrap().clone();
    assert_eq!((load.running, load.waiting), (1, 1));
    assert_eq!(load.overloads.first().map(|overload| overload.kind), Some("tcp"));
    gate.notify_one();
    bench.load.wait_for(|load| load.overloads.is_empty()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_what_runs_and_not_for_ever() {
    let mut bench = Bench::new(limits(9, 9), a_second());
    bench.due(1).await;
    bench.stop.cancel();
    // It may have been stopped before it took the job.
    let unfinished = bench.running.await.unwrap();
    assert_eq!(unfinished, 0);

    let look: Look = Arc::new(|_| Box::pin(std::future::pending()));
    bench = Bench::new(limits(9, 9), look);
    bench.due(1).await;
    bench.load.wait_for(|load| load.running == 1).await.unwrap();
    bench.stop.cancel();
    // The check's own deadline with its overtime lies beyond the grace.
    assert_eq!(bench.running.await.unwrap(), 1);
}

/// The first check leaves a plugin behind that is gone when the sender is dropped; others are fine.
fn leaving_behind() -> (Look, tokio::sync::oneshot::Sender<()>) {
    let (leftover, end) = Leftover::pretend();
    let leftover = std::sync::Mutex::new(Some(leftover));
    let look: Look = Arc::new(move |_| {
        let leftover = leftover.lock().unwrap().take();
        Box::pin(async move { Answer { leftover, ..fine() } })
    });
    (look, end)
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_due_while_its_last_plugin_is_ended_waits_for_that() {
    let (look, end) = leaving_behind();
    let mut bench = Bench::new(limits(9, 9), look);
    bench.due(1).await;
    bench.result().await;
    bench.load.wait_for(|load| load.parked == 1).await.unwrap();
    bench.due(1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bench.results.try_recv().is_err(), "it waits");
    drop(end);
    assert_eq!(&*bench.result().await.output.text, "fine");
    bench.load.wait_for(|load| load.parked == 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_last_plugin_does_not_go_away_says_so() {
    let (look, end) = leaving_behind();
    let mut bench = Bench::new(limits(9, 9), look);
    bench.due(1).await;
    bench.result().await;
    bench.load.wait_for(|load| load.parked == 1).await.unwrap();
    bench.due(1).await;
    let refused = bench.result().await;
    assert_eq!(refused.verdict, Verdict::TimedOut);
    assert!(refused.output.text.contains("not started again"), "{}", refused.output.text);
    assert!(refused.finished.since(Timestamp::from_second(1000)) >= ENDING);
    drop(end);
}
