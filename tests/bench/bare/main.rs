//! The bare limits of this machine, and the target that everybody is measured at: small programs without a daemon
//! around them. `tests/bench/run.py` starts them and reads one line of JSON; nothing here is a check of vigia's.

mod connect;
mod engine;
mod listen;
#[path = "../site.rs"]
mod site;
mod spawn;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

const USAGE: &str = "usage: bare listen PORT | connect PORT HOSTS SECONDS IN_FLIGHT | spawn SECONDS IN_FLIGHT PROGRAM \
                     ARGUMENT… | engine HOSTS SERVICES_EACH ROUNDS CHANGES_PER_CENT";

fn main() -> ExitCode {
    // Cargo adds `--bench` to whatever it runs.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match *words.as_slice() {
        // `cargo bench` runs all benches; this one has nothing to say of its own.
        [] => Ok(()),
        ["listen", port] => number(port).and_then(listen::run),
        ["connect", port, hosts, seconds, in_flight] => connect(port, hosts, seconds, in_flight),
        ["spawn", seconds, in_flight, ref command @ ..] if !command.is_empty() => {
            spawn(seconds, in_flight, command)
        }
        ["engine", hosts, services, rounds, changes] => engine(hosts, services, rounds, changes),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_wrong(&*error);
            ExitCode::FAILURE
        }
    }
}

type Answer = Result<(), Box<dyn Error>>;

fn connect(port: &str, hosts: &str, seconds: &str, in_flight: &str) -> Answer {
    connect::run(number(port)?, number(hosts)?, Duration::from_secs(number(seconds)?), number(in_flight)?)
}

fn spawn(seconds: &str, in_flight: &str, command: &[&str]) -> Answer {
    spawn::run(Duration::from_secs(number(seconds)?), number(in_flight)?, command)
}

fn engine(hosts: &str, services: &str, rounds: &str, changes: &str) -> Answer {
    engine::run(
        &engine::Size { hosts: number(hosts)?, services: number(services)? },
        number(rounds)?,
        number(changes)?,
    )
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Box<dyn Error>> {
    text.parse().map_err(|_not_one| format!("`{text}` is not a number that fits\n{USAGE}").into())
}

/// CPU of this process, or of its children that have ended.
fn cpu_seconds(whose: UsageWho) -> Result<f64, Box<dyn Error>> {
    let used = getrusage(whose)?;
    Ok(seconds(used.user_time()) + seconds(used.system_time()))
}

fn seconds(time: TimeVal) -> f64 {
    Duration::new(u64::try_from(time.tv_sec()).unwrap_or(0), 0).as_secs_f64()
        + f64::from(i32::try_from(time.tv_usec()).unwrap_or(0)) / 1e6
}

#[expect(clippy::print_stdout, reason = "the one line that the caller reads")]
fn say(line: &serde_json::Value) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn say_wrong(error: &dyn Error) {
    eprintln!("bare: {error}");
}
