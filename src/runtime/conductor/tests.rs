//! The conductor in paused time: the test is the executor, the store and the doors.

use tokio::task::JoinHandle;
use vigia_core::engine::world::Restored;
use vigia_core::model::check::{Output, Source, Verdict};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::operation::Operation;
use vigia_core::model::state::State;

use super::super::fixture;
use super::super::snapshot::{Ends, Handle};
use super::*;

struct Bench {
    handle: Handle,
    inbox: mpsc::Sender<Message>,
    jobs: Option<mpsc::Receiver<Job>>,
    batches: mpsc::Receiver<Batch>,
    clock: Clock,
    stop: CancellationToken,
    running: JoinHandle<Arc<World>>,
}

impl Bench {
    fn new(services: u32, room: usize) -> Self {
        let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000));
        let engine = Engine::new(fixture::inventory(services), Restored::default(), clock.now());
        let (inbox, inbox_receiver) = mpsc::channel(64);
        let (job_sender, jobs) = mpsc::channel(room);
        let (batch_sender, batches) = mpsc::channel(1);
        let (world_sender, worlds) = watch::channel(Arc::new(engine.world().clone()));
        let (event_sender, _) = broadcast::channel(16);
        let (_, load) = watch::channel(super::super::executor::Load::default());
        let meters = Arc::new(Meters::new());
        let conductor = Conductor::new(
            engine,
            Wiring {
                inbox: inbox_receiver,
                jobs: job_sender,
                batches: batch_sender,
                worlds: world_sender,
                events: event_sender.clone(),
                clock: clock.clone(),
                meters: meters.clone(),
            },
        );
        let started = clock.now();
        let (reloads, _) = mpsc::channel(1);
        let (_, config) = watch::channel(fixture::config_health());
        let handle = Handle::new(Ends {
            inbox: inbox.clone(),
            worlds,
            events: event_sender,
            load,
            reloads,
            config,
            meters,
            clock: clock.clone(),
            started,
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(conductor.run(stop.clone()));
        Self { handle, inbox, jobs: Some(jobs), batches, clock, stop, running }
    }

    /// Takes what the store would take, and answers the orders.
    fn store(&mut self) -> JoinHandle<usize> {
        let (_, closed) = mpsc::channel(1);
        let mut batches = std::mem::replace(&mut self.batches, closed);
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(batch) = batches.recv().await {
                count += 1;
                batch.orders.into_iter().for_each(|kept| (kept.answer)(Ok(())));
            }
            count
        })
    }

    async fn job(&mut self) -> Job {
        self.jobs.as_mut().unwrap().recv().await.unwrap()
    }

    async fn answer(&self, job: &Job, state: State) {
        let now = self.clock.now();
        let result = CheckResult {
            key: job.key(),
            place: Some((job.object, job.generation)),
            verdict: Verdict::State(state),
            output: Output::line("said"),
            started: now,
            finished: now,
            latency: Duration::ZERO,
            source: Source::Active,
        };
        self.inbox.send(Message::Result(result)).await.unwrap();
    }
}

fn comment(text: &str) -> Order {
    let subject = ObjectKey::service("web1", "s00000");
    Order { author: "ana".into(), operation: Operation::AddComment { subject, text: text.into() } }
}

#[tokio::test(start_paused = true)]
async fn a_failing_service_is_retried_sooner() {
    let mut bench = Bench::new(1, 4);
    bench.store();
    let mut when = Vec::new();
    for _ in 0..4 {
        let job = bench.job().await;
        when.push(bench.clock.now());
        bench.answer(&job, State::Critical).await;
    }
    let waits: Vec<u64> = when
        .iter()
        .zip(when.iter().skip(1))
        .map(|(earlier, later)| later.since(*earlier).as_secs())
        .collect();
    assert_eq!(waits, [30, 30, 300]);
}

#[tokio::test(start_paused = true)]
async fn results_flow_in_while_the_executor_has_no_room() {
    let mut bench = Bench::new(50, 1);
    bench.store();
    let job = bench.job().await;
    // Room for one more, and nobody takes it: what is due waits.
    tokio::time::sleep(Duration::from_secs(400)).await;
    bench.answer(&job, State::Warning).await;
    let mut worlds = bench.handle.worlds();
    let seen = worlds.wait_for(|world| world.services.iter().any(|status| status.state() == State::Warning));
    seen.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_order_is_answered_when_it_is_on_the_disk_and_not_before() {
    let mut bench = Bench::new(1, 4);
    let handle = bench.handle.clone();
    let order = tokio::spawn(async move { handle.order(comment("on it")).await });
    let batch = loop {
        let batch = bench.batches.recv().await.unwrap();
        if !batch.orders.is_empty() {
            break batch;
        }
    };
    // It is in effect, and shown; nobody has been told that it is saved.
    assert_eq!(bench.handle.world().records.comments.len(), 1);
    assert!(!order.is_finished());
    batch.orders.into_iter().for_each(|kept| (kept.answer)(Ok(())));
    let done = order.await.unwrap().unwrap();
    assert_eq!(done.events.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_refused_needs_no_disk() {
    let mut bench = Bench::new(1, 4);
    bench.store();
    let subject = ObjectKey::host("nobody");
    let order = Order {
        author: "ana".into(),
        operation: Operation::RemoveAcknowledgement { subject: subject.clone() },
    };
    assert_eq!(
        bench.handle.order(order).await.unwrap_err(),
        NotDone::Refused(Refusal::UnknownObject(subject))
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_is_told_to_whoever_ordered() {
    let mut bench = Bench::new(1, 4);
    let mut batches = std::mem::replace(&mut bench.batches, mpsc::channel(1).1);
    tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            batch.orders.into_iter().for_each(|kept| (kept.answer)(Err("disk full".into())));
        }
    });
    assert_eq!(bench.handle.order(comment("x")).await.unwrap_err(), NotDone::NotKept("disk full".into()));
}

#[tokio::test(start_paused = true)]
async fn worlds_are_published_at_most_ten_times_a_second() {
    let mut bench = Bench::new(200, 200);
    let store = bench.store();
    let started = bench.clock.now();
    for _ in 0..200 {
        let job = bench.job().await;
        bench.answer(&job, State::Ok).await;
    }
    let seconds = bench.clock.now().since(started).as_secs() + 1;
    drop(bench.jobs.take());
    bench.stop.cancel();
    bench.running.await.unwrap();
    drop(bench.inbox);
    let publications = u64::try_from(store.await.unwrap()).unwrap();
    assert!(publications <= seconds * 10 + 2, "{publications} in {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_before_the_end_is_folded_in() {
    let mut bench = Bench::new(1, 4);
    bench.store();
    let job = bench.job().await;
    bench.answer(&job, State::Critical).await;
    bench.stop.cancel();
    let world = bench.running.await.unwrap();
    assert!(world.services.iter().all(|status| status.state() == State::Critical));
    // And whoever comes later is told.
    assert_eq!(bench.handle.order(comment("late")).await.unwrap_err(), NotDone::Stopping);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_result_in_flight() {
    let mut bench = Bench::new(2, 4);
    bench.store();
    let job = bench.job().await;
    let mut next = fixture::inventory(3);
    Arc::get_mut(&mut next).unwrap().generation = 1;
    let (answer, answered) = oneshot::channel();
    bench.inbox.send(Message::Reload(next, answer)).await.unwrap();
    answered.await.unwrap();
    bench.answer(&job, State::Critical).await;
    let mut worlds = bench.handle.worlds();
    let seen = worlds.wait_for(|world| world.services.iter().any(|status| status.state() == State::Critical));
    assert_eq!(seen.await.unwrap().services.len(), 3);
}
