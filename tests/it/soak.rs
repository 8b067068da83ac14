//! Weeks in minutes: the whole daemon in a process of its own, in a time that goes as fast as the work is done. Checks are real
//! connections, plugins real processes, the store is a file, the configuration is edited every hour, people look and order.
//! Memory, descriptors and processes are counted each hour, and none of them may grow.
//!
//! An hour in the ordinary run; 24 days in `make test-long`, which prints the slope. Time is tokio's in its paused form: it
//! jumps to the next timer whenever nothing is left to do, and stands still while somebody holds it ([`Still`]).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, raise};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::spawn_blocking;
use vigia::app::{self, Options};
use vigia::os::clock::Clock;
use vigia_core::model::time::Timestamp;

use crate::support::http::exchange;

const HOSTS: u64 = 250;
const PER_HOST: u64 = 20;
const HOUR: Duration = Duration::from_secs(3600);
const BEGIN: i64 = 1_800_000_000;
/// One service of so many is a plugin: a process each time.
const PLUGIN_EACH: u64 = 500;
/// Where this is set, the life is lived there.
const FOLDER: &str = "VIGIA_SOAK_FOLDER";

fn hours() -> u64 {
    std::env::var("VIGIA_TEST_SOAK_HOURS").ok().and_then(|hours| hours.parse().ok()).unwrap_or(1)
}

/// Ports of this machine that checks look at.
struct Ports {
    /// Always open.
    open: u16,
    /// Open and closed by turns.
    moody: u16,
    /// Takes messages.
    hook: u16,
}

/// All services, and one more or less by the hour, so that each reload adds, removes and changes something.
fn site(ports: &Ports, hour: u64) -> String {
    let mut text = format!(
        "log: {{level: error}}
defaults: {{check_interval: 10m, retry_interval: 1m, max_check_attempts: 2, timeout: 1m, contacts: [ops]}}
contacts: {{ops: {{webhook: {{url: \"http://127.0.0.1:{}/\"}}, rate_limit: off}}}}
rules: {{tickets: {{when: {{states: [critical], hard: true, lasting: 5m}}, ticket: {{type: Availability}}}}}}
self_monitoring: {{host: on}}
hosts:
",
        ports.hook
    );
    for host in 0..HOSTS {
        let address = format!("127.1.{}.1", host % 250);
        text.push_str(&format!("  h{host:03}:\n    address: {address}\n    check: off\n    services:\n"));
        for service in 0..PER_HOST {
            let number = host * PER_HOST + service;
            // One that comes and goes.
            if number == hour % 7 {
                continue;
            }
            let check = match number {
                n if n % PLUGIN_EACH == 0 => "plugin: [/bin/sh, -c, \"echo fine; true\"]".to_owned(),
                n if n % 100 == 1 => format!("tcp: {}", ports.moody),
                _ => format!("tcp: {}", ports.open),
            };
            let attempts = 2 + (hour + number) % 2;
            text.push_str(&format!("      s{service:02}: {{{check}, max_check_attempts: {attempts}}}\n"));
        }
    }
    text
}

/// A port that accepts and forgets, on a thread of its own, until it is told to close.
struct Port {
    number: u16,
    close: Option<mpsc::Sender<()>>,
}

impl Port {
    fn open(number: u16) -> Self {
        let listener = std::net::TcpListener::bind(("0.0.0.0", number)).expect("a port");
        let number = listener.local_addr().expect("bound").port();
        let (close, closed) = mpsc::channel();
        std::thread::spawn(move || {
            for visit in listener.incoming() {
                drop(visit);
                if matches!(closed.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                    return;
                }
            }
        });
        Self { number, close: Some(close) }
    }

    fn close(&mut self) {
        if self.close.take().is_some() {
            // It notices with its next guest.
            drop(std::net::TcpStream::connect(("127.0.0.1", self.number)));
        }
    }
}

/// Answers every request with 200 and forgets it.
async fn hook() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                    stream.write_all(answer).await.ok();
                    // Whoever closes with something unread resets the connection.
                    let _rest = stream.read(&mut request).await.is_ok();
                }
            });
        }
    });
    port
}

/// Time stands still while this lives: real work, of a disk or of a process, takes none of it.
struct Still(#[expect(dead_code, reason = "its end is what is told")] mpsc::Sender<()>);

impl Still {
    fn stand() -> Self {
        let (until, told) = mpsc::channel::<()>();
        spawn_blocking(move || told.recv().is_ok());
        Self(until)
    }
}

/// Lets real time pass while the other one stands.
async fn a_moment() {
    spawn_blocking(|| std::thread::sleep(Duration::from_millis(2))).await.expect("it sleeps");
}

/// What must not grow; the database, which grows with history until it is pruned, for comparison.
#[derive(Clone, Copy, Debug)]
struct Sample {
    hour: u64,
    anonymous_kb: u64,
    descriptors: usize,
    /// Alive or not yet collected.
    children: usize,
    database_kb: u64,
}

impl Sample {
    fn now(hour: u64, state: &Path) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says it");
        let anonymous_kb = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("it is there").count();
        let database_kb = std::fs::metadata(state.join("vigia.db")).map_or(0, |file| file.len() / 1024);
        Self { hour, anonymous_kb, descriptors, children: children(), database_kb }
    }
}

fn children() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let of =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.map(|task| of(task).split_whitespace().count()).sum()
}

struct Driver {
    folder: PathBuf,
    ports: Ports,
    moody: Port,
}

impl Driver {
    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let socket = self.folder.join("state/control.sock");
        let stream = UnixStream::connect(socket).await.expect("the control socket");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        exchange(stream, method, path, "localhost", &body).await
    }

    async fn get(&self, path: &str) -> String {
        let (status, text) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// One hour: a port that closes for a quarter of it, an edit, looks and orders; then the count.
    async fn hour(&mut self, hour: u64) -> Sample {
        tokio::time::sleep(HOUR / 4).await;
        if hour % 6 == 1 {
            self.moody.close();
        }
        tokio::time::sleep(HOUR / 4).await;
        {
            let _still = Still::stand();
            self.people(hour).await;
        }
        if hour % 6 == 1 {
            self.moody = Port::open(self.ports.moody);
        }
        tokio::time::sleep(HOUR / 2).await;
        let _still = Still::stand();
        self.settle().await;
        Sample::now(hour, &self.folder.join("state"))
    }

    async fn people(&self, hour: u64) {
        std::fs::write(self.folder.join("etc/vigia.yaml"), site(&self.ports, hour)).expect("a file");
        let (status, report) = self.ask("POST", "/api/v1/reload", json!({})).await;
        assert_eq!(status, 200, "{report}");
        for path in ["/", "/services?state=critical", "/metrics", "/api/v1/status", "/hosts", "/tickets"] {
            self.get(path).await;
        }
        let subject = json!({"host": "h005", "service": "s01", "comment": "on it"});
        // Refused where nothing is wrong.
        self.ask("POST", "/api/v1/acknowledge", subject).await;
        let works = json!({"host": "h006", "comment": "works", "for": "10m"});
        let (status, answer) = self.ask("POST", "/api/v1/downtime", works).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Until nothing is under way: checks have ended, processes are collected, and the store has all of it.
    async fn settle(&self) {
        let give_up = Instant::now() + Duration::from_secs(60);
        let mut calm = 0;
        while calm < 5 {
            let before = std::fs::read_dir("/proc/self/fd").expect("it is there").count();
            a_moment().await;
            let after = std::fs::read_dir("/proc/self/fd").expect("it is there").count();
            calm = if children() == 0 && before == after { calm + 1 } else { 0 };
            assert!(Instant::now() < give_up, "{} processes are left", children());
        }
    }

    /// Time stands at the end of it: nobody's grace is over before the disk had its time.
    async fn live(mut self, hours: u64) -> (Vec<Sample>, Still) {
        while UnixStream::connect(self.folder.join("state/control.sock")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut samples = Vec::new();
        for hour in 0..hours {
            samples.push(self.hour(hour).await);
        }
        let metrics = self.get("/metrics").await;
        let number =
            |name: &str| metrics.lines().filter_map(|line| line.strip_prefix(name)).filter_map(last).sum();
        tell(&samples, number("vigia_checks_total"));
        assert!(metrics.contains("vigia_check_panics_total 0\n"), "{metrics}");
        let still = Still::stand();
        raise(Signal::SIGTERM).expect("to ourselves");
        (samples, still)
    }
}

fn last(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}

/// By least squares, in kB an hour.
fn slope(samples: &[Sample]) -> f64 {
    let points = || samples.iter().map(|sample| (sample.hour as f64, sample.anonymous_kb as f64));
    let count = samples.len() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (over, under) = points().fold((0.0, 0.0), |(over, under), point| {
        (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2))
    });
    if under == 0.0 { 0.0 } else { over / under }
}

#[expect(clippy::print_stdout, reason = "the figures, for whoever runs it with --nocapture")]
fn tell(samples: &[Sample], checks: f64) {
    for sample in samples.iter().step_by(samples.len().div_ceil(24).max(1)).chain(samples.last()) {
        let Sample { hour, anonymous_kb, descriptors, children, database_kb } = sample;
        println!(
            "hour {hour}: {anonymous_kb} kB, {descriptors} descriptors, {children} processes, {database_kb} kB of database"
        );
    }
    let half = samples.get(samples.len() / 2..).unwrap_or_default();
    println!(
        "{checks} checks in {} hours; memory of the second half {:+.1} kB a day",
        samples.len(),
        24.0 * slope(half)
    );
}

fn judge(samples: &[Sample]) {
    let (Some(early), Some(late)) = (samples.get(samples.len() / 4), samples.last()) else { return };
    assert_eq!(late.children, 0, "{late:?}");
    // Readers of the database are opened when they are needed, and kept.
    assert!(late.descriptors <= early.descriptors + 4, "{early:?} {late:?}");
    if samples.len() >= 24 * 8 {
        let half = samples.get(samples.len() / 2..).unwrap_or_default();
        let growth = slope(half) * 24.0 * 24.0;
        assert!(
            growth < late.anonymous_kb as f64 / 10.0,
            "24 days more would bring {growth:.0} kB: {late:?}"
        );
    }
}

/// By the test below, in a process of its own; by itself it does nothing.
#[test]
fn a_life_in_fast_time() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let samples = runtime.block_on(async {
        let (open, moody) = (Port::open(0), Port::open(0));
        let ports = Ports { open: open.number, moody: moody.number, hook: hook().await };
        std::fs::create_dir(folder.join("etc")).expect("a folder");
        std::fs::write(folder.join("etc/vigia.yaml"), site(&ports, 0)).expect("a file");
        let options = Options {
            config: folder.join("etc"),
            state_dir: folder.join("state"),
            listen: vec!["127.0.0.1:0".parse().expect("an address")],
            strict: true,
            accept_empty: false,
            clock: Clock::starting_at(Timestamp::from_second(BEGIN)),
        };
        let driver = Driver { folder, ports, moody };
        let mut report = std::io::stderr();
        let (ended, (samples, _still)) =
            tokio::join!(app::serve(&options, &mut report), driver.live(hours()));
        assert_eq!(ended.expect("it ran"), app::Ended::Asked);
        samples
    });
    runtime.shutdown_background();
    judge(&samples);
    assert_eq!(children(), 0);
}

#[test]
fn days_pass_and_neither_memory_nor_descriptors_nor_processes_pile_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let life = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", "soak::a_life_in_fast_time"])
        .env(FOLDER, folder.path())
        .status()
        .expect("it starts");
    assert!(life.success());
}
