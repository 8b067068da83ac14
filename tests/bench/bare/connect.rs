//! The bare connect-and-close loop: what TCP checks would cost if there were nothing but the connection.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;
use serde_json::json;
use tokio::net::TcpStream;

use crate::{Answer, cpu_seconds, say};

pub(crate) fn run(port: u16, hosts: u16, length: Duration, in_flight: u16) -> Answer {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let begun = Instant::now();
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    runtime.block_on(async {
        let mut loops = tokio::task::JoinSet::new();
        for first in 0..in_flight {
            loops.spawn(one_after_the_other(port, (first, in_flight, hosts), begun + length, counts.clone()));
        }
        loops.join_all().await;
    });
    let [made, failed] = &*counts;
    say(&json!({
        "count": made.load(Ordering::Relaxed),
        "failed": failed.load(Ordering::Relaxed),
        "wall_s": begun.elapsed().as_secs_f64(),
        "cpu_s": cpu_seconds(UsageWho::RUSAGE_SELF)?,
    }));
    Ok(())
}

async fn one_after_the_other(
    port: u16,
    (first, step, hosts): (u16, u16, u16),
    until: Instant,
    counts: Arc<[AtomicU64; 2]>,
) {
    let [made, failed] = &*counts;
    let mut number = u32::from(first);
    while Instant::now() < until {
        let peer = SocketAddr::V4(SocketAddrV4::new(host(number % u32::from(hosts)), port));
        let counter = if TcpStream::connect(peer).await.is_ok() { made } else { failed };
        counter.fetch_add(1, Ordering::Relaxed);
        number = number.wrapping_add(u32::from(step));
    }
}

/// As in the configurations that the bench writes: `127.1.0.1` and on, so that there are local ports enough.
fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number)
}
