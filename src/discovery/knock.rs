//! TCP connects as probes: which ports of one host are open, at the pace of a template.
//!
//! A full scan is 65,535 connections that say nothing, so none of them is worth a task or a timer: sockets are made and
//! connected without waiting, what is under way is watched by one epoll, and the oldest tell when to look at the clock.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::epoll;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::timing::{Limits, RoundTrip};

/// What a knock at one port brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knock {
    Open,
    /// Refused: somebody is there, nobody listens.
    Closed,
    /// Nothing came back in time, or somebody on the way says that there is no way.
    Silent,
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
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.under_way.acquire().await.ok()?;
        if let Some(at) = self.slot() {
            sleep_until(at).await;
        }
        Some(permit)
    }

    /// Takes the next place of the rate, and says when it is where that is not now.
    fn slot(&self) -> Option<Instant> {
        if self.gap.is_zero() {
            return None;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // What was not used in the past is not made up for.
        *next = (*next).max(now.checked_sub(SLACK).unwrap_or(now)) + self.gap;
        (*next > now + SLACK).then_some(*next)
    }
}

/// The ports of one host.
pub(super) struct Host<'a> {
    pub(super) address: IpAddr,
    pub(super) limits: &'a Limits,
    pub(super) pace: &'a Arc<Pace>,
    pub(super) stop: &'a CancellationToken,
    /// Told how many ports more have been asked.
    pub(super) told: &'a (dyn Fn(usize) + Sync),
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
        let mut trip = RoundTrip::default();
        let deadline = self.limits.host_timeout.map(|most| Instant::now() + most);
        let mut asked = Asked { is_complete: true, ..Asked::default() };
        let mut to_ask = ports;
        for round in 0..=self.limits.retries {
            let is_first = round == 0;
            let Ok(mut knocks) = Knocks::new(self, &mut trip) else {
                asked.is_complete = false;
                break;
            };
            let is_complete = knocks.all(&to_ask, deadline, is_first).await;
            let Tally { open, closed, silent } = std::mem::take(&mut knocks.tally);
            let answers = open.len() + closed;
            asked.open.extend(open);
            asked.closed += closed;
            asked.silent = silent.len();
            asked.is_complete = is_complete;
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
}

/// A connection under way.
struct Probe<'a> {
    socket: Socket,
    port: u16,
    begun: Instant,
    until: Instant,
    _permit: SemaphorePermit<'a>,
}

#[derive(Debug, Default)]
struct Tally {
    open: Vec<u16>,
    closed: usize,
    silent: Vec<u16>,
}

/// One round over ports of one host.
struct Knocks<'a> {
    host: &'a Host<'a>,
    trip: &'a mut RoundTrip,
    watch: AsyncFd<OwnedFd>,
    /// By the number under which the kernel tells of them.
    under_way: Vec<Option<Probe<'a>>>,
    free: Vec<usize>,
    /// In the order in which they began; may hold some that have ended meanwhile.
    oldest: VecDeque<(usize, Instant)>,
    /// No probe begins before this.
    hold: Option<Instant>,
    tally: Tally,
    /// Ports that are done and not told of yet.
    done: usize,
    events: Vec<epoll::Event>,
    at_once: AtOnce,
}

/// Near hosts refuse before the call that asks them has returned: there, to ask the kernel again is cheaper than to be
/// told, and the socket that was refused serves for the next port. Elsewhere it is one call too many.
#[derive(Debug, Default)]
struct AtOnce {
    looks: u32,
    hits: u32,
    spare: Option<Socket>,
}

impl AtOnce {
    fn is_worth_it(&self) -> bool {
        self.looks < 32 || self.hits * 2 > self.looks
    }

    fn connect(&mut self, at: SocketAddr) -> Begun {
        let socket = match self.spare.take().map_or_else(|| socket(at), Ok) {
            Ok(socket) => socket,
            Err(error) => return failed(&error),
        };
        let address = SockAddr::from(at);
        match socket.connect(&address) {
            Ok(()) => return Begun::Over(opened(&socket, at)),
            Err(error) if is_begun(&error) => {}
            Err(error) => return failed(&error),
        }
        if !self.is_worth_it() {
            return Begun::UnderWay(socket);
        }
        self.looks += 1;
        // What a second call says ends the first: after a refusal the socket is as new.
        match socket.connect(&address) {
            Ok(()) => Begun::Over(opened(&socket, at)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.hits += 1;
                self.spare = Some(socket);
                Begun::Over(Knock::Closed)
            }
            Err(error) if is_under_way(&error) => Begun::UnderWay(socket),
            Err(error) => failed(&error),
        }
    }
}

/// Connections begun before others have their turn.
const BURST: usize = 64;
/// Taken from the kernel at once.
const EVENTS: usize = 256;
/// What this machine lacks for the moment (ports, descriptors, memory) is waited for.
const SHORTAGE: Duration = Duration::from_millis(20);
const SHORTAGES: u32 = 40;

/// What keeps the next probe from beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing: others have their turn.
    No,
    /// Those under way.
    Answers,
    /// Those of other hosts.
    Permit,
    Until(Instant),
}

impl<'a> Knocks<'a> {
    fn new(host: &'a Host<'a>, trip: &'a mut RoundTrip) -> io::Result<Self> {
        Ok(Self {
            host,
            trip,
            watch: watched(epoll::create(epoll::CreateFlags::CLOEXEC)?)?,
            under_way: Vec::new(),
            free: Vec::new(),
            oldest: VecDeque::new(),
            hold: None,
            tally: Tally::default(),
            done: 0,
            events: Vec::with_capacity(EVENTS),
            at_once: AtOnce::default(),
        })
    }

    /// Asks each of these ports once. Whether all of them were.
    async fn all(&mut self, ports: &[u16], deadline: Option<Instant>, is_counted: bool) -> bool {
        let mut rest = ports.iter().copied();
        let mut next = rest.next();
        let mut shortages = 0;
        loop {
            let wait = self.begin_some(&mut next, &mut rest, &mut shortages);
            if is_counted && self.done > 0 {
                (self.host.told)(self.done);
            }
            self.done = 0;
            if next.is_none() && self.is_idle() {
                return true;
            }
            if !self.wait(wait, deadline).await {
                return false;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.free.len() == self.under_way.len()
    }

    fn begin_some(
        &mut self,
        next: &mut Option<u16>,
        rest: &mut impl Iterator<Item = u16>,
        shortages: &mut u32,
    ) -> Wait {
        for _ in 0..BURST {
            let Some(port) = *next else { return Wait::Answers };
            if self.under_way.len() - self.free.len() >= self.host.limits.probes_per_host {
                return Wait::Answers;
            }
            // A place in the rate that was taken before counts once its time has come.
            match self.hold {
                Some(at) if at > Instant::now() + SLACK => return Wait::Until(at),
                Some(_) => self.hold = None,
                None => self.hold = self.host.pace.slot(),
            }
            if let Some(at) = self.hold {
                return Wait::Until(at);
            }
            let Ok(permit) = self.host.pace.under_way.try_acquire() else {
                return if self.is_idle() { Wait::Permit } else { Wait::Answers };
            };
            if self.begin(port, permit) {
                *shortages = 0;
            } else if *shortages < SHORTAGES {
                *shortages += 1;
                return Wait::Until(Instant::now() + SHORTAGE);
            } else {
                self.over(port, Knock::Silent);
            }
            *next = rest.next();
        }
        Wait::No
    }

    /// False: this machine lacks something for it.
    fn begin(&mut self, port: u16, permit: SemaphorePermit<'a>) -> bool {
        let at = SocketAddr::new(self.host.address, port);
        let begun = Instant::now();
        let socket = match self.at_once.connect(at) {
            Begun::Short => return false,
            Begun::Over(knock) => {
                if knock != Knock::Silent {
                    self.trip.seen(begun.elapsed());
                }
                self.over(port, knock);
                return true;
            }
            Begun::UnderWay(socket) => socket,
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() - 1
        });
        let data = epoll::EventData::new_u64(place as u64);
        if epoll::add(self.watch.get_ref(), &socket, data, epoll::EventFlags::OUT).is_err() {
            self.free.push(place);
            return false;
        }
        let until = begun + self.trip.wait(self.host.limits);
        self.oldest.push_back((place, until));
        if let Some(free) = self.under_way.get_mut(place) {
            *free = Some(Probe { socket, port, begun, until, _permit: permit });
        }
        true
    }

    fn over(&mut self, port: u16, knock: Knock) {
        self.done += 1;
        match knock {
            Knock::Open => self.tally.open.push(port),
            Knock::Closed => self.tally.closed += 1,
            Knock::Silent => self.tally.silent.push(port),
        }
        let pause = self.host.limits.pause;
        if !pause.is_zero() {
            self.hold = Some(Instant::now() + pause);
        }
    }

    /// Waits for whatever comes first, and takes it. False: stopped, or the host's time is over.
    async fn wait(&mut self, wait: Wait, deadline: Option<Instant>) -> bool {
        let wake = match wait {
            Wait::Until(at) => Some(at),
            Wait::No | Wait::Answers | Wait::Permit => None,
        };
        if wait == Wait::No {
            tokio::task::yield_now().await;
        } else {
            let first = self.oldest.front().map(|(_, until)| *until);
            let alarm = [wake, first, deadline].into_iter().flatten().min();
            let is_under_way = !self.is_idle();
            tokio::select! {
                () = self.host.stop.cancelled() => return false,
                Ok(mut guard) = self.watch.readable(), if is_under_way => guard.clear_ready(),
                () = until(alarm) => {}
                // Let go of at once: it is taken by whoever asks first.
                _permit = self.host.pace.under_way.acquire(), if wait == Wait::Permit => {}
            }
        }
        self.take_answers();
        let now = Instant::now();
        self.give_up(now);
        !self.host.stop.is_cancelled() && deadline.is_none_or(|deadline| now < deadline)
    }

    fn take_answers(&mut self) {
        if self.is_idle() {
            return;
        }
        loop {
            let mut events = std::mem::take(&mut self.events);
            events.clear();
            let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            let taken = epoll::wait(
                self.watch.get_ref(),
                rustix::buffer::spare_capacity(&mut events),
                Some(&at_once),
            );
            for event in &events {
                let (data, flags) = (event.data.u64(), event.flags);
                self.take_answer(data, flags);
            }
            self.events = events;
            if !taken.is_ok_and(|taken| taken >= EVENTS) {
                return;
            }
        }
    }

    fn take_answer(&mut self, place: u64, flags: epoll::EventFlags) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some(probe) = self.under_way.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        let is_wrong = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        let error = if is_wrong { probe.socket.take_error().ok().flatten() } else { None };
        let knock = match error {
            Some(error) => verdict(&error).unwrap_or(Knock::Silent),
            None => opened(&probe.socket, SocketAddr::new(self.host.address, probe.port)),
        };
        if knock != Knock::Silent {
            self.trip.seen(probe.begun.elapsed());
        }
        self.over(probe.port, knock);
    }

    /// Those that have been silent for long enough.
    fn give_up(&mut self, now: Instant) {
        while let Some((place, until)) = self.oldest.front().copied() {
            let slot = self.under_way.get_mut(place);
            let is_still =
                slot.as_ref().is_some_and(|slot| slot.as_ref().is_some_and(|one| one.until == until));
            if is_still && until > now {
                return;
            }
            self.oldest.pop_front();
            if let Some(probe) = slot.filter(|_| is_still).and_then(Option::take) {
                self.free.push(place);
                self.over(probe.port, Knock::Silent);
            }
        }
    }
}

#[expect(unsafe_code, reason = "tokio asks for a promise that an owned descriptor keeps by itself")]
fn watched(epoll: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives and always the same descriptor.
    Ok(unsafe { AsyncFd::register_with_interest(epoll, Interest::READABLE) }?)
}

/// How a connection began.
enum Begun {
    UnderWay(Socket),
    Over(Knock),
    Short,
}

fn socket(at: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new_raw(Domain::for_address(at), kind, Some(Protocol::TCP))
}

fn failed(error: &io::Error) -> Begun {
    verdict(error).map_or(Begun::Short, Begun::Over)
}

fn is_begun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EINPROGRESS)
}

/// Of a second call: the first has not ended.
fn is_under_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EALREADY | nix::libc::EINPROGRESS))
}

/// On loopback a probe may be given the very port that it asks for, and then finds itself.
fn opened(socket: &Socket, at: SocketAddr) -> Knock {
    let is_itself = socket.local_addr().is_ok_and(|own| own.as_socket() == Some(at));
    if is_itself { Knock::Closed } else { Knock::Open }
}

/// None: this machine lacks something for it.
fn verdict(error: &io::Error) -> Option<Knock> {
    use nix::libc::{EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Some(Knock::Closed),
        _ => match error.raw_os_error() {
            Some(EADDRNOTAVAIL | EAGAIN | EMFILE | ENFILE | ENOBUFS | ENOMEM) => None,
            _ => Some(Knock::Silent),
        },
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
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
        while let Begun::Over(Knock::Open) = {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let begun = match socket.connect(&at.into()) {
                Ok(()) => Begun::Over(Knock::Open),
                Err(_) => Begun::Short,
            };
            queue.push(socket);
            begun
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
