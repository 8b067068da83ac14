//! TCP connects as probes: which ports of one host are open, at the pace of a template.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::timing::{Limits, RoundTrip};

/// What a knock at one port brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    Open,
    /// Refused: somebody is there, nobody listens.
    Closed,
    /// Nothing came back in time.
    Silent,
    /// Somebody on the way, or the kernel, says that there is no way.
    NoWay,
}

/// What all probes of a scan share: how many are under way, and how many may begin a second.
#[derive(Debug)]
pub(super) struct Pace {
    under_way: Semaphore,
    gap: Duration,
    next: Mutex<Instant>,
}

/// Gaps this short are not waited for one by one.
const SLACK: Duration = Duration::from_millis(5);

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let gap = limits.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { under_way: Semaphore::new(limits.probes), gap, next: Mutex::new(Instant::now()) }
    }

    /// Waits until one more probe may be sent; it counts as under way while the permit lives.
    pub(super) async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let permit = self.under_way.acquire().await.ok()?;
        if !self.gap.is_zero() {
            let at = {
                let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                // What was not used in the past is not made up for.
                *next = (*next).max(now.checked_sub(SLACK).unwrap_or(now)) + self.gap;
                *next
            };
            if at > Instant::now() + SLACK {
                sleep_until(at).await;
            }
        }
        Some(permit)
    }
}

/// Knocks once. What this machine lacks for the moment (ports, descriptors, memory) is waited for.
pub(super) async fn knock(at: SocketAddr, wait: Duration) -> Knock {
    for patience in [2, 10, 50, 200, 500] {
        match timeout(wait, TcpStream::connect(at)).await {
            Err(_elapsed) => return Knock::Silent,
            Ok(Ok(_stream)) => return Knock::Open,
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => return Knock::Closed,
                io::ErrorKind::TimedOut => return Knock::Silent,
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => return Knock::NoWay,
                _ if is_shortage(&error) => sleep(Duration::from_millis(patience)).await,
                _ => return Knock::NoWay,
            },
        }
    }
    Knock::Silent
}

fn is_shortage(error: &io::Error) -> bool {
    use nix::libc::{EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EADDRNOTAVAIL | EAGAIN | EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// The ports of one host.
pub(super) struct Host<'a> {
    pub(super) address: IpAddr,
    pub(super) limits: &'a Limits,
    pub(super) pace: &'a Arc<Pace>,
    pub(super) stop: &'a CancellationToken,
}

/// What a scan of a host's ports brought.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// In order.
    pub(super) open: Vec<u16>,
    pub(super) closed: usize,
    pub(super) silent: usize,
    /// Every port was asked.
    pub(super) is_complete: bool,
}

impl Host<'_> {
    /// Asks every port, and silent ones again as often as that has any use.
    pub(super) async fn ask(&self, ports: Vec<u16>) -> Asked {
        let trip = Mutex::new(RoundTrip::default());
        let deadline = self.limits.host_timeout.map(|most| Instant::now() + most);
        let mut asked = Asked { is_complete: true, ..Asked::default() };
        let mut to_ask = ports;
        for round in 0..=self.limits.retries {
            let is_first = round == 0;
            let (silent, answers, is_complete) = self.round(&to_ask, &trip, deadline, &mut asked).await;
            asked.is_complete = is_complete;
            asked.silent = silent.len();
            // A retry that brought nothing shows that silence is meant.
            let is_pointless = !is_first && answers == 0;
            if !is_complete || silent.is_empty() || is_pointless {
                break;
            }
            to_ask = silent;
        }
        asked.open.sort_unstable();
        asked
    }

    /// Asks each of these ports once: those that stayed silent, how many answered, and whether all were asked.
    async fn round(
        &self,
        ports: &[u16],
        trip: &Mutex<RoundTrip>,
        deadline: Option<Instant>,
        asked: &mut Asked,
    ) -> (Vec<u16>, usize, bool) {
        let mut probes = futures_util::stream::iter(ports.iter().copied())
            .map(|port| async move { (port, self.probe(port, trip).await) })
            .buffer_unordered(self.limits.probes_per_host);
        let (mut silent, mut answers) = (Vec::new(), 0);
        loop {
            let next = tokio::select! {
                next = probes.next() => next,
                () = self.stop.cancelled() => return (silent, answers, false),
                () = until(deadline) => return (silent, answers, false),
            };
            match next {
                None => return (silent, answers, true),
                Some((port, Knock::Open)) => {
                    answers += 1;
                    asked.open.push(port);
                }
                Some((_, Knock::Closed)) => {
                    answers += 1;
                    asked.closed += 1;
                }
                Some((port, Knock::Silent | Knock::NoWay)) => silent.push(port),
            }
        }
    }

    async fn probe(&self, port: u16, trip: &Mutex<RoundTrip>) -> Knock {
        let Some(_turn) = self.pace.turn().await else { return Knock::Silent };
        let wait = trip.lock().unwrap_or_else(PoisonError::into_inner).wait(self.limits);
        let begun = Instant::now();
        let brought = knock(SocketAddr::new(self.address, port), wait).await;
        if matches!(brought, Knock::Open | Knock::Closed) {
            trip.lock().unwrap_or_else(PoisonError::into_inner).seen(begun.elapsed());
        }
        if !self.limits.pause.is_zero() {
            sleep(self.limits.pause).await;
        }
        brought
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::discovery::timing::Timing;

    #[tokio::test]
    async fn open_and_closed_ports_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let [open, closed] = [&listener, &gone].map(|one| one.local_addr().unwrap().port());
        drop(gone);
        let limits = Timing::Aggressive.limits();
        let (pace, stop) = (Arc::new(Pace::new(&limits)), CancellationToken::new());
        let address = "127.0.0.1".parse().unwrap();
        let host = Host { address, limits: &limits, pace: &pace, stop: &stop };
        let asked = host.ask(vec![closed, open]).await;
        assert_eq!((asked.open, asked.closed, asked.is_complete), (vec![open], 1, true));
    }

    #[tokio::test]
    async fn a_scan_that_is_stopped_is_not_complete() {
        let limits = Timing::Paranoid.limits();
        let (pace, stop) = (Arc::new(Pace::new(&limits)), CancellationToken::new());
        stop.cancel();
        let address = "127.0.0.1".parse().unwrap();
        let asked = Host { address, limits: &limits, pace: &pace, stop: &stop }.ask(vec![1, 2]).await;
        assert!(!asked.is_complete);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept() {
        let pace = Pace::new(&Limits { rate: Some(100), ..Timing::Normal.limits() });
        let begun = Instant::now();
        for _ in 0..300 {
            drop(pace.turn().await.unwrap());
        }
        let took = begun.elapsed().as_millis();
        assert!((2_900..3_100).contains(&took), "{took}");
    }
}
