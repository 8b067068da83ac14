//! The conductor in paused time: the test is the executor, the store and the doors.

use tokio::task::JoinHandle;
use vigia_core::engine::world::Restored;
use vigia_core::model::check::{Output, Source, Verdict};
use vigia_core::model::id::{HostId, ObjectKey};
use vigia_core::model::operation::Operation;
use vigia_core::model::state::State;

use super::super::fixture;
use super::super::snapshot::{Ends, Handle, Heads};
use super::*;

struct Bench {
    handle: Handle,
    inbox: mpsc::Sender<Message>,
    jobs: Option<mpsc::Receiver<Job>>,
    batches: mpsc::Receiver<Batch>,
    clock: Clock,
    store_silent: watch::Sender<Option<Timestamp>>,
    meters: Arc<Meters>,
    stop: CancellationToken,
    running: JoinHandle<Arc<World>>,
}

impl Bench {
    fn new(services: u32, room: usize) -> Self {
        Self::with(fixture::inventory(services), room)
    }

    fn with(inventory: SharedInventory, room: usize) -> Self {
        let (mut bench, conductor) = Self::idle(inventory, room);
        bench.running = tokio::spawn(conductor.run(bench.stop.clone()));
        bench
    }

    /// The conductor does not run: the test takes its steps.
    fn idle(inventory: SharedInventory, room: usize) -> (Self, Conductor) {
        let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000));
        let engine = Engine::new(inventory, Restored::default(), clock.now());
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
        let (silence_sender, store_silent) = watch::channel(None);
        let handle = Handle::new(Ends {
            inbox: inbox.clone(),
            worlds,
            events: event_sender,
            load,
            reloads,
            config,
            store_silent,
            heads: Heads(Box::new(|_id| Box::pin(std::future::ready(Ok(None))))),
            meters: meters.clone(),
            clock: clock.clone(),
            started,
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(std::future::pending());
        let (jobs, store_silent) = (Some(jobs), silence_sender);
        let bench = Self { handle, inbox, jobs, batches, clock, store_silent, meters, stop, running };
        (bench, conductor)
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

    fn result(&self, number: u32, state: State) -> CheckResult {
        let now = self.clock.now();
        CheckResult {
            key: ObjectKey::service("web1", format!("s{number:05}")),
            place: None,
            verdict: Verdict::State(state),
            output: Output::line("said"),
            started: now,
            finished: now,
            latency: Duration::ZERO,
            source: Source::Active,
        }
    }

    async fn answer(&self, job: &Job, state: State) {
        let place = Some((job.object, job.generation));
        let result = CheckResult { key: job.key(), place, ..self.result(0, state) };
        self.inbox.send(Message::Result(result)).await.unwrap();
    }

    /// Fails every check that is handed out, until none is for longer than any interval.
    async fn fail_checks_until_they_pause(&mut self) {
        let mut receiver = self.jobs.take().unwrap();
        while let Ok(Some(job)) = tokio::time::timeout(Duration::from_secs(600), receiver.recv()).await {
            let state = if self.clock.now().as_second() % 2 == 0 { State::Warning } else { State::Critical };
            self.answer(&job, state).await;
        }
        self.jobs = Some(receiver);
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

#[tokio::test(start_paused = true)]
async fn a_reload_is_answered_when_the_world_that_shows_it_is_published() {
    let (bench, mut conductor) = Bench::idle(fixture::inventory(2), 4);
    let (answer, mut answered) = oneshot::channel();
    conductor.fold(Message::Reload(fixture::inventory(3), answer), bench.clock.now());
    assert!(answered.try_recv().is_err(), "nobody can see it yet");
    conductor.publish();
    assert_eq!(answered.try_recv().unwrap().len(), 2);
    assert_eq!(bench.handle.world().services.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn results_handed_in_are_answered_when_they_are_shown() {
    let mut bench = Bench::new(2, 4);
    bench.store();
    bench.handle.order(comment("x")).await.unwrap();
    for state in [State::Critical, State::Warning, State::Unknown] {
        let refusals = bench.handle.submit(vec![bench.result(1, state)]).await.unwrap();
        assert_eq!(refusals, [None]);
        let world = bench.handle.world();
        assert!(world.services.iter().any(|status| status.state() == state), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_stops_neither_checks_nor_pages_and_loses_nothing() {
    let mut bench = Bench::new(1, 4);
    // Nobody takes a batch: not the first, which has room, and so none after it.
    for _ in 0..20 {
        let job = bench.job().await;
        bench.answer(&job, State::Critical).await;
    }
    let mut worlds = bench.handle.worlds();
    worlds.wait_for(|world| world.records.alarms.len() == 1).await.unwrap();
    let alive = bench.meters.conductor_alive.get();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(bench.meters.conductor_alive.get() >= alive + 119.0, "the watchdog would not have been fed");
    // The disk is back: at once, and in one piece, everything that waited.
    let first = bench.batches.recv().await.unwrap();
    let rest = bench.batches.recv().await.unwrap();
    let kinds =
        |batch: &Batch| batch.events.iter().map(|event| format!("{:?}", event.what)).collect::<String>();
    let all = kinds(&first) + &kinds(&rest);
    assert_eq!(all.matches("StateChanged").count(), 3, "{all}");
    assert_eq!(all.matches("AlarmOpened").count(), 1, "{all}");
    assert!(Arc::ptr_eq(&rest.world, &bench.handle.world()));
}

#[tokio::test(start_paused = true)]
async fn checks_pause_before_an_event_is_lost_and_go_on_by_themselves() {
    let mut bench = Bench::new(40, 4);
    bench.fail_checks_until_they_pause().await;
    assert_eq!(bench.meters.checks_paused.get(), 1);
    assert!(bench.meters.unsaved_events.get() >= 100);
    let refused = bench.handle.submit(vec![bench.result(1, State::Ok)]).await.unwrap_err();
    assert!(matches!(&refused, NotDone::Unavailable(text) if text.contains("events wait")), "{refused:?}");
    // However long it takes.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(bench.jobs.as_mut().unwrap().try_recv().is_err());
    bench.store();
    bench.job().await;
    assert_eq!((bench.meters.checks_paused.get(), bench.meters.unsaved_events.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_orders_while_the_disk_hangs_is_told_what_became_of_it() {
    let bench = Bench::new(1, 4);
    let told = bench.handle.order(comment("first")).await.unwrap_err();
    assert!(matches!(&told, NotDone::NotKept(text) if text.contains("not answered for 10 s")), "{told:?}");
    // From when it is known that the store is silent, nothing is begun.
    bench.store_silent.send_replace(Some(bench.clock.now().before(Duration::from_secs(12))));
    let told = bench.handle.order(comment("second")).await.unwrap_err();
    assert!(matches!(&told, NotDone::Unavailable(text) if text.contains("12 s")), "{told:?}");
    assert_eq!(bench.handle.world().records.comments.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_taken_as_up_is_published_without_any_other_input() {
    let mut inventory = fixture::inventory(0);
    Arc::get_mut(&mut inventory).unwrap().hosts[0].policy = Arc::new(fixture::policy());
    let (bench, mut conductor) = Bench::idle(inventory, 4);
    let jobs = conductor.wiring.jobs.clone();
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(301)).await;
        conductor.is_changed = false;
        conductor.hand_out(jobs.reserve().await.unwrap(), &jobs);
        assert!(conductor.is_changed, "it was looked at, and nobody would see it");
        conductor.publish();
    }
    let seen = bench.handle.world().host(HostId(0)).last_check.unwrap();
    assert!(bench.clock.now().since(seen) < Duration::from_secs(301));
}
