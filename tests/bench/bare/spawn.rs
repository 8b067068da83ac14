//! The bare spawn loop: what plugins would cost if there were nothing but the plugin. The standard library starts
//! processes with `posix_spawn` where nothing special is asked for, as here.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;
use serde_json::json;

use crate::{Answer, cpu_seconds, say};

pub(crate) fn run(length: Duration, in_flight: u16, command: &[&str]) -> Answer {
    let [program, arguments @ ..] = command else { return Err("no program".into()) };
    let begun = Instant::now();
    let [ended, failed] = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..in_flight {
            scope.spawn(|| {
                while begun.elapsed() < length {
                    // Read as a plugin's output is read; a daemon cannot do less.
                    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
                    let is_good = output.is_ok_and(|output| output.status.success());
                    let counter = if is_good { &ended } else { &failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    say(&json!({
        "count": ended.load(Ordering::Relaxed),
        "failed": failed.load(Ordering::Relaxed),
        "wall_s": begun.elapsed().as_secs_f64(),
        "cpu_s": cpu_seconds(UsageWho::RUSAGE_SELF)? + cpu_seconds(UsageWho::RUSAGE_CHILDREN)?,
    }));
    Ok(())
}
