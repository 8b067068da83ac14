//! What TCP checks are aimed at: takes connections on all addresses, counts them, and closes them again.
//!
//! Whoever asks writes a line to its standard input and gets what happened since the line before: how many, how
//! long nobody came at the longest, and how much CPU that took. So all contestants are counted in the same place.

use std::io::BufRead as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nix::sys::resource::UsageWho;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::{Answer, cpu_seconds, say};

/// Waiting for `accept`; a full queue would cost the others a second, the kernel's own wait before it tries again.
const QUEUE: i32 = 65_535;

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    /// Microseconds since the start.
    first: AtomicU64,
    last: AtomicU64,
    longest_gap: AtomicU64,
}

impl Seen {
    fn note(&self, at: u64) {
        let last = self.last.swap(at, Ordering::Relaxed);
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.first.store(at, Ordering::Relaxed);
        } else {
            self.longest_gap.fetch_max(at.saturating_sub(last), Ordering::Relaxed);
        }
    }
}

pub(crate) fn run(port: u16) -> Answer {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddr::from(([0, 0, 0, 0], port)).into())?;
    socket.listen(QUEUE)?;
    let port = socket.local_addr()?.as_socket().map(|address| address.port());
    say(&json!({ "port": port }));
    let begun = Instant::now();
    let seen: &'static Seen = Box::leak(Box::default());
    std::thread::spawn(move || {
        // One thread and blocking calls: what costs least, so that the contestants have the rest.
        while let Ok((peer, _)) = socket.accept() {
            drop(peer);
            seen.note(micros(begun));
        }
    });
    for line in std::io::stdin().lock().lines() {
        line?;
        let report = json!({
            "count": seen.count.swap(0, Ordering::Relaxed),
            "first_s": since(&seen.first),
            "longest_gap_ms": since(&seen.longest_gap) * 1e3,
            "at_s": begun.elapsed().as_secs_f64(),
            "cpu_s": cpu_seconds(UsageWho::RUSAGE_SELF)?,
        });
        say(&report);
    }
    Ok(())
}

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn since(cell: &AtomicU64) -> f64 {
    std::time::Duration::from_micros(cell.swap(0, Ordering::Relaxed)).as_secs_f64()
}
