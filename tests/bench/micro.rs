//! Single parts, timed by themselves: `cargo bench --bench micro [FILTER]`. What they add up to is measured by
//! `make bench`; these say which part a change made slower.

mod site;

use std::fmt::Write as _;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use vigia::config::{Request, load};
use vigia::os::clock::Clock;
use vigia::store::{Accepted, Batch, Store};
use vigia_core::engine::world::World;
use vigia_core::engine::{Engine, Input};
use vigia_core::model::check::{CheckResult, Job};
use vigia_core::model::id::ObjectKey;
use vigia_core::model::operation::{Operation, Order};
use vigia_core::model::state::State;
use vigia_core::model::time::Timestamp;
use vigia_core::nagios::{output, perfdata};

const HOSTS: u32 = 1000;
const SERVICES: u32 = 10;
const MANY: u32 = HOSTS * SERVICES;
const PERFDATA: &str =
    "time=0.012345s;0.500000;2.000000;0.000000;10.000000 size=5123B;;;0 'disk /var'=81%;80:90;95;0;100";

fn main() {
    divan::main();
}

fn engine() -> Engine {
    site::engine(HOSTS, SERVICES)
}

/// Every service's check, handed out.
fn hand_out(engine: &mut Engine) -> (Vec<Job>, Timestamp) {
    let (mut jobs, mut now) = (Vec::new(), site::begin());
    while jobs.len() < MANY as usize {
        now = engine.next_due().expect("something is planned").max(now);
        match engine.take_due(now) {
            Some(job) => jobs.push(job),
            None => engine.step(Input::Tick, now, &mut Vec::new()).expect("a tick is taken"),
        }
    }
    (jobs, now)
}

fn fold(engine: &mut Engine, results: Vec<CheckResult>, now: Timestamp) {
    let mut events = Vec::new();
    for result in results {
        engine.step(Input::Result(result), now, &mut events).expect("an object that is there");
    }
}

/// One result of each service after the first ones.
#[divan::bench(sample_count = 20)]
fn engine_steps(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(MANY))
        .with_inputs(|| {
            let mut engine = engine();
            let (jobs, now) = hand_out(&mut engine);
            let results = jobs.iter().map(|job| site::result_of(job, State::Ok, now)).collect::<Vec<_>>();
            (engine, results, now)
        })
        .bench_values(|(mut engine, results, now)| {
            fold(&mut engine, results, now);
            engine
        });
}

#[divan::bench(sample_count = 20)]
fn scheduler_hands_out(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(MANY)).with_inputs(engine).bench_values(|mut engine| {
        let jobs = hand_out(&mut engine);
        (engine, jobs)
    });
}

#[divan::bench(sample_count = 20)]
fn config_loader(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "templates:\n  box:\n    check: off\n    services:\n".to_owned();
    for service in 0..SERVICES {
        writeln!(text, "      port-{service}: tcp:{}", 8000 + service).expect("memory takes all");
    }
    text.push_str("hosts:\n");
    for host in 0..HOSTS {
        writeln!(text, "  host-{host:06}: {{address: 127.1.0.1, use: box}}").expect("memory takes all");
    }
    std::fs::write(folder.path().join("vigia.yaml"), text).expect("room on the disk");
    let request = Request::new(&folder.path().join("vigia.yaml"), None);
    bencher.counter(ItemsCount::new(MANY)).bench(|| load(&request).expect("a main file"));
}

#[divan::bench]
fn perfdata_parser(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_str(PERFDATA)).bench(|| {
        perfdata::metrics(divan::black_box(PERFDATA)).flatten().filter_map(|metric| metric.value).sum::<f64>()
    });
}

#[divan::bench]
fn output_parser(bencher: Bencher<'_, '_>) {
    let printed = format!("DISK WARNING - /var is nearly full|{PERFDATA}\nand a second line\n");
    bencher
        .counter(BytesCount::of_str(&printed))
        .bench(|| output::parse(divan::black_box(printed.as_bytes())));
}

/// A store that runs, and the worlds it is given in turn: in each, every status is another.
struct Writing {
    runtime: Runtime,
    batches: mpsc::Sender<Batch>,
    worlds: Vec<Arc<World>>,
    turn: usize,
    _folder: tempfile::TempDir,
}

impl Writing {
    fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut engine = engine();
        let (jobs, now) = hand_out(&mut engine);
        let base = Arc::new(engine.world().clone());
        let opened = Store::open(&folder.path().join("vigia.db"), Clock::system()).expect("a new database");
        let running = opened.writer.start(Arc::clone(&base), mpsc::channel(64).0);
        fold(&mut engine, jobs.iter().map(|job| site::result_of(job, State::Ok, now)).collect(), now);
        let after = Arc::new(engine.world().clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self {
            runtime,
            batches: running.batches.clone(),
            worlds: vec![base, after],
            turn: 0,
            _folder: folder,
        }
    }

    /// One transaction, to the disk.
    fn write(&mut self) {
        self.turn += 1;
        let world = Arc::clone(&self.worlds[self.turn % self.worlds.len()]);
        let (told, answer) = oneshot::channel();
        let operation =
            Operation::AddComment { subject: ObjectKey::host("host-000000"), text: "seen".into() };
        let order = Order { author: "bench".into(), operation };
        let answer_to = Box::new(move |kept| told.send(kept).expect("we wait"));
        let orders = vec![Accepted { at: site::begin(), order, answer: answer_to }];
        let batch = Batch { events: Arc::from([]), world, orders };
        self.batches.blocking_send(batch).expect("the writer runs");
        self.runtime.block_on(answer).expect("an answer").expect("it is on the disk");
    }
}

#[divan::bench(sample_count = 20)]
fn store_writer(bencher: Bencher<'_, '_>) {
    let mut writing = Writing::begin();
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| writing.write());
}
