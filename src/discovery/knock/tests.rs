//! Knocks at ports of this machine.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use super::*;
use crate::discovery::timing::Timing;

/// Asks ports of 127.0.0.1; what came of it, and of how many ports was told.
async fn ask(ports: Vec<u16>, limits: Limits, stop: &CancellationToken) -> (Asked, usize) {
    let pace = Arc::new(Pace::new(&limits));
    let told = std::sync::atomic::AtomicUsize::new(0);
    let tell = |more| {
        told.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
    };
    let address = "127.0.0.1".parse().unwrap();
    let asked = Host { address, limits: &limits, pace: &pace, stop, told: &tell }.ask(ports).await;
    assert_eq!(pace.under_way.available_permits(), limits.probes, "all permits came back");
    (asked, told.into_inner())
}

#[tokio::test]
async fn open_and_closed_ports_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [open, closed] = [&listener, &gone].map(|one| one.local_addr().unwrap().port());
    drop(gone);
    let stop = CancellationToken::new();
    let (asked, told) = ask(vec![closed, open], Timing::Aggressive.limits(), &stop).await;
    assert_eq!((asked.open, asked.closed, asked.is_complete), (vec![open], 1, true));
    assert_eq!(told, 2);
}

#[tokio::test]
async fn a_scan_that_is_stopped_is_not_complete() {
    let stop = CancellationToken::new();
    stop.cancel();
    let (asked, _) = ask(vec![1, 2], Timing::Paranoid.limits(), &stop).await;
    assert!(!asked.is_complete);
}

#[tokio::test]
async fn a_port_whose_queue_is_full_is_silent_and_asked_again() {
    // Nobody takes what waits here, so the kernel answers no further one.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let at = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queue = Vec::new();
    while {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let has_room = socket.connect(&at.into()).is_ok();
        queue.push(socket);
        has_room
    } {}
    let limits = Limits { retries: 1, first_wait: Duration::from_millis(50), ..Timing::Insane.limits() };
    let (asked, told) = ask(vec![at.port()], limits, &CancellationToken::new()).await;
    assert_eq!((asked.open.len(), asked.silent, asked.is_complete), (0, 1, true));
    assert_eq!(told, 1, "a port counts once, however often it is asked");
}

#[tokio::test]
async fn fewer_permits_than_ports_are_enough() {
    let limits = Limits { probes: 1, probes_per_host: 1, ..Timing::Aggressive.limits() };
    let (asked, told) = ask((1..300).collect(), limits, &CancellationToken::new()).await;
    assert!(asked.is_complete);
    assert_eq!((asked.open.len() + asked.closed + asked.silent, told), (299, 299));
}

/// What one round brings when these ports of `address` are asked half, or nothing where this process may not.
async fn half(address: &str, ports: &[u16]) -> Option<Tally> {
    let limits = Timing::Aggressive.limits();
    let (pace, stop) = (Arc::new(Pace::new(&limits)), CancellationToken::new());
    let address = address.parse().unwrap();
    let syns = match Syns::to(address) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: without the right to raw sockets there are no half questions");
            return None;
        }
        syns => syns.unwrap(),
    };
    let host = Host { address, limits: &limits, pace: &pace, stop: &stop, told: &|_| {} };
    let mut trip = RoundTrip::default();
    let mut knocks = Knocks::new(&host, Means::Syn(syns), &mut trip);
    assert!(knocks.all(ports, None, true).await);
    Some(std::mem::take(&mut knocks.tally))
}

#[tokio::test]
async fn half_a_question_is_enough_and_no_connection_comes_of_it() {
    for address in ["127.0.0.1", "::1"] {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let gone = TcpListener::bind((address, 0)).await.unwrap();
        let closed = gone.local_addr().unwrap().port();
        drop(gone);
        let Some(tally) = half(address, &[closed, open]).await else { return };
        assert_eq!((tally.open, tally.closed, tally.silent), (vec![open], 1, vec![]), "{address}");
        let accepted = futures_util::FutureExt::now_or_never(listener.accept());
        assert!(accepted.is_none(), "the server was not bothered");
    }
}

#[tokio::test]
async fn every_port_is_asked_once_by_half_questions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports: Vec<u16> = (1..=u16::MAX).collect();
    let Some(mut tally) = half("127.0.0.1", &ports).await else { return };
    assert_eq!(tally.open.len() + tally.closed + tally.silent.len(), ports.len());
    tally.open.sort_unstable();
    assert!(tally.open.binary_search(&listener.local_addr().unwrap().port()).is_ok());
    assert!(tally.silent.is_empty(), "{:?}", tally.silent);
}
